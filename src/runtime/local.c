/*
 * What a task has of its own: deferred calls, values, memory.
 *
 * Deferred calls hang on the scope at whose end they run. Values stand in a small table that a task
 * shares with those it spawns: to inherit is to count one more user. Who sets a value in a table
 * that others see as well takes a copy of it first. The values themselves are counted too, for the
 * sake of the function that frees them.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime_internal.h"

#include <rill/local.h>
#include <rill/log.h>

#define DEFERRED_SECONDS 10.0

/* ---- deferred calls ---- */

struct rill__deferred_call {
    struct rill__deferred_call *next; /* deferred before it */
    rill_task_fn *fn;
    rill_defer_opts opts;
};

int rill_defer_with(rill_task_fn *fn, const rill_defer_opts *given)
{
    RILL__TRY(rill__need_task("defer"));
    struct rill__deferred_call *call = rill__alloc(sizeof *call);
    if (!call)
        return rill__fail_nomem();
    call->fn = fn;
    rill__opts_read(call->opts, given);
    rill_scope *scope = rill__current()->scope;
    call->next = scope->deferred;
    scope->deferred = call;
    return 0;
}

static void run_deferred(const rill__task *task, const struct rill__deferred_call *call)
{
    const rill_defer_opts *opts = &call->opts;
    double seconds = opts->timeout != 0 ? opts->timeout : DEFERRED_SECONDS;
    int rc = rill_shielded(seconds, call->fn, opts->arg);
    if (rc >= 0)
        return;
    rill_log(RILL_LOG_ERROR, "task", "'%s': what was deferred at %s:%d failed: %s", task->name,
             opts->file ? opts->file : "?", opts->line, rill__error_words(rc));
}

void rill__run_deferred(rill_scope *scope)
{
    rill__task *task = rill__current();
    rill_error *error = task->error; /* of what the scope's end returns */
    task->error = NULL;
    for (struct rill__deferred_call *call; (call = scope->deferred);) {
        scope->deferred = call->next;
        run_deferred(task, call);
        rill__free(call);
    }
    rill__error_free(&task->error);
    task->error = error;
}

/* ---- values ---- */

/* A value, and how many tables it stands in. */
struct value {
    const rill_local *key;
    void *value;
    size_t tables;
};

struct rill__locals {
    size_t tasks; /* that share the table */
    size_t count;
    struct value *values[];
};

void rill__locals_inherit(rill__task *task, rill__locals *locals)
{
    locals->tasks++;
    task->locals = locals;
}

static void let_go_of_value(struct value *value)
{
    if (--value->tables > 0)
        return;
    if (value->key->free)
        value->key->free(value->value);
    rill__free(value);
}

static void let_go_of_table(rill__locals *locals)
{
    if (!locals || --locals->tasks > 0)
        return;
    for (size_t i = 0; i < locals->count; i++)
        let_go_of_value(locals->values[i]);
    rill__free(locals);
}

void rill__locals_drop(rill__task *task)
{
    rill__locals *locals = task->locals;
    task->locals = NULL;
    let_go_of_table(locals);
}

static struct value *find(const rill__locals *locals, const rill_local *key)
{
    for (size_t i = 0; locals && i < locals->count; i++)
        if (locals->values[i]->key == key)
            return locals->values[i];
    return NULL;
}

/* A table with everything of `from`, but `value` (NULL: nothing) in the place of what stood there
 * for the key. */
static rill__locals *table_with(const rill__locals *from, const rill_local *key,
                                struct value *value)
{
    size_t count = from ? from->count : 0;
    rill__locals *table = rill__alloc(sizeof *table + (count + 1) * sizeof(struct value *));
    if (!table)
        return NULL;
    table->tasks = 1;
    table->count = 0;
    for (size_t i = 0; i < count; i++)
        if (from->values[i]->key != key)
            table->values[table->count++] = from->values[i];
    if (value)
        table->values[table->count++] = value;
    for (size_t i = 0; i < table->count; i++)
        table->values[i]->tables++;
    return table;
}

int rill_local_set(const rill_local *key, void *given)
{
    RILL__TRY(rill__need_task("local"));
    rill__task *task = rill__current();
    const struct value *old = find(task->locals, key);
    if (given == (old ? old->value : NULL))
        return 0;
    struct value *value = NULL;
    if (given) {
        value = rill__alloc(sizeof *value);
        if (!value)
            return rill__fail_nomem();
        *value = (struct value){ .key = key, .value = given };
    }
    rill__locals *before = task->locals;
    rill__locals *table = table_with(before, key, value);
    if (!table) {
        rill__free(value);
        return rill__fail_nomem();
    }
    task->locals = table;
    let_go_of_table(before);
    return 0;
}

void *rill_local_get(const rill_local *key)
{
    const rill__task *task = rill__current();
    const struct value *value = task ? find(task->locals, key) : NULL;
    return value ? value->value : NULL;
}

/* ---- memory ---- */

static void *allocated(void *memory)
{
    if (!memory)
        rill__fail_nomem();
    return memory;
}

static rill__arena *own_arena(const char *what)
{
    return rill__need_task(what) < 0 ? NULL : &rill__current()->arena;
}

void *rill_alloc(size_t size)
{
    rill__arena *arena = own_arena("alloc");
    return arena ? allocated(rill__arena_zalloc(arena, size ? size : 1)) : NULL;
}

char *rill_strdup(const char *text)
{
    rill__arena *arena = own_arena("strdup");
    return arena ? allocated(rill__arena_dup(arena, text, strlen(text))) : NULL;
}

char *rill_vformat(const char *format, va_list args)
{
    rill__arena *arena = own_arena("format");
    return arena ? allocated(rill__arena_vprintf(arena, format, args)) : NULL;
}

char *rill_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = rill_vformat(format, args);
    va_end(args);
    return text;
}

int rill__call_apart(rill_task_fn *fn, void *arg)
{
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope));
    int rc = fn(arg);
    rill__check_scopes_ended(&scope);
    rc = rill_scope_end(&scope, rc);
    rill__arena_reset(&rill__current()->arena);
    return rc;
}
