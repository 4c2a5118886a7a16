/*
 * What the tests of schedules share: a test whose body is the first task of a simulated loop, where
 * hours pass at once, and whose wall clock can be set.
 */
#ifndef RILL_TESTS_SCHEDULE_IN_SIM_H
#define RILL_TESTS_SCHEDULE_IN_SIM_H

#include "../runtime/in_task.h"
#include "base/clock.h"
#include "io/sim.h"
#include "runtime/runtime.h"
#include "schedule/wall.h"

#include <rill/schedule.h>

/* 2026-03-28 12:00:00 UTC, a Saturday: in Berlin the night that follows loses an hour. */
#define START 1774699200

/* Sets the wall clock forward or back, as an administrator does. */
UNUSED static void set_clock(double seconds)
{
    uint64_t step = (uint64_t)((int64_t)seconds * (int64_t)RILL__SECOND);
    rill__sim_wall_set(rill__sim_of(rill__loop_driver()), rill__wall_now() + step);
    rill__wall_was_set();
}

UNUSED static void run_in_sim(void (*body)(void))
{
    rill__sim *sim =
        rill__sim_new(&(rill__sim_config){ .seed = 1, .wall_ns = (uint64_t)START * RILL__SECOND });
    rill__outcome outcome;
    rill__run_on(rill__sim_driver(sim), in_task_run, &(struct in_task){ body }, &outcome);
    CHECK_INT(outcome.result, 0);
    rill__sim_free(sim);
}

/* TEST whose body runs as a task in a simulated world. */
#define SIM_TEST(name)                                                                             \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_in_sim(body_##name);                                                                   \
    }                                                                                              \
    static void body_##name(void)

#endif
