/* Request targets and hosts: see h1_target.h. */
#include "http/h1_target.h"

#include "http/token.h"

#include <arpa/inet.h>

/* The length of a registered name or IPv4 address at the front; 0 when there is none. */
static size_t name_len(rill_str text)
{
    size_t i = 0;
    while (i < text.len) {
        if (rill__char_is(text.ptr[i], RILL__CHAR_HOST))
            i++;
        else if (text.ptr[i] == '%' && text.len - i > 2 && rill__hex_value(text.ptr[i + 1]) >= 0 &&
                 rill__hex_value(text.ptr[i + 2]) >= 0)
            i += 3;
        else
            break;
    }
    return i;
}

/* The length of "[IPv6]" at the front; 0 when there is none. */
static size_t literal_len(rill_str text)
{
    const char *close = memchr(text.ptr, ']', text.len);
    char address[INET6_ADDRSTRLEN];
    size_t len = close ? (size_t)(close - text.ptr) - 1 : 0;
    if (len == 0 || len >= sizeof address)
        return 0;
    memcpy(address, text.ptr + 1, len);
    address[len] = '\0';
    struct in6_addr parsed;
    return inet_pton(AF_INET6, address, &parsed) == 1 ? len + 2 : 0;
}

/* Every request with a port in its Host comes by here. */
static bool is_port(rill_str text)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.ptr[i] - '0');
        number = number * 10 + digit;
        if (digit > 9 || number > 65535)
            return false;
    }
    return true;
}

/* Splits host and port; the port is NULL when there is no colon. False when it is neither. */
static bool split_host(rill_str text, rill_str *ret_host, rill_str *ret_port)
{
    size_t len = text.len > 0 && text.ptr[0] == '[' ? literal_len(text) : name_len(text);
    if (len == 0)
        return false;
    *ret_host = (rill_str){ text.ptr, len };
    *ret_port = (rill_str){ NULL, 0 };
    if (len == text.len)
        return true;
    if (text.ptr[len] != ':')
        return false;
    *ret_port = (rill_str){ text.ptr + len + 1, text.len - len - 1 };
    return is_port(*ret_port);
}

bool rill__h1_is_host(rill_str text)
{
    rill_str host, port;
    return split_host(text, &host, &port);
}

/* The length of "scheme" in "scheme://"; 0 when it is not there. */
static size_t scheme_len(rill_str target)
{
    const char *colon = memchr(target.ptr, ':', target.len);
    size_t len = colon ? (size_t)(colon - target.ptr) : 0;
    if (len == 0 || target.len - len < 3 || memcmp(colon, "://", 3) != 0)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = target.ptr[i], lower = (char)(c | 0x20);
        bool letter = lower >= 'a' && lower <= 'z';
        bool other = rill__char_is(c, RILL__CHAR_DIGIT) || c == '+' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return 0;
    }
    return len;
}

static enum rill__h1_reason check_absolute(rill_str target, rill_str *ret_authority)
{
    size_t scheme = scheme_len(target);
    if (scheme == 0)
        return RILL__H1_TARGET;
    size_t end = scheme + 3;
    while (end < target.len && !strchr("/?#", target.ptr[end]))
        end++;
    *ret_authority = (rill_str){ target.ptr + scheme + 3, end - scheme - 3 };
    /* A user name is no part of a host: RFC 9110 4.2.4 has it treated as an error. */
    return rill__h1_is_host(*ret_authority) ? RILL__H1_OK : RILL__H1_TARGET;
}

static enum rill__h1_reason check_connect(rill_str target, rill_str *ret_authority)
{
    rill_str host, port;
    if (!split_host(target, &host, &port) || port.len == 0)
        return target.ptr[0] == '/' || target.ptr[0] == '*' ? RILL__H1_TARGET_FORM
                                                            : RILL__H1_TARGET;
    *ret_authority = target;
    return RILL__H1_OK;
}

enum rill__h1_reason rill__h1_check_target(rill_str target, enum rill__h1_method method,
                                           enum rill__h1_form *ret_form, rill_str *ret_authority)
{
    *ret_authority = (rill_str){ target.ptr, 0 };
    if (method == RILL__H1_CONNECT) {
        *ret_form = RILL__H1_AUTHORITY;
        return check_connect(target, ret_authority);
    }
    if (target.ptr[0] == '/') {
        *ret_form = RILL__H1_ORIGIN;
        return RILL__H1_OK;
    }
    if (target.len == 1 && target.ptr[0] == '*') {
        *ret_form = RILL__H1_ASTERISK;
        return method == RILL__H1_OPTIONS ? RILL__H1_OK : RILL__H1_TARGET_FORM;
    }
    *ret_form = RILL__H1_ABSOLUTE;
    return check_absolute(target, ret_authority);
}

bool rill__h1_same_host(rill_str target, rill_str authority, rill_str host)
{
    rill_str name_a, name_b, port_a, port_b;
    if (!split_host(authority, &name_a, &port_a) || !split_host(host, &name_b, &port_b))
        return false;
    rill_str scheme = { target.ptr, scheme_len(target) };
    rill_str usual = rill_str_caseeq(scheme, RILL_STR("https")) ? RILL_STR("443") : RILL_STR("80");
    if (port_a.len == 0)
        port_a = usual;
    if (port_b.len == 0)
        port_b = usual;
    return rill_str_caseeq(name_a, name_b) && rill__decimal(port_a) == rill__decimal(port_b);
}
