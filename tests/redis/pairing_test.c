/*
 * A reply reaches the task whose command it answers, whatever happens to the others: the server is
 * played by the test, so that it can stop at any byte.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "fake_server.h"

/* Replies of every shape, to the commands of three tasks. */
static const struct shape {
    const char *bytes[3];
    const char *expected[3]; /* a text, or NULL when it is an error */
} shapes[] = {
    { { "$3\r\naaa\r\n", "$4\r\nb\r\nb\r\n", "$0\r\n\r\n" }, { "\"aaa\"", "\"b\r\nb\"", "\"\"" } },
    { { "+OK\r\n", ":42\r\n", "$-1\r\n" }, { "+OK", "42", "nil" } },
    { { "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "*0\r\n", "*2\r\n+x\r\n-ERR y\r\n" },
      { "[\"a\" [1]]", "[]", "[+x -ERR y]" } },
    { { "-ERR first\r\n", "*-1\r\n", "-WRONGTYPE third\r\n" }, { NULL, "nil", NULL } },
    { { ">2\r\n+m\r\n$2\r\n:1\r\n+one\r\n", "|1\r\n+k\r\n:1\r\n+two\r\n", ">0\r\n+three\r\n" },
      { "+one", "+two", "+three" } },
};

/* Waits until the client has read so much from its connection. */
static void until_received(const rill_redis *redis, uint64_t count)
{
    while (redis->conn && rill_stream_received(redis->conn->stream) < count)
        rill_sleep(0);
}

static void check_call(const struct call *call, const char *expected, const char *context)
{
    if (expected && (call->code != 0 || strcmp(call->reply, expected) != 0))
        test_fail(__FILE__, __LINE__, "%s: %s got %d '%s' instead of %s", context, call->command,
                  call->code, call->code ? call->message : call->reply, expected);
    if (!expected && call->code != RILL_EREDIS_REPLY)
        test_fail(__FILE__, __LINE__, "%s: %s got %d instead of an error reply", context,
                  call->command, call->code);
}

/* Whether the reply of the nth command is complete after `at` bytes: then the result wins. */
static bool has_come(const struct shape *shape, int nth, size_t at)
{
    size_t end = 0;
    for (int i = 0; i <= nth; i++)
        end += strlen(shape->bytes[i]);
    return at >= end;
}

/* Three commands; the victim is cancelled after the server has written `at` bytes of the replies.
 * Returns false when the connection is of no further use. */
static bool cancel_at(struct fake *fake, rill_redis *redis, const struct shape *shape, int victim,
                      size_t at)
{
    static const char *const commands[] = { "GET a", "GET b", "GET c" };
    char all[256], context[64];
    struct call calls[3];
    snprintf(all, sizeof all, "%s%s%s", shape->bytes[0], shape->bytes[1], shape->bytes[2]);
    snprintf(context, sizeof context, "shape %zd, victim %d, byte %zu", shape - shapes, victim, at);
    for (int i = 0; i < 3; i++)
        call_start(&calls[i], redis, commands[i]);
    if (!fake_hear(fake, 3))
        return false;
    CHECK_STR(fake->said, "GET a|GET b|GET c|");
    uint64_t before = rill_stream_received(redis->conn->stream);
    fake_write(fake, all, at);
    until_received(redis, before + at);
    rill_sleep(0);
    rill_cancel(calls[victim].task);
    /* It leaves at once, without its reply. */
    if (!has_come(shape, victim, at) && call_end(&calls[victim]) != RILL_ECANCELED)
        test_fail(__FILE__, __LINE__, "%s: not cancelled", context);
    fake_say(fake, all + at);
    for (int i = 0; i < 3; i++) {
        if (i != victim)
            call_end(&calls[i]);
        else if (has_come(shape, victim, at))
            call_end(&calls[victim]);
        if (i != victim || has_come(shape, victim, at))
            check_call(&calls[i], shape->expected[i], context);
    }
    until_received(redis, before + strlen(all));
    rill_sleep(0);
    CHECK_INT(redis->conn ? redis->conn->tombstones : 99, 0);
    return redis->conn != NULL && test_failures() < 10;
}

TASK_TEST(a_cancelled_command_shifts_no_other_at_any_byte)
{
    struct fake fake;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis);
    DEMAND(fake_accept(&fake));
    bool usable = true;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct shape *shape = &shapes[i];
        size_t len = strlen(shape->bytes[0]) + strlen(shape->bytes[1]) + strlen(shape->bytes[2]);
        for (int victim = 0; victim < 3; victim++)
            for (size_t at = 0; usable && at <= len; at++)
                usable = cancel_at(&fake, redis, shape, victim, at);
    }
    CHECK(usable);
    struct call last;
    call_start(&last, redis, "PING");
    DEMAND(fake_hear(&fake, 1));
    fake_say(&fake, "+PONG\r\n");
    call_end(&last);
    CHECK_STR(last.reply, "+PONG");
    fake_stop(&fake);
    return 0;
}

TASK_TEST(all_of_them_cancelled_then_answered)
{
    struct fake fake;
    struct call calls[50], last;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    for (int i = 0; i < 50; i++)
        call_start(&calls[i], redis, "GET x");
    DEMAND(fake_hear(&fake, 50));
    for (int i = 0; i < 50; i++)
        rill_cancel(calls[i].task);
    for (int i = 0; i < 50; i++)
        CHECK_INT(call_end(&calls[i]), RILL_ECANCELED);
    CHECK_INT(redis->conn->tombstones, 50);
    call_start(&last, redis, "GET y");
    DEMAND(fake_hear(&fake, 1));
    for (int i = 0; i < 50; i++)
        fake_say(&fake, "$1\r\nx\r\n");
    fake_say(&fake, "$1\r\ny\r\n");
    call_end(&last);
    CHECK_STR(last.reply, "\"y\"");
    CHECK_INT(redis->conn->tombstones, 0);
    CHECK_INT(redis->conn->slots, 0);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_command_cancelled_before_it_left_is_never_sent)
{
    struct fake fake;
    struct call first, second;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    call_start(&first, redis, "INCR never");
    call_start(&second, redis, "INCR sent");
    /* Both are queued, and the writer is behind this task in the line of those that are ready. */
    while (redis->conn->slots < 2)
        rill_sleep(0);
    bool queued = !rill__list_empty(&redis->conn->queued);
    rill_cancel(first.task);
    CHECK(queued);
    CHECK_INT(call_end(&first), RILL_ECANCELED);
    CHECK_INT(redis->conn->tombstones, 0);
    DEMAND(fake_hear(&fake, 1));
    CHECK_STR(fake.said, "INCR sent|");
    fake_say(&fake, ":1\r\n");
    CHECK_INT(call_end(&second), 0);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_reply_after_our_timeout_is_not_given_to_the_next)
{
    struct fake fake;
    struct call first, second;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url, .timeout = 0.05);
    DEMAND(redis && fake_accept(&fake));
    call_start(&first, redis, "GET late");
    DEMAND(fake_hear(&fake, 1));
    CHECK_INT(call_end(&first), RILL_ETIMEDOUT);
    CHECK_CONTAINS(first.message, "no reply to GET within 0.05 s");
    CHECK_CONTAINS(first.message, "redis 127.0.0.1:");
    call_start(&second, redis, "GET next");
    DEMAND(fake_hear(&fake, 1));
    fake_say(&fake, "$4\r\nlate\r\n$4\r\nnext\r\n");
    CHECK_INT(call_end(&second), 0);
    CHECK_STR(second.reply, "\"next\"");
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_deadline_around_a_command_is_kept)
{
    struct fake fake;
    struct call call;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.05);
    CHECK_INT(call_now(&call, redis, "GET x"), RILL_ECANCELED);
    CHECK_INT(rill_scope_end(&scope, call.code), RILL_ETIMEDOUT);
    CHECK_INT(redis->conn->tombstones, 1);
    fake_stop(&fake);
    return 0;
}

/* Three commands wait; the server writes something, which ends the connection. */
static int break_off(struct fake *fake, rill_redis *redis, struct call *calls, const char *text)
{
    for (int i = 0; i < 3; i++)
        call_start(&calls[i], redis, "GET x");
    DEMAND(fake_hear(fake, 3));
    fake_say(fake, text);
    return 0;
}

TASK_TEST(what_is_no_resp_fails_the_rest_and_the_next_connects_anew)
{
    static const char *const texts[] = {
        "+one\r\n$-2\r\n+three\r\n",
        "+one\r\n*1000000000\r\n",
        "+one\r\n$9223372036854775808\r\n",
        "+one\r\n$1\r\nabc\r\n",
        "+one\r\n:abc\r\n+three\r\n",
        "+one\r\nHTTP/1.1 400 Bad Request\r\n\r\n",
        "+one\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    };
    struct fake fake;
    struct call calls[3];
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        call_start(&calls[0], redis, "PING");
        DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
        fake_say(&fake, "+PONG\r\n");
        CHECK_INT(call_end(&calls[0]), 0);
        break_off(&fake, redis, calls, texts[i]);
        CHECK_INT(call_end(&calls[0]), 0);
        CHECK_STR(calls[0].reply, "+one");
        CHECK_INT(call_end(&calls[1]), RILL_EREDIS_PROTOCOL);
        CHECK_INT(call_end(&calls[2]), RILL_EREDIS_PROTOCOL);
        CHECK_CONTAINS(calls[2].message, "redis 127.0.0.1:");
        CHECK(redis->conn == NULL);
    }
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_lost_connection_fails_those_who_wait)
{
    struct fake fake;
    struct call calls[3];
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    break_off(&fake, redis, calls, "+one\r\n$100\r\nabc");
    fake_hang_up(&fake);
    CHECK_INT(call_end(&calls[0]), 0);
    CHECK_INT(call_end(&calls[1]), RILL_EREDIS_CONNECTION);
    CHECK_CONTAINS(calls[1].message, "closed the connection");
    CHECK_INT(call_end(&calls[2]), RILL_EREDIS_CONNECTION);
    /* None of them is sent again. */
    call_start(&calls[0], redis, "PING");
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    CHECK_STR(fake.said, "PING|");
    fake_say(&fake, "+PONG\r\n");
    CHECK_INT(call_end(&calls[0]), 0);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_reply_that_nobody_asked_for_ends_the_connection)
{
    struct fake fake;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    fake_say(&fake, ">1\r\n+push\r\n");
    rill_sleep(0.02);
    CHECK(redis->conn != NULL);
    fake_say(&fake, "+surprise\r\n");
    rill_sleep(0.02);
    CHECK(redis->conn == NULL);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(a_silent_server_with_tombstones_is_given_up)
{
    struct fake fake;
    struct call call;
    DEMAND(fake_start(&fake));
    rill_auto(rill_redis) redis = rill_redis_connect(fake.url, .timeout = 0.05);
    DEMAND(redis && fake_accept(&fake));
    double start = rill_now();
    CHECK_INT(call_now(&call, redis, "GET x"), RILL_ETIMEDOUT);
    rill_sleep(0.8);
    CHECK(redis->conn != NULL);
    fake_say(&fake, ">1\r\n+alive\r\n"); /* a byte, and it has time again */
    rill_sleep(0.8);
    CHECK(redis->conn != NULL);
    while (redis->conn && rill_now() - start < 10)
        rill_sleep(0.01);
    CHECK(redis->conn == NULL);
    CHECK(rill_now() - start > 1.75 && rill_now() - start < 5);
    call_start(&call, redis, "PING");
    DEMAND(fake_accept(&fake) && fake_hear(&fake, 1));
    fake_say(&fake, "+PONG\r\n");
    CHECK_INT(call_end(&call), 0);
    fake_stop(&fake);
    return 0;
}

TASK_TEST(free_fails_those_who_wait_and_keeps_the_last_error)
{
    struct fake fake;
    struct call calls[3];
    DEMAND(fake_start(&fake));
    rill_redis *redis = rill_redis_connect(fake.url);
    DEMAND(redis && fake_accept(&fake));
    for (int i = 0; i < 3; i++)
        call_start(&calls[i], redis, "GET x");
    DEMAND(fake_hear(&fake, 3));
    rill_fail(RILL_EFAILED, "mine");
    rill_redis_free(redis);
    CHECK_STR(rill_last_error()->message, "mine");
    for (int i = 0; i < 3; i++) {
        CHECK_INT(call_end(&calls[i]), RILL_ECLOSED);
        CHECK_CONTAINS(calls[i].message, "closed");
    }
    CHECK(!fake_hear(&fake, 1)); /* the end of the stream */
    fake_stop(&fake);
    return 0;
}

static rill_redis *left_behind;

static int leave_open(void *arg)
{
    struct fake fake;
    static struct call call; /* its task ends after this function */
    DEMAND(fake_start(&fake));
    left_behind = rill_redis_connect(fake.url);
    DEMAND(left_behind && fake_accept(&fake));
    if (arg) {
        call_start(&call, left_behind, "GET x");
        DEMAND(fake_hear(&fake, 1));
    }
    fake_stop(&fake);
    return 0;
}

TEST(a_connection_may_outlive_the_loop)
{
    char waiting;
    CHECK_INT(rill_run(leave_open, NULL), 0);
    CHECK(left_behind->conn == NULL);
    rill_redis_free(left_behind);
    CHECK_INT(rill_run(leave_open, &waiting), 0);
    CHECK(left_behind->conn == NULL);
    rill_redis_free(left_behind);
    rill_redis_free(NULL);
}
