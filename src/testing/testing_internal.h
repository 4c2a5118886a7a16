/*
 * One run of a scenario in a world of its own, with one thing broken or none: what rill_test_run
 * does once, and what a sweep does again and again.
 */
#ifndef RILL_SRC_TESTING_INTERNAL_H
#define RILL_SRC_TESTING_INTERNAL_H

#include "io/sim.h"

#include <rill/test.h>

/* What to break: each counted from 1, from the first step of the scenario; 0: nothing. */
typedef struct rill__test_plan {
    unsigned long cancel_at;     /* the place where a task may wait at which it is cancelled */
    unsigned long alloc_fail_at; /* the allocation that fails */
    rill__sim_fault fault;       /* the operation that is broken */
} rill__test_plan;

typedef struct rill__test_outcome {
    int result;        /* as rill_test_run returns it, but for what was left behind */
    int ended_by;      /* RILL_ETIMEDOUT or RILL_EDEADLOCK: it did not end by itself; else 0 */
    bool check_failed; /* rill_test_fail was called */
    int after;         /* what `after` returned */
    rill_error error;  /* when the result is negative */
    char left[500];    /* what was left behind, in words, or "" */
    unsigned long points, allocations, operations; /* how many there were in the scenario */
    unsigned long faults;                          /* how many operations were broken */
    uint64_t seed, trace;
    double seconds;
} rill__test_outcome;

/* The seed that a run is to have: RILL_SEED, else that of the options, else one by chance. */
uint64_t rill__test_seed_for(const rill_test_opts *opts);

/* Runs once, and says nothing. `opts` as read by rill__opts_read, with its seed. `plan` may be
 * NULL. Not while a loop runs on this thread. */
void rill__test_once(rill_task_fn *fn, const rill_test_opts *opts, const rill__test_plan *plan,
                     rill__test_outcome *ret_outcome);

/* Says on stderr what went wrong, and how to have it again: "test: seed 0x…: … : run again with
 * RILL_SEED=0x…". `where` is put before the message ("cancelled at point 7"), or NULL. */
void rill__test_explain(const rill__test_outcome *outcome, const char *where);

/* While a scenario runs, a signal that ends the process says the seed first. */
void rill__test_crash_begin(uint64_t seed);
void rill__test_crash_end(void);

#endif
