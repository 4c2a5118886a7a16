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
        int n = run(scenarios[i].run, &(rill_test_opts){ .size = sizeof(rill_test_opts),
                                                         .seed = 7,
                                                         .after = scenarios[i].after });
        if (n <= 3) /* it broke something at three places at least */
            test_fail(__FILE__, __LINE__, "%s: %d: %s", name, n, rill_last_error()->message);
    }
    rill_log_to(NULL, NULL);
}

#define SWEEPS(name)                                                                               \
    TEST_WITHIN(name##_cancelled_at_each_point, 120)                                               \
    {                                                                                              \
        sweep(rill_test_cancel_sweep_with, #name);                                                 \
    }                                                                                              \
    TEST_WITHIN(name##_with_each_allocation_failing, 120)                                          \
    {                                                                                              \
        sweep(rill_test_alloc_sweep_with, #name);                                                  \
    }                                                                                              \
    TEST_WITHIN(name##_with_each_operation_broken, 120)                                            \
    {                                                                                              \
        sweep(rill_test_io_sweep_with, #name);                                                     \
    }

SWEEPS(fetch)
SWEEPS(gather)
SWEEPS(streams)
SWEEPS(drain)
SWEEPS(redis)
TEST_WITHIN(works_cancelled_at_each_point, 120)
{
    sweep(rill_test_cancel_sweep_with, "works");
}
TEST_WITHIN(works_with_each_allocation_failing, 120)
{
    sweep(rill_test_alloc_sweep_with, "works");
}
