/* The test harness: runs each registered test in a forked process and counts. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared with the child: what the test said of itself. */
struct verdict {
    int failures;
    int skipped;
    char why[200];
};

static struct test *tests;
static struct verdict *verdict;

void test_register(struct test *test)
{
    struct test **at = &tests;
    while (*at)
        at = &(*at)->next;
    *at = test;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "  %s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    __atomic_add_fetch(&verdict->failures, 1, __ATOMIC_RELAXED);
}

void test_skip(const char *why)
{
    verdict->skipped = 1;
    snprintf(verdict->why, sizeof verdict->why, "%s", why);
}

int test_failures(void)
{
    return verdict->failures;
}

const char *test_source_dir(void)
{
    return RILL_SOURCE_DIR;
}

const char *test_data_dir(void)
{
    const char *dir = getenv("RILL_TEST_DATA");
    if (dir)
        return access(dir, R_OK) == 0 ? dir : NULL;
    return access(RILL_SOURCE_DIR "/../shared/data", R_OK) == 0 ? RILL_SOURCE_DIR "/../shared/data"
                                                                : NULL;
}

char *test_read_file(const char *dir, const char *name, size_t *ret_len)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    size_t got = text ? fread(text, 1, (size_t)size, file) : 0;
    fclose(file);
    if (!text)
        return NULL;
    text[got] = '\0';
    if (ret_len)
        *ret_len = got;
    return text;
}

static int open_descriptors(char *list, size_t size)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return -1;
    int count = 0;
    size_t used = 0;
    list[0] = '\0';
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
            continue;
        char path[300], target[200];
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len < 0 ? 0 : len] = '\0';
        int n = snprintf(list + used, size - used, " %s=%s", entry->d_name, target);
        used += n > 0 && used + (size_t)n < size ? (size_t)n : 0;
        count++;
    }
    closedir(dir);
    return count;
}

static void run_in_child(const struct test *test)
{
    char before[4096], after[4096];
    int count = open_descriptors(before, sizeof before);
    test->run();
    if (open_descriptors(after, sizeof after) > count)
        test_fail(test->name, 0, "descriptors left open: before%s, after%s", before, after);
    fflush(NULL);
    exit(verdict->failures ? 1 : 0); /* exit, not _exit: the leak checker runs there */
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits for the child; a child that passes its limit is killed with its group. */
static int wait_for(pid_t pid, double limit, bool *ret_late)
{
    int status = 0;
    double end = seconds_now() + limit;
    *ret_late = false;
    for (useconds_t pause = 200; waitpid(pid, &status, WNOHANG) == 0;) {
        if (seconds_now() > end && !*ret_late) {
            *ret_late = true;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        usleep(pause);
        pause = pause < 10000 ? pause * 2 : pause;
    }
    kill(-pid, SIGKILL); /* what the test started and left behind */
    return status;
}

static double limit_of(const struct test *test)
{
    const char *factor = getenv("RILL_TEST_SLOW"); /* sanitizers and valgrind take longer */
    return test->seconds * (factor ? atof(factor) : 1.0);
}

static bool run_test(const struct test *test)
{
    *verdict = (struct verdict){ 0 };
    fflush(NULL);
    double start = seconds_now();
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not run on when this program is killed */
        run_in_child(test);
    }
    setpgid(pid, pid);
    bool late;
    int status = wait_for(pid, limit_of(test), &late);
    double took = seconds_now() - start;
    const char *word = "ok";
    if (late)
        fprintf(stderr, "  %s: no end within %.0f s\n", test->name, limit_of(test));
    else if (WIFSIGNALED(status))
        fprintf(stderr, "  %s: killed by signal %d\n", test->name, WTERMSIG(status));
    bool ok = !late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok)
        word = "FAILED";
    else if (verdict->skipped)
        word = "skipped";
    printf("%-8s %s (%.2f s)%s%s\n", word, test->name, took, verdict->skipped ? ": " : "",
           verdict->why);
    return ok;
}

static bool wanted(const struct test *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(test->name, argv[i]))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED)
        return 2;
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        for (const struct test *test = tests; test; test = test->next)
            puts(test->name);
        return 0;
    }
    int passed = 0, failed = 0, skipped = 0;
    for (const struct test *test = tests; test; test = test->next) {
        if (!wanted(test, argc, argv))
            continue;
        bool ok = run_test(test);
        if (ok && verdict->skipped)
            skipped++;
        else if (ok)
            passed++;
        else
            failed++;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0;
}
