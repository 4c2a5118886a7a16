/* Wrong use: each has an answer, and leaves everything as it was. */
#include "child.h"
#include "in_task.h"

#include <rill/join.h>

static int return_zero(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- handles that are used up ---- */

static void check_used_up(rill_task task)
{
    size_t index = 9;
    CHECK_INT(rill_join(task), RILL_ESTALE);
    CHECK_INT(rill_errcode(), RILL_ESTALE);
    CHECK_INT(rill_cancel_join(task), RILL_ESTALE);
    CHECK_INT(rill_cancel(task), RILL_ESTALE);
    CHECK_INT(rill_detach(task), RILL_ESTALE);
    CHECK(rill_task_done(task));
    CHECK_INT(rill_wait(&task, 1), 1);
    CHECK_INT(rill_wait(&task, 1, .until = RILL_WAIT_ERROR), 1);
    rill_auto(rill_as_completed) order = rill_as_completed_new(&task, 1);
    CHECK_INT(rill_as_completed_next(order, &index), 1);
    CHECK_INT(index, 0);
    CHECK_INT(rill_as_completed_next(order, &index), 0);
}

TASK_TEST(a_handle_that_is_used_up_is_stale_everywhere)
{
    rill_task joined = rill_spawn(return_zero, NULL);
    CHECK_INT(rill_join(joined), 0);
    check_used_up(joined);

    rill_task cancelled = rill_spawn(sleep_for, &for_ever);
    CHECK_INT(rill_cancel_join(cancelled), RILL_ECANCELED);
    check_used_up(cancelled);

    rill_task detached = rill_spawn(return_zero, NULL);
    CHECK_INT(rill_detach(detached), 0);
    rill_sleep(0);
    check_used_up(detached);

    rill_group group;
    rill_group_begin(&group);
    rill_task member = rill_spawn(return_zero, NULL, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
    check_used_up(member);

    check_used_up((rill_task){ 0 });
    check_used_up((rill_task){ UINT64_MAX });
    check_used_up((rill_task){ joined.id + 1 });
}

TASK_TEST(a_detached_task_can_be_cancelled_and_waited_for_but_not_joined)
{
    rill_task task = rill_spawn(sleep_for, &for_ever);
    CHECK_INT(rill_detach(task), 0);
    CHECK_INT(rill_detach(task), RILL_ESTALE);
    CHECK_INT(rill_join(task), RILL_ESTALE);
    CHECK_INT(rill_cancel_join(task), RILL_ESTALE);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_cancel(task), 0);
    CHECK_INT(rill_wait(&task, 1), 1);
}

/* ---- oneself ---- */

static int do_it_to_oneself(void *arg)
{
    rill_task self = rill_self();
    CHECK_INT(rill_join(self), RILL_EDEADLOCK);
    CHECK_INT(rill_cancel_join(self), RILL_EDEADLOCK);
    CHECK(!rill_cancelled()); /* it was not even asked */
    CHECK_INT(rill_wait(&self, 1, .timeout = 0.001), RILL_EDEADLOCK);
    CHECK(!rill_as_completed_new(&self, 1));
    CHECK(!rill_task_done(self));
    if (arg)
        CHECK_INT(rill_detach(self), 0);
    CHECK_INT(rill_join(self), RILL_EDEADLOCK); /* detached or not */
    CHECK_INT(rill_cancel(self, .reason = "myself"), 0);
    CHECK_STR(rill_cancel_reason(), "myself");
    return rill_sleep(0);
}

TASK_TEST(a_task_may_cancel_itself_but_not_wait_for_itself)
{
    rill_task task = rill_spawn(do_it_to_oneself, NULL);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    task = rill_spawn(do_it_to_oneself, &task);
    CHECK_INT(rill_wait(&task, 1), 1);
}

/* ---- scopes ---- */

TASK_TEST(a_scope_begins_once_until_it_has_ended)
{
    rill_scope scope, inner;
    CHECK_INT(rill_scope_begin(&scope), 0);
    CHECK_INT(rill_scope_begin(&scope), RILL_EINVAL);
    rill_scope_begin(&inner);
    CHECK_INT(rill_scope_begin(&scope, .timeout = 0.001), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "scope: it has begun already, and not ended");
    CHECK_INT(rill_scope_end(NULL, 0), RILL_EINVAL);
    CHECK_INT(rill_scope_end(&inner, 0), 0);
    CHECK_INT(rill_scope_end(&scope, 0), 0);
    CHECK_INT(rill_scope_end(&scope, 0), RILL_EINVAL);
    CHECK_INT(rill_scope_begin(&scope), 0);
    CHECK_INT(rill_scope_end(&scope, 0), 0);
    rill_scope_cancel(&scope, "too late"); /* a scope that has ended has nothing to cancel */
    rill_scope_set_timeout(&scope, 0.001);
    CHECK_INT(rill_sleep(0.002), 0);
}

/* ---- groups ---- */

static rill_group *the_group;

static int end_the_group(void *arg)
{
    (void)arg;
    return rill_group_end(the_group, 0);
}

static int begin_the_group(void *arg)
{
    (void)arg;
    return rill_group_begin(the_group);
}

static int end_it_from_a_child(void *arg)
{
    return rill_join(rill_spawn(end_the_group, arg));
}

static int end_it_from_a_scope(void *arg)
{
    return rill_within(1, end_the_group, arg);
}

static int begin_and_end(void *arg)
{
    int *codes = arg;
    codes[0] = begin_the_group(NULL);
    codes[1] = end_the_group(NULL);
    codes[2] = end_it_from_a_child(NULL);
    codes[3] = end_it_from_a_scope(NULL);
    return 0;
}

TASK_TEST(a_member_neither_begins_nor_ends_its_group)
{
    int codes[4] = { 0 };
    rill_group group;
    the_group = &group;
    rill_group_begin(&group);
    rill_spawn(begin_and_end, codes, .group = &group);
    rill_sleep(0.002);
    CHECK_INT(codes[0], RILL_EINVAL);
    for (int i = 1; i < 4; i++)
        CHECK_INT(codes[i], RILL_EDEADLOCK);
    CHECK_INT(rill_group_end(&group, 5), 5);
}

TASK_TEST(a_group_is_ended_once_by_the_task_that_began_it)
{
    rill_group group;
    the_group = &group;
    CHECK_INT(rill_group_begin(&group), 0);
    CHECK_INT(rill_group_begin(&group), RILL_EINVAL);
    CHECK_INT(rill_join(rill_spawn(end_the_group, NULL)), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "did not begin it");
    CHECK_INT(rill_within(1, end_the_group, NULL), RILL_EINVAL);
    CHECK_INT(rill_within(1, begin_the_group, NULL), RILL_EINVAL);
    ends = 0;
    CHECK(rill_spawn(sleep_for, &a_moment, .group = &group).id != 0); /* it is as it was */
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_INT(ends, 1);
    CHECK_INT(rill_group_end(&group, 0), RILL_EINVAL);
    CHECK_INT(rill_spawn(return_zero, NULL, .group = &group).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_start(return_zero, NULL, .group = &group).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "spawn: the group has ended");
    rill_group_cancel(&group, "too late");
    CHECK_INT(rill_sleep(0), 0);
}

static int spawn_in_it(void *arg)
{
    return rill_spawn(return_zero, arg, .group = the_group).id ? 0 : rill_errcode();
}

TASK_TEST(a_group_that_waits_for_its_end_still_takes_tasks_of_its_own)
{
    rill_group group;
    the_group = &group;
    rill_group_begin(&group);
    rill_spawn(spawn_in_it, NULL, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
}

/* ---- what cannot be mended ends the program with a word ---- */

static int leave_group_open(void *arg)
{
    static rill_group group;
    (void)arg;
    return rill_group_begin(&group);
}

static int leave_group_open_in_time(void *arg)
{
    int rc = rill_within(1, leave_group_open, arg);
    rill_sleep(0); /* not reached: what it began would lie in a frame that is gone */
    return rc;
}

static int run_leave_group_open_in_time(void)
{
    return rill_run(leave_group_open_in_time, NULL);
}

static int run_leave_group_open(void)
{
    return rill_run(leave_group_open, NULL);
}

TEST(returning_inside_a_group_ends_the_program_with_a_word)
{
    struct child child = run_in_child(run_leave_group_open);
    CHECK(died_of(&child, SIGABRT));
    CHECK_CONTAINS(child.said, "'main' returned inside a scope or group");
    child = run_in_child(run_leave_group_open_in_time);
    CHECK(died_of(&child, SIGABRT));
    CHECK_CONTAINS(child.said, "'main' returned inside a scope or group");
}
