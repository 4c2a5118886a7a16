/*
 * The tree of scopes: cancellation, deadlines, shields and reasons.
 *
 * A cancelled scope points to the scope at which the cancellation began (`origin`, itself perhaps);
 * the mark is spread over the whole subtree at once, up to shields, so asking is one load. A task
 * is woken only when the scope it stands in, its innermost, is among them.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <stdio.h>

static rill__loop *loop_of(const rill_scope *scope)
{
    const rill__task *task = scope->task;
    return task ? task->loop : rill__this_loop;
}

static void deadline_passed(rill__timer *timer)
{
    rill_scope *scope = rill__container(timer, rill_scope, timer);
    loop_of(scope)->counts.timeouts++;
    rill__scope_cancel(scope, RILL__CAUSE_DEADLINE, "deadline");
}

static void link_below(rill_scope *scope, rill_scope *parent)
{
    scope->parent = parent;
    scope->next_sibling = parent->first_child;
    scope->sibling_link = &parent->first_child;
    if (scope->next_sibling)
        scope->next_sibling->sibling_link = &scope->next_sibling;
    parent->first_child = scope;
}

static void unlink_scope(rill_scope *scope)
{
    if (!scope->sibling_link)
        return;
    *scope->sibling_link = scope->next_sibling;
    if (scope->next_sibling)
        scope->next_sibling->sibling_link = scope->sibling_link;
    scope->sibling_link = NULL;
}

void rill__scope_open(rill_scope *scope, rill_scope *parent, rill__task *task)
{
    scope->parent = NULL;
    scope->first_child = NULL;
    scope->task = task;
    scope->timer = (rill__timer){ .deadline = RILL__NEVER, .fire = deadline_passed };
    scope->origin = parent ? parent->origin : NULL;
    scope->deferred = NULL;
    scope->cause = RILL__CAUSE_NONE;
    scope->shield = false;
    scope->reason[0] = '\0';
    scope->next_sibling = NULL;
    scope->sibling_link = NULL;
    if (parent)
        link_below(scope, parent);
}

void rill__scope_close(rill_scope *scope)
{
    assert(!scope->first_child);
    rill__wheel_cancel(&loop_of(scope)->wheel, &scope->timer);
    unlink_scope(scope);
    scope->task = NULL;
}

/* ---- cancelling ---- */

static void wake_if_innermost(rill_scope *scope)
{
    rill__task *task = scope->task;
    if (!task || task->scope != scope || task->state != RILL__PARKED || !task->abort)
        return;
    rill__abort_fn *abort = task->abort;
    task->abort = NULL;
    if (abort(task->abort_arg) == RILL__ABORTED) {
        task->aborted = true;
        rill__wake(task);
    }
}

/* The next scope of a walk over the tree below `top`, parents first; `down` goes into the children
 * of `at`. No recursion: the tree is as deep as the user makes it. */
static rill_scope *walk(rill_scope *top, rill_scope *at, bool down)
{
    if (down && at->first_child)
        return at->first_child;
    while (at != top && !at->next_sibling)
        at = at->parent;
    return at == top ? NULL : at->next_sibling;
}

/* Marks the scope and what is below it, up to shields and what is cancelled already. */
static void spread(rill_scope *scope, rill_scope *origin)
{
    bool down = true;
    for (rill_scope *at = scope; at; at = walk(scope, at, down)) {
        down = (at == scope || !at->shield) && !at->origin;
        if (!down)
            continue;
        at->origin = origin;
        wake_if_innermost(at);
    }
}

void rill__scope_cancel(rill_scope *scope, rill__cause cause, const char *reason)
{
    if (scope->origin)
        return; /* the first reason is kept */
    loop_of(scope)->counts.cancels++;
    scope->cause = (int)cause;
    snprintf(scope->reason, sizeof scope->reason, "%s", reason ? reason : "");
    spread(scope, scope);
}

void rill__scope_move(rill_scope *scope, rill_scope *parent)
{
    unlink_scope(scope);
    link_below(scope, parent);
    const rill_scope *origin = scope->origin;
    if (!origin && parent->origin)
        spread(scope, parent->origin);
    if (!origin || origin == scope)
        return;
    /* Where the cancellation began may be gone before this scope is. */
    scope->cause = origin->cause;
    memcpy(scope->reason, origin->reason, sizeof scope->reason);
    for (rill_scope *at = scope; at; at = walk(scope, at, true))
        if (at->origin == origin)
            at->origin = scope;
}

uint64_t rill__deadline_after(double seconds)
{
    if (seconds == RILL_FOREVER)
        return RILL__NEVER;
    rill__loop *loop = rill__this_loop;
    uint64_t span = seconds > 0 ? rill__seconds_ns(seconds) : 0;
    return rill__after(loop->driver->ops->now(loop->driver), span);
}

void rill__scope_set_deadline(rill_scope *scope, uint64_t deadline)
{
    rill__wheel *wheel = &loop_of(scope)->wheel;
    rill__wheel_cancel(wheel, &scope->timer);
    scope->timer.deadline = deadline;
    rill__wheel_set(wheel, &scope->timer);
}

/* What is left of a time that has run out is zero or less: no time at all, so that it is cancelled
 * at once. */
static void limit(rill_scope *scope, double seconds)
{
    bool has_time = seconds > 0 || seconds == RILL_FOREVER;
    rill__scope_set_deadline(scope, has_time ? rill__deadline_after(seconds) : RILL__NEVER);
    if (!has_time)
        deadline_passed(&scope->timer);
}

/* ---- the public face ---- */

/* Whether the scope has begun and not ended, as far as its own task can see: to begin it once more
 * would tie the tree into a knot. */
static bool has_begun(const rill_scope *scope, const rill__task *task)
{
    for (const rill_scope *at = task->scope; at != &task->root; at = at->parent)
        if (at == scope)
            return true;
    return task->group && scope == &task->group->scope;
}

int rill_scope_begin_with(const rill_scope_opts *given)
{
    rill_scope_opts room;
    const rill_scope_opts *opts = rill__opts_view(given, &room, sizeof room);
    RILL__TRY(rill__need_task("scope"));
    rill__task *task = rill__current();
    if (has_begun(opts->scope, task))
        return rill__fail(RILL_EINVAL, "scope: it has begun already, and not ended");
    rill__scope_open(opts->scope, task->scope, task);
    task->scope = opts->scope;
    opts->scope->shield = opts->shield;
    if (opts->shield)
        opts->scope->origin = NULL;
    if (opts->timeout != 0)
        limit(opts->scope, opts->timeout);
    return 0;
}

int rill_scope_end(rill_scope *scope, int rc)
{
    RILL__TRY(rill__need_task("scope"));
    rill__task *task = rill__current();
    if (task->scope != scope)
        return rill__fail(RILL_EINVAL,
                          "scope: ended twice, or before a scope that began inside it");
    bool own_deadline = scope->origin == scope && scope->cause == RILL__CAUSE_DEADLINE;
    if (scope->deferred)
        rill__run_deferred(scope);
    task->scope = scope->parent;
    rill__scope_close(scope);
    if (rc != RILL_ECANCELED || !own_deadline)
        return rc;
    if (rill_errcode() != RILL_ECANCELED)
        return rill__fail(RILL_ETIMEDOUT, "the time was up");
    return rill__error_recode(RILL_ETIMEDOUT);
}

void rill_scope_cancel(rill_scope *scope, const char *reason)
{
    if (scope->task) /* not once it has ended */
        rill__scope_cancel(scope, RILL__CAUSE_CANCEL, reason);
}

void rill_scope_set_timeout(rill_scope *scope, double seconds)
{
    if (scope->task) /* not once it has ended */
        limit(scope, seconds);
}

bool rill_cancelled(void)
{
    rill__task *task = rill__current();
    return task && rill__scope_is_cancelled(task->scope);
}

const char *rill_cancel_reason(void)
{
    rill__task *task = rill__current();
    return task && task->scope->origin ? task->scope->origin->reason : "";
}

/* Zero means default in options; here it means no time at all. */
static int begin_bounded(rill_scope *scope, double seconds, bool shield)
{
    RILL__TRY(rill_scope_begin(scope, .shield = shield));
    limit(scope, seconds);
    return 0;
}

static int call_and_end(rill_scope *scope, rill_task_fn *fn, void *arg)
{
    int rc = fn(arg);
    rill__check_scopes_ended(scope);
    return rill_scope_end(scope, rc);
}

int rill_within(double seconds, rill_task_fn *fn, void *arg)
{
    rill_scope scope;
    RILL__TRY(begin_bounded(&scope, seconds, false));
    return call_and_end(&scope, fn, arg);
}

int rill_shielded(double seconds, rill_task_fn *fn, void *arg)
{
    rill_scope scope;
    RILL__TRY(begin_bounded(&scope, seconds, true));
    return call_and_end(&scope, fn, arg);
}

rill_scope *rill_cleanup_begin(rill_scope *scope, double seconds)
{
    if (begin_bounded(scope, seconds, true) < 0)
        scope->task = NULL;
    return scope;
}

void rill_cleanup_end(rill_scope *scope)
{
    if (scope->task)
        rill_scope_end(scope, 0);
}

int rill__fail_canceled(const char *what)
{
    const rill_scope *origin = rill__current()->scope->origin;
    const char *reason = origin ? origin->reason : "";
    if (origin && origin->cause == RILL__CAUSE_DEADLINE)
        return rill__fail(RILL_ECANCELED, "%s: the time was up", what);
    return rill__fail(RILL_ECANCELED, "%s: cancelled%s%s", what, reason[0] ? ": " : "", reason);
}
