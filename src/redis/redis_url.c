/* Parsing redis URLs: see redis_url.h. The pieces are cut out of one copy, in place. */
#include "redis/redis_url.h"

#include "base/alloc.h"
#include "base/fail.h"
#include "http/percent.h"

#include <arpa/inet.h>
#include <strings.h>

#define PORT_DEFAULT 6379
#define URL_MAX 4096
#define DATABASE_MAX 65535

static int bad(const char *why)
{
    return rill__fail(RILL_EURL, "redis url: %s", why);
}

/* ---- pieces of text ---- */

/* Ends the text at the first such character and returns what follows, or NULL. */
static char *cut(char *text, char at)
{
    char *found = strchr(text, at);
    if (!found)
        return NULL;
    *found = '\0';
    return found + 1;
}

/* Resolves escapes in place. False when a '%' begins none. */
static bool decode(char *text, rill_str *ret_decoded)
{
    for (const char *at = text; (at = strchr(at, '%')); at++)
        if (strspn(at + 1, "0123456789abcdefABCDEF") < 2)
            return false;
    size_t len = rill__percent_decode(text, rill_str_of(text));
    text[len] = '\0';
    *ret_decoded = (rill_str){ text, len };
    return true;
}

/* A decimal number from `min` to `max`, or -1. */
static int parse_number(const char *digits, int min, int max)
{
    int value = 0;
    if (!*digits)
        return -1;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return -1;
        value = value * 10 + (*digits - '0');
        if (value > max)
            return -1;
    }
    return value < min ? -1 : value;
}

/* ---- pieces of a URL ---- */

static int parse_user(rill__redis_url *url, char *user)
{
    char *password = cut(user, ':');
    if (!password || !*password)
        return bad("a user without a password");
    if (!decode(password, &url->password) || !decode(user, &url->user))
        return bad("a '%' in the user or password begins no escape");
    if (url->user.len == 0)
        url->user.ptr = NULL;
    return 0;
}

static int parse_port(rill__redis_url *url, const char *port)
{
    url->port = parse_number(port, 1, 65535);
    return url->port < 0 ? bad("the port is not a number from 1 to 65535") : 0;
}

static int parse_database(rill__redis_url *url, const char *digits)
{
    url->database = parse_number(digits, 0, DATABASE_MAX);
    return url->database < 0 ? bad("the database is not a number from 0 to 65535") : 0;
}

static int keep_host(rill__redis_url *url, const char *host)
{
    url->host = rill__strdup(host);
    return url->host ? 0 : rill__fail_nomem();
}

static int parse_ipv6(rill__redis_url *url, char *host)
{
    struct in6_addr address;
    char *rest = cut(host, ']');
    if (!rest || inet_pton(AF_INET6, host, &address) != 1)
        return bad("what stands in brackets is no IPv6 address");
    if (*rest && *rest != ':')
        return bad("the host is not valid");
    if (*rest)
        RILL__TRY(parse_port(url, rest + 1));
    return keep_host(url, host);
}

static int parse_host(rill__redis_url *url, char *host)
{
    if (*host == '[')
        return parse_ipv6(url, host + 1);
    char *port = cut(host, ':');
    if (!*host)
        return bad("the host is missing");
    if (strpbrk(host, "%[]<>\"\\^`{|}@"))
        return bad("the host is not valid");
    if (port)
        RILL__TRY(parse_port(url, port));
    return keep_host(url, host);
}

static int parse_tcp(rill__redis_url *url, char *rest)
{
    if (strchr(rest, '?'))
        return bad("it takes no query (a '?' in a password is written %3F)");
    char *database = cut(rest, '/');
    char *at = strrchr(rest, '@');
    if (at) {
        *at = '\0';
        RILL__TRY(parse_user(url, rest));
    }
    RILL__TRY(parse_host(url, at ? at + 1 : rest));
    return database && *database ? parse_database(url, database) : 0;
}

static int parse_unix(rill__redis_url *url, char *rest)
{
    char *query = cut(rest, '?');
    if (query && strncmp(query, "db=", 3) != 0)
        return bad("the query may only be db=NUMBER");
    if (query)
        RILL__TRY(parse_database(url, query + 3));
    char *path = strchr(rest, '/');
    if (!path || !path[1])
        return bad("the path of the socket is missing");
    if (path > rest && path[-1] != '@')
        return bad("unix:// takes no host: three slashes, then the path");
    rill_str decoded;
    if (!decode(path, &decoded) || strlen(path) != decoded.len)
        return bad("the path of the socket is not valid");
    rill__buf host = rill__buf_make(URL_MAX);
    rill__buf_printf(&host, "unix:%s", path);
    url->host = rill__buf_take(&host);
    if (!url->host)
        return rill__fail_nomem();
    if (path == rest)
        return 0;
    path[-1] = '\0';
    return parse_user(url, rest);
}

/* The text behind "scheme:", when it has that scheme. */
static char *behind_scheme(char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncasecmp(text, scheme, len) == 0 && strncmp(text + len, "://", 3) == 0
               ? text + len + 3
               : NULL;
}

int rill__redis_url_parse(rill__redis_url *url, const char *text)
{
    *url = (rill__redis_url){ .port = PORT_DEFAULT };
    if (!text || !*text)
        return bad("it is missing");
    size_t len = strnlen(text, URL_MAX + 1);
    if (len > URL_MAX)
        return bad("it is longer than 4096 bytes");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || text[i] == '#')
            return bad("it holds a space, a control character or a '#', which need an escape");
    url->text = rill__strndup(text, len);
    if (!url->text)
        return rill__fail_nomem();
    url->text_len = len;
    char *rest;
    if ((rest = behind_scheme(url->text, "redis")))
        return parse_tcp(url, rest);
    url->tls = true;
    if ((rest = behind_scheme(url->text, "rediss")))
        return parse_tcp(url, rest);
    url->tls = false;
    if ((rest = behind_scheme(url->text, "unix")))
        return parse_unix(url, rest);
    return bad("it begins with none of redis://, rediss:// and unix://");
}

void rill__redis_url_free(rill__redis_url *url)
{
    if (url->text)
        explicit_bzero(url->text, url->text_len);
    rill__free(url->text);
    rill__free(url->host);
    *url = (rill__redis_url){ 0 };
}
