/* Bodies: what is given and consumed, how they end, and what their trailers become. */
#include "h1_check.h"

#include "base/alloc.h"

static struct rill__h1_head head_with(enum rill__h1_body_kind kind, uint64_t length)
{
    return (struct rill__h1_head){ .limits = &rill__h1_default_limits,
                                   .body = (uint8_t)kind,
                                   .content_length = length };
}

static struct rill__h1_body body_with(enum rill__h1_body_kind kind, uint64_t length)
{
    struct rill__h1_head head = head_with(kind, length);
    struct rill__h1_body body;
    rill__h1_body_init(&body, &head);
    return body;
}

static void check_step(int line, struct rill__h1_body *body, const char *in,
                       enum rill__h1_step step, const char *data)
{
    /* `in` has a "|" where what is consumed ends. */
    const char *bar = strchr(in, '|');
    char bytes[200];
    size_t expected = bar ? (size_t)(bar - in) : strlen(in), consumed = SIZE_MAX;
    snprintf(bytes, sizeof bytes, "%.*s%s", (int)expected, in, bar ? bar + 1 : "");
    rill_str got;
    int came = rill__h1_body_next(body, bytes, strlen(bytes), &consumed, &got);
    if (came != step || consumed != expected || !rill_str_eq(got, rill_str_of(data)))
        test_fail(__FILE__, line, "%s: step %d, %zu bytes, \"%.*s\" (%s)", in, came, consumed,
                  (int)got.len, got.ptr, rill__h1_reason_text(body->reason));
}

#define CHECK_STEP(in, step, data) check_step(__LINE__, &body, in, RILL__H1_##step, data)

TEST(body_none_is_at_its_end)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_NONE, 0);
    CHECK(rill__h1_body_done(&body));
    CHECK_STEP("|GET", END, "");
    CHECK(rill__h1_body_eof(&body));
    body = body_with(RILL__H1_BODY_LENGTH, 0);
    CHECK(rill__h1_body_done(&body));
    CHECK_STEP("|GET", END, "");
}

TEST(body_of_a_length)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_LENGTH, 5);
    CHECK_STEP("", MORE, "");
    CHECK_STEP("hel|", DATA, "hel");
    CHECK_INT(body.left, 2);
    CHECK(!rill__h1_body_done(&body));
    CHECK_STEP("lo|GET", DATA, "lo");
    CHECK(rill__h1_body_done(&body));
    CHECK_STEP("|GET", END, "");
}

TEST(body_of_a_length_that_is_cut)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_LENGTH, 5);
    CHECK_STEP("hel|", DATA, "hel");
    CHECK(!rill__h1_body_eof(&body));
    CHECK_INT(body.reason, RILL__H1_TRUNCATED);
    CHECK_INT(body.left, 2);
    CHECK_STEP("|lo", REFUSED, "");
    CHECK(!rill__h1_body_eof(&body));
}

TEST(body_until_the_connection_closes)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_CLOSE, 0);
    CHECK_STEP("", MORE, "");
    CHECK_STEP("hello|", DATA, "hello");
    CHECK(!rill__h1_body_done(&body));
    CHECK(rill__h1_body_eof(&body));
    CHECK(rill__h1_body_done(&body));
    CHECK_STEP("", END, "");
}

TEST(body_in_chunks)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
    CHECK_STEP("|5", MORE, "");
    CHECK_STEP("|5\r", MORE, "");
    CHECK_STEP("5\r\n|", MORE, "");
    CHECK_STEP("he|", DATA, "he");
    CHECK_STEP("llo|\r", DATA, "llo");
    CHECK_STEP("|\r", MORE, "");
    CHECK_STEP("\r\n6;a=b\r\n world|\r\n", DATA, " world");
    CHECK_STEP("\r\n0\r\n|\r", MORE, "");
    CHECK_STEP("\r\n|GET", END, "");
    CHECK_STEP("|GET", END, "");
}

TEST(body_in_chunks_that_is_cut)
{
    static const char *const cuts[] = { "",
                                        "5",
                                        "5\r\n",
                                        "5\r\nhe",
                                        "5\r\nhello",
                                        "5\r\nhello\r\n",
                                        "5\r\nhello\r\n0\r\n",
                                        "0\r\nA: b\r\n" };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
        size_t consumed;
        rill_str data;
        const char *in = cuts[i];
        while (rill__h1_body_next(&body, in, strlen(in), &consumed, &data) == RILL__H1_DATA)
            in += consumed;
        CHECK(!rill__h1_body_eof(&body));
        CHECK_INT(body.reason, RILL__H1_TRUNCATED);
    }
}

TEST(body_trailers_are_collected)
{
    rill_auto(rill_headers) trailers = rill_headers_new();
    struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
    body.trailers = trailers;
    CHECK_STEP("0\r\nA: 1\r\n|B", MORE, "");
    CHECK_STEP("B: 2\r\nTrailer: x\r\nCookie: y\r\na:3\r\n\r\n|", END, "");
    CHECK_INT(rill_headers_count(trailers), 3);
    CHECK_STR(rill_headers_at(trailers, 0).value, "1");
    CHECK_STR(rill_headers_at(trailers, 2).value, "3");
}

TEST(body_trailers_are_not_collected_unasked)
{
    unsigned long before = rill__alloc_count;
    struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
    CHECK_STEP("0\r\nA: 1\r\nB: 2\r\n\r\n|", END, "");
    CHECK_INT(rill__alloc_count, before);
}

TEST(body_trailers_without_memory)
{
    for (unsigned long n = 1;; n++) {
        rill_auto(rill_headers) trailers = rill_headers_new();
        struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
        body.trailers = trailers;
        const char *in = "0\r\nA: 1\r\nB: 2\r\n\r\n";
        size_t consumed;
        rill_str data;
        rill__alloc_fail_at = rill__alloc_count + n;
        int step = rill__h1_body_next(&body, in, strlen(in), &consumed, &data);
        bool failed = rill__alloc_count >= rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        CHECK_INT(step, failed ? RILL__H1_REFUSED : RILL__H1_END);
        CHECK_INT(body.reason, failed ? RILL__H1_NO_MEMORY : RILL__H1_OK);
        if (!failed)
            break;
        REQUIRE(n < 100);
    }
}

/* Feeds a chunked body with `count` trailers of `size` bytes a line. */
static enum rill__h1_reason many_trailers(size_t count, size_t size, rill_headers *trailers)
{
    struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
    body.trailers = trailers;
    rill__buf in = rill__buf_make(1 << 20);
    rill__buf_puts(&in, "0\r\n");
    for (size_t i = 0; i < count; i++) {
        rill__buf_puts(&in, "A:");
        for (size_t k = 2; k < size; k++)
            rill__buf_putc(&in, 'x');
        rill__buf_puts(&in, "\r\n");
    }
    rill__buf_puts(&in, "\r\n");
    size_t consumed;
    rill_str data;
    rill__h1_body_next(&body, in.ptr, in.len, &consumed, &data);
    CHECK(body.reason == RILL__H1_OK ? consumed == in.len : consumed < in.len);
    rill__buf_free(&in);
    return (enum rill__h1_reason)body.reason;
}

TEST(body_trailers_are_limited)
{
    CHECK_INT(many_trailers(128, 10, NULL), RILL__H1_OK);
    CHECK_INT(many_trailers(129, 10, NULL), RILL__H1_FIELD_COUNT);
    CHECK_INT(many_trailers(1, 8190, NULL), RILL__H1_OK);
    CHECK_INT(many_trailers(1, 8191, NULL), RILL__H1_FIELD_LONG);
    CHECK_INT(many_trailers(64, 1022, NULL), RILL__H1_OK);
    CHECK_INT(many_trailers(64, 1023, NULL), RILL__H1_HEAD_LONG);
    rill_auto(rill_headers) full = rill_headers_new();
    while (rill_headers_add(full, "A", "b") == 0)
        ;
    CHECK_INT(many_trailers(1, 10, full), RILL__H1_FIELD_COUNT);
}

TEST(body_chunk_lines_are_limited)
{
    rill__buf in = rill__buf_make(100000);
    rill__buf_puts(&in, "ffff;");
    while (in.len < 8190)
        rill__buf_putc(&in, 'x');
    for (size_t len = 8190; len <= 8191; len++) {
        struct rill__h1_body body = body_with(RILL__H1_BODY_CHUNKED, 0);
        size_t consumed;
        rill_str data;
        rill__buf_puts(&in, "\r\n");
        rill__h1_body_next(&body, in.ptr, in.len, &consumed, &data);
        CHECK_INT(body.reason, len == 8190 ? RILL__H1_OK : RILL__H1_CHUNK_LONG);
        in.len = 8190;
        rill__buf_putc(&in, 'x');
    }
    rill__buf_free(&in);
}
