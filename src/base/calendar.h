/*
 * The Gregorian calendar, carried back before its time: days since 1970-01-01 and dates.
 *
 * For the years 0 to 10000, and a day or two on either side.
 */
#ifndef RILL_SRC_BASE_CALENDAR_H
#define RILL_SRC_BASE_CALENDAR_H

#include <stdint.h>

#define RILL__DAY_SECONDS 86400

typedef struct rill__date {
    int year, month, day; /* month and day from 1 */
} rill__date;

int64_t rill__days_of(rill__date date);
rill__date rill__date_of(int64_t days);

/* 28 to 31; 0 for a month that is none. */
int rill__month_length(int year, int month);

/* 0 is Sunday. */
int rill__weekday_of(int64_t days);

/* The day that a moment in seconds since 1970 falls on: rounds down, also before 1970. */
static inline int64_t rill__day_at(int64_t seconds)
{
    int64_t days = seconds / RILL__DAY_SECONDS;
    return days - (seconds < days * RILL__DAY_SECONDS);
}

#endif
