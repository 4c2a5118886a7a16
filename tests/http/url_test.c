/* url: parts, references, queries, hosts, limits, and what is said of a URL that is refused. */
#include "base/alloc.h"
#include "base/fail.h"
#include "harness.h"
#include "http/percent.h"
#include "http/url_internal.h"

#include <stdlib.h>

TEST(a_url_has_parts)
{
    rill_auto(rill_url) url =
        rill_url_parse(" HTTPS://us%65r:p%40%00w@EXAMPLE.com:8443/a/../b;c?q=1&r='2'#t o\tp ");
    REQUIRE(url);
    CHECK_STR(rill_url_href(url),
              "https://us%65r:p%40%00w@example.com:8443/b;c?q=1&r=%272%27#t%20op");
    CHECK_STR(rill_url_scheme(url), "https");
    CHECK_STR(rill_url_user(url), "us%65r");
    CHECK_STR(rill_url_password(url), "p%40%00w");
    CHECK(rill_str_eq(rill_url_user_decoded(url), RILL_STR("user")));
    CHECK(rill_str_eq(rill_url_password_decoded(url), RILL_STR("p@\0w")));
    CHECK_STR(rill_url_host(url), "example.com");
    CHECK_STR(rill_url_hostname(url), "example.com");
    CHECK_INT(rill_url_port(url), 8443);
    CHECK_STR(rill_url_path(url), "/b;c");
    CHECK_STR(rill_url_query(url), "q=1&r=%272%27");
    CHECK_STR(rill_url_fragment(url), "t%20op");
    CHECK_STR(rill_url_target(url), "/b;c?q=1&r=%272%27");
    CHECK_STR(rill_url_origin(url), "https://example.com:8443");
    CHECK(rill_url_is_secure(url));
}

TEST(a_short_url_has_empty_parts)
{
    rill_auto(rill_url) url = rill_url_parse("ws://h");
    REQUIRE(url);
    CHECK_STR(rill_url_href(url), "ws://h/");
    CHECK_STR(rill_url_user(url), "");
    CHECK_STR(rill_url_password(url), "");
    CHECK_INT(rill_url_user_decoded(url).len, 0);
    CHECK_INT(rill_url_port(url), 80);
    CHECK_STR(rill_url_path(url), "/");
    CHECK_STR(rill_url_query(url), "");
    CHECK_STR(rill_url_fragment(url), "");
    CHECK_STR(rill_url_target(url), "/");
    CHECK_STR(rill_url_origin(url), "ws://h");
    CHECK(!rill_url_is_secure(url));
}

TEST(an_empty_query_and_fragment_are_kept)
{
    rill_auto(rill_url) url = rill_url_parse("http://h/p?#");
    REQUIRE(url);
    CHECK_STR(rill_url_href(url), "http://h/p?#");
    CHECK_STR(rill_url_target(url), "/p?");
    CHECK_STR(rill_url_query(url), "");
    CHECK_STR(rill_url_fragment(url), "");
}

static void check_port(const char *text, int port, const char *origin)
{
    rill_auto(rill_url) url = rill_url_parse(text);
    REQUIRE(url);
    CHECK_INT(rill_url_port(url), port);
    CHECK_STR(rill_url_origin(url), origin);
}

TEST(the_port_of_the_scheme_goes_without_saying)
{
    check_port("http://h:80/", 80, "http://h");
    check_port("https://h:443/", 443, "https://h");
    check_port("wss://h:00443/", 443, "wss://h");
    check_port("https://h:80/", 80, "https://h:80");
    check_port("http://h:/", 80, "http://h");
    check_port("http://h:0/", 0, "http://h:0");
    check_port("http://h:65535/", 65535, "http://h:65535");
}

/* The host of http://TEXT/, or NULL when it is refused. The text is valid until the next call. */
static const char *host_of(const char *text)
{
    static char host[300];
    char href[300];
    snprintf(href, sizeof href, "http://%s/", text);
    rill_auto(rill_url) url = rill_url_parse(href);
    if (!url)
        return NULL;
    snprintf(host, sizeof host, "%s", rill_url_host(url));
    return host;
}

TEST(hosts_are_normalised)
{
    static const struct {
        const char *text, *host;
    } cases[] = {
        { "faß.de", "xn--fa-hia.de" },
        { "FAẞ。DE", "xn--fa-hia.de" },
        { "☕.example", "xn--53h.example" },
        { "%C3%BCber.de", "xn--ber-goa.de" },
        { "xn--FA-hia.de", "xn--fa-hia.de" },
        { "a_b--c.-d-", "a_b--c.-d-" },
        { "127.1", "127.0.0.1" },
        { "0x7f.0.0.01", "127.0.0.1" },
        { "4294967295", "255.255.255.255" },
        { "1.2.3.4.", "1.2.3.4" },
        { "１２７.０.０.１", "127.0.0.1" },
        { "%31.%32.3.4", "1.2.3.4" },
        { "1.2.3.4.com", "1.2.3.4.com" },
        { "[::]", "[::]" },
        { "[1::]", "[1::]" },
        { "[::ffff:1.2.3.4]", "[::ffff:102:304]" },
        { "[2001:DB8:0:0:1:0:0:0]", "[2001:db8:0:0:1::]" },
        { "[1:0:0:2:0:0:3:4]", "[1::2:0:0:3:4]" },
        { "[1:0:2:3:4:5:6:7]", "[1:0:2:3:4:5:6:7]" },
        { "[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]" },
        { "[0:0:0:0:0:0:0:0]", "[::]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(host_of(cases[i].text), cases[i].host);
}

TEST(an_ipv6_host_has_brackets_only_in_the_url)
{
    rill_auto(rill_url) url = rill_url_parse("http://[::1]:8080/");
    REQUIRE(url);
    CHECK_STR(rill_url_host(url), "[::1]");
    CHECK_STR(rill_url_hostname(url), "::1");
    CHECK_STR(rill_url_origin(url), "http://[::1]:8080");
}

TEST(bad_hosts_are_refused)
{
    static const char *const cases[] = {
        "",
        ".%00",
        "a b",
        "a%20b",
        "a<b",
        "a^b",
        "a|b",
        "a%",
        "a%41%2fb",
        "ä%00b",
        "\xff.com",
        "a\xc0\xaf",
        "\xed\xa0\x80",
        "ä.\xf4\x90\x80\x80",
        "xn--a.ä",
        "look\u05beout.net",
        "a\u200db",
        "\u0301a",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "1.2.65536",
        "4294967296",
        "99999999999999999999",
        "1..2",
        "1.2.3.08",
        "foo.0x",
        "foo.09",
        "0x1.2.3.4x.5",
        "[",
        "[]",
        "[::1",
        "::1]",
        "[:1]",
        "[1:]",
        "[:::]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4:5:6:7:8::]",
        "[::12345]",
        "[::g]",
        "[::1%25eth0]",
        "[::1.2.3]",
        "[::1.2.3.4.5]",
        "[::1.2.3.256]",
        "[::01.2.3.4]",
        "[::1.2.3.4:5]",
        "[1:2:3:4:5:6:7:1.2.3.4]",
        "[::.1.2.3]",
        "[::1]x",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *host = host_of(cases[i]);
        if (host)
            test_fail(__FILE__, __LINE__, "\"%s\" gave %s", cases[i], host);
        CHECK_INT(rill_errcode(), RILL_EURL);
    }
}

static void check_refused(const char *text, int code, const char *message)
{
    rill_auto(rill_url) url = rill_url_parse(text);
    CHECK(!url);
    CHECK_INT(rill_errcode(), code);
    CHECK_STR(rill_last_error()->message, message);
}

TEST(a_refusal_says_what_and_where)
{
    check_refused("", RILL_EURL, "invalid URL \"\": it has no scheme, such as https://");
    check_refused(NULL, RILL_EURL, "invalid URL \"\": it has no scheme, such as https://");
    check_refused("/path", RILL_EURL, "invalid URL \"/path\": it has no scheme, such as https://");
    check_refused("example.com:80", RILL_EURL_SCHEME,
                  "invalid URL \"example.com:80\": the scheme is not http, https, ws or wss");
    check_refused("http://u:secret@h:x/p@q", RILL_EURL,
                  "invalid URL \"http://u:******@h:x/p@q\": the port is not a number");
    check_refused("u:secret@h", RILL_EURL_SCHEME,
                  "invalid URL \"u:******@h\": the scheme is not http, https, ws or wss");
    check_refused("http:///", RILL_EURL, "invalid URL \"http:///\": the host is empty");
    check_refused("http://u@/", RILL_EURL, "invalid URL \"http://u@/\": the host is empty");
    check_refused("http://:80/", RILL_EURL, "invalid URL \"http://:80/\": the host is empty");
    check_refused("http://a b/", RILL_EURL,
                  "invalid URL \"http://a b/\": the host has a character that may not stand there");
    check_refused("http://h:x/", RILL_EURL,
                  "invalid URL \"http://h:x/\": the port is not a number");
    check_refused("http://h:65536/", RILL_EURL,
                  "invalid URL \"http://h:65536/\": the port is over 65535");
    check_refused("http://1.2.3.999/", RILL_EURL,
                  "invalid URL \"http://1.2.3.999/\": the host ends in a number but is not a valid "
                  "IPv4 address");
    check_refused("http://[::1", RILL_EURL,
                  "invalid URL \"http://[::1\": the host is not a valid IPv6 address");
    check_refused(
        "http://ä\u200db/", RILL_EURL,
        "invalid URL \"http://ä\u200db/\": the host has a label that IDNA does not allow");
    check_refused("gopher\x1b\r\n://", RILL_EURL,
                  "invalid URL \"gopher???://\": it has no scheme, such as https://");
    CHECK(rill_error_is(rill_last_error(), RILL_ECLIENT));
}

TEST(a_long_url_does_not_hide_the_reason)
{
    char text[400];
    snprintf(text, sizeof text, "http://h:x/%0350d", 1);
    CHECK(!rill_url_parse(text));
    CHECK_CONTAINS(rill_last_error()->message, "000...\": the port is not a number");
}

static void check_join(const char *base_text, const char *reference, const char *href)
{
    rill_auto(rill_url) base = rill_url_parse(base_text);
    REQUIRE(base);
    rill_auto(rill_url) url = rill_url_join(base, reference);
    REQUIRE(url);
    CHECK_STR(rill_url_href(url), href);
}

TEST(references_are_resolved)
{
    static const char base[] = "https://u:p@h:8443/a/b?q#f";
    check_join(base, "", "https://u:p@h:8443/a/b?q");
    check_join(base, "#g", "https://u:p@h:8443/a/b?q#g");
    check_join(base, "?", "https://u:p@h:8443/a/b?");
    check_join(base, "?r", "https://u:p@h:8443/a/b?r");
    check_join(base, "c", "https://u:p@h:8443/a/c");
    check_join(base, "..", "https://u:p@h:8443/");
    check_join(base, "../../../%2E%2e/c/.", "https://u:p@h:8443/c/");
    check_join(base, "\\c", "https://u:p@h:8443/c");
    check_join(base, "https:c", "https://u:p@h:8443/a/c");
    check_join(base, "//other", "https://other/");
    check_join(base, "/\\other", "https://other/");
    check_join(base, "http:c", "http://c/");
    check_join(base, "ws://h/x", "ws://h/x");
}

TEST(a_reference_to_another_scheme_is_refused)
{
    rill_auto(rill_url) base = rill_url_parse("http://h/");
    REQUIRE(base);
    CHECK(!rill_url_join(base, "file:///etc/passwd"));
    CHECK_INT(rill_errcode(), RILL_EURL_SCHEME);
    CHECK(!rill_url_join(base, "javascript:alert(1)"));
    CHECK_INT(rill_errcode(), RILL_EURL_SCHEME);
}

TEST(escapes_are_kept_verbatim)
{
    rill_auto(rill_url) url =
        rill_url_parse("http://h/%7e%2F%zz%/a b\"<>`{}^?%7e+%20 \"<>'`{}#%7e `\"");
    REQUIRE(url);
    CHECK_STR(rill_url_target(url),
              "/%7e%2F%zz%/a%20b%22%3C%3E%60%7B%7D%5E?%7e+%20%20%22%3C%3E%27`{}");
    CHECK_STR(rill_url_fragment(url), "%7e%20%60%22");
}

TEST(bytes_that_are_no_utf8_are_escaped_as_they_are)
{
    rill_auto(rill_url) url = rill_url_parse("http://h/\xff\x80?\xc3\xa4");
    REQUIRE(url);
    CHECK_STR(rill_url_target(url), "/%FF%80?%C3%A4");
}

static void check_query(const char *text, const rill_param *params, const char *href)
{
    rill_auto(rill_url) url = rill_url_parse(text);
    REQUIRE(url);
    rill_auto(rill_url) with = rill_url_with_query(url, params);
    REQUIRE(with);
    CHECK_STR(rill_url_href(with), href);
}

TEST(parameters_are_appended)
{
    check_query("http://h", RILL_PARAMS({ "q", "1" }), "http://h/?q=1");
    check_query("http://h/?#f", RILL_PARAMS({ "q", "1" }), "http://h/?q=1#f");
    check_query("http://h/p?a=%20#f", RILL_PARAMS({ "q", "1" }, { "q", "2" }),
                "http://h/p?a=%20&q=1&q=2#f");
    check_query("http://h", RILL_PARAMS({ "ä b", "a&b=c+d%20'~*-._#" }, { "e", NULL }, { "", "" }),
                "http://h/?%C3%A4+b=a%26b%3Dc%2Bd%2520%27%7E*-._%23&e=&=");
    check_query("http://h/?a#f", NULL, "http://h/?a#f");
    check_query("http://h/#f", RILL_PARAMS({ NULL, NULL }), "http://h/#f");
}

TEST(origins_are_compared)
{
    rill_auto(rill_url) a = rill_url_parse("http://u@H:80/a");
    rill_auto(rill_url) b = rill_url_parse("http://h/b");
    rill_auto(rill_url) other_port = rill_url_parse("http://h:81/");
    rill_auto(rill_url) other_scheme = rill_url_parse("https://h/");
    rill_auto(rill_url) other_host = rill_url_parse("http://g/");
    REQUIRE(a && b && other_port && other_scheme && other_host);
    CHECK(rill_url_same_origin(a, b));
    CHECK(!rill_url_same_origin(a, other_port));
    CHECK(!rill_url_same_origin(a, other_scheme));
    CHECK(!rill_url_same_origin(a, other_host));
}

/* "http://h/" and as many of one character as make it `len` bytes long. */
static char *long_url(size_t len, char c)
{
    char *text = malloc(len + 1);
    size_t head = (size_t)sprintf(text, "http://h/");
    memset(text + head, c, len - head);
    text[len] = '\0';
    return text;
}

static void check_length(size_t len, char c, bool fits)
{
    char *text = long_url(len, c);
    rill_auto(rill_url) url = rill_url_parse(text);
    CHECK_INT(url != NULL, fits);
    if (url)
        CHECK_STR(rill_url_href(url), text);
    else
        CHECK_CONTAINS(rill_last_error()->message, "...\": it is longer than 65536 bytes");
    free(text);
}

TEST(the_length_is_limited)
{
    check_length(RILL_URL_MAX, 'a', true);
    check_length(RILL_URL_MAX + 1, 'a', false);
    check_length(RILL_URL_MAX / 2, '"', false); /* three times as long when it is escaped */
}

TEST(the_length_with_a_query_is_limited)
{
    char *text = long_url(RILL_URL_MAX - 4, 'a');
    rill_auto(rill_url) url = rill_url_parse(text);
    free(text);
    REQUIRE(url);
    rill_auto(rill_url) full = rill_url_with_query(url, RILL_PARAMS({ "q", "1" }));
    CHECK(full);
    CHECK(!rill_url_with_query(url, RILL_PARAMS({ "q", "12" })));
    CHECK_CONTAINS(rill_last_error()->message, "with the query it is longer than 65536 bytes");
    CHECK(!rill_url_join(full, "?q=12"));
    CHECK_CONTAINS(rill_last_error()->message, "it is longer than 65536 bytes");
}

/* Fails the 1st, 2nd, … allocation of `make` until it succeeds; returns how many failed. */
static int sweep(rill_url *(*make)(const rill_url *), const rill_url *base)
{
    for (int n = 1; n < 100; n++) {
        rill__alloc_fail_at = rill__alloc_count + (unsigned long)n;
        rill_url *url = make(base);
        bool ended = rill__alloc_count < rill__alloc_fail_at;
        rill__alloc_fail_at = 0;
        CHECK(ended == (url != NULL));
        if (url) {
            rill_url_free(url);
            return n - 1;
        }
        CHECK_INT(rill_errcode(), RILL_ENOMEM);
    }
    return -1;
}

static rill_url *make_by_parsing(const rill_url *base)
{
    (void)base;
    return rill_url_parse("http://user:password@f%C3%A4\tß.example.com:8080/a/../path?query=1#top");
}

static rill_url *make_by_joining(const rill_url *base)
{
    return rill_url_join(base, "../elsewhere?query#fragment");
}

static rill_url *make_with_query(const rill_url *base)
{
    return rill_url_with_query(base, RILL_PARAMS({ "name", "value" }));
}

TEST(every_allocation_may_fail)
{
    rill_auto(rill_url) base = rill_url_parse("http://h/a/b?query#fragment");
    REQUIRE(base);
    CHECK(sweep(make_by_parsing, base) >= 4);
    CHECK(sweep(make_by_joining, base) >= 2);
    CHECK(sweep(make_with_query, base) >= 3);
}

static void check_pair(const rill__query *query, size_t i, rill_str name, rill_str value)
{
    REQUIRE(i < query->count);
    CHECK(rill_str_eq(query->pairs[i].name, name));
    CHECK(rill_str_eq(query->pairs[i].value, value));
    CHECK_INT(query->pairs[i].name.ptr[name.len], 0);
    CHECK_INT(query->pairs[i].value.ptr[value.len], 0);
}

TEST(a_query_is_a_list_of_pairs)
{
    rill__arena arena = { 0 };
    rill__query query;
    rill_str text = RILL_STR("&a=1&b=%C3%A4+%2B&&c&=d&e=f=g&h=%00%4&a=2&");
    REQUIRE(rill__query_parse(&arena, text, 7, &query) == 0);
    CHECK_INT(query.count, 7);
    check_pair(&query, 0, RILL_STR("a"), RILL_STR("1"));
    check_pair(&query, 1, RILL_STR("b"), RILL_STR("ä +"));
    check_pair(&query, 2, RILL_STR("c"), RILL_STR(""));
    check_pair(&query, 3, RILL_STR(""), RILL_STR("d"));
    check_pair(&query, 4, RILL_STR("e"), RILL_STR("f=g"));
    check_pair(&query, 5, RILL_STR("h"), RILL_STR("\0%4"));
    check_pair(&query, 6, RILL_STR("a"), RILL_STR("2"));
    CHECK_STR(rill__query_get(&query, RILL_STR("a"))->ptr, "1");
    CHECK(!rill__query_get(&query, RILL_STR("A")));
    rill__arena_free(&arena);
}

TEST(a_query_has_limits)
{
    rill__arena arena = { .max = 200 };
    rill__query query = { 0 };
    CHECK_INT(rill__query_parse(&arena, RILL_STR("a&b&c"), 2, &query), RILL_ELIMIT);
    CHECK_CONTAINS(rill_last_error()->message, "query: 3 parameters, more than 2");
    CHECK_INT(rill__query_parse(&arena, RILL_STR("a&b&c&d&e&f&g"), 10, &query), RILL_ENOMEM);
    CHECK_INT(query.count, 0);
    CHECK_INT(rill__query_parse(&arena, RILL_STR("&&"), 0, &query), 0);
    CHECK_INT(query.count, 0);
    rill__arena_free(&arena);
}

TEST(escapes_are_decoded)
{
    rill__arena arena = { .max = 100 };
    rill_str text = rill__percent_decode_dup(&arena, RILL_STR("/a%2Fb+%c3%A4%2%%41"));
    CHECK_STR(text.ptr, "/a/b+ä%2%A");
    char in_place[] = "%41%42c";
    CHECK_INT(rill__percent_decode(in_place, rill_str_of(in_place)), 3);
    CHECK(memcmp(in_place, "ABc", 3) == 0);
    char big[200] = "";
    CHECK(!rill__percent_decode_dup(&arena, (rill_str){ big, sizeof big }).ptr);
    rill__arena_free(&arena);
}
