/* Text of a few charsets, turned into UTF-8. */
#include "client/client_internal.h"
#include "http/media.h"

#define REPLACEMENT "\xef\xbf\xbd"

enum rill__charset rill__charset_of(const char *content_type)
{
    static const struct {
        rill_str name;
        enum rill__charset charset;
    } known[] = {
        { { "us-ascii", 8 }, RILL__CHARSET_ASCII },
        { { "ascii", 5 }, RILL__CHARSET_ASCII },
        { { "iso-8859-1", 10 }, RILL__CHARSET_LATIN1 },
        { { "latin1", 6 }, RILL__CHARSET_LATIN1 },
    };
    rill__media media;
    char room[64];
    rill_str name;
    if (!content_type || !rill__media_parse(rill_str_of(content_type), &media) ||
        !rill__param_find(media.params, "charset", room, sizeof room, &name))
        return RILL__CHARSET_UTF8;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (rill_str_caseeq(name, known[i].name))
            return known[i].charset;
    return RILL__CHARSET_UTF8;
}

static size_t ascii_length(rill_str text)
{
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= text.len; at += sizeof word) {
        memcpy(&word, text.ptr + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < text.len && (uint8_t)text.ptr[at] < 0x80)
        at++;
    return at;
}

/*
 * The length of the character that the text begins with: > 0; or, when it is none, minus the number
 * of bytes that one U+FFFD stands for (Unicode 3.9, "maximal subpart").
 */
static int character(rill_str text)
{
    const uint8_t *at = (const uint8_t *)text.ptr;
    uint8_t low = 0x80, high = 0xbf; /* what the second byte may be */
    int len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (len == 0 || at[0] > 0xf4)
        return -1;
    if (at[0] == 0xe0)
        low = 0xa0; /* overlong below */
    else if (at[0] == 0xed)
        high = 0x9f; /* surrogates above */
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF above */
    for (int i = 1; i < len; i++) {
        if ((size_t)i == text.len || at[i] < low || at[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

bool rill__charset_is_utf8(rill_str text, enum rill__charset charset)
{
    for (;;) {
        size_t plain = ascii_length(text);
        text = (rill_str){ text.ptr + plain, text.len - plain };
        if (text.len == 0)
            return true;
        int len = charset == RILL__CHARSET_UTF8 ? character(text) : -1;
        if (len < 0)
            return false;
        text = (rill_str){ text.ptr + len, text.len - (size_t)len };
    }
}

static size_t decode_one(rill__buf *out, rill_str text, enum rill__charset charset)
{
    uint8_t byte = (uint8_t)text.ptr[0];
    if (charset == RILL__CHARSET_LATIN1) {
        rill__buf_putc(out, (char)(0xc0 | byte >> 6));
        rill__buf_putc(out, (char)(0x80 | (byte & 0x3f)));
        return 1;
    }
    int len = charset == RILL__CHARSET_UTF8 ? character(text) : -1;
    if (len > 0)
        rill__buf_append(out, text.ptr, (size_t)len);
    else
        rill__buf_puts(out, REPLACEMENT);
    return (size_t)(len > 0 ? len : -len);
}

void rill__charset_decode(rill__buf *out, rill_str text, enum rill__charset charset)
{
    while (text.len > 0 && !out->failed) {
        size_t plain = ascii_length(text);
        rill__buf_append(out, text.ptr, plain);
        if (plain < text.len)
            plain += decode_one(out, (rill_str){ text.ptr + plain, text.len - plain }, charset);
        text = (rill_str){ text.ptr + plain, text.len - plain };
    }
}
