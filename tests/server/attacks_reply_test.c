/* Attacks on replies: what an application must not be able to send, conditions and ranges. */
#include "server_lib.h"

#include <stdlib.h>
#include <unistd.h>

static char *post_header(int port, const char *value, size_t len)
{
    char request[400];
    int head = snprintf(request, sizeof request,
                        "POST /header HTTP/1.1\r\n" HOST "Connection: close\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        len);
    memcpy(request + head, value, len);
    return raw_talk_bytes(port, request, (size_t)head + len);
}

static void client_23(int port)
{
    static const char *const bad[] = { "a\r\nX-Evil: 1", "a\nb",        "a\rb", "\x01",
                                       "a\x7f",          "caf\xc3\xa9", "\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *reply = post_header(port, bad[i], strlen(bad[i]));
        CHECK_INT(test_app_seen.set_code, RILL_EINVAL);
        CHECK_INT(raw_status(reply), 200);
        CHECK_CONTAINS(reply, "refused: ");
        CHECK(!strstr(reply, "\r\nX-Evil"));
        free(reply);
    }
    char *reply = post_header(port, "/fine?a=b", 9);
    CHECK_INT(test_app_seen.set_code, 0);
    CHECK_INT(raw_status(reply), 302);
    CHECK_CONTAINS(reply, "\r\nLocation: /fine?a=b\r\n");
    CHECK_CONTAINS(reply, "\r\nX: /fine?a=b\r\n");
    free(reply);
}

TEST(attack_23_header_injection)
{
    serve(client_23);
}

static char *get_with(int port, const char *method, const char *path, const char *fields)
{
    char request[32768];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n" HOST "Connection: close\r\n%s\r\n",
             method, path, fields);
    return raw_talk(port, request);
}

struct row {
    const char *fields;
    int status;
    const char *contains; /* NULL: whatever */
};

static void check_resource(int port, const struct row *row)
{
    char *reply = get_with(port, "GET", "/resource", row->fields);
    if (raw_status(reply) != row->status || (row->contains && !strstr(reply, row->contains)))
        test_fail(__FILE__, __LINE__, "%s: expected %d and %s: %s", row->fields, row->status,
                  row->contains ? row->contains : "", reply);
    free(reply);
}

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void client_28(int port)
{
    static const struct row rows[] = {
        { "Range: bytes=0-4\r\n", 206, "Content-Range: bytes 0-4/20\r\n" },
        { "Range: bytes=0-4\r\n", 206, "\r\n\r\n01234<end>" },
        { "Range: bytes=15-\r\n", 206, "fghij<end>" },
        { "Range: bytes=-5\r\n", 206, "fghij<end>" },
        { "Range: bytes=0-9,5-15\r\n", 206, "Content-Range: bytes 0-15/20" },
        { "Range: bytes=0-0,10-11\r\n", 206, "multipart/byteranges; boundary=" },
        { "Range: bytes=0-0,10-11\r\n", 206, "Content-Range: bytes 10-11/20\r\n\r\nab\r\n--" },
        { "Range: bytes=5-1\r\n", 200, "Content-Length: 20" },
        { "Range: bytes=-0\r\n", 416, "Content-Range: bytes */20" },
        { "Range: bytes=20-\r\n", 416, "Content-Length: 0" },
        { "Range: bytes=18446744073709551615-\r\n", 416, NULL },
        { "Range: bytes=99999999999999999999999-\r\n", 416, NULL },
        { "Range: lines=1-2\r\n", 200, NULL },
        { "Range: bytes=0-4\r\nIf-Range: \"v1\"\r\n", 206, NULL },
        { "Range: bytes=0-4\r\nIf-Range: \"v2\"\r\n", 200, NULL },
        { "Range: bytes=0-4\r\nIf-Range: W/\"v1\"\r\n", 200, NULL },
        { "Range: bytes=0-4\r\nIf-Range: " DATE "\r\n", 206, NULL },
        { "Range: bytes=0-4\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 200, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_resource(port, &rows[i]);
    char killer[8000] = "Range: bytes=0-0";
    for (int i = 0; i < 1000; i++)
        strcat(killer, ",0-0");
    strcat(killer, "\r\n");
    char *reply = get_with(port, "GET", "/resource", killer);
    CHECK(raw_status(reply) == 200 || raw_status(reply) == 206);
    CHECK(strlen(reply) < 1000);
    free(reply);
    reply = get_with(port, "HEAD", "/resource", "Range: bytes=0-4\r\n");
    CHECK_INT(raw_status(reply), 200);
    free(reply);
}

TEST(attack_28_ranges)
{
    serve(client_28);
}

static void client_29(int port)
{
    static const struct row rows[] = {
        { "If-None-Match: *\r\n", 304, "\r\n\r\n<end>" },
        { "If-None-Match: \"v1\"\r\n", 304, "ETag: \"v1\"" },
        { "If-None-Match: W/\"v1\"\r\n", 304, NULL },
        { "If-None-Match: \"v2\"\r\n", 200, NULL },
        { "If-None-Match: \"v2\"\r\nIf-None-Match: \"v1\"\r\n", 304, NULL },
        { "If-None-Match: \"v2\"\r\nIf-Modified-Since: " DATE "\r\n", 200, NULL },
        { "If-Modified-Since: " DATE "\r\n", 304, NULL },
        { "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 304, NULL },
        { "If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", 304, NULL },
        { "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200, NULL },
        { "If-Modified-Since: Thu, 01 Jan 1969 00:00:00 GMT\r\n", 200, NULL },
        { "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n", 304, NULL },
        { "If-Modified-Since: yesterday\r\n", 200, NULL },
        { "If-Match: \"v1\"\r\n", 200, NULL },
        { "If-Match: *\r\n", 200, NULL },
        { "If-Match: W/\"v1\"\r\n", 412, NULL },
        { "If-Match: \"v2\"\r\n", 412, "Content-Length: 0" },
        { "If-Unmodified-Since: " DATE "\r\n", 200, NULL },
        { "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 412, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_resource(port, &rows[i]);
    char tags[8100] = "If-None-Match: \"a0\"";
    size_t len = strlen(tags);
    for (int i = 1; i < 1000 && len < sizeof tags - 20; i++)
        len += (size_t)sprintf(tags + len, ",\"a%d\"", i);
    strcpy(tags + len, ",\"v1\"\r\n");
    check_resource(port, &(struct row){ tags, 304, NULL });
}

TEST(attack_29_conditions)
{
    serve(client_29);
}

/* The log of the server, as far as these tests look at it. */
static char logged[2000];

static void keep_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    size_t len = strlen(logged);
    snprintf(logged + len, sizeof logged - len, "%s: %s\n", subsystem, message);
}

static void client_30(int port)
{
    char *reply = get_with(port, "GET", "/status/204", "");
    CHECK_INT(raw_status(reply), 204);
    CHECK_CONTAINS(reply, "\r\n\r\n<end>");
    CHECK(!strstr(reply, "Content-Length"));
    CHECK_CONTAINS(logged, "server: GET /status/204: status 204 has no body: 5 bytes are dropped");
    free(reply);
    reply = get_with(port, "GET", "/status/304", "");
    CHECK_INT(raw_status(reply), 304);
    CHECK_CONTAINS(reply, "\r\n\r\n<end>");
    free(reply);
    logged[0] = '\0';
    reply = get_with(port, "HEAD", "/status/200", "");
    CHECK_CONTAINS(reply, "Content-Length: 5\r\n");
    CHECK_CONTAINS(reply, "\r\n\r\n<end>");
    CHECK_STR(logged, ""); /* GET serves HEAD: its body is dropped in silence */
    free(reply);
    reply = get_with(port, "HEAD", "/stream", "");
    CHECK_CONTAINS(reply, "\r\n\r\n<end>");
    CHECK_CONTAINS(reply, "Transfer-Encoding: chunked");
    free(reply);
    reply = get_with(port, "HEAD", "/nope", "");
    CHECK_INT(raw_status(reply), 404);
    CHECK_CONTAINS(reply, "\r\n\r\n<end>");
    free(reply);
    reply = get_with(port, "GET", "/status/100", ""); /* is no final status */
    CHECK_INT(raw_status(reply), 500);
    free(reply);
}

TEST(attack_30_no_body)
{
    rill_log_to(keep_log, NULL);
    serve(client_30);
    rill_log_to(NULL, NULL);
}

static void client_31(int port)
{
    char *reply = get_with(port, "GET", "/stream?n=3&size=10&length=30", "");
    CHECK_CONTAINS(reply, "Content-Length: 30");
    CHECK_CONTAINS(reply, "\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx<end>");
    free(reply);
    reply = get_with(port, "GET", "/stream?n=3&size=10&length=31", "");
    CHECK_INT(raw_status(reply), 200);
    CHECK_CONTAINS(reply,
                   "\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx<"); /* it ends: a byte is missing */
    free(reply);
    reply = get_with(port, "GET", "/stream?n=3&size=10&length=25", "");
    CHECK_INT(test_app_seen.write_code, RILL_EREPLY);
    CHECK_CONTAINS(reply, "\r\n\r\nxxxxxxxxxxxxxxxxxxxx<");
    free(reply);
    /* Without a length HTTP/1.0 sees the end of the connection: it has to be a broken one. */
    reply = raw_talk(port, "GET /stream?n=2&size=10 HTTP/1.0\r\n\r\n");
    CHECK_CONTAINS(reply, "xxxxxxxxxxxxxxxxxxxx<end>");
    CHECK(!strstr(reply, "chunked"));
    free(reply);
    reply = raw_talk(port, "GET /stream?n=2&size=10&s=0.05 HTTP/1.1\r\n" HOST "\r\n" GET_ROOT);
    CHECK_CONTAINS(reply, "\r\n\r\na\r\nxxxxxxxxxx\r\na\r\nxxxxxxxxxx\r\n0\r\n\r\nHTTP/1.1 200 OK");
    free(reply);
}

TEST(attack_31_lengths)
{
    rill_log_to(keep_log, NULL);
    serve(client_31);
    rill_log_to(NULL, NULL);
}
