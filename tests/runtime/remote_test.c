/* Tasks on other loops: results, errors, cancellation from another thread. */
#include "base/alloc.h"
#include "base/fail.h"
#include "in_task.h"

#include <pthread.h>
#include <rill/loop.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static rill_loop *other; /* the loop on which the tests spawn */

static bool start_other(void)
{
    other = rill_loop_start(NULL, NULL, .name = "other");
    CHECK(other);
    return other;
}

static void stop_other(void)
{
    rill_loop_stop(other);
    CHECK_INT(rill_loop_join(other), 0);
    rill_loop_unref(other);
}

static int add_one(void *arg)
{
    int rc = rill_sleep(0.001);
    return rc < 0 ? rc : *(int *)arg + 1;
}

static int loop_is_other(void *arg)
{
    (void)arg;
    return rill_loop_current() == other && strcmp(rill_self_name(), "there") == 0;
}

static void check_results(void)
{
    rill_auto(rill_remote) task = rill_spawn_on(other, add_one, &(int){ 41 });
    REQUIRE(task);
    CHECK_INT(rill_remote_join(task), 42);
    CHECK_INT(rill_remote_join(task), 42);
    CHECK(rill_remote_done(task));
    rill_auto(rill_remote) named = rill_spawn_on(other, loop_is_other, NULL, .name = "there");
    CHECK_INT(rill_remote_join(named), 1);
    rill_auto(rill_remote) failing = rill_spawn_on(other, fail_at_once, "far away");
    CHECK_INT(rill_remote_join(failing), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "far away");
    CHECK_INT(rill_run_on(other, add_one, &(int){ 1 }), 2);
    CHECK_INT(rill_run_on(other, fail_at_once, "far again"), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "far again");
}

TASK_TEST(a_task_gets_result_and_error_from_another_loop)
{
    if (!start_other())
        return;
    check_results();
    stop_other();
}

TEST(a_thread_gets_result_and_error_from_a_loop)
{
    if (!start_other())
        return;
    check_results();
    stop_other();
}

static int fail_mutely(void *arg)
{
    (void)arg;
    rill_fail(RILL_EREDIS, "an older error");
    return RILL_EREFUSED;
}

TEST(a_failure_without_an_error_has_a_text)
{
    if (!start_other())
        return;
    CHECK_INT(rill_run_on(other, fail_mutely, NULL, .name = "mute"), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "'mute': connection refused");
    stop_other();
}

TASK_TEST(a_loop_spawns_on_itself)
{
    other = rill_loop_current();
    CHECK_INT(rill_run_on(other, add_one, &(int){ 1 }), 2);
    rill_auto(rill_remote) task = rill_spawn_on(other, loop_is_other, NULL, .name = "there");
    CHECK_INT(rill_remote_join(task), 1);
}

/* ---- cancelling ---- */

static atomic_bool begun;
static char why[96];

static int wait_for_cancel(void *arg)
{
    atomic_store(&begun, true);
    int rc = rill_sleep(RILL_FOREVER);
    snprintf(why, sizeof why, "%s", rill_cancel_reason());
    return arg ? *(int *)arg : rc;
}

static void wait_until_begun(void)
{
    while (!atomic_load(&begun))
        usleep(500);
    usleep(2000);
}

TEST(cancel_from_another_thread_has_its_reason)
{
    if (!start_other())
        return;
    rill_auto(rill_remote) task = rill_spawn_on(other, wait_for_cancel, NULL);
    wait_until_begun();
    CHECK(!rill_remote_done(task));
    rill_remote_cancel(task, .reason = "from afar");
    rill_remote_cancel(task, .reason = "too late");
    CHECK_INT(rill_remote_join(task), RILL_ECANCELED);
    CHECK_STR(why, "from afar");
    CHECK_CONTAINS(rill_last_error()->message, "from afar");
    rill_remote_cancel(task);
    stop_other();
}

TEST(race_cancel_before_the_first_run)
{
    if (!start_other())
        return;
    for (int i = 0; i < 50; i++) {
        atomic_store(&begun, false);
        rill_auto(rill_remote) task = rill_spawn_on(other, wait_for_cancel, &(int){ 5 });
        rill_remote_cancel(task, .reason = "at once");
        CHECK_INT(rill_remote_join(task), 5); /* its body ran all the same */
        CHECK(atomic_load(&begun));
        CHECK_STR(why, "at once");
    }
    stop_other();
}

static int quick(void *arg)
{
    (void)arg;
    return 1;
}

TEST(race_cancel_against_the_end)
{
    if (!start_other())
        return;
    for (int i = 0; i < 500; i++) {
        rill_auto(rill_remote) task = rill_spawn_on(other, quick, NULL);
        if (i % 2)
            sched_yield();
        rill_remote_cancel(task);
        CHECK_INT(rill_remote_join(task), 1);
    }
    stop_other();
}

static int join_remote(void *arg)
{
    return rill_remote_join(arg);
}

TASK_TEST(a_cancelled_joiner_leaves_the_task_running)
{
    if (!start_other())
        return;
    rill_auto(rill_remote) task = rill_spawn_on(other, wait_for_cancel, &(int){ 8 });
    CHECK_INT(rill_within(0.01, join_remote, task), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, join_remote, task), RILL_ETIMEDOUT);
    rill_task joiner = rill_spawn(join_remote, task);
    CHECK_INT(rill_sleep(0.001), 0);
    rill_cancel(joiner);
    CHECK_INT(rill_join(joiner), RILL_ECANCELED);
    CHECK(!rill_remote_done(task));
    rill_task more[3];
    for (int i = 0; i < 3; i++)
        more[i] = rill_spawn(join_remote, task);
    CHECK_INT(rill_sleep(0.001), 0);
    rill_remote_cancel(task);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(more[i]), 8); /* several may join */
    stop_other();
}

TASK_TEST(race_a_joiner_that_is_cancelled_as_the_result_comes)
{
    if (!start_other())
        return;
    for (int i = 0; i < 300; i++) {
        rill_auto(rill_remote) task = rill_spawn_on(other, quick, NULL);
        rill_task joiner = rill_spawn(join_remote, task);
        rill_sleep(0);
        if (i % 3)
            usleep((unsigned)(i % 7) * 10);
        rill_cancel(joiner);
        int rc = rill_join(joiner);
        CHECK(rc == 1 || rc == RILL_ECANCELED);
        CHECK_INT(rill_remote_join(task), 1);
    }
    stop_other();
}

static int run_there(void *arg)
{
    return rill_run_on(other, wait_for_cancel, arg);
}

TASK_TEST(cancelling_run_on_reaches_the_task_and_awaits_it)
{
    if (!start_other())
        return;
    int result = 9;
    rill_task task = rill_spawn(run_there, &result);
    while (!atomic_load(&begun))
        CHECK_INT(rill_sleep(0.001), 0);
    rill_cancel(task, .reason = "over there, too");
    CHECK_INT(rill_join(task), 9); /* the result wins */
    CHECK_STR(why, "over there, too");
    atomic_store(&begun, false);
    CHECK_INT(rill_within(0.01, run_there, NULL), RILL_ETIMEDOUT);
    CHECK(atomic_load(&begun));
    CHECK_STR(why, "deadline");
    atomic_store(&begun, false);
    CHECK_INT(rill_within(0, run_there, NULL), RILL_ETIMEDOUT);
    CHECK(!atomic_load(&begun)); /* cancelled before: nothing was begun */
    stop_other();
}

/* ---- without memory ---- */

static void discard_nothing(void *arg)
{
    (void)arg;
}

static void call_nothing(void *arg)
{
    (void)arg;
}

static int use_loops(void *arg)
{
    (void)arg;
    RILL__TRY(rill_to_thread(quick, NULL, .abandon = true, .discard = discard_nothing));
    rill_loop *loop = rill_loop_start(NULL, NULL);
    if (!loop)
        return rill_errcode();
    rill_remote *task = rill_spawn_on(loop, quick, NULL);
    int rc = task ? rill_remote_join(task) : rill_errcode();
    rill_remote_free(task);
    if (rc >= 0)
        rc = rill_call_soon_threadsafe(loop, call_nothing, NULL);
    rill_loop_stop(loop);
    int ended = rill_loop_join(loop);
    rill_loop_unref(loop);
    return rc < 0 ? rc : ended;
}

TASK_TEST(every_allocation_may_fail)
{
    CHECK_INT(use_loops(NULL), 0);
    int failed = 0;
    for (unsigned long n = 1; n < 200; n++) {
        unsigned long before = rill__alloc_count;
        rill__alloc_fail_at = before + n;
        int rc = use_loops(NULL);
        rill__alloc_fail_at = 0;
        CHECK(rc == 0 || rc == RILL_ENOMEM || rc == RILL_EOS);
        failed += rc < 0;
        if (rill__alloc_count - before < n)
            break;
    }
    CHECK(failed >= 5);
}

/* ---- ends ---- */

static int spawn_child_and_end(void *arg)
{
    rill_spawn(wait_for_cancel, arg);
    return rill_sleep(0.002);
}

TEST(the_end_comes_after_that_of_its_children)
{
    if (!start_other())
        return;
    why[0] = '\0';
    CHECK_INT(rill_run_on(other, spawn_child_and_end, NULL), 0);
    CHECK_CONTAINS(why, "has ended");
    stop_other();
}

TEST(a_loop_that_ends_cancels_the_tasks_of_others)
{
    if (!start_other())
        return;
    rill_auto(rill_remote) task = rill_spawn_on(other, wait_for_cancel, NULL);
    wait_until_begun();
    stop_other();
    CHECK_INT(rill_remote_join(task), RILL_ECANCELED);
    CHECK_STR(why, "the loop has ended");
    rill_remote_cancel(task); /* its loop is gone */
}

TEST(race_spawning_while_the_loop_ends)
{
    for (int round = 0; round < 20; round++) {
        if (!start_other())
            return;
        int joined = 0, taken = 0;
        rill_remote *tasks[200];
        for (int i = 0; i < 200; i++) {
            if (i == 50)
                rill_loop_stop(other);
            rill_remote *task = rill_spawn_on(other, quick, NULL);
            if (task)
                tasks[taken++] = task;
            else
                CHECK_INT(rill_errcode(), RILL_ECLOSED);
        }
        for (int i = 0; i < taken; i++) {
            joined += rill_remote_join(tasks[i]);
            rill_remote_free(tasks[i]);
        }
        CHECK_INT(joined, taken); /* every one that was taken ran */
        CHECK(taken >= 50);
        stop_other();
    }
}

TEST(a_failure_that_nobody_joins_is_told)
{
    if (!start_other())
        return;
    hear_the_log();
    rill_remote *task = rill_spawn_on(other, fail_at_once, "unheard", .name = "lonely");
    while (!rill_remote_done(task))
        usleep(500);
    usleep(1000);
    CHECK_INT(logged_lines, 0);
    rill_remote_free(task);
    stop_other();
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'lonely'");
    CHECK_CONTAINS(logged, "remote_test.c");
    CHECK_CONTAINS(logged, "unheard");
}

TEST(a_task_that_nobody_holds_goes_on)
{
    if (!start_other())
        return;
    rill_remote_free(rill_spawn_on(other, wait_for_cancel, NULL));
    wait_until_begun();
    stop_other();
    CHECK_STR(why, "the loop has ended");
}

TEST(groups_do_not_reach_across)
{
    rill_group group;
    if (!start_other())
        return;
    CHECK(!rill_spawn_on(other, quick, NULL, .group = &group));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    rill_remote_free(NULL);
    rill_remote_cancel(NULL);
    stop_other();
}

TEST(a_stack_that_is_too_large_fails_at_the_join)
{
    if (!start_other())
        return;
    rill_auto(rill_remote) task = rill_spawn_on(other, quick, NULL, .stack = (size_t)1 << 40);
    REQUIRE(task);
    CHECK_INT(rill_remote_join(task), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "a stack has at most");
    stop_other();
}

static int ping(void *arg)
{
    rill_loop *target = *(rill_loop **)arg;
    for (int i = 0; i < 200; i++)
        if (rill_run_on(target, quick, NULL) != 1)
            return rill_fail(RILL_EFAILED, "round %d", i);
    return 0;
}

TEST(two_loops_run_tasks_on_each_other)
{
    rill_loop *a = rill_loop_start(NULL, NULL), *b = rill_loop_start(NULL, NULL);
    rill_remote *ab[4], *ba[4];
    for (int i = 0; i < 4; i++) {
        ab[i] = rill_spawn_on(a, ping, &b);
        ba[i] = rill_spawn_on(b, ping, &a);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_INT(rill_remote_join(ab[i]), 0);
        CHECK_INT(rill_remote_join(ba[i]), 0);
        rill_remote_free(ab[i]);
        rill_remote_free(ba[i]);
    }
    rill_loop_stop(a);
    rill_loop_stop(b);
    rill_loop_join(a);
    rill_loop_join(b);
    rill_loop_unref(a);
    rill_loop_unref(b);
}
