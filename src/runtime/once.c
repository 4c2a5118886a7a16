/* What runs once: the first who asks runs it, and hands the turn on when it fails. */
#include "base/fail.h"
#include "runtime/sync_internal.h"

void rill_once_init(rill_once *once)
{
    *once = (rill_once){ 0 };
}

static void settle(rill_once *once, int rc)
{
    rill__waitq *queue = rill__queue_in(once->waiters);
    if (rc >= 0) {
        once->result = rc;
        once->done = true;
        rill__waitq_wake_all(queue);
        return;
    }
    rill__waiter *next = rill__waitq_first(queue);
    once->runner = next ? next->task->id : 0;
    if (next)
        rill__waiter_finish(next, 0);
}

int rill_once_run(rill_once *once, rill_task_fn *fn, void *arg)
{
    RILL__TRY(rill__point("once"));
    uint64_t self = rill__current()->id;
    if (!once->done && once->runner == self)
        return rill__fail(RILL_EDEADLOCK, "once: the function that it runs asks for it");
    if (!once->done && once->runner) {
        rill__waits_for(RILL__SUBJECT_OWNER, &once->runner);
        RILL__TRY(rill__waitq_wait(rill__queue_in(once->waiters), "what runs once"));
    }
    if (once->done)
        return once->result;
    once->runner = self;
    int rc = fn(arg);
    settle(once, rc);
    return rc;
}

bool rill_once_done(const rill_once *once)
{
    return once->done;
}
