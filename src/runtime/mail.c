/*
 * Mail: what reaches a loop from other threads.
 *
 * The inbox is a list to whose head anybody pushes without a lock; the loop takes all of it at once
 * and turns it over, so that mail comes in the order in which it was posted. A poster wakes the
 * loop only when that is about to sleep, or asleep: the loop says so first and looks into the inbox
 * after that, the poster does it the other way round, so one of the two notices.
 *
 * A loop that ends closes its inbox while it is empty: nothing that was taken in is lost, and what
 * comes later is refused. Then it waits until nobody is in the middle of posting, because a poster
 * still has to wake a loop that may have gone on by itself. What others refer to, this rill_loop,
 * stays until the last reference is given up.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <sched.h>

static rill__mail closed_mark;
#define CLOSED (&closed_mark)

/* ---- references ---- */

rill_loop *rill__mailbox_new(rill__loop *loop)
{
    rill_loop *mailbox = rill__zalloc(sizeof *mailbox);
    if (!mailbox)
        return NULL;
    atomic_init(&mailbox->refs, 1);
    mailbox->loop = loop;
    return mailbox;
}

rill_loop *rill_loop_current(void)
{
    return rill__this_loop ? rill__this_loop->mailbox : NULL;
}

rill_loop *rill_loop_ref(rill_loop *loop)
{
    if (loop)
        atomic_fetch_add(&loop->refs, 1);
    return loop;
}

void rill_loop_unref(rill_loop *loop)
{
    if (!loop || atomic_fetch_sub(&loop->refs, 1) > 1)
        return;
    if (loop->end)
        rill__promise_unref(loop->end);
    rill__free(loop);
}

/* ---- posting ---- */

static bool push(rill_loop *to, rill__mail *mail)
{
    rill__mail *head = atomic_load(&to->inbox);
    do {
        if (head == CLOSED)
            return false;
        mail->next = head;
    } while (!atomic_compare_exchange_weak(&to->inbox, &head, mail));
    return true;
}

bool rill__post(rill_loop *to, rill__mail *mail)
{
    atomic_fetch_add(&to->posting, 1);
    bool taken = push(to, mail);
    if (taken && atomic_exchange(&to->asleep, false))
        to->loop->driver->ops->wake(to->loop->driver);
    atomic_fetch_sub(&to->posting, 1); /* the loop may go only now */
    return taken;
}

/* ---- the loop's side ---- */

bool rill__mail_waits(rill__loop *loop)
{
    return atomic_load(&loop->mailbox->inbox) != NULL;
}

bool rill__mail_sleep(rill__loop *loop)
{
    atomic_store(&loop->mailbox->asleep, true);
    if (!rill__mail_waits(loop))
        return true;
    atomic_store(&loop->mailbox->asleep, false);
    return false;
}

void rill__mail_collect(rill__loop *loop)
{
    rill_loop *mailbox = loop->mailbox;
    if (atomic_load_explicit(&mailbox->asleep, memory_order_relaxed))
        atomic_store(&mailbox->asleep, false);
    if (!atomic_load_explicit(&mailbox->inbox, memory_order_relaxed))
        return;
    rill__mail *batch = NULL;
    for (rill__mail *mail = atomic_exchange(&mailbox->inbox, NULL), *next; mail; mail = next) {
        next = mail->next;
        mail->next = batch;
        batch = mail;
    }
    for (rill__mail *next; batch; batch = next) {
        next = batch->next;
        batch->run(batch);
    }
}

bool rill__mailbox_close(rill__loop *loop)
{
    rill__mail *empty = NULL;
    if (!atomic_compare_exchange_strong(&loop->mailbox->inbox, &empty, CLOSED))
        return false;
    while (atomic_load(&loop->mailbox->posting) > 0)
        sched_yield(); /* a thread is a few instructions from letting go */
    return true;
}

bool rill__others_may_call(const rill__loop *loop)
{
    return loop->awaited > 0 || loop->hosted || atomic_load(&loop->mailbox->refs) > 1;
}

/* ---- calls ---- */

struct call {
    rill__mail mail;
    rill_call_fn *fn;
    void *arg;
};

static void run_call(rill__mail *mail)
{
    struct call call = *rill__container(mail, struct call, mail);
    rill__free(rill__container(mail, struct call, mail));
    call.fn(call.arg);
}

int rill__fail_ended(const char *what)
{
    return rill__fail(RILL_ECLOSED, "%s: the loop has ended", what);
}

int rill_call_soon_threadsafe(rill_loop *loop, rill_call_fn *fn, void *arg)
{
    if (atomic_load(&loop->phase) == RILL__TAKES_NOTHING)
        return rill__fail_ended("call_soon_threadsafe");
    struct call *call = rill__alloc(sizeof *call);
    if (!call)
        return rill__fail_nomem();
    *call = (struct call){ .mail = { .run = run_call }, .fn = fn, .arg = arg };
    if (rill__post(loop, &call->mail))
        return 0;
    rill__free(call);
    return rill__fail_ended("call_soon_threadsafe");
}
