/*
 * Groups: scopes that own tasks; and gather, which is a group over an array.
 *
 * A member that ends is taken into account and freed at once, so a group costs no memory for what
 * is over. The first failure cancels the group, is kept, and is what its end returns.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <stdio.h>

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
        rill__wake(ender);
    }
}

/* ---- members ---- */

void rill__group_add(rill_group *group, rill__task *task)
{
    task->group = group;
    rill__list_append(member_list(group), (rill__list *)(void *)&task->member);
    rill__scope_open(&task->root, &group->scope, task);
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
    rill__scope_cancel(&group->scope, RILL__CAUSE_CANCEL, reason);
}

/* ---- the end ---- */

/* What the group as a whole returns once all its tasks have ended and none of them failed. */
static int outcome(const rill_group *group, int rc)
{
    const rill_scope *origin = group->scope.origin;
    if (origin && origin != &group->scope)
        return rill__fail_canceled("group");
    rill__cause cause = (rill__cause)group->scope.cause;
    if (cause == RILL__CAUSE_DEADLINE && (group->cut_short || rc == RILL_ECANCELED))
        return rill__fail(RILL_ETIMEDOUT, "group: the time was up");
    return cause == RILL__CAUSE_CANCEL && rc == RILL_ECANCELED ? 0 : rc;
}

int rill_group_end(rill_group *group, int rc)
{
    RILL__TRY(rill__need_task("group"));
    if (!group->open || rill__current()->scope != &group->scope)
        return rill__fail(RILL_EINVAL,
                          "group: ended twice, or before a scope that began inside it");
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

/* ---- gather ---- */

struct gather {
    char *items;
    size_t item_size;
    rill_task_fn *fn;
    rill_error *errors;
};

static rill_error failure_of(int code)
{
    const rill_error *last = rill_last_error();
    rill_error error = { .code = code };
    if (last->code == code)
        return *last;
    snprintf(error.message, sizeof error.message, "%s", rill_code_text(code));
    return error;
}

/* Runs one element. Which one it is comes by the task itself: its `arg` is the element. */
static int run_element(void *arg)
{
    rill__task *task = rill__current();
    const struct gather *gather = task->group_arg;
    int rc = gather->fn(arg);
    if (!gather->errors)
        return rc;
    size_t index = (size_t)((char *)arg - gather->items) / gather->item_size;
    gather->errors[index] = rc < 0 ? failure_of(rc) : (rill_error){ 0 };
    return 0;
}

static int spawn_element(rill_group *group, struct gather *gather, size_t index,
                         const rill_gather_opts *opts)
{
    rill_task handle =
        rill_spawn_with(run_element, &(rill_spawn_opts){
                                         .size = sizeof(rill_spawn_opts),
                                         .arg = gather->items + index * gather->item_size,
                                         .name = opts->name ? opts->name : "gather",
                                         .group = group,
                                         .stack = opts->stack,
                                     });
    if (!handle.id)
        return rill_errcode();
    rill__task_find(handle)->group_arg = gather;
    return 0;
}

/* The elements from `first` on were never started. */
static int leave_out(const rill_gather_opts *opts, size_t first, size_t count, int rc)
{
    for (size_t i = first; opts->errors && i < count; i++)
        opts->errors[i] = failure_of(rc);
    return rc;
}

int rill_gather_with(void *items, size_t count, size_t item_size, const rill_gather_opts *given)
{
    rill_gather_opts opts;
    rill__opts_read(opts, given);
    rill_group group;
    struct gather gather = { items, item_size, opts.fn, opts.errors };
    int rc = rill__checkpoint("gather");
    if (rc < 0)
        return leave_out(&opts, 0, count, rc);
    RILL__TRY(rill_group_begin(&group, .limit = opts.limit));
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = spawn_element(&group, &gather, i, &opts);
        if (rc == RILL_ECANCELED) {
            leave_out(&opts, i, count, rc);
        } else if (rc < 0 && opts.errors) { /* this one alone has failed */
            opts.errors[i] = failure_of(rc);
            rc = 0;
        }
    }
    return rill_group_end(&group, rc);
}
