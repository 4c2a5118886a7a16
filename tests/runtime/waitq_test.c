/* Queues of waiting tasks: the order, what is handed over, and choices of which one happens. */
#include "in_task.h"
#include "runtime/runtime.h"

#include <rill/rill.h>

static rill__waitq queue, other;
static int given[8], count;

static int wait_for_gift(void *arg)
{
    int rc = rill__waitq_wait_for(&queue, "a gift", arg);
    if (rc >= 0)
        given[count++] = rc;
    return rc;
}

static void start(rill_task *tasks, int *slots, int n)
{
    count = 0;
    rill__waitq_init(&queue);
    rill__waitq_init(&other);
    for (int i = 0; i < n; i++)
        tasks[i] = rill_spawn(wait_for_gift, &slots[i]);
    rill_sleep(0);
}

TASK_TEST(what_is_handed_over_goes_to_who_has_waited_longest)
{
    rill_task tasks[3];
    int slots[3] = { 0 };
    start(tasks, slots, 3);
    for (int i = 0; i < 3; i++) {
        rill__waiter *first = rill__waitq_first(&queue);
        CHECK(first->slot == &slots[i]);
        *(int *)first->slot = 7;
        rill__waiter_finish(first, 10 + i);
    }
    CHECK(!rill__waitq_first(&queue));
    CHECK(rill__waitq_empty(&queue));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_join(tasks[i]), 10 + i);
        CHECK_INT(given[i], 10 + i);
        CHECK_INT(slots[i], 7);
    }
}

TASK_TEST(who_is_cancelled_has_left_and_who_was_finished_has_it)
{
    rill_task tasks[3];
    int slots[3] = { 0 };
    start(tasks, slots, 3);
    rill_cancel(tasks[0]);
    CHECK(rill__waitq_first(&queue)->slot == &slots[1]);
    rill__waiter_finish(rill__waitq_first(&queue), 5);
    rill_cancel(tasks[1]);
    CHECK_INT(rill_join(tasks[0]), RILL_ECANCELED);
    CHECK_INT(rill_join(tasks[1]), 5);
    CHECK(rill__waitq_wake_one(&queue));
    CHECK(!rill__waitq_wake_one(&queue));
    CHECK_INT(rill_join(tasks[2]), 0);
}

TASK_TEST(a_result_may_be_a_failure)
{
    rill_task task;
    int slot = 0;
    start(&task, &slot, 1);
    rill__waiter_finish(rill__waitq_first(&queue), RILL_ECLOSED);
    CHECK_INT(rill_join(task), RILL_ECLOSED);
    CHECK_INT(count, 0);
}

/* ---- a choice ---- */

struct choosing {
    rill__choice base;
    rill__waiter waiters[2];
};

static void leave_all(rill__choice *choice)
{
    struct choosing *choosing = (struct choosing *)choice;
    rill__list_remove(&choosing->waiters[0].link);
    rill__list_remove(&choosing->waiters[1].link);
}

static rill__abort abort_choice(void *arg)
{
    leave_all(arg);
    return RILL__ABORTED;
}

static int choose(void *arg)
{
    (void)arg;
    struct choosing choosing = { .base.decided = leave_all };
    rill__waitq *queues[] = { &queue, &other };
    for (int i = 0; i < 2; i++) {
        choosing.waiters[i] = (rill__waiter){ .task = rill__current(), .choice = &choosing.base };
        rill__list_append(&queues[i]->waiters, &choosing.waiters[i].link);
    }
    int rc = rill__park("a choice", abort_choice, &choosing);
    if (rc < 0)
        return rc;
    return (int)(choosing.base.winner - choosing.waiters) * 100 + choosing.base.winner->result;
}

TASK_TEST(a_choice_is_decided_once_and_leaves_the_other_queues_at_once)
{
    rill__waitq_init(&queue);
    rill__waitq_init(&other);
    rill_task task = rill_spawn(choose, NULL);
    rill_sleep(0);
    CHECK(!rill__waitq_empty(&queue));
    rill__waiter_finish(rill__waitq_first(&other), 3);
    CHECK(rill__waitq_empty(&queue));
    CHECK(rill__waitq_empty(&other));
    rill_cancel(task); /* too late */
    CHECK_INT(rill_join(task), 103);
}

TASK_TEST(a_cancelled_choice_takes_nothing)
{
    rill__waitq_init(&queue);
    rill__waitq_init(&other);
    rill_task task = rill_spawn(choose, NULL);
    rill_sleep(0);
    rill_cancel(task);
    CHECK(rill__waitq_empty(&queue));
    CHECK(rill__waitq_empty(&other));
    CHECK_INT(rill_join(task), RILL_ECANCELED);
}
