/*
 * tasks: what the runtime's own operations cost, in nanoseconds, one `name value` a line.
 *
 *   switch_ns      from one task to another, by rill_sleep(0), with two tasks that are ready
 *   yield_ns       rill_sleep(0) of a task that is alone
 *   spawn_join_ns  a task that does nothing, spawned and joined
 *   timer_ns       a timer set and cancelled again
 *   scope_ns       a scope with a timeout, begun and ended
 *
 * Each is the best of several rounds: what disturbs only makes it slower.
 */
#include "base/clock.h"
#include "runtime/runtime.h"

#include <stdio.h>

#define ROUNDS 20
#define TURNS 200000

typedef void measured_fn(void);

static int yield_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++)
        rill_sleep(0);
    return 0;
}

static void yield_alone(void)
{
    yield_often(NULL);
}

static void yield_to_another(void)
{
    rill_task other = rill_spawn(yield_often, NULL);
    for (int i = 0; i < TURNS; i++)
        rill_sleep(0);
    rill_join(other);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_and_join(void)
{
    for (int i = 0; i < TURNS; i++)
        rill_join(rill_spawn(nothing, NULL));
}

static void never(rill__timer *timer)
{
    (void)timer;
}

static void set_and_cancel(void)
{
    rill__timer timer = { .fire = never };
    for (int i = 0; i < TURNS; i++) {
        timer.deadline = rill__loop_now() + 30 * RILL__SECOND + (uint64_t)i * 1000;
        rill__timer_set(&timer);
        rill__timer_cancel(&timer);
    }
}

static void begin_and_end(void)
{
    rill_scope scope;
    for (int i = 0; i < TURNS; i++) {
        rill_scope_begin(&scope, .timeout = 30);
        rill_scope_end(&scope, 0);
    }
}

static void measure(const char *name, measured_fn *fn, int operations)
{
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double start = rill_now();
        fn();
        double took = rill_now() - start;
        best = took < best ? took : best;
    }
    printf("%s %.1f\n", name, best * 1e9 / operations);
}

static int run(void *arg)
{
    (void)arg;
    measure("switch_ns", yield_to_another, 2 * TURNS);
    measure("yield_ns", yield_alone, TURNS);
    measure("spawn_join_ns", spawn_and_join, TURNS);
    measure("timer_ns", set_and_cancel, TURNS);
    measure("scope_ns", begin_and_end, TURNS);
    return 0;
}

int main(void)
{
    return rill_run(run, NULL);
}
