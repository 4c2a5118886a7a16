/* The model of `rill watch`: results in, states and counters out. */
#include "checks.h"

#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The URL with *** in place of a password. The authority ends at the first of / ? # \ and its user
 * part at the last @ in it, as the URL standard has it. */
static char *without_password(const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t len = strcspn(start, "/?#\\");
    const char *at = memrchr(start, '@', len);
    const char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
    char *shown = NULL;
    int written = colon ? asprintf(&shown, "%.*s:***%s", (int)(colon - url), url, at)
                        : asprintf(&shown, "%s", url);
    return written < 0 ? NULL : shown;
}

static void check_free(struct check *check)
{
    free(check->url);
    free(check->shown);
    free(check->label);
    free(check);
}

static struct check *check_new(const char *url, const char *label)
{
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    check->url = strdup(url);
    check->shown = without_password(url);
    check->label = label && *label ? strdup(label) : NULL;
    if (!check->url || !check->shown || (label && *label && !check->label)) {
        check_free(check);
        return NULL;
    }
    utf8_clean(check->shown);
    if (check->label)
        utf8_clean(check->label);
    return check;
}

struct check *checks_add(struct checks *checks, const char *url, const char *label)
{
    struct check *check = check_new(url, label);
    if (!check)
        return NULL;
    for (size_t i = 0; i < checks->count; i++)
        if (strcmp(checks->items[i]->shown, check->shown) == 0) {
            check_free(check);
            return checks->items[i];
        }
    struct check **items = realloc(checks->items, (checks->count + 1) * sizeof *items);
    if (!items) {
        check_free(check);
        return NULL;
    }
    check->id = checks->count;
    items[checks->count++] = check;
    checks->items = items;
    return check;
}

void checks_finish(struct checks *checks)
{
    for (size_t i = 0; i < checks->count; i++)
        check_free(checks->items[i]);
    free(checks->items);
    checks->items = NULL;
    checks->count = 0;
}

/* A duration that JSON and Prometheus can carry. */
static double sane(double duration_ms)
{
    return isfinite(duration_ms) && duration_ms > 0 ? duration_ms : 0;
}

/* Everything a result changes but the counters, which a restored one is part of already. */
static void remember(struct check *check, const struct check_result *result)
{
    bool goes_on = check->last.time_ms != 0 && check->last.ok == result->ok;
    check->streak = goes_on ? check->streak + 1 : 1;
    if (!goes_on)
        check->since_ms = result->time_ms;
    check->last = *result;
    check->last.duration_ms = sane(result->duration_ms);
    utf8_clean(check->last.error);
    utf8_clean(check->last.message);
    if (!result->ok) {
        check->last_failure.time_ms = result->time_ms;
        memcpy(check->last_failure.error, check->last.error, sizeof check->last.error);
        memcpy(check->last_failure.message, check->last.message, sizeof check->last.message);
    }
    check->points[check->point_next] = (struct check_point){
        .time_ms = result->time_ms,
        .duration_ms = check->last.duration_ms,
        .ok = result->ok,
    };
    check->point_next = (check->point_next + 1) % CHECKS_KEPT;
    if (check->point_count < CHECKS_KEPT)
        check->point_count++;
}

bool check_apply(struct check *check, const struct check_result *result, double slow_ms)
{
    enum check_state before = check->state;
    remember(check, result);
    check->checks++;
    check->failures += !result->ok;
    if (check->first_ms == 0)
        check->first_ms = result->time_ms;
    if (!result->ok)
        check->state = CHECK_DOWN;
    else
        check->state = slow_ms > 0 && check->last.duration_ms > slow_ms ? CHECK_SLOW : CHECK_UP;
    return check->state != before;
}

void check_restore(struct check *check, const struct check_past *past)
{
    for (size_t i = 0; i < past->count; i++)
        remember(check, &past->results[i]);
    check->checks = past->checks;
    check->failures = past->failures;
    check->first_ms = past->first_ms;
}

bool checks_set_trouble(struct checks *checks, const char *trouble)
{
    char text[sizeof checks->trouble];
    snprintf(text, sizeof text, "%s", trouble ? trouble : "");
    utf8_clean(text);
    if (strcmp(text, checks->trouble) == 0)
        return false;
    memcpy(checks->trouble, text, sizeof text);
    return true;
}

void checks_totals(const struct checks *checks, size_t ret_totals[CHECK_STATES])
{
    memset(ret_totals, 0, CHECK_STATES * sizeof *ret_totals);
    for (size_t i = 0; i < checks->count; i++)
        ret_totals[checks->items[i]->state]++;
}

const char *check_state_name(enum check_state state)
{
    static const char *const names[CHECK_STATES] = { "pending", "up", "slow", "down" };
    return names[state];
}
