/* Error codes to the names of their classes. */
#include "classes.h"

/* The first row whose code is the error's or stands above it wins: children before parents. */
static const struct {
    int code;
    const char *name;
} classes[] = {
    { RILL_ECANCELED, "cancelled" },
    { RILL_EREDIRECT, "redirect_invalid" },
    { RILL_EURL_SCHEME, "url_scheme" },
    { RILL_EURL, "url_invalid" },
    { RILL_EDNS_NOTFOUND, "dns_nxdomain" },
    { RILL_EDNS_TIMEOUT, "dns_timeout" },
    { RILL_EDNS, "dns_fail" },
    { RILL_EREFUSED, "connect_refused" },
    { RILL_EUNREACHABLE, "connect_unreach" },
    { RILL_EUNIX, "connect_unix" },
    { RILL_ECERTIFICATE_EXPIRED, "tls_expired" },
    { RILL_ECERTIFICATE_HOST, "tls_host" },
    { RILL_ECERTIFICATE, "tls_untrusted" },
    { RILL_ETLS, "tls_other" },
    { RILL_ECONNECT, "connect_fail" },
    { RILL_ECONNECT_TIMEOUT, "connect_timeout" },
    { RILL_EREAD_TIMEOUT, "timeout_read" },
    { RILL_ETOTAL_TIMEOUT, "timeout_total" },
    { RILL_ETIMEDOUT, "timeout_total" },
    { RILL_EDISCONNECTED, "disconnected" },
    { RILL_ERESET, "read_reset" },
    { RILL_ECONNECTION, "connection" },
    { RILL_EBODY_LIMIT, "body_limit" },
    { RILL_ETRUNCATED, "body_truncated" },
    { RILL_EPAYLOAD, "body_broken" },
    { RILL_EREDIRECTS, "redirect_loop" },
    { RILL_EPROTOCOL, "protocol" },
    { RILL_ERESPONSE, "response" },
    { RILL_EOS, "io" },
};

const char *status_class(int status)
{
    return status >= 500 ? "http_5xx" : status >= 400 ? "http_4xx" : "";
}

const char *error_class(const rill_error *error)
{
    if (rill_error_is(error, RILL_ESTATUS))
        return error->status >= 400 ? status_class(error->status) : "http_status";
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (rill_error_is(error, classes[i].code))
            return classes[i].name;
    return "internal";
}
