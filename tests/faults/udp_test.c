/* Every system call of UDP sockets, failing with every errno that it can give. */
#include "faults.h"
#include "harness.h"

#include <errno.h>
#include <rill/task.h>
#include <rill/udp.h>

/* Sends back what comes, whatever happened to what came before. */
static int echo(void *arg)
{
    rill_udp *udp = arg;
    rill_datagram got;
    char buf[64];
    for (;;) {
        ptrdiff_t n = rill_udp_recv_from(udp, buf, sizeof buf, &got);
        if (n == RILL_ECANCELED)
            return 0;
        int rc = n < 0 ? (int)n : rill_udp_send_to(udp, &got.from, buf, (size_t)n);
        if (rc == RILL_ECANCELED)
            return 0;
        if (rc < 0 && !rill_error_is(rill_last_error(), RILL_ESOCKET) && rc != RILL_ENOMEM)
            test_fail(__FILE__, __LINE__, "%s: %s", fault_label(), rill_last_error()->message);
    }
}

static int ask(void *arg)
{
    char buf[8];
    rill_udp *udp = arg;
    int rc = rill_udp_send(udp, "ping", 4);
    if (rc < 0)
        return rc;
    ptrdiff_t n = rill_udp_recv(udp, buf, sizeof buf);
    CHECK(n < 0 || (n == 4 && memcmp(buf, "ping", 4) == 0));
    return n < 0 ? (int)n : 0;
}

static rill_udp *open_peer(const rill_udp *server)
{
    rill_address address;
    CHECK_INT(rill_udp_address(server, &address), 0);
    return rill_udp_open(.peer = "127.0.0.1", .peer_port = rill_address_port(&address));
}

/* Three questions; what is lost is lost, and those that follow have their answers. */
static int ask_some(rill_udp *server)
{
    rill_udp *udp = open_peer(server);
    int failed = udp == NULL;
    for (int i = 0; i < 3 && udp; i++) {
        int rc = rill_within(0.05, ask, udp);
        failed += rc < 0;
        if (rc < 0 && rc != RILL_ETIMEDOUT && rc != RILL_ENOMEM && !rill_code_is(rc, RILL_ESOCKET))
            test_fail(__FILE__, __LINE__, "%s: %s: %s", fault_label(), rill_code_name(rc),
                      rill_last_error()->message);
    }
    rill_udp_free(udp);
    return failed;
}

static int ask_and_answer(void)
{
    rill_udp *server = rill_udp_open(.host = "127.0.0.1");
    CHECK(server);
    if (!server)
        return 1;
    rill_task task = rill_spawn(echo, server);
    fault_begin();
    int failed = ask_some(server);
    fault_end();
    if (ask_some(server) > 0)
        test_fail(__FILE__, __LINE__, "%s: what follows it fails", fault_label());
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    rill_udp_free(server);
    return failed;
}

/* ---- the table: calls and what they can give (the man pages' ERRORS, and POSIX) ---- */

#define UDP_TEST(call, error, unnoticed)                                                           \
    TEST(call##_##error)                                                                           \
    {                                                                                              \
        fault_sweep((struct fault){ FAULT_##call, error, unnoticed, false }, ask_and_answer);      \
    }

/* Nothing is open for long, so nothing is reset (ECONNRESET, EPIPE); what nobody took comes back as
 * ECONNREFUSED. */
UDP_TEST(recvfrom, EINTR, true)
UDP_TEST(recvfrom, EAGAIN, true)
UDP_TEST(recvfrom, ENOBUFS, false)
UDP_TEST(recvfrom, ENOMEM, false)
UDP_TEST(recvfrom, EIO, false)
UDP_TEST(recvfrom, ECONNREFUSED, false)
UDP_TEST(sendto, EINTR, true)
UDP_TEST(sendto, EAGAIN, true)
UDP_TEST(sendto, ENOBUFS, false)
UDP_TEST(sendto, ENOMEM, false)
UDP_TEST(sendto, EIO, false)
UDP_TEST(sendto, ECONNREFUSED, false)
UDP_TEST(sendto, EPERM, false)
UDP_TEST(epoll_wait, EINTR, true)
UDP_TEST(epoll_ctl, ENOSPC, false)
UDP_TEST(connect, EINTR, true)
UDP_TEST(socket, EMFILE, false)
UDP_TEST(socket, ENOBUFS, false)
