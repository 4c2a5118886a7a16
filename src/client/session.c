/*
 * Sessions: options resolved once, the headers that every request begins with, and the counts that
 * decide when all of it goes away.
 */
#include "base/alloc.h"
#include "base/opts.h"
#include "client/client_internal.h"

static const char automatic_coding[] = "gzip, deflate";

/* ---- options ---- */

static void resolve(rill_session_opts *opts)
{
    static const rill_timeout defaults = { .total = 300, .sock_connect = 30 };
    opts->timeout = rill__timeout_or(&opts->timeout, &defaults);
    if (opts->max_redirects == 0)
        opts->max_redirects = 10;
    if (opts->max_body == 0)
        opts->max_body = (size_t)64 << 20;
    if (opts->max_body > SIZE_MAX / 2) /* there is something added to it */
        opts->max_body = SIZE_MAX / 2;
}

/* The texts of the options belong to the caller: the session has its own. */
static int copy_text(const char **text)
{
    if (!*text)
        return 0;
    *text = rill__strdup(*text);
    return *text ? 0 : rill__fail_nomem();
}

#define EACH_TLS_TEXT(X) X(ca_file) X(cert_file) X(key_file) X(server_name) X(alpn)

static int copy_tls(rill_tls_opts *tls)
{
    const rill_tls_opts given = *tls;
#define CLEAR(field) tls->field = NULL;
    EACH_TLS_TEXT(CLEAR)
#undef CLEAR
#define COPY(field)                                                                                \
    tls->field = given.field;                                                                      \
    RILL__TRY(copy_text(&tls->field));
    EACH_TLS_TEXT(COPY)
#undef COPY
    if (!tls->alpn) {
        tls->alpn = "http/1.1";
        RILL__TRY(copy_text(&tls->alpn));
    }
    return 0;
}

static void free_tls(const rill_tls_opts *tls)
{
#define FREE(field) rill__free((char *)(uintptr_t)tls->field);
    EACH_TLS_TEXT(FREE)
#undef FREE
}

/* ---- headers ---- */

static int set_automatic(rill_headers *headers, const char *name, const char *value)
{
    return rill_headers_get(headers, name) ? 0 : rill_headers_add(headers, name, value);
}

static int make_headers(rill_session *session)
{
    const rill_session_opts *opts = &session->opts;
    session->headers = rill_headers_new();
    if (!session->headers)
        return rill__fail_nomem();
    rill_headers *headers = session->headers;
    RILL__TRY(rill_headers_add_all(headers, opts->headers));
    if (rill_headers_get(headers, "Content-Length") ||
        rill_headers_get(headers, "Transfer-Encoding"))
        return rill__fail(RILL_EINVAL, "session: the body alone decides about Content-Length and "
                                       "Transfer-Encoding");
    const char *agent = opts->user_agent ? opts->user_agent : "rill/" RILL_VERSION;
    RILL__TRY(set_automatic(headers, "User-Agent", agent));
    RILL__TRY(set_automatic(headers, "Accept", "*/*"));
    session->auto_coding = !rill_headers_get(headers, "Accept-Encoding");
    if (session->auto_coding)
        RILL__TRY(rill_headers_add(headers, "Accept-Encoding", automatic_coding));
    static const char *const special[] = { "Host", "Authorization", "Cookie", "Connection",
                                           "Proxy-Authorization" };
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        session->lines_vary |= rill_headers_get(headers, special[i]) != NULL;
    session->lines = rill__buf_make(2 * RILL_HEADERS_MAX_BYTES);
    rill__h1_write_headers(&session->lines, headers);
    return session->lines.failed ? rill__fail_nomem() : 0;
}

/* ---- making and freeing ---- */

static void destroy(rill_session *session)
{
    while (session->spares) {
        rill_response *spare = session->spares;
        session->spares = spare->next_spare;
        rill__response_destroy(spare);
    }
    rill__list_remove(&session->pool.in_loop);
    rill__tls_context_unref(session->tls);
    free_tls(&session->opts.tls);
    rill_url_free(session->base);
    rill_headers_free(session->headers);
    rill__buf_free(&session->lines);
    rill__free(session);
}

static int set_up(rill_session *session)
{
    rill_session_opts *opts = &session->opts;
    RILL__TRY(copy_tls(&opts->tls));
    RILL__TRY(make_headers(session));
    if (opts->base_url) {
        session->base = rill_url_parse(opts->base_url);
        if (!session->base)
            return rill__error_prefix("session: base_url: ");
    }
    /* A file that cannot be used is told now, not at the first request. */
    if (opts->tls.ca_file || opts->tls.cert_file || opts->tls.key_file) {
        session->tls = rill__tls_context_client(&opts->tls);
        if (!session->tls)
            return rill_errcode();
    }
    return 0;
}

rill_session *rill_session_new_with(const rill_session_opts *given)
{
    rill_session *session = rill__zalloc(sizeof *session);
    if (!session) {
        rill__fail_nomem();
        return NULL;
    }
    session->refs = 1;
    rill__opts_read(session->opts, given);
    resolve(&session->opts);
    rill__conns_init(&session->pool, &session->opts);
    if (set_up(session) < 0) {
        destroy(session);
        return NULL;
    }
    rill__born(&session->birth, "session", NULL, session->opts.file, session->opts.line);
    session->opts.headers = NULL; /* they were the caller's */
    session->opts.base_url = session->opts.user_agent = NULL;
    return session;
}

void rill__session_unref(rill_session *session)
{
    if (--session->refs == 0)
        destroy(session);
}

void rill_session_free(rill_session *session)
{
    if (!session)
        return;
    rill__died(&session->birth);
    rill__target_unref(session->last);
    session->last = NULL;
    rill__conns_close(&session->pool);
    rill__session_unref(session);
}
