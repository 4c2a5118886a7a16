/*
 * Fuzzes URLs. The input is a reference, or a base and a reference with a NUL between.
 *
 * What must hold: an href parses again to the same href; nothing that could split a request line
 * or a header is in it; a join gives what its href parses to.
 */
#include "base/alloc.h"
#include "http/percent.h"
#include "http/url_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_printable(const char *text)
{
    for (; *text; text++)
        require(*text > ' ' && *text < 0x7f);
}

static void check_parts(const rill_url *url)
{
    check_printable(rill_url_href(url));
    check_printable(rill_url_target(url));
    require(rill_url_path(url)[0] == '/');
    require(rill_url_target(url)[0] == '/');
    require(rill_url_hostname(url)[0] != '\0');
    require(rill_url_port(url) >= 0 && rill_url_port(url) <= 65535);
    require(strncmp(rill_url_target(url), rill_url_path(url), strlen(rill_url_path(url))) == 0);
    require(rill_url_user_decoded(url).len <= strlen(rill_url_user(url)));
    require(rill_url_password_decoded(url).len <= strlen(rill_url_password(url)));
}

static void check_again(const rill_url *url)
{
    rill_auto(rill_url) again = rill_url_parse(rill_url_href(url));
    require(again && strcmp(rill_url_href(again), rill_url_href(url)) == 0);
    require(rill_url_same_origin(url, again));
    require(strcmp(rill_url_target(url), rill_url_target(again)) == 0);
}

static void check_query(const rill_url *url)
{
    rill__arena arena = { 0 };
    rill__query query;
    require(rill__query_parse(&arena, rill_str_of(rill_url_query(url)), SIZE_MAX, &query) == 0);
    rill_param params[] = { { query.count ? query.pairs[0].name.ptr : "n", rill_url_path(url) },
                            { NULL, NULL } };
    rill_auto(rill_url) with = rill_url_with_query(url, params);
    if (with)
        check_parts(with);
    rill__arena_free(&arena);
}

static rill_url *check(rill_str text, const rill_url *base)
{
    rill_url *url = rill__url_new(text, base);
    if (!url)
        return NULL;
    check_parts(url);
    check_again(url);
    check_query(url);
    return url;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rill_str input = { (const char *)data, size };
    rill_auto(rill_url) whole = check(input, NULL);
    const char *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    if (!nul)
        return 0;
    size_t base_len = (size_t)(nul - input.ptr);
    rill_auto(rill_url) base = check((rill_str){ input.ptr, base_len }, NULL);
    if (!base)
        return 0;
    rill_auto(rill_url) joined = check((rill_str){ nul + 1, size - base_len - 1 }, base);
    return 0;
}
