/*
 * The checks as Prometheus reads them: the text exposition format, version 0.0.4.
 *
 *     rill_check_up{url=…}                       1 up or slow, 0 down; absent before the first
 * check rill_check_duration_seconds{url=…}         duration of the last check
 *     rill_check_status_code{url=…}              its HTTP status, 0 when no answer came
 *     rill_check_response_bytes{url=…}           size of its body
 *     rill_check_last_time_seconds{url=…}        when it began, seconds since 1970
 *     rill_check_failure_info{url=…,reason=…}    1 for every endpoint that is down: why
 *     rill_checks_total{url=…,result=…}          checks so far; result is "ok" or "failed"
 *     rill_watch_endpoints{state=…}              how many endpoints are up, slow, down, pending
 *     rill_watch_trouble                         1 when watching itself is in trouble
 *     process_start_time_seconds, process_cpu_seconds_total, process_resident_memory_bytes
 *
 * A label `name` stands beside `url` when the endpoint has one.
 */
#ifndef RILL_CLI_METRICS_H
#define RILL_CLI_METRICS_H

#include "checks.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The whole exposition, to be freed; NULL when memory is short. */
char *metrics_text(const struct checks *checks, size_t *ret_len);

#endif
