/*
 * The server's own structures: applications, connections and requests.
 *
 * A connection is a machine that the loop drives by callbacks; it has no task. While it waits for
 * its next request it is the struct below and nothing else. With the first bytes of a request it
 * gets a struct rill_request from the loop's pool, which holds its buffers, the index of the head,
 * and the request that is worked on; it gives that back once everything was answered and sent.
 *
 * A handler runs as a task that rill__spawn_now starts. The machine itself always runs on the
 * loop's own stack: what a handler wants of it is asked for by flags and rill__connection_poke.
 *
 *                 head complete             replied                 more of the body came
 *     HEAD ───────────────────────▶ HANDLER ───────▶ DRAIN ◀──────────────────────────────┐
 *      ▲  │ refused, ended, idle      │ ▲              │ the rest of the body was read ──┘
 *      │  ▼                           │ └ waits        │
 *      │ CLOSING ◀────────────────────┴────────────────┤
 *      │  │ all sent      (no keep-alive)              │
 *      └──┼────────────────────────────────────────────┘
 *         ▼
 *        LINGER (what the peer still sends is thrown away, so that no reset eats the reply) ▶ freed
 */
#ifndef RILL_SRC_SERVER_INTERNAL_H
#define RILL_SRC_SERVER_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "http/h1.h"
#include "http/headers.h"
#include "http/percent.h"
#include "net/net.h"
#include "runtime/runtime.h"
#include "server/router.h"

#include <netinet/in.h>
#include <rill/server.h>
#include <sys/un.h>

typedef struct rill__connection rill__connection;

/* ---- limits ---- */

#define RILL__INPUT_SIZE 16384u        /* bytes read at once */
#define RILL__INPUT_MAX (80u * 1024u)  /* a head of the largest size, and what came behind it */
#define RILL__OUTPUT_MAX (64u * 1024u) /* bytes queued before a handler that writes waits */
#define RILL__DRAIN_MAX (64u * 1024u)  /* of a body that nobody read, to keep the connection */
#define RILL__LINGER_MAX (1u << 30)    /* bytes thrown away before a close */
#define RILL__LINGER_NS (5 * RILL__SECOND)
#define RILL__BODY_WINDOW 16384u /* bytes that body_timeout is given for */
#define RILL__POOL_MAX 128u      /* requests kept for reuse */
#define RILL__QUERY_PAIRS_MAX 1000u

/* ---- the application ---- */

struct rill__hook {
    struct rill__hook *next;
    rill_hook_fn *fn;
    bool cleans;
    size_t needs; /* of a clean-up hook: start-up hooks that were registered before */
};

struct rill__background {
    struct rill__background *next;
    rill_app *app;
    rill_task_fn *fn;
    void *arg;
    const char *name;
    double period, jitter; /* period 0: fn runs once */
    rill_missed missed;
    const char *file; /* where it was asked for */
    int line;
    rill_task task; /* while it runs */
};

/* The options, resolved. */
struct rill__settings {
    int64_t client_max_size; /* RILL_UNLIMITED for none */
    double shutdown_seconds;
    uint64_t keepalive_ns, head_ns, body_ns, send_ns;
    size_t max_connections;
    bool access_log;
    bool cancel_on_disconnect;
};

#define RILL__LISTENERS_MAX 2

struct rill_app {
    rill__list link; /* the loop's running applications */
    void *data;
    rill__arena arena; /* of routes, hooks and names */
    rill__router router;
    struct rill__hook *startup, *shutdown, *cleanup; /* cleanup: newest first */
    size_t startup_count, startup_ran;
    struct rill__background *background;
    rill_error error; /* the first mistake in what was registered */
    struct rill__settings settings;
    rill_listener *listeners[RILL__LISTENERS_MAX];
    int port;
    bool running;
    bool stopping;
    bool paused;   /* at max_connections: not accepting */
    bool orphaned; /* freed by its owner: the last connection frees it */
    rill__list connections;
    size_t connection_count;
    size_t handlers;         /* tasks that run a handler */
    size_t background_count; /* background tasks that run */
    rill__waitq changed;     /* woken when one of the three counts sinks */
};

/* ---- connections ---- */

enum rill__connection_state {
    RILL__HEAD,
    RILL__HANDLER,
    RILL__DRAIN,
    RILL__CLOSING,
    RILL__LINGER,
    RILL__CLOSED,
};

enum rill__deadline {
    RILL__READ_DEADLINE,
    RILL__WRITE_DEADLINE,
};

struct rill__connection {
    rill__list link; /* app->connections */
    rill_app *app;
    rill_request *request; /* NULL while it only waits */
    rill__tls *tls;        /* NULL: plain */
    rill__handle handle;
    rill__op reader, writer;
    rill__deferred deferred;
    rill__timer timer;     /* set no later than the earlier of the two deadlines */
    uint64_t deadlines[2]; /* by enum rill__deadline */
    uint64_t lingered;     /* bytes read in LINGER or DRAIN */
    int broken;            /* a code: nothing can be read or written any more */
    uint8_t state;         /* enum rill__connection_state */
    bool peer_ended;       /* it will send nothing more */
    bool head_begun;       /* bytes of a head have come: its deadline runs */
    bool served;           /* a request was answered: what comes next may take keepalive_timeout */
    bool heard;            /* with TLS: its first byte has come */
    bool linger;           /* the peer may still be sending */
    bool abort;            /* close with a reset: the end must not look like one */
    bool goodbye;          /* TLS has said its goodbye */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
};

/* ---- requests ---- */

struct rill__input {
    char *ptr; /* `storage`, or a buffer that was allocated */
    size_t start, end, cap;
    char *head; /* the head's own buffer, when the input moved to another; else NULL */
    char storage[RILL__INPUT_SIZE];
};

struct rill__output {
    rill__buf queued;  /* to be sent next */
    rill__buf sending; /* belongs to the driver while a send is pending */
    size_t sent;       /* of sending */
    struct iovec iov;
};

struct rill__reply {
    rill_headers headers;
    uint64_t length;  /* announced */
    uint64_t written; /* bytes of body so far */
    int status;
    bool has_length;
    bool begun; /* the head is in the output */
    bool ended; /* and all of the body */
    bool chunked;
    bool no_body;  /* HEAD, 204, 304 */
    bool reported; /* a misuse was logged */
};

/* The request at hand and its reply, and the buffers that a connection works with. */
struct rill_request {
    /* Of this request: cleared for each. */
    const rill__route *route;
    char *text; /* the head's first byte */
    size_t head_len;
    rill_str path, query; /* parts of the target, as sent */
    const char *decoded_path, *peer, *host;
    rill_headers headers; /* made when asked for */
    rill__query pairs;    /* made when asked for */
    bool has_headers, has_pairs;
    bool keep_alive;
    bool continued;     /* 100 Continue was sent, or is not needed any more */
    bool handler_done;  /* the handler has returned, and its reply is made */
    bool waited;        /* the handler has waited: the machine must be poked */
    bool cut;           /* the reply cannot be completed */
    bool client_left;   /* before there was a reply */
    bool body_late;     /* it came too slowly */
    bool body_is_whole; /* rill_request_body has it */
    int body_error;     /* the code that reading the body failed with */
    rill_str piece;     /* decoded bytes of the body that were not handed out yet */
    uint64_t body_left; /* ns that the current window of the body may still take */
    size_t body_window; /* bytes of it that came */
    size_t body_run;    /* bytes read without letting others run */
    struct rill__h1_body body;
    rill__buf whole; /* the body */
    rill__buf parts; /* the reply's body, when it is made of several ranges */
    struct rill__reply reply;
    size_t reply_run; /* bytes written without letting others run */
    uint64_t started; /* for the access log */

    /* Kept. */
    rill_request *next_free;
    rill__connection *connection;
    rill_task task;
    rill__waitq input_waiters, output_waiters;
    rill__arena arena;
    struct rill__h1_head head;
    struct rill__output output;
    rill_str params[RILL__ROUTE_PARAMS_MAX]; /* what the route's parameters matched, as sent */
    struct rill__h1_field fields[RILL__H1_FIELDS];
    struct rill__input input;
};

/* ---- app.c, run.c ---- */

/* The loop ends before the application was stopped: closes all that it holds. May free it. */
void rill__app_abandon(rill_app *app);
/* Frees it now: it has no connection. */
void rill__app_free_now(rill_app *app);

/* ---- pool.c: what there is one of per loop ---- */

/* The request that the next rill__pool_take returns, for a receive that may come to nothing. */
rill_request *rill__pool_peek(void);
rill_request *rill__pool_take(void);
void rill__pool_give(rill_request *request);
/* Scratch of RILL__INPUT_SIZE bytes that nobody keeps beyond one callback. */
char *rill__pool_scratch(void);
/* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" of now. */
rill_str rill__date_line(void);
/* The loop's running applications: closed when the loop ends without rill_app_stop. */
int rill__pool_add_app(rill_app *app);

/* ---- connection.c: the machine ---- */

void rill__connection_accepted(void *app, int fd, const struct sockaddr_storage *address,
                               socklen_t len);
/* Goes on as far as it can without waiting. May free the connection. From the loop only. */
void rill__connection_run(rill__connection *connection);
/* Has the machine run at the end of the turn: for tasks. */
void rill__connection_poke(rill__connection *connection);
/* The handler has taken input: where it was full, the client can be watched again. */
void rill__connection_consumed(rill__connection *connection);
/* All output has left, later than it was made. */
void rill__connection_all_sent(rill__connection *connection);
/* Nothing can be read or written any more: `code` is what those who try get. */
void rill__connection_break(rill__connection *connection, int code);
/* Cancels its handler, if one runs. */
void rill__connection_cancel(rill__connection *connection, const char *reason);
/* Closes at once and frees; while a handler runs, that one's end frees. */
void rill__connection_drop(rill__connection *connection);
/* Closes it if it only waits for a request. */
void rill__connection_close_if_idle(rill__connection *connection);

/* ---- input.c ---- */

/* Reads more, behind what is there. True when something has changed at once: bytes, the end, or a
 * break; false when it will later, or when a read is under way already. */
bool rill__input_receive(rill__connection *connection);
/* Makes room for more, within bounds; of what is there only the head and the unread rest are kept.
 * Returns 0, RILL_ELIMIT or RILL_ENOMEM. */
int rill__input_make_room(rill_request *request);
/* Moves the unread bytes down to the head: what was consumed is overwritten. */
void rill__input_compact(rill_request *request);
/* Forgets the head's bytes: the input begins with what comes next. */
void rill__input_next(rill_request *request);
void rill__input_op_init(rill__connection *connection);
/* Gives back what was allocated; the input is empty then. */
void rill__input_free(rill_request *request);

static inline size_t rill__input_len(const rill_request *request)
{
    return request->input.end - request->input.start;
}

/* ---- output.c ---- */

/* Sends what is queued, as far as that goes now. */
void rill__output_flush(rill__connection *connection);
/* Bytes not yet taken by the kernel. */
size_t rill__output_pending(const rill_request *request);
void rill__output_op_init(rill__connection *connection);

/* ---- timeouts.c ---- */

/* The absolute time at which the connection's patience ends; RILL__NEVER for none. */
void rill__deadline_set(rill__connection *connection, enum rill__deadline which, uint64_t deadline);
void rill__deadlines_init(rill__connection *connection);
void rill__deadlines_stop(rill__connection *connection);

/* ---- handler.c: from a complete head to a complete reply ---- */

void rill__handler_start(rill_request *request, size_t head_len);
/* Forgets the request; the next one may begin. */
void rill__request_reset(rill_request *request);
void rill__head_init(rill_request *request);
/* Answers a request that cannot be served, and ends the connection after it. */
void rill__refuse(rill_request *request, int status, const char *why);

/* ---- body.c ---- */

/* The next piece of the body, a view that lives until the next call: 1; 0 at its end; a code. */
int rill__body_next(rill_request *request, rill_str *ret_piece);
/* Whether bytes of the body may still come. */
bool rill__body_unread(const rill_request *request);

/* ---- reply.c, reply_head.c, reply_stream.c ---- */

/* Writes the head. `type`: the Content-Type when none was set, NULL for none. */
int rill__reply_head(rill_request *request, int status, const char *type);
/* A whole reply. */
int rill__reply_whole(rill_request *request, int status, const char *type, rill_str body);
/* Says in the log that the application does what it should not: once a reply. */
void rill__reply_misuse(rill_request *request, const char *format, ...) RILL_PRINTF(2, 3);

/* ---- conditional.c ---- */

/* A body and its Content-Type, if the application set none. */
struct rill__whole {
    const char *type;
    rill_str body;
};

/* What a 200 with this body becomes by the request's conditions and ranges: changes the status,
 * the headers and the body. Returns 0 or RILL_ENOMEM. */
int rill__reply_conditional(rill_request *request, int *status, struct rill__whole *whole);

/* ---- access_log.c ---- */

void rill__access_log(rill_request *request);

#endif
