/* Clocks: monotonic nanoseconds, and durations in seconds turned into them. */
#ifndef RILL_SRC_BASE_CLOCK_H
#define RILL_SRC_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define RILL__SECOND UINT64_C(1000000000)
#define RILL__NEVER UINT64_MAX

static inline uint64_t rill__clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * RILL__SECOND + (uint64_t)now.tv_nsec;
}

/* Seconds to nanoseconds: at least 0, rounded up, NaN and what is too large become RILL__NEVER. */
static inline uint64_t rill__seconds_ns(double seconds)
{
    if (seconds <= 0)
        return 0;
    if (!(seconds < 9e9))
        return RILL__NEVER;
    double ns = seconds * 1e9;
    uint64_t whole = (uint64_t)ns;
    return (double)whole < ns ? whole + 1 : whole;
}

/* now + span, RILL__NEVER when it does not fit. */
static inline uint64_t rill__after(uint64_t now, uint64_t span)
{
    return span >= RILL__NEVER - now ? RILL__NEVER : now + span;
}

#endif
