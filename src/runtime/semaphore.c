/* The semaphore. Tasks wait only while its value is zero: what is released goes to the first. */
#include "base/fail.h"
#include "runtime/source.h"
#include "runtime/sync_internal.h"

void rill_semaphore_init(rill_semaphore *semaphore, size_t value)
{
    *semaphore = (rill_semaphore){ .value = value, .bound = SIZE_MAX };
}

int rill_semaphore_init_bounded(rill_semaphore *semaphore, size_t value, size_t bound)
{
    *semaphore = (rill_semaphore){ .value = value < bound ? value : bound, .bound = bound };
    if (value > bound)
        return rill__fail(RILL_EINVAL, "semaphore: a value of %zu is above the bound of %zu", value,
                          bound);
    return 0;
}

int rill_semaphore_acquire(rill_semaphore *semaphore)
{
    RILL__TRY(rill__point("semaphore"));
    if (semaphore->value == 0)
        return rill__awaited(rill__waitq_wait(rill__queue_in(semaphore->waiters), "a semaphore"));
    semaphore->value--;
    return 0;
}

int rill_semaphore_try_acquire(rill_semaphore *semaphore)
{
    if (semaphore->value == 0)
        return rill__fail(RILL_EAGAIN, "semaphore: its value is zero");
    semaphore->value--;
    return 0;
}

static int released_too_often(const rill_semaphore *semaphore)
{
    return rill__fail(RILL_EINVAL, "semaphore: released too often, its bound is %zu",
                      semaphore->bound);
}

int rill_semaphore_release(rill_semaphore *semaphore)
{
    rill__waitq *queue = rill__queue_in(semaphore->waiters);
    if (semaphore->value >= semaphore->bound)
        return released_too_often(semaphore);
    if (rill__list_empty(&queue->waiters))
        semaphore->value++;
    else
        rill__waitq_wake_one(queue);
    return 0;
}

size_t rill_semaphore_value(const rill_semaphore *semaphore)
{
    return semaphore->value;
}

/* ---- in a select ---- */

static int attempt(rill_case *self)
{
    rill_semaphore *semaphore = self->subject;
    if (semaphore->value == 0)
        return RILL_EAGAIN;
    semaphore->value--;
    return 0;
}

static void enter(rill_case *self)
{
    rill_semaphore *semaphore = self->subject;
    rill__case_enter(self, rill__queue_in(semaphore->waiters));
}

rill_case rill_case_acquire(rill_semaphore *semaphore)
{
    static const rill__source source = { .attempt = attempt, .enter = enter };
    return semaphore ? rill__case(&source, semaphore, NULL) : rill__case_never();
}
