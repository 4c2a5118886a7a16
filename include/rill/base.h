/*
 * The few things every other header uses: text views, option structs and automatic release.
 *
 *   rill_str        a view of text: pointer and length, never owned by who holds it
 *   rill_auto(T)    a pointer to T that is freed at the end of the block
 *   rill_take(p)    moves a pointer out of its variable, so that nothing frees it there
 *
 * Conventions that hold everywhere: times are seconds as double, sizes are size_t, zero in an
 * option means its default, and a function fails by returning a negative code (see error.h).
 */
#ifndef RILL_BASE_H
#define RILL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RILL_VERSION_MAJOR 0
#define RILL_VERSION_MINOR 1
#define RILL_VERSION_PATCH 0
#define RILL_VERSION "0.1.0"

#ifdef __cplusplus
#define RILL_BEGIN_DECLS extern "C" {
#define RILL_END_DECLS }
#else
#define RILL_BEGIN_DECLS
#define RILL_END_DECLS
#endif

#define RILL_API __attribute__((visibility("default")))
#define RILL_CHECKED __attribute__((warn_unused_result))
#define RILL_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Marks a function that may switch to another task: what was read before may have changed. */
#define RILL_AWAITS

/* Builds a const options struct from trailing `.field = value`. `size` tells the library which
 * fields the caller was compiled with. C++ has no such literals: there, fill a struct, `.size` too,
 * and call the plain function behind the macro, rill_spawn_with for rill_spawn. */
#define RILL_OPTS(type, ...) (&(const type){ .size = sizeof(type), __VA_ARGS__ })

/* A duration that never ends, and a limit that does not limit. */
#define RILL_FOREVER (-1.0)
#define RILL_UNLIMITED (-1)

/* Frees the object with type##_free at the end of the block:
 *     rill_auto(rill_response) response = rill_get(session, url); */
#define rill_auto(type) __attribute__((cleanup(type##_cleanup))) type *

/* Defines what rill_auto(type) needs, given `void type##_free(type *)`. */
#define RILL_DEFINE_AUTO(type)                                                                     \
    static inline void type##_cleanup(type **object)                                               \
    {                                                                                              \
        type##_free(*object);                                                                      \
    }

/* Moves a pointer out: yields it and leaves NULL behind. */
#define rill_take(pointer)                                                                         \
    __extension__({                                                                                \
        __typeof__(pointer) *rill_from_ = &(pointer), rill_taken_ = *rill_from_;                   \
        *rill_from_ = NULL;                                                                        \
        rill_taken_;                                                                               \
    })

RILL_BEGIN_DECLS

/* A view of text. `len` is authoritative; text that rill hands out also ends with a NUL byte at
 * ptr[len], which `len` does not count. */
typedef struct rill_str {
    const char *ptr;
    size_t len;
} rill_str;

#ifdef __cplusplus
#define RILL_STR(literal) (rill_str{ "" literal, sizeof(literal) - 1 })
#else
#define RILL_STR(literal) ((rill_str){ "" literal, sizeof(literal) - 1 })
#endif

/* For printf: printf("[" RILL_STR_FMT "]", RILL_STR_ARG(text)). */
#define RILL_STR_FMT "%.*s"
#define RILL_STR_ARG(text) (int)(text).len, (text).ptr

/* The view of a NUL-terminated text; NULL gives an empty one. */
static inline rill_str rill_str_of(const char *text)
{
    rill_str view = { text ? text : "", text ? strlen(text) : 0 };
    return view;
}

/* Compares byte by byte. */
static inline bool rill_str_eq(rill_str a, rill_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Compares without regard to ASCII case. */
RILL_API bool rill_str_caseeq(rill_str a, rill_str b);

/* The version of the library that is running, as "0.1.0". */
RILL_API const char *rill_version(void);

RILL_END_DECLS

#endif
