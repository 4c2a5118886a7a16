/*
 * The life of a running application.
 *
 *     start:  start-up hooks, background tasks, listen
 *     stop:   listeners closed, idle connections closed, shutdown hooks, requests under way
 * awaited, then cancelled and awaited, background tasks cancelled and awaited, clean-up hooks
 *
 * Stopping is shielded from cancellation: it is what a cancelled task does last. Each of its waits
 * is bounded.
 */
#include "base/fail.h"
#include "base/opts.h"
#include "server/server_internal.h"

#include <errno.h>
#include <rill/log.h>
#include <stdio.h>

/* ---- options ---- */

static uint64_t seconds_or(double given, double standard)
{
    if (given < 0)
        return RILL__NEVER;
    return rill__seconds_ns(given > 0 ? given : standard);
}

/* For scopes, in which 0 is no timeout. */
static double shutdown_seconds(double given)
{
    if (given < 0)
        return 0;
    return given > 0 ? given : 60;
}

static void resolve(struct rill__settings *settings, const rill_app_opts *opts)
{
    *settings = (struct rill__settings){
        .client_max_size = opts->client_max_size ? opts->client_max_size : 1024 * 1024,
        .shutdown_seconds = shutdown_seconds(opts->shutdown_timeout),
        .keepalive_ns = seconds_or(opts->keepalive_timeout, 75),
        .head_ns = seconds_or(opts->head_timeout, 30),
        .body_ns = seconds_or(opts->body_timeout, 60),
        .send_ns = seconds_or(opts->send_timeout, 60),
        .max_connections = opts->max_connections > 0 ? (size_t)opts->max_connections : 65536,
        .access_log = opts->access_log,
        .cancel_on_disconnect = opts->cancel_on_disconnect,
    };
}

/* ---- background tasks ---- */

static void log_background(const struct rill__background *background, int rc)
{
    if (rc < 0 && rc != RILL_ECANCELED)
        rill_log(RILL_LOG_ERROR, "server", "background task '%s': %s", background->name,
                 rill__error_words(rc));
}

static void run_every(const struct rill__background *background)
{
    rill_interval interval;
    if (rill_interval_init(&interval, background->period, 0, background->missed) < 0 ||
        rill_interval_jitter(&interval, background->jitter) < 0)
        return;
    while (rill_interval_wait(&interval) >= 0)
        log_background(background, rill__call_apart(background->fn, background->arg));
}

static int run_background(void *arg)
{
    struct rill__background *background = arg;
    if (background->period > 0)
        run_every(background);
    else
        log_background(background, background->fn(background->arg));
    rill__wind_up();
    background->task = (rill_task){ 0 };
    background->app->background_count--;
    rill__waitq_wake_all(&background->app->changed);
    return 0;
}

static int start_background(rill_app *app)
{
    for (struct rill__background *each = app->background; each; each = each->next) {
        rill_spawn_opts opts = { .size = sizeof opts,
                                 .arg = each,
                                 .name = each->name,
                                 .file = each->file,
                                 .line = each->line };
        app->background_count++;
        each->task = rill__spawn_now(run_background, &opts);
        if (each->task.id == 0) {
            app->background_count--;
            return rill_errcode();
        }
    }
    return 0;
}

static void stop_background(rill_app *app)
{
    for (struct rill__background *each = app->background; each; each = each->next)
        if (each->task.id != 0)
            rill_cancel(each->task, .reason = "the application stops");
    while (app->background_count > 0)
        rill__waitq_wait(&app->changed, "background tasks");
}

/* ---- hooks ---- */

static int run_startup(rill_app *app)
{
    app->startup_ran = 0;
    for (struct rill__hook *hook = app->startup; hook; hook = hook->next) {
        app->startup_ran++;
        RILL__TRY(hook->fn(app));
    }
    return 0;
}

/* Each hook has the shutdown timeout; a failure is logged and the next one runs. */
static void run_hooks(rill_app *app, const struct rill__hook *hook, const char *what)
{
    for (; hook; hook = hook->next) {
        if (hook->needs > app->startup_ran && hook->cleans)
            continue;
        rill_scope scope;
        rill_scope_begin(&scope, .shield = true, .timeout = app->settings.shutdown_seconds);
        int rc = rill_scope_end(&scope, hook->fn(app));
        if (rc < 0)
            rill_log(RILL_LOG_ERROR, "server", "%s hook: %s", what, rill__error_words(rc));
    }
}

/* ---- listening ---- */

static int listen_on(rill_app *app, size_t at, const char *host, const rill_app_opts *opts)
{
    rill_listen_opts listen = {
        .size = sizeof listen,
        .port = app->port,
        .backlog = opts->backlog,
        .tls = opts->tls,
        .tls_options = opts->tls_options,
    };
    if (!listen.tls_options.alpn)
        listen.tls_options.alpn = "http/1.1";
    app->listeners[at] = rill_listen_with(host, &listen);
    if (!app->listeners[at])
        return rill_errcode();
    app->port = rill_listener_port(app->listeners[at]);
    return 0;
}

/* Without a host: IPv4, and IPv6 where there is any. */
static int listen_everywhere(rill_app *app, const rill_app_opts *opts)
{
    RILL__TRY(listen_on(app, 0, "0.0.0.0", opts));
    int rc = listen_on(app, 1, "::", opts);
    return rc < 0 && rill_last_error()->os_errno == EADDRINUSE ? rc : 0;
}

static int start_listening(rill_app *app, const rill_app_opts *opts)
{
    app->port = opts->port ? opts->port : opts->tls ? 8443 : 8080;
    if (app->port == RILL_ANY_PORT)
        app->port = 0;
    RILL__TRY(opts->host ? listen_on(app, 0, opts->host, opts) : listen_everywhere(app, opts));
    for (size_t i = 0; i < RILL__LISTENERS_MAX; i++)
        if (app->listeners[i])
            RILL__TRY(rill__listener_start(app->listeners[i], rill__connection_accepted, app));
    return 0;
}

static void stop_listening(rill_app *app)
{
    for (size_t i = 0; i < RILL__LISTENERS_MAX; i++) {
        rill_listener_free(app->listeners[i]);
        app->listeners[i] = NULL;
    }
}

/* ---- starting ---- */

static void finish(rill_app *app)
{
    stop_background(app);
    run_hooks(app, app->cleanup, "clean-up");
    if (app->connection_count == 0)
        rill__list_remove(&app->link);
    app->running = false;
}

static int start_steps(rill_app *app, const rill_app_opts *opts)
{
    RILL__TRY(run_startup(app));
    RILL__TRY(start_background(app));
    return start_listening(app, opts);
}

/* What had started is cleaned up; the error stays that of the start. */
static int start_failed(rill_app *app, int rc)
{
    rill_error error = *rill_last_error();
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true);
    stop_listening(app);
    finish(app);
    rill_scope_end(&scope, 0);
    *rill__error_slot() = error;
    return rc;
}

int rill_app_start_with(const rill_app_opts *given)
{
    rill_app_opts opts;
    rill__opts_read(opts, given);
    rill_app *app = opts.app;
    RILL__TRY(rill__checkpoint("start"));
    if (!app)
        return rill__fail_nomem();
    if (app->running)
        return rill__fail(RILL_EBUSY, "start: the application runs already");
    if (app->error.code != 0) {
        *rill__error_slot() = app->error;
        return app->error.code;
    }
    RILL__TRY(rill__pool_add_app(app));
    resolve(&app->settings, &opts);
    app->running = true;
    app->stopping = app->paused = false;
    int rc = start_steps(app, &opts);
    return rc < 0 ? start_failed(app, rc) : 0;
}

int rill_app_port(const rill_app *app)
{
    return app ? app->port : 0;
}

/* ---- stopping ---- */

static void close_idle(rill_app *app)
{
    rill__list_each(node, &app->connections) {
        rill__connection_close_if_idle(rill__container(node, rill__connection, link));
    }
}

static void cancel_handlers(rill_app *app)
{
    rill__list_each(node, &app->connections) {
        rill__connection_cancel(rill__container(node, rill__connection, link),
                                "the application stops");
    }
}

/* May free the application, with the last connection. */
static void drop_all(rill_app *app)
{
    size_t count = app->connection_count;
    rill__list *node = app->connections.next;
    for (size_t i = 0; i < count; i++) {
        rill__list *next = node->next;
        rill__connection_drop(rill__container(node, rill__connection, link));
        node = next;
    }
}

/* Waits until all connections are gone, for at most the shutdown timeout. */
static void await_connections(rill_app *app)
{
    rill_scope scope;
    rill_scope_begin(&scope, .timeout = app->settings.shutdown_seconds);
    int rc = 0;
    while (rc == 0 && (app->connection_count > 0 || app->handlers > 0))
        rc = rill__waitq_wait(&app->changed, "requests under way");
    rill_scope_end(&scope, rc);
}

int rill_app_stop(rill_app *app)
{
    RILL__TRY(rill__need_task("stop"));
    if (!app || !app->running || app->stopping)
        return app ? 0 : rill__fail_nomem();
    app->stopping = true;
    rill_scope scope;
    rill_scope_begin(&scope, .shield = true);
    stop_listening(app);
    close_idle(app);
    run_hooks(app, app->shutdown, "shutdown");
    await_connections(app);
    if (app->handlers > 0) {
        cancel_handlers(app);
        await_connections(app);
    }
    drop_all(app);
    if (app->handlers > 0)
        rill_log(RILL_LOG_WARN, "server", "%zu handlers go on although they were cancelled",
                 app->handlers);
    finish(app);
    rill_scope_end(&scope, 0);
    return 0;
}

void rill__app_abandon(rill_app *app)
{
    app->stopping = true;
    app->running = false;
    stop_listening(app);
    cancel_handlers(app);
    if (app->connection_count > 0)
        drop_all(app);
    else if (app->orphaned)
        rill__app_free_now(app);
}

/* ---- rill_app_run ---- */

static void print_listeners(const rill_app *app, bool tls)
{
    for (size_t i = 0; i < RILL__LISTENERS_MAX; i++) {
        if (!app->listeners[i])
            continue;
        const char *name = rill__listener_name(app->listeners[i]);
        bool local = strncmp(name, "unix:", 5) == 0;
        fprintf(stderr, "listening on %s%s\n", local ? "" : tls ? "https://" : "http://", name);
    }
}

static rill__abort abort_nothing(void *arg)
{
    (void)arg;
    return RILL__ABORTED;
}

static int serve(void *arg)
{
    const rill_app_opts *opts = arg;
    RILL__TRY(rill_app_start_with(opts));
    if (!opts->quiet)
        print_listeners(opts->app, opts->tls);
    rill__park("a signal to stop", abort_nothing, NULL);
    return rill_app_stop(opts->app);
}

int rill_app_run_with(const rill_app_opts *given)
{
    rill_app_opts opts;
    rill__opts_read(opts, given);
    int status;
    if (rill__current()) {
        fprintf(stderr, "error: run: called inside a task: use rill_app_start\n");
        status = 1;
    } else {
        status = rill_run(serve, &opts);
    }
    rill_app_free(opts.app);
    return status;
}
