/* The capacity limiter: tokens that tasks borrow, one each, of a number that may change. */
#include "base/fail.h"
#include "runtime/sync_internal.h"

void rill_limiter_init(rill_limiter *limiter, size_t total)
{
    *limiter = (rill_limiter){ .total = total };
}

static void lend(rill_limiter *limiter, rill__task *task)
{
    limiter->borrowed++;
    rill__held_add(task, limiter);
}

/* Nobody waits while a token is left. */
static void lend_to_waiters(rill_limiter *limiter)
{
    rill__waitq *queue = rill__queue_in(limiter->waiters);
    rill__waiter *next;
    while (limiter->borrowed < limiter->total && (next = rill__waitq_first(queue))) {
        lend(limiter, next->task);
        rill__waiter_finish(next, 0);
    }
}

int rill_limiter_acquire(rill_limiter *limiter)
{
    RILL__TRY(rill__point("limiter"));
    rill__task *task = rill__current();
    RILL__TRY(rill__held_check(task, limiter, "limiter"));
    if (limiter->borrowed >= limiter->total)
        return rill__awaited(
            rill__waitq_wait(rill__queue_in(limiter->waiters), "a token of a limiter"));
    lend(limiter, task);
    return 0;
}

int rill_limiter_try_acquire(rill_limiter *limiter)
{
    RILL__TRY(rill__need_task("limiter"));
    rill__task *task = rill__current();
    RILL__TRY(rill__held_check(task, limiter, "limiter"));
    if (limiter->borrowed >= limiter->total)
        return rill__fail(RILL_EAGAIN, "limiter: all %zu tokens are lent", limiter->borrowed);
    lend(limiter, task);
    return 0;
}

int rill_limiter_release(rill_limiter *limiter)
{
    RILL__TRY(rill__need_task("limiter"));
    if (!rill__held_remove(rill__current(), limiter))
        return rill__fail(RILL_EINVAL, "limiter: the task has no token to give back");
    limiter->borrowed--;
    lend_to_waiters(limiter);
    return 0;
}

void rill_limiter_set_total(rill_limiter *limiter, size_t total)
{
    limiter->total = total;
    lend_to_waiters(limiter);
}

size_t rill_limiter_total(const rill_limiter *limiter)
{
    return limiter->total;
}

size_t rill_limiter_borrowed(const rill_limiter *limiter)
{
    return limiter->borrowed;
}
