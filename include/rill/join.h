/*
 * Waiting for tasks in more ways than one after another.
 *
 *     rill_cancel_join(task, …)          asks a task to end, and waits for it
 *     rill_wait(tasks, n, …)             waits until one, or all, have ended; collects nothing
 *     rill_as_completed_new/_next        the tasks of an array one by one, as they end
 *     rill_race(items, n, fn, …)         the first good result of many; the rest is cancelled
 *     rill_start(fn, arg, …)             spawns a task and waits until it says that it is ready
 *
 * None of these cancels a task because the one who waits was cancelled, but where it says so: to
 * cancel who joins a task is not to cancel the task (asyncio needs `shield` for that).
 */
#ifndef RILL_JOIN_H
#define RILL_JOIN_H

#include <rill/task.h>

RILL_BEGIN_DECLS

/* Cancels the task, with rill_cancel's options, and joins it: what it returned.
 *     rc = rill_cancel_join(task, .reason = "no longer needed");
 * Errors  those of rill_join; then it was not cancelled.
 * Cancel  the task was asked to end, and can be joined again. */
#define rill_cancel_join(...)                                                                      \
    rill_cancel_join_with(RILL_OPTS(rill_cancel_opts, .task = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_cancel_join_with(const rill_cancel_opts *opts);

/* ---- some of many: asyncio.wait ---- */

typedef enum rill_wait_until {
    RILL_WAIT_ALL,   /* all of them have ended. The default */
    RILL_WAIT_FIRST, /* at least one has */
    RILL_WAIT_ERROR, /* one has failed (to be cancelled is no failure), or all have ended */
} rill_wait_until;

typedef struct rill_wait_opts {
    size_t size;
    size_t count; /* of the tasks */
    rill_wait_until until;
    double timeout; /* seconds to wait at most, as of a scope. Default: no limit */
} rill_wait_opts;

/* Waits for tasks, whoever they belong to, and leaves them to be joined:
 *     rill_wait(tasks, count, .until = RILL_WAIT_FIRST, .timeout = 2.5);
 * Returns how many of them have ended (rill_task_done says which); a handle that is used up counts
 * as one that has. That the time is up is no error, and cancels nothing.
 * Errors  RILL_EDEADLOCK the calling task is among them
 * Cancel  the tasks go on. */
#define rill_wait(tasks, ...)                                                                      \
    rill_wait_with((tasks), RILL_OPTS(rill_wait_opts, .count = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_wait_with(const rill_task *tasks, const rill_wait_opts *opts);

/* ---- one by one, as they end: asyncio.as_completed ---- */

typedef struct rill_as_completed rill_as_completed;

/* Watches tasks, whoever they belong to. The array is not kept.
 *     rill_auto(rill_as_completed) order = rill_as_completed_new(tasks, count);
 *     size_t i;
 *     while ((rc = rill_as_completed_next(order, &i)) > 0)
 *         total += rill_join(tasks[i]);
 * Returns NULL with the error in place: RILL_EDEADLOCK when the calling task is among them. */
RILL_API rill_as_completed *rill_as_completed_new(const rill_task *tasks, size_t count);
/* The tasks go on. NULL is fine; not while a task waits in rill_as_completed_next. */
RILL_API void rill_as_completed_free(rill_as_completed *order);
RILL_DEFINE_AUTO(rill_as_completed)

/* Waits for the next task that ends, and stores its index. Each comes once, in the order of their
 * ends; those that had ended before all this began, or whose handle was used up, come first. The
 * task is still to be joined. Several tasks may share the work of one order.
 * Returns 1; 0 when all have come; or a code.
 * Cancel  no task is passed over: it comes with the next call. */
RILL_AWAITS RILL_API int rill_as_completed_next(rill_as_completed *order, size_t *ret_index);

/* ---- the first good one ---- */

typedef struct rill_race_opts {
    size_t size;
    rill_task_fn *fn;   /* called with a pointer to each element */
    size_t *winner;     /* the index of the element that won is stored here. May be NULL */
    rill_error *errors; /* one an element: how each of them ended. Default: only the first failure
                           is kept */
    size_t limit;       /* at most so many at once. Default: no limit */
    const char *name;   /* of the tasks. Default: "race" */
    size_t stack;       /* bytes of stack of each, as in rill_spawn. Default: 256 KiB */
    const char *file;   /* where it was called: filled by the macro */
    int line;
} rill_race_opts;

/* Runs fn on every element of an array at once, in the shape of rill_gather. The first that returns
 * 0 or more wins: the others are cancelled, and waited for.
 *     rc = rill_race(mirrors, count, fetch, .winner = &index);
 * One that succeeds all the same, too late, has code 0 in `.errors` too: what it made is there to
 * be released.
 * Returns what the winner returned. When all fail, the code of the first failure and a message that
 * says so; RILL_ECANCELED when it was cancelled from outside; RILL_EINVAL for no elements,
 * or elements without a size.
 * Cancel  reaches every element; it still waits for those that run. */
#define rill_race(items, count, ...)                                                               \
    rill_race_with(                                                                                \
        (items), (count), sizeof *(items),                                                         \
        RILL_OPTS(rill_race_opts, .file = __FILE__, .line = __LINE__, .fn = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_race_with(void *items, size_t count, size_t item_size,
                                        const rill_race_opts *opts);

/* ---- a task that is ready: Trio's nursery.start ---- */

/* Spawns fn(arg), with rill_spawn's options, and waits until the task calls rill_started:
 *     rill_task task = rill_start(serve, &config, .name = "server");
 * When the task ends before that it is collected, and its error is the caller's. With `.group` it
 * joins the group once it is ready: a failure before that does not touch the group.
 * Returns the handle; {0} with the error in place (RILL_EFAILED when it ended well but never said
 * that it was ready).
 * Cancel  the task is cancelled too and waited for; then there is none. */
#define rill_start(fn, ...)                                                                        \
    rill_start_with(                                                                               \
        (fn), RILL_OPTS(rill_spawn_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_start_with(rill_task_fn *fn, const rill_spawn_opts *opts);

/* Tells whoever started the calling task that it is ready. In a task that was spawned, and the
 * second time, it does nothing. Returns 0; RILL_ECANCELED when the task is cancelled or nobody
 * waits any more: then it should end. */
RILL_AWAITS RILL_API int rill_started(void);

RILL_END_DECLS

#endif
