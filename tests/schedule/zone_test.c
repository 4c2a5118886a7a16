/* Time zones: names, rules, files that are broken, and civil time at gaps and folds. */
#include "harness.h"

#include <math.h>
#include <rill/schedule.h>
#include <stdlib.h>

/* ---- names ---- */

static void check_refused(const char *name, int code, const char *part)
{
    rill_auto(rill_zone) zone = rill_zone_new(name);
    CHECK(!zone);
    CHECK_INT(rill_errcode(), code);
    CHECK_CONTAINS(rill_last_error()->message, part);
}

TEST(names_that_are_none_are_refused)
{
    check_refused("Europe/Berlni", RILL_ENOTFOUND, "zone 'Europe/Berlni': there is no ");
    check_refused("", RILL_EINVAL, "zone '': it is no name");
    check_refused("../../etc/passwd", RILL_EINVAL, "no name");
    check_refused("Europe/../../../etc/passwd", RILL_EINVAL, "no name");
    check_refused("/etc/localtime", RILL_EINVAL, "no name");
    check_refused("Europe//Berlin", RILL_EINVAL, "no name");
    check_refused("Europe/", RILL_EINVAL, "no name");
    check_refused("Europe", RILL_EINVAL, "is no file of a time zone");
    check_refused("+2", RILL_ENOTFOUND, "");
    check_refused("+24:00", RILL_EINVAL, "no name");
    check_refused("+02:60", RILL_EINVAL, "no name");
    check_refused("+02:0", RILL_EINVAL, "no name");
    check_refused("Europe/Berlin\n", RILL_EINVAL, "no name");
    char longer[400];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    check_refused(longer, RILL_EINVAL, "no name");
}

static int offset_at(const char *name, double when)
{
    rill_auto(rill_zone) zone = rill_zone_new(name);
    rill_civil civil = { 0 };
    if (!zone || rill_zone_civil(zone, when, &civil) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", name ? name : "NULL", rill_last_error()->message);
    return civil.offset;
}

TEST(offsets_need_no_file)
{
    setenv("TZDIR", "/nonexistent", 1);
    CHECK_INT(offset_at("UTC", 0), 0);
    CHECK_INT(offset_at("Z", 0), 0);
    CHECK_INT(offset_at("+02:00", 0), 7200);
    CHECK_INT(offset_at("+0530", 0), 19800);
    CHECK_INT(offset_at("-03", 0), -10800);
    CHECK_INT(offset_at("-23:59", 0), -86340);
    CHECK_INT(offset_at("CET-1CEST,M3.5.0,M10.5.0/3", 0), 3600);
    rill_auto(rill_zone) zone = rill_zone_new("+02:00");
    CHECK_STR(rill_zone_name(zone), "+02:00");
    CHECK_STR(rill_zone_name(NULL), "");
    check_refused("Europe/Berlin", RILL_ENOTFOUND, "there is no /nonexistent/Europe/Berlin");
}

TEST(local_is_what_the_environment_says)
{
    setenv("TZ", "America/New_York", 1);
    CHECK_INT(offset_at("local", 0), -5 * 3600);
    CHECK_INT(offset_at(NULL, 0), -5 * 3600);
    setenv("TZ", ":Asia/Kathmandu", 1);
    CHECK_INT(offset_at("local", 1e9), 20700);
    setenv("TZ", "/usr/share/zoneinfo/Asia/Tokyo", 1);
    CHECK_INT(offset_at("local", 0), 9 * 3600);
    setenv("TZ", "", 1);
    CHECK_INT(offset_at("local", 0), 0);
    setenv("TZ", "XYZ3", 1);
    CHECK_INT(offset_at("local", 0), -3 * 3600);
    setenv("TZ", "Foo/Bar", 1);
    check_refused("local", RILL_ENOTFOUND, "Foo/Bar");
    unsetenv("TZ");
    rill_auto(rill_zone) zone = rill_zone_new("local");
    CHECK(zone != NULL);
}

/* ---- rules ---- */

TEST(rules_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "CET",
        "CE-1",
        "<CET-1",
        "<C>1",
        "CET-25",
        "CET-1x",
        "CET-1:60",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J365",
        "CET-1CEST,0,366",
        "CET-1CEST,J1,J366",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0/3 ",
        "CET-1CEST-26,M3.5.0,M10.5.0",
    };
    setenv("TZDIR", "/nonexistent", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rill_auto(rill_zone) zone = rill_zone_new(bad[i]);
        if (zone)
            test_fail(__FILE__, __LINE__, "'%s' is taken for a rule", bad[i]);
    }
}

/* 2026-01-01 00:00:00 UTC; in a year that is not a leap year. */
#define NEW_YEAR 1767225600.0
#define DAY 86400.0

TEST(rules_say_when_summer_begins_and_ends)
{
    static const struct {
        const char *rule;
        double before; /* the last second, from the new year, of standard time */
        double after;  /* and of summer */
    } cases[] = {
        { "CET-1CEST,M3.5.0,M10.5.0/3", 87 * DAY + 3600, 297 * DAY + 3600 },
        { "EST5EDT,M3.2.0,M11.1.0", 66 * DAY + 25200, 304 * DAY + 21600 },
        { "EST5EDT", 66 * DAY + 25200, 304 * DAY + 21600 }, /* the usual days */
        { "UTC0DST,J60,J61", 59 * DAY + 7200, 60 * DAY + 3600 },
        { "UTC0DST,59,60", 59 * DAY + 7200, 60 * DAY + 3600 },
        { "UTC0DST-2:30,J60/-24,J61/167", 58 * DAY, 60 * DAY + 167 * 3600 - 9000 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 87 * DAY + 3600, 297 * DAY + 3600 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rill_auto(rill_zone) zone = rill_zone_new(cases[i].rule);
        REQUIRE(zone);
        for (int k = 0; k < 4; k++) {
            rill_civil civil;
            double when = NEW_YEAR + (k < 2 ? cases[i].before : cases[i].after) - (k + 1) % 2;
            CHECK_INT(rill_zone_civil(zone, when, &civil), 0);
            if (civil.dst != (k == 1 || k == 2))
                test_fail(__FILE__, __LINE__, "%s: wrong at %.0f", cases[i].rule, when);
        }
    }
}

TEST(a_julian_day_knows_no_leap_day)
{
    rill_auto(rill_zone) zone = rill_zone_new("UTC0DST,J60/0,J100/0");
    rill_civil civil;
    REQUIRE(zone);
    double march_2028 = 1835481600; /* of a leap year */
    rill_zone_civil(zone, march_2028 - 1, &civil);
    CHECK(!civil.dst && civil.month == 2 && civil.day == 29);
    rill_zone_civil(zone, march_2028, &civil);
    CHECK(civil.dst && civil.month == 3 && civil.day == 1);
    rill_auto(rill_zone) earlier = rill_zone_new("UTC0DST,J59/0,J100/0");
    rill_zone_civil(earlier, march_2028 - DAY, &civil);
    CHECK(civil.dst && civil.month == 2 && civil.day == 29);
    rill_zone_civil(earlier, march_2028 - 2 * DAY, &civil);
    CHECK(civil.dst && civil.month == 2 && civil.day == 28);
}

TEST(a_change_may_lie_in_the_year_after_its_own)
{
    /* Summer but for the 4th to the 6th of January, which belong to the year before. */
    rill_auto(rill_zone) zone = rill_zone_new("UTC0DST,J365/167,J363/167");
    rill_civil civil;
    REQUIRE(zone);
    for (int day = 0; day < 10; day++) {
        rill_zone_civil(zone, NEW_YEAR + day * DAY, &civil);
        CHECK_INT(civil.dst, day < 4 || day > 5);
    }
}

TEST(summer_may_last_all_the_year)
{
    rill_auto(rill_zone) zone = rill_zone_new("EST5EDT,0/0,J365/25");
    REQUIRE(zone);
    for (double when = NEW_YEAR - 400 * DAY; when < NEW_YEAR + 400 * DAY; when += DAY / 3) {
        rill_civil civil;
        rill_zone_civil(zone, when, &civil);
        CHECK(civil.dst && civil.offset == -4 * 3600);
    }
}

/* ---- files ---- */

/* A file with one block of version 1: types +0 "AAA" and +3600 "BBB", a change at 1000 and one at
 * 2000. */
static const unsigned char small[] = {
    'T', 'Z', 'i', 'f',  0,   0,   0,   0,    0,    0,    0, 0,
    0,   0,   0,   0,    0,   0,   0,   0,                      /* and 15 unused */
    0,   0,   0,   0,    0,   0,   0,   0,    0,    0,    0, 0, /* flags, leap seconds */
    0,   0,   0,   2,    0,   0,   0,   2,    0,    0,    0, 8, /* changes, types, chars */
    0,   0,   3,   0xe8, 0,   0,   7,   0xd0,                   /* when */
    1,   0,                                                     /* to which */
    0,   0,   0,   0,    0,   0,   0,   0,    0x0e, 0x10, 1, 4, /* types */
    'A', 'A', 'A', 0,    'B', 'B', 'B', 0,
};

static int zone_of(const void *bytes, size_t len)
{
    /* Of its exact size, so that a read behind it is seen by the sanitizer. */
    char *copy = malloc(len + 1);
    memcpy(copy + 1, bytes, len);
    rill_zone *zone = rill_zone_from("test", copy + 1, len);
    free(copy);
    rill_zone_free(zone);
    return zone ? 0 : rill_errcode();
}

TEST(a_small_file_is_read)
{
    rill_auto(rill_zone) zone = rill_zone_from("test", small, sizeof small);
    REQUIRE(zone);
    static const struct {
        double when;
        int offset;
        const char *designation;
    } cases[] = { { -1e9, 0, "AAA" },    { 999, 0, "AAA" },  { 1000, 3600, "BBB" },
                  { 1999, 3600, "BBB" }, { 2000, 0, "AAA" }, { 1e11, 0, "AAA" } };
    for (int i = 0; i < 6; i++) {
        rill_civil civil;
        CHECK_INT(rill_zone_civil(zone, cases[i].when, &civil), 0);
        CHECK_INT(civil.offset, cases[i].offset);
        CHECK_STR(civil.designation, cases[i].designation);
    }
}

TEST(a_file_that_is_cut_off_is_refused)
{
    for (size_t len = 0; len < sizeof small; len++)
        CHECK_INT(zone_of(small, len), RILL_EINVAL);
    CHECK_INT(zone_of(small, sizeof small), 0);
    char *berlin;
    size_t len;
    berlin = test_read_file("/usr/share/zoneinfo", "Europe/Berlin", &len);
    if (!berlin) {
        test_skip("no time zone database");
        return;
    }
    CHECK_INT(zone_of(berlin, len), 0);
    for (size_t cut = 0; cut < len; cut++)
        CHECK_INT(zone_of(berlin, cut), RILL_EINVAL);
    free(berlin);
}

/* Changes a byte of the small file: what it is said to be then. */
static void check_changed(size_t at, int value, int code, const char *part)
{
    unsigned char bytes[sizeof small];
    memcpy(bytes, small, sizeof small);
    bytes[at] = (unsigned char)value;
    int rc = zone_of(bytes, sizeof bytes);
    if (rc != code)
        test_fail(__FILE__, __LINE__, "byte %zu = %d gives %s", at, value, rill_code_name(rc));
    else if (rc < 0)
        CHECK_CONTAINS(rill_last_error()->message, part);
}

TEST(a_file_that_is_broken_is_refused)
{
    check_changed(0, 'X', RILL_EINVAL,
                  "zone 'test': broken file: it does not begin as a TZif file");
    check_changed(4, '2', RILL_EINVAL, "it does not begin as a TZif file"); /* the second block */
    check_changed(23, 1, RILL_EINVAL, "cut off");
    check_changed(28, 0xff, RILL_EUNSUPPORTED, "leap seconds");
    check_changed(32, 0xff, RILL_EINVAL, "too many changes");
    check_changed(36, 0xff, RILL_EINVAL, "types");
    check_changed(39, 0, RILL_EINVAL, "types");
    check_changed(40, 0xff, RILL_EINVAL, "cut off");
    check_changed(44, 0x7f, RILL_EINVAL, "order");
    check_changed(50, 3, RILL_EINVAL, "order");
    check_changed(52, 2, RILL_EINVAL, "a type that it does not have");
    check_changed(54, 0x7f, RILL_EINVAL, "out of range");
    check_changed(54, 0x80, RILL_EINVAL, "out of range");
    check_changed(58, 2, RILL_EINVAL, "out of range");
    check_changed(59, 8, RILL_EINVAL, "designation");
    check_changed(73, 'B', RILL_EINVAL, "designation");
}

TEST(changes_at_the_same_time_are_refused)
{
    unsigned char bytes[sizeof small];
    memcpy(bytes, small, sizeof small);
    memcpy(bytes + 48, bytes + 44, 4);
    CHECK_INT(zone_of(bytes, sizeof bytes), RILL_EINVAL);
    bytes[51]++;
    CHECK_INT(zone_of(bytes, sizeof bytes), 0);
}

TEST(a_change_for_a_type_of_its_own_may_be_anywhere)
{
    unsigned char bytes[sizeof small];
    memcpy(bytes, small, sizeof small);
    memset(bytes + 44, 0x80, 1); /* 1901 */
    bytes[45] = 0;
    CHECK_INT(zone_of(bytes, sizeof bytes), 0);
}

/* ---- civil time ---- */

TEST(moments_and_dates_out_of_range_are_refused)
{
    rill_auto(rill_zone) zone = rill_zone_new("UTC");
    rill_civil civil;
    double bad[] = { NAN, INFINITY, -INFINITY, -62135596801.0, 253402300800.0, 1e300 }, when;
    for (int i = 0; i < 6; i++)
        CHECK_INT(rill_zone_civil(zone, bad[i], &civil), RILL_EINVAL);
    CHECK_INT(rill_zone_civil(NULL, 0, &civil), RILL_EINVAL);
    CHECK_INT(rill_zone_civil(zone, -62135596800.0, &civil), 0);
    CHECK(civil.year == 1 && civil.month == 1 && civil.day == 1 && civil.weekday == 1);
    CHECK_INT(rill_zone_time(zone, &civil, &when), 0);
    CHECK(when == -62135596800.0);
    CHECK_INT(rill_zone_civil(zone, 253402300799.5, &civil), 0);
    CHECK(civil.year == 9999 && civil.second == 59);
    rill_civil no_dates[] = {
        { .year = 2026, .month = 2, .day = 29 },
        { .year = 2026, .month = 13, .day = 1 },
        { .year = 2026, .month = 0, .day = 1 },
        { .year = 0, .month = 1, .day = 1 },
        { .year = 10000, .month = 1, .day = 1 },
        { .year = 2026, .month = 1, .day = 0 },
        { 2026, 1, 1, .hour = 24 },
        { 2026, 1, 1, .hour = -1 },
        { 2026, 1, 1, .minute = 60 },
        { 2026, 1, 1, .second = 60 },
        { 2026, 1, 1, .second = -1 },
    };
    for (size_t i = 0; i < sizeof no_dates / sizeof *no_dates; i++)
        CHECK_INT(rill_zone_time(zone, &no_dates[i], &when), RILL_EINVAL);
    CHECK_INT(rill_zone_time(NULL, &civil, &when), RILL_EINVAL);
}

#define AT(y, mo, d, h, mi, s, twice)                                                              \
    ((rill_civil){ .year = (y),                                                                    \
                   .month = (mo),                                                                  \
                   .day = (d),                                                                     \
                   .hour = (h),                                                                    \
                   .minute = (mi),                                                                 \
                   .second = (s),                                                                  \
                   .again = (twice) })

/* One civil time in a zone: how often, and when. */
static void check_time(const char *name, rill_civil civil, int occurs, double when)
{
    rill_auto(rill_zone) zone = rill_zone_new(name);
    double found = 0;
    REQUIRE(zone);
    CHECK_INT(rill_zone_time(zone, &civil, &found), occurs);
    if (found != when)
        test_fail(__FILE__, __LINE__, "%s: %.0f, not %.0f", name, found, when);
}

TEST(a_gap_is_shown_never_and_a_fold_twice)
{
    const char *berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    check_time(berlin, AT(2026, 3, 29, 1, 59, 59, false), RILL_OCCURS_ONCE, 1774745999);
    check_time(berlin, AT(2026, 3, 29, 2, 0, 0, false), RILL_OCCURS_NEVER, 1774746000);
    check_time(berlin, AT(2026, 3, 29, 2, 59, 59, false), RILL_OCCURS_NEVER, 1774746000);
    check_time(berlin, AT(2026, 3, 29, 3, 0, 0, false), RILL_OCCURS_ONCE, 1774746000);
    check_time(berlin, AT(2026, 10, 25, 2, 0, 0, false), RILL_OCCURS_TWICE, 1792886400);
    check_time(berlin, AT(2026, 10, 25, 2, 0, 0, true), RILL_OCCURS_TWICE, 1792890000);
    check_time(berlin, AT(2026, 10, 25, 3, 0, 0, true), RILL_OCCURS_ONCE, 1792893600);
    check_time("Pacific/Apia", AT(2011, 12, 30, 12, 0, 0, false), RILL_OCCURS_NEVER, 1325239200);
    /* Where the table ends, and the rule that follows says nothing new: in some files 1986, in
     * others 2038. */
    check_time("Asia/Kathmandu", AT(1985, 12, 31, 12, 0, 0, false), RILL_OCCURS_ONCE, 504858600);
    check_time("Asia/Kathmandu", AT(2038, 1, 19, 0, 0, 0, false), RILL_OCCURS_ONCE, 2147451300);
    check_time("Australia/Lord_Howe", AT(2026, 10, 4, 2, 15, 0, false), RILL_OCCURS_NEVER,
               1791041400);
}

TEST(the_second_pass_of_a_fold_is_told_apart)
{
    rill_auto(rill_zone) zone = rill_zone_new("CET-1CEST,M3.5.0,M10.5.0/3");
    rill_civil first, second;
    REQUIRE(zone);
    rill_zone_civil(zone, 1792886400, &first);
    rill_zone_civil(zone, 1792890000, &second);
    CHECK(first.hour == 2 && !first.again && first.dst && first.offset == 7200);
    CHECK(second.hour == 2 && second.again && !second.dst && second.offset == 3600);
    CHECK_STR(first.designation, "CEST");
    CHECK_STR(second.designation, "CET");
}
