/*
 * Fuzzes the files of time zones, and the rules that stand in their last lines.
 *
 * What must hold: a refusal says why; a zone that is taken answers at any time, its spans follow
 * each other, and civil time leads back to where it came from.
 */
#include "schedule/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool shows_the_same(const rill_civil *a, const rill_civil *b)
{
    return a->year == b->year && a->month == b->month && a->day == b->day && a->hour == b->hour &&
           a->minute == b->minute && a->second == b->second;
}

static void check_moment(const rill_zone *zone, int64_t moment)
{
    rill__zone_span span = rill__zone_span_at(zone, moment);
    require(span.begin <= moment && moment < span.end);
    require(span.type->offset <= RILL__OFFSET_MAX && span.type->offset >= -RILL__OFFSET_MAX);
    if (span.end < RILL__MOMENT_MAX)
        require(rill__zone_span_at(zone, span.end).begin == span.end);
    rill_civil civil, back;
    double when;
    if (rill_zone_civil(zone, (double)moment, &civil) < 0 || civil.year < 1 || civil.year > 9999)
        return;
    require(rill_zone_time(zone, &civil, &when) != RILL_OCCURS_NEVER);
    if (rill_zone_civil(zone, when, &back) == 0)
        require(shows_the_same(&civil, &back));
}

static void check_zone(const rill_zone *zone)
{
    static const int64_t moments[] = {
        RILL__MOMENT_MIN, -2000000000, -1, 0, 1774746000, 4102444800, 32503680000, RILL__MOMENT_MAX
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        check_moment(zone, moments[i]);
    for (size_t i = 0; i < zone->change_count && i < 20; i++) {
        int64_t at = zone->changes[i].at;
        if (at > RILL__MOMENT_MIN && at < RILL__MOMENT_MAX) {
            check_moment(zone, at);
            check_moment(zone, at - 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rill__zone_rule rule;
    rill_zone *zone = rill_zone_from("fuzz", data, size);
    if (zone)
        check_zone(zone);
    else
        require(strncmp(rill_last_error()->message, "zone 'fuzz': ", 13) == 0);
    rill_zone_free(zone);
    if (rill__zone_rule_parse((rill_str){ (const char *)data, size }, &rule)) {
        zone = rill__zone_of_rule("fuzz", &rule);
        check_zone(zone);
        rill_zone_free(zone);
    }
    return 0;
}
