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

/* Results that wait to be stored or published; beyond that the oldest are dropped, and told. */
#define WATCH_WAITING_MAX 20000u

/* A queue of results for one consumer. */
struct result_queue {
    struct waiting {
        const struct check *check;
        struct check_result result;
    } * items;
    size_t count, room;
    size_t dropped;
};

bool result_queue_add(struct result_queue *queue, const struct check *check,
                      const struct check_result *result);
/* Forgets the first `count`. */
void result_queue_drop(struct result_queue *queue, size_t count);
void result_queue_finish(struct result_queue *queue);

/* Server-sent events: a ring of the newest, each with its number; whoever falls behind loses some.
 */
#define EVENTS_KEPT 1024u
struct event_feed {
    char *texts[EVENTS_KEPT]; /* whole events, as sent */
    uint64_t next;            /* the number of the next one */
    size_t readers;
    bool closed;
    rill_event news;
};

void event_feed_init(struct event_feed *feed);
/* Takes over the document (a checks_dump text, or NULL). */
void event_feed_add(struct event_feed *feed, const char *type, char *document);
/* Ends every reader. */
void event_feed_close(struct event_feed *feed);
void event_feed_finish(struct event_feed *feed);

struct watch {
    struct checks checks;
    double every, timeout;
    rill_session *session;
    struct event_feed feed;

    /* The history. */
    char *db;            /* its path, or NULL: none is kept */
    struct store *store; /* NULL until it could be opened */
    struct result_queue to_store;
    char store_trouble[320];

    /* The publishing. */
    const char *redis_url; /* or NULL */
    rill_redis *redis;
    struct result_queue to_publish;
    char redis_trouble[320];
};

/* watch_check.c: checks one endpoint for ever; the argument is a struct watched *. */
struct watched {
    struct watch *watch;
    struct check *check;
    double delay;
};
int watch_endpoint(void *watched);

/* watch_keep.c: each is called every second; the argument is the watch. */
int watch_store_flush(void *watch);
int watch_publish_flush(void *watch);
/* Loads what an earlier run left. A failure becomes trouble on the page. */
void watch_store_load(struct watch *watch);
void watch_store_close(struct watch *watch);
/* Says what is wrong on the page and in the log, once a change; "" when all is well again. */
void watch_trouble(struct watch *watch, char place[320], const char *source, const char *trouble);

/* watch_pages.c: the routes; `demo` adds the endpoints that are there to be watched. */
void watch_routes(rill_app *app, struct watch *watch, bool demo);

#endif
