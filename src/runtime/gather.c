/*
 * Gather and race: a function on every element of an array, at once, as a group. Gather wants all
 * of them to succeed, race the first that does.
 */
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <rill/join.h>
#include <stdio.h>

#define NO_WINNER SIZE_MAX

/* What the elements share: lies on the caller's stack. */
struct fan {
    rill_group group;
    char *items;
    size_t count, item_size;
    rill_task_fn *fn;
    rill_error *errors; /* may be NULL */
    rill_spawn_opts spawn;
    rill_task_fn *run; /* run_element or run_racer */
    size_t winner;     /* race: its index, or NO_WINNER */
    int result;        /* race: the winner's */
    rill_error first;  /* race: the first failure */
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

static void keep_error(struct fan *fan, size_t index, int rc)
{
    if (fan->errors)
        fan->errors[index] = rc < 0 ? failure_of(rc) : (rill_error){ 0 };
}

/* Which element a task runs comes by the task itself: its `arg` is the element. */
static struct fan *fan_of(void *arg, size_t *ret_index)
{
    struct fan *fan = rill__current()->group_arg;
    *ret_index = (size_t)((char *)arg - fan->items) / fan->item_size;
    return fan;
}

static int spawn_element(struct fan *fan, size_t index)
{
    rill_spawn_opts opts = fan->spawn;
    opts.arg = fan->items + index * fan->item_size;
    rill_task handle = rill_spawn_with(fan->run, &opts);
    if (!handle.id)
        return rill_errcode();
    rill__task_find(handle)->group_arg = fan;
    return 0;
}

/* The elements from `first` on were never started. */
static int leave_out(struct fan *fan, size_t first, int rc)
{
    for (size_t i = first; i < fan->count; i++)
        keep_error(fan, i, rc);
    return rc;
}

/* Begins the group; fan->spawn says the rest of what the tasks have in common. */
static int begin(struct fan *fan, size_t limit)
{
    fan->spawn.size = sizeof fan->spawn;
    fan->spawn.group = &fan->group;
    int rc = rill__checkpoint(fan->spawn.name);
    if (rc == 0 && fan->item_size == 0)
        rc = rill__fail(RILL_EINVAL, "%s: its elements must have a size", fan->spawn.name);
    return rc < 0 ? leave_out(fan, 0, rc) : rill_group_begin(&fan->group, .limit = limit);
}

/* ---- gather ---- */

static int run_element(void *arg)
{
    size_t index;
    struct fan *fan = fan_of(arg, &index);
    int rc = fan->fn(arg);
    keep_error(fan, index, rc);
    return fan->errors ? 0 : rc;
}

int rill_gather_with(void *items, size_t count, size_t item_size, const rill_gather_opts *given)
{
    rill_gather_opts opts;
    rill__opts_read(opts, given);
    struct fan fan = { .items = items,
                       .count = count,
                       .item_size = item_size,
                       .fn = opts.fn,
                       .errors = opts.errors,
                       .run = run_element };
    fan.spawn = (rill_spawn_opts){
        .name = opts.name ? opts.name : "gather",
        .stack = opts.stack,
        .file = opts.file,
        .line = opts.line,
    };
    RILL__TRY(begin(&fan, opts.limit));
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = spawn_element(&fan, i);
        if (rc == RILL_ECANCELED) {
            leave_out(&fan, i, rc);
        } else if (rc < 0 && opts.errors) { /* this one alone has failed */
            keep_error(&fan, i, rc);
            rc = 0;
        }
    }
    return rill_group_end(&fan.group, rc);
}

/* ---- race ---- */

static void count_result(struct fan *fan, size_t index, int rc)
{
    keep_error(fan, index, rc);
    if (rc >= 0 && fan->winner == NO_WINNER) {
        fan->winner = index;
        fan->result = rc;
        rill__scope_cancel(&fan->group.scope, RILL__CAUSE_SIBLING, "another was first");
    }
    /* What is told is why one failed, not that another was taken back. */
    if (rc < 0 && (fan->first.code == 0 || fan->first.code == RILL_ECANCELED))
        fan->first = failure_of(rc);
}

static int run_racer(void *arg)
{
    size_t index;
    struct fan *fan = fan_of(arg, &index);
    count_result(fan, index, fan->fn(arg));
    return 0;
}

static int all_failed(const struct fan *fan)
{
    *rill__error_slot() = fan->first;
    if (fan->count == 1)
        return fan->first.code;
    return rill__error_prefix("race: none of %zu succeeded; the first failure: ", fan->count);
}

int rill_race_with(void *items, size_t count, size_t item_size, const rill_race_opts *given)
{
    rill_race_opts opts;
    rill__opts_read(opts, given);
    struct fan fan = { .items = items,
                       .count = count,
                       .item_size = item_size,
                       .fn = opts.fn,
                       .errors = opts.errors,
                       .run = run_racer,
                       .winner = NO_WINNER };
    fan.spawn = (rill_spawn_opts){
        .name = opts.name ? opts.name : "race",
        .stack = opts.stack,
        .file = opts.file,
        .line = opts.line,
    };
    RILL__TRY(begin(&fan, opts.limit));
    int rc = count ? 0 : rill__fail(RILL_EINVAL, "race: nobody takes part");
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = fan.winner == NO_WINNER ? spawn_element(&fan, i) : RILL_ECANCELED;
        if (rc == RILL_ECANCELED) { /* it was won, or from outside */
            leave_out(&fan, i, rc);
        } else if (rc < 0) {
            count_result(&fan, i, rc);
            rc = 0;
        }
    }
    rc = rill_group_end(&fan.group, rc);
    if (fan.winner == NO_WINNER)
        return rc < 0 ? rc : all_failed(&fan);
    if (opts.winner)
        *opts.winner = fan.winner;
    return fan.result;
}
