/* Every way that a fetch can fail has a class with a name of its own. */
#include "cli/classes.h"

#include "harness.h"

static const char *class_of(int code, int status)
{
    return error_class(&(rill_error){ .code = code, .status = status });
}

static const struct {
    int code;
    const char *class;
} rows[] = {
    { RILL_ECANCELED, "cancelled" },
    { RILL_ETIMEDOUT, "timeout_total" },
    { RILL_EOS, "io" },
    { RILL_ECONNECTION, "connection" },
    { RILL_ESOCKET, "connection" },
    { RILL_ERESET, "read_reset" },
    { RILL_ECONNECT, "connect_fail" },
    { RILL_EREFUSED, "connect_refused" },
    { RILL_EUNREACHABLE, "connect_unreach" },
    { RILL_EUNIX, "connect_unix" },
    { RILL_EDNS, "dns_fail" },
    { RILL_EDNS_NOTFOUND, "dns_nxdomain" },
    { RILL_EDNS_TIMEOUT, "dns_timeout" },
    { RILL_ETLS, "tls_other" },
    { RILL_ECERTIFICATE, "tls_untrusted" },
    { RILL_ECERTIFICATE_HOST, "tls_host" },
    { RILL_ECERTIFICATE_EXPIRED, "tls_expired" },
    { RILL_ESERVER, "connection" },
    { RILL_EDISCONNECTED, "disconnected" },
    { RILL_ESERVER_TIMEOUT, "timeout_total" },
    { RILL_ECONNECT_TIMEOUT, "connect_timeout" },
    { RILL_ESOCK_CONNECT_TIMEOUT, "connect_timeout" },
    { RILL_EREAD_TIMEOUT, "timeout_read" },
    { RILL_ETOTAL_TIMEOUT, "timeout_total" },
    { RILL_EPAYLOAD, "body_broken" },
    { RILL_ETRUNCATED, "body_truncated" },
    { RILL_ECHUNK, "body_broken" },
    { RILL_ECODING, "body_broken" },
    { RILL_EBODY_LIMIT, "body_limit" },
    { RILL_ERESPONSE, "response" },
    { RILL_EPROTOCOL, "protocol" },
    { RILL_ECONTENT_TYPE, "response" },
    { RILL_EREDIRECTS, "redirect_loop" },
    { RILL_EURL, "url_invalid" },
    { RILL_EURL_SCHEME, "url_scheme" },
    { RILL_EREDIRECT, "redirect_invalid" },
    { RILL_EREDIRECT_SCHEME, "redirect_invalid" },
};

TEST(each_code_has_its_class)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *class = class_of(rows[i].code, 0);
        if (strcmp(class, rows[i].class) != 0)
            test_fail(__FILE__, __LINE__, "%s is %s, not %s", rill_code_name(rows[i].code), class,
                      rows[i].class);
    }
}

TEST(nothing_below_the_client_is_internal)
{
#define CHECK_ROW(name, value, parent, second, meaning)                                            \
    if (rill_code_is(name, RILL_ECLIENT) && (name) != RILL_ECLIENT && (name) != RILL_ESTATUS &&    \
        strcmp(class_of(name, 0), "internal") == 0)                                                \
        test_fail(__FILE__, __LINE__, "%s has no class", #name);
    RILL_ERROR_TABLE(CHECK_ROW)
#undef CHECK_ROW
}

TEST(statuses)
{
    CHECK_STR(class_of(RILL_ESTATUS, 404), "http_4xx");
    CHECK_STR(class_of(RILL_ESTATUS, 599), "http_5xx");
    CHECK_STR(class_of(RILL_ESTATUS, 0), "http_status");
    CHECK_STR(status_class(399), "");
    CHECK_STR(status_class(400), "http_4xx");
    CHECK_STR(status_class(500), "http_5xx");
}

TEST(what_is_not_known_is_internal)
{
    CHECK_STR(class_of(RILL_ENOMEM, 0), "internal");
    CHECK_STR(class_of(-1, 0), "internal");
}
