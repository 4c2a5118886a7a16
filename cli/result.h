/* The result of one check: a plain value with its texts inside, so that threads can hand it on. */
#ifndef RILL_CLI_RESULT_H
#define RILL_CLI_RESULT_H

#include <stdbool.h>
#include <stdint.h>

struct check_result {
    int64_t time_ms;    /* when the check began, milliseconds since 1970 */
    double duration_ms; /* until the answer was whole, or until it failed */
    int64_t bytes;      /* size of the body; 0 when none came */
    int status;         /* the HTTP status; 0 when none came */
    bool ok;
    char error[40];    /* the class of the failure, "connect_refused"; "" when ok */
    char message[320]; /* the failure in words; "" when ok */
};

#endif
