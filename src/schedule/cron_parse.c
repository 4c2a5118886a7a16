/*
 * Reading cron expressions: fields into masks of bits.
 *
 * Each field is a list of items. An item is read into the values that it means, or, for the forms
 * with L, W and #, into a mask of its own. Every refusal says which field, which item and where.
 */
#include "schedule/cron.h"

#include "base/fail.h"

#include <stdio.h>

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field {
    const char *name;
    int min, max;
    const char *names; /* three letters each */
} fields[FIELDS] = {
    [SECOND] = { "second", 0, 59, "" },
    [MINUTE] = { "minute", 0, 59, "" },
    [HOUR] = { "hour", 0, 23, "" },
    [DAY] = { "day", 1, 31, "" },
    [MONTH] = { "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
    [WEEKDAY] = { "weekday", 0, 7, "sunmontuewedthufrisat" },
};

struct parser {
    const char *expression;
    rill_cron_rule rule;
    int field;
    rill_str item;   /* the one at hand */
    const char *at;  /* how far it has been read */
    uint64_t values; /* of the field, so far */
};

/* ---- refusals ---- */

static int refuse(const struct parser *parser, const char *format, ...) RILL_PRINTF(2, 3);

static int refuse(const struct parser *parser, const char *format, ...)
{
    char cause[120];
    va_list args;
    va_start(args, format);
    vsnprintf(cause, sizeof cause, format, args);
    va_end(args);
    int len = parser->item.len > 20 ? 20 : (int)parser->item.len;
    return rill__fail(RILL_EINVAL, "cron '%.60s': %s field, at '%.*s' (character %zu): %s",
                      parser->expression, fields[parser->field].name, len, parser->item.ptr,
                      (size_t)(parser->item.ptr - parser->expression) + 1, cause);
}

/* ---- what items are made of ---- */

static bool at_end(const struct parser *parser)
{
    return parser->at == parser->item.ptr + parser->item.len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* In any case. */
static bool take(struct parser *parser, char c)
{
    if (at_end(parser) || lower(*parser->at) != c)
        return false;
    parser->at++;
    return true;
}

static bool take_name(struct parser *parser, int *ret_value)
{
    const struct field *field = &fields[parser->field];
    if (parser->item.ptr + parser->item.len - parser->at < 3)
        return false;
    for (int i = 0; field->names[3 * i]; i++) {
        const char *name = field->names + 3 * i;
        if (name[0] == lower(parser->at[0]) && name[1] == lower(parser->at[1]) &&
            name[2] == lower(parser->at[2])) {
            parser->at += 3;
            *ret_value = field->min + i;
            return true;
        }
    }
    return false;
}

/* At most 4 digits; -1 when there is none. */
static int take_digits(struct parser *parser)
{
    int number = -1;
    for (int i = 0; i < 4 && !at_end(parser) && *parser->at >= '0' && *parser->at <= '9'; i++)
        number = (number < 0 ? 0 : number) * 10 + *parser->at++ - '0';
    return number;
}

static int take_number(struct parser *parser, int min, int max, int *ret_number)
{
    int number = take_digits(parser);
    if (number < 0)
        return at_end(parser) ? refuse(parser, "it ends where a number is wanted")
                              : refuse(parser, "'%c' is not understood", *parser->at);
    if (number < min || number > max)
        return refuse(parser, "%d is not within %d to %d", number, min, max);
    *ret_number = number;
    return 0;
}

static int take_value(struct parser *parser, int *ret_value)
{
    const struct field *field = &fields[parser->field];
    if (take_name(parser, ret_value))
        return 0;
    return take_number(parser, field->min, field->max, ret_value);
}

/* ---- L, W and # ---- */

/* L, L-n, LW and nW in the day field. Returns 1 when the item is none of them. */
static int parse_special_day(struct parser *parser)
{
    rill_cron_rule *rule = &parser->rule;
    int number = 0;
    if (take(parser, 'l')) {
        if (take(parser, 'w')) {
            rule->near_days |= 1;
            return 0;
        }
        if (take(parser, '-'))
            RILL__TRY(take_number(parser, 0, 30, &number));
        rule->last_days |= UINT32_C(1) << number;
        return 0;
    }
    if (memchr(parser->item.ptr, 'w', parser->item.len) ||
        memchr(parser->item.ptr, 'W', parser->item.len)) {
        RILL__TRY(take_number(parser, 1, 31, &number));
        if (!take(parser, 'w'))
            return refuse(parser, "a 'W' belongs behind one day of the month");
        rule->near_days |= UINT32_C(1) << number;
        return 0;
    }
    return 1;
}

/* 5L and 5#2 in the weekday field, behind the weekday. Returns 1 when it is none of them. */
static int parse_special_weekday(struct parser *parser, int weekday)
{
    uint8_t bit = (uint8_t)(1u << weekday % 7);
    if (take(parser, 'l')) {
        parser->rule.last_weekdays |= bit;
        return 0;
    }
    if (take(parser, '#')) {
        int nth;
        RILL__TRY(take_number(parser, 1, 5, &nth));
        parser->rule.nth_weekdays[nth - 1] |= bit;
        return 0;
    }
    return 1;
}

/* ---- ranges ---- */

/* Marks every `step`th value from `first` to `last`, by way of the field's end when that is below
 * it. */
static void mark(struct parser *parser, int first, int last, int step)
{
    const struct field *field = &fields[parser->field];
    /* 7 is Sunday, as 0: it stands at the end of a range and else at the beginning. */
    int max = parser->field == WEEKDAY ? 6 : field->max;
    if (parser->field == WEEKDAY && first == 7) {
        first = 0;
        last %= 7;
    }
    int count = last < first ? last + max - field->min + 1 - first : last - first;
    for (int i = 0; i <= count; i += step) {
        int value = field->min + (first + i - field->min) % (max - field->min + 1);
        parser->values |= UINT64_C(1) << value;
    }
}

static int parse_step(struct parser *parser, int *ret_step)
{
    const struct field *field = &fields[parser->field];
    int count = field->max - field->min + (parser->field != WEEKDAY);
    return take_number(parser, 1, count, ret_step);
}

static int parse_range(struct parser *parser)
{
    const struct field *field = &fields[parser->field];
    int first = field->min, last = parser->field == WEEKDAY ? 6 : field->max, step = 1;
    bool star = take(parser, '*');
    bool any = star || ((parser->field == DAY || parser->field == WEEKDAY) && take(parser, '?'));
    bool single = false;
    if (!any) {
        RILL__TRY(take_value(parser, &first));
        int rc = parser->field == WEEKDAY ? parse_special_weekday(parser, first) : 1;
        if (rc <= 0)
            return rc;
        single = !take(parser, '-');
        if (!single)
            RILL__TRY(take_value(parser, &last));
    }
    if ((star || !any) && take(parser, '/'))
        RILL__TRY(parse_step(parser, &step));
    else if (single)
        last = first;
    mark(parser, first, last, step);
    return 0;
}

/* ---- fields ---- */

static int parse_item(struct parser *parser)
{
    parser->at = parser->item.ptr;
    if (parser->item.len == 0)
        return refuse(parser, "an item of the list is empty");
    int rc = parser->field == DAY ? parse_special_day(parser) : 1;
    if (rc > 0)
        rc = parse_range(parser);
    if (rc == 0 && !at_end(parser))
        return refuse(parser, "'%c' is not understood", *parser->at);
    return rc;
}

static int parse_field(struct parser *parser, rill_str text)
{
    parser->values = 0;
    for (;;) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        parser->item = (rill_str){ text.ptr, len };
        RILL__TRY(parse_item(parser));
        if (!comma)
            return 0;
        text = (rill_str){ comma + 1, text.len - len - 1 };
    }
}

static void keep_field(struct parser *parser, bool star)
{
    rill_cron_rule *rule = &parser->rule;
    switch (parser->field) {
    case SECOND:
        rule->seconds = parser->values;
        rule->repeats |= star;
        break;
    case MINUTE:
        rule->minutes = parser->values;
        rule->repeats |= star;
        break;
    case HOUR:
        rule->hours = (uint32_t)parser->values;
        rule->every_hour = rule->hours == 0xffffff;
        rule->repeats |= rule->every_hour;
        break;
    case DAY:
        rule->days = (uint32_t)parser->values;
        rule->any_day = star;
        break;
    case MONTH:
        rule->months = (uint16_t)parser->values;
        break;
    case WEEKDAY:
        rule->weekdays = (uint8_t)parser->values;
        rule->any_weekday = star;
        break;
    }
}

/* ---- expressions ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts the text into words; returns how many there are, also above `max`. */
static int split(const char *text, rill_str *words, int max)
{
    int count = 0;
    for (;;) {
        while (is_space(*text))
            text++;
        if (*text == '\0')
            return count;
        const char *begin = text;
        while (*text && !is_space(*text))
            text++;
        if (count < max)
            words[count] = (rill_str){ begin, (size_t)(text - begin) };
        count++;
    }
}

/* What an @word stands for; NULL when it is none. */
static const char *meaning_of(rill_str word)
{
    static const char *const words[][2] = {
        { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
        { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
        { "@hourly", "0 * * * *" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rill_str_caseeq(word, rill_str_of(words[i][0])))
            return words[i][1];
    return NULL;
}

static int refuse_word(const char *expression, rill_str word)
{
    if (rill_str_caseeq(word, RILL_STR("@reboot")))
        return rill__fail(RILL_EINVAL, "cron '@reboot': the start of the program is no time: call "
                                       "the function there");
    return rill__fail(RILL_EINVAL,
                      "cron '%.60s': there is no such word: @yearly, @annually, "
                      "@monthly, @weekly, @daily, @midnight and @hourly are known",
                      expression);
}

/* All kinds of years come within 28 of them. */
static bool is_ever_due(const rill_cron_rule *rule)
{
    int64_t from = rill__days_of((rill__date){ 2000, 1, 1 }), first;
    int64_t to = rill__days_of((rill__date){ 2028, 1, 1 });
    return rill__cron_match(rule, from * RILL__DAY_SECONDS, to * RILL__DAY_SECONDS, &first);
}

int rill_cron_parse(const char *expression, rill_cron_rule *ret_rule)
{
    struct parser parser = { .expression = expression ? expression : "" };
    rill_str words[FIELDS];
    int count = split(parser.expression, words, FIELDS);
    if (count == 1 && *words[0].ptr == '@') {
        const char *meaning = meaning_of(words[0]);
        if (!meaning)
            return refuse_word(parser.expression, words[0]);
        count = split(meaning, words, FIELDS);
    }
    if (count != FIELDS - 1 && count != FIELDS)
        return rill__fail(RILL_EINVAL, "cron '%.60s': it has %d fields, not 5 or 6",
                          parser.expression, count);
    parser.rule.seconds = 1; /* of five fields: second 0 */
    for (int i = 0; i < count; i++) {
        parser.field = i + FIELDS - count;
        RILL__TRY(parse_field(&parser, words[i]));
        keep_field(&parser, *words[i].ptr == '*' || *words[i].ptr == '?');
    }
    if (!is_ever_due(&parser.rule))
        return rill__fail(RILL_EINVAL, "cron '%.60s': there is no such date, it would never be due",
                          parser.expression);
    *ret_rule = parser.rule;
    return 0;
}
