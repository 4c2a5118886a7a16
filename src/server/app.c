/*
 * The application: what is registered before it runs.
 *
 * Nothing here is checked by the caller: the first mistake is kept, and told when the application
 * is to run. A NULL application is one that there was no memory for.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "server/server.h"
#include "server/server_internal.h"

rill_app *rill_app_new(void)
{
    rill_app *app = rill__zalloc(sizeof *app);
    if (!app) {
        rill__fail_nomem();
        return NULL;
    }
    app->router.arena = &app->arena;
    rill__list_init(&app->connections);
    rill__waitq_init(&app->changed);
    return app;
}

void rill__app_free_now(rill_app *app)
{
    rill__list_remove(&app->link);
    rill__arena_free(&app->arena);
    rill__free(app);
}

void rill_app_free(rill_app *app)
{
    if (!app)
        return;
    /* Some handler may have outlived the stop, by ignoring that it was cancelled. */
    app->orphaned = true;
    if (app->running)
        rill__app_abandon(app);
    else if (app->connection_count == 0)
        rill__app_free_now(app);
}

void rill_app_set_data(rill_app *app, void *data)
{
    if (app)
        app->data = data;
}

void *rill_app_data(const rill_app *app)
{
    return app ? app->data : NULL;
}

void rill__app_mistake(rill_app *app)
{
    if (app->error.code == 0)
        app->error = *rill_last_error();
}

void *rill__app_alloc(rill_app *app, size_t size)
{
    void *memory = rill__arena_zalloc(&app->arena, size);
    if (!memory) {
        rill__fail_nomem();
        rill__app_mistake(app);
    }
    return memory;
}

/* ---- hooks ---- */

static struct rill__hook *new_hook(rill_app *app, rill_hook_fn *fn)
{
    if (!app)
        return NULL;
    if (!fn) {
        rill__fail(RILL_EINVAL, "application: a hook is NULL");
        rill__app_mistake(app);
        return NULL;
    }
    struct rill__hook *hook = rill__app_alloc(app, sizeof *hook);
    if (hook)
        *hook = (struct rill__hook){ .fn = fn, .needs = app->startup_count };
    return hook;
}

static void append_hook(struct rill__hook **list, struct rill__hook *hook)
{
    while (*list)
        list = &(*list)->next;
    *list = hook;
}

void rill_app_on_startup(rill_app *app, rill_hook_fn *fn)
{
    struct rill__hook *hook = new_hook(app, fn);
    if (!hook)
        return;
    append_hook(&app->startup, hook);
    app->startup_count++;
}

void rill_app_on_shutdown(rill_app *app, rill_hook_fn *fn)
{
    struct rill__hook *hook = new_hook(app, fn);
    if (hook)
        append_hook(&app->shutdown, hook);
}

void rill_app_on_cleanup(rill_app *app, rill_hook_fn *fn)
{
    struct rill__hook *hook = new_hook(app, fn);
    if (!hook)
        return;
    hook->cleans = true;
    hook->next = app->cleanup;
    app->cleanup = hook;
}

/* ---- background tasks ---- */

static void add_background(rill_app *app, const rill_background_opts *given, double period)
{
    rill_background_opts opts;
    rill__opts_read(opts, given);
    if (!app)
        return;
    if (!opts.fn || period < 0) {
        rill__fail(RILL_EINVAL, "application: background task '%s' has no %s",
                   opts.name ? opts.name : "", opts.fn ? "period above 0" : "function");
        rill__app_mistake(app);
        return;
    }
    rill_interval interval;
    if (period > 0 && (rill_interval_init(&interval, period, 0, opts.missed) < 0 ||
                       rill_interval_jitter(&interval, opts.jitter) < 0)) {
        rill__error_prefix("application: background task '%s': ", opts.name ? opts.name : "");
        rill__app_mistake(app);
        return;
    }
    struct rill__background *background = rill__app_alloc(app, sizeof *background);
    if (!background)
        return;
    *background = (struct rill__background){
        .app = app,
        .fn = opts.fn,
        .arg = opts.arg ? opts.arg : app,
        .name = opts.name ? opts.name : "background",
        .period = period,
        .jitter = opts.jitter,
        .missed = opts.missed,
        .file = opts.file,
        .line = opts.line,
    };
    struct rill__background **place = &app->background;
    while (*place)
        place = &(*place)->next;
    *place = background;
}

void rill_app_background_with(rill_app *app, const rill_background_opts *opts)
{
    add_background(app, opts, 0);
}

void rill_app_every_with(rill_app *app, double seconds, const rill_background_opts *opts)
{
    add_background(app, opts, seconds > 0 ? seconds : -1);
}

/* ---- routes ---- */

void rill_app_route_with(rill_app *app, const char *method, const char *path,
                         const rill_route_opts *given)
{
    rill_route_opts opts;
    rill__opts_read(opts, given);
    if (app && rill__router_add(&app->router, method, path, &opts) < 0)
        rill__app_mistake(app);
}
