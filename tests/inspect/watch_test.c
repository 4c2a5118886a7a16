/* What is told unasked: stalls, with the calls of the culprit; and the tree of tasks on SIGUSR1. */
#include "child.h"
#include "seen.h"

#include <time.h>

#ifdef __SANITIZE_THREAD__
#define HANDLERS_ARE_LATE                                                                          \
    1 /* the thread sanitizer calls them at the next call of the C library                         \
       */
#else
#define HANDLERS_ARE_LATE 0
#endif

static double clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static volatile unsigned spins;

/* Processor time, so that a busy machine makes no difference. */
__attribute__((noinline)) static void spin_for(double seconds)
{
    double end = clock_now(CLOCK_THREAD_CPUTIME_ID) + seconds;
    while (clock_now(CLOCK_THREAD_CPUTIME_ID) < end)
        spins++;
}

__attribute__((noinline)) static int call_spin(double seconds)
{
    spin_for(seconds);
    return (int)spins * 0;
}

static double seconds;

static int spin(void *arg)
{
    (void)arg;
    rill_sleep(0.01);
    return call_spin(seconds);
}

static int block(void *arg)
{
    (void)arg;
    rill_sleep(0.01);
    double began = clock_now(CLOCK_MONOTONIC);
    usleep((useconds_t)(seconds * 1e6));
    return clock_now(CLOCK_MONOTONIC) - began < seconds ? 1 : 0; /* it was not cut short */
}

static rill_task_fn *culprit;

static int run_it(void *arg)
{
    (void)arg;
    rill_task task = rill_spawn(culprit, NULL, .name = "culprit");
    int rc = rill_join(task);
    rill_sleep(0.01);
    return rc;
}

static int in_a_loop(void)
{
    return rill_run(run_it, NULL);
}

static struct child stall(rill_task_fn *fn, double for_seconds)
{
    culprit = fn;
    seconds = for_seconds;
    return run_in_child(in_a_loop);
}

/* How often the word stands in the text. */
static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)); text++)
        count++;
    return count;
}

TEST(a_busy_task_is_told_with_its_calls)
{
    struct child child = stall(spin, 0.3);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_INT(count_of(child.said, "it has not turned for 0."), 1);
    CHECK_CONTAINS(child.said, "'culprit' #1.1 (");
    CHECK_CONTAINS(child.said, "watch_test.c:");
    CHECK_CONTAINS(child.said, " keeps it, in\n    ");
    if (HANDLERS_ARE_LATE)
        return;
    const char *inner = strstr(child.said, "spin_for+"), *outer = strstr(child.said, "call_spin+");
    CHECK(inner && outer && inner < outer);
    CHECK_CONTAINS(child.said, "(test_inspect_watch)");
}

static int in_a_thread(void)
{
    rill_loop *loop = rill_loop_start(run_it, NULL);
    int rc = rill_loop_join(loop);
    rill_loop_unref(loop);
    return rc;
}

TEST(a_busy_loop_of_another_thread_is_told_with_its_calls)
{
    culprit = spin;
    seconds = 0.3;
    struct child child = run_in_child(in_a_thread);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "it has not turned for 0.");
    if (!HANDLERS_ARE_LATE)
        CHECK_CONTAINS(child.said, "call_spin+");
}

TEST(a_task_that_is_busy_for_a_short_time_is_not_told)
{
    struct child child = stall(spin, 0.02);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_STR(child.said, "");
}

TEST(a_blocking_call_is_told_and_not_cut_short)
{
    struct child child = stall(block, 0.3);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_INT(count_of(child.said, "it has not turned for 0."), 1);
    CHECK_CONTAINS(child.said, "'culprit' #1.1 (");
    CHECK_CONTAINS(child.said, " blocks it, in\n    ");
    CHECK_CONTAINS(child.said, "usleep");
    CHECK_CONTAINS(child.said, "block+");
}

static int sleep_well(void *arg)
{
    (void)arg;
    return rill_sleep(0.3);
}

TEST(a_loop_that_waits_is_no_stall)
{
    struct child child = stall(sleep_well, 0);
    CHECK_STR(child.said, "");
}

static int with_another_limit(void)
{
    rill_inspect(.stall = 0.02);
    return in_a_loop();
}

static int without_a_limit(void)
{
    rill_inspect(.stall = RILL_FOREVER);
    return in_a_loop();
}

static int switched_off_from_outside(void)
{
    setenv("RILL_STALL", "off", 1);
    return with_another_limit();
}

TEST(the_limit_is_the_programs_and_the_environments)
{
    culprit = spin;
    seconds = 0.06;
    CHECK_CONTAINS(run_in_child(with_another_limit).said, "it has not turned");
    seconds = 0.3;
    CHECK_STR(run_in_child(without_a_limit).said, "");
    CHECK_STR(run_in_child(switched_off_from_outside).said, "");
    CHECK_INT(rill_inspect(.stall = -3), RILL_EINVAL);
}

static void nothing(int number)
{
    (void)number;
}

static int with_sigurg_taken(void)
{
    signal(SIGURG, nothing);
    int rc = in_a_loop();
    return signal(SIGURG, SIG_DFL) == nothing ? rc : 2;
}

TEST(a_program_keeps_its_own_sigurg)
{
    culprit = spin;
    seconds = 0.3;
    struct child child = run_in_child(with_sigurg_taken);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "'culprit'");
    CHECK_CONTAINS(child.said, "(SIGURG is the program's own");
}

static int stall_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        spin_for(0.15);
        rill_sleep(0.001);
    }
    return 0;
}

TEST(many_stalls_are_told_once_a_second)
{
    struct child child = stall(stall_often, 0);
    int told = count_of(child.said, "it has not turned");
    if (told < 1 || told > 2)
        test_fail(__FILE__, __LINE__, "told %d times: %s", told, child.said);
}

/* ---- SIGUSR1 ---- */

static int raise_and_wait(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
    rill_sleep(0.1);
    return 0;
}

static int raise_twice(void *arg)
{
    raise_and_wait(arg);
    rill_sleep(HANDLERS_ARE_LATE ? 0.5 : 0.01);
    rill_sleep(0.01);
    spin_for(0.02);
    rill_sleep(0.001); /* a slice is counted when it is over */
    return raise_and_wait(arg);
}

static int signalled_twice(void)
{
    return rill_run(raise_twice, NULL);
}

static int signalled(void)
{
    return rill_run(raise_and_wait, NULL);
}

TEST(sigusr1_writes_the_tree)
{
    struct child child = run_in_child(signalled);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "loop of thread ");
    CHECK_CONTAINS(child.said, "  main #0.");
    CHECK(!strstr(child.said, "; cpu "));
}

TEST(from_the_first_sigusr1_on_cpu_time_is_measured)
{
    struct child child = run_in_child(signalled_twice);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_INT(count_of(child.said, "loop of thread "), 2);
    double cpu = 0;
    const char *at = strstr(child.said, "; cpu ");
    CHECK(at && sscanf(at, "; cpu %lf ms", &cpu) == 1 && cpu >= 19);
}

static int raise_and_spin(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
    spin_for(0.05);
    return 0;
}

static int signalled_and_stuck(void)
{
    rill_inspect(.stall = RILL_FOREVER);
    return rill_run(raise_and_spin, NULL);
}

TEST(sigusr1_is_served_while_the_loop_is_stuck)
{
    struct child child = run_in_child(signalled_and_stuck);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "  main #0.1, running");
}

static int handled;

static void count_it(int number)
{
    (void)number;
    handled++;
}

static int with_a_handler(void)
{
    signal(SIGUSR1, count_it);
    int rc = rill_run(raise_and_wait, NULL);
    return handled == 1 && signal(SIGUSR1, SIG_DFL) == count_it ? rc : 2;
}

static int take_it_later(void *arg)
{
    signal(SIGUSR1, count_it);
    return raise_and_wait(arg);
}

static int with_a_handler_from_inside(void)
{
    int rc = rill_run(take_it_later, NULL);
    return handled == 1 && signal(SIGUSR1, SIG_DFL) == count_it ? rc : 2;
}

static int watch_for_a_while(void *arg)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    raise_and_wait(arg);
    int number = rill_signals_next(signals, NULL);
    fprintf(stderr, "watched\n");
    rill_signals_free(signals);
    raise_and_wait(arg);
    return number == SIGUSR1 ? 0 : 1;
}

static int with_a_watcher(void)
{
    return rill_run(watch_for_a_while, NULL);
}

static rill_signals *long_watcher;

static int watch_for_long(void *arg)
{
    long_watcher = rill_signals_new(SIGUSR1);
    return raise_and_wait(arg);
}

static int with_a_watcher_that_outlives_the_loop(void)
{
    int rc = rill_run(watch_for_long, NULL);
    rill_signals_free(long_watcher);
    return rc + raise(SIGUSR1);
}

TEST(a_watcher_of_sigusr1_goes_before_the_tree)
{
    struct child child = run_in_child(with_a_watcher);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK(strncmp(child.said, "watched\nloop of thread ", 23) == 0);
    child = run_in_child(with_a_watcher_that_outlives_the_loop);
    CHECK(died_of(&child, SIGUSR1));
    CHECK_STR(child.said, "");
}

static int left_alone(void)
{
    rill_inspect(.no_signal = true);
    return rill_run(raise_and_wait, NULL);
}

static int restored(void)
{
    raise(SIGUSR1);
    return 0;
}

static int after_the_loop(void)
{
    rill_run(sleep_well, NULL);
    return restored();
}

TEST(a_program_keeps_its_own_sigusr1)
{
    struct child child = run_in_child(with_a_handler);
    CHECK(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0);
    CHECK_STR(child.said, "");
    child = run_in_child(with_a_handler_from_inside);
    CHECK(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0);
    CHECK_STR(child.said, "");
    child = run_in_child(left_alone);
    CHECK(died_of(&child, SIGUSR1));
    child = run_in_child(after_the_loop);
    CHECK(died_of(&child, SIGUSR1));
}

/* ---- forks ---- */

static int fork_and_run(void *arg)
{
    (void)arg;
    rill_sleep(0.001);
    pid_t pid = fork();
    if (pid == 0)
        _exit(raise(SIGURG) == 0 ? 7 : 8); /* nothing of the parent's watching is left */
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : RILL_EFAILED;
}

TEST(the_child_of_a_fork_is_not_watched)
{
    CHECK_INT(rill_run(fork_and_run, NULL), 0);
}

static int run_in_child_of_a_fork(void)
{
    rill_loop *loop = rill_loop_start(NULL, NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_a_loop());
    int status = 0;
    waitpid(pid, &status, 0);
    rill_loop_stop(loop);
    rill_loop_join(loop);
    rill_loop_unref(loop);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

TEST(loops_that_begin_in_the_child_of_a_fork_are_watched)
{
#ifdef __SANITIZE_THREAD__
    test_skip("the thread sanitizer has no threads there");
    return;
#endif
    culprit = spin;
    seconds = 0.3;
    struct child child = run_in_child(run_in_child_of_a_fork);
    CHECK_INT(WEXITSTATUS(child.status), 0);
    CHECK_CONTAINS(child.said, "it has not turned for 0.");
    CHECK_CONTAINS(child.said, "call_spin+");
}
