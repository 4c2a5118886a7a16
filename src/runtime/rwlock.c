/*
 * The reader-writer lock: one queue for both kinds, served in order, so that neither kind can keep
 * the other waiting for ever. A waiter's slot says which it is: the lock for a writer, NULL for a
 * reader.
 */
#include "base/fail.h"
#include "runtime/sync_internal.h"

void rill_rwlock_init(rill_rwlock *lock)
{
    *lock = (rill_rwlock){ 0 };
}

static void give(rill_rwlock *lock, rill__task *task, bool writes)
{
    if (writes) {
        lock->writer = task->id;
        task->locks++;
    } else {
        lock->readers++;
        rill__held_add(task, lock);
    }
}

static bool may_have(const rill_rwlock *lock, bool writes)
{
    return lock->writer == 0 && (!writes || lock->readers == 0);
}

static void admit(rill_rwlock *lock)
{
    rill__waitq *queue = rill__queue_in(lock->waiters);
    rill__waiter *next;
    while ((next = rill__waitq_first(queue)) && may_have(lock, next->slot != NULL)) {
        give(lock, next->task, next->slot != NULL);
        rill__waiter_finish(next, 0);
    }
}

/* Returns 1 when the task has got it, 0 when it has to wait. */
static int take(rill_rwlock *lock, bool writes, const char *what)
{
    rill__task *task = rill__current();
    if (lock->writer == task->id)
        return rill__fail(RILL_EDEADLOCK, "%s: the task holds it already", what);
    RILL__TRY(writes ? rill__held_refuse(task, lock, what) : rill__held_check(task, lock, what));
    if (!may_have(lock, writes) || !rill__waitq_empty(rill__queue_in(lock->waiters)))
        return 0;
    give(lock, task, writes);
    return 1;
}

struct waiting {
    rill__waiter waiter;
    rill_rwlock *lock;
};

/* A writer that leaves may have kept readers behind it waiting: they need not wait until it runs,
 * and by then the lock may be gone. */
static rill__abort leave(void *arg)
{
    struct waiting *waiting = arg;
    rill__list_remove(&waiting->waiter.link);
    admit(waiting->lock);
    return RILL__ABORTED;
}

static int lock_or_wait(rill_rwlock *lock, bool writes, const char *what)
{
    RILL__TRY(rill__point(what));
    int rc = take(lock, writes, what);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rill__waits_for(RILL__SUBJECT_OWNER, &lock->writer);
    struct waiting waiting = {
        .waiter = { .task = rill__current(), .slot = writes ? lock : NULL },
        .lock = lock,
    };
    rill__list_append(&rill__queue_in(lock->waiters)->waiters, &waiting.waiter.link);
    return rill__awaited(rill__park(what, leave, &waiting));
}

static int try_lock(rill_rwlock *lock, bool writes, const char *what)
{
    RILL__TRY(rill__need_task(what));
    int rc = take(lock, writes, what);
    if (rc == 0)
        return rill__fail(RILL_EAGAIN, "%s: others hold the lock, or wait for it", what);
    return rc < 0 ? rc : 0;
}

int rill_rwlock_read(rill_rwlock *lock)
{
    return lock_or_wait(lock, false, "a lock to read");
}

int rill_rwlock_write(rill_rwlock *lock)
{
    return lock_or_wait(lock, true, "a lock to write");
}

int rill_rwlock_try_read(rill_rwlock *lock)
{
    return try_lock(lock, false, "a lock to read");
}

int rill_rwlock_try_write(rill_rwlock *lock)
{
    return try_lock(lock, true, "a lock to write");
}

int rill_rwlock_unlock(rill_rwlock *lock)
{
    RILL__TRY(rill__need_task("unlock"));
    rill__task *task = rill__current();
    if (lock->writer == task->id) {
        lock->writer = 0;
        task->locks--;
    } else if (rill__held_remove(task, lock)) {
        lock->readers--;
    } else {
        return rill__fail(RILL_EINVAL, "unlock: the task does not hold the lock");
    }
    admit(lock);
    return 0;
}
