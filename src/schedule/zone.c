/* Time zones: which offset holds when, and from there to civil time and back. */
#include "schedule/zone.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <math.h>

rill_zone *rill__zone_make(const char *name, size_t type_count, size_t change_count)
{
    rill_auto(rill_zone) zone = rill__zalloc(sizeof *zone);
    if (zone) {
        zone->name = rill__strdup(name);
        zone->types = rill__zalloc(type_count * sizeof *zone->types + 1);
        zone->changes = rill__zalloc(change_count * sizeof *zone->changes + 1);
    }
    if (!zone || !zone->name || !zone->types || !zone->changes) {
        rill__fail_nomem();
        return NULL;
    }
    zone->type_count = type_count;
    zone->change_count = change_count;
    return rill_take(zone);
}

rill_zone *rill__zone_of_rule(const char *name, const rill__zone_rule *rule)
{
    rill_zone *zone = rill__zone_make(name, 0, 0);
    if (!zone)
        return NULL;
    zone->rule = *rule;
    zone->has_rule = true;
    return zone;
}

void rill_zone_free(rill_zone *zone)
{
    if (!zone)
        return;
    rill__free(zone->name);
    rill__free(zone->types);
    rill__free(zone->changes);
    rill__free(zone);
}

const char *rill_zone_name(const rill_zone *zone)
{
    return zone ? zone->name : "";
}

/* ---- spans ---- */

/* How many changes have been at a moment. */
static size_t changes_until(const rill_zone *zone, int64_t moment)
{
    size_t low = 0, high = zone->change_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= moment)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

rill__zone_span rill__zone_span_at(const rill_zone *zone, int64_t moment)
{
    size_t passed = changes_until(zone, moment), count = zone->change_count;
    int64_t begin = passed > 0 ? zone->changes[passed - 1].at : RILL__ZONE_BEGIN;
    if (passed == count && zone->has_rule) {
        rill__zone_span span = rill__zone_rule_span(&zone->rule, moment);
        if (span.begin < begin)
            span.begin = begin;
        return span;
    }
    return (rill__zone_span){
        .begin = begin,
        .end = passed < count ? zone->changes[passed].at : RILL__ZONE_END,
        .type = &zone->types[passed > 0 ? zone->changes[passed - 1].type : 0],
    };
}

/* ---- civil time ---- */

int rill__moment_of(double when, const char *what, int64_t *ret_moment)
{
    double whole = floor(when);
    if (!(whole >= (double)RILL__MOMENT_MIN && whole <= (double)RILL__MOMENT_MAX))
        return rill__fail(RILL_EINVAL, "%s: the time %g is not within the years 1 to 9999", what,
                          when);
    *ret_moment = (int64_t)whole;
    return 0;
}

/* When a civil time is shown. */
struct shown {
    int count;
    int64_t first, second;
    int64_t after_gap; /* when count is 0 */
};

/* Goes through the spans that may show `civil` (in seconds, as if it were UTC). */
static struct shown find_shown(const rill_zone *zone, int64_t civil)
{
    struct shown shown = { .after_gap = RILL__ZONE_END };
    rill__zone_span span = rill__zone_span_at(zone, civil - RILL__OFFSET_MAX);
    for (;;) {
        int64_t moment = civil - span.type->offset;
        if (moment < span.begin && span.begin < shown.after_gap)
            shown.after_gap = span.begin;
        if (moment >= span.begin && moment < span.end) {
            *(shown.count == 0 ? &shown.first : &shown.second) = moment;
            shown.count++;
        }
        if (shown.count == 2 || span.end > civil + RILL__OFFSET_MAX)
            return shown;
        span = rill__zone_span_at(zone, span.end);
    }
}

static int need_zone(const rill_zone *zone, const char *what)
{
    return zone ? 0 : rill__fail(RILL_EINVAL, "%s: there is no zone", what);
}

int rill_zone_civil(const rill_zone *zone, double when, rill_civil *ret_civil)
{
    int64_t moment = 0;
    RILL__TRY(need_zone(zone, "civil time"));
    RILL__TRY(rill__moment_of(when, "civil time", &moment));
    const rill__zone_type *type = rill__zone_span_at(zone, moment).type;
    int64_t civil = moment + type->offset, day = rill__day_at(civil);
    int second = (int)(civil - day * RILL__DAY_SECONDS);
    rill__date date = rill__date_of(day);
    *ret_civil = (rill_civil){
        .year = date.year,
        .month = date.month,
        .day = date.day,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .weekday = rill__weekday_of(day),
        .offset = type->offset,
        .dst = type->dst,
        .again = find_shown(zone, civil).first < moment,
    };
    memcpy(ret_civil->designation, type->designation, sizeof ret_civil->designation);
    return 0;
}

static bool is_date(const rill_civil *civil)
{
    return civil->year >= 1 && civil->year <= 9999 && civil->day >= 1 &&
           civil->day <= rill__month_length(civil->year, civil->month) && civil->hour >= 0 &&
           civil->hour <= 23 && civil->minute >= 0 && civil->minute <= 59 && civil->second >= 0 &&
           civil->second <= 59;
}

int rill_zone_time(const rill_zone *zone, const rill_civil *civil, double *ret_when)
{
    RILL__TRY(need_zone(zone, "zone time"));
    if (!is_date(civil))
        return rill__fail(RILL_EINVAL, "zone time: %d-%02d-%02d %02d:%02d:%02d is no date",
                          civil->year, civil->month, civil->day, civil->hour, civil->minute,
                          civil->second);
    int64_t day = rill__days_of((rill__date){ civil->year, civil->month, civil->day });
    struct shown shown = find_shown(zone, day * RILL__DAY_SECONDS + civil->hour * 3600 +
                                              civil->minute * 60 + civil->second);
    if (shown.count == 0) {
        *ret_when = (double)shown.after_gap;
        return RILL_OCCURS_NEVER;
    }
    bool twice = shown.count == 2;
    *ret_when = (double)(twice && civil->again ? shown.second : shown.first);
    return twice ? RILL_OCCURS_TWICE : RILL_OCCURS_ONCE;
}
