/* The application that the server's tests talk to; see test_app.h. */
#include "test_app.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_app_seen test_app_seen;

static double number(rill_request *request, const char *name, double standard)
{
    const char *text = rill_request_query(request, name);
    return text ? strtod(text, NULL) : standard;
}

static int hello(rill_request *request)
{
    test_app_seen.handled++;
    return rill_reply_text(request, 200, "Hello, World!");
}

static int name(rill_request *request)
{
    return rill_reply_text(request, 200, "name=%s path=%s", rill_request_param(request, "name"),
                           rill_request_path(request));
}

static int rest(rill_request *request)
{
    return rill_reply_text(request, 200, "rest=%s", rill_request_param(request, "rest"));
}

static int peer(rill_request *request)
{
    return rill_reply_text(request, 200, "%s %d", rill_request_peer(request),
                           rill_request_is_secure(request));
}

/* Tells everything about the request. */
static int about(rill_request *request)
{
    const rill_headers *headers = rill_request_headers(request);
    const char *agent = rill_request_header(request, "user-agent");
    const char *q = rill_request_query(request, "q");
    return rill_reply_text(
        request, 200, "%s %s host=%s fields=%zu agent=%s q=%s length=%lld data=%s",
        rill_request_method(request), rill_request_target(request), rill_request_host(request),
        rill_headers_count(headers), agent ? agent : "-", q ? q : "-",
        (long long)rill_request_content_length(request), (const char *)rill_request_data(request));
}

static int echo(rill_request *request)
{
    rill_str body;
    int rc = rill_request_body(request, &body);
    test_app_seen.body_code = rc;
    if (rc < 0)
        return rc;
    const char *type = rill_request_header(request, "Content-Type");
    if (type)
        rill_reply_set(request, "Content-Type", type);
    return rill_reply_bytes(request, 200, body.ptr, body.len);
}

/* Reads the body in small pieces and tells how much there was. */
static int count(rill_request *request)
{
    char piece[1000];
    ptrdiff_t n;
    test_app_seen.body_bytes = 0;
    while ((n = rill_request_read(request, piece, sizeof piece)) > 0)
        test_app_seen.body_bytes += n;
    test_app_seen.body_code = (int)n;
    if (n < 0)
        return (int)n;
    return rill_reply_text(request, 200, "%ld", test_app_seen.body_bytes);
}

static int json(rill_request *request)
{
    json_t *value = rill_request_json(request);
    if (!value)
        return rill_errcode();
    int rc = rill_reply_json(request, 200, value);
    json_decref(value);
    return rc;
}

/* Is impatient a few times while it reads. */
static int impatient(rill_request *request)
{
    rill_str body;
    int rc, tries = 0;
    do {
        rill_scope scope;
        rill_scope_begin(&scope, .timeout = 0.03);
        rc = rill_request_body(request, &body);
        rc = rill_scope_end(&scope, rc);
        tries++;
    } while (rc == RILL_ETIMEDOUT && tries < 100);
    if (rc < 0)
        return rc;
    return rill_reply_text(request, 200, "%s after %s", body.ptr, tries > 1 ? "many" : "one");
}

/* Replies at once, and never reads the body. */
static int early(rill_request *request)
{
    return rill_reply_text(request, 403, "no");
}

static int slow(rill_request *request)
{
    int rc = rill_sleep(number(request, "s", 0.2));
    if (rc < 0) {
        snprintf(test_app_seen.cancel_reason, sizeof test_app_seen.cancel_reason, "%s",
                 rill_cancel_reason());
        return rc;
    }
    return rill_reply_text(request, 200, "slept");
}

/* Writes n pieces of `size` bytes, with a pause of s between them. */
static int stream(rill_request *request)
{
    static char piece[65536];
    memset(piece, 'x', sizeof piece);
    long n = (long)number(request, "n", 3);
    size_t size = (size_t)number(request, "size", 10);
    if (rill_request_query(request, "length"))
        rill_reply_set_length(request, (uint64_t)number(request, "length", 0));
    int rc = rill_reply_begin(request, 200);
    for (long i = 0; rc >= 0 && i < n; i++) {
        rc = rill_reply_write(request, piece, size);
        double pause = number(request, "s", 0);
        if (rc >= 0 && pause > 0)
            rc = rill_sleep(pause);
    }
    test_app_seen.write_code = rc;
    return rc;
}

/* A reply of any status, with a body that some may not have. */
static int status(rill_request *request)
{
    return rill_reply_text(request, atoi(rill_request_param(request, "status")), "five!");
}

static int nothing(rill_request *request)
{
    (void)request;
    return 0;
}

static int fails(rill_request *request)
{
    return rill_fail(RILL_EFAILED, "the secret of %s", rill_request_path(request));
}

/* Sets the header X to what the body holds: as bad as one likes. */
static int set_header(rill_request *request)
{
    rill_str body;
    if (rill_request_body(request, &body) < 0)
        return rill_errcode();
    test_app_seen.set_code = rill_reply_set(request, "X", body.ptr);
    int location = rill_reply_redirect(request, 302, body.ptr);
    if (location < 0)
        return rill_reply_text(request, 200, "refused: %s", rill_last_error()->message);
    return location;
}

static int resource(rill_request *request)
{
    rill_reply_set(request, "ETag", rill_request_query(request, "weak") ? "W/\"v1\"" : "\"v1\"");
    rill_reply_set(request, "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    rill_reply_set(request, "Accept-Ranges", "bytes");
    return rill_reply_bytes(request, 200, "0123456789abcdefghij", 20);
}

static int large(rill_request *request)
{
    size_t size = (size_t)number(request, "size", 1 << 20);
    char *bytes = rill_request_alloc(request, size);
    if (!bytes)
        return rill_errcode();
    memset(bytes, 'y', size);
    return rill_reply_bytes(request, 200, bytes, size);
}

/* A child task that is left behind writes on: it has to end before the request does. */
static int child(void *arg)
{
    rill_request *request = arg;
    while (rill_sleep(0.01) == 0)
        if (rill_reply_write(request, "c", 1) < 0)
            break;
    return 0;
}

static int leaves_child(rill_request *request)
{
    rill_reply_begin(request, 200);
    rill_spawn(child, request);
    return rill_sleep(0.035);
}

rill_app *test_app_new(void)
{
    rill_app *app = rill_app_new();
    rill_app_get(app, "/", hello);
    rill_app_get(app, "/name/{name}", name);
    rill_app_get(app, "/name/fixed", hello);
    rill_app_get(app, "/rest/{rest*}", rest);
    rill_app_route(app, "*", "/about", about, .data = "some");
    rill_app_get(app, "/peer", peer);
    rill_app_post(app, "/echo", echo);
    rill_app_put(app, "/echo", echo);
    rill_app_post(app, "/small", echo, .client_max_size = 10);
    rill_app_post(app, "/count", count);
    rill_app_post(app, "/json", json);
    rill_app_post(app, "/impatient", impatient);
    rill_app_post(app, "/early", early);
    rill_app_get(app, "/slow", slow);
    rill_app_post(app, "/slow", slow);
    rill_app_get(app, "/watched", slow, .cancel_on_disconnect = true);
    rill_app_get(app, "/stream", stream);
    rill_app_get(app, "/status/{status}", status);
    rill_app_get(app, "/nothing", nothing);
    rill_app_get(app, "/fails", fails);
    rill_app_post(app, "/header", set_header);
    rill_app_get(app, "/resource", resource);
    rill_app_get(app, "/large", large);
    rill_app_get(app, "/child", leaves_child);
    return app;
}
