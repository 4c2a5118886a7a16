/* The epoll driver, and I/O that waits on top of it. */
#include "in_task.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
    rill__handle ours;
    int theirs; /* blocking */
};

static bool open_pair(struct pair *pair)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return false;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    pair->theirs = fds[1];
    return rill__io_adopt(&pair->ours, fds[0]) == 0;
}

static void close_pair(struct pair *pair)
{
    rill__io_close(&pair->ours);
    close(pair->theirs);
}

static void they_say(struct pair *pair, const char *text)
{
    CHECK_INT(send(pair->theirs, text, strlen(text), 0), strlen(text));
}

struct reading {
    struct pair *pair;
    char text[64];
    int64_t rc;
};

static int read_once(void *arg)
{
    struct reading *reading = arg;
    reading->rc = rill__io_recv(&reading->pair->ours, reading->text, sizeof reading->text - 1);
    return reading->rc < 0 && !RILL__IS_ERRNO(reading->rc) ? (int)reading->rc : 0;
}

/* ---- receiving ---- */

TASK_TEST(recv_waits_for_data)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct reading reading = { .pair = &pair };
    rill_task task = rill_spawn(read_once, &reading);
    rill_sleep(0.005);
    CHECK(!rill_task_done(task));
    they_say(&pair, "hello");
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(reading.rc, 5);
    CHECK_STR(reading.text, "hello");
    close_pair(&pair);
}

TASK_TEST(recv_takes_what_is_there_in_parts)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    they_say(&pair, "abcdefgh");
    char text[4] = "";
    CHECK_INT(rill__io_recv(&pair.ours, text, 3), 3);
    CHECK_STR(text, "abc");
    CHECK_INT(rill__io_recv(&pair.ours, text, 3), 3);
    CHECK_STR(text, "def");
    memset(text, 0, sizeof text);
    CHECK_INT(rill__io_recv(&pair.ours, text, 3), 2); /* a short read: drained */
    CHECK_STR(text, "gh");
    they_say(&pair, "ij");
    memset(text, 0, sizeof text);
    CHECK_INT(rill__io_recv(&pair.ours, text, 3), 2);
    CHECK_STR(text, "ij");
    close_pair(&pair);
}

TASK_TEST(a_half_closed_peer_reads_as_end_and_can_still_be_written)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    they_say(&pair, "bye");
    shutdown(pair.theirs, SHUT_WR);
    char text[16] = "";
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 3);
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 0);
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 0);
    struct iovec iov = { .iov_base = "reply", .iov_len = 5 };
    CHECK_INT(rill__io_send_all(&pair.ours, &iov, 1, NULL), 5);
    CHECK_INT(recv(pair.theirs, text, sizeof text, 0), 5);
    close_pair(&pair);
}

TASK_TEST(a_peer_that_closes_while_we_wait_ends_the_wait)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct reading reading = { .pair = &pair };
    rill_task task = rill_spawn(read_once, &reading);
    rill_sleep(0.005);
    close(pair.theirs);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(reading.rc, 0);
    rill__io_close(&pair.ours);
}

TASK_TEST(one_reader_and_one_writer_at_a_time)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct reading first = { .pair = &pair }, second = { .pair = &pair };
    rill_task a = rill_spawn(read_once, &first), b = rill_spawn(read_once, &second);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(second.rc, -EBUSY);
    struct iovec iov = { .iov_base = "x", .iov_len = 1 };
    CHECK_INT(rill__io_send_all(&pair.ours, &iov, 1, NULL), 1); /* the other direction is free */
    they_say(&pair, "y");
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(first.rc, 1);
    close_pair(&pair);
}

TASK_TEST(a_cancelled_recv_leaves_the_data)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct reading reading = { .pair = &pair };
    rill_task task = rill_spawn(read_once, &reading);
    rill_sleep(0.002);
    they_say(&pair, "kept");
    rill_cancel(task); /* before the loop has looked */
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    char text[8] = "";
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 4);
    CHECK_STR(text, "kept");
    close_pair(&pair);
}

struct timed {
    struct pair *pair;
    double seconds;
    int64_t rc;
    int end;
};

static int read_in_time(void *arg)
{
    struct timed *timed = arg;
    char text[16];
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = timed->seconds);
    timed->rc = rill__io_recv(&timed->pair->ours, text, sizeof text);
    timed->end = rill_scope_end(&scope, timed->rc < 0 ? (int)timed->rc : 0);
    return 0;
}

TASK_TEST(a_deadline_ends_a_recv_that_gets_nothing)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct timed timed = { .pair = &pair, .seconds = 0.005 };
    read_in_time(&timed);
    CHECK_INT(timed.rc, RILL_ECANCELED);
    CHECK_INT(timed.end, RILL_ETIMEDOUT);
    CHECK(pair.ours.reader == NULL);
    close_pair(&pair);
}

TASK_TEST(nothing_is_begun_inside_a_cancelled_scope)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    they_say(&pair, "there");
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_scope_cancel(&scope, NULL);
    char text[8];
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), RILL_ECANCELED);
    rill_scope_end(&scope, 0);
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 5);
    close_pair(&pair);
}

/* ---- sending ---- */

struct draining {
    int fd;
    size_t got;
    useconds_t pause;
};

static void *drain(void *arg)
{
    struct draining *draining = arg;
    char buf[4096];
    ssize_t n;
    while ((n = recv(draining->fd, buf, sizeof buf, 0)) > 0) {
        draining->got += (size_t)n;
        usleep(draining->pause);
    }
    return NULL;
}

TASK_TEST(send_all_waits_for_room_until_all_has_gone)
{
    enum { SIZE = 1 << 20 };
    static char block[SIZE];
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct draining draining = { .fd = pair.theirs, .pause = 10 };
    pthread_t thread;
    pthread_create(&thread, NULL, drain, &draining);
    struct iovec iov[] = { { block, SIZE }, { NULL, 0 }, { block, 1 }, { block, SIZE } };
    size_t sent = 0;
    CHECK_INT(rill__io_send_all(&pair.ours, iov, 4, &sent), 2 * SIZE + 1);
    CHECK_INT(sent, 2 * SIZE + 1);
    rill__io_close(&pair.ours);
    pthread_join(thread, NULL);
    CHECK_INT(draining.got, 2 * SIZE + 1);
    close(pair.theirs);
}

TASK_TEST(a_cancelled_send_says_how_much_went)
{
    enum { SIZE = 8 << 20 };
    char *block = calloc(1, SIZE);
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct iovec iov = { block, SIZE };
    size_t sent = 0;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.01);
    int64_t rc = rill__io_send_all(&pair.ours, &iov, 1, &sent);
    CHECK_INT(rill_scope_end(&scope, (int)rc), RILL_ETIMEDOUT);
    CHECK(sent > 0 && sent < SIZE);
    size_t got = 0;
    ssize_t n;
    while ((n = recv(pair.theirs, block, SIZE, MSG_DONTWAIT)) > 0)
        got += (size_t)n;
    CHECK_INT(got, sent);
    free(block);
    close_pair(&pair);
}

TASK_TEST(sending_to_a_closed_peer_is_an_error_and_no_signal)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    close(pair.theirs);
    struct iovec iov = { .iov_base = "x", .iov_len = 1 };
    CHECK_INT(rill__io_send_all(&pair.ours, &iov, 1, NULL), -EPIPE);
    rill__io_close(&pair.ours);
}

/* ---- closing ---- */

TASK_TEST(closing_ends_a_pending_recv)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    struct reading reading = { .pair = &pair };
    rill_task task = rill_spawn(read_once, &reading);
    rill_sleep(0.002);
    close_pair(&pair);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(reading.rc, -ECANCELED);
    char text[4];
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), -EBADF);
    rill__io_close(&pair.ours); /* once more: harmless */
}

/* A connection that is a machine: two ops, freed in the first callback of its close. */
struct machine {
    rill__handle handle;
    rill__op reader, writer;
    int calls;
};

static struct machine *machine;
static int machine_calls;

static void machine_done(rill__op *op)
{
    (void)op;
    machine_calls++;
    rill__loop_driver()->ops->cancel(rill__loop_driver(), &machine->reader);
    rill__loop_driver()->ops->cancel(rill__loop_driver(), &machine->writer);
    free(machine);
}

static void fill(int fd)
{
    char block[4096] = { 0 };
    while (send(fd, block, sizeof block, MSG_DONTWAIT) > 0)
        continue;
}

TASK_TEST(a_handle_can_be_freed_in_the_first_callback_of_its_close)
{
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    machine = calloc(1, sizeof *machine);
    REQUIRE(rill__io_adopt(&machine->handle, fds[0]) == 0);
    fill(fds[0]);
    char text[4];
    struct iovec iov = { .iov_base = "x", .iov_len = 1 };
    machine->reader = (rill__op){ .kind = RILL__OP_RECV,
                                  .handle = &machine->handle,
                                  .done = machine_done,
                                  .recv = { .ptr = text, .len = sizeof text } };
    machine->writer = (rill__op){
        .kind = RILL__OP_SEND, .handle = &machine->handle, .done = machine_done, .send = { &iov, 1 }
    };
    CHECK(!rill__submit(rill__loop_driver(), &machine->reader));
    CHECK(!rill__submit(rill__loop_driver(), &machine->writer));
    rill__io_close(&machine->handle);
    CHECK_INT(machine_calls, 1);
    close(fds[1]);
}

static rill__handle handles[2];
static rill__op ops[2];
static int closed_by, intruded;

static void intrude(rill__op *op)
{
    (void)op;
    intruded++;
}

/* What comes to lie where the handle lay must not be taken for it. */
static void use_memory_for_something_else(rill__handle *handle)
{
    static rill__op intruder = { .kind = RILL__OP_RECV, .done = intrude };
    static char text[4];
    intruder.handle = handle;
    intruder.recv.ptr = text;
    intruder.recv.len = sizeof text;
    handle->reader = &intruder;
}

static void close_both(rill__op *op)
{
    closed_by++;
    if (op->result == -ECANCELED)
        return;
    for (int i = 0; i < 2; i++) {
        rill__io_close(&handles[i]);
        use_memory_for_something_else(&handles[i]);
    }
}

TASK_TEST(race_a_handle_closed_by_an_event_of_its_batch_gets_no_event)
{
    int fds[2][2];
    char text[2][4];
    for (int i = 0; i < 2; i++) {
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]) == 0);
        REQUIRE(rill__io_adopt(&handles[i], fds[i][0]) == 0);
        ops[i] = (rill__op){ .kind = RILL__OP_RECV,
                             .handle = &handles[i],
                             .done = close_both,
                             .recv = { .ptr = text[i], .len = 4 } };
        CHECK(!rill__submit(rill__loop_driver(), &ops[i]));
    }
    for (int i = 0; i < 2; i++)
        CHECK_INT(send(fds[i][1], "x", 1, 0), 1);
    rill_sleep(0.01);
    CHECK_INT(closed_by, 2); /* one by its data, the other by the close */
    CHECK_INT(intruded, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(handles[i].fd, -1);
        close(fds[i][1]);
    }
}

TASK_TEST(race_a_descriptor_that_another_process_shares_leaves_with_our_close)
{
    struct pair *pair = malloc(sizeof *pair);
    REQUIRE(open_pair(pair));
    int theirs = pair->theirs, stop[2];
    REQUIRE(pipe(stop) == 0);
    pid_t pid = fork();
    if (pid == 0) { /* holds the sockets open until it is told */
        char c;
        close(stop[1]);
        _exit(read(stop[0], &c, 1) == 0 ? 0 : 1);
    }
    rill__io_close(&pair->ours);
    free(pair); /* an event for it would touch freed memory */
    CHECK_INT(send(theirs, "x", 1, MSG_NOSIGNAL), 1);
    rill_sleep(0.01);
    close(theirs);
    close(stop[0]);
    close(stop[1]);
    waitpid(pid, NULL, 0);
}

/* ---- connections ---- */

static socklen_t listen_on_loopback(rill__handle *listener, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof *address;
    if (rill__io_open(listener, AF_INET, SOCK_STREAM) < 0 ||
        bind(listener->fd, (struct sockaddr *)address, len) < 0 || listen(listener->fd, 16) < 0 ||
        getsockname(listener->fd, (struct sockaddr *)address, &len) < 0)
        return 0;
    return len;
}

struct echo {
    rill__handle *listener;
    int served;
};

static int serve_echo(void *arg)
{
    struct echo *echo = arg;
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t len = 0;
        int64_t fd = rill__io_accept(echo->listener, &peer, &len);
        if (fd < 0)
            return (int)fd;
        CHECK_INT(peer.ss_family, AF_INET);
        rill__handle handle;
        CHECK_INT(rill__io_adopt(&handle, (int)fd), 0);
        char text[64];
        for (int64_t n; (n = rill__io_recv(&handle, text, sizeof text)) > 0;) {
            struct iovec iov = { text, (size_t)n };
            rill__io_send_all(&handle, &iov, 1, NULL);
        }
        rill__io_close(&handle);
        echo->served++;
    }
}

TASK_TEST(connect_send_and_recv_over_loopback)
{
    rill__handle listener, handle;
    struct sockaddr_in address;
    socklen_t len = listen_on_loopback(&listener, &address);
    REQUIRE(len > 0);
    struct echo echo = { .listener = &listener };
    rill_task server = rill_spawn(serve_echo, &echo);
    for (int i = 0; i < 50; i++) {
        CHECK_INT(rill__io_open(&handle, AF_INET, SOCK_STREAM), 0);
        CHECK_INT(rill__io_connect(&handle, (struct sockaddr *)&address, len), 0);
        struct iovec iov = { .iov_base = "ping", .iov_len = 4 };
        CHECK_INT(rill__io_send_all(&handle, &iov, 1, NULL), 4);
        char text[8] = "";
        CHECK_INT(rill__io_recv(&handle, text, sizeof text), 4);
        CHECK_STR(text, "ping");
        rill__io_close(&handle);
    }
    rill_sleep(0.005);
    CHECK_INT(echo.served, 50);
    rill_cancel(server);
    CHECK_INT(rill_join(server), RILL_ECANCELED);
    rill__io_close(&listener);
}

TASK_TEST(a_refused_connection_says_so)
{
    rill__handle listener, handle;
    struct sockaddr_in address;
    socklen_t len = listen_on_loopback(&listener, &address);
    REQUIRE(len > 0);
    rill__io_close(&listener);
    CHECK_INT(rill__io_open(&handle, AF_INET, SOCK_STREAM), 0);
    rill_sleep(0.002); /* a poll between: an event of the unconnected socket */
    CHECK_INT(rill__io_connect(&handle, (struct sockaddr *)&address, len), -ECONNREFUSED);
    rill__io_close(&handle);
}

TASK_TEST(a_unix_socket_whose_queue_is_full_refuses)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rill-test-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(listener, 0) == 0);
    rill__handle queued[8];
    int64_t rc = 0;
    int count = 0;
    while (count < 8 && rc == 0) {
        CHECK_INT(rill__io_open(&queued[count], AF_UNIX, SOCK_STREAM), 0);
        rc = rill__io_connect(&queued[count++], (struct sockaddr *)&address, sizeof address);
    }
    CHECK_INT(rc, -ENOBUFS);
    while (count > 0)
        rill__io_close(&queued[--count]);
    close(listener);
}

/* ---- borrowed buffers ---- */

static char lent[16];
static int loans, completions;

static void *lend(rill__op *op, size_t *ret_len)
{
    (void)op;
    loans++;
    *ret_len = sizeof lent;
    return lent;
}

static void *lend_nothing(rill__op *op, size_t *ret_len)
{
    (void)op;
    *ret_len = 0;
    return NULL;
}

static void count_completion(rill__op *op)
{
    (void)op;
    completions++;
}

TASK_TEST(a_buffer_is_borrowed_when_data_is_there)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    rill__op op = {
        .kind = RILL__OP_RECV,
        .handle = &pair.ours,
        .done = count_completion,
        .recv = { .borrow = lend },
    };
    CHECK(!rill__submit(rill__loop_driver(), &op));
    loans = 0; /* whether there was data only trying could tell */
    rill_sleep(0.005);
    CHECK_INT(loans, 0);
    they_say(&pair, "borrowed");
    rill_sleep(0.005);
    CHECK_INT(loans, 1);
    CHECK_INT(completions, 1);
    CHECK_INT(op.result, 8);
    CHECK(memcmp(lent, "borrowed", 8) == 0);
    they_say(&pair, "next");
    op.recv.borrow = lend_nothing;
    if (!rill__submit(rill__loop_driver(), &op))
        rill_sleep(0.005);
    CHECK_INT(op.result, -ENOMEM);
    char text[8] = ""; /* the data is still there */
    CHECK_INT(rill__io_recv(&pair.ours, text, sizeof text), 4);
    close_pair(&pair);
}

/* ---- the rest ---- */

static void *wake_later(void *arg)
{
    usleep(5000);
    rill__driver *driver = arg;
    driver->ops->wake(driver);
    return NULL;
}

TEST(a_wake_from_another_thread_ends_a_poll)
{
    rill__driver *driver = rill__epoll_new();
    REQUIRE(driver);
    driver->ops->wake(driver); /* before the poll: it returns at once */
    CHECK_INT(driver->ops->poll(driver, UINT64_MAX), 0);
    pthread_t thread;
    uint64_t start = driver->ops->now(driver);
    pthread_create(&thread, NULL, wake_later, driver);
    CHECK_INT(driver->ops->poll(driver, UINT64_MAX), 0);
    CHECK(driver->ops->now(driver) - start >= 5000000);
    pthread_join(thread, NULL);
    driver->ops->free(driver);
}

TEST(a_poll_is_never_shorter_than_its_timeout)
{
    rill__driver *driver = rill__epoll_new();
    REQUIRE(driver);
    for (uint64_t span = 1; span < 10000000; span = span * 7 + 1) {
        uint64_t start = driver->ops->now(driver);
        CHECK_INT(driver->ops->poll(driver, span), 0);
        CHECK(driver->ops->now(driver) - start >= span);
    }
    driver->ops->free(driver);
}

TASK_TEST(a_foreign_descriptor_is_watched_and_not_closed)
{
    int fds[2];
    REQUIRE(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    rill__handle handle;
    CHECK_INT(rill__io_adopt(&handle, fds[0]), 0);
    handle.foreign = true;
    rill__op op = { .kind = RILL__OP_READABLE, .handle = &handle, .done = count_completion };
    completions = 0;
    CHECK(!rill__submit(rill__loop_driver(), &op));
    CHECK_INT(write(fds[1], "x", 1), 1);
    rill_sleep(0.005);
    CHECK_INT(completions, 1);
    CHECK_INT(op.result, 0);
    CHECK(rill__submit(rill__loop_driver(), &op)); /* not drained: still readable */
    rill__io_close(&handle);
    char c;
    CHECK_INT(read(fds[0], &c, 1), 1);
    close(fds[0]);
    close(fds[1]);
}

static int turns;

static int take_turns(void *arg)
{
    (void)arg;
    while (rill_sleep(0) == 0)
        turns++;
    return 0;
}

TASK_TEST(io_that_never_waits_does_not_keep_the_thread)
{
    struct pair pair;
    REQUIRE(open_pair(&pair));
    rill_task task = rill_spawn(take_turns, NULL);
    char block[4096] = { 0 };
    for (int i = 0; i < 1000; i++) {
        struct iovec iov = { block, 8 };
        CHECK_INT(rill__io_send_all(&pair.ours, &iov, 1, NULL), 8);
        CHECK_INT(recv(pair.theirs, block, sizeof block, 0), 8);
    }
    CHECK(turns >= 10);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
    close_pair(&pair);
}

struct deferred {
    rill__deferred deferred;
    int runs;
};

static void run_and_register_again(rill__deferred *deferred)
{
    struct deferred *self = (struct deferred *)deferred;
    if (++self->runs < 3)
        rill__defer_to_turn_end(deferred);
}

TASK_TEST(deferred_work_runs_at_the_end_of_a_turn)
{
    struct deferred work = { .deferred.run = run_and_register_again }, undone = work;
    rill__defer_to_turn_end(&work.deferred);
    rill__defer_to_turn_end(&work.deferred);
    rill__defer_to_turn_end(&undone.deferred);
    rill__undefer(&undone.deferred);
    CHECK_INT(work.runs, 0);
    for (int i = 0; i < 1000 && work.runs < 3; i++)
        rill_sleep(0.001);
    CHECK_INT(work.runs, 3);
    CHECK_INT(undone.runs, 0);
}

static int note_and_wait(void *arg)
{
    int *steps = arg;
    *steps = 1;
    int rc = rill_sleep(0.001);
    *steps = 2;
    return rc;
}

struct spawning {
    rill__deferred deferred;
    int steps, steps_after_spawn;
};

static void spawn_now(rill__deferred *deferred)
{
    struct spawning *self = (struct spawning *)deferred;
    rill_spawn_opts opts = { .size = sizeof opts, .arg = &self->steps };
    rill__spawn_now(note_and_wait, &opts);
    self->steps_after_spawn = self->steps;
}

TASK_TEST(a_callback_can_run_a_task_at_once)
{
    struct spawning spawning = { .deferred.run = spawn_now };
    rill__defer_to_turn_end(&spawning.deferred);
    rill_sleep(0.02);
    CHECK_INT(spawning.steps_after_spawn, 1);
    CHECK_INT(spawning.steps, 2);
}
