/* What a head says: its index, its body, its connection; limits of one's own; a table over it. */
#include "h1_check.h"

#include "base/arena.h"

#include <rill/error.h>

static struct rill__h1_field fields[RILL__H1_FIELDS];

/* Parses a whole head that is good. */
static struct rill__h1_head parse_request(const char *text)
{
    struct rill__h1_head head;
    rill__h1_head_init_request(&head, NULL, fields);
    CHECK_INT(rill__h1_head_parse(&head, text, strlen(text)), strlen(text));
    return head;
}

static struct rill__h1_head parse_response(const char *text, enum rill__h1_method method)
{
    struct rill__h1_head head;
    rill__h1_head_init_response(&head, NULL, fields, method);
    CHECK_INT(rill__h1_head_parse(&head, text, strlen(text)), strlen(text));
    return head;
}

static bool is(const char *text, struct rill__h1_span span, const char *expected)
{
    return rill_str_eq(rill__h1_text(text, span), rill_str_of(expected));
}

TEST(head_of_a_request)
{
    const char *text = "\r\nPOST /a?b HTTP/1.1\r\nHost: example.com:8080\r\n"
                       "X-Empty:\r\nX:  two words \t\r\nContent-Length: 13\r\n\r\n";
    struct rill__h1_head head = parse_request(text);
    CHECK(is(text, head.method, "POST"));
    CHECK_INT(head.method_id, RILL__H1_POST);
    CHECK(is(text, head.target, "/a?b"));
    CHECK(is(text, head.host, "example.com:8080"));
    CHECK_INT(head.minor, 1);
    CHECK_INT(head.field_count, 4);
    CHECK(is(text, fields[1].name, "X-Empty"));
    CHECK(is(text, fields[1].value, ""));
    CHECK(is(text, fields[2].value, "two words"));
    CHECK_INT(head.body, RILL__H1_BODY_LENGTH);
    CHECK_INT(head.content_length, 13);
    CHECK(head.has_length && head.keep_alive && !head.tunnel && !head.wants_upgrade);
    CHECK_INT(rill__h1_head_parse(&head, text, strlen(text)), strlen(text)); /* told again */
}

TEST(head_of_a_response)
{
    const char *text = "HTTP/1.0 404 Not Found at all\r\nServer: x\r\n\r\n";
    struct rill__h1_head head = parse_response(text, RILL__H1_GET);
    CHECK_INT(head.status, 404);
    CHECK_INT(head.minor, 0);
    CHECK(is(text, head.phrase, "Not Found at all"));
    CHECK(is(text, fields[0].value, "x"));
    CHECK_INT(head.body, RILL__H1_BODY_CLOSE);
    CHECK(!head.keep_alive);
}

TEST(head_methods)
{
    static const struct {
        const char *name;
        enum rill__h1_method method;
    } rows[] = {
        { "GET", RILL__H1_GET },         { "HEAD", RILL__H1_HEAD },
        { "POST", RILL__H1_POST },       { "PUT", RILL__H1_PUT },
        { "DELETE", RILL__H1_DELETE },   { "CONNECT", RILL__H1_CONNECT },
        { "OPTIONS", RILL__H1_OPTIONS }, { "TRACE", RILL__H1_TRACE },
        { "PATCH", RILL__H1_PATCH },     { "get", RILL__H1_OTHER },
        { "GETS", RILL__H1_OTHER },      { "", RILL__H1_OTHER },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_INT(rill__h1_method_of(rill_str_of(rows[i].name)), rows[i].method);
}

TEST(head_host_of_absolute_targets)
{
    const char *text = "GET http://A:80/x HTTP/1.1\r\nHost: a\r\n\r\n";
    struct rill__h1_head head = parse_request(text);
    CHECK(is(text, head.host, "A:80"));
    text = "GET http://a?x HTTP/1.0\r\n\r\n";
    head = parse_request(text);
    CHECK(is(text, head.host, "a"));
    CHECK(is(text, head.target, "http://a?x"));
    text = "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n";
    head = parse_request(text);
    CHECK(is(text, head.host, "b:443"));
    CHECK(head.tunnel && !head.keep_alive);
}

TEST(head_connection_of_requests)
{
#define REQUEST(version, lines) "GET / HTTP/" version "\r\nHost: a\r\n" lines "\r\n"
    CHECK(parse_request(REQUEST("1.1", "")).keep_alive);
    CHECK(!parse_request(REQUEST("1.0", "")).keep_alive);
    CHECK(parse_request(REQUEST("1.0", "Connection: x, Keep-Alive\r\n")).keep_alive);
    CHECK(!parse_request(REQUEST("1.1", "Connection: x,close ,y\r\n")).keep_alive);
    CHECK(!parse_request(REQUEST("1.1", "Connection: close\r\nConnection: keep-alive\r\n"))
               .keep_alive);
    CHECK(parse_request(REQUEST("1.1", "Connection: closed, not-close\r\n")).keep_alive);
    CHECK(!parse_request(REQUEST("1.0", "Connection: keep-alive, close\r\n")).keep_alive);
}

TEST(head_upgrade)
{
    const char *text = REQUEST("1.1", "Upgrade: websocket\r\nConnection: x, Upgrade\r\n");
    struct rill__h1_head head = parse_request(text);
    CHECK(head.wants_upgrade && !head.tunnel);
    CHECK(is(text, head.upgrade, "websocket"));
    CHECK(!parse_request(REQUEST("1.1", "Upgrade: websocket\r\n")).wants_upgrade);
    CHECK(!parse_request(REQUEST("1.1", "Connection: upgrade\r\n")).wants_upgrade);
    CHECK(!parse_request(REQUEST("1.1", "Upgrade: x\r\nConnection: notupgrade\r\n")).wants_upgrade);
    CHECK(!parse_request(REQUEST("1.0", "Upgrade: x\r\nConnection: upgrade\r\n")).wants_upgrade);
}

TEST(head_expect)
{
    struct rill__h1_head head = parse_request(REQUEST("1.1", "Expect: 100-Continue\r\n"));
    CHECK(head.expect_continue && !head.expect_other);
    head = parse_request(REQUEST("1.1", "Expect: 200-ok\r\n"));
    CHECK(!head.expect_continue && head.expect_other);
    head = parse_request(REQUEST("1.1", "Expect: 100-continue\r\nExpect: more\r\n"));
    CHECK(head.expect_continue && head.expect_other);
    head = parse_request(REQUEST("1.0", "Expect: 100-continue\r\n"));
    CHECK(!head.expect_continue && !head.expect_other);
}

TEST(head_single_fields)
{
    static const char *const names[] = { "Content-Type",     "Content-Range", "Max-Forwards",
                                         "Content-Location", "ETag",          "Server",
                                         "User-Agent" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[200];
        int len =
            snprintf(text, sizeof text, REQUEST("1.1", "%s: a\r\n%s: a\r\n"), names[i], names[i]);
        h1_check_run(__LINE__, (struct h1_run){ 0 }, (rill_str){ text, (size_t)len },
                     RILL__H1_FIELD_TWICE);
    }
    CHECK_REQUEST(REQUEST("1.1", "Accept: a\r\nAccept: b\r\nCookie: c\r\nCookie: d\r\n"), OK);
}

/* RFC 9112 6.3, line by line. */
TEST(head_bodies_of_responses)
{
    static const struct {
        int status;
        const char *lines;
        enum rill__h1_method method;
        enum rill__h1_body_kind body;
        bool keep_alive, tunnel;
    } rows[] = {
        { 200, "Content-Length: 5\r\n", RILL__H1_HEAD, RILL__H1_BODY_NONE, true, false },
        { 200, "Transfer-Encoding: chunked\r\n", RILL__H1_HEAD, RILL__H1_BODY_NONE, true, false },
        { 200, "", RILL__H1_HEAD, RILL__H1_BODY_NONE, true, false },
        { 100, "", RILL__H1_GET, RILL__H1_BODY_NONE, true, false },
        { 103, "Content-Length: 5\r\n", RILL__H1_GET, RILL__H1_BODY_NONE, true, false },
        { 101, "", RILL__H1_GET, RILL__H1_BODY_NONE, true, true },
        { 204, "Content-Length: 5\r\n", RILL__H1_GET, RILL__H1_BODY_NONE, true, false },
        { 304, "Content-Length: 5\r\n", RILL__H1_GET, RILL__H1_BODY_NONE, true, false },
        { 304, "Connection: close\r\n", RILL__H1_GET, RILL__H1_BODY_NONE, false, false },
        { 200, "Content-Length: 5\r\n", RILL__H1_CONNECT, RILL__H1_BODY_NONE, true, true },
        { 407, "Content-Length: 5\r\n", RILL__H1_CONNECT, RILL__H1_BODY_LENGTH, true, false },
        { 200, "Transfer-Encoding: chunked\r\n", RILL__H1_GET, RILL__H1_BODY_CHUNKED, true, false },
        { 200, "Content-Length: 0\r\n", RILL__H1_GET, RILL__H1_BODY_LENGTH, true, false },
        { 205, "", RILL__H1_GET, RILL__H1_BODY_CLOSE, false, false },
        { 500, "", RILL__H1_POST, RILL__H1_BODY_CLOSE, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%s\r\n", rows[i].status, rows[i].lines);
        struct rill__h1_head head = parse_response(text, rows[i].method);
        CHECK_INT(head.body, rows[i].body);
        CHECK_INT(head.keep_alive, rows[i].keep_alive);
        CHECK_INT(head.tunnel, rows[i].tunnel);
    }
}

TEST(head_limits_of_ones_own)
{
    static const struct rill__h1_limits limits = {
        .start_line = 20, .field = 10, .fields = 2, .head = 45
    };
    const struct h1_run run = { .limits = &limits };
#define CHECK_LIMIT(text, reason) h1_check_run(__LINE__, run, RILL_STR(text), RILL__H1_##reason)
    CHECK_LIMIT("GET /123456 HTTP/1.1\r\nHost: a\r\n\r\n", OK);
    CHECK_LIMIT("GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n", TARGET_LONG);
    CHECK_LIMIT("GET / HTTP/1.1\r\nHost: 6789\r\n\r\n", OK);
    CHECK_LIMIT("GET / HTTP/1.1\r\nHost: 67890\r\n\r\n", FIELD_LONG);
    CHECK_LIMIT("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", OK);
    CHECK_LIMIT("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n", FIELD_COUNT);
    /* The head's end passes the limit in its empty line, at a line's end, and inside a line. */
    CHECK_LIMIT("GET /12345 HTTP/1.1\r\nHost: 6789\r\nA: 45678\r\n\r\n", OK);
    CHECK_LIMIT("GET /123456 HTTP/1.1\r\nHost: 6789\r\nA: 45678\r\n\r\n", HEAD_LONG);
    CHECK_LIMIT("GET /123456 HTTP/1.1\r\nHost: 6789\r\nA: 456789\r\n\r\n", HEAD_LONG);
    CHECK_LIMIT("GET /123456 HTTP/1.1\r\nHost: 6789\r\nA: 4567890\r\n\r\n", HEAD_LONG);
    CHECK_LIMIT("\r\n\r\nGET /123456 HTTP/1.1\r\nHost: 6789\r\nA: b\r\n\r\n", HEAD_LONG);
}

TEST(head_view_is_a_table)
{
    char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nAccept: b \r\naccept:c\r\n\r\n";
    struct rill__h1_head head;
    rill__h1_head_init_request(&head, NULL, fields);
    REQUIRE(rill__h1_head_parse(&head, text, sizeof text - 1) > 0);
    rill__arena arena = { 0 };
    rill_headers headers;
    REQUIRE(rill__headers_view(&headers, &arena, text, &head) == 0);
    CHECK_INT(rill_headers_count(&headers), 4);
    CHECK_STR(rill_headers_get(&headers, "host"), "a");
    CHECK_STR(rill_headers_get(&headers, "x-empty"), "");
    CHECK_STR(rill_headers_at(&headers, 1).name, "X-Empty");
    size_t at = 0;
    CHECK_STR(rill_headers_next(&headers, "ACCEPT", &at), "b");
    CHECK_STR(rill_headers_next(&headers, "ACCEPT", &at), "c");
    CHECK(rill_headers_next(&headers, "ACCEPT", &at) == NULL);
    /* A table like any other: it can be changed. */
    CHECK_INT(rill_headers_set(&headers, "Accept", "d"), 0);
    CHECK_INT(rill_headers_add(&headers, "E", "f"), 0);
    CHECK_INT(rill_headers_count(&headers), 4);
    CHECK_STR(rill_headers_at(&headers, 2).value, "d");
    rill__arena_free(&arena);
}

TEST(head_view_says_when_memory_is_short)
{
    char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct rill__h1_head head;
    rill__h1_head_init_request(&head, NULL, fields);
    REQUIRE(rill__h1_head_parse(&head, text, sizeof text - 1) > 0);
    rill__arena arena = { .max = 16 };
    rill_headers headers;
    CHECK_INT(rill__headers_view(&headers, &arena, text, &head), RILL_ENOMEM);
    CHECK_INT(rill_headers_count(&headers), 0);
    rill__arena_free(&arena);
}

TEST(head_reasons_have_words)
{
    CHECK_INT(rill__h1_reason_status(RILL__H1_OK), 0);
    for (int i = 1; i < RILL__H1_REASON_COUNT; i++) {
        CHECK(strlen(rill__h1_reason_text((enum rill__h1_reason)i)) > 10);
        CHECK(rill__h1_reason_status((enum rill__h1_reason)i) >= 400);
    }
}
