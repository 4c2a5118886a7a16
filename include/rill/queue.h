/*
 * Queues: elements of one size that tasks put in and other tasks take out. asyncio.Queue, and with
 * `.lifo` LifoQueue, with `.compare` PriorityQueue.
 *
 *     rill_auto(rill_queue) jobs = rill_queue_new(sizeof(struct job), .capacity = 100);
 *     rill_queue_put(jobs, &job);       waits while it is full
 *     rill_queue_get(jobs, &job);       waits while it is empty
 *     rill_queue_done(jobs);            the job is finished
 *     rill_queue_join(jobs);            waits until all of them are
 *
 * Elements are copied in and out. To queue pointers, the element's size is sizeof(void *), and
 * rill_queue_put_ptr and rill_queue_get_ptr save the ampersand.
 *
 * First come, first served: an element goes straight to the task that has waited longest, and a
 * place that becomes free is given to the one that has waited longest for it. A queue with a
 * capacity allocates nothing once it is made. Nothing here is for threads.
 */
#ifndef RILL_QUEUE_H
#define RILL_QUEUE_H

#include <rill/error.h>

RILL_BEGIN_DECLS

typedef struct rill_queue rill_queue;

typedef struct rill_queue_opts {
    size_t size;
    size_t element_size; /* bytes; an alignment of 16 at most */
    int64_t capacity;    /* elements that fit; RILL_UNLIMITED. Default: no limit */
    bool lifo;           /* the newest is taken first. Default: the oldest */
    /* As for qsort: the least is taken first, and of equal ones the oldest. It must not use the
     * queue. Default: elements have no order of their own */
    int (*compare)(const void *a, const void *b);
    /* Called with each element that nobody will take any more, when the queue is shut down at once
     * or freed: to free what it points to. It must not use the queue. Default: nothing is called */
    void (*drop)(void *element);
} rill_queue_opts;

/* Makes a queue: rill_queue_new(sizeof(int), .capacity = 10).
 * Returns NULL with RILL_EINVAL or RILL_ENOMEM. */
#define rill_queue_new(...)                                                                        \
    rill_queue_new_with(RILL_OPTS(rill_queue_opts, .element_size = __VA_ARGS__))
RILL_API rill_queue *rill_queue_new_with(const rill_queue_opts *opts);

/* Frees the queue, and drops what is in it. Tasks that still wait fail with RILL_ECLOSED. */
RILL_API void rill_queue_free(rill_queue *queue);
RILL_DEFINE_AUTO(rill_queue)

/* Puts an element in; waits while the queue is full.
 * Errors  RILL_ECLOSED  the queue was shut down, perhaps while this waited
 *         RILL_ENOMEM   a queue without a limit could not grow
 * Cancel  the element was not put in. */
RILL_AWAITS RILL_API int rill_queue_put(rill_queue *queue, const void *element);
/* Takes the next element out; waits while there is none.
 * Errors  RILL_ECLOSED  the queue was shut down, and is empty
 * Cancel  nothing was taken out. */
RILL_AWAITS RILL_API int rill_queue_get(rill_queue *queue, void *element);

/* The same without waiting: RILL_EAGAIN when the queue is full, or empty. Also outside tasks. */
RILL_API int rill_queue_try_put(rill_queue *queue, const void *element);
RILL_API int rill_queue_try_get(rill_queue *queue, void *element);

/* For a queue of pointers: as rill_queue_put. */
RILL_AWAITS static inline int rill_queue_put_ptr(rill_queue *queue, void *pointer)
{
    return rill_queue_put(queue, &pointer);
}

/* Returns NULL when it fails, with the error in place. */
RILL_AWAITS static inline void *rill_queue_get_ptr(rill_queue *queue)
{
    void *pointer = NULL;
    return rill_queue_get(queue, &pointer) < 0 ? NULL : pointer;
}

/* How many elements are in it. */
RILL_API size_t rill_queue_count(const rill_queue *queue);
/* Whether a get, or a put, would have to wait. */
RILL_API bool rill_queue_is_empty(const rill_queue *queue);
RILL_API bool rill_queue_is_full(const rill_queue *queue);

/* Says that an element that was taken out is finished. RILL_EINVAL when it is said more often than
 * elements were put in. */
RILL_API int rill_queue_done(rill_queue *queue);
/* Waits until every element that was put in has been taken out and said to be finished.
 * Returns 0, RILL_ECANCELED, or RILL_ECLOSED when the queue is freed meanwhile. */
RILL_AWAITS RILL_API int rill_queue_join(rill_queue *queue);

/* Ends the queue. Every put fails with RILL_ECLOSED from now on, also those that wait; every get,
 * once the queue is empty. With `immediate` it is emptied at once: what was in it is dropped, and
 * counts as finished. Shutting down twice is fine. */
RILL_API void rill_queue_shutdown(rill_queue *queue, bool immediate);

RILL_END_DECLS

#endif
