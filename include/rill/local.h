/*
 * What a task has of its own: clean-up, values and memory. All of it goes when the task ends.
 *
 *     rill_defer(fn, arg, …)             calls fn(arg) when the innermost scope ends
 *     rill_local_set/_get(&key, …)       values that the tasks spawned from here inherit
 *     rill_alloc, rill_strdup, …         memory that is freed with the task
 */
#ifndef RILL_LOCAL_H
#define RILL_LOCAL_H

#include <rill/task.h>
#include <stdarg.h>

RILL_BEGIN_DECLS

/* ---- deferred calls ---- */

typedef struct rill_defer_opts {
    size_t size;
    void *arg;        /* handed to the function */
    double timeout;   /* seconds that it may take. Default: 10; RILL_FOREVER for no limit */
    const char *file; /* where it was deferred: filled by the macro */
    int line;
} rill_defer_opts;

/* Calls fn(arg) when the innermost scope ends: the scope or group that was begun last and has not
 * ended, else the task.
 *     stream = rill_connect(host, .port = 80);
 *     rill_defer(hang_up, stream);
 * Several are called in reverse order: for a group, and for the task, when the tasks that belong to
 * it have ended. It is called also when the scope was cancelled: like rill_shielded, cancellation
 * does not reach it, only its own timeout. A negative return is logged and changes nothing; nor
 * does it touch rill_last_error.
 * Returns 0, RILL_ENOTASK or RILL_ENOMEM: then fn will not be called. */
#define rill_defer(fn, ...)                                                                        \
    rill_defer_with(                                                                               \
        (fn), RILL_OPTS(rill_defer_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_API int rill_defer_with(rill_task_fn *fn, const rill_defer_opts *opts);

/* ---- values of a task ---- */

/* A key is the address of a static one:
 *     static rill_local request_id;
 *     static rill_local user = { .free = user_free }; */
typedef struct rill_local {
    /* Called with a value that no task has any more; it must not wait. NULL: nothing is. */
    void (*free)(void *value);
} rill_local;

/* Sets the calling task's value; NULL for none. Tasks that it spawns from now on begin with what it
 * has then; what a task sets is not seen by those that run already. The value belongs to rill:
 * `free` gets it when the last task that has it has ended or set another.
 * Returns 0; RILL_ENOTASK or RILL_ENOMEM, and then the value is still the caller's. */
RILL_API int rill_local_set(const rill_local *key, void *value);
/* The calling task's value; NULL when there is none, and outside tasks. */
RILL_API void *rill_local_get(const rill_local *key);

/* ---- memory of a task ---- */

/* Cleared memory that is freed when the calling task ends, aligned for any type; there is no other
 * way to free it. In a function that rill_every calls it is freed when that call ends.
 * NULL with the error in place: RILL_ENOMEM, or RILL_ENOTASK. */
RILL_API void *rill_alloc(size_t size);
/* The same for a copy of a text. */
RILL_API char *rill_strdup(const char *text);
/* The same for a text as of printf. */
RILL_API char *rill_format(const char *format, ...) RILL_PRINTF(1, 2);
RILL_API char *rill_vformat(const char *format, va_list args) RILL_PRINTF(1, 0);

RILL_END_DECLS

#endif
