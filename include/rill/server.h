/*
 * The web server: applications, requests and replies.
 *
 *     static int hello(rill_request *request)
 *     {
 *         return rill_reply_text(request, 200, "Hello, %s", rill_request_param(request, "name"));
 *     }
 *     int main(void)
 *     {
 *         rill_app *app = rill_app_new();
 *         rill_app_get(app, "/hello/{name}", hello);
 *         return rill_app_run(app, .port = 8080);
 *     }
 *
 * A handler runs as a task of its own, replies once, and returns 0. A negative return before a
 * reply makes one: 500, which is logged and tells the client nothing, or the status that goes with
 * the code (413 for RILL_EREQUEST_LIMIT, 400 for RILL_EJSON, RILL_EREQUEST and below, 408 when the
 * body came too slowly, 504 for another RILL_ETIMEDOUT, 503 for RILL_ECANCELED). In the middle of a
 * reply it cuts the connection, so that the peer sees that the reply is not whole. Tasks that a
 * handler spawned and did not join are cancelled and awaited before its request is over.
 *
 * Requests of one connection are handled one after the other, and answered in order. A connection
 * that waits for its next request costs a small struct: no task, no buffer. Bad requests never
 * reach a handler: they are answered with their status (RFC 9112, RFC 9110 15.5) and a sentence,
 * and their connection is closed. So is one whose body nobody read, beyond 64 KiB.
 */
#ifndef RILL_SERVER_H
#define RILL_SERVER_H

#include <rill/error.h>
#include <rill/headers.h>
#include <rill/net.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

typedef struct rill_app rill_app;
typedef struct rill_request rill_request;
struct json_t; /* of jansson */

typedef int rill_handler_fn(rill_request *request);
typedef int rill_hook_fn(rill_app *app);

/* ---- the application ---- */

/* NULL when memory is short; every function below then does nothing, and rill_app_run explains it:
 * no call needs to be checked before. */
RILL_API rill_app *rill_app_new(void);
/* Frees an application that was not run. NULL is fine. */
RILL_API void rill_app_free(rill_app *app);
RILL_DEFINE_AUTO(rill_app)

/* One pointer for the application's own use. */
RILL_API void rill_app_set_data(rill_app *app, void *data);
RILL_API void *rill_app_data(const rill_app *app);

/* Called before the application listens, in the order of registration: a failure ends it, after the
 * clean-up of what had started. */
RILL_API void rill_app_on_startup(rill_app *app, rill_hook_fn *hook);
/* Called when it is to stop, after it ceased to listen and before the requests under way are waited
 * for: to end streams that would not end by themselves. */
RILL_API void rill_app_on_shutdown(rill_app *app, rill_hook_fn *hook);
/* Called last, in reverse order; of those registered after a start-up hook that never ran, none
 * (one that failed did run). Runs shielded from cancellation, for at most `shutdown_timeout`. */
RILL_API void rill_app_on_cleanup(rill_app *app, rill_hook_fn *hook);

typedef struct rill_background_opts {
    size_t size;
    rill_task_fn *fn;
    void *arg; /* default: the application */
    const char *name;
    rill_missed missed; /* rill_app_every only */
    double jitter;      /* rill_app_every only: as in rill_interval_jitter */
    const char *file;   /* where it was asked for: filled by the macro */
    int line;
} rill_background_opts;

/* Runs fn as a task from after start-up until it is cancelled at clean-up. A failure of it is
 * logged. */
#define rill_app_background(app, ...)                                                              \
    rill_app_background_with((app), RILL_OPTS(rill_background_opts, .file = __FILE__,              \
                                              .line = __LINE__, .fn = __VA_ARGS__))
RILL_API void rill_app_background_with(rill_app *app, const rill_background_opts *opts);

/* Calls fn every `seconds` while the application runs: no overlap, no drift. A failure is logged
 * and does not end it. */
#define rill_app_every(app, seconds, ...)                                                          \
    rill_app_every_with(                                                                           \
        (app), (seconds),                                                                          \
        RILL_OPTS(rill_background_opts, .file = __FILE__, .line = __LINE__, .fn = __VA_ARGS__))
RILL_API void rill_app_every_with(rill_app *app, double seconds, const rill_background_opts *opts);

typedef struct rill_route_opts {
    size_t size;
    rill_handler_fn *handler;
    void *data; /* given back by rill_request_data */
    /* Bytes of body that rill_request_body and _json take; RILL_UNLIMITED. Default: the
     * application's. */
    int64_t client_max_size;
    /* Cancel the handler, with the reason "the client disconnected", when the client goes away. One
     * that only says that it will send no more counts as gone: nothing tells the two apart. */
    bool cancel_on_disconnect;
    const char *file; /* where it was routed: filled by the macro */
    int line;
} rill_route_opts;

/* Routes a method and a path to a handler. "/a/{name}" matches one segment, "/a/{rest*}" the rest
 * of the path. GET serves HEAD too. The method "*" is any. Literal segments win over parameters. A
 * path that is known with other methods answers 405 with Allow, else 404; "OPTIONS *" is answered
 * by the server. A path is cut into segments before its escapes are resolved: %2F never is a slash.
 * At most 32 segments and 16 parameters. A bad or doubled route makes rill_app_run fail with a
 * sentence that names it. */
#define rill_app_route(app, method, path, ...)                                                     \
    rill_app_route_with(                                                                           \
        (app), (method), (path),                                                                   \
        RILL_OPTS(rill_route_opts, .file = __FILE__, .line = __LINE__, .handler = __VA_ARGS__))
RILL_API void rill_app_route_with(rill_app *app, const char *method, const char *path,
                                  const rill_route_opts *opts);
#define rill_app_get(app, path, ...) rill_app_route((app), "GET", path, __VA_ARGS__)
#define rill_app_post(app, path, ...) rill_app_route((app), "POST", path, __VA_ARGS__)
#define rill_app_put(app, path, ...) rill_app_route((app), "PUT", path, __VA_ARGS__)
#define rill_app_patch(app, path, ...) rill_app_route((app), "PATCH", path, __VA_ARGS__)
#define rill_app_delete(app, path, ...) rill_app_route((app), "DELETE", path, __VA_ARGS__)

/* ---- running ---- */

/* Timeouts: RILL_FOREVER for none. */
typedef struct rill_app_opts {
    size_t size;
    rill_app *app;
    const char *host; /* default: "0.0.0.0" and "::", whichever there is; "unix:/path" */
    int port;         /* default: 8080, or 8443 with TLS; RILL_ANY_PORT: any free one */
    int backlog;      /* default: 1024 */
    bool tls;
    rill_tls_opts tls_options;
    int64_t client_max_size;   /* bytes of a request's body. Default: 1 MiB; RILL_UNLIMITED */
    double shutdown_timeout;   /* seconds for requests under way to end, then for them to be
                                  cancelled. Default: 60 */
    double keepalive_timeout;  /* seconds a connection may wait for its next request. Default: 75 */
    double head_timeout;       /* seconds for a request's head to arrive whole, and for the first
                                  byte on a new connection; then 408. Default: 30 */
    double body_timeout;       /* seconds that each 16 KiB of a body may keep a handler waiting.
                                  Default: 60 */
    double send_timeout;       /* seconds without progress while sending; then it is reset.
                                  Default: 60 */
    int max_connections;       /* default: 65536; more wait to be accepted */
    bool access_log;           /* a line for each request, by rill_log as "access": the common log
                                  format, and the seconds that it took; its status is 499, as in
                                  nginx, when the client left before there was a reply */
    bool cancel_on_disconnect; /* for all routes */
    bool quiet;                /* rill_app_run alone: does not print where it listens */
} rill_app_opts;

#define RILL_ANY_PORT (-1)

/* Runs the application until SIGINT or SIGTERM, in a loop of its own, frees it, and returns an exit
 * status for main: 0 after a graceful stop, 1 after a failure, explained on stderr. */
#define rill_app_run(...) rill_app_run_with(RILL_OPTS(rill_app_opts, .app = __VA_ARGS__))
RILL_API int rill_app_run_with(const rill_app_opts *opts);

/* The same inside a task, in two steps: start-up hooks, background tasks, listening; then, later,
 * the graceful stop: stop listening, shutdown hooks, wait for requests, cancel them, clean-up
 * hooks. Between them the caller goes on. The application is not freed, and can be started again.
 * Errors  what a start-up hook failed with; RILL_ELISTEN with errno; RILL_ETLS; RILL_EBUSY when it
 *         runs already; RILL_EINVAL for a bad route. What had started is cleaned up then.
 * Cancel  a start that is cancelled fails and cleans up; a stop is shielded, and goes on to its
 * end, which the timeouts bound. A handler must not stop its own application: it would be waited
 *         for. */
#define rill_app_start(...) rill_app_start_with(RILL_OPTS(rill_app_opts, .app = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_app_start_with(const rill_app_opts *opts);
RILL_AWAITS RILL_API int rill_app_stop(rill_app *app);
/* The port it listens on. */
RILL_API int rill_app_port(const rill_app *app);

/* ---- the request ---- */

/* The application that serves it. */
RILL_API rill_app *rill_request_app(const rill_request *request);
/* The `data` of its route. */
RILL_API void *rill_request_data(const rill_request *request);
/* "GET": as it was sent. */
RILL_API const char *rill_request_method(const rill_request *request);
/* The path, percent-decoded; "/a%2Fb" keeps its %2F. Never with a NUL byte inside. */
RILL_API const char *rill_request_path(const rill_request *request);
/* The target as it was sent. */
RILL_API const char *rill_request_target(const rill_request *request);
/* A part of the path by its name in the route, decoded; NULL when there is none. */
RILL_API const char *rill_request_param(rill_request *request, const char *name);
/* The first value of a query parameter, decoded; NULL when there is none. */
RILL_API const char *rill_request_query(rill_request *request, const char *name);
/* The next value of the name (NULL: of any); *at is 0 at first. */
RILL_API const char *rill_request_query_next(rill_request *request, const char *name, size_t *at);
RILL_API const char *rill_request_header(rill_request *request, const char *name);
RILL_API const rill_headers *rill_request_headers(rill_request *request);
/* "127.0.0.1:51234", "[::1]:51234", "unix:": who the socket says that it is. */
RILL_API const char *rill_request_peer(const rill_request *request);
RILL_API const char *rill_request_host(const rill_request *request);
RILL_API bool rill_request_is_secure(const rill_request *request);
/* The length of the body as announced; 0: none; -1: chunked. */
RILL_API int64_t rill_request_content_length(const rill_request *request);

/* Reads the whole body; the view lives as long as the request, and ends with a NUL byte.
 * Errors  RILL_EREQUEST_LIMIT over client_max_size (the reply made of it is 413),
 *         RILL_EREQUEST_BODY broken or ended too early, RILL_ETIMEDOUT too slow.
 * Cancel  nothing is lost: it can be read on. */
RILL_AWAITS RILL_API int rill_request_body(rill_request *request, rill_str *ret_body);
/* The body as JSON, to be released with json_decref; RILL_EJSON (a child of nothing: the reply made
 * of it is 400) says line and column. */
RILL_AWAITS RILL_API struct json_t *rill_request_json(rill_request *request);
/* Reads the next piece of the body: the count, 0 at its end, or a code. Not limited by
 * client_max_size. */
RILL_AWAITS RILL_API ptrdiff_t rill_request_read(rill_request *request, void *buf, size_t len);

/* Memory that lives as long as the request; NULL when memory is short. */
RILL_API void *rill_request_alloc(rill_request *request, size_t size);

/* ---- the reply ---- */

/* Sets or adds a header of the reply, before it begins. RILL_EINVAL for what could not stand in a
 * header (a line end or another control byte, a byte that is not ASCII), and for the framing
 * headers (Content-Length, Transfer-Encoding, Connection …), which are the server's own;
 * RILL_EREPLY when it has begun. */
RILL_API int rill_reply_set(rill_request *request, const char *name, const char *value);
RILL_API int rill_reply_add(rill_request *request, const char *name, const char *value);

/* A whole reply, by one of the next five: it is sent when the handler returns or waits. They do not
 * wait. A 204, a 304 and the answer to HEAD have no body: what is given for one is dropped, and
 * reported for the first two.
 * Errors  RILL_EREPLY there was a reply already, or the status is not between 200 and 999;
 *         RILL_ENOMEM. */

/* Replies with text in UTF-8 (text/plain unless Content-Type was set), formatted as by printf. */
RILL_API int rill_reply_text(rill_request *request, int status, const char *format, ...)
    RILL_PRINTF(3, 4);
/* Replies with bytes (application/octet-stream unless Content-Type was set), copied. To GET and
 * HEAD, conditional requests (when ETag or Last-Modified was set) and ranges (when `Accept-Ranges:
 * bytes` was set) of a 200 are answered as RFC 9110 13 and 14 say: 304, 412, 206, 416. */
RILL_API int rill_reply_bytes(rill_request *request, int status, const void *bytes, size_t len);
/* Replies with a JSON value; borrowed. */
RILL_API int rill_reply_json(rill_request *request, int status, const struct json_t *json);
/* Replies with a status and no body. */
RILL_API int rill_reply_empty(rill_request *request, int status);
/* Replies with a redirect (3xx): the location, a URL with its escapes, goes into the header. */
RILL_API int rill_reply_redirect(rill_request *request, int status, const char *location);

/* Begins a reply whose body is written in pieces: with a Content-Length when one was set by
 * rill_reply_set_length, else chunked (or until the end of the connection for HTTP/1.0). */
RILL_API void rill_reply_set_length(rill_request *request, uint64_t length);
RILL_AWAITS RILL_API int rill_reply_begin(rill_request *request, int status);
/* Writes a piece; waits while more than 64 KiB are queued, that is while the peer reads more slowly
 * than it is written. It is sent at the latest when the handler next waits.
 * Errors  RILL_ERESET the peer is gone; RILL_ETIMEDOUT it reads nothing; RILL_EREPLY more than the
 *         announced length, or not begun. The handler that returns with less cuts the connection.
 * Cancel  a piece of at most 16 KiB was not written; of a longer one a part may have been, and then
 *         the reply can only be cut: what follows fails with RILL_EREPLY. */
RILL_AWAITS RILL_API int rill_reply_write(rill_request *request, const void *bytes, size_t len);
RILL_AWAITS RILL_API int rill_reply_printf(rill_request *request, const char *format, ...)
    RILL_PRINTF(2, 3);
/* Ends it; a handler that returns 0 or more does so too. RILL_EREPLY when less than the announced
 * length was written. */
RILL_AWAITS RILL_API int rill_reply_end(rill_request *request);

RILL_END_DECLS

#endif
