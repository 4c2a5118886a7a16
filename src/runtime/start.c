/*
 * Starting a task and waiting until it is ready. Until then it belongs to who starts it; only then
 * does it move to the group that was named, so that a start that fails is no failure of the group.
 */
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <rill/join.h>

/* Lies on the stack of the task that waits. */
struct rill__starter {
    rill__joiner joiner;
    rill__task *child;
    rill_group *group; /* that the child will belong to, or NULL */
    bool given_up;     /* it was cancelled, and waits for the child's end */
};

static rill__abort abort_start(void *arg)
{
    struct rill__starter *starter = arg;
    starter->given_up = true;
    rill__scope_cancel(&starter->child->root, RILL__CAUSE_SHUTDOWN,
                       "the task that starts it was cancelled");
    return RILL__ABORT_PENDING;
}

static int wait_until_started(struct rill__starter *starter, const char *name)
{
    rill__join_later(starter->child, &starter->joiner);
    starter->child->starter = starter;
    rill__waits_for(RILL__SUBJECT_TASK, starter->child);
    RILL__TRY(rill__park("a task to be ready", abort_start, starter));
    if (starter->given_up)
        return rill__fail_canceled("start");
    if (starter->joiner.ended && starter->joiner.result >= 0)
        return rill__fail(RILL_EFAILED, "start '%s': it ended before it was ready", name);
    return starter->joiner.ended ? starter->joiner.result : 0;
}

rill_task rill_start_with(rill_task_fn *fn, const rill_spawn_opts *given)
{
    rill_task none = { 0 };
    rill_spawn_opts opts;
    rill__opts_read(opts, given);
    struct rill__starter starter = { .group = opts.group };
    if (rill__checkpoint("start") < 0)
        return none;
    if (opts.group && rill__group_take_place(opts.group) < 0)
        return none;
    opts.group = NULL;
    rill_task handle = rill_spawn_with(fn, &opts);
    bool ready = false;
    if (handle.id) {
        starter.child = rill__task_find(handle);
        ready = wait_until_started(&starter, opts.name ? opts.name : "task") == 0;
    }
    if (!ready && starter.group)
        rill__group_give_place(starter.group);
    return ready ? handle : none;
}

int rill_started(void)
{
    RILL__TRY(rill__checkpoint("started"));
    rill__task *task = rill__current();
    struct rill__starter *starter = task->starter;
    if (!starter)
        return 0;
    if (starter->given_up)
        return rill__fail(RILL_ECANCELED, "started: who waited for it was cancelled");
    task->starter = NULL;
    rill__task_unwatch(&starter->joiner.watch);
    if (starter->group)
        rill__group_adopt(starter->group, task);
    rill__wake(starter->joiner.task);
    return 0;
}
