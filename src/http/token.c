/* Character classes of HTTP and the small parsers on them: see token.h. */
#include "http/token.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_LETTER(c) (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define IS_HEX(c) (IS_DIGIT(c) || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'f'))
#define IS_ALNUM(c) (IS_DIGIT(c) || IS_LETTER(c))
#define IS_TOKEN(c)                                                                                \
    (IS_ALNUM(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' ||       \
     (c) == '-' || (c) == '.' || ((c) >= '^' && (c) <= '`') || (c) == '|' || (c) == '~')
#define IS_HOST(c)                                                                                 \
    (IS_ALNUM(c) || (c) == '!' || (c) == '$' || ((c) >= '&' && (c) <= '.') || (c) == ';' ||        \
     (c) == '=' || (c) == '_' || (c) == '~')
#define IS_VALUE(c) ((c) == '\t' || ((c) >= ' ' && (c) != 0x7f))

#define CLASS(c)                                                                                   \
    (uint8_t)((IS_TOKEN(c) ? RILL__CHAR_TOKEN : 0) | (IS_VALUE(c) ? RILL__CHAR_VALUE : 0) |        \
              (IS_HOST(c) ? RILL__CHAR_HOST : 0) | (IS_DIGIT(c) ? RILL__CHAR_DIGIT : 0) |          \
              (IS_HEX(c) ? RILL__CHAR_HEX : 0))
#define CLASS4(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS16(c) CLASS4(c), CLASS4((c) + 4), CLASS4((c) + 8), CLASS4((c) + 12)
#define CLASS64(c) CLASS16(c), CLASS16((c) + 16), CLASS16((c) + 32), CLASS16((c) + 48)

const uint8_t rill__char_class[256] = { CLASS64(0), CLASS64(64), CLASS64(128), CLASS64(192) };

size_t rill__token_bad(rill_str text)
{
    size_t i = 0;
    while (i < text.len && rill__char_is(text.ptr[i], RILL__CHAR_TOKEN))
        i++;
    return i;
}

size_t rill__value_bad(rill_str text)
{
    return text.len > 0 ? (size_t)(rill__scan_text(text.ptr, text.ptr + text.len) - text.ptr) : 0;
}

size_t rill__visible_bad(rill_str text)
{
    size_t i = 0;
#ifdef __SSE2__
    /* Compared as signed numbers, the bytes from 0x80 are below the space too. */
    const __m128i space = _mm_set1_epi8(' '), del = _mm_set1_epi8(0x7f);
    for (; text.len - i >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + i));
        __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, del), _mm_cmpgt_epi8(bytes, space));
        if (_mm_movemask_epi8(good) != 0xffff)
            break;
    }
#endif
    while (i < text.len && text.ptr[i] > ' ' && text.ptr[i] < 0x7f)
        i++;
    return i;
}

rill_str rill__trim(rill_str text)
{
    while (text.len > 0 && rill__is_ows(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && rill__is_ows(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool rill__list_item(rill_str *list, rill_str *ret_token)
{
    while (list->len > 0) {
        const char *comma = memchr(list->ptr, ',', list->len);
        size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
        rill_str element = rill__trim((rill_str){ list->ptr, len });
        size_t skip = comma ? len + 1 : len;
        *list = (rill_str){ list->ptr + skip, list->len - skip };
        if (element.len > 0) {
            *ret_token = element;
            return true;
        }
    }
    return false;
}

bool rill__list_has_token(rill_str list, rill_str token)
{
    rill_str element;
    while (rill__list_item(&list, &element))
        if (rill_str_caseeq(element, token))
            return true;
    return false;
}

int64_t rill__decimal(rill_str digits)
{
    int64_t number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!rill__char_is(digits.ptr[i], RILL__CHAR_DIGIT))
            return -1;
        int digit = digits.ptr[i] - '0';
        if (number > (INT64_MAX - digit) / 10)
            return -1;
        number = number * 10 + digit;
    }
    return digits.len > 0 ? number : -1;
}
