/*
 * Conditional requests and ranges of whole replies (RFC 9110 13 and 14).
 *
 * Only GET and HEAD are judged here: what another method does was done by its handler before there
 * is a reply.
 */
#include "base/fail.h"
#include "http/date.h"
#include "http/etag.h"
#include "http/range.h"
#include "server/server_internal.h"

#include <stdio.h>

#define BOUNDARY_BYTES 16u

/* A field of the request; lines of the same name are joined, as RFC 9110 5.3 has it. */
static rill_str field(rill_request *request, const char *name)
{
    rill_str wanted = rill_str_of(name), joined = { 0 };
    for (uint32_t i = 0; i < request->head.field_count; i++) {
        const struct rill__h1_field *at = &request->fields[i];
        if (!rill_str_caseeq(rill__h1_text(request->text, at->name), wanted))
            continue;
        rill_str value = rill__h1_text(request->text, at->value);
        if (!joined.ptr) {
            joined = value;
            continue;
        }
        char *both = rill__arena_printf(&request->arena, RILL_STR_FMT ", " RILL_STR_FMT,
                                        RILL_STR_ARG(joined), RILL_STR_ARG(value));
        if (!both)
            return joined;
        joined = rill_str_of(both);
    }
    return joined;
}

static rill_str own_field(const rill_request *request, const char *name)
{
    const char *value = rill_headers_get(&request->reply.headers, name);
    return value ? rill_str_of(value) : (rill_str){ 0 };
}

static int64_t wall_seconds(void)
{
    return (int64_t)(rill__wall_now() / RILL__SECOND);
}

/* ---- conditions ---- */

static void read_validators(const rill_request *request, rill__etag *etag,
                            rill__validators *ret_validators)
{
    rill_str tag = own_field(request, "ETag");
    rill_str modified = own_field(request, "Last-Modified");
    *ret_validators = (rill__validators){ 0 };
    if (tag.ptr && rill__etag_parse(tag, etag))
        ret_validators->etag = etag;
    if (modified.ptr)
        ret_validators->has_modified =
            rill__date_parse(modified, wall_seconds(), &ret_validators->modified);
}

static int judge(rill_request *request, const rill__validators *validators)
{
    rill__conditions conditions = {
        .method = rill__h1_text(request->text, request->head.method),
        .if_match = field(request, "If-Match"),
        .if_unmodified_since = field(request, "If-Unmodified-Since"),
        .if_none_match = field(request, "If-None-Match"),
        .if_modified_since = field(request, "If-Modified-Since"),
    };
    return rill__preconditions(&conditions, validators, wall_seconds());
}

/* ---- ranges ---- */

static int set_content_range(rill_request *request, const rill__range *range, size_t size)
{
    char text[RILL__CONTENT_RANGE_LEN];
    rill__content_range(range, size, text);
    return rill__headers_set(&request->reply.headers, RILL_STR("Content-Range"), rill_str_of(text));
}

static void make_boundary(char boundary[2 * BOUNDARY_BYTES + 1])
{
    uint8_t bytes[BOUNDARY_BYTES];
    rill__loop_driver()->ops->random(rill__loop_driver(), bytes, sizeof bytes);
    for (size_t i = 0; i < BOUNDARY_BYTES; i++)
        snprintf(boundary + 2 * i, 3, "%02x", bytes[i]);
}

/* Several ranges: a body of parts (RFC 9110 14.6). */
static int reply_parts(rill_request *request, const rill__ranges *ranges, const char *type,
                       rill_str *body)
{
    char boundary[2 * BOUNDARY_BYTES + 1], content_range[RILL__CONTENT_RANGE_LEN];
    make_boundary(boundary);
    rill_str own = own_field(request, "Content-Type");
    rill__buf out = rill__buf_make(SIZE_MAX / 2);
    for (size_t i = 0; i < ranges->count; i++) {
        const rill__range *range = &ranges->at[i];
        rill__content_range(range, body->len, content_range);
        rill__buf_printf(&out, "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
                         boundary, own.ptr ? own.ptr : type, content_range);
        rill__buf_append(&out, body->ptr + range->start, (size_t)range->len);
    }
    rill__buf_printf(&out, "\r\n--%s--\r\n", boundary);
    rill__buf_free(&request->parts); /* of a try that memory was short for */
    request->parts = out;
    if (out.failed)
        return rill__fail_nomem();
    *body = rill__buf_str(&request->parts);
    char multipart[64 + sizeof boundary];
    snprintf(multipart, sizeof multipart, "multipart/byteranges; boundary=%s", boundary);
    return rill__headers_set(&request->reply.headers, RILL_STR("Content-Type"),
                             rill_str_of(multipart));
}

static int reply_ranges(rill_request *request, const rill__ranges *ranges, const char *type,
                        rill_str *body)
{
    if (ranges->count > 1)
        return reply_parts(request, ranges, type, body);
    RILL__TRY(set_content_range(request, &ranges->at[0], body->len));
    *body = (rill_str){ body->ptr + ranges->at[0].start, (size_t)ranges->at[0].len };
    return 0;
}

static int try_ranges(rill_request *request, const rill__validators *validators, int *status,
                      struct rill__whole *whole)
{
    rill__ranges ranges;
    rill_str wanted = field(request, "Range"), condition = field(request, "If-Range");
    if (!wanted.ptr || request->head.method_id != RILL__H1_GET ||
        !rill_str_caseeq(own_field(request, "Accept-Ranges"), RILL_STR("bytes")))
        return 0;
    if (condition.ptr && !rill__if_range(condition, validators, wall_seconds()))
        return 0;
    *status = rill__range_parse(wanted, whole->body.len, &ranges);
    if (*status == 206)
        return reply_ranges(request, &ranges, whole->type, &whole->body);
    if (*status == 416) {
        size_t size = whole->body.len;
        whole->body = RILL_STR("");
        return set_content_range(request, NULL, size);
    }
    return 0;
}

int rill__reply_conditional(rill_request *request, int *status, struct rill__whole *whole)
{
    enum rill__h1_method method = request->head.method_id;
    if (request->reply.headers.count == 0 || (method != RILL__H1_GET && method != RILL__H1_HEAD))
        return 0;
    rill__etag etag;
    rill__validators validators;
    read_validators(request, &etag, &validators);
    int verdict = judge(request, &validators);
    if (verdict == 0)
        return try_ranges(request, &validators, status, whole);
    *status = verdict;
    whole->body = RILL_STR("");
    rill_headers_remove(&request->reply.headers, "Content-Type");
    return 0;
}
