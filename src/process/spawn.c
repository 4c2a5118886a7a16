/*
 * Starting a program: what the child gets for its descriptors, its environment, and posix_spawn.
 *
 * posix_spawn is vfork with the pitfalls taken care of: the child borrows our memory until it is
 * another program, so its start costs the same however large we are, and why it failed is known at
 * once. It holds up the thread that calls it for as long as it takes to read the program from disk,
 * so a thread of the pool does.
 *
 * Every descriptor that is handed on stands above 2, so that none is overwritten before its turn;
 * all are close-on-exec, and the child closes what it was not meant to have as well.
 */
#include "process/process_internal.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <rill/pipe.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- descriptors ---- */

/* Moves a descriptor of ours out of the way of 0, 1 and 2. Returns -1 with errno on failure. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd);
    errno = error;
    return moved;
}

static int no_pipe(const char *name, int error)
{
    return rill__fail_errno(RILL_EOS, error, "start %s: pipe", name);
}

/* A pipe between us and the child's descriptor `place`. */
static int open_pipe(rill__launch *launch, int place, rill_stream **ret_stream, const char *name)
{
    static const char *const places[] = { "stdin", "stdout", "stderr" };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return no_pipe(name, errno);
    int ours = above_standard(ends[place == STDIN_FILENO]);
    int theirs = above_standard(ends[place != STDIN_FILENO]);
    launch->opened[place] = launch->from[place] = theirs;
    if (ours < 0 || theirs < 0) {
        int error = errno;
        if (ours >= 0)
            close(ours);
        return no_pipe(name, error);
    }
    char text[100];
    snprintf(text, sizeof text, "%s of %s", places[place], name);
    *ret_stream = rill_stream_of_fd_with(RILL_OPTS(rill_stream_fd_opts, .fd = ours, .name = text));
    if (*ret_stream)
        return 0;
    close(ours);
    return rill_errcode();
}

static int set_up(rill__launch *launch, int place, rill_stream **ret_stream, const char *name)
{
    int from = launch->from[place];
    if (from == RILL_PIPE)
        return open_pipe(launch, place, ret_stream, name);
    if (from < RILL_MERGE || (from == RILL_MERGE && place != STDERR_FILENO))
        return rill__fail(RILL_EINVAL, "start %s: %d is no choice for descriptor %d", name, from,
                          place);
    if (from < 0 || from > STDERR_FILENO)
        return 0;
    int copy = fcntl(from, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (copy < 0)
        return rill__fail_errno(RILL_EOS, errno, "start %s: descriptor %d", name, from);
    launch->opened[place] = launch->from[place] = copy;
    return 0;
}

/* ---- the environment ---- */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return len == strcspn(b, "=") && memcmp(a, b, len) == 0;
}

/* Whether a later entry of the list has the same name. */
static bool is_overridden(const char *entry, const char *const *list)
{
    for (; *list; list++)
        if (same_name(entry, *list))
            return true;
    return false;
}

static int make_environment(rill__launch *launch)
{
    const char *const *base = launch->opts->env;
    const char *const *add = launch->opts->env_add;
    if (!base)
        base = (const char *const *)environ;
    launch->env = rill__alloc((count(base) + count(add) + 1) * sizeof *launch->env);
    if (!launch->env)
        return rill__fail_nomem();
    const char **to = launch->env;
    for (; base && *base; base++)
        if (!add || !is_overridden(*base, add))
            *to++ = *base;
    for (; add && *add; add++)
        if (strchr(*add, '=') && !is_overridden(*add, add + 1))
            *to++ = *add;
    *to = NULL;
    return 0;
}

/* ---- before and after ---- */

int rill__launch_begin(rill__launch *launch, const rill_process_opts *opts, rill_stream **streams,
                       const char *name)
{
    const int from[] = { opts->stdin_, opts->stdout_, opts->stderr_ };
    *launch = (rill__launch){ .opts = opts, .opened = { -1, -1, -1 }, .pidfd = -1 };
    for (int i = 0; i < 3; i++)
        launch->from[i] = from[i] ? from[i] : RILL_INHERIT;
    for (int i = 0; i < 3; i++)
        RILL__TRY(set_up(launch, i, &streams[i], name));
    return make_environment(launch);
}

void rill__launch_end(rill__launch *launch)
{
    for (int i = 0; i < 3; i++)
        if (launch->opened[i] >= 0)
            close(launch->opened[i]);
    rill__free(launch->env);
}

/* ---- on the thread ---- */

static int add_descriptor(posix_spawn_file_actions_t *actions, int place, int from)
{
    switch (from) {
    case RILL_INHERIT:
        return 0;
    case RILL_NULL:
        return posix_spawn_file_actions_addopen(actions, place, "/dev/null",
                                                place == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
    case RILL_MERGE:
        return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, place);
    default:
        return posix_spawn_file_actions_adddup2(actions, from, place);
    }
}

static int fill_actions(posix_spawn_file_actions_t *actions, const rill__launch *launch)
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++)
        error = add_descriptor(actions, i, launch->from[i]);
#if __GLIBC_PREREQ(2, 34)
    if (error == 0 && !launch->opts->inherit_fds)
        error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#endif
    if (error == 0 && launch->opts->cwd)
        error = posix_spawn_file_actions_addchdir_np(actions, launch->opts->cwd);
    return error;
}

static void fill_attributes(posix_spawnattr_t *attributes, const rill_process_opts *opts)
{
    sigset_t none, reset;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigfillset(&reset);
    /* Ignored, these say something that is meant for the children too: nohup, a shell's `&`. */
    sigdelset(&reset, SIGHUP);
    sigdelset(&reset, SIGINT);
    sigdelset(&reset, SIGQUIT);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &reset);
    if (opts->new_session)
        flags |= POSIX_SPAWN_SETSID;
    else if (opts->new_group)
        flags |= POSIX_SPAWN_SETPGROUP; /* to the group that is 0: one of its own */
    posix_spawnattr_setflags(attributes, flags);
}

static int spawn(rill__launch *launch)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        char *const *argv = (char *const *)(uintptr_t)launch->opts->argv;
        fill_attributes(&attributes, launch->opts);
        error = fill_actions(&actions, launch);
        if (error == 0)
            error = posix_spawnp(&launch->pid, argv[0], &actions, &attributes, argv,
                                 (char *const *)(uintptr_t)launch->env);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Without a descriptor for it, a child is of no use to us; unless it has ended and gone already,
 * which happens where SIGCHLD is ignored. */
static int open_pidfd(rill__launch *launch)
{
    launch->pidfd = above_standard((int)syscall(SYS_pidfd_open, launch->pid, 0));
    if (launch->pidfd >= 0 || errno == ESRCH)
        return 0;
    int error = errno;
    kill(launch->pid, SIGKILL);
    waitpid(launch->pid, NULL, 0);
    return error;
}

static int launch_on_thread(void *arg)
{
    rill__launch *launch = arg;
    launch->error = spawn(launch);
    if (launch->error == 0)
        launch->error = open_pidfd(launch);
    return 0;
}

static int launch_failure(const rill__launch *launch)
{
    const char *cwd = launch->opts->cwd, *program = launch->opts->argv[0];
    int error = launch->error;
    int code = error == ENOENT ? RILL_ENOTFOUND : error == ENOMEM ? RILL_ENOMEM : RILL_EOS;
    if (cwd && access(cwd, X_OK) < 0)
        return rill__fail_errno(code, error, "start %s in %s", program, cwd);
    return rill__fail_errno(code, error, "start %s", program);
}

int rill__launch_start(rill__launch *launch)
{
    RILL__TRY(rill_to_thread(launch_on_thread, launch));
    return launch->error ? launch_failure(launch) : 0;
}
