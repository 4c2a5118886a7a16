/*
 * The HTTP client: sessions, requests and responses.
 *
 *     rill_auto(rill_session) session = rill_session_new(.timeout.total = 30);
 *     rill_auto(rill_response) response = rill_get(session, "https://example.com");
 *     if (!response)
 *         return rill_errcode();
 *     rill_str text;
 *     int rc = rill_response_text(response, &text);
 *
 * A session keeps connections for reuse, and holds what its requests have in common; any number of
 * tasks of one loop may use it at once. A response is there once its head has arrived; its body is
 * read when asked for. A status of 400 or more is no error: rill_response_check makes one of it.
 *
 * Errors form the tree of error.h, below RILL_ECLIENT. Each message names the request and what it
 * was at, "GET http://a/: waiting for the answer: nothing came within 5 s"; the URL, without user
 * and password, is in rill_error.where, and the status, once known, in rill_error.status:
 *
 *     RILL_EURL, RILL_EURL_SCHEME              the URL is not valid, or not http and https
 *     RILL_EDNS_NOTFOUND, RILL_EREFUSED, …     connecting: all that rill_connect says
 *     RILL_ECONNECT_TIMEOUT, RILL_ESOCK_CONNECT_TIMEOUT, RILL_EREAD_TIMEOUT, RILL_ETOTAL_TIMEOUT
 *     RILL_EDISCONNECTED, RILL_ERESET          the connection ended before the answer
 *     RILL_EPROTOCOL                           the answer is not valid HTTP (RFC 9112)
 *     RILL_EREDIRECT, RILL_EREDIRECT_SCHEME, RILL_EREDIRECTS
 *     RILL_ETRUNCATED, RILL_ECHUNK, RILL_ECODING, RILL_EBODY_LIMIT   the body is broken
 */
#ifndef RILL_CLIENT_H
#define RILL_CLIENT_H

#include <rill/error.h>
#include <rill/headers.h>
#include <rill/net.h>
#include <rill/task.h>
#include <rill/url.h>

RILL_BEGIN_DECLS

typedef struct rill_session rill_session;
typedef struct rill_response rill_response;
struct json_t; /* of jansson */

/* Seconds. 0: the session's, and of the session the default given here; RILL_FOREVER: none. */
typedef struct rill_timeout {
    double total;        /* all of it: waiting for a place, connecting, redirects, the body. 300 */
    double connect;      /* waiting for a place in the pool and connecting. None */
    double sock_connect; /* one attempt at one address, TLS included. 30 */
    double sock_read;    /* between two pieces that the server sends. None */
} rill_timeout;

typedef struct rill_session_opts {
    size_t size;
    const rill_header *headers; /* of every request; its own of the same name replace them */
    rill_timeout timeout;
    int limit;          /* connections at once. Default 100; RILL_UNLIMITED */
    int limit_per_host; /* connections at once to one scheme, host and port. Default: no limit */
    double keepalive_timeout; /* seconds an idle connection is kept. Default 15 */
    int max_redirects;        /* requests in one chain of redirects. Default 10; RILL_UNLIMITED */
    size_t max_body;    /* bytes that text, bytes and json read at most, decoded. Default 64 MiB */
    bool no_redirects;  /* hand 3xx responses out instead of following them */
    bool no_decompress; /* hand bodies out as they were sent */
    bool raise_for_status;  /* a status of 400 or more is RILL_ESTATUS */
    const char *base_url;   /* relative URLs are resolved against it. Default: none */
    const char *user_agent; /* default "rill/<version>" */
    rill_tls_opts tls;
    const char *file; /* where it was made: filled by the macro */
    int line;
} rill_session_opts;

/* A session. Returns NULL with RILL_EINVAL for a bad header, RILL_EURL for a bad base_url,
 * RILL_ETLS for a bad file, RILL_ENOMEM. */
#define rill_session_new(...)                                                                      \
    rill_session_new_with(                                                                         \
        RILL_OPTS(rill_session_opts, .file = __FILE__, .line = __LINE__, __VA_ARGS__))
RILL_API rill_session *rill_session_new_with(const rill_session_opts *opts);

/* Closes the idle connections and frees the session once its responses are freed too. Tasks that
 * wait for a place in the pool get RILL_ECLOSED. NULL is fine. */
RILL_API void rill_session_free(rill_session *session);
RILL_DEFINE_AUTO(rill_session)

typedef struct rill_fetch_opts {
    size_t size;
    const char *method;         /* default "GET" */
    const char *url;            /* absolute, or relative to base_url */
    const rill_param *params;   /* put behind the URL's query: RILL_PARAMS({ "q", "cats" }) */
    const rill_header *headers; /* RILL_HEADERS({ "Accept", "text/html" }) */
    rill_str body;              /* bytes to send. Default: none */
    const struct json_t *json;  /* sent as application/json. Borrowed */
    const rill_param *form;     /* sent as application/x-www-form-urlencoded */
    rill_timeout timeout;
    int max_redirects;
    bool no_redirects;
    bool no_decompress;
    bool raise_for_status;
    const char *file; /* where it was made: filled by the macro */
    int line;
} rill_fetch_opts;

/*
 * Sends a request and waits for the head of the answer; interim answers (1xx) are skipped.
 *
 * Headers. Host, User-Agent, Accept (any type) and "Accept-Encoding: gzip, deflate" are sent by
 * themselves; a body has Content-Length and Content-Type ("application/octet-stream" for .body);
 * user and password in the URL become Authorization: Basic. The session's and then the request's
 * own headers replace them, Host too. Only what frames the message is not theirs to say:
 * Content-Length and Transfer-Encoding among them are refused with RILL_EINVAL, and so is what
 * could not stand in a header (a CR, LF or NUL; RFC 9110 5.5).
 *
 * Redirects (301, 302, 303, 307, 308 with a Location) are followed. A POST becomes a GET, without
 * its body, on 301 and 302, and so does everything but HEAD on 303; 307 and 308 send the body again
 * (RFC 9110 15.4). The first hop to another scheme, host or port, be it from https to http, leaves
 * Authorization, Cookie, Proxy-Authorization and Host behind for good.
 *
 * Retry. A kept connection that the server closed before any byte of the answer came is replaced,
 * once, by a fresh one when the method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE).
 *
 * Returns the response, or NULL with one of the errors above, RILL_EINVAL, RILL_ECLOSED (the
 * session was freed meanwhile), RILL_ENOMEM or RILL_ECANCELED. Cancel  the connection is closed;
 * nothing stays behind. The server may have got the request.
 */
#define RILL_FETCH_OPTS(...)                                                                       \
    RILL_OPTS(rill_fetch_opts, .file = __FILE__, .line = __LINE__, __VA_ARGS__)
#define rill_get(session, ...)                                                                     \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "GET", .url = __VA_ARGS__))
#define rill_head(session, ...)                                                                    \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "HEAD", .url = __VA_ARGS__))
#define rill_options(session, ...)                                                                 \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "OPTIONS", .url = __VA_ARGS__))
#define rill_post(session, ...)                                                                    \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "POST", .url = __VA_ARGS__))
#define rill_put(session, ...)                                                                     \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "PUT", .url = __VA_ARGS__))
#define rill_patch(session, ...)                                                                   \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "PATCH", .url = __VA_ARGS__))
#define rill_delete(session, ...)                                                                  \
    rill_fetch((session), RILL_FETCH_OPTS(.method = "DELETE", .url = __VA_ARGS__))
#define rill_request_url(session, ...) rill_fetch((session), RILL_FETCH_OPTS(.url = __VA_ARGS__))
RILL_AWAITS RILL_API rill_response *rill_fetch(rill_session *session, const rill_fetch_opts *opts);

/* Frees the response and all that its functions returned. Its connection is kept when the body was
 * read to its end, or its rest has arrived already; else it is closed. NULL is fine. */
RILL_API void rill_response_free(rill_response *response);
RILL_DEFINE_AUTO(rill_response)

/* ---- the head ---- */

/* 200, 404, …: three digits. */
RILL_API int rill_response_status(const rill_response *response);
/* The reason phrase as sent; may be "". */
RILL_API const char *rill_response_reason(const rill_response *response);
/* The first value of the header, or NULL. */
RILL_API const char *rill_response_header(const rill_response *response, const char *name);
RILL_API const rill_headers *rill_response_headers(const rill_response *response);
/* The URL that answered, after redirects. */
RILL_API const char *rill_response_url(const rill_response *response);
RILL_API int rill_response_redirects(const rill_response *response);
/* "text/html" of "text/html; charset=utf-8"; "application/octet-stream" when absent or malformed.
 */
RILL_API const char *rill_response_content_type(const rill_response *response);
/* The length that the server announced, before decoding; -1 when it did not. */
RILL_API int64_t rill_response_content_length(const rill_response *response);
/* "127.0.0.1:8080": who answered. */
RILL_API const char *rill_response_peer(const rill_response *response);

/* Seconds each phase took; 0 for what did not happen, such as connecting on a kept connection. */
typedef struct rill_timings {
    double queue;   /* waiting for a place in the pool */
    double connect; /* resolving, connecting and TLS */
    double wait;    /* from the request to the head of the answer */
    double total;   /* from the call until now, or until the body's end */
} rill_timings;
RILL_API rill_timings rill_response_timings(const rill_response *response);

/* Makes an error, RILL_ESTATUS, of a status of 400 or more. */
RILL_API int rill_response_check(rill_response *response);

/* ---- the body ---- */

/* Reads the whole body and hands out a view of it, NUL-terminated at [len]; again without the
 * network. text is decoded to UTF-8 by the charset of Content-Type (UTF-8, ASCII, ISO-8859-1; what
 * does not decode becomes U+FFFD).
 * Errors  RILL_EPAYLOAD and below it; RILL_EBODY_LIMIT over max_body; RILL_EREAD_TIMEOUT,
 *         RILL_ETOTAL_TIMEOUT, RILL_ERESET.
 * Cancel  what has come is kept: calling it again goes on where it was.
 * Owner   the response: copy what is to outlive it. */
RILL_AWAITS RILL_API int rill_response_bytes(rill_response *response, rill_str *ret_bytes);
RILL_AWAITS RILL_API int rill_response_text(rill_response *response, rill_str *ret_text);

/* Reads the body as JSON. The value is the caller's, to be released with json_decref. The content
 * type must be JSON ("application/json", "…+json"), else RILL_ECONTENT_TYPE; RILL_EJSON says line
 * and column. */
RILL_AWAITS RILL_API struct json_t *rill_response_json(rill_response *response);

/* Reads the next piece of the decoded body: the count, 0 at its end, or a code. Not together with
 * text, bytes or json (RILL_EINVAL). A broken body gives what came before the fault first.
 * Cancel  nothing is lost: calling it again goes on. */
RILL_AWAITS RILL_API ptrdiff_t rill_response_read(rill_response *response, void *buf, size_t len);

/* ---- on a schedule ---- */

/* Receives a response, which stays the caller's, or NULL with the error in place. A negative return
 * ends the schedule. */
typedef int rill_response_fn(rill_response *response, void *state);

typedef struct rill_session_every_opts {
    size_t size;
    rill_response_fn *fn;
    void *state;
    rill_missed missed; /* default: RILL_MISSED_SKIP */
    double delay;       /* seconds before the first. Default: at once */
    double jitter;      /* as in rill_interval_jitter. Default: 0 */
    const char *name;
    const char *file; /* where it was spawned: filled by the macro */
    int line;
} rill_session_every_opts;

/* Spawns a task that fetches the URL every `seconds`, never twice at once, and hands each response
 * to a function: rill_session_every(session, 5.0, "https://example.com", on_response, state). A
 * negative return of the function ends it, with that as the task's result; so does rill_cancel. The
 * session must outlive the task. Returns {0} with the error in place when it cannot start. */
#define rill_session_every(session, seconds, url, fn_, ...)                                        \
    rill_session_every_with((session), (seconds), (url),                                           \
                            RILL_OPTS(rill_session_every_opts, .file = __FILE__, .line = __LINE__, \
                                      .fn = (fn_), .state = __VA_ARGS__))
RILL_AWAITS RILL_API rill_task rill_session_every_with(rill_session *session, double seconds,
                                                       const char *url,
                                                       const rill_session_every_opts *opts);

RILL_END_DECLS

#endif
