/* Percent escapes: one table of bytes and the sets that escape them; queries read in two passes. */
#include "http/percent.h"

#include "base/fail.h"

#define FRAGMENT RILL__PERCENT_FRAGMENT
#define QUERY RILL__PERCENT_QUERY
#define PATH RILL__PERCENT_PATH
#define USERINFO RILL__PERCENT_USERINFO
#define FORM RILL__PERCENT_FORM

/* The sets nest: what a path escapes, a user name does too, and a form all of it. */
#define FROM_USERINFO (USERINFO | FORM)
#define FROM_PATH (PATH | FROM_USERINFO)
#define FROM_QUERY (QUERY | FROM_PATH)

static const uint8_t escaping_sets[128] = {
    [' '] = FRAGMENT | FROM_QUERY,
    ['"'] = FRAGMENT | FROM_QUERY,
    ['<'] = FRAGMENT | FROM_QUERY,
    ['>'] = FRAGMENT | FROM_QUERY,
    ['`'] = FRAGMENT | FROM_PATH,
    ['#'] = FROM_QUERY,
    ['?'] = FROM_PATH,
    ['^'] = FROM_PATH,
    ['{'] = FROM_PATH,
    ['}'] = FROM_PATH,
    ['/'] = FROM_USERINFO,
    [':'] = FROM_USERINFO,
    [';'] = FROM_USERINFO,
    ['='] = FROM_USERINFO,
    ['@'] = FROM_USERINFO,
    ['['] = FROM_USERINFO,
    ['\\'] = FROM_USERINFO,
    [']'] = FROM_USERINFO,
    ['|'] = FROM_USERINFO,
    ['\''] = QUERY | FORM,
    ['!'] = FORM,
    ['$'] = FORM,
    ['%'] = FORM,
    ['&'] = FORM,
    ['('] = FORM,
    [')'] = FORM,
    ['+'] = FORM,
    [','] = FORM,
    ['~'] = FORM,
};

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_escaped(unsigned char c, enum rill__percent_set set)
{
    return c < 0x20 || c >= 0x7f || (escaping_sets[c] & set) != 0;
}

void rill__percent_encode(rill__buf *out, rill_str text, enum rill__percent_set set)
{
    size_t plain = 0; /* where the run of bytes that stay begins */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (!is_escaped(c, set))
            continue;
        rill__buf_append(out, text.ptr + plain, i - plain);
        rill__buf_append(out, (char[]){ '%', hex_digits[c >> 4], hex_digits[c & 15] }, 3);
        plain = i + 1;
    }
    rill__buf_append(out, text.ptr + plain, text.len - plain);
}

void rill__form_encode(rill__buf *out, rill_str text)
{
    for (;;) {
        const char *space = text.len > 0 ? memchr(text.ptr, ' ', text.len) : NULL;
        size_t len = space ? (size_t)(space - text.ptr) : text.len;
        rill__percent_encode(out, (rill_str){ text.ptr, len }, FORM);
        if (!space)
            return;
        rill__buf_putc(out, '+');
        text = (rill_str){ space + 1, text.len - len - 1 };
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t decode(char *to, rill_str text, bool plus_is_space)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && text.len - i > 2) {
            int high = hex_value(text.ptr[i + 1]), low = hex_value(text.ptr[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[len++] = c;
    }
    return len;
}

size_t rill__percent_decode(char *to, rill_str text)
{
    return decode(to, text, false);
}

size_t rill__form_decode(char *to, rill_str text)
{
    return decode(to, text, true);
}

rill_str rill__percent_decode_dup(rill__arena *arena, rill_str text)
{
    char *copy = rill__arena_alloc(arena, text.len + 1);
    if (!copy)
        return (rill_str){ NULL, 0 };
    size_t len = decode(copy, text, false);
    copy[len] = '\0';
    return (rill_str){ copy, len };
}

/* Takes what stands before `stop`, or all, off the front of the text, and the stop with it. */
static rill_str take_until(rill_str *rest, char stop)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, stop, rest->len) : NULL;
    rill_str piece = { rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len };
    size_t taken = piece.len + (at != NULL);
    *rest = (rill_str){ rest->ptr + taken, rest->len - taken };
    return piece;
}

static size_t count_pairs(rill_str text)
{
    size_t count = 0;
    while (text.len > 0)
        count += take_until(&text, '&').len > 0;
    return count;
}

static rill_str decode_piece(char **to, rill_str piece)
{
    rill_str text = { *to, rill__form_decode(*to, piece) };
    (*to)[text.len] = '\0';
    *to += text.len + 1;
    return text;
}

int rill__query_parse(rill__arena *arena, rill_str text, size_t pairs_max, rill__query *ret_query)
{
    size_t count = count_pairs(text);
    if (count > pairs_max)
        return rill__fail(RILL_ELIMIT, "query: %zu parameters, more than %zu", count, pairs_max);
    rill__query query = { NULL, 0 };
    if (count > 0) {
        query.pairs = rill__arena_alloc(arena, count * sizeof *query.pairs);
        /* Every pair needs two NULs, and has but one '=' or '&' that it can do without. */
        char *to = rill__arena_alloc(arena, text.len + 2 * count);
        if (!query.pairs || !to)
            return rill__fail_nomem();
        while (query.count < count) {
            rill_str value = take_until(&text, '&');
            if (value.len == 0)
                continue;
            rill_str name = take_until(&value, '=');
            rill__query_pair *pair = &query.pairs[query.count++];
            pair->name = decode_piece(&to, name);
            pair->value = decode_piece(&to, value);
        }
    }
    *ret_query = query;
    return 0;
}

const rill_str *rill__query_get(const rill__query *query, rill_str name)
{
    for (size_t i = 0; i < query->count; i++)
        if (rill_str_eq(query->pairs[i].name, name))
            return &query->pairs[i].value;
    return NULL;
}
