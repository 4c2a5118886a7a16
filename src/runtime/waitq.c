/*
 * Queues of waiting tasks. A wake reaches one waiter for good: one that is woken and then cancelled
 * still gets it, and one that is cancelled first is no longer in the queue. So none is lost.
 */
#include "runtime/runtime_internal.h"

void rill__waitq_init(rill__waitq *queue)
{
    rill__list_init(&queue->waiters);
}

rill__abort rill__waiter_leave(void *waiter)
{
    rill__list_remove(&((rill__waiter *)waiter)->link);
    return RILL__ABORTED;
}

int rill__waitq_wait(rill__waitq *queue, const char *what)
{
    return rill__waitq_wait_for(queue, what, NULL);
}

void rill__waiter_finish(rill__waiter *waiter, int result)
{
    rill__choice *choice = waiter->choice;
    rill__list_remove(&waiter->link);
    waiter->result = result;
    if (choice) {
        choice->winner = waiter;
        choice->decided(choice);
    }
    rill__wake(waiter->task);
}

bool rill__waitq_wake_one(rill__waitq *queue)
{
    rill__waiter *first = rill__waitq_first(queue);
    if (first)
        rill__waiter_finish(first, 0);
    return first != NULL;
}

void rill__waitq_wake_all(rill__waitq *queue)
{
    while (rill__waitq_wake_one(queue))
        continue;
}

bool rill__waitq_empty(const rill__waitq *queue)
{
    return rill__list_empty(&queue->waiters);
}
