/*
 * What the files of the client share.
 *
 *     session     options, defaults, and one pool of connections
 *     target      a URL, parsed, with the host in the pool that it leads to; counted
 *     host        scheme, host and port: idle connections and the places to make more
 *     conn        a place in the pool, and the stream that fills it; idle or of one response
 *     request     what is sent, for the time of one rill_fetch; lives on its stack
 *     response    what comes; holds the connection until the answer has come whole
 *
 * A response is made when its request begins and serves all redirects of it, so it counts as a user
 * of the session. Bytes are read into the response's own buffers: an idle connection holds none,
 * and one that would still have some is not kept.
 */
#ifndef RILL_SRC_CLIENT_CLIENT_INTERNAL_H
#define RILL_SRC_CLIENT_CLIENT_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "http/coding.h"
#include "http/h1.h"
#include "net/net.h"
#include "runtime/runtime.h"

#include <rill/client.h>

/* Interim answers (1xx) that may come before the final one. */
#define RILL__INTERIM_MAX 32
/* Bodies up to this size leave in one write with their head. */
#define RILL__WRITE_TOGETHER 16384
/* Responses that a session keeps for reuse, and the most that the buffer of each may hold. */
#define RILL__SPARES_MAX 64
#define RILL__SPARE_BUFFER_MAX 16384

/* ---- pool.c ---- */

/* Places that are taken and given back, first come, first served. */
typedef struct rill__places {
    size_t free;
    rill__waitq queue;
} rill__places;

typedef struct rill__host {
    struct rill__host *next; /* in its bucket of the pool */
    struct rill__pool *pool;
    size_t refs;         /* targets and connections */
    rill__places places; /* to this host */
    rill__list idle;     /* rill__conn.in_host: most recently used first */
    const char *name;    /* to connect to: "::1" without brackets */
    int port;
    bool secure;
    char origin[]; /* the key: "https://example.com:8443" */
} rill__host;

typedef struct rill__conn {
    rill__list in_host; /* while idle */
    rill__list in_pool; /* in `idle` or `busy` of its pool */
    rill__host *host;
    rill_stream *stream; /* NULL until connected */
    uint64_t idle_since;
    bool was_used; /* it has brought an answer already */
} rill__conn;

#define RILL__POOL_BUCKETS 128

typedef struct rill__pool {
    rill__places places; /* in all */
    rill__list idle;     /* rill__conn.in_pool: longest idle first */
    size_t idle_count;
    size_t used; /* connections with a place */
    size_t limit;
    size_t limit_per_host;
    uint64_t keepalive; /* ns */
    rill__timer timer;  /* closes what was idle too long; set while there is something idle */
    bool timer_set;
    bool closed;
    rill__list busy;    /* rill__conn.in_pool: of responses */
    rill__list in_loop; /* the loop's pools that have connections */
    rill__host *buckets[RILL__POOL_BUCKETS];
} rill__pool;

void rill__conns_init(rill__pool *pool, const rill_session_opts *opts);
/* Closes what is idle; tasks that wait for a place get RILL_ECLOSED. */
void rill__conns_close(rill__pool *pool);

/* The host of a URL, with a reference; NULL with the error in place. */
rill__host *rill__conns_host(rill__pool *pool, const rill_url *url);
void rill__host_unref(rill__host *host);

/* Waits for a place and gives an idle connection, or a new one without a stream. Returns 0,
 * RILL_ECLOSED, RILL_ECANCELED or RILL_ENOMEM. */
RILL_AWAITS int rill__conns_take(rill__host *host, rill__conn **ret_conn);
/* Gives it back: to be used again, or to be closed. Its place goes to the next who waits. */
void rill__conns_give(rill__conn *conn, bool keep);

/* ---- target.c ---- */

typedef struct rill__target {
    size_t refs;
    rill_url *url;
    rill__host *host;
    char text[]; /* what the URL was parsed from; "" when that tells nothing */
} rill__target;

/* The target of a URL as given, and its parameters, with a reference; NULL with the error made. */
rill__target *rill__target_new(rill_session *session, const char *url, const rill_param *params);
/* The target that a Location header names: RILL_EREDIRECT or RILL_EREDIRECT_SCHEME when bad. */
rill__target *rill__target_redirect(const rill__target *from, const char *location);
void rill__target_unref(rill__target *target);

/* ---- session.c ---- */

struct rill_session {
    size_t refs; /* the user's, and one of each response */
    rill__birth birth;
    rill_session_opts opts;
    rill_headers *headers; /* the session's and the automatic ones */
    rill__buf lines;       /* the same, as they are sent */
    bool lines_vary;       /* what they hold depends on the request: do not use `lines` */
    bool auto_coding;      /* Accept-Encoding is the automatic one */
    rill_url *base;
    rill__tls_context *tls; /* held so that its roots are read once */
    rill__target *last;     /* the target of the last request: the next is often the same */
    rill__pool pool;
    rill_response *spares;
    size_t spare_count;
};

void rill__session_unref(rill_session *session);

/* ---- request.c ---- */

typedef struct rill__fetch {
    rill_session *session;
    rill_str method;
    enum rill__h1_method method_id;
    const rill_header *headers; /* the caller's; NULL for none */
    rill_str body;
    rill__buf encoded;        /* the body when it was made here */
    const char *content_type; /* of the body, unless the caller names one */
    rill_timeout timeout;     /* seconds; 0: none */
    int max_redirects;        /* < 0: no limit */
    bool follow;
    bool decompress;
    bool raise_for_status;
    bool is_close;  /* the caller asks for Connection: close */
    bool upgrade;   /* the caller asks for an upgrade */
    bool strayed;   /* a redirect has left the first origin: credentials stay behind */
    bool body_gone; /* a redirect has made a GET of it */
} rill__fetch;

/* What was given, and where that is 0 the other; 0 in the result means none. */
rill_timeout rill__timeout_or(const rill_timeout *given, const rill_timeout *otherwise);

/* Takes in the options and makes the body. Returns 0, RILL_EINVAL, RILL_EJSON or RILL_ENOMEM. */
int rill__fetch_init(rill__fetch *request, rill_session *session, const rill_fetch_opts *opts);
void rill__fetch_finish(rill__fetch *request);
/* Writes the head, and a small body behind it. */
int rill__fetch_write(const rill__fetch *request, const rill__target *target, rill__buf *out);
/* Whether sending it twice does no more than sending it once (RFC 9110 9.2.2). */
bool rill__fetch_is_idempotent(const rill__fetch *request);

/* ---- response.c ---- */

enum rill__response_body { RILL__BODY_READING, RILL__BODY_ENDED, RILL__BODY_FAILED };

struct rill_response {
    rill__birth birth;
    rill_session *session;
    rill_response *next_spare;
    rill__target *target;
    rill__conn *conn;  /* NULL once the answer has come whole */
    char method[12];   /* for messages */
    const char *phase; /* what it is doing, for messages; NULL: the error says it itself */
    rill__arena arena;

    /* The head. */
    rill__buf head; /* the request while it is sent, then the head and what came with it */
    rill_headers headers;
    int status;
    const char *reason;
    const char *peer;
    const char *content_type; /* NULL until asked for */
    int64_t content_length;
    int redirects;
    bool keep;  /* the connection may be used again */
    bool heard; /* a byte of the answer has come */

    /* The body. */
    struct rill__h1_body framing;
    enum rill__response_body body_state;
    int body_error;
    bool decompress;
    bool streamed;   /* rill_response_read has taken some */
    rill__buf *from; /* where unread bytes stand: `head` or `more` */
    size_t at;       /* the first of them */
    rill__buf more;
    rill_str piece; /* framed bytes that are not decoded yet */
    rill__decoder *decoder;
    rill__buf whole; /* the decoded body, when it is more than one piece */
    rill_str bytes;  /* the view of it */
    bool has_bytes;
    rill__buf text;     /* the body in UTF-8, when that is not `bytes` */
    uint64_t body_read; /* framed bytes so far */

    /* Time. */
    double started, ended; /* as of rill_now; 0: not yet */
    double deadline;       /* of all of it; 0: none */
    double total;          /* the same in seconds from the start */
    double read_timeout;   /* between two pieces; 0: none */
    rill_timings timings;
    bool in_scope; /* rill_fetch watches the deadline */
};

rill_response *rill__response_new(rill_session *session);
/* Makes it ready for another hop: connection, head and body are gone, time goes on. */
void rill__response_reset(rill_response *response);
/* The connection is of no use any more. */
void rill__response_drop(rill_response *response);
/* Memory that a session kept. */
void rill__response_destroy(rill_response *response);

/* ---- exchange.c ---- */

/* Sends the request and reads the head of the answer, over a kept connection or a new one. */
RILL_AWAITS int rill__exchange(rill_response *response, const rill__fetch *request);
/* Reads from the connection, at most as long as the timeouts allow: the count, 0 at the end. */
RILL_AWAITS ptrdiff_t rill__response_recv(rill_response *response, char *to, size_t room);

/* ---- upload.c ---- */

/* Writes a body behind its head. Returns 0 when it is written, or refused by an early answer, whose
 * first bytes are in response->head then; else a code. */
RILL_AWAITS int rill__upload(rill_response *response, rill_str body);

/* ---- body.c ---- */

/* The head was read: `framing` is set. Gives the connection back when the answer is there whole. */
void rill__response_begin(rill_response *response);
/* Takes what is there already; the connection is given back if that was all, else closed. */
void rill__response_leave(rill_response *response);
/* Reads decoded bytes: the count, 0 at the end, or a code. */
RILL_AWAITS ptrdiff_t rill__response_read(rill_response *response, char *to, size_t room);
/* Reads all of it, into response->bytes. */
RILL_AWAITS int rill__response_read_all(rill_response *response);

/* ---- charset.c ---- */

enum rill__charset { RILL__CHARSET_UTF8, RILL__CHARSET_ASCII, RILL__CHARSET_LATIN1 };

/* The charset of a Content-Type (NULL: none); UTF-8 for what is not known. */
enum rill__charset rill__charset_of(const char *content_type);
/* Whether the text is the same in UTF-8. */
bool rill__charset_is_utf8(rill_str text, enum rill__charset charset);
/* Appends it in UTF-8; what does not decode becomes U+FFFD. */
void rill__charset_decode(rill__buf *out, rill_str text, enum rill__charset charset);

/* ---- errors.c ---- */

extern const char rill__phase_queue[];
extern const char rill__phase_connect[];
extern const char rill__phase_send[];
extern const char rill__phase_wait[];
extern const char rill__phase_body[];
extern const char rill__phase_decode[];

/* Puts "GET http://a/: waiting for the answer: " in front of the error that stands, and sets its
 * URL and status. Returns its code. */
int rill__explain(const rill_response *response);
/* Makes an error with all of that. */
int rill__fail_response(const rill_response *response, int code, const char *format, ...)
    RILL_PRINTF(3, 4);

#endif
