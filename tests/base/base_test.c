/* base: buffers keep their maximum, arenas their limit, errors their tree and their text. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/list.h"
#include "harness.h"

#include <errno.h>
#include <math.h>
#include <rill/log.h>

TEST(buf_ends_with_nul_though_what_was_reserved_is_not_committed)
{
    rill__buf buf = rill__buf_make(1000);
    for (int i = 0; i < 2; i++) { /* the second time, with what malloc finds of the first */
        char *room = rill__buf_reserve(&buf, 100);
        CHECK_STR(buf.ptr, "");
        memset(room, 'x', 100);
        rill__buf_free(&buf);
    }
}

TEST(buf_grows_to_its_maximum_and_no_further)
{
    rill__buf buf = rill__buf_make(10);
    rill__buf_puts(&buf, "0123456789");
    CHECK(!buf.failed);
    CHECK_STR(buf.ptr, "0123456789");
    rill__buf_putc(&buf, 'x');
    CHECK(buf.failed && buf.too_long);
    rill__buf_reset(&buf);
    rill__buf_printf(&buf, "%d-%s", 7, "abc");
    CHECK_STR(buf.ptr, "7-abc");
    rill__buf_consume(&buf, 2);
    CHECK_STR(buf.ptr, "abc");
    CHECK_INT(buf.len, 3);
    rill__buf_free(&buf);
}

TEST(buf_says_when_memory_is_short)
{
    rill__buf buf = rill__buf_make(1000);
    rill__alloc_fail_at = rill__alloc_count + 1;
    rill__buf_puts(&buf, "x");
    CHECK(buf.failed && !buf.too_long);
    CHECK(rill__buf_take(&buf) == NULL);
    rill__buf_puts(&buf, "x");
    char *text = rill__buf_take(&buf);
    CHECK_STR(text, "x"); /* taking it told of the failure, and ended it */
    rill__free(text);
    rill__buf_free(&buf);
}

TEST(buf_take_of_nothing_is_empty_text)
{
    rill__buf buf = rill__buf_make(8);
    char *text = rill__buf_take(&buf);
    CHECK_STR(text, "");
    rill__free(text);
}

TEST(arena_aligns_copies_and_limits)
{
    rill__arena arena = { .max = 4096 };
    for (int i = 0; i < 10; i++) {
        char *at = rill__arena_alloc(&arena, 3);
        REQUIRE(at);
        CHECK_INT((uintptr_t)at % 16, 0);
        memset(at, 'x', 3);
    }
    CHECK_STR(rill__arena_dup(&arena, "hello", 4), "hell");
    CHECK_STR(rill__arena_printf(&arena, "%d %s", 42, "x"), "42 x");
    CHECK(rill__arena_alloc(&arena, 4096) == NULL);
    CHECK(rill__arena_alloc(&arena, SIZE_MAX - 3) == NULL);
    CHECK(rill__arena_alloc(&(rill__arena){ 0 }, SIZE_MAX - 15) == NULL); /* no wrap-around */
    rill__arena_reset(&arena);
    char *big = rill__arena_alloc(&arena, 4000);
    REQUIRE(big);
    memset(big, 'y', 4000);
    rill__arena_free(&arena);
}

TEST(errors_form_a_tree)
{
    rill_error error = { .code = RILL_ECONNECT_TIMEOUT };
    CHECK(rill_error_is(&error, RILL_ECONNECT_TIMEOUT));
    CHECK(rill_error_is(&error, RILL_ESERVER_TIMEOUT));
    CHECK(rill_error_is(&error, RILL_ETIMEDOUT));
    CHECK(rill_error_is(&error, RILL_ECLIENT));
    CHECK(!rill_error_is(&error, RILL_ECANCELED));
    CHECK(!rill_error_is(&error, RILL_ESOCK_CONNECT_TIMEOUT));
    CHECK(!rill_error_is(NULL, RILL_ECLIENT));
    CHECK(!rill_code_is(0, RILL_ECLIENT));
    CHECK(!rill_code_is(-1, -1));
    CHECK(rill_code_is(RILL_EREDIRECT_SCHEME, RILL_EREDIRECT));
    CHECK(rill_code_is(RILL_EREDIRECT_SCHEME, RILL_EURL));
    CHECK_STR(rill_code_name(RILL_EREFUSED), "RILL_EREFUSED");
    CHECK_STR(rill_code_text(RILL_EREFUSED), "connection refused");
    CHECK_STR(rill_code_name(5), "RILL_E?");
    CHECK_STR(rill_code_text(-1), "a number that is no code of rill");
}

TEST(every_code_has_its_own_value_and_a_known_parent)
{
    static const struct {
        int code, first, second;
    } codes[] = {
#define ROW(name, value, parent, second, meaning) { name, parent, second },
        RILL_ERROR_TABLE(ROW)
#undef ROW
    };
    size_t count = sizeof codes / sizeof codes[0];
    for (size_t i = 0; i < count; i++) {
        CHECK(codes[i].code < 0);
        for (size_t j = i + 1; j < count; j++)
            CHECK(codes[i].code != codes[j].code);
        CHECK(!codes[i].first || strcmp(rill_code_name(codes[i].first), "RILL_E?") != 0);
        CHECK(!codes[i].second || strcmp(rill_code_name(codes[i].second), "RILL_E?") != 0);
    }
}

TEST(last_error_keeps_message_cause_and_place)
{
    CHECK_INT(rill_errcode(), 0);
    CHECK_STR(rill_last_error()->message, "");
    CHECK_INT(rill__fail(RILL_EREFUSED, "connect %s", "a:80"), RILL_EREFUSED);
    rill__error_prefix("fetch %s: ", "http://a");
    rill__error_where("http://a");
    CHECK_INT(rill__error_recode(RILL_EDISCONNECTED), RILL_EDISCONNECTED);
    const rill_error *error = rill_last_error();
    CHECK_STR(error->message, "fetch http://a: connect a:80");
    CHECK_STR(error->where, "http://a");
    CHECK_INT(error->code, RILL_EDISCONNECTED);
    CHECK_INT(error->cause, RILL_EREFUSED);
    CHECK_INT(rill__fail_errno(RILL_EOS, EMFILE, "open"), RILL_EOS);
    CHECK_STR(rill_last_error()->message, "open: Too many open files");
    CHECK_INT(rill_last_error()->os_errno, EMFILE);
    rill__fail(RILL_EFAILED, "again: %s", rill_last_error()->message);
    CHECK_STR(rill_last_error()->message, "again: open: Too many open files");
    rill__error_free(&(rill_error *){ rill__error_slot() });
}

TEST(long_messages_are_cut_with_dots)
{
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    rill_error *owned = NULL;
    rill__error_owner = &owned;
    rill__fail(RILL_EFAILED, "%s", text);
    const char *message = rill_last_error()->message;
    CHECK_INT(strlen(message), sizeof owned->message - 1);
    CHECK_STR(message + strlen(message) - 4, "a...");
    rill__error_where(text);
    CHECK_INT(strlen(rill_last_error()->where), sizeof owned->where - 1);
    rill__error_free(&owned);
}

TEST(failing_for_memory_needs_none)
{
    rill_error *owned = NULL;
    rill__error_owner = &owned;
    rill__alloc_fail_at = rill__alloc_count + 1;
    CHECK_INT(rill__fail_nomem(), RILL_ENOMEM);
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    rill__error_free(&owned);
    CHECK_INT(rill_errcode(), 0);
}

/* The words are lost, the failure is not: not even when there is memory again for what is added. */
TEST(a_failure_without_memory_for_its_words_stays_one)
{
    rill_error *owned = NULL, *other = NULL, *moved = NULL;
    rill__error_owner = &owned;
    rill__alloc_fail_at = rill__alloc_count + 1;
    CHECK_INT(rill__fail(RILL_EDNS, "resolve"), RILL_EDNS);
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    rill__error_owner = &other;
    CHECK_INT(rill_errcode(), 0);
    rill__error_owner = &owned;
    CHECK_INT(rill__error_prefix("GET: "), RILL_ENOMEM);
    CHECK_CONTAINS(rill_last_error()->message, "GET: out of memory");
    rill__error_free(&owned);
    rill__alloc_fail_at = rill__alloc_count + 1;
    rill__fail(RILL_EDNS, "resolve");
    rill__error_move(&owned, &moved);
    CHECK_INT(rill_errcode(), 0);
    CHECK_INT(moved->code, RILL_ENOMEM);
    rill__error_free(&moved);
    rill__error_owner = NULL;
}

TEST(words_for_a_code_are_of_that_code)
{
    rill__fail(RILL_EDNS, "resolve a: gone");
    CHECK_STR(rill__error_words(RILL_EDNS), "resolve a: gone");
    CHECK_STR(rill__error_words(RILL_ETLS), rill_code_text(RILL_ETLS));
}

TEST(durations_round_up_and_saturate)
{
    CHECK(rill__seconds_ns(1.5) == 1500000000u);
    CHECK(rill__seconds_ns(-1) == 0);
    CHECK(rill__seconds_ns(1e-10) == 1);
    CHECK(rill__seconds_ns(1e300) == RILL__NEVER);
    CHECK(rill__seconds_ns((double)NAN) == RILL__NEVER);
    CHECK(rill__after(10, RILL__NEVER) == RILL__NEVER);
    CHECK(rill__after(10, 5) == 15);
}

TEST(list_removes_while_walking)
{
    rill__list head, nodes[4] = { { 0 } };
    rill__list_init(&head);
    for (int i = 0; i < 4; i++)
        rill__list_append(&head, &nodes[i]);
    int seen = 0;
    rill__list_each(node, &head) {
        seen++;
        if (node == &nodes[1])
            rill__list_remove(node);
    }
    CHECK_INT(seen, 4);
    CHECK(rill__list_pop(&head) == &nodes[0]);
    CHECK(rill__list_pop(&head) == &nodes[2]);
    rill__list_remove(&nodes[2]); /* twice is harmless */
    CHECK(!rill__list_linked(&nodes[2]));
    CHECK(rill__list_pop(&head) == &nodes[3]);
    CHECK(rill__list_empty(&head));
}

static char logged[200];

static void keep(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    snprintf(logged, sizeof logged, "%d %s %s", (int)level, subsystem, message);
}

TEST(log_goes_where_it_is_sent)
{
    rill_log_to(keep, NULL);
    rill_log(RILL_LOG_DEBUG, "x", "hidden");
    CHECK_STR(logged, "");
    rill_log(RILL_LOG_WARN, "x", "n=%d", 3);
    CHECK_STR(logged, "2 x n=3");
}
