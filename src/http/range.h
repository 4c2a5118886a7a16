/*
 * Byte ranges (RFC 9110 section 14): which parts of a body of known size are asked for.
 *
 * However many are asked for, what is sent is bounded: ranges that overlap or touch become one, so
 * that no byte is sent twice, and a request above one of the two caps is answered as if it had
 * no Range, which a server may always do.
 */
#ifndef RILL_SRC_HTTP_RANGE_H
#define RILL_SRC_HTTP_RANGE_H

#include <rill/base.h>

#define RILL__RANGE_SPECS_MAX 100u /* ranges in the field */
#define RILL__RANGES_MAX 16u       /* ranges that are apart from each other */

typedef struct rill__range {
    uint64_t start; /* the first byte, from 0 */
    uint64_t len;   /* at least 1; start + len is at most the size */
} rill__range;

typedef struct rill__ranges {
    size_t count;
    rill__range at[RILL__RANGES_MAX]; /* in the order in which they were asked for */
} rill__ranges;

/*
 * Reads a Range field against a body of `size` bytes.
 *
 * Returns 206 with at least one range; 416 when none of those asked for lies within the body; 200
 * when the field is to be ignored: its syntax or unit is not known (also "bytes=5-1"), it is above
 * a cap, or the body is empty, so that a 206 could name no byte.
 */
int rill__range_parse(rill_str field, uint64_t size, rill__ranges *ret_ranges);

#define RILL__CONTENT_RANGE_LEN 69u /* the longest Content-Range, with its NUL */

/* Writes the value of Content-Range: "bytes 0-4/11", or "bytes *" "/11" for NULL (with a 416). */
void rill__content_range(const rill__range *range, uint64_t size,
                         char out[RILL__CONTENT_RANGE_LEN]);

#endif
