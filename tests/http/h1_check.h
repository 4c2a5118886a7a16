/* Checks of single messages, for the tests of the HTTP/1 parsers: each is fed whole, byte by byte
 * and at every two-split, and must come out the same. */
#ifndef RILL_TESTS_H1_CHECK_H
#define RILL_TESTS_H1_CHECK_H

#include "h1_driver.h"
#include "harness.h"

/* Feeds the bytes in every way and leaves `run` with what came out of the whole. */
static inline void h1_feed_all_ways(struct h1_run *run, rill_str bytes)
{
    struct h1_run split = *run;
    h1_feed(run, bytes.ptr, bytes.len);
    /* Every byte and every place of a short message, some of a long one. */
    size_t step = bytes.len < 2000 ? 1 : 97, stride = bytes.len < 2000 ? 1 : bytes.len / 50;
    for (size_t i = 0; i < bytes.len; i += step)
        h1_feed(&split, bytes.ptr + i, bytes.len - i < step ? bytes.len - i : step);
    if (!h1_same(run, &split))
        test_fail(__FILE__, __LINE__, "byte by byte it differs: %.60s", bytes.ptr);
    h1_finish(&split);
    for (size_t at = 1; at < bytes.len; at += stride) {
        h1_feed(&split, bytes.ptr, at);
        h1_feed(&split, bytes.ptr + at, bytes.len - at);
        if (!h1_same(run, &split))
            test_fail(__FILE__, __LINE__, "split at %zu it differs: %.60s", at, bytes.ptr);
        h1_finish(&split);
    }
}

static inline void h1_check_run(int line, struct h1_run run, rill_str bytes,
                                enum rill__h1_reason reason)
{
    h1_feed_all_ways(&run, bytes);
    if (run.reason != reason || (run.outcome == H1_REFUSED) != (reason != RILL__H1_OK))
        test_fail(__FILE__, line, "%.60s… : %s (at %zu), not: %s", bytes.ptr,
                  rill__h1_reason_text(run.reason), run.error_at, rill__h1_reason_text(reason));
    if (reason == RILL__H1_OK && run.count == 0)
        test_fail(__FILE__, line, "%.60s… : not complete", bytes.ptr);
    h1_finish(&run);
}

/* `bytes` is a literal; it may hold NUL. */
#define CHECK_REQUEST(bytes, reason)                                                               \
    h1_check_run(__LINE__, (struct h1_run){ 0 }, RILL_STR(bytes), RILL__H1_##reason)
#define CHECK_RESPONSE(bytes, reason)                                                              \
    h1_check_run(__LINE__, (struct h1_run){ .response = true }, RILL_STR(bytes), RILL__H1_##reason)

/* A request with this line, or header lines (each with its CRLF), or chunked body. */
#define WITH_LINE(line) line "\r\nHost: a\r\n\r\n"
#define WITH_FIELDS(lines) "POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n"
#define WITH_CHUNKS(chunks) WITH_FIELDS("Transfer-Encoding: chunked\r\n") chunks
#define ANSWER(lines) "HTTP/1.1 200 OK\r\n" lines "\r\n"

#endif
