/*
 * The calendar. Days are counted on one whose year begins in March, so that the leap day is a
 * year's last and the months before it are the same in all years.
 */
#include "base/calendar.h"

#include <stdbool.h>

#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define DAYS_400_YEARS 146097

int64_t rill__days_of(rill__date date)
{
    /* One cycle of 400 years is added to stay above zero for January and February of year 0. */
    int year = date.year + 400 - (date.month <= 2);
    int month = (date.month + 9) % 12; /* from March */
    int in_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400 + in_year;
    return days - DAYS_400_YEARS - DAYS_TO_1970;
}

rill__date rill__date_of(int64_t days_since_1970)
{
    int64_t days = days_since_1970 + DAYS_TO_1970 + DAYS_400_YEARS;
    int cycle = (int)(days / DAYS_400_YEARS), in_cycle = (int)(days % DAYS_400_YEARS);
    /* A day is taken off for each leap day that has passed, one is given for each that did not
     * come in a century, so that all years have 365. */
    int leaps = in_cycle / 1460 - in_cycle / 36524 + in_cycle / (DAYS_400_YEARS - 1);
    int year = (in_cycle - leaps) / 365;
    int in_year = in_cycle - (365 * year + year / 4 - year / 100);
    int month = (5 * in_year + 2) / 153;
    return (rill__date){
        .year = cycle * 400 + year - 400 + (month >= 10),
        .month = month >= 10 ? month - 9 : month + 3,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

int rill__month_length(int year, int month)
{
    static const int lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (month < 1 || month > 12)
        return 0;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && !leap ? 28 : lengths[month - 1];
}

int rill__weekday_of(int64_t days)
{
    /* 1970-01-01 was a Thursday. */
    int weekday = (int)((days + 4) % 7);
    return weekday < 0 ? weekday + 7 : weekday;
}
