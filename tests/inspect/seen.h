/* What the tests of inspect share: a dump as text, and tasks that wait in different ways. */
#ifndef RILL_TESTS_INSPECT_SEEN_H
#define RILL_TESTS_INSPECT_SEEN_H

#include "harness.h"

#include <rill/rill.h>
#include <stdlib.h>

/* TEST whose body runs as a task, and returns 0. */
#define TASK_TEST(name)                                                                            \
    static int body_##name(void *arg);                                                             \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(rill_run(body_##name, NULL), 0);                                                 \
    }                                                                                              \
    static int body_##name(void *arg)

/* The dump by these options, to be freed; and what rill_dump has returned. */
#define DUMP(...) dump_text(NULL, RILL_OPTS(rill_dump_opts, __VA_ARGS__))
#define DUMP_COUNT(ret_count, ...) dump_text((ret_count), RILL_OPTS(rill_dump_opts, __VA_ARGS__))

static inline char *dump_text(ptrdiff_t *ret_count, const rill_dump_opts *given)
{
    static char *text;
    static size_t size;
    rill_dump_opts opts = *given;
    opts.out = open_memstream(&text, &size);
    ptrdiff_t count = rill_dump_with(&opts);
    fclose(opts.out);
    if (ret_count)
        *ret_count = count;
    return text;
}

/* Copies the line that contains the word; "" when there is none. */
static inline const char *line_with(const char *text, const char *word, char line[512])
{
    const char *at = strstr(text, word);
    line[0] = '\0';
    if (!at)
        return line;
    while (at > text && at[-1] != '\n')
        at--;
    snprintf(line, 512, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

#endif
