/* Runs of scenarios: seeds and traces, virtual time, what a failure says, and what is found after.
 */
#include "in_world.h"

#include "base/alloc.h"
#include "testing/testing_internal.h"

#include <errno.h>
#include <math.h>
#include <rill/client.h>
#include <rill/log.h>
#include <rill/schedule.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- time ---- */

static double wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int sleep_long(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        if (rill_sleep(30) < 0)
            return rill_errcode();
    return 3;
}

TEST(an_hour_takes_no_time)
{
    double start = wall_clock();
    rill_test_report report;
    CHECK_INT(rill_test_run(sleep_long, NULL, .report = &report), 3);
    CHECK(report.seconds >= 3000 && report.seconds < 3000.01);
    CHECK(wall_clock() - start < 1);
}

static int turns;

static int take_turns(void *arg)
{
    (void)arg;
    while (rill_sleep(0) == 0)
        turns++;
    return 0;
}

WORLD_TEST(time_stands_still_while_a_task_can_run, .seed = 1)
{
    turns = 0;
    rill_task task = rill_spawn(take_turns, NULL);
    double start = rill_now();
    for (int i = 0; i < 500; i++)
        rill_sleep(0);
    CHECK(rill_now() == start);
    rill_sleep(1); /* the clock creeps, lest one who only yields waits for ever */
    CHECK(rill_now() - start >= 1);
    CHECK(turns > 1000);
    rill_cancel(task);
    CHECK_INT(rill_join(task), 0);
}

static int count_it(void *arg)
{
    (*(int *)arg)++;
    return 0;
}

WORLD_TEST(computing_takes_the_time_it_is_given, .seed = 1)
{
    double start = rill_test_now();
    CHECK_INT(rill_test_advance(5), 0);
    CHECK_NEAR(rill_test_now() - start, 5);
    rill_interval interval;
    CHECK_INT(rill_interval_init(&interval, 1, 1, RILL_MISSED_SKIP), 0);
    rill_test_advance(3.5);
    CHECK_INT(rill_interval_wait(&interval), 2);
}

WORLD_TEST(the_wall_clock_can_be_set, .seed = 1, .wall = 1000000000)
{
    double start = rill_test_now();
    CHECK_NEAR(rill_unix_time(), 1000000000);
    rill_task task = rill_at(1000000100, count_it, &turns);
    turns = 0;
    rill_sleep(10);
    CHECK_INT(rill_test_set_clock(1000000090.5), 0);
    CHECK_NEAR(rill_unix_time(), 1000000090.5);
    CHECK_INT(rill_join(task), 0);
    CHECK_INT(turns, 1);
    CHECK_NEAR(rill_test_now() - start, 19.5);
    CHECK_INT(rill_test_set_clock(-1), RILL_EINVAL);
    CHECK_INT(rill_test_set_clock(NAN), RILL_EINVAL);
    CHECK_INT(rill_test_set_clock(1e300), RILL_EINVAL);
}

/* ---- seeds and traces ---- */

static int many_clients(void *arg)
{
    (void)arg;
    start_echo();
    for (int i = 0; i < 10; i++) {
        rill_auto(rill_stream) stream = rill_connect("example.com", 7);
        if (!stream)
            return rill_errcode();
        int rc = echo_bytes(stream, 1000);
        if (rc < 0)
            return rc;
        rill_sleep(0.1);
    }
    return 0;
}

static uint64_t trace_of(uint64_t seed, bool shuffle)
{
    rill_test_report report;
    CHECK_INT(rill_test_run(many_clients, NULL, .seed = seed, .shuffle = shuffle,
                            .net = { .jitter = 0.01, .split = 0.2 }, .report = &report),
              0);
    CHECK_INT(report.seed, seed);
    CHECK(report.operations > 30);
    return report.trace;
}

TEST(a_seed_gives_the_same_run_twice)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        CHECK(trace_of(seed, seed % 2) == trace_of(seed, seed % 2));
}

TEST(seeds_differ)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        CHECK(trace_of(seed, false) != trace_of(seed + 1, false));
    CHECK(trace_of(1, false) != trace_of(1, true));
}

static char order[8];

static int put_name(void *arg)
{
    strncat(order, arg, 1);
    return 0;
}

static int spawn_four(void *arg)
{
    (void)arg;
    order[0] = '\0';
    rill_task tasks[4];
    char *names[] = { "a", "b", "c", "d" };
    for (int i = 0; i < 4; i++)
        tasks[i] = rill_spawn(put_name, names[i]);
    for (int i = 0; i < 4; i++)
        rill_join(tasks[i]);
    return 0;
}

TEST(ready_tasks_are_shuffled_when_asked)
{
    int shuffled = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        CHECK_INT(rill_test_run(spawn_four, NULL, .seed = seed), 0);
        CHECK_STR(order, "abcd");
        CHECK_INT(rill_test_run(spawn_four, NULL, .seed = seed, .shuffle = true), 0);
        CHECK_INT(strlen(order), 4);
        shuffled += strcmp(order, "abcd") != 0;
    }
    CHECK(shuffled > 10);
}

static int keep_seed(void *arg)
{
    *(uint64_t *)arg = rill_test_seed();
    return 0;
}

TEST(the_environment_gives_the_seed)
{
    uint64_t seed = 0, other = 0;
    rill_test_run(keep_seed, &seed, .seed = 5);
    CHECK_INT(seed, 5);
    setenv("RILL_SEED", "0x1f", 1);
    rill_test_run(keep_seed, &seed, .seed = 5);
    CHECK_INT(seed, 0x1f);
    setenv("RILL_SEED", "nonsense", 1);
    rill_test_run(keep_seed, &seed, .seed = 5);
    CHECK_INT(seed, 5);
    unsetenv("RILL_SEED");
    rill_test_run(keep_seed, &seed, .quiet = true);
    rill_test_run(keep_seed, &other, .quiet = true);
    CHECK(seed != other);
    CHECK_INT(rill_test_seed(), 0);
}

/* ---- how runs end ---- */

static int refuse(void *arg)
{
    return rill_fail(RILL_EREFUSED, "%s", (const char *)arg);
}

TEST(a_failure_is_returned_and_told)
{
    CHECK_INT(rill_test_run(refuse, "on purpose", .seed = 1), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "on purpose");
}

/* What a run says on stderr. */
static void said_by(rill_task_fn *fn, char *text, size_t size)
{
    int fds[2];
    text[0] = '\0';
    if (pipe(fds) < 0)
        return;
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    rill_test_run(fn, "it went wrong", .seed = 0xabc);
    dup2(before, STDERR_FILENO);
    close(before);
    close(fds[1]);
    ssize_t n = read(fds[0], text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fds[0]);
}

TEST(a_failure_says_its_seed)
{
    char text[500];
    said_by(refuse, text, sizeof text);
    CHECK_STR(text, "test: seed 0xabc: it went wrong: run again with RILL_SEED=0xabc\n");
    said_by(many_clients, text, sizeof text);
    CHECK_STR(text, "");
}

static int crash(void *arg)
{
    (void)arg;
    abort();
}

TEST(a_crash_says_its_seed)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        rill_test_run(crash, NULL, .seed = 0xabc);
        _exit(0);
    }
    close(fds[1]);
    char text[500] = "";
    CHECK(read(fds[0], text, sizeof text - 1) > 0);
    CHECK_CONTAINS(text, "run again with RILL_SEED=0x0000000000000abc\n");
    close(fds[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int check_twice(void *arg)
{
    (void)arg;
    CHECK_INT(rill_test_fail("wrong: %d", 1), RILL_EFAILED);
    CHECK_INT(rill_test_fail("wrong: %d", 2), RILL_EFAILED);
    return 0;
}

TEST(a_check_that_failed_fails_the_run)
{
    CHECK_INT(rill_test_run(check_twice, NULL, .quiet = true), RILL_EFAILED);
    CHECK_STR(rill_last_error()->message, "wrong: 1");
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return rill_sleep(RILL_FOREVER);
}

static void ignore_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)level;
    (void)subsystem;
    if (strncmp(message, "deadlock", 8) == 0)
        ++*(int *)arg;
}

TEST(a_deadlock_ends_the_run)
{
    int told = 0;
    rill_log_to(ignore_log, &told);
    CHECK_INT(rill_test_run(wait_for_ever, NULL, .quiet = true), RILL_EDEADLOCK);
    CHECK_INT(told, 1);
    rill_log_to(NULL, NULL);
}

static int wait_in_vain(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    rill_auto(rill_stream) stream = rill_accept(listener);
    *(int *)arg = stream ? 0 : rill_errcode();
    return 0;
}

TEST(io_that_nobody_answers_is_a_deadlock)
{
    int told = 0, seen = 0;
    rill_log_to(ignore_log, &told);
    CHECK_INT(rill_test_run(wait_in_vain, &seen, .quiet = true), RILL_EDEADLOCK);
    CHECK_INT(seen, RILL_ECANCELED);
    CHECK_INT(told, 1);
    rill_log_to(NULL, NULL);
}

static int tick(void *arg)
{
    (void)arg;
    while (rill_sleep(1) == 0)
        ;
    return rill_errcode();
}

TEST(a_scenario_that_does_not_end_is_ended)
{
    rill_test_report report;
    CHECK_INT(rill_test_run(tick, NULL, .quiet = true, .report = &report), RILL_ETIMEDOUT);
    CHECK_CONTAINS(rill_last_error()->message, "did not end within 3600 s");
    CHECK_NEAR(report.seconds, 3600);
    CHECK_INT(rill_test_run(tick, NULL, .quiet = true, .limit = 5, .report = &report),
              RILL_ETIMEDOUT);
    CHECK_NEAR(report.seconds, 5);
}

static int run_inside(void *arg)
{
    return rill_test_run(wait_for_ever, arg);
}

static int use_elsewhere(void *arg)
{
    (void)arg;
    CHECK_INT(rill_test_host("a", NULL), RILL_EINVAL);
    CHECK_INT(rill_test_link("a", NULL, .down = true), RILL_EINVAL);
    CHECK_INT(rill_test_dns("a", 0, 0), RILL_EINVAL);
    CHECK_INT(rill_test_on("a", wait_for_ever, NULL), RILL_EINVAL);
    CHECK_INT(rill_test_advance(1), RILL_EINVAL);
    CHECK_INT(rill_test_set_clock(1), RILL_EINVAL);
    CHECK_INT(rill_test_fault(RILL_TEST_SHORT, .nth = 1), RILL_EINVAL);
    CHECK_INT(rill_test_fail("x"), RILL_EINVAL);
    CHECK_INT(rill_test_run(wait_for_ever, NULL), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "a loop runs on this thread already");
    CHECK(rill_test_now() == 0 && rill_test_trace() == 0 && rill_test_seed() == 0);
    return 0;
}

TEST(worlds_are_not_elsewhere)
{
    CHECK_INT(rill_test_run(run_inside, NULL, .quiet = true), RILL_EINVAL);
    CHECK_INT(rill_run(use_elsewhere, NULL), 0);
    CHECK_INT(rill_test_on("a", wait_for_ever, NULL), RILL_ENOTASK);
    CHECK_INT(rill_test_host("a", NULL), RILL_EINVAL);
}

/* ---- what is left behind ---- */

static rill_stream *kept;
static rill_session *kept_session;

static int leave_stream(void *arg)
{
    rill_auto(rill_listener) listener = rill_listen("127.0.0.1", 7);
    kept = rill_connect("127.0.0.1", 7);
    return kept && listener && !arg ? 0 : rill_fail(RILL_EREFUSED, "on purpose");
}

static int leave_session(void *arg)
{
    (void)arg;
    kept_session = rill_session_new(.headers = NULL);
    return kept_session ? 7 : rill_errcode();
}

TEST(what_is_left_open_is_found)
{
    CHECK_INT(rill_test_run(leave_stream, NULL, .quiet = true), RILL_EFAILED);
    CHECK_CONTAINS(rill_last_error()->message,
                   "test: 1 descriptors were left open (open on here, port 49152); 1 allocations");
    rill__free(kept);
    CHECK_INT(rill_test_run(leave_stream, "x", .quiet = true), RILL_EREFUSED);
    rill__free(kept);
}

TEST(memory_that_is_left_is_found)
{
    CHECK_INT(rill_test_run(leave_session, NULL, .quiet = true), RILL_EFAILED);
    CHECK_CONTAINS(rill_last_error()->message, "allocations of the library were not freed");
    rill_session_free(kept_session);
    CHECK_INT(rill_test_run(many_clients, NULL), 0); /* and nothing where nothing is */
}

/* ---- threads ---- */

static int block(void *arg)
{
    (void)arg;
    return rill_fail(RILL_EREFUSED, "told by a thread");
}

static int calls;

static int count_call(void *arg)
{
    (void)arg;
    calls++;
    return 42;
}

static int to_thread(void *arg)
{
    (void)arg;
    return rill_to_thread(count_call, NULL);
}

WORLD_TEST(threads_are_simulated, .seed = 1, .thread_time = 10)
{
    calls = 0;
    CHECK_INT(rill_to_thread(count_call, NULL), 42);
    CHECK_INT(rill_to_thread(block, NULL), RILL_EREFUSED);
    CHECK_STR(rill_last_error()->message, "told by a thread");
    CHECK(rill_test_now() > 0);
    calls = 0;
    for (int i = 0; i < 10; i++)
        CHECK_INT(rill_within(0.001, to_thread, NULL), RILL_ETIMEDOUT);
    CHECK_INT(calls, 0); /* not begun: did not happen */
}

/* ---- the hooks of sweeps ---- */

static int clients_then_sleep(void *arg)
{
    int rc = many_clients(arg);
    return rc < 0 ? rc : rill_sleep(1);
}

static void run_plan(const rill__test_plan *plan, rill__test_outcome *outcome)
{
    rill_test_opts opts = { .size = sizeof opts, .seed = 3 };
    rill__test_once(clients_then_sleep, &opts, plan, outcome);
    CHECK_STR(outcome->left, "");
}

TEST(one_thing_can_be_broken_in_a_run)
{
    rill__test_outcome whole, outcome;
    rill_log_level_set(RILL_LOG_ERROR + 1);
    run_plan(NULL, &whole);
    CHECK_INT(whole.result, 0);
    CHECK(whole.points > 20 && whole.allocations > 20 && whole.operations > 20);
    run_plan(&(rill__test_plan){ .cancel_at = whole.points }, &outcome);
    CHECK_INT(outcome.result, RILL_ECANCELED);
    run_plan(&(rill__test_plan){ .cancel_at = whole.points + 1 }, &outcome);
    CHECK_INT(outcome.result, 0);
    CHECK(outcome.trace == whole.trace);
    int failed = 0;
    for (unsigned long n = 1; n <= whole.allocations; n++) {
        run_plan(&(rill__test_plan){ .alloc_fail_at = n }, &outcome);
        failed += outcome.result < 0;
    }
    CHECK(failed > 10);
    run_plan(&(rill__test_plan){ .alloc_fail_at = whole.allocations + 1 }, &outcome);
    CHECK_INT(outcome.result, 0);
    run_plan(&(rill__test_plan){ .fault = { .at = 1, .kind = RILL__SIM_ERROR, .error = EMFILE } },
             &outcome);
    CHECK(outcome.result < 0);
    CHECK_INT(outcome.faults, 1);
    run_plan(&(rill__test_plan){ .fault = { .at = whole.operations + 1 } }, &outcome);
    CHECK_INT(outcome.result, 0);
    CHECK_INT(outcome.faults, 0);
}
