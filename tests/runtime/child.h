/* A function run in a process of its own: how it ended, and what it said on stderr. */
#ifndef RILL_TESTS_RUNTIME_CHILD_H
#define RILL_TESTS_RUNTIME_CHILD_H

#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int status; /* as of waitpid */
    char said[4096];
};

/* The child exits with what `run` returns. */
static inline struct child run_in_child(int (*run)(void))
{
    struct child child = { 0 };
    int ends[2];
    if (pipe(ends) < 0)
        return child;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(run());
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(ends[0], child.said + used, sizeof child.said - 1 - used)) > 0)
        used += (size_t)n;
    close(ends[0]);
    waitpid(pid, &child.status, 0);
    return child;
}

static inline bool died_of(const struct child *child, int signal_number)
{
    return WIFSIGNALED(child->status) && WTERMSIG(child->status) == signal_number;
}

#endif
