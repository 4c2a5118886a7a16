/*
 * rill_fetch: the request, its redirects (RFC 9110 15.4), and the time that all of it may take.
 */
#include "base/opts.h"
#include "client/client_internal.h"

#include <stdio.h>

/* ---- redirects ---- */

static const char phase_redirect[] = "following the redirect";

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* A redirected POST becomes a GET, as every browser does it; 307 and 308 were made to prevent
 * that. */
static void change_method(rill__fetch *request, int status)
{
    bool to_get = (status == 303 && request->method_id != RILL__H1_HEAD) ||
                  ((status == 301 || status == 302) && request->method_id == RILL__H1_POST);
    if (!to_get || request->method_id == RILL__H1_GET)
        return;
    request->method = RILL_STR("GET");
    request->method_id = RILL__H1_GET;
    request->body_gone = true;
}

static void note_method(rill_response *response, const rill__fetch *request)
{
    size_t room = sizeof response->method - 1;
    size_t len = request->method.len < room ? request->method.len : room;
    memcpy(response->method, request->method.ptr, len);
    response->method[len] = '\0';
}

static int redirect(rill_response *response, rill__fetch *request, const char *location)
{
    rill__target *next = rill__target_redirect(response->target, location);
    if (!next) {
        response->phase = phase_redirect;
        return rill__explain(response);
    }
    if (!rill_url_same_origin(response->target->url, next->url))
        request->strayed = true;
    change_method(request, response->status);
    int redirects = response->redirects + 1;
    rill__response_reset(response); /* with it goes the text of `location` */
    rill__target_unref(response->target);
    response->target = next;
    response->redirects = redirects;
    note_method(response, request);
    return 0;
}

static int fail_redirect(rill_response *response, int code, const char *why)
{
    response->phase = phase_redirect;
    return rill__fail_response(response, code, "%s", why);
}

/* Where the answer sends us: 1, or 0 when it is the last, or a code. */
static int next_location(rill_response *response, const rill__fetch *request,
                         const char **ret_location)
{
    if (!request->follow || !is_redirect(response->status))
        return 0;
    size_t at = 0;
    const char *location = rill_headers_next(&response->headers, "Location", &at);
    const char *second = rill_headers_next(&response->headers, "Location", &at);
    if (!location)
        return 0;
    if (second && strcmp(location, second) != 0)
        return fail_redirect(response, RILL_EREDIRECT, "there are two Location headers");
    if (request->max_redirects > 0 && response->redirects + 1 >= request->max_redirects) {
        char why[40];
        snprintf(why, sizeof why, "more than %d in a row", request->max_redirects);
        return fail_redirect(response, RILL_EREDIRECTS, why);
    }
    *ret_location = location;
    return 1;
}

static int follow(rill_response *response, rill__fetch *request)
{
    for (;;) {
        RILL__TRY(rill__exchange(response, request));
        const char *location = NULL;
        int rc = next_location(response, request, &location);
        RILL__TRY(rc);
        if (rc == 0)
            break;
        RILL__TRY(redirect(response, request, location));
    }
    return request->raise_for_status ? rill_response_check(response) : 0;
}

/* ---- the whole ---- */

static int follow_in_time(rill_response *response, rill__fetch *request)
{
    response->started = rill_now();
    response->read_timeout = request->timeout.sock_read;
    response->total = request->timeout.total;
    if (response->total <= 0)
        return follow(response, request);
    response->deadline = response->started + response->total;
    rill_scope scope;
    RILL__TRY(rill_scope_begin(&scope, .timeout = response->total));
    response->in_scope = true;
    int rc = rill_scope_end(&scope, follow(response, request));
    response->in_scope = false;
    if (rc == RILL_ETIMEDOUT)
        return rill__fail_response(response, RILL_ETOTAL_TIMEOUT, "not done within %g s",
                                   response->total);
    return rc;
}

static int fetch(rill_response *response, rill__fetch *request, const rill_fetch_opts *opts)
{
    int rc = rill__fetch_init(request, response->session, opts);
    note_method(response, request);
    response->decompress = request->decompress;
    if (rc == 0) {
        response->target =
            rill__target_new(response->session, opts->url ? opts->url : "", opts->params);
        if (!response->target)
            rc = rill_errcode();
    }
    if (rc < 0) {
        rill__error_where(opts->url ? opts->url : "");
        return rill__error_prefix("%s: ", response->method);
    }
    return follow_in_time(response, request);
}

rill_response *rill_fetch(rill_session *session, const rill_fetch_opts *given)
{
    rill_fetch_opts opts;
    rill__opts_read(opts, given);
    if (rill__need_task("fetch") < 0)
        return NULL;
    if (!session) {
        rill__fail(RILL_EINVAL, "%s: there is no session", opts.method ? opts.method : "GET");
        return NULL;
    }
    rill_response *response = rill__response_new(session);
    if (!response)
        return NULL;
    rill__fetch request;
    int rc = fetch(response, &request, &opts);
    rill__fetch_finish(&request);
    if (rc == 0) {
        rill__born(&response->birth, "response", NULL, opts.file, opts.line);
        return response;
    }
    rill_response_free(response);
    return NULL;
}
