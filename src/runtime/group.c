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

static rill__list *member_list(rill_group *group)
{
    return (rill__list *)(void *)&group->members;
}

_Static_assert(sizeof(struct rill__member) == sizeof(rill__list), "a member is a list node");

int rill_group_begin_with(const rill_group_opts *given)
{
    rill_group_opts opts;
    rill__opts_read(opts, given);
    rill_group *group = opts.group;
    RILL__TRY(rill_scope_begin(&group->scope, .timeout = opts.timeout));
    rill__list_init(member_list(group));
    group->count = 0;
    group->limit = opts.limit;
    group->waiter = NULL;
    group->error = NULL;
    group->code = 0;
    group->supervisor = opts.supervisor;
    group->open = true;
    return 0;
}

void rill__group_add(rill_group *group, rill__task *task)
{
    task->group = group;
    rill__list_append(member_list(group), (rill__list *)(void *)&task->member);
    group->count++;
    rill__scope_open(&task->root, &group->scope, task);
    task->scope = &task->root;
}

static rill__abort abort_wait(void *arg)
{
    rill_group *group = arg;
    group->waiter = NULL;
    return RILL__ABORTED;
}

static void wake_waiter(rill_group *group)
{
    rill__task *waiter = group->waiter;
    group->waiter = NULL;
    if (waiter)
        rill__wake(waiter);
}

/* Waits until the group has a place free. A full group in a cancelled scope waits all the same:
 * every task runs, so that it can clean up after its argument. */
int rill__group_wait_place(rill_group *group)
{
    if (!group->open)
        return rill__fail(RILL_EINVAL, "spawn: the group has ended");
    while (group->limit > 0 && group->count >= group->limit) {
        if (group->waiter)
            return rill__fail(RILL_EBUSY, "spawn: another task waits for a place in the group");
        group->waiter = rill__current();
        RILL__TRY(rill__park("a place in the group", abort_wait, group));
    }
    return 0;
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
    bool failed = task->result < 0 && task->result != RILL_ECANCELED;
    if (failed && group->supervisor)
        rill__task_report_unjoined(task);
    else if (failed)
        keep_failure(group, task);
    rill__list_remove((rill__list *)(void *)&task->member);
    group->count--;
    rill__task_free(task);
    if (group->count == 0 || (group->limit > 0 && group->count < group->limit))
        wake_waiter(group);
}

void rill_group_cancel(rill_group *group, const char *reason)
{
    rill__scope_cancel(&group->scope, RILL__CAUSE_CANCEL, reason);
}

/* What the group as a whole returns, once all its tasks have ended. */
static int outcome(rill_group *group, int rc)
{
    bool from_outside = group->scope.origin && group->scope.origin != &group->scope;
    rill__cause cause = (rill__cause)group->scope.cause;
    if (rc < 0 && rc != RILL_ECANCELED)
        return rc;
    if (group->code < 0) {
        rill__error_move(&group->error, &rill__current()->error);
        return group->code;
    }
    if (from_outside)
        return rill__fail_canceled("group");
    if (cause == RILL__CAUSE_DEADLINE)
        return rill__fail(RILL_ETIMEDOUT, "group: the time was up");
    return rc == RILL_ECANCELED && cause == RILL__CAUSE_CANCEL ? 0 : rc;
}

int rill_group_end(rill_group *group, int rc)
{
    RILL__TRY(rill__need_task("group"));
    if (!group->open || rill__current()->scope != &group->scope)
        return rill__fail(RILL_EINVAL,
                          "group: ended twice, or before a scope that began inside it");
    if (rc < 0)
        rill__scope_cancel(&group->scope, RILL__CAUSE_SIBLING, "the group's owner failed");
    while (group->count > 0) {
        if (group->waiter) {
            rill_sleep(0); /* a member waits for a place to spawn another */
            continue;
        }
        group->waiter = rill__current();
        rill__park("the tasks of its group", NULL, NULL);
    }
    group->open = false;
    int result = outcome(group, rc);
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

int rill_gather_with(void *items, size_t count, size_t item_size, const rill_gather_opts *given)
{
    rill_gather_opts opts;
    rill__opts_read(opts, given);
    rill_group group;
    struct gather gather = { items, item_size, opts.fn, opts.errors };
    RILL__TRY(rill_group_begin(&group, .limit = opts.limit));
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = spawn_element(&group, &gather, i, &opts);
        if (rc < 0 && opts.errors)
            opts.errors[i] = failure_of(rc);
        if (rc < 0 && !opts.errors)
            break;
    }
    return rill_group_end(&group, rc);
}
