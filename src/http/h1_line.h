/*
 * Lines: what heads, chunk lines and trailers have in common.
 *
 * A line's text may hold every byte but the controls (HTAB is text), so one scan for the first
 * control byte both finds the end of the line and proves the rest clean.
 */
#ifndef RILL_SRC_HTTP_H1_LINE_H
#define RILL_SRC_HTTP_H1_LINE_H

#include "http/h1.h"
#include "http/token.h"

enum {
    RILL__H1_LINE_MORE = -1, /* the end has not come */
    RILL__H1_LINE_LONG = -2,
    RILL__H1_LINE_BAD = -3, /* *scanned is at a byte that no line may have there */
};

/* The length of the line without its CRLF, or one of the above. `avail` bytes of it and of what
 * follows are there, and the first *scanned were searched before. */
static inline ptrdiff_t rill__h1_line_end(const char *line, size_t avail, uint32_t max,
                                          uint32_t *scanned)
{
    /* The CR comes at most behind `max` bytes; nothing beyond is looked at, so that the outcome
     * does not depend on how much is there. */
    size_t window = avail > max ? (size_t)max + 1 : avail;
    size_t at = (size_t)(rill__scan_text(line + *scanned, line + window) - line);
    *scanned = (uint32_t)at;
    if (at == window)
        return avail > max ? RILL__H1_LINE_LONG : RILL__H1_LINE_MORE;
    if (line[at] != '\r')
        return RILL__H1_LINE_BAD;
    if (at + 1 == avail)
        return RILL__H1_LINE_MORE;
    return line[at + 1] == '\n' ? (ptrdiff_t)at : RILL__H1_LINE_BAD;
}

/* What is wrong with the byte that ended a line badly. */
static inline enum rill__h1_reason rill__h1_line_fault(char c)
{
    return c == '\n' ? RILL__H1_BARE_LF : c == '\r' ? RILL__H1_BARE_CR : RILL__H1_CONTROL;
}

/* Splits the line from `line` to `end` (where its CR is) into name and value. When it is refused,
 * the name's length tells up to where it was good. */
static inline enum rill__h1_reason rill__h1_field_line(const char *buf, uint32_t line, uint32_t end,
                                                       struct rill__h1_field *ret_field)
{
    uint32_t colon = line;
    while (rill__char_is(buf[colon], RILL__CHAR_TOKEN))
        colon++;
    uint32_t from = colon + 1, to = end;
    ret_field->name = (struct rill__h1_span){ line, colon - line };
    if (buf[colon] != ':' || colon == line) {
        if (colon == end)
            return RILL__H1_FIELD_COLON;
        if (!rill__is_ows(buf[colon]))
            return RILL__H1_FIELD_NAME;
        return colon == line ? RILL__H1_FIELD_FOLD : RILL__H1_FIELD_SPACE;
    }
    while (from < to && rill__is_ows(buf[from]))
        from++;
    while (to > from && rill__is_ows(buf[to - 1]))
        to--;
    ret_field->value = (struct rill__h1_span){ from, to - from };
    return RILL__H1_OK;
}

/* Whether the text at `name` is `lower`, a constant of `len` (4 to 17) lower-case letters and "-".
 * The text is a token: no byte of one becomes a letter or "-" by the bit that lowers letters. */
static inline bool rill__h1_name_is(const char *name, const char *lower, size_t len)
{
    uint8_t differ = 0;
    for (size_t i = 0; i < len; i++)
        differ |= (uint8_t)((name[i] | 0x20) ^ lower[i]);
    return differ == 0;
}

#endif
