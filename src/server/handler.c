/*
 * From a complete head to a complete reply: the route is found, its handler runs as a task, and
 * what it returns is made good.
 */
#include "base/fail.h"
#include "server/server_internal.h"

#include <rill/log.h>
#include <stdio.h>

/* Code of the runtime's cancellation as an answer: the server stops. */
#define STATUS_CANCELED 503

void rill__head_init(rill_request *request)
{
    rill__h1_head_init_request(&request->head, NULL, request->fields);
}

void rill__request_reset(rill_request *request)
{
    if (request->whole.cap)
        rill__buf_free(&request->whole);
    if (request->parts.cap)
        rill__buf_free(&request->parts);
    if (request->arena.blocks)
        rill__arena_reset(&request->arena);
    rill__head_init(request);
}

/* ---- what the handler's end means ---- */

static int status_of(const rill_request *request, int code)
{
    if (request->body_late)
        return 408;
    if (rill_code_is(code, RILL_EREQUEST_LIMIT))
        return 413;
    if (rill_code_is(code, RILL_EREQUEST) || code == RILL_EJSON)
        return 400;
    if (code == RILL_ECANCELED)
        return STATUS_CANCELED;
    return rill_code_is(code, RILL_ETIMEDOUT) ? 504 : 500;
}

static void log_failure(rill_request *request, const char *what)
{
    rill_log(RILL_LOG_ERROR, "server", "%s %s: %s", rill_request_method(request),
             rill_request_target(request), what);
}

/* The client is told of what it did itself, and nothing of what went wrong in here. */
static void reply_failure(rill_request *request, int code)
{
    const char *message = rill__error_words(code);
    int status = status_of(request, code);
    if (status >= 500 && code != RILL_ECANCELED)
        log_failure(request, message);
    char text[400];
    int len =
        snprintf(text, sizeof text, "%s\n", status < 500 ? message : rill__h1_status_text(status));
    request->reply.headers = (rill_headers){ .arena = &request->arena };
    rill__reply_whole(request, status, "text/plain; charset=utf-8",
                      (rill_str){ text, (size_t)len });
}

static bool client_left(int rc)
{
    return rc == RILL_ECANCELED || rc == RILL_ERESET;
}

static void conclude(rill_request *request, int rc)
{
    struct rill__reply *reply = &request->reply;
    request->client_left =
        !reply->begun && (request->client_left || request->connection->broken == RILL_ERESET);
    if (!reply->begun && rc >= 0) {
        rc = rill__fail(RILL_EFAILED, "the handler did not reply");
    }
    if (!reply->begun)
        reply_failure(request, rc);
    else if (!reply->ended && rc >= 0)
        rill_reply_end(request);
    else if (!reply->ended && !reply->reported && !client_left(rc))
        log_failure(request, rill__error_words(rc));
    if (!reply->ended)
        request->cut = true;
}

/* ---- running it ---- */

static int run_handler(void *arg)
{
    rill_request *request = arg;
    rill_app *app = request->connection->app;
    int rc = request->route->opts.handler(request);
    rill__wind_up(); /* they may use the request: it cannot end before them */
    conclude(request, rc);
    request->handler_done = true;
    app->handlers--;
    if (request->waited)
        rill__connection_poke(request->connection);
    if (app->stopping)
        rill__waitq_wake_all(&app->changed);
    return 0;
}

static void start_task(rill_request *request)
{
    rill_app *app = request->connection->app;
    rill_spawn_opts opts = {
        .size = sizeof opts,
        .arg = request,
        .name = request->route->name,
        .file = request->route->opts.file,
        .line = request->route->opts.line,
    };
    app->handlers++;
    rill_task task = rill__spawn_now(run_handler, &opts);
    if (task.id == 0) {
        app->handlers--;
        rill__refuse(request, 503, "out of memory");
    } else if (!request->handler_done) {
        request->task = task;
        request->waited = true;
    }
}

/* ---- requests without a handler ---- */

static void reply_simple(rill_request *request, int status, const char *text)
{
    rill__reply_whole(request, status, "text/plain; charset=utf-8", rill_str_of(text));
    request->handler_done = true;
}

static void reply_not_found(rill_request *request, bool path_known)
{
    const rill__router *router = &request->connection->app->router;
    const char *allow = "";
    if (!path_known) {
        reply_simple(request, 404, "not found\n");
        return;
    }
    rill__router_allow(router, &request->path, &request->arena, &allow);
    rill__headers_add(&request->reply.headers, RILL_STR("Allow"), rill_str_of(allow));
    reply_simple(request, 405, "method not allowed\n");
}

/* "OPTIONS *": what the server as a whole can do (RFC 9110 9.3.7). */
static void reply_options(rill_request *request)
{
    const char *allow;
    rill__router_allow(&request->connection->app->router, NULL, &request->arena, &allow);
    if (allow[0])
        rill__headers_add(&request->reply.headers, RILL_STR("Allow"), rill_str_of(allow));
    reply_simple(request, 200, "");
}

void rill__refuse(rill_request *request, int status, const char *why)
{
    rill__connection *connection = request->connection;
    if (connection->state == RILL__HEAD) {
        memset(request, 0, offsetof(struct rill_request, next_free));
        request->text = request->input.ptr + request->input.start;
        request->started = rill__loop_now();
    }
    char text[160];
    int len = snprintf(text, sizeof text, "%s\n", why);
    request->keep_alive = false;
    request->reply.headers = (rill_headers){ .arena = &request->arena };
    rill__reply_whole(request, status, "text/plain; charset=utf-8",
                      (rill_str){ text, (size_t)len });
    request->handler_done = true;
    if (connection->app->settings.access_log)
        rill__access_log(request);
    connection->linger = true;
    connection->state = RILL__CLOSING;
}

/* ---- starting ---- */

/* The path and the query of the target (RFC 9112 3.2): of its absolute form what follows the
 * authority. "*" and the authority of CONNECT have no path. */
static void split_target(rill_request *request)
{
    rill_str target = rill__h1_text(request->text, request->head.target);
    const char *end = target.ptr + target.len, *at = target.ptr;
    if (*at != '/') {
        const char *scheme = memmem(target.ptr, target.len, "://", 3);
        at = scheme ? scheme + 3 : end;
        while (at < end && *at != '/' && *at != '?')
            at++;
    }
    const char *mark = memchr(at, '?', (size_t)(end - at));
    const char *path_end = mark ? mark : end;
    request->path = (rill_str){ at, (size_t)(path_end - at) };
    if (request->path.len == 0 && target.len > 1 && request->head.method_id != RILL__H1_CONNECT)
        request->path = RILL_STR("/"); /* "http://host" and "http://host?query" */
    request->query = mark ? (rill_str){ mark + 1, (size_t)(end - mark - 1) } : RILL_STR("");
}

static void begin(rill_request *request, size_t head_len)
{
    rill__connection *connection = request->connection;
    memset(request, 0, offsetof(struct rill_request, next_free));
    request->text = request->input.ptr + request->input.start;
    request->head_len = head_len;
    request->input.start += head_len;
    request->keep_alive = request->head.keep_alive && !request->head.tunnel;
    request->continued = !request->head.expect_continue;
    request->reply.headers.arena = &request->arena;
    request->body_left = connection->app->settings.body_ns;
    request->started = rill__loop_now();
    rill__h1_body_init(&request->body, &request->head);
    split_target(request);
    connection->state = RILL__HANDLER;
    rill__deadline_set(connection, RILL__READ_DEADLINE, RILL__NEVER);
}

void rill__handler_start(rill_request *request, size_t head_len)
{
    begin(request, head_len);
    const struct rill__h1_head *head = &request->head;
    rill_str method = rill__h1_text(request->text, head->method);
    if (head->expect_other) {
        rill__refuse(request, 417, "this expectation cannot be met");
        return;
    }
    if (memmem(request->path.ptr, request->path.len, "%00", 3)) {
        rill__refuse(request, 400, "the path holds a NUL byte");
        return;
    }
    if (head->method_id == RILL__H1_OPTIONS && request->path.len == 0) {
        reply_options(request);
        return;
    }
    bool path_known = false;
    request->route = rill__router_find(&request->connection->app->router, method, request->path,
                                       request->params, &path_known);
    if (request->route)
        start_task(request);
    else
        reply_not_found(request, path_known);
}
