/*
 * The HTTP/1 parsers against a public table of messages: what it accepts is accepted with the same
 * events at the same offsets, what it refuses is refused, and what it takes only in a lenient mode
 * is refused too; whole, byte by byte and at every two-split. Where rill chooses otherwise, the row
 * stands in `exceptions`.
 */
#include "h1_driver.h"
#include "harness.h"

#include <jansson.h>
#include <strings.h>

static const struct {
    const char *file, *name;
    enum rill__h1_reason reason; /* RILL__H1_OK: accepted by rill, refused by the table */
    const char *why;
} exceptions[] = {
    { "request/invalid.md", "HTTP protocol and ANNOUNCE method", RILL__H1_OK,
      "any token is a method (RFC 9110 9.1): the application knows which ones it serves" },
    { "request/invalid.md", "Invalid method", RILL__H1_OK, "the same" },
    { "request/method.md", "M-SEARCH request", RILL__H1_TARGET_FORM,
      "\"*\" goes with OPTIONS alone (RFC 9112 3.2.4); SSDP is not HTTP over TCP" },
    { "request/method.md", "SOURCE request with ICE", RILL__H1_VERSION, "the protocol is HTTP" },
    { "request/method.md", "OPTIONS request with RTSP", RILL__H1_VERSION, "the same" },
    { "request/method.md", "ANNOUNCE request with RTSP", RILL__H1_VERSION, "the same" },
    { "request/method.md", "PRI request HTTP2", RILL__H1_TARGET_FORM,
      "the preface of HTTP/2 is no request of HTTP/1" },
    { "request/sample.md", "No HTTP version", RILL__H1_VERSION, "HTTP/0.9 is not spoken" },
    { "request/transfer-encoding.md", "POST with `chunked` as last transfer-encoding",
      RILL__H1_CODING_UNKNOWN, "transfer codings besides chunked are not implemented: 501" },
    { "request/transfer-encoding.md",
      "POST with `chunked` as last transfer-encoding (multiple headers)", RILL__H1_CODING,
      "Transfer-Encoding stands in one line" },
    { "request/uri.md", "`host:port` and basic auth", RILL__H1_TARGET,
      "a user name in a target is an error (RFC 9110 4.2.4)" },
    { "response/sample.md", "RTSP response", RILL__H1_VERSION, "the protocol is HTTP" },
    { "response/sample.md", "ICE response", RILL__H1_VERSION, "the same" },
    { "response/sample.md", "HTTP version 0.9", RILL__H1_VERSION_UNKNOWN,
      "HTTP/0.9 has no status line" },
    { "response/transfer-encoding.md", "`chunked` before other transfer-encoding", RILL__H1_CODING,
      "a coding after chunked is an error of the server (RFC 9112 6.1)" },
    { "response/transfer-encoding.md",
      "multiple transfer-encoding where chunked is not the last one", RILL__H1_CODING, "the same" },
    { "response/transfer-encoding.md",
      "`chunkedchunked` transfer-encoding does not enable chunked enconding", RILL__H1_CODING,
      "an unknown transfer coding hides where the body ends and what it says" },
};

#define MAX_MESSAGES 16

/* One row: its bytes, with a Host put into each HTTP/1.1 request that lacks one. */
struct row {
    const char *file, *name, *type;
    json_t *expect;
    char *bytes;
    size_t len;
    struct {
        size_t at, len; /* in the bytes with all that was put in before */
    } hosts[MAX_MESSAGES];
    size_t host_count;
    struct h1_event *events;
    size_t count;
    bool refused, paused;
    bool skip_body;
};

static int hex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static size_t number_after(const char *text, const char *key, int base)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static void add_event(struct row *row, enum h1_kind kind, size_t at, rill_str text)
{
    struct h1_run run = { .events = row->events, .count = row->count };
    h1_event(&run, kind, at, text);
    row->events = run.events;
    row->count = run.count;
}

static void add_span(struct row *row, const char *line, size_t at)
{
    static const struct {
        const char *name;
        enum h1_kind kind;
    } kinds[] = {
        { "span[method]", H1_METHOD },      { "span[url]", H1_TARGET },
        { "span[status]", H1_PHRASE },      { "span[header_field]", H1_NAME },
        { "span[header_value]", H1_VALUE }, { "span[body]", H1_BODY },
        { "span[version]", H1_VERSION },
    };
    size_t len = number_after(line, "len=", 10);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!strstr(line, kinds[i].name))
            continue;
        if (at + len > row->len)
            test_fail(__FILE__, __LINE__, "%s: the row reaches behind its bytes", row->name);
        rill_str text = { row->bytes + at, len };
        while (kinds[i].kind == H1_VALUE && text.len > 0 &&
               (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
            text.len--;
        if (text.len > 0)
            add_event(row, kinds[i].kind, at, text);
    }
}

static void add_head(struct row *row, const char *line, size_t at)
{
    enum { FLAG_CHUNKED = 8, FLAG_LENGTH = 0x20 };
    size_t flags = number_after(line, "flags=", 16);
    const char *version = strstr(line, "v=");
    int status = (int)number_after(line, "status=", 10);
    bool has_body = !status || (status >= 200 && status != 204 && status != 304);
    char text[128];
    snprintf(text, sizeof text, "%c.%c %d length %lld%s", version[2], version[4], status,
             flags & FLAG_LENGTH ? (long long)number_after(line, "content_length=", 10) : -1,
             flags & FLAG_CHUNKED && has_body ? " chunked" : "");
    add_event(row, H1_HEAD, at, rill_str_of(text));
}

static void read_events(struct row *row)
{
    size_t i;
    json_t *value;
    json_array_foreach(row->expect, i, value)
    {
        const char *line = json_string_value(value);
        size_t at = number_after(line, "off=", 10);
        if (strstr(line, "span["))
            add_span(row, line, at);
        else if (strstr(line, "headers complete"))
            add_head(row, line, at);
        else if (strstr(line, "message complete"))
            add_event(row, H1_COMPLETE, at, RILL_STR(""));
    }
}

/* The table's inputs lost their last CRLF: put it back where the expectation reaches behind them,
 * and behind an open line that is to be refused: rill looks at whole lines. */
static void read_bytes(struct row *row, const char *digits)
{
    size_t len = strlen(digits) / 2, reach = 0, i;
    json_t *value;
    row->bytes = malloc(len + 3);
    for (size_t k = 0; k < len; k++)
        row->bytes[k] = (char)(hex(digits[2 * k]) << 4 | hex(digits[2 * k + 1]));
    json_array_foreach(row->expect, i, value)
    {
        const char *line = json_string_value(value);
        size_t end = number_after(line, "off=", 10) + number_after(line, "len=", 10);
        if (strstr(line, "error"))
            end++;
        if (end > reach)
            reach = end;
    }
    memcpy(row->bytes + len, "\r\n", 3);
    bool open_line = len < 2 || memcmp(row->bytes + len - 2, "\r\n", 2) != 0;
    row->len = reach > len || (row->refused && open_line) ? len + 2 : len;
}

/* Puts a Host behind the request line that ends there. */
static void insert_host(struct row *row, size_t line_end, rill_str authority)
{
    char line[300];
    size_t len =
        (size_t)snprintf(line, sizeof line, "Host: %.*s\r\n", (int)authority.len, authority.ptr);
    char *bytes = malloc(row->len + len + 1);
    memcpy(bytes, row->bytes, line_end);
    memcpy(bytes + line_end, line, len);
    memcpy(bytes + line_end + len, row->bytes + line_end, row->len - line_end);
    free(row->bytes);
    row->bytes = bytes;
    row->len += len;
    row->hosts[row->host_count].at = line_end;
    row->hosts[row->host_count++].len = len;
}

static bool has_host(const struct row *row, size_t event)
{
    for (size_t i = event; i < row->count && row->events[i].kind != H1_COMPLETE; i++)
        if (row->events[i].kind == H1_NAME && strcasecmp(row->events[i].text, "Host") == 0)
            return true;
    return false;
}

static void insert_hosts(struct row *row)
{
    size_t shift = 0;
    for (size_t i = 0; i < row->count && row->host_count < MAX_MESSAGES; i++) {
        const struct h1_event *target = &row->events[i];
        if (target->kind != H1_TARGET || i + 1 == row->count || has_host(row, i) ||
            strcmp(row->events[i + 1].text, "1.1") != 0)
            continue;
        /* " HTTP/1.1" and CRLF stand behind the target. */
        size_t end = target->at + target->len + 9 + 2 + shift;
        if (end > row->len || memcmp(row->bytes + end - 2, "\r\n", 2) != 0)
            continue;
        rill_str authority = RILL_STR("host.test");
        const char *slashes = strstr(target->text, "://");
        if (slashes)
            authority = (rill_str){ slashes + 3, strcspn(slashes + 3, "/?#") };
        insert_host(row, end, authority);
        shift += row->hosts[row->host_count - 1].len;
    }
}

static void read_row(struct row *row, json_t *json)
{
    *row = (struct row){
        .file = json_string_value(json_object_get(json, "file")),
        .name = json_string_value(json_object_get(json, "name")),
        .type = json_string_value(json_object_get(json, "type")),
        .expect = json_object_get(json, "expect"),
        .skip_body = json_object_get(json_object_get(json, "meta"), "skipBody") != NULL,
    };
    json_t *error = json_object_get(json, "error");
    long long code = json_integer_value(json_object_get(error, "code"));
    row->paused = code == 22 || code == 23;
    row->refused = json_is_object(error) && !row->paused;
    read_bytes(row, json_string_value(json_object_get(json, "input_hex")));
    read_events(row);
    if (strncmp(row->type, "request", 7) == 0)
        insert_hosts(row);
}

static void free_row(struct row *row)
{
    struct h1_run run = { .events = row->events, .count = row->count };
    h1_finish(&run);
    free(row->bytes);
}

/* An offset in the bytes that were fed, as one of the table's. */
static size_t original(const struct row *row, size_t at)
{
    size_t shift = 0;
    for (size_t i = 0; i < row->host_count; i++)
        if (at >= row->hosts[i].at + row->hosts[i].len)
            shift += row->hosts[i].len;
    return at - shift;
}

static bool is_inserted(const struct row *row, const struct h1_event *event)
{
    for (size_t i = 0; i < row->host_count; i++)
        if ((event->kind == H1_NAME || event->kind == H1_VALUE) && event->at >= row->hosts[i].at &&
            event->at < row->hosts[i].at + row->hosts[i].len)
            return true;
    return false;
}

static void start(struct h1_run *run, const struct row *row)
{
    *run = (struct h1_run){
        .response = strncmp(row->type, "response", 8) == 0,
        .skip_body = row->skip_body,
    };
}

/* Bytes after a message that ends the connection are the table's "data after close". */
static bool is_refused(const struct row *row, const struct h1_run *run)
{
    if (run->outcome != H1_CLOSED)
        return run->outcome == H1_REFUSED;
    for (size_t i = run->base; i < row->len; i++)
        if (row->bytes[i] != '\r' && row->bytes[i] != '\n')
            return true;
    return false;
}

/* In a refused line the table may have seen the front of a value only. */
static bool same_event(const struct row *row, const struct h1_event *ours,
                       const struct h1_event *theirs, bool front)
{
    size_t at = ours->at == H1_NOWHERE ? theirs->at : original(row, ours->at);
    return ours->kind == theirs->kind && at == theirs->at &&
           (ours->len == theirs->len || (front && ours->len > theirs->len)) &&
           memcmp(ours->text, theirs->text, theirs->len) == 0;
}

/* Whether the table's event is of a trailer that rill checks and drops. */
static bool is_dropped(const struct row *row, size_t k)
{
    bool in_body = false;
    for (size_t i = 0; i < k; i++)
        in_body = row->events[i].kind == H1_BODY || (in_body && row->events[i].kind != H1_COMPLETE);
    size_t name = row->events[k].kind == H1_VALUE ? k - 1 : k;
    return in_body && row->events[name].kind == H1_NAME &&
           rill__h1_not_a_trailer((rill_str){ row->events[name].text, row->events[name].len });
}

static void differ(const struct row *row, const char *what, const struct h1_event *event)
{
    test_fail(__FILE__, __LINE__, "%s: %s: %s \"%s\" at %zu", row->file, row->name, what,
              event->text, event->at);
}

/* Compares the events as far as both have them. What the table has more must lie in a line that is
 * not complete or was refused; what rill has more must come of a head that was refused as a whole.
 */
static void compare_events(const struct row *row, const struct h1_run *run)
{
    bool refused = is_refused(row, run);
    size_t i = 0, k = 0;
    for (; k < row->count; k++) {
        while (i < run->count && is_inserted(row, &run->events[i]))
            i++;
        if (is_dropped(row, k))
            continue;
        if (i == run->count)
            break;
        if (!same_event(row, &run->events[i], &row->events[k], refused && k + 1 == row->count)) {
            differ(row, "has", &run->events[i]);
            differ(row, "should have", &row->events[k]);
            return;
        }
        i++;
    }
    for (; i < run->count; i++)
        if (!refused && !is_inserted(row, &run->events[i]))
            differ(row, "has too much", &run->events[i]);
    size_t unread = original(row, run->outcome == H1_REFUSED ? run->base : h1_unread(run));
    for (; k < row->count; k++)
        if (run->outcome == H1_BETWEEN || row->events[k].at < unread)
            differ(row, "lacks", &row->events[k]);
}

static void compare_outcome(const struct row *row, const struct h1_run *run)
{
    bool lenient = strstr(row->type, "lenient") != NULL;
    bool refused = is_refused(row, run);
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (strcmp(exceptions[i].file, row->file) == 0 &&
            strcmp(exceptions[i].name, row->name) == 0) {
            if (run->reason != exceptions[i].reason || refused == (run->reason == RILL__H1_OK))
                test_fail(__FILE__, __LINE__, "%s: %s: %s", row->file, row->name,
                          rill__h1_reason_text(run->reason));
            return;
        }
    }
    if (refused != (row->refused || lenient)) {
        test_fail(__FILE__, __LINE__, "%s: %s: %s (%s)", row->file, row->name,
                  refused ? "refused" : "accepted", rill__h1_reason_text(run->reason));
        return;
    }
    if (row->paused && !lenient)
        CHECK_INT(run->outcome, H1_PAUSED);
    if (!lenient)
        compare_events(row, run);
}

static void check_row(const struct row *row)
{
    struct h1_run whole, split;
    start(&whole, row);
    h1_feed(&whole, row->bytes, row->len);
    bool ended = whole.outcome == H1_IN_HEAD;
    if (ended)
        h1_feed_end(&whole);
    compare_outcome(row, &whole);

    start(&split, row);
    for (size_t i = 0; i < row->len; i++)
        h1_feed(&split, row->bytes + i, 1);
    if (ended)
        h1_feed_end(&split);
    if (!h1_same(&whole, &split))
        test_fail(__FILE__, __LINE__, "%s: %s: differs byte by byte", row->file, row->name);
    for (size_t at = 1; at < row->len; at++) {
        h1_finish(&split);
        h1_feed(&split, row->bytes, at);
        h1_feed(&split, row->bytes + at, row->len - at);
        if (ended)
            h1_feed_end(&split);
        if (!h1_same(&whole, &split))
            test_fail(__FILE__, __LINE__, "%s: %s: differs when split at %zu", row->file, row->name,
                      at);
    }
    h1_finish(&whole);
    h1_finish(&split);
}

TEST_WITHIN(llhttp_vectors, 120)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, "llhttp-vectors.json", NULL) : NULL;
    if (!text) {
        test_skip("the table llhttp-vectors.json is absent");
        return;
    }
    json_t *table = json_loads(text, 0, NULL), *json;
    REQUIRE(json_is_array(table));
    size_t i, checked = 0;
    json_array_foreach(table, i, json)
    {
        struct row row;
        /* The rows about URLs alone are the URL parser's. */
        if (strcmp(json_string_value(json_object_get(json, "type")), "url") == 0)
            continue;
        read_row(&row, json);
        check_row(&row);
        free_row(&row);
        checked++;
    }
    CHECK_INT(checked, 251);
    json_decref(table);
    free(text);
}
