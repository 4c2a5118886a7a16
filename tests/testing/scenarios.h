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
    void (*set_up)(void), (*tear_down)(void); /* once, before and after all runs; may be NULL */
    unsigned seldom; /* with every nth seed only: for what takes the processor much time */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* ---- scenarios_net.c ---- */

int run_tls(void *arg);
int close_tls(void *arg);
void make_certificates(void);
void drop_certificates(void);
int run_eyeballs(void *arg);
int check_eyeballs(void *arg);
int run_udp(void *arg);
int check_udp(void *arg);

/* ---- scenarios_tasks.c ---- */

int run_joins(void *arg);
int check_joins(void *arg);
int run_files(void *arg);
int check_files(void *arg);
void make_folder(void);
void drop_folder(void);

#endif
