/* The arena: a list of blocks, bytes are handed out from the newest. */
#include "base/arena.h"

#include "base/alloc.h"

#include <stdalign.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define BLOCK_SIZE 2048u
#define ALIGNMENT 16u
#ifdef ARENA_ASAN
#define RED_ZONE 16u
#else
#define RED_ZONE 0u
#endif

struct rill__arena_block {
    struct rill__arena_block *next;
    size_t cap;
    size_t len;
    alignas(16) char bytes[];
};

static struct rill__arena_block *add_block(rill__arena *arena, size_t need)
{
    size_t cap = need > BLOCK_SIZE / 4 ? need : BLOCK_SIZE - sizeof(struct rill__arena_block);
    struct rill__arena_block *block = rill__alloc(sizeof *block + cap);
    if (!block)
        return NULL;
    *block = (struct rill__arena_block){ .next = arena->blocks, .cap = cap };
    ASAN_POISON_MEMORY_REGION(block->bytes, cap);
    arena->blocks = block;
    return block;
}

void *rill__arena_alloc(rill__arena *arena, size_t size)
{
    size_t need = (size + RED_ZONE + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > PTRDIFF_MAX || need < size || (arena->max && need > arena->max - arena->used))
        return NULL;
    struct rill__arena_block *block = arena->blocks;
    if (!block || block->cap - block->len < need)
        block = add_block(arena, need);
    if (!block)
        return NULL;
    void *memory = block->bytes + block->len;
    block->len += need;
    arena->used += need;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    return memory;
}

void *rill__arena_zalloc(rill__arena *arena, size_t size)
{
    void *memory = rill__arena_alloc(arena, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

char *rill__arena_dup(rill__arena *arena, const char *text, size_t len)
{
    char *copy = rill__arena_alloc(arena, len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *rill__arena_vprintf(rill__arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len < 0 ? NULL : rill__arena_alloc(arena, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

char *rill__arena_printf(rill__arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = rill__arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

static void free_block(struct rill__arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->cap);
    rill__free(block);
}

void rill__arena_reset(rill__arena *arena)
{
    struct rill__arena_block *keep = NULL;
    while (arena->blocks) {
        struct rill__arena_block *block = arena->blocks;
        arena->blocks = block->next;
        if (!keep && block->cap == BLOCK_SIZE - sizeof *block)
            keep = block;
        else
            free_block(block);
    }
    if (keep) {
        keep->next = NULL;
        keep->len = 0;
        ASAN_POISON_MEMORY_REGION(keep->bytes, keep->cap);
    }
    arena->blocks = keep;
    arena->used = 0;
}

void rill__arena_free(rill__arena *arena)
{
    while (arena->blocks) {
        struct rill__arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free_block(block);
    }
    arena->used = 0;
}
