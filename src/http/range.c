/* The Range field, and Content-Range. */
#include "http/range.h"

#include "http/token.h"

#include <inttypes.h>
#include <stdio.h>

/* Reads digits up to the end or the first other byte, which is left in the text. What is too large
 * becomes UINT64_MAX: it is beyond any body. False when there is no digit. */
static bool take_number(rill_str *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t len = 0;
    for (; len < text->len && rill__char_is(text->ptr[len], RILL__CHAR_DIGIT); len++) {
        uint64_t digit = (uint64_t)(text->ptr[len] - '0');
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    *text = (rill_str){ text->ptr + len, text->len - len };
    *ret_number = number;
    return len > 0;
}

/* Reads "0-4", "2-" or "-5". False for another syntax; length 0 for what lies outside the body. */
static bool parse_spec(rill_str spec, uint64_t size, rill__range *ret_range)
{
    uint64_t first = 0, last = UINT64_MAX;
    bool has_first = take_number(&spec, &first);
    if (spec.len == 0 || spec.ptr[0] != '-')
        return false;
    spec = (rill_str){ spec.ptr + 1, spec.len - 1 };
    bool has_last = take_number(&spec, &last);
    if (spec.len > 0 || !(has_first || has_last))
        return false;
    if (!has_first) { /* the last so many bytes */
        uint64_t len = last < size ? last : size;
        *ret_range = (rill__range){ size - len, len };
        return true;
    }
    if (has_last && last < first)
        return false;
    if (!has_last || last > size - 1)
        last = size - 1;
    *ret_range = first < size ? (rill__range){ first, last - first + 1 } : (rill__range){ 0 };
    return true;
}

static bool touch(const rill__range *a, const rill__range *b)
{
    return a->start <= b->start + b->len && b->start <= a->start + a->len;
}

static rill__range join(const rill__range *a, const rill__range *b)
{
    uint64_t start = a->start < b->start ? a->start : b->start;
    uint64_t a_end = a->start + a->len, b_end = b->start + b->len;
    return (rill__range){ start, (a_end > b_end ? a_end : b_end) - start };
}

/* Adds a range. Those that it touches become one with it, in the place of the first of them. False
 * when there is no room. */
static bool add(rill__ranges *ranges, rill__range range)
{
    size_t place = ranges->count, kept = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        if (touch(&ranges->at[i], &range)) {
            range = join(&ranges->at[i], &range);
            if (place == ranges->count)
                place = kept++;
        } else {
            ranges->at[kept++] = ranges->at[i];
        }
    }
    if (place == ranges->count) {
        if (kept == RILL__RANGES_MAX)
            return false;
        place = kept++;
    }
    ranges->at[place] = range;
    ranges->count = kept;
    return true;
}

int rill__range_parse(rill_str field, uint64_t size, rill__ranges *ret_ranges)
{
    const rill_str unit = RILL_STR("bytes=");
    field = rill__trim(field);
    if (size == 0 || field.len < unit.len ||
        !rill_str_caseeq((rill_str){ field.ptr, unit.len }, unit))
        return 200;
    field = (rill_str){ field.ptr + unit.len, field.len - unit.len };
    rill__ranges ranges = { 0 };
    rill_str spec;
    size_t specs = 0;
    while (rill__list_item(&field, &spec)) {
        rill__range range;
        if (++specs > RILL__RANGE_SPECS_MAX || !parse_spec(spec, size, &range))
            return 200;
        if (range.len > 0 && !add(&ranges, range))
            return 200;
    }
    if (specs == 0)
        return 200;
    if (ranges.count == 0)
        return 416;
    *ret_ranges = ranges;
    return 206;
}

void rill__content_range(const rill__range *range, uint64_t size, char out[RILL__CONTENT_RANGE_LEN])
{
    if (range)
        snprintf(out, RILL__CONTENT_RANGE_LEN, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                 range->start, range->start + range->len - 1, size);
    else
        snprintf(out, RILL__CONTENT_RANGE_LEN, "bytes */%" PRIu64, size);
}
