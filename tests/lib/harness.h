/*
 * A small test harness: TEST(name) { … CHECK(…); } and one line at the end.
 *
 * Every test runs in a process of its own with a time limit, so that a crash or a hang is one
 * failed test; a file descriptor that it leaves open fails it too. A failed CHECK says where and
 * goes on (nothing jumps across stacks); REQUIRE returns from the function that it stands in.
 * Run `program NAME…` for the tests whose names contain one of the words, `-l` to list them.
 * The last line is "N passed, N failed, N skipped", and the exit status 1 when one failed.
 */
#ifndef RILL_TESTS_HARNESS_H
#define RILL_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
    double seconds; /* time limit */
    struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the test as skipped, with a word why; return after it. */
void test_skip(const char *why);
/* How many checks have failed in this test so far. */
int test_failures(void);

/* The folder with the tables of test cases ($RILL_TEST_DATA, else ../shared/data beside the
 * source tree), or NULL when it is absent: skip then. */
const char *test_data_dir(void);
/* The root of the source tree. */
const char *test_source_dir(void);
/* A whole file, NUL-terminated, to be freed; NULL when it cannot be read. */
char *test_read_file(const char *dir, const char *name, size_t *ret_len);

#define TEST_WITHIN(name, limit)                                                                   \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        static struct test entry = { #name, test_##name, limit, NULL };                            \
        test_register(&entry);                                                                     \
    }                                                                                              \
    static void test_##name(void)

#define TEST(name) TEST_WITHIN(name, 30)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                       \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK_INT(actual, expected)                                                                \
    do {                                                                                           \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                \
        if (actual_ != expected_)                                                                  \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #actual, actual_,           \
                      expected_, #expected);                                                       \
    } while (0)

#define CHECK_STR(actual, expected)                                                                \
    do {                                                                                           \
        const char *actual_ = (actual), *expected_ = (expected);                                   \
        if (!actual_ || strcmp(actual_, expected_) != 0)                                           \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #actual,                     \
                      actual_ ? actual_ : "(null)", expected_);                                    \
    } while (0)

#define CHECK_CONTAINS(text, part)                                                                 \
    do {                                                                                           \
        const char *text_ = (text), *part_ = (part);                                               \
        if (!text_ || !strstr(text_, part_))                                                       \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", which lacks \"%s\"", #text,               \
                      text_ ? text_ : "(null)", part_);                                            \
    } while (0)

#endif
