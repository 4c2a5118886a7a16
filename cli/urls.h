/* The URLs that a command works on: from its arguments, from a file, from standard input. */
#ifndef RILL_CLI_URLS_H
#define RILL_CLI_URLS_H

#include <stddef.h>

#define URLS_MAX 1000000u

struct urls {
    char **items;
    size_t count;
    size_t room;
};

/* Adds one, with "http://" in front when it names no scheme. 0, or -1 with a message. */
int urls_add(struct urls *urls, const char *text, char *message, size_t message_size);
/* Adds the lines of a file; "-" is standard input. Empty lines and those that begin with '#' are
 * passed over. 0, or -1 with a message that names file and line. */
int urls_add_file(struct urls *urls, const char *path, char *message, size_t message_size);
void urls_finish(struct urls *urls);

#endif
