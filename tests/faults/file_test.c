/*
 * Every system call of files, failing with every errno that it can give. A file that is replaced
 * has its old contents or its new ones, and nothing is left beside it; what was interrupted is done
 * again; a failure names the path and the cause.
 */
#include "faults.h"
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <rill/file.h>
#include <rill/task.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a whole file: some pieces of those that it is read and written in. */
#define LARGE (2500u * 1024u)

static char folder[64];
static char bytes[LARGE];
static struct fault fault; /* at present */

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Whether the last error says what went wrong, and with which file. */
static void check_words(const char *what)
{
    const rill_error *error = rill_last_error();
    int code = fault.error == ENOMEM ? RILL_ENOMEM : RILL_EOS;
    if (error->code == code && error->os_errno == fault.error && strstr(error->message, folder) &&
        strstr(error->message, strerror(fault.error)))
        return;
    test_fail(__FILE__, __LINE__, "%s: %s: %s: %s", fault_label(), what,
              rill_code_name(error->code), error->message);
}

/* What one call returned: 1 when it failed, in words. */
static int failed(const char *what, bool ok)
{
    if (ok)
        return 0;
    check_words(what);
    return 1;
}

/* ---- with nothing armed ---- */

static void put(const char *name, char letter, size_t len)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    memset(bytes, letter, len);
    CHECK_INT(write(fd, bytes, len), len);
    close(fd);
}

/* The letter that the file consists of, or '?'. */
static char letter_in(const char *name, size_t len)
{
    static char found[LARGE + 1];
    int fd = open(in_folder(name), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, found, sizeof found);
    close(fd);
    if (n != (ssize_t)len)
        return '?';
    for (size_t i = 1; i < len; i++)
        if (found[i] != found[0])
            return '?';
    return found[0];
}

static int count_names(void)
{
    DIR *dir = opendir(folder);
    int count = -2; /* "." and ".." */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* ---- a whole file is replaced ---- */

static int replace(void)
{
    put("state", 'o', LARGE);
    memset(bytes, 'n', LARGE);
    fault_begin();
    int rc = rill_file_write_all(in_folder("state"), bytes, LARGE);
    fault_end();
    bool written = rc == 0 || strstr(rill_last_error()->message, "it is written, but");
    if (rc < 0)
        check_words("write");
    char letter = letter_in("state", LARGE);
    if (letter != (written ? 'n' : 'o'))
        test_fail(__FILE__, __LINE__, "%s: the file has %c, after %s", fault_label(), letter,
                  rc < 0 ? rill_last_error()->message : "no error");
    if (count_names() != 1)
        test_fail(__FILE__, __LINE__, "%s: something is left beside the file", fault_label());
    CHECK_INT(rill_file_write_all(in_folder("state"), bytes, LARGE), 0);
    return rc < 0;
}

/* ---- and read ---- */

static int read_whole(void)
{
    put("whole", 'w', LARGE);
    fault_begin();
    rill_auto(rill_contents) contents = rill_file_read_all(in_folder("whole"));
    fault_end();
    if (contents) {
        CHECK_INT(rill_contents_text(contents).len, LARGE);
        CHECK(memcmp(rill_contents_text(contents).ptr, bytes, LARGE) == 0);
    }
    return failed("read", contents);
}

/* ---- an open file, in all ways, and its folder ---- */

static int use_file(rill_file *file)
{
    char buf[16] = "";
    int count = 0;
    int rc = rill_file_write(file, "hello world", 11);
    count += failed("write", rc == 0);
    rc = rill_file_pwrite(file, "W", 1, 6);
    count += failed("pwrite", rc == 0);
    count += failed("sync", rill_file_sync(file) == 0);
    count += failed("datasync", rill_file_datasync(file) == 0);
    count += failed("seek", rill_file_seek(file, 0) == 0);
    ptrdiff_t n = rill_file_read(file, buf, sizeof buf);
    count += failed("read", n >= 0);
    n = rill_file_pread(file, buf, sizeof buf, 0);
    count += failed("pread", n >= 0);
    if (count == 0)
        CHECK(n == 11 && memcmp(buf, "hello World", 11) == 0);
    return count;
}

static int use_folder(void)
{
    rill_auto(rill_dir) dir = rill_dir_read(folder);
    int count = failed("folder", dir);
    int rc = rill_file_rename(in_folder("open"), in_folder("renamed"));
    count += failed("rename", rc == 0);
    return count;
}

static int use_open_file(void)
{
    unlink(in_folder("renamed"));
    fault_begin();
    rill_file *file = rill_file_open(in_folder("open"), "w+");
    int count = failed("open", file);
    count += file ? use_file(file) : 0;
    if (file)
        count += failed("close", rill_file_close(file) == 0);
    if (file)
        count += use_folder();
    fault_end();
    return count;
}

/* ---- the table: calls and what they can give (the man pages' ERRORS, and POSIX) ---- */

static void sweep(struct fault given, int (*work)(void))
{
    fault = given;
    /* Closing a folder has nothing to tell. */
    fault.told = !fault.unnoticed && fault.call != FAULT_close;
    snprintf(folder, sizeof folder, "/tmp/rill-faults-XXXXXX");
    REQUIRE(mkdtemp(folder));
    fault_sweep(fault, work);
    static const char *const names[] = { "state", "whole", "open", "renamed" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(names[i]));
    CHECK_INT(rmdir(folder), 0);
}

#define FILE_TEST(work, call, error, unnoticed)                                                    \
    TEST(work##_##call##_##error)                                                                  \
    {                                                                                              \
        sweep((struct fault){ FAULT_##call, error, unnoticed, false }, work);                      \
    }

/* open(2) gives EAGAIN for O_NONBLOCK alone; ENOBUFS, ECONNRESET and EPIPE are of sockets. */
FILE_TEST(replace, open, EINTR, true)
FILE_TEST(replace, open, EMFILE, false)
FILE_TEST(replace, open, EIO, false)
FILE_TEST(replace, open, ENOSPC, false)
FILE_TEST(read_whole, open, EINTR, true)
FILE_TEST(read_whole, open, EMFILE, false)
FILE_TEST(read_whole, open, EIO, false)
FILE_TEST(use_open_file, open, EINTR, true)
FILE_TEST(use_open_file, open, EMFILE, false)
FILE_TEST(use_open_file, open, EIO, false)
FILE_TEST(use_open_file, open, ENOSPC, false)
FILE_TEST(use_open_file, opendir, EINTR, true)
FILE_TEST(use_open_file, opendir, EMFILE, false)
FILE_TEST(use_open_file, opendir, ENOMEM, false)

/* fsync(2) makes no descriptor (EMFILE) and never waits for a peer; nor do read(2) and write(2) of
 * files, which always wait (EAGAIN). */
FILE_TEST(replace, fsync, EINTR, true)
FILE_TEST(replace, fsync, EIO, false)
FILE_TEST(replace, fsync, ENOSPC, false)
FILE_TEST(use_open_file, fsync, EINTR, true)
FILE_TEST(use_open_file, fsync, EIO, false)
FILE_TEST(use_open_file, fsync, ENOSPC, false)

FILE_TEST(read_whole, read, EINTR, true)
FILE_TEST(read_whole, read, FAULT_SHORT, true)
FILE_TEST(read_whole, read, EIO, false)
FILE_TEST(use_open_file, read, EINTR, true)
FILE_TEST(use_open_file, read, EIO, false)

FILE_TEST(replace, write, EINTR, true)
FILE_TEST(replace, write, FAULT_SHORT, true)
FILE_TEST(replace, write, EIO, false)
FILE_TEST(replace, write, ENOSPC, false)
FILE_TEST(replace, write, EDQUOT, false)
FILE_TEST(use_open_file, write, EINTR, true)
FILE_TEST(use_open_file, write, FAULT_SHORT, true)
FILE_TEST(use_open_file, write, EIO, false)
FILE_TEST(use_open_file, write, ENOSPC, false)

/* close(2) tells what a write before it could not. Its EINTR cannot come: the threads of the pool
 * take no signals. */
FILE_TEST(replace, close, EIO, false)
FILE_TEST(replace, close, ENOSPC, false)
FILE_TEST(use_open_file, close, EIO, false)

/* rename(2) has no EINTR. */
FILE_TEST(replace, rename, EIO, false)
FILE_TEST(replace, rename, ENOSPC, false)
FILE_TEST(use_open_file, rename, EIO, false)

/* ---- no thread for it ---- */

static int read_without_thread(void *arg)
{
    rill_contents *contents;
    fault_arm(*(const struct fault *)arg, 1);
    contents = rill_file_read_all("/proc/self/stat");
    CHECK(!contents);
    CHECK_INT(rill_errcode(), RILL_ENOMEM);
    CHECK_STR(rill_last_error()->message, "to_thread: no thread could be started");
    contents = rill_file_read_all("/proc/self/stat"); /* now one can */
    CHECK(contents);
    rill_contents_free(contents);
    fault_arm(*(const struct fault *)arg, 0);
    return 0;
}

TEST(pthread_create_EAGAIN)
{
    struct fault none = { FAULT_pthread_create, EAGAIN, false, false };
    CHECK_INT(rill_run(read_without_thread, &none), 0);
}
