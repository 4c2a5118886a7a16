/*
 * sleepers N: so many tasks that sleep at once, and what each of them costs in memory.
 *
 * Prints `name value` lines: resident bytes of the whole process with its page tables (VmRSS and
 * VmPTE), the same by task, and the seconds that it took to start them all and to end them all.
 */
#include <rill/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t sleeping;

static int sleep_long(void *arg)
{
    (void)arg;
    sleeping++;
    return rill_sleep(3600);
}

/* The sum of the lines of /proc/self/status that begin with these names, in bytes. */
static size_t status_bytes(const char *first, const char *second)
{
    char line[256];
    size_t total = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, first, strlen(first)) || !strncmp(line, second, strlen(second)))
            total += strtoull(strchr(line, ':') + 1, NULL, 10) * 1024;
    if (file)
        fclose(file);
    return total;
}

static int run(void *arg)
{
    size_t count = *(size_t *)arg;
    size_t before = status_bytes("VmRSS:", "VmPTE:");
    rill_group group;
    double start = rill_now();
    rill_group_begin(&group);
    for (size_t i = 0; i < count; i++)
        if (!rill_spawn(sleep_long, NULL, .group = &group).id)
            return rill_group_end(&group, rill_errcode());
    while (sleeping < count)
        rill_sleep(0.001);
    double started = rill_now();
    size_t after = status_bytes("VmRSS:", "VmPTE:");
    printf("resident_bytes %zu\n", after);
    printf("bytes_per_task %.0f\n", (double)(after - before) / (double)count);
    printf("start_seconds %.2f\n", started - start);
    rill_group_cancel(&group, "done");
    int rc = rill_group_end(&group, 0);
    printf("end_seconds %.2f\n", rill_now() - started);
    return rc;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: sleepers N\n");
        return 2;
    }
    return rill_run(run, &count);
}
