/*
 * What a task holds together with others: read locks and limiters' tokens. The lock cannot name all
 * its holders without memory for each, so the task does: in a few places of its own, which are
 * looked through from the newest.
 */
#include "runtime/sync_internal.h"

#include "base/fail.h"

static bool find(const rill__task *task, const void *object, unsigned *ret_at)
{
    for (unsigned i = task->held_count; i > 0; i--)
        if (task->held[i - 1] == object) {
            *ret_at = i - 1;
            return true;
        }
    return false;
}

int rill__held_refuse(const rill__task *task, const void *object, const char *what)
{
    unsigned at;
    if (find(task, object, &at))
        return rill__fail(RILL_EDEADLOCK, "%s: the task holds it already", what);
    return 0;
}

int rill__held_check(const rill__task *task, const void *object, const char *what)
{
    RILL__TRY(rill__held_refuse(task, object, what));
    if (task->held_count == RILL__HELD_MAX)
        return rill__fail(RILL_ELIMIT, "%s: a task holds at most %d read locks and tokens", what,
                          RILL__HELD_MAX);
    return 0;
}

void rill__held_add(rill__task *task, const void *object)
{
    assert(task->held_count < RILL__HELD_MAX);
    task->held[task->held_count++] = object;
}

bool rill__held_remove(rill__task *task, const void *object)
{
    unsigned at;
    if (!find(task, object, &at))
        return false;
    task->held[at] = task->held[--task->held_count];
    return true;
}
