/*
 * The server in the simulated world: slow links, peers that end half of a connection or vanish,
 * and hours of waiting, without any time.
 */
#include "../net/certificates.h"
#include "../testing/in_world.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "runtime/runtime.h"

#include <rill/log.h>
#include <rill/rill.h>
#include <stdlib.h>

#define HOST "Host: a\r\n"

/* ---- the application ---- */

static struct seen {
    rill_app *app;
    int code; /* what the handler met */
    char reason[100];
    double ended; /* when it ended */
    bool stays;   /* it goes on after a failure */
    char log[2000];
} seen;

static void keep_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    size_t len = strlen(seen.log);
    snprintf(seen.log + len, sizeof seen.log - len, "%s: %s\n", subsystem, message);
}

/* Sleeps and says how that ended. */
static int stay(double seconds)
{
    int rc = rill_sleep(seconds);
    seen.code = rc;
    seen.ended = rill_test_now();
    snprintf(seen.reason, sizeof seen.reason, "%s", rill_cancel_reason());
    return rc;
}

static int serve_hello(rill_request *request)
{
    return rill_reply_text(request, 200, "hello");
}

static char large[1000000]; /* more than a connection takes at once */

static int serve_large(rill_request *request)
{
    memset(large, 'x', sizeof large);
    return rill_reply_bytes(request, 200, large, sizeof large);
}

/* Writes until that fails, and then has other things to do. */
static int serve_endless(rill_request *request)
{
    int rc = rill_reply_begin(request, 200);
    while (rc == 0)
        rc = rill_reply_write(request, large, 10000);
    if (seen.stays)
        stay(500);
    seen.code = rc;
    seen.ended = rill_test_now();
    return rc;
}

static int serve_body_then_work(rill_request *request)
{
    rill_str body;
    RILL__TRY(rill_sleep(2));
    RILL__TRY(rill_request_body(request, &body));
    RILL__TRY(stay(500));
    return rill_reply_text(request, 200, "%zu", body.len);
}

static int serve_work(rill_request *request)
{
    RILL__TRY(stay(500));
    return rill_reply_text(request, 200, "done");
}

/* Meets the reset before it has waited for anything. */
static int serve_much_then_work(rill_request *request)
{
    RILL__TRY(rill_reply_begin(request, 200));
    while (rill_reply_write(request, large, 10000) == 0)
        ;
    return stay(500);
}

/* Writes all in one go, does not care that it failed in the middle, and goes on. */
static int serve_torn(rill_request *request)
{
    rill_scope scope;
    RILL__TRY(rill_reply_begin(request, 200));
    RILL__TRY(rill_scope_begin(&scope, .timeout = 1));
    int rc = rill_reply_write(request, large, sizeof large);
    CHECK_INT(rill_scope_end(&scope, rc), RILL_ETIMEDOUT);
    seen.code = rill_reply_write(request, "more", 4);
    CHECK_INT(rill_reply_end(request), RILL_EREPLY);
    return 0;
}

/* Writes numbers, each until it is written. */
static int serve_numbers(rill_request *request)
{
    char number[8001];
    RILL__TRY(rill_reply_begin(request, 200));
    for (int i = 0; i < 100; i++) {
        snprintf(number, sizeof number, "%08000d", i);
        int rc = RILL_ETIMEDOUT;
        while (rc == RILL_ETIMEDOUT) {
            rill_scope scope;
            RILL__TRY(rill_scope_begin(&scope, .timeout = 0.5));
            rc = rill_scope_end(&scope, rill_reply_write(request, number, 8000));
            seen.code = rc < 0 ? rc : seen.code;
        }
        RILL__TRY(rc);
    }
    return 0;
}

static unsigned long fail_at; /* of the allocations that the handler makes */

/* Does not care that memory is short, and waits before it ends. */
static int serve_careless(rill_request *request)
{
    rill__alloc_count = 0;
    rill__alloc_fail_at = fail_at;
    int rc = rill_reply_bytes(request, 200, large, 200000);
    rill__alloc_fail_at = 0;
    seen.code = rc;
    rill_sleep(0.1);
    return 0;
}

static int serve_careless_stream(rill_request *request)
{
    rill__alloc_count = 0;
    rill__alloc_fail_at = fail_at;
    rill_reply_set_length(request, 200000);
    int rc = rill_reply_begin(request, 200);
    for (int i = 0; i < 20; i++) {
        int failed = rill_reply_write(request, large, 10000);
        rc = rc < 0 ? rc : failed;
        rill_sleep(0.1);
    }
    rill__alloc_fail_at = 0;
    seen.code = rc;
    return 0;
}

static int serve_count(rill_request *request)
{
    rill_str body;
    RILL__TRY(rill_sleep(1));
    RILL__TRY(rill_request_body(request, &body));
    return rill_reply_text(request, 200, "%zu", body.len);
}

static int read_nothing(rill_request *request)
{
    char byte;
    seen.code = (int)rill_request_read(request, &byte, 0);
    return rill_reply_text(request, 200, "hello");
}

#define start(...) start_with(RILL_OPTS(rill_app_opts, __VA_ARGS__))

static void start_with(const rill_app_opts *given)
{
    rill_app_opts opts = *given;
    seen = (struct seen){ .app = rill_app_new() };
    CHECK_INT(rill_test_host("a", "10.0.0.1"), 0);
    rill_app_get(seen.app, "/", serve_hello);
    rill_app_get(seen.app, "/large", serve_large);
    rill_app_post(seen.app, "/large", serve_large);
    rill_app_get(seen.app, "/endless", serve_endless);
    rill_app_get(seen.app, "/work", serve_work, .cancel_on_disconnect = true);
    rill_app_post(seen.app, "/work", serve_body_then_work, .cancel_on_disconnect = true);
    rill_app_get(seen.app, "/much", serve_much_then_work, .cancel_on_disconnect = true);
    rill_app_get(seen.app, "/torn", serve_torn);
    rill_app_get(seen.app, "/numbers", serve_numbers);
    rill_app_get(seen.app, "/careless", serve_careless);
    rill_app_get(seen.app, "/careless-stream", serve_careless_stream);
    rill_app_post(seen.app, "/nothing", read_nothing);
    rill_app_post(seen.app, "/count", serve_count);
    opts.app = seen.app;
    opts.host = "10.0.0.1";
    opts.port = 80;
    CHECK_INT(rill_app_start_with(&opts), 0);
}

static void stop(void)
{
    CHECK_INT(rill_app_stop(seen.app), 0);
    rill_app_free(seen.app);
}

static rill_stream *dial(const char *text)
{
    rill_stream *stream = rill_connect("a", 80);
    if (!stream)
        test_fail(__FILE__, __LINE__, "%s", rill_last_error()->message);
    else
        CHECK_INT(rill_stream_write(stream, text, strlen(text)), 0);
    return stream;
}

/* Reads so many bytes or to the end, 10 KB a second; how many came. */
static size_t read_slowly(rill_stream *stream, size_t count)
{
    static char block[20000];
    size_t got = 0;
    while (got < count) {
        size_t room = count - got < sizeof block ? count - got : sizeof block;
        ptrdiff_t n = rill_stream_read(stream, block, room);
        if (n <= 0)
            break;
        got += (size_t)n;
        rill_sleep((double)n / 10000);
    }
    return got;
}

/* ---- slow peers ---- */

WORLD_TEST(a_client_that_sends_no_more_gets_all_of_a_long_reply)
{
    start(.keepalive_timeout = 20);
    rill_auto(rill_stream) stream = dial("GET /large HTTP/1.1\r\n" HOST "\r\n");
    rill_stream_shutdown(stream);
    CHECK(read_slowly(stream, SIZE_MAX) > sizeof large); /* for 100 s: longer than all timeouts */
    stop();
}

WORLD_TEST(a_body_that_ends_early_and_was_not_wanted_does_not_cut_the_reply)
{
    start();
    rill_auto(rill_stream) stream =
        dial("POST /large HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc");
    rill_stream_shutdown(stream);
    CHECK(read_slowly(stream, SIZE_MAX) > sizeof large);
    stop();
}

WORLD_TEST(a_bad_request_does_not_cut_the_reply_before_it)
{
    start(.keepalive_timeout = 20);
    rill_auto(rill_stream) stream = dial("GET /large HTTP/1.1\r\n" HOST "\r\n"
                                         "BAD\r\n\r\n");
    CHECK(read_slowly(stream, SIZE_MAX) > sizeof large);
    stop();
}

WORLD_TEST(the_keep_alive_time_begins_when_the_reply_has_gone)
{
    start(.keepalive_timeout = 40);
    rill_auto(rill_stream) stream = dial("GET /large HTTP/1.1\r\n" HOST "\r\n");
    CHECK(read_slowly(stream, sizeof large) == sizeof large);
    rill_sleep(5);
    CHECK_INT(rill_stream_write(stream, "GET / HTTP/1.1\r\n" HOST "\r\n", 27), 0);
    CHECK(read_slowly(stream, 250) > 200); /* the rest of the first, and the second */
    rill_sleep(42);
    char byte;
    CHECK_INT(rill_stream_read(stream, &byte, 1), 0);
    stop();
}

WORLD_TEST(pipelined_requests_behind_long_replies_wait_for_the_peer)
{
    start(.keepalive_timeout = 10);
    rill_auto(rill_stream) stream =
        dial("GET /large HTTP/1.1\r\n" HOST "\r\n"
             "GET /large HTTP/1.1\r\n" HOST "\r\n"
             "GET /large HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    CHECK(read_slowly(stream, SIZE_MAX) > 3 * sizeof large);
    stop();
}

/* ---- handlers that go on without their connection ---- */

static unsigned long turns_now(void)
{
    rill__glance glance = { 0 };
    rill__loops_glance(&glance, 1);
    return glance.turns;
}

WORLD_TEST(a_handler_whose_peer_reads_nothing_may_go_on, .limit = 4000)
{
    start(.send_timeout = 20);
    seen.stays = true;
    rill_auto(rill_stream) stream = dial("GET /endless HTTP/1.1\r\n" HOST "\r\n");
    rill_sleep(100);
    unsigned long turns = turns_now();
    rill_sleep(500);
    CHECK(turns_now() - turns < 100); /* and nobody looks at the clock meanwhile */
    CHECK_INT(seen.code, RILL_ETIMEDOUT);
    CHECK(seen.ended > 520 && seen.ended < 521);
    stop();
}

WORLD_TEST(a_handler_whose_connection_was_reset_may_go_on, .limit = 4000)
{
    start(.send_timeout = 20);
    seen.stays = true;
    rill_auto(rill_stream) stream = dial("GET /endless HTTP/1.1\r\n" HOST "\r\n");
    rill_sleep(10);
    rill_test_fault(RILL_TEST_RESET, .on = RILL_TEST_WRITE);
    read_slowly(stream, 100000);
    rill_sleep(100);
    unsigned long turns = turns_now();
    rill_sleep(500);
    CHECK(turns_now() - turns < 100);
    CHECK_INT(seen.code, RILL_ERESET);
    CHECK(seen.ended > 500 && seen.ended < 600);
    stop();
}

WORLD_TEST(a_client_that_leaves_after_a_long_body_cancels_its_handler)
{
    static const size_t sizes[] = { 1000, 16000, 16384, 20000, 100000 };
    static char body[100000];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char head[100];
        start();
        snprintf(head, sizeof head, "POST /work HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                 sizes[i]);
        double began = rill_test_now();
        rill_stream *stream = dial(head);
        CHECK_INT(rill_stream_write(stream, body, sizes[i]), 0);
        rill_sleep(10);
        rill_stream_free(stream);
        rill_sleep(1);
        CHECK_INT(seen.code, RILL_ECANCELED);
        CHECK_STR(seen.reason, "the client disconnected");
        CHECK(seen.ended - began > 9 && seen.ended - began < 11);
        stop();
    }
}

WORLD_TEST(a_client_that_left_before_its_handler_first_waited_cancels_it)
{
    start();
    rill_auto(rill_stream) stream = dial("GET /much HTTP/1.1\r\n");
    rill_sleep(1);
    rill_test_fault(RILL_TEST_RESET, .on = RILL_TEST_WRITE, .nth = 2); /* the server's first */
    CHECK_INT(rill_stream_write(stream, HOST "\r\n", 11), 0);
    rill_sleep(10);
    CHECK_INT(seen.code, RILL_ECANCELED);
    CHECK_STR(seen.reason, "the client disconnected");
    stop();
}

/* ---- replies that are not whole ---- */

/* All that comes until the end, NUL-terminated, to be freed. */
static char *read_all(rill_stream *stream)
{
    size_t cap = 4 * sizeof large, len = 0;
    char *text = malloc(cap);
    ptrdiff_t n;
    while (len < cap - 1 && (n = rill_stream_read(stream, text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

WORLD_TEST(what_follows_a_torn_write_is_refused)
{
    start();
    memset(large, 'x', sizeof large);
    rill_auto(rill_stream) stream = dial("GET /torn HTTP/1.1\r\n" HOST "\r\n");
    rill_sleep(10);
    CHECK_INT(seen.code, RILL_EREPLY);
    char *text = read_all(stream);
    CHECK_CONTAINS(text, "xxx");
    CHECK(!strstr(text, "more"));
    CHECK(!strstr(text, "\r\n0\r\n"));
    free(text);
    stop();
}

WORLD_TEST(a_piece_whose_write_was_cancelled_was_not_written)
{
    start();
    rill_auto(rill_stream) stream =
        dial("GET /numbers HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    rill_sleep(10);
    CHECK_INT(seen.code, RILL_ETIMEDOUT);
    char *text = read_all(stream), *at = text;
    char number[8003];
    for (int i = 0; i < 100 && at; i++) {
        snprintf(number, sizeof number, "\r\n%08000d", i);
        at = strstr(at, number);
        if (!at)
            test_fail(__FILE__, __LINE__, "number %d is missing", i);
        if (at && strstr(at + 1, number))
            test_fail(__FILE__, __LINE__, "number %d came twice", i);
    }
    CHECK_CONTAINS(text, "\r\n0\r\n\r\n");
    free(text);
    stop();
}

/* A reply is there to its announced length, or its connection has ended. */
static void check_careless(const char *path)
{
    bool failed = true;
    for (fail_at = 1; failed && fail_at < 40; fail_at++) {
        char head[100];
        start();
        snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HOST "\r\n", path);
        rill_auto(rill_stream) stream = dial(head);
        rill_sleep(10);
        failed = seen.code < 0;
        if (failed)
            CHECK_INT(rill_stream_write(stream, "GET / HTTP/1.1\r\n" HOST "\r\n", 27), 0);
        else
            rill_stream_shutdown(stream);
        char *text = read_all(stream), *body = strstr(text, "\r\n\r\n");
        if (failed && strstr(text, "hello"))
            test_fail(__FILE__, __LINE__, "%s, allocation %lu: goes on after a broken reply", path,
                      fail_at);
        if (!failed)
            CHECK(body && strlen(body) == 4 + 200000);
        free(text);
        stop();
    }
    CHECK(fail_at > 3);
}

WORLD_TEST(a_reply_that_memory_was_short_for_is_the_last)
{
    memset(large, 'x', sizeof large);
    check_careless("/careless");
    check_careless("/careless-stream");
}

/* ---- the log ---- */

WORLD_TEST(a_client_that_left_is_logged_as_499)
{
    rill_log_to(keep_log, NULL);
    start(.access_log = true);
    rill_stream *stream = dial("GET /work HTTP/1.1\r\n" HOST "\r\n");
    rill_sleep(1);
    rill_stream_free(stream);
    rill_sleep(1);
    CHECK_CONTAINS(seen.log, "\"GET /work HTTP/1.1\" 499 ");
    seen.log[0] = '\0';
    stream = dial("GET /much HTTP/1.1\r\n" HOST "\r\n"); /* had a reply */
    rill_sleep(1);
    rill_stream_free(stream);
    rill_sleep(1);
    CHECK_CONTAINS(seen.log, "\"GET /much HTTP/1.1\" 200 ");
    seen.log[0] = '\0';
    stream = dial("GET /work HTTP/1.1\r\n" HOST "\r\n"); /* is still there when it stops */
    rill_sleep(1);
    stop();
    CHECK_CONTAINS(seen.log, "\"GET /work HTTP/1.1\" 503 ");
    rill_stream_free(stream);
    rill_log_to(NULL, NULL);
}

/* ---- accepting ---- */

static int ask_and_close(void *arg)
{
    (void)arg;
    rill_auto(rill_stream) stream = rill_connect("a", 80);
    if (!stream)
        return rill_errcode();
    RILL__TRY(rill_stream_write(stream, "GET / HTTP/1.0\r\n\r\n", 18));
    return read_slowly(stream, SIZE_MAX) > 100 ? 0 : RILL_EFAILED;
}

WORLD_TEST(one_connection_at_a_time_serves_all)
{
    rill_log_to(keep_log, NULL);
    start(.max_connections = 1);
    char places[20] = { 0 };
    CHECK_INT(rill_gather(places, 20, ask_and_close), 0);
    rill_sleep(10);
    CHECK_STR(seen.log, "");
    stop();
    rill_log_to(NULL, NULL);
}

WORLD_TEST(a_read_of_nothing_is_not_the_end)
{
    start();
    rill_auto(rill_stream) stream =
        dial("POST /nothing HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nok");
    rill_sleep(1);
    CHECK_INT(seen.code, RILL_EINVAL);
    stop();
}

/* ---- TLS ---- */

static rill_tls_opts server_tls(void)
{
    static const struct certificate certificate = { "a", "DNS:a", -1, 1, false };
    certificates_open();
    certificates_make_steady(&certificate);
    return (rill_tls_opts){ .cert_file = certificates_path("a.pem"),
                            .key_file = certificates_path("a.key") };
}

WORLD_TEST(what_is_no_tls_is_told_so)
{
    start(.tls = true, .tls_options = server_tls());
    rill_auto(rill_stream) plain = dial("GET / HTTP/1.1\r\n" HOST "\r\n");
    rill_sleep(1);
    rill_stream_shutdown(plain);
    char *text = read_all(plain);
    CHECK_CONTAINS(text, "HTTP/1.1 400 ");
    CHECK_CONTAINS(text, "plain HTTP came where TLS is spoken");
    free(text);
    rill_auto(rill_stream) broken = rill_connect("a", 80);
    CHECK_INT(rill_stream_write(broken, "\x16\x03\x01\x00\x05hello", 10), 0);
    text = read_all(broken);
    CHECK_INT(text[0], 0x15); /* an alert */
    free(text);
    rill_sleep(20);
    stop();
    certificates_close();
}

WORLD_TEST(a_tls_client_that_says_goodbye_gets_its_reply)
{
    static char body[100000];
    char head[100];
    start(.tls = true, .tls_options = server_tls());
    rill_auto(rill_stream) stream = rill_connect(
        "a", 80, .tls = true, .tls_options = { .ca_file = certificates_path("root.pem") });
    REQUIRE(stream);
    snprintf(head, sizeof head, "POST /count HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
             sizeof body);
    CHECK_INT(rill_stream_write(stream, head, strlen(head)), 0);
    CHECK_INT(rill_stream_write(stream, body, sizeof body), 0);
    CHECK_INT(rill_stream_shutdown(stream), 0);
    char *text = read_all(stream);
    CHECK_CONTAINS(text, "\r\n\r\n100000");
    free(text);
    stop();
    certificates_close();
}
