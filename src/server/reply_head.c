/* The head of a reply: its framing is the server's own, the rest is what the application set. */
#include "base/fail.h"
#include "http/token.h"
#include "server/server_internal.h"

#include <rill/log.h>
#include <stdio.h>

/* Date, type, length and connection, with room to spare; the type is one of our own. */
#define HEAD_ROOM 256u

void rill__reply_misuse(rill_request *request, const char *format, ...)
{
    if (request->reply.reported)
        return;
    request->reply.reported = true;
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    rill_log(RILL_LOG_WARN, "server", "%s %s: %s", rill_request_method(request),
             rill_request_target(request), what);
}

/* ---- headers that the application sets ---- */

static int check_field(const rill_request *request, rill_str name, rill_str value)
{
    static const char *const own[] = { "Content-Length", "Transfer-Encoding", "Connection",
                                       "Keep-Alive",     "Trailer",           "Upgrade" };
    if (request->reply.begun)
        return rill__fail(RILL_EREPLY, "reply header " RILL_STR_FMT ": the reply has begun",
                          RILL_STR_ARG(name));
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (rill_str_caseeq(name, rill_str_of(own[i])))
            return rill__fail(RILL_EINVAL, "reply header %s: the server sets it itself", own[i]);
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] >= 0x80)
            return rill__fail(RILL_EINVAL,
                              "reply header " RILL_STR_FMT ": byte 0x%02x at %zu is not ASCII",
                              RILL_STR_ARG(name), (unsigned char)value.ptr[i], i);
    return 0;
}

int rill_reply_set(rill_request *request, const char *name, const char *value)
{
    RILL__TRY(check_field(request, rill_str_of(name), rill_str_of(value)));
    return rill_headers_set(&request->reply.headers, name, value);
}

int rill_reply_add(rill_request *request, const char *name, const char *value)
{
    RILL__TRY(check_field(request, rill_str_of(name), rill_str_of(value)));
    return rill_headers_add(&request->reply.headers, name, value);
}

void rill_reply_set_length(rill_request *request, uint64_t length)
{
    if (request->reply.begun)
        return;
    request->reply.length = length;
    request->reply.has_length = true;
}

/* ---- the head ---- */

static bool has_field(const rill_request *request, const char *name)
{
    size_t at = 0;
    const rill_headers *headers = &request->reply.headers;
    return headers->count > 0 && rill__headers_find(headers, rill_str_of(name), &at);
}

static bool is_head(const rill_request *request)
{
    return request->head.method_id == RILL__H1_HEAD;
}

/* Whether the connection can serve another request after this one. */
static bool can_be_kept(const rill_request *request)
{
    const rill__connection *connection = request->connection;
    if (!request->keep_alive || connection->app->stopping)
        return false;
    if (!rill__body_unread(request))
        return true;
    /* Who waits for 100 Continue may or may not send the body now: nobody could tell. */
    if (!request->continued && rill__input_len(request) == 0)
        return false;
    return !request->head.has_length || request->body.left <= RILL__DRAIN_MAX;
}

static void write_framing(rill_request *request, rill__buf *out)
{
    struct rill__reply *reply = &request->reply;
    bool no_length = reply->status == 204 || reply->status == 304;
    bool old = request->head.minor == 0;
    if (!no_length && reply->has_length) {
        rill__h1_write_number(out, RILL_STR("Content-Length"), reply->length);
    } else if (!no_length && !old) {
        rill__buf_append(out, "Transfer-Encoding: chunked\r\n", 28);
        reply->chunked = true;
    } else if (!no_length) {
        request->keep_alive = false; /* the end of the connection is that of the body */
    }
    request->keep_alive = can_be_kept(request);
    if (!request->keep_alive)
        rill__buf_append(out, "Connection: close\r\n", 19);
    else if (old)
        rill__buf_append(out, "Connection: keep-alive\r\n", 24);
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

/* The fields that the application may set instead; `type` NULL for none. */
static void write_defaults(const rill_request *request, const char *type, rill__buf *out)
{
    char *start = rill__buf_reserve(out, HEAD_ROOM), *to = start;
    if (!start)
        return;
    if (!has_field(request, "Date")) {
        rill_str date = rill__date_line();
        to = put(to, date.ptr, date.len);
    }
    if (type && !has_field(request, "Content-Type")) {
        to = put(to, "Content-Type: ", 14);
        to = put(to, type, strlen(type));
        to = put(to, "\r\n", 2);
    }
    rill__buf_commit(out, (size_t)(to - start));
}

static int check_begin(const rill_request *request, int status)
{
    if (request->reply.begun)
        return rill__fail(RILL_EREPLY, "reply: there is one already");
    if (status < 200 || status > 999)
        return rill__fail(RILL_EREPLY, "reply: %d is no final status", status);
    return 0;
}

int rill__reply_head(rill_request *request, int status, const char *type)
{
    RILL__TRY(check_begin(request, status));
    struct rill__reply *reply = &request->reply;
    rill__buf *out = &request->output.queued;
    reply->begun = true;
    reply->status = status;
    reply->no_body = status == 204 || status == 304 || is_head(request);
    rill__h1_write_status_line(out, status, (rill_str){ 0 });
    write_defaults(request, status == 204 || status == 304 ? NULL : type, out);
    if (reply->headers.count > 0)
        rill__h1_write_headers(out, &reply->headers);
    write_framing(request, out);
    int rc = rill__h1_write_end(out);
    if (rc < 0)
        request->cut = true;
    return rc;
}
