/*
 * Select: wait for several things at once, of which exactly one happens.
 *
 *     int value;
 *     rill_case cases[] = {
 *         rill_case_recv(receiver, &value),
 *         rill_case_task(worker),
 *         rill_case_after(2.5),
 *     };
 *     switch (rill_select(cases, 3)) {
 *     case 0: …  cases[0].result is what rill_channel_recv would have returned
 *     case 1: …  the worker has ended: rill_join does not wait
 *     case 2: …  2.5 s have passed
 *     }
 *
 * The cases that did not happen leave no trace: no value is taken, none is sent. A case that fails,
 * such as a receive from a channel that is closed, has happened: its result is negative, and the
 * error is in place. The array can be used again for the next select.
 */
#ifndef RILL_SELECT_H
#define RILL_SELECT_H

#include <rill/channel.h>
#include <rill/queue.h>
#include <rill/sync.h>
#include <rill/task.h>

RILL_BEGIN_DECLS

/* One thing to wait for. Made by the functions below; it must stay where it is during the select.
 */
typedef struct rill_case {
    int result; /* of the case that happened: what the call that it stands for would have returned
                 */
    /* The rest is the library's own. */
    const struct rill__source *source;
    void *subject;
    void *item;
    union {
        uint64_t id;
        double seconds;
        int fd;
    } number;
    void *state[28];
} rill_case;

/* Made for NULL, a case never happens: so it is switched off, and keeps its place in the array. */

/* A value is sent, as by rill_channel_send; it is copied when that happens. */
RILL_API rill_case rill_case_send(rill_sender *sender, const void *value);
/* A value comes, as by rill_channel_recv. */
RILL_API rill_case rill_case_recv(rill_receiver *receiver, void *value);
/* An element is put into a queue, as by rill_queue_put; it is copied when that happens. */
RILL_API rill_case rill_case_put(rill_queue *queue, const void *element);
/* An element is taken from a queue, as by rill_queue_get. */
RILL_API rill_case rill_case_get(rill_queue *queue, void *element);
/* The event is set. */
RILL_API rill_case rill_case_event(rill_event *event);
/* A place of the semaphore is taken, as by rill_semaphore_acquire. */
RILL_API rill_case rill_case_acquire(rill_semaphore *semaphore);
/* The mutex is locked, as by rill_mutex_lock. */
RILL_API rill_case rill_case_lock(rill_mutex *mutex);
/* The task has ended. It is not joined: rill_join, which will not wait, collects it. The result is
 * 0; RILL_ESTALE when the handle is used up, RILL_EDEADLOCK for the calling task. */
RILL_API rill_case rill_case_task(rill_task task);
/* So many seconds have passed since the select began; at once when 0 or less, RILL_FOREVER never.
 */
RILL_API rill_case rill_case_after(double seconds);
/* Reading from the descriptor (or accepting) would not block; writing to it would not. The end of
 * input and an error count as ready. The descriptor may be any that can be polled, in use elsewhere
 * or not; it stays the caller's and must stay open meanwhile. A file is always ready. */
RILL_API rill_case rill_case_readable(int fd);
RILL_API rill_case rill_case_writable(int fd);

typedef struct rill_select_opts {
    size_t size;
    size_t count; /* of cases */
    bool ordered; /* of several that are ready the first in the array happens, so that one which is
                     always ready starves those behind it. Default: any, each in its turn */
    bool no_wait; /* when nothing is ready, fail with RILL_EAGAIN instead of waiting */
} rill_select_opts;

/* Waits until one of the cases happens and returns its index; its `result` says how it went.
 *     int which = rill_select(cases, count, .ordered = true);
 * Returns the index, or
 *         RILL_EAGAIN   nothing is ready, and it was not to wait
 *         RILL_EINVAL   there is no case
 * Cancel  none of the cases has happened. */
#define rill_select(cases, ...)                                                                    \
    rill_select_with((cases), RILL_OPTS(rill_select_opts, .count = __VA_ARGS__))
RILL_AWAITS RILL_API int rill_select_with(rill_case *cases, const rill_select_opts *opts);

RILL_END_DECLS

#endif
