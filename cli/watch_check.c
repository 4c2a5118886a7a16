/* Checking: one task an endpoint, so that no check overlaps with itself. */
#include "classes.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A body is read to be timed, not to be kept; one that never ends is ended by the timeout. */
#define BODY_PIECE ((size_t)16 << 10)

int64_t watch_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_all(rill_response *response, int64_t *ret_bytes)
{
    char *piece = malloc(BODY_PIECE);
    if (!piece)
        return rill_fail(RILL_ENOMEM, "out of memory");
    ptrdiff_t n;
    while ((n = rill_response_read(response, piece, BODY_PIECE)) > 0)
        *ret_bytes += n;
    free(piece);
    return (int)n;
}

static void set_failure(struct check_result *result, const char *class, const char *message)
{
    snprintf(result->error, sizeof result->error, "%s", class);
    snprintf(result->message, sizeof result->message, "%s", message);
}

static void judge(struct check_result *result, const rill_response *response, int rc)
{
    result->ok = rc >= 0 && result->status < 400;
    if (rc < 0) {
        set_failure(result, error_class(rill_last_error()), rill_last_error()->message);
    } else if (result->status >= 400) {
        char message[200];
        snprintf(message, sizeof message, "the server answered %d %s", result->status,
                 rill_response_reason(response));
        set_failure(result, status_class(result->status), message);
    }
}

/* Returns RILL_ECANCELED when the watching ends, else 0: a failed check is a result. */
static int check_once(const struct watch *watch, const struct check *check,
                      struct check_result *result)
{
    double started = rill_now();
    double waited = 0;
    *result = (struct check_result){ .time_ms = watch_wall_ms() };
    rill_auto(rill_response) response =
        rill_get(watch->session, check->url, .timeout.total = watch->timeout);
    int rc = response ? 0 : rill_errcode();
    if (response) {
        result->status = rill_response_status(response);
        rc = read_all(response, &result->bytes);
        waited =
            rill_response_timings(response).queue; /* our own crowd is not the server's fault */
    }
    result->duration_ms = (rill_now() - started - waited) * 1e3;
    if (rc == RILL_ECANCELED)
        return rc;
    judge(result, response, rc);
    return 0;
}

static void take_in(struct watch *watch, struct check *check, const struct check_result *result)
{
    if (check_apply(check, result, watch->checks.slow_ms))
        rill_log(check->state == CHECK_DOWN ? RILL_LOG_WARN : RILL_LOG_INFO, "watch",
                 "%s is %s%s%s", check->shown, check_state_name(check->state),
                 result->ok ? "" : ": ", check->last.message);
    if (watch->feed.readers > 0)
        event_feed_add(&watch->feed, check, checks_dump(check_json(check)));
    if (watch->db)
        result_queue_add(&watch->to_store, check, result);
}

int watch_endpoint(void *arg)
{
    const struct watched *watched = arg;
    rill_interval interval;
    int rc = rill_interval_init(&interval, watched->watch->every, watched->delay, RILL_MISSED_SKIP);
    while (rc >= 0) {
        struct check_result result;
        rc = rill_interval_wait(&interval);
        if (rc >= 0)
            rc = check_once(watched->watch, watched->check, &result);
        if (rc >= 0)
            take_in(watched->watch, watched->check, &result);
    }
    return rc;
}
