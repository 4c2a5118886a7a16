/* Keeping and publishing results: queues that are emptied every second, whatever fails. */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#define PUBLISH_CHANNEL "rill:checks"

/* ---- queues ---- */

static bool make_room(struct result_queue *queue)
{
    if (queue->count >= WATCH_WAITING_MAX) {
        result_queue_drop(queue, 1);
        queue->dropped++;
    }
    if (queue->count < queue->room)
        return true;
    size_t room = queue->room ? queue->room * 2 : 64;
    struct waiting *items = realloc(queue->items, room * sizeof *items);
    if (!items)
        return false;
    queue->items = items;
    queue->room = room;
    return true;
}

bool result_queue_add(struct result_queue *queue, const struct check *check,
                      const struct check_result *result)
{
    if (!make_room(queue)) {
        queue->dropped++;
        return false;
    }
    queue->items[queue->count++] = (struct waiting){ check, *result };
    return true;
}

void result_queue_drop(struct result_queue *queue, size_t count)
{
    queue->count -= count;
    memmove(queue->items, queue->items + count, queue->count * sizeof *queue->items);
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
        event_feed_add(&watch->feed, "trouble", checks_dump(checks_trouble_json(&watch->checks)));
}

static void store_trouble(struct watch *watch, const char *trouble)
{
    char text[320] = "";
    if (*trouble && watch->to_store.dropped)
        snprintf(text, sizeof text, "history is not being written, %zu results were lost: %.200s",
                 watch->to_store.dropped, trouble);
    else if (*trouble)
        snprintf(text, sizeof text, "history is not being written: %.250s", trouble);
    watch_trouble(watch, watch->store_trouble, "store", text);
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
        job.entries[i] = (struct store_entry){ watch->to_store.items[i].check->shown,
                                               watch->to_store.items[i].result };
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
    watch->to_store.dropped = 0;
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

/* ---- redis ---- */

static void redis_trouble(struct watch *watch, const char *trouble)
{
    char text[320] = "";
    if (*trouble)
        snprintf(text, sizeof text, "results are not being published: %.250s", trouble);
    watch_trouble(watch, watch->redis_trouble, "redis", text);
}

static int publish_one(struct watch *watch, const struct check *check)
{
    char *document = checks_dump(check_json(check));
    if (!document)
        return rill_fail(RILL_ENOMEM, "out of memory");
    rill_auto(rill_redis_reply) kept =
        rill_redis_command(watch->redis, "HSET " PUBLISH_CHANNEL " %s %s", check->shown, document);
    rill_auto(rill_redis_reply) sent =
        kept ? rill_redis_command(watch->redis, "PUBLISH " PUBLISH_CHANNEL " %s", document) : NULL;
    free(document);
    return sent ? 0 : rill_errcode();
}

int watch_publish_flush(void *arg)
{
    struct watch *watch = arg;
    while (watch->to_publish.count > 0) {
        if (!watch->redis)
            watch->redis = rill_redis_connect(watch->redis_url, .connect_timeout = 2, .timeout = 2);
        int rc =
            watch->redis ? publish_one(watch, watch->to_publish.items[0].check) : rill_errcode();
        if (rc == RILL_ECANCELED)
            return rc;
        redis_trouble(watch, rc < 0 ? rill_last_error()->message : "");
        if (rc < 0)
            return 0;
        result_queue_drop(&watch->to_publish, 1);
    }
    return 0;
}
