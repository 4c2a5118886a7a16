/*
 * Every system call by which a child process is started, spoken to and collected, failing with
 * every errno that it can give. A start that fails says why; no child, no zombie and no descriptor
 * stays behind.
 */
#include "faults.h"
#include "harness.h"

#include <errno.h>
#include <rill/pipe.h>
#include <rill/process.h>
#include <rill/task.h>
#include <sys/wait.h>

/* More than a pipe holds: so both ends have to wait. */
#define INPUT (200u * 1024u)

static char input[INPUT];
static struct fault fault; /* at present */

static void check_words(const char *what)
{
    const rill_error *error = rill_last_error();
    bool expected =
        rill_error_is(error, RILL_EOS) || (error->code == RILL_ENOMEM && fault.error == ENOMEM);
    if (expected && error->os_errno == fault.error && strstr(error->message, strerror(fault.error)))
        return;
    test_fail(__FILE__, __LINE__, "%s: %s: %s: %s", fault_label(), what,
              rill_code_name(error->code), error->message);
}

/* ---- a program is run, and fed and read meanwhile ---- */

static bool run_cat(void)
{
    memset(input, 'i', sizeof input);
    rill_auto(rill_process) cat =
        rill_process_run(RILL_ARGV("cat"), .input = { input, sizeof input }, .check = true);
    if (!cat)
        return false;
    CHECK_INT(rill_process_output(cat).len, INPUT);
    CHECK(memcmp(rill_process_output(cat).ptr, input, INPUT) == 0);
    return true;
}

static int run_program(void)
{
    fault_begin();
    bool ok = run_cat();
    fault_end();
    if (!ok)
        check_words("run");
    CHECK(run_cat());
    return !ok;
}

/* ---- a program is started, and waited for or killed ---- */

static int start_program(void)
{
    fault_begin();
    rill_process *process = rill_process_start(RILL_ARGV("sleep", "0.01"));
    int rc = process ? rill_process_wait(process) : rill_errcode();
    rill_process_free(process);
    process = rc == 0 ? rill_process_start(RILL_ARGV("sleep", "100"), .new_group = true) : NULL;
    fault_end();
    if (rc == 0 && !process)
        rc = rill_errcode();
    rill_process_free(process);
    if (rc < 0)
        check_words("start");
    return rc < 0;
}

/* ---- a pipe within this process ---- */

static int write_input(void *arg)
{
    rill_auto(rill_stream) writer = arg;
    return rill_stream_write(writer, input, sizeof input);
}

static int pipe_through(void)
{
    static char output[INPUT];
    rill_stream *reader = NULL, *writer = NULL;
    size_t got = 0;
    fault_begin();
    int rc = rill_pipe(&reader, &writer);
    rill_task task = { 0 };
    ptrdiff_t n = 0;
    if (rc == 0) {
        task = rill_spawn(write_input, writer);
        while ((n = rill_stream_read(reader, output + got, sizeof output - got)) > 0)
            got += (size_t)n;
        rc = (int)n;
        if (rc < 0)
            check_words("read");
    } else {
        check_words("pipe");
    }
    rill_stream_free(reader); /* then a writer whose reader has failed ends */
    int wrote = task.id ? rill_join(task) : 0;
    fault_end();
    if (rc == 0 && wrote < 0)
        check_words("write");
    if (rc == 0 && wrote == 0)
        CHECK(got == INPUT);
    return rc < 0 || wrote < 0;
}

/* ---- the table: calls and what they can give (the man pages' ERRORS, and POSIX) ---- */

static void sweep(struct fault given, int (*work)(void))
{
    siginfo_t info;
    fault = given;
    fault_sweep(fault, work);
    CHECK_INT(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1); /* no child is left */
}

#define PROCESS_TEST(work, call, error, unnoticed)                                                 \
    TEST_WITHIN(work##_##call##_##error, 60)                                                       \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed, !(unnoticed) }, work);               \
    }

PROCESS_TEST(run_program, pipe2, EMFILE, false)
PROCESS_TEST(run_program, pipe2, ENFILE, false)
/* posix_spawn(3) is fork and exec: EAGAIN where the user has too many processes. */
PROCESS_TEST(run_program, posix_spawnp, EAGAIN, false)
PROCESS_TEST(run_program, posix_spawnp, ENOMEM, false)
PROCESS_TEST(run_program, pidfd_open, EMFILE, false)
PROCESS_TEST(run_program, pidfd_open, ENFILE, false)
PROCESS_TEST(run_program, pidfd_open, ENOMEM, false)
PROCESS_TEST(run_program, epoll_ctl, ENOSPC, false)
PROCESS_TEST(run_program, epoll_ctl, ENOMEM, false)
PROCESS_TEST(run_program, epoll_wait, EINTR, true)
PROCESS_TEST(run_program, read, EINTR, true)
PROCESS_TEST(run_program, read, EAGAIN, true)
PROCESS_TEST(run_program, read, EIO, false)
PROCESS_TEST(run_program, write, EINTR, true)
PROCESS_TEST(run_program, write, EAGAIN, true)
PROCESS_TEST(run_program, write, FAULT_SHORT, true)
PROCESS_TEST(run_program, write, EIO, false)
PROCESS_TEST(start_program, posix_spawnp, EAGAIN, false)
PROCESS_TEST(start_program, pidfd_open, EMFILE, false)
PROCESS_TEST(start_program, epoll_ctl, ENOSPC, false)

/* Pipes: neither makes a descriptor (EMFILE), and a pipe is on no disk (ENOSPC). */
PROCESS_TEST(pipe_through, pipe2, EMFILE, false)
PROCESS_TEST(pipe_through, pipe2, ENFILE, false)
PROCESS_TEST(pipe_through, epoll_ctl, ENOSPC, false)
PROCESS_TEST(pipe_through, read, EINTR, true)
PROCESS_TEST(pipe_through, read, EAGAIN, true)
PROCESS_TEST(pipe_through, read, EIO, false)
PROCESS_TEST(pipe_through, write, EINTR, true)
PROCESS_TEST(pipe_through, write, EAGAIN, true)
PROCESS_TEST(pipe_through, write, FAULT_SHORT, true)
PROCESS_TEST(pipe_through, write, EIO, false)
PROCESS_TEST(pipe_through, write, EPIPE, false)

/* ---- a process that outlives its loop ---- */

static int start_sleep(void *arg)
{
    rill_process **ret_process = arg;
    *ret_process = rill_process_start(RILL_ARGV("sleep", "100"));
    CHECK(*ret_process);
    return 0;
}

TEST(waitid_EINTR)
{
    rill_process *process = NULL;
    siginfo_t info;
    CHECK_INT(rill_run(start_sleep, &process), 0);
    fault = (struct fault){ FAULT_waitid, EINTR, true, false };
    fault_arm(fault, 1);
    rill_process_free(process);
    fault_arm(fault, 0);
    CHECK_INT(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
}
