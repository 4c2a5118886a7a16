/*
 * Child processes: other programs, their pipes as streams, their end as something to wait for.
 *
 *     rill_auto(rill_process) git = rill_process_run(RILL_ARGV("git", "log", "-1"), .check = true);
 *     if (!git)
 *         return rill_errcode();          "git: exit status 128: fatal: not a git repository"
 *     printf("%s", rill_process_output(git).ptr);
 *
 *     rill_auto(rill_process) sort = rill_process_start(RILL_ARGV("sort"), .stdin_ = RILL_PIPE);
 *     rill_stream_write(rill_process_stdin(sort), "b\na\n", 4);
 *     rill_stream_shutdown(rill_process_stdin(sort));
 *     int rc = rill_process_wait(sort);
 *
 * A program starts with descriptors 0, 1 and 2 alone, no signal blocked, and the default action for
 * every signal, but for SIGHUP, SIGINT and SIGQUIT where this process ignores them (nohup). It runs
 * beside the tasks; starting it does not hold up the loop.
 *
 * A whole tree of processes can be killed when its root has a group of its own (`.new_group`,
 * `.new_session`, rill_process_run): a signal then goes to all that is in the group, also after the
 * root has ended. What leaves the group, as daemons and job-controlling shells do, is not reached;
 * there are cgroups for that. Until such a process is freed its number stays taken, as a zombie, so
 * that the signal cannot reach a stranger. A group of its own is not the terminal's: it may not
 * read from it, and Ctrl-C does not reach it.
 */
#ifndef RILL_PROCESS_H
#define RILL_PROCESS_H

#include <rill/net.h>
#include <rill/select.h>

RILL_BEGIN_DECLS

typedef struct rill_process rill_process;

/* A list of words for `.argv`, ended with NULL: RILL_ARGV("ls", "-l"). It lives until the end of
 * the block that it is written in. */
#define RILL_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* What the child has for its descriptor 0, 1 or 2; or the number of a descriptor of ours, from 1,
 * which stays ours. */
enum rill_stdio {
    RILL_INHERIT = -1, /* the same as ours */
    RILL_PIPE = -2,    /* a pipe, whose other end is a stream here */
    RILL_NULL = -3,    /* /dev/null */
    RILL_MERGE = -4,   /* for .stderr_: what .stdout_ is */
};

typedef struct rill_process_opts {
    size_t size;
    const char *const *argv;    /* the program and its arguments, ended with NULL. Without a slash
                                   it is looked for in our PATH; with one, in `.cwd` */
    const char *const *env;     /* "NAME=value", ended with NULL. Default: our environment */
    const char *const *env_add; /* put on top of it, ended with NULL; "NAME" alone takes one away */
    const char *cwd;            /* Default: ours */
    int stdin_, stdout_, stderr_; /* an enum rill_stdio, or a descriptor. Default: RILL_INHERIT; of
                                     rill_process_run RILL_NULL, RILL_PIPE and RILL_PIPE */
    double timeout;   /* seconds; then it gets SIGTERM, and fails with RILL_ETIMEDOUT. Default:
                         none */
    double grace;     /* seconds from SIGTERM to SIGKILL. Default: 5; RILL_FOREVER for no SIGKILL */
    bool new_group;   /* a process group of its own: see above */
    bool new_session; /* a session of its own, without a terminal, and so a group as well */
    bool inherit_fds; /* descriptors that are not close-on-exec stay open in the child. Default: 0,
                         1 and 2 alone */
    /* For rill_process_run alone: */
    rill_str input;   /* what it reads from its standard input. Default: nothing */
    size_t limit;     /* bytes of output, and of errors. Default: 64 MiB */
    bool check;       /* fail unless it exits with status 0 */
    const char *file; /* where it was started: filled by the macro */
    int line;
} rill_process_opts;

/* Starts a program.
 *     rill_auto(rill_process) process = rill_process_start(RILL_ARGV("ls", "-l"), .cwd = "/");
 * Returns the process, or NULL with the error:
 *   RILL_ENOTFOUND  "start nosuch: No such file or directory"
 *   RILL_EOS        it may not be run, no processes or descriptors are left, …
 *   RILL_EINVAL, RILL_ENOMEM, RILL_ENOTASK
 * Cancel  before the program was started, it is not; afterwards it is returned. */
#define rill_process_start(...)                                                                    \
    rill_process_start_with(                                                                       \
        RILL_OPTS(rill_process_opts, .file = __FILE__, .line = __LINE__, .argv = __VA_ARGS__))
RILL_AWAITS RILL_API rill_process *rill_process_start_with(const rill_process_opts *opts);

/* Runs a program to its end: gives it `.input`, collects what it writes, and returns it when it has
 * ended and all that wrote to its pipes has closed them. It has a group of its own unless its
 * standard input is ours.
 *     rill_process *sort = rill_process_run(RILL_ARGV("sort"), .input = RILL_STR("b\na\n"));
 * Whatever its exit status is, the process is returned; with `.check`, NULL and RILL_EEXIT, whose
 * message has the first line that it wrote as errors.
 * Errors  as of rill_process_start; RILL_ELIMIT when it writes more than `.limit`; RILL_ETIMEDOUT.
 *         Then it was killed, with its group.
 * Cancel  it is killed, with its group. */
#define rill_process_run(...)                                                                      \
    rill_process_run_with(                                                                         \
        RILL_OPTS(rill_process_opts, .file = __FILE__, .line = __LINE__, .argv = __VA_ARGS__))
RILL_AWAITS RILL_API rill_process *rill_process_run_with(const rill_process_opts *opts);

/* Waits for its end, as often as one likes and by several tasks at once. A process that fills a
 * pipe that nobody reads does not end.
 * Returns 0 for exit status 0, else
 *   RILL_EEXIT      "ls: exit status 2", "ls: killed by SIGKILL"; the error's status is the exit
 *                   status, or 0
 *   RILL_ETIMEDOUT  its `.timeout` ended it
 *   RILL_ECLOSED    it was freed meanwhile
 * Cancel  the process goes on. */
RILL_AWAITS RILL_API int rill_process_wait(rill_process *process);

/* Sends a signal, to the whole group when it has one of its own. Fine when there is nobody left.
 * Returns 0, RILL_EINVAL for what is no signal, or RILL_EOS when it is not ours to kill. */
RILL_API int rill_process_kill(rill_process *process, int signal_number);

/* Ends it politely: SIGTERM, after so many seconds SIGKILL (0: the process's own `.grace`), and
 * waits. Returns 0 when it has ended, however.
 * Cancel  it is ended all the same. */
RILL_AWAITS RILL_API int rill_process_stop(rill_process *process, double grace);

/* Kills what still runs, with its group, and frees. It does not wait: the loop collects what is
 * left of the child when that has ended; a loop that ends waits a second for it. Afterwards the
 * streams are gone too. NULL is fine. */
RILL_API void rill_process_free(rill_process *process);
RILL_DEFINE_AUTO(rill_process)

/* Our ends of its pipes: NULL unless it was RILL_PIPE. They belong to the process. Shutting its
 * stdin down is the end of what it reads. */
RILL_API rill_stream *rill_process_stdin(const rill_process *process);
RILL_API rill_stream *rill_process_stdout(const rill_process *process);
RILL_API rill_stream *rill_process_stderr(const rill_process *process);

/* What rill_process_run has collected; it lives as long as the process. */
RILL_API rill_str rill_process_output(const rill_process *process);
RILL_API rill_str rill_process_errors(const rill_process *process);

/* Its number, which may be another's once it has ended and was not started in a group. */
RILL_API int rill_process_pid(const rill_process *process);
RILL_API bool rill_process_ended(const rill_process *process);
/* The exit status, 0 to 255; -1 while it runs, and when a signal ended it. */
RILL_API int rill_process_status(const rill_process *process);
/* The signal that ended it, or 0. */
RILL_API int rill_process_signal(const rill_process *process);

/* For rill_select: the process has ended; the result is what rill_process_wait would return. */
RILL_API rill_case rill_case_process(rill_process *process);

RILL_END_DECLS

#endif
