/* What a task has of its own: deferred calls, values, memory. */
#include "base/alloc.h"
#include "in_task.h"
#include "io/sim.h"
#include "runtime/runtime.h"

#include <rill/join.h>
#include <rill/local.h>
#include <stdlib.h>

static char trace[256];

static int note(void *arg)
{
    strcat(trace, (const char *)arg);
    return 0;
}

/* ---- defer ---- */

TASK_TEST(deferred_calls_run_in_reverse_order_when_the_scope_ends)
{
    trace[0] = '\0';
    rill_scope outer, inner;
    rill_scope_begin(&outer);
    CHECK_INT(rill_defer(note, "outer "), 0);
    rill_scope_begin(&inner);
    CHECK_INT(rill_defer(note, "first "), 0);
    CHECK_INT(rill_defer(note, "second "), 0);
    CHECK_STR(trace, "");
    CHECK_INT(rill_scope_end(&outer, 0), RILL_EINVAL); /* changes nothing */
    CHECK_STR(trace, "");
    CHECK_INT(rill_scope_end(&inner, 3), 3);
    CHECK_STR(trace, "second first ");
    CHECK_INT(rill_scope_end(&outer, 0), 0);
    CHECK_STR(trace, "second first outer ");
}

static int defer_and_return(void *arg)
{
    rill_defer(note, "task ");
    strcat(trace, "body ");
    return *(int *)arg;
}

TASK_TEST(without_a_scope_they_run_at_the_end_of_the_task)
{
    trace[0] = '\0';
    int four = 4;
    CHECK_INT(rill_join(rill_spawn(defer_and_return, &four)), 4);
    CHECK_STR(trace, "body task ");
}

static int sleep_and_note(void *arg)
{
    CHECK(!rill_cancelled());
    CHECK_INT(rill_sleep(0.002), 0);
    return note(arg);
}

static int defer_and_sleep(void *arg)
{
    (void)arg;
    rill_defer(sleep_and_note, "task ");
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_defer(sleep_and_note, "scope ");
    int rc = rill_sleep(for_ever);
    rc = rill_scope_end(&scope, rc);
    CHECK_CONTAINS(rill_last_error()->message, "enough");
    return rc;
}

TASK_TEST(they_run_and_may_wait_though_the_task_is_cancelled)
{
    trace[0] = '\0';
    rill_task task = rill_spawn(defer_and_sleep, NULL);
    rill_sleep(0);
    CHECK_INT(rill_cancel_join(task, .reason = "enough"), RILL_ECANCELED);
    CHECK_STR(trace, "scope task ");
    CHECK_CONTAINS(rill_last_error()->message, "enough");
    trace[0] = '\0';
    CHECK_INT(rill_cancel_join(rill_spawn(defer_and_sleep, NULL), .reason = "enough"),
              RILL_ECANCELED); /* before it runs */
    CHECK_STR(trace, "scope task ");
}

static int sleep_too_long(void *arg)
{
    (void)arg;
    return rill_sleep(for_ever);
}

TASK_TEST(they_are_bounded_and_their_failures_are_logged)
{
    hear_the_log();
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_defer(note, "");
    rill_defer(sleep_too_long, NULL, .timeout = 0.002);
    rill_defer(fail_at_once, "cannot flush");
    rill_fail(RILL_EDNS, "of the body");
    CHECK_INT(rill_scope_end(&scope, RILL_EDNS), RILL_EDNS);
    CHECK_STR(rill_last_error()->message, "of the body");
    CHECK_INT(logged_lines, 2);
    CHECK_CONTAINS(logged, "'main': what was deferred at ");
    CHECK_CONTAINS(logged, "local_test.c:");
    CHECK_CONTAINS(logged, "failed: cannot flush\n");
    CHECK_CONTAINS(logged, "the time was up");
}

static double took;

static int defer_for_ever(void *arg)
{
    (void)arg;
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_defer(sleep_too_long, NULL);
    double start = rill_now();
    int rc = rill_scope_end(&scope, 0);
    took = rill_now() - start;
    rill_scope_begin(&scope);
    rill_defer(sleep_for, &(double){ 1000 }, .timeout = RILL_FOREVER);
    start = rill_now();
    rc = rill_scope_end(&scope, rc);
    CHECK(rill_now() - start >= 1000);
    return rc;
}

TEST(ten_seconds_is_what_they_have_unless_it_is_said)
{
    hear_the_log();
    rill__sim *sim = rill__sim_new(&(rill__sim_config){ .seed = 1 }); /* its clock jumps */
    rill__outcome outcome;
    rill__run_on(rill__sim_driver(sim), defer_for_ever, NULL, &outcome);
    rill__sim_free(sim);
    CHECK_INT(outcome.result, 0);
    CHECK(took >= 10 && took < 10.1);
    CHECK_INT(logged_lines, 1);
}

TASK_TEST(a_deadline_that_passes_while_they_run_is_not_the_scopes_failure)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    rill_defer(sleep_for, &a_moment);
    CHECK_INT(rill_scope_end(&scope, RILL_ECANCELED), RILL_ECANCELED);
}

static int note_when_cancelled(void *arg)
{
    rill_sleep(for_ever);
    return note(arg);
}

TASK_TEST(a_groups_deferred_calls_run_after_its_tasks)
{
    trace[0] = '\0';
    rill_group group;
    rill_group_begin(&group);
    rill_defer(sleep_and_note, "group ");
    rill_spawn(note_when_cancelled, "member ", .group = &group);
    rill_spawn(fail_at_once, "broken", .group = &group);
    CHECK_INT(rill_group_end(&group, 0), RILL_EREFUSED);
    CHECK_STR(trace, "member group ");
    CHECK_STR(rill_last_error()->message, "broken");
}

static int spawn_and_note(void *arg)
{
    rill_spawn(note_when_cancelled, "late ");
    return note(arg);
}

static int defer_and_spawn(void *arg)
{
    (void)arg;
    rill_defer(spawn_and_note, "task ");
    rill_spawn(note_when_cancelled, "child ");
    return 0;
}

TASK_TEST(a_tasks_deferred_calls_run_after_its_children_and_may_spawn_more)
{
    trace[0] = '\0';
    CHECK_INT(rill_join(rill_spawn(defer_and_spawn, NULL)), 0);
    CHECK_STR(trace, "child task late ");
}

static int wind_up_and_do_more(void *arg)
{
    (void)arg;
    rill_defer(spawn_and_note, "task ");
    rill__wind_up();
    return note("more ");
}

TASK_TEST(who_does_more_after_its_own_things_have_ended_finds_none)
{
    trace[0] = '\0';
    CHECK_INT(rill_join(rill_spawn(wind_up_and_do_more, NULL)), 0);
    CHECK_STR(trace, "task late more ");
}

static int defer_again(void *arg)
{
    rill_defer(note, "nested ");
    return note(arg);
}

TASK_TEST(what_a_deferred_call_defers_runs_at_its_own_end)
{
    trace[0] = '\0';
    rill_scope scope;
    rill_scope_begin(&scope);
    rill_defer(note, "last ");
    rill_defer(defer_again, "first ");
    CHECK_INT(rill_scope_end(&scope, 0), 0);
    CHECK_STR(trace, "first nested last ");
}

TASK_TEST(functions_that_bring_their_own_scope_end_it_with_what_they_deferred)
{
    trace[0] = '\0';
    int one = 1;
    CHECK_INT(rill_within(1, defer_and_return, &one), 1);
    CHECK_STR(trace, "body task ");
    CHECK_INT(rill_shielded(1, defer_and_return, &one), 1);
    CHECK_STR(trace, "body task body task ");
}

static int defer_each_time(void *arg)
{
    int *runs = arg;
    rill_defer(note, "run ");
    static void *memory;
    void *before = memory;
    memory = rill_alloc(100);
    CHECK(memory && (!before || memory == before)); /* what the run before had is free again */
    return ++*runs == 3 ? RILL_ELIMIT : 0;
}

TASK_TEST(each_run_of_a_clockwork_is_cleaned_up_after)
{
    trace[0] = '\0';
    int runs = 0;
    CHECK_INT(rill_join(rill_every(0.001, defer_each_time, &runs)), RILL_ELIMIT);
    CHECK_STR(trace, "run run run ");
}

/* ---- values ---- */

static rill_local color, shape;
static int freed;

static void count_free(void *value)
{
    freed += *(int *)value;
}

static rill_local counted = { .free = count_free };

static char seen[64];

static int see_and_set(void *arg)
{
    (void)arg;
    const char *is = rill_local_get(&color);
    snprintf(seen, sizeof seen, "%s", is ? is : "none");
    rill_local_set(&color, "blue");
    return 0;
}

static int pass_on(void *arg)
{
    return rill_join(rill_spawn(see_and_set, arg));
}

TASK_TEST(a_task_inherits_what_its_spawner_had_when_it_was_spawned)
{
    CHECK(!rill_local_get(&color));
    CHECK_INT(rill_local_set(&color, "red"), 0);
    CHECK_INT(rill_local_set(&shape, "round"), 0);
    rill_task task = rill_spawn(see_and_set, NULL);
    CHECK_INT(rill_local_set(&color, "green"), 0); /* too late for that one */
    CHECK_INT(rill_join(task), 0);
    CHECK_STR(seen, "red");
    CHECK_STR(rill_local_get(&color), "green"); /* and what it set is its own */
    CHECK_STR(rill_local_get(&shape), "round");
    CHECK_INT(rill_join(rill_spawn(pass_on, NULL)), 0);
    CHECK_STR(seen, "green");
    CHECK_INT(rill_local_set(&color, NULL), 0);
    CHECK(!rill_local_get(&color));
    CHECK_STR(rill_local_get(&shape), "round");
    CHECK_INT(rill_join(rill_spawn(see_and_set, NULL)), 0);
    CHECK_STR(seen, "none");
}

TASK_TEST(members_of_groups_inherit_too)
{
    rill_local_set(&color, "red");
    rill_group group;
    rill_group_begin(&group);
    rill_spawn(see_and_set, NULL, .group = &group);
    CHECK_INT(rill_group_end(&group, 0), 0);
    CHECK_STR(seen, "red");
}

static int hold_a_while(void *arg)
{
    CHECK_INT(*(int *)rill_local_get(&counted), 1);
    return sleep_for(arg);
}

TASK_TEST(a_value_is_freed_when_nobody_has_it_any_more)
{
    static int one = 1, ten = 10, hundred = 100;
    freed = 0;
    CHECK_INT(rill_local_set(&counted, &one), 0);
    rill_task task = rill_spawn(hold_a_while, &a_moment);
    CHECK_INT(rill_local_set(&counted, &ten), 0);
    CHECK_INT(rill_local_set(&counted, &ten), 0); /* the same: nothing changes */
    CHECK_INT(rill_local_set(&color, "red"), 0);  /* nor does this free anything */
    CHECK_INT(freed, 0);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(freed, 1);
    CHECK_INT(rill_local_set(&counted, &hundred), 0);
    CHECK_INT(freed, 11);
    CHECK_INT(rill_local_set(&counted, NULL), 0);
    CHECK_INT(freed, 111);
}

static int set_counted(void *arg)
{
    return rill_local_set(&counted, arg);
}

static void free_and_set(void *value)
{
    count_free(value);
    static int ten = 10;
    if (freed < 20)
        rill_local_set(&counted, &ten);
    rill_defer(note, "late ");
}

static rill_local meddling = { .free = free_and_set };

static int set_meddling(void *arg)
{
    return rill_local_set(&meddling, arg);
}

TASK_TEST(values_are_freed_at_the_end_of_the_task)
{
    static int one = 1;
    freed = 0;
    CHECK_INT(rill_join(rill_spawn(set_counted, &one)), 0);
    CHECK_INT(freed, 1);
    freed = 0;
    trace[0] = '\0';
    CHECK_INT(rill_join(rill_spawn(set_meddling, &one)), 0);
    CHECK_INT(freed, 11); /* what the function that frees leaves behind is freed as well */
    CHECK_STR(trace, "late ");
}

/* Fails the nth allocation for as long as something does. */
static int without_memory(int (*try_it)(void))
{
    int refused = 0;
    for (unsigned long at = 1; at < 10; at++) {
        rill__alloc_count = 0;
        rill__alloc_fail_at = at;
        int rc = try_it();
        rill__alloc_fail_at = 0;
        if (rc == 0)
            break;
        CHECK_INT(rc, RILL_ENOMEM);
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
        refused++;
    }
    return refused;
}

static int set_red(void)
{
    return rill_local_set(&color, "red");
}

static int defer_nothing(void)
{
    return rill_defer(note, "");
}

static int allocate(void)
{
    return rill_alloc(100000) ? 0 : rill_errcode();
}

TASK_TEST(without_memory_each_fails_and_changes_nothing)
{
    rill_local_set(&shape, "round");
    CHECK_INT(without_memory(set_red), 2);
    CHECK_STR(rill_local_get(&color), "red");
    CHECK_STR(rill_local_get(&shape), "round");
    CHECK_INT(without_memory(defer_nothing), 1);
    CHECK_INT(without_memory(allocate), 1);
}

/* ---- memory ---- */

TASK_TEST(memory_of_a_task_is_cleared_aligned_and_its_own)
{
    unsigned char *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        blocks[i] = rill_alloc(i * 7);
        REQUIRE(blocks[i]);
        CHECK_INT((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < i * 7; at++)
            CHECK_INT(blocks[i][at], 0);
        memset(blocks[i], (int)i, i * 7);
    }
    for (size_t i = 1; i < 100; i++)
        CHECK(blocks[i][0] == i && blocks[i][i * 7 - 1] == i);
    CHECK(rill_alloc(0) && rill_alloc(0) != rill_alloc(0));
    char text[] = "text";
    char *copy = rill_strdup(text);
    text[0] = 'n';
    CHECK_STR(copy, "text");
    CHECK_STR(rill_format("%s %d", copy, 7), "text 7");
}

TASK_TEST(more_memory_than_there_is_is_refused)
{
    const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 64, (size_t)PTRDIFF_MAX + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(!rill_alloc(sizes[i]));
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
    }
}

static int return_memory(void *arg)
{
    *(char **)arg = rill_strdup("until the end");
    return rill_sleep(0);
}

TASK_TEST(memory_is_there_until_its_task_ends)
{
    char *text = NULL;
    rill_task task = rill_spawn(return_memory, &text);
    rill_sleep(0);
    CHECK_STR(text, "until the end");
    CHECK_INT(rill_join(task), 0);
}

TEST(outside_tasks_there_is_nothing_of_ones_own)
{
    CHECK_INT(rill_defer(note, ""), RILL_ENOTASK);
    CHECK_INT(rill_local_set(&color, "red"), RILL_ENOTASK);
    CHECK(!rill_local_get(&color));
    CHECK(!rill_alloc(1));
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
    CHECK(!rill_strdup("text"));
    CHECK(!rill_format("text"));
    CHECK_CONTAINS(rill_last_error()->message, "outside a task");
}
