/* Where bodies are saved, and that only whole ones get their name. */
#include "cli/save.h"

#include "harness.h"

#include <fcntl.h>
#include <rill/rill.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path that the template gives the URL, as URL 7. */
static char *path_of(const char *template_text, const char *url)
{
    static char kept[8192];
    char *urls[7];
    for (size_t i = 0; i < 7; i++)
        urls[i] = (char *)(uintptr_t)(i == 6 ? url : "no URL");
    char **paths = save_paths(template_text, urls, 7);
    snprintf(kept, sizeof kept, "%s", paths && paths[6] ? paths[6] : "(none)");
    save_paths_free(paths, 7);
    return kept;
}

TEST(templates_are_checked)
{
    CHECK(!save_template_check("out/{n}-{host}/{path}.{name}"));
    CHECK(!save_template_check("one-file"));
    CHECK_STR(save_template_check(""), "it is empty");
    CHECK_CONTAINS(save_template_check("{number}"), "{n}");
    CHECK_CONTAINS(save_template_check("a{n"), "{n}");
    CHECK_CONTAINS(save_template_check("{}"), "{n}");
}

TEST(fields_are_filled_in)
{
    CHECK_STR(path_of("{n}", "http://a.example/x"), "7");
    CHECK_STR(path_of("o/{host}", "http://user:pw@A.example:81/x"), "o/a.example");
    CHECK_STR(path_of("{path}", "http://a.example/x/y.html?q=1#top"), "x/y.html");
    CHECK_STR(path_of("{name}", "http://a.example/x/y.html?q=/z"), "y.html");
    CHECK_STR(path_of("{path}", "http://a.example"), "index.html");
    CHECK_STR(path_of("{path}", "http://a.example/x/"), "x/index.html");
    CHECK_STR(path_of("{name}", "http://a.example/x/"), "index.html");
    CHECK_STR(path_of("{n}{n}-{host}}", "http://a.example/"), "77-a.example}");
    CHECK_STR(path_of("o/{host}/{path}", "http://[::1]/x"), "o/__1/x");
}

TEST(hostile_paths_stay_below_the_folder)
{
    CHECK_STR(path_of("o/{path}", "http://h/../../etc/passwd"), "o/etc/passwd");
    CHECK_STR(path_of("o/{path}", "http://h/%2e%2e/%2E%2E/x"), "o/x");
    CHECK_STR(path_of("o/{path}", "http://h/..%2f..%2fetc"), "o/_._2f.._2fetc");
    CHECK_STR(path_of("o/{path}", "http://h//etc//passwd"), "o/_/etc/_/passwd");
    CHECK_STR(path_of("o/{path}", "http://h/a\\..\\..\\b"), "o/b");
    CHECK_STR(path_of("{path}", "http://h/.bashrc"), "_bashrc");
    CHECK_STR(path_of("{name}", "http://h/.../...."), "_...");
    CHECK_STR(path_of("o/{name}", "http://h/a%00b%0a$(x);`y`"), "o/a_00b_0a__x___60y_60");
    CHECK_STR(path_of("{name}", "http://h/\xc3\xa4"), "_C3_A4");
}

/* No part of what comes from a URL is longer than a file's name may be, the template's own and the
 * ending of a file under way included. */
TEST(parts_are_cut)
{
    char url[1200] = "http://h/", *path;
    memset(url + 9, 'a', 300);
    url[309] = '/';
    memset(url + 310, 'b', 600);
    path = path_of("{path}", url);
    CHECK_INT(strcspn(path, "/"), 200);
    CHECK_INT(strlen(path), 401);
    CHECK_INT(strlen(path_of("{name}", url)), 200);
}

TEST(paths_differ)
{
    char *urls[] = { "http://h/a/x.txt", "http://h/b/x.txt", "http://h/c/y", "no URL",
                     "http://h/d/x.txt", "http://i/y",       "http://h/z?1", "http://h/z?2" };
    const char *names[] = { "x.txt", "x+2.txt", "y", NULL, "x+5.txt", "y+6", "z", "z+8" };
    size_t count = sizeof urls / sizeof urls[0];
    char **paths = save_paths("{name}", urls, count);
    REQUIRE(paths);
    for (size_t i = 0; i < count; i++)
        if (names[i])
            CHECK_STR(paths[i], names[i]);
        else
            CHECK(!paths[i]);
    save_paths_free(paths, count);
}

TEST(numbers_stand_in_the_name_alone)
{
    char *urls[] = { "http://h/a", "http://h/b", "http://h/c" };
    char **paths = save_paths("v1.2/all", urls, 3);
    REQUIRE(paths);
    CHECK_STR(paths[0], "v1.2/all");
    CHECK_STR(paths[1], "v1.2/all+2");
    save_paths_free(paths, 3);
    paths = save_paths("x/.hidden", urls, 2);
    REQUIRE(paths);
    CHECK_STR(paths[1], "x/.hidden+2");
    save_paths_free(paths, 2);
    paths = save_paths("x.c++", urls, 2);
    REQUIRE(paths);
    CHECK_STR(paths[1], "x.c+++2");
    save_paths_free(paths, 2);
    paths = save_paths("{n}", urls, 0);
    CHECK(paths);
    save_paths_free(paths, 0);
}

/* ---- files ---- */

static char folder[] = "/tmp/rill-save-XXXXXX";

/* Runs the function as a task, in a folder of its own that goes away. */
static void in_folder(int (*fn)(void *))
{
    REQUIRE(mkdtemp(folder) && chdir(folder) == 0);
    CHECK_INT(rill_run(fn, NULL), 0);
    REQUIRE(chdir("/") == 0);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_INT(system(command), 0);
}

static int write_whole(void *arg)
{
    (void)arg;
    struct save save;
    CHECK_INT(save_open(&save, "a/b/c.txt"), 0);
    CHECK_INT(save_write(&save, "hello ", 6), 0);
    CHECK(access("a/b/c.txt", F_OK) != 0);
    CHECK_INT(save_write(&save, "world", 5), 0);
    CHECK_INT(save_finish(&save), 0);
    save_drop(&save);
    size_t len;
    char *text = test_read_file("a/b", "c.txt", &len);
    CHECK_STR(text, "hello world");
    free(text);
    CHECK(access("a/b/c.txt+part", F_OK) != 0);
    return 0;
}

TEST(whole_bodies_are_saved)
{
    in_folder(write_whole);
}

static int write_half(void *arg)
{
    (void)arg;
    struct save save;
    CHECK_INT(save_open(&save, "c.txt"), 0);
    CHECK_INT(save_write(&save, "hello ", 6), 0);
    CHECK(access("c.txt+part", F_OK) == 0);
    save_drop(&save);
    save_drop(&save);
    CHECK(access("c.txt", F_OK) != 0);
    CHECK(access("c.txt+part", F_OK) != 0);
    return 0;
}

TEST(half_bodies_leave_nothing)
{
    in_folder(write_half);
}

static int write_to_pipe(void *arg)
{
    (void)arg;
    CHECK_INT(mkfifo("pipe", 0700), 0);
    int reader = open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct save save;
    CHECK_INT(save_open(&save, "pipe"), 0);
    CHECK_INT(save_write(&save, "hello", 6), 0);
    CHECK_INT(save_finish(&save), 0);
    save_drop(&save);
    char said[16] = "";
    CHECK_INT(read(reader, said, sizeof said), 6);
    CHECK_STR(said, "hello");
    close(reader);
    struct stat there;
    CHECK(stat("pipe", &there) == 0 && S_ISFIFO(there.st_mode));
    CHECK(access("pipe+part", F_OK) != 0);
    return 0;
}

TEST(pipes_and_devices_are_not_replaced)
{
    in_folder(write_to_pipe);
}

static int write_nowhere(void *arg)
{
    (void)arg;
    struct save save;
    CHECK_INT(mkdir("taken", 0700), 0);
    CHECK_INT(save_open(&save, "taken"), 0);
    CHECK_INT(save_finish(&save), RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "name taken: ");
    save_drop(&save);
    CHECK(access("taken+part", F_OK) != 0);
    CHECK_INT(save_open(&save, "/dev/null/x"), RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "/dev/null");
    save_drop(&save);
    CHECK_INT(save_open(&save, "/proc/x/y"), RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "make the folder /proc/x: ");
    save_drop(&save);
    return 0;
}

TEST(what_cannot_be_written_is_named)
{
    in_folder(write_nowhere);
}

static int write_to_full_disk(void *arg)
{
    (void)arg;
    struct save save = { .fd = 1 };
    FILE *full = fopen("/dev/full", "w");
    if (!full) {
        test_skip("there is no /dev/full");
        return 0;
    }
    save.fd = fileno(full);
    save.part = "standard output";
    CHECK_INT(save_write(&save, "x", 1), RILL_EOS);
    CHECK_CONTAINS(rill_last_error()->message, "write standard output: No space left");
    fclose(full);
    return 0;
}

TEST(a_full_disk_is_told)
{
    in_folder(write_to_full_disk);
}
