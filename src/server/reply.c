/* Whole replies: text, bytes, JSON, a status alone, a redirect. */
#include "base/alloc.h"
#include "base/fail.h"
#include "server/server_internal.h"

#include <jansson.h>
#include <stdio.h>

/* The head and the body that goes with it. */
static int write_whole(rill_request *request, int status, const char *type, rill_str body)
{
    struct rill__reply *reply = &request->reply;
    reply->has_length = true;
    reply->length = body.len;
    RILL__TRY(rill__reply_head(request, status, body.len > 0 ? type : NULL));
    if (!reply->no_body) {
        rill__buf_append(&request->output.queued, body.ptr, body.len);
        reply->written = body.len;
    } else if (body.len > 0 && request->head.method_id != RILL__H1_HEAD && status != 304) {
        rill__reply_misuse(request, "status %d has no body: %zu bytes are dropped", status,
                           body.len);
    }
    if (request->output.queued.failed) {
        request->cut = true;
        return rill__fail_nomem();
    }
    reply->ended = true;
    return 0;
}

int rill__reply_whole(rill_request *request, int status, const char *type, rill_str body)
{
    if (request->reply.begun)
        return rill__fail(RILL_EREPLY, "reply: there is one already");
    if (status == 200) {
        struct rill__whole whole = { type, body };
        RILL__TRY(rill__reply_conditional(request, &status, &whole));
        body = whole.body;
    }
    RILL__TRY(write_whole(request, status, type, body));
    if (request->waited)
        rill__connection_poke(request->connection);
    return 0;
}

int rill_reply_bytes(rill_request *request, int status, const void *bytes, size_t len)
{
    return rill__reply_whole(request, status, "application/octet-stream", (rill_str){ bytes, len });
}

int rill_reply_empty(rill_request *request, int status)
{
    return rill__reply_whole(request, status, NULL, RILL_STR(""));
}

int rill_reply_text(rill_request *request, int status, const char *format, ...)
{
    static const char type[] = "text/plain; charset=utf-8";
    if (!strchr(format, '%'))
        return rill__reply_whole(request, status, type, rill_str_of(format));
    char small[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < 0)
        return rill__fail(RILL_EREPLY, "reply: the text could not be formatted");
    if ((size_t)len < sizeof small)
        return rill__reply_whole(request, status, type, (rill_str){ small, (size_t)len });
    va_start(args, format);
    char *text = rill__arena_vprintf(&request->arena, format, args);
    va_end(args);
    return text ? rill__reply_whole(request, status, type, (rill_str){ text, (size_t)len })
                : rill__fail_nomem();
}

static int append_json(const char *bytes, size_t len, void *data)
{
    rill__buf *out = data;
    rill__buf_append(out, bytes, len);
    return out->failed ? -1 : 0;
}

int rill_reply_json(rill_request *request, int status, const struct json_t *json)
{
    rill__buf text = rill__buf_make(SIZE_MAX / 2);
    int rc;
    if (!json)
        rc = rill__fail(RILL_EREPLY, "reply: the JSON value is missing");
    else if (json_dump_callback(json, append_json, &text, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        rc = rill__reply_whole(request, status, "application/json", rill__buf_str(&text));
    else
        rc = text.failed ? rill__fail_nomem()
                         : rill__fail(RILL_EREPLY, "reply: the JSON value cannot be written");
    rill__buf_free(&text);
    return rc;
}

int rill_reply_redirect(rill_request *request, int status, const char *location)
{
    if (status < 300 || status > 399)
        return rill__fail(RILL_EREPLY, "reply: %d is no redirect", status);
    RILL__TRY(rill_reply_set(request, "Location", location));
    return rill_reply_empty(request, status);
}
