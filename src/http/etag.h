/*
 * Entity tags and conditional requests (RFC 9110 sections 8.8 and 13).
 *
 * Nothing is allocated or kept: a list of tags is walked once from front to end, so its cost grows
 * with its length and with nothing else. Where a field came on several lines, the caller joins
 * them with commas.
 */
#ifndef RILL_SRC_HTTP_ETAG_H
#define RILL_SRC_HTTP_ETAG_H

#include <rill/base.h>

typedef struct rill__etag {
    rill_str opaque; /* what stands between the quotes; there are no escapes in it */
    bool weak;       /* it had W/ in front */
} rill__etag;

/* Reads one tag, white space around it allowed: "xyzzy" or W/"xyzzy". False when it is none. */
bool rill__etag_parse(rill_str text, rill__etag *ret_etag);

/* Takes the next tag off a list: 1; 0 at the end; -1 when what comes is no tag. */
int rill__etag_next(rill_str *list, rill__etag *ret_etag);

/* Equal, and neither is weak: byte for byte the same representation. */
bool rill__etag_strong_eq(const rill__etag *a, const rill__etag *b);
/* Equal, weak or not: the one can stand for the other. */
bool rill__etag_weak_eq(const rill__etag *a, const rill__etag *b);

/* What the server knows of the resource at the time of the request. */
typedef struct rill__validators {
    const rill__etag *etag; /* NULL: it has none */
    bool has_modified;
    bool missing;     /* there is no current representation: a PUT would create it */
    int64_t modified; /* Last-Modified as it is sent, in seconds since 1970 */
} rill__validators;

/* The fields of the request; ptr is NULL where one is absent. */
typedef struct rill__conditions {
    rill_str method;
    rill_str if_match;
    rill_str if_unmodified_since;
    rill_str if_none_match;
    rill_str if_modified_since;
} rill__conditions;

/*
 * Decides in the order of RFC 9110 13.2.2. To be asked when the answer without conditions would be
 * a 2xx. `now` is in seconds and only completes a year of two digits.
 *
 * Dates that are none, and dates for a resource without one, are as if they were not there. A list
 * is read up to its first fault. Behind that no tag counts as matching, save that a broken
 * If-None-Match is no permission to change anything: with other methods than GET and HEAD it fails.
 *
 * Returns 0 (proceed), 304 or 412.
 */
int rill__preconditions(const rill__conditions *conditions, const rill__validators *validators,
                        int64_t now);

/* Whether a Range of a request with this If-Range may be answered in part: the tag is strongly the
 * current one, or the date is exactly Last-Modified and that is over, so that it cannot be of two
 * versions (RFC 9110 13.1.5, 8.8.2.2). */
bool rill__if_range(rill_str value, const rill__validators *validators, int64_t now);

#endif
