/* The header table: order, case, limits, and refusals that say what is wrong. */
#include "http/headers.h"

#include "base/alloc.h"
#include "harness.h"

#include <rill/error.h>
#include <stdlib.h>

/* The table as "A=1,B=2,". */
static const char *shown(const rill_headers *headers)
{
    static char text[1000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < rill_headers_count(headers); i++) {
        rill_header header = rill_headers_at(headers, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s=%s,", header.name, header.value);
    }
    return text;
}

TEST(headers_keep_order_and_case)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    REQUIRE(headers);
    CHECK_INT(rill_headers_count(headers), 0);
    CHECK(rill_headers_get(headers, "a") == NULL);
    CHECK_INT(rill_headers_add(headers, "Accept", "1"), 0);
    CHECK_INT(rill_headers_add(headers, "X", "2"), 0);
    CHECK_INT(rill_headers_add(headers, "ACCEPT", " 3\t"), 0);
    CHECK_STR(shown(headers), "Accept=1,X=2,ACCEPT=3,");
    CHECK_STR(rill_headers_get(headers, "accept"), "1");
    size_t at = 0;
    CHECK_STR(rill_headers_next(headers, "aCCept", &at), "1");
    CHECK_STR(rill_headers_next(headers, "aCCept", &at), "3");
    CHECK(rill_headers_next(headers, "aCCept", &at) == NULL);
    CHECK(rill_headers_next(headers, "aCCept", &at) == NULL);
    CHECK(rill_headers_at(headers, 3).name == NULL);
    CHECK(rill_headers_get(headers, "accep") == NULL);
    CHECK(rill_headers_get(headers, "") == NULL);
}

TEST(headers_set_replaces_at_the_first_place)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    rill_headers_add_all(headers, RILL_HEADERS({ "A", "1" }, { "B", "2" }, { "a", "3" },
                                               { "C", "4" }, { "A", "5" }));
    CHECK_INT(rill_headers_set(headers, "a", "6"), 0);
    CHECK_STR(shown(headers), "a=6,B=2,C=4,");
    CHECK_INT(rill_headers_set(headers, "D", "7"), 0);
    CHECK_STR(shown(headers), "a=6,B=2,C=4,D=7,");
    CHECK_INT(rill_headers_set(headers, "C", "bad\n"), RILL_EINVAL);
    CHECK_STR(shown(headers), "a=6,B=2,C=4,D=7,");
}

TEST(headers_remove)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    rill_headers_add_all(headers,
                         RILL_HEADERS({ "A", "1" }, { "B", "2" }, { "a", "3" }, { "C", "4" }));
    CHECK_INT(rill_headers_remove(headers, "X"), 0);
    CHECK_INT(rill_headers_remove(headers, "A"), 2);
    CHECK_STR(shown(headers), "B=2,C=4,");
    CHECK_INT(rill_headers_remove(headers, "c"), 1);
    CHECK_INT(rill_headers_remove(headers, "b"), 1);
    CHECK_INT(rill_headers_count(headers), 0);
    CHECK_INT(headers->bytes, 0);
}

TEST(headers_take_their_own_text)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    rill_headers_add_all(headers, RILL_HEADERS({ "A", "1" }, { "B", "2" }, { "A", "3" }));
    CHECK_INT(rill_headers_set(headers, rill_headers_at(headers, 2).name,
                               rill_headers_at(headers, 2).value),
              0);
    CHECK_STR(shown(headers), "A=3,B=2,");
    CHECK_INT(rill_headers_add(headers, "A", rill_headers_get(headers, "A")), 0);
    CHECK_INT(rill_headers_remove(headers, rill_headers_at(headers, 0).name), 2);
    CHECK_STR(shown(headers), "B=2,");
}

TEST(headers_add_all_or_none)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    CHECK_INT(rill_headers_add_all(headers, NULL), 0);
    CHECK_INT(rill_headers_add(headers, "A", "1"), 0);
    CHECK_INT(rill_headers_add_all(headers, RILL_HEADERS({ "B", "2" }, { "C D", "3" })),
              RILL_EINVAL);
    CHECK_STR(shown(headers), "A=1,");
    CHECK_INT(headers->bytes, 2);
}

TEST(headers_has_token)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    rill_headers_add_all(headers, RILL_HEADERS({ "Connection", "keep-alive, ,Upgrade" },
                                               { "X", "close" }, { "connection", "te" }));
    CHECK(rill_headers_has_token(headers, "Connection", "upgrade"));
    CHECK(rill_headers_has_token(headers, "Connection", "TE"));
    CHECK(!rill_headers_has_token(headers, "Connection", "close"));
    CHECK(!rill_headers_has_token(headers, "Connection", "keep"));
    CHECK(!rill_headers_has_token(headers, "Connection", ""));
    CHECK(!rill_headers_has_token(headers, "Missing", "x"));
}

TEST(headers_refuse_names)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    CHECK_INT(rill_headers_add(headers, "", "x"), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "header: the name is empty");
    CHECK_INT(rill_headers_add(headers, NULL, "x"), RILL_EINVAL);
    CHECK_INT(rill_headers_add(headers, "X:", "x"), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "header name \"X\": byte 0x3a at 1 is not allowed");
    CHECK_INT(rill_headers_add(headers, "\xc3\xbc", "x"), RILL_EINVAL);
    CHECK_INT(rill_headers_set(headers, "a\r\nb", "x"), RILL_EINVAL);
    CHECK_INT(rill_headers_count(headers), 0);
}

TEST(headers_refuse_values)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    CHECK_INT(rill_headers_add(headers, "X-A", "ab\r\nSet-Cookie: c"), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "header X-A: byte 0x0d at 2 of the value is not allowed");
    CHECK_INT(rill__headers_add(headers, RILL_STR("X"), RILL_STR("a\0b")), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "header X: byte 0x00 at 1 of the value is not allowed");
    CHECK_INT(rill_headers_add(headers, "X", "a\x7f"), RILL_EINVAL);
    CHECK_INT(rill_headers_add(headers, "X", NULL), RILL_EINVAL);
    CHECK_STR(rill_last_error()->message, "header X: the value is NULL");
    CHECK_INT(rill_headers_add(headers, "X\n", NULL), RILL_EINVAL);
    CHECK_INT(rill_headers_count(headers), 0);
    CHECK_INT(rill_headers_add(headers, "X", "t\xc3\xa4g\tlich"), 0);
    CHECK_INT(rill_headers_add(headers, "X", ""), 0);
    CHECK_INT(rill_headers_add(headers, "X", " \t "), 0);
    CHECK_STR(rill_headers_at(headers, 2).value, "");
}

TEST(headers_are_bounded_in_count)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    for (int i = 0; i < RILL_HEADERS_MAX_COUNT; i++)
        REQUIRE(rill_headers_add(headers, "A", "b") == 0);
    CHECK_INT(rill_headers_add(headers, "A", "b"), RILL_ELIMIT);
    CHECK_INT(rill_headers_count(headers), RILL_HEADERS_MAX_COUNT);
    CHECK_INT(rill_headers_set(headers, "A", "c"), 0);
    CHECK_INT(rill_headers_count(headers), 1);
}

TEST(headers_are_bounded_in_bytes)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    char *value = malloc(RILL_HEADERS_MAX_BYTES + 1);
    memset(value, 'x', RILL_HEADERS_MAX_BYTES);
    value[RILL_HEADERS_MAX_BYTES] = '\0';
    CHECK_INT(rill_headers_add(headers, "A", value), RILL_ELIMIT);
    value[RILL_HEADERS_MAX_BYTES - 1] = '\0';
    CHECK_INT(rill_headers_add(headers, "A", value), 0);
    CHECK_INT(rill_headers_add(headers, "B", ""), RILL_ELIMIT);
    CHECK_INT(rill_headers_set(headers, "A", value), 0);
    CHECK_INT(rill_headers_set(headers, "A", "x"), 0);
    CHECK_INT(rill_headers_add(headers, "B", ""), 0);
    free(value);
}

TEST(headers_set_for_ever_does_not_grow)
{
    rill_auto(rill_headers) headers = rill_headers_new();
    for (int i = 0; i < 100000; i++)
        REQUIRE(rill_headers_set(headers, "A", "b") == 0);
    CHECK_INT(headers->bytes, 2);
    CHECK_INT(headers->cap, 8);
}

TEST(headers_in_an_arena_allocate_nothing_else)
{
    rill__arena arena = { 0 };
    CHECK(rill__arena_alloc(&arena, 1) != NULL);
    unsigned long before = rill__alloc_count;
    rill_headers headers;
    rill__headers_init(&headers, &arena);
    for (int i = 0; i < 8; i++)
        CHECK_INT(rill_headers_add(&headers, "Name", "value"), 0);
    CHECK_INT(rill_headers_set(&headers, "Name", "other"), 0);
    CHECK_STR(shown(&headers), "Name=other,");
    CHECK_INT(rill__alloc_count, before);
    rill__headers_finish(&headers);
    CHECK_INT(rill_headers_count(&headers), 0);
    rill__arena_free(&arena);
}

static int fill(rill_headers *headers)
{
    for (int i = 0; i < 10; i++) {
        int rc = rill_headers_add(headers, "A", "b");
        if (rc < 0)
            return rc;
    }
    return rill_headers_set(headers, "A", "c");
}

TEST(headers_say_when_memory_is_short)
{
    rill__alloc_fail_at = rill__alloc_count + 1;
    CHECK(rill_headers_new() == NULL);
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    for (unsigned long n = 1;; n++) {
        rill_auto(rill_headers) headers = rill_headers_new();
        rill__alloc_fail_at = rill__alloc_count + n;
        int rc = fill(headers);
        bool failed = rill__alloc_count >= rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        CHECK_INT(rc, failed ? RILL_ENOMEM : 0);
        size_t count = rill_headers_count(headers);
        CHECK(failed ? count <= 10 : count == 1);
        CHECK_INT(headers->bytes, 2 * count);
        if (!failed)
            break;
        REQUIRE(n < 100);
    }
}

TEST(headers_free_takes_null)
{
    rill_headers_free(NULL);
}
