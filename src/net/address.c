/* Addresses: numeric text to sockaddr and back, and unix socket paths. */
#include "base/fail.h"
#include "net/net_internal.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

static bool parse_v6(const char *host, struct sockaddr_in6 *v6)
{
    char text[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, '%');
    size_t len = zone ? (size_t)(zone - host) : strlen(host);
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_scope_id = zone ? if_nametoindex(zone + 1) : 0;
    return !zone || v6->sin6_scope_id != 0;
}

bool rill__address_parse(const char *host, int port, rill__address *ret_address)
{
    rill__address address = { .len = 0 };
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.len = sizeof address.v4;
    } else if (parse_v6(host, &address.v6)) {
        address.v6.sin6_family = AF_INET6;
        address.len = sizeof address.v6;
    } else {
        return false;
    }
    rill__address_set_port(&address, port);
    *ret_address = address;
    return true;
}

void rill__address_set_port(rill__address *address, int port)
{
    if (address->base.sa_family == AF_INET)
        address->v4.sin_port = htons((uint16_t)port);
    else if (address->base.sa_family == AF_INET6)
        address->v6.sin6_port = htons((uint16_t)port);
}

bool rill__address_is_unix(const char *host)
{
    return strncmp(host, "unix:", 5) == 0;
}

int rill__address_unix(const char *host, rill__address *ret_address)
{
    const char *path = host + strlen("unix:");
    size_t len = strlen(path);
    rill__address address = { .local = { .sun_family = AF_UNIX }, .len = sizeof address.local };
    if (len == 0 || len >= sizeof address.local.sun_path)
        return rill__fail(RILL_EINVAL, "%s: the path is %s", host, len ? "too long" : "empty");
    memcpy(address.local.sun_path, path, len);
    *ret_address = address;
    return 0;
}

static void unix_text(char *text, size_t size, const struct sockaddr_un *local, socklen_t len)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t max = len > start ? len - start : 0;
    snprintf(text, size, "unix:%.*s", (int)strnlen(local->sun_path, max), local->sun_path);
}

void rill__address_text(char *text, size_t size, const struct sockaddr *address, socklen_t len)
{
    char host[INET6_ADDRSTRLEN] = "?";
    switch (address->sa_family) {
    case AF_INET: {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%d", host, ntohs(v4->sin_port));
        return;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        char zone[IF_NAMESIZE + 1] = "%";
        if (!v6->sin6_scope_id || !if_indextoname(v6->sin6_scope_id, zone + 1))
            zone[0] = '\0';
        snprintf(text, size, "[%s%s]:%d", host, zone, ntohs(v6->sin6_port));
        return;
    }
    case AF_UNIX:
        unix_text(text, size, (const struct sockaddr_un *)(const void *)address, len);
        return;
    default:
        snprintf(text, size, "?");
    }
}
