/*
 * The parts of `rill watch`: endpoints that are checked on a schedule, what keeps and publishes the
 * results, and the pages that show them. All of it runs on one loop; only the store's own work is
 * done on a thread.
 */
#ifndef RILL_CLI_WATCH_H
#define RILL_CLI_WATCH_H

#include "checks.h"
#include "store.h"

#include <rill/rill.h>

/* Results that wait to be stored; beyond that the oldest are dropped, and told. A power of two. */
#define WATCH_WAITING_MAX 16384u

/* The results that wait, oldest first: a ring. */
struct result_queue {
    struct waiting {
        const struct check *check;
        struct check_result result;
    } * items;
    size_t first, count, room;
    size_t dropped;
};

void result_queue_add(struct result_queue *queue, const struct check *check,
                      const struct check_result *result);
const struct waiting *result_queue_at(const struct result_queue *queue, size_t index);
/* Forgets the first `count`. */
void result_queue_drop(struct result_queue *queue, size_t count);
void result_queue_finish(struct result_queue *queue);

/* What happened: a ring of the newest events, each with its number. Pages and Redis read it, each
 * at its own pace; whoever falls too far behind loses some. */
#define EVENTS_KEPT 1024u
struct event_feed {
    struct feed_event {
        const struct check *check; /* whose result it is; NULL: an event "trouble" */
        char *document;
    } events[EVENTS_KEPT];
    uint64_t next;  /* the number of the next one */
    size_t readers; /* without any, nothing needs to be written down */
    bool closed;
    rill_event news;
};

void event_feed_init(struct event_feed *feed);
/* Takes over the document (a checks_dump text, or NULL). */
void event_feed_add(struct event_feed *feed, const struct check *check, char *document);
/* The event of that number, or the oldest that is left: *at says which. NULL when there is none
 * yet. It is the feed's own until the next wait. */
const struct feed_event *event_feed_get(const struct event_feed *feed, uint64_t *at);
/* Waits until there is an event that was not there before. */
int event_feed_wait(struct event_feed *feed);
/* Ends every reader. */
void event_feed_close(struct event_feed *feed);
void event_feed_finish(struct event_feed *feed);

struct watch {
    struct checks checks;
    double every, timeout;
    rill_session *session;
    struct event_feed feed;
    rill_event loaded; /* the history is in memory, or there is none */

    /* The history. */
    char *db;            /* its path, or NULL: none is kept */
    struct store *store; /* NULL until it could be opened */
    struct result_queue to_store;
    char store_trouble[320];

    /* The publishing. */
    const char *redis_url; /* or NULL */
    rill_redis *redis;
    char redis_trouble[320];
};

/* watch_check.c: checks one endpoint for ever; the argument is a struct watched *. */
struct watched {
    struct watch *watch;
    struct check *check;
    double delay;
};
int watch_endpoint(void *watched);
/* Milliseconds since 1970, as results and pages give times. */
int64_t watch_wall_ms(void);

/* watch_keep.c. Called every second; the argument is the watch. */
int watch_store_flush(void *watch);
/* Loads what an earlier run left. A failure becomes trouble on the page. */
void watch_store_load(struct watch *watch);
void watch_store_close(struct watch *watch);
/* Says what is wrong on the page and in the log, once a change; "" when all is well again. */
void watch_trouble(struct watch *watch, char place[320], const char *source, const char *trouble);

/* watch_publish.c: sends every result to Redis for ever; the argument is the watch. */
int watch_publish(void *watch);

/* watch_feed.c: the feed above.
 * watch_pages.c: the routes; `demo` adds the endpoints that are there to be watched. */
void watch_routes(rill_app *app, struct watch *watch, bool demo);

#endif
