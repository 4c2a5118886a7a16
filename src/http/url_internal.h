/* The parts of a URL, shared between its parser (url_parse.c), hosts (url_host.c) and the object.
 */
#ifndef RILL_SRC_HTTP_URL_INTERNAL_H
#define RILL_SRC_HTTP_URL_INTERNAL_H

#include "base/buf.h"
#include <rill/url.h>

typedef struct rill__url_scheme {
    rill_str name;
    int port;
    bool is_secure;
} rill__url_scheme;

typedef struct rill__url_span {
    size_t at, len;
} rill__url_span;

/* Where the parts stand in the href, which reads
 *     scheme://user:password@host:port/path?query#fragment */
typedef struct rill__url_parts {
    const rill__url_scheme *scheme;
    int port;                      /* the scheme's own when the href has none */
    rill__url_span user, password; /* empty when absent */
    rill__url_span host;           /* with the brackets of IPv6 */
    rill__url_span path;           /* begins with '/' */
    rill__url_span target;         /* path and query */
} rill__url_parts;

/* A URL that the parser can resolve references against. */
typedef struct rill__url_base {
    const char *href;
    const rill__url_parts *parts;
} rill__url_base;

/* The scheme of that name without regard to case, or NULL when it is none of ours. */
const rill__url_scheme *rill__url_scheme_find(rill_str name);

/*
 * Parses a URL, or a reference against `base` (NULL: none), and appends the normalised form to the
 * empty buffer `href`.
 *
 * Returns 0 and fills the parts, or RILL_EURL or RILL_EURL_SCHEME with the reason. When memory is
 * short or the href grows over the buffer's maximum it returns 0 and the buffer has failed.
 */
int rill__url_parse(rill__buf *href, rill_str text, const rill__url_base *base,
                    rill__url_parts *ret_parts, const char **ret_reason);

/* rill_url_parse and, with a base, rill_url_join, for a text that may hold NUL. */
rill_url *rill__url_new(rill_str text, const rill_url *base);

/* Parses the text of a host and appends its normalised form. Returns NULL or the reason why it is
 * refused; when memory is short it returns NULL and the buffer has failed. */
const char *rill__url_host_parse(rill__buf *out, rill_str text);

#endif
