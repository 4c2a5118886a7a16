/*
 * Publishing: a task that follows the feed and hands every result to Redis.
 *
 * The hash rill:checks holds the newest document of each URL, and each document is published on the
 * channel of the same name. While Redis is away the feed goes on; what it forgets meanwhile is not
 * published, but the next result of each URL brings the hash up to date.
 */
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#define PUBLISH_NAME "rill:checks"
#define PUBLISH_SECONDS 2.0 /* for connecting, and for a command */
#define RETRY_SECONDS 1.0

static void redis_trouble(struct watch *watch, const char *trouble)
{
    char text[320] = "";
    if (*trouble)
        snprintf(text, sizeof text, "results are not being published: %.250s", trouble);
    watch_trouble(watch, watch->redis_trouble, "redis", text);
}

static int connect_redis(struct watch *watch)
{
    if (!watch->redis)
        watch->redis = rill_redis_connect(watch->redis_url, .connect_timeout = PUBLISH_SECONDS,
                                          .timeout = PUBLISH_SECONDS);
    return watch->redis ? 0 : rill_errcode();
}

static int send_document(struct watch *watch, const struct check *check, const char *document)
{
    rill_auto(rill_redis_reply) kept =
        rill_redis_command(watch->redis, "HSET " PUBLISH_NAME " %s %s", check->shown, document);
    rill_auto(rill_redis_reply) sent =
        kept ? rill_redis_command(watch->redis, "PUBLISH " PUBLISH_NAME " %s", document) : NULL;
    return sent ? 0 : rill_errcode();
}

/* The document is copied: the feed may drop it while the command waits. */
static int publish_event(struct watch *watch, const struct feed_event *event)
{
    if (!event->check)
        return 0; /* trouble is not for Redis */
    const struct check *check = event->check;
    char *copy = strdup(event->document);
    if (!copy)
        return rill_fail(RILL_ENOMEM, "out of memory");
    int rc = send_document(watch, check, copy);
    free(copy);
    return rc;
}

static int publish_news(struct watch *watch, uint64_t *at)
{
    int rc = connect_redis(watch);
    const struct feed_event *event;
    while (rc >= 0 && (event = event_feed_get(&watch->feed, at))) {
        rc = publish_event(watch, event);
        if (rc >= 0)
            ++*at;
    }
    return rc;
}

int watch_publish(void *arg)
{
    struct watch *watch = arg;
    uint64_t at = watch->feed.next;
    int rc = 0;
    watch->feed.readers++;
    while (rc != RILL_ECANCELED) {
        rc = publish_news(watch, &at);
        if (rc == RILL_ECANCELED)
            break;
        redis_trouble(watch, rc < 0 ? rill_last_error()->message : "");
        if (rc < 0)
            rc = rill_sleep(RETRY_SECONDS);
        else if (!event_feed_get(&watch->feed, &at))
            rc = event_feed_wait(&watch->feed);
    }
    watch->feed.readers--;
    return rc;
}
