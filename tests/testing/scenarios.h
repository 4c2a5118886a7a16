/*
 * The library's own scenarios: whole programs in small, each run by the sweeps with one thing
 * broken after another, and under ten thousand seeds.
 *
 * `run` does the work and may fail; `after` then shows that what it used still works, and frees it:
 * it is called after each run, with nothing broken any more.
 */
#ifndef RILL_TESTS_TESTING_SCENARIOS_H
#define RILL_TESTS_TESTING_SCENARIOS_H

#include <rill/rill.h>
#include <rill/test.h>

struct scenario {
    const char *name;
    rill_task_fn *run, *after;
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

#endif
