/* Groups and gather: tasks that end together. */
#include "in_task.h"

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static int running, most_running;

static int count_while_sleeping(void *arg)
{
    running++;
    most_running = running > most_running ? running : most_running;
    int rc = sleep_for(arg);
    running--;
    return rc;
}

static void reset_counts(void)
{
    running = most_running = ends = 0;
}

/* ---- ends ---- */

TASK_TEST(a_group_waits_for_all_its_tasks)
{
    reset_counts();
    rill_group group;
    CHECK_INT(rill_group_begin(&group), 0);
    for (int i = 0; i < 10; i++)
        CHECK(rill_spawn(sleep_for, &a_moment, .group = &group).id != 0);
    CHECK_INT(group.count, 10);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(group.count, 0);
    CHECK_INT(ends, 10);
}

TASK_TEST(a_group_returns_what_the_caller_gives_when_all_went_well)
{
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(sleep_for, &a_moment, .group = &group);
    CHECK_INT(rill_group_end(&group, 12), 12);
}

static int fail_after_cancel(void *arg)
{
    sleep_for(&for_ever);
    return fail_at_once(arg);
}

TASK_TEST(a_failure_of_the_callers_part_cancels_the_tasks)
{
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(fail_after_cancel, "a consequence", .group = &group);
    rill_sleep(0);
    CHECK_INT(rill_group_end(&group, rill_fail(RILL_EDNS, "the cause")), RILL_EDNS);
    CHECK_STR(rill_last_error()->message, "the cause");
}

TASK_TEST(a_task_that_failed_first_beats_the_callers_failure)
{
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(fail_at_once, "the cause", .group = &group);
    rill_sleep(0.001);
    CHECK_INT(rill_group_end(&group, rill_fail(RILL_EDNS, "a consequence")), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "the cause");
}

TASK_TEST(a_cancelled_member_is_no_failure)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group);
    rill_task task = rill_spawn(sleep_for, &for_ever, .group = &group);
    rill_spawn(sleep_for, &a_moment, .group = &group);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 1);
}

TASK_TEST(a_supervisor_logs_failures_and_goes_on)
{
    reset_counts();
    hear_the_log();
    rill_group group;
    rill_group_begin(&group, .supervisor = true);
    rill_spawn(fail_at_once, "logged", .group = &group, .name = "weak");
    rill_spawn(sleep_for, &a_moment, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 1);
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'weak'");
}

TASK_TEST(a_group_cancelled_by_its_owner_ends_well)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(sleep_for, &for_ever, .group = &group);
    rill_sleep(0);
    rill_group_cancel(&group, "enough");
    CHECK(rill_cancelled());
    CHECK_STR(rill_cancel_reason(), "enough");
    CHECK_INT(rill_group_end(&group, rill_sleep(1)), 0);
    CHECK(!rill_cancelled());
    CHECK_INT(ends, 0);
}

TASK_TEST(a_groups_timeout_ends_it)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group, .timeout = 0.01);
    rill_spawn(sleep_for, &for_ever, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), RILL_ETIMEDOUT);
    rill_group_begin(&group, .timeout = 0.01);
    CHECK_INT(rill_group_end(&group, rill_sleep(5)), RILL_ETIMEDOUT);
}

static int shielded_work(void *arg)
{
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    return rill_scope_end(&scope, sleep_for(arg));
}

TASK_TEST(race_tasks_that_complete_beat_the_groups_timeout)
{
    rill_group group;
    rill_group_begin(&group, .timeout = 0.005);
    rill_spawn(shielded_work, &a_while, .group = &group);
    CHECK_INT(rill_group_end(&group, 3), 3);
}

TASK_TEST(a_group_can_begin_and_end_inside_a_cancelled_scope)
{
    reset_counts();
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_scope_cancel(&scope, "before");
    rill_group group;
    CHECK_INT(rill_group_begin(&group), 0);
    CHECK(rill_spawn(sleep_for, &for_ever, .group = &group).id != 0);
    CHECK_INT(rill_group_end(&group, 0), RILL_ECANCELED);
    CHECK_INT(ends, 0);
    CHECK_INT(rill_scope_end(&scope, RILL_ECANCELED), RILL_ECANCELED);
}

/* ---- misuse ---- */

TASK_TEST(a_group_cannot_end_twice_nor_take_tasks_afterwards)
{
    rill_group group;
    rill_group_begin(&group);
    rill_scope scope;
    rill_scope_begin(&scope);
    CHECK_INT(rill_group_end(&group, 0), RILL_EINVAL);
    rill_scope_end(&scope, 0);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(rill_group_end(&group, 0), RILL_EINVAL);
    CHECK_INT(rill_spawn(sleep_for, &a_moment, .group = &group).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

TASK_TEST(members_are_neither_joined_nor_detached)
{
    rill_group group;
    rill_group_begin(&group);
    rill_task task = rill_spawn(sleep_for, &a_moment, .group = &group);
    CHECK_INT(rill_join(task), RILL_EINVAL);
    CHECK_INT(rill_detach(task), RILL_ESTALE);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(rill_join(task), RILL_ESTALE);
}

/* ---- limits ---- */

TASK_TEST(a_full_group_makes_the_spawner_wait)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group, .limit = 3);
    for (int i = 0; i < 10; i++) {
        CHECK(rill_spawn(count_while_sleeping, &a_moment, .group = &group).id != 0);
        CHECK(group.count <= 3);
    }
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 10);
    CHECK_INT(most_running, 3);
}

TASK_TEST(as_many_as_the_limit_start_at_once_and_one_more_waits)
{
    rill_group group;
    rill_group_begin(&group, .limit = 3);
    for (int i = 0; i < 3; i++) {
        rill_scope scope;
        rill_scope_begin(&scope);
        rill_scope_cancel(&scope, "it must not wait");
        CHECK(rill_spawn(sleep_for, &a_moment, .group = &group).id != 0);
        rill_scope_end(&scope, 0);
    }
    double start = rill_now();
    CHECK(rill_spawn(sleep_for, &a_moment, .group = &group).id != 0);
    CHECK(rill_now() - start >= a_moment / 2);
    CHECK_INT(rill_group_end(&group, 0), 0);
}

TASK_TEST(a_supervisor_keeps_its_limit_and_its_failures_free_their_places)
{
    reset_counts();
    hear_the_log();
    rill_group group;
    rill_group_begin(&group, .limit = 1, .supervisor = true);
    for (int i = 0; i < 3; i++)
        CHECK(rill_spawn(fail_at_once, "logged", .group = &group).id != 0);
    CHECK(rill_spawn(count_while_sleeping, &a_moment, .group = &group).id != 0);
    CHECK(!rill_cancelled());
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(logged_lines, 3);
    CHECK_INT(ends, 1);
}

struct spawner {
    rill_group *group;
    int failed;
};

static int spawn_five(void *arg)
{
    struct spawner *spawner = arg;
    for (int i = 0; i < 5; i++)
        if (!rill_spawn(count_while_sleeping, &a_moment, .group = spawner->group).id)
            spawner->failed++;
    return 0;
}

TASK_TEST(many_tasks_can_wait_for_places_of_one_group)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group, .limit = 2);
    struct spawner spawner = { .group = &group };
    rill_task tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = rill_spawn(spawn_five, &spawner);
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(spawner.failed, 0);
    CHECK_INT(ends, 20);
    CHECK_INT(most_running, 2);
}

static int spawn_beside_oneself(void *arg)
{
    struct spawner *spawner = arg;
    rill_sleep(0); /* the owner waits in its end now */
    return rill_spawn(count_while_sleeping, &a_moment, .group = spawner->group).id ? 0
                                                                                   : rill_errcode();
}

TASK_TEST(members_of_a_limited_group_can_spawn_while_its_owner_waits)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group, .limit = 3);
    struct spawner spawner = { .group = &group };
    rill_spawn(spawn_beside_oneself, &spawner, .group = &group);
    rill_spawn(spawn_beside_oneself, &spawner, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 2);
}

static int spawn_shielded(void *arg)
{
    struct spawner *spawner = arg;
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    rill_task task = rill_spawn(count_while_sleeping, &a_moment, .group = spawner->group);
    spawner->failed += !task.id;
    return rill_scope_end(&scope, 0);
}

TASK_TEST(the_end_of_a_cancelled_group_serves_those_who_still_wait_for_a_place)
{
    reset_counts();
    rill_group group;
    rill_group_begin(&group, .limit = 2);
    struct spawner spawner = { .group = &group };
    rill_spawn(spawn_shielded, &spawner, .group = &group);
    rill_spawn(shielded_work, &a_while, .group = &group);
    rill_sleep(0);
    rill_group_cancel(&group, "enough");
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(spawner.failed, 0);
}

TASK_TEST(waiting_for_a_place_can_be_cancelled)
{
    rill_group group;
    rill_group_begin(&group, .limit = 1);
    rill_spawn(sleep_for, &a_while, .group = &group);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    CHECK_INT(rill_spawn(sleep_for, &a_while, .group = &group).id, 0);
    CHECK_INT(rill_errcode(), RILL_ECANCELED);
    CHECK_INT(rill_scope_end(&scope, rill_errcode()), RILL_ETIMEDOUT);
    CHECK_INT(rill_group_end(&group, 0), 0);
}

/* ---- gather ---- */

TASK_TEST(gather_runs_a_function_on_every_element)
{
    reset_counts();
    double seconds[5] = { 0.04, 0.08, 0.12, 0.08, 0.04 };
    double start = rill_now();
    CHECK_INT(rill_gather(seconds, 5, sleep_for), 0);
    CHECK_INT(ends, 5);
    double took = rill_now() - start;
    CHECK(took >= 0.12 && took < 0.34);
}

TASK_TEST(gather_of_nothing_is_nothing)
{
    int none[1] = { 0 };
    CHECK_INT(rill_gather(none, 0, return_arg), 0);
}

TASK_TEST(gather_of_elements_without_a_size_is_refused)
{
    int items[2];
    rill_error errors[2];
    rill_gather_opts opts = { .size = sizeof opts, .fn = fail_at_once, .errors = errors };
    CHECK_INT(rill_gather_with(items, 2, 0, &opts), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "gather: its elements must have a size");
}

TASK_TEST(gather_of_ten_thousand)
{
    enum { COUNT = MANY_TASKS };
    static double seconds[COUNT];
    reset_counts();
    for (int i = 0; i < COUNT; i++)
        seconds[i] = 0.001;
    CHECK_INT(rill_gather(seconds, COUNT, sleep_for), 0);
    CHECK_INT(ends, COUNT);
    CHECK_INT(rill_gather(seconds, COUNT, sleep_for, .limit = 1000), 0);
    CHECK_INT(ends, 2 * COUNT);
}

static int fail_if_negative(void *arg)
{
    int value = *(int *)arg;
    if (value < 0)
        return rill_fail(value, "element %d", value);
    int rc = rill_sleep(value / 1000.0);
    ends += rc == 0;
    return rc;
}

TASK_TEST(gather_without_errors_ends_with_the_first_failure)
{
    reset_counts();
    int items[] = { 100000, RILL_EDNS, 100000 };
    double start = rill_now();
    CHECK_INT(rill_gather(items, 3, fail_if_negative), RILL_EDNS);
    CHECK_CONTAINS(rill_last_error()->message, "element");
    CHECK(rill_now() - start < 10);
    CHECK_INT(ends, 0);
}

TASK_TEST(gather_with_errors_runs_all_to_their_end)
{
    reset_counts();
    int items[] = { 10, RILL_EDNS, 20, RILL_ETLS, 0 };
    rill_error errors[5];
    CHECK_INT(rill_gather(items, 5, fail_if_negative, .errors = errors), 0);
    CHECK_INT(ends, 3);
    int expected[] = { 0, RILL_EDNS, 0, RILL_ETLS, 0 };
    for (int i = 0; i < 5; i++)
        CHECK_INT(errors[i].code, expected[i]);
    CHECK_CONTAINS(errors[1].message, "element");
}

TASK_TEST(gather_words_an_error_that_has_none)
{
    int items[] = { RILL_EDNS };
    rill_error errors[1];
    CHECK_INT(rill_gather(items, 1, return_arg, .errors = errors), 0);
    CHECK_INT(errors[0].code, RILL_EDNS);
    CHECK_STR(errors[0].message, rill_code_text(RILL_EDNS));
}

TASK_TEST(gather_keeps_its_limit)
{
    reset_counts();
    double seconds[20];
    for (int i = 0; i < 20; i++)
        seconds[i] = 0.002;
    CHECK_INT(rill_gather(seconds, 20, count_while_sleeping, .limit = 4), 0);
    CHECK_INT(ends, 20);
    CHECK_INT(most_running, 4);
}

struct gathering {
    double seconds[8];
    rill_error errors[8];
    size_t limit;
};

static int gather_it(void *arg)
{
    struct gathering *gathering = arg;
    return rill_gather(gathering->seconds, 8, sleep_for, .errors = gathering->errors,
                       .limit = gathering->limit);
}

static void cancel_gather(size_t limit)
{
    reset_counts();
    struct gathering gathering = { .limit = limit };
    gathering.seconds[0] = 0.001;
    for (int i = 1; i < 8; i++)
        gathering.seconds[i] = 1000;
    rill_task task = rill_spawn(gather_it, &gathering);
    while (ends == 0)
        rill_sleep(0.001);
    rill_cancel(task, .reason = "stop it");
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(ends, 1);
    CHECK_INT(gathering.errors[0].code, 0);
    for (int i = 1; i < 8; i++)
        CHECK_INT(gathering.errors[i].code, RILL_ECANCELED);
}

TASK_TEST(a_cancelled_gather_cancels_its_elements)
{
    cancel_gather(0);
}

TASK_TEST(a_cancelled_gather_tells_of_elements_that_never_started)
{
    cancel_gather(3);
}

static int set_and_return(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static int gather_at_once(void *arg)
{
    CHECK_INT(rill_gather((bool *)arg, 3, set_and_return), 0);
    return rill_sleep(0);
}

TASK_TEST(race_a_gather_whose_elements_have_ended_is_not_cancelled)
{
    bool ran[3] = { false };
    rill_task task = rill_spawn(gather_at_once, ran);
    for (int turns = 0; !ran[2]; turns++) { /* it has been woken, and has not run yet */
        REQUIRE(turns < 10);
        rill_sleep(0);
    }
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
}

TASK_TEST(a_gather_inside_a_cancelled_scope_starts_nothing)
{
    reset_counts();
    struct gathering gathering = { 0 };
    rill_task task = rill_spawn(gather_it, &gathering);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(ends, 0);
    for (int i = 0; i < 8; i++)
        CHECK_INT(gathering.errors[i].code, RILL_ECANCELED);
}

TASK_TEST(an_element_without_memory_for_its_stack_fails_alone)
{
    int items[] = { 1, 2 };
    rill_error errors[2];
    CHECK_INT(rill_gather(items, 2, return_arg, .errors = errors, .stack = SIZE_MAX), 0);
    CHECK_INT(errors[0].code, RILL_EINVAL);
    CHECK_INT(errors[1].code, RILL_EINVAL);
    CHECK_INT(rill_gather(items, 2, return_arg, .stack = SIZE_MAX), RILL_EINVAL);
}
