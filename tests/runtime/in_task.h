/*
 * What the tests of the runtime share: a test whose body is the first task of a loop, a few task
 * functions, and an ear on the log.
 */
#ifndef RILL_TESTS_RUNTIME_IN_TASK_H
#define RILL_TESTS_RUNTIME_IN_TASK_H

#include "harness.h"

#include "io/sim.h"
#include "runtime/runtime.h"

#include <rill/log.h>
#include <rill/task.h>
#include <stdlib.h>

#define UNUSED __attribute__((unused))

struct in_task {
    void (*body)(void);
};

UNUSED static int in_task_run(void *arg)
{
    const struct in_task *in_task = arg;
    in_task->body();
    return 0;
}

/* rill_run; with RILL_TEST_DRIVER=sim in the environment on the simulated world, and with
 * sim:SEED there with ready tasks shuffled. */
UNUSED static int run_on_driver(rill_task_fn *fn, void *arg)
{
    const char *driver = getenv("RILL_TEST_DRIVER");
    if (!driver || strncmp(driver, "sim", 3) != 0)
        return rill_run(fn, arg);
    rill__sim_config config = {
        .seed = driver[3] ? strtoull(driver + 4, NULL, 0) : 1,
        .shuffle = driver[3] == ':',
    };
    rill__outcome outcome;
    rill__sim *sim = rill__sim_new(&config);
    rill__run_on(rill__sim_driver(sim), fn, arg, &outcome);
    rill__sim_free(sim);
    if (outcome.result < 0)
        fprintf(stderr, "error: %s\n", outcome.error.message);
    return outcome.result < 0 ? 1 : outcome.result;
}

/* TEST whose body runs as a task. */
#define TASK_TEST(name)                                                                            \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(run_on_driver(in_task_run, &(struct in_task){ body_##name }), 0);                \
    }                                                                                              \
    static void body_##name(void)

/* So many at once. The thread sanitizer knows some 8,000 stacks. */
#ifdef __SANITIZE_THREAD__
#define MANY_TASKS 1000
#else
#define MANY_TASKS 10000
#endif

/* ---- task functions ---- */

/* Sleeps the seconds at `arg`, and counts in *ends when it was not cancelled. */
UNUSED static int ends;
UNUSED static int sleep_for(void *arg)
{
    const double *seconds = arg;
    int rc = rill_sleep(*seconds);
    if (rc == 0)
        ends++;
    return rc;
}

UNUSED static double a_moment = 0.01, a_while = 0.05, for_ever = 1000;

UNUSED static int fail_at_once(void *arg)
{
    return rill_fail(RILL_EREFUSED, "%s", arg ? (const char *)arg : "refused");
}

/* ---- the log ---- */

UNUSED static char logged[4096];
UNUSED static int logged_lines;

UNUSED static void hear(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof logged - used, "%s: %s\n", subsystem, message);
    logged_lines++;
}

UNUSED static void hear_the_log(void)
{
    logged[0] = '\0';
    logged_lines = 0;
    rill_log_to(hear, NULL);
}

#endif
