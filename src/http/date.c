/*
 * HTTP dates. Days are counted on a calendar whose year begins in March, so that the leap day is a
 * year's last and the months before it are the same in all years.
 */
#include "http/date.h"

#include "http/token.h"

#define DAY 86400
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define DAYS_400_YEARS 146097

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const long_day_names[7] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct date {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
};

/* Days since 1970-01-01. `year` is at least 0. */
static int64_t days_of(const struct date *date)
{
    /* One cycle of 400 years is added to stay above zero for January and February of year 0. */
    int year = date->year + 400 - (date->month <= 2);
    int month = (date->month + 9) % 12; /* from March */
    int in_year = (153 * month + 2) / 5 + date->day - 1;
    int64_t days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400 + in_year;
    return days - DAYS_400_YEARS - DAYS_TO_1970;
}

/* The date on a day that is at least 0000-01-01. */
static struct date date_of(int64_t days_since_1970)
{
    int64_t days = days_since_1970 + DAYS_TO_1970 + DAYS_400_YEARS;
    int cycle = (int)(days / DAYS_400_YEARS), in_cycle = (int)(days % DAYS_400_YEARS);
    /* A day is taken off for each leap day that has passed, one is given for each that did not
     * come in a century, so that all years have 365. */
    int leaps = in_cycle / 1460 - in_cycle / 36524 + in_cycle / (DAYS_400_YEARS - 1);
    int year = (in_cycle - leaps) / 365;
    int in_year = in_cycle - (365 * year + year / 4 - year / 100);
    int month = (5 * in_year + 2) / 153;
    return (struct date){
        .year = cycle * 400 + year - 400 + (month >= 10),
        .month = month >= 10 ? month - 9 : month + 3,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

static void put2(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
}

void rill__date_format(int64_t seconds, char out[RILL__DATE_LEN + 1])
{
    if (seconds < RILL__DATE_MIN)
        seconds = RILL__DATE_MIN;
    if (seconds > RILL__DATE_MAX)
        seconds = RILL__DATE_MAX;
    int64_t days = (seconds - RILL__DATE_MIN) / DAY + RILL__DATE_MIN / DAY;
    int in_day = (int)(seconds - days * DAY);
    struct date date = date_of(days);
    /* 0000-01-01 was a Saturday. */
    size_t weekday = (size_t)((days - RILL__DATE_MIN / DAY + 6) % 7);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", RILL__DATE_LEN + 1);
    memcpy(out, day_names[weekday], 3);
    put2(out + 5, date.day);
    memcpy(out + 8, month_names[date.month - 1], 3);
    put2(out + 12, date.year / 100);
    put2(out + 14, date.year % 100);
    put2(out + 17, in_day / 3600);
    put2(out + 20, in_day / 60 % 60);
    put2(out + 23, in_day % 60);
}

/* The steps below take what they expect off the front of the text, and say whether it was there. */

static bool take(rill_str *text, const char *expected)
{
    size_t len = strlen(expected);
    if (text->len < len || memcmp(text->ptr, expected, len) != 0)
        return false;
    *text = (rill_str){ text->ptr + len, text->len - len };
    return true;
}

/* Exactly so many digits. */
static bool take_number(rill_str *text, size_t digits, int *ret_number)
{
    if (text->len < digits)
        return false;
    int64_t number = rill__decimal((rill_str){ text->ptr, digits });
    if (number < 0)
        return false;
    *ret_number = (int)number;
    *text = (rill_str){ text->ptr + digits, text->len - digits };
    return true;
}

static bool take_month(rill_str *text, int *ret_month)
{
    for (int i = 0; i < 12; i++) {
        if (take(text, month_names[i])) {
            *ret_month = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_clock(rill_str *text, struct date *date)
{
    return take_number(text, 2, &date->hour) && take(text, ":") &&
           take_number(text, 2, &date->minute) && take(text, ":") &&
           take_number(text, 2, &date->second);
}

/* Behind "Sun, ". */
static bool take_fixdate(rill_str *text, struct date *date)
{
    return take_number(text, 2, &date->day) && take(text, " ") && take_month(text, &date->month) &&
           take(text, " ") && take_number(text, 4, &date->year) && take(text, " ") &&
           take_clock(text, date) && take(text, " GMT");
}

/* Behind "Sun ". */
static bool take_asctime(rill_str *text, struct date *date)
{
    return take_month(text, &date->month) && take(text, " ") &&
           take_number(text, take(text, " ") ? 1 : 2, &date->day) && take(text, " ") &&
           take_clock(text, date) && take(text, " ") && take_number(text, 4, &date->year);
}

/* Behind "Sunday, ". */
static bool take_rfc850(rill_str *text, struct date *date)
{
    return take_number(text, 2, &date->day) && take(text, "-") && take_month(text, &date->month) &&
           take(text, "-") && take_number(text, 2, &date->year) && take(text, " ") &&
           take_clock(text, date) && take(text, " GMT");
}

static bool in_range(const struct date *date)
{
    static const int lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    int length = date->month == 2 && !leap ? 28 : lengths[date->month - 1];
    return date->day >= 1 && date->day <= length && date->hour <= 23 && date->minute <= 59 &&
           date->second <= 60;
}

static int64_t seconds_of(const struct date *date)
{
    return days_of(date) * DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

/* A year of two digits means the latest year with these digits for which the date is not more than
 * 50 years ahead (RFC 9110 5.6.7). */
static void complete_year(struct date *date, int64_t now)
{
    if (now < 0)
        now = 0;
    if (now > RILL__DATE_MAX)
        now = RILL__DATE_MAX;
    struct date limit = date_of(now / DAY);
    limit.year += 50;
    limit.second = (int)(now % DAY);
    date->year += limit.year / 100 * 100;
    if (seconds_of(date) > seconds_of(&limit))
        date->year -= 100;
}

static bool parse_form(rill_str text, int64_t now, struct date *date)
{
    for (size_t i = 0; i < 7; i++) {
        if (take(&text, long_day_names[i])) {
            if (!take(&text, ", ") || !take_rfc850(&text, date))
                return false;
            complete_year(date, now);
            return text.len == 0;
        }
        if (!take(&text, day_names[i]))
            continue;
        bool taken = take(&text, ", ") ? take_fixdate(&text, date)
                                       : take(&text, " ") && take_asctime(&text, date);
        return taken && text.len == 0;
    }
    return false;
}

bool rill__date_parse(rill_str text, int64_t now, int64_t *ret_seconds)
{
    struct date date = { 0 };
    if (!parse_form(rill__trim(text), now, &date) || !in_range(&date))
        return false;
    *ret_seconds = seconds_of(&date);
    return true;
}
