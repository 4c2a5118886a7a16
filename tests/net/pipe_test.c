/* Pipes, the standard streams and other descriptors as streams. */
#include "harness.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "net/net_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <rill/pipe.h>
#include <rill/task.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct in_task {
    void (*body)(void);
};

static int in_task_run(void *arg)
{
    ((const struct in_task *)arg)->body();
    return 0;
}

/* TEST whose body runs as a task. */
#define TASK_TEST(name)                                                                            \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(rill_run(in_task_run, &(struct in_task){ body_##name }), 0);                     \
    }                                                                                              \
    static void body_##name(void)

#define MUCH ((size_t)1 << 20)

struct pipe_ends {
    rill_stream *reader, *writer;
};

static void open_pipe(struct pipe_ends *ends)
{
    *ends = (struct pipe_ends){ 0 };
    CHECK_INT(rill_pipe(&ends->reader, &ends->writer), 0);
}

static void close_pipe(struct pipe_ends *ends)
{
    rill_stream_free(ends->reader);
    rill_stream_free(ends->writer);
}

static int read_to_end(rill_stream *stream, size_t *ret_len)
{
    char buf[5000];
    ptrdiff_t n;
    *ret_len = 0;
    while ((n = rill_stream_read(stream, buf, sizeof buf)) > 0)
        *ret_len += (size_t)n;
    return (int)n;
}

static int write_much(void *arg)
{
    static char much[MUCH];
    return rill_stream_write(arg, much, sizeof much);
}

static int write_much_and_end(void *arg)
{
    RILL__TRY(write_much(arg));
    return rill_stream_shutdown(arg);
}

/* ---- pipes ---- */

TASK_TEST(what_is_written_is_read)
{
    struct pipe_ends ends;
    char buf[10] = "";
    open_pipe(&ends);
    CHECK_INT(rill_stream_write(ends.writer, "hello", 5), 0);
    CHECK_INT(rill_stream_read(ends.reader, buf, sizeof buf), 5);
    CHECK_STR(buf, "hello");
    CHECK_INT(rill_stream_written(ends.writer), 5);
    CHECK_INT(rill_stream_received(ends.reader), 5);
    CHECK_STR(rill_stream_peer(ends.reader), "pipe");
    CHECK(rill_stream_fd(ends.reader) >= 0);
    close_pipe(&ends);
}

TASK_TEST(shutting_the_writer_down_is_the_end)
{
    struct pipe_ends ends;
    char buf[10];
    open_pipe(&ends);
    CHECK_INT(rill_stream_write(ends.writer, "x", 1), 0);
    CHECK_INT(rill_stream_shutdown(ends.writer), 0);
    CHECK_INT(rill_stream_shutdown(ends.writer), 0);
    CHECK_INT(rill_stream_write(ends.writer, "y", 1), RILL_ECLOSED);
    CHECK_INT(rill_stream_read(ends.reader, buf, sizeof buf), 1);
    CHECK_INT(rill_stream_read(ends.reader, buf, sizeof buf), 0);
    CHECK_INT(rill_stream_read(ends.reader, buf, sizeof buf), 0);
    close_pipe(&ends);
}

TASK_TEST(more_than_a_pipe_holds_goes_through)
{
    struct pipe_ends ends;
    size_t len;
    open_pipe(&ends);
    rill_task writer = rill_spawn(write_much_and_end, ends.writer);
    CHECK_INT(read_to_end(ends.reader, &len), 0);
    CHECK_INT(len, MUCH);
    CHECK_INT(rill_join(writer), 0);
    close_pipe(&ends);
}

static int read_one(void *arg)
{
    char byte;
    ptrdiff_t n = rill_stream_read(arg, &byte, 1);
    return n == 1 ? byte : (int)n;
}

TASK_TEST(a_cancelled_read_takes_nothing)
{
    struct pipe_ends ends;
    open_pipe(&ends);
    rill_task task = rill_spawn(read_one, ends.reader);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(rill_within(0.01, read_one, ends.reader), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_write(ends.writer, "a", 1), 0);
    CHECK_INT(rill_within(0, read_one, ends.reader), RILL_ETIMEDOUT);
    CHECK_INT(read_one(ends.reader), 'a');
    close_pipe(&ends);
}

TASK_TEST(a_cancelled_read_says_of_what)
{
    struct pipe_ends ends;
    open_pipe(&ends);
    CHECK_INT(rill_within(0, read_one, ends.reader), RILL_ETIMEDOUT);
    CHECK_STR(rill_last_error()->message, "read pipe: the time was up");
    rill_task task = rill_spawn(read_one, ends.reader);
    rill_sleep(0);
    rill_cancel(task, .reason = "enough");
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_STR(rill_last_error()->message, "read pipe: cancelled: enough");
    close_pipe(&ends);
}

TASK_TEST(a_cancelled_write_says_how_much_went)
{
    struct pipe_ends ends;
    size_t len;
    open_pipe(&ends);
    CHECK_INT(rill_within(0, write_much, ends.writer), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_written(ends.writer), 0);
    CHECK_INT(rill_within(0.01, write_much, ends.writer), RILL_ETIMEDOUT);
    size_t written = rill_stream_written(ends.writer);
    CHECK(written > 0 && written < MUCH);
    rill_stream_free(rill_take(ends.writer));
    CHECK_INT(read_to_end(ends.reader, &len), 0);
    CHECK_INT(len, written);
    close_pipe(&ends);
}

TASK_TEST(two_that_read_at_once_are_refused)
{
    struct pipe_ends ends;
    open_pipe(&ends);
    rill_task task = rill_spawn(read_one, ends.reader);
    rill_sleep(0);
    CHECK_INT(read_one(ends.reader), RILL_EBUSY);
    rill_stream_free(rill_take(ends.reader));
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    close_pipe(&ends);
}

static void check_not_there(int64_t rc, const char *message)
{
    CHECK_INT(rc, RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, message);
}

TASK_TEST(what_could_not_be_made_is_refused)
{
    char byte = 'x';
    check_not_there(rill_stream_read(NULL, &byte, 1), "read: there is no stream");
    check_not_there(rill_stream_write(NULL, &byte, 1), "write: there is no stream");
    check_not_there(rill_stream_shutdown(NULL), "shut down: there is no stream");
    CHECK(!rill_accept(NULL));
    check_not_there(rill_errcode(), "accept: there is no listener");
}

TEST(a_pipe_is_made_in_a_task_only)
{
    rill_stream *reader, *writer;
    CHECK_INT(rill_pipe(&reader, &writer), RILL_ENOTASK);
    CHECK(!rill_stdin());
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_stream_of_fd(0, .shared = true));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
}

TASK_TEST(without_memory_or_descriptors_nothing_is_made)
{
    struct rlimit limit, few = { 1, 0 };
    rill_stream *reader, *writer;
    for (unsigned long i = 1; i <= 2; i++) {
        rill__alloc_fail_at = rill__alloc_count + i;
        CHECK_INT(rill_pipe(&reader, &writer), RILL_ENOMEM);
    }
    rill__alloc_fail_at = 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    CHECK_INT(rill_pipe(&reader, &writer), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- SIGPIPE ---- */

static bool sigpipe_is(int (*ask)(sigset_t *set))
{
    sigset_t set;
    sigemptyset(&set);
    ask(&set);
    return sigismember(&set, SIGPIPE);
}

static int blocked(sigset_t *set)
{
    return sigprocmask(SIG_BLOCK, NULL, set);
}

static void write_to_nobody(void)
{
    struct pipe_ends ends;
    open_pipe(&ends);
    rill_stream_free(rill_take(ends.reader));
    CHECK_INT(rill_stream_write(ends.writer, "x", 1), RILL_ERESET);
    CHECK_INT(rill_last_error()->os_errno, EPIPE);
    CHECK_CONTAINS(rill_last_error()->message, "write pipe: ");
    close_pipe(&ends);
}

TASK_TEST(a_write_that_nobody_reads_fails_and_kills_nobody)
{
    write_to_nobody();
    CHECK(!sigpipe_is(blocked));
    CHECK(!sigpipe_is(sigpending));
}

TASK_TEST(a_sigpipe_of_the_programs_own_is_left_to_it)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    write_to_nobody();
    CHECK(sigpipe_is(blocked));
    CHECK(!sigpipe_is(sigpending));
    raise(SIGPIPE);
    write_to_nobody();
    CHECK(sigpipe_is(sigpending));
}

TASK_TEST(a_writer_that_waits_hears_that_the_reader_has_gone)
{
    struct pipe_ends ends;
    open_pipe(&ends);
    rill_task writer = rill_spawn(write_much, ends.writer);
    rill_sleep(0);
    rill_stream_free(rill_take(ends.reader));
    CHECK_INT(rill_join(writer), RILL_ERESET);
    close_pipe(&ends);
}

/* ---- standard streams: each body runs with `fd` in the place of 0 or 1 ---- */

static void with_standard(int place, int fd, void (*body)(void))
{
    int saved = dup(place);
    dup2(fd, place);
    CHECK_INT(rill_run(in_task_run, &(struct in_task){ body }), 0);
    CHECK(!(fcntl(place, F_GETFL) & O_NONBLOCK));
    if (saved >= 0)
        dup2(saved, place);
    close(saved);
}

static int other_end; /* of what stands in the place */

static void pass_a_line(void)
{
    char buf[100] = "";
    rill_task reader = rill_spawn(read_one, rill_stdin());
    rill_sleep(0);
    CHECK(!rill_task_done(reader));
    CHECK(!(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK));
    CHECK_INT(write(other_end, "hello\n", 6), 6);
    CHECK_INT(rill_join(reader), 'h');
    CHECK_INT(rill_within(0.01, read_one, rill_stdin()), 'e');
    CHECK_INT(rill_stream_read(rill_stdin(), buf, sizeof buf), 4);
    CHECK_STR(buf, "llo\n");
    CHECK_INT(rill_within(0.01, read_one, rill_stdin()), RILL_ETIMEDOUT);
    rill_stream_free(rill_stdin());
    CHECK_STR(rill_stream_peer(rill_stdin()), "stdin");
}

TEST(standard_input_may_be_a_pipe)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    other_end = fds[1];
    with_standard(STDIN_FILENO, fds[0], pass_a_line);
    close(fds[0]);
    close(fds[1]);
}

TEST(standard_input_may_be_a_socket)
{
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    other_end = fds[1];
    with_standard(STDIN_FILENO, fds[0], pass_a_line);
    close(fds[0]);
    close(fds[1]);
}

static bool open_terminal(int fds[2])
{
    fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
    if (fds[1] < 0 || grantpt(fds[1]) < 0 || unlockpt(fds[1]) < 0)
        return false;
    fds[0] = open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
    return fds[0] >= 0;
}

static void read_two_lines(void)
{
    char buf[100] = "";
    pass_a_line();
    CHECK_INT(write(other_end, "one\ntwo\n", 8), 8);
    CHECK_INT(rill_stream_read(rill_stdin(), buf, sizeof buf), 4);
    CHECK_INT(rill_stream_read(rill_stdin(), buf, sizeof buf), 4);
    CHECK_STR(buf, "two\n");
}

TEST(standard_input_may_be_a_terminal)
{
    int fds[2];
    REQUIRE(open_terminal(fds));
    other_end = fds[1];
    with_standard(STDIN_FILENO, fds[0], read_two_lines);
    close(fds[0]);
    close(fds[1]);
}

/* Without a descriptor to spare, nothing can be opened anew. */
static void pass_a_line_in_need(void)
{
    struct rlimit limit, few = { 1, 0 };
    rill_sleep(0);
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    pass_a_line();
    CHECK_INT(rill_stream_fd(rill_stdin()), STDIN_FILENO);
    setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(standard_input_that_cannot_be_opened_anew_is_asked_first)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    other_end = fds[1];
    with_standard(STDIN_FILENO, fds[0], pass_a_line_in_need);
    close(fds[0]);
    close(fds[1]);
    REQUIRE(open_terminal(fds));
    other_end = fds[1];
    with_standard(STDIN_FILENO, fds[0], pass_a_line_in_need);
    close(fds[0]);
    close(fds[1]);
}

static int drain(void *arg)
{
    size_t len;
    rill_auto(rill_stream) stream = rill_stream_of_fd(*(int *)arg);
    RILL__TRY(read_to_end(stream, &len));
    return len == MUCH ? 0 : 1;
}

static void write_in_need(void)
{
    struct rlimit limit, few = { 1, 0 };
    static char much[MUCH];
    rill_task reader = rill_spawn(drain, &other_end);
    rill_sleep(0);
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    CHECK_INT(rill_stream_write(rill_stdout(), much, sizeof much), 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_INT(rill_stream_fd(rill_stdout()), STDOUT_FILENO);
    close(STDOUT_FILENO);
    CHECK_INT(rill_join(reader), 0);
    open("/dev/null", O_WRONLY);
}

TEST(much_is_written_to_a_shared_pipe_in_pieces)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    other_end = fds[0];
    int saved = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    close(fds[1]);
    CHECK_INT(rill_run(in_task_run, &(struct in_task){ write_in_need }), 0);
    dup2(saved, STDOUT_FILENO);
    close(saved);
}

static int scratch_file(void)
{
    char path[] = "/tmp/rill-pipe-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    return fd;
}

static void read_the_file(void)
{
    char buf[100] = "";
    CHECK_INT(rill_within(0, read_one, rill_stdin()), RILL_ETIMEDOUT);
    CHECK_INT(rill_stream_read(rill_stdin(), buf, 5), 5);
    CHECK_INT(rill_stream_read(rill_stdin(), buf + 5, sizeof buf - 5), 6);
    CHECK_STR(buf, "from a file");
    CHECK_INT(rill_stream_read(rill_stdin(), buf, sizeof buf), 0);
    CHECK_INT(rill_stream_shutdown(rill_stdin()), 0);
}

TEST(standard_input_may_be_a_file)
{
    int fd = scratch_file();
    CHECK_INT(write(fd, "from a file", 11), 11);
    lseek(fd, 0, SEEK_SET);
    with_standard(STDIN_FILENO, fd, read_the_file);
    close(fd);
}

static void write_the_file(void)
{
    CHECK_INT(rill_stream_write(rill_stdout(), "one\n", 4), 0);
    CHECK_INT(rill_stream_write(rill_stdout(), "two\n", 4), 0);
    CHECK_INT(rill_stream_written(rill_stdout()), 8);
}

TEST(standard_output_may_be_a_file)
{
    char buf[20] = "";
    int fd = scratch_file();
    with_standard(STDOUT_FILENO, fd, write_the_file);
    CHECK_INT(pread(fd, buf, sizeof buf, 0), 8);
    CHECK_STR(buf, "one\ntwo\n");
    close(fd);
}

static void write_to_full(void)
{
    CHECK_INT(rill_stream_write(rill_stdout(), "x", 1), RILL_ESOCKET);
    CHECK_INT(rill_last_error()->os_errno, ENOSPC);
    CHECK_CONTAINS(rill_last_error()->message, "write stdout: ");
    CHECK_INT(rill_stream_written(rill_stdout()), 0);
}

TEST(a_full_device_is_told)
{
    int fd = open("/dev/full", O_WRONLY);
    with_standard(STDOUT_FILENO, fd, write_to_full);
    close(fd);
}

static void read_null(void)
{
    char byte;
    CHECK_INT(rill_stream_read(rill_stdin(), &byte, 1), 0);
}

TEST(standard_input_may_be_the_null_device)
{
    int fd = open("/dev/null", O_RDONLY);
    with_standard(STDIN_FILENO, fd, read_null);
    close(fd);
}

static void ask_for_stdin(void)
{
    CHECK(!rill_stdin());
    CHECK_INT(rill_errcode(), RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "open stdin: ");
}

TEST(a_closed_standard_input_is_an_error)
{
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    rill_run(in_task_run, &(struct in_task){ ask_for_stdin });
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void write_to_closed_stdout(void)
{
    CHECK_INT(rill_stream_write(rill_stdout(), "x", 1), RILL_ERESET);
    CHECK_INT(rill_stream_write(rill_stderr(), "", 0), 0);
}

TEST(standard_output_that_nobody_reads_is_an_error)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    with_standard(STDOUT_FILENO, fds[1], write_to_closed_stdout);
    close(fds[1]);
}

/* ---- other descriptors ---- */

TASK_TEST(a_descriptor_of_our_own_is_closed_in_the_end)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    rill_stream *stream = rill_stream_of_fd(fds[0]);
    CHECK(stream);
    char name[20];
    snprintf(name, sizeof name, "fd %d", fds[0]);
    CHECK_STR(rill_stream_peer(stream), name);
    CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    CHECK_INT(write(fds[1], "a", 1), 1);
    CHECK_INT(read_one(stream), 'a');
    rill_stream_free(stream);
    CHECK(fcntl(fds[0], F_GETFL) < 0);
    close(fds[1]);
    stream = rill_stream_of_fd(open("/dev/zero", O_RDONLY), .name = "zero");
    CHECK_STR(rill_stream_peer(stream), "zero");
    CHECK_INT(read_one(stream), 0);
    rill_stream_free(stream);
}

TASK_TEST(a_shared_descriptor_is_left_as_it_was)
{
    int fds[2];
    REQUIRE(open_terminal(fds));
    for (int i = 0; i < 2; i++) { /* the master's side cannot be opened anew */
        rill_stream *stream = rill_stream_of_fd(fds[i], .shared = true);
        rill_task reader = rill_spawn(read_one, stream);
        rill_sleep(0);
        CHECK_INT(write(fds[!i], "a\n", 2), 2);
        CHECK_INT(rill_join(reader), 'a');
        rill_stream_free(stream);
        CHECK(!(fcntl(fds[i], F_GETFL) & O_NONBLOCK));
        CHECK_INT(close(fds[i]), 0);
        if (i == 0)
            fds[0] = open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
    }
    close(fds[0]);
}

TASK_TEST(what_is_no_descriptor_is_refused)
{
    CHECK(!rill_stream_of_fd(-1));
    CHECK_INT(rill_errcode(), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, EBADF);
    CHECK_CONTAINS(rill_last_error()->message, "open fd -1: ");
}

TASK_TEST(a_file_that_is_freed_while_a_thread_writes_stays_open_for_it)
{
    int fd = scratch_file(), kept = dup(fd);
    rill_stream *stream = rill_stream_of_fd(fd);
    rill_task writer = rill_spawn(write_much, stream);
    rill_sleep(0);
    rill_stream_free(stream);
    rill_join(writer);
    struct stat status;
    CHECK(fstat(fd, &status) < 0);
    CHECK_INT(fstat(kept, &status), 0);
    CHECK_INT(status.st_size, MUCH);
    close(kept);
}
