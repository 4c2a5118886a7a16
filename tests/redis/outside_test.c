/* Calls outside tasks of everything in redis that may wait: in a callback of the loop, on a client
 * that is connected. */
#include "awaiting.h"
#include "fake_server.h"

static rill_redis *redis;
static struct fake fake;

static int pointer_code(const void *made)
{
    return made ? 0 : rill_errcode();
}

static int call_connect(void)
{
    return pointer_code(rill_redis_connect(fake.url));
}

static int call_command(void)
{
    return pointer_code(rill_redis_command(redis, "GET a"));
}

static rill_redis_reply *command_by_list(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rill_redis_reply *reply = rill_redis_vcommand(redis, format, args);
    va_end(args);
    return reply;
}

static int call_vcommand(void)
{
    return pointer_code(command_by_list("GET %s", "a"));
}

static int call_argv(void)
{
    const char *argv[] = { "GET", "a" };
    return pointer_code(rill_redis_command_argv(redis, 2, argv, NULL));
}

static const struct awaiting rows[] = {
    { "rill_redis_connect_with", call_connect, true },
    { "rill_redis_command", call_command, true },
    { "rill_redis_vcommand", call_vcommand, true },
    { "rill_redis_command_argv", call_argv, true },
};
enum { ROWS = sizeof rows / sizeof *rows };

TEST(the_table_names_every_function_that_may_wait)
{
    check_awaiting_listed("redis", rows, ROWS);
}

TEST(without_a_loop_connecting_is_refused)
{
    CHECK(!rill_redis_connect("redis://127.0.0.1:1"));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
}

static bool called;

static void call_all(rill__timer *timer)
{
    (void)timer;
    check_awaiting_refused(rows, ROWS, true);
    called = true;
}

TASK_TEST(in_a_callback_of_the_loop_each_is_refused_and_disturbs_nothing)
{
    DEMAND(fake_start(&fake));
    redis = rill_redis_connect(fake.url);
    DEMAND(redis);
    DEMAND(fake_accept(&fake));
    rill__timer timer = { .deadline = rill__loop_now(), .fire = call_all };
    rill__timer_set(&timer);
    while (!called)
        rill_sleep(0.001);
    CHECK_STR(fake.said, "");
    rill_redis_free(redis);
    fake_stop(&fake);
    return 0;
}
