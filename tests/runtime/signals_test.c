/* Signals as a stream: who is told, how often, and what is put back. */
#include "child.h"
#include "in_task.h"

#include "base/alloc.h"
#include "runtime/runtime.h"

#include <pthread.h>
#include <rill/signal.h>

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    sigaction(number, NULL, &now);
    return now.sa_handler;
}

static int next_of(void *arg)
{
    return rill_signals_next(arg, NULL);
}

/* ---- telling ---- */

TASK_TEST(a_signal_is_told_to_a_task_that_waits)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1);
    rill_task task = rill_spawn(next_of, signals);
    rill_sleep(0.005);
    CHECK(!rill_task_done(task));
    raise(SIGUSR1);
    CHECK_INT(rill_join(task), SIGUSR1);
}

TASK_TEST(a_signal_is_kept_until_it_is_asked_for)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1, SIGUSR2, SIGUSR1);
    unsigned count = 0;
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_INT(rill_signals_next(signals, &count), SIGUSR1);
    CHECK_INT(count, 2);
    CHECK_INT(rill_signals_next(signals, &count), SIGUSR2);
    CHECK_INT(count, 1);
    CHECK_INT(rill_within(0.005, next_of, signals), RILL_ETIMEDOUT);
}

TASK_TEST(signals_take_turns)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGHUP, SIGUSR1);
    raise(SIGHUP);
    CHECK_INT(next_of(signals), SIGHUP);
    raise(SIGHUP);
    raise(SIGUSR1);
    CHECK_INT(next_of(signals), SIGUSR1);
    CHECK_INT(next_of(signals), SIGHUP);
}

TASK_TEST(each_signal_is_told_to_one_of_the_tasks_that_wait)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGHUP, SIGUSR1);
    rill_task first = rill_spawn(next_of, signals), second = rill_spawn(next_of, signals);
    rill_sleep(0);
    raise(SIGUSR1);
    CHECK_INT(rill_join(first), SIGUSR1);
    CHECK(!rill_task_done(second));
    raise(SIGHUP);
    CHECK_INT(rill_join(second), SIGHUP);
}

TASK_TEST(every_watcher_is_told)
{
    rill_auto(rill_signals) one = rill_signals_new(SIGUSR1);
    rill_auto(rill_signals) other = rill_signals_new(SIGUSR1, SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR2);
    CHECK_INT(next_of(one), SIGUSR1);
    CHECK_INT(next_of(other), SIGUSR1);
    CHECK_INT(next_of(other), SIGUSR2);
    CHECK_INT(rill_within(0, next_of, one), RILL_ETIMEDOUT);
}

struct flood {
    pthread_t thread, target;
    int count;
};

static void *send_many(void *arg)
{
    struct flood *flood = arg;
    for (int i = 0; i < flood->count; i++) {
        pthread_kill(flood->target, SIGUSR1);
        usleep(10);
    }
    usleep(2000);
    pthread_kill(flood->target, SIGUSR2);
    return NULL;
}

TASK_TEST(a_flood_is_counted_and_ends)
{
#ifdef __SANITIZE_THREAD__
    test_skip("the thread sanitizer may drop a signal that comes during another's handler");
    return;
#endif
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1, SIGUSR2);
    struct flood flood = { .target = pthread_self(), .count = 300 };
    unsigned count, total = 0;
    pthread_create(&flood.thread, NULL, send_many, &flood);
    while (rill_signals_next(signals, &count) == SIGUSR1)
        total += count;
    pthread_join(flood.thread, NULL);
    CHECK(total > 0 && total <= 300);
}

TASK_TEST(select_waits_for_a_signal)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1);
    unsigned count = 0;
    rill_case cases[] = {
        rill_case_signal(NULL, NULL),
        rill_case_signal(signals, &count),
        rill_case_after(0.005),
    };
    CHECK_INT(rill_select(cases, 3), 2);
    raise(SIGUSR1);
    CHECK_INT(rill_select(cases, 2), 1);
    CHECK_INT(cases[1].result, SIGUSR1);
    CHECK_INT(count, 1);
    raise(SIGUSR1);
    rill_sleep(0.001); /* and one that has come before */
    CHECK_INT(rill_select(cases, 3), 1);
    CHECK_INT(cases[1].result, SIGUSR1);
}

static int select_one(void *signals)
{
    rill_case only = rill_case_signal(signals, NULL);
    int which = rill_select(&only, 1);
    return which < 0 ? which : only.result;
}

TASK_TEST(select_hears_that_the_watcher_was_freed)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    rill_task task = rill_spawn(select_one, signals);
    rill_sleep(0);
    rill_signals_free(signals);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "the watcher was freed");
}

/* ---- several loops ---- */

static int usr1_on_another_loop(void *arg)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1);
    *(_Atomic int *)arg = 1;
    int number = next_of(signals);
    *(_Atomic int *)arg = 2;
    return number == SIGUSR1 ? 0 : 1;
}

static void *run_loop(void *arg)
{
    return (void *)(intptr_t)rill_run(usr1_on_another_loop, arg);
}

TASK_TEST(watchers_of_every_loop_are_told)
{
    _Atomic int state = 0;
    pthread_t thread;
    void *status;
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1);
    pthread_create(&thread, NULL, run_loop, &state);
    while (state < 1)
        rill_sleep(0.001);
    kill(getpid(), SIGUSR1);
    CHECK_INT(next_of(signals), SIGUSR1);
    pthread_join(thread, &status);
    CHECK_INT((intptr_t)status, 0);
    /* That loop's watcher has gone, ours has not. */
    raise(SIGUSR1);
    CHECK_INT(next_of(signals), SIGUSR1);
}

/* ---- cancellation and misuse ---- */

TASK_TEST(a_cancelled_wait_loses_no_signal)
{
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR1);
    CHECK_INT(rill_within(0.005, next_of, signals), RILL_ETIMEDOUT);
    rill_task task = rill_spawn(next_of, signals);
    rill_sleep(0);
    raise(SIGUSR1);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(rill_within(0, next_of, signals), RILL_ETIMEDOUT);
    CHECK_INT(next_of(signals), SIGUSR1);
}

TASK_TEST(a_watcher_that_is_freed_ends_the_waits)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    rill_task task = rill_spawn(next_of, signals);
    rill_sleep(0);
    rill_signals_free(signals);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_CONTAINS(rill_last_error()->message, "the watcher was freed");
    rill_signals_free(NULL);
}

TASK_TEST(what_cannot_be_watched_is_refused)
{
    static const int never[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, -1, 32, 65 };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        CHECK(!rill_signals_new(SIGUSR1, never[i]));
        CHECK_INT(rill_errcode(), RILL_EINVAL);
    }
    CHECK(!rill_signals_new_with((const int[]){ 0 }));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_signals_new_with(NULL));
    rill_auto(rill_signals) last = rill_signals_new(64, 1);
    CHECK(last);
    rill__alloc_fail_at = rill__alloc_count + 1;
    CHECK(!rill_signals_new(SIGUSR1));
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    rill__alloc_fail_at = 0;
    CHECK(handler_of(SIGUSR1) == SIG_DFL);
}

TASK_TEST(a_watcher_may_be_freed_with_signals_under_way)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    raise(SIGUSR1);
    rill_signals_free(signals);
    CHECK_INT(rill_sleep(0.001), 0);
}

static rill_signals *kept;

static int keep_one(void *arg)
{
    (void)arg;
    kept = rill_signals_new(SIGUSR2);
    return 0;
}

TEST(a_watcher_may_be_freed_after_its_loop)
{
    CHECK(!rill_signals_new(SIGUSR1));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK_INT(rill_run(keep_one, NULL), 0);
    raise(SIGUSR2);
    CHECK_INT(rill_signals_next(kept, NULL), RILL_ENOTASK);
    rill_signals_free(kept);
    CHECK(handler_of(SIGUSR2) == SIG_DFL);
}

/* ---- what was before ---- */

static volatile sig_atomic_t own_calls;

static void own_handler(int number)
{
    (void)number;
    own_calls++;
}

TASK_TEST(the_last_watcher_puts_the_handler_back)
{
    signal(SIGUSR1, own_handler);
    rill_signals *one = rill_signals_new(SIGUSR1), *other = rill_signals_new(SIGUSR1);
    rill_signals_free(one);
    raise(SIGUSR1);
    CHECK_INT(own_calls, 0);
    CHECK_INT(next_of(other), SIGUSR1);
    rill_signals_free(other);
    raise(SIGUSR1);
    CHECK_INT(own_calls, 1);
}

TASK_TEST(a_handler_set_meanwhile_stays)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    signal(SIGUSR1, own_handler);
    rill_signals_free(signals);
    CHECK(handler_of(SIGUSR1) == own_handler);
}

static int watch_and_ignore(void *arg)
{
    (void)arg;
    rill_signals *signals = rill_signals_new(SIGINT, SIGTERM);
    raise(SIGINT);
    raise(SIGTERM);
    raise(SIGINT);
    unsigned count;
    bool told = rill_sleep(0.005) == 0 && rill_signals_next(signals, &count) == SIGINT &&
                count == 2 && next_of(signals) == SIGTERM;
    rill_signals_free(signals);
    raise(SIGTERM);
    fprintf(stderr, told ? "told" : "not told");
    return rill_sleep(10);
}

static int run_watch_and_ignore(void)
{
    return rill_run(watch_and_ignore, NULL);
}

TEST(stop_signals_go_to_a_watcher_and_afterwards_stop_again)
{
    struct child child = run_in_child(run_watch_and_ignore);
    CHECK_STR(child.said, "told");
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 143);
}

/* ---- claims ---- */

static void claimed(int number)
{
    own_calls += number == SIGUSR1;
}

TASK_TEST(a_claim_yields_to_a_watcher)
{
    CHECK(rill__signal_claim(SIGUSR1, claimed));
    CHECK(!rill__signal_claim(SIGUSR1, claimed));
    raise(SIGUSR1);
    CHECK_INT(own_calls, 1);
    rill_signals *signals = rill_signals_new(SIGUSR1);
    raise(SIGUSR1);
    CHECK_INT(own_calls, 1);
    rill_signals_free(signals);
    raise(SIGUSR1);
    CHECK_INT(own_calls, 2);
    rill__signal_unclaim(SIGUSR1);
    CHECK(handler_of(SIGUSR1) == SIG_DFL);
    signal(SIGUSR1, own_handler);
    CHECK(!rill__signal_claim(SIGUSR1, claimed));
}

TASK_TEST(a_claim_may_come_after_the_watcher)
{
    rill_signals *signals = rill_signals_new(SIGUSR1);
    CHECK(rill__signal_claim(SIGUSR1, claimed));
    rill_signals_free(signals);
    raise(SIGUSR1);
    CHECK_INT(own_calls, 1);
    rill__signal_unclaim(SIGUSR1);
    CHECK(handler_of(SIGUSR1) == SIG_DFL);
}

/* ---- deadlocks ---- */

TASK_TEST(who_waits_for_a_signal_is_in_no_deadlock)
{
    struct flood flood = { .target = pthread_self() };
    rill_auto(rill_signals) signals = rill_signals_new(SIGUSR2);
    hear_the_log();
    pthread_create(&flood.thread, NULL, send_many, &flood);
    CHECK_INT(next_of(signals), SIGUSR2);
    pthread_join(flood.thread, NULL);
    CHECK_INT(logged_lines, 0);
}

/* ---- forks ---- */

static _Atomic bool runs;

static int watch_and_sleep(void *arg)
{
    (void)arg;
    rill_auto(rill_signals) signals = rill_signals_new(SIGHUP);
    runs = signals != NULL;
    return rill_sleep(10);
}

static void *run_watch_and_sleep(void *arg)
{
    return (void *)(intptr_t)rill_run(watch_and_sleep, arg);
}

/* How a child of this process ends that runs the function; another thread's loop runs meanwhile. */
static int status_of_child(void (*run)(void))
{
    pthread_t thread;
    int status = -1;
    void *result;
    runs = false;
    pthread_create(&thread, NULL, run_watch_and_sleep, NULL);
    while (!runs)
        usleep(100);
    pid_t pid = fork();
    if (pid == 0) {
        run();
        _exit(1);
    }
    waitpid(pid, &status, 0);
    kill(getpid(), SIGTERM); /* the loop has kept its own */
    pthread_join(thread, &result);
    CHECK_INT((intptr_t)result, 128 + SIGTERM);
    return status;
}

static void die_of_sigterm(void)
{
    raise(SIGTERM);
}

static void die_of_sighup(void)
{
    raise(SIGHUP);
}

static int stop_oneself(void *arg)
{
    (void)arg;
    raise(SIGTERM);
    return rill_sleep(10);
}

static void run_a_loop(void)
{
    int status = rill_run(stop_oneself, NULL);
    if (status == 128 + SIGTERM && handler_of(SIGTERM) == SIG_DFL)
        _exit(7);
}

TEST(the_child_of_a_fork_has_nothing_of_other_threads_loops)
{
    int status = status_of_child(die_of_sigterm);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    status = status_of_child(die_of_sighup);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

TEST(the_child_of_a_fork_may_run_a_loop_of_its_own)
{
#ifdef __SANITIZE_THREAD__
    test_skip("the thread sanitizer calls no handlers there");
    return;
#endif
    int status = status_of_child(run_a_loop);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
}

static int run_inside(void *arg)
{
    (void)arg;
    struct child child = run_in_child(run_watch_and_ignore);
    CHECK_INT(WEXITSTATUS(child.status), 1);
    CHECK_CONTAINS(child.said, "a loop runs on this thread already");
    return 0;
}

TEST(the_child_that_a_task_forks_may_not)
{
    CHECK_INT(rill_run(run_inside, NULL), 0);
}
