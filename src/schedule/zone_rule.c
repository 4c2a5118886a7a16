/*
 * The rules of POSIX's TZ variable, with what RFC 9636 3.3.1 adds: hours of -167 to 167 for the
 * time of a change, so that it may lie days away from the date it is named by.
 */
#include "schedule/zone.h"

#define HOUR 3600

/* ---- reading ---- */

/* The steps below take what they expect off the front of the text, and say whether it was there. */

static bool take_char(rill_str *text, char c)
{
    if (text->len == 0 || *text->ptr != c)
        return false;
    *text = (rill_str){ text->ptr + 1, text->len - 1 };
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_number(rill_str *text, int min, int max, int *ret_number)
{
    int number = 0;
    size_t digits = 0;
    for (; digits < text->len && digits < 3 && is_digit(text->ptr[digits]); digits++)
        number = number * 10 + text->ptr[digits] - '0';
    if (digits == 0 || number < min || number > max)
        return false;
    *text = (rill_str){ text->ptr + digits, text->len - digits };
    *ret_number = number;
    return true;
}

/* [+-]hh[:mm[:ss]], in seconds. */
static bool take_time(rill_str *text, int hours_max, int32_t *ret_seconds)
{
    bool negative = take_char(text, '-');
    int hours, minutes = 0, seconds = 0;
    if (!negative)
        take_char(text, '+');
    if (!take_number(text, 0, hours_max, &hours))
        return false;
    if (take_char(text, ':')) {
        if (!take_number(text, 0, 59, &minutes))
            return false;
        if (take_char(text, ':') && !take_number(text, 0, 59, &seconds))
            return false;
    }
    int32_t total = hours * HOUR + minutes * 60 + seconds;
    *ret_seconds = negative ? -total : total;
    return true;
}

/* Three letters or more, or anything of letters, digits and signs between < and >. */
static bool take_designation(rill_str *text, rill__zone_type *type)
{
    bool quoted = take_char(text, '<');
    size_t len = 0;
    while (len < text->len && (is_letter(text->ptr[len]) ||
                               (quoted && (is_digit(text->ptr[len]) || text->ptr[len] == '+' ||
                                           text->ptr[len] == '-'))))
        len++;
    if (len < 3)
        return false;
    for (size_t i = 0; i < len && i < sizeof type->designation - 1; i++)
        type->designation[i] = text->ptr[i];
    *text = (rill_str){ text->ptr + len, text->len - len };
    return !quoted || take_char(text, '>');
}

/* Mm.w.d, Jn or n, and "/time" behind it. */
static bool take_day(rill_str *text, rill__rule_day *day)
{
    bool ok;
    if (take_char(text, 'M')) {
        day->kind = RILL__RULE_WEEKDAY;
        ok = take_number(text, 1, 12, &day->month) && take_char(text, '.') &&
             take_number(text, 1, 5, &day->week) && take_char(text, '.') &&
             take_number(text, 0, 6, &day->day);
    } else {
        bool julian = take_char(text, 'J');
        day->kind = julian ? RILL__RULE_JULIAN : RILL__RULE_DAY;
        ok = take_number(text, julian ? 1 : 0, 365, &day->day);
    }
    day->time = 2 * HOUR;
    return ok && (!take_char(text, '/') || take_time(text, 167, &day->time));
}

/* Behind the standard time: a name, its offset unless it is one hour more, and two days. */
static bool take_summer(rill_str *text, rill__zone_rule *rule)
{
    rule->has_summer = rule->summer.dst = true;
    if (!take_designation(text, &rule->summer))
        return false;
    int32_t west;
    rule->summer.offset = rule->standard.offset + HOUR;
    if (text->len > 0 && *text->ptr != ',') {
        if (!take_time(text, 24, &west))
            return false;
        rule->summer.offset = -west;
    }
    /* Without days POSIX leaves them open: the usual ones are those of the United States. */
    rill_str usual = RILL_STR(",M3.2.0,M11.1.0"), *days = text->len > 0 ? text : &usual;
    return take_char(days, ',') && take_day(days, &rule->to_summer) && take_char(days, ',') &&
           take_day(days, &rule->to_standard);
}

bool rill__zone_rule_parse(rill_str text, rill__zone_rule *ret_rule)
{
    rill__zone_rule rule = { 0 };
    int32_t west;
    if (!take_designation(&text, &rule.standard) || !take_time(&text, 24, &west))
        return false;
    rule.standard.offset = -west;
    if (text.len > 0 && (!take_summer(&text, &rule) || text.len > 0))
        return false;
    *ret_rule = rule;
    return true;
}

/* ---- using ---- */

static int64_t day_in_year(const rill__rule_day *rule, int year)
{
    int64_t new_year = rill__days_of((rill__date){ year, 1, 1 });
    if (rule->kind == RILL__RULE_DAY)
        return new_year + rule->day;
    if (rule->kind == RILL__RULE_JULIAN) {
        bool after_leap_day = rule->day >= 60 && rill__month_length(year, 2) == 29;
        return new_year + rule->day - 1 + after_leap_day;
    }
    int64_t first = rill__days_of((rill__date){ year, rule->month, 1 });
    int day = (rule->day - rill__weekday_of(first) + 7) % 7 + (rule->week - 1) * 7;
    return first + (day < rill__month_length(year, rule->month) ? day : day - 7);
}

static int64_t change_in_year(const rill__zone_rule *rule, int year, bool to_summer)
{
    const rill__rule_day *day = to_summer ? &rule->to_summer : &rule->to_standard;
    const rill__zone_type *before = to_summer ? &rule->standard : &rule->summer;
    return day_in_year(day, year) * RILL__DAY_SECONDS + day->time - before->offset;
}

rill__zone_span rill__zone_rule_span(const rill__zone_rule *rule, int64_t moment)
{
    rill__zone_span span = { RILL__ZONE_BEGIN, RILL__ZONE_END, &rule->standard };
    if (!rule->has_summer)
        return span;
    /* A change may lie a week away from its year. Summer comes second: where it begins when the
     * last one ends, as in rules for summer all the year, standard time has no length. */
    int year = rill__date_of(rill__day_at(moment)).year;
    for (int i = 0; i < 10; i++) {
        bool to_summer = i % 2;
        int64_t at = change_in_year(rule, year - 2 + i / 2, to_summer);
        if (at <= moment && at >= span.begin) {
            span.begin = at;
            span.type = to_summer ? &rule->summer : &rule->standard;
        } else if (at > moment && at < span.end) {
            span.end = at;
        }
    }
    return span;
}
