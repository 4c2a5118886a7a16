/*
 * Queues of waiting tasks. A wake reaches one waiter for good: one that is woken and then cancelled
 * still gets it, and one that is cancelled first is no longer in the queue. So none is lost.
 */
#include "runtime/runtime_internal.h"

struct waiter {
    rill__list link;
    rill__task *task;
};

void rill__waitq_init(rill__waitq *queue)
{
    rill__list_init(&queue->waiters);
}

static rill__abort abort_wait(void *arg)
{
    struct waiter *waiter = arg;
    rill__list_remove(&waiter->link);
    return RILL__ABORTED;
}

int rill__waitq_wait(rill__waitq *queue, const char *what)
{
    struct waiter waiter = { .task = rill__current() };
    rill__list_append(&queue->waiters, &waiter.link);
    return rill__park(what, abort_wait, &waiter);
}

bool rill__waitq_wake_one(rill__waitq *queue)
{
    rill__list *node = rill__list_pop(&queue->waiters);
    if (!node)
        return false;
    rill__wake(rill__container(node, struct waiter, link)->task);
    return true;
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
