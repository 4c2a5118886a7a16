/*
 * The mutex. It names its owner by the task's id, which no later task has, so an owner that has
 * ended is never taken for another. Unlocking makes the first waiter the owner before it runs.
 */
#include "base/fail.h"
#include "runtime/source.h"
#include "runtime/sync_internal.h"

void rill_mutex_init(rill_mutex *mutex)
{
    *mutex = (rill_mutex){ 0 };
}

static void give(rill_mutex *mutex, rill__task *task)
{
    mutex->owner = task->id;
    task->locks++;
}

static int held_already(void)
{
    return rill__fail(RILL_EDEADLOCK, "lock: the task holds this mutex already");
}

int rill_mutex_lock(rill_mutex *mutex)
{
    RILL__TRY(rill__point("lock"));
    rill__task *task = rill__this_loop->current;
    if (mutex->owner) {
        if (mutex->owner == task->id)
            return held_already();
        rill__waits_for(RILL__SUBJECT_OWNER, &mutex->owner);
        return rill__awaited(rill__waitq_wait(rill__queue_in(mutex->waiters), "a mutex"));
    }
    give(mutex, task);
    return 0;
}

int rill_mutex_try_lock(rill_mutex *mutex)
{
    RILL__TRY(rill__need_task("lock"));
    rill__task *task = rill__current();
    if (mutex->owner == task->id)
        return held_already();
    if (mutex->owner)
        return rill__fail(RILL_EAGAIN, "lock: another task holds the mutex");
    give(mutex, task);
    return 0;
}

static int not_held(const rill_mutex *mutex)
{
    RILL__TRY(rill__need_task("unlock"));
    return rill__fail(RILL_EINVAL, "unlock: %s",
                      mutex->owner ? "another task holds the mutex" : "the mutex is not locked");
}

int rill_mutex_unlock(rill_mutex *mutex)
{
    rill__loop *loop = rill__this_loop;
    rill__task *task = loop ? loop->current : NULL;
    if (!task || mutex->owner != task->id)
        return not_held(mutex);
    task->locks--;
    mutex->owner = 0;
    rill__waitq *queue = rill__queue_in(mutex->waiters);
    if (rill__list_empty(&queue->waiters))
        return 0;
    rill__waiter *next = rill__waitq_first(queue);
    give(mutex, next->task);
    rill__waiter_finish(next, 0);
    return 0;
}

bool rill_mutex_is_locked(const rill_mutex *mutex)
{
    return mutex->owner != 0;
}

/* ---- in a select ---- */

static int attempt(rill_case *self)
{
    rill_mutex *mutex = self->subject;
    rill__task *task = rill__current();
    if (mutex->owner)
        return mutex->owner == task->id ? RILL_EDEADLOCK : RILL_EAGAIN;
    give(mutex, task);
    return 0;
}

static void enter(rill_case *self)
{
    rill_mutex *mutex = self->subject;
    rill__case_enter(self, rill__queue_in(mutex->waiters));
}

static int fail(const rill_case *self, int result)
{
    (void)self;
    return result == RILL_EDEADLOCK ? held_already() : result;
}

rill_case rill_case_lock(rill_mutex *mutex)
{
    static const rill__source source = { .attempt = attempt, .enter = enter, .fail = fail };
    return mutex ? rill__case(&source, mutex, NULL) : rill__case_never();
}
