/* Zones by their names: of the system's files, fixed offsets, rules, and this machine's own. */
#include "schedule/zone.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/usr/share/zoneinfo"
#define LOCAL_FILE "/etc/localtime"
/* Some fifty times the largest there is. */
#define FILE_MAX (256 * 1024)

/* ---- files ---- */

static int no_file(const char *name, const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return rill__fail(RILL_ENOTFOUND, "zone '%.100s': there is no %s", name, path);
    return rill__fail_errno(RILL_EOS, error, "zone '%.100s': %s", name, path);
}

/* The bytes of an open file of at most FILE_MAX; NULL with the error made. */
static char *read_all(const char *name, const char *path, int fd, size_t *ret_len)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX) {
        rill__fail(RILL_EINVAL, "zone '%.100s': %s is no file of a time zone", name, path);
        return NULL;
    }
    char *bytes = rill__alloc((size_t)info.st_size + 1);
    if (!bytes) {
        rill__fail_nomem();
        return NULL;
    }
    /* lint: allow read: a small regular file, as the resolver's own */
    ssize_t len = read(fd, bytes, (size_t)info.st_size);
    if (len < 0) {
        no_file(name, path, errno);
        rill__free(bytes);
        return NULL;
    }
    *ret_len = (size_t)len;
    return bytes;
}

static rill_zone *zone_of_file(const char *name, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        no_file(name, path, errno);
        return NULL;
    }
    size_t len;
    char *bytes = read_all(name, path, fd, &len);
    close(fd);
    if (!bytes)
        return NULL;
    rill_zone *zone = rill_zone_from(name, bytes, len);
    rill__free(bytes);
    return zone;
}

/* ---- names ---- */

/* Letters, digits and some signs, in parts that are not empty and do not begin with a dot: it
 * cannot lead out of the folder. */
static bool is_file_name(const char *name)
{
    char before = '/';
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("_+-.", c);
        if (before == '/' ? c == '/' || c == '.' || !plain : c != '/' && !plain)
            return false;
        before = c;
    }
    return before != '/' && len < 256;
}

static int two_digits(const char *text)
{
    bool digits = text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9';
    return digits ? (text[0] - '0') * 10 + text[1] - '0' : -1;
}

/* "+hh", "+hhmm" or "+hh:mm", to the east. */
static bool is_offset(const char *name, int *ret_seconds)
{
    if (name[0] != '+' && name[0] != '-')
        return false;
    int hours = two_digits(name + 1), minutes = 0;
    if (hours < 0 || hours > 23)
        return false;
    const char *rest = name + 3;
    if (*rest) {
        rest += *rest == ':';
        minutes = two_digits(rest);
        if (minutes < 0 || minutes > 59 || rest[2])
            return false;
    }
    int seconds = hours * 3600 + minutes * 60;
    *ret_seconds = name[0] == '-' ? -seconds : seconds;
    return true;
}

static rill_zone *fixed_zone(const char *name, int seconds)
{
    rill__zone_rule rule = { .standard.offset = seconds };
    snprintf(rule.standard.designation, sizeof rule.standard.designation, "%s",
             seconds == 0 && name[0] != '-' ? "UTC" : name);
    return rill__zone_of_rule(name, &rule);
}

static rill_zone *named_zone(const char *name)
{
    char path[600];
    const char *folder = secure_getenv("TZDIR");
    rill__zone_rule rule;
    rill_zone *zone = NULL;
    bool may_be_file = is_file_name(name);
    if (may_be_file) {
        snprintf(path, sizeof path, "%.300s/%s", folder && *folder ? folder : FOLDER, name);
        zone = zone_of_file(name, path);
    }
    if (zone || (may_be_file && rill_errcode() != RILL_ENOTFOUND))
        return zone;
    if (rill__zone_rule_parse(rill_str_of(name), &rule))
        return rill__zone_of_rule(name, &rule);
    if (!may_be_file)
        rill__fail(RILL_EINVAL,
                   "zone '%.100s': it is no name such as Europe/Berlin, no offset such "
                   "as +02:00 and no rule",
                   name);
    return NULL;
}

/* This machine's, as the C library has it: $TZ with or without a colon, a name, path or rule; empty
 * is UTC. Without it the file that the administrator chose. */
static rill_zone *local_zone(void)
{
    const char *name = secure_getenv("TZ");
    if (name && *name == ':')
        name++;
    if (name && *name == '\0')
        return fixed_zone("UTC", 0);
    if (name)
        return *name == '/' ? zone_of_file(name, name) : named_zone(name);
    rill_zone *zone = zone_of_file("local", LOCAL_FILE);
    if (!zone && rill_errcode() == RILL_ENOTFOUND)
        zone = fixed_zone("UTC", 0);
    return zone;
}

rill_zone *rill_zone_new(const char *name)
{
    int seconds;
    if (!name || strcmp(name, "local") == 0)
        return local_zone();
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0)
        return fixed_zone(name, 0);
    if (is_offset(name, &seconds))
        return fixed_zone(name, seconds);
    return named_zone(name);
}
