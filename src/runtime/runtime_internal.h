/* The runtime's own structures: the task, the loop, and what their files share. */
#ifndef RILL_SRC_RUNTIME_INTERNAL_H
#define RILL_SRC_RUNTIME_INTERNAL_H

#include "base/arena.h"
#include "runtime/context.h"
#include "runtime/runtime.h"
#include "runtime/stack.h"
#include "runtime/wheel.h"

#include <assert.h>
#include <pthread.h>
#include <rill/loop.h>
#include <signal.h>
#include <stdatomic.h>

typedef struct rill__task rill__task;
typedef struct rill__locals rill__locals;
typedef struct rill__loop rill__loop;
typedef struct rill__measure rill__measure;

typedef enum rill__state {
    RILL__READY, /* in the ready queue */
    RILL__RUNNING,
    RILL__PARKED,
    RILL__DONE, /* ended, waits to be joined */
} rill__state;

/* Why a scope was cancelled. */
typedef enum rill__cause {
    RILL__CAUSE_NONE,
    RILL__CAUSE_CANCEL,   /* somebody asked */
    RILL__CAUSE_DEADLINE, /* its time was up */
    RILL__CAUSE_SIBLING,  /* a task of its group failed */
    RILL__CAUSE_SHUTDOWN, /* its owner ended: the spawning task, or the loop */
} rill__cause;

/* So many read locks and limiters' tokens may a task hold. */
#define RILL__HELD_MAX 16

/* Who waits for a task's result: lies on the waiter's stack. */
typedef struct rill__joiner {
    rill__watch watch;
    rill__task *task; /* the one that waits */
    int result;
    bool ended;
} rill__joiner;

/* A task. It lies at the top of its own stack, so that a task that sleeps costs one page. */
struct rill__task {
    rill__context context;
    rill__task *next_ready;
    rill_scope *scope;     /* innermost */
    rill__abort_fn *abort; /* while parked and able to be aborted, else NULL */
    void *abort_arg;
    const char *what;    /* what it waits for, while parked */
    const void *subject; /* and what of: a rill__subject_kind says which type */
    uint64_t since;      /* when it parked: the time at which that turn of the loop began */
    rill__subject subject_kind;
    uint64_t cpu; /* ns that it ran, while that was measured */
    rill__loop *loop;
    rill_error *error;
    rill__state state;
    int result;
    bool aborted;         /* it was woken by a cancellation */
    bool detached;        /* nobody will join it */
    bool kept;            /* the first task: freed by rill_run */
    bool awaits_children; /* parked until one of them has gone */
    unsigned instant_ops; /* I/O in a row that did not have to wait */
    unsigned refusals;    /* waits in a row that failed at once, for a cancellation */
    unsigned locks;       /* mutexes and write locks that it holds */
    unsigned held_count;  /* read locks and tokens that it holds */
    rill_task_fn *fn;
    void *arg;
    rill__stack *stack;
    uint64_t id; /* slot in the low half, generation in the high one */
    rill_group *group;
    struct rill__starter *starter; /* who waits in rill_start, or NULL */
    void *group_arg;               /* what the group's maker has to tell: gather's */
    struct rill__member member;    /* rill_group.members */
    rill__task *parent; /* who cancels and awaits it at its end; NULL for a group's, or detached */
    rill__list sibling; /* in the parent's children, or the loop's background */
    rill__list children;
    rill__list watches;   /* rill__watch.link */
    rill__locals *locals; /* its values, shared with others; NULL: none */
    rill__arena arena;    /* the memory that it allocated for itself */
    rill_scope root;
    const void *place; /* see rill__driver.place */
    const char *file;
    int line;
    char name[32];
    const void *held[RILL__HELD_MAX]; /* what the task alone knows that it holds */
};

/* A message to a loop, in memory that stays until it has run. */
typedef struct rill__mail {
    struct rill__mail *next;
    void (*run)(struct rill__mail *mail); /* on the loop's thread, outside tasks */
} rill__mail;

typedef struct rill__promise rill__promise;

/* What a loop takes from others. Mail that tasks wait for is taken until the last one has ended. */
enum rill__phase {
    RILL__TAKES_TASKS,
    RILL__TAKES_CALLS, /* its first task has ended */
    RILL__TAKES_NOTHING,
};

/* A loop as other threads know it: stays as long as somebody refers to it. */
struct rill_loop {
    _Atomic unsigned refs;       /* the loop's own among them */
    _Atomic(rill__mail *) inbox; /* newest first */
    _Atomic unsigned posting;    /* who is in the middle of rill__post: the loop waits for them */
    _Atomic bool asleep;         /* the loop waits for I/O, or is about to */
    _Atomic enum rill__phase phase;
    _Atomic bool stopped; /* rill_loop_stop was called */
    rill__mail stop;
    rill__loop *loop;   /* of use while posting, and to its own thread */
    rill__promise *end; /* of a loop that rill_loop_start has made: how its first task ended */
};

struct rill__slot {
    rill__task *task; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct rill__loop {
    rill__context context; /* the thread's own stack, on which the loop runs */
    rill__loop *next_loop; /* of the process's */
    int thread_id;         /* the kernel's */
    _Atomic bool polling;  /* it waits for I/O, or looks whether there is some */
    _Atomic uint64_t turns;
    rill__task *current;
    rill__task *ready_head, *ready_tail;
    rill__measure *measure; /* NULL: nothing is measured */
    struct rill__counts {
        uint64_t spawned, switches, io, cancels, timeouts;
    } counts;
    rill__list births; /* rill__birth.link */
    bool watches_births;
    bool immediate;    /* a task runs inside a callback: it goes back there, not on to the next */
    unsigned budget;   /* switches left before I/O is looked at */
    uint64_t began;    /* coarsely, when the switches were counted anew */
    uint64_t now;      /* 0: not read yet since the last wait for I/O */
    rill_error *error; /* of what runs outside tasks */
    rill__driver *driver;
    rill__wheel wheel;
    rill__stack_pool stacks;
    struct rill__slot *slots;
    uint32_t slot_count, slot_free;
    size_t task_count;
    rill_scope root;        /* above all tasks */
    rill__list background;  /* detached tasks, by sibling */
    rill__list deferred;    /* rill__deferred.link */
    rill__loop_part *parts; /* newest first */
    rill__task *main_task;
    int stop_signal; /* the first of SIGINT, SIGTERM that came, or 0 */
    uint64_t next_trim;
    bool deadlock_told;
    int ended_by;    /* RILL_EDEADLOCK, RILL_ETIMEDOUT: why the driver ended the tasks; or 0 */
    uint64_t random; /* the state of rill__loop_random */
    rill__sweep sweep;
    rill_loop *mailbox;
    size_t awaited; /* tasks that wait for mail: from the pool's threads, from other loops */
    bool hosted;    /* somebody else's loop turns it */
    bool turning;   /* and does so at the moment */
    rill__handle host_timer;   /* of a hosted loop: makes its descriptor readable in time */
    uint32_t first_generation; /* of its tasks' handles: another loop's are stale here */
};

extern __thread rill__loop *rill__this_loop __attribute__((tls_model("initial-exec")));

/* ---- loops.c: the loops of the process, newest first ---- */
extern rill__loop *rill__loops;
extern const struct rill_debug_layout *const rill__layout;
void rill__loops_add(rill__loop *loop);
void rill__loops_remove(rill__loop *loop);
void rill__loops_lock(void);
void rill__loops_unlock(void);
/* Tells those who look in that there is something to do. */
static inline void rill__poke_inspector(void)
{
    if (atomic_load_explicit(&rill__inspector_waits, memory_order_relaxed))
        rill__inspector_of_all->poke();
}

/* ---- metrics.c ---- */
int rill__measure_start(rill__loop *loop);
/* Only while loop->measure: the thread goes to this task, or to the loop (NULL). */
void rill__measure_switch(rill__loop *loop, rill__task *to);
/* Likewise: what a turn does begins, once it has waited for I/O, or is over. */
void rill__measure_turn(rill__loop *loop, bool begins);

/* ---- task.c ---- */
rill__task *rill__task_find(rill_task handle);
rill__task *rill__task_new(rill__loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts);
/* The task that lies at the top of this stack. */
static inline rill__task *rill__task_on(const rill__stack *stack)
{
    size_t room = (sizeof(rill__task) + 63) & ~(size_t)63;
    return (rill__task *)(void *)(stack->top - room);
}
/* Frees a task that is done and that nobody refers to any more. */
void rill__task_free(rill__task *task);
void rill__task_make_ready(rill__task *task);
/* A task of the loop's background, from outside tasks. NULL when memory is short. */
rill__task *rill__spawn_background(rill_task_fn *fn, const rill_spawn_opts *opts);
/* Gives the thread to the next ready task, or to the loop. */
void rill__task_switch_away(rill__loop *loop, bool dying);
/* From the loop: runs the task until it gives the thread back. */
void rill__task_resume(rill__loop *loop, rill__task *task);

/* Puts the joiner where the task's end will find it: it is woken then, with the result, and the
 * handle is used up. */
void rill__join_later(rill__task *task, rill__joiner *joiner);

/* rill__checkpoint for paths that must cost next to nothing. */
static inline int rill__point(const char *what)
{
    rill__loop *loop = rill__this_loop;
    if (!loop || !loop->current || loop->current->scope->origin ||
        loop->sweep.points + 1 == loop->sweep.cancel_at)
        return rill__checkpoint(what);
    loop->sweep.points++;
    return 0;
}

/* From the loop: runs ready tasks, a bounded number of switches. */
void rill__loop_run_ready(rill__loop *loop);

/* ---- report.c ---- */
void rill__report_unjoined(const rill__task *task);
/* Where a task was spawned, in words: " (pages.c:31)", and "" for a loop's first one. */
#define RILL__PLACE_SIZE 256
const char *rill__place_words(char text[RILL__PLACE_SIZE], const char *file, int line);
/* A task ends with locks that nobody else can unlock. */
void rill__report_holding(const rill__task *task);
void rill__report_survivors(const rill__loop *loop);
/* With leaks watched for: the tasks that outlived the first one. */
void rill__report_left(const rill__loop *loop);
/* That the running task goes on although it is cancelled. */
void rill__report_ignored(const rill__task *task, const char *what, unsigned times);
/* Says so, once, when nothing can ever wake a task again. */
void rill__report_deadlock(rill__loop *loop);
/* The same for a driver that knows it: what it has under way will never be done. */
void rill__tell_deadlock(rill__loop *loop);

/* A function has returned that was called in this scope: it must have ended what it began. */
void rill__check_scopes_ended(const rill_scope *innermost);

/* ---- scope.c ---- */
void rill__scope_open(rill_scope *scope, rill_scope *parent, rill__task *task);
void rill__scope_close(rill_scope *scope);
/* Hangs the scope and all below it under another parent; what was cancelled stays so. */
void rill__scope_move(rill_scope *scope, rill_scope *parent);
void rill__scope_cancel(rill_scope *scope, rill__cause cause, const char *reason);
void rill__scope_set_deadline(rill_scope *scope, uint64_t deadline);
/* So many seconds from now on the loop's clock; now for less than none, never for RILL_FOREVER. */
uint64_t rill__deadline_after(double seconds);
static inline bool rill__scope_is_cancelled(const rill_scope *scope)
{
    return scope->origin != NULL;
}

/* ---- group.c ---- */
/* Takes a place for one more task, and waits for it when the group is full. The place is given back
 * when the task has ended, or by the second function when none was made. */
RILL_AWAITS int rill__group_take_place(rill_group *group);
void rill__group_give_place(rill_group *group);
void rill__group_add(rill_group *group, rill__task *task);
/* The same for a task that belonged elsewhere. */
void rill__group_adopt(rill_group *group, rill__task *task);
/* A member ended: its result is taken into account, and the task freed. */
void rill__group_member_done(rill__task *task);

/* ---- local.c ---- */
void rill__run_deferred(rill_scope *scope);
void rill__locals_inherit(rill__task *task, rill__locals *locals);
void rill__locals_drop(rill__task *task);

/* ---- signal.c ---- */
void rill__signals_install(rill__loop *loop);
void rill__signals_restore(void);
/* The stop signal that has come, or 0. */
int rill__signals_pending(void);
void rill__overflow_guard_enter(void);
void rill__overflow_guard_leave(void);

/* ---- loop.c ---- */

/* A loop that no thread has entered yet. Frees the driver when it fails. */
rill__loop *rill__loop_new(rill__driver *driver);
void rill__loop_enter(rill__loop *loop);
/* Makes fn(arg) its first task, or fails. */
int rill__loop_set_main(rill__loop *loop, rill_task_fn *fn, const rill_spawn_opts *opts);
/* Runs the first task and all that it starts to their end. */
void rill__loop_drive(rill__loop *loop);
/* One turn, which waits for I/O at most so many ns. */
void rill__loop_turn(rill__loop *loop, uint64_t timeout_ns);
/* Runs ready tasks and what they deferred, without I/O. Returns whether there is more. */
bool rill__loop_run_rest(rill__loop *loop);
/* Cancels all tasks and turns until they have ended; then it takes no more calls. */
void rill__loop_finish(rill__loop *loop);
void rill__loop_free(rill__loop *loop);

/* ---- mail.c ---- */

rill_loop *rill__mailbox_new(rill__loop *loop);
/* Hands mail to a loop, from any thread and from signal handlers. False when the loop has ended:
 * then the mail is still the caller's. */
bool rill__post(rill_loop *to, rill__mail *mail);
/* Says that the loop is about to sleep. False when there is mail, so that it must not. */
bool rill__mail_sleep(rill__loop *loop);
bool rill__mail_waits(rill__loop *loop);
/* Runs what has come; the loop is awake. */
void rill__mail_collect(rill__loop *loop);
/* Takes no more mail, and waits until no thread touches the loop. False when there still is some.
 */
bool rill__mailbox_close(rill__loop *loop);
/* Whether something outside may wake a task: a thread, or another loop. */
bool rill__others_may_call(const rill__loop *loop);
int rill__fail_ended(const char *what);

/* ---- offload.c ---- */

/* Starts a thread that takes no signals of the process's and that nobody joins. 0 or an errno. */
int rill__thread_detached(void *(*run)(void *arg), void *arg);

/* ---- promise.c ---- */

/* How something will end that other threads wait for. Counted. */
struct rill__promise {
    _Atomic unsigned refs;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* for threads that have no loop */
    rill__list waiters;   /* tasks */
    bool done, joined;
    int result;
    rill_error error; /* code 0: none was made */
    const char *file; /* where it was made, for messages */
    int line;
    char name[32];
    void (*free)(rill__promise *promise);
};

/* With one reference; `free_promise` is called with the last one and frees the memory. */
void rill__promise_init(rill__promise *promise, const rill_spawn_opts *opts,
                        void (*free_promise)(rill__promise *promise));
void rill__promise_unref(rill__promise *promise);
/* Keeps it, with a copy of the error (may be NULL), and tells all who wait. */
void rill__promise_keep(rill__promise *promise, int result, const rill_error *error);
bool rill__promise_is_kept(rill__promise *promise);
/* Of one that is kept: the result; its error becomes the caller's. */
int rill__promise_result(rill__promise *promise);
/* Waits, as a task or as a thread without a loop, and returns the result; its error becomes the
 * caller's. `what` is for messages. */
RILL_AWAITS int rill__promise_join(rill__promise *promise, const char *what);
/* The same for who must not go before: on_cancel is called once if the task is cancelled. */
typedef void rill__cancelled_fn(rill__promise *promise, const char *reason);
RILL_AWAITS int rill__promise_join_fast(rill__promise *promise, const char *what,
                                        rill__cancelled_fn *on_cancel);

#endif
