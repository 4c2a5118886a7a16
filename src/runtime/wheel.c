/* The timing wheel: see wheel.h for its idea. */
#include "runtime/wheel.h"

#include "base/clock.h"

#define TICK_SHIFT 16 /* 65.536 µs */
#define SLOT_BITS 6
#define BATCH 16 /* timers whose targets are fetched at a time */
#define SLOT_MASK (RILL__WHEEL_SLOTS - 1)
/* One slot of the last level short of all, so that no timer lands in the slot at hand. */
#define MAX_AHEAD ((UINT64_C(63) << (SLOT_BITS * (RILL__WHEEL_LEVELS - 1))) - 1)

static void list_init(rill__timer *head)
{
    head->next = head->prev = head;
}

static void list_append(rill__timer *head, rill__timer *timer)
{
    timer->next = head;
    timer->prev = head->prev;
    head->prev->next = timer;
    head->prev = timer;
}

static void list_remove(rill__timer *timer)
{
    timer->next->prev = timer->prev;
    timer->prev->next = timer->next;
    timer->next = timer->prev = NULL;
}

void rill__wheel_init(rill__wheel *wheel, uint64_t now)
{
    wheel->tick = now >> TICK_SHIFT;
    wheel->count = 0;
    for (int level = 0; level < RILL__WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (int slot = 0; slot < RILL__WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

/* The first tick at whose beginning the deadline has passed. */
static uint64_t due_tick(uint64_t deadline)
{
    return (deadline >> TICK_SHIFT) + ((deadline & ((1u << TICK_SHIFT) - 1)) != 0);
}

static void place(rill__wheel *wheel, rill__timer *timer)
{
    uint64_t due = due_tick(timer->deadline);
    if (due < wheel->tick)
        due = wheel->tick;
    if (due - wheel->tick > MAX_AHEAD)
        due = wheel->tick + MAX_AHEAD;
    uint64_t differing = (due ^ wheel->tick) | SLOT_MASK;
    unsigned level = (63u - (unsigned)__builtin_clzll(differing)) / SLOT_BITS;
    if (level >= RILL__WHEEL_LEVELS)
        level = RILL__WHEEL_LEVELS - 1;
    unsigned slot = (unsigned)(due >> (level * SLOT_BITS)) & SLOT_MASK;
    list_append(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void rill__wheel_set(rill__wheel *wheel, rill__timer *timer)
{
    if (timer->deadline == RILL__NEVER) {
        timer->next = timer->prev = NULL;
        return;
    }
    wheel->count++;
    place(wheel, timer);
}

void rill__wheel_cancel(rill__wheel *wheel, rill__timer *timer)
{
    if (!timer->next)
        return;
    rill__timer *neighbour = timer->next;
    list_remove(timer);
    wheel->count--;
    /* Was it alone? Then its one neighbour is the list's head, whose place in the table is known.
     */
    rill__timer *first = &wheel->slots[0][0];
    if (neighbour->next == neighbour && neighbour >= first &&
        neighbour < first + RILL__WHEEL_LEVELS * RILL__WHEEL_SLOTS) {
        size_t at = (size_t)(neighbour - first);
        wheel->occupied[at / RILL__WHEEL_SLOTS] &= ~(UINT64_C(1) << (at % RILL__WHEEL_SLOTS));
    }
}

/* The next occupied slot of the level from the wheel's position on, as the tick at which it begins;
 * it cannot lie before the position, except in the last level, which wraps around. */
static uint64_t level_next(const rill__wheel *wheel, unsigned level)
{
    unsigned shift = level * SLOT_BITS;
    unsigned position = (unsigned)(wheel->tick >> shift) & SLOT_MASK;
    uint64_t bits = wheel->occupied[level];
    uint64_t rotated = position ? bits >> position | bits << (64 - position) : bits;
    unsigned ahead = (unsigned)__builtin_ctzll(rotated);
    return ((wheel->tick >> shift) + ahead) << shift;
}

/* Lower levels always come up before higher ones. */
static int next_level(const rill__wheel *wheel)
{
    for (int level = 0; level < RILL__WHEEL_LEVELS; level++)
        if (wheel->occupied[level])
            return level;
    return -1;
}

static uint64_t next_tick(const rill__wheel *wheel)
{
    int level = next_level(wheel);
    if (level < 0)
        return RILL__NEVER;
    uint64_t tick = level_next(wheel, (unsigned)level);
    return tick < wheel->tick ? wheel->tick : tick;
}

uint64_t rill__wheel_next(const rill__wheel *wheel)
{
    uint64_t tick = next_tick(wheel);
    return tick == RILL__NEVER ? RILL__NEVER : tick << TICK_SHIFT;
}

/* Takes a whole slot off as a list of its own. */
static void detach_slot(rill__wheel *wheel, unsigned level, unsigned slot, rill__timer *head)
{
    rill__timer *from = &wheel->slots[level][slot];
    list_init(head);
    if (from->next != from) {
        head->next = from->next;
        head->prev = from->prev;
        head->next->prev = head->prev->next = head;
        list_init(from);
    }
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
}

/* Merges two chains (through next, ended by NULL) that are sorted; equal ones keep their order. */
static rill__timer *merge(rill__timer *a, rill__timer *b)
{
    rill__timer first, *last = &first;
    while (a && b) {
        rill__timer **from = b->deadline < a->deadline ? &b : &a;
        last->next = *from;
        last = *from;
        *from = (*from)->next;
    }
    last->next = a ? a : b;
    return first.next;
}

/* Bottom-up merge sort of a circular list by deadline: no recursion, stable. */
static void sort_by_deadline(rill__timer *head)
{
    rill__timer *runs[48] = { NULL };
    head->prev->next = NULL;
    for (rill__timer *timer = head->next, *next; timer; timer = next) {
        next = timer->next;
        timer->next = NULL;
        size_t i = 0;
        for (; runs[i]; i++) {
            timer = merge(runs[i], timer);
            runs[i] = NULL;
        }
        runs[i] = timer;
    }
    rill__timer *sorted = NULL;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        sorted = merge(runs[i], sorted);
    list_init(head);
    for (rill__timer *next; sorted; sorted = next) {
        next = sorted->next;
        list_append(head, sorted);
    }
}

/* Puts a list at the end of another, and leaves it undefined. */
static void splice(rill__timer *to, rill__timer *from)
{
    if (from->next == from)
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
}

/* What the first timers of the list will touch lies far apart: it is fetched for all at a time. */
static void look_ahead(const rill__timer *due)
{
    const rill__timer *timer = due->next;
    for (int i = 0; i < BATCH && timer != due; i++, timer = timer->next)
        if (timer->touches)
            __builtin_prefetch(timer->touches, 1);
}

/* Fires every timer of the list. One that `fire` cancels meanwhile leaves the list by itself. */
static void fire_all(rill__wheel *wheel, rill__timer *due)
{
    for (unsigned fired = 0; due->next != due; fired++) {
        if (fired % BATCH == 0)
            look_ahead(due);
        rill__timer *timer = due->next;
        list_remove(timer);
        wheel->count--;
        timer->fire(timer);
    }
}

static void move_down(rill__wheel *wheel, unsigned level, unsigned slot)
{
    rill__timer list;
    detach_slot(wheel, level, slot, &list);
    while (list.next != &list) {
        rill__timer *timer = list.next;
        list_remove(timer);
        place(wheel, timer);
    }
}

void rill__wheel_advance(rill__wheel *wheel, uint64_t now)
{
    uint64_t end = now >> TICK_SHIFT;
    rill__timer due;
    list_init(&due);
    for (;;) {
        int level = next_level(wheel);
        uint64_t tick = next_tick(wheel);
        if (level < 0 || tick > end)
            break;
        wheel->tick = tick;
        unsigned slot = (unsigned)(tick >> ((unsigned)level * SLOT_BITS)) & SLOT_MASK;
        if (level > 0) {
            move_down(wheel, (unsigned)level, slot);
            continue;
        }
        /* Ticks come up in order, so each is sorted by itself: while it is still at hand. */
        rill__timer list;
        detach_slot(wheel, 0, slot, &list);
        sort_by_deadline(&list);
        splice(&due, &list);
    }
    if (wheel->tick < end)
        wheel->tick = end;
    fire_all(wheel, &due);
}
