/*
 * Synchronisation between tasks of one loop. Nothing here is for threads, or for tasks of two
 * loops.
 *
 *     rill_event      a flag that tasks wait for
 *     rill_mutex      one task at a time
 *     rill_rwlock     many that read, or one that writes
 *     rill_semaphore  so many at a time, counted
 *     rill_limiter    so many tasks at a time, each once; the number may change
 *     rill_condition  waiting, inside a mutex, for something to become true
 *     rill_barrier    a number of tasks that wait for each other
 *     rill_once       a function that runs once, however many ask for it
 *
 * An object lives wherever its owner puts it, and must not be moved or freed while a task holds it
 * or waits for it. The fields are the library's own. None of it allocates, none needs a finish, and
 * an object whose bytes are zero is as good as one from its _init (but a semaphore, limiter or
 * barrier with a number of zero lets nobody through).
 *
 * All are fair: who came first is served first, and whoever gives something up hands it straight to
 * that task, so that nobody slips in between. A task that was given something and is cancelled
 * afterwards still has it: the call returns 0, and the next wait fails. A task that is cancelled
 * while it waits gets nothing and leaves the queue. There are no timeout parameters: use
 * rill_within or a scope with a timeout. The _try_ calls never wait and ask for no cancellation;
 * they fail with RILL_EAGAIN where the others would wait.
 *
 * Calls that may wait fail with RILL_ENOTASK outside tasks, and with RILL_ECANCELED inside a
 * cancelled scope even when they would not have to wait.
 *
 * What a task locked stays locked when the task ends; that is an error of the program and logged.
 */
#ifndef RILL_SYNC_H
#define RILL_SYNC_H

#include <rill/error.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

/* ---- event ---- */

/* A flag that tasks wait for: asyncio.Event. */
typedef struct rill_event {
    void *waiters[2];
    bool set;
} rill_event;

/* An event that is not set. */
RILL_API void rill_event_init(rill_event *event);
/* Sets the flag and wakes every task that waits for it. */
RILL_API void rill_event_set(rill_event *event);
/* Takes the flag back; those who were woken stay so. Set and clear in a row wake all who wait now.
 */
RILL_API void rill_event_clear(rill_event *event);
RILL_API bool rill_event_is_set(const rill_event *event);
/* Waits until the flag is set; at once when it is. Returns 0 or RILL_ECANCELED. */
RILL_AWAITS RILL_API int rill_event_wait(rill_event *event);

/* ---- mutex ---- */

/* A lock that one task holds at a time: asyncio.Lock. It belongs to the task that locked it. */
typedef struct rill_mutex {
    void *waiters[2];
    uint64_t owner;
} rill_mutex;

/* A mutex that is unlocked. */
RILL_API void rill_mutex_init(rill_mutex *mutex);
/* Locks it, once every task that asked before has had it. Returns 0, or RILL_EDEADLOCK when the
 * calling task holds it already. Cancel  it was not locked. */
RILL_AWAITS RILL_API int rill_mutex_lock(rill_mutex *mutex);
/* Locks it when it is free. Returns 0, RILL_EAGAIN, or RILL_EDEADLOCK as above. */
RILL_API int rill_mutex_try_lock(rill_mutex *mutex);
/* Gives it to the task that has waited longest. Never waits. Returns 0, or RILL_EINVAL when the
 * calling task does not hold it: nothing changes then. */
RILL_API int rill_mutex_unlock(rill_mutex *mutex);
/* Whether any task holds it. */
RILL_API bool rill_mutex_is_locked(const rill_mutex *mutex);

/* ---- reader-writer lock ---- */

/* A lock that many tasks hold to read, or one to write. Served in the order of asking: readers that
 * stand together in the queue go together, and none overtakes a writer that came before. */
typedef struct rill_rwlock {
    void *waiters[2];
    uint64_t writer;
    size_t readers;
} rill_rwlock;

/* A lock that is unlocked. */
RILL_API void rill_rwlock_init(rill_rwlock *lock);
/* Locks it to read. Returns 0; RILL_EDEADLOCK when the calling task holds it already, to read or to
 * write; RILL_ELIMIT when the task holds 16 read locks and limiters' tokens as it is.
 * Cancel  it was not locked. */
RILL_AWAITS RILL_API int rill_rwlock_read(rill_rwlock *lock);
/* Locks it to write. Returns 0, or RILL_EDEADLOCK when the calling task holds it already: a task
 * that reads unlocks first. Cancel  it was not locked. */
RILL_AWAITS RILL_API int rill_rwlock_write(rill_rwlock *lock);
/* The same when it can be had at once; RILL_EAGAIN when it cannot. */
RILL_API int rill_rwlock_try_read(rill_rwlock *lock);
RILL_API int rill_rwlock_try_write(rill_rwlock *lock);
/* Ends what the calling task holds, reading or writing. Never waits. Returns 0, or RILL_EINVAL when
 * it holds nothing. */
RILL_API int rill_rwlock_unlock(rill_rwlock *lock);

/* ---- semaphore ---- */

/* A number that is taken down and put up, and never goes below zero: asyncio.Semaphore. It belongs
 * to nobody: one task may acquire and another release. */
typedef struct rill_semaphore {
    void *waiters[2];
    size_t value;
    size_t bound;
} rill_semaphore;

/* A semaphore that so many can acquire. */
RILL_API void rill_semaphore_init(rill_semaphore *semaphore, size_t value);
/* One whose value never goes above `bound`: asyncio.BoundedSemaphore. Returns 0, or RILL_EINVAL
 * when `value` is above it: then it is `bound`. */
RILL_API int rill_semaphore_init_bounded(rill_semaphore *semaphore, size_t value, size_t bound);
/* Waits until the value is above zero, and takes one. Cancel  none was taken. */
RILL_AWAITS RILL_API int rill_semaphore_acquire(rill_semaphore *semaphore);
/* Takes one when the value is above zero. Returns 0 or RILL_EAGAIN. Also outside tasks. */
RILL_API int rill_semaphore_try_acquire(rill_semaphore *semaphore);
/* Puts one back: the task that has waited longest gets it. Never waits; also outside tasks. Returns
 * 0, or RILL_EINVAL when the value is at its bound: one was released too often. */
RILL_API int rill_semaphore_release(rill_semaphore *semaphore);
/* How many could acquire it now without waiting. */
RILL_API size_t rill_semaphore_value(const rill_semaphore *semaphore);

/* ---- capacity limiter ---- */

/* So many tokens, of which a task borrows one for as long as it does something costly:
 * trio.CapacityLimiter. A semaphore that knows who holds what. */
typedef struct rill_limiter {
    void *waiters[2];
    size_t total;
    size_t borrowed;
} rill_limiter;

/* A limiter of so many tokens; SIZE_MAX for no limit. */
RILL_API void rill_limiter_init(rill_limiter *limiter, size_t total);
/* Borrows a token for the calling task. Returns 0; RILL_EDEADLOCK when the task has one already;
 * RILL_ELIMIT when it holds 16 tokens of others and read locks. Cancel  none was borrowed. */
RILL_AWAITS RILL_API int rill_limiter_acquire(rill_limiter *limiter);
/* Borrows one when there is one. Returns 0, RILL_EAGAIN, or as above. */
RILL_API int rill_limiter_try_acquire(rill_limiter *limiter);
/* Gives the calling task's token back. Never waits. Returns 0, or RILL_EINVAL when it has none. */
RILL_API int rill_limiter_release(rill_limiter *limiter);
/* Changes how many tokens there are. More: tasks that wait get them at once. Fewer: no token is
 * taken from anybody, but none is lent until enough have come back. Also outside tasks. */
RILL_API void rill_limiter_set_total(rill_limiter *limiter, size_t total);
RILL_API size_t rill_limiter_total(const rill_limiter *limiter);
/* How many tokens are lent now: more than the total, for a while, after it was lowered. */
RILL_API size_t rill_limiter_borrowed(const rill_limiter *limiter);

/* ---- condition ---- */

/* Where tasks that hold a mutex wait for a change to what it protects: asyncio.Condition.
 *     rill_mutex_lock(&mutex);
 *     while (rc == 0 && queue_is_empty())
 *         rc = rill_condition_wait(&changed, &mutex);
 *     …
 *     rill_mutex_unlock(&mutex); */
typedef struct rill_condition {
    void *waiters[2];
} rill_condition;

/* A condition that nobody waits for. */
RILL_API void rill_condition_init(rill_condition *condition);
/* Unlocks the mutex, waits to be notified, and locks it again. Returns 0, or RILL_EINVAL when the
 * calling task does not hold the mutex. Another task may have had the mutex first: look again at
 * what was waited for.
 * Cancel  reaches the waiting but not the locking: whatever it returns, the mutex is held. Who was
 *         notified before it was cancelled gets 0. */
RILL_AWAITS RILL_API int rill_condition_wait(rill_condition *condition, rill_mutex *mutex);
/* Wakes so many of the tasks that have waited longest, or as many as there are. Never waits. The
 * caller need not hold the mutex. */
RILL_API void rill_condition_notify(rill_condition *condition, size_t count);
RILL_API void rill_condition_notify_all(rill_condition *condition);

/* ---- barrier ---- */

/* Where a number of tasks wait until all are there, again and again: asyncio.Barrier. */
typedef struct rill_barrier {
    void *waiters[2];
    unsigned parties;
    unsigned waiting;
    bool broken;
} rill_barrier;

/* A barrier for so many tasks. Returns 0; RILL_EINVAL for none of them or above INT_MAX, and then
 * it is one that is broken for good. */
RILL_API int rill_barrier_init(rill_barrier *barrier, unsigned parties);
/* Waits until as many tasks as there are parties wait; then all go on, and the barrier is as new.
 * Returns the task's place, 0 for the first that came to parties - 1 for the last, each once;
 * RILL_EBROKEN when the barrier is broken, or was aborted or reset meanwhile.
 * Cancel  the task leaves, and the others wait for one more: as in asyncio, that breaks nothing. */
RILL_AWAITS RILL_API int rill_barrier_wait(rill_barrier *barrier);
/* Breaks it: all who wait, and who come before a reset, get RILL_EBROKEN. Never waits. */
RILL_API void rill_barrier_abort(rill_barrier *barrier);
/* Makes it as new; all who wait get RILL_EBROKEN. Never waits. */
RILL_API void rill_barrier_reset(rill_barrier *barrier);
/* How many tasks wait there now. */
RILL_API unsigned rill_barrier_waiting(const rill_barrier *barrier);
RILL_API bool rill_barrier_is_broken(const rill_barrier *barrier);

/* ---- once ---- */

/* Runs a function for the first who asks, and lets the others wait for its result: for what is made
 * on first use. A static one needs no init. */
typedef struct rill_once {
    void *waiters[2];
    uint64_t runner;
    int result;
    bool done;
} rill_once;

/* One that has not run. */
RILL_API void rill_once_init(rill_once *once);
/* Calls fn(arg), unless it was called before and went well; when another task is about it, waits
 * for that one. When it fails there, or is cancelled, the task that has waited longest tries.
 * Returns  what fn returned, here or for another task: a failure only to the task that ran it;
 *          RILL_EDEADLOCK when fn itself asks for it.
 * Cancel   of a task that waits: it leaves. Of the one that runs fn: as fn takes it. */
RILL_AWAITS RILL_API int rill_once_run(rill_once *once, rill_task_fn *fn, void *arg);
/* Whether fn was run and went well. */
RILL_API bool rill_once_done(const rill_once *once);

/* ---- until the end of the block ---- */

/* Each locks (or acquires) and returns its argument; NULL, with the error in place, on failure. In
 * a variable of rill_auto it is unlocked at the end of the block, however that is left:
 *     rill_auto(rill_mutex) held = rill_mutex_hold(&mutex);
 *     if (!held)
 *         return rill_errcode(); */
RILL_AWAITS static inline rill_mutex *rill_mutex_hold(rill_mutex *mutex)
{
    return rill_mutex_lock(mutex) < 0 ? NULL : mutex;
}
RILL_AWAITS static inline rill_rwlock *rill_rwlock_hold_read(rill_rwlock *lock)
{
    return rill_rwlock_read(lock) < 0 ? NULL : lock;
}
RILL_AWAITS static inline rill_rwlock *rill_rwlock_hold_write(rill_rwlock *lock)
{
    return rill_rwlock_write(lock) < 0 ? NULL : lock;
}
RILL_AWAITS static inline rill_semaphore *rill_semaphore_hold(rill_semaphore *semaphore)
{
    return rill_semaphore_acquire(semaphore) < 0 ? NULL : semaphore;
}
RILL_AWAITS static inline rill_limiter *rill_limiter_hold(rill_limiter *limiter)
{
    return rill_limiter_acquire(limiter) < 0 ? NULL : limiter;
}

/* What rill_auto calls at the end of the block. */
static inline void rill_mutex_cleanup(rill_mutex **held)
{
    if (*held)
        rill_mutex_unlock(*held);
}
static inline void rill_rwlock_cleanup(rill_rwlock **held)
{
    if (*held)
        rill_rwlock_unlock(*held);
}
static inline void rill_semaphore_cleanup(rill_semaphore **held)
{
    if (*held)
        rill_semaphore_release(*held);
}
static inline void rill_limiter_cleanup(rill_limiter **held)
{
    if (*held)
        rill_limiter_release(*held);
}

RILL_END_DECLS

#endif
