/* Tasks: spawning, joining, detaching, cancelling, and what becomes of tasks and errors. */
#include "child.h"
#include "in_task.h"

#include <time.h>

#include <pthread.h>

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static char trace[64];

static int write_letters(void *arg)
{
    const char *letters = arg;
    for (; *letters; letters++) {
        size_t len = strlen(trace);
        trace[len] = *letters;
        trace[len + 1] = '\0';
        rill_sleep(0);
    }
    return 0;
}

/* ---- spawning and joining ---- */

TASK_TEST(join_returns_what_the_function_returned)
{
    int seven = 7;
    rill_task task = rill_spawn(return_arg, &seven);
    CHECK(task.id != 0);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_join(task), 7);
    CHECK(rill_task_done(task));
}

TASK_TEST(a_spawned_task_runs_when_the_caller_waits)
{
    trace[0] = '\0';
    rill_task a = rill_spawn(write_letters, "abc");
    rill_task b = rill_spawn(write_letters, "xyz");
    CHECK_STR(trace, "");
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_STR(trace, "axbycz");
}

TASK_TEST(join_collects_a_task_that_ended_long_ago)
{
    int three = 3;
    rill_task task = rill_spawn(return_arg, &three);
    rill_sleep(0);
    rill_sleep(0);
    CHECK(rill_task_done(task));
    CHECK_INT(rill_join(task), 3);
}

TASK_TEST(join_brings_the_error)
{
    rill_task early = rill_spawn(fail_at_once, "no answer", .name = "early");
    CHECK_INT(rill_join(early), RILL_EREFUSED);
    CHECK_INT(rill_errcode(), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "no answer");
    rill_task late = rill_spawn(fail_at_once, "too late");
    rill_sleep(0);
    CHECK(rill_task_done(late));
    CHECK_INT(rill_join(late), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "too late");
}

TASK_TEST(join_makes_an_error_when_the_task_made_none)
{
    int code = RILL_ETLS;
    rill_fail(RILL_EINVAL, "an error of before");
    CHECK_INT(rill_join(rill_spawn(return_arg, &code, .name = "mute")), RILL_ETLS);
    CHECK_INT(rill_errcode(), RILL_ETLS);
    CHECK_CONTAINS(rill_last_error()->message, "mute");
}

TASK_TEST(the_second_join_finds_a_stale_handle)
{
    int one = 1;
    rill_task task = rill_spawn(return_arg, &one);
    CHECK_INT(rill_join(task), 1);
    CHECK_INT(rill_join(task), RILL_ESTALE);
    CHECK_INT(rill_detach(task), RILL_ESTALE);
    CHECK_INT(rill_cancel(task), RILL_ESTALE);
    CHECK_INT(rill_join((rill_task){ 0 }), RILL_ESTALE);
    CHECK_INT(rill_join((rill_task){ UINT64_MAX }), RILL_ESTALE);
}

TASK_TEST(a_handle_is_not_taken_for_a_later_task)
{
    int one = 1;
    rill_task first = rill_spawn(return_arg, &one);
    CHECK_INT(rill_join(first), 1);
    for (int i = 0; i < 1000; i++) {
        rill_task later = rill_spawn(return_arg, &one);
        CHECK(later.id != first.id);
        CHECK_INT(rill_cancel(first), RILL_ESTALE);
        CHECK_INT(rill_join(later), 1);
    }
}

TASK_TEST(a_task_cannot_join_itself)
{
    CHECK_INT(rill_join(rill_self()), RILL_EDEADLOCK);
}

static int join_it(void *arg)
{
    return rill_join(*(rill_task *)arg);
}

static int fail_later(void *arg)
{
    rill_sleep(0.01);
    return fail_at_once(arg);
}

TASK_TEST(two_joiners_both_get_the_result_and_the_error)
{
    rill_task task = rill_spawn(fail_later, "for both");
    rill_task a = rill_spawn(join_it, &task), b = rill_spawn(join_it, &task);
    CHECK_INT(rill_join(a), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "for both");
    CHECK_INT(rill_join(b), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "for both");
    CHECK_INT(rill_join(task), RILL_ESTALE);
}

TASK_TEST(a_cancelled_join_leaves_the_task_to_be_joined_again)
{
    ends = 0;
    rill_task task = rill_spawn(sleep_for, &a_while);
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    CHECK_INT(rill_scope_end(&scope, rill_join(task)), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(ends, 1);
}

TEST(outside_tasks_calls_fail)
{
    int rc = rill_join((rill_task){ 1 });
    CHECK_INT(rc, RILL_ENOTASK);
    CHECK_INT(rill_spawn(fail_at_once, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK_INT(rill_sleep(1), RILL_ENOTASK);
    CHECK_INT(rill_sleep(0), RILL_ENOTASK);
    CHECK_CONTAINS(rill_last_error()->message, "outside a task");
    rill_scope scope;
    CHECK_INT(rill_scope_begin(&scope), RILL_ENOTASK);
    rill_group group;
    CHECK_INT(rill_group_begin(&group), RILL_ENOTASK);
    int items[1];
    CHECK_INT(rill_gather(items, 1, fail_at_once), RILL_ENOTASK);
    CHECK_INT(rill_to_thread(fail_at_once, NULL), RILL_ENOTASK);
    CHECK_INT(rill_within(1, fail_at_once, NULL), RILL_ENOTASK);
    CHECK_INT(rill_every(1, fail_at_once, NULL).id, 0);
    CHECK_INT(rill_self().id, 0);
    CHECK_STR(rill_self_name(), "");
    CHECK(!rill_cancelled());
    CHECK_STR(rill_cancel_reason(), "");
    CHECK(rill_now() > 0);
}

TASK_TEST(names_are_copied_and_cut)
{
    CHECK_STR(rill_self_name(), "main");
    char name[] = "0123456789012345678901234567890123456789";
    rill_task task = rill_spawn(sleep_for, &for_ever, .name = name);
    memset(name, 'x', sizeof name - 1);
    rill_sleep(0);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
}

TASK_TEST(a_stack_that_is_too_large_is_refused)
{
    int one = 1;
    CHECK_INT(rill_spawn(return_arg, &one, .stack = (size_t)1 << 30).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "at most");
}

/* ---- detaching ---- */

static rill_task offspring;
static bool child_ended;

static int child_of_spawner(void *arg)
{
    (void)arg;
    int rc = rill_sleep(0.02);
    child_ended = true;
    return rc;
}

static int spawn_and_detach(void *arg)
{
    (void)arg;
    offspring = rill_spawn(child_of_spawner, NULL);
    return rill_detach(offspring);
}

TASK_TEST(a_detached_task_outlives_its_spawner)
{
    child_ended = false;
    CHECK_INT(rill_join(rill_spawn(spawn_and_detach, NULL)), 0);
    CHECK(!child_ended);
    CHECK_INT(rill_join(offspring), RILL_ESTALE);
    CHECK_INT(rill_detach(offspring), RILL_ESTALE);
    CHECK_INT(rill_sleep(0.05), 0);
    CHECK(child_ended);
}

static char reason[96];

static int wait_and_keep_reason(void *arg)
{
    int rc = sleep_for(arg);
    snprintf(reason, sizeof reason, "%s", rill_cancel_reason());
    return rc;
}

static int detach_and_end(void *arg)
{
    (void)arg;
    return rill_detach(rill_spawn(wait_and_keep_reason, &for_ever));
}

TEST(detached_tasks_are_cancelled_when_the_loop_ends)
{
    CHECK_INT(rill_run(detach_and_end, NULL), 0);
    CHECK_STR(reason, "the loop has ended");
}

static int detach_child_for_ever(void *arg)
{
    return rill_detach(rill_spawn(wait_and_keep_reason, arg));
}

/* A task below a shield is not cancelled when the loop ends; but what it detaches then is. */
static int end_with_a_shielded_group(void *arg)
{
    (void)arg;
    CHECK_INT(rill_sleep(for_ever), RILL_ECANCELED);
    rill_scope shield;
    rill_scope_begin(&shield, .shield = true, .timeout = 5);
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(detach_child_for_ever, &for_ever, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
    return rill_scope_end(&shield, 0);
}

static int leave_shielded_group(void *arg)
{
    rill_detach(rill_spawn(end_with_a_shielded_group, arg));
    return rill_sleep(0);
}

TEST(a_task_that_is_detached_while_the_loop_ends_is_cancelled_too)
{
    reason[0] = '\0';
    double start = rill_now();
    CHECK_INT(rill_run(leave_shielded_group, NULL), 0);
    CHECK_STR(reason, "the loop has ended");
    CHECK(rill_now() - start < 4);
}

TASK_TEST(a_detached_task_that_fails_is_logged)
{
    hear_the_log();
    rill_detach(rill_spawn(fail_at_once, "broken", .name = "lonely"));
    rill_task done = rill_spawn(fail_at_once, "broken too", .name = "early");
    rill_sleep(0);
    CHECK(rill_task_done(done));
    CHECK_INT(rill_detach(done), 0);
    CHECK_INT(logged_lines, 2);
    CHECK_CONTAINS(logged, "'lonely' (");
    CHECK_CONTAINS(logged, "task_test.c:");
    CHECK_CONTAINS(logged, "nobody joined it: broken\n");
    CHECK_CONTAINS(logged, "'early' (");
    CHECK_CONTAINS(logged, "broken too");
}

/* ---- children ---- */

static int leave_children(void *arg)
{
    (void)arg;
    rill_spawn(wait_and_keep_reason, &for_ever);
    rill_spawn(sleep_for, &for_ever);
    rill_spawn(fail_at_once, "unseen", .name = "orphan");
    rill_sleep(0);
    return 5;
}

TASK_TEST(children_end_with_their_parent_and_unjoined_failures_are_logged)
{
    hear_the_log();
    ends = 0;
    double start = rill_now();
    CHECK_INT(rill_join(rill_spawn(leave_children, NULL)), 5);
    CHECK(rill_now() - start < 1);
    CHECK_INT(ends, 0);
    CHECK_STR(reason, "the task that spawned it has ended");
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'orphan'");
}

static int spawn_slow_to_end(void *arg)
{
    offspring = rill_spawn(arg ? sleep_for : child_of_spawner, arg);
    return rill_sleep(0);
}

static int ignore_cancel(void *arg)
{
    (void)arg;
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    rill_sleep(0.2);
    rill_scope_end(&scope, 0);
    return 0;
}

static int leave_stubborn_child(void *arg)
{
    (void)arg;
    offspring = rill_spawn(ignore_cancel, NULL);
    return rill_sleep(0);
}

TASK_TEST(a_parent_ends_though_another_task_joins_its_child)
{
    rill_task parent = rill_spawn(leave_stubborn_child, NULL);
    rill_sleep(0);
    rill_task joiner = rill_spawn(join_it, &offspring);
    CHECK_INT(rill_within(5, join_it, &parent), 0);
    CHECK_INT(rill_join(joiner), 0);
}

TASK_TEST(a_parent_ends_though_another_task_detaches_its_child)
{
    rill_task parent = rill_spawn(leave_stubborn_child, NULL);
    rill_sleep(0.01); /* the parent waits for the child now */
    CHECK_INT(rill_detach(offspring), 0);
    double start = rill_now();
    CHECK_INT(rill_within(5, join_it, &parent), 0);
    CHECK(rill_now() - start < 0.15);
}

TASK_TEST(grandchildren_are_cancelled_too)
{
    ends = 0;
    rill_task task = rill_spawn(spawn_slow_to_end, &for_ever);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(ends, 0);
}

/* ---- cancelling ---- */

TASK_TEST(a_cancelled_wait_says_why)
{
    rill_task task = rill_spawn(wait_and_keep_reason, &for_ever);
    rill_sleep(0);
    CHECK_INT(rill_cancel(task, .reason = "the user went away"), 0);
    CHECK(!rill_task_done(task));
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_STR(reason, "the user went away");
    CHECK_STR(rill_last_error()->message, "sleep: cancelled: the user went away");
}

TASK_TEST(a_long_reason_is_cut)
{
    char text[300];
    memset(text, 'r', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rill_task task = rill_spawn(wait_and_keep_reason, &for_ever);
    rill_sleep(0);
    rill_cancel(task, .reason = text);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(strlen(reason), 95);
}

static bool body_ran;

static int note_that_it_ran(void *arg)
{
    (void)arg;
    body_ran = true;
    CHECK(rill_cancelled());
    CHECK_INT(rill_sleep(0), RILL_ECANCELED);
    CHECK_INT(rill_sleep(1), RILL_ECANCELED);
    return rill_errcode();
}

TASK_TEST(cancel_before_the_first_run_runs_the_body)
{
    rill_task task = rill_spawn(note_that_it_ran, NULL);
    rill_cancel(task, .reason = "early");
    CHECK(!body_ran);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK(body_ran);
}

TASK_TEST(cancelling_a_task_that_has_ended_or_oneself_is_fine)
{
    int two = 2;
    rill_task task = rill_spawn(return_arg, &two);
    rill_sleep(0);
    CHECK_INT(rill_cancel(task), 0);
    CHECK_INT(rill_join(task), 2);
    rill_task other = rill_spawn(wait_and_keep_reason, &for_ever);
    rill_cancel(other);
    rill_join(other);
    CHECK_STR(reason, "");
}

static int cancel_self(void *arg)
{
    (void)arg;
    CHECK_INT(rill_cancel(rill_self(), .reason = "enough"), 0);
    CHECK(rill_cancelled());
    return rill_sleep(1);
}

TASK_TEST(a_task_may_cancel_itself)
{
    CHECK_INT(rill_join(rill_spawn(cancel_self, NULL)), RILL_ECANCELED);
    CHECK_CONTAINS(rill_last_error()->message, "enough");
}

static int spin(void *arg)
{
    unsigned *turns = arg;
    while (rill_sleep(1) < 0 && *turns < 20000)
        ++*turns;
    return 0;
}

TASK_TEST(code_that_ignores_its_cancellation_lets_others_run_and_is_reported)
{
    hear_the_log();
    unsigned turns = 0;
    rill_task task = rill_spawn(spin, &turns, .name = "stubborn");
    rill_cancel(task, .reason = "stop");
    rill_sleep(0);
    rill_sleep(0);
    CHECK(turns > 60 && turns < 100);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(turns, 20000);
    CHECK_INT(logged_lines, 1);
    CHECK_CONTAINS(logged, "'stubborn'");
    CHECK_CONTAINS(logged, "ignores that it is cancelled");
}

/* ---- rill_run ---- */

static int return_300(void *arg)
{
    (void)arg;
    return 300;
}

TASK_TEST(a_moment_that_has_passed_is_not_waited_for)
{
    CHECK_INT(rill_within(0.2, sleep_for, &(double){ -0.001 }), 0);
    CHECK_INT(rill_within(0.01, sleep_for, &(double){ RILL_FOREVER }), RILL_ETIMEDOUT);
}

static int run_inside(void *arg)
{
    (void)arg;
    return rill_run(return_300, NULL);
}

static rill_task the_main;

static int join_main(void *arg)
{
    (void)arg;
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    rill_sleep(0.01); /* the first task has ended by now */
    int rc = rill_scope_end(&scope, rill_join(the_main));
    CHECK_INT(rc, 4);
    return rc;
}

static int end_before_joiner(void *arg)
{
    (void)arg;
    the_main = rill_self();
    rill_detach(rill_spawn(join_main, NULL));
    CHECK_INT(rill_detach(the_main), RILL_ESTALE);
    return 4;
}

TEST(run_turns_results_into_exit_statuses)
{
    int zero = 0, seven = 7, code = RILL_EDNS;
    CHECK_INT(rill_run(return_arg, &zero), 0);
    CHECK_INT(rill_run(return_arg, &seven), 7);
    CHECK_INT(rill_run(return_300, NULL), 255);
    CHECK_INT(rill_run(return_arg, &code), 1);
    CHECK_INT(rill_run(fail_at_once, "told on stderr"), 1);
    CHECK_INT(rill_run(run_inside, NULL), 1);
}

TEST(the_first_task_can_be_joined_after_its_end)
{
    CHECK_INT(rill_run(end_before_joiner, NULL), 4);
}

TEST(loops_can_follow_each_other)
{
    for (int i = 0; i < 50; i++)
        CHECK_INT(rill_run(return_arg, &i), i);
}

static int leave_scope_open(void *arg)
{
    static rill_scope scope;
    (void)arg;
    return rill_scope_begin(&scope, .timeout = 1);
}

static int run_leave_scope_open(void)
{
    return rill_run(leave_scope_open, NULL);
}

TEST(returning_inside_a_scope_ends_the_program_with_a_word)
{
    struct child child = run_in_child(run_leave_scope_open);
    CHECK(died_of(&child, SIGABRT));
    CHECK_CONTAINS(child.said, "'main'");
    CHECK_CONTAINS(child.said, "returned inside a scope");
}

TASK_TEST(ten_thousand_tasks_at_once)
{
    enum { COUNT = MANY_TASKS };
    static rill_task tasks[COUNT];
    ends = 0;
    for (int i = 0; i < COUNT; i++) {
        tasks[i] = rill_spawn(sleep_for, &a_moment);
        REQUIRE(tasks[i].id);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_INT(ends, COUNT);
}

/* ---- deadlock ---- */

static rill_task first_of_two, second_of_two;

static int join_first(void *arg)
{
    (void)arg;
    return rill_join(first_of_two);
}

static int join_second(void *arg)
{
    (void)arg;
    return rill_join(second_of_two);
}

static void *interrupt_later(void *arg)
{
    usleep(100000);
    kill(getpid(), SIGTERM);
    return arg;
}

static int wait_in_a_ring(void *arg)
{
    (void)arg;
    first_of_two = rill_spawn(join_second, NULL, .name = "first");
    second_of_two = rill_spawn(join_first, NULL, .name = "second");
    return rill_join(first_of_two);
}

static int run_ring(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_later, NULL);
    int status = rill_run(wait_in_a_ring, NULL);
    pthread_join(thread, NULL);
    return status;
}

TEST(tasks_that_wait_for_each_other_are_reported)
{
    struct child child = run_in_child(run_ring);
    CHECK(WIFEXITED(child.status));
    CHECK_INT(WEXITSTATUS(child.status), 143);
    CHECK_CONTAINS(child.said, "deadlock");
    CHECK_CONTAINS(child.said, "'first' (");
    CHECK_CONTAINS(child.said, "'second' (");
    CHECK_CONTAINS(child.said, "for join");
}

static int run_twice(void)
{
    return rill_run(run_inside, NULL);
}

TEST(running_inside_a_task_is_explained)
{
    struct child child = run_in_child(run_twice);
    CHECK_INT(WEXITSTATUS(child.status), 1);
    CHECK_STR(child.said, "error: run: a loop runs on this thread already\n");
}

static int run_endless_sleep(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_later, NULL);
    int status = rill_run(sleep_for, &(double){ RILL_FOREVER });
    pthread_join(thread, NULL);
    return status;
}

TEST(waiting_for_a_signal_is_no_deadlock)
{
    struct child child = run_in_child(run_endless_sleep);
    CHECK_INT(WEXITSTATUS(child.status), 143);
    CHECK_STR(child.said, "");
}

/* ---- detached after a cancellation ---- */

static int detach_when_cancelled(void *arg)
{
    rill_scope scope;
    CHECK_INT(rill_sleep(for_ever), RILL_ECANCELED);
    CHECK_INT(rill_detach(rill_self()), 0);
    rill_scope_begin(&scope, .shield = true, .timeout = 5);
    CHECK_INT(rill_sleep(a_while), 0); /* the spawner has ended, another has its stack */
    rill_scope_end(&scope, 0);
    CHECK_INT(rill_sleep(0), RILL_ECANCELED);
    CHECK_STR(rill_cancel_reason(), "enough");
    CHECK_CONTAINS(rill_last_error()->message, "enough");
    *(bool *)arg = true;
    return 0;
}

static int spawn_and_sleep(void *arg)
{
    rill_spawn(detach_when_cancelled, arg);
    return rill_sleep(for_ever);
}

TASK_TEST(a_detached_task_keeps_the_reason_it_was_cancelled_for)
{
    bool over = false;
    rill_task spawner = rill_spawn(spawn_and_sleep, &over);
    rill_sleep(a_moment);
    CHECK_INT(rill_cancel(spawner, .reason = "enough"), 0);
    CHECK_INT(rill_join(spawner), RILL_ECANCELED);
    rill_task other = rill_spawn(sleep_for, &a_moment);
    CHECK_INT(rill_join(other), 0);
    CHECK_INT(rill_sleep(a_while * 3), 0);
    CHECK(over);
}

/* ---- fairness ---- */

static int spins;
static bool slept;

/* Computes for 5 ms between two yields, until the sleeper has woken up. */
static int compute(void *arg)
{
    (void)arg;
    while (!slept && spins < 1000) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        double end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + 0.005;
        do
            clock_gettime(CLOCK_MONOTONIC, &now);
        while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < end);
        spins++;
        rill_sleep(0);
    }
    return 0;
}

TASK_TEST(tasks_that_compute_do_not_keep_a_timer_waiting_for_long)
{
    if (getenv("RILL_TEST_DRIVER")) {
        test_skip("simulated time stands still while a task computes");
        return;
    }
    rill_task computer = rill_spawn(compute, NULL);
    CHECK_INT(rill_sleep(0.01), 0);
    slept = true;
    CHECK_INT(rill_join(computer), 0);
    CHECK(spins >= 1);
    CHECK(spins < 20); /* of 5 ms, and not one for each of a turn's switches */
}
