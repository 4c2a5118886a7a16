/* The library's allocator: malloc with a counter that tests can make fail. */
#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

unsigned long rill__alloc_count;
unsigned long rill__alloc_fail_at;

bool rill__alloc_watched;
long rill__alloc_live;

static bool fails(void)
{
    unsigned long n = __atomic_add_fetch(&rill__alloc_count, 1, __ATOMIC_RELAXED);
    return n == rill__alloc_fail_at;
}

static void *watch(void *memory)
{
    if (rill__alloc_watched && memory)
        __atomic_add_fetch(&rill__alloc_live, 1, __ATOMIC_RELAXED);
    return memory;
}

void *rill__alloc(size_t size)
{
    return fails() ? NULL : watch(malloc(size));
}

void *rill__zalloc(size_t size)
{
    return fails() ? NULL : watch(calloc(1, size));
}

void *rill__realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    void *moved = realloc(memory, size);
    return memory ? moved : watch(moved);
}

void rill__free(void *memory)
{
    if (rill__alloc_watched && memory)
        __atomic_sub_fetch(&rill__alloc_live, 1, __ATOMIC_RELAXED);
    free(memory);
}

void *rill__world_alloc(size_t size)
{
    void *memory = calloc(1, size);
    assert(memory);
    return memory;
}

void *rill__world_realloc(void *memory, size_t size)
{
    void *moved = realloc(memory, size);
    assert(moved);
    return moved;
}

void rill__world_free(void *memory)
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
