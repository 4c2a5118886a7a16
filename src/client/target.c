/* Targets: URLs with the host of the pool that they lead to. */
#include "base/alloc.h"
#include "client/client_internal.h"

/* Takes over the URL. */
static rill__target *make(rill__pool *pool, rill_url *url, const char *text)
{
    size_t size = strlen(text) + 1;
    rill__target *target = rill__alloc(sizeof *target + size);
    rill__host *host = target ? rill__conns_host(pool, url) : NULL;
    if (!host) {
        rill__fail_nomem();
        rill__free(target);
        rill_url_free(url);
        return NULL;
    }
    *target = (rill__target){ .refs = 1, .url = url, .host = host };
    memcpy(target->text, text, size);
    return target;
}

void rill__target_unref(rill__target *target)
{
    if (!target || --target->refs > 0)
        return;
    rill__host_unref(target->host);
    rill_url_free(target->url);
    rill__free(target);
}

/* ws and wss are URLs too, but not of requests. */
static int check_scheme(const rill_url *url)
{
    const char *scheme = rill_url_scheme(url);
    if (strncmp(scheme, "http", 4) == 0)
        return 0;
    return rill__fail(RILL_EURL_SCHEME, "invalid URL \"%s\": the scheme is not http or https",
                      rill_url_origin(url));
}

static rill_url *parse(const rill_session *session, const char *text, const rill_param *params)
{
    rill_auto(rill_url) url =
        session->base ? rill_url_join(session->base, text) : rill_url_parse(text);
    if (!url || check_scheme(url) < 0)
        return NULL;
    return params ? rill_url_with_query(url, params) : rill_take(url);
}

rill__target *rill__target_new(rill_session *session, const char *text, const rill_param *params)
{
    rill__target *last = session->last;
    if (last && !params && strcmp(last->text, text) == 0) {
        last->refs++;
        return last;
    }
    rill_url *url = parse(session, text, params);
    rill__target *target = url ? make(&session->pool, url, params ? "" : text) : NULL;
    if (target && !params && !session->pool.closed) {
        rill__target_unref(last);
        session->last = target;
        target->refs++;
    }
    return target;
}

rill__target *rill__target_redirect(const rill__target *from, const char *location)
{
    rill_url *url = rill_url_join(from->url, location);
    if (url && check_scheme(url) < 0) {
        rill_url_free(url);
        url = NULL;
    }
    if (url)
        return make(from->host->pool, url, "");
    if (rill_errcode() == RILL_EURL_SCHEME)
        rill__error_recode(RILL_EREDIRECT_SCHEME);
    else if (rill_errcode() == RILL_EURL)
        rill__error_recode(RILL_EREDIRECT);
    return NULL;
}
