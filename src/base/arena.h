/*
 * An arena: many small allocations that are freed together, with a limit in bytes.
 *
 * A zeroed rill__arena is ready for use, with no limit. The slack is poisoned under ASan, so an
 * overrun of one allocation is still found.
 */
#ifndef RILL_SRC_BASE_ARENA_H
#define RILL_SRC_BASE_ARENA_H

#include <rill/base.h>
#include <stdarg.h>

typedef struct rill__arena {
    struct rill__arena_block *blocks; /* newest first */
    size_t used;                      /* bytes handed out */
    size_t max;                       /* the most that used may become; 0: no limit */
} rill__arena;

/* 16-byte aligned memory, not cleared; NULL when memory is short or the limit is reached. */
void *rill__arena_alloc(rill__arena *arena, size_t size);
void *rill__arena_zalloc(rill__arena *arena, size_t size);
/* A NUL-terminated copy. */
char *rill__arena_dup(rill__arena *arena, const char *text, size_t len);
char *rill__arena_printf(rill__arena *arena, const char *format, ...) RILL_PRINTF(2, 3);
char *rill__arena_vprintf(rill__arena *arena, const char *format, va_list args) RILL_PRINTF(2, 0);
/* Forgets all allocations and keeps one block for the next ones. */
void rill__arena_reset(rill__arena *arena);
void rill__arena_free(rill__arena *arena);

#endif
