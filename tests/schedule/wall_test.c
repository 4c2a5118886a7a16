/* Waiting by the wall clock, and tasks that do something at a moment. */
#include "in_sim.h"

#include <math.h>
#include <sys/timerfd.h>
#include <unistd.h>

static double woken_at;

static int sleep_until(void *arg)
{
    int rc = rill_sleep_until(*(double *)arg);
    woken_at = rill_unix_time();
    return rc;
}

/* ---- the kernel's clock ---- */

TASK_TEST(the_time_is_the_systems)
{
    double now = rill_unix_time();
    CHECK(fabs(now - (double)rill__clock_ns(CLOCK_REALTIME) / 1e9) < 5);
}

TEST(the_time_is_told_outside_of_tasks)
{
    CHECK(fabs(rill_unix_time() - (double)rill__clock_ns(CLOCK_REALTIME) / 1e9) < 5);
    CHECK_INT(rill_sleep_until(0), RILL_ENOTASK);
    CHECK_INT(rill_at(0, sleep_until, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
}

TASK_TEST(a_sleep_never_ends_early)
{
    double spans[] = { 1e-6, 0.0001, 0.0011, 0.01 };
    for (int i = 0; i < 4; i++) {
        double when = rill_unix_time() + spans[i];
        CHECK_INT(rill_sleep_until(when), 0);
        CHECK(rill_unix_time() >= when);
        CHECK(rill_unix_time() < when + 1);
    }
}

TASK_TEST(what_has_passed_only_lets_others_run)
{
    double past[] = { 0, -1, -INFINITY, rill_unix_time() };
    for (int i = 0; i < 4; i++) {
        double moment = 0;
        ends = 0;
        rill_task task = rill_spawn(sleep_for, &moment);
        CHECK_INT(rill_sleep_until(past[i]), 0);
        rill_join(task);
        CHECK_INT(ends, 1);
    }
}

TASK_TEST(never_ends_by_cancellation_only)
{
    double never[] = { INFINITY, NAN, 1e300, 18e9 };
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_within(0.002, sleep_until, &never[i]), RILL_ETIMEDOUT);
}

TASK_TEST(a_cancelled_sleep_ends_at_once)
{
    double later = rill_unix_time() + 1000;
    rill_task asleep = rill_spawn(sleep_until, &later), early = rill_spawn(sleep_until, &later);
    rill_cancel(early);
    rill_sleep(0.001);
    rill_cancel(asleep);
    CHECK_INT(rill_join(asleep), RILL_ECANCELED);
    CHECK_INT(rill_join(early), RILL_ECANCELED);
    CHECK_INT(rill_within(0.002, sleep_until, &later), RILL_ETIMEDOUT);
    double past = 0;
    CHECK_INT(rill_within(0, sleep_until, &past), RILL_ETIMEDOUT);
}

/* The descriptor by which the kernel tells that the clock was set. */
static int find_timerfd(void)
{
    for (int fd = 3; fd < 100; fd++) {
        char path[40], target[100];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        if (strstr(target, "[timerfd]"))
            return fd;
    }
    return -1;
}

/* Nobody may set this machine's clock, but the descriptor becomes readable by a time as well. */
static void make_readable(int fd)
{
    struct itimerspec now = { .it_value.tv_nsec = 1 };
    CHECK_INT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &now, NULL), 0);
}

TASK_TEST(who_is_told_that_the_clock_was_set_looks_at_it_and_waits_on)
{
    double when[3];
    rill_task tasks[3];
    for (int i = 0; i < 3; i++) {
        when[i] = rill_unix_time() + 0.03 + i * 0.001;
        tasks[i] = rill_spawn(sleep_until, &when[i]);
    }
    rill_sleep(0);
    int fd = find_timerfd();
    REQUIRE(fd >= 0);
    for (int i = 0; i < 5; i++) {
        struct itimerspec left;
        CHECK_INT(rill__loop_driver()->pending, 1); /* it is watched */
        make_readable(fd);
        rill_sleep(0.001);
        timerfd_gettime(fd, &left);
        CHECK(left.it_value.tv_sec > 1000000); /* armed again */
        CHECK(!rill_task_done(tasks[0]));
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(rill_join(tasks[i]), 0);
        CHECK(woken_at >= when[i]);
    }
    make_readable(fd); /* while nobody waits: who comes next is not held up by it */
    rill_sleep(0.001);
    double soon = rill_unix_time() + 0.005;
    rill_task last = rill_spawn(sleep_until, &soon);
    rill_sleep(0);
    CHECK_INT(rill__loop_driver()->pending, 1);
    CHECK_INT(rill_join(last), 0);
    CHECK(woken_at >= soon);
}

TASK_TEST(the_watch_keeps_no_deadlock_from_being_seen)
{
    hear_the_log();
    CHECK_INT(rill_sleep_until(rill_unix_time() + 0.001), 0);
    CHECK_INT(rill__loop_driver()->pending, 0);
    double later = rill_unix_time() + 1000;
    CHECK_INT(rill_within(0.001, sleep_until, &later), RILL_ETIMEDOUT);
    CHECK_INT(rill__loop_driver()->pending, 0);
}

/* ---- a clock that is set ---- */

SIM_TEST(a_clock_set_forward_ends_sleeps_that_it_passes)
{
    double soon = START + 100, later = START + 5000;
    rill_task first = rill_spawn(sleep_until, &soon), second = rill_spawn(sleep_until, &later);
    rill_sleep(10);
    set_clock(1000);
    rill_sleep(0);
    rill_sleep(0);
    CHECK(rill_task_done(first));
    CHECK_INT(rill_join(first), 0);
    double start = rill_now();
    CHECK_INT(rill_join(second), 0);
    CHECK(fabs(rill_now() - start - (5000 - 1010)) < 0.001);
    CHECK(woken_at >= later);
}

SIM_TEST(a_clock_set_back_makes_sleeps_longer)
{
    double when = START + 100;
    rill_task task = rill_spawn(sleep_until, &when);
    double start = rill_now();
    rill_sleep(99);
    set_clock(-3600);
    CHECK_INT(rill_join(task), 0);
    CHECK(fabs(rill_now() - start - 3700) < 0.001);
    CHECK(woken_at >= when);
}

SIM_TEST(setting_the_clock_while_nobody_waits_is_fine)
{
    set_clock(50);
    CHECK_INT(rill_sleep_until(START + 60), 0);
    set_clock(50);
    CHECK(fabs(rill_unix_time() - (START + 110)) < 0.001);
}

SIM_TEST(many_sleepers_wake_in_order)
{
    enum { MANY = 200 };
    static double when[MANY];
    rill_task tasks[MANY];
    for (int i = 0; i < MANY; i++) {
        when[i] = START + 1 + (i * 37) % MANY;
        tasks[i] = rill_spawn(sleep_until, &when[i]);
    }
    rill_sleep(100.5);
    for (int i = 0; i < MANY; i++)
        CHECK(rill_task_done(tasks[i]) == (when[i] <= START + 100.5));
    for (int i = 0; i < MANY; i++)
        CHECK_INT(rill_join(tasks[i]), 0);
}

/* ---- at ---- */

static int note(void *arg)
{
    ends++;
    woken_at = rill_unix_time();
    return arg ? *(int *)arg : 0;
}

SIM_TEST(at_runs_at_its_moment)
{
    ends = 0;
    int result = 7;
    rill_task task = rill_at(START + 3600.5, note, &result, .name = "later");
    rill_sleep(3600);
    CHECK_INT(ends, 0);
    CHECK_INT(rill_join(task), 7);
    CHECK(woken_at >= START + 3600.5 && woken_at < START + 3600.51);
}

SIM_TEST(at_a_past_moment_runs_at_once)
{
    ends = 0;
    int failure = RILL_EREFUSED;
    double start = rill_now();
    CHECK_INT(rill_join(rill_at(START - 100, note, NULL)), 0);
    CHECK_INT(rill_join(rill_at(0, note, &failure)), RILL_EREFUSED);
    CHECK(rill_now() == start);
    CHECK_INT(ends, 2);
}

SIM_TEST(at_does_nothing_when_it_is_cancelled_before)
{
    ends = 0;
    rill_task waits = rill_at(START + 10, note, NULL), fresh = rill_at(0, note, NULL);
    rill_cancel(fresh);
    rill_sleep(1);
    rill_cancel(waits);
    CHECK_INT(rill_join(waits), RILL_ECANCELED);
    CHECK_INT(rill_join(fresh), RILL_ECANCELED);
    CHECK_INT(ends, 0);
}

SIM_TEST(at_belongs_to_a_group_when_it_is_given_one)
{
    rill_group group;
    int failure = RILL_EREFUSED;
    rill_group_begin(&group);
    CHECK(rill_at(START + 10, note, &failure, .group = &group).id != 0);
    CHECK_INT(rill_group_end(&group, 0), RILL_EREFUSED);
}
