/* What the tests of the simulated world share: a test whose body is a scenario, and an echo server.
 */
#ifndef RILL_TESTS_TESTING_IN_WORLD_H
#define RILL_TESTS_TESTING_IN_WORLD_H

#include "harness.h"

#include <rill/net.h>
#include <rill/test.h>

#define UNUSED __attribute__((unused))

struct in_world {
    void (*body)(void);
};

UNUSED static int in_world_run(void *arg)
{
    const struct in_world *in_world = arg;
    in_world->body();
    return test_failures() ? RILL_EFAILED : 0;
}

/* TEST whose body runs as the first task of a world. Options of the run follow the name. */
#define WORLD_TEST(name, ...)                                                                      \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(rill_test_run(in_world_run, &(struct in_world){ body_##name }, __VA_ARGS__), 0); \
    }                                                                                              \
    static void body_##name(void)

#define CHECK_NEAR(actual, expected)                                                               \
    do {                                                                                           \
        double actual_ = (actual), expected_ = (expected);                                         \
        if (actual_ < expected_ - 1e-4 || actual_ > expected_ + 2e-3)                              \
            test_fail(__FILE__, __LINE__, "%s is %.6f, not %.6f", #actual, actual_, expected_);    \
    } while (0)

/* Sends back what comes, to one connection after another. */
UNUSED static int echo_to(void *arg)
{
    rill_auto(rill_stream) stream = arg;
    char block[1000];
    ptrdiff_t n;
    while ((n = rill_stream_read(stream, block, sizeof block)) > 0)
        if (rill_stream_write(stream, block, (size_t)n) < 0)
            return rill_errcode();
    return (int)n;
}

/* Accepts for ever at an address (the argument), port 7. */
UNUSED static int echo_server(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen(arg, 7);
    if (!listener)
        return rill_errcode();
    for (;;) {
        rill_stream *stream = rill_accept(listener);
        if (!stream)
            return rill_errcode();
        rill_task task = rill_spawn(echo_to, stream, .name = "echo");
        if (!task.id)
            rill_stream_free(stream);
        else
            rill_detach(task);
    }
}

/* The server "example.com" (10.0.0.1) that echoes, ready to be connected to. */
UNUSED static void start_echo(void)
{
    CHECK_INT(rill_test_host("example.com", "10.0.0.1"), 0);
    rill_detach(rill_spawn(echo_server, "10.0.0.1", .name = "server"));
    rill_sleep(0);
}

/* Writes and reads back so many bytes; 0 or a code. */
UNUSED static int echo_bytes(rill_stream *stream, size_t count)
{
    char out[4096], in[4096];
    for (size_t i = 0; i < count; i++)
        out[i] = (char)('a' + i % 26);
    int rc = rill_stream_write(stream, out, count);
    if (rc < 0)
        return rc;
    for (size_t got = 0; got < count;) {
        ptrdiff_t n = rill_stream_read(stream, in + got, count - got);
        if (n <= 0)
            return n < 0 ? (int)n : RILL_ETRUNCATED;
        got += (size_t)n;
    }
    return memcmp(in, out, count) == 0 ? 0 : RILL_EFAILED;
}

#endif
