/*
 * All memory of the library comes from here, so that tests can fail the nth allocation.
 * Semantics are those of malloc, calloc, realloc and free; nothing aborts when memory is short.
 */
#ifndef RILL_SRC_BASE_ALLOC_H
#define RILL_SRC_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *rill__alloc(size_t size) __attribute__((malloc));
void *rill__zalloc(size_t size) __attribute__((malloc));
void *rill__realloc(void *memory, size_t size);
void rill__free(void *memory);

/* Copies `len` bytes of text and ends them with NUL; NULL when memory is short. */
char *rill__strndup(const char *text, size_t len);
char *rill__strdup(const char *text);

/* Memory of a simulated world, which is not what is tested: zeroed, not counted, and never short.
 */
void *rill__world_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *rill__world_realloc(void *memory, size_t size) __attribute__((returns_nonnull));
void rill__world_free(void *memory);

/* How many allocations there have been, and which one from now on fails (0: none). For tests. */
extern unsigned long rill__alloc_count;
extern unsigned long rill__alloc_fail_at;
/* While watched: how many more there are than there were. */
extern bool rill__alloc_watched;
extern long rill__alloc_live;

#endif
