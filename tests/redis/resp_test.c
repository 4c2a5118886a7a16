/* RESP: every row gives the same replies, or the same refusal, whole, byte by byte and at every
 * split; what is only announced costs no memory. */
#include "base/alloc.h"
#include "base/fail.h"
#include "harness.h"
#include "redis/resp.h"
#include "render.h"

#include <malloc.h>
#include <stdlib.h>

/* Takes out all replies that are complete. Returns 0 or the code of the refusal. */
static int drain(rill__resp *resp, rill__buf *out)
{
    redisReply *reply;
    int rc;
    while ((rc = rill__resp_next(resp, &reply)) > 0) {
        rill__buf_puts(out, out->len ? " " : "");
        render_reply(out, reply);
        freeReplyObject(reply);
    }
    if (rc < 0)
        rill__buf_printf(out, "%s!%s", out->len ? " " : "", rill_last_error()->message);
    return rc;
}

static int feed(rill__resp *resp, rill__buf *out, const char *bytes, size_t len)
{
    size_t room;
    char *to = rill__resp_room(resp, &room);
    if (!to || room < len)
        return rill_errcode();
    memcpy(to, bytes, len);
    rill__resp_received(resp, len);
    return drain(resp, out);
}

/* Parses the bytes in pieces of `first`, then `rest` bytes, to what render makes of it. */
static char *parse(const char *bytes, size_t len, size_t first, size_t rest)
{
    rill__resp resp;
    rill__buf out = rill__buf_make(1 << 20);
    rill__resp_init(&resp);
    int rc = 0;
    for (size_t at = 0; at < len && rc == 0;) {
        size_t piece = at == 0 ? first : rest;
        piece = piece < len - at ? piece : len - at;
        rc = feed(&resp, &out, bytes + at, piece);
        at += piece;
    }
    rill__resp_free(&resp);
    return rill__buf_take(&out);
}

static const struct row {
    const char *bytes;
    const char *expected;
} rows[] = {
    { "+OK\r\n", "+OK" },
    { "-ERR no\r\n", "-ERR no" },
    { ":-7\r\n:0\r\n", "-7 0" },
    { "$3\r\nabc\r\n", "\"abc\"" },
    { "$0\r\n\r\n", "\"\"" },
    { "$7\r\na\r\nb\r\nc\r\n+x\r\n", "\"a\r\nb\r\nc\" +x" },
    { "$-1\r\n", "nil" },
    { "*-1\r\n", "nil" },
    { "*0\r\n", "[]" },
    { "*2\r\n*0\r\n*1\r\n:1\r\n", "[[] [1]]" },
    { "*3\r\n$1\r\na\r\n$-1\r\n*2\r\n-ERR x\r\n+y\r\n:9\r\n", "[\"a\" nil [-ERR x +y]] 9" },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n:2\r\n", "[[[[[[[[1]]]]]]]] 2" },
    { "+a\rb\r\n", "+a\rb" },
    /* pushes and attributes of RESP3 are no replies */
    { "+a\r\n>2\r\n+message\r\n$1\r\nx\r\n+b\r\n", "+a +b" },
    { ">0\r\n+b\r\n", "+b" },
    { "|1\r\n+ttl\r\n:3\r\n+a\r\n:1\r\n", "+a 1" },
    { ">3\r\n%1\r\n+k\r\n,1.5\r\n#t\r\n~1\r\n_\r\n:1\r\n", "1" },
    /* not yet complete */
    { "", "" },
    { "$3\r\nab", "" },
    { "*1000000000\r\n", "!a length is over the limit" },
    { "*16777216\r\n:1\r\n", "" },
    { "+a\r\n*2\r\n:1\r\n", "+a" },
    /* refused */
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
      "!arrays are nested too deep" },
    { "+a\r\n$-2\r\n", "+a !a length is not a number" },
    { "*-2\r\n", "!a length is not a number" },
    { "$9223372036854775808\r\nx", "!a length is over the limit" },
    { "$18446744073709551617\r\nx", "!a length is over the limit" },
    { "$536870913\r\nx", "!a length is over the limit" },
    { "$007\r\nabcdefg\r\n", "!a length is not a number" },
    { "$\r\n", "!a length is not a number" },
    { "$+1\r\na\r\n", "!a length is not a number" },
    { "$ 1\r\na\r\n", "!a length is not a number" },
    { "$?\r\n;1\r\na\r\n", "!a length is not a number" },
    { "$3\r\nabcd\r\n", "!a string does not end in CR LF" },
    { "$3\r\nabcXX", "!a string does not end in CR LF" },
    { "+OK\n+OK\r\n", "!a line does not end in CR LF" },
    { "+a\nb\r\n", "!a line does not end in CR LF" },
    { "\r\n", "!byte 0x0d begins no reply" },
    { "HTTP/1.1 400 Bad Request\r\n", "!'H' begins no reply" },
    { "*1\r\n>1\r\n+x\r\n", "!a push or an attribute within a reply" },
    { "*1\r\n|1\r\n+x\r\n+y\r\n:1\r\n", "!a push or an attribute within a reply" },
    { ":abc\r\n", "!Bad integer value" },
    { ":\r\n", "!Bad integer value" },
    { ":9223372036854775808\r\n", "!Bad integer value" },
    { "+a\r\n:1 \r\n+b\r\n", "+a !Bad integer value" },
};

TEST(rows_whole_by_byte_and_at_every_split)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].bytes);
        for (size_t split = 0; split <= len; split++) {
            char *got = parse(rows[i].bytes, len, split ? split : 1, split ? len : 1);
            if (strcmp(got, rows[i].expected) != 0)
                test_fail(__FILE__, __LINE__, "row %zu, split at %zu: %s instead of %s", i, split,
                          got, rows[i].expected);
            rill__free(got);
        }
    }
}

TEST(a_nul_byte_begins_no_reply)
{
    char *got = parse("+a\r\n\0\r\n", 7, 7, 7);
    CHECK_STR(got, "+a !byte 0x00 begins no reply");
    rill__free(got);
    got = parse("$3\r\na\0b\r\n+x\r\n", 13, 1, 1);
    CHECK_INT(strlen(got), 2); /* "a, then the NUL */
    rill__free(got);
}

/* Repeats a text until it is about `size` bytes long. */
static char *repeated(const char *text, size_t size, size_t *ret_len)
{
    rill__buf out = rill__buf_make(size + strlen(text));
    while (out.len < size)
        rill__buf_puts(&out, text);
    *ret_len = out.len;
    return rill__buf_take(&out);
}

TEST(ten_thousand_nested_arrays_are_refused)
{
    size_t len;
    char *bytes = repeated("*1\r\n", 40000, &len);
    char *got = parse(bytes, len, 4096, 4096);
    CHECK_STR(got, "!arrays are nested too deep");
    rill__free(got);
    rill__free(bytes);
}

TEST(a_line_without_end_is_refused)
{
    size_t len;
    char *bytes = repeated("+++++++++++++++", 70000, &len);
    char *got = parse(bytes, len, 4096, 4096);
    CHECK_STR(got, "!a line is too long");
    rill__free(got);
    rill__free(bytes);
}

TEST(what_is_only_announced_takes_no_memory)
{
    static const char *const heads[] = { "*16000000\r\n", "$536870000\r\nabc", "%16000000\r\n",
                                         ">16000000\r\n:1\r\n" };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        rill__resp resp;
        rill__buf out = rill__buf_make(100);
        CHECK_INT(rill__resp_init(&resp), 0);
        size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
        feed(&resp, &out, heads[i], strlen(heads[i]));
        size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
        CHECK(after - before < 64 * 1024);
        rill__resp_free(&resp);
        rill__buf_free(&out);
    }
}

/* A push may hold more elements than are announced at once, level by level. */
TEST(elements_of_one_reply_are_counted)
{
    size_t len;
    char *bytes = repeated(":1\r\n:1\r\n:1\r\n:1\r\n", 4000, &len);
    rill__resp resp;
    rill__buf out = rill__buf_make(1000);
    CHECK_INT(rill__resp_init(&resp), 0);
    int rc = feed(&resp, &out, ">2\r\n>", 5);
    CHECK_INT(rc, RILL_EREDIS_PROTOCOL);
    rill__resp_free(&resp);
    CHECK_INT(rill__resp_init(&resp), 0);
    rill__buf_reset(&out);
    rc = feed(&resp, &out, ">16000000\r\n*16000000\r\n", 22);
    for (size_t sent = 0; rc == 0 && sent < 80u * 1000 * 1000; sent += len)
        rc = feed(&resp, &out, bytes, len);
    CHECK_INT(rc, RILL_EREDIS_PROTOCOL);
    CHECK_STR(out.ptr, "!a reply has too many elements");
    rill__resp_free(&resp);
    rill__buf_free(&out);
    rill__free(bytes);
}

TEST(a_long_string_arrives_whole_and_its_buffer_is_given_back)
{
    size_t len = 8 * 1024 * 1024;
    rill__resp resp;
    redisReply *reply = NULL;
    CHECK_INT(rill__resp_init(&resp), 0);
    char head[32], *body = malloc(len);
    REQUIRE(body);
    memset(body, 'b', len);
    rill__buf out = rill__buf_make(100);
    int head_len = snprintf(head, sizeof head, "$%zu\r\n", len);
    CHECK_INT(feed(&resp, &out, head, (size_t)head_len), 0);
    for (size_t at = 0; at < len; at += 4096)
        CHECK_INT(feed(&resp, &out, body + at, 4096), 0);
    size_t room;
    char *to = rill__resp_room(&resp, &room);
    REQUIRE(to);
    memcpy(to, "\r\n", 2);
    rill__resp_received(&resp, 2);
    CHECK_INT(rill__resp_next(&resp, &reply), 1);
    CHECK_INT(reply->len, len);
    CHECK(memcmp(reply->str, body, len) == 0);
    freeReplyObject(reply);
    CHECK(rill__resp_room(&resp, &room) != NULL);
    CHECK(resp.input.cap < 64 * 1024);
    rill__resp_free(&resp);
    rill__buf_free(&out);
    free(body);
}
