/* Child processes: how they start, what they are given, how their end is told. */
#include "in_loop.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <rill/pipe.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- how it ended ---- */

TASK_TEST(an_exit_status_is_told)
{
    rill_auto(rill_process) good = rill_process_start(RILL_ARGV("true"));
    CHECK(good);
    CHECK(rill_process_pid(good) > 0);
    CHECK_INT(rill_process_wait(good), 0);
    CHECK_INT(rill_process_wait(good), 0);
    CHECK(rill_process_ended(good));
    CHECK_INT(rill_process_status(good), 0);
    CHECK_INT(rill_process_signal(good), 0);

    rill_auto(rill_process) bad = rill_process_start(SH("exit 2"));
    CHECK_INT(rill_process_wait(bad), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sh: exit status 2");
    CHECK_INT(rill_last_error()->status, 2);
    CHECK_INT(rill_process_status(bad), 2);
    CHECK_INT(rill_process_signal(bad), 0);
}

TASK_TEST(the_signal_that_ended_it_is_told)
{
    rill_auto(rill_process) process = rill_process_start(SH("kill -USR1 $$"));
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sh: killed by SIGUSR1");
    CHECK_INT(rill_process_signal(process), SIGUSR1);
    CHECK_INT(rill_process_status(process), -1);

    rill_auto(rill_process) other = rill_process_start(RILL_ARGV("/bin/sh", "-c", "kill -40 $$"));
    CHECK_INT(rill_process_wait(other), RILL_EEXIT);
    CHECK_STR(rill_last_error()->message, "sh: killed by signal 40");
}

TASK_TEST(it_is_collected_though_nobody_waits)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("true"));
    while (!rill_process_ended(process))
        rill_sleep(0.001);
    CHECK(!has_children());
    CHECK_INT(rill_process_wait(process), 0);
}

TASK_TEST(several_tasks_wait_for_it)
{
    rill_auto(rill_process) process = rill_process_start(SH("sleep 0.05; exit 3"));
    rill_task tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = rill_spawn(wait_for, process);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_join(tasks[i]), RILL_EEXIT);
        CHECK_INT(rill_last_error()->status, 3);
    }
}

TASK_TEST(a_status_that_somebody_else_has_is_unknown)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("sleep", "0.03"));
    waitpid(rill_process_pid(process), NULL, 0);
    CHECK_INT(rill_process_wait(process), RILL_EEXIT);
    CHECK_CONTAINS(rill_last_error()->message, "sleep: exit status unknown");
    CHECK_INT(rill_process_status(process), -1);

    signal(SIGCHLD, SIG_IGN);
    rill_auto(rill_process) other = rill_process_start(RILL_ARGV("true"));
    CHECK_INT(rill_process_wait(other), RILL_EEXIT);
    CHECK_INT(rill_process_kill(other, SIGTERM), 0);
}

/* ---- starting ---- */

static void check_start(const rill_process_opts *opts, int code, const char *message)
{
    rill_process *process = rill_process_start_with(opts);
    CHECK(!process);
    CHECK_INT(rill_errcode(), code);
    CHECK_STR(rill_last_error()->message, message);
    rill_process_free(process);
    CHECK(!has_children());
}

TASK_TEST(what_cannot_be_started_is_told)
{
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("nosuch")), RILL_ENOTFOUND,
                "start nosuch: No such file or directory");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("/etc/passwd")), RILL_EOS,
                "start /etc/passwd: Permission denied");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("ls"), .cwd = "/nosuch"),
                RILL_ENOTFOUND, "start ls in /nosuch: No such file or directory");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("ls"), .stdout_ = 777), RILL_EOS,
                "start ls: Bad file descriptor");
    check_start(NULL, RILL_EINVAL, "start: no program is named");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("")), RILL_EINVAL,
                "start: no program is named");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("ls"), .stdin_ = RILL_MERGE),
                RILL_EINVAL, "start ls: -4 is no choice for descriptor 0");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("ls"), .stdout_ = -5), RILL_EINVAL,
                "start ls: -5 is no choice for descriptor 1");
    check_start(RILL_OPTS(rill_process_opts, .argv = RILL_ARGV("ls"), .check = true), RILL_EINVAL,
                "start: input, limit and check are rill_process_run's");
}

TEST(a_process_is_started_in_a_task_only)
{
    CHECK(!rill_process_start(RILL_ARGV("true")));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_process_run(RILL_ARGV("true")));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    rill_process_free(NULL);
}

static int start_one(void *arg)
{
    *(rill_process **)arg = rill_process_start(RILL_ARGV("true"));
    return *(rill_process **)arg ? 0 : rill_errcode();
}

TASK_TEST(a_start_that_is_cancelled_before_does_not_happen)
{
    rill_process *process;
    CHECK_INT(rill_within(0, start_one, &process), RILL_ETIMEDOUT);
    CHECK(!process);
    CHECK(!has_children());
}

TASK_TEST(a_start_that_is_cancelled_meanwhile_happens_or_not)
{
    for (int i = 0; i < 20; i++) {
        rill_process *process = NULL;
        rill_task task = rill_spawn(start_one, &process);
        rill_sleep(0);
        for (int spin = 0; spin < i; spin++)
            rill_sleep(0);
        rill_cancel(task);
        int rc = rill_join(task);
        CHECK_INT(rc, process ? 0 : RILL_ECANCELED);
        rill_process_free(process);
    }
}

TASK_TEST(without_memory_nothing_is_started)
{
    rill_auto(rill_process) first = rill_process_start(RILL_ARGV("true"), .stdout_ = RILL_PIPE);
    CHECK(first);
    int failed = 0;
    for (unsigned long i = 1; i < 20; i++) {
        rill__alloc_fail_at = rill__alloc_count + i;
        rill_process *process = rill_process_start(RILL_ARGV("true"), .stdout_ = RILL_PIPE);
        rill__alloc_fail_at = 0;
        if (process) {
            rill_process_free(process);
            break;
        }
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
        failed++;
    }
    CHECK(failed >= 3 && failed < 19);
}

TASK_TEST(without_descriptors_nothing_is_started)
{
    struct rlimit limit, few = { 0 };
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    rill_auto(rill_process) first = rill_process_start(RILL_ARGV("true"));
    CHECK_INT(rill_process_wait(first), 0);
    int spare = dup(0); /* the number above all that are open */
    close(spare);
    for (rlim_t more = 0; more < 8; more++) {
        few.rlim_cur = (rlim_t)spare + more;
        setrlimit(RLIMIT_NOFILE, &few);
        rill_process *process =
            rill_process_start(RILL_ARGV("true"), .stdin_ = RILL_PIPE, .stdout_ = RILL_PIPE);
        if (process)
            CHECK_INT(more, 5); /* two pipes and the pidfd */
        else
            CHECK_INT(rill_errcode(), RILL_EOS);
        bool done = process != NULL;
        rill_process_free(process);
        if (done)
            break;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- what it is given ---- */

/* Reads what it says, waits, and compares. */
static void check_says(rill_process *process, const char *expected)
{
    char said[4096];
    size_t len = 0;
    ptrdiff_t n;
    REQUIRE(process);
    rill_stream *stream = rill_process_stdout(process);
    while ((n = rill_stream_read(stream, said + len, sizeof said - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    CHECK_INT(n, 0);
    CHECK_INT(rill_process_wait(process), 0);
    CHECK_STR(said, expected);
    rill_process_free(process);
}

TASK_TEST(it_runs_in_another_folder)
{
    check_says(rill_process_start(RILL_ARGV("pwd"), .cwd = "/usr", .stdout_ = RILL_PIPE), "/usr\n");
    check_says(rill_process_start(RILL_ARGV("bin/echo", "hi"), .cwd = "/usr", .stdout_ = RILL_PIPE),
               "hi\n");
}

TASK_TEST(it_has_the_environment_that_it_is_given)
{
    setenv("RILL_A", "ours", 1);
    setenv("RILL_B", "ours", 1);
    const char *script = "echo $RILL_A,$RILL_B,$RILL_C,${HOME:+home}";
    setenv("HOME", "/", 1);
    check_says(rill_process_start(SH(script), .stdout_ = RILL_PIPE), "ours,ours,,home\n");
    check_says(
        rill_process_start(SH(script), .stdout_ = RILL_PIPE, .env = RILL_ARGV("RILL_C=only")),
        ",,only,\n");
    check_says(rill_process_start(SH(script), .stdout_ = RILL_PIPE,
                                  .env_add = RILL_ARGV("RILL_A=x", "RILL_B", "RILL_C=1=2")),
               "x,,1=2,home\n");
    check_says(rill_process_start(SH(script), .stdout_ = RILL_PIPE,
                                  .env_add = RILL_ARGV("RILL_A=1", "RILL_A=2", "RILL_AB=3")),
               "2,ours,,home\n");
    check_says(rill_process_start(SH(script), .stdout_ = RILL_PIPE, .env = RILL_ARGV("RILL_A=a"),
                                  .env_add = RILL_ARGV("RILL_B=b")),
               "a,b,,\n");
}

TASK_TEST(it_has_no_descriptor_that_it_was_not_given)
{
    int leak = fcntl(0, F_DUPFD, 20), pipe_ends[2];
    CHECK_INT(pipe(pipe_ends), 0);
    rill_stream *reader, *writer;
    CHECK_INT(rill_pipe(&reader, &writer), 0);
    rill_auto(rill_process) other = rill_process_start(RILL_ARGV("cat"), .stdin_ = RILL_PIPE,
                                                       .stdout_ = RILL_PIPE, .stderr_ = RILL_PIPE);
    CHECK(other);
    /* 3 is ls's own, of the folder that it reads. */
    check_says(rill_process_start(RILL_ARGV("ls", "/proc/self/fd"), .stdin_ = RILL_PIPE,
                                  .stdout_ = RILL_PIPE, .stderr_ = RILL_PIPE),
               "0\n1\n2\n3\n");
    char expected[100];
    snprintf(expected, sizeof expected, "%d yes\n", leak);
    check_says(rill_process_start(SH("for i in 20 21 22 23 24 25; do "
                                     "test -e /proc/self/fd/$i && echo $i yes; done; true"),
                                  .stdout_ = RILL_PIPE, .inherit_fds = true),
               expected);
    close(leak);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    rill_stream_free(reader);
    rill_stream_free(writer);
}

TASK_TEST(it_begins_with_clean_signals)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* as nohup does, and for the children too */
    char said[100] = "";
    unsigned long long blocked = 1, ignored = 0;
    rill_auto(rill_process) process = rill_process_start(
        RILL_ARGV("sed", "-n", "s/^SigBlk://p;s/^SigIgn://p", "/proc/self/status"),
        .stdout_ = RILL_PIPE);
    rill_stream_read(rill_process_stdout(process), said, sizeof said - 1);
    CHECK_INT(sscanf(said, "%llx %llx", &blocked, &ignored), 2);
    CHECK_INT(blocked, 0);
    CHECK_INT(ignored & 0x7fffffff, 1); /* 32 and 33 are the C library's own */
    sigprocmask(SIG_UNBLOCK, &all, NULL);
}

TASK_TEST(its_streams_may_be_anything)
{
    char path[] = "/tmp/rill-process-test-XXXXXX", text[100] = "";
    int fd = mkstemp(path);
    unlink(path);
    rill_auto(rill_process) process =
        rill_process_start(SH("cat; echo out; echo err >&2"), .stdin_ = RILL_NULL, .stdout_ = fd,
                           .stderr_ = RILL_MERGE);
    CHECK(!rill_process_stdin(process) && !rill_process_stdout(process));
    CHECK(!rill_process_stderr(process));
    CHECK_INT(rill_process_wait(process), 0);
    CHECK_INT(pread(fd, text, sizeof text - 1, 0), 8);
    CHECK_STR(text, "out\nerr\n");
    rill_auto(rill_process) both = rill_process_start(SH("echo out; echo err >&2"),
                                                      .stdout_ = RILL_PIPE, .stderr_ = RILL_PIPE);
    CHECK_INT(rill_stream_read(rill_process_stderr(both), text, 100), 4);
    CHECK_INT(rill_stream_read(rill_process_stdout(both), text + 4, 90), 4);
    CHECK_STR(text, "err\nout\n");
    CHECK_STR(rill_stream_peer(rill_process_stdout(both)), "stdout of sh");
    close(fd);
}

/* Our descriptors 1 and 2 change places in the child. */
TASK_TEST(standard_descriptors_may_be_swapped)
{
    int out[2], err[2], saved[2] = { dup(1), dup(2) };
    char text[20] = "";
    CHECK_INT(pipe(out) | pipe(err), 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    rill_process *process =
        rill_process_start(SH("echo out; echo err >&2"), .stdout_ = 2, .stderr_ = 1);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    REQUIRE(process);
    CHECK_INT(rill_process_wait(process), 0);
    CHECK_INT(read(err[0], text, 4), 4);
    CHECK_INT(read(out[0], text + 4, 4), 4);
    CHECK_STR(text, "out\nerr\n");
    rill_process_free(process);
    int all[] = { out[0], out[1], err[0], err[1], saved[0], saved[1] };
    for (int i = 0; i < 6; i++)
        close(all[i]);
}

static void talk_to_cat(void)
{
    char text[10] = "";
    rill_auto(rill_process) cat =
        rill_process_start(RILL_ARGV("cat"), .stdin_ = RILL_PIPE, .stdout_ = RILL_PIPE);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_stream_write(rill_process_stdin(cat), "hello", 5), 0);
        CHECK_INT(rill_stream_read(rill_process_stdout(cat), text, sizeof text), 5);
        CHECK_STR(text, "hello");
    }
    CHECK_INT(rill_stream_shutdown(rill_process_stdin(cat)), 0);
    CHECK_INT(rill_stream_read(rill_process_stdout(cat), text, sizeof text), 0);
    CHECK_INT(rill_process_wait(cat), 0);
}

TASK_TEST(a_conversation_goes_through_pipes)
{
    talk_to_cat();
}

TEST(a_program_without_standard_descriptors_has_children_as_well)
{
    int saved[3];
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    CHECK_INT(rill_run(in_task_run, &(struct in_task){ talk_to_cat }), 0);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    CHECK(!has_children());
}

TASK_TEST(a_child_that_reads_no_more_gives_an_error)
{
    static char much[1 << 20];
    rill_auto(rill_process) head = rill_process_start(RILL_ARGV("head", "-c", "10"),
                                                      .stdin_ = RILL_PIPE, .stdout_ = RILL_NULL);
    CHECK_INT(rill_stream_write(rill_process_stdin(head), much, sizeof much), RILL_ERESET);
    CHECK_CONTAINS(rill_last_error()->message, "write stdin of head: ");
    CHECK_INT(rill_process_wait(head), 0);
}

TASK_TEST(a_child_ends_when_we_read_no_more)
{
    char text[100];
    rill_auto(rill_process) yes = rill_process_start(RILL_ARGV("yes"), .stdout_ = RILL_PIPE);
    CHECK(rill_stream_read(rill_process_stdout(yes), text, sizeof text) > 0);
    rill_auto(rill_process) pipeline =
        rill_process_start(SH("yes | head -n 1000 | wc -l"), .stdout_ = RILL_PIPE);
    CHECK_INT(rill_stream_read(rill_process_stdout(pipeline), text, sizeof text), 5);
    CHECK_INT(rill_process_wait(pipeline), 0);
    CHECK(!rill_process_ended(yes));
}

#define CHILDREN 100

static int run_cat(void *arg)
{
    (void)arg;
    talk_to_cat();
    return 0;
}

TASK_TEST(a_hundred_children_run_at_once)
{
    int each[CHILDREN] = { 0 };
    CHECK_INT(rill_gather(each, CHILDREN, run_cat), 0);
}

/* ---- waiting ---- */

TASK_TEST(a_cancelled_wait_leaves_the_process_running)
{
    rill_auto(rill_process) process = rill_process_start(RILL_ARGV("sleep", "100"));
    CHECK_INT(rill_within(0.005, wait_for, process), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, wait_for, process), RILL_ETIMEDOUT);
    rill_task task = rill_spawn(wait_for, process);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK(!rill_process_ended(process));
    CHECK(is_alive(rill_process_pid(process)));
}

TASK_TEST(a_process_that_is_freed_ends_the_waits)
{
    rill_process *process = rill_process_start(RILL_ARGV("sleep", "100"));
    rill_task task = rill_spawn(wait_for, process);
    rill_sleep(0);
    rill_process_free(process);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_STR(rill_last_error()->message, "wait for sleep: it was freed");
}

TASK_TEST(a_process_may_be_freed_before_its_waiter_has_heard)
{
    rill_process *process = rill_process_start(RILL_ARGV("true"));
    rill_task task = rill_spawn(wait_for, process);
    rill_sleep(0);
    while (!rill_process_ended(process))
        rill_sleep(0);
    rill_process_free(process);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(select_waits_for_an_end)
{
    rill_auto(rill_process) slow = rill_process_start(RILL_ARGV("sleep", "100"));
    rill_auto(rill_process) fast = rill_process_start(SH("exit 4"));
    rill_case cases[] = {
        rill_case_process(slow),
        rill_case_process(fast),
        rill_case_process(NULL),
        rill_case_after(100),
    };
    CHECK_INT(rill_select(cases, 4), 1);
    CHECK_INT(cases[1].result, 0);
    CHECK_INT(rill_select(cases, 4), 1);
    CHECK_INT(rill_process_wait(fast), RILL_EEXIT);
    CHECK_INT(rill_process_kill(slow, SIGKILL), 0);
    CHECK_INT(rill_select(cases, 1), 0);
}

static int select_one(void *arg)
{
    rill_case only = rill_case_process(arg);
    int which = rill_select(&only, 1);
    return which < 0 ? which : only.result;
}

TASK_TEST(select_hears_that_the_process_was_freed)
{
    rill_process *process = rill_process_start(RILL_ARGV("sleep", "100"));
    rill_task task = rill_spawn(select_one, process);
    rill_sleep(0);
    rill_process_free(process);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_STR(rill_last_error()->message, "select: the process was freed");
}
