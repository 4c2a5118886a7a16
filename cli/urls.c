/* Collects URLs: see urls.h. */
#include "urls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line that is longer is no list of URLs. */
#define LINE_MAX_BYTES ((size_t)1 << 20)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Where lines come from, and where to say what is wrong with one. */
struct source {
    const char *name;
    size_t line; /* from 1 */
    char *message;
    size_t message_size;
};

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
    const char *colon = strstr(text, "://");
    bool named = colon && colon == text + strcspn(text, ":/?#");
    const char *scheme = named ? "" : "http://";
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

static int refuse_line(const struct source *source, const char *why)
{
    snprintf(source->message, source->message_size, "%s: line %zu %s", source->name, source->line,
             why);
    return -1;
}

static int add_line(struct urls *urls, const struct source *source, char *line, size_t len)
{
    if (len == LINE_MAX_BYTES && line[len - 1] != '\n')
        return refuse_line(source, "is too long");
    if (strlen(line) != len)
        return refuse_line(source, "holds a NUL byte");
    if (source->line == 1 && strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        line += strlen(BYTE_ORDER_MARK);
    const char *text = trim(line);
    if (!*text || *text == '#')
        return 0;
    return urls_add(urls, text, source->message, source->message_size);
}

/* Reads up to and with the line end, at most LINE_MAX_BYTES; the count, 0 at the end. */
static size_t read_line(FILE *file, char *line)
{
    size_t len = 0;
    for (int c; len < LINE_MAX_BYTES && (c = getc_unlocked(file)) != EOF;) {
        line[len++] = (char)c;
        if (c == '\n')
            break;
    }
    line[len] = '\0';
    return len;
}

static int add_lines(struct urls *urls, FILE *file, struct source *source)
{
    char *line = malloc(LINE_MAX_BYTES + 1);
    if (!line)
        return refuse_line(source, "finds memory short");
    int rc = 0;
    for (size_t len; rc == 0 && (len = read_line(file, line)) > 0;) {
        source->line++;
        rc = add_line(urls, source, line, len);
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
    struct source source = { path, 0, message, message_size };
    int rc = add_lines(urls, file, &source);
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
