/* Plain streams and listeners over loopback: what works, what is refused, what is cancelled. */
#include "harness.h"

#include <rill/net.h>
#include <rill/task.h>

static int echo(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    char buf[4096];
    ptrdiff_t n = 0;
    while (stream && (n = rill_stream_read(stream, buf, sizeof buf)) > 0)
        if (rill_stream_write(stream, buf, (size_t)n) < 0)
            return rill_errcode();
    return stream ? (int)n : rill_errcode();
}

static int echo_once(void *arg)
{
    const char *host = arg;
    rill_auto(rill_listener) listener = rill_listen(host, 0);
    if (!listener)
        return rill_errcode();
    rill_task server = rill_spawn(echo, listener);
    rill_auto(rill_stream) stream = rill_connect(host, rill_listener_port(listener));
    if (!stream)
        return rill_errcode();
    char buf[6] = "";
    CHECK_INT(rill_stream_write(stream, "hello", 5), 0);
    CHECK_INT(rill_stream_read(stream, buf, 5), 5);
    CHECK_STR(buf, "hello");
    CHECK_INT(rill_stream_written(stream), 5);
    CHECK_INT(rill_stream_received(stream), 5);
    CHECK_INT(rill_stream_shutdown(stream), 0);
    CHECK_INT(rill_stream_read(stream, buf, 5), 0);
    return rill_join(server);
}

TEST(echoes_over_ipv4_ipv6_names_and_unix_sockets)
{
    CHECK_INT(rill_run(echo_once, "127.0.0.1"), 0);
    CHECK_INT(rill_run(echo_once, "::1"), 0);
    CHECK_INT(rill_run(echo_once, "localhost"), 0);
    CHECK_INT(rill_run(echo_once, "unix:/tmp/rill-net-test.sock"), 0);
}
