/* Bad input and faults: each has its code, and a message with the URL and the phase. */
#include "harness.h"
#include "net/net_internal.h"
#include "script.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#define HEAD(fields) "HTTP/1.1 200 OK\r\n" fields "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define WAITING ": waiting for the answer: "
#define READING ": reading the body: "
#define DECODING ": decoding the body: "

static void check_message(const char *name, int code, const char *url, const char *words)
{
    const rill_error *error = rill_last_error();
    if (error->code != code || !strstr(error->message, words) || !strstr(error->message, url) ||
        strncmp(error->message, "GET ", 4) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s \"%s\"", name, rill_code_name(error->code),
                  error->message);
    CHECK_STR(error->where, url);
}

/* ---- answers that are no HTTP ---- */

struct fault {
    const char *name;
    struct step step;
    int code;
    const char *words;
};

static const struct fault head_faults[] = {
    { "nothing",
      { .close = true },
      RILL_EDISCONNECTED,
      WAITING "the server closed the connection" },
    { "reset", { .reset = true }, RILL_ERESET, WAITING },
    { "half a head",
      { .reply = "HTTP/1.1 200 OK\r\nA: b\r\n", .close = true },
      RILL_EDISCONNECTED,
      WAITING "the server closed the connection after 23 bytes" },
    { "no HTTP", { .reply = "SSH-2.0-OpenSSH\r\n" }, RILL_EPROTOCOL, WAITING "the HTTP version" },
    { "attacks_54 two lengths",
      { .reply = HEAD("Content-Length: 1\r\nContent-Length: 2\r\n") "ab" },
      RILL_EPROTOCOL,
      WAITING "there are two Content-Length" },
    { "attacks_54 length and chunked",
      { .reply = HEAD("Content-Length: 1\r\n" CHUNKED) "0\r\n\r\n" },
      RILL_EPROTOCOL,
      WAITING "there are both" },
    { "attacks_54 status 99", { .reply = "HTTP/1.1 99 X\r\n\r\n" }, RILL_EPROTOCOL, WAITING },
    { "attacks_54 status 1000", { .reply = "HTTP/1.1 1000 X\r\n\r\n" }, RILL_EPROTOCOL, WAITING },
    { "attacks_54 endless 1xx",
      { .reply = "HTTP/1.1 102 Processing\r\n\r\n", .repeat = true },
      RILL_EPROTOCOL,
      WAITING "more than 32 interim answers" },
    { "attacks_54 endless header lines",
      { .reply = "HTTP/1.1 200 OK\r\n", .repeat = true },
      RILL_EPROTOCOL,
      WAITING },
    { "attacks_54 NUL", { .reply = HEAD("A: b\0c\r\n"), .len = 27 }, RILL_EPROTOCOL, WAITING },
    { "attacks_54 no colon", { .reply = HEAD("AB\r\n") }, RILL_EPROTOCOL, WAITING "a header line" },
    { "bare LF", { .reply = "HTTP/1.1 200 OK\nA: b\n\n" }, RILL_EPROTOCOL, WAITING "a line ends" },
    { "unasked 101",
      { .reply = "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" },
      RILL_EPROTOCOL,
      WAITING "the server switched protocols" },
};

IN_LOOP(heads_that_are_refused)
{
    for (size_t i = 0; i < sizeof head_faults / sizeof head_faults[0]; i++) {
        const struct fault *fault = &head_faults[i];
        struct script *script = script_start(&fault->step, 1);
        rill_session *session = rill_session_new(.timeout.total = 5);
        rill_response *response = rill_get(session, script->url);
        CHECK(!response);
        check_message(fault->name, fault->code, script->url, fault->words);
        rill_response_free(response);
        rill_sleep(0.01);
        CHECK_INT(script->open, 0); /* and the connection is gone */
        rill_session_free(session);
        script_stop(script);
    }
}

/* 300 KiB of headers that are fine one by one. */
IN_LOOP(attacks_54_300_kib_of_headers)
{
    size_t lines = 40, line = 8000;
    char *reply = malloc(lines * (line + 20) + 100), *at = reply;
    at += sprintf(at, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < lines; i++) {
        at += sprintf(at, "X-%zu: ", i);
        memset(at, 'x', line);
        at += line;
        at += sprintf(at, "\r\n");
    }
    sprintf(at, "\r\n");
    struct step steps[] = { { .reply = reply } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    CHECK(!rill_get(session, script->url));
    check_message("300 KiB", RILL_EPROTOCOL, script->url, WAITING "the head is too long");
    rill_session_free(session);
    script_stop(script);
    free(reply);
}

/* ---- bodies that are broken ---- */

#define GZIP_HELLO                                                                                 \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00" \
    "\x00\x00"
#define GZIP_LEN 25
#define CODED(coding, len) HEAD("Content-Encoding: " coding "\r\nContent-Length: " #len "\r\n")
#define BYTES(text) .reply = text, .len = sizeof(text) - 1

static const struct fault body_faults[] = {
    { "short",
      { .reply = HEAD("Content-Length: 10\r\n") "hello", .close = true },
      RILL_ETRUNCATED,
      READING "it ended after 5 of 10 bytes" },
    { "reset in the body",
      { .reply = HEAD("Content-Length: 10\r\n") "hello", .reset = true, .delay = 0.01 },
      RILL_ERESET,
      READING },
    { "no last chunk",
      { .reply = HEAD(CHUNKED) "5\r\nhello\r\n", .close = true },
      RILL_ETRUNCATED,
      READING "it ended after 5 bytes, before its last chunk" },
    { "half a chunk",
      { .reply = HEAD(CHUNKED) "5\r\nhel", .close = true },
      RILL_ETRUNCATED,
      READING "it ended after 3 bytes, before its last chunk" },
    { "bad chunk size",
      { .reply = HEAD(CHUNKED) "xyz\r\nhello\r\n" },
      RILL_ECHUNK,
      READING "a chunk size is not a hexadecimal number" },
    { "long chunk",
      { .reply = HEAD(CHUNKED) "2\r\nhello\r\n0\r\n\r\n" },
      RILL_ECHUNK,
      READING "a chunk is longer than its size says" },
    { "attacks_57 not gzip",
      { BYTES(CODED("gzip", 5) "hello") },
      RILL_ECODING,
      DECODING "gzip: bad header" },
    { "attacks_57 not deflate", { BYTES(CODED("deflate", 5) "hello") }, RILL_ECODING, DECODING },
    { "attacks_57 truncated gzip of the announced length",
      { .reply = CODED("gzip", 20) GZIP_HELLO, .len = sizeof(CODED("gzip", 20)) - 1 + 20 },
      RILL_ECODING,
      DECODING "gzip: truncated" },
    { "attacks_57 gzip with a bad checksum",
      { BYTES(CODED("gzip", 25) "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07"
                                "\x00\x86\xa6\x10\x37\x05\x00\x00\x00") },
      RILL_ECODING,
      DECODING "gzip: bad checksum" },
    { "attacks_57 garbage behind gzip",
      { BYTES(CODED("gzip", 28) GZIP_HELLO "abc") },
      RILL_ECODING,
      DECODING "gzip: garbage after the end" },
    { "attacks_57 ten codings",
      { BYTES(CODED("gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip", 5) "hello") },
      RILL_ECODING,
      DECODING "more than 4 content codings" },
};

IN_LOOP(bodies_that_are_refused)
{
    for (size_t i = 0; i < sizeof body_faults / sizeof body_faults[0]; i++) {
        const struct fault *fault = &body_faults[i];
        struct script *script = script_start(&fault->step, 1);
        rill_session *session = rill_session_new(.timeout.total = 5);
        rill_response *response = rill_get(session, script->url);
        if (!response) {
            test_fail(__FILE__, __LINE__, "%s: %s", fault->name, rill_last_error()->message);
            continue;
        }
        rill_str text;
        CHECK_INT(rill_response_text(response, &text), fault->code);
        check_message(fault->name, fault->code, script->url, fault->words);
        CHECK_INT(rill_last_error()->status, 200);
        CHECK_INT(rill_response_text(response, &text), fault->code); /* and again */
        rill_response_free(response);
        rill_session_free(session);
        script_stop(script);
    }
}

IN_LOOP(what_came_before_a_fault_is_handed_out)
{
    struct step steps[] = { { .reply = HEAD("Content-Length: 10\r\n") "hello", .close = true } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new();
    rill_response *response = rill_get(session, script->url);
    char text[20] = "";
    CHECK_INT(rill_response_read(response, text, sizeof text), 5);
    CHECK_INT(rill_response_read(response, text, sizeof text), RILL_ETRUNCATED);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

struct coded {
    const char *name;
    struct step step;
    const char *text;
    size_t len;
};

static const struct coded codeds[] = {
    { "gzip", { BYTES(CODED("gzip", 25) GZIP_HELLO) }, "hello", 5 },
    { "x-gzip", { BYTES(CODED("X-GZip", 25) GZIP_HELLO) }, "hello", 5 },
    { "two members", { BYTES(CODED("gzip", 50) GZIP_HELLO GZIP_HELLO) }, "hellohello", 10 },
    { "deflate",
      { BYTES(CODED("deflate", 13) "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15") },
      "hello",
      5 },
    { "raw deflate", { BYTES(CODED("deflate", 7) "\xcb\x48\xcd\xc9\xc9\x07\x00") }, "hello", 5 },
    { "identity", { BYTES(CODED("identity", 5) "hello") }, "hello", 5 },
    { "unknown", { BYTES(CODED("klingon", 5) "hello") }, "hello", 5 },
    { "empty", { BYTES(CODED("gzip", 0)) }, "", 0 },
    { "chunked gzip",
      { BYTES(HEAD("Content-Encoding: gzip\r\n" CHUNKED) "19\r\n" GZIP_HELLO "\r\n0\r\n\r\n") },
      "hello",
      5 },
};

IN_LOOP(coded_bodies_are_decoded)
{
    for (size_t i = 0; i < sizeof codeds / sizeof codeds[0]; i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct step step = codeds[i].step;
            step.bytewise = bytewise;
            struct script *script = script_start(&step, 1);
            rill_session *session = rill_session_new();
            for (int round = 0; round < 2; round++) {
                rill_response *response = rill_get(session, script->url);
                rill_str text = { "", 0 };
                if (!response || rill_response_bytes(response, &text) < 0)
                    test_fail(__FILE__, __LINE__, "%s: %s", codeds[i].name,
                              rill_last_error()->message);
                CHECK_STR(text.ptr, codeds[i].text);
                CHECK_INT(text.len, codeds[i].len);
                rill_response_free(response);
            }
            CHECK_INT(script->connections, 1);
            rill_session_free(session);
            script_stop(script);
        }
    }
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 64 MiB of zeros in 64 KiB. */
IN_LOOP(attacks_57_a_bomb_stops_at_the_limit)
{
    enum { ZEROS = 64 << 20, STEP = 1 << 20, ROOM = 200000 };
    char *reply = calloc(1, ROOM), *zeros = calloc(1, STEP);
    z_stream stream = { 0 };
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    int head = snprintf(reply, 100, HEAD("Content-Encoding: gzip\r\n"));
    stream.next_out = (unsigned char *)reply + head;
    stream.avail_out = (unsigned)(ROOM - head);
    for (size_t done = 0; done <= ZEROS; done += STEP) {
        stream.next_in = (unsigned char *)zeros;
        stream.avail_in = done < ZEROS ? STEP : 0;
        deflate(&stream, done < ZEROS ? Z_NO_FLUSH : Z_FINISH);
    }
    struct step steps[] = {
        { .reply = reply, .len = (size_t)head + stream.total_out, .close = true }
    };
    deflateEnd(&stream);
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new(.max_body = 1 << 20);
    long before = resident_kib();
    rill_response *response = rill_get(session, script->url);
    rill_str text;
    CHECK_INT(rill_response_text(response, &text), RILL_EBODY_LIMIT);
    CHECK(resident_kib() - before < 6 << 10);
    rill_response_free(response);
    response = rill_get(session, script->url); /* in pieces it may be as long as it likes */
    long long sum = 0;
    for (ptrdiff_t n; (n = rill_response_read(response, zeros, STEP)) > 0;)
        sum += n;
    CHECK_INT(sum, ZEROS);
    CHECK(resident_kib() - before < 6 << 10);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
    free(reply);
    free(zeros);
}

IN_LOOP(no_decompress_hands_out_what_was_sent)
{
    struct step steps[] = { { BYTES(CODED("gzip", 25) GZIP_HELLO) } };
    struct script *script = script_start(steps, 1);
    rill_session *session = rill_session_new(.no_decompress = true);
    rill_response *response = rill_get(session, script->url);
    rill_str text = { "", 0 };
    CHECK_INT(rill_response_bytes(response, &text), 0);
    CHECK_INT(text.len, GZIP_LEN);
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
}

/* ---- URLs and connecting ---- */

struct bad_url {
    const char *url;
    int code;
};

static const struct bad_url bad_urls[] = {
    { "", RILL_EURL },
    { "example.com", RILL_EURL },
    { "http://", RILL_EURL },
    { "http://a b/", RILL_EURL },
    { "http://[::1/", RILL_EURL },
    { "http://a:99999/", RILL_EURL },
    { "ftp://a/", RILL_EURL_SCHEME },
    { "file:///etc/passwd", RILL_EURL_SCHEME },
    { "ws://a/", RILL_EURL_SCHEME },
    { "mailto:a@b", RILL_EURL_SCHEME },
};

IN_LOOP(bad_urls_are_refused)
{
    rill_auto(rill_session) session = rill_session_new();
    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
        CHECK(!rill_get(session, bad_urls[i].url));
        CHECK_INT(rill_errcode(), bad_urls[i].code);
        CHECK_CONTAINS(rill_last_error()->message, "GET: invalid URL \"");
        CHECK_STR(rill_last_error()->where, bad_urls[i].url);
        CHECK(rill_error_is(rill_last_error(), RILL_ECLIENT));
    }
}

IN_LOOP(refused_connections_say_so)
{
    rill_auto(rill_session) session = rill_session_new();
    CHECK(!rill_get(session, "http://user:secret@127.0.0.1:1/x?y#z"));
    check_message("refused", RILL_EREFUSED, "http://127.0.0.1:1/x?y", ": connect 127.0.0.1:1");
    CHECK(!strstr(rill_last_error()->message, "secret"));
    CHECK(rill_error_is(rill_last_error(), RILL_ECONNECT));
}

IN_LOOP(plain_http_where_tls_is_spoken_says_so)
{
    struct step steps[] = { { .reply = "HTTP/1.1 400 Bad\r\n\r\n", .close = true } };
    struct script *script = script_start(steps, 1);
    rill_auto(rill_session) session = rill_session_new(.timeout.sock_connect = 0.2);
    char url[100];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", script->port);
    CHECK(!rill_get(session, url));
    CHECK(rill_error_is(rill_last_error(), RILL_ECONNECT) ||
          rill_error_is(rill_last_error(), RILL_ESOCK_CONNECT_TIMEOUT));
    CHECK_CONTAINS(rill_last_error()->message, url);
    script_stop(script);
}

IN_LOOP(a_long_url_leaves_room_for_the_cause)
{
    rill_auto(rill_session) session = rill_session_new();
    char url[2000] = "http://127.0.0.1:1/";
    memset(url + strlen(url), 'a', 1500);
    CHECK(!rill_get(session, url));
    CHECK_CONTAINS(rill_last_error()->message, "aaa...: connect 127.0.0.1:1");
}

/* ---- names ---- */

/* A name server that knows no name beginning with "nx", and says nothing of the others. */
static void *serve_names(void *arg)
{
    int fd = *(int *)arg;
    unsigned char query[512];
    struct sockaddr_in from;
    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from, &len);
        if (n < 18)
            return NULL;
        query[2] |= 0x80; /* an answer: */
        query[3] = 0x83;  /* no such name */
        if (memcmp(query + 13, "nx", 2) == 0)
            sendto(fd, query, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

static int fetch_names(void *arg)
{
    (void)arg;
    rill_auto(rill_session) session = rill_session_new();
    CHECK(!rill_get(session, "http://nx.test/"));
    check_message("unknown host", RILL_EDNS_NOTFOUND, "http://nx.test/", ": resolve nx.test");
    CHECK(!rill_get(session, "http://silent.test/"));
    check_message("silent server", RILL_EDNS_TIMEOUT, "http://silent.test/", ": resolve silent");
    CHECK(rill_error_is(rill_last_error(), RILL_ETIMEDOUT));
    CHECK(!rill_get(session, "http://silent.test/", .timeout.connect = 0.02));
    check_message("connect timeout", RILL_ECONNECT_TIMEOUT, "http://silent.test/",
                  ": connecting: no connection within 0.02 s");
    return 0;
}

TEST(names_that_are_not_found)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, len), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    char servers[40];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(address.sin_port));
    rill__dns_settings_now =
        (rill__dns_settings){ .servers = servers, .timeout_ms = 100, .tries = 2 };
    pthread_t thread;
    pthread_create(&thread, NULL, serve_names, &fd);
    run_in_loop(fetch_names, NULL);
    sendto(fd, "", 0, 0, (struct sockaddr *)&address, len); /* ends it */
    pthread_join(thread, NULL);
    close(fd);
}

/* However long it is: what is shown ends where it ends. */
IN_LOOP(urls_are_shown_up_to_a_length)
{
    rill_session *session = rill_session_new();
    for (size_t len = 170; len > 150; len--) {
        char url[200] = "http://127.0.0.1:1/", shown[200];
        memset(url + strlen(url), 'x', len - strlen(url));
        snprintf(shown, sizeof shown, "%.160s%s", url, len > 160 ? "..." : "");
        CHECK(!rill_get(session, url));
        CHECK_STR(rill_last_error()->where, shown);
    }
    rill_session_free(session);
}
