/* What the tests of processes share: bodies that are tasks, and no child left after any. */
#ifndef RILL_TESTS_PROCESS_IN_LOOP_H
#define RILL_TESTS_PROCESS_IN_LOOP_H

#include "harness.h"

#include <errno.h>
#include <rill/process.h>
#include <rill/task.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

struct in_task {
    void (*body)(void);
};

UNUSED static int in_task_run(void *arg)
{
    ((const struct in_task *)arg)->body();
    return 0;
}

/* Whether this process has a child, running or not yet collected. */
UNUSED static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* TEST whose body runs as a task; no child is left after it. */
#define TASK_TEST(name)                                                                            \
    static void body_##name(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_INT(rill_run(in_task_run, &(struct in_task){ body_##name }), 0);                     \
        CHECK(!has_children());                                                                    \
    }                                                                                              \
    static void body_##name(void)

#define SH(script) RILL_ARGV("sh", "-c", script)

UNUSED static int wait_for(void *process)
{
    return rill_process_wait(process);
}

UNUSED static bool is_alive(int pid)
{
    return kill(pid, 0) == 0;
}

/* A process that its parent has left is collected by another, at some time. */
UNUSED static bool goes_away(int pid)
{
    char path[40], state = 0;
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        bool gone = !file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z';
        if (file)
            fclose(file);
        if (gone)
            return true;
        rill_sleep(0.002);
    }
    return false;
}

#endif
