/*
 * Media types and parameters (RFC 9110 sections 8.3.1 and 5.6.6), for Content-Type and for what is
 * built alike, as Content-Disposition.
 *
 * Everything found is a view into the field: nothing is allocated, and one pass from front to end
 * is all that a look-up costs.
 */
#ifndef RILL_SRC_HTTP_MEDIA_H
#define RILL_SRC_HTTP_MEDIA_H

#include <rill/base.h>

/* "text/html; charset=utf-8". Names are compared without regard to case: rill_str_caseeq. */
typedef struct rill__media {
    rill_str whole;   /* "text/html" */
    rill_str type;    /* "text" */
    rill_str subtype; /* "html" */
    rill_str params;  /* "; charset=utf-8", for the functions below */
} rill__media;

/* Splits a media type. The parameters are not looked at yet: a bad one does not hide the type.
 * False, with *ret_media untouched, when there is no token, "/" and token in front. */
bool rill__media_parse(rill_str field, rill__media *ret_media);

typedef struct rill__param {
    rill_str name;
    rill_str value; /* between the quotes and with its backslashes, when it was quoted */
    bool quoted;
} rill__param;

/*
 * Takes the next parameter off text that begins with ";": 1; 0 at the end. White space around ";"
 * and "=" and empty parameters are passed over.
 *
 * -1 for what is no parameter. The text then begins at the next ";", so that one may go on; behind
 * a quote that is not closed there is none.
 */
int rill__param_next(rill_str *params, rill__param *ret_param);

/* Copies a parameter's value to `out`, the backslashes of a quoted one taken out, and a NUL behind
 * it. False when it does not fit in `room` bytes, NUL included. */
bool rill__param_value(const rill__param *param, char *out, size_t room, rill_str *ret_value);

/* The value of the first parameter of this name ("charset", in any case), as above; what is no
 * parameter is passed over. False when there is none or it does not fit. */
bool rill__param_find(rill_str params, const char *name, char *out, size_t room,
                      rill_str *ret_value);

#endif
