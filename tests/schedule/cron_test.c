/* Cron expressions: what they mean, what is wrong with them, and when they are due. */
#include "harness.h"

#include <math.h>
#include <rill/schedule.h>

/* ---- refusals ---- */

static void check_refused(const char *expression, const char *part)
{
    rill_cron_rule rule = { .seconds = 42 };
    if (rill_cron_parse(expression, &rule) != RILL_EINVAL)
        test_fail(__FILE__, __LINE__, "'%s' is taken", expression ? expression : "NULL");
    else
        CHECK_CONTAINS(rill_last_error()->message, part);
    CHECK_INT(rule.seconds, 42);
}

TEST(errors_say_what_is_wrong_and_where)
{
    check_refused("0 24 * * *",
                  "cron '0 24 * * *': hour field, at '24' (character 3): 24 is not within 0 to 23");
    check_refused("60 * * * *", "minute field, at '60' (character 1)");
    check_refused("* 60 * * * *", "minute field, at '60' (character 3)");
    check_refused("60 * * * * *", "second field, at '60' (character 1)");
    check_refused("* * 0 * *", "day field, at '0' (character 5): 0 is not within 1 to 31");
    check_refused("* * 32 * *", "day field");
    check_refused("* * * 13 *", "month field, at '13' (character 7)");
    check_refused("* * * 0 *", "month field");
    check_refused("* * * * 8", "weekday field, at '8' (character 9): 8 is not within 0 to 7");
    check_refused("1,2,x * * * *", "minute field, at 'x' (character 5): 'x' is not understood");
    check_refused("1,,2 * * * *",
                  "minute field, at '' (character 3): an item of the list is empty");
    check_refused("1, * * * *", "an item of the list is empty");
    check_refused("1- * * * *", "at '1-' (character 1): it ends where a number is wanted");
    check_refused("1-2- * * * *", "'-' is not understood");
    check_refused("-1 * * * *", "'-' is not understood");
    check_refused("*/0 * * * *", "0 is not within 1 to 60");
    check_refused("*/61 * * * *", "61 is not within 1 to 60");
    check_refused("* */25 * * *", "25 is not within 1 to 24");
    check_refused("*/ * * * *", "it ends where a number is wanted");
    check_refused("*5 * * * *", "'5' is not understood");
    check_refused("**/5 * * * *", "'*' is not understood");
    check_refused("? * * * *", "'?' is not understood");
    check_refused("* * ?/2 * *", "'/' is not understood");
    check_refused("* * * foo *", "'f' is not understood");
    check_refused("* * * january *", "'u' is not understood");
    check_refused("* * * * jan", "'j' is not understood");
    check_refused("99999999999 * * * *", "9999 is not within");
    check_refused("1.5 * * * *", "'.' is not understood");
    check_refused("* * L-31 * *", "31 is not within 0 to 30");
    check_refused("* * 1-5W * *", "a 'W' belongs behind one day of the month");
    check_refused("* * W * *", "'W' is not understood");
    check_refused("* * * * L", "'L' is not understood");
    check_refused("* * * * 5#6", "6 is not within 1 to 5");
    check_refused("* * * * 5#", "it ends where a number is wanted");
    check_refused("L * * * *", "'L' is not understood");
}

TEST(the_number_of_fields_is_told)
{
    check_refused("", "cron '': it has 0 fields, not 5 or 6");
    check_refused(NULL, "it has 0 fields");
    check_refused("* * * *", "it has 4 fields");
    check_refused("* * * * * * *", "it has 7 fields");
    check_refused("*\n* * * *", "it has 4 fields");
    char many[2001];
    memset(many, '*', sizeof many);
    for (size_t i = 1; i < sizeof many - 1; i += 2)
        many[i] = ' ';
    many[sizeof many - 1] = '\0';
    check_refused(many, "it has 1000 fields");
}

TEST(words_that_are_none_are_refused)
{
    check_refused("@reboot", "cron '@reboot': the start of the program is no time");
    check_refused("@never", "cron '@never': there is no such word");
    check_refused("@", "there is no such word");
    check_refused("@daily 5", "it has 2 fields");
}

TEST(dates_that_never_are_are_refused)
{
    check_refused("0 0 30 2 *", "cron '0 0 30 2 *': there is no such date");
    check_refused("0 0 31 2,4,6,9,11 *", "there is no such date");
    check_refused("0 0 31W 2 *", "there is no such date");
    check_refused("0 0 L-30 4 *", "there is no such date");
    rill_cron_rule rule;
    CHECK_INT(rill_cron_parse("0 0 29 2 *", &rule), 0);
    CHECK_INT(rill_cron_parse("0 0 30 2 MON", &rule), 0); /* or on Mondays */
    CHECK_INT(rill_cron_parse("0 0 * 2 MON#5", &rule), 0);
}

/* ---- meanings ---- */

static rill_cron_rule parsed(const char *expression)
{
    rill_cron_rule rule = { 0 };
    if (rill_cron_parse(expression, &rule) < 0)
        test_fail(__FILE__, __LINE__, "%s", rill_last_error()->message);
    return rule;
}

static void check_same(const char *a, const char *b)
{
    rill_cron_rule first = parsed(a), second = parsed(b);
    /* Whether a star was written does not count here. */
    first.any_day = second.any_day = first.any_weekday = second.any_weekday = false;
    first.repeats = second.repeats = false;
    if (memcmp(&first, &second, sizeof first) != 0)
        test_fail(__FILE__, __LINE__, "'%s' is not the same as '%s'", a, b);
}

TEST(what_is_written_in_many_ways_is_the_same)
{
    check_same("@yearly", "0 0 1 1 *");
    check_same("@annually", "@Yearly");
    check_same("@monthly", "0 0 1 * *");
    check_same("@weekly", "0 0 * * SUN");
    check_same("@daily", "@midnight");
    check_same("@daily", "0 0 0 * * *");
    check_same("@hourly", "0 * * * *");
    check_same("  5\t4 *  * * ", "0 5 4 * * *");
    check_same("05 004 * * *", "5 4 * * *");
    check_same("*/15 * * * *", "0,15,30,45 * * * *");
    check_same("7/15 * * * *", "7,22,37,52 * * * *");
    check_same("10-20/5 * * * *", "10,15,20 * * * *");
    check_same("0-59 0-23 * * *", "* * * * *");
    check_same("* * * jan,FEB,dEc *", "* * * 1,2,12 *");
    check_same("* * * * 0", "* * * * 7");
    check_same("* * * * sun-sat", "* * * * 0-7");
    check_same("* * * * 5-7", "* * * * 0,5,6");
    check_same("* * * * 7-2", "* * * * 0,1,2");
    check_same("* * * * 7-7", "* * * * SUN");
    check_same("* * * * 1-7/2", "* * * * 0,1,3,5");
    check_same("* * * * */2", "* * * * 0,2,4,6");
    check_same("* * ? * ?", "* * * * *");
    check_same("* * * * FRIL", "* * * * 5L");
    check_same("* * * * SUN#2", "* * * * 7#2");
    check_same("5-5 * * * *", "5 * * * *");
    /* Ranges that go on from the other end. */
    check_same("* 22-2 * * *", "* 22,23,0,1,2 * * *");
    check_same("* 22-4/2 * * *", "* 22,0,2,4 * * *");
    check_same("* 21-4/2 * * *", "* 21,23,1,3 * * *");
    check_same("55-5/5 * * * *", "55,0,5 * * * *");
    check_same("* * 30-2 * *", "* * 30,31,1,2 * *");
    check_same("* * * NOV-FEB *", "* * * 11,12,1,2 *");
    check_same("* * * * FRI-MON", "* * * * 5,6,0,1");
    check_same("* * * * 6-0", "* * * * SAT,SUN");
    check_same("* * * * SAT-SUN", "* * * * 6,7");
}

/* ---- due times ---- */

#define NEW_YEAR 1767225600.0 /* 2026-01-01 00:00:00 UTC, a Thursday */

/* The next times in a zone, as "01-31 04:05:06" one behind the other. */
static const char *next_times(const char *expression, const char *name, double after, int count)
{
    static char text[1000];
    rill_auto(rill_zone) zone = rill_zone_new(name);
    rill_cron_rule rule = parsed(expression);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        rill_civil at;
        double before = after;
        if (rill_cron_next(&rule, zone, after, &after) < 0)
            return rill_last_error()->message;
        CHECK(after > before && after == floor(after));
        CHECK_INT(rill_zone_civil(zone, after, &at), 0);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%02d-%02d %02d:%02d:%02d",
                                 i ? ", " : "", at.month, at.day, at.hour, at.minute, at.second);
    }
    return text;
}

static const char *in_2026(const char *expression, int count)
{
    return next_times(expression, "UTC", NEW_YEAR - 1, count);
}

TEST(the_next_time_is_later)
{
    CHECK_STR(in_2026("* * * * *", 2), "01-01 00:00:00, 01-01 00:01:00");
    CHECK_STR(next_times("* * * * *", "UTC", NEW_YEAR, 1), "01-01 00:01:00");
    CHECK_STR(next_times("* * * * *", "UTC", NEW_YEAR - 0.001, 1), "01-01 00:00:00");
    CHECK_STR(next_times("* * * * * *", "UTC", NEW_YEAR + 0.5, 2),
              "01-01 00:00:01, 01-01 00:00:02");
    CHECK_STR(in_2026("58 59 23 31 12 *", 1), "12-31 23:59:58");
    CHECK_STR(in_2026("30 4 1,15 * 5", 5),
              "01-01 04:30:00, 01-02 04:30:00, 01-09 04:30:00, 01-15 04:30:00, 01-16 04:30:00");
    CHECK_STR(in_2026("0 0 */10 * MON", 2), "05-11 00:00:00, 06-01 00:00:00"); /* both */
    CHECK_STR(in_2026("0 12 1-7 * */7", 2), "01-04 12:00:00, 02-01 12:00:00"); /* both */
}

TEST(days_from_the_end_and_nearest_weekdays)
{
    CHECK_STR(in_2026("0 0 L * *", 3), "01-31 00:00:00, 02-28 00:00:00, 03-31 00:00:00");
    CHECK_STR(in_2026("0 0 L-2 2,3 *", 2), "02-26 00:00:00, 03-29 00:00:00");
    CHECK_STR(in_2026("0 0 LW 1-6 *", 6),
              "01-30 00:00:00, 02-27 00:00:00, 03-31 00:00:00, 04-30 00:00:00, 05-29 00:00:00, "
              "06-30 00:00:00");
    CHECK_STR(in_2026("0 0 15W 2,3,8 *", 3), "02-16 00:00:00, 03-16 00:00:00, 08-14 00:00:00");
    CHECK_STR(in_2026("0 0 1W 1,2,8 *", 3), "01-01 00:00:00, 02-02 00:00:00, 08-03 00:00:00");
    CHECK_STR(in_2026("0 0 31W 1,5,7,10 *", 4),
              "01-30 00:00:00, 05-29 00:00:00, 07-31 00:00:00, 10-30 00:00:00");
    CHECK_STR(in_2026("0 0 * 1-3 FRIL", 3), "01-30 00:00:00, 02-27 00:00:00, 03-27 00:00:00");
    CHECK_STR(in_2026("0 0 * 1-3 MON#1", 3), "01-05 00:00:00, 02-02 00:00:00, 03-02 00:00:00");
    CHECK_STR(in_2026("0 0 ? 1,4 THU#5", 2), "01-29 00:00:00, 04-30 00:00:00");
    CHECK_STR(in_2026("0 0 * 1 1#1,3L", 2), "01-05 00:00:00, 01-28 00:00:00");
    CHECK_STR(in_2026("0 0 1,L 1,2 *", 4),
              "01-01 00:00:00, 01-31 00:00:00, 02-01 00:00:00, 02-28 00:00:00");
}

TEST(rare_dates_are_found)
{
    CHECK_STR(next_times("0 0 29 2 *", "UTC", 4070908800, 1), "02-29 00:00:00"); /* 2099 to 2104 */
    /* The fifth Sunday of a February: in 2072 and then, for 2100 is no leap year, in 2112. */
    rill_auto(rill_zone) zone = rill_zone_new("UTC");
    rill_cron_rule rule = parsed("0 0 * 2 MON#5");
    double when = NEW_YEAR;
    int longest = 0;
    for (int i = 0; i < 12; i++) {
        double before = when;
        REQUIRE(rill_cron_next(&rule, zone, when, &when) == 0);
        int years = (int)((when - before) / 86400 / 365);
        longest = years > longest ? years : longest;
    }
    CHECK_INT(longest, 40);
}

TEST(there_is_an_end)
{
    rill_auto(rill_zone) zone = rill_zone_new("Europe/Berlin");
    rill_cron_rule rule = parsed("0 2 1 1 *");
    double when = 0;
    CHECK_INT(rill_cron_next(&rule, zone, 253402300799.0 - 5 * 86400, &when), RILL_ENOTFOUND);
    CHECK_CONTAINS(rill_last_error()->message, "not due again within 50 years from 9999-12-26");
    double bad[] = { NAN, INFINITY, -1e12, 1e12 };
    for (int i = 0; i < 4; i++)
        CHECK_INT(rill_cron_next(&rule, zone, bad[i], &when), RILL_EINVAL);
    CHECK_INT(rill_cron_next(&rule, NULL, 0, &when), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "cron: there is no zone");
    CHECK(when == 0);
    CHECK_INT(rill_cron_next(&rule, zone, -62135596800.0, &when), 0);
}

/* ---- daylight saving ---- */

#define BERLIN_SPRING (1774746000.0 - 90 * 60)  /* 00:30 before 02:00 becomes 03:00 */
#define BERLIN_AUTUMN (1792890000.0 - 150 * 60) /* 00:30 before 03:00 becomes 02:00 */

static const char *in_spring(const char *expression, int count)
{
    return next_times(expression, "Europe/Berlin", BERLIN_SPRING, count);
}

static const char *in_autumn(const char *expression, int count)
{
    return next_times(expression, "Europe/Berlin", BERLIN_AUTUMN, count);
}

TEST(what_falls_into_a_gap_is_due_once_right_after_it)
{
    CHECK_STR(in_spring("30 2 * * *", 2), "03-29 03:00:00, 03-30 02:30:00");
    CHECK_STR(in_spring("0 2 * * *", 2), "03-29 03:00:00, 03-30 02:00:00");
    CHECK_STR(in_spring("0,15,30,45 2 * * *", 2), "03-29 03:00:00, 03-30 02:00:00");
    CHECK_STR(in_spring("*/15 2 * * *", 2), "03-29 03:00:00, 03-30 02:00:00");
    CHECK_STR(in_spring("30 2,3 * * *", 3), "03-29 03:00:00, 03-29 03:30:00, 03-30 02:30:00");
    CHECK_STR(in_spring("0 2,3 * * *", 2), "03-29 03:00:00, 03-30 02:00:00");
    CHECK_STR(in_spring("0 */2 * * *", 2), "03-29 03:00:00, 03-29 04:00:00");
    CHECK_STR(in_spring("59 59 2 * * *", 1), "03-29 03:00:00");
    CHECK_STR(in_spring("30 2 30 * *", 1), "03-30 02:30:00"); /* another day */
    CHECK_STR(in_spring("0 3 * * *", 2), "03-29 03:00:00, 03-30 03:00:00");
}

TEST(what_runs_in_every_hour_goes_on_through_a_gap)
{
    CHECK_STR(in_spring("30 * * * *", 3), "03-29 01:30:00, 03-29 03:30:00, 03-29 04:30:00");
    CHECK_STR(in_spring("30 0-23 * * *", 2), "03-29 01:30:00, 03-29 03:30:00");
    CHECK_STR(in_spring("*/30 * * * *", 4),
              "03-29 01:00:00, 03-29 01:30:00, 03-29 03:00:00, 03-29 03:30:00");
}

TEST(fixed_times_in_a_fold_are_due_once)
{
    CHECK_STR(in_autumn("30 2 * * *", 2), "10-25 02:30:00, 10-26 02:30:00");
    CHECK_STR(in_autumn("0 2,3 * * *", 3), "10-25 02:00:00, 10-25 03:00:00, 10-26 02:00:00");
    CHECK_STR(in_autumn("0,30 1-3 * * *", 7),
              "10-25 01:00:00, 10-25 01:30:00, 10-25 02:00:00, 10-25 02:30:00, 10-25 03:00:00, "
              "10-25 03:30:00, 10-26 01:00:00");
    /* Asked in the second pass for a time that the first has shown. */
    CHECK_STR(next_times("30 2 * * *", "Europe/Berlin", 1792890000.0, 1), "10-26 02:30:00");
    CHECK_STR(next_times("30 2 * * *", "Europe/Berlin", 1792890000.0 - 1, 1), "10-26 02:30:00");
}

TEST(wildcards_are_due_in_both_passes_of_a_fold)
{
    CHECK_STR(in_autumn("*/30 2 * * *", 5),
              "10-25 02:00:00, 10-25 02:30:00, 10-25 02:00:00, 10-25 02:30:00, 10-26 02:00:00");
    CHECK_STR(in_autumn("30 * * * *", 4),
              "10-25 01:30:00, 10-25 02:30:00, 10-25 02:30:00, 10-25 03:30:00");
    CHECK_STR(in_autumn("*/30 30 2 * * *", 5),
              "10-25 02:30:00, 10-25 02:30:30, 10-25 02:30:00, 10-25 02:30:30, 10-26 02:30:00");
}

TEST(other_changes_are_like_daylight_saving)
{
    /* Half an hour, at 02:00 to 02:30 in spring. */
    CHECK_STR(next_times("15 2 * * *", "Australia/Lord_Howe", 1791041400 - 3600, 2),
              "10-04 02:30:00, 10-05 02:15:00");
    CHECK_STR(next_times("45 1 * * *", "Australia/Lord_Howe", 1775314800 - 7200, 2),
              "04-05 01:45:00, 04-06 01:45:00");
    CHECK_STR(next_times("45 * * * *", "Australia/Lord_Howe", 1775314800 - 3600, 3),
              "04-05 01:45:00, 04-05 01:45:00, 04-05 02:45:00");
    /* Samoa left out the 30th of December 2011, a Friday. */
    CHECK_STR(next_times("30 2 * * *", "Pacific/Apia", 1325239200 - 3600, 2),
              "12-31 00:00:00, 12-31 02:30:00");
    CHECK_STR(next_times("0 0 * * FRI", "Pacific/Apia", 1325239200 - 3600, 2),
              "12-31 00:00:00, 01-06 00:00:00");
    CHECK_STR(next_times("0 * * * *", "Pacific/Apia", 1325239200 - 3600, 2),
              "12-31 00:00:00, 12-31 01:00:00");
    /* By the rule for what comes after the table: 2500-03-28 in New York is no change, -03-14 is.
     */
    CHECK_STR(next_times("30 2 * * *", "America/New_York", 16730920800.0, 3),
              next_times("30 2 * * *", "EST5EDT,M3.2.0,M11.1.0", 16730920800.0, 3));
}

TEST(a_fold_goes_on_behind_a_change_that_moves_no_clock)
{
    /* At 0 the clocks are put back by two hours; half an hour later only the name changes. */
    static const unsigned char file[] = {
        'T', 'Z', 'i', 'f', 0, 0, 0, 0, 0,    0,    0,   0, 0, 0, 0, 0, /* unused */
        0,   0,   0,   0,   0, 0, 0, 0, 0,    0,    0,   0, 0, 0, 0, 0, /* counts */
        0,   0,   0,   2,   0, 0, 0, 3, 0,    0,    0,   4, 0, 0, 0, 0, /* times */
        0,   0,   7,   8,   1, 2, 0, 0, 0x1c, 0x20, 1,   0, 0, 0, 0, 0, /* types */
        0,   0,   0,   0,   0, 0, 0, 0, 'A',  'A',  'A', 0,
    };
    rill_auto(rill_zone) zone = rill_zone_from("test", file, sizeof file);
    rill_cron_rule fixed = parsed("0 1 * * *"), wildcard = parsed("0 * * * *");
    double when = -3601;
    REQUIRE(zone);
    CHECK_INT(rill_cron_next(&fixed, zone, when, &when), 0);
    CHECK(when == -3600);
    CHECK_INT(rill_cron_next(&fixed, zone, when, &when), 0);
    CHECK(when == 90000);
    when = -3600;
    CHECK_INT(rill_cron_next(&wildcard, zone, when, &when), 0);
    CHECK(when == 0);
    CHECK_INT(rill_cron_next(&wildcard, zone, when, &when), 0);
    CHECK(when == 3600);
}
