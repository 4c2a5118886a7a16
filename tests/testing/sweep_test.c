/* The three sweeps over each of the library's own scenarios; and that sweeps find what is wrong. */
#include "harness.h"
#include "scenarios.h"

#include <rill/log.h>

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

typedef int sweep_fn(rill_task_fn *fn, const rill_test_opts *opts);

static void sweep(sweep_fn *run, const char *name)
{
    rill_log_to(drop_log, NULL);
    for (size_t i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) != 0)
            continue;
        if (scenarios[i].set_up)
            scenarios[i].set_up();
        int n = run(scenarios[i].run, &(rill_test_opts){ .size = sizeof(rill_test_opts),
                                                         .seed = 7,
                                                         .after = scenarios[i].after });
        if (n <= 3) /* it broke something at three places at least */
            test_fail(__FILE__, __LINE__, "%s: %d: %s", name, n, rill_last_error()->message);
        if (scenarios[i].tear_down)
            scenarios[i].tear_down();
    }
    rill_log_to(NULL, NULL);
}

#define TASK_SWEEPS(name)                                                                          \
    TEST_WITHIN(name##_cancelled_at_each_point, 120)                                               \
    {                                                                                              \
        sweep(rill_test_cancel_sweep_with, #name);                                                 \
    }                                                                                              \
    TEST_WITHIN(name##_with_each_allocation_failing, 120)                                          \
    {                                                                                              \
        sweep(rill_test_alloc_sweep_with, #name);                                                  \
    }

#define SWEEPS(name)                                                                               \
    TASK_SWEEPS(name)                                                                              \
    TEST_WITHIN(name##_with_each_operation_broken, 120)                                            \
    {                                                                                              \
        sweep(rill_test_io_sweep_with, #name);                                                     \
    }

SWEEPS(fetch)
SWEEPS(gather)
SWEEPS(streams)
SWEEPS(drain)
SWEEPS(redis)
SWEEPS(every)
SWEEPS(eyeballs)
SWEEPS(udp)
SWEEPS(tls)
/* These have no network. */
TASK_SWEEPS(works)
TASK_SWEEPS(joins)
TASK_SWEEPS(files)
