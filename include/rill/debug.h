/*
 * Where the runtime keeps its tasks, for programs that read another process: `rill ps`, a
 * debugger's script, a reader of core files. Programs that use rill need none of it; rill_dump
 * (inspect.h) looks at their own tasks.
 *
 * Each process that runs rill has one rill_debug_layout: a symbol of librill.so, or of a program
 * that contains the library. It says at which offset of which struct what lies, so that a reader
 * needs neither the headers nor the debug information of the version that runs. What is added later
 * comes at the end of a struct in place of its `spare` fields; what changes its meaning changes the
 * version.
 *
 * From `loops` a chain leads through the loops; a loop has slots, each with a pointer to a task or
 * NULL; a task that does not run has its registers on its stack. Pointers and numbers are those of
 * the process that is read; texts end with NUL.
 */
#ifndef RILL_DEBUG_H
#define RILL_DEBUG_H

#include <rill/base.h>

RILL_BEGIN_DECLS

#define RILL_DEBUG_MAGIC "rill-dbg" /* 8 bytes, without its NUL */
#define RILL_DEBUG_VERSION 1

/* What a task is at. */
enum rill_debug_state {
    RILL_DEBUG_READY,
    RILL_DEBUG_RUNNING,
    RILL_DEBUG_WAITING,
    RILL_DEBUG_ENDED, /* and has not been joined */
};

/* What `task.subject` points to. */
enum rill_debug_subject {
    RILL_DEBUG_NOTHING,
    RILL_DEBUG_TEXT,   /* a text */
    RILL_DEBUG_HANDLE, /* a handle: it has a descriptor */
    RILL_DEBUG_TASK,   /* a task */
    RILL_DEBUG_OWNER,  /* the id of a task, or 0 */
    RILL_DEBUG_TIMER,  /* a timer: it has a deadline */
};

/* Registers by their DWARF numbers, as far as a task that does not run has saved them. */
#define RILL_DEBUG_REGISTERS 33
#define RILL_DEBUG_NOT_SAVED (-1)

/* Offsets in bytes, unless said otherwise. Sizes of the fields stand in brackets. */
struct rill_debug_layout {
    char magic[8];
    uint32_t version;
    uint32_t size;     /* of this struct */
    char library[16];  /* rill_version() */
    const void *loops; /* the address of the pointer to the first loop */
    struct rill_debug_loop {
        uint32_t next;       /* [pointer] the next loop, or NULL */
        uint32_t thread_id;  /* [int] the kernel's number of its thread */
        uint32_t polling;    /* [1] not 0: it waits for I/O */
        uint32_t turns;      /* [8] how often it has looked for I/O */
        uint32_t now;        /* [8] ns: when its turn began; 0: not known */
        uint32_t driver;     /* [pointer] to a struct whose first field points to one whose first
                                field points to its name: "epoll" reads CLOCK_MONOTONIC */
        uint32_t current;    /* [pointer] the task that runs, or NULL */
        uint32_t slots;      /* [pointer] an array */
        uint32_t slot_count; /* [4] of it */
        uint32_t task_count; /* [8] of them in use */
        uint32_t measure;    /* [pointer] NULL: tasks' CPU time is not measured */
        uint32_t spare[5];
    } loop;
    struct rill_debug_slot {
        uint32_t stride; /* of the array */
        uint32_t task;   /* [pointer] or NULL */
    } slot;
    struct rill_debug_task {
        uint32_t size; /* all of the fields lie in the first so many bytes of a task */
        uint32_t id;   /* [8] the handle's */
        uint32_t name; /* [name_size] */
        uint32_t name_size;
        uint32_t file;         /* [pointer] a text, or NULL */
        uint32_t line;         /* [int] */
        uint32_t state;        /* [4] enum rill_debug_state */
        uint32_t what;         /* [pointer] what it waits for, a text, while it waits */
        uint32_t subject_kind; /* [4] enum rill_debug_subject */
        uint32_t subject;      /* [pointer] */
        uint32_t since;        /* [8] ns: when it began to wait; 0: not known */
        uint32_t scope;        /* [pointer] its innermost scope */
        uint32_t parent;       /* [pointer] the task that spawned it, or NULL */
        uint32_t group;        /* [pointer] its group, which begins with a scope, or NULL */
        uint32_t detached;     /* [1] */
        uint32_t stack;        /* [pointer] */
        uint32_t saved_sp;     /* [pointer] the stack pointer, while it does not run */
        uint32_t cpu;          /* [8] ns that it ran, as far as that was measured */
        uint32_t spare[6];
    } task;
    struct rill_debug_stack {
        uint32_t bottom; /* [pointer] the lowest usable address */
        uint32_t top;    /* [pointer] */
    } stack;
    struct rill_debug_scope {
        uint32_t parent;   /* [pointer] or NULL */
        uint32_t task;     /* [pointer] whose it is */
        uint32_t origin;   /* [pointer] the scope whose cancellation reached this one, or NULL */
        uint32_t shield;   /* [1] */
        uint32_t armed;    /* [pointer] not NULL: it has a deadline */
        uint32_t deadline; /* [8] ns */
        uint32_t reason;   /* [reason_size] why it was cancelled */
        uint32_t reason_size;
        uint32_t size; /* all of these lie in the first so many bytes */
        uint32_t spare[3];
    } scope;
    uint32_t handle_fd;      /* [int] */
    uint32_t timer_deadline; /* [8] ns */
    struct rill_debug_saved {
        uint32_t size;                           /* the stack pointer was so much higher */
        uint32_t pc;                             /* where it goes on */
        int32_t registers[RILL_DEBUG_REGISTERS]; /* or RILL_DEBUG_NOT_SAVED */
    } saved;                                     /* from task.saved_sp */
};

/* The one of this process. */
RILL_API extern const struct rill_debug_layout rill_debug_layout;

RILL_END_DECLS

#endif
