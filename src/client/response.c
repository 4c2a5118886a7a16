/* Responses: their life, what their head says, and the body in the forms that users want. */
#include "base/alloc.h"
#include "client/client_internal.h"
#include "client/json.h"
#include "http/media.h"

/* ---- life ---- */

rill_response *rill__response_new(rill_session *session)
{
    rill_response *response = session->spares;
    if (response) {
        session->spares = response->next_spare;
        session->spare_count--;
    } else {
        response = rill__zalloc(sizeof *response);
        if (!response) {
            rill__fail_nomem();
            return NULL;
        }
        response->head = rill__buf_make((size_t)1 << 20);
    }
    response->session = session;
    session->refs++;
    return response;
}

void rill__response_reset(rill_response *response)
{
    rill__response_leave(response);
    rill__decoder_free(response->decoder);
    rill__buf_free(&response->more);
    rill__buf_free(&response->whole);
    rill__buf_free(&response->text);
    rill__buf_reset(&response->head);
    rill__arena_reset(&response->arena);
    rill_response old = *response;
    *response = (rill_response){
        .session = old.session,
        .target = old.target,
        .arena = old.arena,
        .head = old.head,
        .redirects = old.redirects,
        .decompress = old.decompress,
        .started = old.started,
        .deadline = old.deadline,
        .total = old.total,
        .read_timeout = old.read_timeout,
        .timings = old.timings,
        .in_scope = old.in_scope,
    };
    memcpy(response->method, old.method, sizeof old.method);
}

void rill__response_destroy(rill_response *response)
{
    rill__buf_free(&response->head);
    rill__arena_free(&response->arena);
    rill__free(response);
}

void rill_response_free(rill_response *response)
{
    if (!response)
        return;
    rill_session *session = response->session;
    rill__died(&response->birth);
    rill__response_reset(response);
    rill__target_unref(response->target);
    if (session->spare_count < RILL__SPARES_MAX && response->head.cap <= RILL__SPARE_BUFFER_MAX) {
        *response = (rill_response){
            .next_spare = session->spares,
            .arena = response->arena,
            .head = response->head,
        };
        session->spares = response;
        session->spare_count++;
    } else {
        rill__response_destroy(response);
    }
    rill__session_unref(session);
}

/* ---- the head ---- */

int rill_response_status(const rill_response *response)
{
    return response->status;
}

const char *rill_response_reason(const rill_response *response)
{
    return response->reason;
}

const char *rill_response_header(const rill_response *response, const char *name)
{
    return rill_headers_get(&response->headers, name);
}

const rill_headers *rill_response_headers(const rill_response *response)
{
    return &response->headers;
}

const char *rill_response_url(const rill_response *response)
{
    return rill_url_href(response->target->url);
}

int rill_response_redirects(const rill_response *response)
{
    return response->redirects;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

const char *rill_response_content_type(const rill_response *response)
{
    static const char unknown[] = "application/octet-stream";
    if (response->content_type)
        return response->content_type;
    rill_response *self = (rill_response *)(uintptr_t)response; /* it remembers what it found */
    rill__media media;
    const char *field = rill_headers_get(&response->headers, "Content-Type");
    if (!field || !rill__media_parse(rill_str_of(field), &media))
        return unknown;
    char *text = rill__arena_dup(&self->arena, media.whole.ptr, media.whole.len);
    if (!text)
        return unknown;
    for (size_t i = 0; i < media.whole.len; i++)
        text[i] = lower(text[i]);
    self->content_type = text;
    return text;
}

int64_t rill_response_content_length(const rill_response *response)
{
    return response->content_length;
}

const char *rill_response_peer(const rill_response *response)
{
    return response->peer;
}

rill_timings rill_response_timings(const rill_response *response)
{
    rill_timings timings = response->timings;
    double until = response->ended > 0 ? response->ended : rill_now();
    timings.total = until - response->started;
    return timings;
}

int rill_response_check(rill_response *response)
{
    if (response->status < 400)
        return 0;
    response->phase = NULL;
    return rill__fail_response(response, RILL_ESTATUS, "status %d%s%s", response->status,
                               response->reason[0] ? " " : "", response->reason);
}

/* ---- the body ---- */

ptrdiff_t rill_response_read(rill_response *response, void *buf, size_t len)
{
    RILL__TRY(rill__need_task("reading the body"));
    if (response->has_bytes || response->whole.len > 0)
        return rill__fail(RILL_EINVAL, "the body was read whole");
    if (len == 0)
        return rill__fail(RILL_EINVAL, "reading the body: there is no room to read into");
    response->streamed = true;
    return rill__response_read(response, buf, len);
}

int rill_response_bytes(rill_response *response, rill_str *ret_bytes)
{
    RILL__TRY(rill__response_read_all(response));
    *ret_bytes = response->bytes;
    return 0;
}

static enum rill__charset charset_of(const rill_response *response)
{
    return rill__charset_of(rill_headers_get(&response->headers, "Content-Type"));
}

int rill_response_text(rill_response *response, rill_str *ret_text)
{
    RILL__TRY(rill__response_read_all(response));
    rill__buf *text = &response->text;
    rill_str bytes = response->bytes;
    if (text->len == 0) {
        enum rill__charset charset = charset_of(response);
        if (rill__charset_is_utf8(bytes, charset)) {
            *ret_text = bytes;
            return 0;
        }
        *text = rill__buf_make(3 * bytes.len); /* U+FFFD for every byte, at worst */
        rill__charset_decode(text, bytes, charset);
        if (text->failed) {
            rill__buf_free(text);
            return rill__fail_nomem();
        }
    }
    *ret_text = rill__buf_str(text);
    return 0;
}

struct json_t *rill_response_json(rill_response *response)
{
    response->phase = rill__phase_body;
    if (!rill__client_json_is_type(rill_response_content_type(response))) {
        rill__fail_response(response, RILL_ECONTENT_TYPE, "the content type is %s, not JSON",
                            rill_response_content_type(response));
        return NULL;
    }
    rill_str text = { "", 0 };
    /* Bytes that are no UTF-8 are an error here, not U+FFFD. */
    bool latin1 = charset_of(response) == RILL__CHARSET_LATIN1;
    int rc = latin1 ? rill_response_text(response, &text) : rill_response_bytes(response, &text);
    if (rc < 0)
        return NULL;
    struct json_t *value = rill__client_json_parse(text);
    if (!value) {
        response->phase = rill__phase_decode;
        rill__explain(response);
    }
    return value;
}
