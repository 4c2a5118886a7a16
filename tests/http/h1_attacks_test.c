/*
 * Attacks on HTTP/1 framing, each under its number: what smuggles, splits or floods is refused
 * under the right name, and what only looks like it passes.
 */
#include "h1_check.h"

#include <ctype.h>

TEST(attack_01_length_and_coding)
{
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                  LENGTH_AND_CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
                  LENGTH_AND_CODING);
    CHECK_REQUEST(WITH_FIELDS("content-length: 0\r\ntransfer-encoding: identity\r\n"),
                  LENGTH_AND_CODING);
    CHECK_INT(rill__h1_reason_status(RILL__H1_LENGTH_AND_CODING), 400);
}

TEST(attack_02_two_lengths)
{
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5\r\nContent-Length: 6\r\n"), LENGTH_TWICE);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5\r\nX: y\r\ncontent-LENGTH: 5\r\n"), LENGTH_TWICE);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5, 6\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5, 5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5\r\n") "hello", OK);
}

TEST(attack_03_odd_lengths)
{
    CHECK_REQUEST(WITH_FIELDS("Content-Length: +5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: -5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 0x5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5_0\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length:  5 x\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5 5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length:\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 5.0\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: \xd9\xa5\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 18446744073709551616\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 9223372036854775808\r\n"), LENGTH);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 9223372036854775807\r\n"), OK);
    CHECK_REQUEST(WITH_FIELDS("Content-Length: 0000000000000000000005\r\n") "hello", OK);
}

TEST(attack_04_odd_codings)
{
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked, identity\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: xchunked\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked, chunked\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: ,chunked\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked,\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: \"chunked\"\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked;q=1\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chun\xe2\x84\xaa"
                              "ed\r\n"),
                  CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: identity\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding:\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                  CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), CODING);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: gzip, chunked\r\n"), CODING_UNKNOWN);
    CHECK_INT(rill__h1_reason_status(RILL__H1_CODING_UNKNOWN), 501);
    CHECK_REQUEST("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_VERSION);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding: ChunKed\r\n") "0\r\n\r\n", OK);
}

TEST(attack_05_odd_field_lines)
{
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding : chunked\r\n"), FIELD_SPACE);
    CHECK_REQUEST(WITH_FIELDS("Transfer-Encoding\t: chunked\r\n"), FIELD_SPACE);
    CHECK_REQUEST("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FIELD_FOLD);
    CHECK_REQUEST(WITH_FIELDS("X: a\r\n b\r\n"), FIELD_FOLD);
    CHECK_REQUEST(WITH_FIELDS("X: a\r\n\tTransfer-Encoding: chunked\r\n"), FIELD_FOLD);
    CHECK_REQUEST(WITH_FIELDS("Content-Length\r\n"), FIELD_COLON);
    CHECK_REQUEST(WITH_FIELDS(": a\r\n"), FIELD_NAME);
    CHECK_REQUEST(WITH_FIELDS("X: \rxTransfer-Encoding: chunked\r\n"), BARE_CR);
}

TEST(attack_06_control_bytes)
{
    char bytes[] = WITH_FIELDS("Name: va?ue\r\n");
    char *at = strchr(bytes, '?'), *name = strstr(bytes, "Name") + 2;
    for (int c = 0; c < 256; c++) {
        *at = (char)c;
        enum rill__h1_reason reason = c == '\n'                             ? RILL__H1_BARE_LF
                                      : c == '\r'                           ? RILL__H1_BARE_CR
                                      : (c < 0x20 && c != '\t') || c == 127 ? RILL__H1_CONTROL
                                                                            : RILL__H1_OK;
        h1_check_run(__LINE__, (struct h1_run){ 0 }, (rill_str){ bytes, sizeof bytes - 1 }, reason);
    }
    *at = 'l';
    for (int c = 0x20; c < 256; c++) {
        *name = (char)c;
        const char *good = "!#$%&'*+-.^_`|~";
        bool token = c < 0x80 && (strchr(good, c) || isalnum(c));
        enum rill__h1_reason reason = token || c == ':' ? RILL__H1_OK
                                      : c == 127        ? RILL__H1_CONTROL
                                      : c == ' '        ? RILL__H1_FIELD_SPACE
                                                        : RILL__H1_FIELD_NAME;
        h1_check_run(__LINE__, (struct h1_run){ 0 }, (rill_str){ bytes, sizeof bytes - 1 }, reason);
    }
    CHECK_REQUEST("GET / HTTP/1.1\nHost: a\n\n", BARE_LF);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a\r\n\n", BARE_LF);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a\r\n\rX", BARE_CR);
    CHECK_REQUEST("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BARE_CR);
}

TEST(attack_07_odd_chunk_sizes)
{
    CHECK_REQUEST(WITH_CHUNKS("0x10\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("1_0\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("+5\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("-5\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS(" 5\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("5 \r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS(";a=b\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("g\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("10000000000000000\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("00000000000000005\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("FFFFFFFFFFFFFFFF\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("8000000000000000\r\n"), CHUNK_SIZE);
    CHECK_REQUEST(WITH_CHUNKS("7FFFFFFFFFFFFFFF\r\n"), OK);
    CHECK_REQUEST(WITH_CHUNKS("0000000000000005\r\nhello\r\n0\r\n\r\n"), OK);
    CHECK_REQUEST(WITH_CHUNKS("aB\r\n"), OK);
}

TEST(attack_08_chunks_that_do_not_end)
{
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhelloworld\r\n0\r\n\r\n"), CHUNK_END);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhel\r\n0\r\n\r\n"), CHUNK_END);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhello0\r\n\r\n"), CHUNK_END);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhello\rX"), CHUNK_END);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhello\n0\r\n\r\n"), CHUNK_END);
    CHECK_REQUEST(WITH_CHUNKS("5\nhello\r\n0\r\n\r\n"), BARE_LF);
    CHECK_REQUEST(WITH_CHUNKS("5\rXhello\r\n"), BARE_CR);
    CHECK_REQUEST(WITH_CHUNKS("0\rX"), BARE_CR);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhello\r\n0\r\n\rX"), BARE_CR);
    CHECK_REQUEST(WITH_CHUNKS("5\r\nhello\r\n0\r\n\n"), BARE_LF);
}

TEST(attack_09_chunk_extensions)
{
    CHECK_REQUEST(WITH_CHUNKS("5;a;b=c;d=\"e f\\\" g\"\r\nhello\r\n0;end\r\n\r\n"), OK);
    CHECK_REQUEST(WITH_CHUNKS("5;\r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5;a=\r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5;a=\"b\r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5;a=\"b\\\r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5; a=b\r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5;a=b \r\n"), CHUNK_EXTENSION);
    CHECK_REQUEST(WITH_CHUNKS("5;a\nb\r\n"), BARE_LF);
}

/* A chunked body of chunks of one byte, each with `extra` bytes of extension: how many pass. */
static int chunks_that_pass(size_t extra, int tries)
{
    rill__buf line = rill__buf_make(10000);
    rill__buf_puts(&line, "1;");
    for (size_t i = 0; i < extra; i++)
        rill__buf_putc(&line, 'x');
    rill__buf_puts(&line, "\r\nA\r\n");
    struct h1_run run = { 0 };
    rill_str start = RILL_STR(WITH_CHUNKS(""));
    h1_feed(&run, start.ptr, start.len);
    int passed = 0;
    while (passed < tries && run.outcome != H1_REFUSED) {
        h1_feed(&run, line.ptr, line.len);
        passed += run.outcome != H1_REFUSED;
    }
    CHECK_INT(run.reason, passed < tries ? RILL__H1_CHUNK_OVERHEAD : RILL__H1_OK);
    h1_finish(&run);
    rill__buf_free(&line);
    return passed;
}

TEST(attack_09_chunk_overhead)
{
    /* "1;" and CRLF are 4 bytes, 16 + 2 are free: 14 bytes of extension cost nothing, for ever. */
    CHECK_INT(chunks_that_pass(14, 20000), 20000);
    CHECK_INT(chunks_that_pass(15, 20000), 16384);
    CHECK_INT(chunks_that_pass(8000, 100), 2);
}

TEST(attack_10_trailers)
{
    struct h1_run run = { 0 };
    rill_str bytes = RILL_STR(WITH_CHUNKS("0\r\nContent-Length: 5\r\nA: 1\r\nTransfer-Encoding: "
                                          "chunked\r\nhost: b\r\nB:  2 \r\n\r\n"));
    h1_feed_all_ways(&run, bytes);
    CHECK_INT(run.reason, RILL__H1_OK);
    /* Behind the head there are the two good trailers and the end. */
    REQUIRE(run.count > 5);
    const struct h1_event *end = &run.events[run.count - 5];
    CHECK_INT(end[-1].kind, H1_HEAD);
    CHECK_STR(end[0].text, "A");
    CHECK_STR(end[1].text, "1");
    CHECK_STR(end[2].text, "B");
    CHECK_STR(end[3].text, "2");
    CHECK_INT(end[4].kind, H1_COMPLETE);
    h1_finish(&run);
    CHECK_REQUEST(WITH_CHUNKS("0\r\nX Y: 1\r\n\r\n"), FIELD_SPACE);
    CHECK_REQUEST(WITH_CHUNKS("0\r\nGET /x HTTP/1.1\r\n\r\n"), FIELD_SPACE);
    CHECK_REQUEST(WITH_CHUNKS("0\r\nA: 1\r\n B\r\n\r\n"), FIELD_FOLD);
    CHECK_REQUEST(WITH_CHUNKS("0\r\nA\r\n\r\n"), FIELD_COLON);
    CHECK_REQUEST(WITH_CHUNKS("0\r\nX(y: 1\r\n\r\n"), FIELD_NAME);
}

TEST(attack_11_host)
{
    CHECK_REQUEST("GET / HTTP/1.1\r\n\r\n", HOST_MISSING);
    CHECK_REQUEST("GET / HTTP/1.0\r\n\r\n", OK);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n", HOST_TWICE);
    CHECK_REQUEST("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HOST_TWICE);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", OK);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a%4x\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: \xc3\xbc\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: []\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", HOST);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: [1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:"
                  "bbbb:cccc:dddd:eeee:ffff:1111:2222:3333:4444:5555:6666:7777:8888]\r\n\r\n",
                  HOST);
    CHECK_REQUEST(
        "GET / HTTP/1.1\r\nHost: [1111:2222:3333:4444:5555:6666:123.123.123.123]:8\r\n\r\n", OK);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", OK);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: my_host-1.example.com:\r\n\r\n", OK);
    CHECK_REQUEST("GET / HTTP/1.1\r\nHost: a%41b:65535\r\n\r\n", OK);
}

TEST(attack_11_bytes_of_hosts)
{
    char bytes[] = "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n";
    for (int c = 0x21; c < 256; c++) {
        bytes[strlen("GET / HTTP/1.1\r\nHost: a")] = (char)c;
        /* RFC 3986 3.2.2: unreserved and sub-delims. */
        bool good = c < 0x80 && (isalnum(c) || strchr("-._~!$&'()*+,;=", c));
        h1_check_run(__LINE__, (struct h1_run){ 0 }, (rill_str){ bytes, sizeof bytes - 1 },
                     good        ? RILL__H1_OK
                     : c == 0x7f ? RILL__H1_CONTROL
                                 : RILL__H1_HOST);
    }
}

TEST(attack_11_absolute_targets)
{
    CHECK_REQUEST("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", HOST_MISMATCH);
    CHECK_REQUEST("GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n", HOST_MISMATCH);
    CHECK_REQUEST("GET https://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n", HOST_MISMATCH);
    CHECK_REQUEST("GET http://a/x HTTP/1.1\r\n\r\n", HOST_MISSING);
    CHECK_REQUEST("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET 1http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET h(p://a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET http:a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET);
    CHECK_REQUEST("GET http://A:80/x HTTP/1.1\r\nHost: a\r\n\r\n", OK);
    CHECK_REQUEST("GET https://a?x HTTP/1.1\r\nHost: a:443\r\n\r\n", OK);
    CHECK_REQUEST("GET http://a HTTP/1.0\r\n\r\n", OK);
}

TEST(attack_12_request_lines)
{
    CHECK_REQUEST(WITH_LINE("GET  / HTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET /  HTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET /\tHTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET\t/ HTTP/1.1"), METHOD);
    CHECK_REQUEST(WITH_LINE("GET / b HTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET HTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET  HTTP/1.1"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE("GET"), REQUEST_LINE);
    CHECK_REQUEST(WITH_LINE(" GET / HTTP/1.1"), METHOD);
    CHECK_REQUEST(WITH_LINE("G(T / HTTP/1.1"), METHOD);
    CHECK_REQUEST(WITH_LINE("\xff / HTTP/1.1"), METHOD);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/1.1 "), VERSION);
    CHECK_REQUEST(WITH_LINE("GET /\0 HTTP/1.1"), CONTROL);
    CHECK_REQUEST(WITH_LINE("GET /\x01 HTTP/1.1"), CONTROL);
    CHECK_REQUEST(WITH_LINE("GET /\x7f HTTP/1.1"), CONTROL);
    CHECK_REQUEST(WITH_LINE("GET /\xc3\xbc HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("GET foo HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("GET * HTTP/1.1"), TARGET_FORM);
    CHECK_REQUEST(WITH_LINE("OPTIONS ** HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("GET a:80 HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("CONNECT / HTTP/1.1"), TARGET_FORM);
    CHECK_REQUEST(WITH_LINE("CONNECT a HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("CONNECT a: HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("CONNECT http://a:80/ HTTP/1.1"), TARGET);
    CHECK_REQUEST(WITH_LINE("CONNECT a:80 HTTP/1.1"), OK);
    CHECK_REQUEST(WITH_LINE("OPTIONS * HTTP/1.1"), OK);
    CHECK_REQUEST(WITH_LINE("get /~a?b#c|\"<> HTTP/1.1"), OK);
}

TEST(attack_12_versions)
{
    CHECK_REQUEST(WITH_LINE("GET / HTTP/1.10"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/11"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/1X1"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/1.x"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET / http/1.1"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET /"), VERSION);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/2.0"), VERSION_UNKNOWN);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/0.9"), VERSION_UNKNOWN);
    CHECK_REQUEST(WITH_LINE("GET / HTTP/1.2"), VERSION_UNKNOWN);
    CHECK_REQUEST("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION_UNKNOWN);
    CHECK_INT(rill__h1_reason_status(RILL__H1_VERSION_UNKNOWN), 505);
    CHECK_REQUEST("\x16\x03\x01\x02\x00\x01", TLS);
    CHECK_REQUEST("\r\n\r\n\r\n\r\n" WITH_LINE("GET / HTTP/1.1"), OK);
    CHECK_REQUEST("\r\n\r\n\r\n\r\n\r\n" WITH_LINE("GET / HTTP/1.1"), EMPTY_LINES);
    CHECK_REQUEST("\n" WITH_LINE("GET / HTTP/1.1"), BARE_LF);
}

/* A request of a line with `target` bytes of target, and `fields` lines of `size` bytes each. */
static rill_str long_request(size_t target, size_t fields, size_t size)
{
    char *bytes = malloc(target + fields * (size + 2) + 100), *at = bytes;
    at += sprintf(at, "GET /");
    memset(at, 'a', target - 1);
    at += target - 1;
    at += sprintf(at, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < fields; i++) {
        memset(at, 'v', size);
        at[1] = ':';
        at += size;
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "\r\n");
    return (rill_str){ bytes, (size_t)(at - bytes) };
}

static void check_long(int line, rill_str bytes, enum rill__h1_reason reason)
{
    h1_check_run(line, (struct h1_run){ 0 }, bytes, reason);
    free((char *)(uintptr_t)bytes.ptr);
}

TEST(attack_13_limits)
{
    /* "GET " and " HTTP/1.1" are 13 bytes of the line's 8190. */
    check_long(__LINE__, long_request(8177, 0, 0), RILL__H1_OK);
    check_long(__LINE__, long_request(8178, 0, 0), RILL__H1_TARGET_LONG);
    check_long(__LINE__, long_request(65536, 0, 0), RILL__H1_TARGET_LONG);
    check_long(__LINE__, long_request(1, 1, 8190), RILL__H1_OK);
    check_long(__LINE__, long_request(1, 1, 8191), RILL__H1_FIELD_LONG);
    check_long(__LINE__, long_request(1, 127, 10), RILL__H1_OK);
    check_long(__LINE__, long_request(1, 128, 10), RILL__H1_FIELD_COUNT);
    /* Beside the target and the fields there are 26 bytes of the head's 65536. */
    check_long(__LINE__, long_request(1510, 8, 7998), RILL__H1_OK);
    check_long(__LINE__, long_request(1511, 8, 7998), RILL__H1_HEAD_LONG);
    check_long(__LINE__, long_request(1512, 8, 7998), RILL__H1_HEAD_LONG);
    check_long(__LINE__, long_request(1513, 8, 7998), RILL__H1_HEAD_LONG);
    check_long(__LINE__, long_request(1, 1000, 1000), RILL__H1_HEAD_LONG);
    CHECK_INT(rill__h1_reason_status(RILL__H1_TARGET_LONG), 414);
    CHECK_INT(rill__h1_reason_status(RILL__H1_FIELD_LONG), 431);
    CHECK_INT(rill__h1_reason_status(RILL__H1_FIELD_COUNT), 431);
    CHECK_INT(rill__h1_reason_status(RILL__H1_HEAD_LONG), 431);
}

TEST(attack_13_refused_within_the_limit)
{
    /* No line end ever comes: the refusal does not wait for it. */
    static const char start[] = "GET /";
    struct rill__h1_field fields[RILL__H1_FIELDS];
    struct rill__h1_head head;
    char *bytes = malloc(70000);
    memset(bytes, 'a', 70000);
    memcpy(bytes, start, sizeof start - 1);
    rill__h1_head_init_request(&head, NULL, fields);
    CHECK_INT(rill__h1_head_parse(&head, bytes, 8190), 0);
    CHECK_INT(rill__h1_head_parse(&head, bytes, 8191), -RILL__H1_TARGET_LONG);
    CHECK_INT(rill__h1_head_parse(&head, bytes, 8192), -RILL__H1_TARGET_LONG);
    free(bytes);
}

TEST(attack_54_responses)
{
    CHECK_RESPONSE(ANSWER("Content-Length: 5\r\nContent-Length: 6\r\n"), LENGTH_TWICE);
    CHECK_RESPONSE(ANSWER("Content-Length: 5, 6\r\n"), LENGTH);
    CHECK_RESPONSE(ANSWER("Content-Length: 5\r\nContent-Length: 5\r\n") "hello", OK);
    CHECK_RESPONSE(ANSWER("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                   LENGTH_AND_CODING);
    CHECK_RESPONSE(ANSWER("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
                   LENGTH_AND_CODING);
    CHECK_RESPONSE(ANSWER("Transfer-Encoding: gzip, chunked\r\n"), CODING_UNKNOWN);
    CHECK_RESPONSE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_VERSION);
    CHECK_RESPONSE("HTTP/1.1 99\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1 1000 X\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1 099 X\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1 2x0 X\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1 200OK\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1  200 OK\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("HTTP/1.1\r\n\r\n", STATUS_LINE);
    CHECK_RESPONSE("ICY 200 OK\r\n\r\n", VERSION);
    CHECK_RESPONSE("HTTP\r\n\r\n", VERSION);
    CHECK_RESPONSE("HTTP/2 200\r\n\r\n", VERSION);
    CHECK_RESPONSE("HTTP/2.0 200 OK\r\n\r\n", VERSION_UNKNOWN);
    CHECK_RESPONSE("HTTP/1.1 200 O\0K\r\n\r\n", CONTROL);
    CHECK_RESPONSE(ANSWER("X: a\0b\r\n"), CONTROL);
    CHECK_RESPONSE(ANSWER("X\r\n"), FIELD_COLON);
    CHECK_RESPONSE(ANSWER("X: a\r\n b\r\n"), FIELD_FOLD);
    CHECK_RESPONSE("HTTP/1.1 200\r\n\r\n", OK);
    CHECK_RESPONSE("HTTP/1.1 200 \r\n\r\n", OK);
    CHECK_RESPONSE("HTTP/1.1 999 \xc3\xbc\tx\r\n\r\n", OK);
    CHECK_RESPONSE(ANSWER("Server: a\r\nServer: b\r\nContent-Type: x\r\nContent-Type: y\r\n"), OK);
}

TEST(attack_54_long_responses)
{
    char *bytes = malloc(310 * 1024);
    memset(bytes, 'a', 310 * 1024);
    memcpy(bytes, "HTTP/1.1 200 OK\r\nX: ", 20);
    struct h1_run run = { .response = true };
    h1_feed(&run, bytes, 300 * 1024);
    CHECK_INT(run.reason, RILL__H1_FIELD_LONG);
    h1_finish(&run);
    memcpy(bytes, "HTTP/1.1 200 aaaaaaa", 20);
    h1_feed(&run, bytes, 8190);
    CHECK_INT(run.outcome, H1_IN_HEAD);
    h1_feed(&run, bytes, 1);
    CHECK_INT(run.reason, RILL__H1_STATUS_LONG);
    h1_finish(&run);
    free(bytes);
}
