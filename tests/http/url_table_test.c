/*
 * url: the tables of the web platform tests, of ada and of Go.
 *
 * Where rill chooses otherwise than a table, the row stands in the list of exceptions, with the
 * reason. A row that passes must not stand there.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "harness.h"
#include "http/idna.h"
#include "http/percent.h"
#include "http/url_internal.h"

#include <jansson.h>
#include <stdlib.h>

static const char hyphens[] = "libidn2 checks the hyphens of labels beyond ASCII, without a switch";
static const char rtl[] = "not in IDNA 2008, and bidirectional text gets no second try";
static const char deviation[] = "not in IDNA 2008, and a deviation gets no second try";
static const char unassigned[] = "a character that Unicode got after libidn2 2.3.3";
static const char scheme[] = "a scheme that is not ours";
static const char semicolon[] = "Go refuses ';', to the URL standard it is as any other character";
static const char star[] = "Go escapes '*', the form encoding of the URL standard does not";

/* The rows that we do not pass, by the output that they expect. Besides these libidn2 refuses every
 * label beyond ASCII that takes over 63 bytes, which DNS could not carry: see has_long_label(). */
static struct {
    const char *table, *row, *reason;
    bool is_needed;
} exceptions[] = {
    { "url/toascii.json", "xn--a---kp0a", hyphens, false },
    { "url/toascii.json", "xn----xhn", hyphens, false },
    { "url/IdnaTestV2.json", "a.b..xn---q----jra.e", hyphens, false },
    { "url/IdnaTestV2.json", "xn----991iq40y.", hyphens, false },
    { "url/IdnaTestV2.json", "-.xn----ptf", hyphens, false },
    { "url/IdnaTestV2.json", "xn--fc9a.xn----qmg097k469k", hyphens, false },
    { "url/IdnaTestV2.json", "xn----o9p.xn--rc9a", hyphens, false },
    { "url/IdnaTestV2.json", ".xn----938f", hyphens, false },
    { "url/IdnaTestV2.json", "xn--59e.xn----5jd", hyphens, false },
    { "url/IdnaTestV2.json", "xn--hwe.xn--zca4946pblnc", deviation, false },
    { "url/IdnaTestV2.json", "xn--ve6h.xn--jgb1694kz0b2176a", rtl, false },
    { "url/IdnaTestV2.json", "xn--pt9c.xn--0kjya", rtl, false },
    { "url/IdnaTestV2.json", "xn--ju8a625r.xn--hpb0073k", rtl, false },
    { "url/IdnaTestV2.json", "xn--3xa.xn--1-gocmu97674d.", rtl, false },
    { "url/IdnaTestV2.json", "xn--4xa.xn--1-gocmu97674d.", rtl, false },
    { "url/IdnaTestV2.json", "xn--20-9802c.xn--0w5a.xn--1-eg4e.", unassigned, false },
    { "url/IdnaTestV2.json", "xn--9-i0j5967eg3qz.ss", unassigned, false },
    { "resolveRef", "mailto:foo@example.com", scheme, false },
    { "resolveRef", "g:h", scheme, false },
    { "parseQuery", ";", semicolon, false },
    { "queryEscape", "*", star, false },
};

static bool has_long_label(const char *text)
{
    for (const char *label = strstr(text, "xn--"); label; label = strstr(label + 4, "xn--"))
        if (strcspn(label, "./") > 63)
            return true;
    return false;
}

static bool is_exception(const char *table, const char *row)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strcmp(exceptions[i].table, table) == 0 && strcmp(exceptions[i].row, row) == 0)
            return exceptions[i].is_needed = true;
    return has_long_label(row);
}

static void check_row(bool passed, const char *table, const char *row, const char *got)
{
    if (!passed && !is_exception(table, row))
        test_fail(__FILE__, __LINE__, "%s: \"%s\" gave %s", table, row, got);
}

/* Whether every exception of a table is still one. */
static void check_exceptions(const char *table)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strcmp(exceptions[i].table, table) == 0 && !exceptions[i].is_needed)
            test_fail(__FILE__, __LINE__, "%s: \"%s\" passes (%s)", table, exceptions[i].row,
                      exceptions[i].reason);
}

/* The code unit of an escape "\\uXXXX", or 0 when there is none. */
static unsigned unit_at(const char *text)
{
    unsigned unit;
    return text[0] == '\\' && text[1] == 'u' && sscanf(text + 2, "%4x", &unit) == 1 ? unit : 0;
}

/* jansson takes no lone surrogates: they become U+FFFD, as they would in a URL. */
static void replace_lone_surrogates(char *text)
{
    while ((text = strchr(text, '\\'))) {
        unsigned unit = unit_at(text);
        if (unit >= 0xd800 && unit < 0xdc00 && (unit_at(text + 6) & 0xfc00) == 0xdc00)
            text += 12;
        else if ((unit & 0xf800) == 0xd800)
            memcpy(text, "\\ufffd", 6);
        else
            text += 2;
    }
}

/* Loads a table to be released, or skips the test and returns NULL. */
static json_t *load(const char *name)
{
    const char *dir = test_data_dir();
    size_t len;
    char *text = dir ? test_read_file(dir, name, &len) : NULL;
    if (!text) {
        test_skip("the tables are absent");
        return NULL;
    }
    replace_lone_surrogates(text);
    json_error_t error;
    json_t *table = json_loadb(text, len, JSON_ALLOW_NUL, &error);
    free(text);
    if (!table)
        test_fail(__FILE__, __LINE__, "%s:%d: %s", name, error.line, error.text);
    return table;
}

static rill_str field(json_t *row, const char *name)
{
    json_t *value = json_object_get(row, name);
    if (!json_is_string(value))
        return (rill_str){ NULL, 0 };
    return (rill_str){ json_string_value(value), json_string_length(value) };
}

/* Compares a part with a field of the row, when it has one: prefix and text together. */
static bool part_is(json_t *row, const char *name, const char *prefix, const char *text)
{
    rill_str expected = field(row, name);
    char *actual = NULL;
    if (!expected.ptr)
        return true;
    if (asprintf(&actual, "%s%s", text[0] ? prefix : "", text) < 0)
        return false;
    bool equal = rill_str_eq(rill_str_of(actual), expected);
    free(actual);
    return equal;
}

static bool ports_agree(json_t *row, const rill_url *url)
{
    rill_str expected = field(row, "port");
    if (!expected.ptr)
        return true;
    int own = rill_url_is_secure(url) ? 443 : 80;
    return rill_url_port(url) == (expected.len > 0 ? atoi(expected.ptr) : own);
}

static bool parts_agree(json_t *row, const rill_url *url)
{
    char protocol[8];
    snprintf(protocol, sizeof protocol, "%s:", rill_url_scheme(url));
    return part_is(row, "href", "", rill_url_href(url)) && part_is(row, "protocol", "", protocol) &&
           part_is(row, "username", "", rill_url_user(url)) &&
           part_is(row, "password", "", rill_url_password(url)) &&
           part_is(row, "hostname", "", rill_url_host(url)) &&
           part_is(row, "host", "", strstr(rill_url_origin(url), "//") + 2) &&
           part_is(row, "pathname", "", rill_url_path(url)) &&
           part_is(row, "search", "?", rill_url_query(url)) &&
           part_is(row, "hash", "#", rill_url_fragment(url)) &&
           part_is(row, "origin", "", rill_url_origin(url)) && ports_agree(row, url);
}

static bool has_scheme_of_ours(rill_str text)
{
    const char *colon = text.ptr ? memchr(text.ptr, ':', text.len) : NULL;
    return colon && rill__url_scheme_find((rill_str){ text.ptr, (size_t)(colon - text.ptr) });
}

/* One row of a table like urltestdata.json. False when it is not about us. */
static bool run_row(const char *table, json_t *row)
{
    rill_str input = field(row, "input"), base_text = field(row, "base"), href = field(row, "href");
    bool must_fail = json_is_true(json_object_get(row, "failure"));
    rill_auto(rill_url) base = base_text.ptr ? rill_url_parse(base_text.ptr) : NULL;
    if (base_text.ptr && !base && !has_scheme_of_ours(input))
        return false;
    rill_auto(rill_url) url = rill__url_new(input, base);
    const rill_error *error = rill_last_error();
    bool passed;
    if (url)
        passed = !must_fail && parts_agree(row, url);
    else if (error->code == RILL_EURL_SCHEME)
        passed = must_fail || !has_scheme_of_ours(href);
    else
        passed = must_fail && error->code == RILL_EURL;
    bool base_is_bad = base_text.ptr && !base && has_scheme_of_ours(base_text);
    check_row(passed || (base_is_bad && must_fail), table, href.ptr ? href.ptr : input.ptr,
              url ? rill_url_href(url) : error->message);
    return url || error->code == RILL_EURL;
}

static size_t run_table(const char *table)
{
    json_t *rows = load(table);
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row) if (json_is_object(row)) count += run_row(table, row);
    json_decref(rows);
    return count;
}

TEST(urltestdata)
{
    size_t count = run_table("url/urltestdata.json");
    CHECK(count == 0 || count > 400);
    run_table("url/ada_extra_urltestdata.json");
    run_table("url/ada_long_urltestdata.json");
}

/* Domain to ASCII as a URL has it. */
static void run_domains(const char *table)
{
    json_t *rows = load(table);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        rill_str input = field(row, "input"), output = field(row, "output");
        if (!json_is_object(row) || (output.ptr && output.len == 0))
            continue; /* a comment, or an empty host */
        rill__buf text = rill__buf_make(RILL_URL_MAX);
        rill__buf_puts(&text, "http://");
        rill__buf_append(&text, input.ptr, input.len);
        rill_auto(rill_url) url = rill__url_new(rill__buf_str(&text), NULL);
        rill__buf_free(&text);
        bool passed = url ? output.ptr && strcmp(rill_url_host(url), output.ptr) == 0 : !output.ptr;
        check_row(passed, table, output.ptr ? output.ptr : input.ptr,
                  url ? rill_url_host(url) : rill_last_error()->message);
    }
    if (rows)
        check_exceptions(table);
    json_decref(rows);
}

TEST(domains_to_ascii)
{
    run_domains("url/toascii.json");
    run_domains("url/IdnaTestV2.json");
    run_domains("url/IdnaTestV2-removed.json");
}

/* A list of go-url.json; go_url is released by the caller. */
static json_t *load_go(const char *name, json_t **ret_go_url)
{
    *ret_go_url = load("go-url.json");
    return json_object_get(*ret_go_url, name);
}

TEST(go_resolves_references)
{
    json_t *go_url, *row, *rows = load_go("resolveRef", &go_url);
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *expected = field(row, "expected").ptr;
        rill_auto(rill_url) base = rill_url_parse(field(row, "base").ptr);
        rill_auto(rill_url) url = base ? rill_url_join(base, field(row, "rel").ptr) : NULL;
        /* Go keeps a path empty, which we write as a slash. */
        rill_auto(rill_url) want = rill_url_parse(expected);
        check_row(url && want && strcmp(rill_url_href(url), rill_url_href(want)) == 0, "resolveRef",
                  expected, url ? rill_url_href(url) : rill_last_error()->message);
    }
    if (go_url)
        check_exceptions("resolveRef");
    json_decref(go_url);
}

/* Whether the pairs are those that Go has as a list of values a name. */
static bool pairs_agree(const rill__query *query, json_t *expected)
{
    size_t total = 0;
    const char *name;
    json_t *values;
    json_object_foreach(expected, name, values) total += json_array_size(values);
    if (total != query->count)
        return false;
    for (size_t i = 0; i < query->count; i++) {
        size_t nth = 0;
        for (size_t before = 0; before < i; before++)
            nth += rill_str_eq(query->pairs[before].name, query->pairs[i].name);
        json_t *value = json_array_get(json_object_get(expected, query->pairs[i].name.ptr), nth);
        if (!value || strcmp(json_string_value(value), query->pairs[i].value.ptr) != 0)
            return false;
    }
    return true;
}

TEST(go_parses_queries)
{
    json_t *go_url, *row, *rows = load_go("parseQuery", &go_url);
    size_t i;
    json_array_foreach(rows, i, row)
    {
        rill__arena arena = { 0 };
        rill__query query;
        rill_str text = field(row, "query");
        int rc = rill__query_parse(&arena, text, 10, &query);
        if (json_is_true(json_object_get(row, "ok")))
            check_row(rc == 0 && pairs_agree(&query, json_object_get(row, "out")), "parseQuery",
                      text.ptr, "other pairs");
        else
            check_row(rc < 0, "parseQuery", strchr(text.ptr, ';') ? ";" : text.ptr, "no error");
        rill__arena_free(&arena);
    }
    if (go_url)
        check_exceptions("parseQuery");
    json_decref(go_url);
}

TEST(go_escapes_and_unescapes)
{
    json_t *go_url, *row, *rows = load_go("queryEscape", &go_url);
    size_t i;
    json_array_foreach(rows, i, row)
    {
        rill__buf out = rill__buf_make(1000);
        rill_str in = field(row, "in");
        rill__form_encode(&out, in);
        check_row(rill_str_eq(rill__buf_str(&out), field(row, "out")), "queryEscape",
                  strchr(in.ptr, '*') ? "*" : in.ptr, rill__buf_str(&out).ptr);
        rill__buf_free(&out);
    }
    rows = json_object_get(go_url, "unescape");
    json_array_foreach(rows, i, row)
    {
        rill_str in = field(row, "in");
        char out[100];
        size_t len = rill__form_decode(out, in);
        /* What Go refuses is a broken escape; the URL standard keeps its '%' as text. */
        bool passed = json_is_null(json_object_get(row, "err"))
                          ? rill_str_eq((rill_str){ out, len }, field(row, "out"))
                          : memchr(out, '%', len) != NULL;
        check_row(passed, "unescape", in.ptr, "something else");
    }
    if (go_url)
        check_exceptions("queryEscape");
    json_decref(go_url);
}

TEST(percent_encoding)
{
    json_t *rows = load("url/percent-encoding.json"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        rill_str output = field(json_object_get(row, "output"), "utf-8");
        if (!output.ptr)
            continue;
        char text[100];
        const char *input = field(row, "input").ptr;
        snprintf(text, sizeof text, "http://host/?%s#%s", input, input);
        rill_auto(rill_url) url = rill_url_parse(text);
        REQUIRE(url);
        CHECK_STR(rill_url_query(url), output.ptr);
        CHECK_STR(rill_url_fragment(url), output.ptr);
    }
    json_decref(rows);
}
