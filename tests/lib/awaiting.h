/*
 * Calls outside tasks: every function that a public header marks RILL_AWAITS has to refuse them,
 * in a thread without a loop and in a callback of a loop. A table names the functions and calls
 * each; what a header marks and the table lacks is a failed test.
 */
#ifndef RILL_TESTS_AWAITING_H
#define RILL_TESTS_AWAITING_H

#include "harness.h"

#include <ctype.h>
#include <rill/error.h>
#include <stdlib.h>

struct awaiting {
    const char *name;
    int (*call)(void);  /* returns the code */
    bool needs_no_task; /* in a thread without a loop: there it may well wait */
};

static inline bool awaiting_has(const struct awaiting *rows, size_t count, const char *name,
                                size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return true;
    return false;
}

/* The first name after `at` that a "(" follows. */
static inline const char *awaiting_name(const char *at, size_t *ret_len)
{
    const char *end = strchr(at, '(');
    const char *begin = end;
    while (begin && begin > at && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_'))
        begin--;
    *ret_len = end ? (size_t)(end - begin) : 0;
    return begin;
}

static inline void check_awaiting_listed(const char *header, const struct awaiting *rows,
                                         size_t count)
{
    static const char mark[] = "\nRILL_AWAITS ";
    char path[64];
    snprintf(path, sizeof path, "include/rill/%s.h", header);
    char *text = test_read_file(test_source_dir(), path, NULL);
    REQUIRE(text);
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, mark)); found++) {
        size_t len = 0;
        at += strlen(mark);
        const char *name = awaiting_name(at, &len);
        REQUIRE(name);
        if (!awaiting_has(rows, count, name, len))
            test_fail(__FILE__, __LINE__, "%s: the table lacks %.*s", path, (int)len, name);
    }
    CHECK(found > 0);
    free(text);
}

static inline void check_awaiting_refused(const struct awaiting *rows, size_t count, bool any_loop)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].needs_no_task && !any_loop)
            continue;
        rill_fail(RILL_EFAILED, "nothing yet");
        int rc = rows[i].call();
        if (rc != RILL_ENOTASK || rill_errcode() != RILL_ENOTASK)
            test_fail(__FILE__, __LINE__, "%s: %s, %s", rows[i].name, rill_code_name(rc),
                      rill_last_error()->message);
    }
}

#endif
