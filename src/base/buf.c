/* The growing byte buffer: see buf.h for its rules. */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdio.h>

static bool grow(rill__buf *buf, size_t more)
{
    if (more > buf->max - buf->len) {
        buf->failed = buf->too_long = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    char *ptr = rill__realloc(buf->ptr, cap);
    if (!ptr) {
        buf->failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    buf->ptr[buf->len] = '\0'; /* what is reserved may never be committed */
    return true;
}

static bool fits(const rill__buf *buf, size_t more)
{
    return more <= buf->max - buf->len && buf->len + more < buf->cap;
}

char *rill__buf_reserve(rill__buf *buf, size_t len)
{
    if (buf->failed || (!fits(buf, len) && !grow(buf, len)))
        return NULL;
    return buf->ptr + buf->len;
}

void rill__buf_commit(rill__buf *buf, size_t len)
{
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void rill__buf_append(rill__buf *buf, const void *bytes, size_t len)
{
    char *to = rill__buf_reserve(buf, len);
    if (!to)
        return;
    if (len > 0)
        memcpy(to, bytes, len);
    rill__buf_commit(buf, len);
}

void rill__buf_putc(rill__buf *buf, char c)
{
    rill__buf_append(buf, &c, 1);
}

void rill__buf_puts(rill__buf *buf, const char *text)
{
    rill__buf_append(buf, text, strlen(text));
}

void rill__buf_vprintf(rill__buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *to = len < 0 ? NULL : rill__buf_reserve(buf, (size_t)len);
    if (to) {
        vsnprintf(to, (size_t)len + 1, format, again);
        rill__buf_commit(buf, (size_t)len);
    } else {
        buf->failed = true;
    }
    va_end(again);
}

void rill__buf_printf(rill__buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rill__buf_vprintf(buf, format, args);
    va_end(args);
}

void rill__buf_consume(rill__buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
    } else if (len > 0) {
        memmove(buf->ptr, buf->ptr + len, buf->len - len);
        buf->len -= len;
    }
    if (buf->ptr)
        buf->ptr[buf->len] = '\0';
}

void rill__buf_reset(rill__buf *buf)
{
    buf->len = 0;
    buf->failed = buf->too_long = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

char *rill__buf_take(rill__buf *buf)
{
    if (buf->failed || !rill__buf_reserve(buf, 0)) {
        rill__buf_free(buf);
        return NULL;
    }
    char *ptr = buf->ptr;
    ptr[buf->len] = '\0';
    *buf = rill__buf_make(buf->max);
    return ptr;
}

void rill__buf_free(rill__buf *buf)
{
    rill__free(buf->ptr);
    *buf = rill__buf_make(buf->max);
}
