/*
 * Percent escapes: the sets of the WHATWG URL standard, decoding, and queries as lists of pairs.
 */
#ifndef RILL_SRC_HTTP_PERCENT_H
#define RILL_SRC_HTTP_PERCENT_H

#include "base/arena.h"
#include "base/buf.h"

/* Which bytes are escaped. Control characters and all above 0x7e are, in every set. */
enum rill__percent_set {
    RILL__PERCENT_FRAGMENT = 1,
    RILL__PERCENT_QUERY = 2, /* that of special schemes, with the apostrophe */
    RILL__PERCENT_PATH = 4,
    RILL__PERCENT_USERINFO = 8,
    RILL__PERCENT_FORM = 16, /* names and values of application/x-www-form-urlencoded */
};

/* Appends text; escapes that it holds already are kept, unless '%' is in the set, as in FORM. */
void rill__percent_encode(rill__buf *out, rill_str text, enum rill__percent_set set);

/* Appends a form's name or value: FORM, with '+' for the space. */
void rill__form_encode(rill__buf *out, rill_str text);

/* Resolves escapes into `to`, which has room for text.len bytes and may be text.ptr itself; returns
 * how many were written. A '%' without two hex digits stays. The result may hold NUL. */
size_t rill__percent_decode(char *to, rill_str text);

/* The same with '+' as the space. */
size_t rill__form_decode(char *to, rill_str text);

/* A decoded copy, NUL-terminated; ptr is NULL when the arena has no room. */
rill_str rill__percent_decode_dup(rill__arena *arena, rill_str text);

typedef struct rill__query_pair {
    rill_str name, value; /* decoded, NUL-terminated */
} rill__query_pair;

typedef struct rill__query {
    rill__query_pair *pairs; /* in the order of the text; NULL when there are none */
    size_t count;
} rill__query;

/*
 * Parses a query or a form body, "a=1&b=two+words", into pairs that live in the arena. Empty pieces
 * between '&' are skipped; a piece without '=' is a name with an empty value.
 *
 * Returns 0, RILL_ELIMIT when there are more than `pairs_max` pairs, or RILL_ENOMEM.
 */
int rill__query_parse(rill__arena *arena, rill_str text, size_t pairs_max, rill__query *ret_query);

/* The value of the first pair of that name, or NULL. Names are compared byte by byte. */
const rill_str *rill__query_get(const rill__query *query, rill_str name);

#endif
