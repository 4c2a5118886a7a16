/* Calls between threads, loops in threads of their own, and loops that another one turns. */
#include "child.h"
#include "in_task.h"

#include <poll.h>
#include <pthread.h>
#include <rill/loop.h>
#include <rill/sync.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- calls ---- */

static atomic_int calls;

static void count_call(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
}

static void set_event(void *event)
{
    rill_event_set(event);
}

static void *call_from_thread(void *arg)
{
    rill_loop *loop = arg;
    for (int i = 0; i < 1000; i++)
        CHECK_INT(rill_call_soon_threadsafe(loop, count_call, NULL), 0);
    rill_loop_unref(loop);
    return NULL;
}

TASK_TEST(calls_from_many_threads_are_all_made)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_from_thread, rill_loop_ref(rill_loop_current()));
    while (atomic_load(&calls) < THREADS * 1000)
        CHECK_INT(rill_sleep(0.001), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(rill_sleep(0), 0);
    CHECK_INT(calls, THREADS * 1000);
}

struct wake_later {
    rill_loop *loop;
    rill_event *event;
};

static void *call_late(void *arg)
{
    struct wake_later *later = arg;
    usleep(20000);
    CHECK_INT(rill_call_soon_threadsafe(later->loop, set_event, later->event), 0);
    rill_loop_unref(later->loop);
    return NULL;
}

TASK_TEST(a_call_wakes_a_loop_that_sleeps_and_it_is_no_deadlock)
{
    rill_event event;
    rill_event_init(&event);
    struct wake_later later = { rill_loop_ref(rill_loop_current()), &event };
    pthread_t thread;
    hear_the_log();
    pthread_create(&thread, NULL, call_late, &later);
    CHECK_INT(rill_event_wait(&event), 0);
    CHECK_INT(logged_lines, 0);
    pthread_join(thread, NULL);
}

static char order[64];

static void note_letter(void *arg)
{
    strncat(order, arg, sizeof order - strlen(order) - 1);
}

TASK_TEST(calls_come_in_order_and_after_the_caller)
{
    const char *letters[] = { "a", "b", "c", "d" };
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_call_soon_threadsafe(rill_loop_current(), note_letter,
                                            (void *)(uintptr_t)letters[i]),
                  0);
    CHECK_STR(order, "");
    CHECK_INT(rill_sleep(0.001), 0);
    CHECK_STR(order, "abcd");
}

static rill_loop *kept_loop;

static int keep_loop(void *arg)
{
    (void)arg;
    kept_loop = rill_loop_ref(rill_loop_current());
    CHECK_INT(rill_call_soon_threadsafe(kept_loop, count_call, NULL), 0);
    return 0;
}

TEST(a_call_at_the_last_moment_is_made_and_one_after_it_refused)
{
    CHECK_INT(rill_run(keep_loop, NULL), 0);
    CHECK_INT(calls, 1);
    CHECK_INT(rill_call_soon_threadsafe(kept_loop, count_call, NULL), RILL_ECLOSED);
    CHECK_STR(rill_last_error()->message, "call_soon_threadsafe: the loop has ended");
    CHECK_INT(calls, 1);
    CHECK(!rill_spawn_on(kept_loop, fail_at_once, NULL));
    CHECK_INT(rill_errcode(), RILL_ECLOSED);
    rill_loop_unref(kept_loop);
}

static void *call_until_refused(void *arg)
{
    int taken = 0;
    while (rill_call_soon_threadsafe(arg, count_call, NULL) == 0)
        taken++;
    rill_loop_unref(arg);
    return (void *)(intptr_t)taken;
}

static pthread_t callers[3];

static int start_callers(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        pthread_create(&callers[i], NULL, call_until_refused, rill_loop_ref(rill_loop_current()));
    return rill_sleep(0.005);
}

TEST(every_call_that_was_taken_is_made_while_the_loop_ends)
{
    for (int round = 0; round < 5; round++) {
        intptr_t taken = 0;
        atomic_store(&calls, 0);
        CHECK_INT(rill_run(start_callers, NULL), 0);
        for (int i = 0; i < 3; i++) {
            void *count;
            pthread_join(callers[i], &count);
            taken += (intptr_t)count;
        }
        CHECK_INT(calls, taken);
    }
}

static rill_event never;

static int wait_in_vain(void *arg)
{
    rill_loop *loop = arg ? rill_loop_ref(rill_loop_current()) : NULL;
    rill_event_init(&never);
    ualarm(50000, 0);
    int rc = rill_event_wait(&never);
    rill_loop_unref(loop);
    return rc;
}

static void stop_waiting(int number)
{
    (void)number;
    raise(SIGTERM);
}

static void check_deadlock_report(bool referred, int lines)
{
    hear_the_log();
    signal(SIGALRM, stop_waiting);
    CHECK_INT(rill_run(wait_in_vain, referred ? &never : NULL), 128 + SIGTERM);
    CHECK_INT(logged_lines, lines);
}

TEST(a_deadlock_is_told_only_when_nobody_may_call)
{
    check_deadlock_report(false, 1);
    CHECK_CONTAINS(logged, "deadlock");
    check_deadlock_report(true, 0);
}

TEST(there_is_no_loop_outside_loops)
{
    CHECK(!rill_loop_current());
    rill_loop_unref(NULL);
    rill_loop_free(NULL);
}

/* ---- handles of another loop ---- */

static int cancel_foreign(void *arg)
{
    const rill_task *task = arg;
    CHECK_INT(rill_cancel(*task), RILL_ESTALE);
    CHECK_INT(rill_join(*task), RILL_ESTALE);
    CHECK(rill_task_done(*task));
    return 0;
}

TASK_TEST(a_handle_is_stale_on_every_other_loop)
{
    rill_task self = rill_self();
    rill_loop *other = rill_loop_start(cancel_foreign, &self);
    REQUIRE(other);
    CHECK_INT(rill_loop_join(other), 0);
    rill_loop_unref(other);
    CHECK(!rill_cancelled());
}

/* ---- loops in threads ---- */

static int sleep_and_return(void *arg)
{
    int rc = rill_sleep(0.01);
    return rc < 0 ? rc : *(int *)arg;
}

TASK_TEST(a_task_joins_a_loop)
{
    rill_loop *loop = rill_loop_start(sleep_and_return, &(int){ 1000 }, .name = "other");
    REQUIRE(loop);
    CHECK_INT(rill_loop_join(loop), 1000);
    CHECK_INT(rill_loop_join(loop), 1000); /* and again */
    rill_loop_unref(loop);
    loop = rill_loop_start(fail_at_once, "over there");
    CHECK_INT(rill_loop_join(loop), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "over there");
    rill_loop_unref(loop);
}

TEST(a_thread_joins_a_loop)
{
    rill_loop *loop = rill_loop_start(sleep_and_return, &(int){ 7 });
    REQUIRE(loop);
    CHECK_INT(rill_loop_join(loop), 7);
    rill_loop_unref(loop);
}

TEST(a_loop_that_nobody_joins_tells_of_its_failure)
{
    hear_the_log();
    rill_loop *loop = rill_loop_start(fail_at_once, "unheard", .name = "lonely");
    REQUIRE(loop);
    while (rill_call_soon_threadsafe(loop, count_call, NULL) == 0)
        usleep(1000);
    usleep(100000); /* its thread ends */
    rill_loop_unref(loop);
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'lonely'");
    CHECK_CONTAINS(logged, "unheard");
}

TEST(a_loop_that_idles_is_stopped)
{
    rill_loop *loop = rill_loop_start(NULL, NULL);
    REQUIRE(loop);
    CHECK_INT(rill_loop_stop(loop), 0);
    CHECK_INT(rill_loop_stop(loop), 0);
    CHECK_INT(rill_loop_join(loop), 0);
    CHECK_INT(rill_loop_stop(loop), 0);
    rill_loop_unref(loop);
}

static int tell_why(void *arg)
{
    int rc = rill_sleep(RILL_FOREVER);
    snprintf(arg, 64, "%s", rill_cancel_reason());
    return rc;
}

TEST(stopping_cancels_the_first_task)
{
    char why[64] = "";
    rill_loop *loop = rill_loop_start(tell_why, why);
    REQUIRE(loop);
    CHECK_INT(rill_loop_stop(loop), 0);
    CHECK_INT(rill_loop_join(loop), RILL_ECANCELED);
    CHECK_STR(why, "the loop was stopped");
    rill_loop_unref(loop);
}

static int join_it(void *arg)
{
    return rill_loop_join(arg);
}

TASK_TEST(joining_a_loop_is_cancelled_and_the_loop_goes_on)
{
    rill_loop *loop = rill_loop_start(NULL, NULL);
    REQUIRE(loop);
    CHECK_INT(rill_within(0.01, join_it, loop), RILL_ETIMEDOUT); /* while it waits */
    CHECK_INT(rill_within(0, join_it, loop), RILL_ETIMEDOUT);    /* before it waits */
    rill_loop_stop(loop);
    CHECK_INT(rill_loop_join(loop), 0);
    rill_loop_unref(loop);
}

static int join_own_loop(void *arg)
{
    (void)arg;
    CHECK_INT(rill_loop_join(rill_loop_current()), RILL_EDEADLOCK);
    return 0;
}

TASK_TEST(loops_that_nobody_started_are_not_joined)
{
    CHECK_INT(rill_loop_join(rill_loop_current()), RILL_EINVAL);
    CHECK_INT(rill_loop_stop(rill_loop_current()), RILL_EINVAL);
    rill_loop *loop = rill_loop_start(join_own_loop, NULL);
    CHECK_INT(rill_loop_join(loop), 0);
    rill_loop_unref(loop);
}

static int spawn_loops(void *arg)
{
    (void)arg;
    rill_loop *loops[8];
    int three = 3;
    for (int i = 0; i < 8; i++)
        loops[i] = rill_loop_start(sleep_and_return, &three);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(rill_loop_join(loops[i]), 3);
        rill_loop_unref(loops[i]);
    }
    return 0;
}

TEST(loops_come_and_go)
{
    for (int i = 0; i < 5; i++)
        CHECK_INT(rill_run(spawn_loops, NULL), 0);
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void *begin_and_end(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        CHECK_INT(rill_run(end_at_once, NULL), 0);
    return NULL;
}

TEST(loops_that_begin_and_end_at_once_leave_no_handler)
{
    struct sigaction before, after;
    sigaction(SIGSEGV, NULL, &before);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, begin_and_end, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    sigaction(SIGSEGV, NULL, &after);
    CHECK(after.sa_handler == before.sa_handler);
    for (int number = SIGINT; number <= SIGTERM; number += SIGTERM - SIGINT) {
        sigaction(number, NULL, &after);
        CHECK(after.sa_handler == SIG_DFL);
    }
}

/* ---- signals ---- */

static int wait_for_signal(void *arg)
{
    (void)arg;
    rill_loop *other = rill_loop_start(sleep_and_return, &(int){ 7 });
    kill(getpid(), SIGTERM); /* any thread may get it */
    int rc = rill_sleep(10);
    fprintf(stderr, "cancelled by %s\n", rill_cancel_reason());
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    fprintf(stderr, "the other returned %d\n", rill_loop_join(other));
    rill_scope_end(&scope, 0);
    rill_loop_unref(other);
    return rc;
}

static int run_with_signal(void)
{
    return rill_run(wait_for_signal, NULL);
}

TEST(a_signal_is_for_the_first_loop_alone)
{
    struct child child = run_in_child(run_with_signal);
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 143);
    CHECK_STR(child.said, "cancelled by SIGTERM\nthe other returned 7\n");
}

/* ---- hosted loops ---- */

static bool readable(const rill_loop *loop, int ms)
{
    struct pollfd poll_fd = { .fd = rill_loop_fd(loop), .events = POLLIN };
    return poll(&poll_fd, 1, ms) == 1;
}

TEST(a_host_turns_a_loop_by_its_descriptor)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    CHECK(loop == rill_loop_current());
    CHECK(!readable(loop, 0));
    CHECK_INT(rill_loop_run_once(loop, 0), 0);
    ends = 0;
    rill_remote *task = rill_spawn_on(loop, sleep_for, &a_moment);
    REQUIRE(task);
    int turns = 0;
    while (!rill_remote_done(task) && turns < 20) {
        CHECK(readable(loop, 1000));
        rill_loop_run_once(loop, 0);
        turns++;
    }
    CHECK_INT(ends, 1);
    CHECK(turns <= 4); /* it is readable only when there is something to do */
    CHECK(!readable(loop, 0));
    CHECK_INT(rill_loop_run_once(loop, 0), 0);
    rill_remote_free(task);
    rill_loop_free(loop);
    CHECK(!rill_loop_current());
}

TEST(a_host_may_wait_inside)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    ends = 0;
    rill_remote_free(rill_spawn_on(loop, sleep_for, &a_while));
    double start = rill_now();
    CHECK_INT(rill_loop_run_once(loop, 0.01), 1);
    CHECK_INT(ends, 0);
    while (rill_loop_run_once(loop, RILL_FOREVER) > 0)
        continue;
    CHECK_INT(ends, 1);
    CHECK(rill_now() - start >= 0.05);
    rill_loop_free(loop);
}

static int spin(void *arg)
{
    for (int *left = arg; *left > 0; --*left)
        if (rill_sleep(0) < 0)
            return rill_errcode();
    return 0;
}

TEST(a_loop_that_is_busy_stays_readable)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    int left = 100000;
    rill_remote_free(rill_spawn_on(loop, spin, &left));
    while (rill_loop_run_once(loop, 0) > 0)
        CHECK(readable(loop, 0));
    CHECK_INT(left, 0);
    rill_loop_free(loop);
}

TEST(a_call_makes_the_descriptor_readable)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    pthread_t thread;
    pthread_create(&thread, NULL, call_from_thread, rill_loop_ref(loop));
    while (atomic_load(&calls) < 1000 && readable(loop, 1000))
        rill_loop_run_once(loop, 0);
    CHECK_INT(calls, 1000);
    pthread_join(thread, NULL);
    rill_loop_free(loop);
}

static int clean_up_slowly(void *arg)
{
    int rc = rill_sleep(RILL_FOREVER);
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 1);
    CHECK_INT(rill_sleep(0.01), 0);
    rill_scope_end(&scope, 0);
    *(int *)arg += 1;
    return rc;
}

TEST(freeing_a_loop_cancels_what_is_left_and_waits_for_it)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    int cleaned = 0;
    rill_remote_free(rill_spawn_on(loop, clean_up_slowly, &cleaned));
    rill_loop_run_once(loop, 0);
    rill_remote_free(rill_spawn_on(loop, clean_up_slowly, &cleaned)); /* it never had a turn */
    rill_loop_free(loop);
    CHECK_INT(cleaned, 2);
}

static int turn_inside(void *arg)
{
    CHECK_INT(rill_loop_run_once(arg, 0), RILL_EINVAL);
    rill_loop_free(arg); /* refused */
    return rill_sleep(0.001);
}

TEST(misuse_of_a_hosted_loop_is_refused)
{
    rill_loop *loop = rill_loop_new();
    REQUIRE(loop);
    CHECK(!rill_loop_new());
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_run(sleep_for, &a_moment), 1);
    rill_remote *task = rill_spawn_on(loop, turn_inside, loop);
    CHECK_INT(rill_remote_join(task), RILL_ENOTASK);
    CHECK_INT(rill_remote_result(task), RILL_EAGAIN);
    CHECK_INT(rill_loop_join(loop), RILL_EINVAL);
    while (rill_loop_run_once(loop, RILL_FOREVER) > 0)
        continue;
    CHECK(rill_remote_done(task));
    CHECK_INT(rill_remote_result(task), 0);
    rill_remote_free(task);
    rill_loop_free(loop);
    CHECK_INT(rill_loop_run_once(NULL, 0), RILL_EINVAL);
}
