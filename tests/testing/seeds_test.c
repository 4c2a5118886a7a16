/*
 * The library's scenarios under many seeds: tasks shuffled, bytes split, links slow, uneven and now
 * and then broken. Each run ends, leaves nothing behind, and is the same again with its seed.
 */
#include "harness.h"
#include "scenarios.h"

#include <inttypes.h>
#include <rill/log.h>
#include <stdlib.h>

/* Each with every scenario; RILL_TEST_SEEDS says otherwise, RILL_TEST_SEED runs one of them. */
#ifdef __SANITIZE_ADDRESS__
#define SEEDS 1000
#else
#define SEEDS 10000
#endif
/* So many of them are run again, to be compared. */
#define AGAIN_EVERY 20

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

/* A world per seed: from a quick and flawless one to one in which little arrives. */
static rill_test_opts world_of(uint64_t seed, const struct scenario *scenario)
{
    static const double chances[] = { 0, 0, 0.01, 0.1, 0.5 };
    return (rill_test_opts){
        .size = sizeof(rill_test_opts),
        .seed = seed,
        .shuffle = true,
        .after = NULL,
        .arg = (void *)scenario,
        .limit = 7200,
        .quiet = true,
        .net = { .latency = (double)(seed % 7) / 100,
                 .jitter = (double)(seed % 5) / 50,
                 .split = chances[seed % 5],
                 .refuse = seed % 11 == 0 ? 0.2 : 0,
                 .reset = seed % 13 == 0 ? 0.05 : 0,
                 .stall = seed % 17 == 0 ? 0.1 : 0,
                 .stall_time = 30,
                 .bandwidth = seed % 3 == 0 ? 20000 : 0 },
    };
}

/* Accidents may fail it, in words: what may not fail is what has an end of its own. */
static int run_scenario(void *arg)
{
    const struct scenario *scenario = arg;
    int rc = scenario->run(NULL);
    if (rc < 0 && rill_errcode() == 0)
        rill_test_fail("%s fails with %s, without words", scenario->name, rill_code_name(rc));
    return rc;
}

/* By now links are flawless: what was used must work. */
static int check_after(void *arg)
{
    const struct scenario *scenario = arg;
    rill_test_link(NULL, NULL);
    return scenario->after(NULL);
}

struct tally {
    unsigned long runs, failed;
};

static int run_seed(uint64_t seed, const struct scenario *scenario, rill_test_report *report)
{
    rill_test_opts opts = world_of(seed, scenario);
    opts.after = check_after;
    opts.report = report;
    return rill_test_run_with(run_scenario, &opts);
}

static void check_seed(uint64_t seed, const struct scenario *scenario, struct tally *tally)
{
    rill_test_report report, again;
    int rc = run_seed(seed, scenario, &report);
    tally->runs++;
    tally->failed += rc < 0;
    bool wrong = rc == RILL_EFAILED || rc == RILL_EDEADLOCK ||
                 (rc == RILL_ETIMEDOUT && report.seconds >= 7200);
    if (wrong)
        test_fail(__FILE__, __LINE__, "%s, seed %" PRIu64 ": %s: %s", scenario->name, seed,
                  rill_code_name(rc), rill_last_error()->message);
    if (seed % AGAIN_EVERY != 0)
        return;
    run_seed(seed, scenario, &again);
    if (report.trace != again.trace)
        test_fail(__FILE__, __LINE__, "%s, seed %" PRIu64 ": another run is not the same",
                  scenario->name, seed);
}

TEST_WITHIN(many_seeds, 600)
{
    const char *given = getenv("RILL_TEST_SEEDS"), *one = getenv("RILL_TEST_SEED");
    uint64_t count = given ? strtoull(given, NULL, 10) : SEEDS;
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    struct tally tally = { 0 };
    rill_log_to(drop_log, NULL);
    for (size_t i = 0; i < scenario_count; i++)
        if (scenarios[i].set_up)
            scenarios[i].set_up();
    for (uint64_t seed = first; seed < first + (one ? 1 : count) && test_failures() < 5; seed++)
        for (size_t i = 0; i < scenario_count; i++)
            if (one || !scenarios[i].seldom || seed % scenarios[i].seldom == 0)
                check_seed(seed, &scenarios[i], &tally);
    for (size_t i = 0; i < scenario_count; i++)
        if (scenarios[i].tear_down)
            scenarios[i].tear_down();
    printf("%lu runs, %lu failed in words\n", tally.runs, tally.failed);
    if (!one) {
        CHECK(tally.failed > tally.runs / 100); /* accidents do happen */
        CHECK(tally.failed < tally.runs / 2);   /* and most of it works */
    }
    rill_log_to(NULL, NULL);
}
