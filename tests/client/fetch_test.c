/* One request and its answer: what is sent, what is handed out, and how bodies are framed. */
#include "base/alloc.h"
#include "harness.h"
#include "script.h"

#include <jansson.h>
#include <stdlib.h>

#define OK_HEAD(fields) "HTTP/1.1 200 OK\r\n" fields "\r\n"
#define OK(len, body) OK_HEAD("Content-Length: " #len "\r\n") body

static void check_failed(const rill_response *response, int code, const char *words)
{
    CHECK(!response);
    CHECK_STR(rill_code_name(rill_errcode()), rill_code_name(code));
    CHECK_CONTAINS(rill_last_error()->message, words);
}

/* ---- what is sent ---- */

/* A session and a server that answers everything with an empty 200. */
struct fixture {
    struct script *script;
    rill_session *session;
};

static struct fixture set_up(void)
{
    static const struct step empty[] = { { .reply = OK(0, "") } };
    return (struct fixture){ script_start(empty, 1), rill_session_new() };
}

static void tear_down(struct fixture *fixture, rill_response *response)
{
    rill_response_free(response);
    rill_session_free(fixture->session);
    script_stop(fixture->script);
}

IN_LOOP(without_a_session_nothing_is_sent)
{
    check_failed(rill_get(NULL, "http://127.0.0.1:1/"), RILL_EINVAL, "GET: there is no session");
    check_failed(rill_post(NULL, "/"), RILL_EINVAL, "POST: there is no session");
}

IN_LOOP(a_get_sends_these_lines)
{
    struct fixture f = set_up();
    rill_response *response = rill_get(f.session, f.script->url);
    char expected[512];
    snprintf(expected, sizeof expected,
             "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: rill/" RILL_VERSION
             "\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
             f.script->port);
    CHECK_STR(f.script->requests[0], expected);
    tear_down(&f, response);
}

IN_LOOP(a_body_has_length_and_type)
{
    struct fixture f = set_up();
    rill_response *response = rill_post(f.session, f.script->url, .body = RILL_STR("a=\0b"));
    CHECK_CONTAINS(f.script->requests[0], "POST / HTTP/1.1\r\n");
    CHECK_CONTAINS(f.script->requests[0],
                   "Content-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\na=");
    tear_down(&f, response);
}

IN_LOOP(no_body_of_a_post_has_length_0)
{
    struct fixture f = set_up();
    rill_response *response = rill_post(f.session, f.script->url);
    CHECK_CONTAINS(f.script->requests[0], "\r\nContent-Length: 0\r\n\r\n");
    CHECK(!strstr(f.script->requests[0], "Content-Type"));
    tear_down(&f, response);
}

IN_LOOP(json_and_forms_are_written)
{
    struct fixture f = set_up();
    json_t *value = json_pack("{s:i, s:s}", "a", 1, "b", "x");
    rill_response *response = rill_put(f.session, f.script->url, .json = value);
    json_decref(value);
    CHECK_CONTAINS(f.script->requests[0], "Content-Type: application/json\r\n"
                                          "Content-Length: 15\r\n\r\n{\"a\":1,\"b\":\"x\"}");
    rill_response_free(response);
    response =
        rill_post(f.session, f.script->url, .form = RILL_PARAMS({ "q", "a & b" }, { "r", "" }));
    CHECK_CONTAINS(f.script->requests[1], "Content-Type: application/x-www-form-urlencoded\r\n"
                                          "Content-Length: 12\r\n\r\nq=a+%26+b&r=");
    tear_down(&f, response);
}

IN_LOOP(params_go_behind_the_query)
{
    struct fixture f = set_up();
    char url[100];
    snprintf(url, sizeof url, "%sx?a=1#top", f.script->url);
    rill_response *response = rill_get(f.session, url, .params = RILL_PARAMS({ "b", "2 3" }));
    CHECK_CONTAINS(f.script->requests[0], "GET /x?a=1&b=2+3 HTTP/1.1\r\n");
    tear_down(&f, response);
}

IN_LOOP(the_same_url_with_other_params_is_another)
{
    struct fixture f = set_up();
    rill_response_free(rill_get(f.session, f.script->url));
    rill_response_free(rill_get(f.session, f.script->url, .params = RILL_PARAMS({ "a", "1" })));
    rill_response *response = rill_get(f.session, f.script->url);
    CHECK_CONTAINS(f.script->requests[0], "GET / ");
    CHECK_CONTAINS(f.script->requests[1], "GET /?a=1 ");
    CHECK_CONTAINS(f.script->requests[2], "GET / ");
    tear_down(&f, response);
}

IN_LOOP(own_headers_replace_the_others)
{
    struct fixture f = set_up();
    rill_session_free(f.session);
    f.session = rill_session_new(.user_agent = "agent",
                                 .headers = RILL_HEADERS({ "X-Session", "1" }, { "X-Both", "s" }));
    rill_response *response =
        rill_post(f.session, f.script->url, .body = RILL_STR("x"),
                  .headers = RILL_HEADERS({ "x-both", "r" }, { "accept", "text/html" },
                                          { "Host", "me" }, { "content-type", "text/plain" },
                                          { "X-Twice", "1" }, { "X-Twice", "2" }));
    CHECK_STR(f.script->requests[0],
              "POST / HTTP/1.1\r\nHost: me\r\nX-Session: 1\r\nUser-Agent: agent\r\n"
              "Accept-Encoding: gzip, deflate\r\nx-both: r\r\naccept: text/html\r\n"
              "content-type: text/plain\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 1\r\n\r\nx");
    tear_down(&f, response);
}

IN_LOOP(the_urls_user_is_sent_as_basic)
{
    struct fixture f = set_up();
    char url[100];
    snprintf(url, sizeof url, "http://Aladdin:open%%20sesame@127.0.0.1:%d/", f.script->port);
    rill_response *response = rill_get(f.session, url);
    CHECK_CONTAINS(f.script->requests[0],
                   "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    rill_response_free(response);
    response = rill_get(f.session, url, .headers = RILL_HEADERS({ "Authorization", "Other" }));
    CHECK_CONTAINS(f.script->requests[1], "\r\nAuthorization: Other\r\n");
    CHECK(!strstr(f.script->requests[1], "Basic"));
    tear_down(&f, response);
}

IN_LOOP(no_decompress_does_not_ask_for_codings)
{
    struct fixture f = set_up();
    rill_response *response = rill_get(f.session, f.script->url, .no_decompress = true);
    CHECK(!strstr(f.script->requests[0], "Accept-Encoding"));
    tear_down(&f, response);
}

IN_LOOP(a_large_body_arrives_whole)
{
    struct fixture f = set_up();
    size_t len = 300000;
    char *body = malloc(len + 1);
    memset(body, 'x', len);
    body[len] = '\0';
    rill_response *response = rill_put(f.session, f.script->url, .body = { body, len });
    REQUIRE(response);
    CHECK_CONTAINS(f.script->requests[0], "\r\nContent-Length: 300000\r\n\r\nxx");
    CHECK_INT(strlen(strstr(f.script->requests[0], "\r\n\r\n")), len + 4);
    free(body);
    tear_down(&f, response);
}

/* 20 MB to a server that answers once it has read the head, and then reads no more. */
static void upload_to(const struct step *step, int wanted, const char *words)
{
    struct script *script = script_start(step, 1);
    rill_session *session = rill_session_new(.timeout.total = 1);
    size_t len = 20000000;
    char *body = calloc(1, len);
    rill_response *response = rill_put(session, script->url, .body = { body, len });
    int status = response ? rill_response_status(response) : rill_errcode();
    CHECK(wanted < 0 ? rill_code_is(status, wanted) : status == wanted);
    rill_str text;
    if (response)
        CHECK_INT(rill_response_text(response, &text), 0);
    else
        CHECK_CONTAINS(rill_last_error()->message, words);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
    free(body);
}

IN_LOOP(an_early_refusal_ends_the_upload)
{
    const struct step refusal = { .reply = "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno",
                                  .early = true,
                                  .hold = true };
    upload_to(&refusal, 413, "");
    const struct step hinted = { .reply = "HTTP/1.1 100 Continue\r\n\r\n"
                                          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                                          "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno",
                                 .early = true,
                                 .bytewise = true,
                                 .hold = true };
    upload_to(&hinted, 413, "");
    const struct step cut = { .early = true, .close = true };
    upload_to(&cut, RILL_ECONNECTION, ": sending the request: ");
    const struct step silence = { .early = true, .hold = true };
    upload_to(&silence, RILL_ETOTAL_TIMEOUT, ": sending the request: not done within 1 s");
}

IN_LOOP(an_early_success_does_not)
{
    const struct step steps[] = {
        { .reply = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
          .early = true },
        { .reply = "ok", .unasked = true, .read = 20000000 },
    };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new(.timeout.total = 5);
    size_t len = 20000000;
    char *body = calloc(1, len);
    rill_response *response = rill_put(session, script->url, .body = { body, len });
    REQUIRE(response);
    CHECK_INT(rill_response_status(response), 200);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), 0);
    CHECK_STR(text.ptr, "ok");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
    free(body);
}

IN_LOOP(what_could_break_a_request_is_refused)
{
    struct fixture f = set_up();
    check_failed(
        rill_get(f.session, f.script->url, .headers = RILL_HEADERS({ "Content-Length", "3" })),
        RILL_EINVAL, "Content-Length");
    check_failed(rill_get(f.session, f.script->url,
                          .headers = RILL_HEADERS({ "transfer-encoding", "chunked" })),
                 RILL_EINVAL, "transfer-encoding");
    check_failed(
        rill_get(f.session, f.script->url, .headers = RILL_HEADERS({ "X", "a\r\nEvil: 1" })),
        RILL_EINVAL, "not allowed");
    check_failed(rill_get(f.session, f.script->url, .headers = RILL_HEADERS({ "X Y", "a" })),
                 RILL_EINVAL, "not allowed");
    check_failed(rill_request_url(f.session, f.script->url, .method = "GET / HTTP/1.1\r\nX:"),
                 RILL_EINVAL, "method");
    check_failed(rill_request_url(f.session, f.script->url, .method = "CONNECT"), RILL_EINVAL,
                 "CONNECT");
    check_failed(rill_post(f.session, f.script->url, .body = RILL_STR("a"),
                           .form = RILL_PARAMS({ "a", "b" })),
                 RILL_EINVAL, "one body");
    CHECK(!rill_session_new(.headers = RILL_HEADERS({ "Transfer-Encoding", "x" })));
    CHECK(!rill_session_new(.headers = RILL_HEADERS({ "X", "a\nb" })));
    CHECK_INT(f.script->request_count, 0);
    tear_down(&f, NULL);
}

IN_LOOP(relative_urls_are_resolved_against_the_base)
{
    struct fixture f = set_up();
    rill_session_free(f.session);
    char base[100];
    snprintf(base, sizeof base, "%sapi/v1/", f.script->url);
    f.session = rill_session_new(.base_url = base);
    rill_response *response = rill_get(f.session, "users?id=1");
    CHECK_CONTAINS(f.script->requests[0], "GET /api/v1/users?id=1 HTTP/1.1\r\n");
    rill_response_free(response);
    response = rill_get(f.session, f.script->url);
    CHECK_CONTAINS(f.script->requests[1], "GET / HTTP/1.1\r\n");
    tear_down(&f, response);
    CHECK(!rill_session_new(.base_url = "nothing"));
    CHECK_INT(rill_errcode(), RILL_EURL);
}

/* ---- what is handed out ---- */

IN_LOOP(a_response_has_status_headers_and_text)
{
    struct step steps[] = { { .reply =
                                  "HTTP/1.1 404 Nothing here\r\nContent-Type: Text/HTML ;a=b\r\n"
                                  "X-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello" } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    rill_auto(rill_response) response = rill_get(session, script->url);
    REQUIRE(response);
    CHECK_INT(rill_response_status(response), 404);
    CHECK_STR(rill_response_reason(response), "Nothing here");
    CHECK_STR(rill_response_header(response, "x-A"), "1");
    CHECK_INT(rill_headers_count(rill_response_headers(response)), 4);
    CHECK_STR(rill_response_content_type(response), "text/html");
    CHECK_STR(rill_response_url(response), script->url);
    CHECK_CONTAINS(rill_response_peer(response), "127.0.0.1:");
    CHECK_INT(rill_response_content_length(response), 5);
    rill_str text, again;
    REQUIRE(rill_response_text(response, &text) == 0);
    CHECK_STR(text.ptr, "hello");
    rill_session_free(session); /* the response still stands */
    script_stop(script);
    REQUIRE(rill_response_bytes(response, &again) == 0);
    CHECK(again.ptr == text.ptr && again.len == 5);
    CHECK_INT(rill_response_check(response), RILL_ESTATUS);
    CHECK_INT(rill_last_error()->status, 404);
    CHECK_CONTAINS(rill_last_error()->message, ": status 404 Nothing here");
    rill_timings timings = rill_response_timings(response);
    CHECK(timings.total > 0 && timings.total < 5 && timings.total >= timings.wait);
}

IN_LOOP(raise_for_status_makes_an_error_of_400)
{
    struct step steps[] = { { .reply = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" } };
    struct script *script = script_start(steps, 1);
    rill_auto(rill_session) session = rill_session_new(.raise_for_status = true);
    check_failed(rill_get(session, script->url), RILL_ESTATUS, "status 500 No");
    CHECK_STR(rill_last_error()->where, script->url);
    script_stop(script);
}

struct framing {
    const char *name, *reply, *text;
    bool close;
};

static const struct framing framings[] = {
    { "length", OK(5, "hello"), "hello", false },
    { "empty", OK(0, ""), "", false },
    { "chunked",
      OK_HEAD("Transfer-Encoding: chunked\r\n") "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
      "hello", false },
    { "chunked, empty", OK_HEAD("Transfer-Encoding: chunked\r\n") "0\r\n\r\n", "", false },
    { "close", OK_HEAD("") "hello", "hello", true },
    { "close, empty", OK_HEAD(""), "", true },
    { "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", true },
    { "204 with a length", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "", false },
    { "304 with a length", "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "", false },
    { "interim", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\n" OK(5, "hello"), "hello",
      false },
    { "no reason", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", "hello", false },
};

IN_LOOP(bodies_are_framed_as_rfc_9112_says)
{
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            const struct framing *framing = &framings[i];
            struct step step = { .reply = framing->reply,
                                 .close = framing->close,
                                 .bytewise = bytewise };
            struct script *script = script_start(&step, 1);
            rill_session *session = rill_session_new();
            rill_response *response = rill_get(session, script->url);
            rill_str text = { "", 0 };
            if (!response || rill_response_text(response, &text) < 0)
                test_fail(__FILE__, __LINE__, "%s: %s", framing->name, rill_last_error()->message);
            CHECK_STR(text.ptr, framing->text);
            rill_response_free(response);
            response = rill_get(session, script->url);
            CHECK(response);
            if (!framing->close && script->connections != 1)
                test_fail(__FILE__, __LINE__, "%s: not kept", framing->name);
            rill_response_free(response);
            rill_session_free(session);
            script_stop(script);
        }
    }
}

IN_LOOP(head_has_no_body)
{
    struct step steps[] = { { .reply = OK(5, "") },
                            { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") },
                            { .reply = OK(0, "") } };
    struct script *script = script_start(steps, 3);
    rill_session *session = rill_session_new();
    for (int i = 0; i < 3; i++) {
        rill_auto(rill_response) response = rill_head(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), 0);
        CHECK_INT(text.len, 0);
    }
    CHECK_INT(script->connections, 1);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(what_has_no_body_is_not_over_the_limit)
{
    struct step steps[] = { { .reply = OK(1000, "") },
                            { .reply =
                                  "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n" } };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new(.max_body = 10);
    for (int i = 0; i < 2; i++) {
        rill_auto(rill_response) response =
            i == 0 ? rill_head(session, script->url) : rill_get(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), 0);
        CHECK_INT(text.len, 0);
        CHECK_INT(rill_response_content_length(response), 1000);
    }
    CHECK_INT(script->connections, 1);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(an_upgrade_that_was_asked_for_is_handed_out)
{
    struct step steps[] = {
        { .reply = "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" },
        { .reply = OK(0, "") },
    };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new();
    rill_response *response =
        rill_get(session, script->url,
                 .headers = RILL_HEADERS({ "Upgrade", "x" }, { "Connection", "upgrade" }));
    REQUIRE(response);
    CHECK_INT(rill_response_status(response), 101);
    rill_response_free(response);
    rill_response_free(rill_get(session, script->url));
    CHECK_INT(script->connections, 2); /* no HTTP is spoken there any more */
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(a_body_can_be_read_in_pieces)
{
    struct step steps[] = {
        { .reply = OK_HEAD("Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n1\r\n \r\n" },
        { .reply = "5\r\nworld\r\n0\r\n\r\n", .unasked = true, .delay = 0.02 },
    };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new();
    rill_response *response = rill_get(session, script->url);
    REQUIRE(response);
    char text[100] = "";
    size_t len = 0;
    ptrdiff_t n;
    while ((n = rill_response_read(response, text + len, 3)) > 0) {
        CHECK(n <= 3);
        len += (size_t)n;
    }
    CHECK_INT(n, 0);
    CHECK_STR(text, "hello world");
    CHECK_INT(rill_response_read(response, text, 3), 0);
    rill_str whole;
    CHECK_INT(rill_response_text(response, &whole), RILL_EINVAL);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

/* A reply with a body of that many bytes, to be freed. */
static char *big_reply(size_t len, const char *fields, size_t *ret_len)
{
    char *reply = malloc(len + 200);
    int head = snprintf(reply, 200, OK_HEAD("%s"), fields);
    for (size_t i = 0; i < len; i++)
        reply[(size_t)head + i] = (char)('a' + i % 26);
    *ret_len = (size_t)head + len;
    return reply;
}

IN_LOOP(a_big_body_comes_whole)
{
    struct step step = { 0 };
    char *reply = big_reply(3000000, "Content-Length: 3000000\r\n", &step.len);
    step.reply = reply;
    struct script *script = script_start(&step, 1);
    rill_session *session = rill_session_new();
    for (int i = 0; i < 2; i++) {
        rill_auto(rill_response) response = rill_get(session, script->url);
        REQUIRE(response);
        rill_str body;
        REQUIRE(rill_response_bytes(response, &body) == 0);
        CHECK_INT(body.len, 3000000);
        CHECK(memcmp(body.ptr, reply + (step.len - 3000000), body.len) == 0);
        CHECK_INT(body.ptr[body.len], 0);
    }
    CHECK_INT(script->connections, 1);
    rill_session_free(session);
    script_stop(script);
    free(reply);
}

IN_LOOP(a_body_over_the_limit_is_refused)
{
    struct step steps[] = {
        { .reply = OK(11, "hello world") },
        { .reply = OK_HEAD(
              "Transfer-Encoding: chunked\r\n") "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n" }
    };
    struct script *script = script_start(steps, 2);
    rill_session *session = rill_session_new(.max_body = 10);
    for (int i = 0; i < 2; i++) {
        rill_response *response = rill_get(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), RILL_EBODY_LIMIT);
        CHECK_CONTAINS(rill_last_error()->message, "reading the body: it is over 10 bytes");
        CHECK_INT(rill_response_text(response, &text), RILL_EBODY_LIMIT);
        rill_response_free(response);
    }
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(no_limit_is_none)
{
    static char reply[100100];
    int head = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    memset(reply + head, 'x', 100000);
    struct step step = { .reply = reply };
    struct script *script = script_start(&step, 1);
    const size_t limits[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, 100000 };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        rill_session *session = rill_session_new(.max_body = limits[i]);
        rill_response *response = rill_get(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), 0);
        CHECK_INT(text.len, 100000);
        rill_response_free(response);
        rill_session_free(session);
    }
    script_stop(script);
}

struct charset_case {
    const char *type, *bytes, *text;
};

static const struct charset_case charsets[] = {
    { "text/plain", "h\xc3\xa9", "h\xc3\xa9" },
    { "text/plain; charset=UTF-8", "h\xe9!", "h\xef\xbf\xbd!" },
    { "text/plain; charset=\"iso-8859-1\"", "h\xe9!", "h\xc3\xa9!" },
    { "text/plain; charset=us-ascii", "h\xc3\xa9", "h\xef\xbf\xbd\xef\xbf\xbd" },
    { "text/plain; charset=klingon", "plain", "plain" },
    { "text/plain", "\xf0\x9f\x98\x80 \xf0\x9f\x98 \xed\xa0\x80 \xc0\xaf",
      "\xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
      "\xef\xbf\xbd\xef\xbf\xbd" },
};

IN_LOOP(text_is_decoded_by_its_charset)
{
    for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++) {
        char reply[300];
        snprintf(reply, sizeof reply, OK_HEAD("Content-Type: %s\r\nContent-Length: %zu\r\n") "%s",
                 charsets[i].type, strlen(charsets[i].bytes), charsets[i].bytes);
        struct step step = { .reply = reply };
        struct script *script = script_start(&step, 1);
        rill_session *session = rill_session_new();
        rill_response *response = rill_get(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), 0);
        CHECK_STR(text.ptr, charsets[i].text);
        CHECK_INT(rill_response_bytes(response, &text), 0);
        CHECK_STR(text.ptr, charsets[i].bytes);
        rill_response_free(response);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(json_is_parsed_and_its_type_checked)
{
    struct step steps[] = {
        { .reply =
              OK_HEAD("Content-Type: application/json\r\nContent-Length: 9\r\n") "{\"a\": 42}" },
        { .reply =
              OK_HEAD("Content-Type: application/problem+json\r\nContent-Length: 2\r\n") "42" },
        { .reply = OK_HEAD(
              "Content-Type: application/json\r\nContent-Length: 10\r\n") "{\"a\":\n 4 2}" },
        { .reply = OK_HEAD("Content-Type: text/html\r\nContent-Length: 2\r\n") "42" },
    };
    struct script *script = script_start(steps, 4);
    rill_session *session = rill_session_new();
    rill_response *response = rill_get(session, script->url);
    json_t *value = rill_response_json(response);
    CHECK_INT(json_integer_value(json_object_get(value, "a")), 42);
    json_decref(value);
    rill_response_free(response);

    response = rill_get(session, script->url);
    value = rill_response_json(response);
    CHECK_INT(json_integer_value(value), 42);
    json_decref(value);
    rill_response_free(response);

    response = rill_get(session, script->url);
    CHECK(!rill_response_json(response));
    CHECK_INT(rill_errcode(), RILL_EJSON);
    CHECK_CONTAINS(rill_last_error()->message, "decoding the body: line 2, column 4");
    rill_response_free(response);

    response = rill_get(session, script->url);
    CHECK(!rill_response_json(response));
    CHECK_INT(rill_errcode(), RILL_ECONTENT_TYPE);
    CHECK_CONTAINS(rill_last_error()->message, "text/html");
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(a_warm_request_allocates_nothing)
{
    struct step steps[] = { { .reply = OK(5, "hello") } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    unsigned long before = 0;
    for (int i = 0; i < 10; i++) {
        if (i == 2)
            before = rill__alloc_count;
        rill_auto(rill_response) response = rill_get(session, script->url);
        REQUIRE(response);
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), 0);
        CHECK_STR(rill_response_header(response, "Content-Length"), "5");
    }
    CHECK_INT(rill__alloc_count - before, 0);
    rill_session_free(session);
    script_stop(script);
}

/* ---- on a schedule ---- */

struct counter {
    int good, failed;
};

static int count_response(rill_response *response, void *state)
{
    struct counter *counter = state;
    if (response)
        counter->good += rill_response_status(response) == 200;
    else
        counter->failed += rill_errcode() == RILL_EDISCONNECTED;
    return counter->good == 2 ? -RILL_VERSION_MINOR : 0;
}

IN_LOOP(every_fetches_until_the_function_says_no)
{
    struct step steps[] = { { .reply = OK(0, "") },
                            { .close = true },
                            { .reply = OK(0, ""), .close = true } };
    struct script *script = script_start(steps, 3);
    rill_session *session = rill_session_new();
    struct counter counter = { 0, 0 };
    rill_task task =
        rill_session_every(session, 0.02, script->url, count_response, &counter, .name = "poll");
    CHECK(rill_join(task) < 0);
    CHECK_INT(counter.good, 2);
    CHECK_INT(script->request_count >= 3, 1);
    task = rill_session_every(session, 0.02, "gopher://x", count_response, &counter);
    CHECK_INT(task.id, 0);
    CHECK_INT(rill_errcode(), RILL_EURL_SCHEME);
    task = rill_session_every(session, 2, script->url, count_response, &counter, .jitter = 3);
    CHECK_INT(task.id, 0);
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(every_is_cancelled_in_mid_fetch)
{
    struct step steps[] = { { .reply = OK(0, ""), .delay = 20 } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    struct counter counter = { 0, 0 };
    rill_task task = rill_session_every(session, 0.02, script->url, count_response, &counter);
    rill_sleep(0.05);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(counter.good + counter.failed, 0);
    rill_session_free(session);
    script_stop(script);
}

IN_LOOP(every_is_cancelled_before_it_began)
{
    rill_session *session = rill_session_new();
    struct counter counter = { 0, 0 };
    rill_task task = rill_session_every(session, 1, "http://127.0.0.1:1", count_response, &counter);
    rill_cancel(task);
    CHECK_INT(rill_join(task), RILL_ECANCELED);
    CHECK_INT(counter.good + counter.failed, 0);
    rill_session_free(session);
}
