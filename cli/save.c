/* Saves bodies to files: see save.h. */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <rill/rill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a URL may give to the name of a file or folder, in bytes: 255 is what Linux takes, and the
 * template adds to it. */
#define PART_MAX 200u

static const char *const fields[] = { "{n}", "{host}", "{path}", "{name}" };
enum field { FIELD_N, FIELD_HOST, FIELD_PATH, FIELD_NAME, FIELD_COUNT };

static enum field field_at(const char *text)
{
    for (int i = 0; i < FIELD_COUNT; i++)
        if (strncmp(text, fields[i], strlen(fields[i])) == 0)
            return (enum field)i;
    return FIELD_COUNT;
}

const char *save_template_check(const char *template_text)
{
    if (!*template_text)
        return "it is empty";
    for (const char *at = template_text; (at = strchr(at, '{')); at++)
        if (field_at(at) == FIELD_COUNT)
            return "only {n}, {host}, {path} and {name} may stand in braces";
    return NULL;
}

static int safe(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("._-~", c));
}

/* One part of a path; nothing at all becomes "_", and so does a dot in front. */
static void put_part(FILE *out, const char *part, size_t len)
{
    if (len == 0 || *part == '.')
        fputc('_', out);
    for (size_t i = *part == '.'; i < len && i < PART_MAX; i++)
        fputc(safe((unsigned char)part[i]) ? part[i] : '_', out);
}

static void put_path(FILE *out, const char *path)
{
    path++; /* it begins with a slash */
    while (*path) {
        size_t len = strcspn(path, "/");
        put_part(out, path, len);
        path += len;
        if (*path == '/')
            fputc(*path++, out);
        if (!*path && path[-1] == '/')
            break;
    }
    if (path[-1] == '/')
        fputs("index.html", out);
}

static void put_name(FILE *out, const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    if (*name)
        put_part(out, name, strlen(name));
    else
        fputs("index.html", out);
}

static void put_field(FILE *out, enum field field, size_t number, const rill_url *url)
{
    switch (field) {
    case FIELD_N:
        fprintf(out, "%zu", number);
        break;
    case FIELD_HOST:
        put_part(out, rill_url_hostname(url), strlen(rill_url_hostname(url)));
        break;
    case FIELD_PATH:
        put_path(out, rill_url_path(url));
        break;
    case FIELD_NAME:
        put_name(out, rill_url_path(url));
        break;
    case FIELD_COUNT:
        break;
    }
}

/* The path of one URL, or NULL. */
static char *path_of(const char *template_text, size_t number, const char *text)
{
    rill_auto(rill_url) url = rill_url_parse(text);
    char *path = NULL;
    size_t size = 0;
    FILE *out = url ? open_memstream(&path, &size) : NULL;
    if (!out)
        return NULL;
    for (const char *at = template_text; *at;) {
        enum field field = *at == '{' ? field_at(at) : FIELD_COUNT;
        if (field == FIELD_COUNT) {
            fputc(*at++, out);
            continue;
        }
        put_field(out, field, number, url);
        at += strlen(fields[field]);
    }
    if (fclose(out) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

/* ---- paths that differ ---- */

struct named {
    char *path;
    size_t index;
};

static int by_path(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order ? order : a->index < b->index ? -1 : 1;
}

/* Puts "+NUMBER" behind the stem of the name. A '+' never comes from a URL, and this one is always
 * the last of the path, so the result is like no other. */
static char *numbered(const char *path, size_t number)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *end = strrchr(name, '.');
    if (!end || end == name || strchr(end, '+'))
        end = name + strlen(name);
    char *result = NULL;
    if (asprintf(&result, "%.*s+%zu%s", (int)(end - path), path, number, end) < 0)
        return NULL;
    return result;
}

/* In each run of equal paths all but the first get a number. */
static int make_different(struct named *named, size_t count)
{
    qsort(named, count, sizeof *named, by_path);
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!first || strcmp(first, named[i].path) != 0) {
            first = named[i].path;
            continue;
        }
        char *path = numbered(first, named[i].index + 1);
        if (!path)
            return -1;
        free(named[i].path);
        named[i].path = path;
    }
    return 0;
}

/* Every URL's path goes to its place; one that is no URL has none. */
static int fill_paths(char **paths, const char *template_text, char **urls, size_t count)
{
    struct named *named = calloc(count, sizeof *named);
    if (!named)
        return -1;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        char *path = path_of(template_text, i + 1, urls[i]);
        if (path)
            named[used++] = (struct named){ path, i };
    }
    int rc = make_different(named, used);
    for (size_t i = 0; i < used; i++)
        paths[named[i].index] = named[i].path;
    free(named);
    return rc;
}

char **save_paths(const char *template_text, char **urls, size_t count)
{
    char **paths = calloc(count, sizeof *paths);
    if (paths && count > 0 && fill_paths(paths, template_text, urls, count) < 0) {
        save_paths_free(paths, count);
        return NULL;
    }
    return paths;
}

void save_paths_free(char **paths, size_t count)
{
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
}

/* ---- writing, on a worker thread ---- */

static int fail(const char *what, const char *path)
{
    return rill_fail(RILL_EOS, "%s %s: %s", what, path, strerror(errno));
}

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0777);
        if (rc < 0 && errno != EEXIST) {
            rc = fail("make the folder", path);
            *slash = '/';
            return rc;
        }
        *slash = '/';
    }
    return 0;
}

/* A device or a pipe: a file that takes its name would destroy it, so it is written as it is. */
static bool is_special(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode);
}

static const char *written(const struct save *save)
{
    return save->part ? save->part : save->path;
}

static int open_now(void *arg)
{
    struct save *save = arg;
    int rc = make_folders(save->path);
    if (rc < 0)
        return rc;
    if (is_special(save->path)) {
        free(save->part);
        save->part = NULL;
    }
    save->fd = open(written(save), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return save->fd < 0 ? fail("open", written(save)) : 0;
}

int save_open(struct save *save, const char *path)
{
    *save = (struct save){ .fd = -1, .path = strdup(path) };
    if (!save->path || asprintf(&save->part, "%s+part", path) < 0) {
        save->part = NULL;
        return rill_fail(RILL_ENOMEM, "out of memory");
    }
    return rill_to_thread(open_now, save);
}

struct piece {
    struct save *save;
    const char *bytes;
    size_t len;
};

static int write_now(void *arg)
{
    const struct piece *piece = arg;
    for (size_t done = 0; done < piece->len;) {
        ssize_t n = write(piece->save->fd, piece->bytes + done, piece->len - done);
        if (n < 0 && errno != EINTR)
            return fail("write", written(piece->save));
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int save_write(struct save *save, const void *bytes, size_t len)
{
    return rill_to_thread(write_now, &(struct piece){ save, bytes, len });
}

static int finish_now(void *arg)
{
    struct save *save = arg;
    int fd = save->fd;
    save->fd = -1;
    if (close(fd) < 0)
        return fail("close", written(save));
    if (save->part && rename(save->part, save->path) < 0)
        return fail("name", save->path);
    free(save->part);
    save->part = NULL;
    return 0;
}

int save_finish(struct save *save)
{
    return rill_to_thread(finish_now, save);
}

void save_drop(struct save *save)
{
    if (save->path && save->fd >= 0)
        close(save->fd);
    if (save->part)
        unlink(save->part);
    free(save->part);
    free(save->path);
    *save = (struct save){ .fd = -1 };
}
