/* The condition: a queue of tasks that gave up their mutex to wait, and lock it again afterwards.
 */
#include "base/fail.h"
#include "runtime/sync_internal.h"

void rill_condition_init(rill_condition *condition)
{
    *condition = (rill_condition){ 0 };
}

/* Cancellation does not reach in: who calls rill_condition_wait holds the mutex when it returns. */
static void lock_again(rill_mutex *mutex)
{
    rill_scope shield;
    rill_scope_begin(&shield, .shield = true);
    rill_mutex_lock(mutex);
    rill_scope_end(&shield, 0);
}

int rill_condition_wait(rill_condition *condition, rill_mutex *mutex)
{
    RILL__TRY(rill__point("condition"));
    if (mutex->owner != rill__current()->id)
        return rill__fail(RILL_EINVAL, "condition: the task does not hold the mutex");
    rill_mutex_unlock(mutex);
    int rc = rill__waitq_wait(rill__queue_in(condition->waiters), "a condition");
    lock_again(mutex);
    return rc;
}

void rill_condition_notify(rill_condition *condition, size_t count)
{
    rill__waitq *queue = rill__queue_in(condition->waiters);
    while (count > 0 && rill__waitq_wake_one(queue))
        count--;
}

void rill_condition_notify_all(rill_condition *condition)
{
    rill__waitq_wake_all(rill__queue_in(condition->waiters));
}
