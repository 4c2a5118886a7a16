/* Scenarios without a network: tasks that wait for tasks, and files. */
#include "scenarios.h"

#include "base/fail.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- queue, select, wait, as_completed and race ---- */

static struct joins {
    rill_queue *queue;
    rill_event stop;
    int put, got;
} joins;

static int produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        RILL__TRY(rill_queue_put(joins.queue, &i));
        joins.put++;
        RILL__TRY(rill_sleep(0.001));
    }
    return 0;
}

static int consume(void *arg)
{
    (void)arg;
    for (;;) {
        int value;
        rill_case cases[] = { rill_case_get(joins.queue, &value), rill_case_event(&joins.stop),
                              rill_case_after(60) };
        int which = rill_select(cases, 3);
        if (which == 0 && cases[0].result == 0) {
            joins.got++;
            rill_queue_done(joins.queue);
        } else if (which == 2) {
            return rill_test_fail("nothing came for 60 s");
        } else {
            return which < 0 ? which : cases[which].result;
        }
    }
}

/* Joins those that were spawned as they end; returns the first failure. */
static int collect(const rill_task *tasks, size_t count)
{
    rill_auto(rill_as_completed) order = rill_as_completed_new(tasks, count);
    int rc = order ? 0 : rill_errcode(), next = 0;
    size_t at;
    while (order && (next = rill_as_completed_next(order, &at)) > 0) {
        int result = rill_join(tasks[at]);
        rc = rc < 0 ? rc : result;
    }
    return rc < 0 ? rc : next;
}

static int sleep_for(void *arg)
{
    return rill_sleep(*(const double *)arg);
}

static int run_race(void)
{
    double delays[] = { 0.03, 0.001, 0.02 };
    size_t winner = 9;
    RILL__TRY(rill_race(delays, 3, sleep_for, .winner = &winner));
    return winner < 3 ? 0 : rill_test_fail("nobody has won the race");
}

int run_joins(void *arg)
{
    (void)arg;
    static rill_task_fn *const roles[] = { produce, produce, consume, consume };
    rill_task tasks[4];
    joins = (struct joins){ 0 };
    rill_event_init(&joins.stop);
    joins.queue = rill_queue_new(sizeof(int), .capacity = 1);
    RILL__TRY(joins.queue ? 0 : rill_errcode());
    for (int i = 0; i < 4; i++) {
        tasks[i] = rill_spawn(roles[i], NULL);
        RILL__TRY(tasks[i].id ? 0 : rill_errcode());
    }
    RILL__TRY(rill_wait(tasks, 4, .until = RILL_WAIT_FIRST, .timeout = 60));
    RILL__TRY(rill_wait(tasks, 2, .timeout = 60));
    RILL__TRY(rill_queue_join(joins.queue));
    rill_event_set(&joins.stop);
    RILL__TRY(collect(tasks, 4));
    return run_race();
}

/* No element was lost, and none came twice. */
int check_joins(void *arg)
{
    (void)arg;
    int left = joins.queue ? (int)rill_queue_count(joins.queue) : 0;
    rill_queue_free(joins.queue);
    if (joins.got + left != joins.put)
        return rill_fail(RILL_EFAILED, "%d put, %d got, %d left", joins.put, joins.got, left);
    return 0;
}

/* ---- files, and other things that threads do ---- */

#define SIZE 20000u

static char folder[64];
static char bytes[SIZE];

void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/rill-scenarios-XXXXXX");
    if (!mkdtemp(folder))
        folder[0] = '\0';
    memset(bytes, 'f', sizeof bytes);
}

static const char *in_folder(const char *name)
{
    static char paths[2][100];
    static int next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Removes what is in it. Returns how many files there were that should not be. */
static int empty_folder(void)
{
    DIR *dir = opendir(folder);
    int strays = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        strays += strcmp(entry->d_name, "a") != 0 && strcmp(entry->d_name, "b") != 0;
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    return strays;
}

void drop_folder(void)
{
    empty_folder();
    rmdir(folder);
}

static int append(void)
{
    rill_auto(rill_file) file = rill_file_open(in_folder("a"), "a");
    RILL__TRY(file ? 0 : rill_errcode());
    RILL__TRY(rill_file_write(file, "end", 3));
    return rill_file_close(rill_take(file));
}

static int count_on_thread(void *arg)
{
    return (int)strlen(arg);
}

int run_files(void *arg)
{
    (void)arg;
    empty_folder();
    RILL__TRY(rill_file_write_all(in_folder("a"), bytes, SIZE, .no_sync = true));
    RILL__TRY(append());
    RILL__TRY(rill_file_rename(in_folder("a"), in_folder("b")));
    rill_auto(rill_contents) contents = rill_file_read_all(in_folder("b"), .abandon = true);
    RILL__TRY(contents ? 0 : rill_errcode());
    if (rill_contents_text(contents).len != SIZE + 3)
        rill_test_fail("the file has %zu bytes", rill_contents_text(contents).len);
    rill_auto(rill_dir) dir = rill_dir_read(folder);
    RILL__TRY(dir ? 0 : rill_errcode());
    int rc = rill_to_thread(count_on_thread, "four");
    RILL__TRY(rc);
    if (rc != 4 || rill_dir_count(dir) != 1)
        rill_test_fail("%d letters, %zu files", rc, rill_dir_count(dir));
    return rill_file_unlink(in_folder("b"));
}

/* A file that is there is whole, and nothing is beside it. */
int check_files(void *arg)
{
    (void)arg;
    rill_auto(rill_contents) a = rill_file_read_all(in_folder("a"));
    rill_auto(rill_contents) b = rill_file_read_all(in_folder("b"));
    size_t len_a = a ? rill_contents_text(a).len : SIZE;
    size_t len_b = b ? rill_contents_text(b).len : SIZE + 3;
    int strays = empty_folder();
    if (strays > 0 || (len_a != SIZE && len_a != SIZE + 3) || len_b != SIZE + 3)
        return rill_fail(RILL_EFAILED, "%d strays, %zu and %zu bytes", strays, len_a, len_b);
    return 0;
}
