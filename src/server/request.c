/* What a handler can ask of its request. Most is made when it is asked for, in the head's own bytes
 * or in the request's arena. */
#include "base/fail.h"
#include "http/token.h"
#include "server/server_internal.h"

#include <arpa/inet.h>

rill_app *rill_request_app(const rill_request *request)
{
    return request->connection->app;
}

void *rill_request_data(const rill_request *request)
{
    return request->route ? request->route->opts.data : NULL;
}

void *rill_request_alloc(rill_request *request, size_t size)
{
    return rill__arena_alloc(&request->arena, size);
}

/* Ends a part of the head with NUL, over a byte that is only punctuation and was read already. */
static const char *end_text(const rill_request *request, struct rill__h1_span span)
{
    request->text[span.off + span.len] = '\0';
    return request->text + span.off;
}

/* ---- the request line ---- */

const char *rill_request_method(const rill_request *request)
{
    return request->route || request->head_len ? end_text(request, request->head.method) : "";
}

const char *rill_request_target(const rill_request *request)
{
    return request->head_len ? end_text(request, request->head.target) : "";
}

/* Resolves escapes, all but that of the slash: it is part of its segment. */
static size_t decode_path(char *to, rill_str path)
{
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%' || i + 2 >= path.len) {
            to[len++] = path.ptr[i];
            continue;
        }
        rill_str escape = { path.ptr + i, 3 };
        char decoded[3];
        if (rill__percent_decode(decoded, escape) == 1 && decoded[0] != '/') {
            to[len++] = decoded[0];
        } else {
            memcpy(to + len, escape.ptr, 3);
            len += 3;
        }
        i += 2;
    }
    return len;
}

const char *rill_request_path(const rill_request *given)
{
    rill_request *request = (rill_request *)given; /* it remembers the answer */
    if (request->decoded_path)
        return request->decoded_path;
    char *path = rill__arena_alloc(&request->arena, request->path.len + 1);
    if (!path)
        return "";
    path[decode_path(path, request->path)] = '\0';
    return request->decoded_path = path;
}

const char *rill_request_param(rill_request *request, const char *name)
{
    const rill__route *route = request->route;
    for (size_t i = 0; route && i < route->param_count; i++)
        if (rill_str_eq(route->params[i], rill_str_of(name)))
            return rill__percent_decode_dup(&request->arena, request->params[i]).ptr;
    return NULL;
}

/* ---- the query ---- */

static const rill__query *query_of(rill_request *request)
{
    if (!request->has_pairs) {
        request->has_pairs = true;
        if (rill__query_parse(&request->arena, request->query, RILL__QUERY_PAIRS_MAX,
                              &request->pairs) < 0)
            request->pairs = (rill__query){ 0 };
    }
    return &request->pairs;
}

const char *rill_request_query_next(rill_request *request, const char *name, size_t *at)
{
    const rill__query *query = query_of(request);
    while (*at < query->count) {
        const rill__query_pair *pair = &query->pairs[(*at)++];
        if (!name || rill_str_eq(pair->name, rill_str_of(name)))
            return pair->value.ptr;
    }
    return NULL;
}

const char *rill_request_query(rill_request *request, const char *name)
{
    size_t at = 0;
    return rill_request_query_next(request, name, &at);
}

/* ---- the header ---- */

const char *rill_request_header(rill_request *request, const char *name)
{
    rill_str wanted = rill_str_of(name);
    for (uint32_t i = 0; i < request->head.field_count; i++) {
        const struct rill__h1_field *field = &request->fields[i];
        if (field->name.len == wanted.len &&
            rill_str_caseeq(rill__h1_text(request->text, field->name), wanted))
            return end_text(request, field->value);
    }
    return NULL;
}

const rill_headers *rill_request_headers(rill_request *request)
{
    if (!request->has_headers)
        request->has_headers = rill__headers_view(&request->headers, &request->arena, request->text,
                                                  &request->head) == 0;
    return &request->headers;
}

const char *rill_request_host(const rill_request *given)
{
    rill_request *request = (rill_request *)given;
    if (!request->host) {
        rill_str host = rill__h1_text(request->text, request->head.host);
        request->host = rill__arena_dup(&request->arena, host.ptr, host.len);
    }
    return request->host ? request->host : "";
}

int64_t rill_request_content_length(const rill_request *request)
{
    if (request->head.body == RILL__H1_BODY_CHUNKED)
        return -1;
    return request->head.has_length ? (int64_t)request->head.content_length : 0;
}

/* ---- the connection ---- */

const char *rill_request_peer(const rill_request *given)
{
    rill_request *request = (rill_request *)given;
    if (request->peer)
        return request->peer;
    char text[128];
    const rill__connection *connection = request->connection;
    bool local = connection->peer.any.sa_family == AF_UNIX; /* whose clients have no name */
    rill__address_text(text, sizeof text, &connection->peer.any,
                       local ? sizeof(sa_family_t) : sizeof connection->peer);
    request->peer = rill__arena_dup(&request->arena, text, strlen(text));
    return request->peer ? request->peer : "";
}

bool rill_request_is_secure(const rill_request *request)
{
    return request->connection->tls != NULL;
}
