/*
 * The request's body: read as the handler asks for it, piece by piece or whole.
 *
 * Slowness is measured only while the handler waits for the peer: each 16 KiB may take
 * body_timeout of waiting.
 */
#include "base/fail.h"
#include "server/server_internal.h"

#include <jansson.h>

/* So many bytes without a wait before other tasks have their turn. */
#define BYTES_PER_TURN (512u * 1024u)

bool rill__body_unread(const rill_request *request)
{
    return !rill__h1_body_done(&request->body);
}

/* Ends the body with an error; the connection can only be closed after the reply. */
static int body_fails(rill_request *request, int code, const char *why)
{
    request->body_error = code;
    request->keep_alive = false;
    return rill__fail(code, "request body: %s", why);
}

static int gone(rill_request *request)
{
    return body_fails(request, RILL_EREQUEST_BODY, "the client is gone");
}

/* ---- more input ---- */

/* The client may wait for this before it sends (RFC 9110 10.1.1). */
static void say_continue(rill_request *request)
{
    if (request->continued || request->reply.begun)
        return;
    request->continued = true;
    rill__buf_puts(&request->output.queued, "HTTP/1.1 100 Continue\r\n\r\n");
    rill__output_flush(request->connection);
}

static void charge_wait(rill_request *request, uint64_t began)
{
    uint64_t waited = rill__loop_now() - began;
    request->body_left -= waited < request->body_left ? waited : request->body_left;
}

/* Waits for bytes. 0 when something has changed. */
static int wait_for_input(rill_request *request)
{
    rill__connection *connection = request->connection;
    uint64_t began = rill__loop_now();
    rill__deadline_set(connection, RILL__READ_DEADLINE, rill__after(began, request->body_left));
    int rc = rill__waitq_wait(&request->input_waiters, "request body");
    rill__deadline_set(connection, RILL__READ_DEADLINE, RILL__NEVER);
    charge_wait(request, began);
    RILL__TRY(rc);
    if (request->body_late)
        return body_fails(request, RILL_ETIMEDOUT, "it came too slowly");
    return 0;
}

static void count_input(rill_request *request, size_t len)
{
    request->body_window += len;
    if (request->body_window < RILL__BODY_WINDOW)
        return;
    request->body_window = 0;
    request->body_left = request->connection->app->settings.body_ns;
}

static int more_input(rill_request *request)
{
    rill__connection *connection = request->connection;
    if (connection->broken)
        return gone(request);
    if (connection->peer_ended) {
        rill__h1_body_eof(&request->body);
        return body_fails(request, RILL_EREQUEST_BODY, "it ended too early");
    }
    say_continue(request);
    if (rill__input_make_room(request) < 0)
        return body_fails(request, RILL_ENOMEM, "out of memory");
    size_t before = request->input.end;
    if (!rill__input_receive(connection))
        RILL__TRY(wait_for_input(request));
    count_input(request, request->input.end - before);
    return 0;
}

/* A client that sends as fast as it is read must not keep all others waiting. */
static int let_others_run(rill_request *request)
{
    if (request->body_run < BYTES_PER_TURN)
        return 0;
    request->body_run = 0;
    return rill_sleep(0);
}

static int next_piece(rill_request *request, rill_str *ret_piece)
{
    RILL__TRY(let_others_run(request)); /* here, where a cancellation loses nothing */
    while (request->body_error == 0) {
        size_t consumed;
        enum rill__h1_step step =
            rill__h1_body_next(&request->body, request->input.ptr + request->input.start,
                               rill__input_len(request), &consumed, ret_piece);
        request->input.start += consumed;
        switch (step) {
        case RILL__H1_DATA:
            request->continued = true;
            request->body_run += ret_piece->len;
            return 1;
        case RILL__H1_END:
            return 0;
        case RILL__H1_REFUSED:
            return body_fails(request, RILL_EREQUEST_BODY,
                              rill__h1_reason_text(request->body.reason));
        case RILL__H1_MORE:
            RILL__TRY(more_input(request));
        }
    }
    return rill__fail(request->body_error, "request body: an earlier read of it failed");
}

int rill__body_next(rill_request *request, rill_str *ret_piece)
{
    int rc = next_piece(request, ret_piece);
    rill__connection_consumed(request->connection);
    return rc;
}

/* ---- for handlers ---- */

ptrdiff_t rill_request_read(rill_request *request, void *buf, size_t len)
{
    RILL__TRY(rill__checkpoint("request body"));
    if (len == 0)
        return rill__fail(RILL_EINVAL, "request body: there is no room to read into");
    if (request->piece.len == 0) {
        int rc = rill__body_next(request, &request->piece);
        if (rc <= 0) {
            request->piece.len = 0;
            return rc;
        }
    }
    size_t n = request->piece.len < len ? request->piece.len : len;
    memcpy(buf, request->piece.ptr, n);
    request->piece = (rill_str){ request->piece.ptr + n, request->piece.len - n };
    return (ptrdiff_t)n;
}

static uint64_t max_size(const rill_request *request)
{
    int64_t size = request->connection->app->settings.client_max_size;
    if (request->route && request->route->opts.client_max_size != 0)
        size = request->route->opts.client_max_size;
    return size < 0 ? SIZE_MAX / 2 : (uint64_t)size;
}

static int too_large(rill_request *request)
{
    request->body_error = RILL_EREQUEST_LIMIT;
    request->keep_alive = false;
    return rill__fail(RILL_EREQUEST_LIMIT, "request body: it is larger than %llu bytes",
                      (unsigned long long)max_size(request));
}

static int read_whole(rill_request *request)
{
    uint64_t max = max_size(request);
    rill__buf *whole = &request->whole;
    if (whole->max == 0) /* else it was begun, and cancelled in the middle */
        *whole = rill__buf_make((size_t)max);
    if (request->head.has_length && request->head.content_length > max)
        return too_large(request);
    /* What was announced is only believed within reason. */
    if (request->head.has_length && request->head.content_length <= RILL__INPUT_MAX)
        rill__buf_reserve(whole, (size_t)request->head.content_length);
    for (;;) {
        rill_str piece = request->piece;
        request->piece.len = 0;
        int rc = piece.len > 0 ? 1 : rill__body_next(request, &piece);
        if (rc <= 0)
            return rc;
        rill__buf_append(whole, piece.ptr, piece.len);
        if (whole->too_long)
            return too_large(request);
        if (whole->failed)
            return body_fails(request, RILL_ENOMEM, "out of memory");
    }
}

int rill_request_body(rill_request *request, rill_str *ret_body)
{
    RILL__TRY(rill__checkpoint("request body"));
    if (!request->body_is_whole)
        RILL__TRY(read_whole(request));
    request->body_is_whole = true;
    *ret_body = rill__buf_str(&request->whole);
    return 0;
}

struct json_t *rill_request_json(rill_request *request)
{
    rill_str body;
    if (rill_request_body(request, &body) < 0)
        return NULL;
    json_error_t error;
    json_t *json = json_loadb(body.ptr, body.len, JSON_DECODE_ANY, &error);
    if (!json)
        rill__fail(RILL_EJSON, "request body: line %d, column %d: %s", error.line, error.column,
                   error.text);
    return json;
}
