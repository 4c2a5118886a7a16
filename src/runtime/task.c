/*
 * Tasks: spawning, switching, parking, ending and joining.
 *
 * Ready tasks stand in one queue, first in first out. A task that waits hands the thread straight
 * to the next ready one; the loop's own stack is gone back to only to look at I/O and timers.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <rill/join.h>
#include <rill/log.h>

/* So many switches in a row before the loop looks at I/O and timers again. */
#define SWITCHES_PER_TURN 128
/* A driver that has a say in who runs next chooses among so many. */
#define PICK_AMONG 64
#define SLOT_NONE UINT32_MAX
/* So many calls in a row may fail for a cancellation at no cost, and so many before it is told. */
#define REFUSALS_FREE 64
#define REFUSALS_REPORTED 10000u

/* ---- handles ---- */

static bool grow_slots(rill__loop *loop)
{
    uint32_t count = loop->slot_count ? loop->slot_count * 2 : 64;
    if (count > UINT32_MAX / 2)
        return false;
    struct rill__slot *slots = rill__realloc(loop->slots, count * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = loop->slot_count; i < count; i++)
        slots[i] = (struct rill__slot){ .generation = loop->first_generation,
                                        .next_free = i + 1 < count ? i + 1 : SLOT_NONE };
    loop->slot_free = loop->slot_count;
    loop->slots = slots;
    loop->slot_count = count;
    return true;
}

static bool take_slot(rill__loop *loop, rill__task *task)
{
    if ((loop->slot_count == 0 || loop->slot_free == SLOT_NONE) && !grow_slots(loop))
        return false;
    uint32_t index = loop->slot_free;
    struct rill__slot *slot = &loop->slots[index];
    loop->slot_free = slot->next_free;
    slot->task = task;
    task->id = (uint64_t)slot->generation << 32 | index;
    return true;
}

static void give_slot(rill__loop *loop, const rill__task *task)
{
    uint32_t index = (uint32_t)task->id;
    struct rill__slot *slot = &loop->slots[index];
    slot->task = NULL;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next_free = loop->slot_free;
    loop->slot_free = index;
}

rill__task *rill__task_find(rill_task handle)
{
    rill__loop *loop = rill__this_loop;
    uint32_t index = (uint32_t)handle.id;
    if (!loop || index >= loop->slot_count)
        return NULL;
    rill__task *task = loop->slots[index].task;
    return task && task->id == handle.id ? task : NULL;
}

/* ---- birth ---- */

static void set_name(rill__task *task, const char *name)
{
    if (!name) {
        memcpy(task->name, "task", sizeof "task");
        return;
    }
    size_t len = 0;
    for (; len < sizeof task->name - 1 && name[len]; len++)
        task->name[len] = name[len];
    task->name[len] = '\0';
}

/* All but what take_slot and adopt set; one by one, which is faster than a memset and then most of
 * it again. */
static void init_task(rill__task *task, rill__loop *loop, rill_task_fn *fn,
                      const rill_spawn_opts *opts)
{
    task->next_ready = NULL;
    task->scope = &task->root;
    task->abort = NULL;
    task->abort_arg = NULL;
    task->what = "its first turn";
    task->subject_kind = RILL__SUBJECT_NONE;
    task->since = task->cpu = 0;
    task->loop = loop;
    task->error = NULL;
    task->state = RILL__PARKED;
    task->result = 0;
    task->place = loop->driver->place;
    task->aborted = task->detached = task->kept = task->awaits_children = false;
    task->instant_ops = task->refusals = task->locks = task->held_count = 0;
    task->fn = fn;
    task->arg = opts->arg;
    task->group = NULL;
    task->group_arg = NULL;
    task->starter = NULL;
    task->locals = NULL;
    task->arena = (rill__arena){ 0 };
    task->member = (struct rill__member){ 0 };
    task->parent = NULL;
    task->sibling = (rill__list){ 0 };
    rill__list_init(&task->children);
    rill__list_init(&task->watches);
    task->file = opts->file;
    task->line = opts->line;
    set_name(task, opts->name);
}

static rill__task *fail_stack(const rill_spawn_opts *opts)
{
    const char *name = opts->name ? opts->name : "task";
    if (opts->stack > RILL__STACK_MAX)
        rill__fail(RILL_EINVAL, "spawn '%s': a stack has at most %zu bytes, not %zu", name,
                   RILL__STACK_MAX, opts->stack);
    else
        rill__fail(RILL_ENOMEM, "spawn '%s': out of memory for its stack", name);
    return NULL;
}

rill__task *rill__task_new(rill__loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill__stack *stack = rill__stack_get(&loop->stacks, opts->stack);
    if (!stack)
        return fail_stack(opts);
    rill__task *task = rill__task_on(stack);
    if (!take_slot(loop, task)) {
        rill__stack_put(&loop->stacks, stack);
        rill__fail_nomem();
        return NULL;
    }
    task->stack = stack;
    init_task(task, loop, fn, opts);
    rill__context_make(&task->context, stack->bottom, (char *)task, task);
#ifdef RILL__TSAN
    task->context.fiber = stack->fiber;
#endif
    loop->task_count++;
    loop->counts.spawned++;
    return task;
}

void rill__task_free(rill__task *task)
{
    rill__loop *loop = task->loop;
    rill__list_remove(&task->sibling);
    if (task->error)
        rill__error_free(&task->error);
    give_slot(loop, task);
    loop->task_count--;
    rill__stack_put(&loop->stacks, task->stack);
}

static void adopt(rill__loop *loop, rill__task *task, rill__task *parent)
{
    task->parent = parent;
    task->detached = !parent;
    rill__list_append(parent ? &parent->children : &loop->background, &task->sibling);
    rill__scope_open(&task->root, parent ? &parent->root : &loop->root, task);
}

rill_task rill_spawn_with(rill_task_fn *fn, const rill_spawn_opts *given)
{
    rill_spawn_opts room;
    const rill_spawn_opts *opts = rill__opts_view(given, &room, sizeof room);
    rill__loop *loop = rill__this_loop;
    if (!loop || !loop->current) {
        rill__fail(RILL_ENOTASK, "spawn: called outside a task");
        return (rill_task){ 0 };
    }
    if (opts->group && rill__group_take_place(opts->group) < 0)
        return (rill_task){ 0 };
    rill__task *task = rill__task_new(loop, fn, opts);
    if (!task) {
        if (opts->group)
            rill__group_give_place(opts->group);
        return (rill_task){ 0 };
    }
    if (opts->group)
        rill__group_add(opts->group, task);
    else
        adopt(loop, task, loop->current);
    if (loop->current->locals)
        rill__locals_inherit(task, loop->current->locals);
    rill__task_make_ready(task);
    return (rill_task){ task->id };
}

rill__task *rill__spawn_background(rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill__loop *loop = rill__this_loop;
    rill__task *task = rill__task_new(loop, fn, opts);
    if (!task)
        return NULL;
    adopt(loop, task, NULL);
    rill__task_make_ready(task);
    return task;
}

rill_task rill__spawn_now(rill_task_fn *fn, const rill_spawn_opts *opts)
{
    rill__loop *loop = rill__this_loop;
    rill__task *task = rill__task_new(loop, fn, opts);
    if (!task)
        return (rill_task){ 0 };
    adopt(loop, task, NULL);
    rill_task handle = { task->id };
    if (loop->current) { /* not from the loop after all: a task closed what called back */
        rill__task_make_ready(task);
        return handle;
    }
    rill__poke_inspector();
    rill__loop_now(); /* so that what it waits for has a beginning */
    loop->immediate = true;
    loop->counts.switches++;
    rill__task_resume(loop, task);
    loop->immediate = false;
    return handle;
}

/* ---- switching ---- */

void rill__task_make_ready(rill__task *task)
{
    rill__loop *loop = task->loop;
    task->state = RILL__READY;
    task->next_ready = NULL;
    if (loop->ready_tail)
        loop->ready_tail->next_ready = task;
    else
        loop->ready_head = task;
    loop->ready_tail = task;
}

static void enter(rill__loop *loop, rill__task *task)
{
    task->state = RILL__RUNNING;
    loop->current = task;
    rill__error_owner = &task->error;
    if (loop->measure)
        rill__measure_switch(loop, task);
}

static rill__task *pop_ready(rill__loop *loop)
{
    rill__task *task = loop->ready_head;
    loop->ready_head = task->next_ready;
    if (loop->ready_head)
        __builtin_prefetch(loop->ready_head); /* its turn comes soon, and it may lie far away */
    else
        loop->ready_tail = NULL;
    return task;
}

/* A few tasks that compute for milliseconds each are a long turn for those who wait for I/O or a
 * timer. The coarse clock, some 4 ms of a tick, costs next to nothing every fourth time. */
static inline bool took_long(const rill__loop *loop)
{
    return loop->budget % 4 == 0 && rill__clock_ns(CLOCK_MONOTONIC_COARSE) != loop->began;
}

/* Inlined where a task ends: what is called there and never returns is predicted to, for the rest.
 */
__attribute__((always_inline)) static inline void switch_away(rill__loop *loop, bool dying)
{
    rill__task *from = loop->current;
    if (loop->ready_head && loop->budget > 0 && !loop->immediate && !took_long(loop)) {
        loop->budget--;
        rill__task *to = pop_ready(loop);
        enter(loop, to);
        if (to != from)
            rill__context_switch(&from->context, &to->context, dying);
        return;
    }
    loop->current = NULL;
    rill__error_owner = &loop->error;
    if (loop->measure)
        rill__measure_switch(loop, NULL);
    rill__context_switch(&from->context, &loop->context, dying);
}

void rill__task_switch_away(rill__loop *loop, bool dying)
{
    switch_away(loop, dying);
}

void rill__task_resume(rill__loop *loop, rill__task *task)
{
    enter(loop, task);
    rill__context_switch(&loop->context, &task->context, false);
}

/* Takes a task out of the queue's middle: for who asks which one. */
static rill__task *pick_ready(rill__loop *loop, size_t at)
{
    if (at == 0)
        return pop_ready(loop);
    rill__task *before = loop->ready_head;
    for (; before && at > 1; at--)
        before = before->next_ready;
    assert(before && before->next_ready);
    rill__task *task = before->next_ready;
    before->next_ready = task->next_ready;
    if (loop->ready_tail == task)
        loop->ready_tail = before;
    return task;
}

/* Whichever the driver says is next: every task gives the thread back here, not to another. */
static void run_picked(rill__loop *loop)
{
    rill__driver *driver = loop->driver;
    for (unsigned left = SWITCHES_PER_TURN; loop->ready_head && left > 0; left--) {
        size_t count = 0;
        for (rill__task *task = loop->ready_head; task && count < PICK_AMONG; count++)
            task = task->next_ready;
        rill__task *task = pick_ready(loop, driver->ops->pick(driver, count));
        driver->ops->note(driver, task->id - ((uint64_t)loop->first_generation << 32));
        driver->place = task->place;
        loop->budget = 0;
        loop->counts.switches++;
        rill__task_resume(loop, task);
    }
    driver->place = NULL;
}

void rill__loop_run_ready(rill__loop *loop)
{
    if (loop->driver->ops->pick) {
        run_picked(loop);
        return;
    }
    loop->budget = SWITCHES_PER_TURN;
    loop->began = rill__clock_ns(CLOCK_MONOTONIC_COARSE);
    while (loop->ready_head && loop->budget > 0 && !took_long(loop)) {
        loop->budget--;
        rill__task_resume(loop, pop_ready(loop));
    }
    loop->counts.switches += SWITCHES_PER_TURN - loop->budget;
}

/* ---- parking ---- */

rill__task *rill__current(void)
{
    return rill__this_loop ? rill__this_loop->current : NULL;
}

int rill__need_task(const char *what)
{
    return rill__current() ? 0 : rill__fail(RILL_ENOTASK, "%s: called outside a task", what);
}

/* Code that tries again whatever the error is would keep the thread for ever inside a cancelled
 * scope. So after some refusals in a row each further one lets the others run, and it is reported
 * once. */
static int refuse(const char *what)
{
    rill__task *task = rill__current();
    task->refusals++;
    if (task->refusals > REFUSALS_FREE) {
        rill__task_make_ready(task);
        rill__task_switch_away(task->loop, false);
    }
    if (task->refusals == REFUSALS_REPORTED)
        rill__report_ignored(task, what, REFUSALS_REPORTED);
    return rill__fail_canceled(what);
}

/* For tests: cancels the task that comes to the nth place where it may have to wait. */
static void pass_point(rill__task *task)
{
    rill__loop *loop = task->loop;
    if (++loop->sweep.points == loop->sweep.cancel_at)
        rill__scope_cancel(&task->root, RILL__CAUSE_CANCEL, "swept");
}

rill__sweep *rill__loop_sweep(void)
{
    return &rill__this_loop->sweep;
}

int rill__checkpoint(const char *what)
{
    rill__task *task = rill__current();
    if (!task)
        return rill__need_task(what);
    pass_point(task);
    return rill__scope_is_cancelled(task->scope) ? refuse(what) : 0;
}

void rill__waits_for(rill__subject kind, const void *subject)
{
    rill__task *task = rill__this_loop->current;
    task->subject_kind = kind;
    task->subject = subject;
}

int rill__park(const char *what, rill__abort_fn *abort, void *arg)
{
    rill__loop *loop = rill__this_loop;
    rill__task *task = loop->current;
    pass_point(task);
    if (abort && rill__scope_is_cancelled(task->scope)) {
        if (abort(arg) == RILL__ABORTED) {
            task->subject_kind = RILL__SUBJECT_NONE;
            return refuse(what);
        }
        abort = NULL;
    }
    task->abort = abort;
    task->abort_arg = arg;
    task->what = what;
    task->aborted = false;
    task->since = loop->now;
    task->state = RILL__PARKED;
    switch_away(loop, false);
    task->subject_kind = RILL__SUBJECT_NONE;
    if (task->aborted)
        return rill__fail_canceled(what);
    task->refusals = 0;
    return 0;
}

int rill__yield(const char *what)
{
    RILL__TRY(rill__point(what));
    rill__loop *loop = rill__this_loop;
    rill__task *task = loop->current;
    task->refusals = 0;
    rill__task_make_ready(task);
    switch_away(loop, false);
    return 0;
}

void rill__wake(rill__task *task)
{
    assert(task->state == RILL__PARKED);
    task->abort = NULL;
    rill__task_make_ready(task);
}

/* ---- end ---- */

/* A child has left the list that its parent may be waiting for. */
static void wake_parent(rill__task *parent)
{
    if (!parent || !parent->awaits_children)
        return;
    parent->awaits_children = false;
    rill__wake(parent);
}

static void end_children(rill__task *task)
{
    rill__list_each(node, &task->children) {
        rill__task *child = rill__container(node, rill__task, sibling);
        rill__scope_cancel(&child->root, RILL__CAUSE_SHUTDOWN,
                           "the task that spawned it has ended");
    }
    while (!rill__list_empty(&task->children)) {
        rill__task *child = rill__container(task->children.next, rill__task, sibling);
        if (child->state == RILL__DONE) {
            rill__report_unjoined(child);
            rill__task_free(child);
            continue;
        }
        task->awaits_children = true;
        rill__park("the tasks it spawned", NULL, NULL);
    }
}

void rill__wind_up(void)
{
    rill__task *task = rill__current();
    end_children(task);
    while (task->root.deferred) {
        rill__run_deferred(&task->root);
        end_children(task);
    }
}

/* Gives the task's error to one who joins it. A task may fail without having made one. */
static void hand_error(const rill__task *from, rill__task *to)
{
    if (from->result >= 0)
        return;
    rill_error **owner = rill__error_owner;
    rill__error_owner = &to->error;
    if (from->error)
        *rill__error_slot() = *from->error;
    else
        rill__fail(from->result, "task '%s': %s", from->name, rill_code_text(from->result));
    rill__error_owner = owner;
}

/* Tells whoever watches. Returns whether somebody has taken the result. */
static bool tell_watches(rill__task *task)
{
    bool joined = false;
    for (rill__list *node; (node = rill__list_pop(&task->watches));) {
        rill__watch *watch = rill__container(node, rill__watch, link);
        joined |= watch->joins;
        watch->ended(watch, task);
    }
    return joined;
}

static void settle(rill__task *task)
{
    rill__scope_close(&task->root);
    task->state = RILL__DONE;
    bool joined = tell_watches(task);
    if (task->locks + task->held_count > 0)
        rill__report_holding(task);
    if (task->group) {
        rill__group_member_done(task);
        return;
    }
    if (task->kept)
        return;
    rill__task *parent = task->parent;
    if (!joined && task->detached)
        rill__report_unjoined(task);
    if (joined || task->detached)
        rill__task_free(task);
    wake_parent(parent);
}

/* A scope lies in a frame that is gone once the function has returned: its timer and its place in
 * the tree would soon be other data. There is no going on from here. */
void rill__check_scopes_ended(const rill_scope *innermost)
{
    const rill__task *task = rill__current();
    if (task->scope == innermost)
        return;
    char place[RILL__PLACE_SIZE];
    rill_log(RILL_LOG_ERROR, "task",
             "'%s'%s returned inside a scope or group: every "
             "rill_scope_begin needs its rill_scope_end",
             task->name, rill__place_words(place, task->file, task->line));
    assert(task->scope == innermost);
    __builtin_trap(); /* nor without assertions */
}

static bool has_own(const rill__task *task)
{
    return !rill__list_empty(&task->children) || task->root.deferred || task->locals;
}

/* Ends and frees what is the task's own. What frees a value may leave something behind again. */
static void let_go(rill__task *task)
{
    while (has_own(task)) {
        rill__wind_up();
        rill__locals_drop(task);
    }
    if (task->arena.blocks)
        rill__arena_free(&task->arena);
}

void rill__task_entry(void *arg)
{
    rill__task *task = arg;
    rill__loop *loop = task->loop;
    rill__context_arrived();
    int rc = task->fn(task->arg);
    rill__check_scopes_ended(&task->root);
    let_go(task);
    task->result = rc;
    settle(task);
    switch_away(loop, true);
    __builtin_unreachable();
}

/* ---- joining and cancelling ---- */

bool rill__task_watch(rill_task handle, rill__watch *watch)
{
    rill__task *task = rill__task_find(handle);
    if (!task || task->state == RILL__DONE)
        return false;
    rill__list_append(&task->watches, &watch->link);
    return true;
}

void rill__task_unwatch(rill__watch *watch)
{
    rill__list_remove(&watch->link);
}

int rill__task_result(const rill__task *task)
{
    return task->result;
}

static void joined_task_ended(rill__watch *watch, const rill__task *task)
{
    rill__joiner *joiner = rill__container(watch, rill__joiner, watch);
    joiner->ended = true;
    joiner->result = task->result;
    hand_error(task, joiner->task);
    rill__wake(joiner->task);
}

void rill__join_later(rill__task *task, rill__joiner *joiner)
{
    joiner->watch.ended = joined_task_ended;
    joiner->watch.joins = true;
    joiner->task = rill__current();
    joiner->result = 0;
    joiner->ended = false;
    rill__list_append(&task->watches, &joiner->watch.link);
}

static rill__abort abort_join(void *arg)
{
    rill__joiner *joiner = arg;
    rill__task_unwatch(&joiner->watch);
    return RILL__ABORTED;
}

static int stale(const char *what)
{
    return rill__fail(RILL_ESTALE, "%s: the task was joined or detached already, or never was",
                      what);
}

/* Whether the running task may collect that one. */
static int check_join(const rill__task *task, const char *what)
{
    if (!task)
        return stale(what);
    if (task == rill__current())
        return rill__fail(RILL_EDEADLOCK, "%s: a task cannot wait for its own end", what);
    if (task->group)
        return rill__fail(RILL_EINVAL, "%s '%s': its group collects it", what, task->name);
    return task->detached ? stale(what) : 0;
}

static int join_task(rill__task *task)
{
    rill__task *current = rill__current();
    if (task->state == RILL__DONE) {
        int result = task->result;
        hand_error(task, current);
        if (!task->kept)
            rill__task_free(task);
        return result;
    }
    rill__joiner joiner;
    rill__join_later(task, &joiner);
    rill__waits_for(RILL__SUBJECT_TASK, task);
    int rc = rill__park("join", abort_join, &joiner);
    return rc < 0 ? rc : joiner.result;
}

int rill_join(rill_task handle)
{
    RILL__TRY(rill__need_task("join"));
    rill__task *task = rill__task_find(handle);
    RILL__TRY(check_join(task, "join"));
    return join_task(task);
}

int rill_cancel_join_with(const rill_cancel_opts *given)
{
    RILL__TRY(rill__need_task("cancel and join"));
    rill_cancel_opts opts;
    rill__opts_read(opts, given);
    rill__task *task = rill__task_find(opts.task);
    RILL__TRY(check_join(task, "cancel and join"));
    rill_cancel_with(given);
    return join_task(task);
}

int rill_detach(rill_task handle)
{
    rill__task *task = rill__task_find(handle);
    if (!task || task->group || task->detached || task->kept)
        return stale("detach");
    rill__task *parent = task->parent;
    if (task->state == RILL__DONE) {
        rill__report_unjoined(task);
        rill__task_free(task);
        return 0;
    }
    rill__list_remove(&task->sibling);
    rill__scope_move(&task->root, &task->loop->root);
    task->parent = NULL;
    task->detached = true;
    rill__list_append(&task->loop->background, &task->sibling);
    wake_parent(parent);
    return 0;
}

int rill_cancel_with(const rill_cancel_opts *given)
{
    rill_cancel_opts opts;
    rill__opts_read(opts, given);
    rill__task *task = rill__task_find(opts.task);
    if (!task)
        return stale("cancel");
    if (task->state != RILL__DONE)
        rill__scope_cancel(&task->root, RILL__CAUSE_CANCEL, opts.reason);
    return 0;
}

rill_task rill_self(void)
{
    rill__task *task = rill__current();
    return (rill_task){ task ? task->id : 0 };
}

const char *rill_self_name(void)
{
    rill__task *task = rill__current();
    return task ? task->name : "";
}

bool rill_task_done(rill_task handle)
{
    rill__task *task = rill__task_find(handle);
    return !task || task->state == RILL__DONE;
}
