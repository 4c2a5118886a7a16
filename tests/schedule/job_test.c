/* Tasks that run by a cron rule, in simulated time. */
#include "in_sim.h"

#include "base/alloc.h"

#include <math.h>
#include <rill/server.h>
#include <stdlib.h>

/* ---- a job that notes when it runs ---- */

static struct notes {
    int count;
    double at[100];
    double takes; /* seconds, of each run */
    int last;     /* ends with `code` at this run */
    int code;
    bool inside;
} notes;

static int note(void *arg)
{
    CHECK(arg == &notes);
    CHECK(!notes.inside); /* never twice at once */
    notes.inside = true;
    if (notes.count < 100)
        notes.at[notes.count] = rill_unix_time() - START;
    notes.count++;
    int rc = notes.takes > 0 ? rill_sleep(notes.takes) : 0;
    notes.inside = false;
    return notes.count == notes.last ? notes.code : rc;
}

/* The times of the runs, in seconds from the start. */
static const char *noted(void)
{
    static char text[2000];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < notes.count && i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%g", i ? " " : "",
                                 round(notes.at[i] * 10) / 10);
    return text;
}

static void end(rill_task task)
{
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
}

/* ---- running ---- */

SIM_TEST(a_job_runs_whenever_it_is_due)
{
    rill_task task = rill_cron("*/10 * * * *", note, &notes, .zone = "UTC", .name = "tens");
    rill_sleep(1801);
    CHECK_STR(noted(), "600 1200 1800");
    end(task);
    CHECK_INT(notes.count, 3);
}

SIM_TEST(a_job_follows_its_zone)
{
    rill_task task = rill_cron("30 2 * * *", note, &notes, .zone = "Europe/Berlin");
    rill_sleep(86400 * 3);
    /* 01:00 UTC, after the gap, and from then on 00:30 UTC. */
    CHECK_STR(noted(), "46800 131400 217800");
    end(task);
}

SIM_TEST(a_negative_return_ends_it)
{
    notes = (struct notes){ .last = 3, .code = RILL_EREFUSED };
    CHECK_INT(rill_join(rill_cron("* * * * * *", note, &notes, .zone = "UTC")), RILL_EREFUSED);
    CHECK_STR(noted(), "1 2 3");
    rill_group group;
    notes = (struct notes){ .last = 1, .code = RILL_EREFUSED };
    rill_group_begin(&group);
    CHECK(rill_cron("* * * * *", note, &notes, .group = &group).id != 0);
    CHECK_INT(rill_group_end(&group, 0), RILL_EREFUSED);
}

SIM_TEST(what_makes_no_job_is_told)
{
    CHECK_INT(rill_cron("61 * * * *", note, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_cron("* * * * *", note, NULL, .zone = "Foo/Bar").id, 0);
    CHECK_INT(rill_errcode(), RILL_ENOTFOUND);
    CHECK_CONTAINS(rill_last_error()->message, "cron '* * * * *': zone 'Foo/Bar': there is no");
    CHECK_INT(rill_cron("* * * * *", note, NULL, .jitter = -1).id, 0);
    CHECK_INT(rill_cron("* * * * *", note, NULL, .jitter = NAN).id, 0);
    CHECK_INT(rill_cron("* * * * *", note, NULL, .jitter = INFINITY).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_cron("* * * * *", NULL, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_cron_with(NULL, NULL).id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

TEST(a_job_needs_a_task)
{
    CHECK_INT(rill_cron("* * * * *", note, NULL, .zone = "UTC").id, 0);
    CHECK_INT(rill_errcode(), RILL_ENOTASK);
}

SIM_TEST(a_job_can_be_cancelled_at_any_time)
{
    notes.takes = 30;
    rill_task fresh = rill_cron("* * * * *", note, &notes, .zone = "UTC");
    end(fresh);
    rill_task waits = rill_cron("* * * * *", note, &notes, .zone = "UTC");
    rill_sleep(59);
    end(waits);
    CHECK_INT(notes.count, 0);
    rill_task runs = rill_cron("* * * * *", note, &notes, .zone = "UTC");
    rill_sleep(3);
    CHECK(notes.inside);
    end(runs);
    CHECK_INT(notes.count, 1);
}

/* ---- what was missed ---- */

static const char *run_long(rill_missed missed, double takes)
{
    notes = (struct notes){ .takes = takes };
    set_clock(START - rill_unix_time());
    rill_task task = rill_cron("* * * * *", note, &notes, .zone = "UTC", .missed = missed);
    rill_sleep(59);
    rill_sleep(501);
    end(task);
    notes.inside = false;
    return noted();
}

SIM_TEST(one_run_stands_for_all_that_were_missed)
{
    CHECK_STR(run_long(RILL_MISSED_SKIP, 50), "60 120 180 240 300 360 420 480 540");
    CHECK_STR(run_long(RILL_MISSED_SKIP, 150), "60 210 360 510");
    CHECK_STR(run_long(RILL_MISSED_SKIP, 60), "60 120 180 240 300 360 420 480 540");
}

SIM_TEST(each_missed_run_is_made_up_for)
{
    CHECK_STR(run_long(RILL_MISSED_BURST, 90), "60 150 240 330 420 510");
    notes = (struct notes){ .takes = 0 };
    set_clock(START - rill_unix_time());
    rill_task task =
        rill_cron("* * * * *", note, &notes, .zone = "UTC", .missed = RILL_MISSED_BURST);
    rill_sleep(30);
    set_clock(200);
    rill_sleep(100);
    CHECK_STR(noted(), "230 230 230 240 300");
    end(task);
}

SIM_TEST(missed_runs_are_left_out)
{
    CHECK_STR(run_long(RILL_MISSED_DELAY, 90), "60 150 300 390 540");
    CHECK_STR(run_long(RILL_MISSED_DELAY, 150), "60 240 420");
    notes = (struct notes){ .takes = 0 };
    set_clock(START - rill_unix_time());
    rill_task task =
        rill_cron("0 * * * *", note, &notes, .zone = "UTC", .missed = RILL_MISSED_DELAY);
    rill_sleep(30);
    set_clock(3600 + 31); /* a minute and a second after it was due */
    rill_sleep(3600);
    CHECK_STR(noted(), "7200");
    set_clock(3600 - 61 + 30); /* less than a minute after */
    rill_sleep(1);
    CHECK_INT(notes.count, 2);
    end(task);
}

SIM_TEST(a_late_run_is_left_out_when_it_is_due_again)
{
    notes = (struct notes){ .takes = 5 };
    rill_task task =
        rill_cron("* * * * * *", note, &notes, .zone = "UTC", .missed = RILL_MISSED_DELAY);
    rill_sleep(20);
    CHECK_STR(noted(), "1 7 13 19");
    end(task);
}

static int compute(void *arg)
{
    (void)arg;
    rill__sim_advance(rill__sim_of(rill__loop_driver()), 2 * RILL__SECOND);
    return 0;
}

SIM_TEST(work_that_never_waits_lets_others_run)
{
    rill_task task =
        rill_cron("* * * * * *", compute, NULL, .zone = "UTC", .missed = RILL_MISSED_BURST);
    rill_sleep(10);
    CHECK(rill_unix_time() - START < 1000);
    end(task);
}

/* ---- a clock that is set ---- */

SIM_TEST(a_clock_set_forward_passes_over_runs)
{
    rill_task task = rill_cron("*/10 * * * *", note, &notes, .zone = "UTC");
    rill_sleep(100);
    set_clock(3600);
    rill_sleep(1000);
    CHECK_STR(noted(), "3700 4200");
    end(task);
}

SIM_TEST(a_clock_set_back_a_little_repeats_no_fixed_time)
{
    rill_task fixed = rill_cron("1 12 * * *", note, &notes, .zone = "UTC");
    rill_sleep(61);
    CHECK_STR(noted(), "60");
    set_clock(-3600);
    rill_sleep(86400);
    CHECK_STR(noted(), "60");
    rill_sleep(3600);
    CHECK_STR(noted(), "60 86460");
    end(fixed);
}

SIM_TEST(a_clock_set_back_a_little_stops_no_wildcard)
{
    rill_task task = rill_cron("*/10 * * * *", note, &notes, .zone = "UTC");
    rill_sleep(1201);
    set_clock(-3600);
    rill_sleep(1200);
    CHECK_STR(noted(), "600 1200 -1800 -1200");
    end(task);
}

SIM_TEST(a_correction_runs_nothing_twice)
{
    rill_task task = rill_cron("* * * * *", note, &notes, .zone = "UTC");
    rill_sleep(60.5);
    set_clock(-2);
    rill_sleep(30);
    set_clock(-20);
    rill_sleep(31.5 + 20);
    CHECK_STR(noted(), "60 120");
    end(task);
}

SIM_TEST(a_clock_that_was_all_wrong_is_no_past)
{
    set_clock(86400 * 365.0);
    rill_task task = rill_cron("1 12 * * *", note, &notes, .zone = "UTC");
    rill_sleep(30);
    set_clock(-86400 * 365.0);
    rill_sleep(31);
    CHECK_STR(noted(), "60");
    end(task);
}

/* ---- jitter ---- */

SIM_TEST(jitter_comes_after_the_time_and_does_not_add_up)
{
    rill_task task = rill_cron("* * * * *", note, &notes, .zone = "UTC", .jitter = 20);
    rill_sleep(60 * 90 + 30);
    CHECK_INT(notes.count, 90);
    double least = 20, most = 0, sum = 0;
    for (int i = 0; i < 90; i++) {
        double late = notes.at[i] - 60 * (i + 1);
        CHECK(late >= 0 && late <= 20.001);
        least = fmin(least, late);
        most = fmax(most, late);
        sum += late;
    }
    CHECK(least < 4 && most > 16 && sum / 90 > 7 && sum / 90 < 13);
    end(task);
}

/* ---- of an application ---- */

static int fail_often(void *arg)
{
    notes.count++;
    CHECK(arg != NULL);
    return rill_fail(RILL_EREFUSED, "nothing there");
}

TASK_TEST(an_application_has_cron_jobs)
{
    hear_the_log();
    char expression[] = "* * * * * *", zone[] = "UTC";
    rill_app *app = rill_app_new();
    rill_app_cron(app, expression, fail_often, .zone = zone, .name = "often");
    memset(expression, 'x', sizeof expression - 1); /* they were copied */
    memset(zone, 'x', sizeof zone - 1);
    for (int i = 0; i < 2; i++) { /* it can be started again */
        notes.count = 0;
        logged[0] = '\0';
        REQUIRE(rill_app_start(app, .port = RILL_ANY_PORT) == 0);
        rill_sleep(1.2);
        CHECK_INT(rill_app_stop(app), 0);
        CHECK(notes.count >= 1 && notes.count <= 3);
        CHECK_CONTAINS(logged, "background task 'often': nothing there");
    }
    rill_app_free(app);
}

TASK_TEST(an_application_tells_of_a_cron_job_that_is_none)
{
    rill_app *app = rill_app_new();
    rill_app_cron(app, "* * * *", note);
    rill_app_cron(app, "* * * * *", NULL);
    CHECK_INT(rill_app_start(app, .port = RILL_ANY_PORT), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "cron '* * * *': it has 4 fields");
    rill_app_free(app);
    app = rill_app_new();
    rill_app_cron(app, "@daily", note, .zone = "Foo/Bar");
    CHECK_INT(rill_app_start(app, .port = RILL_ANY_PORT), RILL_ENOTFOUND);
    rill_app_free(app);
    rill_app_cron(NULL, "@daily", note);
}

/* ---- memory ---- */

static int use_all(void *arg)
{
    notes = (struct notes){ .last = 1, .code = 0 };
    rill_zone *zone = rill_zone_new("Europe/Berlin");
    if (!zone)
        return rill_errcode();
    rill_zone_free(zone);
    rill_task task = rill_cron("* * * * * *", note, &notes, .zone = "Europe/Berlin");
    if (!task.id)
        return rill_errcode();
    int rc = rill_sleep(1.5);
    rill_cancel(task);
    int result = rill_join(task);
    if (rc < 0 || result == RILL_ENOMEM)
        return rc < 0 ? rc : result;
    task = rill_at(rill_unix_time() + 0.5, note, arg);
    return task.id ? rill_join(task) : rill_errcode();
}

SIM_TEST(no_allocation_that_fails_is_lost)
{
    unsigned long failed = 0;
    for (unsigned long nth = 1; nth < 100; nth++) {
        rill__alloc_fail_at = rill__alloc_count + nth;
        int rc = use_all(&notes);
        bool all_done = rill__alloc_count < rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        if (all_done) {
            CHECK_INT(rc, 0);
            break;
        }
        /* Only words for an error that nobody asks for may be done without. */
        CHECK(rc == RILL_ENOMEM || rc == 0);
        failed += rc == RILL_ENOMEM;
    }
    CHECK(failed >= 12);
}
