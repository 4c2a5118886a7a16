/*
 * When a cron rule is due next.
 *
 * The calendar part searches civil times: months that match, days, then the time of day by the
 * lowest bit of a mask. The other part walks through the spans of a zone, in each of which civil
 * time is Unix time plus a constant, and searches each one's stretch of civil time. It remembers
 * how far the clocks have got. Where a span begins behind that there is a gap, before it a fold,
 * and the rules for daylight saving (schedule.h) are two lines.
 */
#include "schedule/cron.h"

#include "base/fail.h"

/* No date that exists is further away: a 29th of February that is a certain weekday comes again
 * within 40 years, when a century leaves out its leap day. */
#define HORIZON (INT64_C(50) * 366 * RILL__DAY_SECONDS)

/* ---- the calendar ---- */

/* The lowest bit that is set at `from` or above, or -1. */
static int next_bit(uint64_t mask, int from)
{
    mask = from < 64 ? mask >> from << from : 0;
    return mask ? __builtin_ctzll(mask) : -1;
}

/* The first matching second of a day at or after `from`, or -1. */
static int match_in_day(const rill_cron_rule *rule, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    int at = next_bit(rule->hours, hour);
    if (at == hour) {
        int at_minute = next_bit(rule->minutes, minute);
        int at_second = at_minute == minute ? next_bit(rule->seconds, second) : -1;
        if (at_minute == minute && at_second < 0)
            at_minute = next_bit(rule->minutes, minute + 1);
        if (at_second < 0)
            at_second = next_bit(rule->seconds, 0);
        if (at_minute >= 0)
            return at * 3600 + at_minute * 60 + at_second;
        at = next_bit(rule->hours, hour + 1);
    }
    if (at < 0)
        return -1;
    return at * 3600 + next_bit(rule->minutes, 0) * 60 + next_bit(rule->seconds, 0);
}

static bool has_bit(uint64_t mask, int bit)
{
    return mask >> bit & 1;
}

/* Whether the day is the weekday nearest to one that the rule names: that day itself, the Friday
 * before a Saturday or the Monday after a Sunday; two days off where that would be another month.
 */
static bool is_near(uint32_t near, int day, int weekday, int length)
{
    if (!near || weekday == 0 || weekday == 6)
        return false;
    bool friday = weekday == 5, monday = weekday == 1;
    bool last = day == length || (friday && day + 2 >= length);
    return has_bit(near, day) || (friday && day < length && has_bit(near, day + 1)) ||
           (monday && day > 1 && has_bit(near, day - 1)) ||
           (monday && day == 3 && has_bit(near, 1)) ||
           (friday && day + 2 == length && has_bit(near, length)) || (last && has_bit(near, 0));
}

static bool date_matches(const rill_cron_rule *rule, rill__date date, int64_t day_number)
{
    int length = rill__month_length(date.year, date.month);
    int weekday = rill__weekday_of(day_number);
    bool day = has_bit(rule->days, date.day) || has_bit(rule->last_days, length - date.day) ||
               is_near(rule->near_days, date.day, weekday, length);
    bool on_weekday = has_bit(rule->weekdays, weekday) ||
                      (date.day + 7 > length && has_bit(rule->last_weekdays, weekday)) ||
                      has_bit(rule->nth_weekdays[(date.day - 1) / 7], weekday);
    return rule->any_day || rule->any_weekday ? day && on_weekday : day || on_weekday;
}

static int64_t next_month(rill__date date)
{
    bool december = date.month == 12;
    return rill__days_of((rill__date){ date.year + december, december ? 1 : date.month + 1, 1 });
}

bool rill__cron_match(const rill_cron_rule *rule, int64_t from, int64_t to, int64_t *ret_civil)
{
    int64_t day = rill__day_at(from);
    int second = (int)(from - day * RILL__DAY_SECONDS);
    for (; day * RILL__DAY_SECONDS < to; second = 0) {
        rill__date date = rill__date_of(day);
        if (!has_bit(rule->months, date.month)) {
            day = next_month(date);
            continue;
        }
        int found = date_matches(rule, date, day) ? match_in_day(rule, second) : -1;
        if (found >= 0) {
            *ret_civil = day * RILL__DAY_SECONDS + found;
            return *ret_civil < to;
        }
        day++;
    }
    return false;
}

/* ---- zones ---- */

int rill__cron_next(const rill_cron_rule *rule, const rill_zone *zone, int64_t after,
                    int64_t *ret_moment)
{
    int64_t horizon = after + HORIZON < RILL__MOMENT_MAX ? after + HORIZON : RILL__MOMENT_MAX;
    /* So far back that what the clocks had shown before is less than what they show now. */
    rill__zone_span span = rill__zone_span_at(zone, after - 2 * RILL__OFFSET_MAX);
    int64_t shown = INT64_MAX, civil; /* up to where the clocks have got */
    for (; span.begin <= horizon; span = rill__zone_span_at(zone, span.end)) {
        int64_t offset = span.type->offset, begin = span.begin + offset;
        int64_t from = (span.begin > after ? span.begin : after + 1) + offset;
        int64_t end = (span.end <= horizon ? span.end : horizon + 1) + offset;
        if (span.begin > after && begin > shown && !rule->every_hour &&
            rill__cron_match(rule, shown, begin, &civil)) {
            *ret_moment = span.begin;
            return 0;
        }
        if (shown != INT64_MAX && from < shown && !rule->repeats)
            from = shown;
        if (from < end && rill__cron_match(rule, from, end, &civil)) {
            *ret_moment = civil - offset;
            return 0;
        }
        if (shown == INT64_MAX || shown < span.end + offset)
            shown = span.end + offset;
    }
    return RILL_ENOTFOUND;
}

int rill__cron_never(int64_t after)
{
    rill__date date = rill__date_of(rill__day_at(after));
    return rill__fail(RILL_ENOTFOUND, "cron: not due again within 50 years from %04d-%02d-%02d",
                      date.year, date.month, date.day);
}

int rill_cron_next(const rill_cron_rule *rule, const rill_zone *zone, double after,
                   double *ret_when)
{
    int64_t from, moment;
    RILL__TRY(rill__moment_of(after, "cron", &from));
    if (!zone)
        return rill__fail(RILL_EINVAL, "cron: there is no zone");
    if (rill__cron_next(rule, zone, from, &moment) < 0)
        return rill__cron_never(from);
    *ret_when = (double)moment;
    return 0;
}
