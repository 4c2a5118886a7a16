/* Time for tasks: sleeping, and clockworks without drift. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

static void wake_up(rill__timer *alarm)
{
    rill__wake(rill__task_on(rill__container(alarm, rill__stack, alarm)));
}

static rill__abort abort_sleep(void *alarm)
{
    rill__timer_cancel(alarm);
    return RILL__ABORTED;
}

static uint64_t clock_now(void)
{
    rill__driver *driver = rill__this_loop->driver;
    return driver->ops->now(driver);
}

static int sleep_until(uint64_t deadline, const char *what)
{
    rill__timer *alarm = &rill__this_loop->current->stack->alarm;
    alarm->deadline = deadline;
    alarm->fire = wake_up;
    alarm->touches = rill__this_loop->current;
    rill__timer_set(alarm);
    rill__waits_for(RILL__SUBJECT_TIMER, alarm);
    return rill__awaited(rill__park(what, abort_sleep, alarm));
}

int rill_sleep(double seconds)
{
    bool for_ever = seconds == RILL_FOREVER;
    if (seconds <= 0 && !for_ever)
        return rill__yield("sleep");
    RILL__TRY(rill__need_task("sleep"));
    uint64_t span = for_ever ? RILL__NEVER : rill__seconds_ns(seconds);
    return sleep_until(rill__after(clock_now(), span), "sleep");
}

double rill_now(void)
{
    rill__loop *loop = rill__this_loop;
    uint64_t now = loop ? clock_now() : rill__clock_ns(CLOCK_MONOTONIC);
    return (double)now / 1e9;
}

/* ---- intervals ---- */

int rill_interval_init(rill_interval *interval, double period, double delay, rill_missed missed)
{
    *interval = (rill_interval){ 0 };
    if (!(period > 0) || rill__seconds_ns(period) == RILL__NEVER)
        return rill__fail(RILL_EINVAL, "interval: a period of %g s is none", period);
    uint64_t now = rill__this_loop ? clock_now() : rill__clock_ns(CLOCK_MONOTONIC);
    *interval = (rill_interval){
        .next = rill__after(now, rill__seconds_ns(delay)),
        .period = rill__seconds_ns(period),
        .missed = missed,
    };
    return 0;
}

int rill_interval_jitter(rill_interval *interval, double seconds)
{
    double period = (double)interval->period / 1e9;
    if (!(seconds >= 0 && seconds <= period))
        return rill__fail(RILL_EINVAL,
                          "interval: a jitter of %g s is not within 0 and its period "
                          "of %g s",
                          seconds, period);
    interval->jitter = rill__seconds_ns(seconds);
    interval->shift = 0;
    return 0;
}

/* Moves `next` to the tick after the one that was to come at `due`; returns how many were missed.
 */
static int advance(rill_interval *interval, uint64_t due, uint64_t now)
{
    uint64_t late = now > due ? now - due : 0;
    uint64_t missed = late / interval->period;
    switch (interval->missed) {
    case RILL_MISSED_BURST:
        interval->next += interval->period;
        break;
    case RILL_MISSED_DELAY:
        interval->next = (missed > 0 ? now : interval->next) + interval->period;
        break;
    case RILL_MISSED_SKIP:
        interval->next += (missed + 1) * interval->period;
        break;
    }
    return missed > INT32_MAX ? INT32_MAX : (int)missed;
}

int rill_interval_wait(rill_interval *interval)
{
    RILL__TRY(rill__need_task("interval"));
    if (interval->period == 0)
        return rill__fail(RILL_EINVAL, "interval: it has no period");
    /* A wait that is cancelled leaves the tick as it is: its jitter is drawn once. */
    if (interval->shift == 0)
        interval->shift = rill__loop_jitter(interval->jitter) + 1;
    uint64_t due = rill__after(interval->next, interval->shift - 1);
    /* Work that never waits must not keep the loop to itself. */
    RILL__TRY(due > clock_now() ? sleep_until(due, "its next tick") : rill__yield("interval"));
    interval->shift = 0;
    return advance(interval, due, clock_now());
}

/* ---- every ---- */

struct every {
    rill_interval interval;
    rill_task_fn *fn;
    void *arg;
};

static int run_every(void *arg)
{
    struct every every = *(struct every *)arg;
    rill__free(arg);
    for (;;) {
        RILL__TRY(rill_interval_wait(&every.interval));
        RILL__TRY(rill__call_apart(every.fn, every.arg));
    }
}

rill_task rill_every_with(double seconds, rill_task_fn *fn, const rill_every_opts *given)
{
    const rill_task none = { 0 };
    rill_every_opts opts;
    rill__opts_read(opts, given);
    struct every every = { .fn = fn, .arg = opts.arg };
    if (rill_interval_init(&every.interval, seconds, opts.delay, opts.missed) < 0 ||
        rill_interval_jitter(&every.interval, opts.jitter) < 0)
        return none;
    struct every *copy = rill__alloc(sizeof *copy);
    if (!copy) {
        rill__fail_nomem();
        return none;
    }
    *copy = every;
    rill_task task = rill_spawn_with(run_every, &(rill_spawn_opts){
                                                    .size = sizeof(rill_spawn_opts),
                                                    .arg = copy,
                                                    .name = opts.name ? opts.name : "every",
                                                    .group = opts.group,
                                                    .file = opts.file,
                                                    .line = opts.line,
                                                });
    if (!task.id)
        rill__free(copy);
    return task;
}
