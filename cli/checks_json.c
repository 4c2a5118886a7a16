/* The model as JSON, by the schema in checks.h. */
#include "checks.h"

#include <math.h>

/* Rounds down to three places, so that 99.9996 never reads as 100. */
static json_t *percent(int64_t part, int64_t whole)
{
    if (whole <= 0)
        return json_null();
    return json_real(floor(100000.0 * (double)part / (double)whole) / 1000.0);
}

static json_t *time_or_null(int64_t time_ms)
{
    return time_ms ? json_integer(time_ms) : json_null();
}

/* A tenth of a millisecond is what a reader can use. */
static json_t *duration(double ms)
{
    return json_real(round(ms * 10) / 10);
}

static json_t *failure_json(const struct check_failure *failure)
{
    if (failure->time_ms == 0)
        return json_null();
    return json_pack("{s:s, s:s, s:I}", "class", failure->error, "message", failure->message,
                     "time", (json_int_t)failure->time_ms);
}

static json_t *uptime_json(const struct check *check)
{
    int64_t ok = 0;
    for (size_t i = 0; i < check->point_count; i++)
        ok += check->points[i].ok;
    return json_pack("{s:o, s:o}", "window", percent(ok, (int64_t)check->point_count), "total",
                     percent(check->checks - check->failures, check->checks));
}

/* One number a point: with a thousand endpoints the list has 120,000 of them. */
static json_t *history_json(const struct check *check)
{
    json_t *history = json_array();
    size_t oldest = (check->point_next + CHECKS_KEPT - check->point_count) % CHECKS_KEPT;
    for (size_t i = 0; i < check->point_count; i++) {
        const struct check_point *point = &check->points[(oldest + i) % CHECKS_KEPT];
        json_array_append_new(history, point->ok ? duration(point->duration_ms) : json_null());
    }
    return history;
}

json_t *check_json(const struct check *check)
{
    const struct check_result *last = &check->last;
    bool any = last->time_ms != 0;
    json_t *failure = failure_json(&check->last_failure);
    json_t *document = json_pack(
        "{s:I, s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:o, s:O, s:I, s:o, s:I, s:I, s:o, s:o}", "id",
        (json_int_t)check->id, "url", check->shown, "label", check->label, "state",
        check_state_name(check->state), "time", time_or_null(last->time_ms), "ms",
        any ? duration(last->duration_ms) : json_null(), "status",
        last->status ? json_integer(last->status) : json_null(), "bytes",
        any ? json_integer(last->bytes) : json_null(), "error",
        any && !last->ok ? json_incref(failure) : json_null(), "last_error", failure, "streak",
        (json_int_t)check->streak, "since", time_or_null(check->since_ms), "checks",
        (json_int_t)check->checks, "failures", (json_int_t)check->failures, "first",
        time_or_null(check->first_ms), "uptime", uptime_json(check));
    json_decref(failure);
    return document;
}

static json_t *totals_json(const struct checks *checks)
{
    size_t totals[CHECK_STATES];
    checks_totals(checks, totals);
    json_t *document = json_object();
    for (enum check_state state = 0; state < CHECK_STATES; state++)
        json_object_set_new(document, check_state_name(state),
                            json_integer((json_int_t)totals[state]));
    return document;
}

static json_t *trouble_or_null(const struct checks *checks)
{
    return *checks->trouble ? json_string(checks->trouble) : json_null();
}

json_t *checks_json(const struct checks *checks, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < checks->count; i++) {
        json_t *check = check_json(checks->items[i]);
        json_object_set_new(check, "history", history_json(checks->items[i]));
        json_array_append_new(list, check);
    }
    return json_pack("{s:i, s:I, s:I, s:f, s:o, s:o, s:o}", "v", 1, "now", (json_int_t)now_ms,
                     "started", (json_int_t)checks->started_ms, "every", checks->every, "trouble",
                     trouble_or_null(checks), "totals", totals_json(checks), "checks", list);
}

json_t *checks_trouble_json(const struct checks *checks)
{
    return json_pack("{s:o}", "trouble", trouble_or_null(checks));
}

char *checks_dump(json_t *document)
{
    if (!document)
        return NULL;
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(document);
    return text;
}
