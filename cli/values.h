/* The values that options take, each read from text and told back as text. */
#ifndef RILL_CLI_VALUES_H
#define RILL_CLI_VALUES_H

#include "options.h"

/* Room for a value as messages and the help show it. */
#define VALUE_TEXT 80

/* "1m30s" to 90.0. False when the text is no duration; *ret_seconds is then untouched. */
bool duration_read(const char *text, double *ret_seconds);
/* 90.0 to "90s", 120.0 to "2m", 0.5 to "500ms". Returns `out`. */
const char *duration_text(double seconds, char out[VALUE_TEXT]);

/* A whole number in decimal. False when the text is none or does not fit. */
bool integer_read(const char *text, long *ret_number);

/* "[::1]:80" to its parts. NULL, or why it is no address: static text. */
const char *address_read(const char *text, struct option_address *ret_address);
const char *address_text(const struct option_address *address, char out[VALUE_TEXT]);

/* The text in double quotes, cut when it is long, control bytes made visible. Returns `out`. */
const char *value_quoted(const char *text, char out[VALUE_TEXT]);

#endif
