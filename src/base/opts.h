/* Reads an options struct of an older or newer caller: what it does not know is zero. */
#ifndef RILL_SRC_BASE_OPTS_H
#define RILL_SRC_BASE_OPTS_H

#include <stddef.h>
#include <string.h>

static inline void rill__opts_copy(void *to, size_t to_size, const void *from)
{
    memset(to, 0, to_size);
    if (!from)
        return;
    size_t size;
    memcpy(&size, from, sizeof size);
    memcpy(to, from, size < to_size ? size : to_size);
}

/* Fills the struct variable `local` from the pointer `opts`, which may be NULL. */
#define rill__opts_read(local, opts) rill__opts_copy(&(local), sizeof(local), (opts))

/* The same for hot paths: gives the caller's own struct when it is of the size that we know, and
 * else the copy in `room`. */
static inline const void *rill__opts_view(const void *given, void *room, size_t size)
{
    size_t given_size = 0;
    if (given)
        memcpy(&given_size, given, sizeof given_size);
    if (given_size == size)
        return given;
    rill__opts_copy(room, size, given);
    return room;
}

#endif
