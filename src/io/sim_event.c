/* Events of the simulated world in the order of their time; chance; and the trace of what happened.
 */
#include "base/alloc.h"
#include "io/sim_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* ---- chance: splitmix64 ---- */

uint64_t rill__sim_random(rill__sim *sim)
{
    uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t rill__sim_below(rill__sim *sim, uint64_t n)
{
    return n > 0 ? rill__sim_random(sim) % n : 0;
}

bool rill__sim_chance(rill__sim *sim, double chance)
{
    return chance > 0 && (double)(rill__sim_random(sim) >> 11) < chance * 0x1p53;
}

/* ---- the trace: FNV-1a over words of 64 bits ---- */

static void mix(uint64_t *hash, uint64_t word)
{
    *hash = (*hash ^ word) * UINT64_C(0x100000001b3);
    *hash ^= *hash >> 32;
}

void rill__sim_note(rill__sim *sim, const char *what, uint64_t a, int64_t b)
{
    uint64_t word = 0;
    memcpy(&word, what, strnlen(what, sizeof word));
    mix(&sim->stats.trace, word);
    mix(&sim->stats.trace, sim->now);
    mix(&sim->stats.trace, a);
    mix(&sim->stats.trace, (uint64_t)b);
    if (sim->traced)
        fprintf(stderr, "%.9f %s %llu %lld\n", (double)(sim->now - sim->start) / 1e9, what,
                (unsigned long long)a, (long long)b);
}

/* ---- the heap of events: the earliest first, of equals that which was made first ---- */

static bool is_before(const rill__sim_event *a, const rill__sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void sift_up(rill__sim *sim, size_t at)
{
    rill__sim_event **heap = sim->heap;
    while (at > 0 && is_before(heap[at], heap[(at - 1) / 2])) {
        rill__sim_event *swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void sift_down(rill__sim *sim)
{
    rill__sim_event **heap = sim->heap;
    for (size_t at = 0, least;; at = least) {
        least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < sim->event_count; child++)
            if (is_before(heap[child], heap[least]))
                least = child;
        if (least == at)
            return;
        rill__sim_event *swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
    }
}

void rill__sim_event_queue(rill__sim *sim, rill__sim_event *event)
{
    if (sim->event_count == sim->heap_size) {
        sim->heap_size = sim->heap_size ? 2 * sim->heap_size : 64;
        sim->heap = rill__world_realloc(sim->heap, sim->heap_size * sizeof *sim->heap);
    }
    event->order = sim->next_order++;
    sim->heap[sim->event_count++] = event;
    sift_up(sim, sim->event_count - 1);
}

rill__sim_event *rill__sim_event_add(rill__sim *sim, rill__sim_event_kind kind,
                                     rill__sim_socket *to, uint64_t at)
{
    rill__sim_event *event = rill__world_alloc(sizeof *event);
    event->kind = kind;
    event->at = at;
    event->to = rill__sim_socket_ref(to);
    rill__sim_event_queue(sim, event);
    return event;
}

uint64_t rill__sim_event_next(const rill__sim *sim)
{
    return sim->event_count > 0 ? sim->heap[0]->at : RILL__NEVER;
}

rill__sim_event *rill__sim_event_take(rill__sim *sim)
{
    if (rill__sim_event_next(sim) > sim->now)
        return NULL;
    rill__sim_event *first = sim->heap[0];
    sim->heap[0] = sim->heap[--sim->event_count];
    sift_down(sim);
    return first;
}

void rill__sim_event_free(rill__sim_event *event)
{
    rill__sim_socket_unref(event->to);
    rill__sim_socket_unref(event->from);
    rill__world_free(event->chunk);
    rill__world_free(event);
}
