/*
 * What `rill get` says: a line or a JSON object a URL, the sum, and progress on a terminal.
 *
 * The lines of --json, in the order in which the URLs were done:
 *
 *     {
 *       "v": 1, "t": "result",         schema version, kind of line
 *       "i": 0,                        the URL's place among those given
 *       "url": "http://…",             as given, with the scheme that was put in front
 *       "final_url": "http://…",       after redirects, or null when no answer came
 *       "ok": true,                    whole, with a status below 400
 *       "attempts": 1,                 how often it was tried; what follows is of the last time
 *       "status": 200,                 or null when no answer came
 *       "bytes": 512,                  of the body, decoded
 *       "file": "out/1.html",          where the body was saved, or null
 *       "redirects": 0,
 *       "time_ms": { "queue": 0.0, "connect": 0.4, "wait": 1.7, "total": 2.2 },
 *       "error": null                  or { "class": "connect_refused", "code": "RILL_EREFUSED",
 *                                      "message": "GET …: connect …: connection refused" }
 *     }
 *     { "v": 1, "t": "summary", "urls": 2, "ok": 1, "failed": 1, "bytes": 512, "time_ms": 12.3 }
 *
 * The summary is the last line. After an interruption "ok" and "failed" count what was done.
 */
#ifndef RILL_CLI_GET_REPORT_H
#define RILL_CLI_GET_REPORT_H

#include <rill/rill.h>
#include <stdio.h>

struct get_result {
    size_t index; /* from 0 */
    const char *url;
    char *final_url;  /* after redirects, or NULL */
    const char *file; /* where the body was saved, or NULL */
    bool done, ok;
    int attempts, status, redirects;
    int64_t bytes;
    rill_timings timings;
    rill_error error; /* code 0: none */
};

struct get_report {
    FILE *out;
    bool json;
    bool quiet;    /* failures only */
    bool progress; /* on stderr */
    bool shown;    /* a progress line stands on the terminal */
    size_t total, done, failed;
    int64_t bytes;
    double started;
};

/* Counts and prints it. 0, or RILL_EOS when it could not be written. */
int get_report_result(struct get_report *report, const struct get_result *result);
void get_report_progress(struct get_report *report);
/* Takes the progress away; with JSON writes the sum. Returns as above. */
int get_report_end(struct get_report *report);

#endif
