/* The library's allocator: malloc with a counter that tests can make fail. */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

unsigned long rill__alloc_count;
unsigned long rill__alloc_fail_at;

static bool fails(void)
{
    unsigned long n = __atomic_add_fetch(&rill__alloc_count, 1, __ATOMIC_RELAXED);
    return n == rill__alloc_fail_at;
}

void *rill__alloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *rill__zalloc(size_t size)
{
    return fails() ? NULL : calloc(1, size);
}

void *rill__realloc(void *memory, size_t size)
{
    return fails() ? NULL : realloc(memory, size);
}

void rill__free(void *memory)
{
    free(memory);
}

char *rill__strndup(const char *text, size_t len)
{
    char *copy = rill__alloc(len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *rill__strdup(const char *text)
{
    return rill__strndup(text, strlen(text));
}
