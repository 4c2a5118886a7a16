/*
 * Tasks: functions that run at once on one thread, each on a stack of its own.
 *
 *     rill_run(fn, arg)              runs fn as the first task, and everything that it spawns
 *     rill_spawn(fn, arg, …)         starts a task            → rill_join, rill_detach, rill_cancel
 *     rill_gather(items, n, fn, …)   runs fn on every element of an array, at once
 *     rill_within(2.5, fn, arg)      calls fn; all of it ends within 2.5 s
 *     rill_scope_begin/_end          the same for a few lines in the middle of a function
 *     rill_group_begin/_end          tasks that end together; the first failure cancels the rest
 *     rill_sleep, rill_every         time
 *
 * Only a function marked RILL_AWAITS may switch to another task; between two of them a task has the
 * thread to itself, and needs no lock. For what must stay whole across a wait there is sync.h.
 *
 * Cancelling is level-triggered. Inside a cancelled scope every RILL_AWAITS function fails at once
 * with RILL_ECANCELED, and what it would have done did not happen; a result that was there before
 * the cancellation took hold is still delivered. A cancelled task always returns the ordinary way,
 * through its own clean-up: no stack is ever dropped. Work that must still be done while cancelled
 * stands in a scope with `.shield`, which should have a `.timeout`.
 *
 * Every task belongs to a group or to the task that spawned it. A task that ends while tasks of its
 * own still run cancels them and waits for them: none outlives what its argument points to. Joining
 * collects a task's result and error; detaching gives it to the loop instead.
 */
#ifndef RILL_TASK_H
#define RILL_TASK_H

#include <rill/error.h>

RILL_BEGIN_DECLS

/* A task's function: 0 or more for success, a negative code for failure (`return rill_errcode();`).
 */
typedef int rill_task_fn(void *arg);

/* A handle to a task, to be passed by value. {0} is no task. A handle whose task is gone is told
 * apart from a task that came later, and gives RILL_ESTALE. */
typedef struct rill_task {
    uint64_t id;
} rill_task;

typedef struct rill_group rill_group;
typedef struct rill_scope rill_scope;

/* Makes a loop for this thread, runs fn(arg) as its first task, and returns when that has ended and
 * every other task too (those that are left are cancelled). SIGINT and SIGTERM cancel the first
 * task; a second one ends the process as usual.
 *
 * Returns an exit status for main: what fn returned when 0 to 255; 1 after a failure, which is
 * explained on stderr; 130 or 143 when a signal cancelled it. Inside a task it calls nothing and
 * returns 1, explained as well. */
RILL_API int rill_run(rill_task_fn *fn, void *arg);

/* ---- spawning and joining ---- */

typedef struct rill_spawn_opts {
    size_t size;
    void *arg;         /* handed to the function */
    const char *name;  /* for messages; copied, up to 31 bytes. Default: "task" */
    rill_group *group; /* the group it belongs to. Default: the calling task */
    size_t stack;     /* bytes of stack, a quarter of them (at most 64 KiB) its guard; rounded up to
                         64 KiB, 256 KiB, 1 MiB or 8 MiB. Default: 256 KiB, 192 of them usable */
    const char *file; /* where it was spawned: filled by the macro */
    int line;
} rill_spawn_opts;

/* Starts fn(arg) as a task; the caller goes on, the new task runs when the caller waits.
 *     rill_task task = rill_spawn(fetch, &page, .name = "fetch");
 * Returns the handle; {0}, with the error in place, when memory is short or the group is closed.
 * With a group that is full (`.limit`) it waits for a place.
 * Cancel  a task is started even inside a cancelled scope: its first wait fails. */
#define rill_spawn(fn, ...)                                                                        \
    rill_spawn_with(                                                                               \
        (fn), RILL_OPTS(rill_spawn_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_spawn_with(rill_task_fn *fn, const rill_spawn_opts *opts);

/* Waits for the task to end and returns what its function returned; its error becomes the caller's.
 * The handle is used up, unless the wait itself was cancelled.
 * Errors  RILL_ESTALE    it was joined or detached before, or never was
 *         RILL_EDEADLOCK it is the calling task
 *         RILL_EINVAL    it belongs to a group, which collects it
 * Cancel  the task goes on, and can be joined again. */
RILL_AWAITS RILL_API int rill_join(rill_task task);

/* Gives the task to the loop: nobody will join it, it may outlive its spawner, it is cancelled when
 * the loop ends. A failure of it is logged. Returns 0 or RILL_ESTALE. */
RILL_API int rill_detach(rill_task task);

typedef struct rill_cancel_opts {
    size_t size;
    rill_task task;
    const char *reason; /* why, for messages; copied, up to 95 bytes */
} rill_cancel_opts;

/* Asks the task to end: all its waits fail with RILL_ECANCELED from now on. Never waits; the first
 * reason is kept. Cancelling a task that has ended, or oneself, is fine.
 *     rill_cancel(task, .reason = "the user went away");
 * Returns 0, or RILL_ESTALE when the handle is used up. */
#define rill_cancel(...) rill_cancel_with(RILL_OPTS(rill_cancel_opts, .task = __VA_ARGS__))
RILL_API int rill_cancel_with(const rill_cancel_opts *opts);

/* The calling task, or {0} outside tasks. */
RILL_API rill_task rill_self(void);
/* The calling task's name, or "". */
RILL_API const char *rill_self_name(void);
/* Whether the task has ended (and waits to be joined) or its handle is used up. */
RILL_API bool rill_task_done(rill_task task);

/* ---- scopes: deadlines, cancellation, shields ---- */

/* The fields are the library's own. A scope lives in the function that begins and ends it. */
struct rill_scope {
    rill_scope *parent;
    rill_scope *first_child;
    rill_scope *next_sibling;
    rill_scope **sibling_link;
    void *task;
    struct rill__timer {
        struct rill__timer *next, *prev;
        uint64_t deadline;
        void (*fire)(struct rill__timer *timer);
        const void *touches;
    } timer;
    rill_scope *origin;
    void *deferred; /* calls for its end: see local.h */
    int cause;
    bool shield;
    char reason[96];
};

typedef struct rill_scope_opts {
    size_t size;
    rill_scope *scope;
    double timeout; /* seconds until it is cancelled; at once for less than 0 (but RILL_FOREVER).
                       Default: none */
    bool shield;    /* cancellation from outside does not reach in. Use with a timeout */
} rill_scope_opts;

/* Begins a scope. Every rill_scope_begin needs its rill_scope_end in the same function, and scopes
 * end in the reverse order of their beginning. Returns 0, RILL_ENOTASK, or RILL_EINVAL for a scope
 * that has begun and not ended.
 *     rill_scope scope;
 *     rill_scope_begin(&scope, .timeout = 2.5);
 *     rc = …;
 *     rc = rill_scope_end(&scope, rc); */
#define rill_scope_begin(...)                                                                      \
    rill_scope_begin_with(RILL_OPTS(rill_scope_opts, .scope = __VA_ARGS__))
RILL_API int rill_scope_begin_with(const rill_scope_opts *opts);

/* Ends a scope and returns rc, but RILL_ETIMEDOUT for an RILL_ECANCELED that this scope's own
 * deadline caused. It waits only for what was deferred (local.h). Ending it twice, or out of order,
 * gives RILL_EINVAL and changes nothing. */
RILL_AWAITS RILL_API int rill_scope_end(rill_scope *scope, int rc);

/* Cancels what runs inside the scope, from this or another task. Never waits; the first reason
 * (copied, up to 95 bytes, or NULL) is kept. */
RILL_API void rill_scope_cancel(rill_scope *scope, const char *reason);

/* Moves the deadline to `seconds` from now: at once for 0 and less, RILL_FOREVER for none. */
RILL_API void rill_scope_set_timeout(rill_scope *scope, double seconds);

/* Whether the calling task stands inside a cancelled scope, so that its next wait would fail. */
RILL_API bool rill_cancelled(void);
/* Why: the reason given, "deadline", "SIGINT", …; "" when not cancelled. */
RILL_API const char *rill_cancel_reason(void);

/* Calls fn(arg) in a scope of that many seconds: asyncio.wait_for. Zero and less (but RILL_FOREVER)
 * is no time at all: fn is called, and its first wait fails. Returns what fn returned, or
 * RILL_ETIMEDOUT when it failed because the time was up. */
RILL_AWAITS RILL_API int rill_within(double seconds, rill_task_fn *fn, void *arg);

/* Calls fn(arg) where cancellation from outside does not reach, for that many seconds at most
 * (counted as in rill_within): clean-up that has to wait. A task that is spawned there belongs to
 * the calling task, and is cancelled with it; one of a group that began there is shielded as well.
 * Returns as rill_within does. */
RILL_AWAITS RILL_API int rill_shielded(double seconds, rill_task_fn *fn, void *arg);

/* The same for a block, which may be left in any way:
 *     RILL_CLEANUP(2.0)
 *         rill_stream_shutdown(stream);
 */
#define RILL_CLEANUP(seconds) RILL_CLEANUP_AT(seconds, __LINE__)
#define RILL_CLEANUP_AT(seconds, line) RILL_CLEANUP_AS(seconds, line)
#define RILL_CLEANUP_AS(seconds, line)                                                             \
    for (rill_scope rill_scope_##line __attribute__((cleanup(rill_cleanup_end))),                  \
         *rill_once_##line = rill_cleanup_begin(&rill_scope_##line, (seconds));                    \
         rill_once_##line; rill_once_##line = NULL)
RILL_API rill_scope *rill_cleanup_begin(rill_scope *scope, double seconds);
RILL_AWAITS RILL_API void rill_cleanup_end(rill_scope *scope);

/* ---- groups ---- */

/* The fields are the library's own. */
struct rill_group {
    rill_scope scope;
    struct rill__member {
        struct rill__member *next, *prev;
    } members;
    struct rill__member spawners; /* tasks that wait for a place */
    void *ender;                  /* the task that waits in rill_group_end */
    size_t count;
    size_t limit;
    rill_error *error;
    int code;
    bool supervisor;
    bool cut_short; /* a task of it was cancelled before its end */
    bool whole;     /* its last task had ended before a cancellation came */
    bool open;
};

typedef struct rill_group_opts {
    size_t size;
    rill_group *group;
    size_t limit;    /* at most so many tasks at once: spawning one more waits. Default: no limit */
    double timeout;  /* seconds until all of it is cancelled, as of a scope. Default: none */
    bool supervisor; /* a failed task does not cancel the others; its failure is logged */
} rill_group_opts;

/* Begins a group: tasks spawned with `.group` belong to it, and end before rill_group_end returns.
 * It is a scope as well: when a task of it fails, the rest of it is cancelled, and so is what the
 * caller does between begin and end. Returns 0, RILL_ENOTASK, or RILL_EINVAL for a group that the
 * calling task has begun and not ended, or belongs to. */
#define rill_group_begin(...)                                                                      \
    rill_group_begin_with(RILL_OPTS(rill_group_opts, .group = __VA_ARGS__))
RILL_API int rill_group_begin_with(const rill_group_opts *opts);

/* Waits for all tasks of the group and ends it. `rc` is how the caller's own part went: negative
 * cancels the tasks first.
 * Returns  the first failure, of the caller's part or of a task, with its error in place;
 *          RILL_ETIMEDOUT when the group's timeout ended it; RILL_ECANCELED when it was cancelled
 *          from outside; else rc.
 * Errors   RILL_EDEADLOCK a task inside it cannot wait for its end; RILL_EINVAL it has ended, or
 *          the calling task did not begin it, or stands inside a scope that began later: nothing
 *          changes.
 * Cancel   reaches the tasks; it still waits for them. */
RILL_AWAITS RILL_API int rill_group_end(rill_group *group, int rc);

/* Cancels the group's tasks and the caller's part. The reason is copied, or NULL. Never waits. */
RILL_API void rill_group_cancel(rill_group *group, const char *reason);

typedef struct rill_gather_opts {
    size_t size;
    rill_task_fn *fn; /* called with a pointer to each element */
    rill_error
        *errors;      /* one an element: every element runs to its end and leaves its error here
                         (code 0 when it went well). Default: the first failure cancels the rest */
    size_t limit;     /* at most so many at once. Default: no limit */
    const char *name; /* of the tasks. Default: "gather" */
    size_t stack;     /* bytes of stack of each, as in rill_spawn. Default: 256 KiB */
    const char *file; /* where it was called: filled by the macro */
    int line;
} rill_gather_opts;

/* Runs fn on every element of an array at once, in the shape of qsort, and waits for all:
 *     rill_gather(pages, count, fetch, .errors = errors, .limit = 100);
 * Returns 0; without `.errors` the first failure; RILL_ECANCELED when it was cancelled from outside
 * (elements that never started have that error too); RILL_EINVAL for elements without a size.
 * Cancel  reaches every element; it still waits for those that run. */
#define rill_gather(items, count, ...)                                                             \
    rill_gather_with(                                                                              \
        (items), (count), sizeof *(items),                                                         \
        RILL_OPTS(rill_gather_opts, .file = __FILE__, .line = __LINE__, .fn = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_gather_with(void *items, size_t count, size_t item_size,
                                          const rill_gather_opts *opts);

/* ---- time ---- */

/* Waits that many seconds; never less. rill_sleep(0), and less, lets every task run that is ready;
 * RILL_FOREVER waits until it is cancelled. Returns 0, or RILL_ECANCELED. */
RILL_AWAITS RILL_API int rill_sleep(double seconds);

/* Seconds on a clock that never jumps; its zero has no meaning. Also outside tasks. */
RILL_API double rill_now(void);

/* What to do about ticks that were missed because the work before took too long. */
typedef enum rill_missed {
    RILL_MISSED_SKIP, /* drop them: the next tick is the next multiple of the period. The default */
    RILL_MISSED_BURST, /* catch up: run at once until the schedule is met again */
    RILL_MISSED_DELAY, /* start anew: a full period from now */
} rill_missed;

/* A clockwork without drift: tick k is due at start + k * period, however long the work takes. */
typedef struct rill_interval {
    uint64_t next;   /* private: when the next tick is due, in ns */
    uint64_t period; /* private: ns */
    uint64_t jitter; /* private: the most that a tick comes later, ns */
    uint64_t shift;  /* private: how much the next one does, and 1; 0 when not drawn yet */
    rill_missed missed;
} rill_interval;

/* The first tick is due at once, or after `delay` seconds. Returns 0, or RILL_EINVAL for a period
 * that is not positive, or longer than 285 years; to wait for its ticks is RILL_EINVAL then, too.
 */
RILL_API int rill_interval_init(rill_interval *interval, double period, double delay,
                                rill_missed missed);
/* Lets each tick come up to so many seconds later than it is due, by chance and anew each time, so
 * that what was started together does not stay so. The schedule itself does not move, and tick k
 * still comes before k + 1 is due. Returns 0, or RILL_EINVAL for less than 0 and for more than the
 * period. */
RILL_API int rill_interval_jitter(rill_interval *interval, double seconds);
/* Waits for the next tick. Returns how many were missed since the last (dropped, with
 * RILL_MISSED_SKIP), or RILL_ECANCELED. */
RILL_AWAITS RILL_API int rill_interval_wait(rill_interval *interval);

typedef struct rill_every_opts {
    size_t size;
    void *arg;          /* handed to the function */
    double delay;       /* seconds before the first run. Default: at once */
    double jitter;      /* as in rill_interval_jitter. Default: 0 */
    rill_missed missed; /* default: RILL_MISSED_SKIP */
    const char *name;   /* default: "every" */
    rill_group *group;  /* as in rill_spawn */
    const char *file;   /* where it was spawned: filled by the macro */
    int line;
} rill_every_opts;

/* Spawns a task that calls fn(arg) every `seconds`: no drift, and never twice at once.
 *     rill_task task = rill_every(60.0, refresh, &table, .missed = RILL_MISSED_BURST);
 * A negative return of fn ends it, with that as the task's result; so does rill_cancel(task).
 * Returns the task, to be joined or detached; {0} with the error in place for a period that is not
 * positive, a jitter that is longer than it, or when memory is short. */
#define rill_every(seconds, fn, ...)                                                               \
    rill_every_with(                                                                               \
        (seconds), (fn),                                                                           \
        RILL_OPTS(rill_every_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_every_with(double seconds, rill_task_fn *fn,
                                               const rill_every_opts *opts);

/* ---- threads ---- */

typedef struct rill_to_thread_opts {
    size_t size;
    void *arg;    /* handed to the function */
    bool abandon; /* cancelled while fn runs, the caller goes on at once; fn ends by itself, and
                     what it returns is dropped. Default: its end is awaited */
    void (*discard)(
        void *arg); /* called once, if rill_to_thread returns RILL_ECANCELED, as soon as
                       fn does not use arg any more; then on any thread. Default: none */
} rill_to_thread_opts;

/* Calls fn(arg) on a thread of a small pool while other tasks run, and waits for its result: for
 * what blocks, such as SQLite and libraries that know nothing of this one.
 *     rc = rill_to_thread(load, &table);
 *     rc = rill_to_thread(look_up, query, .abandon = true, .discard = free);
 * fn must not call functions of this library, except rill_log, rill_fail, rill_thread_cancelled and
 * those that say so. Its error is handed to the caller.
 * Cancel  before fn has started it does not happen (RILL_ECANCELED). Afterwards its end is awaited
 *         and its result delivered; with `.abandon` it is RILL_ECANCELED too, and arg must live on
 *         until fn has ended: `.discard` is told. */
#define rill_to_thread(fn, ...)                                                                    \
    rill_to_thread_with((fn), RILL_OPTS(rill_to_thread_opts, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_to_thread_with(rill_task_fn *fn, const rill_to_thread_opts *opts);

/* Inside rill_to_thread: whether the task that waits was cancelled, so that the function may end
 * early. False everywhere else. */
RILL_API bool rill_thread_cancelled(void);

/* How many threads the pool has at most, from now on; the process starts with 8. Fewer end those
 * that have nothing to do, more help those who wait. From any thread. Returns 0, or RILL_EINVAL for
 * less than 1 or more than 1024. */
RILL_API int rill_thread_limit(int threads);

RILL_END_DECLS

#endif
