/* Queues: a handover that counts what is not finished yet. */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/handover.h"

#include <rill/queue.h>

struct rill_queue {
    rill__handover handover; /* `accepted`: elements that are not finished */
    rill__waitq joiners;
};

rill_queue *rill_queue_new_with(const rill_queue_opts *given)
{
    rill_queue_opts opts;
    rill__opts_read(opts, given);
    rill_queue *queue = rill__zalloc(sizeof *queue);
    if (!queue) {
        rill__fail_nomem();
        return NULL;
    }
    rill__waitq_init(&queue->joiners);
    rill__items_init(&queue->handover.items, opts.element_size, opts.lifo, opts.compare);
    queue->handover.drop = opts.drop;
    int64_t capacity = opts.capacity ? opts.capacity : RILL_UNLIMITED;
    if (rill__handover_init(&queue->handover, "queue", capacity) == 0)
        return queue;
    rill_queue_free(queue);
    return NULL;
}

static void refuse_joiners(rill_queue *queue)
{
    for (rill__waiter *first; (first = rill__waitq_first(&queue->joiners));)
        rill__waiter_finish(first, RILL_ECLOSED);
}

void rill_queue_free(rill_queue *queue)
{
    if (!queue)
        return;
    rill__handover_finish(&queue->handover);
    refuse_joiners(queue);
    rill__free(queue);
}

/* ---- putting and getting ---- */

static const rill__side putting = {
    .source = RILL__GIVING,
    .what = "queue put",
    .closed = "the queue was shut down",
    .must_wait = "the queue is full",
};

static const rill__side getting = {
    .source = RILL__TAKING,
    .what = "queue get",
    .closed = "the queue was shut down",
    .must_wait = "the queue is empty",
};

int rill_queue_put(rill_queue *queue, const void *element)
{
    return rill__give(&queue->handover, element, &putting);
}

int rill_queue_get(rill_queue *queue, void *element)
{
    return rill__take(&queue->handover, element, &getting);
}

int rill_queue_try_put(rill_queue *queue, const void *element)
{
    return rill__try_give(&queue->handover, element, &putting);
}

int rill_queue_try_get(rill_queue *queue, void *element)
{
    return rill__try_take(&queue->handover, element, &getting);
}

rill_case rill_case_put(rill_queue *queue, const void *element)
{
    return queue ? rill__case(&putting.source, &queue->handover, (void *)element)
                 : rill__case_never();
}

rill_case rill_case_get(rill_queue *queue, void *element)
{
    return queue ? rill__case(&getting.source, &queue->handover, element) : rill__case_never();
}

size_t rill_queue_count(const rill_queue *queue)
{
    return queue->handover.items.count;
}

bool rill_queue_is_empty(const rill_queue *queue)
{
    return queue->handover.items.count == 0;
}

bool rill_queue_is_full(const rill_queue *queue)
{
    return queue->handover.items.count >= queue->handover.capacity;
}

/* ---- finishing ---- */

static void finished(rill_queue *queue, size_t count)
{
    size_t *unfinished = &queue->handover.accepted;
    *unfinished -= count < *unfinished ? count : *unfinished;
    if (*unfinished == 0)
        rill__waitq_wake_all(&queue->joiners);
}

int rill_queue_done(rill_queue *queue)
{
    if (queue->handover.accepted == 0)
        return rill__fail(RILL_EINVAL, "queue done: said more often than elements were put in");
    finished(queue, 1);
    return 0;
}

int rill_queue_join(rill_queue *queue)
{
    RILL__TRY(rill__checkpoint("queue join"));
    if (queue->handover.accepted == 0)
        return 0;
    int rc = rill__waitq_wait(&queue->joiners, "queue join");
    return rc == RILL_ECLOSED ? rill__fail(rc, "queue join: the queue was freed") : rc;
}

void rill_queue_shutdown(rill_queue *queue, bool immediate)
{
    rill__handover_close(&queue->handover);
    if (immediate)
        finished(queue, rill__handover_clear(&queue->handover));
}
