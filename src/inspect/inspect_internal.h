/*
 * What the files of inspect share. Tasks are looked at through the layout description alone
 * (rill/debug.h) and by way of /proc, be they another process's or our own: so there is one reader,
 * and a pointer that leads nowhere is a failed read.
 */
#ifndef RILL_SRC_INSPECT_INTERNAL_H
#define RILL_SRC_INSPECT_INTERNAL_H

#include "base/buf.h"

#include <rill/debug.h>
#include <rill/inspect.h>
#include <stdio.h>

/* ---- process.c: the memory of a process ---- */

typedef struct rill__module rill__module;

typedef struct rill__process {
    int pid;
    bool own;   /* it is this one */
    int memory; /* /proc/PID/mem */
    int pages;  /* /proc/PID/pagemap, or -1 */
    int self;   /* a pidfd, or -1 */
    struct rill__page {
        uint64_t address; /* 1: nothing */
        char *bytes;
    } * cache;
    uint64_t reads_left, pages_left;
    const char *copy; /* of memory as it was at some moment, or NULL */
    uint64_t copy_from;
    size_t copy_len;
    rill__module *modules; /* by address */
    size_t module_count;
} rill__process;

/* Opens a process for reading. 0, or a code that says why not. It can be closed either way. */
int rill__process_open(rill__process *process, int pid);
void rill__process_close(rill__process *process);

/* Says how many tasks are to be read at most. A process may be in disorder, or want to keep us: so
 * what is read of it is bounded, by so much for each. */
void rill__process_bound(rill__process *process, size_t tasks);
/* Whether that was reached: every read fails from then on. */
bool rill__process_is_exhausted(const rill__process *process);
/* Counts as so many reads. False when they are too many. */
bool rill__process_charge(rill__process *process, uint64_t reads);

/* Forgets what was read, to see it as it is now. */
void rill__process_forget(rill__process *process);
/* Reads bytes; false when they are not all there. */
bool rill__process_read(rill__process *process, uint64_t address, void *buf, size_t len);
/* Reads a text with its NUL, cut to the size. "" when it is not there. */
void rill__process_text(rill__process *process, uint64_t address, char *buf, size_t size);
/* Reads a number of 4 or 8 bytes, or a pointer; 0 when it is not there. */
uint32_t rill__process_u32(rill__process *process, uint64_t address);
uint64_t rill__process_u64(rill__process *process, uint64_t address);

/* How many bytes of the range have memory behind them; -1 when that cannot be told. */
int64_t rill__process_resident(rill__process *process, uint64_t from, uint64_t to);
/* Says what the descriptor is: "10.0.0.7:443", else "fd 7". */
void rill__process_peer(const rill__process *process, int fd, char *text, size_t size);

/* ---- modules.c: the program and the libraries in it ---- */

typedef struct rill__symbol {
    uint64_t address; /* in the file */
    uint64_t size;
    uint32_t name; /* in the module's string table */
} rill__symbol;

struct rill__module {
    uint64_t from, to;
    uint64_t bias;          /* what is added to addresses of the file */
    uint64_t code[2];       /* of which code: from, to */
    uint64_t unwind_header; /* .eh_frame_hdr, or 0 */
    char path[256];
    /* symbols.c: read on first use */
    bool asked;
    char *names;
    size_t names_size;
    rill__symbol *symbols; /* by address */
    size_t symbol_count;
};

/* Reads /proc/PID/maps and the headers of what is mapped. 0 or a code. */
int rill__modules_read(rill__process *process);
void rill__modules_free(rill__process *process);
rill__module *rill__module_at(const rill__process *process, uint64_t address);

/* ---- symbols.c ---- */

/* Fills in the frame's function, offset and module from its pc. */
void rill__symbolize(rill__process *process, rill_frame *frame);
void rill__symbols_free(rill__module *module);

/* ---- unwind.c ---- */

typedef struct rill__registers {
    uint64_t value[RILL_DEBUG_REGISTERS];
    uint64_t known; /* a bit a register */
    uint64_t pc;
    bool exact; /* pc is where it is, not where a call returns to */
} rill__registers;

/* Of a ucontext_t. */
void rill__registers_of_context(rill__registers *registers, const void *ucontext);
void rill__registers_set_sp(rill__registers *registers, uint64_t sp);
uint64_t rill__registers_sp(const rill__registers *registers);

/* Follows the calls from the registers outwards while their frames lie in [low, high). Returns how
 * many it has found; the frames' pc are filled in. */
size_t rill__unwind(rill__process *process, rill__registers *registers, const uint64_t bounds[2],
                    rill_frame *frames, size_t max);

/* ---- tasks.c: loops and their tasks ---- */

#define RILL__NOBODY UINT32_MAX

typedef struct rill__seen_task {
    uint64_t address, id, parent, group, sp;
    uint64_t subject, scope;
    uint64_t stack_bottom, stack_top;
    int64_t stack_used; /* -1: not known */
    double cpu;         /* seconds; negative: not measured */
    double waiting;     /* seconds; negative: not known */
    double deadline;    /* seconds from now */
    bool has_deadline, detached;
    int state, line, subject_kind;
    uint32_t above;             /* index of the task it belongs to, or RILL__NOBODY */
    uint32_t first_below, next; /* the same of its own, and of its owner's next */
    char name[32], what[48], subject_text[96], file[128], cancelled[96];
} rill__seen_task;

typedef struct rill__seen_loop {
    uint64_t address, now, turns, task_count, current;
    int thread_id;
    bool polling, measured;
    char driver[16];
    rill__seen_task *tasks;
    size_t count; /* of them: fewer than task_count when there are too many */
} rill__seen_loop;

/* The layout of the process, found and checked. 0 or a code. */
int rill__find_layout(rill__process *process, struct rill_debug_layout *ret_layout);

/* The address of the next loop after this one (0: of the first); 0 at the end. */
uint64_t rill__next_loop(rill__process *process, const struct rill_debug_layout *layout,
                         uint64_t address);
/* Reads the task in a slot of the loop; false when there is none. */
bool rill__task_read(rill__process *process, const struct rill_debug_layout *layout,
                     rill__seen_loop *loop, uint32_t slot, rill__seen_task *ret_task);
/* Reads a loop and at most so many of its tasks. 0 or a code; to be freed either way. */
int rill__loop_read(rill__process *process, const struct rill_debug_layout *layout,
                    rill__seen_loop *loop, size_t limit);
void rill__seen_loop_free(rill__seen_loop *loop);

/* The calls of a task that does not run. */
size_t rill__task_frames(rill__process *process, const struct rill_debug_layout *layout,
                         const rill__seen_task *task, rill_frame *frames, size_t max);

/* Takes the innermost frames off, up to and with that function's, if it is there. Returns how many
 * are left. */
size_t rill__drop_frames(rill_frame *frames, size_t count, const char *until);

/* ---- stopped.c ---- */

/* The calls of a thread of another process, while they lie within the bounds; 0 when it cannot be
 * stopped. */
size_t rill__frames_of_thread(rill__process *process, int thread_id, const uint64_t bounds[2],
                              rill_frame *frames, size_t max);

/* ---- tree.c: tasks as text ---- */

typedef struct rill__printer {
    FILE *out;
    rill__process *process;
    const struct rill_debug_layout *layout;
    bool json, backtraces;
    const char *only; /* these tasks alone, by name or id; NULL: all */
    size_t printed;
} rill__printer;

/* The calls of a task that runs: of the calling thread's, or of a stopped process's. */
size_t rill__running_frames(const rill__printer *printer, const rill__seen_loop *loop,
                            const rill__seen_task *task, rill_frame *frames, size_t max);

void rill__print_loop(rill__printer *printer, const rill__seen_loop *loop);
/* "3.1": slot and generation. */
void rill__task_id_text(uint64_t id, char text[24]);

#endif
