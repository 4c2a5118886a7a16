/*
 * Figures of a loop, for whoever keeps an eye on a program: cheap enough to ask for every second.
 *
 *     rill_metrics metrics;
 *     if (rill_metrics_get(&metrics) == 0)
 *         printf("%zu tasks, %zu ready\n", metrics.tasks, metrics.ready);
 *
 * Counts are kept all the time, at no cost to speak of. How long tasks run takes a look at the
 * clock a switch, some 25 ns: that is measured from rill_measure(true) on, or from the start with
 * RILL_DEBUG=1 in the environment.
 */
#ifndef RILL_METRICS_H
#define RILL_METRICS_H

#include <rill/error.h>

RILL_BEGIN_DECLS

#define RILL_HISTOGRAM_BUCKETS 28

/* How often something took how long. buckets[0] counts what took less than 1 us, buckets[i] what
 * took 2^(i-1) us or more and less than 2^i us, and the last all that took longer. */
typedef struct rill_histogram {
    uint64_t buckets[RILL_HISTOGRAM_BUCKETS];
    uint64_t count;
    double sum; /* seconds */
    double max; /* seconds */
} rill_histogram;

/* The time, in seconds, that `part` of them (0.99: all but one in a hundred) did not pass; as exact
 * as the buckets are. 0 when there are none. */
RILL_API double rill_histogram_quantile(const rill_histogram *histogram, double part);

typedef struct rill_metrics {
    size_t tasks;           /* that there are, those that ended and were not joined included */
    size_t ready;           /* of them: wait for their turn only */
    size_t timers;          /* set: sleeps, deadlines, keep-alive times */
    size_t waiting_io;      /* operations under way */
    size_t stacks_used;     /* stacks of tasks */
    size_t stacks_kept;     /* free ones, for the next tasks */
    size_t stack_bytes;     /* of address space for all of them: they take the pages they touch */
    uint64_t spawned;       /* since the loop began: tasks, */
    uint64_t switches;      /* changes from one task to another, */
    uint64_t turns;         /* looks for I/O, */
    uint64_t io;            /* operations on streams and listeners, */
    uint64_t cancels;       /* scopes, groups and tasks cancelled, */
    uint64_t timeouts;      /* and those whose deadline passed */
    bool measured;          /* whether there is anything in what follows */
    rill_histogram slice;   /* how long a task ran before it waited */
    rill_histogram latency; /* how long a turn of the loop took: what came in waited that long */
} rill_metrics;

/* Fills in the figures of the calling thread's loop. Returns 0, or RILL_ENOTASK where none runs. */
#define rill_metrics_get(metrics) rill_metrics_get_sized((metrics), sizeof *(metrics))
/* The same for a struct of that size: what the library does not know of is zeroed. */
RILL_API int rill_metrics_get_sized(rill_metrics *ret_metrics, size_t size);

/* Has the calling thread's loop measure from now on, or no longer. Returns 0, RILL_ENOTASK where
 * none runs, or RILL_ENOMEM. */
RILL_API int rill_measure(bool on);

RILL_END_DECLS

#endif
