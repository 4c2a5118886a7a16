/* Joining in other ways: cancel and join, wait, as completed, race, start, shielded. */
#include "in_task.h"

#include <rill/join.h>
#include <rill/metrics.h>
#include <rill/sync.h>

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static int fail_later(void *arg)
{
    int rc = rill_sleep(0.005);
    return rc < 0 ? rc : fail_at_once(arg);
}

static double moments[] = { 0.03, 0.01, 0.02 };

static void spawn_three(rill_task tasks[3])
{
    ends = 0;
    for (int i = 0; i < 3; i++)
        tasks[i] = rill_spawn(sleep_for, &moments[i]);
}

static void join_three(const rill_task tasks[3])
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(ends, 3);
}

/* ---- cancel and join ---- */

TASK_TEST(cancel_join_asks_and_waits)
{
    ends = 0;
    rill_task task = rill_spawn(sleep_for, &for_ever);
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(task, .reason = "enough"), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "enough");
    CHECK_INT(ends, 0);
    CHECK_INT(rill_cancel_join(task), RILL_ESTALE);
}

TASK_TEST(cancel_join_of_a_task_that_has_ended_gives_its_result)
{
    int seven = 7;
    rill_task task = rill_spawn(return_arg, &seven);
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(task), 7);
}

static int wait_shielded(void *arg)
{
    return rill_shielded(5, sleep_for, arg);
}

TASK_TEST(a_cancelled_cancel_join_leaves_the_task_to_be_joined)
{
    ends = 0;
    rill_task task = rill_spawn(wait_shielded, &a_while);
    rill_sleep(0);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    CHECK_INT(rill_scope_end(&scope, rill_cancel_join(task)), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(ends, 1);
}

TASK_TEST(cancel_join_where_there_is_no_joining_cancels_nothing)
{
    CHECK_INT(rill_cancel_join(rill_self()), RILL_EDEADLOCK);
    CHECK(!rill_cancelled());
    rill_group group;
    rill_group_begin(&group);
    ends = 0;
    rill_task member = rill_spawn(sleep_for, &a_moment, .group = &group);
    CHECK_INT(rill_cancel_join(member), RILL_EINVAL);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 1);
}

static int join_it(void *arg)
{
    return rill_join(*(rill_task *)arg);
}

TASK_TEST(to_cancel_who_joins_a_task_is_not_to_cancel_the_task)
{
    ends = 0;
    rill_task task = rill_spawn(sleep_for, &a_moment);
    rill_task joiner = rill_spawn(join_it, &task);
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(joiner), RILL_ECANCELED);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(ends, 1);
}

/* ---- wait ---- */

TASK_TEST(wait_for_all_collects_nothing)
{
    rill_task tasks[3];
    spawn_three(tasks);
    CHECK_INT(rill_wait(tasks, 3), 3);
    CHECK_INT(ends, 3);
    join_three(tasks);
    CHECK_INT(rill_wait(tasks, 3), 3); /* handles that are used up */
    CHECK_INT(rill_wait(NULL, 0), 0);
    CHECK_INT(rill_wait(NULL, 0, .until = RILL_WAIT_FIRST), 0);
}

TASK_TEST(wait_for_the_first_tells_how_many)
{
    rill_task tasks[3];
    spawn_three(tasks);
    CHECK_INT(rill_wait(tasks, 3, .until = RILL_WAIT_FIRST), 1);
    CHECK(rill_task_done(tasks[1]) && !rill_task_done(tasks[0]) && !rill_task_done(tasks[2]));
    CHECK_INT(rill_wait(tasks, 3, .until = RILL_WAIT_FIRST), 1); /* still */
    join_three(tasks);
}

TASK_TEST(wait_for_an_error_passes_over_success_and_cancellation)
{
    rill_task tasks[4];
    spawn_three(tasks);
    tasks[3] = rill_spawn(fail_later, NULL);
    CHECK_INT(rill_wait(tasks, 4, .until = RILL_WAIT_ERROR), 1);
    CHECK_INT(ends, 0);
    CHECK_INT(rill_wait(tasks, 4, .until = RILL_WAIT_ERROR), 1); /* it had failed before */
    CHECK_INT(rill_join(tasks[3]), RILL_EREFUSED);
    rill_cancel(tasks[0]);
    CHECK_INT(rill_wait(tasks, 3, .until = RILL_WAIT_ERROR), 3);
    CHECK_INT(ends, 2);
    CHECK_INT(rill_join(tasks[0]), RILL_ECANCELED);
}

TASK_TEST(the_timeout_of_wait_is_no_error_and_cancels_nothing)
{
    rill_task tasks[3];
    spawn_three(tasks);
    double start = rill_now();
    CHECK_INT(rill_wait(tasks, 3, .timeout = 0.015), 1);
    CHECK(rill_now() - start >= 0.015);
    CHECK_INT(rill_wait(tasks, 3, .timeout = 10), 3);
    join_three(tasks);
}

struct waiting {
    rill_task tasks[20];
    size_t count;
    int result;
};

static int wait_for_them(void *arg)
{
    struct waiting *waiting = arg;
    return waiting->result = rill_wait(waiting->tasks, waiting->count, .timeout = 1000);
}

static size_t timers_set(void)
{
    rill_metrics metrics;
    CHECK_INT(rill_metrics_get(&metrics), 0);
    return metrics.timers;
}

TASK_TEST(a_timeout_of_less_than_nothing_is_over_at_once)
{
    rill_task task = rill_spawn(sleep_for, &for_ever);
    CHECK_INT(rill_wait(&task, 1, .timeout = -0.5), 0);
    CHECK_INT(rill_cancel_join(task), RILL_ECANCELED);
    task = rill_spawn(sleep_for, &a_moment);
    CHECK_INT(rill_wait(&task, 1, .timeout = RILL_FOREVER), 1);
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(a_timeout_that_was_not_needed_is_taken_back)
{
    struct waiting waiting = { .count = 1 };
    size_t before = timers_set();
    waiting.tasks[0] = rill_spawn(sleep_for, &a_moment);
    CHECK_INT(wait_for_them(&waiting), 1);
    CHECK_INT(timers_set(), before);
    CHECK_INT(rill_join(waiting.tasks[0]), 0);
    waiting.tasks[0] = rill_self(); /* of a task that waits for this one */
    rill_task waiter = rill_spawn(wait_for_them, &waiting);
    rill_sleep(0);
    CHECK_INT(timers_set(), before + 1);
    CHECK_INT(rill_cancel_join(waiter), RILL_ECANCELED);
    CHECK_INT(timers_set(), before);
}

TASK_TEST(a_cancelled_wait_leaves_the_tasks_alone)
{
    struct waiting waiting = { .count = 20 };
    ends = 0;
    for (int i = 0; i < 20; i++)
        waiting.tasks[i] = rill_spawn(sleep_for, &a_moment);
    rill_task before = rill_spawn(wait_for_them, &waiting);
    CHECK_INT(rill_cancel_join(before), RILL_ECANCELED);
    rill_task during = rill_spawn(wait_for_them, &waiting);
    rill_sleep(0.002);
    CHECK_INT(rill_cancel_join(during), RILL_ECANCELED);
    CHECK_INT(rill_within(0.001, wait_for_them, &waiting), RILL_ETIMEDOUT);
    CHECK_INT(rill_wait(waiting.tasks, 20), 20);
    CHECK_INT(ends, 20);
    for (int i = 0; i < 20; i++)
        CHECK_INT(rill_join(waiting.tasks[i]), 0);
}

TASK_TEST(race_a_task_that_ends_after_the_wait_was_cancelled_wakes_nobody_twice)
{
    struct waiting waiting = { .count = 1 };
    rill_event event;
    rill_event_init(&event);
    waiting.tasks[0] = rill_spawn(sleep_for, &for_ever);
    rill_task waiter = rill_spawn(wait_for_them, &waiting);
    rill_sleep(0);
    rill_cancel(waiting.tasks[0]); /* it runs, and ends, before the waiter does */
    rill_cancel(waiter);
    CHECK_INT(rill_join(waiter), RILL_ECANCELED);
    CHECK_INT(rill_join(waiting.tasks[0]), RILL_ECANCELED);
}

TASK_TEST(race_a_wait_that_was_satisfied_before_it_was_cancelled_says_so)
{
    struct waiting waiting = { .count = 1 };
    static int three = 3;
    rill_task waiter = rill_spawn(wait_for_them, &waiting);
    waiting.tasks[0] = rill_spawn(return_arg, &three);
    rill_task other = rill_spawn(return_arg, &three);
    rill_join(other); /* the task has ended, the waiter is ready */
    rill_cancel(waiter);
    CHECK_INT(rill_join(waiter), 1);
    CHECK_INT(rill_join(waiting.tasks[0]), 3);
}

TASK_TEST(members_and_detached_tasks_can_be_waited_for)
{
    rill_group group;
    rill_group_begin(&group);
    ends = 0;
    rill_task tasks[2] = { rill_spawn(sleep_for, &a_moment, .group = &group),
                           rill_spawn(sleep_for, &a_moment) };
    rill_detach(tasks[1]);
    CHECK_INT(rill_wait(tasks, 2), 2);
    CHECK_INT(ends, 2);
    CHECK_INT(rill_group_end(&group, 0), 0);
}

TASK_TEST(nobody_waits_for_oneself)
{
    rill_task tasks[2] = { rill_spawn(sleep_for, &a_moment), rill_self() };
    size_t index;
    CHECK_INT(rill_wait(tasks, 2, .until = RILL_WAIT_FIRST), RILL_EDEADLOCK);
    CHECK(!rill_as_completed_new(tasks, 2));
    CHECK_INT(rill_errcode(), RILL_EDEADLOCK);
    CHECK_INT(rill_as_completed_next(NULL, &index), RILL_EINVAL);
    rill_as_completed_free(NULL);
}

/* ---- as completed ---- */

TASK_TEST(as_completed_gives_tasks_in_the_order_of_their_ends)
{
    rill_task tasks[3];
    spawn_three(tasks);
    rill_auto(rill_as_completed) order = rill_as_completed_new(tasks, 3);
    REQUIRE(order);
    size_t expected[] = { 1, 2, 0 }, index = 9;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_as_completed_next(order, &index), 1);
        CHECK_INT(index, expected[i]);
        CHECK_INT(rill_join(tasks[index]), 0);
    }
    CHECK_INT(rill_as_completed_next(order, &index), 0);
    CHECK_INT(rill_as_completed_next(order, &index), 0);
    CHECK_INT(ends, 3);
}

TASK_TEST(as_completed_begins_with_those_that_have_ended)
{
    int one = 1;
    rill_task tasks[] = { rill_spawn(sleep_for, &a_moment), { 0 }, rill_spawn(return_arg, &one) };
    rill_sleep(0);
    rill_auto(rill_as_completed) order = rill_as_completed_new(tasks, 3);
    size_t index = 9;
    CHECK_INT(rill_as_completed_next(order, &index), 1);
    CHECK_INT(index, 1);
    CHECK_INT(rill_join(tasks[index]), RILL_ESTALE);
    CHECK_INT(rill_as_completed_next(order, &index), 1);
    CHECK_INT(index, 2);
    CHECK_INT(rill_join(tasks[index]), 1);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.001);
    int rc = rill_as_completed_next(order, &index);
    CHECK_INT(rill_scope_end(&scope, rc), RILL_ETIMEDOUT);
    CHECK_INT(rill_as_completed_next(order, &index), 1); /* it was not passed over */
    CHECK_INT(index, 0);
    CHECK_INT(rill_as_completed_next(order, &index), 0);
}

struct sharing {
    rill_as_completed *order;
    int taken, empty;
};

static int take_one(void *arg)
{
    struct sharing *sharing = arg;
    size_t index;
    int rc = rill_as_completed_next(sharing->order, &index);
    sharing->taken += rc == 1;
    sharing->empty += rc == 0;
    return rc;
}

TASK_TEST(several_tasks_share_one_order_and_none_is_left_waiting)
{
    rill_task tasks[3], takers[6];
    spawn_three(tasks);
    struct sharing sharing = { .order = rill_as_completed_new(tasks, 3) };
    for (int i = 0; i < 6; i++)
        takers[i] = rill_spawn(take_one, &sharing);
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(takers[0]), RILL_ECANCELED);
    CHECK_INT(rill_wait(takers, 6, .timeout = 5), 6);
    CHECK_INT(sharing.taken, 3);
    CHECK_INT(sharing.empty, 2);
    rill_as_completed_free(sharing.order);
    join_three(tasks);
}

TASK_TEST(race_a_task_given_to_a_taker_that_is_then_cancelled_is_not_lost)
{
    int one = 1;
    rill_task tasks[] = { rill_spawn(sleep_for, &a_moment) };
    struct sharing sharing = { .order = rill_as_completed_new(tasks, 1) };
    rill_task taker = rill_spawn(take_one, &sharing);
    while (!rill_task_done(tasks[0]))
        CHECK_INT(rill_join(rill_spawn(return_arg, &one)), 1);
    rill_cancel(taker);
    rill_join(taker);
    size_t index;
    CHECK_INT(sharing.taken + rill_as_completed_next(sharing.order, &index), 1);
    rill_as_completed_free(sharing.order);
}

TASK_TEST(an_order_can_be_given_up_while_its_tasks_run)
{
    rill_task tasks[3];
    spawn_three(tasks);
    rill_as_completed *order = rill_as_completed_new(tasks, 3);
    size_t index;
    CHECK_INT(rill_as_completed_next(order, &index), 1);
    rill_as_completed_free(order);
    join_three(tasks);
}

/* ---- race ---- */

struct runner {
    double seconds;
    int result;
    bool ran, cancelled, stubborn;
};

static int run_runner(void *arg)
{
    struct runner *runner = arg;
    runner->ran = true;
    int rc = rill_sleep(runner->seconds);
    runner->cancelled = rc == RILL_ECANCELED;
    if (rc < 0 && !runner->stubborn)
        return rc;
    if (runner->result < 0)
        return rill_fail(runner->result, "after %g s", runner->seconds);
    return runner->result;
}

TASK_TEST(the_first_good_result_wins_and_the_rest_is_cancelled_and_awaited)
{
    struct runner runners[] = { { .seconds = 1000 },
                                { .seconds = 0.001, .result = RILL_EDNS },
                                { .seconds = 0.01, .result = 42 },
                                { .seconds = 1000 } };
    size_t winner = 9;
    rill_error errors[4];
    CHECK_INT(rill_race(runners, 4, run_runner, .winner = &winner, .errors = errors), 42);
    CHECK_INT(winner, 2);
    CHECK(runners[0].cancelled && runners[3].cancelled);
    int expected[] = { RILL_ECANCELED, RILL_EDNS, 0, RILL_ECANCELED };
    for (int i = 0; i < 4; i++)
        CHECK_INT(errors[i].code, expected[i]);
    CHECK_CONTAINS(errors[0].message, "another was first");
    CHECK_STR(errors[1].message, "after 0.001 s");
    CHECK(!rill_cancelled());
}

TASK_TEST(a_race_of_failures_tells_the_first)
{
    struct runner runners[] = { { .seconds = 0.01, .result = RILL_ETLS },
                                { .seconds = 0.001, .result = RILL_EDNS } };
    size_t winner = 9;
    CHECK_INT(rill_race(runners, 2, run_runner, .winner = &winner), RILL_EDNS);
    CHECK_STR(rill_last_error()->message,
              "race: none of 2 succeeded; the first failure: after 0.001 s");
    CHECK_INT(rill_errcode(), RILL_EDNS);
    CHECK_INT(winner, 9);
    CHECK_INT(rill_race(runners, 1, run_runner), RILL_ETLS);
    CHECK_STR(rill_last_error()->message, "after 0.01 s");
    CHECK_INT(rill_race(runners, 0, run_runner), RILL_EINVAL);
    CHECK_INT(rill_race_with(runners, 2, 0, NULL), RILL_EINVAL);
}

TASK_TEST(a_second_success_is_told_by_the_errors)
{
    struct runner runners[] = { { .seconds = 0.001, .result = 1 },
                                { .seconds = 1000, .result = 2, .stubborn = true } };
    rill_error errors[2];
    size_t winner = 9;
    CHECK_INT(rill_race(runners, 2, run_runner, .winner = &winner, .errors = errors), 1);
    CHECK_INT(winner, 0);
    CHECK_INT(errors[1].code, 0);
}

TASK_TEST(a_limited_race_starts_the_next_when_one_has_failed_and_none_after_the_end)
{
    struct runner runners[] = { { .seconds = 0.001, .result = RILL_EDNS },
                                { .seconds = 1000 },
                                { .seconds = 0.001, .result = 3 },
                                { .seconds = 0.001, .result = 4 } };
    size_t winner = 9;
    rill_error errors[4];
    CHECK_INT(rill_race(runners, 4, run_runner, .winner = &winner, .errors = errors, .limit = 2),
              3);
    CHECK_INT(winner, 2);
    CHECK(!runners[3].ran);
    CHECK_INT(errors[3].code, RILL_ECANCELED);
}

TASK_TEST(race_one_that_was_not_started_since_another_won_has_an_error)
{
    /* The first gives its place to the third; the second wins before that is started. */
    struct runner runners[] = { { .result = RILL_EDNS },
                                { .result = 7 },
                                { .seconds = 0 },
                                { .seconds = 0 },
                                { .seconds = 0 } };
    size_t winner = 9;
    rill_error errors[5];
    memset(errors, 0x55, sizeof errors);
    CHECK_INT(rill_race(runners, 5, run_runner, .winner = &winner, .errors = errors, .limit = 2),
              7);
    CHECK_INT(winner, 1);
    CHECK_INT(errors[0].code, RILL_EDNS);
    for (int i = 2; i < 5; i++)
        CHECK_INT(errors[i].code, RILL_ECANCELED);
    CHECK(!runners[3].ran && !runners[4].ran);
}

static int race_runners(void *arg)
{
    return rill_race((struct runner *)arg, 2, run_runner);
}

TASK_TEST(a_cancelled_race_cancels_those_who_run)
{
    struct runner runners[2] = { { .seconds = 1000 }, { .seconds = 1000 } };
    rill_task task = rill_spawn(race_runners, runners);
    CHECK_INT(rill_cancel_join(task), RILL_ECANCELED);
    CHECK(!runners[0].ran);
    task = rill_spawn(race_runners, runners);
    rill_sleep(0.002);
    CHECK_INT(rill_cancel_join(task, .reason = "stop it"), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "stop it");
    CHECK(runners[0].cancelled && runners[1].cancelled);
    CHECK_INT(rill_within(0.001, race_runners, runners), RILL_ETIMEDOUT);
}

TASK_TEST(race_a_result_that_came_before_the_cancellation_wins)
{
    struct runner runners[2] = { { .seconds = 0.001, .result = 5 },
                                 { .seconds = 1000, .result = 6, .stubborn = true } };
    rill_task task = rill_spawn(race_runners, runners);
    while (!runners[1].cancelled)
        rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 5);
}

/* ---- start ---- */

static bool let_it_be_ready, was_refused, has_ended;

static int serve(void *arg)
{
    (void)arg;
    has_ended = false;
    CHECK_INT(rill_sleep(0.002), 0);
    let_it_be_ready = true;
    CHECK_INT(rill_started(), 0);
    CHECK_INT(rill_started(), 0); /* the second time it does nothing */
    int rc = rill_sleep(0.01);
    has_ended = true;
    return rc < 0 ? rc : 11;
}

TASK_TEST(start_waits_until_the_task_says_that_it_is_ready)
{
    let_it_be_ready = false;
    rill_task task = rill_start(serve, NULL, .name = "server");
    CHECK(task.id && let_it_be_ready && !has_ended);
    CHECK_INT(rill_join(task), 11);
    CHECK_INT(rill_join(rill_spawn(serve, NULL)), 11); /* spawned, it works as well */
}

TASK_TEST(a_start_that_fails_brings_the_error)
{
    int zero = 0;
    CHECK_INT(rill_start(fail_later, "no port").id, 0);
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "no port");
    CHECK_INT(rill_start(return_arg, &zero, .name = "quick").id, 0);
    CHECK_INT(rill_errcode(), RILL_EFAILED);
    CHECK_STR(rill_last_error()->message, "start 'quick': it ended before it was ready");
    CHECK_INT(rill_start(serve, NULL, .stack = (size_t)1 << 40).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

static int be_slow(void *arg)
{
    (void)arg;
    has_ended = was_refused = false;
    rill_sleep(for_ever);
    rill_shielded(1, sleep_for, &a_moment);
    was_refused = rill_started() == RILL_ECANCELED;
    RILL_CLEANUP(1.0)
    was_refused &= rill_started() == RILL_ECANCELED;
    has_ended = true;
    return 0;
}

static int start_it(void *arg)
{
    rill_group *group = arg;
    rill_task task = rill_start(be_slow, NULL, .group = group);
    CHECK_INT(task.id, 0);
    return rill_errcode();
}

TASK_TEST(a_cancelled_start_cancels_the_task_and_waits_for_it)
{
    rill_task task = rill_spawn(start_it, NULL);
    rill_sleep(0.001);
    CHECK_INT(rill_cancel_join(task, .reason = "stop"), RILL_ECANCELED);
    CHECK(has_ended && was_refused);
    CHECK_STR(rill_last_error()->message, "start: cancelled: stop");
    has_ended = was_refused = false;
    CHECK_INT(rill_within(0.001, start_it, NULL), RILL_ETIMEDOUT);
    CHECK(has_ended && was_refused);
    has_ended = false;
    task = rill_spawn(start_it, NULL);
    CHECK_INT(rill_cancel_join(task), RILL_ECANCELED);
    CHECK(!has_ended); /* it was not even spawned */
}

TASK_TEST(a_task_joins_its_group_when_it_is_ready)
{
    rill_group group;
    rill_group_begin(&group, .limit = 1);
    CHECK_INT(rill_start(fail_later, "before", .group = &group).id, 0);
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK(!rill_cancelled()); /* the group has not failed */
    CHECK_INT(group.count, 0);
    rill_task task = rill_start(serve, NULL, .group = &group);
    CHECK(task.id != 0);
    CHECK_INT(rill_join(task), RILL_EINVAL);
    CHECK_INT(group.count, 1);
    CHECK_INT(rill_within(0.001, start_it, &group), RILL_ETIMEDOUT); /* no place */
    CHECK_INT(rill_group_end(&group, 0), 11 * 0);
    CHECK(has_ended);
}

static int be_ready_and_wait(void *arg)
{
    rill_started();
    return sleep_for(arg);
}

TASK_TEST(the_group_cancels_a_task_that_was_started_into_it)
{
    ends = 0;
    rill_group group;
    rill_group_begin(&group);
    rill_task task = rill_start(be_ready_and_wait, &for_ever, .group = &group);
    rill_group_cancel(&group, "over");
    CHECK_INT(rill_wait(&task, 1, .timeout = 5), RILL_ECANCELED); /* we are inside it too */
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 0);
}

struct late {
    rill_group *group;
    rill_event go;
};

static int be_ready_late(void *arg)
{
    struct late *late = arg;
    rill_event_wait(&late->go);
    rill_started();
    return sleep_for(&for_ever);
}

static int start_late(void *arg)
{
    struct late *late = arg;
    return rill_start(be_ready_late, late, .group = late->group).id ? 0 : rill_errcode();
}

TASK_TEST(a_task_that_joins_a_cancelled_group_is_cancelled)
{
    rill_group group;
    rill_group_begin(&group);
    struct late late = { .group = &group };
    rill_event_init(&late.go);
    rill_task starter = rill_spawn(start_late, &late); /* a child of this task, not of the group */
    rill_sleep(0);
    rill_sleep(0);
    rill_group_cancel(&group, "over");
    rill_event_set(&late.go);
    double start = rill_now();
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK(rill_now() - start < 5);
    CHECK_INT(rill_join(starter), 0);
}

/* ---- shields ---- */

static int shield_in_a_cancelled_scope(void *arg)
{
    CHECK(rill_cancelled());
    CHECK_INT(rill_shielded(5, sleep_for, arg), 0);
    CHECK_INT(rill_shielded(RILL_FOREVER, sleep_for, arg), 0);
    CHECK_INT(rill_shielded(0.001, sleep_for, &for_ever), RILL_ETIMEDOUT);
    CHECK_INT(rill_shielded(0, sleep_for, arg), RILL_ETIMEDOUT);
    return rill_sleep(0);
}

TASK_TEST(shielded_work_is_done_though_the_task_is_cancelled_but_not_for_ever)
{
    ends = 0;
    CHECK_INT(rill_cancel_join(rill_spawn(shield_in_a_cancelled_scope, &a_moment)), RILL_ECANCELED);
    CHECK_INT(ends, 2);
}

static int leave_cleanup(int how)
{
    for (int i = 0; i < 2; i++) {
        RILL_CLEANUP(1.0)
        {
            RILL_CLEANUP(0.001)
            CHECK_INT(rill_sleep(for_ever), RILL_ECANCELED);
            CHECK_INT(rill_sleep(0), 0);
            if (how == 0)
                return 0;
            if (how == 1)
                break;
            if (how == 2)
                continue;
        }
        CHECK_INT(rill_sleep(0), RILL_ECANCELED);
    }
    return how;
}

static int leave_cleanups(void *arg)
{
    (void)arg;
    for (int how = 0; how < 4; how++)
        CHECK_INT(leave_cleanup(how), how);
    return rill_sleep(0);
}

TASK_TEST(a_cleanup_block_may_be_left_in_any_way)
{
    CHECK_INT(rill_cancel_join(rill_spawn(leave_cleanups, NULL)), RILL_ECANCELED);
}

TEST(a_cleanup_block_outside_tasks_runs_all_the_same)
{
    int runs = 0;
    RILL_CLEANUP(1.0)
    runs++;
    CHECK_INT(runs, 1);
}
