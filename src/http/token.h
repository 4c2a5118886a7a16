/*
 * What a byte may be in HTTP's grammar (RFC 9110 5.5, 5.6, RFC 3986 3.2.2), and the small parsers
 * of names, values and comma lists that stand on it.
 *
 * Everything here is about ASCII: no locale, no Unicode case folding.
 */
#ifndef RILL_SRC_HTTP_TOKEN_H
#define RILL_SRC_HTTP_TOKEN_H

#include <rill/base.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    RILL__CHAR_TOKEN = 1, /* tchar: letters, digits and !#$%&'*+-.^_`|~ */
    RILL__CHAR_VALUE = 2, /* what a field value may hold: all but controls; HTAB is fine */
    RILL__CHAR_HOST = 4,  /* reg-name: unreserved and sub-delims; "%" is checked apart */
    RILL__CHAR_DIGIT = 8,
    RILL__CHAR_HEX = 16,
};

extern const uint8_t rill__char_class[256];

static inline bool rill__char_is(char c, int classes)
{
    return (rill__char_class[(uint8_t)c] & classes) != 0;
}

static inline bool rill__is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* 0-15, or -1 when it is no hexadecimal digit. */
static inline int rill__hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The first byte that a field value may not have, or `end`. */
static inline const char *rill__scan_text(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f), top = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, top), bytes);
        low = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low);
        int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, del)));
        if (found)
            return at + __builtin_ctz((unsigned)found);
    }
#endif
    while (at < end && rill__char_is(*at, RILL__CHAR_VALUE))
        at++;
    return at;
}

/* Where the first byte is that a token may not have; text.len when there is none. */
size_t rill__token_bad(rill_str text);
/* The same for a field value or a reason phrase. */
size_t rill__value_bad(rill_str text);
/* The same for what holds visible ASCII only: a request target. */
size_t rill__visible_bad(rill_str text);

/* The text without white space (SP, HTAB) around it. */
rill_str rill__trim(rill_str text);

/* Takes the next element off a comma list, trimmed; empty elements are passed over. False when the
 * list is at its end. Quotes are not looked at: this is for lists of tokens. */
bool rill__list_item(rill_str *list, rill_str *ret_token);
/* Whether one of the list's elements is the token, without regard to case. */
bool rill__list_has_token(rill_str list, rill_str token);

/* The number that the digits make; -1 when there is none, another byte, or more than INT64_MAX. */
int64_t rill__decimal(rill_str digits);

#endif
