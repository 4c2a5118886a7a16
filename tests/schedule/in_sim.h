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

static struct rill__driver_ops sim_ops;
static uint64_t (*sim_wall)(rill__driver *driver);
static int64_t set_by; /* seconds */

static uint64_t shifted_wall(rill__driver *driver)
{
    return sim_wall(driver) + (uint64_t)(set_by * (int64_t)RILL__SECOND);
}

/* Sets the wall clock forward or back, as an administrator does. */
UNUSED static void set_clock(double seconds)
{
    set_by += (int64_t)seconds;
    rill__wall_was_set();
}

UNUSED static void run_in_sim(void (*body)(void))
{
    rill__sim *sim =
        rill__sim_new(&(rill__sim_config){ .seed = 1, .wall_ns = (uint64_t)START * RILL__SECOND });
    rill__driver *driver = rill__sim_driver(sim);
    rill__outcome outcome;
    sim_ops = *driver->ops;
    sim_wall = sim_ops.wall;
    sim_ops.wall = shifted_wall;
    driver->ops = &sim_ops;
    set_by = 0;
    rill__run_on(driver, in_task_run, &(struct in_task){ body }, &outcome);
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
