/* Paths: what is there, what is in a folder, and names that come and go. */
#include "runtime/file.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <rill/task.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_MAX 100000

/* A call about a path or two. */
struct path_job {
    const char *path, *other;
    unsigned permissions;
    bool follow;
    rill_file_info *info;
};

/* ---- what is there ---- */

rill_file_kind rill__file_kind_of(mode_t mode)
{
    return S_ISREG(mode)   ? RILL_FILE_REGULAR
           : S_ISDIR(mode) ? RILL_FILE_DIRECTORY
           : S_ISLNK(mode) ? RILL_FILE_LINK
                           : RILL_FILE_OTHER;
}

static double seconds_of(const struct timespec *time)
{
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

void rill__file_info_of(const struct stat *status, rill_file_info *ret_info)
{
    *ret_info = (rill_file_info){
        .kind = rill__file_kind_of(status->st_mode),
        .permissions = status->st_mode & 07777,
        .size = (uint64_t)status->st_size,
        .links = status->st_nlink,
        .device = status->st_dev,
        .inode = status->st_ino,
        .user = status->st_uid,
        .group = status->st_gid,
        .modified = seconds_of(&status->st_mtim),
        .accessed = seconds_of(&status->st_atim),
        .changed = seconds_of(&status->st_ctim),
    };
}

static int stat_now(void *arg)
{
    const struct path_job *job = arg;
    struct stat status;
    int rc = job->follow ? stat(job->path, &status) : lstat(job->path, &status);
    if (rc < 0)
        return rill__file_fail(errno, "stat", job->path);
    rill__file_info_of(&status, job->info);
    return 0;
}

int rill_file_stat(const char *path, rill_file_info *ret_info)
{
    struct path_job job = { .path = path, .info = ret_info, .follow = true };
    return rill_to_thread(stat_now, &job);
}

int rill_file_lstat(const char *path, rill_file_info *ret_info)
{
    struct path_job job = { .path = path, .info = ret_info };
    return rill_to_thread(stat_now, &job);
}

/* ---- folders ---- */

struct rill_dir {
    rill_dir_entry *entries;
    size_t count, room;
    char *names; /* one after another, each with its NUL; entries count from its start at first */
    size_t names_len, names_room;
};

struct dir_job {
    const char *path;
    size_t limit;
    rill_dir *dir;
};

static void *grown(void *array, size_t *room, size_t least, size_t size)
{
    size_t count = *room ? *room * 2 : 32;
    while (count < least)
        count *= 2;
    void *larger = rill__realloc(array, count * size);
    if (larger)
        *room = count;
    return larger;
}

/* Makes room for one more entry. */
static bool make_room(rill_dir *dir, size_t name_len)
{
    if (dir->count == dir->room) {
        rill_dir_entry *entries =
            grown(dir->entries, &dir->room, dir->count + 1, sizeof *dir->entries);
        if (!entries)
            return false;
        dir->entries = entries;
    }
    if (dir->names_room - dir->names_len <= name_len) {
        char *names = grown(dir->names, &dir->names_room, dir->names_len + name_len + 1, 1);
        if (!names)
            return false;
        dir->names = names;
    }
    return true;
}

static rill_file_kind kind_of_entry(int folder, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN)
        return rill__file_kind_of((mode_t)DTTOIF(entry->d_type));
    struct stat status; /* a file system that does not say */
    return fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0
               ? rill__file_kind_of(status.st_mode)
               : RILL_FILE_OTHER;
}

static int add_entry(struct dir_job *job, int folder, const struct dirent *entry)
{
    rill_dir *dir = job->dir;
    size_t len = strlen(entry->d_name);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return 0;
    if (dir->count == job->limit)
        return rill__fail(RILL_ELIMIT, "read folder %s: it has more than %zu entries", job->path,
                          job->limit);
    if (!make_room(dir, len))
        return rill__fail_nomem();
    dir->entries[dir->count++] = (rill_dir_entry){
        .name.len = len,
        .kind = kind_of_entry(folder, entry),
    };
    memcpy(dir->names + dir->names_len, entry->d_name, len + 1);
    dir->names_len += len + 1;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rill_dir_entry *)a)->name.ptr, ((const rill_dir_entry *)b)->name.ptr);
}

/* Now that the names do not move any more. */
static void finish(rill_dir *dir)
{
    const char *name = dir->names;
    for (size_t i = 0; i < dir->count; i++) {
        dir->entries[i].name.ptr = name;
        name += dir->entries[i].name.len + 1;
    }
    if (dir->count > 0)
        qsort(dir->entries, dir->count, sizeof *dir->entries, by_name);
}

static int read_entries(struct dir_job *job, DIR *folder)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry && errno)
            return rill__file_fail(errno, "read folder", job->path);
        if (!entry)
            return 0;
        RILL__TRY(add_entry(job, dirfd(folder), entry));
    }
}

static int read_dir_now(void *arg)
{
    struct dir_job *job = arg;
    job->dir = rill__zalloc(sizeof *job->dir);
    if (!job->dir)
        return rill__fail_nomem();
    DIR *folder;
    do
        folder = opendir(job->path);
    while (!folder && errno == EINTR);
    if (!folder)
        return rill__file_fail(errno, "read folder", job->path);
    int rc = read_entries(job, folder);
    closedir(folder);
    finish(job->dir);
    return rc;
}

rill_dir *rill_dir_read_with(const rill_dir_read_opts *given)
{
    rill_dir_read_opts opts;
    rill__opts_read(opts, given);
    if (!opts.path) {
        rill__fail(RILL_EINVAL, "read folder: no path given");
        return NULL;
    }
    struct dir_job job = { .path = opts.path, .limit = opts.limit ? opts.limit : ENTRIES_MAX };
    if (rill_to_thread(read_dir_now, &job) == 0)
        return job.dir;
    rill_dir_free(job.dir);
    return NULL;
}

size_t rill_dir_count(const rill_dir *dir)
{
    return dir->count;
}

const rill_dir_entry *rill_dir_entries(const rill_dir *dir)
{
    return dir->entries;
}

void rill_dir_free(rill_dir *dir)
{
    if (!dir)
        return;
    rill__free(dir->entries);
    rill__free(dir->names);
    rill__free(dir);
}

/* ---- names ---- */

static int rename_now(void *arg)
{
    const struct path_job *job = arg;
    if (rename(job->path, job->other) == 0)
        return 0;
    return rill__fail_errno(rill__file_code(errno), errno, "rename %s to %s", job->path,
                            job->other);
}

int rill_file_rename(const char *from, const char *to)
{
    return rill_to_thread(rename_now, &(struct path_job){ .path = from, .other = to });
}

static int unlink_now(void *arg)
{
    const struct path_job *job = arg;
    return unlink(job->path) < 0 ? rill__file_fail(errno, "unlink", job->path) : 0;
}

int rill_file_unlink(const char *path)
{
    return rill_to_thread(unlink_now, &(struct path_job){ .path = path });
}

static int rmdir_now(void *arg)
{
    const struct path_job *job = arg;
    return rmdir(job->path) < 0 ? rill__file_fail(errno, "rmdir", job->path) : 0;
}

int rill_file_rmdir(const char *path)
{
    return rill_to_thread(rmdir_now, &(struct path_job){ .path = path });
}

static int mkdir_now(void *arg)
{
    const struct path_job *job = arg;
    int rc = mkdir(job->path, (mode_t)job->permissions);
    return rc < 0 ? rill__file_fail(errno, "mkdir", job->path) : 0;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int make_if_missing(const char *path, unsigned permissions)
{
    if (mkdir(path, (mode_t)permissions) == 0 || (errno == EEXIST && is_folder(path)))
        return 0;
    return rill__file_fail(errno, "mkdir", path);
}

/* From the top down; those above may be written to, whatever is asked for the last. */
static int mkdir_parents_now(void *arg)
{
    const struct path_job *job = arg;
    char path[PATH_MAX];
    size_t len = strlen(job->path);
    if (len >= sizeof path)
        return rill__file_fail(ENAMETOOLONG, "mkdir", job->path);
    memcpy(path, job->path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        path[i] = '\0';
        RILL__TRY(make_if_missing(path, 0777));
        path[i] = '/';
    }
    return make_if_missing(path, job->permissions);
}

int rill_file_mkdir_with(const rill_mkdir_opts *given)
{
    rill_mkdir_opts opts;
    rill__opts_read(opts, given);
    if (!opts.path)
        return rill__fail(RILL_EINVAL, "mkdir: no path given");
    struct path_job job = {
        .path = opts.path,
        .permissions = opts.permissions ? opts.permissions : 0777,
    };
    return rill_to_thread(opts.parents ? mkdir_parents_now : mkdir_now, &job);
}
