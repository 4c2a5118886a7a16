/*
 * Time zones inside: a table of past changes, and a rule for what comes after it.
 *
 * Everything above asks one question: which offset holds at a moment, from when and until when
 * (rill__zone_span). Between two changes civil time is Unix time plus a constant; a gap or a fold
 * is what lies between the civil end of a span and the civil beginning of the next.
 */
#ifndef RILL_SRC_SCHEDULE_ZONE_H
#define RILL_SRC_SCHEDULE_ZONE_H

#include "base/calendar.h"

#include <rill/schedule.h>

/* The moments that are dealt with: the years 1 to 9999. */
#define RILL__MOMENT_MIN INT64_C(-62135596800)
#define RILL__MOMENT_MAX INT64_C(253402300799)
/* Before and after all changes; an offset can be added without overflow. */
#define RILL__ZONE_BEGIN (-(INT64_C(1) << 60))
#define RILL__ZONE_END (INT64_C(1) << 60)
/* No offset is as large (RFC 9636 3.2 has -25 to 26 hours). */
#define RILL__OFFSET_MAX (26 * 3600)

/* What clocks do between two changes. */
typedef struct rill__zone_type {
    int32_t offset; /* seconds to the east of Greenwich */
    bool dst;
    char designation[8]; /* cut, if it must be */
} rill__zone_type;

typedef struct rill__zone_span {
    int64_t begin, end; /* moments: [begin, end) */
    const rill__zone_type *type;
} rill__zone_span;

/* ---- rules: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

typedef struct rill__rule_day {
    enum { RILL__RULE_JULIAN, RILL__RULE_DAY, RILL__RULE_WEEKDAY } kind;
    int month, week; /* of a weekday; week 5 is the last */
    int day;         /* 1-365 without leap days, 0-365, or 0-6 from Sunday */
    int32_t time;    /* seconds after midnight, may be negative */
} rill__rule_day;

typedef struct rill__zone_rule {
    rill__zone_type standard, summer;
    rill__rule_day to_summer, to_standard;
    bool has_summer;
} rill__zone_rule;

/* Reads the whole text. False when it is no rule. */
bool rill__zone_rule_parse(rill_str text, rill__zone_rule *ret_rule);
/* Which of its two types holds at a moment of the years 0 to 10000. */
rill__zone_span rill__zone_rule_span(const rill__zone_rule *rule, int64_t moment);

/* ---- zones ---- */

struct rill__zone_change {
    int64_t at;
    uint8_t type;
};

struct rill_zone {
    char *name;
    rill__zone_type *types; /* the first holds before all changes */
    struct rill__zone_change *changes;
    size_t type_count, change_count;
    bool has_rule; /* for what comes after the last change */
    rill__zone_rule rule;
};

/* A zone of so many types and changes, all zero; NULL with the error made. */
rill_zone *rill__zone_make(const char *name, size_t type_count, size_t change_count);
/* A zone of nothing but the rule. */
rill_zone *rill__zone_of_rule(const char *name, const rill__zone_rule *rule);

/* What holds at a moment of the years 0 to 10000. */
rill__zone_span rill__zone_span_at(const rill_zone *zone, int64_t moment);

/* Seconds, rounded down; RILL_EINVAL with the error made when it is outside the years 1 to 9999. */
int rill__moment_of(double when, const char *what, int64_t *ret_moment);

#endif
