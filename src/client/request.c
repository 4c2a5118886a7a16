/*
 * Requests: what rill_fetch was given, and the bytes that are sent for it.
 *
 * Headers, in the order in which they leave: Host, the session's and the automatic ones, the
 * caller's, Authorization out of the URL, and what describes the body. The caller's replace those
 * of the same name before them. What frames the message is the library's alone, for two answers to
 * where a message ends are how requests are smuggled.
 */
#include "base/alloc.h"
#include "client/client_internal.h"
#include "client/json.h"
#include "http/percent.h"

/* The most that a body made of JSON or of a form may weigh. */
#define ENCODED_MAX ((size_t)256 << 20)

/* ---- taking in the options ---- */

static bool is_named(const char *name, rill_str wanted)
{
    return rill_str_caseeq(rill_str_of(name), wanted);
}

/* What the caller's headers mean to us; what they hold is checked when they are written. */
static int look_at_headers(rill__fetch *request)
{
    for (const rill_header *header = request->headers; header && header->name; header++) {
        if (is_named(header->name, RILL_STR("Content-Length")) ||
            is_named(header->name, RILL_STR("Transfer-Encoding")))
            return rill__fail(RILL_EINVAL, "header %s: the body alone decides about it",
                              header->name);
        if (is_named(header->name, RILL_STR("Upgrade")))
            request->upgrade = true;
        if (is_named(header->name, RILL_STR("Connection")) &&
            rill_str_caseeq(rill_str_of(header->value), RILL_STR("close")))
            request->is_close = true;
    }
    if (request->session->lines_vary)
        request->is_close |=
            rill_headers_has_token(request->session->headers, "Connection", "close");
    return 0;
}

static void write_form(rill__buf *out, const rill_param *form)
{
    const char *separator = "";
    for (; form->name; form++) {
        rill__buf_puts(out, separator);
        rill__form_encode(out, rill_str_of(form->name));
        rill__buf_putc(out, '=');
        rill__form_encode(out, rill_str_of(form->value));
        separator = "&";
    }
}

static int make_body(rill__fetch *request, const rill_fetch_opts *opts)
{
    if ((opts->body.ptr != NULL) + (opts->json != NULL) + (opts->form != NULL) > 1)
        return rill__fail(RILL_EINVAL, "a request has one body: .body, .json or .form");
    request->body = opts->body;
    if (opts->body.len > 0)
        request->content_type = "application/octet-stream";
    if (!opts->json && !opts->form)
        return 0;
    request->content_type = opts->json ? "application/json" : "application/x-www-form-urlencoded";
    rill__buf *encoded = &request->encoded;
    if (opts->json)
        RILL__TRY(rill__client_json_write(encoded, opts->json));
    else
        write_form(encoded, opts->form);
    if (encoded->too_long)
        return rill__fail(RILL_EINVAL, "the encoded body is over %zu bytes", ENCODED_MAX);
    if (encoded->failed)
        return rill__fail_nomem();
    request->body = rill__buf_str(encoded);
    return 0;
}

/* Seconds as they are used inside: 0 for none. */
static double seconds_or(double given, double otherwise)
{
    return given < 0 ? 0 : given == 0 ? otherwise : given;
}

rill_timeout rill__timeout_or(const rill_timeout *given, const rill_timeout *otherwise)
{
    return (rill_timeout){
        .total = seconds_or(given->total, otherwise->total),
        .connect = seconds_or(given->connect, otherwise->connect),
        .sock_connect = seconds_or(given->sock_connect, otherwise->sock_connect),
        .sock_read = seconds_or(given->sock_read, otherwise->sock_read),
    };
}

int rill__fetch_init(rill__fetch *request, rill_session *session, const rill_fetch_opts *opts)
{
    const rill_session_opts *defaults = &session->opts;
    *request = (rill__fetch){
        .session = session,
        .method = rill_str_of(opts->method ? opts->method : "GET"),
        .headers = opts->headers,
        .encoded = rill__buf_make(ENCODED_MAX),
        .timeout = rill__timeout_or(&opts->timeout, &defaults->timeout),
        .max_redirects = opts->max_redirects ? opts->max_redirects : defaults->max_redirects,
        .follow = !opts->no_redirects && !defaults->no_redirects,
        .decompress = !opts->no_decompress && !defaults->no_decompress,
        .raise_for_status = opts->raise_for_status || defaults->raise_for_status,
    };
    request->method_id = rill__h1_method_of(request->method);
    if (request->method_id == RILL__H1_CONNECT)
        return rill__fail(RILL_EINVAL, "CONNECT makes tunnels, and is no request of a client");
    RILL__TRY(look_at_headers(request));
    return make_body(request, opts);
}

void rill__fetch_finish(rill__fetch *request)
{
    rill__buf_free(&request->encoded);
}

bool rill__fetch_is_idempotent(const rill__fetch *request)
{
    switch (request->method_id) {
    case RILL__H1_GET:
    case RILL__H1_HEAD:
    case RILL__H1_OPTIONS:
    case RILL__H1_TRACE:
    case RILL__H1_PUT:
    case RILL__H1_DELETE:
        return true;
    default:
        return false;
    }
}

/* ---- writing ---- */

/* The caller's value of a header, or NULL. */
static const char *own_header(const rill__fetch *request, rill_str name)
{
    for (const rill_header *header = request->headers; header && header->name; header++)
        if (is_named(header->name, name))
            return header->value;
    return NULL;
}

/* What is for the first origin only, and what described a body that is not sent any more. */
static bool stays_behind(const rill__fetch *request, rill_str name)
{
    static const rill_str secrets[] = {
        { "Authorization", 13 }, { "Cookie", 6 }, { "Proxy-Authorization", 19 }, { "Host", 4 }
    };
    static const rill_str of_body[] = { { "Content-Type", 12 },
                                        { "Content-Encoding", 16 },
                                        { "Content-Language", 16 },
                                        { "Content-Location", 16 } };
    for (size_t i = 0; request->strayed && i < sizeof secrets / sizeof secrets[0]; i++)
        if (rill_str_caseeq(name, secrets[i]))
            return true;
    for (size_t i = 0; request->body_gone && i < sizeof of_body / sizeof of_body[0]; i++)
        if (rill_str_caseeq(name, of_body[i]))
            return true;
    return false;
}

/* The value that a header will have, from the caller or from the session, or NULL. */
static const char *header_value(const rill__fetch *request, rill_str name)
{
    if (stays_behind(request, name))
        return NULL;
    const char *own = own_header(request, name);
    return own ? own : rill_headers_get(request->session->headers, name.ptr);
}

static int write_host(const rill__fetch *request, const rill__target *target, rill__buf *out)
{
    const char *own = NULL;
    if (request->headers || request->session->lines_vary)
        own = header_value(request, RILL_STR("Host"));
    if (own)
        return rill__h1_write_field(out, RILL_STR("Host"), rill_str_of(own));
    const char *origin = target->host->origin;
    rill__buf_puts(out, "Host: ");
    rill__buf_puts(out, strstr(origin, "://") + strlen("://"));
    rill__buf_puts(out, "\r\n");
    return 0;
}

static bool is_plain(const rill__fetch *request)
{
    const rill_session *session = request->session;
    return !request->headers && !session->lines_vary && !request->body_gone &&
           (request->decompress || !session->auto_coding);
}

static int write_session_headers(const rill__fetch *request, rill__buf *out)
{
    const rill_session *session = request->session;
    if (is_plain(request)) {
        rill__buf_append(out, session->lines.ptr, session->lines.len);
        return 0;
    }
    for (size_t i = 0; i < rill_headers_count(session->headers); i++) {
        rill_header header = rill_headers_at(session->headers, i);
        rill_str name = rill_str_of(header.name);
        bool unwanted = session->auto_coding && !request->decompress &&
                        rill_str_caseeq(name, RILL_STR("Accept-Encoding"));
        if (unwanted || own_header(request, name) || stays_behind(request, name) ||
            rill_str_caseeq(name, RILL_STR("Host")))
            continue;
        RILL__TRY(rill__h1_write_field(out, name, rill_str_of(header.value)));
    }
    return 0;
}

static int write_own_headers(const rill__fetch *request, rill__buf *out)
{
    for (const rill_header *header = request->headers; header && header->name; header++) {
        rill_str name = rill_str_of(header->name);
        if (rill_str_caseeq(name, RILL_STR("Host")) || stays_behind(request, name))
            continue;
        RILL__TRY(rill__h1_write_field(out, name, rill_str_of(header->value)));
    }
    return 0;
}

static void write_base64(rill__buf *out, rill_str text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = (const uint8_t *)text.ptr;
    for (size_t left = text.len; left > 0;) {
        size_t taken = left < 3 ? left : 3;
        uint32_t bits = (uint32_t)at[0] << 16;
        bits |= taken > 1 ? (uint32_t)at[1] << 8 : 0;
        bits |= taken > 2 ? at[2] : 0;
        char group[4] = { digits[bits >> 18], digits[bits >> 12 & 63],
                          taken > 1 ? digits[bits >> 6 & 63] : '=',
                          taken > 2 ? digits[bits & 63] : '=' };
        rill__buf_append(out, group, 4);
        at += taken;
        left -= taken;
    }
}

/* User and password of the URL (RFC 7617), unless the caller says otherwise. */
static int write_authorization(const rill__fetch *request, const rill__target *target,
                               rill__buf *out)
{
    rill_str user = rill_url_user_decoded(target->url);
    rill_str password = rill_url_password_decoded(target->url);
    if (user.len + password.len == 0 || header_value(request, RILL_STR("Authorization")))
        return 0;
    rill__buf pair = rill__buf_make(2 * RILL_URL_MAX);
    rill__buf_append(&pair, user.ptr, user.len);
    rill__buf_putc(&pair, ':');
    rill__buf_append(&pair, password.ptr, password.len);
    rill__buf_puts(out, "Authorization: Basic ");
    write_base64(out, rill__buf_str(&pair));
    rill__buf_puts(out, "\r\n");
    bool failed = pair.failed;
    rill__buf_free(&pair);
    return failed ? rill__fail_nomem() : 0;
}

static void write_body_headers(const rill__fetch *request, rill__buf *out)
{
    if (request->content_type && !request->body_gone &&
        !header_value(request, RILL_STR("Content-Type")))
        rill__h1_write_field(out, RILL_STR("Content-Type"), rill_str_of(request->content_type));
    bool has_body = request->body.len > 0 && !request->body_gone;
    switch (request->method_id) {
    case RILL__H1_GET:
    case RILL__H1_HEAD:
    case RILL__H1_OPTIONS:
    case RILL__H1_TRACE:
        if (!has_body)
            return;
        break;
    default:
        break;
    }
    rill__h1_write_number(out, RILL_STR("Content-Length"), has_body ? request->body.len : 0);
}

int rill__fetch_write(const rill__fetch *request, const rill__target *target, rill__buf *out)
{
    rill_str path = rill_str_of(rill_url_target(target->url));
    RILL__TRY(rill__h1_write_request_line(out, request->method, path, 1));
    RILL__TRY(write_host(request, target, out));
    RILL__TRY(write_session_headers(request, out));
    RILL__TRY(write_own_headers(request, out));
    RILL__TRY(write_authorization(request, target, out));
    write_body_headers(request, out);
    RILL__TRY(rill__h1_write_end(out));
    if (!request->body_gone && request->body.len <= RILL__WRITE_TOGETHER)
        rill__buf_append(out, request->body.ptr, request->body.len);
    return out->failed ? rill__fail_nomem() : 0;
}
