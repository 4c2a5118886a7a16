/*
 * The barrier. Who completes it hands every waiter its place and begins anew at once: there is no
 * state in between in which who comes early would have to be held off.
 */
#include "base/fail.h"
#include "runtime/sync_internal.h"

#include <limits.h>

int rill_barrier_init(rill_barrier *barrier, unsigned parties)
{
    bool possible = parties > 0 && parties <= INT_MAX;
    *barrier = (rill_barrier){ .parties = possible ? parties : 0 };
    if (!possible)
        return rill__fail(RILL_EINVAL, "barrier: it cannot be for %u tasks", parties);
    return 0;
}

/* Gives every waiter a result: `first` to the one that came first, and so on by `step`. */
static void release(rill_barrier *barrier, int first, int step)
{
    rill__waitq *queue = rill__queue_in(barrier->waiters);
    rill__waiter *next;
    barrier->waiting = 0;
    for (int result = first; (next = rill__waitq_first(queue)); result += step)
        rill__waiter_finish(next, result);
}

struct arrival {
    rill__waiter waiter;
    rill_barrier *barrier;
};

/* It counts as gone from now on, not from when the cancelled task runs. */
static rill__abort leave(void *arg)
{
    struct arrival *arrival = arg;
    rill__list_remove(&arrival->waiter.link);
    arrival->barrier->waiting--;
    return RILL__ABORTED;
}

int rill_barrier_wait(rill_barrier *barrier)
{
    RILL__TRY(rill__point("barrier"));
    if (barrier->broken || barrier->parties == 0)
        return rill__fail(RILL_EBROKEN, "barrier: it is broken");
    if (barrier->waiting == barrier->parties - 1) {
        release(barrier, 0, 1);
        return (int)barrier->parties - 1;
    }
    struct arrival arrival = { .waiter.task = rill__current(), .barrier = barrier };
    rill__waitq *queue = rill__queue_in(barrier->waiters);
    barrier->waiting++;
    rill__list_append(&queue->waiters, &arrival.waiter.link);
    RILL__TRY(rill__park("a barrier", leave, &arrival));
    if (arrival.waiter.result < 0)
        return rill__fail(RILL_EBROKEN, "barrier: it was aborted or reset");
    return arrival.waiter.result;
}

void rill_barrier_abort(rill_barrier *barrier)
{
    barrier->broken = true;
    release(barrier, RILL_EBROKEN, 0);
}

void rill_barrier_reset(rill_barrier *barrier)
{
    barrier->broken = false;
    release(barrier, RILL_EBROKEN, 0);
}

unsigned rill_barrier_waiting(const rill_barrier *barrier)
{
    return barrier->waiting;
}

bool rill_barrier_is_broken(const rill_barrier *barrier)
{
    return barrier->broken;
}
