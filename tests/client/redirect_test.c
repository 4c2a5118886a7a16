/* Redirects: which are followed, with what method, body and headers, and where they end. */
#include "harness.h"
#include "script.h"

#include <stdlib.h>

#define DONE "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"

struct hop {
    const char *status, *method, *expected; /* of the second request */
    bool body;                              /* it has the body */
};

static const struct hop hops[] = {
    { "301", "GET", "GET", false },    { "302", "GET", "GET", false },
    { "303", "GET", "GET", false },    { "307", "GET", "GET", false },
    { "308", "GET", "GET", false },    { "301", "HEAD", "HEAD", false },
    { "303", "HEAD", "HEAD", false },  { "301", "POST", "GET", false },
    { "302", "POST", "GET", false },   { "303", "POST", "GET", false },
    { "307", "POST", "POST", true },   { "308", "POST", "POST", true },
    { "301", "PUT", "PUT", true },     { "302", "PUT", "PUT", true },
    { "303", "PUT", "GET", false },    { "307", "PUT", "PUT", true },
    { "303", "DELETE", "GET", false }, { "308", "PATCH", "PATCH", true },
};

static bool starts_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static void check_hop(const struct hop *hop)
{
    char reply[200];
    snprintf(reply, sizeof reply,
             "HTTP/1.1 %s Go\r\nLocation: /next?a#b\r\nContent-Length: 0\r\n\r\n", hop->status);
    struct step steps[] = { { .reply = reply }, { .reply = DONE } };
    struct script *script = script_start(steps, 2);
    rill_auto(rill_session) session = rill_session_new();
    rill_str body = starts_with(hop->method, "GET") || starts_with(hop->method, "HEAD")
                        ? (rill_str){ NULL, 0 }
                        : RILL_STR("content");
    rill_auto(rill_response) response = rill_request_url(
        session, script->url, .method = hop->method, .body = body,
        .headers = RILL_HEADERS({ "Content-Type", "text/x" }, { "Authorization", "secret" }));
    REQUIRE(response);
    CHECK_INT(rill_response_status(response), 200);
    CHECK_INT(rill_response_redirects(response), 1);
    CHECK_CONTAINS(rill_response_url(response), "/next?a#b");
    const char *second = script->requests[1];
    char line[100];
    snprintf(line, sizeof line, "%s /next?a HTTP/1.1\r\n", hop->expected);
    if (!starts_with(second, line) || !strstr(second, "Authorization: secret") ||
        (strstr(second, "\r\n\r\ncontent") != NULL) != hop->body ||
        (strstr(second, "Content-Length: 7") != NULL) != hop->body)
        test_fail(__FILE__, __LINE__, "%s %s: %s", hop->status, hop->method, second);
    if (body.len > 0 && (strstr(second, "Content-Type") != NULL) != hop->body)
        test_fail(__FILE__, __LINE__, "%s %s: %s", hop->status, hop->method, second);
    CHECK_INT(script->connections, 1);
    script_stop(script);
}

IN_LOOP(attacks_55_methods_and_bodies_follow_the_rules)
{
    for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++)
        check_hop(&hops[i]);
}

IN_LOOP(large_bodies_follow_them_too)
{
    static const char *const statuses[] = { "303", "307" };
    size_t len = 300000;
    char *body = calloc(1, len + 1);
    memset(body, 'x', len);
    for (int i = 0; i < 2; i++) {
        char reply[200];
        snprintf(reply, sizeof reply, "HTTP/1.1 %s Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
                 statuses[i]);
        struct step steps[] = { { .reply = reply }, { .reply = DONE } };
        struct script *script = script_start(steps, 2);
        rill_session *session = rill_session_new();
        for (int round = 0; round < 2; round++)
            rill_response_free(rill_post(session, script->url, .body = { body, len }));
        REQUIRE(script->request_count == 3);
        CHECK_CONTAINS(script->requests[1], i == 0 ? "GET / " : "POST / ");
        CHECK_INT(strlen(strstr(script->requests[1], "\r\n\r\n")), i == 0 ? 4 : len + 4);
        CHECK(starts_with(script->requests[2], "POST / "));
        rill_session_free(session);
        script_stop(script);
    }
    free(body);
}

struct bad {
    const char *location;
    int code;
    const char *words;
};

static const struct bad bads[] = {
    { "file:///etc/passwd", RILL_EREDIRECT_SCHEME, "the scheme" },
    { "ftp://127.0.0.1/", RILL_EREDIRECT_SCHEME, "the scheme" },
    { "ws://127.0.0.1/", RILL_EREDIRECT_SCHEME, "the scheme" },
    { "javascript:alert(1)", RILL_EREDIRECT_SCHEME, "the scheme" },
    { "http://", RILL_EREDIRECT, "invalid URL" },
    { "http://a b/", RILL_EREDIRECT, "invalid URL" },
    { "http://[::1/", RILL_EREDIRECT, "invalid URL" },
    { "http://127.0.0.1:99999/", RILL_EREDIRECT, "invalid URL" },
    { "//", RILL_EREDIRECT, "invalid URL" },
    { "\\\\", RILL_EREDIRECT, "invalid URL" },
    { "/a\r\nLocation: /b", RILL_EREDIRECT, "two Location headers" },
};

IN_LOOP(attacks_55_bad_locations_are_refused)
{
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        char reply[300];
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 302 Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", bads[i].location);
        struct step steps[] = { { .reply = reply } };
        struct script *script = script_start(steps, 1);
        rill_auto(rill_session) session = rill_session_new();
        CHECK(!rill_get(session, script->url));
        const rill_error *error = rill_last_error();
        if (error->code != bads[i].code)
            test_fail(__FILE__, __LINE__, "%s: %s", bads[i].location, error->message);
        CHECK_CONTAINS(error->message, script->url);
        CHECK_CONTAINS(error->message, ": following the redirect: ");
        CHECK_CONTAINS(error->message, bads[i].words);
        CHECK(rill_error_is(error, RILL_EREDIRECT));
        CHECK_INT(error->status, 302);
        CHECK_INT(script->request_count, 1);
        script_stop(script);
    }
}

struct good {
    const char *location, *target;
};

static const struct good goods[] = {
    { "a/b", "/x/a/b" },    { "/a", "/a" },     { "?q", "/x/y?q" },
    { "../z", "/z" },       { "\\a", "/a" },    { "/h\xc3\xa9llo w", "/h%C3%A9llo%20w" },
    { "/a%7eb", "/a%7eb" }, { "#top", "/x/y" },
};

IN_LOOP(locations_are_resolved_against_the_url)
{
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        char reply[300], url[100], line[100];
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 302 Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", goods[i].location);
        struct step steps[] = { { .reply = reply }, { .reply = DONE } };
        struct script *script = script_start(steps, 2);
        snprintf(url, sizeof url, "%sx/y", script->url);
        rill_session *session = rill_session_new();
        rill_response *response = rill_get(session, url);
        CHECK(response);
        snprintf(line, sizeof line, "GET %s HTTP/1.1", goods[i].target);
        CHECK_INT(script->request_count, 2);
        CHECK_CONTAINS(script->requests[1], line);
        rill_response_free(response);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(attacks_55_a_megabyte_of_location_is_refused)
{
    size_t len = 1 << 20;
    char *reply = malloc(len + 100);
    int head = snprintf(reply, 100, "HTTP/1.1 302 Go\r\nLocation: /");
    memset(reply + head, 'a', len);
    memcpy(reply + (size_t)head + len, "\r\n\r\n", 5);
    struct step steps[] = { { .reply = reply, .close = true } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    CHECK(!rill_get(session, script->url));
    CHECK_INT(rill_errcode(), RILL_EPROTOCOL);
    rill_session_free(session);
    script_stop(script);
    free(reply);
}

IN_LOOP(attacks_55_a_loop_ends_after_max_redirects)
{
    struct step steps[] = { { .reply =
                                  "HTTP/1.1 302 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    CHECK(!rill_get(session, script->url));
    CHECK_INT(rill_errcode(), RILL_EREDIRECTS);
    CHECK_CONTAINS(rill_last_error()->message, "more than 10 in a row");
    CHECK_INT(script->request_count, 10);
    CHECK(!rill_get(session, script->url, .max_redirects = 3));
    CHECK_INT(rill_errcode(), RILL_EREDIRECTS);
    CHECK_INT(script->request_count, 13);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(redirects_are_handed_out_when_asked_or_without_location)
{
    struct step steps[] = {
        { .reply = "HTTP/1.1 302 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" },
        { .reply = "HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n" },
        { .reply = "HTTP/1.1 300 Choose\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" },
        { .reply = "HTTP/1.1 304 Same\r\nLocation: /\r\n\r\n" },
        { .reply = "HTTP/1.1 305 Use\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" },
    };
    struct script *script = script_start(steps, 5);
    rill_session *session = rill_session_new();
    const int statuses[] = { 302, 302, 300, 304, 305 };
    for (int i = 0; i < 5; i++) {
        rill_response *response = rill_get(session, script->url, .no_redirects = i == 0);
        REQUIRE(response);
        CHECK_INT(rill_response_status(response), statuses[i]);
        CHECK_INT(rill_response_redirects(response), 0);
        rill_response_free(response);
    }
    CHECK_INT(script->request_count, 5);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(attacks_55_credentials_do_not_cross_origins)
{
    char there[200], back[200];
    struct step first[] = { { .reply = there }, { .reply = DONE } };
    struct step second[] = { { .reply = back } };
    struct script *a = script_start(first, 2), *b = script_start(second, 1);
    snprintf(there, sizeof there,
             "HTTP/1.1 307 Go\r\nLocation: //127.0.0.1:%d/b\r\nContent-Length: 0\r\n\r\n", b->port);
    snprintf(back, sizeof back,
             "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%d/c\r\nContent-Length: 0\r\n\r\n",
             a->port);
    char url[100];
    snprintf(url, sizeof url, "http://user:pw@127.0.0.1:%d/", a->port);
    rill_session *session =
        rill_session_new(.headers = RILL_HEADERS({ "Authorization", "session-secret" },
                                                 { "X-Plain", "1" }));
    rill_response *response =
        rill_post(session, url, .body = RILL_STR("content"),
                  .headers = RILL_HEADERS({ "cookie", "secret=1" }, { "Cookie", "secret=2" },
                                          { "proxy-authorization", "secret" }, { "Host", "secret" },
                                          { "X-Own", "2" }));
    REQUIRE(response);
    CHECK_CONTAINS(a->requests[0], "Authorization: session-secret");
    CHECK_CONTAINS(a->requests[0], "cookie: secret=1");
    CHECK_CONTAINS(a->requests[0], "Host: secret");
    const char *later[] = { b->requests[0], a->requests[1] };
    for (int i = 0; i < 2; i++) {
        CHECK(!strstr(later[i], "secret"));
        CHECK(!strstr(later[i], "Authorization"));
        CHECK_CONTAINS(later[i], "\r\nHost: 127.0.0.1:");
        CHECK_CONTAINS(later[i], "X-Plain: 1");
        CHECK_CONTAINS(later[i], "X-Own: 2");
        CHECK_CONTAINS(later[i], "\r\n\r\ncontent");
    }
    CHECK_INT(rill_response_redirects(response), 2);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

IN_LOOP(attacks_55_nor_do_those_of_the_session)
{
    char there[200];
    struct step first[] = { { .reply = there } };
    struct step second[] = { { .reply = DONE } };
    struct script *a = script_start(first, 1), *b = script_start(second, 1);
    snprintf(there, sizeof there,
             "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
             b->port);
    rill_session *session =
        rill_session_new(.headers = RILL_HEADERS({ "Cookie", "secret" }, { "X-Plain", "1" },
                                                 { "Host", "me" }));
    rill_response *response = rill_get(session, a->url);
    CHECK(response);
    CHECK_CONTAINS(a->requests[0], "Host: me\r\nCookie: secret\r\nX-Plain: 1\r\n");
    CHECK(!strstr(b->requests[0], "secret"));
    CHECK_CONTAINS(b->requests[0], "Host: 127.0.0.1:");
    CHECK_CONTAINS(b->requests[0], "X-Plain: 1\r\n");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}

IN_LOOP(credentials_in_the_location_are_used)
{
    char there[200];
    struct step first[] = { { .reply = there } };
    struct step second[] = { { .reply = DONE } };
    struct script *a = script_start(first, 1), *b = script_start(second, 1);
    snprintf(there, sizeof there,
             "HTTP/1.1 302 Go\r\nLocation: http://u:p@127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
             b->port);
    rill_session *session = rill_session_new();
    rill_response *response = rill_get(session, a->url);
    CHECK(response);
    CHECK_CONTAINS(b->requests[0], "Authorization: Basic dTpw\r\n");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(a);
    script_stop(b);
}
