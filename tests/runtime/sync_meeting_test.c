/* Where tasks meet: the condition, the barrier, and what runs once. */
#include "base/alloc.h"
#include "in_task.h"

#include <limits.h>
#include <rill/sync.h>

static char trace[64];

static void mark(const char *text)
{
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof trace - len, "%s", text);
}

/* ---- condition ---- */

static rill_mutex mutex;
static rill_condition condition;

static void begin(void)
{
    trace[0] = '\0';
    rill_mutex_init(&mutex);
    rill_condition_init(&condition);
}

/* Whatever the wait returns, the mutex is held then. */
static int await(void *arg)
{
    int rc = rill_mutex_lock(&mutex);
    if (rc < 0)
        return rc;
    rc = rill_condition_wait(&condition, &mutex);
    mark(arg);
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    return rc;
}

TASK_TEST(condition_wakes_as_many_as_told_in_order)
{
    begin();
    rill_task tasks[] = { rill_spawn(await, "a"), rill_spawn(await, "b"), rill_spawn(await, "c"),
                          rill_spawn(await, "d") };
    rill_condition_notify(&condition, 5); /* nobody waits yet: it is not kept */
    rill_sleep(0);
    CHECK(!rill_mutex_is_locked(&mutex));
    rill_condition_notify(&condition, 0);
    rill_sleep(0);
    CHECK_STR(trace, "");
    rill_condition_notify(&condition, 1);
    rill_sleep(0);
    CHECK_STR(trace, "a");
    rill_condition_notify(&condition, 2);
    rill_sleep(0);
    CHECK_STR(trace, "abc");
    rill_condition_notify_all(&condition);
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
    CHECK_STR(trace, "abcd");
}

TASK_TEST(condition_locks_again_before_it_returns)
{
    begin();
    rill_task a = rill_spawn(await, "a"), b = rill_spawn(await, "b");
    rill_sleep(0);
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    rill_condition_notify_all(&condition);
    rill_sleep(0);
    rill_sleep(0);
    CHECK_STR(trace, "");
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_STR(trace, "ab");
}

TASK_TEST(condition_locks_again_when_it_is_cancelled)
{
    begin();
    rill_task a = rill_spawn(await, "a"), b = rill_spawn(await, "b");
    rill_sleep(0);
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    rill_cancel(a);
    rill_sleep(0.001);
    CHECK(!rill_task_done(a)); /* cancelled, and waits for the mutex all the same */
    CHECK_STR(trace, "");
    rill_condition_notify(&condition, 1); /* not lost on who is cancelled */
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_INT(rill_join(b), 0);
    CHECK_STR(trace, "ab");
}

TASK_TEST(condition_notified_before_the_cancellation_returns_well)
{
    begin();
    rill_task a = rill_spawn(await, "a");
    rill_sleep(0);
    rill_condition_notify(&condition, 1);
    rill_cancel(a);
    CHECK_INT(rill_join(a), 0);
    rill_task b = rill_spawn(await, "b");
    rill_sleep(0);
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    rill_condition_notify(&condition, 1);
    rill_sleep(0);
    rill_cancel(b); /* while it locks again */
    rill_sleep(0);
    CHECK(!rill_task_done(b));
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_STR(trace, "ab");
}

TASK_TEST(condition_keeps_the_mutex_inside_a_cancelled_scope)
{
    begin();
    rill_scope scope;
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    CHECK_INT(rill_scope_begin(&scope), 0);
    rill_scope_cancel(&scope, "over");
    CHECK_INT(rill_condition_wait(&condition, &mutex), RILL_ECANCELED);
    rill_scope_end(&scope, 0);
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
}

TASK_TEST(condition_ends_with_the_deadline)
{
    begin();
    CHECK_INT(rill_within(a_moment, await, "a"), RILL_ETIMEDOUT);
    CHECK(!rill_mutex_is_locked(&mutex));
}

static int wait_unlocked(void *arg)
{
    (void)arg;
    return rill_condition_wait(&condition, &mutex);
}

TASK_TEST(condition_wants_its_mutex_held_by_the_caller)
{
    begin();
    CHECK_INT(wait_unlocked(NULL), RILL_EINVAL);
    CHECK_INT(rill_mutex_lock(&mutex), 0);
    CHECK_INT(rill_join(rill_spawn(wait_unlocked, NULL)), RILL_EINVAL);
    CHECK_INT(rill_mutex_unlock(&mutex), 0);
}

/* ---- barrier ---- */

static rill_barrier barrier;
static int places[1000];

static int meet(void *arg)
{
    int place = rill_barrier_wait(&barrier);
    if (place >= 0)
        places[place]++;
    mark(arg);
    return place;
}

TASK_TEST(barrier_holds_until_all_are_there_and_then_again)
{
    CHECK_INT(rill_barrier_init(&barrier, 3), 0);
    trace[0] = '\0';
    for (int round = 0; round < 3; round++) {
        rill_task a = rill_spawn(meet, ""), b = rill_spawn(meet, "");
        rill_sleep(0);
        CHECK_INT(rill_barrier_waiting(&barrier), 2);
        CHECK(!rill_task_done(a));
        CHECK_INT(meet(""), 2);
        CHECK_INT(rill_barrier_waiting(&barrier), 0);
        CHECK_INT(rill_join(a), 0);
        CHECK_INT(rill_join(b), 1);
    }
}

/* One goes round more often than the other; each round is complete all the same. */
static int rounds;
static int go_round(void *arg)
{
    for (int i = 0; i < 5; i++) {
        int rc = rill_barrier_wait(&barrier);
        if (rc < 0)
            return rc;
        rounds++;
    }
    (void)arg;
    return 0;
}

TASK_TEST(barrier_is_ready_for_the_next_round_at_once)
{
    CHECK_INT(rill_barrier_init(&barrier, 2), 0);
    rounds = 0;
    rill_task a = rill_spawn(go_round, NULL), b = rill_spawn(go_round, NULL);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(rounds, 10);
    CHECK_INT(rill_barrier_init(&barrier, 1), 0);
    CHECK_INT(rill_barrier_wait(&barrier), 0);
}

TASK_TEST(barrier_goes_on_without_who_is_cancelled)
{
    CHECK_INT(rill_barrier_init(&barrier, 3), 0);
    memset(places, 0, sizeof places);
    rill_task a = rill_spawn(meet, ""), b = rill_spawn(meet, "");
    rill_sleep(0);
    rill_cancel(a);
    CHECK_INT(rill_barrier_waiting(&barrier), 1); /* at once, before it has run */
    rill_task c = rill_spawn(meet, "");
    rill_sleep(0);
    CHECK(!rill_task_done(c));
    CHECK(!rill_barrier_is_broken(&barrier));
    CHECK_INT(rill_join(a), RILL_ECANCELED);
    CHECK_INT(meet(""), 2);
    CHECK_INT(rill_join(b), 0);
    CHECK_INT(rill_join(c), 1);
    CHECK(places[0] == 1 && places[1] == 1 && places[2] == 1);
}

TASK_TEST(barrier_passed_before_the_cancellation_is_passed)
{
    CHECK_INT(rill_barrier_init(&barrier, 2), 0);
    rill_task a = rill_spawn(meet, "");
    rill_sleep(0);
    CHECK_INT(meet(""), 1);
    rill_cancel(a);
    CHECK_INT(rill_join(a), 0);
}

TASK_TEST(barrier_waits_end_with_the_deadline_and_in_cancelled_scopes)
{
    CHECK_INT(rill_barrier_init(&barrier, 2), 0);
    CHECK_INT(rill_within(a_moment, meet, ""), RILL_ETIMEDOUT);
    CHECK_INT(rill_barrier_waiting(&barrier), 0);
    rill_task a = rill_spawn(meet, "");
    rill_sleep(0);
    CHECK_INT(rill_within(0, meet, ""), RILL_ETIMEDOUT); /* does not complete it */
    CHECK_INT(rill_barrier_waiting(&barrier), 1);
    CHECK_INT(meet(""), 1);
    CHECK_INT(rill_join(a), 0);
}

TASK_TEST(barrier_aborted_stays_broken_until_it_is_reset)
{
    CHECK_INT(rill_barrier_init(&barrier, 3), 0);
    rill_task a = rill_spawn(meet, ""), b = rill_spawn(meet, "");
    rill_sleep(0);
    rill_barrier_abort(&barrier);
    CHECK(rill_barrier_is_broken(&barrier));
    rill_cancel(b); /* too late */
    CHECK_INT(rill_join(a), RILL_EBROKEN);
    CHECK_STR(rill_last_error()->message, "barrier: it was aborted or reset");
    CHECK_INT(rill_join(b), RILL_EBROKEN);
    CHECK_INT(meet(""), RILL_EBROKEN);
    rill_barrier_reset(&barrier);
    CHECK(!rill_barrier_is_broken(&barrier));
    a = rill_spawn(meet, "");
    rill_sleep(0);
    rill_barrier_reset(&barrier); /* who waits is let go of, and the barrier is whole */
    CHECK_INT(rill_join(a), RILL_EBROKEN);
    a = rill_spawn(meet, ""), b = rill_spawn(meet, "");
    rill_sleep(0);
    CHECK_INT(meet(""), 2);
    CHECK_INT(rill_join(a), 0);
    CHECK_INT(rill_join(b), 1);
}

TASK_TEST(barrier_gives_each_of_a_thousand_its_place_without_memory)
{
    static rill_task tasks[999];
    CHECK_INT(rill_barrier_init(&barrier, 1000), 0);
    memset(places, 0, sizeof places);
    for (int i = 0; i < 999; i++)
        tasks[i] = rill_spawn(meet, "");
    unsigned long before = rill__alloc_count;
    rill_sleep(0);
    CHECK_INT(meet(""), 999);
    for (int i = 0; i < 999; i++)
        CHECK_INT(rill_join(tasks[i]), i);
    CHECK_INT(rill__alloc_count, before);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(places[i], 1);
}

TASK_TEST(barrier_for_no_number_of_tasks_is_broken)
{
    CHECK_INT(rill_barrier_init(&barrier, UINT_MAX), RILL_EINVAL);
    CHECK_INT(rill_barrier_wait(&barrier), RILL_EBROKEN);
    CHECK_INT(rill_barrier_init(&barrier, 0), RILL_EINVAL);
    CHECK_INT(rill_barrier_wait(&barrier), RILL_EBROKEN);
}

TEST(barrier_refuses_what_is_no_number_of_tasks)
{
    CHECK_INT(rill_barrier_init(&barrier, 0), RILL_EINVAL);
    CHECK_INT(rill_barrier_init(&barrier, (unsigned)INT_MAX + 1), RILL_EINVAL);
    CHECK_INT(rill_barrier_init(&barrier, INT_MAX), 0);
    CHECK_INT(rill_barrier_wait(&barrier), RILL_ENOTASK);
}

/* ---- once ---- */

static rill_once once;
static int runs, answers[8], answered;

/* Runs for a while; fails in the first *arg runs. */
static int make(void *arg)
{
    runs++;
    int rc = rill_sleep(a_moment);
    if (rc < 0)
        return rc;
    return runs <= *(int *)arg ? rill_fail(RILL_EREFUSED, "run %d", runs) : 42;
}

static int ask(void *arg)
{
    int rc = rill_once_run(&once, make, arg);
    answers[answered++] = rc;
    return rc;
}

static void ask_at_once(rill_task *tasks, int count, int *failures)
{
    rill_once_init(&once);
    runs = answered = 0;
    for (int i = 0; i < count; i++)
        tasks[i] = rill_spawn(ask, failures);
    rill_sleep(0);
}

TASK_TEST(once_runs_for_the_first_and_the_others_wait)
{
    int failures = 0;
    rill_task tasks[3];
    ask_at_once(tasks, 3, &failures);
    CHECK(!rill_once_done(&once));
    CHECK_INT(answered, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(rill_join(tasks[i]), 42);
    CHECK(rill_once_done(&once));
    CHECK_INT(rill_once_run(&once, make, &failures), 42);
    CHECK_INT(runs, 1);
}

TASK_TEST(once_that_fails_is_tried_by_the_next)
{
    int failures = 2;
    rill_task tasks[4];
    ask_at_once(tasks, 4, &failures);
    CHECK_INT(rill_join(tasks[0]), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "run 1");
    CHECK_INT(rill_join(tasks[1]), RILL_EREFUSED);
    CHECK_INT(rill_join(tasks[2]), 42);
    CHECK_INT(rill_join(tasks[3]), 42);
    CHECK_INT(runs, 3);
    /* With nobody waiting, the next who comes tries. */
    ask_at_once(tasks, 1, &failures);
    CHECK_INT(rill_join(tasks[0]), RILL_EREFUSED);
    CHECK_INT(ask(&failures), RILL_EREFUSED);
    CHECK_INT(ask(&failures), 42);
}

TASK_TEST(once_goes_on_when_its_runner_or_a_waiter_is_cancelled)
{
    int failures = 0;
    rill_task tasks[4];
    ask_at_once(tasks, 4, &failures);
    rill_cancel(tasks[1]);
    rill_cancel(tasks[0]);
    CHECK_INT(rill_join(tasks[0]), RILL_ECANCELED);
    CHECK_INT(rill_join(tasks[1]), RILL_ECANCELED);
    CHECK_INT(rill_join(tasks[2]), 42);
    CHECK_INT(rill_join(tasks[3]), 42);
    CHECK_INT(runs, 2);
}

static int ask_within_a_moment(void *arg)
{
    return rill_within(0.002, ask, arg);
}

TASK_TEST(once_waits_end_with_the_deadline_and_in_cancelled_scopes)
{
    int failures = 0;
    rill_task first, second;
    rill_once_init(&once);
    runs = answered = 0;
    first = rill_spawn(ask, &failures);
    second = rill_spawn(ask_within_a_moment, &failures);
    CHECK_INT(rill_join(second), RILL_ETIMEDOUT);
    CHECK_INT(rill_join(first), 42);
    CHECK_INT(rill_within(0, ask, &failures), RILL_ETIMEDOUT);
    CHECK_INT(runs, 1);
}

static rill_once zeroed;
static int ask_itself(void *arg)
{
    return rill_once_run(&zeroed, ask_itself, arg);
}

TASK_TEST(once_asked_for_by_its_own_function_is_refused)
{
    int failures = 0;
    CHECK_INT(rill_once_run(&zeroed, ask_itself, NULL), RILL_EDEADLOCK);
    CHECK_INT(rill_once_run(&zeroed, make, &failures), 42);
}

TEST(meeting_outside_a_task_is_refused)
{
    rill_mutex_init(&mutex);
    rill_condition_init(&condition);
    rill_once_init(&once);
    CHECK_INT(rill_condition_wait(&condition, &mutex), RILL_ENOTASK);
    CHECK_INT(rill_once_run(&once, make, NULL), RILL_ENOTASK);
    rill_condition_notify_all(&condition);
}
