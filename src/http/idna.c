/*
 * Domain names to ASCII, label by label.
 *
 * libidn2 does the mapping, the normalisation, the checks and Punycode, but it is not quite what
 * browsers do, so three things stand around it:
 *
 * - Names in ASCII are put in lower case and never shown to it: UTS #46 with the settings of the
 *   URL standard (no check of hyphens, lengths or STD3) leaves them as they are.
 * - It knows an older Unicode; modern() applies what the mapping table has changed since.
 * - It refuses what IDNA 2008 does not allow even where UTS #46 does: "☕.example". Its transitional
 *   mode does not, and differs in the mapping of four characters only and in that it tests
 *   neither these nor bidirectional text; so labels without any of them get a second try there.
 *
 * Two strictnesses of libidn2 remain: a label beyond ASCII may not begin or end with a hyphen nor
 * have two in its third and fourth place, and may not be longer than DNS allows, 63 bytes.
 */
#include "http/idna.h"

#include <idn2.h>

/* More code points than this never make a label of 63 bytes. */
#define LABEL_MAX 255

/* One label in UTF-32, as libidn2 wants it: with a zero at its end. */
struct label {
    uint32_t points[LABEL_MAX + 1];
    size_t len;
    bool is_ascii;
    bool has_deviation; /* a character that the transitional mode maps to another */
    bool has_rtl;       /* one that may be written from right to left */
};

static const char too_long[] = "the host has a label that is too long";
static const char not_utf8[] = "the host is not valid UTF-8";
static const char not_allowed[] = "the host has a label that IDNA does not allow";

static char lower(uint32_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Takes one code point off the front; false when it is not valid UTF-8. */
static bool next_point(rill_str *rest, uint32_t *ret_point)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    unsigned char first = (unsigned char)rest->ptr[0];
    size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || rest->len <= more)
        return false;
    uint32_t point = more == 0 ? first : first & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        unsigned char c = (unsigned char)rest->ptr[i];
        if ((c & 0xc0) != 0x80)
            return false;
        point = point << 6 | (c & 0x3f);
    }
    if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return false;
    *rest = (rill_str){ rest->ptr + more + 1, rest->len - more - 1 };
    *ret_point = point;
    return true;
}

static bool is_dot(uint32_t c)
{
    return c == '.' || c == 0x3002 || c == 0xff0e || c == 0xff61;
}

static bool is_deviation(uint32_t c)
{
    return c == 0xdf || c == 0x3c2 || c == 0x200c || c == 0x200d;
}

/* The blocks of the scripts that run from right to left, with their presentation forms. */
static bool is_rtl(uint32_t c)
{
    return (c >= 0x590 && c < 0x900) || (c >= 0xfb1d && c < 0xfe00) ||
           (c >= 0xfe70 && c < 0xff00) || (c >= 0x10800 && c < 0x11000) ||
           (c >= 0x1e800 && c < 0x1f000);
}

/* What UTS #46 maps a character to since Unicode 15.1 and 16, where libidn2 2.3.3 refuses it or
 * maps it to another; 0 for a character that is ignored. */
static uint32_t modern(uint32_t c)
{
    if ((c >= 0x10a0 && c <= 0x10c5) || c == 0x10c7 || c == 0x10cd)
        return c - 0x10a0 + 0x2d00; /* Georgian capitals */
    if ((c >= 0x206a && c <= 0x206f) || (c >= 0x1d173 && c <= 0x1d17a))
        return 0; /* deprecated and musical format characters */
    switch (c) {
    case 0x115f: /* fillers */
    case 0x1160:
    case 0x17b4:
    case 0x17b5:
    case 0x180e:
    case 0x3164:
    case 0xffa0:
        return 0;
    case 0x04c0: /* capitals whose small letter came later */
        return 0x04cf;
    case 0x1e9e:
        return 0xdf;
    case 0x2132:
        return 0x214e;
    case 0x2183:
        return 0x2184;
    case 0x2f868: /* ideographs whose mapping was corrected */
        return 0x36fc;
    case 0x2f874:
        return 0x5f53;
    case 0x2f91f:
        return 0x243ab;
    case 0x2f95f:
        return 0x7aee;
    case 0x2f9bf:
        return 0x45d7;
    default:
        return c;
    }
}

/* Takes a label off the front of the domain, and the dot behind it, which `ret_dot` tells of. */
static const char *next_label(rill_str *rest, struct label *label, bool *ret_dot)
{
    *ret_dot = false;
    label->len = 0;
    label->is_ascii = true;
    label->has_deviation = label->has_rtl = false;
    while (rest->len > 0) {
        uint32_t c;
        if (!next_point(rest, &c))
            return not_utf8;
        if (is_dot(c)) {
            *ret_dot = true;
            break;
        }
        if (c == 0)
            return not_allowed;
        c = modern(c);
        if (c == 0)
            continue;
        if (label->len == LABEL_MAX)
            return too_long;
        label->points[label->len++] = c;
        label->is_ascii &= c < 0x80;
        label->has_deviation |= is_deviation(c);
        label->has_rtl |= is_rtl(c);
    }
    label->points[label->len] = 0;
    return NULL;
}

static bool is_a_label(const struct label *label)
{
    const uint32_t *c = label->points;
    return label->len >= 4 && lower(c[0]) == 'x' && lower(c[1]) == 'n' && c[2] == '-' &&
           c[3] == '-';
}

static const char *reason_of(int idn2_code)
{
    switch (idn2_code) {
    case IDN2_TOO_BIG_LABEL:
    case IDN2_TOO_BIG_DOMAIN:
    case IDN2_PUNYCODE_BIG_OUTPUT:
        return too_long;
    default:
        return not_allowed;
    }
}

static const char *append_converted(rill__buf *out, const struct label *label)
{
    char *ascii = NULL;
    int code = idn2_to_ascii_4z(label->points, &ascii, IDN2_NONTRANSITIONAL);
    bool only_2008 = code == IDN2_DISALLOWED || code == IDN2_UNASSIGNED || code == IDN2_CONTEXTO ||
                     code == IDN2_CONTEXTO_NO_RULE;
    if (only_2008 && !label->is_ascii && !label->has_deviation && !label->has_rtl)
        code = idn2_to_ascii_4z(label->points, &ascii, IDN2_TRANSITIONAL);
    if (code == IDN2_MALLOC)
        out->failed = true;
    else if (code != IDN2_OK)
        return reason_of(code);
    else
        rill__buf_puts(out, ascii);
    idn2_free(ascii);
    return NULL;
}

static const char *append_label(rill__buf *out, const struct label *label)
{
    if (!label->is_ascii || is_a_label(label))
        return append_converted(out, label);
    for (size_t i = 0; i < label->len; i++)
        rill__buf_putc(out, lower(label->points[i]));
    return NULL;
}

static bool is_ascii(rill_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

const char *rill__idna_to_ascii(rill__buf *out, rill_str domain)
{
    if (is_ascii(domain)) {
        for (size_t i = 0; i < domain.len; i++)
            rill__buf_putc(out, lower((unsigned char)domain.ptr[i]));
        return NULL;
    }
    bool more = true;
    while (more && !out->failed) {
        struct label label;
        const char *reason = next_label(&domain, &label, &more);
        if (!reason)
            reason = append_label(out, &label);
        if (reason)
            return reason;
        if (more)
            rill__buf_putc(out, '.');
    }
    return NULL;
}
