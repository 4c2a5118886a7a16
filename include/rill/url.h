/*
 * URLs: parsed and normalised as browsers do it (the WHATWG URL standard), for http, https, ws,
 * wss.
 *
 *     rill_auto(rill_url) url = rill_url_parse("HTTPS://user:pw@EXAMPLE.com:443/a/../b?q=1#top");
 *     rill_url_href(url);      "https://user:pw@example.com/b?q=1#top"
 *     rill_url_hostname(url);  "example.com"
 *     rill_url_port(url);      443
 *     rill_url_target(url);    "/b?q=1", what goes on the request line
 *
 *     rill_auto(rill_url) next = rill_url_join(url, "../c");
 *     rill_auto(rill_url) found = rill_url_with_query(next, RILL_PARAMS({ "q", "a & b" }));
 *
 * A URL never changes once it is made. Percent escapes in the input are kept verbatim ("%7e" stays
 * "%7e"), so signed URLs survive; what may not stand bare is escaped as UTF-8, and bytes that are
 * no UTF-8 are escaped as they are. Host names go through IDNA (UTS #46, non-transitional), IPv4
 * and IPv6 addresses are brought to their usual form. Nothing here waits.
 */
#ifndef RILL_URL_H
#define RILL_URL_H

#include <rill/base.h>

RILL_BEGIN_DECLS

/* The longest URL in bytes, as given and as normalised. */
#define RILL_URL_MAX 65536

typedef struct rill_url rill_url;

/* One parameter of a query. A list ends with { NULL, NULL }; a NULL value means an empty one. */
typedef struct rill_param {
    const char *name;
    const char *value;
} rill_param;

/* A list of parameters, ended: RILL_PARAMS({ "q", "cats" }, { "page", "2" }). It lives as long as
 * the block that it stands in. */
#define RILL_PARAMS(...) ((const rill_param[]){ __VA_ARGS__, { NULL, NULL } })

/*
 * Parses an absolute URL. Spaces and control characters around it, and tabs and line ends within,
 * are dropped. A text without a scheme is refused.
 *
 * Returns a new URL that the caller frees, or NULL:
 *   RILL_EURL          it is not valid; the message says what and where
 *   RILL_EURL_SCHEME   the scheme is none of http, https, ws, wss
 *   RILL_ENOMEM
 */
RILL_API RILL_CHECKED rill_url *rill_url_parse(const char *text);

/*
 * Resolves a reference, relative or absolute, against a URL: what a link or a Location header means
 * on the page `base`. The result takes the fragment of the reference, never that of the base; the
 * user and password of the base are kept when the reference names no host. Errors as above.
 */
RILL_API RILL_CHECKED rill_url *rill_url_join(const rill_url *base, const char *reference);

/*
 * The same URL with parameters put behind its query, in their order, encoded as
 * application/x-www-form-urlencoded. `params` may be NULL: a plain copy. Errors as above.
 */
RILL_API RILL_CHECKED rill_url *rill_url_with_query(const rill_url *url, const rill_param *params);

/* Frees the URL and all that its getters returned. NULL is allowed. */
RILL_API void rill_url_free(rill_url *url);

RILL_DEFINE_AUTO(rill_url)

/* The whole URL, normalised, with user, password and fragment. Every text that a getter returns is
 * NUL-terminated, never NULL, and lives as long as the URL. */
RILL_API const char *rill_url_href(const rill_url *url);

/* "https": lower case, without the colon. */
RILL_API const char *rill_url_scheme(const rill_url *url);

/* User and password, "" without one, escaped as in the href. */
RILL_API const char *rill_url_user(const rill_url *url);
RILL_API const char *rill_url_password(const rill_url *url);

/* The same with the escapes resolved, as an Authorization header needs it. They may hold any byte,
 * NUL too. */
RILL_API rill_str rill_url_user_decoded(const rill_url *url);
RILL_API rill_str rill_url_password_decoded(const rill_url *url);

/* The host as it stands in the href: "example.com", "xn--fa-hia.de", "127.0.0.1", "[::1]". */
RILL_API const char *rill_url_host(const rill_url *url);

/* The host to connect to: like rill_url_host, but "::1" without brackets. */
RILL_API const char *rill_url_hostname(const rill_url *url);

/* The port, 0 to 65535: the explicit one, or the scheme's own (80, 443). */
RILL_API int rill_url_port(const rill_url *url);

/* "/a/b": always begins with a slash; escaped. */
RILL_API const char *rill_url_path(const rill_url *url);

/* "a=1&b=2": without the question mark, "" without a query; escaped. */
RILL_API const char *rill_url_query(const rill_url *url);

/* "top": without the hash, "" without a fragment; escaped. */
RILL_API const char *rill_url_fragment(const rill_url *url);

/* "/a/b?a=1&b=2": path and query, the target of a request (RFC 9112 section 3.2.1). */
RILL_API const char *rill_url_target(const rill_url *url);

/* "https://example.com:8443": scheme, host, and the port where it is not the scheme's own. */
RILL_API const char *rill_url_origin(const rill_url *url);

/* Whether the scheme is https or wss. */
RILL_API bool rill_url_is_secure(const rill_url *url);

/* Whether scheme, host and port are equal. */
RILL_API bool rill_url_same_origin(const rill_url *a, const rill_url *b);

RILL_END_DECLS

#endif
