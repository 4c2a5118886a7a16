/*
 * Sweeps: a scenario run again and again, each time with the next thing broken, until a run comes
 * to its end before that is reached.
 */
#include "testing/testing_internal.h"

#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A scenario with more places than this does not come to an end. */
#define RUNS_MAX 1000000ul

struct sweep {
    rill_task_fn *fn;
    rill_test_opts opts;
    const char *what;      /* "cancelled at point" */
    unsigned long runs;    /* in all */
    unsigned long failed;  /* of them with an error in words */
    unsigned long longest; /* the first n at which a run was complete; of several, the largest */
    rill__test_outcome outcome;
};

/* ---- one run ---- */

/* What is wrong with a broken run, or NULL. `must_work`: nobody may have noticed anything. */
static const char *verdict(const rill__test_outcome *outcome, bool must_work)
{
    if (outcome->ended_by)
        return outcome->error.message;
    if (outcome->left[0])
        return outcome->left;
    if (outcome->after < 0)
        return outcome->error.message[0] ? outcome->error.message : "`after` fails without words";
    if (outcome->result < 0 && !outcome->error.message[0])
        return "it fails without words";
    if (outcome->result < 0 && (must_work || outcome->check_failed))
        return outcome->error.message;
    return NULL;
}

static int tell(const struct sweep *sweep, const char *where, const char *wrong)
{
    const rill__test_outcome *outcome = &sweep->outcome;
    if (!sweep->opts.quiet)
        fprintf(stderr, "test: seed 0x%llx: %s: %s%s\n", (unsigned long long)outcome->seed, where,
                outcome->after < 0 ? "what follows fails: " : "", wrong);
    return rill__fail(RILL_EFAILED, "test: %s: %s", where, wrong);
}

/* Runs with the plan. Returns 0, or RILL_EFAILED when the run was not as it must be. */
static int run_broken(struct sweep *sweep, const rill__test_plan *plan, const char *where,
                      bool must_work)
{
    rill__test_once(sweep->fn, &sweep->opts, plan, &sweep->outcome);
    sweep->runs++;
    sweep->failed += sweep->outcome.result < 0;
    const char *wrong = verdict(&sweep->outcome, must_work);
    return wrong ? tell(sweep, where, wrong) : 0;
}

/* ---- a sweep ---- */

static int begin(struct sweep *sweep, rill_task_fn *fn, const rill_test_opts *given)
{
    *sweep = (struct sweep){ .fn = fn };
    rill__opts_read(sweep->opts, given);
    if (rill__loop_runs())
        return rill__fail(RILL_EINVAL, "test: a loop runs on this thread already");
    sweep->opts.seed = rill__test_seed_for(&sweep->opts);
    return run_broken(sweep, NULL, "with nothing broken", true);
}

static int conclude(struct sweep *sweep, const char *name, int rc)
{
    if (sweep->opts.report)
        *sweep->opts.report = (rill_test_report){
            .seed = sweep->outcome.seed,
            .trace = sweep->outcome.trace,
            .seconds = sweep->outcome.seconds,
            .operations = sweep->outcome.operations,
        };
    if (rc < 0)
        return rc;
    if (!sweep->opts.quiet)
        fprintf(stderr, "%s sweep: complete at %lu; %lu of %lu runs failed in words\n", name,
                sweep->longest, sweep->failed, sweep->runs);
    return (int)sweep->longest;
}

static int too_many(const struct sweep *sweep, const char *name)
{
    return tell(sweep, name, "the scenario has no end: each run breaks at a later place");
}

int rill_test_cancel_sweep_with(rill_task_fn *fn, const rill_test_opts *given)
{
    struct sweep sweep;
    char where[60];
    int rc = begin(&sweep, fn, given);
    for (unsigned long n = 1; rc == 0 && sweep.longest == 0; n++) {
        snprintf(where, sizeof where, "cancelled at point %lu", n);
        rc = n > RUNS_MAX ? too_many(&sweep, where)
                          : run_broken(&sweep, &(rill__test_plan){ .cancel_at = n }, where, false);
        if (sweep.outcome.points < n)
            sweep.longest = n;
    }
    return conclude(&sweep, "cancel", rc);
}

int rill_test_alloc_sweep_with(rill_task_fn *fn, const rill_test_opts *given)
{
    struct sweep sweep;
    char where[60];
    int rc = begin(&sweep, fn, given);
    for (unsigned long n = 1; rc == 0 && sweep.longest == 0; n++) {
        snprintf(where, sizeof where, "with allocation %lu failing", n);
        rc = n > RUNS_MAX
                 ? too_many(&sweep, where)
                 : run_broken(&sweep, &(rill__test_plan){ .alloc_fail_at = n }, where, false);
        if (sweep.outcome.allocations < n)
            sweep.longest = n;
    }
    return conclude(&sweep, "allocation", rc);
}

/* ---- breaking I/O ---- */

struct breakage {
    const char *what;
    rill__sim_fault fault;
    bool unnoticed;
};

#define ERROR(number, kinds)                                                                       \
    {                                                                                              \
#number, { .kind = RILL__SIM_ERROR, .error = number, .accept = kinds }, false              \
    }

/* What can happen to an operation, and to which. */
static const struct breakage breakages[] = {
    { "short", { .kind = RILL__SIM_SHORT, .accept = RILL_TEST_READ | RILL_TEST_WRITE }, true },
    { "late", { .kind = RILL__SIM_AGAIN }, true },
    { "reset", { .kind = RILL__SIM_RESET, .accept = RILL_TEST_READ | RILL_TEST_WRITE }, false },
    { "stalled", { .kind = RILL__SIM_STALL, .accept = RILL_TEST_READ | RILL_TEST_WRITE }, false },
    ERROR(EIO, RILL_TEST_READ | RILL_TEST_WRITE),
    ERROR(EPIPE, RILL_TEST_WRITE),
    ERROR(EMFILE, RILL_TEST_SOCKET | RILL_TEST_ACCEPT),
    ERROR(ENOBUFS, RILL_TEST_WRITE | RILL_TEST_CONNECT | RILL_TEST_ACCEPT),
    ERROR(ECONNABORTED, RILL_TEST_ACCEPT),
    ERROR(ECONNREFUSED, RILL_TEST_CONNECT),
};

static int sweep_breakage(struct sweep *sweep, const struct breakage *breakage)
{
    rill__test_plan plan = { .fault = breakage->fault };
    char where[60];
    for (unsigned long n = 1; n <= RUNS_MAX; n++) {
        plan.fault.at = n;
        snprintf(where, sizeof where, "operation %lu %s", n, breakage->what);
        RILL__TRY(run_broken(sweep, &plan, where, breakage->unnoticed));
        if (sweep->outcome.faults > 0)
            continue;
        if (n > sweep->longest)
            sweep->longest = n;
        return 0;
    }
    return too_many(sweep, breakage->what);
}

int rill_test_io_sweep_with(rill_task_fn *fn, const rill_test_opts *given)
{
    struct sweep sweep;
    int rc = begin(&sweep, fn, given);
    for (size_t i = 0; i < sizeof breakages / sizeof breakages[0] && rc == 0; i++)
        rc = sweep_breakage(&sweep, &breakages[i]);
    return conclude(&sweep, "I/O", rc);
}
