/*
 * What the files of process share: how a program is started, and the process that comes of it.
 */
#ifndef RILL_SRC_PROCESS_INTERNAL_H
#define RILL_SRC_PROCESS_INTERNAL_H

#include "base/buf.h"
#include "runtime/runtime.h"

#include <rill/process.h>
#include <sys/types.h>

/* ---- spawn.c ---- */

/* A program to be started. */
typedef struct rill__launch {
    const rill_process_opts *opts;
    int from[3];      /* for descriptors 0 to 2 of the child: an enum rill_stdio, or a descriptor */
    int opened[3];    /* what to close afterwards, or -1 */
    const char **env; /* NULL: ours */
    pid_t pid;
    int pidfd; /* of the child; -1 when it has ended and somebody else has collected it */
    int error; /* an errno */
} rill__launch;

/* Makes the pipes whose ends the child gets; our ends are left in the streams. 0 or a code; either
 * way rill__launch_end is called in the end. */
int rill__launch_begin(rill__launch *launch, const rill_process_opts *opts, rill_stream **streams,
                       const char *name);
/* Starts the program, on a thread. 0 or a code. */
RILL_AWAITS int rill__launch_start(rill__launch *launch);
/* Closes and frees what only the child needed. */
void rill__launch_end(rill__launch *launch);

/* ---- process.c ---- */

struct rill_process {
    rill__list link; /* in the loop's list of processes */
    rill__handle handle;
    rill__op end; /* readable: it has ended */
    rill__waitq waiters;
    rill__timer timer; /* its timeout, then its grace */
    rill__timer again; /* to look once more whether it has ended */
    rill__birth birth;
    rill_stream *streams[3];
    rill__buf collected[2]; /* output and errors */
    rill_group *collectors; /* the tasks of a rill_process_run, while they work */
    double timeout, grace;
    pid_t pid;
    int pidfd;      /* -1 once it has ended */
    int status;     /* the exit status, or -1 */
    int signal;     /* that ended it, or 0 */
    unsigned users; /* tasks that wait: the last one frees a process that was freed */
    bool ended;     /* it runs no more */
    bool unknown;   /* how it ended somebody else has heard */
    bool core_dumped;
    bool collects;  /* it is a rill_process_run's, whose time is not up when the process ends */
    bool own_group; /* its number is a group's too, and stays taken until it is freed */
    bool timed_out; /* its time was up before it ended */
    bool stopping;  /* SIGTERM was sent, and SIGKILL comes next */
    bool freed;     /* by the user */
    bool buried;    /* and collected: only the memory is left */
    bool outlived;  /* its loop has ended */
    char name[64];
};

/* Starts it, with options that are complete; `collects` for rill_process_run. NULL with the error.
 */
RILL_AWAITS rill_process *rill__process_start(const rill_process_opts *opts, bool collects);
/* Waits for the end, whatever it is. 0, RILL_ECLOSED or RILL_ECANCELED. */
RILL_AWAITS int rill__process_await(rill_process *process);
/* Makes the error of how it ended. */
int rill__process_outcome(const rill_process *process);
/* Fails with RILL_ETIMEDOUT. */
int rill__process_timed_out(const rill_process *process);

#endif
