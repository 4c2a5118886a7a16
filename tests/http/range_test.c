/* Byte ranges: the grammar, what lies outside, what becomes one, and the caps. */
#include "base/buf.h"
#include "harness.h"
#include "http/range.h"

#include <jansson.h>
#include <stdlib.h>

/* "206 0-4 9-10", as first and last byte. */
static const char *parse(const char *text, uint64_t size)
{
    static char result[1000];
    rill__ranges ranges = { 0 };
    int status = rill__range_parse(rill_str_of(text), size, &ranges);
    int len = snprintf(result, sizeof result, "%d", status);
    CHECK((status == 206) == (ranges.count > 0));
    for (size_t i = 0; i < ranges.count; i++) {
        const rill__range *range = &ranges.at[i];
        CHECK(range->len >= 1 && range->start < size && range->len <= size - range->start);
        len += snprintf(result + len, sizeof result - (size_t)len, " %llu-%llu",
                        (unsigned long long)range->start,
                        (unsigned long long)(range->start + range->len - 1));
    }
    return result;
}

TEST(the_three_kinds_of_range)
{
    CHECK_STR(parse("bytes=0-4", 11), "206 0-4");
    CHECK_STR(parse("bytes=2-", 11), "206 2-10");
    CHECK_STR(parse("bytes=-5", 11), "206 6-10");
    CHECK_STR(parse("bytes=-500", 11), "206 0-10");
    CHECK_STR(parse("bytes=5-1000", 11), "206 5-10");
    CHECK_STR(parse("bytes=0-0", 1), "206 0-0");
    CHECK_STR(parse("  Bytes= 0-1 ,\t, 5-6 , ", 11), "206 0-1 5-6");
}

TEST(a28_outside_of_the_body)
{
    CHECK_STR(parse("bytes=10-", 11), "206 10-10");
    CHECK_STR(parse("bytes=11-", 11), "416");
    CHECK_STR(parse("bytes=11-20,100-", 11), "416");
    CHECK_STR(parse("bytes=11-20,3-4", 11), "206 3-4");
    CHECK_STR(parse("bytes=-0", 11), "416");
    CHECK_STR(parse("bytes=-0,-1", 11), "206 10-10");
    CHECK_STR(parse("bytes=0-", 0), "200");
    CHECK_STR(parse("bytes=-1", 0), "200");
}

TEST(a28_what_is_no_range_is_ignored)
{
    static const char *const bad[] = {
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= ,\t,",
        "bytes=-",
        "bytes=x",
        "bytes=1",
        "bytes=5-1",
        "0-4",
        "bytes 0-4",
        "items=0-4",
        "bytes:0-4",
        "bytes=0-4x",
        "bytes=0 - 4",
        "bytes=+0-4",
        "bytes=0-+4",
        "bytes=--5",
        "bytes=0x1-2",
        "bytes=1-2-3",
        "bytes=0-1;2-3",
        "bytes=0-1,5-1",
        "bytes=0-1,a",
        "bytes==0-1",
        "bytes =0-1",
        "bytes=4-\xd9\xa5",
        "bytes=1.0-2",
        "bytes=0-1 2-3",
        "bytes=20-15",
        "none",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(parse(bad[i], 11), "200") != 0)
            test_fail(__FILE__, __LINE__, "%s gives %s", bad[i], parse(bad[i], 11));
    rill__ranges ranges;
    CHECK_INT(rill__range_parse((rill_str){ "bytes=0-1\0", 10 }, 11, &ranges), 200);
    CHECK_INT(rill__range_parse((rill_str){ NULL, 0 }, 11, &ranges), 200);
}

TEST(a28_huge_numbers_do_not_wrap)
{
    CHECK_STR(parse("bytes=18446744073709551615-", 11), "416");
    CHECK_STR(parse("bytes=18446744073709551616-", 11), "416");
    CHECK_STR(parse("bytes=18446744073709551617-18446744073709551618", 11), "416");
    CHECK_STR(parse("bytes=99999999999999999999999999999999999-", 11), "416");
    CHECK_STR(parse("bytes=1-18446744073709551616", 11), "206 1-10");
    CHECK_STR(parse("bytes=1-99999999999999999999999999999999999", 11), "206 1-10");
    CHECK_STR(parse("bytes=-18446744073709551617", 11), "206 0-10");
    CHECK_STR(parse("bytes=00000000000000000000000000000001-2", 11), "206 1-2");
    CHECK_STR(parse("bytes=0-", UINT64_MAX), "206 0-18446744073709551614");
    CHECK_STR(parse("bytes=-1,0-0,18446744073709551613-", UINT64_MAX),
              "206 18446744073709551613-18446744073709551614 0-0");
}

TEST(a28_what_overlaps_or_touches_becomes_one)
{
    CHECK_STR(parse("bytes=0-4,2-6", 11), "206 0-6");
    CHECK_STR(parse("bytes=0-4,5-6", 11), "206 0-6");
    CHECK_STR(parse("bytes=0-4,6-7", 11), "206 0-4 6-7");
    CHECK_STR(parse("bytes=0-9,2-3", 11), "206 0-9");
    CHECK_STR(parse("bytes=2-3,0-9", 11), "206 0-9");
    CHECK_STR(parse("bytes=6-7,0-1,3-4", 11), "206 6-7 0-1 3-4"); /* in the order asked for */
    CHECK_STR(parse("bytes=9-9,0-1,5-6,2-4", 11), "206 9-9 0-6"); /* the last fills a gap */
    CHECK_STR(parse("bytes=5-6,9-9,0-1,2-8", 11), "206 0-9");
    CHECK_STR(parse("bytes=0-,1-,2-,3-,4-", 11), "206 0-10");
}

/* So many ranges, `step` bytes from one to the next. */
static const char *parse_many(size_t count, size_t step)
{
    rill__buf text = rill__buf_make(1 << 20);
    rill__buf_puts(&text, "bytes=");
    for (size_t i = 0; i < count; i++)
        rill__buf_printf(&text, "%s%zu-%zu", i ? "," : "", i * step, i * step);
    const char *result = parse(text.ptr, 1000000);
    rill__buf_free(&text);
    return result;
}

TEST(a28_the_caps_hold_on_both_sides)
{
    CHECK_STR(parse_many(RILL__RANGE_SPECS_MAX, 0), "206 0-0");
    CHECK_STR(parse_many(RILL__RANGE_SPECS_MAX + 1, 0), "200");
    CHECK_STR(parse_many(1000, 0), "200");
    CHECK_STR(parse_many(RILL__RANGE_SPECS_MAX, 1), "206 0-99");
    CHECK_CONTAINS(parse_many(RILL__RANGES_MAX, 2), "206 0-0 2-2 4-4");
    CHECK_CONTAINS(parse_many(RILL__RANGES_MAX, 2), " 30-30");
    CHECK_STR(parse_many(RILL__RANGES_MAX + 1, 2), "200");
}

TEST(content_range)
{
    char text[RILL__CONTENT_RANGE_LEN];
    rill__content_range(&(rill__range){ 0, 5 }, 11, text);
    CHECK_STR(text, "bytes 0-4/11");
    rill__content_range(NULL, 11, text);
    CHECK_STR(text, "bytes */11");
    rill__content_range(&(rill__range){ UINT64_MAX - 1, 1 }, UINT64_MAX, text);
    CHECK_STR(text, "bytes 18446744073709551614-18446744073709551614/18446744073709551615");
    CHECK_INT(strlen(text), RILL__CONTENT_RANGE_LEN - 1);
}

/* Where we answer otherwise than the table. */
static const struct {
    const char *field, *ours, *why;
} exceptions[] = {
    { "bytes=0-,1-,2-,3-,4-", "206 0-10",
      "Go ignores ranges that sum up to more than the body; here they have become one" },
};

static bool is_exception(const char *field)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
        if (strcmp(field, exceptions[i].field) == 0) {
            CHECK_STR(parse(field, 11), exceptions[i].ours);
            return true;
        }
    }
    return false;
}

TEST(table_of_go)
{
    const char *dir = test_data_dir();
    char *text = dir ? test_read_file(dir, "go-nethttpx.json", NULL) : NULL;
    if (!text) {
        test_skip("no test data");
        return;
    }
    json_t *root = json_loads(text, JSON_ALLOW_NUL, NULL), *row, *range;
    size_t i, j, excepted = 0;
    json_array_foreach(json_object_get(root, "range"), i, row)
    {
        const char *field = json_string_value(json_object_get(row, "r"));
        REQUIRE(field);
        if (is_exception(field)) {
            excepted++;
            continue;
        }
        rill__buf expected = rill__buf_make(1000);
        rill__buf_printf(&expected, "%d", (int)json_integer_value(json_object_get(row, "code")));
        json_array_foreach(json_object_get(row, "ranges"), j, range) rill__buf_printf(
            &expected, " %d-%d", (int)json_integer_value(json_object_get(range, "start")),
            (int)json_integer_value(json_object_get(range, "end")) - 1);
        CHECK_STR(parse(field, 11), expected.ptr);
        rill__buf_free(&expected);
    }
    CHECK_INT(i, 22);
    CHECK_INT(excepted, sizeof exceptions / sizeof *exceptions);
    json_decref(root);
    free(text);
}
