/*
 * Files, off the loop: each call runs on a thread of rill_to_thread's pool, while other tasks go
 * on.
 *
 *     rill_auto(rill_contents) page = rill_file_read_all("page.html", .limit = 1 << 20);
 *     rc = rill_file_write_all("state.json", text, len);           all of it or nothing
 *
 *     rill_auto(rill_file) file = rill_file_open("log", "a");
 *     rc = rill_file_write(file, line, len);
 *
 * Failures are RILL_ENOTFOUND when a file or folder is not there, RILL_ENOMEM, and RILL_EOS with
 * the errno for the rest; the message names the path: "open /etc/shadow: Permission denied". Paths
 * and bytes are read during the call, and calls that were interrupted are made again.
 *
 * Cancel (of all that is marked RILL_AWAITS): before a thread has begun, the call does not happen.
 * Afterwards its end is awaited and its result delivered, so a buffer is never written to once the
 * call has returned. Reading or writing a whole file stops early.
 *
 * A file belongs to the loop on which it was opened. For pipes, terminals and devices, which may
 * never be ready, see pipe.h: a thread that waits for one is lost to everybody else.
 */
#ifndef RILL_FILE_H
#define RILL_FILE_H

#include <rill/error.h>

RILL_BEGIN_DECLS

/* ---- whole files ---- */

/* What was read from a file. */
typedef struct rill_contents rill_contents;

typedef struct rill_file_read_opts {
    size_t size;
    const char *path;
    size_t limit; /* bytes: a larger file is RILL_ELIMIT. Default: 64 MiB; SIZE_MAX: none */
    bool abandon; /* cancelled, the call returns at once; the thread ends by itself */
} rill_file_read_opts;

/* Reads a file to its end. Returns its contents, or NULL with the error. */
#define rill_file_read_all(...)                                                                    \
    rill_file_read_all_with(RILL_OPTS(rill_file_read_opts, .path = __VA_ARGS__))
RILL_AWAITS RILL_API rill_contents *rill_file_read_all_with(const rill_file_read_opts *opts);
/* Its bytes, which live as long as it does. */
RILL_API rill_str rill_contents_text(const rill_contents *contents);
RILL_API void rill_contents_free(rill_contents *contents);
RILL_DEFINE_AUTO(rill_contents)

typedef struct rill_file_write_opts {
    size_t size;
    size_t len; /* of the bytes */
    unsigned
        permissions; /* default: those of the file that is replaced, else 0666 less the umask */
    bool no_sync;    /* do not wait until it is on the disk: quicker, and lost in a power failure */
} rill_file_write_opts;

/* Replaces a file's contents, or makes the file: who reads it sees the old ones or the new ones,
 * whatever happens. They are written to a file beside it (".rill-….tmp"), which then takes its
 * place; so the folder must be writable, and other hard links keep the old contents. A symbolic
 * link is followed. What is not a regular file is RILL_EINVAL.
 *     rc = rill_file_write_all("state.json", text, len, .permissions = 0600);
 * Returns 0; on failure, and when cancelled, nothing has changed (but for a folder that could not
 * be synced: the message says so). */
#define rill_file_write_all(path, bytes, ...)                                                      \
    rill_file_write_all_with((path), (bytes), RILL_OPTS(rill_file_write_opts, .len = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_file_write_all_with(const char *path, const void *bytes,
                                                  const rill_file_write_opts *opts);

/* ---- open files ---- */

typedef struct rill_file rill_file;

typedef struct rill_file_open_opts {
    size_t size;
    const char *mode;
    unsigned permissions; /* of a file that is made, less the umask. Default: 0666 */
    const char *file;     /* where it was opened: filled by the macro */
    int line;
} rill_file_open_opts;

/* Opens a file. The mode is fopen's: "r" to read, "w" to write from the start of what is then an
 * empty file, "a" to write at its end; with "+" to do both; with "x" only if it was not there.
 * Returns the file, or NULL with the error; RILL_EINVAL for another mode. */
#define rill_file_open(path, ...)                                                                  \
    rill_file_open_with((path), RILL_OPTS(rill_file_open_opts, .file = __FILE__, .line = __LINE__, \
                                          .mode = __VA_ARGS__))
RILL_AWAITS RILL_API rill_file *rill_file_open_with(const char *path,
                                                    const rill_file_open_opts *opts);

/* Read and write where the last call left off; one of them at a time, another gets RILL_EBUSY.
 * Reading returns the count, at least a byte unless it is 0: the end of the file. Writing writes
 * all of it and returns 0; after a failure part of it may be there. */
RILL_AWAITS RILL_API ptrdiff_t rill_file_read(rill_file *file, void *buf, size_t len);
RILL_AWAITS RILL_API int rill_file_write(rill_file *file, const void *bytes, size_t len);
/* The same at a place of their own, any number at a time. pread reads until the buffer is full or
 * the file ends. */
RILL_AWAITS RILL_API ptrdiff_t rill_file_pread(rill_file *file, void *buf, size_t len,
                                               uint64_t offset);
RILL_AWAITS RILL_API int rill_file_pwrite(rill_file *file, const void *bytes, size_t len,
                                          uint64_t offset);
/* Where the next read or write begins. Does not wait. 0, RILL_EOS or RILL_EBUSY. */
RILL_API int rill_file_seek(rill_file *file, uint64_t offset);
/* Cuts it, or fills it with zeros, to that size. */
RILL_AWAITS RILL_API int rill_file_truncate(rill_file *file, uint64_t size);
/* Waits until it is on the disk; datasync without what is not needed to read it again. */
RILL_AWAITS RILL_API int rill_file_sync(rill_file *file);
RILL_AWAITS RILL_API int rill_file_datasync(rill_file *file);

/* Closes and frees. Returns 0, or what the system says of bytes that it could not write; the file
 * is gone either way, also when cancelled. RILL_EBUSY while another task uses it: it stays open. */
RILL_AWAITS RILL_API int rill_file_close(rill_file *file);
/* The same without waiting or telling; calls of other tasks that are under way end first. NULL is
 * fine. */
RILL_API void rill_file_free(rill_file *file);
RILL_DEFINE_AUTO(rill_file)
/* The descriptor. It stays the file's. */
RILL_API int rill_file_fd(const rill_file *file);

/* ---- what is there ---- */

typedef enum rill_file_kind {
    RILL_FILE_OTHER, /* a device, a pipe, a socket */
    RILL_FILE_REGULAR,
    RILL_FILE_DIRECTORY,
    RILL_FILE_LINK, /* symbolic */
} rill_file_kind;

typedef struct rill_file_info {
    rill_file_kind kind;
    unsigned permissions; /* 0644 */
    uint64_t size;        /* bytes */
    uint64_t links;
    uint64_t device, inode;             /* equal for two names of one file */
    uint32_t user, group;               /* of its owner */
    double modified, accessed, changed; /* seconds since 1970 */
} rill_file_info;

/* Of a path, whose symbolic links are followed; lstat does not follow the last one. */
RILL_AWAITS RILL_API int rill_file_stat(const char *path, rill_file_info *ret_info);
RILL_AWAITS RILL_API int rill_file_lstat(const char *path, rill_file_info *ret_info);
RILL_AWAITS RILL_API int rill_file_fstat(rill_file *file, rill_file_info *ret_info);

typedef struct rill_dir_entry {
    rill_str name;
    rill_file_kind kind; /* of a link: RILL_FILE_LINK */
} rill_dir_entry;

/* What is in a folder. */
typedef struct rill_dir rill_dir;

typedef struct rill_dir_read_opts {
    size_t size;
    const char *path;
    size_t limit; /* entries: more are RILL_ELIMIT. Default: 100,000; SIZE_MAX: none */
} rill_dir_read_opts;

/* Reads a folder's entries, but "." and "..", sorted by the bytes of their names. NULL with the
 * error. */
#define rill_dir_read(...) rill_dir_read_with(RILL_OPTS(rill_dir_read_opts, .path = __VA_ARGS__))
RILL_AWAITS RILL_API rill_dir *rill_dir_read_with(const rill_dir_read_opts *opts);
RILL_API size_t rill_dir_count(const rill_dir *dir);
/* The array of them, which lives as long as it does. */
RILL_API const rill_dir_entry *rill_dir_entries(const rill_dir *dir);
RILL_API void rill_dir_free(rill_dir *dir);
RILL_DEFINE_AUTO(rill_dir)

/* ---- names ---- */

/* Gives a file or folder another name; what had that name before is replaced. */
RILL_AWAITS RILL_API int rill_file_rename(const char *from, const char *to);
/* Removes a file's name, and the file with its last one. */
RILL_AWAITS RILL_API int rill_file_unlink(const char *path);

typedef struct rill_mkdir_opts {
    size_t size;
    const char *path;
    unsigned permissions; /* less the umask. Default: 0777 */
    bool parents;         /* make those above it as well; it is fine when it is there already */
} rill_mkdir_opts;

/* Makes a folder: rill_file_mkdir("cache/pages", .parents = true). */
#define rill_file_mkdir(...) rill_file_mkdir_with(RILL_OPTS(rill_mkdir_opts, .path = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_file_mkdir_with(const rill_mkdir_opts *opts);
/* Removes a folder that is empty. */
RILL_AWAITS RILL_API int rill_file_rmdir(const char *path);

RILL_END_DECLS

#endif
