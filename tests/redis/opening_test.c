/* Connecting, saying who we are, and what is refused before it is sent. */
#include "base/alloc.h"
#include "base/fail.h"
#include "fake_server.h"

#include <stdlib.h>

/* A URL of the server with user, password and database. */
static const char *url_with(const struct fake *fake, char *url, size_t size, const char *user,
                            const char *rest)
{
    snprintf(url, size, "redis://%s127.0.0.1:%d%s", user, rill_listener_port(fake->listener), rest);
    return url;
}

TASK_TEST(password_and_database_come_first_on_every_connection)
{
    struct fake fake;
    struct call call;
    char url[96];
    DEMAND(fake_start(&fake));
    struct connecting connecting = {
        .opts.url = url_with(&fake, url, sizeof url, "me:p%40ss@", "/3"),
    };
    connect_start(&connecting);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_STR(fake.said, "AUTH me p@ss|");
    fake_say(&fake, "+OK\r\n");
    DEMAND(fake_hear(&fake, 1));
    CHECK_STR(fake.said, "SELECT 3|");
    fake_say(&fake, "+OK\r\n");
    CHECK_INT(connect_end(&connecting), 0);
    /* Lost, and made anew by a command, which waits until it may. */
    fake_hang_up(&fake);
    while (connecting.redis->conn)
        rill_sleep(0);
    call_start(&call, connecting.redis, "GET x");
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_STR(fake.said, "AUTH me p@ss|");
    fake_say(&fake, "+OK\r\n");
    DEMAND(fake_hear(&fake, 1));
    CHECK_STR(fake.said, "SELECT 3|");
    fake_say(&fake, "+OK\r\n");
    DEMAND(fake_hear(&fake, 1));
    CHECK_STR(fake.said, "GET x|");
    fake_say(&fake, "$-1\r\n");
    CHECK_INT(call_end(&call), 0);
    rill_redis_free(connecting.redis);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_refused_database_fails_the_command_that_connects)
{
    struct fake fake;
    struct call call;
    char url[96];
    DEMAND(fake_start(&fake));
    struct connecting connecting = {
        .opts.url = url_with(&fake, url, sizeof url, ":secret@", "/3"),
    };
    connect_start(&connecting);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_STR(fake.said, "AUTH secret|");
    fake_say(&fake, "+OK\r\n");
    DEMAND(fake_hear(&fake, 1));
    fake_say(&fake, "+OK\r\n");
    CHECK_INT(connect_end(&connecting), 0);
    fake_hang_up(&fake);
    while (connecting.redis->conn)
        rill_sleep(0);
    call_start(&call, connecting.redis, "GET x");
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    fake_say(&fake, "-LOADING Redis is loading the dataset in memory\r\n");
    CHECK_INT(call_end(&call), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(call.message, "LOADING");
    CHECK_CONTAINS(call.message, "the command was not sent: redis 127.0.0.1:");
    CHECK(!strstr(call.message, "secret"));
    CHECK(!fake_hear(&fake, 1)); /* nothing was sent behind it */
    rill_redis_free(connecting.redis);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_server_that_does_not_answer_the_password)
{
    struct fake fake;
    char url[96];
    DEMAND(fake_start(&fake));
    struct connecting connecting = {
        .opts.url = url_with(&fake, url, sizeof url, ":secret@", ""),
        .opts.connect_timeout = 0.1,
    };
    connect_start(&connecting);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_INT(connect_end(&connecting), RILL_ECONNECT_TIMEOUT);
    CHECK_CONTAINS(connecting.message, "not connected within 0.1 s");
    CHECK(!strstr(connecting.message, "secret"));
    CHECK(!fake_hear(&fake, 1));
    fake_stop(&fake);
    return 0;
}

TASK_TEST(connecting_may_be_cancelled)
{
    struct fake fake;
    char url[96];
    DEMAND(fake_start(&fake));
    struct connecting connecting = {
        .opts.url = url_with(&fake, url, sizeof url, ":secret@", ""),
    };
    connect_start(&connecting);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    rill_cancel(connecting.task);
    CHECK_INT(connect_end(&connecting), RILL_ECANCELED);
    CHECK(!fake_hear(&fake, 1));
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_server_that_is_no_redis)
{
    struct fake fake;
    char url[96];
    DEMAND(fake_start(&fake));
    struct connecting connecting = {
        .opts.url = url_with(&fake, url, sizeof url, "", "/1"),
    };
    connect_start(&connecting);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    fake_say(&fake, "HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK_INT(connect_end(&connecting), RILL_EREDIS_PROTOCOL);
    CHECK_CONTAINS(connecting.message, "'H' begins no reply");
    fake_stop(&fake);
    return 0;
}

TASK_TEST(an_absent_redis_is_refused_with_host_and_port)
{
    struct fake fake;
    struct call call;
    char peer[32];
    DEMAND(fake_start(&fake));
    snprintf(peer, sizeof peer, "127.0.0.1:%d", rill_listener_port(fake.listener));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    fake_stop(&fake);
    while (redis->conn)
        rill_sleep(0);
    CHECK(rill_redis_connect(fake.url) == NULL);
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK_CONTAINS(rill_last_error()->message, peer);
    CHECK_CONTAINS(rill_last_error()->where, peer);
    CHECK_INT(call_now(&call, redis, "PING"), RILL_EREFUSED);
    CHECK_CONTAINS(call.message, peer);
    CHECK(!strstr(call.message, "not sent"));
    return 0;
}

/* While one connection is being made, all commands wait for it. */
TASK_TEST(many_tasks_make_one_connection)
{
    struct fake fake;
    struct call calls[20];
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    fake_hang_up(&fake);
    while (redis->conn)
        rill_sleep(0);
    for (int i = 0; i < 20; i++)
        call_start(&calls[i], redis, "PING");
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 20));
    for (int i = 0; i < 20; i++)
        fake_say(&fake, "+PONG\r\n");
    for (int i = 0; i < 20; i++)
        CHECK_INT(call_end(&calls[i]), 0);
    rill_stream *second = NULL;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.05);
    second = rill_accept(fake.listener);
    rill_scope_end(&scope, 0);
    CHECK(second == NULL);
    rill_stream_free(second);
    fake_stop(&fake);
    return 0;
}

/* What a shielded clean-up in a cancelled task sends connects as well. */
static int clean_up(void *arg)
{
    struct call *call = arg;
    rill_scope scope;
    rill_sleep(RILL_FOREVER);
    rill_scope_begin(&scope, .timeout = 5, .shield = true);
    call_now(call, call->redis, "DEL lock");
    return rill_scope_end(&scope, 0);
}

TASK_TEST(a_cancelled_task_may_connect_in_a_shield)
{
    struct fake fake;
    struct call call = { 0 };
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    fake_hang_up(&fake);
    while (redis->conn)
        rill_sleep(0);
    call.redis = redis;
    rill_task task = rill_spawn(clean_up, &call);
    rill_sleep(0);
    rill_cancel(task);
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_STR(fake.said, "DEL lock|");
    fake_say(&fake, ":1\r\n");
    CHECK_INT(rill_join(task), 0);
    CHECK_STR(call.reply, "1");
    fake_stop(&fake);
    return 0;
}

TASK_TEST(what_cannot_share_a_connection_is_refused)
{
    static const char *const commands[] = {
        "SUBSCRIBE a b", "psubscribe a*", "Ssubscribe x", "UNSUBSCRIBE",
        "PUNSUBSCRIBE",  "SUNSUBSCRIBE",  "monitor",      "SYNC",
        "PSYNC ? -1",    "HELLO 3",       "hello",        "client REPLY off",
    };
    struct fake fake;
    struct call call;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        CHECK_INT(call_now(&call, redis, commands[i]), RILL_EUNSUPPORTED);
    CHECK_CONTAINS(call.message, "client reply cannot share a connection");
    call_start(&call, redis, "CLIENT INFO");
    DEMAND(fake_hear(&fake, 1));
    CHECK_STR(fake.said, "CLIENT INFO|");
    fake_say(&fake, "+x\r\n");
    CHECK_INT(call_end(&call), 0);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(wrong_use_is_an_error)
{
    const char *none[] = { "GET", NULL };
    struct fake fake;
    struct call call;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis);
    CHECK_INT(call_now(&call, redis, ""), RILL_EINVAL);
    CHECK_INT(call_now(&call, redis, "   "), RILL_EINVAL);
    CHECK_INT(call_now(&call, redis, "GET %y"), RILL_EINVAL);
    CHECK_INT(call_now(&call, redis, NULL), RILL_EINVAL);
    CHECK_INT(call_now(&call, NULL, "PING"), RILL_EINVAL);
    CHECK(!rill_redis_command_argv(redis, 0, none, NULL) && rill_errcode() == RILL_EINVAL);
    CHECK(!rill_redis_command_argv(redis, 2, none, NULL) && rill_errcode() == RILL_EINVAL);
    CHECK(!rill_redis_command_argv(redis, 1, NULL, NULL) && rill_errcode() == RILL_EINVAL);
    CHECK(!rill_redis_command_argv(NULL, 1, none, NULL) && rill_errcode() == RILL_EINVAL);
    CHECK(!rill_redis_connect(NULL) && rill_errcode() == RILL_EURL);
    CHECK(!rill_redis_connect_with(NULL) && rill_errcode() == RILL_EURL);
    rill_redis_reply_free(NULL);
    fake_stop(&fake);
    return 0;
}

TEST(outside_a_task_nothing_is_sent)
{
    CHECK(!rill_redis_connect("redis://127.0.0.1:1") && rill_errcode() == RILL_ENOTASK);
    CHECK(!rill_redis_command(NULL, "PING") && rill_errcode() == RILL_ENOTASK);
}

struct big {
    rill_redis *redis;
    const char *bytes;
    size_t len;
    int code;
};

static int send_big(void *arg)
{
    struct big *big = arg;
    rill_auto(rill_redis_reply) reply =
        rill_redis_command(big->redis, "SET x %b", big->bytes, big->len);
    big->code = reply ? 0 : rill_errcode();
    return 0;
}

/* The server does not read: what waits to be sent stays within its bound. */
TASK_TEST(what_waits_to_be_sent_is_bounded)
{
    enum { COUNT = 100, SIZE = 1024 * 1024 };
    struct fake fake;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    char *bytes = calloc(1, SIZE + 1);
    struct big bigs[COUNT];
    rill_task tasks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        bigs[i] = (struct big){ redis, bytes, SIZE, 1 };
        tasks[i] = rill_spawn(send_big, &bigs[i]);
    }
    rill_sleep(0.1);
    CHECK(redis->conn && redis->conn->queued_bytes <= RILL__REDIS_QUEUE_MAX);
    rill_redis_free(rill_take(redis));
    int over = 0, closed = 0;
    for (int i = 0; i < COUNT; i++) {
        rill_join(tasks[i]);
        over += bigs[i].code == RILL_ELIMIT;
        closed += bigs[i].code == RILL_ECLOSED;
    }
    CHECK(over >= 20 && closed >= 60);
    CHECK_INT(over + closed, COUNT);
    free(bytes);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(one_command_is_bounded)
{
    struct fake fake;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis);
    size_t len = RILL__REDIS_QUEUE_MAX + 1;
    char *bytes = calloc(1, len + 1);
    const char *argv[] = { "SET", "x", bytes };
    size_t lens[] = { 3, 1, len };
    CHECK(!rill_redis_command_argv(redis, 3, argv, lens) && rill_errcode() == RILL_ELIMIT);
    CHECK(!rill_redis_command(redis, "SET x %b", bytes, len) && rill_errcode() == RILL_ELIMIT);
    free(bytes);
    fake_stop(&fake);
    return 0;
}
