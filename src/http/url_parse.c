/*
 * The URL parser: the state machine of the WHATWG URL standard, unrolled into one pass from left to
 * right. It can be that simple because all of our schemes are "special": they have a host, their
 * path is a list of segments, and a backslash counts as a slash.
 *
 * Each parse_ function takes its part off the front of `rest` and appends it to the href. It
 * returns NULL, or the reason why the URL is refused.
 */
#include "base/fail.h"
#include "http/percent.h"
#include "http/url_internal.h"

struct parse {
    rill_str rest;              /* the input that is not read yet */
    const rill__url_base *base; /* or NULL */
    rill__buf *href;
    rill__url_parts parts;
    int code; /* with which the URL is refused */
};

static const rill__url_scheme schemes[] = {
    { { "https", 5 }, 443, true },
    { { "http", 4 }, 80, false },
    { { "wss", 3 }, 443, true },
    { { "ws", 2 }, 80, false },
};

const rill__url_scheme *rill__url_scheme_find(rill_str name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (rill_str_caseeq(name, schemes[i].name))
            return &schemes[i];
    return NULL;
}

/* The byte at an index of what is left, or -1 behind the end. */
static int peek(const struct parse *p, size_t at)
{
    return at < p->rest.len ? (unsigned char)p->rest.ptr[at] : -1;
}

static bool is_slash(int c)
{
    return c == '/' || c == '\\';
}

/* Takes `len` bytes off the front. */
static rill_str take(rill_str *text, size_t len)
{
    rill_str taken = { text->ptr, len };
    *text = (rill_str){ text->ptr + len, text->len - len };
    return taken;
}

/* Takes all that stands before the first of the stops, or all there is. */
static rill_str take_until(rill_str *text, const char *stops)
{
    size_t len = 0;
    while (len < text->len && (text->ptr[len] == '\0' || !strchr(stops, text->ptr[len])))
        len++;
    return take(text, len);
}

static void append(struct parse *p, rill_str text)
{
    rill__buf_append(p->href, text.ptr, text.len);
}

/* What was appended since the href was `at` long. */
static rill__url_span since(const struct parse *p, size_t at)
{
    return (rill__url_span){ at, p->href->len - at };
}

static void parse_fragment(struct parse *p)
{
    if (p->rest.len == 0)
        return;
    rill__buf_putc(p->href, '#');
    rill__percent_encode(p->href, (rill_str){ p->rest.ptr + 1, p->rest.len - 1 },
                         RILL__PERCENT_FRAGMENT);
}

/* The query, when there is one, and what follows. */
static void parse_query(struct parse *p)
{
    if (peek(p, 0) == '?') {
        take(&p->rest, 1);
        rill__buf_putc(p->href, '?');
        rill__percent_encode(p->href, take_until(&p->rest, "#"), RILL__PERCENT_QUERY);
    }
    p->parts.target = since(p, p->parts.path.at);
    parse_fragment(p);
}

/* How many dots a segment is: 1 for ".", 2 for "..", in escaped form too, else 0. */
static int count_dots(rill_str segment)
{
    int dots = 0;
    while (segment.len > 0) {
        if (segment.ptr[0] == '.')
            take(&segment, 1);
        else if (segment.len >= 3 && rill_str_caseeq((rill_str){ segment.ptr, 3 }, RILL_STR("%2e")))
            take(&segment, 3);
        else
            return 0;
        dots++;
    }
    return dots <= 2 ? dots : 0;
}

/* Removes the last segment of the path, and the slash before it. */
static void pop_segment(struct parse *p)
{
    rill__buf *href = p->href;
    while (!href->failed && href->len > p->parts.path.at)
        if (href->ptr[--href->len] == '/')
            break;
}

/* Segments behind the path that the href ends with already (see parts.path.at), and the rest. */
static void parse_path(struct parse *p)
{
    if (is_slash(peek(p, 0)))
        take(&p->rest, 1);
    for (bool more = true; more;) {
        rill_str segment = take_until(&p->rest, "/\\?#");
        more = is_slash(peek(p, 0));
        if (more)
            take(&p->rest, 1);
        int dots = count_dots(segment);
        if (dots == 2)
            pop_segment(p);
        if (dots == 0 || !more)
            rill__buf_putc(p->href, '/');
        if (dots == 0)
            rill__percent_encode(p->href, segment, RILL__PERCENT_PATH);
    }
    p->parts.path = since(p, p->parts.path.at);
    parse_query(p);
}

/* "user:password@", with nothing for nothing. */
static void put_credentials(struct parse *p, rill_str text)
{
    p->parts.user.at = p->href->len;
    rill__percent_encode(p->href, take_until(&text, ":"), RILL__PERCENT_USERINFO);
    p->parts.user = since(p, p->parts.user.at);
    p->parts.password.at = p->href->len;
    if (text.len > 1) {
        take(&text, 1);
        rill__buf_putc(p->href, ':');
        p->parts.password.at = p->href->len;
        rill__percent_encode(p->href, text, RILL__PERCENT_USERINFO);
    }
    p->parts.password = since(p, p->parts.password.at);
    if (p->parts.user.len + p->parts.password.len > 0)
        rill__buf_putc(p->href, '@');
}

static const char *put_port(struct parse *p, rill_str digits)
{
    int port = digits.len > 0 ? 0 : p->parts.scheme->port;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return "the port is not a number";
        port = port * 10 + (digits.ptr[i] - '0');
        if (port > 65535)
            return "the port is over 65535";
    }
    p->parts.port = port;
    if (port != p->parts.scheme->port)
        rill__buf_printf(p->href, ":%d", port);
    return NULL;
}

/* The length of the host in "host:port": up to the first colon that no brackets enclose. */
static size_t host_length(rill_str authority)
{
    bool in_brackets = false;
    for (size_t i = 0; i < authority.len; i++) {
        char c = authority.ptr[i];
        if (c == ':' && !in_brackets)
            return i;
        if (c == '[' || c == ']')
            in_brackets = c == '[';
    }
    return authority.len;
}

/* Scheme, authority and what follows. Any number of slashes may stand before the authority. */
static const char *parse_authority(struct parse *p)
{
    append(p, p->parts.scheme->name);
    append(p, RILL_STR("://"));
    while (is_slash(peek(p, 0)))
        take(&p->rest, 1);
    rill_str authority = take_until(&p->rest, "/\\?#");
    const char *at = authority.len > 0 ? memrchr(authority.ptr, '@', authority.len) : NULL;
    rill_str credentials = take(&authority, at ? (size_t)(at - authority.ptr) : 0);
    put_credentials(p, credentials);
    if (at)
        take(&authority, 1);

    rill_str host = take(&authority, host_length(authority));
    if (host.len == 0)
        return "the host is empty";
    p->parts.host.at = p->href->len;
    const char *reason = rill__url_host_parse(p->href, host);
    if (reason)
        return reason;
    p->parts.host = since(p, p->parts.host.at);
    if (authority.len > 0)
        take(&authority, 1);
    reason = put_port(p, authority);
    if (reason)
        return reason;
    p->parts.path.at = p->href->len;
    parse_path(p);
    return NULL;
}

/* A reference without a scheme of its own. */
static const char *parse_relative(struct parse *p)
{
    p->parts = *p->base->parts;
    int first = peek(p, 0);
    if (is_slash(first) && is_slash(peek(p, 1)))
        return parse_authority(p);

    const char *href = p->base->href;
    rill__url_span path = p->parts.path;
    append(p, (rill_str){ href, path.at });
    if (is_slash(first)) {
        parse_path(p);
    } else if (first == '?') {
        append(p, (rill_str){ href + path.at, path.len });
        parse_query(p);
    } else if (first == -1 || first == '#') {
        append(p, (rill_str){ href + path.at, p->parts.target.len });
        parse_fragment(p);
    } else {
        append(p, (rill_str){ href + path.at, path.len });
        pop_segment(p);
        parse_path(p);
    }
    return NULL;
}

/* The length of the scheme before its colon, 0 when there is none. */
static size_t scheme_length(rill_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], small = (char)(c | 0x20);
        if (c == ':')
            return i;
        bool is_letter = small >= 'a' && small <= 'z';
        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return 0;
}

static const char *parse_all(struct parse *p)
{
    size_t len = scheme_length(p->rest);
    if (len == 0) {
        if (!p->base)
            return "it has no scheme, such as https://";
        return parse_relative(p);
    }
    p->parts.scheme = rill__url_scheme_find(take(&p->rest, len));
    take(&p->rest, 1);
    if (!p->parts.scheme) {
        p->code = RILL_EURL_SCHEME;
        return "the scheme is not http, https, ws or wss";
    }
    bool same_scheme = p->base && p->base->parts->scheme == p->parts.scheme;
    if (same_scheme && !(peek(p, 0) == '/' && peek(p, 1) == '/'))
        return parse_relative(p);
    return parse_authority(p);
}

static rill_str trim(rill_str text)
{
    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ')
        take(&text, 1);
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ')
        text.len--;
    return text;
}

/* Tabs and line ends count for nothing, wherever they stand. */
static bool has_ignored(rill_str text)
{
    take_until(&text, "\t\n\r");
    return text.len > 0;
}

static void append_without_ignored(rill__buf *out, rill_str text)
{
    while (text.len > 0) {
        rill_str piece = take_until(&text, "\t\n\r");
        rill__buf_append(out, piece.ptr, piece.len);
        take(&text, text.len > 0);
    }
}

int rill__url_parse(rill__buf *href, rill_str text, const rill__url_base *base,
                    rill__url_parts *ret_parts, const char **ret_reason)
{
    struct parse p = { .rest = trim(text), .base = base, .href = href, .code = RILL_EURL };
    rill__buf cleaned = rill__buf_make(text.len);
    if (has_ignored(p.rest)) {
        append_without_ignored(&cleaned, p.rest);
        p.rest = rill__buf_str(&cleaned);
        href->failed |= cleaned.failed;
    }
    const char *reason = parse_all(&p);
    rill__buf_free(&cleaned);
    if (href->failed)
        return 0;
    if (reason) {
        *ret_reason = reason;
        return p.code;
    }
    *ret_parts = p.parts;
    return 0;
}
