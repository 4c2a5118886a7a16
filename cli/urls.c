/* Collects URLs: see urls.h. */
#include "urls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct urls *urls)
{
    if (urls->count < urls->room)
        return 0;
    size_t room = urls->room ? urls->room * 2 : 16;
    char **items = realloc(urls->items, room * sizeof *items);
    if (!items)
        return -1;
    urls->items = items;
    urls->room = room;
    return 0;
}

int urls_add(struct urls *urls, const char *text, char *message, size_t message_size)
{
    if (urls->count >= URLS_MAX) {
        snprintf(message, message_size, "more than %u URLs", URLS_MAX);
        return -1;
    }
    const char *scheme = strstr(text, "://") ? "" : "http://";
    size_t size = strlen(scheme) + strlen(text) + 1;
    char *url = make_room(urls) == 0 ? malloc(size) : NULL;
    if (!url) {
        snprintf(message, message_size, "out of memory");
        return -1;
    }
    snprintf(url, size, "%s%s", scheme, text);
    urls->items[urls->count++] = url;
    return 0;
}

static char *trim(char *line)
{
    line += strspn(line, " \t");
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    return line;
}

static int add_lines(struct urls *urls, FILE *file, char *message, size_t message_size)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    while (rc == 0 && getline(&line, &size, file) >= 0) {
        const char *text = trim(line);
        if (*text && *text != '#')
            rc = urls_add(urls, text, message, message_size);
    }
    free(line);
    return rc;
}

int urls_add_file(struct urls *urls, const char *path, char *message, size_t message_size)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file) {
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    int rc = add_lines(urls, file, message, message_size);
    if (rc == 0 && ferror(file)) {
        snprintf(message, message_size, "%s: %s", path, strerror(errno));
        rc = -1;
    }
    if (file != stdin)
        fclose(file);
    return rc;
}

void urls_finish(struct urls *urls)
{
    for (size_t i = 0; i < urls->count; i++)
        free(urls->items[i]);
    free(urls->items);
    *urls = (struct urls){ 0 };
}
