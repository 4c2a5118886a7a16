/*
 * Handing values from task to task: what queues and channels have in common.
 *
 * Items lie in a store that holds up to `capacity` of them, none at all for a rendezvous. Givers
 * wait only while it is full, takers only while it is empty and no giver waits; so a value goes
 * straight from where the giver has it to where the taker wants it when one of them waits. Who has
 * waited longest comes first, and nobody overtakes.
 */
#ifndef RILL_SRC_RUNTIME_HANDOVER_H
#define RILL_SRC_RUNTIME_HANDOVER_H

#include "runtime/items.h"
#include "runtime/runtime.h"
#include "runtime/source.h"

#define RILL__UNBOUNDED SIZE_MAX

typedef struct rill__handover {
    rill__waitq givers; /* their slots: the item to give */
    rill__waitq takers; /* their slots: where to put it */
    rill__items items;
    size_t capacity;
    size_t accepted; /* items that were taken in; who counts what is unfinished lowers it */
    void (*drop)(void *item); /* NULL, or called for an item that nobody will take */
    bool closed;              /* nothing more is taken in */
} rill__handover;

/* One side of a kind of handover, in words, and as a case of a select. */
typedef struct rill__side {
    rill__source source;   /* RILL__GIVING or RILL__TAKING */
    const char *what;      /* "channel send" */
    const char *closed;    /* why it fails for good: "no receiver is left" */
    const char *must_wait; /* why it fails when it is not to wait: "there is no room" */
} rill__side;

/* `capacity` as the options have it: RILL_UNLIMITED (-1) or a number. items must be initialised.
 * Allocates what a bounded store needs. Returns 0, RILL_EINVAL or RILL_ENOMEM. */
int rill__handover_init(rill__handover *handover, const char *what, int64_t capacity);
/* Closes it, drops what is inside and frees the memory. */
void rill__handover_finish(rill__handover *handover);

/* Each returns 0 or fails, in the words of the side: RILL_ECLOSED; RILL_ENOMEM when an unbounded
 * store cannot grow. */
RILL_AWAITS int rill__give(rill__handover *handover, const void *item, const rill__side *side);
RILL_AWAITS int rill__take(rill__handover *handover, void *item, const rill__side *side);
/* The same without waiting: RILL_EAGAIN when they would have to. */
int rill__try_give(rill__handover *handover, const void *item, const rill__side *side);
int rill__try_take(rill__handover *handover, void *item, const rill__side *side);

/* Nothing more is taken in: those who wait get RILL_ECLOSED, what is inside can still be taken. */
void rill__handover_close(rill__handover *handover);
/* Drops what is inside, and says how many items that were. */
size_t rill__handover_clear(rill__handover *handover);

/* ---- for the sides' sources ---- */

int rill__attempt_give(rill_case *self);
int rill__attempt_take(rill_case *self);
void rill__enter_givers(rill_case *self);
void rill__enter_takers(rill_case *self);
int rill__fail_side(const rill_case *self, int result);

#define RILL__GIVING                                                                               \
    {                                                                                              \
        .attempt = rill__attempt_give, .enter = rill__enter_givers, .fail = rill__fail_side        \
    }
#define RILL__TAKING                                                                               \
    {                                                                                              \
        .attempt = rill__attempt_take, .enter = rill__enter_takers, .fail = rill__fail_side        \
    }

#endif
