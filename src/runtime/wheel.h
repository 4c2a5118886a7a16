/*
 * A hierarchical timing wheel: intrusive timers, O(1) to set and to cancel, never early.
 *
 * Seven levels of 64 slots; a slot of level n is 64^n ticks of 65.536 µs wide. A timer sits in the
 * level at which its tick first differs from the wheel's, and moves down as its slot comes up. What
 * is due is fired in the order of deadlines. Ranges: 4.2 ms, 268 ms, 17 s, 18 min, 19 h, 52 d, 9 y;
 * what lies beyond waits in the last level and is put back.
 */
#ifndef RILL_SRC_RUNTIME_WHEEL_H
#define RILL_SRC_RUNTIME_WHEEL_H

#include <rill/task.h>

#define RILL__WHEEL_LEVELS 7
#define RILL__WHEEL_SLOTS 64

typedef struct rill__timer rill__timer;

typedef struct rill__wheel {
    uint64_t tick;                         /* everything before this tick has fired */
    size_t count;                          /* timers set */
    uint64_t occupied[RILL__WHEEL_LEVELS]; /* a bit a slot that is not empty */
    rill__timer slots[RILL__WHEEL_LEVELS][RILL__WHEEL_SLOTS]; /* list heads: only next, prev used */
} rill__wheel;

void rill__wheel_init(rill__wheel *wheel, uint64_t now);

/* Sets the timer to timer->deadline; timer->fire is called once it is due, with the timer no longer
 * set. A timer must not be set twice; RILL__NEVER sets nothing. */
void rill__wheel_set(rill__wheel *wheel, rill__timer *timer);

/* Unsets the timer; harmless when it is not set. A zeroed timer is not set. */
void rill__wheel_cancel(rill__wheel *wheel, rill__timer *timer);

static inline bool rill__timer_is_set(const rill__timer *timer)
{
    return timer->next != NULL;
}

/* When the wheel next has something to do, in ns: not later than the first timer is due, perhaps
 * earlier, when only a slot moves down. RILL__NEVER when empty. */
uint64_t rill__wheel_next(const rill__wheel *wheel);

/* Fires all that is due at `now`. Timers set while firing wait for the next call. */
void rill__wheel_advance(rill__wheel *wheel, uint64_t now);

#endif
