/* Attacks on the head and the framing: each refused with its status, the connection closed, and
 * what lies just inside the limit served. */
#include "server_lib.h"

#include <stdlib.h>
#include <unistd.h>

#define POST "POST /echo HTTP/1.1\r\n" HOST

/* The rest behind a refused request is never answered. */
#define SMUGGLED GET_ROOT

struct row {
    const char *request;
    int status;
    bool closes;
};

static void check_rows(int port, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_status(port, rows[i].request, rows[i].status, rows[i].closes);
    check_status(port, GET_ROOT, 200, false);
}

#define CHECK_ROWS(port, rows) check_rows((port), (rows), sizeof(rows) / sizeof((rows)[0]))

/* Sends a request that is refused with one of hundreds behind it: there is one reply only. */
static void check_alone(int port, const char *request)
{
    char *reply = raw_talk(port, request);
    CHECK_INT(raw_count(reply, "HTTP/1.1 "), 1);
    CHECK(strstr(reply, "<end>"));
    free(reply);
}

static void client_01(int port)
{
    static const struct row rows[] = {
        { POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, false },
    };
    CHECK_ROWS(port, rows);
    check_alone(port,
                POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED);
}

TEST(attack_01_length_and_chunked)
{
    serve(client_01);
}

static void client_02(int port)
{
    static const struct row rows[] = {
        { POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400, true },
        { POST "Content-Length: 5, 6\r\n\r\nhello!", 400, true },
        { POST "Content-Length: 5, 5\r\n\r\nhello", 400, true },
        { POST "Content-Length: 5\r\n\r\nhello", 200, false },
    };
    CHECK_ROWS(port, rows);
}

TEST(attack_02_two_lengths)
{
    serve(client_02);
}

static void client_03(int port)
{
    static const char *const bad[] = { "+5",  "-5",   "0x5",
                                       "5_0", " 5 x", "",
                                       "5 5", "5,",   "18446744073709551616" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char request[200];
        snprintf(request, sizeof request, POST "Content-Length: %s\r\n\r\nhello", bad[i]);
        check_status(port, request, 400, true);
    }
    check_status(port, POST "Content-Length:   5  \r\n\r\nhello", 200, false);
    check_status(port, POST "Content-Length: 005\r\n\r\nhello", 200, false);
}

TEST(attack_03_bad_lengths)
{
    serve(client_03);
}

static void client_04(int port)
{
    static const struct row rows[] = {
        { POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, true },
        { "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true },
        { POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, false },
    };
    CHECK_ROWS(port, rows);
    char *reply = raw_talk(port, POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n");
    CHECK(raw_status(reply) == 200 || raw_status(reply) == 400); /* an empty element is no coding */
    free(reply);
}

TEST(attack_04_other_codings)
{
    serve(client_04);
}

static void client_05(int port)
{
    static const struct row rows[] = {
        { POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n", 200, false },
    };
    CHECK_ROWS(port, rows);
}

TEST(attack_05_header_shapes)
{
    serve(client_05);
}

static void client_06(int port)
{
    for (int c = 0; c < 256; c++) {
        bool text = c == '\t' || (c >= 0x20 && c != 0x7f);
        char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a?b\r\n\r\n";
        request[sizeof "GET / HTTP/1.1\r\nHost: a\r\nX: a" - 1] = (char)c;
        int fd = raw_connect(port);
        raw_send(fd, request, sizeof request - 1);
        char *reply = raw_read(fd, "\r\n\r\n", 2);
        if (raw_status(reply) != (text ? 200 : 400))
            test_fail(__FILE__, __LINE__, "byte 0x%02x in a value: %s", (unsigned)c, reply);
        free(reply);
        close(fd);
    }
    check_status(port, "GET / HTTP/1.1\nHost: a\n\n", 400, true);
    check_status(port, "GET / HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n", 400, true);
    check_status(port, "GET / HTTP/1.1\r\nHost: a\r\nX\x80: a\r\n\r\n", 400, true);
}

TEST(attack_06_control_bytes)
{
    serve(client_06);
}

static void client_07(int port)
{
    static const char *const bad[] = {
        "0x10", "1_0", "+5", " 5", "5 ", "", "00000000000000005", "FFFFFFFFFFFFFFFF", "g", "-1"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char request[300];
        snprintf(request, sizeof request,
                 POST "Transfer-Encoding: chunked\r\n\r\n%s\r\nhello\r\n0\r\n\r\n" SMUGGLED,
                 bad[i]);
        char *reply = raw_talk(port, request);
        if (raw_status(reply) != 400 || !strstr(reply, "<end>") ||
            raw_count(reply, "HTTP/1.1 ") != 1)
            test_fail(__FILE__, __LINE__, "chunk size '%s': %s", bad[i], reply);
        free(reply);
    }
    check_status(port, POST "Transfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\n\r\n", 200,
                 false);
    check_status(port, POST "Transfer-Encoding: chunked\r\n\r\na\r\nhellohello\r\n0\r\n\r\n", 200,
                 false);
}

TEST(attack_07_chunk_sizes)
{
    serve(client_07);
}

static void client_08(int port)
{
    static const char *const bad[] = { "4\r\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
                                       "5\r\nhello\rX0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
                                       "5\nhello\r\n0\r\n\r\n" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char request[300];
        snprintf(request, sizeof request, POST "Transfer-Encoding: chunked\r\n\r\n%s" SMUGGLED,
                 bad[i]);
        char *reply = raw_talk(port, request);
        if (raw_status(reply) != 400 || raw_count(reply, "HTTP/1.1 ") != 1)
            test_fail(__FILE__, __LINE__, "chunk '%s': %s", bad[i], reply);
        free(reply);
    }
}

TEST(attack_08_chunk_ends)
{
    serve(client_08);
}

/* One-byte chunks, each with an extension. Returns the status. */
static int extended_chunks(int port, size_t extension, int chunks)
{
    char *line = malloc(extension + 20);
    int fd = raw_connect(port);
    raw_puts(fd, "POST /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    memcpy(line, "1;", 2);
    memset(line + 2, 'e', extension);
    memcpy(line + 2 + extension, "\r\nx\r\n", 6);
    bool open = true;
    for (int i = 0; open && i < chunks; i++)
        open = raw_puts(fd, line);
    raw_puts(fd, "0\r\n\r\n");
    char *reply = raw_read(fd, "\r\n\r\n", 2);
    int status = raw_status(reply);
    free(reply);
    free(line);
    close(fd);
    return status;
}

static void client_09(int port)
{
    CHECK_INT(extended_chunks(port, 8000, 100), 400);
    CHECK_INT(extended_chunks(port, 8000, 2), 200);
    CHECK_INT(extended_chunks(port, 8, 10000), 200);
}

TEST(attack_09_chunk_extensions)
{
    serve(client_09);
}

static void client_10(int port)
{
    static const struct row rows[] = {
        { POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 5\r\n"
               "Transfer-Encoding: x\r\nHost: b\r\n\r\n",
          200, false },
        { POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX : 5\r\n\r\n", 400, true },
    };
    CHECK_ROWS(port, rows);
}

TEST(attack_10_trailers)
{
    serve(client_10);
}

static void client_11(int port)
{
    static const struct row rows[] = {
        { "GET / HTTP/1.1\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, true },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, true },
        { "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, true },
        { "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 200, false },
        { "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 200, false },
        { "GET / HTTP/1.0\r\n\r\n", 200, true },
    };
    CHECK_ROWS(port, rows);
}

TEST(attack_11_hosts)
{
    serve(client_11);
}

static void client_12(int port)
{
    static const struct row rows[] = {
        { "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, true },
        { "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400, true },
        { "GET / HTTP/1.1 \r\n" HOST "\r\n", 400, true },
        { "GET / HTTP/1.10\r\n" HOST "\r\n", 400, true },
        { "GET / HTTP/11\r\n" HOST "\r\n", 400, true },
        { "GET / http/1.1\r\n" HOST "\r\n", 400, true },
        { "GET /\r\n\r\n", 400, true },
        { "GET / HTTP/2.0\r\n" HOST "\r\n", 505, true },
        { "GET /%00 HTTP/1.1\r\n" HOST "\r\n", 400, true },
        { "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200, false },
    };
    CHECK_ROWS(port, rows);
    static const char nul[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    char *reply = raw_talk_bytes(port, nul, sizeof nul - 1);
    CHECK_INT(raw_status(reply), 400);
    free(reply);
}

TEST(attack_12_request_lines)
{
    serve(client_12);
}

/* A request with a target of so many bytes, `count` headers of so many, and its status. */
static int big_head(int port, size_t target, int count, size_t value)
{
    size_t len = 0, room = target + (size_t)count * (value + 20) + 200;
    char *request = malloc(room);
    len += (size_t)sprintf(request, "GET /");
    memset(request + len, 'a', target - 1);
    len += target - 1;
    len += (size_t)sprintf(request + len, " HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < count; i++) {
        len += (size_t)sprintf(request + len, "X%d: ", i);
        memset(request + len, 'v', value);
        len += value;
        len += (size_t)sprintf(request + len, "\r\n");
    }
    len += (size_t)sprintf(request + len, "\r\n");
    int fd = raw_connect(port);
    raw_send(fd, request, len);
    char *reply = raw_read(fd, "\r\n\r\n", 2);
    int status = raw_status(reply);
    free(reply);
    free(request);
    close(fd);
    return status;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, resident = 0;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void client_13(int port)
{
    CHECK_INT(big_head(port, 65536, 1, 0), 414);
    CHECK_INT(big_head(port, 8100, 1, 0), 404);
    CHECK_INT(big_head(port, 1, 128, 10), 200);
    CHECK_INT(big_head(port, 1, 129, 10), 431);
    CHECK_INT(big_head(port, 1, 10000, 10), 431);
    CHECK_INT(big_head(port, 1, 100, 600), 200);
    long before = resident_kib();
    for (int i = 0; i < 20; i++)
        CHECK_INT(big_head(port, 1, 120, 9000), 431);
    bool exempt = getenv("RILL_TEST_SLOW") != NULL; /* by tools that keep what is freed */
#ifdef __SANITIZE_ADDRESS__
    exempt = true;
#endif
    CHECK(exempt || resident_kib() - before < 4096);
}

TEST(attack_13_large_heads)
{
    serve(client_13);
}

static void client_21(int port)
{
    static const struct row rows[] = {
        { "POST /echo HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
          "HTTP2-Settings: !!!\r\nHTTP2-Settings: AAA\r\nContent-Length: 5\r\n\r\nhello",
          200, false },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true },
    };
    char *reply = raw_talk(port, rows[0].request);
    CHECK_INT(raw_status(reply), 200);
    CHECK_CONTAINS(reply, "hello");
    free(reply);
    reply = raw_talk(port, rows[1].request);
    CHECK(raw_status(reply) == 505 || raw_status(reply) == 400);
    CHECK_CONTAINS(reply, "<end>");
    free(reply);
}

TEST(attack_21_upgrades)
{
    serve(client_21);
}
