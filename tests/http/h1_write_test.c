/* The writer: what it writes, and that nothing which it is given can end its line. */
#include "h1_check.h"

#include "base/alloc.h"
#include "base/fail.h"

TEST(write_a_request)
{
    rill__buf out = rill__buf_make(1000);
    CHECK_INT(rill__h1_write_request_line(&out, RILL_STR("GET"), RILL_STR("/a?b"), 1), 0);
    CHECK_INT(rill__h1_write_field(&out, RILL_STR("Host"), RILL_STR(" a:80\t")), 0);
    rill__h1_write_number(&out, RILL_STR("Content-Length"), 0);
    CHECK_INT(rill__h1_write_end(&out), 0);
    CHECK_STR(out.ptr, "GET /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 0\r\n\r\n");
    rill__buf_reset(&out);
    CHECK_INT(rill__h1_write_request_line(&out, RILL_STR("M-S"), RILL_STR("*"), 0), 0);
    CHECK_STR(out.ptr, "M-S * HTTP/1.0\r\n");
    rill__buf_free(&out);
}

TEST(write_a_response)
{
    rill__buf out = rill__buf_make(1000);
    rill_auto(rill_headers) headers = rill_headers_new();
    rill_headers_add_all(headers, RILL_HEADERS({ "A", "1" }, { "B", "" }));
    CHECK_INT(rill__h1_write_status_line(&out, 404, (rill_str){ NULL, 0 }), 0);
    rill__h1_write_headers(&out, headers);
    rill__h1_write_number(&out, RILL_STR("N"), UINT64_MAX);
    CHECK_INT(rill__h1_write_end(&out), 0);
    CHECK_STR(out.ptr, "HTTP/1.1 404 Not Found\r\nA: 1\r\nB: \r\nN: 18446744073709551615\r\n\r\n");
    rill__buf_free(&out);
}

TEST(write_status_lines)
{
    rill__buf out = rill__buf_make(1000);
    CHECK_INT(rill__h1_write_status_line(&out, 200, RILL_STR("All right")), 0);
    CHECK_INT(rill__h1_write_status_line(&out, 200, RILL_STR("")), 0);
    CHECK_INT(rill__h1_write_status_line(&out, 599, (rill_str){ NULL, 0 }), 0);
    CHECK_INT(rill__h1_write_status_line(&out, 999, RILL_STR("x")), 0);
    CHECK_STR(out.ptr, "HTTP/1.1 200 All right\r\nHTTP/1.1 200 \r\nHTTP/1.1 599 \r\n"
                       "HTTP/1.1 999 x\r\n");
    size_t len = out.len;
    CHECK_INT(rill__h1_write_status_line(&out, 99, RILL_STR("x")), RILL_EINVAL);
    CHECK_INT(rill__h1_write_status_line(&out, 1000, RILL_STR("x")), RILL_EINVAL);
    CHECK_INT(rill__h1_write_status_line(&out, -1, RILL_STR("x")), RILL_EINVAL);
    CHECK_INT(out.len, len);
    rill__buf_free(&out);
}

TEST(write_every_known_status)
{
    int known = 0;
    for (int status = 100; status < 600; status++) {
        const char *text = rill__h1_status_text(status);
        char line[100];
        snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, text);
        rill__buf out = rill__buf_make(100);
        CHECK_INT(rill__h1_write_status_line(&out, status, (rill_str){ NULL, 0 }), 0);
        CHECK_STR(out.ptr, line);
        rill__buf_free(&out);
        known += text[0] != '\0';
    }
    CHECK_INT(known, 62);
    CHECK_STR(rill__h1_status_text(418), "I'm a Teapot");
    CHECK_STR(rill__h1_status_text(0), "");
}

TEST(write_refuses_bytes_that_split)
{
    rill__buf out = rill__buf_make(1000);
    for (int c = 0; c < 256; c++) {
        char bad[] = { 'a', (char)c, 'b' };
        rill_str text = { bad, sizeof bad };
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;
        bool visible = c > 0x20 && c < 0x7f;
        int rc = rill__h1_write_field(&out, RILL_STR("A"), text);
        CHECK_INT(rc, control ? RILL_EINVAL : 0);
        rc = rill__h1_write_status_line(&out, 200, text);
        CHECK_INT(rc, control ? RILL_EINVAL : 0);
        rc = rill__h1_write_request_line(&out, RILL_STR("GET"), text, 1);
        CHECK_INT(rc, visible ? 0 : RILL_EINVAL);
        bool token = rill__h1_write_field(&out, text, RILL_STR("x")) == 0;
        CHECK(!token || (visible && c != ':'));
        CHECK_INT(rill__h1_write_request_line(&out, text, RILL_STR("/"), 1),
                  token ? 0 : RILL_EINVAL);
        if (control)
            CHECK_INT(out.len, 0);
        rill__buf_reset(&out);
    }
    rill__buf_free(&out);
}

TEST(write_says_what_it_refuses)
{
    rill__buf out = rill__buf_make(1000);
    rill__h1_write_field(&out, RILL_STR("Location"), RILL_STR("/a\r\nSet-Cookie: x"));
    CHECK_STR(rill_last_error()->message,
              "header Location: byte 0x0d at 2 of the value is not allowed");
    rill__h1_write_field(&out, RILL_STR("A\nB"), RILL_STR("x"));
    CHECK_STR(rill_last_error()->message, "header name \"A\": byte 0x0a at 1 is not allowed");
    rill__h1_write_field(&out, RILL_STR(""), RILL_STR("x"));
    CHECK_STR(rill_last_error()->message, "header: the name is empty");
    rill__h1_write_request_line(&out, RILL_STR("GET /"), RILL_STR("/"), 1);
    CHECK_STR(rill_last_error()->message, "request method: byte 0x20 at 3 is not allowed");
    rill__h1_write_request_line(&out, RILL_STR("GET"), RILL_STR("/ü"), 1);
    CHECK_STR(rill_last_error()->message, "request target: byte 0xc3 at 1 is not allowed");
    CHECK_INT(rill__h1_write_request_line(&out, RILL_STR("GET"), RILL_STR(""), 1), RILL_EINVAL);
    CHECK_INT(rill__h1_write_request_line(&out, RILL_STR(""), RILL_STR("/"), 1), RILL_EINVAL);
    CHECK_INT(out.len, 0);
    rill__buf_free(&out);
}

TEST(write_chunks)
{
    rill__buf out = rill__buf_make(1000);
    rill__h1_write_chunk(&out, "hello", 5);
    rill__h1_write_chunk(&out, "", 0);
    rill__h1_write_chunk(&out, "0123456789abcdef!", 17);
    CHECK_INT(rill__h1_write_last_chunk(&out, NULL), 0);
    CHECK_STR(out.ptr, "5\r\nhello\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n");
    rill__buf_reset(&out);
    rill_auto(rill_headers) trailers = rill_headers_new();
    rill_headers_add(trailers, "Digest", "x");
    CHECK_INT(rill__h1_write_last_chunk(&out, trailers), 0);
    CHECK_STR(out.ptr, "0\r\nDigest: x\r\n\r\n");
    rill__buf_reset(&out);
    rill_headers_add(trailers, "content-length", "5");
    CHECK_INT(rill__h1_write_last_chunk(&out, trailers), RILL_EINVAL);
    CHECK_INT(out.len, 0);
    rill__buf_free(&out);
}

TEST(write_chunk_lines)
{
    static const struct {
        uint64_t size;
        const char *line;
    } rows[] = {
        { 0, "0\r\n" },
        { 1, "1\r\n" },
        { 15, "f\r\n" },
        { 16, "10\r\n" },
        { 0xabcdef, "abcdef\r\n" },
        { UINT64_MAX, "ffffffffffffffff\r\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[RILL__H1_CHUNK_LINE];
        rill_str got = { line, rill__h1_chunk_line(line, rows[i].size) };
        CHECK(rill_str_eq(got, rill_str_of(rows[i].line)));
    }
}

static int write_message(rill__buf *out)
{
    RILL__TRY(rill__h1_write_status_line(out, 200, RILL_STR("a phrase of its own, not too short")));
    RILL__TRY(rill__h1_write_field(out, RILL_STR("Server"), RILL_STR("rill")));
    rill__h1_write_number(out, RILL_STR("Content-Length"), 123456);
    return rill__h1_write_end(out);
}

TEST(write_tells_when_the_buffer_failed)
{
    rill__buf out = rill__buf_make(60);
    CHECK_INT(write_message(&out), RILL_ELIMIT);
    CHECK_STR(rill_last_error()->message, "message head: longer than 60 bytes");
    rill__buf_free(&out);
    for (unsigned long n = 1;; n++) {
        out = rill__buf_make(1000);
        rill__alloc_fail_at = rill__alloc_count + n;
        int rc = write_message(&out);
        bool failed = rill__alloc_count >= rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        CHECK_INT(rc, failed ? RILL_ENOMEM : 0);
        rill__buf_free(&out);
        if (!failed)
            break;
        REQUIRE(n < 100);
    }
}

/* What is written can be read, and says the same. */
TEST(write_and_read)
{
    rill__buf out = rill__buf_make(1000);
    rill__h1_write_request_line(&out, RILL_STR("POST"), RILL_STR("/x"), 1);
    rill__h1_write_field(&out, RILL_STR("Host"), RILL_STR("a"));
    rill__h1_write_field(&out, RILL_STR("Transfer-Encoding"), RILL_STR("chunked"));
    rill__h1_write_end(&out);
    rill__h1_write_chunk(&out, "hello", 5);
    rill__h1_write_last_chunk(&out, NULL);
    struct h1_run run = { 0 };
    h1_feed_all_ways(&run, rill__buf_str(&out));
    CHECK_INT(run.outcome, H1_BETWEEN);
    CHECK_INT(run.base, out.len);
    CHECK_STR(run.events[run.count - 2].text, "hello");
    h1_finish(&run);
    rill__buf_free(&out);
}
