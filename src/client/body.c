/*
 * Bodies: framed bytes out of the connection, decoded when they were coded.
 *
 * What came with the head is used where it stands; further bytes are read into a buffer of their
 * own, for the head's text must not move. A read that is cancelled has lost nothing: the next one
 * goes on. A body that is broken is broken for good, and its connection is closed at once.
 */
#include "client/client_internal.h"

#define READ_ROOM 32767 /* with the buffer's NUL a power of two */
#define DECODE_ROOM 16384

/* ---- the end of it ---- */

static void give_connection(rill_response *response, bool keep)
{
    if (!response->conn)
        return;
    rill__conns_give(response->conn, keep);
    response->conn = NULL;
}

void rill__response_drop(rill_response *response)
{
    give_connection(response, false);
}

static bool all_taken(const rill_response *response)
{
    return response->at == response->from->len;
}

static void end_body(rill_response *response)
{
    response->body_state = RILL__BODY_ENDED;
    response->ended = rill_now();
    /* Bytes that nobody asked for would be taken for the next answer. */
    give_connection(response, response->keep && all_taken(response));
}

void rill__response_begin(rill_response *response)
{
    response->from = &response->head;
    response->body_state = RILL__BODY_READING;
    if (rill__h1_body_done(&response->framing)) {
        end_body(response);
        return;
    }
    /* When the rest is here too the connection is free before anybody has looked at it. */
    size_t here = response->head.len - response->at;
    if (response->content_length >= 0 && (uint64_t)here >= (uint64_t)response->content_length) {
        response->ended = rill_now();
        give_connection(response,
                        response->keep && (uint64_t)here == (uint64_t)response->content_length);
    }
}

static int fail_body(rill_response *response)
{
    response->body_state = RILL__BODY_FAILED;
    response->body_error = rill_errcode();
    response->ended = rill_now();
    rill__explain(response);
    rill__response_drop(response);
    return response->body_error;
}

/* ---- framed bytes ---- */

static enum rill__h1_step next_step(rill_response *response, rill_str *ret_data)
{
    rill_str here = rill__buf_str(response->from);
    size_t taken;
    enum rill__h1_step step = rill__h1_body_next(&response->framing, here.ptr + response->at,
                                                 here.len - response->at, &taken, ret_data);
    response->at += taken;
    return step;
}

void rill__response_leave(rill_response *response)
{
    if (!response->conn)
        return;
    rill_str data;
    enum rill__h1_step step = RILL__H1_REFUSED;
    if (response->body_state == RILL__BODY_READING && response->keep)
        do
            step = next_step(response, &data);
        while (step == RILL__H1_DATA);
    give_connection(response, step == RILL__H1_END && all_taken(response));
}

/* Reads more behind what was not taken. Returns the count, 0 at the end, or a code. */
static ptrdiff_t refill(rill_response *response)
{
    rill__buf *more = &response->more;
    if (response->from != more) {
        rill_str rest = rill__buf_str(response->from);
        *more = rill__buf_make((size_t)1 << 20);
        rill__buf_append(more, rest.ptr + response->at, rest.len - response->at);
        response->from = more;
    } else {
        rill__buf_consume(more, response->at);
    }
    response->at = 0;
    size_t room = READ_ROOM > more->len ? READ_ROOM - more->len : READ_ROOM;
    char *to = rill__buf_reserve(more, room);
    if (!to)
        return rill__fail_nomem();
    ptrdiff_t n = rill__response_recv(response, to, room);
    if (n > 0)
        rill__buf_commit(more, (size_t)n);
    return n;
}

static int fail_truncated(const rill_response *response)
{
    unsigned long long came = response->body_read;
    if (response->content_length >= 0)
        return rill__fail(RILL_ETRUNCATED, "it ended after %llu of %lld bytes", came,
                          (long long)response->content_length);
    return rill__fail(RILL_ETRUNCATED, "it ended after %llu bytes, before its last chunk", came);
}

/* The connection has ended. Returns 0 when the body is complete by that. */
static int meet_end(rill_response *response, bool cleanly)
{
    response->keep = false;
    bool whole = rill__h1_body_eof(&response->framing);
    if (whole && !cleanly)
        return rill__error_prefix("it ended after %llu bytes: ",
                                  (unsigned long long)response->body_read);
    return whole ? 0 : fail_truncated(response);
}

/* The next run of framed bytes: 1, or 0 at the end, or a code. They stay until the next call. */
static int next_piece(rill_response *response, rill_str *ret_piece)
{
    if (response->body_state == RILL__BODY_ENDED)
        return 0;
    if (response->body_state == RILL__BODY_FAILED)
        return rill__fail(response->body_error, "the body was lost before");
    response->phase = rill__phase_body;
    for (;;) {
        enum rill__h1_step step = next_step(response, ret_piece);
        if (step == RILL__H1_DATA) {
            response->body_read += ret_piece->len;
            return 1;
        }
        if (step == RILL__H1_REFUSED) {
            rill__fail(RILL_ECHUNK, "%s",
                       rill__h1_reason_text((enum rill__h1_reason)response->framing.reason));
            return fail_body(response);
        }
        ptrdiff_t n = step == RILL__H1_END ? 0 : refill(response);
        if (n > 0)
            continue;
        if (n == RILL_ECANCELED)
            return rill__explain(response); /* nothing is lost: it can be read on */
        bool cut = n == RILL_ETRUNCATED;
        if ((n < 0 && !cut) || (step != RILL__H1_END && meet_end(response, !cut) < 0))
            return fail_body(response);
        end_body(response);
        return 0;
    }
}

/* ---- decoded bytes ---- */

/* Opens the decoder that Content-Encoding asks for; a coding that is not known is handed on. */
static int open_decoder(rill_response *response)
{
    rill__codings codings = { 0 };
    enum rill__coding_reason reason = RILL__CODING_NONE;
    size_t at = 0;
    const char *line;
    while (reason == RILL__CODING_NONE &&
           (line = rill_headers_next(&response->headers, "Content-Encoding", &at)))
        reason = rill__codings_add(&codings, rill_str_of(line));
    response->decompress = false; /* it is decided */
    if (reason == RILL__CODING_UNKNOWN || (reason == RILL__CODING_NONE && codings.count == 0))
        return 0;
    response->phase = rill__phase_decode;
    if (reason == RILL__CODING_NONE) {
        response->decoder = rill__decoder_open(&codings, NULL);
        if (response->decoder)
            return 0;
        rill__fail_nomem();
    } else {
        rill__fail(RILL_ECODING, "%s", rill__coding_text(reason));
    }
    return fail_body(response);
}

static int fail_coding(rill_response *response, enum rill__coding_reason reason)
{
    response->phase = rill__phase_decode;
    if (reason == RILL__CODING_NOMEM)
        rill__fail_nomem();
    else
        rill__fail(RILL_ECODING, "%s", rill__decoder_text(response->decoder));
    return fail_body(response);
}

static ptrdiff_t decode(rill_response *response, char *to, size_t room)
{
    for (;;) {
        size_t len;
        enum rill__coding_reason reason =
            rill__decoder_step(response->decoder, &response->piece, to, room, &len);
        if (reason != RILL__CODING_NONE)
            return fail_coding(response, reason);
        if (len > 0)
            return (ptrdiff_t)len;
        int rc = next_piece(response, &response->piece);
        if (rc > 0)
            continue;
        if (rc == 0 && (reason = rill__decoder_finish(response->decoder)) != RILL__CODING_NONE)
            return fail_coding(response, reason);
        return rc;
    }
}

static ptrdiff_t copy(rill_response *response, char *to, size_t room)
{
    rill_str *piece = &response->piece;
    if (piece->len == 0) {
        int rc = next_piece(response, piece);
        if (rc <= 0)
            return rc;
    }
    size_t len = piece->len < room ? piece->len : room;
    memcpy(to, piece->ptr, len);
    *piece = (rill_str){ piece->ptr + len, piece->len - len };
    return (ptrdiff_t)len;
}

ptrdiff_t rill__response_read(rill_response *response, char *to, size_t room)
{
    if (response->decompress)
        RILL__TRY(open_decoder(response));
    return response->decoder ? decode(response, to, room) : copy(response, to, room);
}

/* ---- all of it ---- */

static int fail_limit(rill_response *response)
{
    response->phase = rill__phase_body;
    rill__fail(RILL_EBODY_LIMIT, "it is over %zu bytes (.max_body)",
               response->session->opts.max_body);
    return fail_body(response);
}

static int read_decoded(rill_response *response)
{
    rill__buf *whole = &response->whole;
    size_t max = response->session->opts.max_body;
    for (;;) {
        char *to = rill__buf_reserve(whole, DECODE_ROOM);
        if (!to) {
            rill__fail_nomem();
            return fail_body(response);
        }
        ptrdiff_t n = rill__response_read(response, to, DECODE_ROOM);
        if (n < 0)
            return (int)n;
        rill__buf_commit(whole, (size_t)n); /* of nothing too: it ends with a NUL then */
        if (n == 0)
            return 0;
        if (whole->len > max)
            return fail_limit(response);
    }
}

/* A body that came in one piece is not copied. */
static int read_plain(rill_response *response)
{
    rill__buf *whole = &response->whole;
    size_t max = response->session->opts.max_body;
    if (response->body_state == RILL__BODY_READING && response->content_length > 0 &&
        (uint64_t)response->content_length > max)
        return fail_limit(response);
    for (;;) {
        rill_str piece = { NULL, 0 };
        int rc = next_piece(response, &piece);
        if (rc <= 0)
            return rc;
        if (whole->len + piece.len > max)
            return fail_limit(response);
        if (whole->len == 0 && rill__h1_body_done(&response->framing)) {
            end_body(response);
            response->bytes = piece;
            response->from->ptr[response->at] = '\0'; /* just behind it */
            return 0;
        }
        rill__buf_append(whole, piece.ptr, piece.len);
        if (whole->failed) {
            rill__fail_nomem();
            return fail_body(response);
        }
    }
}

int rill__response_read_all(rill_response *response)
{
    if (response->has_bytes)
        return 0;
    RILL__TRY(rill__need_task("reading the body"));
    if (response->streamed)
        return rill__fail(RILL_EINVAL, "the body is being read piece by piece");
    if (response->decompress)
        RILL__TRY(open_decoder(response));
    size_t max = response->session->opts.max_body;
    if (response->whole.max == 0)
        response->whole = rill__buf_make(max + 2 * DECODE_ROOM);
    RILL__TRY(response->decoder ? read_decoded(response) : read_plain(response));
    if (!response->bytes.ptr)
        response->bytes = rill__buf_str(&response->whole);
    response->has_bytes = true;
    return 0;
}
