/*
 * The header table from inside: it can be embedded, and live in an arena.
 *
 * With an arena, text and places come from there, nothing is freed before the arena is, and
 * rill__headers_finish is not needed. Without one the table allocates each field by itself and
 * frees what is removed, so that a table which is changed for ever does not grow.
 */
#ifndef RILL_SRC_HTTP_HEADERS_H
#define RILL_SRC_HTTP_HEADERS_H

#include "base/arena.h"

#include <rill/headers.h>

struct rill__h1_head;

struct rill__header_entry {
    const char *name;  /* NUL-terminated; without an arena it is the start of the allocation */
    const char *value; /* NUL-terminated */
    uint32_t name_len;
    uint32_t value_len;
};

struct rill_headers {
    struct rill__header_entry *entries;
    uint32_t count, cap;
    size_t bytes;       /* of all names and values, without their NULs */
    rill__arena *arena; /* where memory comes from; NULL: from the allocator */
};

/* An empty table in the caller's memory; a zeroed one is the same with no arena. */
static inline void rill__headers_init(rill_headers *headers, rill__arena *arena)
{
    *headers = (rill_headers){ .arena = arena };
}

/* Frees the fields of a table without an arena; the table is empty then. */
void rill__headers_finish(rill_headers *headers);

/* A table over a head that was parsed: its fields point into `text`, the bytes of the head, in
 * which each name and value gets its NUL in place of the ":" or white space behind it. `text` must
 * live as long as the table; the arena gives the room for the entries. Returns 0 or RILL_ENOMEM. */
int rill__headers_view(rill_headers *headers, rill__arena *arena, char *text,
                       const struct rill__h1_head *head);

/* Like the public ones, for text with a length. */
int rill__headers_add(rill_headers *headers, rill_str name, rill_str value);
int rill__headers_set(rill_headers *headers, rill_str name, rill_str value);
/* The next entry of the name from *at on, or NULL; *at is then behind it. */
const struct rill__header_entry *rill__headers_find(const rill_headers *headers, rill_str name,
                                                    size_t *at);

/* 0, or RILL_EINVAL with a sentence, for a name that is no token or a value with a control byte. */
int rill__header_check(rill_str name, rill_str value);

#endif
