/* The feed of events: a ring of the newest, which any number of tasks follow. */
#include "watch.h"

#include <stdlib.h>

void event_feed_init(struct event_feed *feed)
{
    *feed = (struct event_feed){ .next = 1 };
    rill_event_init(&feed->news);
}

static void wake_readers(struct event_feed *feed)
{
    rill_event_set(&feed->news);
    rill_event_clear(&feed->news);
}

void event_feed_add(struct event_feed *feed, const struct check *check, char *document)
{
    if (!document)
        return;
    struct feed_event *event = &feed->events[feed->next++ % EVENTS_KEPT];
    free(event->document);
    *event = (struct feed_event){ check, document };
    wake_readers(feed);
}

const struct feed_event *event_feed_get(const struct event_feed *feed, uint64_t *at)
{
    if (*at + EVENTS_KEPT < feed->next)
        *at = feed->next - EVENTS_KEPT;
    return *at < feed->next ? &feed->events[*at % EVENTS_KEPT] : NULL;
}

int event_feed_wait(struct event_feed *feed)
{
    return rill_event_wait(&feed->news);
}

void event_feed_close(struct event_feed *feed)
{
    feed->closed = true;
    wake_readers(feed);
}

void event_feed_finish(struct event_feed *feed)
{
    for (size_t i = 0; i < EVENTS_KEPT; i++)
        free(feed->events[i].document);
}
