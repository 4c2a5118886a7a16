/* HTTP dates: the three forms, the calendar's edges, and what is no date. */
#include "harness.h"
#include "http/date.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#define NOW INT64_C(1767225600) /* Thu, 01 Jan 2026 00:00:00 GMT */
#define NO_DATE INT64_MIN

static int64_t parse_at(const char *text, int64_t now)
{
    int64_t seconds = NO_DATE;
    bool is_date = rill__date_parse(rill_str_of(text), now, &seconds);
    CHECK(is_date == (seconds != NO_DATE)); /* untouched when it is none */
    return seconds;
}

static int64_t parse(const char *text)
{
    return parse_at(text, NOW);
}

static const char *format(int64_t seconds)
{
    static char text[RILL__DATE_LEN + 1];
    rill__date_format(seconds, text);
    CHECK_INT(strlen(text), RILL__DATE_LEN);
    return text;
}

TEST(the_three_forms_are_one_date)
{
    CHECK_INT(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    CHECK_INT(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    CHECK_INT(parse("Sun Nov  6 08:49:37 1994"), 784111777);
    CHECK_INT(parse("Wed Nov 16 08:49:37 1994"), 784975777);
    CHECK_INT(parse("  Sun, 06 Nov 1994 08:49:37 GMT\t"), 784111777);
    CHECK_STR(format(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(a29_years_before_1970_and_after_2038)
{
    CHECK_INT(parse("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
    CHECK_INT(parse("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    CHECK_INT(parse("Tue, 19 Jan 2038 03:14:08 GMT"), INT64_C(1) << 31);
    CHECK_INT(parse("Sun, 07 Feb 2106 06:28:16 GMT"), INT64_C(1) << 32);
    CHECK_STR(format(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
    CHECK_STR(format(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK_STR(format(INT64_C(1) << 31), "Tue, 19 Jan 2038 03:14:08 GMT");
    CHECK_STR(format(INT64_C(1) << 32), "Sun, 07 Feb 2106 06:28:16 GMT");
}

TEST(the_range_ends_at_the_years_0_and_9999)
{
    const char *first = "Sat, 01 Jan 0000 00:00:00 GMT", *last = "Fri, 31 Dec 9999 23:59:59 GMT";
    CHECK_STR(format(RILL__DATE_MIN), first);
    CHECK_STR(format(RILL__DATE_MIN - 1), first);
    CHECK_STR(format(INT64_MIN), first);
    CHECK_STR(format(RILL__DATE_MAX), last);
    CHECK_STR(format(RILL__DATE_MAX + 1), last);
    CHECK_STR(format(INT64_MAX), last);
    CHECK_INT(parse(first), RILL__DATE_MIN);
    CHECK_INT(parse(last), RILL__DATE_MAX);
}

TEST(every_day_of_400_years_is_as_libc_has_it)
{
    for (int64_t day = -150000; day < 150000; day++) {
        time_t seconds = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
        struct tm tm;
        char expected[64];
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        const char *text = format(seconds);
        if (strcmp(text, expected) != 0 || parse(expected) != seconds)
            test_fail(__FILE__, __LINE__, "%s is written %s", expected, text);
    }
}

TEST(two_digits_are_the_year_at_most_50_years_ahead)
{
    CHECK_INT(parse("Tuesday, 31-Dec-75 23:59:59 GMT"), parse("Tue, 31 Dec 2075 23:59:59 GMT"));
    CHECK_INT(parse("Wednesday, 01-Jan-76 00:00:00 GMT"), parse("Wed, 01 Jan 2076 00:00:00 GMT"));
    CHECK_INT(parse("Thursday, 01-Jan-76 00:00:01 GMT"), parse("Thu, 01 Jan 1976 00:00:01 GMT"));
    CHECK_INT(parse("Friday, 31-Dec-99 23:59:59 GMT"), parse("Fri, 31 Dec 1999 23:59:59 GMT"));
    CHECK_INT(parse("Saturday, 01-Jan-00 00:00:00 GMT"), parse("Sat, 01 Jan 2000 00:00:00 GMT"));
    int64_t in_2090 = parse("Sun, 01 Jan 2090 00:00:00 GMT");
    CHECK_INT(parse_at("Monday, 01-Jan-39 00:00:00 GMT", in_2090),
              parse("Thu, 01 Jan 2139 00:00:00 GMT"));
    CHECK_INT(parse_at("Monday, 01-Jan-95 00:00:00 GMT", in_2090),
              parse("Thu, 01 Jan 2095 00:00:00 GMT"));
    CHECK_INT(parse_at("Monday, 01-Jan-95 00:00:00 GMT", INT64_MIN),
              parse("Thu, 01 Jan 1995 00:00:00 GMT"));
    parse_at("Monday, 01-Jan-95 00:00:00 GMT", INT64_MAX);
}

TEST(leap_days_and_leap_seconds)
{
    CHECK(parse("Thu, 29 Feb 2024 00:00:00 GMT") != NO_DATE);
    CHECK(parse("Tue, 29 Feb 2000 00:00:00 GMT") != NO_DATE);
    CHECK(parse("Thu, 29 Feb 1900 00:00:00 GMT") == NO_DATE);
    CHECK(parse("Thu, 29 Feb 2023 00:00:00 GMT") == NO_DATE);
    CHECK_INT(parse("Sat, 31 Dec 2016 23:59:60 GMT"), parse("Sun, 01 Jan 2017 00:00:00 GMT"));
}

TEST(what_is_no_date_is_refused)
{
    static const char *const bad[] = {
        "",
        "0",
        "-1",
        "Sun",
        "Sun,",
        "Sun, ",
        "Sunday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMTx",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sux, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 +8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "1994-11-06T08:49:37Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i]) != NO_DATE)
            test_fail(__FILE__, __LINE__, "\"%s\" is taken for a date", bad[i]);
    int64_t seconds;
    CHECK(!rill__date_parse((rill_str){ NULL, 0 }, NOW, &seconds));
    CHECK(!rill__date_parse((rill_str){ "Sun, 06 Nov 1994\0 08:49:37 GMT", 30 }, NOW, &seconds));
    rill_str whole = RILL_STR("Sun, 06 Nov 1994 08:49:37 GMT");
    for (size_t len = 0; len < whole.len; len++)
        CHECK(!rill__date_parse((rill_str){ whole.ptr, len }, NOW, &seconds));
}

TEST(table_of_go)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, "go-nethttp.json", NULL) : NULL;
    if (!text) {
        test_skip("no test data");
        return;
    }
    json_t *root = json_loads(text, JSON_ALLOW_NUL, NULL), *row;
    size_t i;
    json_array_foreach(json_object_get(root, "parseTime"), i, row)
    {
        json_t *dates = json_object_get(json_object_get(row, "h"), "Date");
        const char *date = json_string_value(json_array_get(dates, 0));
        REQUIRE(date);
        CHECK_INT(parse(date),
                  json_is_true(json_object_get(row, "err")) ? NO_DATE : INT64_C(784111777));
    }
    CHECK_INT(i, 6);
    json_decref(root);
    free(text);
}
