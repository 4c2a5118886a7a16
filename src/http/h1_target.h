/* Request targets and hosts (RFC 9112 3.2, RFC 9110 4.2, 7.2): what the head parser asks of them.
 */
#ifndef RILL_SRC_HTTP_H1_TARGET_H
#define RILL_SRC_HTTP_H1_TARGET_H

#include "http/h1.h"

enum rill__h1_form {
    RILL__H1_ORIGIN,    /* "/path?query" */
    RILL__H1_ABSOLUTE,  /* "http://host/path" */
    RILL__H1_AUTHORITY, /* "host:port", for CONNECT */
    RILL__H1_ASTERISK,  /* "*", for OPTIONS */
};

/* Whether the text is a host (name, IPv4, [IPv6]) with an optional port. */
bool rill__h1_is_host(rill_str text);

/* Checks a target, which is visible ASCII, and says which form it has and what its authority is
 * (empty unless absolute or authority form). */
enum rill__h1_reason rill__h1_check_target(rill_str target, enum rill__h1_method method,
                                           enum rill__h1_form *ret_form, rill_str *ret_authority);

/* Whether Host names the same host and port as the authority of this absolute-form target. */
bool rill__h1_same_host(rill_str target, rill_str authority, rill_str host);

#endif
