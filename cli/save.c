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

/* One part of a path; "." and ".." and nothing at all become "_". */
static void put_part(FILE *out, const char *part, size_t len)
{
    if (len == 0 || (len <= 2 && memcmp(part, "..", len) == 0)) {
        fputc('_', out);
        return;
    }
    for (size_t i = 0; i < len && i < 200; i++)
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

char *save_path(const char *template_text, size_t number, const char *text)
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

static int open_now(void *arg)
{
    struct save *save = arg;
    int rc = make_folders(save->path);
    if (rc < 0)
        return rc;
    save->fd = open(save->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return save->fd < 0 ? fail("open", save->part) : 0;
}

int save_open(struct save *save, char *path)
{
    size_t size = strlen(path) + sizeof ".part";
    *save = (struct save){ .fd = -1, .path = path, .part = malloc(size) };
    if (!save->part)
        return rill_fail(RILL_ENOMEM, "out of memory");
    snprintf(save->part, size, "%s.part", path);
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
            return fail("write", piece->save->part);
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
        return fail("close", save->part);
    if (rename(save->part, save->path) < 0)
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
    if (save->part && save->fd >= 0)
        close(save->fd);
    if (save->part)
        unlink(save->part);
    free(save->part);
    free(save->path);
    *save = (struct save){ .fd = -1 };
}
