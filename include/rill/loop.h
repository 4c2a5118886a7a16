/*
 * Loops and threads: several loops in several threads, calls and tasks from one to another, and
 * loops that are turned by somebody else's.
 *
 *     rill_loop_start(fn, arg)            a loop in a new thread; …_stop and …_join end it
 *     rill_spawn_on(loop, fn, arg, …)     a task on another loop; rill_remote_join, …_cancel
 *     rill_run_on(loop, fn, arg)          the same, and waits for it
 *     rill_call_soon_threadsafe(loop, …)  has a function called by a loop, from any thread
 *     rill_loop_new, …_fd, …_run_once     a loop inside another: libuv's, glib's, a game's
 *
 * A loop belongs to its thread, and so does everything that was made on it: tasks, streams,
 * sessions, events. Nothing of it may be used from another thread but what this header says. A
 * task's handle is stale (RILL_ESTALE) on every loop but its own.
 *
 * SIGINT and SIGTERM are for the first loop that rill_run began; the others end when they are told.
 *
 * The child of a fork has no loops but the one whose task forked it, if one did. That loop is its
 * parent's as well, down to the descriptors: such a child must exec or _exit, and rill_run fails in
 * it. Any other child may run loops of its own, and the signals do again there what they did before
 * the parent's loops.
 */
#ifndef RILL_LOOP_H
#define RILL_LOOP_H

#include <rill/task.h>

RILL_BEGIN_DECLS

/* A loop, as other threads refer to it. */
typedef struct rill_loop rill_loop;

/* This thread's loop, or NULL. Borrowed: it is there as long as the loop is. */
RILL_API rill_loop *rill_loop_current(void);
/* A reference for somebody else, most of all another thread: it is safe to use even when the loop
 * has ended, which is then an error. While there is one, the loop does not take tasks that all wait
 * for a deadlock. Any thread. */
RILL_API rill_loop *rill_loop_ref(rill_loop *loop);
RILL_API void rill_loop_unref(rill_loop *loop);

/* ---- calls ---- */

typedef void rill_call_fn(void *arg);

/* Has fn(arg) called by the loop, outside tasks: so it cannot wait, but it may set events, cancel
 * tasks or spawn_on its own loop. From any thread, the loop's own among them, but not from signal
 * handlers, since it allocates. Calls from one thread are made in their order.
 * Returns 0: it will be called, also when the loop is about to end; RILL_ECLOSED when the loop has
 * ended or RILL_ENOMEM: it will not, and what arg points to is still the caller's. */
RILL_API int rill_call_soon_threadsafe(rill_loop *loop, rill_call_fn *fn, void *arg);

/* ---- tasks on other loops ---- */

/* A task of another loop. */
typedef struct rill_remote rill_remote;

/* Starts fn(arg) as a task of that loop, from any thread. The task belongs to the loop, as a
 * detached one does: it may outlive its spawner, and is cancelled when its loop ends.
 *     rill_auto(rill_remote) job = rill_spawn_on(loop, crunch, &data, .name = "crunch");
 *     rc = rill_remote_join(job);
 * Returns the task; NULL with the error: RILL_ECLOSED when the loop's first task has ended,
 * RILL_ENOMEM. fn runs exactly once if a task was returned; only if that loop has no memory for its
 * stack it does not, and joining gives RILL_ENOMEM. */
#define rill_spawn_on(loop, fn, ...)                                                               \
    rill_spawn_on_with(                                                                            \
        (loop), (fn),                                                                              \
        RILL_OPTS(rill_spawn_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_API rill_remote *rill_spawn_on_with(rill_loop *loop, rill_task_fn *fn,
                                         const rill_spawn_opts *opts);

/* Waits for its end and returns what its function returned; its error becomes the caller's. A task
 * waits as ever; a thread without a loop is blocked. Several may join, and again.
 * Errors  RILL_ENOTASK  in a thread that has a loop, outside tasks: it would stand still.
 * Cancel  the remote task goes on, and can be joined again. */
RILL_AWAITS RILL_API int rill_remote_join(rill_remote *remote);

typedef struct rill_remote_cancel_opts {
    size_t size;
    rill_remote *remote;
    const char *reason; /* why, for messages; copied, up to 95 bytes */
} rill_remote_cancel_opts;

/* Asks it to end, as rill_cancel does, from any thread. Never waits; the first reason is kept. NULL
 * is fine.
 *     rill_remote_cancel(job, .reason = "no longer needed"); */
#define rill_remote_cancel(...)                                                                    \
    rill_remote_cancel_with(RILL_OPTS(rill_remote_cancel_opts, .remote = __VA_ARGS__))
RILL_API void rill_remote_cancel_with(const rill_remote_cancel_opts *opts);

/* The same without waiting, from anywhere: RILL_EAGAIN when it has not ended. */
RILL_API int rill_remote_result(rill_remote *remote);
/* Whether it has ended. Any thread. */
RILL_API bool rill_remote_done(rill_remote *remote);
/* Lets go of it; a task that still runs goes on. A failure that nobody joined is logged. NULL is
 * fine. */
RILL_API void rill_remote_free(rill_remote *remote);
RILL_DEFINE_AUTO(rill_remote)

/* Calls fn(arg) as a task of that loop and waits for its end: spawn_on and join in one, with the
 * same results.
 * Cancel  reaches the remote task; its end is awaited, so arg may lie on the caller's stack. */
#define rill_run_on(loop, fn, ...)                                                                 \
    rill_run_on_with(                                                                              \
        (loop), (fn),                                                                              \
        RILL_OPTS(rill_spawn_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_run_on_with(rill_loop *loop, rill_task_fn *fn,
                                          const rill_spawn_opts *opts);

/* ---- loops in threads of their own ---- */

/* Runs a loop in a new thread, with fn(arg) as its first task: the loop ends when that does. NULL
 * as fn makes a loop that waits for what is spawned on it, until it is stopped.
 *     rill_loop *worker = rill_loop_start(NULL, NULL, .name = "worker");
 *     …
 *     rill_loop_stop(worker);
 *     rill_loop_join(worker);
 *     rill_loop_unref(worker);
 * Returns a reference to the loop; NULL with RILL_EOS or RILL_ENOMEM. Any thread. */
#define rill_loop_start(fn, ...)                                                                   \
    rill_loop_start_with(                                                                          \
        (fn), RILL_OPTS(rill_spawn_opts, .file = __FILE__, .line = __LINE__, .arg = __VA_ARGS__))
RILL_API rill_loop *rill_loop_start_with(rill_task_fn *fn, const rill_spawn_opts *opts);
/* Cancels its first task. Never waits. Any thread. Returns 0, also when it has ended already, or
 * RILL_EINVAL for a loop that rill_loop_start has not made. */
RILL_API int rill_loop_stop(rill_loop *loop);
/* Waits until the loop has ended and returns what its first task returned; its error becomes the
 * caller's. A task waits as ever; a thread without a loop is blocked.
 * Errors  RILL_EDEADLOCK for the loop itself, RILL_EINVAL as above, RILL_ENOTASK as of
 *         rill_remote_join.
 * Cancel  the loop goes on, and can be joined again. */
RILL_AWAITS RILL_API int rill_loop_join(rill_loop *loop);

/* ---- loops inside another ---- */

/* Makes a loop for this thread that somebody else's loop turns. All of its functions are for this
 * thread. Tasks come to it by rill_spawn_on, which needs no task to be called from.
 * Returns the loop; NULL with RILL_EINVAL when the thread has one, RILL_EOS or RILL_ENOMEM. */
RILL_API rill_loop *rill_loop_new(void);
/* A descriptor that can be read when the loop should be turned: because of I/O, a timer or a call
 * from another thread. Only to be watched. */
RILL_API int rill_loop_fd(const rill_loop *loop);
/* Turns it once: runs what is ready, waits at most `timeout` seconds for I/O and timers (0: not at
 * all), and runs what that made ready. To be called when the descriptor can be read.
 * Returns 1 while it has tasks, 0 when none is left; RILL_EINVAL for a loop that is not this
 * thread's, or from inside itself. */
RILL_API int rill_loop_run_once(rill_loop *loop, double timeout);
/* Ends it: cancels what is left of its tasks and turns until all have ended. NULL is fine. */
RILL_API void rill_loop_free(rill_loop *loop);
RILL_DEFINE_AUTO(rill_loop)

RILL_END_DECLS

#endif
