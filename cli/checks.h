/*
 * What `rill watch` knows of its endpoints, in memory: the state of each, its last results,
 * counters.
 *
 * It belongs to the loop's thread, never waits, and holds CHECKS_KEPT points an endpoint, so its
 * size is bounded by the number of endpoints. Texts may come from anywhere: they are cut to a size
 * and made valid UTF-8 when they are taken in.
 *
 * The JSON of /api/checks (checks_json):
 *
 *     {
 *       "v": 1,                        schema version
 *       "now": 1700000000000,          when this was written; times are ms since 1970
 *       "started": 1699999000000,      when the process started
 *       "every": 5.0,                  seconds between two checks of one endpoint
 *       "trouble": null,               or what is wrong with watching itself, in words
 *       "totals": { "up": 2, "slow": 1, "down": 1, "pending": 0 },
 *       "checks": [ CHECK with "history", … ]
 *     }
 *
 * CHECK (check_json):
 *
 *     {
 *       "id": 0,                       its place in the list; stable while the process runs
 *       "url": "http://…",             a password in it is shown as ***
 *       "label": "checkout",           or null
 *       "state": "up",                 up | slow | down | pending (not checked since the start)
 *       "time": 1700000000000,         begin of the last check, or null when there was none
 *       "ms": 12.3,                    duration of the last check, or null
 *       "status": 200,                 its HTTP status, or null when no answer came
 *       "bytes": 512,                  size of its body, or null
 *       "error": null,                 ERROR when the last check failed
 *       "last_error": ERROR,           the newest failure that is known, or null
 *       "streak": 17,                  how many checks in a row ended as the last did
 *       "since": 1699999900000,        begin of the first of these, or null
 *       "checks": 140,                 since "first", over restarts when there is a history
 *       "failures": 3,                 of these
 *       "first": 1699990000000,        the first check that is counted, or null
 *       "uptime": { "window": 97.5,    percent of the last CHECKS_KEPT checks, or null
 *                   "total": 97.857 }, percent of all, or null
 *       "history": [ 12.3, null, … ]   only in the list: the durations of the last CHECKS_KEPT
 *                                      checks in ms, oldest first, null for one that failed
 *     }
 *
 * ERROR: { "class": "connect_refused", "message": "connect …: connection refused", "time": … }
 *
 * The page's event stream (/api/events): an event "check" carries one CHECK without "history"; the
 * reader appends "ms" itself, or null when "error" is set, and knows by "checks" whether it has
 * seen it already. An event "trouble" carries { "trouble": null or text } (checks_trouble_json).
 */
#ifndef RILL_CLI_CHECKS_H
#define RILL_CLI_CHECKS_H

#include "result.h"

#include <jansson.h>
#include <stddef.h>

/* How many results of an endpoint are kept in memory and shown as a line. */
#define CHECKS_KEPT 120

enum check_state { CHECK_PENDING, CHECK_UP, CHECK_SLOW, CHECK_DOWN };
#define CHECK_STATES 4

struct check_point {
    int64_t time_ms;
    double duration_ms;
    bool ok;
};

struct check_failure {
    int64_t time_ms; /* 0: there was none */
    char error[40];
    char message[320];
};

struct check {
    size_t id;
    char *url;   /* as it was given, for the request */
    char *shown; /* the same without a password: for people, logs, metrics and the history */
    char *label; /* or NULL */
    enum check_state state;
    struct check_result last; /* time_ms 0: none yet */
    struct check_failure last_failure;
    long streak;
    int64_t since_ms; /* when the streak began */
    int64_t checks, failures, first_ms;
    struct check_point points[CHECKS_KEPT]; /* a ring */
    size_t point_count, point_next;
};

struct checks {
    struct check **items; /* each stays where it is until the end */
    size_t count;
    double every;   /* seconds between checks, for the reader */
    double slow_ms; /* an answer that took longer is slow; 0: none is */
    int64_t started_ms;
    char trouble[320]; /* "" when there is none */
};

/* What an earlier run left; the results are oldest first. */
struct check_past {
    const struct check_result *results;
    size_t count;
    int64_t checks, failures, first_ms;
};

/* Adds an endpoint. One whose shown URL is there already is not added again: that one is returned.
 * NULL when memory is short. */
struct check *checks_add(struct checks *checks, const char *url, const char *label);
void checks_finish(struct checks *checks);

/* Takes in a result. Returns whether the state is another one now. */
bool check_apply(struct check *check, const struct check_result *result, double slow_ms);
/* Takes in an earlier run's history, before the first result. The state stays pending. */
void check_restore(struct check *check, const struct check_past *past);

/* Sets what is wrong with watching itself; NULL or "" when nothing is. True when it changed. */
bool checks_set_trouble(struct checks *checks, const char *trouble);

/* How many endpoints are in each state. */
void checks_totals(const struct checks *checks, size_t ret_totals[CHECK_STATES]);
const char *check_state_name(enum check_state state);

/* The documents described above; to be released with json_decref(). NULL when memory is short. */
json_t *checks_json(const struct checks *checks, int64_t now_ms);
json_t *check_json(const struct check *check);
json_t *checks_trouble_json(const struct checks *checks);
/* Writes the document as one line of text and releases it; to be freed. NULL stays NULL. */
char *checks_dump(json_t *document);

#endif
