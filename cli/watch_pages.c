/* The pages of `rill watch`: the live page, its data, its events, the metrics, and the demo. */
#include "chance.h"
#include "metrics.h"
#include "page.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

/* A comment so often, that proxies and browsers see that the stream lives. */
#define HEARTBEAT_SECONDS 15.0

static struct watch *watch_of(const rill_request *request)
{
    return rill_app_data(rill_request_app(request));
}

/* ---- events ---- */

static int wait_for_news(void *feed)
{
    return event_feed_wait(feed);
}

/* The text is a copy: the feed may drop the event while the write waits. */
static int send_event(rill_request *request, const struct feed_event *event, uint64_t number)
{
    char *text = NULL;
    int len = asprintf(&text, "id: %llu\nevent: %s\ndata: %s\n\n", (unsigned long long)number,
                       event->check ? "check" : "trouble", event->document);
    if (len < 0)
        return rill_fail(RILL_ENOMEM, "out of memory");
    int rc = rill_reply_write(request, text, (size_t)len);
    free(text);
    return rc;
}

static int feed_reader(rill_request *request, struct event_feed *feed)
{
    uint64_t at = feed->next;
    int rc = rill_reply_printf(request, "retry: 2000\n\n");
    while (rc >= 0 && !feed->closed) {
        const struct feed_event *event = event_feed_get(feed, &at);
        if (event) {
            rc = send_event(request, event, at++);
            continue;
        }
        rc = rill_within(HEARTBEAT_SECONDS, wait_for_news, feed);
        if (rc == RILL_ETIMEDOUT)
            rc = rill_reply_printf(request, ": alive\n\n");
    }
    return rc < 0 ? rc : rill_reply_end(request);
}

static int events(rill_request *request)
{
    struct event_feed *feed = &watch_of(request)->feed;
    rill_reply_set(request, "Content-Type", "text/event-stream; charset=utf-8");
    rill_reply_set(request, "Cache-Control", "no-store");
    int rc = rill_reply_begin(request, 200);
    if (rc < 0)
        return rc;
    feed->readers++;
    rc = feed_reader(request, feed);
    feed->readers--;
    return rc;
}

/* ---- data ---- */

static int reply_owned(rill_request *request, const char *type, char *text, size_t len)
{
    if (!text)
        return rill_reply_text(request, 503, "out of memory\n");
    rill_reply_set(request, "Content-Type", type);
    rill_reply_set(request, "Cache-Control", "no-store");
    int rc = rill_reply_bytes(request, 200, text, len);
    free(text);
    return rc;
}

/* A page that was open before a restart asks as soon as it can: it waits for the history. */
static int api_checks(rill_request *request)
{
    int rc = rill_event_wait(&watch_of(request)->loaded);
    if (rc < 0)
        return rc;
    char *text = checks_dump(checks_json(&watch_of(request)->checks, watch_wall_ms()));
    return reply_owned(request, "application/json", text, text ? strlen(text) : 0);
}

static int metrics(rill_request *request)
{
    int rc = rill_event_wait(&watch_of(request)->loaded);
    if (rc < 0)
        return rc;
    size_t len = 0;
    char *text = metrics_text(&watch_of(request)->checks, &len);
    return reply_owned(request, METRICS_CONTENT_TYPE, text, len);
}

static int healthz(rill_request *request)
{
    return rill_reply_text(request, 200, "ok\n");
}

static int page(rill_request *request)
{
    const struct page_file *file = rill_request_data(request);
    rill_reply_set(request, "Content-Type", file->content_type);
    rill_reply_set(request, "ETag", file->etag);
    rill_reply_set(request, "Cache-Control", "no-cache");
    rill_reply_set(request, "Content-Security-Policy", PAGE_POLICY);
    rill_reply_set(request, "X-Content-Type-Options", "nosniff");
    rill_reply_set(request, "Referrer-Policy", "no-referrer");
    return rill_reply_bytes(request, 200, file->bytes, file->size);
}

/* ---- the demo ---- */

static int demo_fine(rill_request *request)
{
    rill_sleep(0.005 + 0.02 * chance());
    return rill_reply_text(request, 200, "fine\n");
}

static int demo_slow(rill_request *request)
{
    rill_sleep(1.1 + 0.6 * chance());
    return rill_reply_text(request, 200, "at last\n");
}

static int demo_flaky(rill_request *request)
{
    rill_sleep(0.08 * chance());
    if (chance() < 1.0 / 3)
        return rill_reply_text(request, 500, "not this time\n");
    return rill_reply_text(request, 200, "this time\n");
}

static int demo_down(rill_request *request)
{
    return rill_reply_text(request, 503, "down\n");
}

void watch_routes(rill_app *app, struct watch *watch, bool demo)
{
    rill_app_set_data(app, watch);
    for (size_t i = 0; i < page_file_count; i++)
        rill_app_get(app, page_files[i].path, page, .data = (void *)(uintptr_t)&page_files[i]);
    rill_app_get(app, "/api/checks", api_checks);
    rill_app_get(app, "/api/events", events, .cancel_on_disconnect = true);
    rill_app_get(app, "/metrics", metrics);
    rill_app_get(app, "/healthz", healthz);
    if (!demo)
        return;
    rill_app_get(app, "/demo/fine", demo_fine);
    rill_app_get(app, "/demo/slow", demo_slow);
    rill_app_get(app, "/demo/flaky", demo_flaky);
    rill_app_get(app, "/demo/down", demo_down);
}
