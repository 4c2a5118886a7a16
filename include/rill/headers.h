/*
 * Header fields: an ordered multimap of names and values. Names are compared without regard to
 * case, and keep the case and the order in which they were added.
 *
 *     rill_auto(rill_headers) headers = rill_headers_new();
 *     rill_headers_add(headers, "Accept", "text/html");
 *     rill_headers_add(headers, "Accept", "text/plain;q=0.5");
 *     size_t at = 0;
 *     const char *value;
 *     while ((value = rill_headers_next(headers, "accept", &at)))
 *         puts(value);
 *
 * A table owns its text: what is given is copied, what is returned belongs to the table and lives
 * until that field is changed or the table is freed. Names must be tokens (RFC 9110 5.1). Values
 * lose the white space around them and must have no control byte but HTAB (RFC 9110 5.5), so that
 * no value can end its line; bytes from 0x80 pass as they are.
 *
 * Every function that changes a table returns 0 or a negative code and then has changed nothing:
 * RILL_EINVAL (the sentence says which byte is wrong, and where), RILL_ELIMIT (a table holds at
 * most RILL_HEADERS_MAX_COUNT fields and RILL_HEADERS_MAX_BYTES of text) or RILL_ENOMEM.
 */
#ifndef RILL_HEADERS_H
#define RILL_HEADERS_H

#include <rill/base.h>

RILL_BEGIN_DECLS

#define RILL_HEADERS_MAX_COUNT 1024
#define RILL_HEADERS_MAX_BYTES (256 * 1024)

typedef struct rill_headers rill_headers;

/* One field, as it is given in lists and read back. */
typedef struct rill_header {
    const char *name, *value;
} rill_header;

/* A list of fields for an option: RILL_HEADERS({ "Accept", "text/html" }, { "X-A", "1" }). It ends
 * with { NULL, NULL } and lives until the end of the block that it is written in. */
#define RILL_HEADERS(...) ((const rill_header[]){ __VA_ARGS__, { NULL, NULL } })

/* An empty table, freed with rill_headers_free (NULL is fine there); NULL when memory is short. */
RILL_API rill_headers *rill_headers_new(void) RILL_CHECKED;
RILL_API void rill_headers_free(rill_headers *headers);
RILL_DEFINE_AUTO(rill_headers)

/* Adds a field at the end, beside those of the same name. */
RILL_API int rill_headers_add(rill_headers *headers, const char *name, const char *value);

/* Adds all fields of a list that ends with { NULL, NULL }, or none of them. NULL is an empty list.
 */
RILL_API int rill_headers_add_all(rill_headers *headers, const rill_header *list);

/* Replaces all fields of the name by this one, at the place of the first; adds it when there was
 * none. */
RILL_API int rill_headers_set(rill_headers *headers, const char *name, const char *value);

/* Removes all fields of the name and returns how many there were. */
RILL_API size_t rill_headers_remove(rill_headers *headers, const char *name);

/* The first value of the name, or NULL. */
RILL_API const char *rill_headers_get(const rill_headers *headers, const char *name);

/* The next value of the name, or NULL after the last. *at is 0 at first, and is moved on; do not
 * change the table between the calls. */
RILL_API const char *rill_headers_next(const rill_headers *headers, const char *name, size_t *at);

/* How many fields there are. */
RILL_API size_t rill_headers_count(const rill_headers *headers);

/* The field at a place, counted from 0; { NULL, NULL } behind the last. */
RILL_API rill_header rill_headers_at(const rill_headers *headers, size_t i);

/* Whether the comma lists in the values of the name hold the token, without regard to case:
 * rill_headers_has_token(headers, "Connection", "close"). */
RILL_API bool rill_headers_has_token(const rill_headers *headers, const char *name,
                                     const char *token);

RILL_END_DECLS

#endif
