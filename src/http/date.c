/* HTTP dates: three forms to read, one to write. */
#include "http/date.h"

#include "base/calendar.h"
#include "http/token.h"

#define DAY RILL__DAY_SECONDS

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const long_day_names[7] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                               "Thursday", "Friday", "Saturday" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct date {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
};

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
    int64_t days = rill__day_at(seconds);
    int in_day = (int)(seconds - days * DAY);
    rill__date date = rill__date_of(days);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", RILL__DATE_LEN + 1);
    memcpy(out, day_names[rill__weekday_of(days)], 3);
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
    return date->day >= 1 && date->day <= rill__month_length(date->year, date->month) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

static int64_t seconds_of(const struct date *date)
{
    const rill__date day = { date->year, date->month, date->day };
    return rill__days_of(day) * DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

/* A year of two digits means the latest year with these digits for which the date is not more than
 * 50 years ahead (RFC 9110 5.6.7). */
static void complete_year(struct date *date, int64_t now)
{
    if (now < 0)
        now = 0;
    if (now > RILL__DATE_MAX)
        now = RILL__DATE_MAX;
    rill__date today = rill__date_of(now / DAY);
    const struct date limit = {
        today.year + 50,
        today.month,
        today.day,
        .second = (int)(now % DAY),
    };
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
