/* The model of `rill watch`, its JSON by the schema in checks.h, and the metrics. */
#include "cli/checks.h"
#include "cli/metrics.h"
#include "cli/page.h"
#include "cli/utf8.h"

#include "harness.h"

#include <math.h>
#include <stdlib.h>

static struct check_result good(int64_t time_ms, double duration_ms)
{
    return (struct check_result){
        .time_ms = time_ms, .duration_ms = duration_ms, .bytes = 13, .status = 200, .ok = true
    };
}

static struct check_result bad(int64_t time_ms, const char *error, const char *message)
{
    struct check_result result = { .time_ms = time_ms, .duration_ms = 3 };
    snprintf(result.error, sizeof result.error, "%s", error);
    snprintf(result.message, sizeof result.message, "%s", message);
    return result;
}

static bool apply(struct check *check, struct check_result result)
{
    return check_apply(check, &result, 1000);
}

/* A member of a document by its names, for instance "uptime.window". */
static const json_t *at(const json_t *document, const char *path)
{
    char name[40];
    while (document && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        document = json_is_array(document) ? json_array_get(document, (size_t)atoi(name))
                                           : json_object_get(document, name);
        path += len + (path[len] == '.');
    }
    return document;
}

#define CHECK_JSON(document, path, text)                                                           \
    do {                                                                                           \
        char *json_ = json_dumps(at(document, path),                                               \
                                 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));        \
        if (!json_ || strcmp(json_, text) != 0)                                                    \
            test_fail(__FILE__, __LINE__, "%s is %s, not %s", path, json_, text);                  \
        free(json_);                                                                               \
    } while (0)

TEST(an_endpoint_goes_through_its_states)
{
    struct checks checks = { .every = 5 };
    struct check *check = checks_add(&checks, "http://a/", NULL);
    CHECK_INT(check->state, CHECK_PENDING);
    CHECK(apply(check, good(1000, 20)));
    CHECK_INT(check->state, CHECK_UP);
    CHECK(!apply(check, good(2000, 20)));
    CHECK_INT(check->streak, 2);
    CHECK(apply(check, good(3000, 1500)));
    CHECK_INT(check->state, CHECK_SLOW);
    CHECK_INT(check->streak, 3);
    CHECK_INT(check->since_ms, 1000);
    CHECK(apply(check, bad(4000, "connect_refused", "connect a:80: connection refused")));
    CHECK_INT(check->state, CHECK_DOWN);
    CHECK_INT(check->streak, 1);
    CHECK_INT(check->since_ms, 4000);
    CHECK(apply(check, good(5000, 20)));
    CHECK_STR(check->last_failure.error, "connect_refused");
    CHECK_INT(check->last_failure.time_ms, 4000);
    CHECK_INT(check->checks, 5);
    CHECK_INT(check->failures, 1);
    checks_finish(&checks);
}

TEST(the_json_of_an_endpoint_follows_the_schema)
{
    struct checks checks = { .every = 5 };
    struct check *check = checks_add(&checks, "http://a/", "alpha");
    json_t *document = check_json(check);
    for (const char *const *name = (const char *const[]){ "time", "ms", "status", "bytes", "error",
                                                          "last_error", "since", "first", NULL };
         *name; name++)
        CHECK_JSON(document, *name, "null");
    CHECK_JSON(document, "state", "\"pending\"");
    CHECK_JSON(document, "uptime", "{\"window\":null,\"total\":null}");
    json_decref(document);

    apply(check, good(1000, 20.123));
    apply(check, good(2000, 30));
    apply(check, bad(3000, "timeout_total", "no answer within 3 s"));
    char *text = checks_dump(check_json(check));
    CHECK_STR(text,
              "{\"id\":0,\"url\":\"http://a/\",\"label\":\"alpha\",\"state\":\"down\","
              "\"time\":3000,\"ms\":3.0,\"status\":null,\"bytes\":0,"
              "\"error\":{\"class\":\"timeout_total\",\"message\":\"no answer within 3 s\","
              "\"time\":3000},"
              "\"last_error\":{\"class\":\"timeout_total\",\"message\":\"no answer within 3 s\","
              "\"time\":3000},"
              "\"streak\":1,\"since\":3000,\"checks\":3,\"failures\":1,\"first\":1000,"
              "\"uptime\":{\"window\":66.666,\"total\":66.666}}");
    free(text);
    checks_finish(&checks);
}

TEST(the_json_of_the_list_follows_the_schema)
{
    struct checks checks = { .every = 0.5, .started_ms = 77 };
    apply(checks_add(&checks, "http://a/", NULL), good(1000, 20));
    apply(checks_add(&checks, "http://b/", NULL), bad(1000, "x", "y"));
    checks_add(&checks, "http://c/", NULL);
    json_t *document = checks_json(&checks, 5000);
    CHECK_JSON(document, "v", "1");
    CHECK_JSON(document, "now", "5000");
    CHECK_JSON(document, "started", "77");
    CHECK_JSON(document, "every", "0.5");
    CHECK_JSON(document, "trouble", "null");
    CHECK_JSON(document, "totals", "{\"pending\":1,\"up\":1,\"slow\":0,\"down\":1}");
    CHECK_JSON(document, "checks.0.history", "[20.0]");
    CHECK_JSON(document, "checks.1.history", "[null]");
    CHECK_JSON(document, "checks.2.history", "[]");
    json_decref(document);
    checks_finish(&checks);
}

TEST(the_ring_keeps_the_newest)
{
    struct checks checks = { .every = 5 };
    struct check *check = checks_add(&checks, "http://a/", NULL);
    for (int i = 1; i <= CHECKS_KEPT + 7; i++)
        apply(check, i <= 7 ? bad(i, "x", "y") : good(i, i));
    json_t *document = checks_json(&checks, 0);
    const json_t *history = at(document, "checks.0.history");
    CHECK_INT(json_array_size(history), CHECKS_KEPT);
    CHECK_JSON(history, "0", "8.0");
    CHECK_JSON(history, "119", "127.0");
    CHECK_JSON(document, "checks.0.uptime.window", "100.0");
    CHECK_JSON(document, "checks.0.uptime.total", "94.488");
    json_decref(document);
    checks_finish(&checks);
}

TEST(an_earlier_run_is_taken_up)
{
    struct checks checks = { .every = 5 };
    struct check *check = checks_add(&checks, "http://a/", NULL);
    const struct check_result results[] = { bad(10, "x", "was down"), good(20, 5), good(30, 6) };
    check_restore(check, &(struct check_past){ results, 3, 1000, 40, 1 });
    CHECK_INT(check->state, CHECK_PENDING);
    CHECK_STR(check->last_failure.message, "was down");
    CHECK(apply(check, good(40, 7)));
    CHECK_INT(check->streak, 3);
    CHECK_INT(check->since_ms, 20);
    CHECK_INT(check->checks, 1001);
    CHECK_INT(check->failures, 40);
    CHECK_INT(check->first_ms, 1);
    CHECK_INT(check->point_count, 4);
    checks_finish(&checks);
}

TEST(passwords_are_not_shown)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        { "http://user:secret@host/a", "http://user:***@host/a" },
        { "http://user:se:cr@et@host?q", "http://user:***@host?q" },
        { "http://user@host/", "http://user@host/" },
        { "http://host/a:b@c", "http://host/a:b@c" },
        { "http://host:80/", "http://host:80/" },
        { "user:secret@host", "user:***@host" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct checks checks = { 0 };
        struct check *check = checks_add(&checks, cases[i].url, NULL);
        CHECK_STR(check->url, cases[i].url);
        CHECK_STR(check->shown, cases[i].shown);
        checks_finish(&checks);
    }
}

TEST(an_endpoint_is_added_once)
{
    struct checks checks = { 0 };
    struct check *first = checks_add(&checks, "http://a/", "one");
    CHECK(checks_add(&checks, "http://a/", "two") == first);
    CHECK(checks_add(&checks, "http://b/", NULL) != first);
    CHECK_INT(checks.count, 2);
    CHECK_INT(checks.items[1]->id, 1);
    checks_finish(&checks);
}

TEST(hostile_texts_become_valid_json)
{
    struct checks checks = { .every = 5 };
    struct check *check = checks_add(&checks, "http://a/\xff\"<script>", "\xc3(");
    struct check_result result = bad(1, "x\n", "cut in the middle: \xe2\x82");
    result.duration_ms = NAN;
    apply(check, result);
    checks_set_trouble(&checks, "\x1b[2J");
    char *text = checks_dump(checks_json(&checks, 1));
    REQUIRE(text);
    CHECK_CONTAINS(text, "\"http://a/?\\\"<script>\"");
    CHECK_CONTAINS(text, "\"label\":\"?(\"");
    CHECK_CONTAINS(text, "\"cut in the middle: ??\"");
    CHECK_CONTAINS(text, "\"trouble\":\"?[2J\"");
    free(text);
    checks_finish(&checks);
}

TEST(utf8_is_checked_by_the_table)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        { "plain", "plain" },
        { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "\xc0\x80", "??" },           /* overlong */
        { "\xe0\x9f\xbf", "???" },      /* overlong */
        { "\xed\xa0\x80", "???" },      /* a surrogate */
        { "\xf4\x90\x80\x80", "????" }, /* over U+10FFFF */
        { "\xf5", "?" },
        { "a\xe2\x82", "a??" },
        { "\x01\x7f\t\n", "????" },
        { "\xc2\x85\xc2\xa0", "??\xc2\xa0" }, /* a control character, a space */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", cases[i].text);
        utf8_clean(text);
        CHECK_STR(text, cases[i].clean);
    }
}

TEST(trouble_is_told_when_it_changes)
{
    struct checks checks = { 0 };
    CHECK(!checks_set_trouble(&checks, NULL));
    CHECK(checks_set_trouble(&checks, "history is not being written: disk full"));
    CHECK(!checks_set_trouble(&checks, "history is not being written: disk full"));
    char *text = checks_dump(checks_trouble_json(&checks));
    CHECK_STR(text, "{\"trouble\":\"history is not being written: disk full\"}");
    free(text);
    CHECK(checks_set_trouble(&checks, ""));
    text = checks_dump(checks_trouble_json(&checks));
    CHECK_STR(text, "{\"trouble\":null}");
    free(text);
}

TEST(metrics_have_a_sample_for_everything)
{
    struct checks checks = { .every = 5, .started_ms = 1700000000500 };
    struct check *up = checks_add(&checks, "http://a/?x=\"1\"\\", "al\"pha");
    apply(up, good(1700000001000, 250));
    apply(up, good(1700000002250, 125));
    apply(checks_add(&checks, "http://b/", NULL), bad(1700000001000, "connect_refused", "no"));
    checks_add(&checks, "http://c/", NULL);
    checks_set_trouble(&checks, "disk full");
    size_t len = 0;
    char *text = metrics_text(&checks, &len);
    REQUIRE(text);
    CHECK_INT(len, strlen(text));
#define A "{url=\"http://a/?x=\\\"1\\\"\\\\\",name=\"al\\\"pha\""
    CHECK_CONTAINS(text, "# HELP rill_check_up Whether the last check of the endpoint succeeded.\n"
                         "# TYPE rill_check_up gauge\n"
                         "rill_check_up" A "} 1\n"
                         "rill_check_up{url=\"http://b/\"} 0\n"
                         "# HELP rill_check_duration_seconds");
    CHECK_CONTAINS(text, "\nrill_check_duration_seconds" A "} 0.125\n");
    CHECK_CONTAINS(text, "\nrill_check_status_code{url=\"http://b/\"} 0\n");
    CHECK_CONTAINS(text, "\nrill_check_response_bytes" A "} 13\n");
    CHECK_CONTAINS(text, "\nrill_check_last_time_seconds" A "} 1700000002.25\n");
    CHECK_CONTAINS(text, "\nrill_check_failure_info{url=\"http://b/\","
                         "reason=\"connect_refused\"} 1\n");
    CHECK_CONTAINS(text, "\nrill_checks_total" A ",result=\"ok\"} 2\n"
                         "rill_checks_total" A ",result=\"failed\"} 0\n");
    CHECK_CONTAINS(text, "\nrill_checks_total{url=\"http://c/\",result=\"ok\"} 0\n");
    CHECK_CONTAINS(text, "\nrill_watch_endpoints{state=\"pending\"} 1\n");
    CHECK_CONTAINS(text, "\nrill_watch_trouble 1\n");
    CHECK_CONTAINS(text, "\nprocess_start_time_seconds 1700000000.5\n");
    CHECK(strstr(text, "rill_check_up{url=\"http://c/\"}") == NULL);
    CHECK(text[len - 1] == '\n');
#undef A
    free(text);
    checks_finish(&checks);
}

/* The name of the sample's family, and whether its TYPE line stands above. */
TEST(metrics_have_help_and_type_above_every_sample)
{
    struct checks checks = { 0 };
    apply(checks_add(&checks, "http://a/", NULL), bad(1, "x", "y"));
    size_t len = 0;
    char *text = metrics_text(&checks, &len);
    REQUIRE(text);
    for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
        if (*line == '#')
            continue;
        char type[80];
        snprintf(type, sizeof type, "# TYPE %.*s ", (int)strcspn(line, "{ "), line);
        char *found = strstr(text, type);
        if (!found || found > line)
            test_fail(__FILE__, __LINE__, "no \"%s\" above", type);
    }
    free(text);
    checks_finish(&checks);
}

TEST(the_page_is_embedded)
{
    CHECK_INT(page_file_count, 4);
    CHECK_STR(page_files[0].path, "/");
    CHECK_STR(page_files[0].content_type, "text/html; charset=utf-8");
    CHECK(page_files[0].size > 100);
    CHECK(memcmp(page_files[0].bytes, "<!doctype html>", 15) == 0);
    for (size_t i = 0; i < page_file_count; i++)
        CHECK(page_files[i].etag[0] == '"' && strlen(page_files[i].etag) == 22);
}
