/* Keeping results: a queue that is emptied every second, whatever fails. */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

/* ---- the queue ---- */

const struct waiting *result_queue_at(const struct result_queue *queue, size_t index)
{
    return &queue->items[(queue->first + index) & (queue->room - 1)];
}

static bool grow(struct result_queue *queue)
{
    size_t room = queue->room ? queue->room * 2 : 64;
    struct waiting *items = room <= WATCH_WAITING_MAX ? malloc(room * sizeof *items) : NULL;
    if (!items)
        return false;
    for (size_t i = 0; i < queue->count; i++)
        items[i] = *result_queue_at(queue, i);
    free(queue->items);
    queue->items = items;
    queue->room = room;
    queue->first = 0;
    return true;
}

void result_queue_add(struct result_queue *queue, const struct check *check,
                      const struct check_result *result)
{
    if (queue->count == queue->room && !grow(queue)) {
        queue->dropped++;
        if (queue->room == 0)
            return;
        result_queue_drop(queue, 1);
    }
    queue->items[(queue->first + queue->count++) & (queue->room - 1)] =
        (struct waiting){ check, *result };
}

void result_queue_drop(struct result_queue *queue, size_t count)
{
    queue->first = (queue->first + count) & (queue->room - 1);
    queue->count -= count;
}

void result_queue_finish(struct result_queue *queue)
{
    free(queue->items);
    *queue = (struct result_queue){ 0 };
}

/* ---- trouble ---- */

void watch_trouble(struct watch *watch, char place[320], const char *source, const char *trouble)
{
    if (strcmp(place, trouble) == 0)
        return;
    snprintf(place, 320, "%s", trouble);
    if (*trouble)
        rill_log(RILL_LOG_ERROR, source, "%s", trouble);
    else
        rill_log(RILL_LOG_INFO, source, "works again");
    char both[650];
    snprintf(both, sizeof both, "%s%s%s", watch->store_trouble,
             watch->store_trouble[0] && watch->redis_trouble[0] ? "; " : "", watch->redis_trouble);
    if (checks_set_trouble(&watch->checks, both))
        event_feed_add(&watch->feed, NULL, checks_dump(checks_trouble_json(&watch->checks)));
}

/* The text does not count what is lost: it would be another one each second, and be logged so. */
static void store_trouble(struct watch *watch, const char *trouble)
{
    char text[320] = "";
    if (*trouble)
        snprintf(text, sizeof text, "history is not being written%s: %.250s",
                 watch->to_store.dropped ? ", and results are lost" : "", trouble);
    watch_trouble(watch, watch->store_trouble, "store", text);
}

static void tell_loss(struct watch *watch)
{
    if (watch->to_store.dropped)
        rill_log(RILL_LOG_WARN, "store", "%zu results were lost", watch->to_store.dropped);
    watch->to_store.dropped = 0;
}

/* ---- the history; functions ending in _now run on a worker thread ---- */

struct store_job {
    struct watch *watch;
    struct store_entry *entries;
    size_t count;
    struct store_error error;
};

static int open_now(void *arg)
{
    struct store_job *job = arg;
    job->watch->store = store_open(job->watch->db, 0, &job->error);
    return 0;
}

static int add_now(void *arg)
{
    struct store_job *job = arg;
    job->error.code = store_add(job->watch->store, job->entries, job->count, &job->error);
    return 0;
}

static int close_now(void *arg)
{
    store_close(((struct watch *)arg)->store);
    return 0;
}

static int ensure_open(struct watch *watch)
{
    struct store_job job = { .watch = watch };
    if (watch->store)
        return 0;
    int rc = rill_to_thread(open_now, &job);
    if (rc < 0)
        return rc;
    if (!watch->store)
        store_trouble(watch, job.error.message);
    return watch->store ? 0 : RILL_EFAILED;
}

/* The queue may grow while the thread works, and its items move: the batch is a copy. */
static int add_batch(struct watch *watch, size_t count)
{
    struct store_job job = { .watch = watch, .count = count };
    job.entries = malloc(count * sizeof *job.entries);
    if (!job.entries)
        return rill_fail(RILL_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        job.entries[i] = (struct store_entry){ result_queue_at(&watch->to_store, i)->check->shown,
                                               result_queue_at(&watch->to_store, i)->result };
    size_t dropped_before = watch->to_store.dropped;
    int rc = rill_to_thread(add_now, &job);
    free(job.entries);
    if (rc < 0)
        return rc;
    store_trouble(watch, job.error.code == STORE_OK ? "" : job.error.message);
    if (job.error.code != STORE_OK)
        return RILL_EFAILED;
    size_t gone = watch->to_store.dropped - dropped_before; /* dropped while the thread worked */
    result_queue_drop(&watch->to_store, count > gone ? count - gone : 0);
    tell_loss(watch);
    return 0;
}

int watch_store_flush(void *arg)
{
    struct watch *watch = arg;
    if (watch->to_store.count == 0)
        return 0;
    if (ensure_open(watch) < 0)
        return 0; /* told already; the results wait */
    add_batch(watch, watch->to_store.count);
    return 0;
}

struct load_job {
    struct watch *watch;
    struct store_history *histories;
    struct store_error error;
};

static int load_now(void *arg)
{
    struct load_job *job = arg;
    const struct checks *checks = &job->watch->checks;
    for (size_t i = 0; i < checks->count; i++) {
        job->error.code = store_load(job->watch->store, checks->items[i]->shown, CHECKS_KEPT,
                                     &job->histories[i], &job->error);
        if (job->error.code != STORE_OK)
            break;
    }
    return 0;
}

static void restore(struct check *check, struct store_history *history)
{
    const struct check_past past = {
        .results = history->results,
        .count = history->count,
        .checks = history->checks,
        .failures = history->failures,
        .first_ms = history->first_ms,
    };
    if (history->checks > 0)
        check_restore(check, &past);
    free(history->results);
}

void watch_store_load(struct watch *watch)
{
    if (!watch->db || watch->checks.count == 0 || ensure_open(watch) < 0)
        return;
    struct load_job job = { .watch = watch };
    job.histories = calloc(watch->checks.count, sizeof *job.histories);
    if (!job.histories)
        return;
    if (rill_to_thread(load_now, &job) == 0 && job.error.code != STORE_OK)
        store_trouble(watch, job.error.message);
    for (size_t i = 0; i < watch->checks.count; i++)
        restore(watch->checks.items[i], &job.histories[i]);
    free(job.histories);
}

void watch_store_close(struct watch *watch)
{
    if (!watch->store)
        return;
    if (rill_to_thread(close_now, watch) < 0)
        store_close(watch->store);
    watch->store = NULL;
}
