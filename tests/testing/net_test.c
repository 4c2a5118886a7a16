/* The network of the simulated world: every feature of it, on both sides of its limits. */
#include "in_world.h"

#include <errno.h>
#include <rill/log.h>
#include <rill/udp.h>

/* ---- names and hosts ---- */

WORLD_TEST(a_named_host_is_connected_to, .seed = 1)
{
    start_echo();
    double start = rill_test_now();
    rill_auto(rill_stream) stream = rill_connect("example.com", 7);
    REQUIRE(stream);
    CHECK_STR(rill_stream_peer(stream), "10.0.0.1:7");
    CHECK_NEAR(rill_test_now() - start, 0.003); /* the name, and there and back */
    CHECK_INT(echo_bytes(stream, 4000), 0);
    CHECK_NEAR(rill_test_now() - start, 0.005);
}

WORLD_TEST(an_ipv6_host_and_its_loopback_are_connected_to, .seed = 1)
{
    CHECK_INT(rill_test_host("six.test", "2001:db8::1"), 0);
    rill_detach(rill_spawn(echo_server, "2001:db8::1"));
    rill_detach(rill_spawn(echo_server, "::1"));
    rill_sleep(0);
    rill_auto(rill_stream) far = rill_connect("six.test", 7);
    rill_auto(rill_stream) near = rill_connect("::1", 7);
    REQUIRE(far && near);
    CHECK_STR(rill_stream_peer(far), "[2001:db8::1]:7");
    CHECK_INT(echo_bytes(far, 10), 0);
    CHECK_INT(echo_bytes(near, 10), 0);
}

static int listen_here(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen(arg, 7);
    return listener ? 0 : rill_errcode();
}

WORLD_TEST(an_address_is_taken_once_and_must_exist, .seed = 1)
{
    start_echo();
    CHECK_INT(listen_here("10.0.0.1"), RILL_ELISTEN);
    CHECK_INT(rill_last_error()->os_errno, EADDRINUSE);
    CHECK_INT(listen_here("10.9.9.9"), RILL_ELISTEN);
    CHECK_INT(rill_last_error()->os_errno, EADDRNOTAVAIL);
    CHECK_INT(listen_here("127.0.0.1"), 0); /* of another host */
    CHECK_INT(rill_test_on("example.com", listen_here, "127.0.0.1"), 0);
    CHECK_INT(rill_test_on("example.com", listen_here, "0.0.0.0"), RILL_ELISTEN);
    CHECK_INT(rill_test_on("nobody", listen_here, "0.0.0.0"), RILL_EINVAL);
    CHECK_INT(rill_test_host("other", "10.0.0.1"), RILL_EINVAL); /* it is example.com's */
    CHECK_INT(rill_test_host("other", "127.0.0.1"), RILL_EINVAL);
    CHECK_INT(rill_test_host("other", "10.0.0"), RILL_EINVAL);
    CHECK_INT(rill_test_host("other", NULL), 0);
}

WORLD_TEST(a_free_port_is_found, .seed = 1)
{
    rill_auto(rill_listener) first = rill_listen("127.0.0.1", 0);
    rill_auto(rill_listener) second = rill_listen("127.0.0.1", 0);
    REQUIRE(first && second);
    CHECK(rill_listener_port(first) > 0);
    CHECK(rill_listener_port(first) != rill_listener_port(second));
}

WORLD_TEST(localhost_is_known, .seed = 1)
{
    rill_detach(rill_spawn(echo_server, "127.0.0.1"));
    rill_sleep(0);
    rill_auto(rill_stream) stream = rill_connect("localhost", 7);
    CHECK(stream);
}

static int connect_loopback(void *arg)
{
    rill_auto(rill_stream) stream = rill_connect(arg, 7);
    return stream ? 0 : rill_errcode();
}

WORLD_TEST(a_task_on_another_host_does_not_see_this_ones_loopback, .seed = 1)
{
    rill_detach(rill_spawn(echo_server, "127.0.0.1"));
    rill_sleep(0);
    CHECK_INT(rill_test_host("far", NULL), 0);
    CHECK_INT(connect_loopback("127.0.0.1"), 0);
    CHECK_INT(rill_test_on("far", connect_loopback, "127.0.0.1"), RILL_EREFUSED);
    CHECK_INT(rill_test_on("far", connect_loopback, "here"), RILL_EREFUSED);
    CHECK_INT(connect_loopback("127.0.0.1"), 0); /* back again */
}

static int spawn_and_connect(void *arg)
{
    return rill_join(rill_spawn(connect_loopback, arg));
}

WORLD_TEST(a_spawned_task_is_where_its_parent_is, .seed = 1)
{
    CHECK_INT(rill_test_host("far", NULL), 0);
    rill_detach(rill_spawn(echo_server, "127.0.0.1"));
    rill_sleep(0);
    CHECK_INT(rill_test_on("far", spawn_and_connect, "127.0.0.1"), RILL_EREFUSED);
    CHECK_INT(spawn_and_connect("127.0.0.1"), 0);
}

WORLD_TEST(unix_sockets_need_no_file, .seed = 1)
{
    rill_detach(rill_spawn(echo_server, "unix:/run/test.sock"));
    rill_sleep(0);
    CHECK_INT(listen_here("unix:/run/test.sock"), RILL_ELISTEN);
    rill_auto(rill_stream) stream = rill_connect("unix:/run/test.sock", 0);
    REQUIRE(stream);
    CHECK_INT(echo_bytes(stream, 100), 0);
    rill_auto(rill_stream) none = rill_connect("unix:/run/other.sock", 0);
    CHECK(!none);
    CHECK_INT(rill_errcode(), RILL_EUNIX);
}

/* ---- what name servers say ---- */

static double lookup(const char *name, int expected)
{
    double start = rill_test_now();
    rill_auto(rill_stream) stream = rill_connect(name, 7);
    CHECK_INT(stream ? 0 : rill_errcode(), expected);
    return rill_test_now() - start;
}

WORLD_TEST(names_fail_and_take_their_time, .seed = 1)
{
    start_echo();
    CHECK_NEAR(lookup("nobody.test", RILL_EDNS_NOTFOUND), 0.001);
    CHECK_INT(rill_test_dns("lost.test", RILL_EDNS_TIMEOUT, 0), 0);
    CHECK_NEAR(lookup("lost.test", RILL_EDNS_TIMEOUT), 5);
    CHECK_INT(rill_test_dns("broken.test", RILL_EDNS, 0.5), 0);
    CHECK_NEAR(lookup("broken.test", RILL_EDNS), 0.5);
    CHECK_INT(rill_test_dns("example.com", 0, 2), 0);
    CHECK_NEAR(lookup("EXAMPLE.com", 0), 2.002);
    CHECK_NEAR(lookup("example.com", 0), 0.002); /* it is known by now */
    CHECK_INT(rill_test_dns("example.com", RILL_EDNS_NOTFOUND, 0), 0);
    rill_sleep(11);
    CHECK_NEAR(lookup("example.com", RILL_EDNS_NOTFOUND), 0.001);
    CHECK_INT(rill_test_dns("example.com", RILL_ETLS, 0), RILL_EINVAL);
}

static int connect_slowly(void *arg)
{
    rill_auto(rill_stream) stream = rill_connect(arg, 7);
    return stream ? 0 : rill_errcode();
}

WORLD_TEST(a_lookup_is_cancelled_and_serves_the_next, .seed = 1)
{
    start_echo();
    rill_test_dns("example.com", 0, 4);
    CHECK_INT(rill_within(1, connect_slowly, "example.com"), RILL_ETIMEDOUT);
    CHECK_NEAR(lookup("example.com", 0), 3.002);
    rill_test_dns("late.test", 0, 1000); /* on its way when the run ends */
    CHECK_INT(rill_within(1, connect_slowly, "late.test"), RILL_ETIMEDOUT);
}

WORLD_TEST(of_two_addresses_the_one_that_answers_is_taken, .seed = 1)
{
    CHECK_INT(rill_test_host("two.test", "10.0.0.8"), 0);
    CHECK_INT(rill_test_host("two.test", "10.0.0.9"), 0);
    rill_detach(rill_spawn(echo_server, "10.0.0.9"));
    rill_sleep(0);
    rill_auto(rill_stream) stream = rill_connect("two.test", 7);
    REQUIRE(stream);
    CHECK_STR(rill_stream_peer(stream), "10.0.0.9:7");
}

/* ---- connecting ---- */

WORLD_TEST(connects_are_refused_and_unreachable, .seed = 1)
{
    CHECK_INT(rill_test_host("empty.test", "10.0.0.2"), 0);
    CHECK_INT(connect_loopback("empty.test"), RILL_EREFUSED);
    CHECK_INT(connect_loopback("10.9.9.9"), RILL_EUNREACHABLE);
    start_echo();
    CHECK_INT(rill_test_link("example.com", NULL, .refuse = 1), 0);
    CHECK_INT(connect_loopback("10.0.0.1"), RILL_EREFUSED);
    CHECK_INT(rill_test_link("example.com", NULL, .latency = 0), 0);
    CHECK_INT(connect_loopback("10.0.0.1"), 0);
    CHECK_INT(rill_test_link("nobody", NULL, .down = true), RILL_EINVAL);
}

WORLD_TEST(a_link_that_is_down_gives_no_answer, .seed = 1)
{
    start_echo();
    CHECK_INT(rill_test_link("example.com", NULL, .down = true), 0);
    double start = rill_test_now();
    rill_auto(rill_stream) late = rill_connect("10.0.0.1", 7, .attempt_timeout = 10);
    CHECK(!late);
    CHECK_INT(rill_errcode(), RILL_ESOCK_CONNECT_TIMEOUT);
    CHECK_NEAR(rill_test_now() - start, 10);
    start = rill_test_now();
    rill_auto(rill_stream) never = rill_connect("10.0.0.1", 7, .attempt_timeout = -1);
    CHECK(!never);
    CHECK_INT(rill_errcode(), RILL_ESOCK_CONNECT_TIMEOUT);
    CHECK_NEAR(rill_test_now() - start, 127.001);
}

static int link_up(void *arg)
{
    (void)arg;
    rill_sleep(20);
    return rill_test_link("example.com", NULL, .latency = 0.01);
}

WORLD_TEST(what_is_under_way_waits_for_the_link, .seed = 1)
{
    start_echo();
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    CHECK_INT(rill_test_link("example.com", NULL, .down = true), 0);
    rill_task task = rill_spawn(link_up, NULL);
    double start = rill_test_now();
    CHECK_INT(echo_bytes(stream, 100), 0);
    CHECK_NEAR(rill_test_now() - start, 20.02);
    CHECK_INT(rill_join(task), 0);
}

WORLD_TEST(a_full_queue_of_a_listener_is_tried_again, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7, .backlog = 2);
    REQUIRE(listener);
    rill_auto(rill_stream) first = rill_connect("127.0.0.1", 7);
    rill_auto(rill_stream) second = rill_connect("127.0.0.1", 7);
    CHECK(first && second);
    double start = rill_test_now();
    rill_task third = rill_spawn(connect_loopback, "127.0.0.1");
    rill_sleep(2.5); /* it has been tried twice by then */
    CHECK(!rill_task_done(third));
    rill_auto(rill_stream) accepted = rill_accept(listener);
    CHECK(accepted);
    CHECK_INT(rill_join(third), 0);
    CHECK_NEAR(rill_test_now() - start, 3.002);
}

WORLD_TEST(who_is_not_accepted_is_reset_with_the_listener, .seed = 1)
{
    rill_listener *listener = rill_listen("127.0.0.1", 7);
    REQUIRE(listener);
    rill_auto(rill_stream) stream = rill_connect("127.0.0.1", 7);
    CHECK(stream);
    rill_listener_free(listener);
    char c;
    CHECK_INT(rill_stream_read(stream, &c, 1), RILL_ERESET);
}

/* ---- bytes ---- */

WORLD_TEST(bandwidth_and_latency_take_their_time, .seed = 1)
{
    start_echo();
    CHECK_INT(rill_test_link("example.com", NULL, .latency = 0.1, .bandwidth = 1000), 0);
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    double start = rill_test_now();
    CHECK_INT(echo_bytes(stream, 1000), 0);
    CHECK_NEAR(rill_test_now() - start, 2.2);
}

WORLD_TEST(jitter_keeps_the_order, .seed = 5, .shuffle = true)
{
    start_echo();
    CHECK_INT(rill_test_link("example.com", NULL, .jitter = 3, .split = 0.5), 0);
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    double start = rill_test_now();
    for (int i = 0; i < 20; i++)
        CHECK_INT(echo_bytes(stream, 500), 0);
    CHECK(rill_test_now() - start > 1);
}

/* How many reads it took to get `count` bytes. */
static int reads_for(rill_stream *stream, size_t count)
{
    char block[4096];
    int reads = 0;
    for (size_t got = 0; got < count; reads++) {
        ptrdiff_t n = rill_stream_read(stream, block, sizeof block);
        if (n <= 0)
            return -1;
        got += (size_t)n;
    }
    return reads;
}

WORLD_TEST(splits_make_short_reads, .seed = 3)
{
    char block[900] = "x";
    start_echo();
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    CHECK_INT(rill_stream_write(stream, block, sizeof block), 0);
    CHECK_INT(reads_for(stream, sizeof block), 1);
    CHECK_INT(rill_test_link(NULL, NULL, .split = 0.7), 0);
    CHECK_INT(rill_stream_write(stream, block, sizeof block), 0);
    CHECK(reads_for(stream, sizeof block) > 1);
}

static int write_much(void *arg)
{
    static char block[100000];
    for (int i = 0; i < 10; i++)
        if (rill_stream_write(arg, block, sizeof block) < 0)
            return rill_errcode();
    return 0;
}

WORLD_TEST(a_writer_waits_for_its_reader, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    rill_auto(rill_stream) server = rill_accept(listener);
    REQUIRE(client && server);
    rill_task task = rill_spawn(write_much, client);
    rill_sleep(100);
    CHECK(!rill_task_done(task));
    CHECK(rill_stream_written(client) < 400000);
    CHECK(reads_for(server, 1000000) > 100);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(rill_stream_written(client), 1000000);
}

WORLD_TEST(one_side_may_end_before_the_other, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    rill_auto(rill_stream) server = rill_accept(listener);
    REQUIRE(client && server);
    char block[10];
    CHECK_INT(rill_stream_write(client, "ask", 3), 0);
    CHECK_INT(rill_stream_shutdown(client), 0);
    CHECK_INT(rill_stream_read(server, block, sizeof block), 3);
    CHECK_INT(rill_stream_read(server, block, sizeof block), 0);
    CHECK_INT(rill_stream_write(server, "reply", 5), 0);
    CHECK_INT(rill_stream_read(client, block, sizeof block), 5);
    CHECK_INT(rill_stream_write(client, "more", 4), RILL_ECLOSED);
}

WORLD_TEST(a_closed_peer_is_an_end_then_a_reset, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    rill_stream *server = rill_accept(listener);
    REQUIRE(client && server);
    rill_stream_write(server, "bye", 3);
    rill_stream_free(server);
    char block[10];
    CHECK_INT(rill_stream_read(client, block, sizeof block), 3);
    CHECK_INT(rill_stream_read(client, block, sizeof block), 0);
    CHECK_INT(rill_stream_write(client, "more", 4), 0); /* nobody there, as its answer will say */
    rill_sleep(0.1);
    CHECK_INT(rill_stream_write(client, "more", 4), RILL_ERESET);
    CHECK_INT(rill_stream_write(client, "more", 4), RILL_ERESET); /* the pipe is broken */
}

WORLD_TEST(closing_with_unread_bytes_resets, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    rill_stream *server = rill_accept(listener);
    REQUIRE(client && server);
    rill_stream_write(client, "unread", 6);
    rill_sleep(1);
    rill_stream_free(server);
    char c;
    CHECK_INT(rill_stream_read(client, &c, 1), RILL_ERESET);
}

/* ---- accidents by chance ---- */

WORLD_TEST(writes_reset_and_stall_by_chance, .seed = 1)
{
    start_echo();
    rill_auto(rill_stream) slow = rill_connect("10.0.0.1", 7);
    rill_auto(rill_stream) reset = rill_connect("10.0.0.1", 7);
    REQUIRE(slow && reset);
    rill_test_link("example.com", NULL, .stall = 1, .stall_time = 60);
    double start = rill_test_now();
    CHECK_INT(echo_bytes(slow, 10), 0);
    CHECK_NEAR(rill_test_now() - start, 120.002);
    rill_test_link("example.com", NULL, .reset = 1);
    CHECK_INT(echo_bytes(reset, 10), RILL_ERESET);
}

/* ---- accidents by hand ---- */

static int read_one(void *arg)
{
    char c;
    return (int)rill_stream_read(arg, &c, 1);
}

WORLD_TEST(the_nth_operation_is_broken, .seed = 1)
{
    start_echo();
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    rill_test_fault(RILL_TEST_SHORT, .on = RILL_TEST_WRITE);
    rill_test_fault(RILL_TEST_LATE, .on = RILL_TEST_READ, .nth = 2);
    CHECK_INT(echo_bytes(stream, 100), 0);
    rill_test_fault(RILL_TEST_RESET, .on = RILL_TEST_READ);
    CHECK_INT(read_one(stream), RILL_ERESET);
    rill_test_fault(RILL_TEST_ERRNO, .on = RILL_TEST_SOCKET, .os_errno = EMFILE);
    CHECK_INT(connect_loopback("10.0.0.1"), RILL_ECONNECT);
    CHECK_INT(rill_last_error()->os_errno, EMFILE);
    rill_test_fault(RILL_TEST_ERRNO, .on = RILL_TEST_CONNECT, .nth = 2, .os_errno = ENETDOWN);
    CHECK_INT(connect_loopback("10.0.0.1"), 0);
    CHECK_INT(connect_loopback("10.0.0.1"), RILL_EUNREACHABLE);
    CHECK_INT(connect_loopback("10.0.0.1"), 0);
}

WORLD_TEST(a_stalled_connection_is_silent_for_ever, .seed = 1)
{
    start_echo();
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    REQUIRE(stream);
    CHECK_INT(echo_bytes(stream, 10), 0);
    rill_test_fault(RILL_TEST_STALL, .on = RILL_TEST_WRITE);
    CHECK_INT(rill_stream_write(stream, "x", 1), 0);
    CHECK_INT(rill_within(1000, read_one, stream), RILL_ETIMEDOUT);
}

WORLD_TEST(a_listener_rides_out_a_shortage, .seed = 1)
{
    rill_log_level_set(RILL_LOG_ERROR); /* it says that it pauses */
    start_echo();
    rill_test_fault(RILL_TEST_ERRNO, .on = RILL_TEST_ACCEPT, .os_errno = EMFILE);
    rill_test_fault(RILL_TEST_ERRNO, .on = RILL_TEST_ACCEPT, .os_errno = ECONNABORTED);
    for (int i = 0; i < 3; i++) {
        rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
        REQUIRE(stream);
        CHECK_INT(echo_bytes(stream, 10), 0);
    }
}

WORLD_TEST(descriptors_run_out, .seed = 1, .descriptors = 3)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    rill_auto(rill_stream) server = rill_accept(listener);
    CHECK(client && server);
    CHECK_INT(connect_loopback("127.0.0.1"), RILL_ECONNECT);
    CHECK_INT(rill_last_error()->os_errno, EMFILE);
    rill_stream_free(rill_take(server));
    CHECK_INT(connect_loopback("127.0.0.1"), 0);
}

WORLD_TEST(too_many_faults_and_wrong_ones_are_refused, .seed = 1)
{
    for (int i = 0; i < 16; i++)
        CHECK_INT(rill_test_fault(RILL_TEST_SHORT, .nth = 1000), 0);
    CHECK_INT(rill_test_fault(RILL_TEST_SHORT, .nth = 1000), RILL_ELIMIT);
    CHECK_INT(rill_test_fault((rill_test_fault_kind)99, .nth = 1), RILL_EINVAL);
}

/* ---- datagrams ---- */

static rill_udp *open_udp(void)
{
    rill_udp *udp = rill_udp_open(.host = "10.0.0.1", .port = 53);
    CHECK(udp);
    return udp;
}

/* Sends numbered datagrams and counts what arrives within a second, in *ret_order those that are
 * not behind all before. */
static int send_hundred(rill_udp *from, rill_udp *to, int *ret_order)
{
    int last = -1, got = 0;
    for (int i = 0; i < 100; i++)
        CHECK_INT(rill_udp_send(from, &i, sizeof i), 0);
    *ret_order = 0;
    for (;;) {
        int number = 0;
        rill_scope scope;
        rill_scope_begin(&scope, .timeout = 1);
        ptrdiff_t n = rill_udp_recv(to, &number, sizeof number);
        if (rill_scope_end(&scope, (int)n) < 0)
            return got;
        *ret_order += number <= last;
        last = number;
        got++;
    }
}

WORLD_TEST(datagrams_arrive_get_lost_and_overtake, .seed = 1)
{
    int disorder;
    rill_test_host("dns.test", "10.0.0.1");
    rill_auto(rill_udp) server = open_udp();
    rill_auto(rill_udp) client = rill_udp_open(.peer = "dns.test", .peer_port = 53);
    REQUIRE(server && client);
    CHECK_INT(send_hundred(client, server, &disorder), 100);
    CHECK_INT(disorder, 0);
    rill_test_link("dns.test", NULL, .loss = 0.3);
    int got = send_hundred(client, server, &disorder);
    CHECK(got > 50 && got < 90 && disorder == 0);
    rill_test_link("dns.test", NULL, .twice = 0.3, .jitter = 0.1);
    got = send_hundred(client, server, &disorder);
    CHECK(got > 110 && got < 150 && disorder > 10);
    rill_test_link("dns.test", NULL, .down = true);
    CHECK_INT(send_hundred(client, server, &disorder), 0);
    rill_test_link("dns.test", NULL, .latency = 0.1);
    CHECK_INT(send_hundred(client, server, &disorder), 100);
}

WORLD_TEST(datagrams_are_answered_or_refused, .seed = 1)
{
    char text[8] = "";
    rill_datagram got;
    rill_test_host("dns.test", "10.0.0.1");
    rill_auto(rill_udp) server = open_udp();
    rill_auto(rill_udp) client = rill_udp_open(.peer = "dns.test", .peer_port = 53);
    REQUIRE(server && client);
    CHECK_INT(rill_udp_send(client, "ask", 3), 0);
    CHECK_INT(rill_udp_recv_from(server, text, 2, &got), 2); /* cut */
    CHECK_INT(got.len, 3);
    CHECK_INT(rill_udp_send_to(server, &got.from, "", 0), 0);
    CHECK_INT(rill_udp_recv(client, text, sizeof text), 0);
    rill_auto(rill_udp) taken = rill_udp_open(.host = "10.0.0.1", .port = 53);
    CHECK(!taken);
    CHECK_INT(rill_errcode(), RILL_ELISTEN);
    rill_auto(rill_listener) tcp = rill_listen("10.0.0.1", 53); /* its ports are others */
    CHECK(tcp);
    rill_auto(rill_udp) nobody = rill_udp_open(.peer = "dns.test", .peer_port = 54);
    CHECK_INT(rill_udp_send(nobody, "ask", 3), 0);
    CHECK_INT(rill_udp_recv(nobody, text, sizeof text), RILL_EREFUSED);
    CHECK_INT(rill_udp_send(client, (char[65508]){ 0 }, 65508), RILL_ELIMIT);
}

/* ---- many ---- */

static int connect_and_echo(void *arg)
{
    (void)arg;
    rill_auto(rill_stream) stream = rill_connect("10.0.0.1", 7);
    int rc = stream ? echo_bytes(stream, 100) : rill_errcode();
    return rc < 0 ? rc : rill_sleep(10);
}

WORLD_TEST(three_thousand_connections_at_once, .seed = 1)
{
    static rill_task tasks[3000];
    start_echo();
    for (int i = 0; i < 3000; i++)
        tasks[i] = rill_spawn(connect_and_echo, NULL);
    for (int i = 0; i < 3000; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK(rill_test_now() < 20);
}

/* ---- waiting, cancelled ---- */

static int accept_one(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    return stream ? 0 : rill_errcode();
}

WORLD_TEST(every_wait_can_be_cancelled, .seed = 1)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    REQUIRE(listener);
    CHECK_INT(rill_within(5, accept_one, listener), RILL_ETIMEDOUT);
    rill_auto(rill_stream) client = rill_connect("127.0.0.1", 7);
    CHECK_INT(rill_within(5, read_one, client), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(5, write_much, client), RILL_ETIMEDOUT);
    CHECK_INT(accept_one(listener), 0); /* nothing was lost */
    rill_test_host("far", "10.0.0.3");
    rill_test_link("far", NULL, .latency = 100);
    CHECK_INT(rill_within(5, connect_loopback, "10.0.0.3"), RILL_ETIMEDOUT);
}
