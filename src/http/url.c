/* URL objects: one block of memory each, holding the href and a copy of every part. */
#include <rill/url.h>

#include "base/alloc.h"
#include "base/fail.h"
#include "http/percent.h"
#include "http/url_internal.h"

/* How much of a refused URL a message shows. */
#define SHOWN_MAX 120

struct rill_url {
    rill__url_parts parts;
    const char *href; /* this and the others point into text */
    const char *user, *password;
    rill_str user_decoded, password_decoded;
    const char *host, *hostname;
    const char *path, *query, *fragment, *target;
    const char *origin;
    char text[];
};

/* Masks the password of "scheme://user:password@host", however little of it is a URL. Where the
 * text was cut, what could be one is masked too. */
static void mask_password(char *text, bool cut)
{
    char *authority = strstr(text, "//");
    authority = authority ? authority + 2 : text;
    char *colon = strchr(authority, ':');
    size_t len = strcspn(authority, "/?#\\");
    if (!colon || colon >= authority + len)
        return;
    char *at = memrchr(colon, '@', (size_t)(authority + len - colon));
    if (!at && cut && !authority[len])
        at = authority + len;
    if (at)
        memset(colon + 1, '*', (size_t)(at - colon - 1));
}

/* Fails with the URL and the reason; a long URL is cut, its control characters and its password are
 * masked. */
static int refuse(int code, rill_str text, const char *reason)
{
    char shown[SHOWN_MAX + 1];
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        shown[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    shown[len] = '\0';
    mask_password(shown, len < text.len);
    return rill__fail(code, "invalid URL \"%s%s\": %s", shown, len < text.len ? "..." : "", reason);
}

/* Copies a text to `at` with a NUL behind it, and moves `at` on. */
static const char *put(char **at, const char *text, size_t len)
{
    char *copy = *at;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

static const char *put_span(char **at, const char *href, rill__url_span span)
{
    return put(at, href + span.at, span.len);
}

static rill_str put_decoded(char **at, const char *href, rill__url_span span)
{
    rill_str text = { *at, rill__percent_decode(*at, (rill_str){ href + span.at, span.len }) };
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return text;
}

/* "https://example.com:8443" out of the href, which may have a user between. */
static const char *put_origin(char **at, const char *href, const rill__url_parts *parts)
{
    char *origin = *at;
    size_t scheme_len = parts->scheme->name.len + strlen("://");
    memcpy(origin, href, scheme_len);
    *at += scheme_len;
    put(at, href + parts->host.at, parts->path.at - parts->host.at);
    return origin;
}

/* The bytes that fill_texts writes at most. */
static size_t texts_size(size_t href_len, const rill__url_parts *parts)
{
    size_t nuls = 10;
    return nuls + href_len + 2 * parts->user.len + 2 * parts->password.len + 2 * parts->host.len +
           parts->path.len + parts->target.len + parts->path.at;
}

static void fill_texts(rill_url *url, rill_str href)
{
    const rill__url_parts *parts = &url->parts;
    char *at = url->text;
    url->href = put(&at, href.ptr, href.len);
    url->user = put_span(&at, href.ptr, parts->user);
    url->user_decoded = put_decoded(&at, href.ptr, parts->user);
    url->password = put_span(&at, href.ptr, parts->password);
    url->password_decoded = put_decoded(&at, href.ptr, parts->password);
    url->host = put_span(&at, href.ptr, parts->host);
    url->hostname = url->host;
    if (url->host[0] == '[')
        url->hostname = put(&at, url->host + 1, parts->host.len - 2);
    url->path = put_span(&at, href.ptr, parts->path);
    url->target = put_span(&at, href.ptr, parts->target);
    url->origin = put_origin(&at, href.ptr, parts);
    /* Query and fragment end where another text does: they need no copy. */
    bool has_query = parts->target.len > parts->path.len;
    url->query = url->target + parts->path.len + has_query;
    size_t target_end = parts->target.at + parts->target.len;
    url->fragment = url->href + target_end + (target_end < href.len);
}

static rill_url *make(rill_str href, const rill__url_parts *parts)
{
    rill_url *url = rill__alloc(sizeof *url + texts_size(href.len, parts));
    if (!url) {
        rill__fail_nomem();
        return NULL;
    }
    url->parts = *parts;
    fill_texts(url, href);
    return url;
}

rill_url *rill__url_new(rill_str text, const rill_url *base)
{
    static const char too_long[] = "it is longer than 65536 bytes";
    _Static_assert(RILL_URL_MAX == 65536, "the message names the limit");
    if (text.len > RILL_URL_MAX) {
        refuse(RILL_EURL, text, too_long);
        return NULL;
    }
    rill_url *url = NULL;
    rill__url_parts parts;
    const char *reason;
    rill__buf href = rill__buf_make(RILL_URL_MAX);
    rill__url_base against = { base ? base->href : NULL, base ? &base->parts : NULL };
    int rc = rill__url_parse(&href, text, base ? &against : NULL, &parts, &reason);
    if (rc < 0)
        refuse(rc, text, reason);
    else if (href.too_long)
        refuse(RILL_EURL, text, too_long);
    else if (href.failed)
        rill__fail_nomem();
    else
        url = make(rill__buf_str(&href), &parts);
    rill__buf_free(&href);
    return url;
}

rill_url *rill_url_parse(const char *text)
{
    return rill__url_new(rill_str_of(text), NULL);
}

rill_url *rill_url_join(const rill_url *base, const char *reference)
{
    return rill__url_new(rill_str_of(reference), base);
}

rill_url *rill_url_with_query(const rill_url *url, const rill_param *params)
{
    static const rill_param none[] = { { NULL, NULL } };
    rill__buf text = rill__buf_make(RILL_URL_MAX);
    size_t target_end = url->parts.target.at + url->parts.target.len;
    rill__buf_append(&text, url->href, target_end);
    bool has_query = url->parts.target.len > url->parts.path.len;
    const char *separator = !has_query ? "?" : url->query[0] != '\0' ? "&" : "";
    for (const rill_param *param = params ? params : none; param->name; param++) {
        rill__buf_puts(&text, separator);
        rill__form_encode(&text, rill_str_of(param->name));
        rill__buf_putc(&text, '=');
        rill__form_encode(&text, rill_str_of(param->value));
        separator = "&";
    }
    rill__buf_puts(&text, url->href + target_end);

    rill_url *result = NULL;
    if (text.too_long)
        refuse(RILL_EURL, rill_str_of(url->href), "with the query it is longer than 65536 bytes");
    else if (text.failed)
        rill__fail_nomem();
    else
        result = rill__url_new(rill__buf_str(&text), NULL);
    rill__buf_free(&text);
    return result;
}

void rill_url_free(rill_url *url)
{
    rill__free(url);
}

const char *rill_url_href(const rill_url *url)
{
    return url->href;
}

const char *rill_url_scheme(const rill_url *url)
{
    return url->parts.scheme->name.ptr;
}

const char *rill_url_user(const rill_url *url)
{
    return url->user;
}

const char *rill_url_password(const rill_url *url)
{
    return url->password;
}

rill_str rill_url_user_decoded(const rill_url *url)
{
    return url->user_decoded;
}

rill_str rill_url_password_decoded(const rill_url *url)
{
    return url->password_decoded;
}

const char *rill_url_host(const rill_url *url)
{
    return url->host;
}

const char *rill_url_hostname(const rill_url *url)
{
    return url->hostname;
}

int rill_url_port(const rill_url *url)
{
    return url->parts.port;
}

const char *rill_url_path(const rill_url *url)
{
    return url->path;
}

const char *rill_url_query(const rill_url *url)
{
    return url->query;
}

const char *rill_url_fragment(const rill_url *url)
{
    return url->fragment;
}

const char *rill_url_target(const rill_url *url)
{
    return url->target;
}

const char *rill_url_origin(const rill_url *url)
{
    return url->origin;
}

bool rill_url_is_secure(const rill_url *url)
{
    return url->parts.scheme->is_secure;
}

bool rill_url_same_origin(const rill_url *a, const rill_url *b)
{
    return strcmp(a->origin, b->origin) == 0;
}
