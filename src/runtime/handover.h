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

/* `capacity` as the options have it: RILL_UNLIMITED (-1) or a number. items must be initialised.
 * Allocates what a bounded store needs. Returns 0, RILL_EINVAL or RILL_ENOMEM. */
int rill__handover_init(rill__handover *handover, const char *what, int64_t capacity);
/* Closes it, drops what is inside and frees the memory. */
void rill__handover_finish(rill__handover *handover);

/* Each returns 0; RILL_ECLOSED, with no error made, for the caller to word; RILL_ENOMEM. */
RILL_AWAITS int rill__handover_give(rill__handover *handover, const void *item, const char *what);
RILL_AWAITS int rill__handover_take(rill__handover *handover, void *item, const char *what);
/* The same without waiting: RILL_EAGAIN, with no error made, when they would have to. */
int rill__handover_try_give(rill__handover *handover, const void *item);
int rill__handover_try_take(rill__handover *handover, void *item);

/* Nothing more is taken in: those who wait get RILL_ECLOSED, what is inside can still be taken. */
void rill__handover_close(rill__handover *handover);
/* Drops what is inside, and says how many items that were. */
size_t rill__handover_clear(rill__handover *handover);

/* For a case of a select whose subject is a handover. */
int rill__handover_case_try_give(rill_case *self);
int rill__handover_case_try_take(rill_case *self);
void rill__handover_case_enter_give(rill_case *self);
void rill__handover_case_enter_take(rill_case *self);

#endif
