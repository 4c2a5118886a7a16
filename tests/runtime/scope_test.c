/* Scopes: deadlines, shields, cancellation, and who may say RILL_ETIMEDOUT. */
#include "in_task.h"
#include "runtime/runtime.h"

#include <math.h>

static int sleep_ms(int ms)
{
    return rill_sleep(ms / 1000.0);
}

/* ---- deadlines ---- */

TASK_TEST(only_the_scope_whose_deadline_it_was_says_timed_out)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer, .timeout = 5);
    rill_scope_begin(&inner, .timeout = 0.01);
    int rc = rill_sleep(10);
    CHECK_INT(rc, RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "the time was up");
    rc = rill_scope_end(&inner, rc);
    CHECK_INT(rc, RILL_ETIMEDOUT);
    CHECK_INT(rill_errcode(), RILL_ETIMEDOUT);
    CHECK_INT(rill_last_error()->cause, RILL_ECANCELED);
    CHECK(!rill_cancelled());
    CHECK_INT(sleep_ms(1), 0);
    CHECK_INT(rill_scope_end(&outer, 0), 0);
}

TASK_TEST(an_outer_deadline_passes_through_the_inner_scope_as_cancelled)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer, .timeout = 0.01);
    rill_scope_begin(&inner, .timeout = 5);
    int rc = rill_scope_end(&inner, rill_sleep(10));
    CHECK_INT(rc, RILL_ECANCELED);
    CHECK(rill_cancelled());
    CHECK_STR(rill_cancel_reason(), "deadline");
    CHECK_INT(rill_scope_end(&outer, rc), RILL_ETIMEDOUT);
    CHECK(!rill_cancelled());
    CHECK_STR(rill_cancel_reason(), "");
}

TASK_TEST(a_deadline_is_never_early)
{
    for (int i = 0; i < 20; i++) {
        rill_scope scope;
        double start = rill_now();
        rill_scope_begin(&scope, .timeout = 0.001);
        CHECK_INT(rill_scope_end(&scope, rill_sleep(1)), RILL_ETIMEDOUT);
        CHECK(rill_now() - start >= 0.001);
    }
}

TASK_TEST(inside_a_cancelled_scope_every_wait_fails_at_once)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    CHECK_INT(rill_sleep(1), RILL_ECANCELED);
    double start = rill_now();
    for (int i = 0; i < 100; i++) {
        CHECK_INT(rill_sleep(1), RILL_ECANCELED);
        CHECK_INT(rill_sleep(0), RILL_ECANCELED);
    }
    CHECK_INT(rill_to_thread(sleep_for, &for_ever), RILL_ECANCELED);
    rill_interval interval;
    rill_interval_init(&interval, 10, 10, RILL_MISSED_SKIP);
    CHECK_INT(rill_interval_wait(&interval), RILL_ECANCELED);
    rill_task task = rill_spawn(sleep_for, &for_ever);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK(rill_now() - start < 1);
    CHECK_INT(rill_scope_end(&scope, RILL_ECANCELED), RILL_ETIMEDOUT);
}

TASK_TEST(a_result_beats_a_deadline_that_has_passed)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.001);
    sleep_ms(10);
    CHECK(rill_cancelled());
    CHECK_INT(rill_scope_end(&scope, 42), 42);
    rill_scope_begin(&scope, .timeout = 0.001);
    sleep_ms(10);
    rill_fail(RILL_EREFUSED, "its own failure");
    CHECK_INT(rill_scope_end(&scope, RILL_EREFUSED), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "its own failure");
}

TASK_TEST(a_deadline_can_be_moved)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.01);
    rill_scope_set_timeout(&scope, 5);
    CHECK_INT(sleep_ms(30), 0);
    rill_scope_set_timeout(&scope, RILL_FOREVER);
    CHECK_INT(sleep_ms(1), 0);
    rill_scope_set_timeout(&scope, 0.005);
    CHECK_INT(rill_scope_end(&scope, rill_sleep(5)), RILL_ETIMEDOUT);
    rill_scope_set_timeout(&scope, 0.001); /* it has ended: nothing happens */
    CHECK_INT(sleep_ms(5), 0);
}

TASK_TEST(a_timeout_of_for_ever_never_ends)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = RILL_FOREVER);
    CHECK_INT(rill_scope_end(&scope, sleep_ms(2)), 0);
    CHECK_INT(rill_within(RILL_FOREVER, sleep_for, &a_moment), 0);
    CHECK_INT(rill_within(1e300, sleep_for, &a_moment), 0);
}

TASK_TEST(a_timeout_of_less_than_nothing_is_over_at_once)
{
    const double less[] = { -1e-9, -0.5, -2, -1e300, -INFINITY, NAN };
    for (size_t i = 0; i < sizeof less / sizeof *less; i++) {
        rill_scope scope;
        rill_scope_begin(&scope, .timeout = less[i]);
        CHECK(rill_cancelled());
        CHECK_INT(rill_scope_end(&scope, sleep_ms(1)), RILL_ETIMEDOUT);
        rill_scope_begin(&scope, .timeout = 1000);
        rill_scope_set_timeout(&scope, less[i]);
        CHECK(rill_cancelled());
        CHECK_INT(rill_scope_end(&scope, sleep_ms(1)), RILL_ETIMEDOUT);
        rill_group group;
        CHECK_INT(rill_group_begin(&group, .timeout = less[i]), 0);
        rill_spawn(sleep_for, &for_ever, .group = &group);
        CHECK_INT(rill_group_end(&group, 0), RILL_ETIMEDOUT);
    }
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_scope_set_timeout(&scope, 0);
    CHECK_INT(rill_scope_end(&scope, sleep_ms(1)), RILL_ETIMEDOUT);
    CHECK(!rill_cancelled());
}

static rill_scope ended;
static rill_group ended_group;

static int leave_them_ended(void *arg)
{
    (void)arg;
    rill_scope_begin(&ended);
    rill_group_begin(&ended_group);
    rill_group_end(&ended_group, 0);
    return rill_scope_end(&ended, 0);
}

TEST(what_has_ended_is_not_cancelled)
{
    CHECK_INT(run_on_driver(leave_them_ended, NULL), 0);
    rill_scope_cancel(&ended, "too late");
    rill_group_cancel(&ended_group, "too late");
    rill_scope_set_timeout(&ended, 1);
    CHECK_STR(ended.reason, "");
}

TASK_TEST(within_gives_a_function_so_much_time)
{
    ends = 0;
    CHECK_INT(rill_within(5, sleep_for, &a_moment), 0);
    CHECK_INT(ends, 1);
    CHECK_INT(rill_within(0.005, sleep_for, &for_ever), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0, sleep_for, &a_moment), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(-0.5, sleep_for, &a_moment), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(NAN, sleep_for, &a_moment), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(5, fail_at_once, "as it is"), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "as it is");
}

/* ---- shields ---- */

static int clean_up_slowly(void *arg)
{
    int rc = rill_sleep(1000);
    CHECK_INT(rc, RILL_ECANCELED);
    rill_scope shield;
    rill_scope_begin(&shield, .shield = true, .timeout = 5);
    CHECK(!rill_cancelled());
    rill_scope inner;
    rill_scope_begin(&inner, .timeout = 4);
    CHECK(!rill_cancelled());
    CHECK_INT(sleep_ms(10), 0);
    CHECK_INT(rill_scope_end(&inner, 0), 0);
    CHECK_INT(rill_scope_end(&shield, 0), 0);
    CHECK(rill_cancelled());
    *(bool *)arg = true;
    return rc;
}

TASK_TEST(a_shield_keeps_a_cancellation_out)
{
    bool cleaned = false;
    rill_task task = rill_spawn(clean_up_slowly, &cleaned);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK(cleaned);
}

TASK_TEST(a_cancellation_that_comes_during_a_shield_waits_outside)
{
    rill_scope outer, shield;
    rill_scope_begin(&outer, .timeout = 0.005);
    rill_scope_begin(&shield, .shield = true);
    CHECK_INT(sleep_ms(20), 0);
    CHECK(!rill_cancelled());
    CHECK_INT(rill_scope_end(&shield, 0), 0);
    CHECK(rill_cancelled());
    CHECK_INT(rill_scope_end(&outer, rill_sleep(1)), RILL_ETIMEDOUT);
}

TASK_TEST(a_shield_has_a_deadline_of_its_own)
{
    rill_scope outer, shield;
    rill_scope_begin(&outer);
    rill_scope_cancel(&outer, "from outside");
    rill_scope_begin(&shield, .shield = true, .timeout = 0.005);
    int rc = rill_sleep(5);
    CHECK_INT(rc, RILL_ECANCELED);
    CHECK_STR(rill_cancel_reason(), "deadline");
    CHECK_INT(rill_scope_end(&shield, rc), RILL_ETIMEDOUT);
    CHECK_STR(rill_cancel_reason(), "from outside");
    CHECK_INT(rill_scope_end(&outer, RILL_ECANCELED), RILL_ECANCELED);
}

TASK_TEST(tasks_spawned_inside_a_shield_do_not_inherit_it)
{
    /* A task belongs to its spawner, not to the scope that the spawner stood in. */
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    rill_task task = rill_spawn(sleep_for, &a_while);
    CHECK_INT(rill_scope_end(&scope, rill_sleep(1)), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(task), 0);
}

/* ---- misuse ---- */

TASK_TEST(ending_twice_or_out_of_order_changes_nothing)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer);
    rill_scope_begin(&inner);
    CHECK_INT(rill_scope_end(&outer, 0), RILL_EINVAL);
    CHECK_INT(rill_scope_end(&inner, 7), 7);
    CHECK_INT(rill_scope_end(&inner, 0), RILL_EINVAL);
    CHECK_INT(rill_scope_end(&outer, 8), 8);
    CHECK_INT(rill_scope_end(&outer, 0), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "ended twice");
    rill_scope_cancel(&outer, "it has ended");
    CHECK(!rill_cancelled());
}

static int end_it(void *arg)
{
    return rill_scope_end(arg, 0);
}

TASK_TEST(another_task_cannot_end_a_scope)
{
    rill_scope scope;
    rill_scope_begin(&scope);
    CHECK_INT(rill_join(rill_spawn(end_it, &scope)), RILL_EINVAL);
    CHECK_INT(rill_scope_end(&scope, 0), 0);
}

/* ---- cancelling ---- */

static int cancel_scope(void *arg)
{
    rill_scope_cancel(arg, "another task says so");
    return 0;
}

TASK_TEST(another_task_can_cancel_a_scope)
{
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_task task = rill_spawn(cancel_scope, &scope);
    int rc = rill_sleep(1000);
    CHECK_INT(rc, RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "another task says so");
    CHECK_INT(rill_scope_end(&scope, rc), RILL_ECANCELED);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(race_explicit_cancel_before_the_deadline_wins)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    rill_scope_cancel(&scope, "explicit");
    rill_scope shield;
    rill_scope_begin(&shield, .shield = true);
    CHECK_INT(sleep_ms(20), 0); /* the deadline passes */
    CHECK_INT(rill_scope_end(&shield, 0), 0);
    CHECK_STR(rill_cancel_reason(), "explicit");
    CHECK_INT(rill_scope_end(&scope, RILL_ECANCELED), RILL_ECANCELED);
}

TASK_TEST(race_two_cancels_keep_the_first_reason)
{
    rill_scope outer, inner;
    rill_scope_begin(&outer);
    rill_scope_begin(&inner, .timeout = 0.005);
    CHECK_INT(rill_sleep(1), RILL_ECANCELED); /* the inner deadline has fired */
    rill_scope_cancel(&outer, "later");
    rill_scope_cancel(&inner, "too late");
    CHECK_STR(rill_cancel_reason(), "deadline");
    CHECK_INT(rill_scope_end(&inner, RILL_ECANCELED), RILL_ETIMEDOUT);
    CHECK_STR(rill_cancel_reason(), "later");
    CHECK_INT(rill_scope_end(&outer, RILL_ECANCELED), RILL_ECANCELED);
}

/* ---- the wait itself: abort and result ---- */

struct pending {
    struct rill__task *task;
    int aborts;
    rill__abort answer;
};

static rill__abort abort_pending(void *arg)
{
    struct pending *pending = arg;
    pending->aborts++;
    return pending->answer;
}

static int park_it(void *arg)
{
    struct pending *pending = arg;
    pending->task = rill__current();
    return rill__park("a test", abort_pending, pending);
}

TASK_TEST(race_a_wait_that_cannot_be_taken_back_goes_on_to_its_end)
{
    struct pending pending = { .answer = RILL__ABORT_PENDING };
    rill_task task = rill_spawn(park_it, &pending);
    rill_sleep(0);
    rill_cancel(task);
    rill_cancel(task);
    rill_sleep(0);
    CHECK(!rill_task_done(task));
    CHECK_INT(pending.aborts, 1);
    rill__wake(pending.task);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(race_a_wait_begun_in_a_cancelled_scope_is_aborted_at_once)
{
    struct pending pending = { .answer = RILL__ABORTED };
    rill_task task = rill_spawn(park_it, &pending);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(pending.aborts, 1);
}

static rill__waitq queue;

static int wait_in_queue(void *arg)
{
    (void)arg;
    int rc = rill__waitq_wait(&queue, "its turn");
    ends += rc == 0;
    return rc;
}

TASK_TEST(race_a_wake_is_not_lost_to_a_cancelled_waiter)
{
    rill__waitq_init(&queue);
    ends = 0;
    rill_task a = rill_spawn(wait_in_queue, NULL), b = rill_spawn(wait_in_queue, NULL);
    rill_sleep(0);
    rill_cancel(a); /* leaves the queue at once */
    CHECK(rill__waitq_wake_one(&queue));
    CHECK(rill__waitq_empty(&queue));
    rill_cancel(b); /* has its wake already */
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(ends, 1);
    CHECK(!rill__waitq_wake_one(&queue));
}

static int nested(int depth)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 100 + depth);
    int rc = depth == 0 ? rill_sleep(1000) : nested(depth - 1);
    return rill_scope_end(&scope, rc);
}

static int nest(void *arg)
{
    (void)arg;
    return nested(100);
}

TASK_TEST(a_cancellation_reaches_through_a_hundred_scopes)
{
    rill_task task = rill_spawn(nest, NULL);
    rill_sleep(0);
    rill_cancel(task, .reason = "deep");
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "deep");
}
