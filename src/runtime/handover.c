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
    if (handover->items.item_size > PTRDIFF_MAX)
        return rill__fail_nomem();
    if (capacity < RILL_UNLIMITED)
        return rill__fail(RILL_EINVAL, "%s: a capacity cannot be negative", what);
    handover->capacity = capacity == RILL_UNLIMITED ? RILL__UNBOUNDED : (size_t)capacity;
    return capacity > 0 ? rill__items_reserve(&handover->items, handover->capacity) : 0;
}

/* ---- what can happen at once ---- */

/* Both return RILL_EAGAIN when nothing can, RILL_ECLOSED when nothing ever will, with no error
 * made. */

static int give_now(rill__handover *handover, const void *item)
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

static int take_now(rill__handover *handover, void *item)
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

/* ---- giving and taking ---- */

static int in_words(const rill__side *side, int rc)
{
    if (rc == RILL_ECLOSED)
        return rill__fail(rc, "%s: %s", side->what, side->closed);
    if (rc == RILL_EAGAIN)
        return rill__fail(rc, "%s: %s", side->what, side->must_wait);
    return rc;
}

/* Once it has waited, the handover may be gone: whoever freed it has ended the wait. */
int rill__give(rill__handover *handover, const void *item, const rill__side *side)
{
    RILL__TRY(rill__point(side->what));
    int rc = give_now(handover, item);
    if (rc == RILL_EAGAIN)
        rc = rill__waitq_wait_for(&handover->givers, side->what, (void *)item);
    else
        rill__share_thread();
    return rc < 0 ? in_words(side, rc) : 0;
}

int rill__take(rill__handover *handover, void *item, const rill__side *side)
{
    RILL__TRY(rill__point(side->what));
    int rc = take_now(handover, item);
    if (rc == RILL_EAGAIN)
        rc = rill__waitq_wait_for(&handover->takers, side->what, item);
    else
        rill__share_thread();
    return rc < 0 ? in_words(side, rc) : 0;
}

int rill__try_give(rill__handover *handover, const void *item, const rill__side *side)
{
    return in_words(side, give_now(handover, item));
}

int rill__try_take(rill__handover *handover, void *item, const rill__side *side)
{
    return in_words(side, take_now(handover, item));
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

int rill__attempt_give(rill_case *self)
{
    return give_now(self->subject, self->item);
}

int rill__attempt_take(rill_case *self)
{
    return take_now(self->subject, self->item);
}

void rill__enter_givers(rill_case *self)
{
    rill__handover *handover = self->subject;
    rill__case_enter(self, &handover->givers);
}

void rill__enter_takers(rill_case *self)
{
    rill__handover *handover = self->subject;
    rill__case_enter(self, &handover->takers);
}

int rill__fail_side(const rill_case *self, int result)
{
    const rill__side *side = (const rill__side *)(const void *)self->source;
    return in_words(side, result);
}
