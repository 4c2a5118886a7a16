/* UDP: datagrams whole, cut and empty; peers that are not there; cancellation; a peer of another
 * make. */
#include "../runtime/in_task.h"
#include "awaiting.h"
#include "base/alloc.h"

#include <errno.h>
#include <rill/loop.h>
#include <rill/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static rill_udp *open_local(void)
{
    rill_udp *udp = rill_udp_open(.host = "127.0.0.1");
    CHECK(udp);
    return udp;
}

static rill_address address_of(const rill_udp *udp)
{
    rill_address address = { 0 };
    CHECK_INT(rill_udp_address(udp, &address), 0);
    return address;
}

static rill_udp *connect_to(const rill_udp *udp)
{
    rill_address address = address_of(udp);
    rill_udp *connected =
        rill_udp_open(.peer = "127.0.0.1", .peer_port = rill_address_port(&address));
    CHECK(connected);
    return connected;
}

/* ---- addresses ---- */

TEST(addresses_are_read_and_written)
{
    static const struct {
        const char *host, *text;
        int port;
    } rows[] = {
        { "192.0.2.7", "192.0.2.7:53", 53 },
        { "::1", "[::1]:0", 0 },
        { "2001:db8::7", "[2001:db8::7]:65535", 65535 },
    };
    char text[RILL_ADDRESS_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rill_address address;
        CHECK_INT(rill_address_of(&address, rows[i].host, rows[i].port), 0);
        CHECK_STR(rill_address_text(&address, text, sizeof text), rows[i].text);
        CHECK_INT(rill_address_port(&address), rows[i].port);
    }
    rill_address address = { 0 };
    CHECK_STR(rill_address_text(&address, text, sizeof text), "none");
    CHECK_INT(rill_address_of(&address, "example.org", 1), RILL_EINVAL);
    CHECK_INT(rill_address_of(&address, "", 1), RILL_EINVAL);
    CHECK_INT(rill_address_of(&address, "::1", 65536), RILL_EINVAL);
    CHECK_INT(rill_address_of(&address, "::1", -1), RILL_EINVAL);
}

TEST(addresses_are_compared)
{
    rill_address a, b;
    rill_address_of(&a, "127.0.0.1", 5);
    rill_address_of(&b, "127.0.0.1", 5);
    CHECK(rill_address_eq(&a, &b));
    rill_address_of(&b, "127.0.0.1", 6);
    CHECK(!rill_address_eq(&a, &b));
    rill_address_of(&b, "::1", 5);
    CHECK(!rill_address_eq(&a, &b));
    rill_address_of(&a, "::1", 5);
    CHECK(rill_address_eq(&a, &b));
    rill_address_of(&a, "::2", 5);
    CHECK(!rill_address_eq(&a, &b));
}

TASK_TEST(addresses_are_found_by_name)
{
    rill_address address;
    char text[RILL_ADDRESS_TEXT];
    CHECK_INT(rill_address_find(&address, "127.0.0.1", 7), 0);
    CHECK_STR(rill_address_text(&address, text, sizeof text), "127.0.0.1:7");
    CHECK_INT(rill_address_find(&address, "localhost", 7), 0);
    CHECK_INT(rill_address_port(&address), 7);
    CHECK_INT(rill_address_find(&address, "localhost", 70000), RILL_EINVAL);
}

/* ---- datagrams ---- */

static void exchange(rill_udp *a, rill_udp *b)
{
    char buf[100];
    rill_datagram got;
    rill_address to = address_of(b), from = address_of(a);
    CHECK_INT(rill_udp_send_to(a, &to, "hello", 5), 0);
    CHECK_INT(rill_udp_recv_from(b, buf, sizeof buf, &got), 5);
    CHECK(memcmp(buf, "hello", 5) == 0);
    CHECK_INT(got.len, 5);
    CHECK(rill_address_eq(&got.from, &from));
    CHECK_INT(rill_udp_send_to(b, &got.from, "there", 5), 0);
    CHECK_INT(rill_udp_recv(a, buf, sizeof buf), 5);
    CHECK(memcmp(buf, "there", 5) == 0);
}

TASK_TEST(datagrams_go_both_ways)
{
    rill_auto(rill_udp) a = open_local();
    rill_auto(rill_udp) b = open_local();
    exchange(a, b);
}

TASK_TEST(over_ipv6_too)
{
    rill_auto(rill_udp) a = rill_udp_open(.host = "::1");
    rill_auto(rill_udp) b = rill_udp_open(.host = "::1");
    if (a && b)
        exchange(a, b);
    else
        test_skip("no IPv6 here");
}

TASK_TEST(an_empty_datagram_is_one)
{
    char byte;
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    CHECK_INT(rill_udp_send(client, NULL, 0), 0);
    CHECK_INT(rill_udp_send(client, "x", 1), 0);
    CHECK_INT(rill_udp_recv(server, &byte, 1), 0);
    CHECK_INT(rill_udp_recv(server, &byte, 1), 1);
}

TASK_TEST(a_datagram_that_is_cut_says_so)
{
    char buf[4];
    rill_datagram got;
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(rill_udp_send(client, "1234", 4), 0);
        CHECK_INT(rill_udp_send(client, "12345", 5), 0);
    }
    CHECK_INT(rill_udp_recv_from(server, buf, 4, &got), 4);
    CHECK_INT(got.len, 4);
    CHECK_INT(rill_udp_recv_from(server, buf, 4, &got), 4);
    CHECK_INT(got.len, 5);
    CHECK_INT(rill_udp_recv(server, buf, 4), 4);
    CHECK_INT(rill_udp_recv(server, buf, 4), RILL_ELIMIT);
    CHECK_STR(rill_last_error()->message, "recv: a datagram of 5 bytes, and room for 4");
}

TASK_TEST(the_largest_datagram_goes_and_a_larger_one_does_not)
{
    enum { MOST = 65507 };
    char *bytes = calloc(1, MOST + 1);
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    CHECK_INT(rill_udp_send(client, bytes, MOST), 0);
    CHECK_INT(rill_udp_recv(server, bytes, MOST + 1), MOST);
    CHECK_INT(rill_udp_send(client, bytes, MOST + 1), RILL_ELIMIT);
    CHECK_CONTAINS(rill_last_error()->message, "a datagram of 65508 bytes");
    free(bytes);
}

TASK_TEST(a_peer_is_the_only_one_who_is_heard)
{
    char buf[10];
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    rill_auto(rill_udp) stranger = open_local();
    rill_address to = address_of(client);
    CHECK_INT(rill_udp_send_to(stranger, &to, "psst", 4), 0);
    CHECK_INT(rill_udp_send_to(server, &to, "real", 4), 0);
    CHECK_INT(rill_udp_recv(client, buf, sizeof buf), 4);
    CHECK(memcmp(buf, "real", 4) == 0);
}

/* ---- errors ---- */

TASK_TEST(a_port_where_nobody_is_refuses)
{
    char buf[10];
    rill_udp *server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    char where[RILL_ADDRESS_TEXT], expected[100];
    rill_address address = address_of(server);
    snprintf(expected, sizeof expected, "recv %s: Connection refused",
             rill_address_text(&address, where, sizeof where));
    rill_udp_free(server);
    CHECK_INT(rill_udp_send(client, "x", 1), 0);
    CHECK_INT(rill_udp_recv(client, buf, sizeof buf), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, expected);
    CHECK_INT(rill_udp_send(client, "x", 1), 0); /* it stays usable */
}

static int receive_one(void *arg)
{
    char buf[10];
    return (int)rill_udp_recv(arg, buf, sizeof buf);
}

TASK_TEST(a_refusal_wakes_who_waits)
{
    rill_udp *server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    rill_udp_free(server);
    rill_task task = rill_spawn(receive_one, client);
    CHECK_INT(rill_sleep(0.001), 0);
    CHECK_INT(rill_udp_send(client, "x", 1), 0);
    CHECK_INT(rill_join(task), RILL_EREFUSED);
}

TASK_TEST(wrong_use_is_refused)
{
    rill_auto(rill_udp) udp = open_local();
    rill_address address = address_of(udp), none = { 0 };
    char buf[10];
    CHECK_INT(rill_udp_send(udp, "x", 1), RILL_EINVAL);
    CHECK_INT(rill_udp_send_to(udp, &none, "x", 1), RILL_EINVAL);
    CHECK(!rill_udp_open(.host = "127.0.0.1", .port = rill_address_port(&address)));
    CHECK_INT(rill_errcode(), RILL_ELISTEN);
    CHECK_INT(rill_last_error()->os_errno, EADDRINUSE);
    CHECK(!rill_udp_open(.port = 65536));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_udp_open(.peer = "127.0.0.1"));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_udp_open(.host = "127.0.0.1", .peer = "::1", .peer_port = 9));
    CHECK_INT(rill_errcode(), RILL_ECONNECT);
    rill_task task = rill_spawn(receive_one, udp);
    CHECK_INT(rill_sleep(0.001), 0);
    CHECK_INT(rill_udp_recv(udp, buf, sizeof buf), RILL_EBUSY);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    rill_udp_free(NULL);
}

TASK_TEST(opening_without_memory_leaves_nothing)
{
    rill__alloc_fail_at = rill__alloc_count + 1;
    CHECK(!rill_udp_open(.host = "127.0.0.1"));
    rill__alloc_fail_at = 0;
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
}

static rill_udp *outside;
static char outside_byte;
static rill_address outside_address;
static rill_datagram outside_datagram;

#define CALL(name, expression)                                                                     \
    static int call_##name(void)                                                                   \
    {                                                                                              \
        return (int)(expression);                                                                  \
    }

CALL(find, rill_address_find(&outside_address, "localhost", 1))
CALL(open, rill_udp_open() ? 0 : rill_errcode())
CALL(recv, rill_udp_recv(outside, &outside_byte, 1))
CALL(recv_from, rill_udp_recv_from(outside, &outside_byte, 1, &outside_datagram))
CALL(send, rill_udp_send(outside, "", 0))
CALL(send_to, rill_udp_send_to(outside, &outside_address, "", 0))

static const struct awaiting rows[] = {
    { "rill_address_find", call_find, false }, { "rill_udp_open_with", call_open, false },
    { "rill_udp_recv", call_recv, false },     { "rill_udp_recv_from", call_recv_from, false },
    { "rill_udp_send", call_send, false },     { "rill_udp_send_to", call_send_to, false },
};
enum { ROWS = sizeof rows / sizeof *rows };

static void call_outside(void *arg)
{
    check_awaiting_refused(rows, ROWS, true);
    *(bool *)arg = true;
}

TASK_TEST(udp_needs_a_task)
{
    bool called = false;
    rill_auto(rill_udp) peer = open_local();
    outside = connect_to(peer);
    outside_address = address_of(peer);
    check_awaiting_listed("udp", rows, ROWS);
    CHECK_INT(rill_call_soon_threadsafe(rill_loop_current(), call_outside, &called), 0);
    CHECK_INT(rill_sleep(0.001), 0);
    CHECK(called);
    rill_udp_free(outside);
}

TASK_TEST(ports_are_shared_on_demand)
{
    rill_auto(rill_udp) a = rill_udp_open(.host = "127.0.0.1", .reuse_port = true);
    REQUIRE(a);
    rill_address address = address_of(a);
    rill_auto(rill_udp) b =
        rill_udp_open(.host = "127.0.0.1", .reuse_port = true, .port = rill_address_port(&address));
    CHECK(b);
    rill_auto(rill_udp) any = rill_udp_open(.broadcast = true);
    REQUIRE(any);
    rill_address nobody;
    rill_address_of(&nobody, "127.255.255.255", rill_address_port(&address));
    CHECK_INT(rill_udp_send_to(any, &nobody, "x", 1), 0);
    rill_auto(rill_udp) meek = rill_udp_open();
    REQUIRE(meek);
    CHECK(rill_udp_send_to(meek, &nobody, "x", 1) < 0);
    CHECK_CONTAINS(rill_last_error()->where, "127.255.255.255:");
}

/* ---- cancelling and closing ---- */

TASK_TEST(a_cancelled_receive_leaves_the_datagram)
{
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    CHECK_INT(rill_within(0.005, receive_one, server), RILL_ETIMEDOUT); /* while it waits */
    CHECK_INT(rill_udp_send(client, "abc", 3), 0);
    CHECK_INT(rill_within(0, receive_one, server), RILL_ETIMEDOUT); /* before */
    CHECK_INT(receive_one(server), 3);
}

TASK_TEST(race_a_datagram_beats_the_cancellation)
{
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    int received = 0;
    for (int i = 0; i < 100; i++) {
        rill_task task = rill_spawn(receive_one, server);
        rill_sleep(0);
        CHECK_INT(rill_udp_send(client, "abc", 3), 0);
        if (i % 2)
            rill_sleep(0);
        rill_cancel(task);
        int rc = rill_join(task);
        CHECK(rc == 3 || rc == RILL_ECANCELED);
        received += rc == 3 || receive_one(server) == 3;
    }
    CHECK_INT(received, 100);
}

TASK_TEST(freeing_tells_who_waits)
{
    rill_udp *udp = open_local();
    rill_task task = rill_spawn(receive_one, udp);
    CHECK_INT(rill_sleep(0.001), 0);
    rill_udp_free(udp);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "the socket was closed");
}

static int send_many(void *arg)
{
    static const char bytes[1000];
    for (int i = 0; i < 2000; i++) {
        int rc = rill_udp_send(arg, bytes, sizeof bytes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

TASK_TEST(sending_much_leaves_the_thread_to_others)
{
    ends = 0;
    rill_auto(rill_udp) server = open_local();
    rill_auto(rill_udp) client = connect_to(server);
    rill_task sender = rill_spawn(send_many, client);
    double nothing = 0;
    rill_task other = rill_spawn(sleep_for, &nothing);
    CHECK_INT(rill_join(other), 0);
    CHECK(!rill_task_done(sender));
    CHECK_INT(rill_join(sender), 0);
    CHECK_INT(receive_one(server), RILL_ELIMIT);
}

/* ---- a peer of another make ---- */

/* An echo server in Python, which says its port on its output. */
static pid_t start_echo(int *ret_port)
{
    static const char program[] = "import socket\n"
                                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                                  "s.bind(('127.0.0.1', 0))\n"
                                  "print(s.getsockname()[1], flush=True)\n"
                                  "while True:\n"
                                  "    data, peer = s.recvfrom(65536)\n"
                                  "    s.sendto(data[::-1], peer)\n";
    int ends_of_pipe[2];
    if (pipe(ends_of_pipe) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends_of_pipe[1], STDOUT_FILENO);
        execlp("python3", "python3", "-c", program, (char *)NULL);
        _exit(127);
    }
    close(ends_of_pipe[1]);
    char text[16] = "";
    ssize_t n = read(ends_of_pipe[0], text, sizeof text - 1);
    close(ends_of_pipe[0]);
    *ret_port = n > 0 ? atoi(text) : 0;
    return pid;
}

TASK_TEST(a_server_in_python_answers)
{
    int port = 0;
    pid_t pid = start_echo(&port);
    if (port <= 0) {
        test_skip("no python3");
        return;
    }
    char buf[2000], sent[1400];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)i;
    rill_auto(rill_udp) udp = rill_udp_open(.peer = "127.0.0.1", .peer_port = port);
    CHECK_INT(rill_udp_send(udp, "abc", 3), 0);
    CHECK_INT(rill_udp_recv(udp, buf, sizeof buf), 3);
    CHECK(memcmp(buf, "cba", 3) == 0);
    CHECK_INT(rill_udp_send(udp, sent, sizeof sent), 0);
    CHECK_INT(rill_udp_recv(udp, buf, sizeof buf), sizeof sent);
    CHECK_INT(buf[0], sent[sizeof sent - 1]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
