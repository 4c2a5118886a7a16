/*
 * Groups: scopes that own tasks.
 *
 * A member that ends is taken into account and freed at once, so a group costs no memory for what
 * is over. The first failure cancels the group, is kept, and is what its end returns.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

_Static_assert(sizeof(struct rill__member) == sizeof(rill__list), "a member is a list node");

static rill__list *member_list(rill_group *group)
{
    return (rill__list *)(void *)&group->members;
}

static rill__list *spawner_list(rill_group *group)
{
    return (rill__list *)(void *)&group->spawners;
}

int rill_group_begin_with(const rill_group_opts *given)
{
    rill_group_opts opts;
    rill__opts_read(opts, given);
    rill_group *group = opts.group;
    RILL__TRY(rill_scope_begin(&group->scope, .timeout = opts.timeout));
    rill__list_init(member_list(group));
    rill__list_init(spawner_list(group));
    group->ender = NULL;
    group->count = 0;
    group->limit = opts.limit;
    group->error = NULL;
    group->code = 0;
    group->supervisor = opts.supervisor;
    group->cut_short = false;
    group->whole = false;
    group->open = true;
    return 0;
}

/* ---- places ---- */

/* A task that waits for a place: lies on its stack. */
struct spawner {
    rill__list link; /* rill_group.spawners */
    rill__task *task;
};

static rill__abort abort_spawner(void *arg)
{
    struct spawner *spawner = arg;
    rill__list_remove(&spawner->link);
    return RILL__ABORTED;
}

int rill__group_take_place(rill_group *group)
{
    if (!group->open)
        return rill__fail(RILL_EINVAL, "spawn: the group has ended");
    if (group->limit == 0 || group->count < group->limit) {
        group->count++;
        return 0;
    }
    struct spawner spawner = { .task = rill__current() };
    rill__list_append(spawner_list(group), &spawner.link);
    return rill__park("a place in the group", abort_spawner, &spawner);
}

/* The place goes straight to the one who has waited longest, so that nobody can come in between and
 * the group cannot end meanwhile. */
void rill__group_give_place(rill_group *group)
{
    rill__list *node = rill__list_pop(spawner_list(group));
    if (node) {
        rill__wake(rill__container(node, struct spawner, link)->task);
        return;
    }
    group->count--;
    if (group->count == 0 && group->ender) {
        rill__task *ender = group->ender;
        group->ender = NULL;
        group->whole = !rill__scope_is_cancelled(&group->scope);
        rill__wake(ender);
    }
}

/* ---- members ---- */

static void link_member(rill_group *group, rill__task *task)
{
    task->group = group;
    rill__list_append(member_list(group), (rill__list *)(void *)&task->member);
}

void rill__group_add(rill_group *group, rill__task *task)
{
    link_member(group, task);
    rill__scope_open(&task->root, &group->scope, task);
}

void rill__group_adopt(rill_group *group, rill__task *task)
{
    rill__list_remove(&task->sibling);
    task->parent = NULL;
    task->detached = false;
    link_member(group, task);
    rill__scope_move(&task->root, &group->scope);
}

static void keep_failure(rill_group *group, rill__task *task)
{
    if (group->code == 0) {
        group->code = task->result;
        rill__error_move(&task->error, &group->error);
    }
    rill__scope_cancel(&group->scope, RILL__CAUSE_SIBLING, "another task of the group failed");
}

void rill__group_member_done(rill__task *task)
{
    rill_group *group = task->group;
    if (task->result == RILL_ECANCELED)
        group->cut_short = true;
    else if (task->result < 0 && group->supervisor)
        rill__report_unjoined(task);
    else if (task->result < 0)
        keep_failure(group, task);
    rill__list_remove((rill__list *)(void *)&task->member);
    rill__task_free(task);
    rill__group_give_place(group);
}

void rill_group_cancel(rill_group *group, const char *reason)
{
    rill_scope_cancel(&group->scope, reason);
}

/* ---- the end ---- */

/* What the group as a whole returns once all its tasks have ended and none of them failed. */
static int outcome(const rill_group *group, int rc)
{
    const rill_scope *origin = group->scope.origin;
    if (origin && origin != &group->scope && !group->whole)
        return rill__fail_canceled("group");
    rill__cause cause = (rill__cause)group->scope.cause;
    if (cause == RILL__CAUSE_DEADLINE && (group->cut_short || rc == RILL_ECANCELED))
        return rill__fail(RILL_ETIMEDOUT, "group: the time was up");
    return cause == RILL__CAUSE_CANCEL && rc == RILL_ECANCELED ? 0 : rc;
}

/* Whether the running task may end the group now. */
static int check_end(const rill_group *group)
{
    const rill__task *task = rill__current();
    if (group->open && task->scope == &group->scope)
        return 0;
    if (group->open && task != group->scope.task)
        for (const rill_scope *at = task->scope; at; at = at->parent)
            if (at == &group->scope)
                return rill__fail(RILL_EDEADLOCK,
                                  "group: a task inside it cannot wait for its end");
    return rill__fail(RILL_EINVAL, "group: ended twice, by a task that did not begin it, or before "
                                   "a scope that began inside it");
}

int rill_group_end(rill_group *group, int rc)
{
    RILL__TRY(rill__need_task("group"));
    RILL__TRY(check_end(group));
    /* The caller's part failed, and not because a task had failed before. */
    bool first = rc < 0 && rc != RILL_ECANCELED && group->code == 0;
    if (rc < 0)
        rill__scope_cancel(&group->scope, RILL__CAUSE_SIBLING, "the group's owner failed");
    if (group->count > 0) {
        group->ender = rill__current();
        rill__park("the tasks of its group", NULL, NULL);
    }
    group->open = false;
    int result = rc;
    if (group->code < 0 && !first) {
        rill__error_move(&group->error, &rill__current()->error);
        result = group->code;
    } else if (!first) {
        result = outcome(group, rc);
    }
    rill__error_free(&group->error);
    rill_scope_end(&group->scope, 0);
    return result;
}
