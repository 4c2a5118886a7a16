/* Entity tags and preconditions: the grammar, the comparisons, the order of RFC 9110 13.2.2. */
#include "base/buf.h"
#include "harness.h"
#include "http/etag.h"

#include <stdlib.h>
#include <time.h>

#define MODIFIED INT64_C(784111777)
#define NOW (MODIFIED + 1000)
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AT "Sun, 06 Nov 1994 08:49:37 GMT"
#define AT_850 "Sunday, 06-Nov-94 08:49:37 GMT"
#define AT_ASCTIME "Sun Nov  6 08:49:37 1994"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const rill__etag strong = { { "v1", 2 }, false }, weak = { { "v1", 2 }, true };
static const rill__validators current = { &strong, true, false, MODIFIED };
static const rill__validators current_weak = { &weak, true, false, MODIFIED };
static const rill__validators nothing_known = { 0 };
static const rill__validators missing = { .missing = true };

static rill_str field(const char *text)
{
    return text ? rill_str_of(text) : (rill_str){ 0 };
}

TEST(a_tag_is_quoted_text)
{
    rill__etag etag;
    CHECK(rill__etag_parse(RILL_STR("\"xyzzy\""), &etag));
    CHECK(!etag.weak && rill_str_eq(etag.opaque, RILL_STR("xyzzy")));
    CHECK(rill__etag_parse(RILL_STR(" W/\"a,b\\\" "), &etag));
    CHECK(etag.weak && rill_str_eq(etag.opaque, RILL_STR("a,b\\")));
    CHECK(rill__etag_parse(RILL_STR("\"\""), &etag));
    CHECK_INT(etag.opaque.len, 0);
    CHECK(rill__etag_parse(RILL_STR("\"\x80\xff\""), &etag));

    static const char *const bad[] = { "",        "xyzzy",  "\"",      "\"xyzzy",  "xyzzy\"",
                                       "w/\"a\"", "W/",     "W/a",     "W\"a\"",   "W/ \"a\"",
                                       "\"a b\"", "\"a\"b", "\"a\"\"", "\"\x7f\"", "\"\t\"",
                                       "*",       "W/\"a",  "'a'" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (rill__etag_parse(rill_str_of(bad[i]), &etag))
            test_fail(__FILE__, __LINE__, "%s is taken for a tag", bad[i]);
    CHECK(rill_str_eq(etag.opaque, RILL_STR("\x80\xff"))); /* a failure leaves it alone */
}

/* The table of RFC 9110 8.8.3.2. */
TEST(a29_strong_and_weak_comparison)
{
    const rill__etag w1 = { { "1", 1 }, true }, w2 = { { "2", 1 }, true };
    const rill__etag s1 = { { "1", 1 }, false };
    CHECK(!rill__etag_strong_eq(&w1, &w1) && rill__etag_weak_eq(&w1, &w1));
    CHECK(!rill__etag_strong_eq(&w1, &w2) && !rill__etag_weak_eq(&w1, &w2));
    CHECK(!rill__etag_strong_eq(&w1, &s1) && rill__etag_weak_eq(&w1, &s1));
    CHECK(!rill__etag_strong_eq(&s1, &w1) && rill__etag_weak_eq(&s1, &w1));
    CHECK(rill__etag_strong_eq(&s1, &s1) && rill__etag_weak_eq(&s1, &s1));
}

TEST(a_list_is_walked_to_its_end_or_fault)
{
    rill__etag etag;
    rill_str list = RILL_STR(" ,\"a\" ,, W/\"b,c\"\t,\"d\",");
    CHECK_INT(rill__etag_next(&list, &etag), 1);
    CHECK(rill_str_eq(etag.opaque, RILL_STR("a")) && !etag.weak);
    CHECK_INT(rill__etag_next(&list, &etag), 1);
    CHECK(rill_str_eq(etag.opaque, RILL_STR("b,c")) && etag.weak);
    CHECK_INT(rill__etag_next(&list, &etag), 1);
    CHECK_INT(rill__etag_next(&list, &etag), 0);
    CHECK_INT(rill__etag_next(&list, &etag), 0);
    list = RILL_STR("\"a\" \"b\"");
    CHECK_INT(rill__etag_next(&list, &etag), -1);
    list = RILL_STR("\"a\", b");
    CHECK_INT(rill__etag_next(&list, &etag), 1);
    CHECK_INT(rill__etag_next(&list, &etag), -1);
}

struct row {
    const char *method;
    const rill__validators *validators;
    const char *match, *unmodified, *none_match, *modified;
};

static void check_row(int line, int expected, const struct row *row)
{
    rill__conditions conditions = { field(row->method), field(row->match), field(row->unmodified),
                                    field(row->none_match), field(row->modified) };
    int actual = rill__preconditions(&conditions, row->validators, NOW);
    if (actual != expected)
        test_fail(__FILE__, line, "%d, not %d", actual, expected);
}

#define CHECK_ROW(expected, method, validators, ...)                                               \
    check_row(__LINE__, expected, &(struct row){ method, &(validators), __VA_ARGS__ })

TEST(if_match)
{
    CHECK_ROW(0, "PUT", current, .match = "\"v1\"");
    CHECK_ROW(0, "PUT", current, .match = "\"v0\", \"v1\"");
    CHECK_ROW(412, "PUT", current, .match = "\"v0\"");
    CHECK_ROW(412, "GET", current, .match = "\"v0\"");
    CHECK_ROW(412, "PUT", current, .match = "W/\"v1\""); /* strong comparison */
    CHECK_ROW(412, "PUT", current_weak, .match = "\"v1\"");
    CHECK_ROW(412, "PUT", current_weak, .match = "W/\"v1\"");
    CHECK_ROW(0, "PUT", current, .match = "*");
    CHECK_ROW(0, "PUT", nothing_known, .match = " * ");
    CHECK_ROW(412, "PUT", missing, .match = "*");
    CHECK_ROW(412, "PUT", missing, .match = "\"v1\"");
    CHECK_ROW(412, "PUT", nothing_known, .match = "\"v1\"");
    CHECK_ROW(412, "PUT", current, .match = "");
    CHECK_ROW(412, "PUT", current, .match = "v1"); /* broken */
    CHECK_ROW(412, "PUT", current, .match = "v0, \"v1\"");
    CHECK_ROW(412, "PUT", missing, .match = "\"v1\", *", .unmodified = AFTER);
    CHECK_ROW(0, "OPTIONS", current, .match = "\"v0\"");
    CHECK_ROW(0, "CONNECT", current, .match = "\"v0\"");
    CHECK_ROW(0, "TRACE", current, .match = "\"v0\"");
}

TEST(if_unmodified_since)
{
    CHECK_ROW(412, "PUT", current, .unmodified = BEFORE);
    CHECK_ROW(0, "PUT", current, .unmodified = AT);
    CHECK_ROW(0, "PUT", current, .unmodified = AFTER);
    CHECK_ROW(412, "GET", current, .unmodified = BEFORE);
    CHECK_ROW(0, "PUT", current, .unmodified = "yesterday");
    CHECK_ROW(0, "PUT", nothing_known, .unmodified = BEFORE);
    CHECK_ROW(0, "PUT", current, .match = "\"v1\"",
              .unmodified = BEFORE); /* If-Match comes before it */
    CHECK_ROW(412, "PUT", current, .match = "\"v0\"", .unmodified = AFTER);
}

TEST(a29_if_none_match)
{
    CHECK_ROW(304, "GET", current, .none_match = "\"v1\"");
    CHECK_ROW(304, "HEAD", current, .none_match = "\"v1\"");
    CHECK_ROW(412, "PUT", current, .none_match = "\"v1\"");
    CHECK_ROW(412, "get", current, .none_match = "\"v1\"");         /* methods are case-sensitive */
    CHECK_ROW(304, "GET", current, .none_match = "\"a\",W/\"v1\""); /* weak comparison */
    CHECK_ROW(304, "GET", current_weak, .none_match = "\"v1\"");
    CHECK_ROW(0, "GET", current, .none_match = "\"v0\"");
    CHECK_ROW(0, "GET", current, .none_match = "\"V1\"");
    CHECK_ROW(304, "GET", current, .none_match = "*");
    CHECK_ROW(304, "GET", nothing_known, .none_match = "*");
    CHECK_ROW(412, "PUT", current, .none_match = "*");
    CHECK_ROW(0, "PUT", missing, .none_match = "*");
    CHECK_ROW(0, "GET", nothing_known, .none_match = "\"v1\"");
    CHECK_ROW(0, "GET", current, .none_match = "");
    CHECK_ROW(0, "GET", current, .none_match = "v1");
    CHECK_ROW(0, "GET", current, .none_match = "*, \"v1\"");
    CHECK_ROW(412, "PUT", current, .none_match = "v1"); /* broken: no permission to write */
    CHECK_ROW(412, "PUT", missing, .none_match = "v1");
    CHECK_ROW(412, "GET", current, .match = "\"v0\"",
              .none_match = "\"v1\""); /* If-Match comes first */
    CHECK_ROW(304, "GET", current, .match = "\"v1\"", .unmodified = BEFORE, .none_match = "\"v1\"");
    CHECK_ROW(412, "GET", current, .unmodified = BEFORE, .none_match = "\"v1\"");
}

TEST(a29_if_modified_since)
{
    CHECK_ROW(0, "GET", current, .modified = BEFORE);
    CHECK_ROW(304, "GET", current, .modified = AT);
    CHECK_ROW(304, "GET", current, .modified = AT_850);
    CHECK_ROW(304, "GET", current, .modified = AT_ASCTIME);
    CHECK_ROW(304, "HEAD", current, .modified = AFTER);
    CHECK_ROW(0, "POST", current, .modified = AFTER);
    CHECK_ROW(0, "GET", current, .modified = "0");
    CHECK_ROW(0, "GET", current, .modified = "");
    CHECK_ROW(0, "GET", nothing_known, .modified = AFTER);
    CHECK_ROW(0, "GET", current, .modified = "Wed, 31 Dec 1969 23:59:59 GMT");
    CHECK_ROW(304, "GET", current, .modified = "Tue, 19 Jan 2038 03:14:08 GMT");
    CHECK_ROW(0, "GET", current, .none_match = "\"v0\"",
              .modified = AFTER); /* If-None-Match overrides it */
    CHECK_ROW(304, "GET", current, .none_match = "\"v1\"", .modified = BEFORE);
    CHECK_ROW(0, "GET", current, .none_match = "", .modified = AFTER);
}

TEST(a28_if_range)
{
    CHECK(rill__if_range(RILL_STR("\"v1\""), &current, NOW));
    CHECK(!rill__if_range(RILL_STR("\"v0\""), &current, NOW));
    CHECK(!rill__if_range(RILL_STR("W/\"v1\""), &current, NOW));
    CHECK(!rill__if_range(RILL_STR("\"v1\""), &current_weak, NOW));
    CHECK(!rill__if_range(RILL_STR("W/\"v1\""), &current_weak, NOW));
    CHECK(!rill__if_range(RILL_STR("\"v1\""), &nothing_known, NOW));
    CHECK(!rill__if_range(RILL_STR("\"v1\", \"v1\""), &current, NOW)); /* one tag, no list */
    CHECK(!rill__if_range(RILL_STR("*"), &current, NOW));
    CHECK(!rill__if_range(RILL_STR(""), &current, NOW));

    CHECK(rill__if_range(RILL_STR(AT), &current, NOW));
    CHECK(rill__if_range(RILL_STR(AT_850), &current, NOW));
    CHECK(rill__if_range(RILL_STR(AT), &current, MODIFIED + 1));
    CHECK(!rill__if_range(RILL_STR(AT), &current, MODIFIED)); /* it may still change this second */
    CHECK(!rill__if_range(RILL_STR(BEFORE), &current, NOW));
    CHECK(!rill__if_range(RILL_STR(AFTER), &current, NOW)); /* exactly, not at least */
    CHECK(!rill__if_range(RILL_STR(AT), &nothing_known, NOW));
}

static double seconds_for(size_t tags, int expected, const char *last)
{
    rill__buf list = rill__buf_make(64 << 20);
    for (size_t i = 0; i < tags; i++)
        rill__buf_printf(&list, "W/\"%zu\", ", i);
    rill__buf_puts(&list, last);
    rill__conditions conditions = { .method = RILL_STR("GET"),
                                    .if_none_match = rill__buf_str(&list) };
    clock_t start = clock();
    CHECK_INT(rill__preconditions(&conditions, &current, NOW), expected);
    rill__buf_free(&list);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

TEST(a29_a_long_list_is_linear)
{
    seconds_for(1000, 304, "\"v1\"");
    seconds_for(1000, 0, "\"v2\"");
    /* A million in a second; a square of them would take hours. */
    CHECK(seconds_for(1000000, 304, "\"v1\"") < 1);
}
