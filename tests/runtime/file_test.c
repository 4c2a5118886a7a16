/* Files off the loop: whole ones, open ones, folders, names; errors, limits and cancellation. */
#include "awaiting.h"
#include "base/alloc.h"
#include "base/fail.h"
#include "in_task.h"

#include <errno.h>
#include <fcntl.h>
#include <rill/file.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

/* The path of a name in a folder that this test has to itself. */
static const char *in_folder(const char *name)
{
    static char paths[8][400];
    static int next;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/rill-file-XXXXXX");
        CHECK(mkdtemp(folder));
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int names_in_folder(void)
{
    rill_auto(rill_dir) dir = rill_dir_read(folder);
    return dir ? (int)rill_dir_count(dir) : -1;
}

static void remove_folder(void)
{
    rill_auto(rill_dir) dir = rill_dir_read(folder);
    for (size_t i = 0; dir && i < rill_dir_count(dir); i++)
        if (rill_file_unlink(in_folder(rill_dir_entries(dir)[i].name.ptr)) < 0)
            CHECK_INT(rill_file_rmdir(in_folder(rill_dir_entries(dir)[i].name.ptr)), 0);
    CHECK_INT(rill_file_rmdir(folder), 0);
}

#define FILE_TEST(name)                                                                            \
    static void files_##name(void);                                                                \
    TASK_TEST(name)                                                                                \
    {                                                                                              \
        in_folder("");                                                                             \
        files_##name();                                                                            \
        remove_folder();                                                                           \
    }                                                                                              \
    static void files_##name(void)

static void put(const char *name, const char *text)
{
    CHECK_INT(rill_file_write_all(in_folder(name), text, strlen(text)), 0);
}

static void check_contents(const char *name, const char *text)
{
    rill_auto(rill_contents) contents = rill_file_read_all(in_folder(name));
    REQUIRE(contents);
    CHECK_STR(rill_contents_text(contents).ptr, text);
    CHECK_INT(rill_contents_text(contents).len, strlen(text));
}

/* ---- whole files ---- */

FILE_TEST(what_was_written_is_read)
{
    put("a", "hello");
    check_contents("a", "hello");
    put("a", "");
    check_contents("a", "");
    put("a", "once more");
    check_contents("a", "once more");
    CHECK_INT(names_in_folder(), 1); /* nothing beside it */
}

FILE_TEST(a_large_file_comes_back_whole)
{
    size_t len = ((size_t)5 << 20) + 7;
    char *bytes = malloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 >> 5);
    CHECK_INT(rill_file_write_all(in_folder("large"), bytes, len), 0);
    rill_auto(rill_contents) contents = rill_file_read_all(in_folder("large"));
    if (contents) {
        CHECK_INT(rill_contents_text(contents).len, len);
        CHECK(memcmp(rill_contents_text(contents).ptr, bytes, len) == 0);
    }
    CHECK(contents);
    free(bytes);
}

FILE_TEST(reading_has_a_limit)
{
    put("ten", "0123456789");
    rill_auto(rill_contents) fits = rill_file_read_all(in_folder("ten"), .limit = 10);
    CHECK(fits);
    CHECK(!rill_file_read_all(in_folder("ten"), .limit = 9));
    CHECK_INT(rill_errcode(), RILL_ELIMIT);
    CHECK_CONTAINS(rill_last_error()->message, "/ten: it is larger than 9 bytes");
    rill_auto(rill_contents) unlimited = rill_file_read_all(in_folder("ten"), .limit = SIZE_MAX);
    CHECK(unlimited);
}

TASK_TEST(a_path_must_be_given)
{
    CHECK(!rill_file_read_all_with(NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK(!rill_dir_read_with(NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
    CHECK_INT(rill_file_mkdir_with(NULL), RILL_EINVAL);
}

TASK_TEST(a_file_that_does_not_say_its_size_is_read_whole_and_limited)
{
    rill_auto(rill_contents) status = rill_file_read_all("/proc/self/status");
    REQUIRE(status);
    size_t len = rill_contents_text(status).len;
    CHECK(len > 100);
    CHECK_CONTAINS(rill_contents_text(status).ptr, "Threads:");
    CHECK(!rill_file_read_all("/proc/self/status", .limit = 100));
    CHECK_INT(rill_errcode(), RILL_ELIMIT);
    rill_auto(rill_contents) maps = rill_file_read_all("/proc/self/smaps"); /* grows its room */
    REQUIRE(maps);
    CHECK(rill_contents_text(maps).len > 16384);
}

FILE_TEST(reading_what_is_not_there_says_so)
{
    CHECK(!rill_file_read_all(in_folder("missing")));
    CHECK_INT(rill_errcode(), RILL_ENOTFOUND);
    CHECK_INT(rill_last_error()->os_errno, ENOENT);
    CHECK_CONTAINS(rill_last_error()->message, "/missing: No such file or directory");
    CHECK(!rill_file_read_all(folder));
    CHECK_INT(rill_errcode(), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, EISDIR);
}

FILE_TEST(writing_keeps_permissions_and_follows_links)
{
    rill_file_info info;
    put("secret", "old");
    CHECK_INT(chmod(in_folder("secret"), 0640), 0);
    CHECK_INT(symlink("secret", in_folder("link")), 0);
    put("link", "new");
    check_contents("secret", "new");
    CHECK_INT(rill_file_lstat(in_folder("link"), &info), 0);
    CHECK_INT(info.kind, RILL_FILE_LINK);
    CHECK_INT(rill_file_stat(in_folder("link"), &info), 0);
    CHECK_INT(info.permissions, 0640);
    CHECK_INT(rill_file_write_all(in_folder("secret"), "x", 1, .permissions = 0600), 0);
    CHECK_INT(rill_file_stat(in_folder("secret"), &info), 0);
    CHECK_INT(info.permissions, 0600);
    CHECK_INT(symlink("nowhere", in_folder("dangling")), 0);
    CHECK_INT(rill_file_write_all(in_folder("dangling"), "x", 1), RILL_ENOTFOUND);
}

FILE_TEST(writing_replaces_regular_files_only)
{
    CHECK_INT(mkfifo(in_folder("fifo"), 0600), 0);
    CHECK_INT(rill_file_write_all(in_folder("fifo"), "x", 1), RILL_EINVAL);
    CHECK_CONTAINS(rill_last_error()->message, "/fifo: not a regular file");
    CHECK_INT(rill_file_write_all(folder, "x", 1), RILL_EINVAL);
    CHECK_INT(rill_file_write_all(in_folder("no/such/folder"), "x", 1), RILL_ENOTFOUND);
    CHECK_INT(names_in_folder(), 1);
}

FILE_TEST(a_write_that_fails_changes_nothing)
{
    put("kept", "old");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 100; /* a disk that is full, so to speak */
    setrlimit(RLIMIT_FSIZE, &limit);
    char bytes[200] = { 0 };
    CHECK_INT(rill_file_write_all(in_folder("kept"), bytes, 100), 0);
    put("kept", "old");
    CHECK_INT(rill_file_write_all(in_folder("kept"), bytes, 101), RILL_EOS);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT(rill_last_error()->os_errno, EFBIG);
    CHECK_CONTAINS(rill_last_error()->message, "/kept: File too large");
    check_contents("kept", "old");
    CHECK_INT(names_in_folder(), 1);
}

FILE_TEST(a_name_of_the_greatest_length_can_be_replaced)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    put(name, "long");
    check_contents(name, "long");
    char path[5000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_INT(rill_file_write_all(path, "x", 1), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, ENAMETOOLONG);
}

/* ---- cancelling ---- */

static int read_fifo(void *arg)
{
    rill_auto(rill_contents) contents = rill_file_read_all(arg);
    return contents ? 0 : rill_errcode();
}

static int read_fifo_or_leave(void *arg)
{
    rill_auto(rill_contents) contents = rill_file_read_all(arg, .abandon = true);
    return contents ? 0 : rill_errcode();
}

static void open_other_end(const char *path)
{
    int fd;
    while ((fd = open(path, O_WRONLY | O_NONBLOCK)) < 0)
        CHECK_INT(rill_sleep(0.001), 0);
    close(fd);
}

FILE_TEST(a_read_that_began_is_awaited_or_abandoned)
{
    char path[300];
    snprintf(path, sizeof path, "%s", in_folder("fifo"));
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(rill_within(0.02, read_fifo_or_leave, path), RILL_ETIMEDOUT);
    open_other_end(path); /* the thread, left behind, ends */
    rill_task task = rill_spawn(read_fifo, path);
    CHECK_INT(rill_sleep(0.02), 0);
    rill_cancel(task);
    CHECK_INT(rill_sleep(0.01), 0);
    CHECK(!rill_task_done(task));
    open_other_end(path);
    CHECK_INT(rill_join(task), RILL_ECANCELED); /* between two pieces */
}

static int do_all_calls(void *arg)
{
    rill_file *file = arg;
    rill_file_info info;
    char byte;
    CHECK_INT(rill_file_read(file, &byte, 1), RILL_ECANCELED);
    CHECK_INT(rill_file_write(file, "x", 1), RILL_ECANCELED);
    CHECK_INT(rill_file_pread(file, &byte, 1, 0), RILL_ECANCELED);
    CHECK_INT(rill_file_pwrite(file, "x", 1, 0), RILL_ECANCELED);
    CHECK_INT(rill_file_truncate(file, 0), RILL_ECANCELED);
    CHECK_INT(rill_file_sync(file), RILL_ECANCELED);
    CHECK_INT(rill_file_fstat(file, &info), RILL_ECANCELED);
    CHECK(!rill_file_open(in_folder("new"), "w"));
    CHECK_INT(rill_errcode(), RILL_ECANCELED);
    CHECK(!rill_file_read_all(in_folder("kept")));
    CHECK_INT(rill_file_write_all(in_folder("kept"), "x", 1), RILL_ECANCELED);
    CHECK_INT(rill_file_rename(in_folder("kept"), in_folder("new")), RILL_ECANCELED);
    CHECK_INT(rill_file_unlink(in_folder("kept")), RILL_ECANCELED);
    CHECK_INT(rill_file_mkdir(in_folder("new")), RILL_ECANCELED);
    CHECK(!rill_dir_read(folder));
    CHECK_INT(rill_errcode(), RILL_ECANCELED);
    CHECK_INT(rill_file_close(file), 0); /* it is closed all the same */
    return 0;
}

FILE_TEST(cancelled_before_it_began_nothing_happens)
{
    put("kept", "kept");
    rill_file *file = rill_file_open(in_folder("kept"), "r+");
    REQUIRE(file);
    CHECK_INT(rill_within(0, do_all_calls, file), 0);
    check_contents("kept", "kept");
    CHECK_INT(names_in_folder(), 1);
}

static int write_much(void *arg)
{
    return rill_file_write_all(in_folder("much"), arg, (size_t)64 << 20);
}

FILE_TEST(a_cancelled_write_of_a_whole_file_leaves_the_old_one)
{
    char *bytes = calloc(64, (size_t)1 << 20);
    put("much", "old");
    for (int i = 0; i < 5; i++) {
        rill_task task = rill_spawn(write_much, bytes);
        while (names_in_folder() < 2 && !rill_task_done(task))
            continue;
        rill_cancel(task);
        int rc = rill_join(task);
        if (rc == 0) /* it was faster */
            continue;
        CHECK_INT(rc, RILL_ECANCELED);
        CHECK_INT(names_in_folder(), 1);
        check_contents("much", "old");
        break;
    }
    free(bytes);
}

/* ---- without memory ---- */

static int use_files(void)
{
    char bytes[4];
    RILL__TRY(rill_file_write_all(in_folder("a"), "text", 4));
    rill_auto(rill_contents) contents = rill_file_read_all(in_folder("a"));
    if (!contents)
        return rill_errcode();
    rill_auto(rill_contents) status = rill_file_read_all("/proc/self/smaps", .abandon = true);
    if (!status)
        return rill_errcode();
    rill_auto(rill_file) file = rill_file_open(in_folder("a"), "r");
    if (!file)
        return rill_errcode();
    RILL__TRY((int)rill_file_read(file, bytes, 4));
    rill_auto(rill_dir) dir = rill_dir_read("/proc/self/task");
    if (!dir)
        return rill_errcode();
    return rill_file_unlink(in_folder("missing")) == RILL_ENOTFOUND ? 0 : rill_errcode();
}

FILE_TEST(every_allocation_may_fail)
{
    CHECK_INT(use_files(), 0); /* the pool's thread is there */
    int failed = 0, rc = RILL_ENOMEM;
    for (unsigned long n = 1; rc == RILL_ENOMEM && n < 100; n++) {
        unsigned long before = rill__alloc_count;
        rill__alloc_fail_at = before + n;
        rc = use_files();
        rill__alloc_fail_at = 0;
        failed += rc == RILL_ENOMEM;
        /* An error that finds no memory of its own is told all the same. */
        if (rc == 0 && rill__alloc_count - before >= n)
            rc = RILL_ENOMEM;
    }
    CHECK_INT(rc, 0);
    CHECK(failed >= 5);
    CHECK_INT(names_in_folder(), 1);
}

/* ---- outside tasks ---- */

static rill_file *outside;
static rill_file_info outside_info;
static char outside_byte;

static int code_of(const void *made)
{
    return made ? 0 : rill_errcode();
}

#define CALL(name, expression)                                                                     \
    static int call_##name(void)                                                                   \
    {                                                                                              \
        return (int)(expression);                                                                  \
    }

CALL(read_all, code_of(rill_file_read_all("/dev/null")))
CALL(write_all, rill_file_write_all("/dev/null/x", "", 0))
CALL(open, code_of(rill_file_open("/dev/null", "r")))
CALL(read, rill_file_read(outside, &outside_byte, 1))
CALL(write, rill_file_write(outside, "", 1))
CALL(pread, rill_file_pread(outside, &outside_byte, 1, 0))
CALL(pwrite, rill_file_pwrite(outside, "", 1, 0))
CALL(truncate, rill_file_truncate(outside, 0))
CALL(sync, rill_file_sync(outside))
CALL(datasync, rill_file_datasync(outside))
CALL(close, rill_file_close(outside))
CALL(fstat, rill_file_fstat(outside, &outside_info))
CALL(stat, rill_file_stat("/", &outside_info))
CALL(lstat, rill_file_lstat("/", &outside_info))
CALL(dir_read, code_of(rill_dir_read("/")))
CALL(rename, rill_file_rename("/dev/null/x", "/dev/null/y"))
CALL(unlink, rill_file_unlink("/dev/null/x"))
CALL(mkdir, rill_file_mkdir("/dev/null/x"))
CALL(rmdir, rill_file_rmdir("/dev/null/x"))

static const struct awaiting rows[] = {
    { "rill_file_read_all_with", call_read_all, false },
    { "rill_file_write_all_with", call_write_all, false },
    { "rill_file_open_with", call_open, false },
    { "rill_file_read", call_read, false },
    { "rill_file_write", call_write, false },
    { "rill_file_pread", call_pread, false },
    { "rill_file_pwrite", call_pwrite, false },
    { "rill_file_truncate", call_truncate, false },
    { "rill_file_sync", call_sync, false },
    { "rill_file_datasync", call_datasync, false },
    { "rill_file_close", call_close, false },
    { "rill_file_fstat", call_fstat, false },
    { "rill_file_stat", call_stat, false },
    { "rill_file_lstat", call_lstat, false },
    { "rill_dir_read_with", call_dir_read, false },
    { "rill_file_rename", call_rename, false },
    { "rill_file_unlink", call_unlink, false },
    { "rill_file_mkdir_with", call_mkdir, false },
    { "rill_file_rmdir", call_rmdir, false },
};
enum { ROWS = sizeof rows / sizeof *rows };

static int open_null(void *arg)
{
    (void)arg;
    outside = rill_file_open("/dev/null", "r+");
    return outside ? 0 : rill_errcode();
}

TEST(files_need_a_task)
{
    CHECK_INT(rill_run(open_null, NULL), 0);
    REQUIRE(outside);
    check_awaiting_listed("file", rows, ROWS);
    check_awaiting_refused(rows, ROWS, false);
    rill_file_free(outside);
}

/* ---- open files ---- */

FILE_TEST(reading_and_writing_go_on_where_they_left_off)
{
    char buf[16];
    rill_auto(rill_file) file = rill_file_open(in_folder("f"), "w+");
    REQUIRE(file);
    CHECK_INT(rill_file_write(file, "hello ", 6), 0);
    CHECK_INT(rill_file_write(file, "world", 5), 0);
    CHECK_INT(rill_file_read(file, buf, sizeof buf), 0);
    CHECK_INT(rill_file_seek(file, 3), 0);
    CHECK_INT(rill_file_read(file, buf, 4), 4);
    CHECK(memcmp(buf, "lo w", 4) == 0);
    CHECK_INT(rill_file_pread(file, buf, sizeof buf, 6), 5);
    CHECK(memcmp(buf, "world", 5) == 0);
    CHECK_INT(rill_file_pread(file, buf, sizeof buf, 100), 0);
    CHECK_INT(rill_file_pwrite(file, "W", 1, 6), 0);
    CHECK_INT(rill_file_truncate(file, 8), 0);
    CHECK_INT(rill_file_sync(file), 0);
    CHECK_INT(rill_file_datasync(file), 0);
    rill_file_info info;
    CHECK_INT(rill_file_fstat(file, &info), 0);
    CHECK_INT(info.size, 8);
    CHECK_INT(info.kind, RILL_FILE_REGULAR);
    check_contents("f", "hello Wo");
    CHECK(rill_file_fd(file) >= 0);
}

FILE_TEST(modes_are_those_of_fopen)
{
    char byte;
    CHECK(!rill_file_open(in_folder("m"), "r"));
    CHECK_INT(rill_errcode(), RILL_ENOTFOUND);
    rill_auto(rill_file) made = rill_file_open(in_folder("m"), "wx", .permissions = 0600);
    REQUIRE(made);
    CHECK_INT(rill_file_read(made, &byte, 1), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, EBADF);
    CHECK(!rill_file_open(in_folder("m"), "wx"));
    CHECK_INT(rill_last_error()->os_errno, EEXIST);
    rill_auto(rill_file) appended = rill_file_open(in_folder("m"), "a");
    REQUIRE(appended);
    CHECK_INT(rill_file_write(made, "123", 3), 0);
    CHECK_INT(rill_file_write(appended, "456", 3), 0);
    check_contents("m", "123456");
    rill_auto(rill_file) emptied = rill_file_open(in_folder("m"), "w");
    CHECK(emptied);
    check_contents("m", "");
    rill_file_info info;
    CHECK_INT(rill_file_stat(in_folder("m"), &info), 0);
    CHECK_INT(info.permissions, 0600);
    const char *wrong[] = { "", "q", "rw", "rx", "r++", "wxx", "rb" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(!rill_file_open(in_folder("m"), wrong[i]));
        CHECK_INT(rill_errcode(), RILL_EINVAL);
    }
    CHECK(!rill_file_open(in_folder("m"), NULL));
    CHECK_INT(rill_errcode(), RILL_EINVAL);
}

static int read_some(void *arg)
{
    static char buf[10];
    ptrdiff_t n = rill_file_read(arg, buf, sizeof buf);
    return (int)n;
}

/* A file whose reads wait until the other end of the fifo writes. */
static rill_file *open_waiting(int *ret_writer)
{
    CHECK_INT(mkfifo(in_folder("fifo"), 0600), 0);
    *ret_writer = open(in_folder("fifo"), O_RDWR | O_CLOEXEC);
    return rill_file_open(in_folder("fifo"), "r");
}

FILE_TEST(one_task_at_a_time_moves_the_position)
{
    int writer;
    rill_file *file = open_waiting(&writer);
    REQUIRE(file);
    rill_task task = rill_spawn(read_some, file);
    CHECK_INT(rill_sleep(0.005), 0);
    CHECK_INT(read_some(file), RILL_EBUSY);
    CHECK_INT(rill_file_write(file, "x", 1), RILL_EBUSY);
    CHECK_INT(rill_file_seek(file, 0), RILL_EBUSY);
    CHECK_INT(rill_file_close(file), RILL_EBUSY);
    CHECK_CONTAINS(rill_last_error()->message, "another task uses it");
    CHECK_INT(write(writer, "abc", 3), 3);
    CHECK_INT(rill_join(task), 3);
    CHECK_INT(rill_file_close(file), 0);
    close(writer);
}

FILE_TEST(a_file_freed_while_it_is_read_is_closed_after_that)
{
    int writer;
    rill_file *file = open_waiting(&writer);
    REQUIRE(file);
    int fd = rill_file_fd(file);
    rill_task task = rill_spawn(read_some, file);
    CHECK_INT(rill_sleep(0.005), 0);
    rill_cancel(task);
    rill_file_free(file);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    CHECK_INT(write(writer, "abcd", 4), 4);
    CHECK_INT(rill_join(task), 4); /* the result wins */
    CHECK(fcntl(fd, F_GETFD) < 0);
    close(writer);
}

/* ---- folders and names ---- */

FILE_TEST(a_folder_is_listed_in_order_with_kinds)
{
    put("b", "x");
    CHECK_INT(rill_file_mkdir(in_folder("a")), 0);
    CHECK_INT(symlink("b", in_folder("c")), 0);
    CHECK_INT(mkfifo(in_folder("d"), 0600), 0);
    rill_auto(rill_dir) dir = rill_dir_read(folder);
    REQUIRE(dir);
    CHECK_INT(rill_dir_count(dir), 4);
    const rill_file_kind kinds[] = { RILL_FILE_DIRECTORY, RILL_FILE_REGULAR, RILL_FILE_LINK,
                                     RILL_FILE_OTHER };
    const char *names[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < 4; i++) {
        CHECK_STR(rill_dir_entries(dir)[i].name.ptr, names[i]);
        CHECK_INT(rill_dir_entries(dir)[i].name.len, 1);
        CHECK_INT(rill_dir_entries(dir)[i].kind, kinds[i]);
    }
    rill_auto(rill_dir) empty = rill_dir_read(in_folder("a"));
    REQUIRE(empty);
    CHECK_INT(rill_dir_count(empty), 0);
}

FILE_TEST(a_folder_has_a_limit)
{
    char name[300];
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "%0200d", i); /* many bytes, so that their room grows */
        close(open(in_folder(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    rill_auto(rill_dir) fits = rill_dir_read(folder, .limit = 70);
    REQUIRE(fits);
    CHECK_INT(rill_dir_count(fits), 70);
    CHECK_STR(rill_dir_entries(fits)[69].name.ptr + 198, "69");
    CHECK(!rill_dir_read(folder, .limit = 69));
    CHECK_INT(rill_errcode(), RILL_ELIMIT);
    CHECK_CONTAINS(rill_last_error()->message, "more than 69 entries");
    CHECK(!rill_dir_read(in_folder("missing")));
    CHECK_INT(rill_errcode(), RILL_ENOTFOUND);
    rill_dir_free(NULL);
}

FILE_TEST(names_are_given_and_taken)
{
    rill_file_info info;
    put("a", "a");
    put("b", "b");
    CHECK_INT(rill_file_rename(in_folder("a"), in_folder("b")), 0);
    check_contents("b", "a");
    CHECK_INT(rill_file_rename(in_folder("a"), in_folder("c")), RILL_ENOTFOUND);
    CHECK_CONTAINS(rill_last_error()->message, "rename /tmp/");
    CHECK_CONTAINS(rill_last_error()->message, "/c: No such file");
    CHECK_INT(rill_file_unlink(in_folder("b")), 0);
    CHECK_INT(rill_file_unlink(in_folder("b")), RILL_ENOTFOUND);
    CHECK_INT(rill_file_stat(in_folder("b"), &info), RILL_ENOTFOUND);
    CHECK_INT(rill_file_mkdir(in_folder("d"), .permissions = 0700), 0);
    CHECK_INT(rill_file_mkdir(in_folder("d")), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, EEXIST);
    CHECK_INT(rill_file_stat(in_folder("d"), &info), 0);
    CHECK_INT(info.permissions, 0700);
    CHECK_INT(info.kind, RILL_FILE_DIRECTORY);
    CHECK_INT(rill_file_rmdir(in_folder("d")), 0);
    CHECK_INT(rill_file_rmdir(in_folder("d")), RILL_ENOTFOUND);
}

FILE_TEST(folders_are_made_with_those_above_them)
{
    CHECK_INT(rill_file_mkdir(in_folder("x/y//z"), .parents = true), 0);
    CHECK_INT(rill_file_mkdir(in_folder("x/y/z"), .parents = true), 0); /* it is there */
    rill_file_info info;
    CHECK_INT(rill_file_stat(in_folder("x/y/z"), &info), 0);
    CHECK_INT(info.kind, RILL_FILE_DIRECTORY);
    put("file", "x");
    CHECK_INT(rill_file_mkdir(in_folder("file/y"), .parents = true), RILL_EOS);
    CHECK_INT(rill_file_mkdir(in_folder("file"), .parents = true), RILL_EOS);
    char path[5000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_INT(rill_file_mkdir(path, .parents = true), RILL_EOS);
    CHECK_INT(rill_last_error()->os_errno, ENAMETOOLONG);
    CHECK_INT(rill_file_rmdir(in_folder("x/y/z")), 0);
    CHECK_INT(rill_file_rmdir(in_folder("x/y")), 0);
}

FILE_TEST(times_are_seconds_since_1970)
{
    rill_file_info info;
    put("now", "x");
    struct timespec times[2] = { { 1000000000, 0 }, { 1500000000, 500000000 } };
    CHECK_INT(utimensat(AT_FDCWD, in_folder("now"), times, 0), 0);
    CHECK_INT(rill_file_stat(in_folder("now"), &info), 0);
    CHECK(info.accessed == 1000000000.0);
    CHECK(info.modified == 1500000000.5);
    CHECK(info.changed > 1500000000.5);
    CHECK_INT(info.links, 1);
    CHECK_INT(info.user, getuid());
}
