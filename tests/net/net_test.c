/* Plain streams and listeners over loopback: what works, what is refused, what is cancelled. */
#include "harness.h"

#include "net/net_internal.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rill/log.h>
#include <rill/net.h>
#include <rill/task.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCAL "127.0.0.1"

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

/* Two ends of a connection. */
struct pair {
    rill_listener *listener;
    rill_stream *near, *far;
};

static int pair_open(struct pair *pair)
{
    *pair = (struct pair){ .listener = rill_listen(LOCAL, 0) };
    if (pair->listener)
        pair->near = rill_connect(LOCAL, rill_listener_port(pair->listener));
    if (pair->near)
        pair->far = rill_accept(pair->listener);
    return pair->far ? 0 : rill_errcode();
}

static void pair_close(struct pair *pair)
{
    rill_stream_free(pair->near);
    rill_stream_free(pair->far);
    rill_listener_free(pair->listener);
}

/* ---- what works ---- */

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
    CHECK_STR(rill_stream_alpn(stream), "");
    CHECK_INT(rill_stream_shutdown(stream), 0);
    CHECK_INT(rill_stream_write(stream, "x", 1), RILL_ECLOSED);
    CHECK_INT(rill_stream_read(stream, buf, 5), 0);
    return rill_join(server);
}

TEST(echoes_over_ipv4_ipv6_names_and_unix_sockets)
{
    CHECK_INT(rill_run(echo_once, "127.0.0.1"), 0);
    CHECK_INT(rill_run(echo_once, "::1"), 0);
    CHECK_INT(rill_run(echo_once, "localhost"), 0);
    CHECK_INT(rill_run(echo_once, "unix:/tmp/rill-net-test.sock"), 0);
    CHECK(access("/tmp/rill-net-test.sock", F_OK) != 0);
}

TEST(addresses_are_read_and_written)
{
    static const char *const good[][2] = {
        { "127.0.0.1", "127.0.0.1:80" },
        { "::1", "[::1]:80" },
        { "fe80::1%lo", "[fe80::1%lo]:80" },
        { "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80" },
    };
    static const char *const bad[] = {
        "127.1", "0x7f.0.0.1", "1.2.3.4.5", "[::1]", "::1%nosuch", "", "localhost", "1.2.3.256",
    };
    char text[RILL__ADDRESS_TEXT];
    rill__address address;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(rill__address_parse(good[i][0], 80, &address));
        rill__address_text(text, sizeof text, &address.base, address.len);
        CHECK_STR(text, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!rill__address_parse(bad[i], 80, &address));
    CHECK_INT(rill__address_unix("unix:/tmp/x", &address), 0);
    rill__address_text(text, sizeof text, &address.base, address.len);
    CHECK_STR(text, "unix:/tmp/x");
    CHECK_INT(rill__address_unix("unix:", &address), RILL_EINVAL);
}

#define MUCH (3u << 20)

static int write_much(void *arg)
{
    static char bytes[MUCH];
    memset(bytes, 'm', sizeof bytes);
    int rc = rill_stream_write(arg, bytes, sizeof bytes);
    return rc < 0 ? rc : rill_stream_shutdown(arg);
}

static int read_much(void *arg)
{
    char buf[5000];
    size_t total = 0;
    ptrdiff_t n;
    while ((n = rill_stream_read(arg, buf, sizeof buf)) > 0)
        total += (size_t)n;
    CHECK_INT(total, MUCH);
    return (int)n;
}

/* Both ends write more than the sockets hold while both read. */
static int both_ways(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    rill_task tasks[] = {
        rill_spawn(write_much, pair.near),
        rill_spawn(read_much, pair.near),
        rill_spawn(write_much, pair.far),
        rill_spawn(read_much, pair.far),
    };
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    pair_close(&pair);
    return 0;
}

TEST(reads_and_writes_at_once)
{
    CHECK_INT(rill_run(both_ways, NULL), 0);
}

/* ---- what is refused ---- */

static int refused(void *arg)
{
    (void)arg;
    rill_listener *listener = rill_listen(LOCAL, 0);
    int port = rill_listener_port(listener);
    rill_listener_free(listener);
    CHECK(!rill_connect(LOCAL, port));
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK_INT(rill_last_error()->os_errno, ECONNREFUSED);
    char expected[100];
    snprintf(expected, sizeof expected, "connect 127.0.0.1:%d: connection refused", port);
    CHECK_STR(rill_last_error()->message, expected);
    CHECK(!rill_connect("unix:/nonexistent/socket", 0));
    CHECK_INT(rill_errcode(), RILL_EUNIX);
    CHECK_STR(rill_last_error()->message,
              "connect unix:/nonexistent/socket: No such file or directory");
    return 0;
}

TEST(a_refused_connection_says_so)
{
    CHECK_INT(rill_run(refused, NULL), 0);
}

static int wrong_use(void *arg)
{
    (void)arg;
    CHECK(!rill_connect("", 80));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_connect(LOCAL, 0));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_connect(LOCAL, 65536));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_connect(LOCAL, 80, .local_address = "here"));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_connect("[::1]", 80));
    CHECK_INT(rill_errcode(), RILL_EDNS_NOTFOUND);
    CHECK(!rill_listen(LOCAL, 70000));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_listen("192.0.2.1", 0));
    CHECK_INT(rill_errcode(), RILL_ELISTEN);
    CHECK_INT(rill_last_error()->os_errno, EADDRNOTAVAIL);
    rill_stream_free(NULL);
    rill_listener_free(NULL);
    return 0;
}

TEST(wrong_use_is_an_error)
{
    CHECK_INT(rill_run(wrong_use, NULL), 0);
}

TEST(outside_a_task_nothing_waits)
{
    rill_stream stream = { .handle.fd = -1 };
    CHECK(!rill_connect(LOCAL, 80));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_listen(LOCAL, 0));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_accept(NULL));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK_INT(rill_stream_read(&stream, NULL, 0), RILL_ENOTASK);
    CHECK_INT(rill_stream_write(&stream, NULL, 0), RILL_ENOTASK);
    CHECK_INT(rill_stream_shutdown(&stream), RILL_ENOTASK);
}

static int reset_by_peer(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    struct linger at_once = { .l_onoff = 1 };
    setsockopt(rill_stream_fd(pair.far), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    rill_stream_free(rill_take(pair.far));
    char buf[10];
    CHECK_INT(rill_stream_read(pair.near, buf, sizeof buf), RILL_ERESET);
    CHECK_CONTAINS(rill_last_error()->message, "read 127.0.0.1:");
    CHECK_STR(rill_last_error()->where, rill_stream_peer(pair.near));
    CHECK_INT(rill_stream_write(pair.near, "x", 1), RILL_ERESET);
    pair_close(&pair);
    return 0;
}

TEST(a_reset_is_told_with_the_peer)
{
    CHECK_INT(rill_run(reset_by_peer, NULL), 0);
}

static int local_address(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = rill_listen(LOCAL, 0);
    rill_auto(rill_stream) near =
        rill_connect(LOCAL, rill_listener_port(listener), .local_address = "127.0.0.7");
    CHECK(near);
    rill_auto(rill_stream) far = rill_accept(listener);
    CHECK_CONTAINS(rill_stream_peer(far), "127.0.0.7:");
    return 0;
}

TEST(connects_from_a_given_address)
{
    CHECK_INT(rill_run(local_address, NULL), 0);
}

/* ---- cancelling and closing ---- */

static int read_some(void *arg)
{
    char buf[100];
    return (int)rill_stream_read(arg, buf, sizeof buf);
}

static int write_for_ever(void *arg)
{
    static char bytes[1 << 20];
    for (;;) {
        int rc = rill_stream_write(arg, bytes, sizeof bytes);
        if (rc < 0)
            return rc;
    }
}

static int accept_one(void *arg)
{
    rill_auto(rill_stream) stream = rill_accept(arg);
    return stream ? 0 : rill_errcode();
}

static int cancelled_calls(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    CHECK_INT(rill_within(0.02, read_some, pair.near), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_write(pair.far, "still", 5), 0);
    CHECK_INT(read_some(pair.near), 5);
    CHECK_INT(rill_within(0.02, accept_one, pair.listener), RILL_ETIMEDOUT);
    rill_auto(rill_stream) next = rill_connect(LOCAL, rill_listener_port(pair.listener));
    CHECK(next);
    CHECK_INT(accept_one(pair.listener), 0);
    CHECK_INT(rill_within(0.02, write_for_ever, pair.near), RILL_ETIMEDOUT);
    CHECK(rill_stream_written(pair.near) > 0);
    pair_close(&pair);
    return 0;
}

TEST(a_cancelled_call_leaves_everything_usable)
{
    CHECK_INT(rill_run(cancelled_calls, NULL), 0);
}

static int cancelled_from_the_start(void *arg)
{
    struct pair *pair = arg;
    CHECK_INT(read_some(pair->near), RILL_ECANCELED);
    CHECK_INT(rill_stream_write(pair->near, "x", 1), RILL_ECANCELED);
    CHECK(!rill_accept(pair->listener));
    CHECK_INT(rill_errcode(), RILL_ECANCELED);
    CHECK(!rill_connect(LOCAL, rill_listener_port(pair->listener)));
    CHECK_INT(rill_errcode(), RILL_ECANCELED);
    return rill_errcode();
}

static int run_cancelled(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    rill_task task = rill_spawn(cancelled_from_the_start, &pair);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(rill_stream_written(pair.near), 0);
    pair_close(&pair);
    return 0;
}

TEST(inside_a_cancelled_scope_nothing_begins)
{
    CHECK_INT(rill_run(run_cancelled, NULL), 0);
}

static int freed_under_others(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    rill_task reader = rill_spawn(read_some, pair.near);
    rill_task writer = rill_spawn(write_for_ever, pair.near);
    rill_task acceptor = rill_spawn(accept_one, pair.listener);
    rill_sleep(0.02);
    CHECK_INT(read_some(pair.near), RILL_EBUSY);
    CHECK_INT(rill_stream_write(pair.near, "x", 1), RILL_EBUSY);
    CHECK(!rill_accept(pair.listener));
    CHECK_INT(rill_errcode(), RILL_EBUSY);
    rill_stream_free(rill_take(pair.near));
    rill_listener_free(rill_take(pair.listener));
    CHECK_INT(rill_join(reader), RILL_ECLOSED);
    CHECK_INT(rill_join(writer), RILL_ECLOSED);
    CHECK_INT(rill_join(acceptor), RILL_ECLOSED);
    pair_close(&pair);
    return 0;
}

TEST(freeing_under_other_tasks_ends_their_calls)
{
    CHECK_INT(rill_run(freed_under_others, NULL), 0);
}

static int idle(void *arg)
{
    (void)arg;
    struct pair pair;
    CHECK_INT(pair_open(&pair), 0);
    CHECK(rill__stream_is_idle(pair.near));
    rill_stream_write(pair.far, "x", 1);
    rill_sleep(0.01);
    CHECK(!rill__stream_is_idle(pair.near));
    CHECK_INT(read_some(pair.near), 1);
    CHECK(rill__stream_is_idle(pair.near));
    rill_stream_shutdown(pair.far);
    rill_sleep(0.01);
    CHECK(!rill__stream_is_idle(pair.near));
    CHECK_INT(read_some(pair.near), 0);
    CHECK(!rill__stream_is_idle(pair.near));
    pair_close(&pair);
    return 0;
}

TEST(a_stream_is_idle_while_the_peer_is_silent)
{
    CHECK_INT(rill_run(idle, NULL), 0);
}

/* ---- no answer ---- */

/* A listener that takes nobody any more: its queue is full. */
struct full {
    int fd, port, fillers[4];
};

static void full_open(struct full *full)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    socklen_t len = sizeof address;
    full->fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(full->fd, (struct sockaddr *)&address, len);
    listen(full->fd, 0);
    getsockname(full->fd, (struct sockaddr *)&address, &len);
    full->port = ntohs(address.sin_port);
    for (int i = 0; i < 4; i++) {
        full->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(full->fillers[i], (struct sockaddr *)&address, len);
    }
    usleep(10000);
}

static void full_close(struct full *full)
{
    close(full->fd);
    for (int i = 0; i < 4; i++)
        close(full->fillers[i]);
}

static int connect_to(void *arg)
{
    rill_auto(rill_stream) stream = rill_connect(LOCAL, *(int *)arg);
    return stream ? 0 : rill_errcode();
}

static int no_answer(void *arg)
{
    (void)arg;
    struct full full;
    full_open(&full);
    char expected[100];
    CHECK(!rill_connect(LOCAL, full.port, .attempt_timeout = 0.05));
    CHECK_INT(rill_errcode(), RILL_ESOCK_CONNECT_TIMEOUT);
    snprintf(expected, sizeof expected, "connect 127.0.0.1:%d: no answer within 0.05 s", full.port);
    CHECK_STR(rill_last_error()->message, expected);
    CHECK(!rill_connect(LOCAL, full.port, .timeout = 0.05));
    CHECK_INT(rill_errcode(), RILL_ECONNECT_TIMEOUT);
    CHECK_INT(rill_within(0.05, connect_to, &full.port), RILL_ETIMEDOUT);
    full_close(&full);
    return 0;
}

TEST(a_connect_without_answer_ends_in_time)
{
    CHECK_INT(rill_run(no_answer, NULL), 0);
}

static int connect_unix(void *arg)
{
    rill_auto(rill_stream) stream = rill_connect(arg, 0);
    return stream ? 0 : rill_errcode();
}

static int full_unix(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen(arg, 0, .backlog = 1);
    rill_stream *streams[2] = { rill_connect(arg, 0), rill_connect(arg, 0) };
    CHECK(streams[0] && streams[1]);
    CHECK_INT(rill_within(0.1, connect_unix, arg), RILL_ETIMEDOUT);
    rill_task late = rill_spawn(connect_unix, arg);
    rill_sleep(0.02);
    CHECK_INT(accept_one(listener), 0);
    CHECK_INT(rill_join(late), 0);
    rill_stream_free(streams[0]);
    rill_stream_free(streams[1]);
    return 0;
}

TEST(a_full_unix_listener_is_waited_for)
{
    CHECK_INT(rill_run(full_unix, "unix:/tmp/rill-net-full.sock"), 0);
}

/* ---- listeners ---- */

static int stale_socket(void *arg)
{
    const char *host = arg, *path = host + 5;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* its file stays */
    rill_auto(rill_listener) listener = rill_listen(host, 0);
    CHECK(listener);
    CHECK(!rill_listen(host, 0));
    CHECK_INT(rill_errcode(), RILL_ELISTEN);
    CHECK_INT(rill_last_error()->os_errno, EADDRINUSE);
    CHECK(access(path, F_OK) == 0);
    rill_listener_free(rill_take(listener));
    CHECK(access(path, F_OK) != 0);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    CHECK(!rill_listen(host, 0)); /* what is no socket is not touched */
    CHECK(access(path, F_OK) == 0);
    unlink(path);
    return 0;
}

TEST(a_stale_unix_socket_is_replaced_and_a_live_one_not)
{
    CHECK_INT(rill_run(stale_socket, "unix:/tmp/rill-net-stale.sock"), 0);
}

static int port_taken(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) first = rill_listen(LOCAL, 0);
    CHECK(!rill_listen(LOCAL, rill_listener_port(first)));
    CHECK_INT(rill_errcode(), RILL_ELISTEN);
    CHECK_STR(rill_last_error()->where, rill__listener_name(first));
    rill_auto(rill_listener) shared = rill_listen(LOCAL, 0, .reuse_port = true);
    rill_auto(rill_listener) also =
        rill_listen(LOCAL, rill_listener_port(shared), .reuse_port = true);
    CHECK(also);
    return 0;
}

TEST(a_port_is_taken_once_or_shared)
{
    CHECK_INT(rill_run(port_taken, NULL), 0);
}

struct machine {
    rill_listener *listener;
    int accepted;
    int free_at; /* free the listener in that call */
};

static void machine_accepts(void *arg, int fd, const struct sockaddr_storage *address,
                            socklen_t len)
{
    struct machine *machine = arg;
    char text[RILL__ADDRESS_TEXT];
    rill__address_text(text, sizeof text, (const struct sockaddr *)address, len);
    CHECK_CONTAINS(text, "127.0.0.1:");
    close(fd);
    if (++machine->accepted == machine->free_at)
        rill_listener_free(machine->listener);
}

static int run_machine(void *arg)
{
    struct machine *machine = arg;
    machine->listener = rill_listen(LOCAL, 0);
    int port = rill_listener_port(machine->listener);
    CHECK_INT(rill__listener_start(machine->listener, machine_accepts, machine), 0);
    CHECK_INT(rill__listener_start(machine->listener, machine_accepts, machine), RILL_EBUSY);
    rill_stream *streams[150];
    for (int i = 0; i < 150; i++)
        streams[i] = rill_connect(LOCAL, port);
    rill_sleep(0.05);
    CHECK_INT(machine->accepted, machine->free_at ? machine->free_at : 150);
    if (!machine->free_at) {
        rill__listener_stop(machine->listener);
        rill_stream_free(streams[0]);
        streams[0] = rill_connect(LOCAL, port);
        rill_sleep(0.02);
        CHECK_INT(machine->accepted, 150);
        rill_listener_free(machine->listener);
    }
    for (int i = 0; i < 150; i++)
        rill_stream_free(streams[i]);
    return 0;
}

TEST(a_machine_is_called_for_every_connection)
{
    CHECK_INT(rill_run(run_machine, &(struct machine){ 0 }), 0);
    CHECK_INT(rill_run(run_machine, &(struct machine){ .free_at = 70 }), 0);
}

/* ---- descriptors run out ---- */

static int log_lines;

static void count_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg, (void)level;
    if (strcmp(subsystem, "net") == 0)
        log_lines++;
    CHECK_CONTAINS(message, "Too many open files");
}

static double cpu_seconds(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* Leaves no descriptor free; returns the limit that was. */
static rlim_t exhaust(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t was = limit.rlim_cur;
    int probe = dup(0);
    close(probe);
    limit.rlim_cur = (rlim_t)probe;
    setrlimit(RLIMIT_NOFILE, &limit);
    return was;
}

static void restore(rlim_t was)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = was;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int accept_without_descriptors(void *arg)
{
    bool by_machine = arg;
    struct machine machine = { .listener = rill_listen(LOCAL, 0) };
    rill_auto(rill_stream) near = rill_connect(LOCAL, rill_listener_port(machine.listener));
    CHECK(near);
    rlim_t was = exhaust();
    CHECK(!rill_connect(LOCAL, rill_listener_port(machine.listener)));
    CHECK(rill_error_is(rill_last_error(), RILL_ECONNECT));
    double start = cpu_seconds();
    rill_task task = { 0 };
    if (by_machine)
        rill__listener_start(machine.listener, machine_accepts, &machine);
    else
        task = rill_spawn(accept_one, machine.listener);
    rill_sleep(0.3);
    CHECK(cpu_seconds() - start < 0.1);
    CHECK_INT(log_lines, 1);
    restore(was);
    rill_sleep(0.1);
    if (by_machine)
        CHECK_INT(machine.accepted, 1);
    else
        CHECK_INT(rill_join(task), 0);
    rill_listener_free(machine.listener);
    return 0;
}

TEST(accept_waits_for_descriptors_and_does_not_spin)
{
    rill_log_to(count_log, NULL);
    CHECK_INT(rill_run(accept_without_descriptors, NULL), 0);
    log_lines = 0;
    CHECK_INT(rill_run(accept_without_descriptors, ""), 0);
}

/* ---- memory runs out ---- */

static int scenario(void *arg)
{
    (void)arg;
    rill_auto(rill_listener) listener = rill_listen(LOCAL, 0);
    if (!listener)
        return rill_errcode();
    rill_auto(rill_stream) near = rill_connect("localhost", rill_listener_port(listener));
    rill_auto(rill_stream) far = near ? rill_accept(listener) : NULL;
    if (!far)
        return rill_errcode();
    int rc = rill_stream_write(near, "hello", 5);
    return rc < 0 ? rc : read_some(far) == 5 ? 0 : rill_errcode();
}

/* Fails the nth allocation and every later one, or only that one. */
static void sweep(const char *name)
{
    (void)name;
    unsigned long n = 1;
    for (; n < 500; n++) {
        rill__alloc_count = 0;
        rill__alloc_fail_at = n;
        int status = rill_run(scenario, NULL);
        unsigned long used = rill__alloc_count;
        rill__alloc_fail_at = 0;
        if (used < n) {
            CHECK_INT(status, 0);
            break;
        }
    }
    CHECK(n > 5 && n < 500);
}

TEST(running_out_of_memory_anywhere_is_clean)
{
    (void)!freopen("/dev/null", "w", stderr);
    sweep("plain");
}
