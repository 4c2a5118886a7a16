/*
 * Random programs of tasks, and what is to come of them.
 *
 * A program is a few tasks, each a short list of operations without branches. The model runs it by
 * the rules of the runtime as they are written down (ready tasks first come first served, timers by
 * deadline, cancellation that is level-triggered and lets results win, locks, semaphores and
 * channels that hand over), with arrays and no stacks. What each operation returned, and when, must
 * be the same there and in the runtime.
 */
#ifndef RILL_TESTS_RUNTIME_MODEL_H
#define RILL_TESTS_RUNTIME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_TASKS 8
#define MODEL_OPS 24
#define MODEL_LOCKS 2
#define MODEL_SEMAPHORES 2
#define MODEL_CHANNELS 2

enum model_kind {
    MODEL_SLEEP,   /* n milliseconds; 0 yields */
    MODEL_SPAWN,   /* task n: each task is spawned by one operation at most */
    MODEL_CANCEL,  /* task n */
    MODEL_JOIN,    /* task n */
    MODEL_LOCK,    /* lock n */
    MODEL_UNLOCK,  /* lock n */
    MODEL_ACQUIRE, /* semaphore n */
    MODEL_RELEASE, /* semaphore n, whoever has it */
    MODEL_SEND,    /* to channel n, a number that no other operation sends */
    MODEL_RECV,    /* from channel n */
    MODEL_BEGIN,   /* a scope of n milliseconds */
    MODEL_SHIELD,  /* the same, shielded */
    MODEL_END,     /* ends it, with what the last operation returned */
    MODEL_KINDS
};

struct model_op {
    uint8_t kind, n;
};

struct model_body {
    struct model_op ops[MODEL_OPS];
    int count;
};

struct model_program {
    struct model_body bodies[MODEL_TASKS]; /* the first is the main task */
    int tasks;
    int capacities[MODEL_CHANNELS];
    int permits[MODEL_SEMAPHORES]; /* at the start */
};

/* What an operation returned, and when. */
struct model_step {
    uint64_t now;
    uint8_t task, at;
    int rc;
    int value; /* what was received, else 0 */
};

struct model_trace {
    struct model_step steps[MODEL_TASKS * MODEL_OPS];
    int count;
};

/* The number that an operation sends. */
#define MODEL_VALUE(task, at) ((int)(task)*100 + (at) + 1)

static inline void model_note(struct model_trace *trace, struct model_step step)
{
    trace->steps[trace->count++] = step;
}

/* The same program for the same seed. */
void model_make(struct model_program *program, uint64_t seed);
void model_run(const struct model_program *program, struct model_trace *trace);
const char *model_op_text(const struct model_program *program, int task, int at);

#endif
