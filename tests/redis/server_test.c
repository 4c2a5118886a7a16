/* Against a real redis-server: values, pipelines, passwords, pauses, kills, cancellations. */
#include "base/alloc.h"
#include "base/fail.h"
#include "fake_server.h"
#include "real_server.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>

/* A test whose body, int run_NAME(struct server *), is a task, with a server beside it. */
#define SERVER_TEST(name, password)                                                                \
    static int run_##name(void *arg);                                                              \
    TEST_WITHIN(name, 60)                                                                          \
    {                                                                                              \
        struct server server;                                                                      \
        if (server_start(&server, password)) {                                                     \
            CHECK_INT(rill_run(run_##name, &server), 0);                                           \
            server_stop(&server);                                                                  \
        }                                                                                          \
    }                                                                                              \
    static int run_##name(void *arg)

static void check_reply(rill_redis *redis, const char *command, const char *expected)
{
    struct call call;
    call_now(&call, redis, command);
    if (call.code != 0 || strcmp(call.reply, expected) != 0)
        test_fail(__FILE__, __LINE__, "%s: %d '%s' instead of %s", command, call.code,
                  call.code ? call.message : call.reply, expected);
}

SERVER_TEST(values_come_back_as_they_went, NULL)
{
    struct server *server = arg;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url);
    DEMAND(redis);
    check_reply(redis, "PING", "+PONG");
    check_reply(redis, "SET greeting hello", "+OK");
    check_reply(redis, "GET greeting", "\"hello\"");
    check_reply(redis, "GET nothing", "nil");
    check_reply(redis, "RPUSH list a b c", "3");
    check_reply(redis, "LRANGE list 0 -1", "[\"a\" \"b\" \"c\"]");
    check_reply(redis, "EVAL return{1,{2,{3,{4}}}} 0", "[1 [2 [3 [4]]]]");
    char value[] = "a\0b \r\n%s $5";
    rill_auto(rill_redis_reply) set =
        rill_redis_command(redis, "SET %s %b", "key with space", value, sizeof value);
    CHECK(set && set->type == REDIS_REPLY_STATUS);
    const char *argv[] = { "GET", "key with space" };
    rill_auto(rill_redis_reply) got = rill_redis_command_argv(redis, 2, argv, NULL);
    DEMAND(got);
    CHECK_INT(got->len, sizeof value);
    CHECK(memcmp(got->str, value, sizeof value) == 0);
    return 0;
}

SERVER_TEST(long_values, NULL)
{
    struct server *server = arg;
    size_t len = 20u * 1024 * 1024;
    rill_auto(rill_redis) redis = rill_redis_connect(server->unix_url);
    DEMAND(redis);
    char *value = malloc(len);
    for (size_t i = 0; i < len; i++)
        value[i] = (char)(i * 7 % 251);
    rill_auto(rill_redis_reply) set = rill_redis_command(redis, "SET x %b", value, len);
    DEMAND(set);
    rill_auto(rill_redis_reply) got = rill_redis_command(redis, "GET x");
    DEMAND(got && got->len == len);
    CHECK(memcmp(got->str, value, len) == 0);
    free(value);
    return 0;
}

SERVER_TEST(errors_of_redis_are_errors_with_its_text, NULL)
{
    struct server *server = arg;
    struct call call;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url);
    DEMAND(redis);
    CHECK_INT(call_now(&call, redis, "NOSUCH x"), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(call.message, "ERR unknown command");
    check_reply(redis, "SET x 1", "+OK");
    CHECK_INT(call_now(&call, redis, "LPUSH x 1"), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(call.message, "WRONGTYPE");
    CHECK_CONTAINS(rill_last_error()->where, "redis 127.0.0.1:");
    CHECK_INT(call_now(&call, redis, "EVALSHA abc 0"), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(call.message, "NOSCRIPT");
    CHECK(rill_error_is(rill_last_error(), RILL_EREDIS));
    return 0;
}

/* ---- many at once ---- */

struct worker {
    rill_redis *redis;
    int number;
    int rounds;
    int right, wrong, failed;
};

static int work(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < worker->rounds; i++) {
        rill_auto(rill_redis_reply) reply =
            rill_redis_command(worker->redis, "ECHO %d-%d", worker->number, i);
        char expected[32];
        snprintf(expected, sizeof expected, "%d-%d", worker->number, i);
        if (!reply)
            worker->failed++;
        else if (strcmp(reply->str, expected) == 0)
            worker->right++;
        else
            worker->wrong++;
        if (rill_cancelled())
            return rill__fail_canceled("work");
    }
    return 0;
}

static long statistic(rill_redis *redis, const char *name)
{
    rill_auto(rill_redis_reply) info = rill_redis_command(redis, "INFO stats");
    const char *at = info ? strstr(info->str, name) : NULL;
    return at ? strtol(at + strlen(name) + 1, NULL, 10) : -1;
}

SERVER_TEST(a_thousand_tasks_share_few_writes, NULL)
{
    enum { COUNT = 1000 };
    struct server *server = arg;
    static struct worker workers[COUNT];
    rill_auto(rill_redis) redis = rill_redis_connect(server->url);
    DEMAND(redis);
    for (int i = 0; i < COUNT; i++)
        workers[i] = (struct worker){ .redis = redis, .number = i, .rounds = 1 };
    long before = statistic(redis, "total_reads_processed");
    CHECK_INT(rill_gather(workers, COUNT, work), 0);
    long reads = statistic(redis, "total_reads_processed") - before;
    for (int i = 0; i < COUNT; i++)
        CHECK(workers[i].right == 1);
    /* 1,000 commands are about 30 KiB, which redis reads in pieces of 16. */
    if (reads < 1 || reads > 20)
        test_fail(__FILE__, __LINE__, "redis read %ld times", reads);
    return 0;
}

/* Tasks come and are cancelled at random moments; whoever gets a reply gets its own. */
SERVER_TEST(cancelled_at_random_nobody_gets_anothers_reply, NULL)
{
    enum { COUNT = 40, ROUNDS = 150 };
    struct server *server = arg;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url);
    DEMAND(redis);
    struct worker workers[COUNT];
    rill_task tasks[COUNT];
    unsigned seed = 1;
    long right = 0, cancelled = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) {
            workers[i] = (struct worker){ .redis = redis, .number = round * COUNT + i };
            workers[i].rounds = 5;
            tasks[i] = rill_spawn(work, &workers[i]);
        }
        for (int turns = rand_r(&seed) % 20; turns > 0; turns--)
            rill_sleep(0);
        for (int i = 0; i < COUNT; i++)
            if (rand_r(&seed) % 2)
                rill_cancel(tasks[i]);
        for (int i = 0; i < COUNT; i++) {
            cancelled += rill_join(tasks[i]) == RILL_ECANCELED;
            right += workers[i].right;
            CHECK_INT(workers[i].wrong, 0);
        }
    }
    CHECK(right > 1000 && cancelled > 1000);
    check_reply(redis, "ECHO last", "\"last\"");
    CHECK_INT(redis->conn->slots, 0);
    return 0;
}

/* ---- passwords and databases ---- */

SERVER_TEST(passwords, "se:cr@t")
{
    struct server *server = arg;
    char url[128];
    struct call call;
    snprintf(url, sizeof url, "redis://:se%%3acr%%40t@127.0.0.1:%d/1", server->port);
    rill_auto(rill_redis) redis = rill_redis_connect(url);
    DEMAND(redis);
    check_reply(redis, "PING", "+PONG");
    snprintf(url, sizeof url, "redis://default:se%%3acr%%40t@127.0.0.1:%d", server->port);
    rill_auto(rill_redis) named = rill_redis_connect(url);
    DEMAND(named);
    snprintf(url, sizeof url, "redis://:wrongsecret@127.0.0.1:%d", server->port);
    CHECK(rill_redis_connect(url) == NULL);
    CHECK_INT(rill_errcode(), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(rill_last_error()->message, "WRONGPASS");
    CHECK(!strstr(rill_last_error()->message, "secret"));
    rill_auto(rill_redis) without = rill_redis_connect(server->url);
    DEMAND(without);
    CHECK_INT(call_now(&call, without, "GET x"), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(call.message, "NOAUTH");
    return 0;
}

SERVER_TEST(databases, NULL)
{
    struct server *server = arg;
    char url[128];
    snprintf(url, sizeof url, "%s/5", server->url);
    rill_auto(rill_redis) five = rill_redis_connect(url);
    snprintf(url, sizeof url, "%s?db=5", server->unix_url);
    rill_auto(rill_redis) also_five = rill_redis_connect(url);
    rill_auto(rill_redis) zero = rill_redis_connect(server->url);
    DEMAND(five && also_five && zero);
    check_reply(five, "SET x five", "+OK");
    check_reply(also_five, "GET x", "\"five\"");
    check_reply(zero, "GET x", "nil");
    check_reply(zero, "SELECT 5", "+OK");
    check_reply(zero, "GET x", "\"five\"");
    snprintf(url, sizeof url, "%s/9999", server->url);
    CHECK(rill_redis_connect(url) == NULL);
    CHECK_INT(rill_errcode(), RILL_EREDIS_REPLY);
    CHECK_CONTAINS(rill_last_error()->message, "SELECT: ERR DB index is out of range");
    return 0;
}

static int run_tls(void *arg)
{
    struct server *server = arg;
    char url[96], ca[96];
    snprintf(url, sizeof url, "rediss://localhost:%d/2", server->port);
    snprintf(ca, sizeof ca, "%s/cert.pem", server->folder);
    rill_auto(rill_redis) redis = rill_redis_connect(url, .tls_options.ca_file = ca);
    DEMAND(redis);
    memset(ca, 'x', 20); /* the options were copied */
    check_reply(redis, "ECHO secret", "\"secret\"");
    CHECK(rill_redis_connect(url) == NULL); /* not among the system's roots */
    CHECK(rill_error_is(rill_last_error(), RILL_ECERTIFICATE));
    snprintf(url, sizeof url, "rediss://127.0.0.1:%d", server->port);
    snprintf(ca, sizeof ca, "%s/cert.pem", server->folder);
    CHECK(rill_redis_connect(url, .tls_options.ca_file = ca) == NULL);
    CHECK_INT(rill_errcode(), RILL_ECERTIFICATE_HOST);
    snprintf(url, sizeof url, "redis://localhost:%d", server->port);
    struct call call;
    rill_auto(rill_redis) plain = rill_redis_connect(url, .timeout = 2);
    CHECK(!plain || call_now(&call, plain, "PING") < 0);
    return 0;
}

TEST_WITHIN(tls, 60)
{
    struct server server;
    if (server_start_tls(&server)) {
        CHECK_INT(rill_run(run_tls, &server), 0);
        server_stop(&server);
    }
}

/* ---- slow, stopped and dead servers ---- */

SERVER_TEST(a_pause_times_out_and_pairs_rightly_afterwards, NULL)
{
    struct server *server = arg;
    struct call call;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url, .timeout = 0.1);
    DEMAND(redis);
    check_reply(redis, "SET a 1", "+OK");
    check_reply(redis, "CLIENT PAUSE 350 ALL", "+OK");
    for (int i = 0; i < 3; i++)
        CHECK_INT(call_now(&call, redis, "GET a"), RILL_ETIMEDOUT);
    CHECK_INT(redis->conn->tombstones, 3);
    rill_sleep(0.2);
    check_reply(redis, "ECHO mine", "\"mine\"");
    CHECK_INT(redis->conn->tombstones, 0);
    return 0;
}

SERVER_TEST(a_sleeping_server_keeps_the_order, NULL)
{
    struct server *server = arg;
    struct call slow, first, second;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url, .timeout = RILL_FOREVER);
    DEMAND(redis);
    call_start(&slow, redis, "DEBUG SLEEP 0.3");
    call_start(&first, redis, "ECHO first");
    call_start(&second, redis, "ECHO second");
    rill_sleep(0.05);
    rill_cancel(first.task, .reason = "changed my mind");
    CHECK_INT(call_end(&first), RILL_ECANCELED);
    CHECK_CONTAINS(first.message, "changed my mind");
    CHECK_INT(call_end(&second), 0);
    CHECK_STR(second.reply, "\"second\"");
    CHECK_INT(call_end(&slow), 0);
    CHECK_STR(slow.reply, "+OK");
    return 0;
}

SERVER_TEST(a_stopped_server_is_given_up, NULL)
{
    struct server *server = arg;
    struct call call;
    rill_auto(rill_redis) redis =
        rill_redis_connect(server->url, .timeout = 0.1, .connect_timeout = 0.5);
    DEMAND(redis);
    kill(server->pid, SIGSTOP);
    CHECK_INT(call_now(&call, redis, "PING"), RILL_ETIMEDOUT);
    double start = rill_now();
    while (redis->conn && rill_now() - start < 5)
        call_now(&call, redis, "PING");
    CHECK(redis->conn == NULL);
    kill(server->pid, SIGCONT);
    rill_sleep(0.05);
    check_reply(redis, "ECHO back", "\"back\"");
    return 0;
}

SERVER_TEST(a_server_killed_in_mid_flight_and_restarted, NULL)
{
    struct server *server = arg;
    struct call calls[20], call;
    rill_auto(rill_redis) redis = rill_redis_connect(server->url);
    DEMAND(redis);
    call_start(&calls[0], redis, "DEBUG SLEEP 5");
    for (int i = 1; i < 20; i++)
        call_start(&calls[i], redis, "INCR x");
    rill_sleep(0.05);
    server_kill(server);
    for (int i = 0; i < 20; i++)
        CHECK_INT(call_end(&calls[i]), RILL_EREDIS_CONNECTION);
    CHECK_CONTAINS(calls[1].message, "redis 127.0.0.1:");
    CHECK_INT(call_now(&call, redis, "PING"), RILL_EREFUSED);
    DEMAND(server_restart(server, NULL));
    check_reply(redis, "INCR x", "1");
    /* The server closes an idle connection: the next command does not notice. */
    CHECK_INT(call_now(&call, redis, "CLIENT KILL TYPE normal SKIPME no"), 0);
    rill_sleep(0.05);
    CHECK(redis->conn == NULL);
    check_reply(redis, "INCR x", "2");
    return 0;
}

/* ---- memory ---- */

static int connect_and_echo(const char *url)
{
    rill_auto(rill_redis) redis = rill_redis_connect(url);
    if (!redis)
        return rill_errcode();
    rill_auto(rill_redis_reply) reply = rill_redis_command(redis, "ECHO x");
    return reply ? 0 : rill_errcode();
}

SERVER_TEST(every_allocation_may_fail, "secret")
{
    struct server *server = arg;
    char url[96];
    snprintf(url, sizeof url, "redis://default:secret@127.0.0.1:%d/1", server->port);
    CHECK_INT(connect_and_echo(url), 0);
    bool reached = true;
    unsigned long nth;
    int failures = 0;
    for (nth = 1; reached && nth < 500; nth++) {
        rill__alloc_fail_at = rill__alloc_count + nth;
        int rc = connect_and_echo(url);
        reached = rill__alloc_count >= rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        failures += rc < 0;
        if (rc < 0 && (!reached || !rill_last_error()->message[0]))
            test_fail(__FILE__, __LINE__, "allocation %lu: %d %s", nth, rc,
                      rill_last_error()->message);
        rill_sleep(0); /* what the connection leaves is freed in its own time */
        CHECK_INT(connect_and_echo(url), 0);
    }
    CHECK(nth > 8 && nth < 500);
    CHECK(failures > 5);
    return 0;
}

/* ---- cancellation while connecting ---- */

static int connect_in_task(void *arg)
{
    return connect_and_echo(arg);
}

/* The same scenario, cancelled after the 1st, 2nd, … turn until it is too late. */
SERVER_TEST(cancelled_at_any_turn_nothing_stays_behind, "secret")
{
    struct server *server = arg;
    char url[96];
    int turns = 0, rc = RILL_ECANCELED;
    snprintf(url, sizeof url, "redis://default:secret@127.0.0.1:%d/1", server->port);
    for (; rc == RILL_ECANCELED && turns < 100000; turns++) {
        rill_task task = rill_spawn(connect_in_task, url);
        for (int turn = 0; turn < turns; turn++)
            rill_sleep(0);
        rill_cancel(task);
        rc = rill_join(task);
    }
    CHECK_INT(rc, 0);
    CHECK(turns > 5);
    CHECK_INT(connect_and_echo(url), 0);
    return 0;
}
