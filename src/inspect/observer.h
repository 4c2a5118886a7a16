/*
 * The observer: a thread that watches the loops from beside them. It is there while a loop is, and
 * sleeps while all loops wait for I/O.
 */
#ifndef RILL_SRC_INSPECT_OBSERVER_H
#define RILL_SRC_INSPECT_OBSERVER_H

#include "inspect/inspect_internal.h"

/* ---- settings.c ---- */

typedef struct rill__settings {
    bool debug;
    bool dumps;     /* SIGUSR1 does */
    uint64_t stall; /* ns; RILL__NEVER: stalls are not told */
} rill__settings;

/* What rill_inspect and the environment say. */
rill__settings rill__settings_now(void);

/* ---- observer.c ---- */

/* With every loop that begins, and that ends. */
void rill__observer_begin(const rill__settings *settings);
void rill__observer_end(void);
/* A loop has something to do. From any thread. */
void rill__observer_poke(void);

/* ---- stall.c: all of it from the observer's thread ---- */

typedef struct rill__stalls rill__stalls;

/* NULL when memory is short. */
rill__stalls *rill__stalls_new(uint64_t limit);
void rill__stalls_free(rill__stalls *stalls);
/* Looks at the loops, and tells of one that has not turned for so long. Returns whether one is
 * busy, so that there is something to look at soon again. */
bool rill__stalls_look(rill__stalls *stalls);

/* ---- capture.c: where a thread of this process is ---- */

/* While it is on, threads can be asked where they are. */
void rill__capture_on(void);
void rill__capture_off(void);
/* Fills in the calls that the thread of a loop is in, and the task that it runs (0: none). Returns
 * how many; 0 with *ret_why saying why, when that cannot be told. */
size_t rill__capture(rill__process *process, int thread_id, rill_frame *frames, size_t max,
                     const char **ret_why);
/* Whether the thread waits in a system call. */
bool rill__thread_is_blocked(int thread_id);

/* ---- leaks.c ---- */

/* Tells what the calling thread's loop has made that is still there. */
void rill__leaks_tell(void);

#endif
