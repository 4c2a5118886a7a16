/* The classes of failures as the output, the metrics and the history name them. */
#ifndef RILL_CLI_CLASSES_H
#define RILL_CLI_CLASSES_H

#include <rill/error.h>

/* "connect_refused", "dns_nxdomain", "timeout_total", "http_5xx", …: the class of an error.
 * Static text. */
const char *error_class(const rill_error *error);

/* "http_4xx" or "http_5xx" for a status of 400 or more, else "". Static text. */
const char *status_class(int status);

#endif
