/*
 * A byte buffer that grows up to a mandatory maximum and remembers that it failed.
 *
 * Appends after a failure are no-ops, so a series of appends is checked once, by `failed`. The
 * content always ends with a NUL byte that `len` does not count.
 */
#ifndef RILL_SRC_BASE_BUF_H
#define RILL_SRC_BASE_BUF_H

#include <rill/base.h>
#include <stdarg.h>

typedef struct rill__buf {
    char *ptr;     /* NULL until the first append */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated, the NUL's place included */
    size_t max;    /* the most that len may become */
    bool failed;   /* memory was short or the maximum was passed */
    bool too_long; /* it was the maximum */
} rill__buf;

static inline rill__buf rill__buf_make(size_t max)
{
    return (rill__buf){ .max = max };
}

void rill__buf_append(rill__buf *buf, const void *bytes, size_t len);
void rill__buf_putc(rill__buf *buf, char c);
void rill__buf_puts(rill__buf *buf, const char *text);
void rill__buf_printf(rill__buf *buf, const char *format, ...) RILL_PRINTF(2, 3);
void rill__buf_vprintf(rill__buf *buf, const char *format, va_list args) RILL_PRINTF(2, 0);

/* Makes room for `len` more bytes behind the content and returns where they go, or NULL. */
char *rill__buf_reserve(rill__buf *buf, size_t len);
/* Counts `len` bytes that were written to reserved room as content. */
void rill__buf_commit(rill__buf *buf, size_t len);

/* Drops `len` bytes at the front. */
void rill__buf_consume(rill__buf *buf, size_t len);
/* Forgets the content and a failure, keeps the memory. */
void rill__buf_reset(rill__buf *buf);
/* Moves the content out: the caller frees it with rill__free. NULL after a failure. */
char *rill__buf_take(rill__buf *buf);
/* Frees the memory; the buffer can be used again. */
void rill__buf_free(rill__buf *buf);

static inline rill_str rill__buf_str(const rill__buf *buf)
{
    return (rill_str){ buf->ptr ? buf->ptr : "", buf->len };
}

#endif
