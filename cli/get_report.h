/* What `rill get` says: a line or a JSON object a URL, the sum, and progress on a terminal. */
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
