/*
 * Every system call under a connection to a real redis-server, failing with every errno that it can
 * give. No reply goes to another command, and a connection that was lost is made anew.
 */
#include "faults.h"
#include "harness.h"
#include "redis/real_server.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <rill/redis.h>
#include <rill/task.h>

/* More than a socket takes at once. */
#define VALUE (3000u * 1024u)

static struct server server;
static rill_redis *redis;
static char value[VALUE];

static bool is_well_told(const rill_error *error)
{
    return error->message[0] && (rill_error_is(error, RILL_ECONNECTION) ||
                                 rill_error_is(error, RILL_EREDIS) || error->code == RILL_ENOMEM);
}

/* Sets a key to a number, and asks for it. */
static int ask(void *arg)
{
    int key = *(const int *)arg;
    size_t len = key == 0 ? VALUE : 10;
    rill_auto(rill_redis_reply) set = rill_redis_command(redis, "SET k%d %b", key, value, len);
    rill_auto(rill_redis_reply) got = set ? rill_redis_command(redis, "STRLEN k%d", key) : NULL;
    if (!got)
        return rill_errcode();
    CHECK_INT(got->type, REDIS_REPLY_INTEGER);
    CHECK_INT(got->integer, len);
    return 0;
}

static int ask_some(void)
{
    int keys[3] = { 0, 1, 2 }, failed = 0;
    rill_error errors[3];
    rill_gather(keys, 3, ask, .errors = errors);
    for (int i = 0; i < 3; i++) {
        failed += errors[i].code < 0;
        if (errors[i].code < 0 && !is_well_told(&errors[i]))
            test_fail(__FILE__, __LINE__, "%s: %s: %s", fault_label(),
                      rill_code_name(errors[i].code), errors[i].message);
    }
    return failed;
}

static int connect_and_ask(void)
{
    fault_begin();
    redis = rill_redis_connect(server.url, .timeout = 10);
    int failed = redis ? ask_some() : 1;
    if (!redis && !is_well_told(rill_last_error()))
        test_fail(__FILE__, __LINE__, "%s: %s", fault_label(), rill_last_error()->message);
    fault_end();
    if (!redis)
        redis = rill_redis_connect(server.url, .timeout = 10);
    if (ask_some() > 0)
        test_fail(__FILE__, __LINE__, "%s: what follows it fails", fault_label());
    rill_redis_free(redis);
    return failed;
}

/* ---- the table: see web_test.c for what the calls cannot give ---- */

static void sweep(struct fault fault)
{
    if (!server_start(&server, NULL))
        return;
    fault_sweep(fault, connect_and_ask);
    server_stop(&server);
}

#define REDIS_TEST(call, error, unnoticed)                                                         \
    TEST_WITHIN(call##_##error, 60)                                                                \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed, !(unnoticed) });                     \
    }

REDIS_TEST(recv, EINTR, true)
REDIS_TEST(recv, EAGAIN, true)
REDIS_TEST(recv, FAULT_SHORT, true)
REDIS_TEST(recv, ENOBUFS, false)
REDIS_TEST(recv, EIO, false)
REDIS_TEST(recv, ECONNRESET, false)
REDIS_TEST(send, EINTR, true)
REDIS_TEST(send, EAGAIN, true)
REDIS_TEST(send, FAULT_SHORT, true)
REDIS_TEST(send, ENOBUFS, false)
REDIS_TEST(send, EIO, false)
REDIS_TEST(send, ECONNRESET, false)
REDIS_TEST(send, EPIPE, false)
REDIS_TEST(epoll_wait, EINTR, true)
REDIS_TEST(epoll_ctl, ENOSPC, false)
REDIS_TEST(connect, EINTR, true)
REDIS_TEST(connect, ENOBUFS, false)
REDIS_TEST(connect, EIO, false)
REDIS_TEST(connect, ECONNRESET, false)
REDIS_TEST(socket, EMFILE, false)
REDIS_TEST(socket, ENOBUFS, false)
