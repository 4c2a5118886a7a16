/*
 * Figures of the loop. What is counted always is counted where it happens; how long tasks and turns
 * take is measured only when asked for, by way of loop->measure.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "runtime/runtime_internal.h"

#include <rill/metrics.h>

struct rill__measure {
    rill__task *running; /* since `since`; NULL: the loop itself */
    uint64_t since;
    uint64_t turn_began; /* ns; 0: it waits for I/O */
    rill_histogram slice, latency;
};

/* ---- histograms ---- */

static void note(rill_histogram *histogram, uint64_t ns)
{
    uint64_t us = ns / 1000;
    int bucket = us == 0 ? 0 : 64 - __builtin_clzll(us);
    double seconds = (double)ns / 1e9;
    histogram->buckets[bucket < RILL_HISTOGRAM_BUCKETS ? bucket : RILL_HISTOGRAM_BUCKETS - 1]++;
    histogram->count++;
    histogram->sum += seconds;
    if (seconds > histogram->max)
        histogram->max = seconds;
}

double rill_histogram_quantile(const rill_histogram *histogram, double part)
{
    uint64_t seen = 0;
    for (int i = 0; i < RILL_HISTOGRAM_BUCKETS - 1; i++) {
        seen += histogram->buckets[i];
        double bound = (double)(UINT64_C(1) << i) / 1e6;
        if (seen > 0 && (double)seen >= part * (double)histogram->count)
            return bound < histogram->max ? bound : histogram->max;
    }
    return histogram->max;
}

/* ---- measuring ---- */

void rill__measure_switch(rill__loop *loop, rill__task *to)
{
    rill__measure *measure = loop->measure;
    uint64_t now = rill__clock_ns(CLOCK_MONOTONIC);
    if (measure->running) {
        measure->running->cpu += now - measure->since;
        note(&measure->slice, now - measure->since);
    }
    measure->running = to;
    measure->since = now;
    if (!measure->turn_began) /* what is called from within the wait for I/O counts too */
        measure->turn_began = now;
}

void rill__measure_turn(rill__loop *loop, bool begins)
{
    rill__measure *measure = loop->measure;
    uint64_t now = rill__clock_ns(CLOCK_MONOTONIC);
    if (!begins && measure->turn_began)
        note(&measure->latency, now - measure->turn_began);
    measure->turn_began = !begins ? 0 : measure->turn_began ? measure->turn_began : now;
}

int rill__measure_start(rill__loop *loop)
{
    if (loop->measure)
        return 0;
    loop->measure = rill__zalloc(sizeof *loop->measure);
    if (!loop->measure)
        return rill__fail_nomem();
    rill__measure_switch(loop, loop->current);
    return 0;
}

static int need_loop(const char *what)
{
    return rill__this_loop ? 0 : rill__fail(RILL_ENOTASK, "%s: no loop runs on this thread", what);
}

int rill_measure(bool on)
{
    RILL__TRY(need_loop("measure"));
    rill__loop *loop = rill__this_loop;
    if (on)
        return rill__measure_start(loop);
    rill__free(loop->measure);
    loop->measure = NULL;
    return 0;
}

/* ---- reading ---- */

static size_t count_ready(const rill__loop *loop)
{
    size_t count = 0;
    for (const rill__task *task = loop->ready_head; task; task = task->next_ready)
        count++;
    return count;
}

int rill_metrics_get_sized(rill_metrics *ret_metrics, size_t size)
{
    memset(ret_metrics, 0, size);
    RILL__TRY(need_loop("metrics"));
    const rill__loop *loop = rill__this_loop;
    rill_metrics metrics = {
        .tasks = loop->task_count,
        .ready = count_ready(loop),
        .timers = loop->wheel.count,
        .waiting_io = loop->driver->pending,
        .stacks_used = loop->stacks.live,
        .spawned = loop->counts.spawned,
        .switches = loop->counts.switches,
        .turns = loop->turns,
        .io = loop->counts.io,
        .cancels = loop->counts.cancels,
        .timeouts = loop->counts.timeouts,
        .measured = loop->measure != NULL,
    };
    rill__stack_count(&loop->stacks, &metrics.stacks_kept, &metrics.stack_bytes);
    if (loop->measure) {
        metrics.slice = loop->measure->slice;
        metrics.latency = loop->measure->latency;
    }
    memcpy(ret_metrics, &metrics, size < sizeof metrics ? size : sizeof metrics);
    return 0;
}
