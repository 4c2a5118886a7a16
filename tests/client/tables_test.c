/*
 * The client against tables of replies: curl's test suite and Go's net/http.
 *
 * Each reply is sent by a server that then closes, and is fetched and read to its end within a
 * second: no reply may hang or crash the client. Those that curl refuses as broken must be errors.
 */
#include "base/buf.h"
#include "harness.h"
#include "script.h"

#include <jansson.h>
#include <stdlib.h>

#define REPLY_MAX (8 << 20)

/* curl's codes that say that the reply itself is broken. The others are of what was asked of curl:
 * no answer to --fail (22), no resume (33), files (23, 26), proxies (7, 43, 97), an upload (25), a
 * limit on the size that we have for text only (63), a callback (42). */
static const struct {
    int code;
    const char *meaning;
} broken_codes[] = {
    { 1, "unsupported protocol: no HTTP/1, or an impossible status" },
    { 3, "malformed URL, in a redirect" },
    { 8, "weird server reply" },
    { 18, "partial file" },
    { 47, "too many redirects" },
    { 52, "got nothing" },
    { 56, "failure in receiving" },
    { 61, "bad encoding" },
    { 100, "too large" },
};

/* Rows that are errors of one of these codes to curl and not to us. */
static const struct {
    int test;
    const char *why;
} exceptions[] = {
    { 772, "two Locations matter only where one is followed, and this is a 200" },
    { 1142, "http://// is http:// to the WHATWG URL standard; the host is then looked up" },
    { 1244, "the reply is fine: it is the second one, of a proxy, that curl is to fail at" },
};

/* ---- the replies ---- */

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static void append_hex(rill__buf *out, const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2)
        rill__buf_putc(out, (char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1])));
}

/* "%hex[ab%00]hex%": bytes, of which some are escaped. */
static const char *expand_hex(rill__buf *out, const char *at)
{
    const char *end = strstr(at, "]hex%");
    if (!end)
        return NULL;
    for (at += strlen("%hex["); at < end; at++) {
        if (*at == '%') {
            rill__buf_putc(out, (char)(hex_digit(at[1]) << 4 | hex_digit(at[2])));
            at += 2;
        } else {
            rill__buf_putc(out, *at);
        }
    }
    return end + strlen("]hex%");
}

/* "%repeat[100 x text]%" */
static const char *expand_repeat(rill__buf *out, const char *at)
{
    const char *end = strstr(at, "]%"), *text = strstr(at, " x ");
    if (!end || !text || text > end)
        return NULL;
    long times = atol(at + strlen("%repeat["));
    text += strlen(" x ");
    for (long i = 0; i < times; i++) {
        for (const char *from = text; from < end; from++) {
            bool newline = *from == '%' && strncmp(from, "%0a", 3) == 0;
            rill__buf_putc(out, newline ? '\n' : *from);
            from += newline ? 2 : 0;
        }
    }
    return end + strlen("]%");
}

/* Expands the macros that stand for bytes; the others are text to us. */
static void expand(rill__buf *out, const char *text, size_t len)
{
    for (const char *at = text; at < text + len;) {
        const char *next = NULL;
        if (strncmp(at, "%CR", 3) == 0) {
            rill__buf_putc(out, '\r');
            next = at + 3;
        } else if (strncmp(at, "%hex[", 5) == 0) {
            next = expand_hex(out, at);
        } else if (strncmp(at, "%repeat[", 8) == 0) {
            next = expand_repeat(out, at);
        }
        if (!next) {
            rill__buf_putc(out, *at);
            next = at + 1;
        }
        at = next;
    }
}

/* The suite is lenient about line ends: with LF alone in the head every reply would be refused for
 * that reason, and not for its own. */
static void mend_head(rill__buf *out, const rill__buf *text)
{
    bool in_head = !memchr(text->ptr, '\r', text->len < 200 ? text->len : 200);
    for (size_t i = 0; i < text->len; i++) {
        char c = text->ptr[i];
        if (in_head && c == '\n' && (i == 0 || text->ptr[i - 1] != '\r'))
            rill__buf_putc(out, '\r');
        rill__buf_putc(out, c);
        in_head = in_head && !(c == '\n' && i > 0 && text->ptr[i - 1] == '\n');
    }
}

/* ---- one fetch ---- */

struct trial {
    const char *method;
    const char *reply;
    size_t len;
    bool follow;
    char *text; /* the body, when it came */
    size_t text_len;
    int status; /* or a code */
};

static int fetch_reply(void *arg)
{
    struct trial *trial = arg;
    struct step step = { .reply = trial->reply, .len = trial->len, .close = true };
    struct script *script = script_start(&step, 1);
    rill_session *session = rill_session_new(.timeout.total = 1);
    rill_response *response = rill_request_url(session, script->url, .method = trial->method,
                                               .no_redirects = !trial->follow);
    rill_str text;
    int rc = response ? rill_response_bytes(response, &text) : rill_errcode();
    trial->status = rc < 0 ? rc : rill_response_status(response);
    if (rc == 0) {
        trial->text = malloc(text.len + 1);
        memcpy(trial->text, text.ptr, text.len + 1);
        trial->text_len = text.len;
    }
    rill_response_free(response);
    rill_session_free(session);
    script_stop(script);
    return 0;
}

static json_t *load(const char *name)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, name, NULL) : NULL;
    if (!text) {
        test_skip("the tables of test cases are absent");
        return NULL;
    }
    json_t *table = json_loads(text, 0, NULL);
    free(text);
    CHECK(table);
    return table;
}

/* ---- curl ---- */

static bool is_broken(int code, int test)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++)
        if (exceptions[i].test == test)
            return false;
    for (size_t i = 0; i < sizeof broken_codes / sizeof broken_codes[0]; i++)
        if (broken_codes[i].code == code)
            return true;
    return false;
}

struct tally {
    int broken, refused, fine, fetched;
};

static void try_reply(const json_t *row, const rill__buf *reply, struct tally *tally)
{
    int code = (int)json_integer_value(json_object_get(row, "errorcode"));
    int test = (int)json_integer_value(json_object_get(row, "test"));
    struct trial trial = {
        .method = "GET",
        .reply = reply->ptr ? reply->ptr : "",
        .len = reply->len,
        /* Others lead to names that would be looked up. */
        .follow = code == 47 || test == 580 || test == 498,
    };
    run_in_loop(fetch_reply, &trial);
    free(trial.text);
    if (trial.status == RILL_ETOTAL_TIMEOUT)
        test_fail(__FILE__, __LINE__, "%d: it hangs", test);
    if (!tally)
        return;
    if (is_broken(code, test)) {
        tally->broken++;
        tally->refused += trial.status < 0;
        if (trial.status >= 0)
            test_fail(__FILE__, __LINE__, "%d %s: status %d, not an error of curl's code %d", test,
                      json_string_value(json_object_get(row, "name")), trial.status, code);
    } else if (code == 0) {
        tally->fine++;
        tally->fetched += trial.status >= 0;
    }
}

static void try_row(const json_t *row, struct tally *tally)
{
    const json_t *data = json_array_get(json_object_get(row, "datas"), 0);
    if (!data)
        return;
    rill__buf bytes = rill__buf_make(REPLY_MAX), expanded = bytes, whole = bytes;
    append_hex(&bytes, json_string_value(json_object_get(data, "hex")));
    if (bytes.len > 0) {
        expand(&expanded, bytes.ptr, bytes.len);
        mend_head(&whole, &expanded);
    }
    try_reply(row, &bytes, NULL); /* with macros and bare LFs: it must end, one way or the other */
    try_reply(row, &whole, tally);
    rill__buf_free(&bytes);
    rill__buf_free(&expanded);
    rill__buf_free(&whole);
}

TEST_WITHIN(replies_that_curl_refuses_are_errors, 120)
{
    json_t *table = load("curl-replies-even.json"), *row;
    if (!table)
        return;
    struct tally tally = { 0 };
    size_t i;
    json_array_foreach(table, i, row) try_row(row, &tally);
    CHECK_INT(i, 504);
    printf("curl: %d of %d broken replies refused; %d of %d others fetched\n", tally.refused,
           tally.broken, tally.fetched, tally.fine);
    CHECK(tally.broken >= 25);
    CHECK(tally.fetched * 10 > tally.fine * 8); /* not because everything is */
    json_decref(table);
}

/* ---- Go ---- */

/* Rows that Go takes, known by how they begin, and why we do not. */
static const struct {
    const char *start, *why;
} go_exceptions[] = {
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length", "two lengths" },
    { "HTTP/1.1 206 Partial Content\nConnection", "lines end with LF alone" },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: bogus", "an unknown transfer coding" },
    { "HTTP/1.0  401", "two spaces before the status" },
};

static bool is_go_exception(const char *raw)
{
    for (size_t i = 0; i < sizeof go_exceptions / sizeof go_exceptions[0]; i++)
        if (strncmp(raw, go_exceptions[i].start, strlen(go_exceptions[i].start)) == 0)
            return true;
    return false;
}

static void append_value(rill__buf *out, const json_t *value)
{
    if (json_is_string(value))
        rill__buf_append(out, json_string_value(value), json_string_length(value));
    else
        append_hex(out, json_string_value(json_object_get(value, "hex")));
}

static void try_go_row(const json_t *row)
{
    const json_t *wanted = json_object_get(row, "Resp");
    const char *method =
        json_string_value(json_object_get(json_object_get(wanted, "Request"), "Method"));
    rill__buf raw = rill__buf_make(REPLY_MAX), body = raw;
    append_value(&raw, json_object_get(row, "Raw"));
    append_value(&body, json_object_get(row, "Body"));
    struct trial trial = { .method = method ? method : "GET", .reply = raw.ptr, .len = raw.len };
    run_in_loop(fetch_reply, &trial);
    int status = (int)json_integer_value(json_object_get(wanted, "StatusCode"));
    bool coded = strstr(raw.ptr, "Content-Encoding") != NULL; /* Go's table has it undecoded */
    if (is_go_exception(raw.ptr))
        CHECK_INT(trial.status, RILL_EPROTOCOL);
    else if (trial.status != status)
        test_fail(__FILE__, __LINE__, "%s: %d, not %d", raw.ptr, trial.status, status);
    else if (!coded && (trial.text_len != body.len ||
                        (body.len > 0 && memcmp(trial.text, body.ptr, body.len) != 0)))
        test_fail(__FILE__, __LINE__, "%s: another body", raw.ptr);
    free(trial.text);
    rill__buf_free(&raw);
    rill__buf_free(&body);
}

TEST(go_responses)
{
    json_t *table = load("go-nethttp.json"), *row;
    if (!table)
        return;
    size_t i;
    json_array_foreach(json_object_get(table, "resp"), i, row) try_go_row(row);
    CHECK_INT(i, 23);
    json_decref(table);
}
