/*
 * What the floors above use of the runtime: parking and waking, timers, I/O that waits, and
 * callbacks from the loop.
 *
 * There is one way to block: rill__park. Whoever waits first puts itself where the one who wakes it
 * will look (a list, an op, a timer), then parks with an abort function that takes it off again. So
 * cancellation, deadlines and shields are the same for every wait.
 */
#ifndef RILL_SRC_RUNTIME_RUNTIME_H
#define RILL_SRC_RUNTIME_RUNTIME_H

#include "base/list.h"
#include "io/driver.h"
#include "runtime/wheel.h"

#include <rill/task.h>
#include <signal.h>

struct rill__task;

/* ---- parking ---- */

typedef enum rill__abort {
    RILL__ABORTED,       /* the wait is taken back: the task goes on at once */
    RILL__ABORT_PENDING, /* it cannot be: the task waits for the end, whose result it gets */
} rill__abort;

/* Takes back the wait. Called at most once a park, from whoever cancels; must not switch tasks. */
typedef rill__abort rill__abort_fn(void *arg);

/* Parks the current task until rill__wake. `what` says in a word or two what it waits for ("recv",
 * "lock"); it must outlive the wait. A NULL abort makes a wait that cancellation does not reach.
 * Returns 0 when woken; RILL_ECANCELED, with the error made, when aborted, or at once when the task
 * stands inside a cancelled scope. Then abort has been called, and said RILL__ABORTED. */
RILL_AWAITS int rill__park(const char *what, rill__abort_fn *abort, void *arg);

/* `return rill__awaited(rill__park(…))` keeps the function in the trace of a task that waits there:
 * compilers end a function by a jump to the one whose result it returns. */
static inline int rill__awaited(int rc)
{
    __asm__ volatile("" : "+r"(rc));
    return rc;
}

/* What the running task's next park is for, beyond its word: told to those who look at the tasks
 * from outside ("recv 10.0.0.7:443"). Optional; it must outlive the wait. */
typedef enum rill__subject {
    RILL__SUBJECT_NONE,
    RILL__SUBJECT_TEXT,   /* const char *: "example.com" */
    RILL__SUBJECT_HANDLE, /* rill__handle *: its descriptor, and the peer of that */
    RILL__SUBJECT_TASK,   /* struct rill__task *: who is waited for */
    RILL__SUBJECT_OWNER,  /* const uint64_t *: the id of the task that has what is waited for, or 0
                           */
    RILL__SUBJECT_TIMER,  /* rill__timer * */
} rill__subject;
void rill__waits_for(rill__subject kind, const void *subject);

/* Lets every task run that is ready. Returns 0, RILL_ECANCELED or RILL_ENOTASK. */
RILL_AWAITS int rill__yield(const char *what);

/* After what might have had to wait and did not: a task for which that goes on and on must not keep
 * the loop to itself, so now and then the others have their turn. A cancellation that comes
 * meanwhile is for the next call: this one has its result. */
RILL_AWAITS void rill__share_thread(void);

/* Makes a parked task ready. Only once a park, only while it is parked, only on its own loop. */
void rill__wake(struct rill__task *task);

/* The running task; NULL outside tasks. */
struct rill__task *rill__current(void);

/* Fails with RILL_ENOTASK when there is no running task, and with RILL_ECANCELED when it stands in
 * a cancelled scope: for calls that must not begin what they cannot wait for. */
RILL_AWAITS int rill__checkpoint(const char *what);
/* Fails with RILL_ENOTASK outside tasks: "connect: called outside a task". */
int rill__need_task(const char *what);

/* Makes the error for a wait that was cancelled, with the reason in it. Returns RILL_ECANCELED. */
int rill__fail_canceled(const char *what);

/* Spawns and runs the task at once, from a loop callback (a driver's or timer's), until it waits or
 * ends. The caller gets control back either way. The task belongs to the loop's background. */
rill_task rill__spawn_now(rill_task_fn *fn, const rill_spawn_opts *opts);

/* Cancels the tasks that the running one spawned and did not join, waits for them, and runs what it
 * deferred: for who has to do more after them. The end of a task does so by itself. */
RILL_AWAITS void rill__wind_up(void);

/* Calls fn(arg) for a task that calls it many times: what a call defers runs at its end, and the
 * task's memory is freed then. */
RILL_AWAITS int rill__call_apart(rill_task_fn *fn, void *arg);

/* ---- the end of tasks ---- */

/* Told once when a task ends, without joining it. It lies with who watches. */
typedef struct rill__watch {
    rill__list link; /* private: on the task's list while it runs */
    /* Called while the task ends, and must not switch tasks: its result can still be seen. */
    void (*ended)(struct rill__watch *watch, const struct rill__task *task);
    bool joins; /* private: takes the result, so that the handle is used up */
} rill__watch;

/* Watches the task, whoever it belongs to; `ended` is set. Returns true when its end will be told,
 * false when there is nothing to tell of: it has ended, or the handle is used up. */
bool rill__task_watch(rill_task handle, rill__watch *watch);
/* Takes a watch back; fine when it has been told. */
void rill__task_unwatch(rill__watch *watch);
/* What a task that has ended returned. */
int rill__task_result(const struct rill__task *task);

/* ---- queues of waiting tasks: first come, first served ---- */

struct rill__waiter;

/* Several waits of which one happens: what a select has in common with the queues. */
typedef struct rill__choice {
    struct rill__waiter *winner; /* NULL until it is decided */
    /* Takes the other waiters off where they stand, before the task is woken. */
    void (*decided)(struct rill__choice *choice);
} rill__choice;

/* A place in a queue, on the stack of whoever waits. A task that waits for one thing has one, a
 * select has one for each case. What stands in a queue is live: it can be given something. */
typedef struct rill__waiter {
    rill__list link;
    struct rill__task *task;
    rill__choice *choice; /* NULL: it waits for this alone */
    void *slot; /* the queue's matter: where to put what it waits for, how much it wants */
    int result; /* what it was given, once it is finished */
} rill__waiter;

typedef struct rill__waitq {
    rill__list waiters;
} rill__waitq;

void rill__waitq_init(rill__waitq *queue);
/* Takes a waiter off its queue: the abort function of who waits in one. */
rill__abort rill__waiter_leave(void *waiter);
/* Waits until one of the wakes below reaches this task. Returns 0 or RILL_ECANCELED; a wake that
 * came before the cancellation took hold is delivered, so none is lost. */
RILL_AWAITS int rill__waitq_wait(rill__waitq *queue, const char *what);
/* The same for who is to be given something: `slot` is for the giver to see. Returns the result
 * that the giver chose (whose error, if it is negative, the caller makes), or RILL_ECANCELED. */
RILL_AWAITS static inline int rill__waitq_wait_for(rill__waitq *queue, const char *what, void *slot)
{
    /* In line, since after a switch the processor guesses no return right. */
    rill__waiter waiter = { .task = rill__current(), .slot = slot };
    rill__list_append(&queue->waiters, &waiter.link);
    int rc = rill__park(what, rill__waiter_leave, &waiter);
    return rc < 0 ? rc : waiter.result;
}
/* Wakes the task that has waited longest. Returns false when none waits. */
bool rill__waitq_wake_one(rill__waitq *queue);
void rill__waitq_wake_all(rill__waitq *queue);
bool rill__waitq_empty(const rill__waitq *queue);

/* Hand over by transfer: look at who has waited longest (NULL: nobody), change the state in its
 * name, then finish its wait with a result. From then on no cancellation takes it back. */
static inline rill__waiter *rill__waitq_first(const rill__waitq *queue)
{
    rill__list *node = queue->waiters.next;
    return node == &queue->waiters ? NULL : rill__container(node, rill__waiter, link);
}
void rill__waiter_finish(rill__waiter *waiter, int result);

/* ---- the loop ---- */

/* Whether a loop runs on this thread. */
bool rill__loop_runs(void);
/* This thread's driver. Only while a loop runs. */
rill__driver *rill__loop_driver(void);
/* The time at which the loop's turn began, in ns, that is after it waited for I/O: cheap, and never
 * ahead of the clock. */
uint64_t rill__loop_now(void);
/* Nanoseconds since 1970, by the loop's driver, and outside a loop the system's. */
uint64_t rill__wall_now(void);
/* A number that decides how things go: jitter, an order. Not for secrets. Of a simulated loop its
 * seed gives it. */
uint64_t rill__loop_random(void);
/* One from 0 up to `span`. */
uint64_t rill__loop_jitter(uint64_t span);
/* Puts the running task, and those that it spawns from now on, at a place of the driver's world.
 * Returns where it was. */
const void *rill__place_set(const void *place);
/* Sets a timer to timer->deadline (absolute, ns on the loop's clock); `fire` is called by the loop
 * and must not switch tasks. */
void rill__timer_set(rill__timer *timer);
void rill__timer_cancel(rill__timer *timer);

/* A function to call by the loop at the end of its turn, before it waits for I/O: once a
 * registration. For work that gathers what a turn has produced, such as one write for many. */
typedef struct rill__deferred {
    rill__list link;
    void (*run)(struct rill__deferred *deferred);
} rill__deferred;
void rill__defer_to_turn_end(rill__deferred *deferred);
void rill__undefer(rill__deferred *deferred);

/* Memory for whatever there is one of per loop, such as a pool of buffers or a resolver: made on
 * first use, freed when the loop ends, in reverse order. `kind` is the address of a static. */
typedef struct rill__loop_part {
    struct rill__loop_part *next;
    const void *kind;
    void (*free)(struct rill__loop_part *part);
} rill__loop_part;
rill__loop_part *rill__loop_part_get(const void *kind);
void rill__loop_part_add(rill__loop_part *part, const void *kind,
                         void (*free)(rill__loop_part *part));

/* For tests that cancel a scenario at each place where it may have to wait, one after another: how
 * many places have been passed so far, and at which the task that passes it is cancelled (0: none).
 */
typedef struct rill__sweep {
    unsigned long points, cancel_at;
} rill__sweep;
rill__sweep *rill__loop_sweep(void);

/* How a loop ended. */
typedef struct rill__outcome {
    int result;       /* what the first task returned, or why there was none */
    int ended_by;     /* RILL_EDEADLOCK or RILL_ETIMEDOUT: its tasks were cancelled because all
                         waited for each other, or the time of a simulated world was over; or 0 */
    int stop_signal;  /* the SIGINT or SIGTERM that came, or 0 */
    rill_error error; /* when the result is negative */
} rill__outcome;

/* Runs fn(arg) as the first task of a loop on this driver, with all that it starts, to the end of
 * all tasks. Frees the driver. */
void rill__run_on(rill__driver *driver, rill_task_fn *fn, void *arg, rill__outcome *ret_outcome);

/* ---- what the floor above that looks in, inspect, hangs in here ---- */

typedef struct rill__inspector {
    void (*loop_began)(void); /* on its thread */
    void (*loop_ends)(void);  /* likewise: its tasks have ended */
    void (*poke)(void);       /* the loop has something to do, while rill__inspector_waits */
    /* Writes the calls that the running task is in, each on a new line; "" when it cannot. */
    void (*word_calls)(char *text, size_t size);
    void (*show_tasks)(void); /* behind a report about many */
} rill__inspector;
/* NULL in a program without inspect. */
extern const rill__inspector *rill__inspector_of_all;
/* Whether a poke is wanted. */
extern _Atomic bool rill__inspector_waits;

/* The running loops, as far as can be told from any thread. */
typedef struct rill__glance {
    uint64_t loop;
    uint64_t turns;
    int thread_id;
    bool busy; /* it neither waits for I/O nor stands still in a foreign loop */
} rill__glance;
size_t rill__loops_glance(rill__glance *list, size_t max);
/* Sends the signal to the thread of a loop; false when that has ended. */
bool rill__loop_signal(int thread_id, int number);

/* ---- what was made and must be freed: listed while the loop watches for leaks ---- */

typedef struct rill__birth {
    rill__list link;  /* the loop's births */
    const char *kind; /* "session" */
    const char *name; /* what the object calls itself, or NULL; lives as long as the object */
    const char *file; /* where it was made, or NULL */
    int line;
    const void *pc; /* without a file: what made it returns to here */
} rill__birth;

/* Has the calling thread's loop list what is made from now on. */
void rill__watch_births(void);
/* Lists the object, which the caller of the library made in that line, or with a call that returns
 * to `pc`; without either it is the library's own, and is not listed. Costs next to nothing when
 * nobody watches. `birth` is zeroed, or not listed. */
void rill__born(rill__birth *birth, const char *kind, const char *name, const char *file, int line);
void rill__born_from(rill__birth *birth, const char *kind, const char *name, const void *pc);
/* Takes it off; also when it is not listed. */
void rill__died(rill__birth *birth);
/* Hands each that is left to the function and takes it off the list. */
void rill__each_birth(void (*tell)(const rill__birth *birth, void *arg), void *arg);

/* ---- signals ---- */

/* Has a signal call `fn`, in its handler, unless a watcher of the user's gets it (rill/signal.h).
 * Only in the place of the default action, and one claim a signal: false when the program handles
 * the signal itself, or it is claimed already. */
typedef void rill__signal_fn(int number);
bool rill__signal_claim(int number, rill__signal_fn *fn);
/* Puts the default action back; no call of `fn` is under way afterwards. In the child of a fork
 * there are no claims. */
void rill__signal_unclaim(int number);

/* What a thread of the library's blocks: the process's signals are for the program's own threads.
 * Not what the thread brings upon itself, which would end the process without a word, nor SIGURG,
 * by which it is asked where it is. */
void rill__signals_to_block(sigset_t *ret_signals);

/* ---- I/O that waits: results as of the calls, but codes of ours ---- */

/* Opens a socket on the loop's driver. 0 or a code (RILL_EOS, RILL_ENOMEM). */
int rill__io_open(rill__handle *handle, int family, int type);
/* Takes over a non-blocking descriptor. */
int rill__io_adopt(rill__handle *handle, int fd);
void rill__io_close(rill__handle *handle);

/* Each waits until the driver has done it. They return counts, or -errno as the driver does, so
 * that the caller can word the message with what it knows (peer, phase); or RILL_ECANCELED with the
 * error made. RILL__IS_ERRNO tells them apart. */
#define RILL__IS_ERRNO(rc) ((rc) < 0 && (rc) > -2000)
RILL_AWAITS int64_t rill__io_recv(rill__handle *handle, void *buf, size_t len);
/* Sends all of it; on failure *ret_sent (may be NULL) says how much went. Changes the iovecs. */
RILL_AWAITS int64_t rill__io_send_all(rill__handle *handle, struct iovec *iov, int count,
                                      size_t *ret_sent);
RILL_AWAITS int64_t rill__io_accept(rill__handle *handle, struct sockaddr_storage *ret_address,
                                    socklen_t *ret_len);
/* The size of the datagram, which may be more than len. */
RILL_AWAITS int64_t rill__io_recvfrom(rill__handle *handle, void *buf, size_t len,
                                      struct sockaddr_storage *ret_address, socklen_t *ret_len);
/* To whom it is connected, when the address is NULL. */
RILL_AWAITS int64_t rill__io_sendto(rill__handle *handle, const void *bytes, size_t len,
                                    const struct sockaddr *address, socklen_t address_len);
RILL_AWAITS int64_t rill__io_connect(rill__handle *handle, const struct sockaddr *address,
                                     socklen_t len);

#endif
