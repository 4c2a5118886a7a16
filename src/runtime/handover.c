/* Handing values over: each step looks at who waits on the other side, then at the store. */
#include "runtime/handover.h"

#include "base/fail.h"
#include "runtime/runtime_internal.h"

int rill__handover_init(rill__handover *handover, const char *what, int64_t capacity)
{
    rill__waitq_init(&handover->givers);
    rill__waitq_init(&handover->takers);
    handover->closed = false;
    handover->accepted = 0;
    if (handover->items.item_size == 0)
        return rill__fail(RILL_EINVAL, "%s: its elements must have a size", what);
    if (capacity < RILL_UNLIMITED)
        return rill__fail(RILL_EINVAL, "%s: a capacity cannot be negative", what);
    handover->capacity = capacity == RILL_UNLIMITED ? RILL__UNBOUNDED : (size_t)capacity;
    return capacity > 0 ? rill__items_reserve(&handover->items, handover->capacity) : 0;
}

/* ---- without waiting ---- */

int rill__handover_try_give(rill__handover *handover, const void *item)
{
    if (handover->closed)
        return RILL_ECLOSED;
    rill__waiter *taker = rill__waitq_first(&handover->takers);
    if (taker) {
        rill__item_copy(taker->slot, item, handover->items.item_size);
        handover->accepted++;
        rill__waiter_finish(taker, 0);
        return 0;
    }
    if (handover->items.count >= handover->capacity)
        return RILL_EAGAIN;
    RILL__TRY(rill__items_grow(&handover->items));
    rill__items_push(&handover->items, item);
    handover->accepted++;
    return 0;
}

int rill__handover_try_take(rill__handover *handover, void *item)
{
    rill__waiter *giver = rill__waitq_first(&handover->givers);
    bool stored = handover->items.count > 0;
    if (stored)
        rill__items_pop(&handover->items, item);
    else if (!giver)
        return handover->closed ? RILL_ECLOSED : RILL_EAGAIN;
    if (!giver)
        return 0;
    if (stored)
        rill__items_push(&handover->items, giver->slot);
    else
        rill__item_copy(item, giver->slot, handover->items.item_size);
    handover->accepted++;
    rill__waiter_finish(giver, 0);
    return 0;
}

/* ---- waiting ---- */

/* Once it has waited, the handover may be gone: whoever freed it has ended the wait. */
int rill__handover_give(rill__handover *handover, const void *item, const char *what)
{
    RILL__TRY(rill__checkpoint(what));
    int rc = rill__handover_try_give(handover, item);
    if (rc == RILL_EAGAIN)
        return rill__waitq_wait_for(&handover->givers, what, (void *)item);
    rill__share_thread();
    return rc;
}

int rill__handover_take(rill__handover *handover, void *item, const char *what)
{
    RILL__TRY(rill__checkpoint(what));
    int rc = rill__handover_try_take(handover, item);
    if (rc == RILL_EAGAIN)
        return rill__waitq_wait_for(&handover->takers, what, item);
    rill__share_thread();
    return rc;
}

/* ---- the end ---- */

static void refuse_all(rill__waitq *queue)
{
    for (rill__waiter *first; (first = rill__waitq_first(queue));)
        rill__waiter_finish(first, RILL_ECLOSED);
}

void rill__handover_close(rill__handover *handover)
{
    handover->closed = true;
    refuse_all(&handover->givers);
    refuse_all(&handover->takers);
}

size_t rill__handover_clear(rill__handover *handover)
{
    size_t count = handover->items.count;
    rill__items_clear(&handover->items, handover->drop);
    return count;
}

void rill__handover_finish(rill__handover *handover)
{
    rill__handover_close(handover);
    rill__handover_clear(handover);
    rill__items_free(&handover->items);
}

/* ---- in a select ---- */

int rill__handover_case_try_give(rill_case *self)
{
    return rill__handover_try_give(self->subject, self->item);
}

int rill__handover_case_try_take(rill_case *self)
{
    return rill__handover_try_take(self->subject, self->item);
}

void rill__handover_case_enter_give(rill_case *self)
{
    rill__handover *handover = self->subject;
    rill__case_enter(self, &handover->givers);
}

void rill__handover_case_enter_take(rill_case *self)
{
    rill__handover *handover = self->subject;
    rill__case_enter(self, &handover->takers);
}
