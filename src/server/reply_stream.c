/* Replies that are written in pieces, at the pace at which the peer reads. */
#include "base/fail.h"
#include "server/server_internal.h"

#include <stdio.h>

/* At most so much is put into the output at once. */
#define PIECE_MAX 16384u
/* So many bytes without a wait before other tasks have their turn. */
#define BYTES_PER_TURN (512u * 1024u)

static int broken(const rill_request *request)
{
    int code = request->connection->broken;
    if (code == RILL_ETIMEDOUT)
        return rill__fail(RILL_ETIMEDOUT, "reply to %s: the peer reads nothing",
                          rill_request_peer(request));
    return rill__fail(RILL_ERESET, "reply to %s: the peer is gone", rill_request_peer(request));
}

/* What was written leaves when the handler waits, or at the end of the turn. */
static void send_soon(rill_request *request)
{
    if (request->waited)
        rill__connection_poke(request->connection);
}

int rill_reply_begin(rill_request *request, int status)
{
    RILL__TRY(rill__checkpoint("reply"));
    RILL__TRY(rill__reply_head(request, status, "application/octet-stream"));
    send_soon(request);
    return 0;
}

/* ---- writing ---- */

static int fail_cut(void)
{
    return rill__fail(RILL_EREPLY, "reply: an earlier write failed in its middle");
}

static int check_write(rill_request *request, size_t len)
{
    struct rill__reply *reply = &request->reply;
    if (!reply->begun || reply->ended)
        return rill__fail(RILL_EREPLY, "reply: it has %s", reply->begun ? "ended" : "not begun");
    if (request->cut)
        return fail_cut();
    if (reply->has_length && len > reply->length - reply->written) {
        rill__reply_misuse(request, "the handler writes more than the %llu bytes it announced",
                           (unsigned long long)reply->length);
        return rill__fail(RILL_EREPLY, "reply: more than the %llu bytes that were announced",
                          (unsigned long long)reply->length);
    }
    return 0;
}

static int wait_for_room(rill_request *request)
{
    rill__connection *connection = request->connection;
    while (!connection->broken && rill__output_pending(request) > RILL__OUTPUT_MAX) {
        rill__output_flush(connection);
        if (connection->broken || rill__output_pending(request) <= RILL__OUTPUT_MAX)
            break;
        RILL__TRY(rill__waitq_wait(&request->output_waiters, "reply"));
    }
    return connection->broken ? broken(request) : 0;
}

static int put_piece(rill_request *request, rill_str piece)
{
    rill__buf *out = &request->output.queued;
    if (request->reply.chunked)
        rill__h1_write_chunk(out, piece.ptr, piece.len);
    else
        rill__buf_append(out, piece.ptr, piece.len);
    if (out->failed)
        return rill__fail_nomem();
    request->reply.written += piece.len;
    request->reply_run += piece.len;
    return 0;
}

/* A peer that reads as fast as it is written must not keep all others waiting. */
static int let_others_run(rill_request *request)
{
    if (request->reply_run < BYTES_PER_TURN)
        return 0;
    request->reply_run = 0;
    return rill_sleep(0);
}

static int write_piece(rill_request *request, rill_str piece)
{
    RILL__TRY(let_others_run(request)); /* here, where a cancellation loses nothing */
    RILL__TRY(wait_for_room(request));
    return put_piece(request, piece);
}

static int write_pieces(rill_request *request, rill_str bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        size_t left = bytes.len - done;
        int rc = write_piece(request,
                             (rill_str){ bytes.ptr + done, left < PIECE_MAX ? left : PIECE_MAX });
        if (rc < 0) {
            /* What goes on behind a piece that is not whole would be another reply. */
            request->cut = done > 0 || request->output.queued.failed;
            return rc;
        }
        done += left < PIECE_MAX ? left : PIECE_MAX;
    }
    send_soon(request);
    return 0;
}

int rill_reply_write(rill_request *request, const void *bytes, size_t len)
{
    RILL__TRY(rill__checkpoint("reply"));
    RILL__TRY(check_write(request, len));
    if (request->connection->broken)
        return broken(request);
    if (request->reply.no_body) {
        request->reply.written += len;
        if (request->head.method_id != RILL__H1_HEAD && len > 0)
            rill__reply_misuse(request, "status %d has no body: %zu bytes are dropped",
                               request->reply.status, len);
        return 0;
    }
    return write_pieces(request, (rill_str){ bytes, len });
}

int rill_reply_printf(rill_request *request, const char *format, ...)
{
    char small[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < 0)
        return rill__fail(RILL_EREPLY, "reply: the text could not be formatted");
    if ((size_t)len < sizeof small)
        return rill_reply_write(request, small, (size_t)len);
    rill__buf text = rill__buf_make((size_t)len + 1);
    va_start(args, format);
    rill__buf_vprintf(&text, format, args);
    va_end(args);
    int rc = text.failed ? rill__fail_nomem() : rill_reply_write(request, text.ptr, text.len);
    rill__buf_free(&text);
    return rc;
}

int rill_reply_end(rill_request *request)
{
    RILL__TRY(rill__need_task("reply"));
    struct rill__reply *reply = &request->reply;
    if (!reply->begun)
        return rill__fail(RILL_EREPLY, "reply: it has not begun");
    if (reply->ended)
        return 0;
    if (request->cut)
        return fail_cut();
    if (reply->has_length && !reply->no_body && reply->written < reply->length) {
        rill__reply_misuse(request, "the handler wrote %llu of the %llu bytes it announced",
                           (unsigned long long)reply->written, (unsigned long long)reply->length);
        return rill__fail(RILL_EREPLY, "reply: %llu bytes of the announced %llu are missing",
                          (unsigned long long)(reply->length - reply->written),
                          (unsigned long long)reply->length);
    }
    if (reply->chunked && !reply->no_body)
        rill__h1_write_last_chunk(&request->output.queued, NULL);
    if (request->output.queued.failed) {
        request->cut = true;
        return rill__fail_nomem();
    }
    reply->ended = true;
    send_soon(request);
    return 0;
}
