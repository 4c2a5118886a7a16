/*
 * The HTTP/1 parsers against the tables of Go's net/http: requests, bad requests, responses,
 * versions and comma lists. Where rill chooses otherwise, the row stands in a list of exceptions.
 */
#include "h1_driver.h"
#include "harness.h"
#include "http/token.h"

#include <jansson.h>

/* A row that Go accepts and rill refuses, known by how its bytes begin. */
struct exception {
    const char *start;
    enum rill__h1_reason reason;
    const char *why;
};

static const struct exception exceptions[] = {
    { "POST / HTTP/1.1\r\nHost: foo.com\r\nTransfer-Encoding: chunked\r\nContent-Length: 9999",
      RILL__H1_LENGTH_AND_CODING, "both lengths in one message are an attack (RFC 9112 6.3)" },
    { "CONNECT /_goRPC_", RILL__H1_TARGET_FORM, "CONNECT names host and port (RFC 9112 3.2.3)" },
    { "NOTIFY *", RILL__H1_TARGET_FORM, "\"*\" goes with OPTIONS alone (RFC 9112 3.2.4)" },
    { "PRI * HTTP/2.0", RILL__H1_VERSION_UNKNOWN, "this parser speaks HTTP/1" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 10",
      RILL__H1_LENGTH_AND_CODING, "both lengths in one message are an attack" },
    { "HTTP/1.1 206 Partial Content\nConnection: close", RILL__H1_BARE_LF,
      "lines end with CRLF (RFC 9112 2.2)" },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: bogus", RILL__H1_CODING_VERSION,
      "the framing of such a message is faulty (RFC 9112 6.1)" },
    { "HTTP/1.1 204 No Content\r\n\r\nBody should not", RILL__H1_BARE_LF,
      "what comes behind a message is the next one, and this is none" },
    { "HTTP/1.0  401 Unauthorized", RILL__H1_STATUS_LINE, "one space goes before the status" },
    { "PUT / HTTP/1.1\r\nContent-Length: 6 \r\nContent-Length: 6", RILL__H1_LENGTH_TWICE,
      "a request has one Content-Length" },
    { "HEAD / HTTP/1.1\r\nContent-Length:0\r\nContent-Length: 0", RILL__H1_LENGTH_TWICE,
      "the same" },
};

static const struct exception *find_exception(const char *raw)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++)
        if (strncmp(raw, exceptions[i].start, strlen(exceptions[i].start)) == 0)
            return &exceptions[i];
    return NULL;
}

static json_t *load(const char *name)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, name, NULL) : NULL;
    if (!text) {
        test_skip("the table is absent");
        return NULL;
    }
    json_t *table = json_loads(text, JSON_ALLOW_NUL, NULL);
    CHECK(json_is_object(table));
    free(text);
    return table;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Text, or bytes as { "hex": "…" }; to be freed. */
static rill_str bytes_of(json_t *object, const char *key)
{
    const char *digits = text_of(json_object_get(object, key), "hex");
    size_t len = strlen(digits) / 2;
    if (len == 0)
        return (rill_str){ strdup(text_of(object, key)), strlen(text_of(object, key)) };
    char *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(rill__hex_value(digits[2 * i]) << 4 | rill__hex_value(digits[2 * i + 1]));
    bytes[len] = '\0';
    return (rill_str){ bytes, len };
}

/* The request with a Host behind its first line, when it is one of HTTP/1.1 without: Go asks for
 * it elsewhere. To be freed. */
static char *with_host(const char *raw)
{
    const char *line = strstr(raw, " HTTP/1.1\r\n");
    size_t size = strlen(raw) + 20;
    char *text = malloc(size);
    int first = line ? (int)(line + 11 - raw) : 0;
    bool add = line && !strstr(raw, "\r\nHost:");
    snprintf(text, size, "%.*s%s%s", first, raw, add ? "Host: a.test\r\n" : "", raw + first);
    return text;
}

static void feed_bytes(struct h1_run *run, rill_str bytes, bool one_by_one)
{
    size_t step = one_by_one ? 1 : bytes.len;
    for (size_t i = 0; i < bytes.len; i += step)
        h1_feed(run, bytes.ptr + i, step);
    h1_feed_end(run);
}

static const struct h1_event *find_event(const struct h1_run *run, enum h1_kind kind)
{
    for (size_t i = 0; i < run->count && run->events[i].kind != H1_COMPLETE; i++)
        if (run->events[i].kind == kind)
            return &run->events[i];
    return NULL;
}

static void check_event(const struct h1_run *run, enum h1_kind kind, rill_str text)
{
    const struct h1_event *event = find_event(run, kind);
    rill_str ours = event ? (rill_str){ event->text, event->len } : RILL_STR("");
    if (!rill_str_eq(ours, text))
        test_fail(__FILE__, __LINE__, "\"%s\" is not \"%s\"", ours.ptr, text.ptr);
}

/* Each value of the map of lists came, in this order, behind its name. */
static void check_fields(const struct h1_run *run, json_t *fields)
{
    const char *name;
    json_t *values, *value;
    json_object_foreach(fields, name, values)
    {
        size_t k, i = 0;
        json_array_foreach(values, k, value)
        {
            while (i + 1 < run->count &&
                   !(run->events[i].kind == H1_NAME &&
                     rill_str_caseeq(rill_str_of(run->events[i].text), rill_str_of(name))))
                i++;
            REQUIRE(i + 1 < run->count);
            CHECK_STR(run->events[++i].text, json_string_value(value));
        }
    }
}

/* Feeds the row whole and byte by byte; true when the caller should look at what came out. */
static bool run_row(struct h1_run *run, const char *raw, rill_str bytes, bool refused)
{
    struct h1_run slow = { .response = run->response, .method = run->method };
    feed_bytes(run, bytes, false);
    feed_bytes(&slow, bytes, true);
    CHECK(h1_same(run, &slow));
    h1_finish(&slow);
    const struct exception *exception = find_exception(raw);
    if (exception) {
        CHECK_STR(rill__h1_reason_text(run->reason), rill__h1_reason_text(exception->reason));
        return false;
    }
    if ((run->outcome == H1_REFUSED) != refused)
        test_fail(__FILE__, __LINE__, "%s: %s", raw, rill__h1_reason_text(run->reason));
    return run->outcome != H1_REFUSED;
}

static void check_request(json_t *row)
{
    struct h1_run run = { 0 };
    const char *raw = text_of(row, "Raw");
    rill_str body = bytes_of(row, "Body");
    json_t *request = json_object_get(row, "Req");
    char *bytes = with_host(raw);
    if (run_row(&run, raw, rill_str_of(bytes), text_of(row, "Error")[0] != '\0')) {
        check_event(&run, H1_METHOD, rill_str_of(text_of(request, "Method")));
        check_event(&run, H1_TARGET, rill_str_of(text_of(request, "RequestURI")));
        check_event(&run, H1_BODY, body);
        check_fields(&run, json_object_get(request, "Header"));
        check_fields(&run, json_object_get(row, "Trailer"));
    }
    free(bytes);
    free((char *)(uintptr_t)body.ptr);
    h1_finish(&run);
}

TEST(go_requests)
{
    json_t *table = load("go-nethttp.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "req"), i, row) check_request(row);
    CHECK_INT(i, 15);
    json_decref(table);
}

TEST(go_bad_requests)
{
    json_t *table = load("go-nethttp.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "badRequest"), i, row)
    {
        struct h1_run run = { 0 };
        char *bytes = with_host(text_of(row, "req"));
        run_row(&run, text_of(row, "req"), rill_str_of(bytes), true);
        free(bytes);
        h1_finish(&run);
    }
    CHECK_INT(i, 5);
    json_decref(table);
}

static void check_response(json_t *row)
{
    rill_str raw = bytes_of(row, "Raw"), body = bytes_of(row, "Body");
    json_t *response = json_object_get(row, "Resp");
    const char *method = text_of(json_object_get(response, "Request"), "Method");
    struct h1_run run = { .response = true, .method = rill__h1_method_of(rill_str_of(method)) };
    if (run_row(&run, raw.ptr, raw, false)) {
        const char *phrase = strchr(text_of(response, "Status"), ' ');
        check_event(&run, H1_PHRASE, rill_str_of(phrase ? phrase + 1 : ""));
        check_event(&run, H1_BODY, body);
        check_fields(&run, json_object_get(response, "Header"));
        CHECK_INT(run.count > 0 && !run.keep_alive,
                  json_is_true(json_object_get(response, "Close")));
    }
    free((char *)(uintptr_t)raw.ptr);
    free((char *)(uintptr_t)body.ptr);
    h1_finish(&run);
}

TEST(go_responses)
{
    json_t *table = load("go-nethttp.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "resp"), i, row) check_response(row);
    CHECK_INT(i, 23);
    json_decref(table);
}

TEST(go_request_errors)
{
    json_t *table = load("go-nethttpx.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "readRequestError"), i, row)
    {
        struct h1_run run = { 0 };
        const char *raw = text_of(row, "in"), *error = text_of(row, "err");
        char *bytes = with_host(raw);
        if (run_row(&run, raw, rill_str_of(bytes), error[0] && !strstr(error, "EOF")))
            CHECK_INT(run.outcome == H1_IN_HEAD, strcmp(error, "unexpected EOF") == 0);
        free(bytes);
        h1_finish(&run);
    }
    CHECK_INT(i, 11);
    json_decref(table);
}

/* Go reads any pair of single digits as a version: of those, two are spoken here. */
TEST(go_versions)
{
    json_t *table = load("go-nethttpx.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "httpVersion"), i, row)
    {
        char raw[100];
        struct h1_run run = { 0 };
        const char *version = text_of(row, "vers");
        snprintf(raw, sizeof raw, "GET / %s\r\nHost: a\r\n\r\n", version);
        feed_bytes(&run, rill_str_of(raw), false);
        bool spoken = strcmp(version, "HTTP/1.0") == 0 || strcmp(version, "HTTP/1.1") == 0;
        bool known = json_is_true(json_object_get(row, "ok"));
        CHECK_STR(rill__h1_reason_text(run.reason),
                  rill__h1_reason_text(spoken  ? RILL__H1_OK
                                       : known ? RILL__H1_VERSION_UNKNOWN
                                               : RILL__H1_VERSION));
        h1_finish(&run);
    }
    CHECK_INT(i, 17);
    json_decref(table);
}

TEST(go_tokens_in_lists)
{
    json_t *table = load("go-nethttp.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "hasToken"), i, row)
    {
        rill_auto(rill_headers) headers = rill_headers_new();
        REQUIRE(headers);
        CHECK_INT(rill_headers_add(headers, "Connection", text_of(row, "header")), 0);
        CHECK_INT(rill_headers_has_token(headers, "connection", text_of(row, "token")),
                  json_is_true(json_object_get(row, "want")));
    }
    CHECK_INT(i, 26);
    json_decref(table);
}
