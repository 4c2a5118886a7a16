/*
 * Seeing inside: what every task is at, and where; in this process and in others.
 *
 *     rill_dump()                  the tree of tasks, to stderr: also what SIGUSR1 does
 *     rill_task_backtrace(task …)  the calls of a task that sleeps, or of oneself
 *     rill_dump_process(pid, …)    the tree of another process, even when its loop is stuck:
 *                                  `rill ps PID` on the command line
 *
 * A line of the tree says name, id, where it was spawned, what it waits for and since when, the
 * deadline of its scope, its CPU time and how much of its stack it has used:
 *
 *     loop of thread 4711 (epoll), waits for I/O: 3 tasks
 *       main #0.1, waits: join 'fetch' #1.1, 3.2 s; stack 8 of 192 KiB
 *         fetch #1.1 (pages.c:31), waits: recv 10.0.0.7:443, 3.2 s; deadline in 1.8 s; stack 12 …
 *       background:
 *         poll #2.1 (pages.c:40), waits: sleep for another 48.0 s, 12.0 s; stack 4 of …
 */
#ifndef RILL_INSPECT_H
#define RILL_INSPECT_H

#include <rill/task.h>
#include <stdio.h>

RILL_BEGIN_DECLS

/* ---- the tree of tasks ---- */

typedef struct rill_dump_opts {
    size_t size;
    int pid;          /* filled by rill_dump_process. Default: this process */
    FILE *out;        /* where to. Default: stderr */
    bool json;        /* one object instead of lines for people: see docs/inspect.md */
    bool backtraces;  /* the calls of each task that waits, too */
    size_t limit;     /* tasks of a loop that are listed at most; the rest are counted. 10000 */
    const char *task; /* those of this name, or the one with this id ("3.1"), with their calls */
} rill_dump_opts;

/* Writes the tree of tasks of every loop of this process. Of other threads' loops it is what can be
 * seen while they run on. From any thread; not from a signal handler. Does not wait.
 *     rill_dump();
 *     rill_dump(.out = file, .backtraces = true);
 * Returns how many tasks were written, or a code: RILL_EOS when /proc cannot be read, RILL_ENOMEM.
 */
#define rill_dump(...) rill_dump_with(RILL_OPTS(rill_dump_opts, __VA_ARGS__))
RILL_API ptrdiff_t rill_dump_with(const rill_dump_opts *opts);

/* Writes the tree of tasks of another process. Nothing in it needs to run for that, and it is not
 * stopped, but for the moment that it takes to see where a task is that runs (`.task`). It may
 * change meanwhile: what does not fit together any more is left out.
 *     rill_dump_process(4711, .task = "fetch");
 * Returns how many tasks were written, or a code: RILL_ENOTFOUND when there is no such process or
 * no such task, or rill is not in it; RILL_EOS when it may not be read; RILL_EUNSUPPORTED for a
 * version of rill that this one does not know. */
#define rill_dump_process(...) rill_dump_with(RILL_OPTS(rill_dump_opts, .pid = __VA_ARGS__))

/* ---- backtraces ---- */

/* One call of a stack, with its text inside. */
typedef struct rill_frame {
    uint64_t pc;       /* where it goes on when the call that it made returns */
    uint64_t offset;   /* of pc in the function; without one, in the module's file */
    bool exact;        /* pc is where it is: it has made no call */
    char function[96]; /* "" when it is not known: the module is stripped */
    char module[64];   /* "prog", "librill.so.0"; "" when it is not known */
} rill_frame;

/* Fills in the calls of a task, innermost first: of one of this thread's loop that does not run, or
 * of the calling one. Returns how many there are, `max` at most, or RILL_ESTALE, RILL_EOS,
 * RILL_ENOMEM. Does not wait. */
RILL_API ptrdiff_t rill_task_backtrace(rill_task task, rill_frame *frames, size_t max);

/* Writes the calls, one a line: "    fetch+0x42 (prog)". */
RILL_API void rill_frames_print(FILE *out, const rill_frame *frames, size_t count);

/* ---- what is watched ---- */

typedef struct rill_inspect_opts {
    size_t size;
    bool debug;     /* measure CPU time, and tell of leaks as a loop ends */
    bool no_signal; /* leave SIGUSR1 alone */
    double stall;   /* seconds after which a loop that does not turn is told. RILL_FOREVER: it is
                       not. Default: 0.1 */
} rill_inspect_opts;

/* Says what is to be watched: for loops that begin later, before the first of the process.
 *     rill_inspect(.debug = true, .stall = 0.5);
 * The environment goes before it: RILL_DEBUG=1 (or 0), RILL_STALL=0.5 (or off), RILL_DUMP=off.
 * Returns 0, or RILL_EINVAL.
 *
 * Watching is the work of a thread that is there while a loop is, and that sleeps while every loop
 * waits for I/O. It tells a stall by rill_log, with the task and its calls, and again when it lasts
 * ten times as long. SIGUSR1 makes it write rill_dump() to stderr: unless the program has a handler
 * of its own. SIGURG is used to ask a thread that runs where it is: likewise. */
#define rill_inspect(...) rill_inspect_with(RILL_OPTS(rill_inspect_opts, __VA_ARGS__))
RILL_API int rill_inspect_with(const rill_inspect_opts *opts);

RILL_END_DECLS

#endif
