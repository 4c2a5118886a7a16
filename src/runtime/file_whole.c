/*
 * Whole files: read to the end, and replaced at once.
 *
 * Reading owns all that its thread needs, so it can be abandoned. Writing goes to a file of its own
 * in the same folder, reaches the disk, and takes the place of the old one by a rename, which is
 * made to reach the disk as well. Both look between two pieces whether they are still wanted.
 */
#include "runtime/file.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"

#include <fcntl.h>
#include <limits.h>
#include <rill/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define LIMIT_DEFAULT ((size_t)64 << 20)
/* So much is read or written before the thread looks whether it is still wanted. */
#define PIECE ((size_t)1 << 20)
/* Files of /proc say that they have no size. */
#define FIRST_ROOM ((size_t)16 << 10)
#define TEMPORARY_TRIES 10

static int stop_if_cancelled(const char *what, const char *path)
{
    return rill_thread_cancelled() ? rill__fail(RILL_ECANCELED, "%s %s: cancelled", what, path) : 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- reading ---- */

struct rill_contents {
    size_t len;
    char bytes[];
};

struct read_job {
    rill_contents *contents;
    size_t room; /* of the contents, without the NUL */
    size_t limit;
    char path[];
};

static void free_read(void *arg)
{
    struct read_job *job = arg;
    rill__free(job->contents);
    rill__free(job);
}

static int too_large(const struct read_job *job)
{
    return rill__fail(RILL_ELIMIT, "read %s: it is larger than %zu bytes", job->path, job->limit);
}

static int set_room(struct read_job *job, size_t room)
{
    size_t len = job->contents ? job->contents->len : 0;
    rill_contents *larger = rill__realloc(job->contents, sizeof *larger + room + 1);
    if (!larger)
        return rill__fail_nomem();
    larger->len = len;
    job->contents = larger;
    job->room = room;
    return 0;
}

/* Makes room for as much again. At the limit there is room for one more byte, to see whether it
 * comes. */
static int more_room(struct read_job *job)
{
    size_t most = job->limit < SIZE_MAX / 2 ? job->limit + 1 : SIZE_MAX / 2;
    if (job->room >= most)
        return too_large(job);
    return set_room(job, smaller(job->room * 2, most));
}

static int read_on(struct read_job *job, int fd)
{
    for (;;) {
        RILL__TRY(stop_if_cancelled("read", job->path));
        rill_contents *contents = job->contents;
        if (contents->len == job->room) {
            RILL__TRY(more_room(job));
            continue;
        }
        ssize_t n = RILL__RETRY(
            read(fd, contents->bytes + contents->len, smaller(job->room - contents->len, PIECE)));
        if (n < 0)
            return rill__file_fail(errno, "read", job->path);
        contents->len += (size_t)n;
        if (contents->len > job->limit)
            return too_large(job);
        if (n == 0)
            return 0;
    }
}

/* A file of the size that it says takes one piece of memory and is seen to end there. */
static int read_fd(struct read_job *job, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return rill__file_fail(errno, "read", job->path);
    size_t size = S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
    if (size > job->limit)
        return too_large(job);
    RILL__TRY(set_room(job, size > 0 ? size + 1 : smaller(FIRST_ROOM, job->limit) + 1));
    return read_on(job, fd);
}

static int read_all_now(void *arg)
{
    struct read_job *job = arg;
    int fd = RILL__RETRY(open(job->path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return rill__file_fail(errno, "open", job->path);
    int rc = read_fd(job, fd);
    close(fd);
    return rc;
}

static struct read_job *new_read(const rill_file_read_opts *opts)
{
    if (!opts->path) {
        rill__fail(RILL_EINVAL, "read: no path given");
        return NULL;
    }
    size_t len = strlen(opts->path);
    struct read_job *job = rill__zalloc(sizeof *job + len + 1);
    if (!job) {
        rill__fail_nomem();
        return NULL;
    }
    memcpy(job->path, opts->path, len);
    job->limit = opts->limit ? opts->limit : LIMIT_DEFAULT;
    return job;
}

rill_contents *rill_file_read_all_with(const rill_file_read_opts *given)
{
    rill_file_read_opts opts;
    rill__opts_read(opts, given);
    struct read_job *job = new_read(&opts);
    if (!job)
        return NULL;
    int rc = rill_to_thread(read_all_now, job, .abandon = opts.abandon, .discard = free_read);
    if (rc == RILL_ECANCELED) /* it is freed already, or will be */
        return NULL;
    rill_contents *contents = rc < 0 ? NULL : rill_take(job->contents);
    free_read(job);
    if (contents)
        contents->bytes[contents->len] = '\0';
    return contents;
}

rill_str rill_contents_text(const rill_contents *contents)
{
    return (rill_str){ contents->bytes, contents->len };
}

void rill_contents_free(rill_contents *contents)
{
    rill__free(contents);
}

/* ---- writing ---- */

struct write_job {
    const char *path;
    const char *bytes;
    const rill_file_write_opts *opts;
    char target[PATH_MAX];    /* the path, its links followed */
    char temporary[PATH_MAX]; /* beside it */
    bool replaces;
    struct stat old; /* of the file that is replaced */
};

static int write_failed(const struct write_job *job, const char *step)
{
    return rill__fail_errno(rill__file_code(errno), errno, "write %s: %s", job->path, step);
}

/* Finds the file that the path leads to, which must be a regular one or missing. */
static int find_target(struct write_job *job)
{
    size_t len = strlen(job->path);
    if (len >= sizeof job->target)
        return rill__file_fail(ENAMETOOLONG, "write", job->path);
    memcpy(job->target, job->path, len + 1);
    job->replaces = lstat(job->path, &job->old) == 0;
    if (!job->replaces)
        return errno == ENOENT ? 0 : rill__file_fail(errno, "write", job->path);
    if (S_ISLNK(job->old.st_mode) &&
        (!realpath(job->path, job->target) || stat(job->target, &job->old) < 0))
        return rill__file_fail(errno, "write", job->path);
    if (!S_ISREG(job->old.st_mode))
        return rill__fail(RILL_EINVAL, "write %s: not a regular file", job->path);
    return 0;
}

/* The length of the target's folder with its last slash; 0 for the current one. */
static size_t folder_len(const struct write_job *job)
{
    const char *slash = strrchr(job->target, '/');
    return slash ? (size_t)(slash - job->target) + 1 : 0;
}

static int open_temporary(struct write_job *job)
{
    unsigned permissions = job->opts->permissions ? job->opts->permissions : 0666;
    int fd = -1;
    for (int i = 0; i < TEMPORARY_TRIES && fd < 0; i++) {
        uint64_t number = 0;
        ssize_t n = getrandom(&number, sizeof number, 0);
        (void)n; /* without chance, the tries count on another file's end */
        number += (unsigned)i;
        int len = snprintf(job->temporary, sizeof job->temporary, "%.*s.rill-%016llx.tmp",
                           (int)folder_len(job), job->target, (unsigned long long)number);
        if (len < 0 || (size_t)len >= sizeof job->temporary)
            return rill__file_fail(ENAMETOOLONG, "write", job->path);
        fd = RILL__RETRY(
            open(job->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)permissions));
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? rill__file_fail(errno, "write", job->path) : fd;
}

/* Before a byte of it can be read by those who could not read the old one. */
static int keep_owner(const struct write_job *job, int fd)
{
    if (!job->replaces)
        return 0;
    int rc = fchown(fd, job->old.st_uid, job->old.st_gid);
    (void)rc; /* only root may give files away */
    if (!job->opts->permissions && fchmod(fd, job->old.st_mode & 07777) < 0)
        return write_failed(job, "chmod");
    return 0;
}

static int write_pieces(const struct write_job *job, int fd)
{
    for (size_t done = 0; done < job->opts->len;) {
        RILL__TRY(stop_if_cancelled("write", job->path));
        size_t len = smaller(job->opts->len - done, PIECE);
        int error = rill__file_write_fd(fd, job->bytes + done, len);
        if (error)
            return rill__file_fail(error, "write", job->path);
        done += len;
    }
    return 0;
}

static int fill_temporary(const struct write_job *job, int fd)
{
    RILL__TRY(keep_owner(job, fd));
    RILL__TRY(write_pieces(job, fd));
    if (!job->opts->no_sync && RILL__RETRY(fsync(fd)) < 0)
        return write_failed(job, "sync");
    return stop_if_cancelled("write", job->path);
}

/* The new contents are in place: that this lasts is all that can still fail. */
static int sync_folder(struct write_job *job)
{
    size_t len = folder_len(job);
    job->target[len] = '\0';
    int fd = RILL__RETRY(open(len ? job->target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0 && errno == EACCES)
        return 0; /* a folder that may be written to, but not read */
    int rc = fd < 0 ? -1 : RILL__RETRY(fsync(fd));
    if (rc < 0 && errno != EINVAL) /* not every file system has it */
        rc = write_failed(job, "it is written, but syncing its folder failed");
    else
        rc = 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int write_all_now(void *arg)
{
    struct write_job *job = arg;
    RILL__TRY(find_target(job));
    int fd = open_temporary(job);
    if (fd < 0)
        return fd;
    int rc = fill_temporary(job, fd);
    if (close(fd) < 0 && rc == 0)
        rc = write_failed(job, "close");
    if (rc == 0 && rename(job->temporary, job->target) < 0)
        rc = write_failed(job, "rename");
    if (rc < 0)
        unlink(job->temporary);
    return rc < 0 || job->opts->no_sync ? rc : sync_folder(job);
}

int rill_file_write_all_with(const char *path, const void *bytes, const rill_file_write_opts *given)
{
    rill_file_write_opts opts;
    rill__opts_read(opts, given);
    struct write_job *job = rill__zalloc(sizeof *job);
    if (!job)
        return rill__fail_nomem();
    job->path = path;
    job->bytes = bytes;
    job->opts = &opts;
    int rc = rill_to_thread(write_all_now, job);
    rill__free(job);
    return rc;
}
