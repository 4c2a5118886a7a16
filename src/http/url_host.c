/* Hosts of URLs: domain names, IPv4 in all the forms that browsers read, IPv6 in brackets. */
#include "http/idna.h"
#include "http/percent.h"
#include "http/url_internal.h"

#include <stdlib.h>

static const char bad_ipv6[] = "the host is not a valid IPv6 address";
static const char bad_ipv4[] = "the host ends in a number but is not a valid IPv4 address";
static const char forbidden[] = "the host has a character that may not stand there";

/* The next byte of a text, or -1 at its end. */
static int peek(rill_str text)
{
    return text.len > 0 ? (unsigned char)text.ptr[0] : -1;
}

static void skip(rill_str *text, size_t len)
{
    *text = (rill_str){ text->ptr + len, text->len - len };
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* The value of a digit in bases up to 16, or -1. */
static int digit_value(int c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "10", "0x7f", "017": what fits in 32 bits, UINT64_MAX for more. False when it is no number. */
static bool parse_ipv4_number(rill_str text, uint64_t *ret_number)
{
    if (text.len == 0)
        return false;
    int base = 10;
    if (text.len >= 2 && text.ptr[0] == '0') {
        base = (text.ptr[1] | 0x20) == 'x' ? 16 : 8;
        skip(&text, base == 16 ? 2 : 1);
    }
    uint64_t number = 0;
    for (; text.len > 0; skip(&text, 1)) {
        int digit = digit_value(peek(text));
        if (digit < 0 || digit >= base)
            return false;
        number = number > UINT32_MAX ? UINT64_MAX >> 8 : number * (uint64_t)base + (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

/* Takes the part behind the last dot off the end. */
static rill_str take_last_part(rill_str *text)
{
    const char *dot = text->len > 0 ? memrchr(text->ptr, '.', text->len) : NULL;
    size_t at = dot ? (size_t)(dot - text->ptr) + 1 : 0;
    rill_str part = { text->ptr + at, text->len - at };
    text->len = dot ? at - 1 : 0;
    return part;
}

/* Whether a host is an IPv4 address or nothing: "1.2.3.4", "example.0x7f", but not "1.2.3.4.com".
 */
static bool ends_in_number(rill_str host)
{
    rill_str last = take_last_part(&host);
    if (last.len == 0 && host.len > 0)
        last = take_last_part(&host);
    uint64_t ignored;
    if (parse_ipv4_number(last, &ignored))
        return true;
    for (size_t i = 0; i < last.len; i++)
        if (!is_digit((unsigned char)last.ptr[i]))
            return false;
    return last.len > 0;
}

static bool parse_ipv4(rill_str host, uint32_t *ret_address)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    uint64_t numbers[4];
    size_t count = 0;
    for (bool more = true; more; count++) {
        const char *dot = host.len > 0 ? memchr(host.ptr, '.', host.len) : NULL;
        rill_str part = { host.ptr, dot ? (size_t)(dot - host.ptr) : host.len };
        if (count == 4 || !parse_ipv4_number(part, &numbers[count]))
            return false;
        more = dot != NULL;
        skip(&host, part.len + more);
    }
    /* The last number stands for all bytes that are left: 127.1 is 127.0.0.1. */
    uint64_t address = numbers[count - 1];
    if (address >= UINT64_C(1) << (8 * (5 - count)))
        return false;
    for (size_t i = 0; i + 1 < count; i++) {
        if (numbers[i] > 255)
            return false;
        address |= numbers[i] << (8 * (3 - i));
    }
    *ret_address = (uint32_t)address;
    return true;
}

/* Four decimal bytes at the end of an IPv6 address, as two pieces. */
static bool parse_embedded_ipv4(rill_str text, uint16_t pieces[2])
{
    uint32_t address = 0;
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            if (peek(text) != '.')
                return false;
            skip(&text, 1);
        }
        uint32_t byte = 0;
        size_t len = 0;
        for (; is_digit(peek(text)); skip(&text, 1), len++) {
            byte = byte * 10 + (uint32_t)(peek(text) - '0');
            if (byte > 255 || (len > 0 && byte < 10))
                return false; /* too large, or a leading zero */
        }
        if (len == 0)
            return false;
        address = address << 8 | byte;
    }
    pieces[0] = (uint16_t)(address >> 16);
    pieces[1] = (uint16_t)address;
    return text.len == 0;
}

/* Up to four hex digits off the front; returns how many there were. */
static size_t take_piece(rill_str *text, uint16_t *ret_piece)
{
    unsigned value = 0;
    size_t len = 0;
    for (; len < 4 && digit_value(peek(*text)) >= 0; len++, skip(text, 1))
        value = value << 4 | (unsigned)digit_value(peek(*text));
    *ret_piece = (uint16_t)value;
    return len;
}

/* Puts the pieces behind "::" at the end, and zeros between. */
static void expand_gap(uint16_t pieces[8], size_t count, size_t gap)
{
    size_t behind = count - gap;
    memmove(pieces + 8 - behind, pieces + gap, behind * sizeof *pieces);
    memset(pieces + gap, 0, (8 - count) * sizeof *pieces);
}

static bool parse_ipv6(rill_str text, uint16_t pieces[8])
{
    size_t count = 0, gap = SIZE_MAX; /* where the "::" stands */
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
        skip(&text, 2);
        gap = 0;
    }
    while (text.len > 0) {
        if (count == 8)
            return false;
        rill_str piece = text;
        if (peek(text) == ':') { /* the one before took a colon already */
            if (gap != SIZE_MAX || count == 0)
                return false;
            skip(&text, 1);
            gap = count;
            continue;
        }
        size_t len = take_piece(&text, &pieces[count]);
        if (peek(text) == '.') {
            if (count > 6 || !parse_embedded_ipv4(piece, &pieces[count]))
                return false;
            count += 2;
            break;
        }
        count++;
        if (text.len == 0)
            break;
        if (len == 0 || peek(text) != ':' || text.len == 1)
            return false;
        skip(&text, 1);
    }
    if (gap == SIZE_MAX)
        return count == 8;
    if (count == 8)
        return false;
    expand_gap(pieces, count, gap);
    return true;
}

/* The first longest run of at least two zero pieces; of length 0 when there is none. */
static rill__url_span longest_zeros(const uint16_t pieces[8])
{
    rill__url_span best = { 8, 0 }, run = { 0, 0 };
    for (size_t i = 0; i < 8; i++) {
        if (pieces[i] != 0) {
            run = (rill__url_span){ i + 1, 0 };
            continue;
        }
        run.len++;
        if (run.len >= 2 && run.len > best.len)
            best = run;
    }
    return best;
}

/* As RFC 5952 wants it: lower case, no leading zeros, the longest run of zeros as "::". */
static void append_ipv6(rill__buf *out, const uint16_t pieces[8])
{
    rill__url_span zeros = longest_zeros(pieces);
    rill__buf_putc(out, '[');
    for (size_t i = 0; i < 8; i++) {
        if (zeros.len > 0 && i == zeros.at) {
            rill__buf_puts(out, i == 0 ? "::" : ":");
            i += zeros.len - 1;
            continue;
        }
        rill__buf_printf(out, i < 7 ? "%x:" : "%x", pieces[i]);
    }
    rill__buf_putc(out, ']');
}

static bool is_forbidden(unsigned char c)
{
    return c <= ' ' || c == 0x7f || strchr("#/:<>?@[\\]^|%", c) != NULL;
}

static bool has_forbidden(rill_str host)
{
    for (size_t i = 0; i < host.len; i++)
        if (is_forbidden((unsigned char)host.ptr[i]))
            return true;
    return false;
}

/* A name, or an IPv4 address: which of them is seen only once the name is normalised. */
static const char *parse_domain(rill__buf *out, rill_str domain)
{
    size_t start = out->len;
    const char *reason = rill__idna_to_ascii(out, domain);
    if (reason || out->failed)
        return reason;
    rill_str host = { out->ptr + start, out->len - start };
    if (host.len == 0)
        return "the host is empty";
    if (has_forbidden(host))
        return forbidden;
    if (!ends_in_number(host))
        return NULL;
    uint32_t address;
    if (!parse_ipv4(host, &address))
        return bad_ipv4;
    out->len = start;
    rill__buf_printf(out, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
    return NULL;
}

const char *rill__url_host_parse(rill__buf *out, rill_str text)
{
    if (peek(text) == '[') {
        uint16_t pieces[8];
        rill_str address = { text.ptr + 1, text.len - 2 };
        if (text.len < 2 || text.ptr[text.len - 1] != ']' || !parse_ipv6(address, pieces))
            return bad_ipv6;
        append_ipv6(out, pieces);
        return NULL;
    }
    if (text.len == 0 || !memchr(text.ptr, '%', text.len))
        return parse_domain(out, text);

    rill__buf decoded = rill__buf_make(text.len);
    char *room = rill__buf_reserve(&decoded, text.len);
    const char *reason = NULL;
    if (!room)
        out->failed = true;
    else
        reason = parse_domain(out, (rill_str){ room, rill__percent_decode(room, text) });
    rill__buf_free(&decoded);
    return reason;
}
