/*
 * Stacks for tasks: slots of slabs. A slab is one mapping of 64 stacks of one size class, without
 * reservation of memory and without huge pages, so that a stack costs the pages it touched.
 *
 * The lowest part of each stack is a guard that faults when touched: MADV_GUARD_INSTALL where the
 * kernel has it (no extra mapping), else mprotect while the process's mappings allow it, else none
 * (logged once). Freed stacks are kept, last in first out, and reused warm.
 */
#ifndef RILL_SRC_RUNTIME_STACK_H
#define RILL_SRC_RUNTIME_STACK_H

#include "base/list.h"
#include "runtime/wheel.h"

#define RILL__STACK_DEFAULT ((size_t)256 << 10)
#define RILL__STACK_MAX ((size_t)8 << 20)
#define RILL__STACK_CLASSES 4

typedef struct rill__stack {
    /* When the task on it sleeps. It lies here, side by side with others, because the wheel goes
     * through many at a time: on a stack each would be on a page of its own. */
    rill__timer alarm;
    struct rill__stack *next_free;
    struct rill__slab *slab;
    char *bottom; /* lowest usable address: above the guard */
    char *top;
    bool shallow; /* free, and its deep part has been given back to the system */
    void *fiber;  /* what the thread sanitizer knows the stack by; NULL without it */
} rill__stack;

typedef struct rill__stack_class {
    size_t size; /* of a slot, guard included */
    rill__stack *free;
    size_t free_count;
    rill__list slabs;
} rill__stack_class;

typedef struct rill__stack_pool {
    rill__stack_class classes[RILL__STACK_CLASSES];
    size_t live;  /* stacks handed out */
    bool settled; /* none was given back since the last trim: another would find no more */
} rill__stack_pool;

/* Does without MADV_GUARD_INSTALL, as on an older kernel. For tests. */
extern bool rill__stack_madvise_off;

void rill__stack_pool_init(rill__stack_pool *pool);
/* All stacks must have been given back. */
void rill__stack_pool_free(rill__stack_pool *pool);

/* A stack of at least `size` bytes (0: the default), or NULL when memory or mappings are short. */
rill__stack *rill__stack_get(rill__stack_pool *pool, size_t size);
/* Gives a stack back. The memory is untouched until the next get, so a task may give back the stack
 * it still stands on, just before it leaves it for good. */
void rill__stack_put(rill__stack_pool *pool, rill__stack *stack);
/* Returns memory of stacks that have not been needed; called now and then by the loop. */
void rill__stack_trim(rill__stack_pool *pool);

/* How many free stacks are kept, and the address space of all. */
void rill__stack_count(const rill__stack_pool *pool, size_t *ret_kept, size_t *ret_bytes);

/* Whether far more stacks are kept than are in use, and trimming may change that. */
bool rill__stack_worth_trimming(const rill__stack_pool *pool);

/* Whether the address lies in the guard of this stack. */
bool rill__stack_overflowed(const rill__stack *stack, const void *address);
/* The stack's size as asked for, for messages. */
size_t rill__stack_size(const rill__stack *stack);

#endif
