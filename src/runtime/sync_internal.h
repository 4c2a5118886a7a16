/* What the locks and their like share. */
#ifndef RILL_SRC_RUNTIME_SYNC_INTERNAL_H
#define RILL_SRC_RUNTIME_SYNC_INTERNAL_H

#include "runtime/runtime_internal.h"

#include <rill/sync.h>

_Static_assert(sizeof(((rill_event *)0)->waiters) == sizeof(rill__waitq), "room for the queue");

/* The queue in a public struct, whose bytes may still be zero. */
static inline rill__waitq *rill__queue_in(void *waiters)
{
    rill__waitq *queue = (rill__waitq *)waiters;
    if (!queue->waiters.next)
        rill__waitq_init(queue);
    return queue;
}

/* ---- held.c ---- */
/* Fails when the task holds the object already. */
int rill__held_refuse(const rill__task *task, const void *object, const char *what);
/* The same, or when it can hold no more. */
int rill__held_check(const rill__task *task, const void *object, const char *what);
void rill__held_add(rill__task *task, const void *object);
/* Returns false when the task does not hold it. */
bool rill__held_remove(rill__task *task, const void *object);

#endif
