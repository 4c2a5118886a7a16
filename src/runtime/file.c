/*
 * Open files. Each call is a job on a thread, whose end the caller always awaits; so it may lie on
 * the caller's stack.
 *
 * A descriptor that is closed while a thread uses it may come back as another file's. So a file
 * counts the calls under way, and the last one closes a file that was freed meanwhile.
 */
#include "runtime/file.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <rill/task.h>

struct rill_file {
    rill__birth birth;
    int fd;
    unsigned users; /* calls under way */
    bool moving;    /* one of them uses the position */
    bool freed;
    char path[]; /* for messages */
};

/* ---- errors ---- */

int rill__file_code(int os_errno)
{
    return os_errno == ENOENT ? RILL_ENOTFOUND : os_errno == ENOMEM ? RILL_ENOMEM : RILL_EOS;
}

int rill__file_fail(int os_errno, const char *what, const char *path)
{
    return rill__fail_errno(rill__file_code(os_errno), os_errno, "%s %s", what, path);
}

/* ---- opening and closing ---- */

struct open_job {
    const char *path;
    int flags;
    unsigned permissions;
    rill_file *file;
};

/* The flags of a mode as of fopen; -1 when it is none. */
static int flags_of(const char *mode)
{
    int flags = -1;
    if (mode && *mode == 'r')
        flags = 0;
    else if (mode && *mode == 'w')
        flags = O_CREAT | O_TRUNC;
    else if (mode && *mode == 'a')
        flags = O_CREAT | O_APPEND;
    if (flags < 0)
        return -1;
    bool update = false;
    for (const char *at = mode + 1; *at; at++) {
        if (*at == '+' && !update)
            update = true;
        else if (*at == 'x' && (flags & O_CREAT) && !(flags & O_EXCL))
            flags |= O_EXCL;
        else
            return -1;
    }
    return flags | O_CLOEXEC | (update ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY);
}

static int open_now(void *arg)
{
    struct open_job *job = arg;
    size_t len = strlen(job->path);
    rill_file *file = rill__zalloc(sizeof *file + len + 1);
    if (!file)
        return rill__fail_nomem();
    memcpy(file->path, job->path, len);
    file->fd = RILL__RETRY(open(job->path, job->flags, (mode_t)job->permissions));
    if (file->fd < 0) {
        int error = errno;
        rill__free(file);
        return rill__file_fail(error, "open", job->path);
    }
    job->file = file;
    return 0;
}

rill_file *rill_file_open_with(const char *path, const rill_file_open_opts *given)
{
    rill_file_open_opts opts;
    rill__opts_read(opts, given);
    struct open_job job = {
        .path = path,
        .flags = flags_of(opts.mode),
        .permissions = opts.permissions ? opts.permissions : 0666,
    };
    if (job.flags < 0)
        rill__fail(RILL_EINVAL, "open %s: '%s' is no mode", path, opts.mode ? opts.mode : "");
    else
        rill_to_thread(open_now, &job);
    if (job.file)
        rill__born(&job.file->birth, "file", job.file->path, opts.file, opts.line);
    return job.file;
}

static int close_now(void *arg)
{
    rill_file *file = arg;
    int rc = close(file->fd);
    file->fd = -1;
    return rc < 0 ? rill__file_fail(errno, "close", file->path) : 0;
}

int rill_file_close(rill_file *file)
{
    RILL__TRY(rill__need_task("close"));
    if (file->users > 0)
        return rill__fail(RILL_EBUSY, "close %s: another task uses it", file->path);
    int rc = rill_to_thread(close_now, file);
    rill__died(&file->birth);
    if (file->fd >= 0) /* no thread has done it */
        rc = close_now(file);
    rill__free(file);
    return rc;
}

void rill_file_free(rill_file *file)
{
    if (!file)
        return;
    file->freed = true;
    rill__died(&file->birth);
    if (file->users > 0)
        return;
    close(file->fd);
    rill__free(file);
}

int rill_file_fd(const rill_file *file)
{
    return file->fd;
}

/* ---- calls on an open file ---- */

struct call {
    rill_file *file;
    void *buf;
    const void *bytes;
    size_t len;
    uint64_t offset;
    size_t count;
    rill_file_info *info;
};

static int call_file(rill_file *file, rill_task_fn *fn, struct call *call)
{
    call->file = file;
    file->users++;
    int rc = rill_to_thread(fn, call);
    if (--file->users == 0 && file->freed)
        rill_file_free(file);
    return rc;
}

/* The same for what uses the position. */
static int call_moving(rill_file *file, rill_task_fn *fn, struct call *call, const char *what)
{
    if (file->moving)
        return rill__fail(RILL_EBUSY, "%s %s: another task reads or writes it", what, file->path);
    file->moving = true;
    file->users++; /* so that it is still there to be marked */
    int rc = call_file(file, fn, call);
    file->moving = false;
    if (--file->users == 0 && file->freed)
        rill_file_free(file);
    return rc;
}

static int read_now(void *arg)
{
    struct call *call = arg;
    ssize_t n = RILL__RETRY(read(call->file->fd, call->buf, call->len));
    if (n < 0)
        return rill__file_fail(errno, "read", call->file->path);
    call->count = (size_t)n;
    return 0;
}

ptrdiff_t rill_file_read(rill_file *file, void *buf, size_t len)
{
    struct call call = { .buf = buf, .len = len };
    int rc = call_moving(file, read_now, &call, "read");
    return rc < 0 ? rc : (ptrdiff_t)call.count;
}

int rill__file_write_fd(int fd, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = RILL__RETRY(write(fd, (const char *)bytes + done, len - done));
        if (n < 0)
            return errno;
        done += (size_t)n;
    }
    return 0;
}

static int write_now(void *arg)
{
    struct call *call = arg;
    int error = rill__file_write_fd(call->file->fd, call->bytes, call->len);
    return error ? rill__file_fail(error, "write", call->file->path) : 0;
}

int rill_file_write(rill_file *file, const void *bytes, size_t len)
{
    struct call call = { .bytes = bytes, .len = len };
    return call_moving(file, write_now, &call, "write");
}

static int pread_now(void *arg)
{
    struct call *call = arg;
    while (call->count < call->len) {
        ssize_t n =
            RILL__RETRY(pread(call->file->fd, (char *)call->buf + call->count,
                              call->len - call->count, (off_t)(call->offset + call->count)));
        if (n < 0)
            return rill__file_fail(errno, "read", call->file->path);
        if (n == 0)
            break;
        call->count += (size_t)n;
    }
    return 0;
}

ptrdiff_t rill_file_pread(rill_file *file, void *buf, size_t len, uint64_t offset)
{
    struct call call = { .buf = buf, .len = len, .offset = offset };
    int rc = call_file(file, pread_now, &call);
    return rc < 0 ? rc : (ptrdiff_t)call.count;
}

static int pwrite_now(void *arg)
{
    struct call *call = arg;
    while (call->count < call->len) {
        ssize_t n =
            RILL__RETRY(pwrite(call->file->fd, (const char *)call->bytes + call->count,
                               call->len - call->count, (off_t)(call->offset + call->count)));
        if (n < 0)
            return rill__file_fail(errno, "write", call->file->path);
        call->count += (size_t)n;
    }
    return 0;
}

int rill_file_pwrite(rill_file *file, const void *bytes, size_t len, uint64_t offset)
{
    struct call call = { .bytes = bytes, .len = len, .offset = offset };
    return call_file(file, pwrite_now, &call);
}

int rill_file_seek(rill_file *file, uint64_t offset)
{
    if (file->moving)
        return rill__fail(RILL_EBUSY, "seek %s: another task reads or writes it", file->path);
    return lseek(file->fd, (off_t)offset, SEEK_SET) < 0 ? rill__file_fail(errno, "seek", file->path)
                                                        : 0;
}

static int truncate_now(void *arg)
{
    const struct call *call = arg;
    int rc = RILL__RETRY(ftruncate(call->file->fd, (off_t)call->offset));
    return rc < 0 ? rill__file_fail(errno, "truncate", call->file->path) : 0;
}

int rill_file_truncate(rill_file *file, uint64_t size)
{
    return call_file(file, truncate_now, &(struct call){ .offset = size });
}

static int sync_now(void *arg)
{
    const struct call *call = arg;
    int rc = RILL__RETRY(fsync(call->file->fd));
    return rc < 0 ? rill__file_fail(errno, "sync", call->file->path) : 0;
}

int rill_file_sync(rill_file *file)
{
    return call_file(file, sync_now, &(struct call){ 0 });
}

static int datasync_now(void *arg)
{
    const struct call *call = arg;
    int rc = RILL__RETRY(fdatasync(call->file->fd));
    return rc < 0 ? rill__file_fail(errno, "sync", call->file->path) : 0;
}

int rill_file_datasync(rill_file *file)
{
    return call_file(file, datasync_now, &(struct call){ 0 });
}

static int fstat_now(void *arg)
{
    const struct call *call = arg;
    struct stat status;
    if (fstat(call->file->fd, &status) < 0)
        return rill__file_fail(errno, "stat", call->file->path);
    rill__file_info_of(&status, call->info);
    return 0;
}

int rill_file_fstat(rill_file *file, rill_file_info *ret_info)
{
    return call_file(file, fstat_now, &(struct call){ .info = ret_info });
}
