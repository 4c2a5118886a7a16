/* The ring and the heap. Each allocates only to grow. */
#include "runtime/items.h"

#include "base/alloc.h"
#include "base/fail.h"

#define ROOM_MIN 16

static size_t rounded(size_t size, size_t to)
{
    return (size + to - 1) & ~(to - 1);
}

/* In a heap the number of an item's arrival lies behind it. An item's alignment divides its size,
 * so one that needs 16 bytes gets them. */
void rill__items_init(rill__items *items, size_t item_size, bool lifo,
                      int (*compare)(const void *a, const void *b))
{
    size_t pitch = item_size;
    if (compare)
        pitch = rounded(rounded(item_size, 8) + sizeof(uint64_t), item_size % 16 == 0 ? 16 : 8);
    *items = (rill__items){
        .item_size = item_size,
        .pitch = pitch,
        .lifo = lifo,
        .compare = compare,
    };
}

void rill__items_free(rill__items *items)
{
    rill__free(items->memory);
    items->memory = NULL;
    items->room = items->count = 0;
}

static char *at(const rill__items *items, size_t index)
{
    return items->memory + index * items->pitch;
}

/* ---- room ---- */

/* The part of the ring that lies before the end of the old memory moves to the end of the new. */
static void open_ring(rill__items *items, size_t old_room)
{
    if (items->head + items->count <= old_room)
        return;
    size_t head = items->room - (old_room - items->head);
    memmove(at(items, head), at(items, items->head), (old_room - items->head) * items->pitch);
    items->head = head;
}

int rill__items_reserve(rill__items *items, size_t room)
{
    size_t old_room = items->room, bytes;
    if (room <= old_room)
        return 0;
    /* A heap sifts an item in from a place of its own, behind the last. */
    size_t places = room + (items->compare != NULL);
    if (places < room || __builtin_mul_overflow(places, items->pitch, &bytes))
        return rill__fail_nomem();
    char *memory = rill__realloc(items->memory, bytes);
    if (!memory)
        return rill__fail_nomem();
    items->memory = memory;
    items->room = room;
    open_ring(items, old_room);
    return 0;
}

int rill__items_grow(rill__items *items)
{
    if (items->count < items->room)
        return 0;
    if (items->room > SIZE_MAX / 2)
        return rill__fail_nomem();
    return rill__items_reserve(items, items->room ? items->room * 2 : ROOM_MIN);
}

/* ---- the ring ---- */

static size_t ring_index(const rill__items *items, size_t offset)
{
    size_t index = items->head + offset;
    return index < items->room ? index : index - items->room;
}

static void ring_pop(rill__items *items, void *item)
{
    size_t offset = items->lifo ? items->count - 1 : 0;
    rill__item_copy(item, at(items, ring_index(items, offset)), items->item_size);
    if (!items->lifo)
        items->head = ring_index(items, 1);
    items->count--;
}

/* ---- the heap ---- */

static uint64_t *arrival(const rill__items *items, char *entry)
{
    return (uint64_t *)(void *)(entry + items->pitch - sizeof(uint64_t));
}

static bool before(const rill__items *items, char *a, char *b)
{
    int order = items->compare(a, b);
    return order != 0 ? order < 0 : *arrival(items, a) < *arrival(items, b);
}

static void heap_push(rill__items *items, const void *item)
{
    char *moving = at(items, items->room);
    memcpy(moving, item, items->item_size);
    *arrival(items, moving) = items->arrivals++;
    size_t hole = items->count++;
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (!before(items, moving, at(items, parent)))
            break;
        memcpy(at(items, hole), at(items, parent), items->pitch);
        hole = parent;
    }
    memcpy(at(items, hole), moving, items->pitch);
}

static void heap_pop(rill__items *items, void *item)
{
    memcpy(item, at(items, 0), items->item_size);
    size_t count = --items->count, hole = 0;
    char *moving = at(items, count);
    for (size_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count && before(items, at(items, child + 1), at(items, child)))
            child++;
        if (!before(items, at(items, child), moving))
            break;
        memcpy(at(items, hole), at(items, child), items->pitch);
    }
    if (hole != count)
        memcpy(at(items, hole), moving, items->pitch);
}

/* ---- both ---- */

void rill__items_push(rill__items *items, const void *item)
{
    if (items->compare) {
        heap_push(items, item);
        return;
    }
    rill__item_copy(at(items, ring_index(items, items->count)), item, items->item_size);
    items->count++;
}

void rill__items_pop(rill__items *items, void *item)
{
    if (items->compare)
        heap_pop(items, item);
    else
        ring_pop(items, item);
}

void rill__items_clear(rill__items *items, void (*drop)(void *item))
{
    for (size_t i = 0; drop && i < items->count; i++)
        drop(at(items, items->compare ? i : ring_index(items, i)));
    items->count = items->head = 0;
}
