/*
 * Runs of a scenario in a world of its own: the seed, the limit of its time, what it left behind,
 * and what is said of a failure.
 */
#include "testing/testing_internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "io/kernel.h"
#include "runtime/runtime.h"
#include "testing/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_SECONDS 1893456000.0 /* 2030-01-01 */
#define LIMIT_SECONDS 3600.0

/* The run of this thread: the scenario's task lies on another stack. */
struct run {
    rill_task_fn *fn;
    const rill_test_opts *opts;
    const rill__test_plan *plan;
    rill__test_outcome *outcome;
    unsigned long first_alloc;
    rill_error failure; /* what rill_test_fail was told first */
};
static __thread struct run *this_run;

/* ---- the seed ---- */

uint64_t rill__test_seed_for(const rill_test_opts *opts)
{
    const char *text = getenv("RILL_SEED");
    char *end = NULL;
    uint64_t seed = text ? strtoull(text, &end, 0) : 0;
    if (end && end != text && !*end)
        return seed;
    if (opts->seed)
        return opts->seed;
    rill__kernel_random(NULL, &seed, sizeof seed);
    return seed ? seed : 1;
}

uint64_t rill_test_seed(void)
{
    return this_run ? this_run->outcome->seed : 0;
}

/* ---- the scenario's task ---- */

static double limit_of(const rill_test_opts *opts)
{
    return opts->limit > 0 ? opts->limit : LIMIT_SECONDS;
}

static void break_things(const rill__test_plan *plan)
{
    rill__sim *sim = rill__sim_of(rill__loop_driver());
    rill__loop_sweep()->cancel_at =
        plan->cancel_at ? rill__loop_sweep()->points + plan->cancel_at : 0;
    rill__alloc_fail_at = plan->alloc_fail_at ? rill__alloc_count + plan->alloc_fail_at : 0;
    if (plan->fault.at)
        rill__sim_fault_set(sim, &plan->fault);
}

static int check_after(const struct run *run)
{
    rill_scope shield;
    rill__loop_sweep()->cancel_at = 0;
    rill__alloc_fail_at = 0;
    rill__sim_fault_clear(rill__sim_of(rill__loop_driver()));
    RILL__TRY(rill_scope_begin(&shield, .shield = true));
    return rill_scope_end(&shield, run->opts->after(run->opts->arg));
}

/* The scenario's failure stays that of the run, unless what must still work does not. */
static int then_check(const struct run *run, int rc)
{
    if (!run->opts->after)
        return rc;
    rill_error error = *rill_last_error();
    rill__wind_up(); /* as the end of the scenario's task would */
    run->outcome->after = check_after(run);
    if (run->outcome->after < 0)
        return run->outcome->after;
    if (rc < 0)
        *rill__error_slot() = error;
    return rc;
}

static int scenario(void *arg)
{
    struct run *run = arg;
    rill__test_outcome *outcome = run->outcome;
    unsigned long points = rill__loop_sweep()->points;
    unsigned long allocations = rill__alloc_count;
    break_things(run->plan);
    int rc = run->fn(run->opts->arg);
    outcome->points = rill__loop_sweep()->points - points;
    outcome->allocations = rill__alloc_count - allocations;
    return then_check(run, rc);
}

int rill_test_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct run *run = this_run;
    if (!run)
        rill__fail(RILL_EINVAL, "test: no run is under way");
    else if (run->failure.code == 0) {
        run->failure.code = RILL_EFAILED;
        vsnprintf(run->failure.message, sizeof run->failure.message, format, args);
    }
    va_end(args);
    return run ? RILL_EFAILED : RILL_EINVAL;
}

/* ---- a run ---- */

static void configure(const rill_test_opts *opts, uint64_t seed, rill__sim_config *config)
{
    double wall = opts->wall > 0 ? opts->wall : WALL_SECONDS;
    *config = (rill__sim_config){
        .seed = seed,
        .shuffle = opts->shuffle,
        .wall_ns = rill__seconds_ns(wall),
        .descriptors = opts->descriptors > 0 ? (size_t)opts->descriptors : 0,
        .job_ns = rill__seconds_ns(opts->thread_time),
        .end_ns = rill__seconds_ns(limit_of(opts)),
    };
    rill__test_link_read(&opts->net, &config->link);
}

static void look_for_leaks(const rill__sim *sim, size_t open, rill__test_outcome *outcome)
{
    char list[300];
    size_t used = 0;
    if (open > 0) {
        rill__sim_list_open(sim, list, sizeof list);
        int len = snprintf(outcome->left, sizeof outcome->left,
                           "%zu descriptors were left open (%s)", open, list);
        used = len > 0 ? (size_t)len : 0;
    }
    if (rill__alloc_live > 0 && used < sizeof outcome->left)
        snprintf(outcome->left + used, sizeof outcome->left - used,
                 "%s%ld allocations of the library were not freed", used ? "; " : "",
                 rill__alloc_live);
}

static void RILL_PRINTF(2, 3) explain(rill__test_outcome *outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    outcome->error = (rill_error){ .code = outcome->result };
    vsnprintf(outcome->error.message, sizeof outcome->error.message, format, args);
    va_end(args);
}

static void conclude(const struct run *run, const rill__outcome *end, const rill__sim *sim)
{
    rill__test_outcome *outcome = run->outcome;
    rill__sim_stats stats;
    rill__sim_stats_get(sim, &stats);
    outcome->result = end->result;
    outcome->error = end->error;
    outcome->ended_by = end->ended_by;
    if (end->ended_by)
        outcome->result = end->ended_by;
    if (end->ended_by == RILL_EDEADLOCK)
        explain(outcome, "all tasks waited, with nothing under way that could wake one");
    if (end->ended_by == RILL_ETIMEDOUT)
        explain(outcome, "the scenario did not end within %g s of its time", limit_of(run->opts));
    if (!end->ended_by && run->failure.code) {
        outcome->check_failed = true;
        outcome->result = run->failure.code;
        outcome->error = run->failure;
    }
    outcome->operations = stats.operations;
    outcome->faults = stats.faults;
    outcome->trace = stats.trace;
    outcome->seconds = (double)stats.now / 1e9;
    look_for_leaks(sim, stats.open, outcome);
}

static void run_world(struct run *run, rill__sim *sim)
{
    rill__outcome end;
    bool watched = rill__alloc_watched;
    long live = rill__alloc_live;
    this_run = run;
    rill__alloc_watched = true;
    rill__alloc_live = 0;
    rill__run_on(rill__sim_driver(sim), scenario, run, &end);
    rill__alloc_fail_at = 0;
    conclude(run, &end, sim);
    rill__alloc_watched = watched;
    rill__alloc_live = live;
    this_run = NULL;
}

void rill__test_once(rill_task_fn *fn, const rill_test_opts *opts, const rill__test_plan *plan,
                     rill__test_outcome *ret_outcome)
{
    static const rill__test_plan nothing;
    struct run run = {
        .fn = fn,
        .opts = opts,
        .plan = plan ? plan : &nothing,
        .outcome = ret_outcome,
    };
    rill__sim_config config;
    *ret_outcome = (rill__test_outcome){ .seed = opts->seed };
    configure(opts, opts->seed, &config);
    rill__sim *sim = rill__sim_new(&config);
    rill__test_crash_begin(opts->seed);
    run_world(&run, sim);
    rill__test_crash_end();
    rill__sim_free(sim);
}

/* ---- what is said ---- */

void rill__test_explain(const rill__test_outcome *outcome, const char *where)
{
    const char *message = outcome->result < 0 ? outcome->error.message : outcome->left;
    fprintf(stderr, "test: seed 0x%" PRIx64 ": %s%s%s: run again with RILL_SEED=0x%" PRIx64 "\n",
            outcome->seed, where ? where : "", where ? ": " : "", message, outcome->seed);
}

int rill_test_run_with(rill_task_fn *fn, const rill_test_opts *given)
{
    rill_test_opts opts;
    rill__opts_read(opts, given);
    if (rill__loop_runs())
        return rill__fail(RILL_EINVAL, "test: a loop runs on this thread already");
    rill__test_outcome outcome;
    opts.seed = rill__test_seed_for(&opts);
    rill__test_once(fn, &opts, NULL, &outcome);
    if (opts.report)
        *opts.report = (rill_test_report){
            .seed = outcome.seed,
            .trace = outcome.trace,
            .seconds = outcome.seconds,
            .operations = outcome.operations,
        };
    if (outcome.result >= 0 && !outcome.left[0])
        return outcome.result;
    if (!opts.quiet)
        rill__test_explain(&outcome, NULL);
    if (outcome.result >= 0)
        return rill__fail(RILL_EFAILED, "test: %s", outcome.left);
    *rill__error_slot() = outcome.error;
    return outcome.result;
}
