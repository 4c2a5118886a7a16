/* The history on disk: kept over a restart, bounded, and whole after every trouble a disk can make.
 */
#include "cli/store.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static struct store_error error;

/* A fresh folder, and a path in it. */
static const char *path_in(const char *name)
{
    static char path[128];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/tmp/rill-store-XXXXXX");
        if (!mkdtemp(folder))
            test_fail(__FILE__, __LINE__, "mkdtemp: %s", strerror(errno));
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

__attribute__((destructor)) static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (*folder && system(command) != 0)
        fprintf(stderr, "%s stays\n", folder);
}

static struct store_entry entry(const char *url, int64_t time_ms, bool ok)
{
    struct store_entry entry = { .url = url };
    entry.result = (struct check_result){
        .time_ms = time_ms, .duration_ms = 1.5, .bytes = 9, .status = ok ? 200 : 0, .ok = ok
    };
    if (!ok) {
        strcpy(entry.result.error, "connect_refused");
        strcpy(entry.result.message, "connect a:80: connection refused");
    }
    return entry;
}

static enum store_code add_one(struct store *store, const char *url, int64_t time_ms, bool ok)
{
    struct store_entry one = entry(url, time_ms, ok);
    return store_add(store, &one, 1, &error);
}

/* How many results the endpoint has in the file, by a connection of our own. */
static int64_t count_rows(const char *path, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t count = -1;
    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

TEST(a_restart_keeps_the_history)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1000, true), STORE_OK);
    CHECK_INT(add_one(store, "http://b/", 1500, true), STORE_OK);
    CHECK_INT(add_one(store, "http://a/", 2000, false), STORE_OK);
    store_close(store);

    store = store_open(path, 0, &error);
    REQUIRE(store);
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 10, &history, &error), STORE_OK);
    REQUIRE(history.count == 2);
    CHECK_INT(history.checks, 2);
    CHECK_INT(history.failures, 1);
    CHECK_INT(history.first_ms, 1000);
    CHECK_INT(history.results[0].time_ms, 1000);
    CHECK(history.results[0].ok && history.results[0].status == 200);
    CHECK(history.results[0].duration_ms > 1.49 && history.results[0].duration_ms < 1.51);
    CHECK_INT(history.results[0].bytes, 9);
    CHECK(!history.results[1].ok);
    CHECK_STR(history.results[1].error, "connect_refused");
    CHECK_STR(history.results[1].message, "connect a:80: connection refused");
    free(history.results);
    CHECK_INT(store_load(store, "http://never/", 10, &history, &error), STORE_OK);
    CHECK(history.count == 0 && history.checks == 0 && !history.results);
    store_close(store);
}

TEST(the_newest_are_loaded_oldest_first)
{
    struct store *store = store_open(path_in("watch.db"), 0, &error);
    REQUIRE(store);
    struct store_entry batch[50];
    for (int i = 0; i < 50; i++)
        batch[i] = entry("http://a/", 1000 + i, true);
    CHECK_INT(store_add(store, batch, 50, &error), STORE_OK);
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 3, &history, &error), STORE_OK);
    REQUIRE(history.count == 3);
    CHECK_INT(history.results[0].time_ms, 1047);
    CHECK_INT(history.results[2].time_ms, 1049);
    CHECK_INT(history.checks, 50);
    free(history.results);
    store_close(store);
}

TEST(old_results_leave_and_the_counters_stay)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 10, &error);
    REQUIRE(store);
    for (int i = 0; i < 100; i++)
        CHECK_INT(add_one(store, "http://a/", i + 1, i % 2), STORE_OK);
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 100, &history, &error), STORE_OK);
    CHECK_INT(history.count, 10);
    CHECK_INT(history.checks, 100);
    CHECK_INT(history.failures, 50);
    CHECK_INT(history.first_ms, 1);
    free(history.results);
    store_close(store);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), 10);
}

TEST(a_lower_bound_is_reached_in_steps)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 1000, &error);
    REQUIRE(store);
    for (int i = 0; i < 300; i++)
        add_one(store, "http://a/", i + 1, true);
    store_close(store);
    store = store_open(path, 10, &error);
    REQUIRE(store);
    add_one(store, "http://a/", 301, true);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), 301 - 64);
    for (int i = 0; i < 10; i++)
        add_one(store, "http://a/", 302 + i, true);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), 10);
    store_close(store);
}

TEST(the_number_of_endpoints_is_bounded)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    static struct store_entry batch[1000];
    static char urls[1000][32];
    for (int64_t round = 0; round < STORE_ENDPOINTS_MAX / 1000; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(urls[i], sizeof urls[i], "http://%d.%d/", (int)round, i);
            batch[i] = entry(urls[i], 1 + round * 1000 + i, true);
        }
        CHECK_INT(store_add(store, batch, 1000, &error), STORE_OK);
    }
    CHECK_INT(add_one(store, "http://new/", 1000000, true), STORE_OK);
    store_close(store);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM endpoints"), STORE_ENDPOINTS_MAX);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), STORE_ENDPOINTS_MAX);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM endpoints WHERE url = 'http://0.0/'"), 0);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM endpoints WHERE url = 'http://0.1/'"), 1);
}

TEST(folders_and_file_are_private)
{
    char path[160];
    snprintf(path, sizeof path, "%s", path_in("a/b/watch.db"));
    umask(0);
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1, true), STORE_OK);
    struct stat status;
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    strcat(path, "-wal");
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    CHECK(stat(path_in("a/b"), &status) == 0 && (status.st_mode & 0777) == 0700);
    CHECK(stat(path_in("a"), &status) == 0 && (status.st_mode & 0777) == 0700);
    store_close(store);
}

TEST(the_default_path_follows_xdg)
{
    setenv("HOME", "/home/me", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    char *path = store_default_path();
    CHECK_STR(path, "/data/rill/watch.db");
    free(path);
    setenv("XDG_DATA_HOME", "relative", 1);
    path = store_default_path();
    CHECK_STR(path, "/home/me/.local/share/rill/watch.db");
    free(path);
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    CHECK(store_default_path() == NULL);
}

TEST(a_locked_database_is_reported_and_works_again)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1, true), STORE_OK);
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_INT(add_one(store, "http://a/", 2, true), STORE_LOCKED);
    CHECK_CONTAINS(error.message, "watch.db: another process is writing to it");
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 5, &history, &error), STORE_OK);
    CHECK_INT(history.count, 1);
    free(history.results);
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    CHECK_INT(add_one(store, "http://a/", 2, true), STORE_OK);
    sqlite3_close(other);
    store_close(store);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), 2);
}

TEST(opening_a_locked_database_is_reported)
{
    const char *path = path_in("watch.db");
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_LOCKED);
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(other);
    struct store *store = store_open(path, 0, &error);
    CHECK(store != NULL);
    store_close(store);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    fputs(text, file);
    fclose(file);
}

TEST(a_file_that_is_no_database_is_left_alone)
{
    const char *text = "Dear diary, this is no database at all, and it is longer than a header is: "
                       "a hundred bytes and some more, so that SQLite reads it.\n";
    const char *path = path_in("diary.txt");
    write_file(path, text);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_NOT_OURS);
    CHECK_CONTAINS(error.message, "diary.txt: it is not a SQLite database");
    size_t len;
    char *after = test_read_file(folder, "diary.txt", &len);
    CHECK_STR(after, text);
    free(after);
}

TEST(a_database_of_another_program_is_left_alone)
{
    const char *path = path_in("other.db");
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    sqlite3_exec(other, "CREATE TABLE endpoints (mine)", NULL, NULL, NULL);
    sqlite3_close(other);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_NOT_OURS);
    CHECK_CONTAINS(error.message, "it is the database of another program");
    CHECK_INT(count_rows(path, "SELECT count(*) FROM sqlite_schema"), 1);
}

TEST(a_newer_version_is_left_alone)
{
    const char *path = path_in("watch.db");
    store_close(store_open(path, 0, &error));
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    sqlite3_exec(other, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(other);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_TOO_NEW);
}

/* Destroys all pages but the first, which says that the file is ours. */
TEST(a_damaged_file_is_reported)
{
    const char *path = path_in("watch.db");
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    for (int i = 0; i < 300; i++)
        add_one(store, "http://a/", i + 1, true);
    store_close(store);
    FILE *file = fopen(path, "r+");
    REQUIRE(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, 4096, SEEK_SET);
    for (long at = 4096; at < size; at++)
        fputc(0x5a, file);
    fclose(file);
    store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 301, true), STORE_CORRUPT);
    CHECK_CONTAINS(error.message, "watch.db: the database is damaged");
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 5, &history, &error), STORE_CORRUPT);
    store_close(store);
}

TEST(a_file_without_our_tables_is_reported)
{
    const char *path = path_in("watch.db");
    store_close(store_open(path, 0, &error));
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    sqlite3_exec(other, "DROP TABLE results", NULL, NULL, NULL);
    sqlite3_close(other);
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1, true), STORE_CORRUPT);
    CHECK_CONTAINS(error.message, "no such table");
    CHECK_INT(count_rows(path, "SELECT count(*) FROM endpoints"), 0);
    /* The failed batch holds no lock. */
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    CHECK_INT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    store_close(store);
}

TEST(a_folder_in_place_of_the_file_is_reported)
{
    const char *path = path_in("watch.db");
    mkdir(path, 0700);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_NO_ACCESS);
    CHECK_CONTAINS(error.message, "it cannot be opened");
}

TEST(a_file_in_place_of_the_folder_is_reported)
{
    write_file(path_in("file"), "x");
    CHECK(store_open(path_in("file/watch.db"), 0, &error) == NULL);
    CHECK_INT(error.code, STORE_NO_ACCESS);
    CHECK(store_open(path_in("file/deeper/watch.db"), 0, &error) == NULL);
    CHECK_CONTAINS(error.message, "the folder cannot be made");
}

/* Permissions do not bind root: the test goes on as nobody. */
TEST(a_read_only_file_is_reported)
{
    const char *path = path_in("watch.db");
    store_close(store_open(path, 0, &error));
    chmod(folder, 0755);
    chmod(path, 0444);
    bool root = geteuid() == 0;
    if (root && seteuid(65534) < 0) {
        test_skip("cannot become another user");
        return;
    }
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK(error.code == STORE_READ_ONLY || error.code == STORE_NO_ACCESS);
    CHECK(store_open("/proc/rill/watch.db", 0, &error) == NULL);
    CHECK_INT(error.code, STORE_NO_ACCESS);
    if (root && seteuid(0) < 0)
        test_fail(__FILE__, __LINE__, "seteuid: %s", strerror(errno));
}

/* A file system of its own of 256 KiB, which no other process sees and which ends with this one. */
static bool mount_small(const char *at)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mkdir(at, 0700) == 0 && mount("small", at, "tmpfs", 0, "size=256k") == 0;
}

/* Takes all the space that is left. */
static void fill_up(const char *path)
{
    static const char bytes[4096];
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
}

static struct store_entry *large_batch(size_t count)
{
    struct store_entry *batch = calloc(count, sizeof *batch);
    for (size_t i = 0; batch && i < count; i++) {
        batch[i] = entry("http://a/", 1000 + (int64_t)i, false);
        memset(batch[i].result.message, 'x', 300);
    }
    return batch;
}

TEST(a_full_disk_is_reported_and_loses_nothing)
{
    char mounted[128], ballast[128], path[128];
    snprintf(mounted, sizeof mounted, "%s", path_in("disk"));
    snprintf(ballast, sizeof ballast, "%s", path_in("disk/ballast"));
    snprintf(path, sizeof path, "%s", path_in("disk/watch.db"));
    if (geteuid() != 0 || !mount_small(mounted)) {
        test_skip("needs to mount a small file system");
        return;
    }
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1, true), STORE_OK);
    fill_up(ballast);
    struct store_entry *batch = large_batch(100);
    CHECK_INT(store_add(store, batch, 100, &error), STORE_FULL);
    CHECK_CONTAINS(error.message, "watch.db: the disk is full");
    CHECK_INT(store_add(store, batch, 100, &error), STORE_FULL);
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 5, &history, &error), STORE_OK);
    CHECK_INT(history.checks, 1);
    free(history.results);
    unlink(ballast);
    CHECK_INT(store_add(store, batch, 100, &error), STORE_OK);
    store_close(store);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results"), 101);
    CHECK_INT(count_rows(path, "SELECT checks FROM endpoints"), 101);
    free(batch);
    umount(mounted);
}

TEST(a_disk_that_is_full_from_the_start_is_reported)
{
    char mounted[128], ballast[128], path[128];
    snprintf(mounted, sizeof mounted, "%s", path_in("disk"));
    snprintf(ballast, sizeof ballast, "%s", path_in("disk/ballast"));
    snprintf(path, sizeof path, "%s", path_in("disk/watch.db"));
    if (geteuid() != 0 || !mount_small(mounted)) {
        test_skip("needs to mount a small file system");
        return;
    }
    fill_up(ballast);
    CHECK(store_open(path, 0, &error) == NULL);
    CHECK_INT(error.code, STORE_FULL);
    unlink(ballast);
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    CHECK_INT(add_one(store, "http://a/", 1, true), STORE_OK);
    store_close(store);
    umount(mounted);
}

/* Another process is killed in the middle of its writing, again and again. */
TEST(a_kill_leaves_whole_batches)
{
    char path[128];
    snprintf(path, sizeof path, "%s", path_in("watch.db"));
    store_close(store_open(path, 0, &error));
    for (int round = 0; round < 10; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct store *store = store_open(path, 0, &error);
            struct store_entry *batch = large_batch(20);
            while (store && batch)
                store_add(store, batch, 20, &error);
            _exit(1);
        }
        usleep(30000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    struct store *store = store_open(path, 0, &error);
    REQUIRE(store);
    struct store_history history;
    CHECK_INT(store_load(store, "http://a/", 1, &history, &error), STORE_OK);
    CHECK(history.checks > 0);
    CHECK_INT(history.checks % 20, 0);
    free(history.results);
    store_close(store);
    CHECK_INT(count_rows(path, "SELECT count(*) FROM results") % 20, 0);
}
