/*
 * One request and the head of its answer: take a connection, send, read, and once more on a fresh
 * connection when a kept one turns out to be dead.
 *
 * A server may close a connection that it kept at the very moment in which a request sets out on
 * it. Then the connection ends before any byte of an answer: the request was most likely not read,
 * and one that may be sent twice without harm is.
 */
#include "base/clock.h"
#include "client/client_internal.h"

/* The first piece of the buffer for an answer. */
#define HEAD_ROOM 8191
#define HEAD_BUFFER_MAX ((size_t)1 << 20)

/* ---- connecting ---- */

static int connect_stream(rill_response *response, const rill__fetch *request)
{
    rill_session *session = response->session;
    rill__conn *conn = response->conn;
    const rill__host *host = conn->host;
    if (host->secure && !session->tls) {
        session->tls = rill__tls_context_client(&session->opts.tls);
        if (!session->tls)
            return rill_errcode();
    }
    double attempt = request->timeout.sock_connect;
    conn->stream =
        rill_connect_with(host->name, &(rill_connect_opts){
                                          .size = sizeof(rill_connect_opts),
                                          .port = host->port,
                                          .tls = host->secure,
                                          .tls_options = session->opts.tls,
                                          .attempt_timeout = attempt > 0 ? attempt : RILL_FOREVER,
                                      });
    if (conn->stream)
        return 0;
    if (rill_errcode() != RILL_ECANCELED)
        response->phase = NULL; /* its sentence says it: "connect a:80: …" */
    return rill_errcode();
}

/* When the loop's turn began: that is when an answer was heard, and it costs nothing to ask. */
static double turn_now(void)
{
    return (double)rill__loop_now() / 1e9;
}

static int take_connection(rill_response *response, const rill__fetch *request)
{
    double before = turn_now();
    if (!response->conn) {
        response->phase = rill__phase_queue;
        RILL__TRY(rill__conns_take(response->target->host, &response->conn));
    }
    if (response->conn->stream)
        return 0;
    response->phase = rill__phase_connect;
    double queued = turn_now();
    response->timings.queue += queued - before;
    int rc = connect_stream(response, request);
    response->timings.connect += turn_now() - queued;
    return rc;
}

/* Takes a connection within the time for that. */
static int connect_in_time(rill_response *response, const rill__fetch *request)
{
    double seconds = request->timeout.connect;
    if (seconds <= 0)
        return take_connection(response, request);
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope, .timeout = seconds));
    int rc = rill_scope_end(&scope, take_connection(response, request));
    if (rc == RILL_ETIMEDOUT)
        return rill__fail(RILL_ECONNECT_TIMEOUT, "no connection within %g s", seconds);
    return rc;
}

/* ---- receiving ---- */

static ptrdiff_t recv_in_gap(rill_response *response, char *to, size_t room)
{
    rill_stream *stream = response->conn->stream;
    if (response->read_timeout <= 0)
        return rill_stream_read(stream, to, room);
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope, .timeout = response->read_timeout));
    ptrdiff_t n = rill_stream_read(stream, to, room);
    int rc = rill_scope_end(&scope, n < 0 ? (int)n : 0);
    if (rc == RILL_ETIMEDOUT)
        return rill__fail(RILL_EREAD_TIMEOUT, "nothing came within %g s", response->read_timeout);
    return rc < 0 ? rc : n;
}

static int fail_total(const rill_response *response)
{
    return rill__fail(RILL_ETOTAL_TIMEOUT, "not done within %g s", response->total);
}

ptrdiff_t rill__response_recv(rill_response *response, char *to, size_t room)
{
    if (response->in_scope || response->deadline == 0)
        return recv_in_gap(response, to, room);
    double left = response->deadline - rill_now();
    if (left <= 0)
        return fail_total(response);
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope, .timeout = left));
    ptrdiff_t n = recv_in_gap(response, to, room);
    int rc = rill_scope_end(&scope, n < 0 ? (int)n : 0);
    return rc == RILL_ETIMEDOUT ? fail_total(response) : rc < 0 ? rc : n;
}

/* ---- sending ---- */

static int send_request(rill_response *response, const rill__fetch *request)
{
    rill__buf *out = &response->head;
    rill_stream *stream = response->conn->stream;
    response->phase = rill__phase_send;
    rill__buf_reset(out);
    RILL__TRY(rill__fetch_write(request, response->target, out));
    int rc = rill_stream_write(stream, out->ptr, out->len);
    rill__buf_reset(out); /* what comes is for the answer */
    if (rc < 0 || request->body_gone || request->body.len <= RILL__WRITE_TOGETHER)
        return rc;
    return rill__upload(response, request->body);
}

/* ---- the head of the answer ---- */

static int recv_head(rill_response *response)
{
    rill__buf *in = &response->head;
    size_t room = in->len < HEAD_ROOM ? HEAD_ROOM - in->len : HEAD_ROOM;
    char *to = rill__buf_reserve(in, room);
    if (!to)
        return rill__fail_nomem();
    ptrdiff_t n = rill__response_recv(response, to, room);
    if (n > 0) {
        response->heard = true;
        rill__buf_commit(in, (size_t)n);
        return 0;
    }
    if (n < 0 && n != RILL_ETRUNCATED)
        return (int)n;
    if (in->len > 0)
        return rill__fail(RILL_EDISCONNECTED, "the server closed the connection after %zu bytes",
                          in->len);
    return rill__fail(RILL_EDISCONNECTED, "the server closed the connection");
}

/* Reads until a head is complete; returns its length. */
static int read_one_head(rill_response *response, struct rill__h1_head *head)
{
    rill__buf *in = &response->head;
    for (;;) {
        int n = in->len > 0 ? rill__h1_head_parse(head, in->ptr, in->len) : 0;
        if (n > 0)
            return n;
        if (n < 0)
            return rill__fail(RILL_EPROTOCOL, "%s",
                              rill__h1_reason_text((enum rill__h1_reason)head->reason));
        RILL__TRY(recv_head(response));
    }
}

static int read_final_head(rill_response *response, const rill__fetch *request,
                           struct rill__h1_head *head)
{
    response->phase = rill__phase_wait;
    for (int i = 0; i <= RILL__INTERIM_MAX; i++) {
        rill__h1_head_init_response(head, NULL, head->fields, request->method_id);
        int len = read_one_head(response, head);
        if (len < 0)
            return len;
        if (head->status == 101 && !request->upgrade)
            return rill__fail(RILL_EPROTOCOL, "the server switched protocols unasked");
        if (head->status >= 200 || head->status == 101)
            return len;
        rill__buf_consume(&response->head, (size_t)len);
    }
    return rill__fail(RILL_EPROTOCOL, "more than %d interim answers came", RILL__INTERIM_MAX);
}

static int take_head(rill_response *response, const rill__fetch *request,
                     struct rill__h1_head *head, size_t len)
{
    char *text = response->head.ptr;
    RILL__TRY(rill__headers_view(&response->headers, &response->arena, text, head));
    const char *peer = rill_stream_peer(response->conn->stream);
    response->peer = rill__arena_dup(&response->arena, peer, strlen(peer));
    if (!response->peer)
        return rill__fail_nomem();
    text[head->phrase.off + head->phrase.len] = '\0';
    response->reason = text + head->phrase.off;
    response->status = head->status;
    response->content_length =
        head->has_length && head->content_length <= INT64_MAX ? (int64_t)head->content_length : -1;
    response->keep = response->keep && head->keep_alive && !head->tunnel && !request->is_close;
    rill__h1_body_init(&response->framing, head);
    response->at = len;
    rill__response_begin(response);
    return 0;
}

static int read_head(rill_response *response, const rill__fetch *request)
{
    struct rill__h1_field fields[RILL__H1_FIELDS];
    struct rill__h1_head head = { .fields = fields };
    double before = turn_now();
    int len = read_final_head(response, request, &head);
    response->timings.wait += turn_now() - before;
    return len < 0 ? len : take_head(response, request, &head, (size_t)len);
}

/* ---- the whole ---- */

static int attempt(rill_response *response, const rill__fetch *request)
{
    RILL__TRY(connect_in_time(response, request));
    response->keep = true;
    response->heard = false;
    int rc = send_request(response, request);
    if (rc == RILL_ERESET) {
        /* It may have answered before it closed: too large, not allowed. */
        response->keep = false;
        rc = read_head(response, request);
        if (rc == RILL_ERESET || rc == RILL_EDISCONNECTED)
            response->phase = rill__phase_send;
        return rc;
    }
    return rc < 0 ? rc : read_head(response, request);
}

static bool was_stale(const rill_response *response, const rill__fetch *request, int rc)
{
    const rill__conn *conn = response->conn;
    return (rc == RILL_EDISCONNECTED || rc == RILL_ERESET) && !response->heard && conn &&
           conn->was_used && rill__fetch_is_idempotent(request);
}

int rill__exchange(rill_response *response, const rill__fetch *request)
{
    int rc = attempt(response, request);
    if (rc < 0 && was_stale(response, request, rc)) {
        rill_stream_free(rill_take(response->conn->stream));
        response->conn->was_used = false;
        rc = attempt(response, request);
    }
    if (rc < 0) {
        rill__explain(response);
        rill__response_drop(response);
    }
    return rc;
}
