/*
 * Items: where values of one size lie until somebody takes them. A ring that gives the oldest, or
 * the newest; or a heap that gives the least, and of equal ones the oldest.
 */
#ifndef RILL_SRC_RUNTIME_ITEMS_H
#define RILL_SRC_RUNTIME_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct rill__items {
    char *memory;
    size_t item_size;
    size_t pitch; /* bytes from one item to the next */
    size_t room;  /* items that fit */
    size_t count;
    size_t head; /* of the ring: where the oldest lies */
    bool lifo;
    int (*compare)(const void *a, const void *b); /* NULL: a ring */
    uint64_t arrivals;                            /* of the heap: the number of the next item */
} rill__items;

/* Sets the fields; nothing is allocated yet. The item's size must not be 0. */
void rill__items_init(rill__items *items, size_t item_size, bool lifo,
                      int (*compare)(const void *a, const void *b));
void rill__items_free(rill__items *items);

/* Makes room for so many items in all. Returns 0 or RILL_ENOMEM, and then nothing has changed. */
int rill__items_reserve(rill__items *items, size_t room);
/* Makes room for at least one more. */
int rill__items_grow(rill__items *items);

/* Copies an item in: there must be room. */
void rill__items_push(rill__items *items, const void *item);
/* Moves the item out whose turn it is: there must be one. */
void rill__items_pop(rill__items *items, void *item);
/* Forgets all items. `drop`, unless it is NULL, is shown each of them first. */
void rill__items_clear(rill__items *items, void (*drop)(void *item));

/* A copy that costs no call for a pointer and its like. */
static inline void rill__item_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(void *))
        memcpy(to, from, sizeof(void *));
    else
        memcpy(to, from, size);
}

#endif
