/* Durations, whole numbers and addresses, as the command line writes them. */
#include "values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Digits with at most one point, not strtod's: that takes "inf", "0x10" and "1e9" as well. */
static bool number_read(const char **text, double *ret_number)
{
    const char *at = *text;
    double whole = 0, fraction = 0, place = 0.1;
    while (is_digit(*at))
        whole = whole * 10 + (*at++ - '0');
    bool any = at > *text;
    if (*at == '.' && is_digit(at[1])) {
        any = true;
        for (at++; is_digit(*at); place /= 10)
            fraction += (*at++ - '0') * place;
    }
    *text = at;
    *ret_number = whole + fraction;
    return any;
}

static bool unit_read(const char **text, double *ret_seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
    size_t len = 0;
    while (is_letter((*text)[len]))
        len++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == len && strncmp(*text, units[i].name, len) == 0) {
            *text += len;
            *ret_seconds = units[i].seconds;
            return true;
        }
    return false;
}

bool duration_read(const char *text, double *ret_seconds)
{
    double sum = 0, number, unit;
    for (const char *at = text; *at || at == text;) {
        const char *start = at;
        if (!number_read(&at, &number))
            return false;
        if (*at == '\0' && start == text)
            unit = 1;
        else if (!unit_read(&at, &unit))
            return false;
        sum += number * unit;
    }
    if (!(sum < 1e15))
        return false;
    *ret_seconds = sum;
    return true;
}

const char *duration_text(double seconds, char out[VALUE_TEXT])
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "d", 86400 }, { "h", 3600 }, { "m", 60 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (seconds >= units[i].seconds && fmod(seconds, units[i].seconds) == 0) {
            snprintf(out, VALUE_TEXT, "%.0f%s", seconds / units[i].seconds, units[i].name);
            return out;
        }
    if (seconds > 0 && seconds < 1)
        snprintf(out, VALUE_TEXT, "%gms", seconds * 1000);
    else
        snprintf(out, VALUE_TEXT, "%gs", seconds);
    return out;
}

bool integer_read(const char *text, long *ret_number)
{
    if (!is_digit(*text) && !(*text == '-' && is_digit(text[1])))
        return false;
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret_number = number;
    return true;
}

static bool is_host_name(const char *host)
{
    for (const char *c = host; *c; c++)
        if (!is_letter(*c) && !is_digit(*c) && !strchr(".-_", *c))
            return false;
    return true;
}

/* Finds the host before the port's colon and copies it without its brackets. */
static const char *host_read(const char *text, const char *colon, char host[254])
{
    bool bracketed = *text == '[';
    if (bracketed && (colon - text < 2 || colon[-1] != ']'))
        return "the bracket is not closed";
    size_t len = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (len > 253)
        return "the host is too long";
    memcpy(host, text + bracketed, len);
    host[len] = '\0';
    struct in6_addr ignored;
    bool six = inet_pton(AF_INET6, host, &ignored) == 1;
    if (bracketed)
        return six ? NULL : "no IPv6 address stands between the brackets";
    if (strchr(host, ':'))
        return "an IPv6 address needs brackets, as in [::1]:8080";
    return is_host_name(host) ? NULL : "the host has a character that no host has";
}

const char *address_read(const char *text, struct option_address *ret_address)
{
    const char *colon = strrchr(text, ':');
    if (!colon || (*text == '[' && strchr(text, ']') > colon))
        return "the port is missing (try 127.0.0.1:8080, :8080)";
    struct option_address address;
    const char *why = host_read(text, colon, address.host);
    if (why)
        return why;
    long port;
    if (!is_digit(colon[1]) || !integer_read(colon + 1, &port) || port > 65535)
        return "the port is not a number from 0 to 65535";
    address.port = (int)port;
    *ret_address = address;
    return NULL;
}

const char *address_text(const struct option_address *address, char out[VALUE_TEXT])
{
    bool six = strchr(address->host, ':') != NULL;
    snprintf(out, VALUE_TEXT, "%s%.60s%s:%d", six ? "[" : "", address->host, six ? "]" : "",
             address->port);
    return out;
}

const char *value_quoted(const char *text, char out[VALUE_TEXT])
{
    size_t used = 0;
    out[used++] = '"';
    for (; *text && used < VALUE_TEXT - 10; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
        else
            out[used++] = (char)c;
    }
    snprintf(out + used, VALUE_TEXT - used, "%s\"", *text ? "..." : "");
    return out;
}
