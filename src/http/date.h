/*
 * HTTP dates (RFC 9110 section 5.6.7), as seconds since 1970, leap seconds not counted.
 *
 * Years 0 to 9999 in the Gregorian calendar; no locale, no time zone of this machine, no libc.
 */
#ifndef RILL_SRC_HTTP_DATE_H
#define RILL_SRC_HTTP_DATE_H

#include <rill/base.h>

#define RILL__DATE_LEN 29u                   /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define RILL__DATE_MIN INT64_C(-62167219200) /* Sat, 01 Jan 0000 00:00:00 GMT */
#define RILL__DATE_MAX INT64_C(253402300799) /* Fri, 31 Dec 9999 23:59:59 GMT */

/* Writes an IMF-fixdate and a NUL. A time out of range becomes the nearest one in range. */
void rill__date_format(int64_t seconds, char out[RILL__DATE_LEN + 1]);

/*
 * Reads any of the three forms, white space around it allowed:
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
 *     Sunday, 06-Nov-94 08:49:37 GMT    RFC 850
 *     Sun Nov  6 08:49:37 1994          asctime
 *
 * Names are exact (the RFC makes them case-sensitive) and every number is in its range, the day
 * in its month's; the second 60 is the first of the next minute. The name of the day must be one,
 * but need not be the right one. A year of two digits is the one that is at most 50 years after
 * `now`, in seconds. False, with *ret_seconds untouched, when it is no date.
 */
bool rill__date_parse(rill_str text, int64_t now, int64_t *ret_seconds);

#endif
