/* Sleeping, clockworks and rill_every. */
#include "in_task.h"

#include "io/sim.h"
#include "runtime/runtime.h"

#include <math.h>

/* Keeps the thread to itself, as work that takes too long does. */
static void be_busy(double seconds)
{
    double end = rill_now() + seconds;
    while (rill_now() < end)
        continue;
}

/* ---- sleeping ---- */

TASK_TEST(sleep_is_never_shorter)
{
    double spans[] = { 1e-9, 1e-6, 0.0001, 0.0011, 0.01 };
    for (int i = 0; i < 5; i++) {
        double start = rill_now();
        CHECK_INT(rill_sleep(spans[i]), 0);
        double took = rill_now() - start;
        CHECK(took >= spans[i] * (1 - 1e-12));
        CHECK(took < spans[i] + 0.5);
    }
}

static int note_order(void *arg)
{
    static double last;
    double seconds = *(double *)arg;
    CHECK_INT(rill_sleep(seconds), 0);
    CHECK(seconds >= last);
    last = seconds;
    ends++;
    return 0;
}

TASK_TEST(sleepers_wake_in_order)
{
    double seconds[] = { 0.030, 0.010, 0.0201, 0.0200, 0.0002 };
    CHECK_INT(rill_gather(seconds, 5, note_order), 0);
    CHECK_INT(ends, 5);
}

TASK_TEST(sleeping_for_ever_ends_by_cancellation_only)
{
    CHECK_INT(rill_within(0.01, sleep_for, &(double){ RILL_FOREVER }), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.01, sleep_for, &(double){ 1e30 }), RILL_ETIMEDOUT);
    CHECK_INT(rill_within(0.01, sleep_for, &(double){ NAN }), RILL_ETIMEDOUT);
}

/* ---- clockworks ---- */

TASK_TEST(a_period_must_be_positive)
{
    rill_interval interval;
    CHECK_INT(rill_interval_init(&interval, 0, 0, RILL_MISSED_SKIP), RILL_EINVAL);
    CHECK_INT(rill_interval_init(&interval, -1, 0, RILL_MISSED_SKIP), RILL_EINVAL);
    CHECK_INT(rill_interval_init(&interval, NAN, 0, RILL_MISSED_SKIP), RILL_EINVAL);
    CHECK_INT(rill_interval_init(&interval, 1e300, 0, RILL_MISSED_SKIP), RILL_EINVAL);
    CHECK_INT(rill_interval_wait(&interval), RILL_EINVAL);
    CHECK_INT(rill_every(0, sleep_for, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

TASK_TEST(ticks_do_not_drift)
{
    rill_interval interval;
    double start = rill_now();
    CHECK_INT(rill_interval_init(&interval, 0.01, 0, RILL_MISSED_SKIP), 0);
    uint64_t first = interval.next;
    for (int tick = 0; tick < 10; tick++) {
        CHECK(rill_interval_wait(&interval) >= 0);
        CHECK(rill_now() - start >= tick * 0.01 - 1e-9);
        be_busy(0.004);
    }
    /* The next tick stands where it would if nothing had ever taken time. */
    CHECK((interval.next - first) % interval.period == 0);
}

TASK_TEST(the_first_tick_may_be_delayed)
{
    rill_interval interval;
    double start = rill_now();
    rill_interval_init(&interval, 10, 0.02, RILL_MISSED_SKIP);
    CHECK_INT(rill_interval_wait(&interval), 0);
    CHECK(rill_now() - start >= 0.02);
}

/* Ticks once, is busy for 3.5 periods, and ticks again: returns what was missed, and how late the
 * tick after that is due, in periods from the start. */
static int miss_three(rill_missed missed, double *ret_next)
{
    const double period = 0.02;
    rill_interval interval;
    rill_interval_init(&interval, period, 0, missed);
    double start = (double)interval.next / 1e9;
    CHECK_INT(rill_interval_wait(&interval), 0);
    be_busy(3.5 * period);
    int count = rill_interval_wait(&interval);
    *ret_next = ((double)interval.next / 1e9 - start) / period;
    return count;
}

TASK_TEST(missed_ticks_are_dropped_by_skip)
{
    double next;
    int missed = miss_three(RILL_MISSED_SKIP, &next);
    CHECK(missed >= 2);
    CHECK(next > missed + 1.9 && next < missed + 2.1); /* a multiple of the period */
}

TASK_TEST(missed_ticks_are_made_up_for_by_burst)
{
    double next;
    CHECK(miss_three(RILL_MISSED_BURST, &next) >= 2);
    CHECK(next > 1.9 && next < 2.1);
    rill_interval interval;
    rill_interval_init(&interval, 0.05, 0, RILL_MISSED_BURST);
    rill_interval_wait(&interval);
    be_busy(0.175);
    double start = rill_now();
    for (int i = 0; i < 3; i++)
        rill_interval_wait(&interval); /* at once */
    CHECK(rill_now() - start < 0.05);
}

TASK_TEST(missed_ticks_start_anew_by_delay)
{
    double next;
    CHECK(miss_three(RILL_MISSED_DELAY, &next) >= 2);
    CHECK(next >= 4.5);
}

TASK_TEST(a_cancelled_wait_leaves_the_tick_due)
{
    rill_interval interval;
    rill_interval_init(&interval, 0.05, 0.05, RILL_MISSED_SKIP);
    uint64_t due = interval.next;
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 0.005);
    CHECK_INT(rill_scope_end(&scope, rill_interval_wait(&interval)), RILL_ETIMEDOUT);
    CHECK(interval.next == due);
}

/* ---- jitter ---- */

TASK_TEST(a_jitter_is_within_the_period)
{
    rill_interval interval;
    rill_interval_init(&interval, 2, 0, RILL_MISSED_SKIP);
    double bad[] = { -0.001, 2.001, NAN, INFINITY };
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_interval_jitter(&interval, bad[i]), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "interval: a jitter of inf s is not within 0 and");
    CHECK_INT(rill_interval_jitter(&interval, 0), 0);
    CHECK_INT(rill_interval_jitter(&interval, 2), 0);
    CHECK_INT(rill_every(1, sleep_for, NULL, .jitter = 1.5).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

/* Counts ticks in simulated time, where nothing else takes any. */
static int tick_with_jitter(void *arg)
{
    rill_interval interval;
    double start = rill_now(), least = 9, most = 0, sum = 0;
    rill_interval_init(&interval, 10, 0, *(rill_missed *)arg);
    CHECK_INT(rill_interval_jitter(&interval, 4), 0);
    uint64_t first = interval.next;
    for (int tick = 0; tick < 100; tick++) {
        CHECK_INT(rill_interval_wait(&interval), 0);
        double late = rill_now() - start - tick * 10;
        CHECK(late >= 0 && late <= 4.001);
        least = fmin(least, late);
        most = fmax(most, late);
        sum += late;
        CHECK(interval.next == first + interval.period * (unsigned)(tick + 1)); /* no drift */
    }
    CHECK(least < 0.5 && most > 3.5 && sum > 150 && sum < 250);
    return 0;
}

/* Runs fn on a simulated loop. */
static void simulate(rill_task_fn *fn, void *arg, uint64_t seed)
{
    rill__sim *sim = rill__sim_new(&(rill__sim_config){ .seed = seed });
    rill__outcome outcome;
    rill__run_on(rill__sim_driver(sim), fn, arg, &outcome);
    CHECK_INT(outcome.result, 0);
    rill__sim_free(sim);
}

TEST(jitter_spreads_ticks_and_moves_no_schedule)
{
    for (rill_missed missed = RILL_MISSED_SKIP; missed <= RILL_MISSED_DELAY; missed++)
        simulate(tick_with_jitter, &missed, 1);
}

static int first_shift(void *arg)
{
    rill_interval interval;
    double start = rill_now();
    rill_interval_init(&interval, 10, 0, RILL_MISSED_SKIP);
    rill_interval_jitter(&interval, 10);
    rill_interval_wait(&interval);
    *(double *)arg = rill_now() - start;
    return 0;
}

TEST(jitter_is_decided_by_the_seed)
{
    double a, b, c;
    simulate(first_shift, &a, 1);
    simulate(first_shift, &b, 1);
    simulate(first_shift, &c, 2);
    CHECK(a == b && a != c);
}

static int cancel_with_jitter(void *arg)
{
    (void)arg;
    rill_interval interval;
    rill_interval_init(&interval, 10, 5, RILL_MISSED_SKIP);
    rill_interval_jitter(&interval, 10);
    double start = rill_now();
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = 1);
    CHECK_INT(rill_scope_end(&scope, rill_interval_wait(&interval)), RILL_ETIMEDOUT);
    uint64_t shift = interval.shift;
    CHECK(shift > 0);
    CHECK_INT(rill_interval_wait(&interval), 0);
    double expected = 5 + (double)(shift - 1) / 1e9;
    CHECK(fabs(rill_now() - start - expected) < 0.001);
    return 0;
}

TEST(a_cancelled_wait_keeps_its_jitter)
{
    simulate(cancel_with_jitter, NULL, 1);
}

/* ---- every ---- */

static int calls, inside;

static int count_to_five(void *arg)
{
    CHECK_INT(inside, 0); /* never twice at once */
    inside++;
    rill_sleep(0.004);
    inside--;
    calls++;
    return calls == 5 ? *(int *)arg : 0;
}

TASK_TEST(every_ends_with_a_negative_return)
{
    calls = 0;
    int code = RILL_ELIMIT;
    double start = rill_now();
    rill_task task = rill_every(0.005, count_to_five, &code);
    CHECK_INT(rill_join(task), RILL_ELIMIT);
    CHECK_INT(calls, 5);
    CHECK(rill_now() - start >= 0.02);
}

TASK_TEST(every_ends_when_it_is_cancelled)
{
    calls = 0;
    rill_task task = rill_every(0.005, count_to_five, &(int){ 0 }, .delay = 0.01);
    rill_sleep(0.005);
    CHECK_INT(calls, 0);
    rill_sleep(0.05);
    CHECK(calls >= 2);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    rill_task early = rill_every(1, count_to_five, &(int){ 0 });
    rill_cancel(early);
    CHECK_INT(rill_join(early), RILL_ECANCELED);
}

static int never_wait(void *arg)
{
    (void)arg;
    be_busy(0.002);
    calls++;
    return 0;
}

TASK_TEST(every_lets_others_run_though_its_work_takes_longer_than_its_period)
{
    calls = 0;
    rill_task task = rill_every(0.0001, never_wait, NULL, .missed = RILL_MISSED_BURST);
    double start = rill_now();
    CHECK_INT(rill_sleep(0.02), 0);
    CHECK(rill_now() - start < 1);
    CHECK(calls > 0);
    rill_cancel(task);
    rill_join(task);
}

static int wait_for_ticks(void *arg)
{
    rill_interval interval;
    rill_interval_init(&interval, 0.0001, 0, RILL_MISSED_BURST);
    while (*(bool *)arg) {
        rill_interval_wait(&interval);
        be_busy(0.002);
    }
    return 0;
}

TASK_TEST(ticks_that_are_late_let_others_run)
{
    bool on = true;
    rill_task task = rill_spawn(wait_for_ticks, &on);
    CHECK_INT(rill_sleep(0.01), 0);
    on = false;
    CHECK_INT(rill_join(task), 0);
}

TASK_TEST(every_belongs_to_a_group_when_it_is_given_one)
{
    calls = 0;
    rill_group group;
    rill_group_begin(&group);
    int code = RILL_EREDIS;
    CHECK(rill_every(0.001, count_to_five, &code, .group = &group).id != 0);
    CHECK_INT(rill_group_end(&group, 0), RILL_EREDIS);
}
