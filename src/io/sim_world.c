/* The hosts of the simulated world, the links between them, and the names that they have. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/sim_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIRST_PORT 49152
#define DNS_DELAY_NS (RILL__SECOND / 1000)
#define DNS_TIMEOUT_NS (5 * RILL__SECOND)

/* ---- addresses ---- */

static bool parse(const char *text, rill__sim_address *ret_address)
{
    *ret_address = (rill__sim_address){ 0 };
    if (inet_pton(AF_INET, text, &ret_address->v4.sin_addr) == 1)
        ret_address->base.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &ret_address->v6.sin6_addr) == 1)
        ret_address->base.sa_family = AF_INET6;
    return ret_address->base.sa_family != AF_UNSPEC;
}

bool rill__sim_is_loopback(const rill__sim_address *address)
{
    if (address->base.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return address->base.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool rill__sim_is_any(const rill__sim_address *address)
{
    if (address->base.sa_family == AF_INET)
        return address->v4.sin_addr.s_addr == INADDR_ANY;
    return address->base.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

/* The port of an IPv6 address stands in the same place. */
uint16_t rill__sim_port(const rill__sim_address *address)
{
    return ntohs(address->v4.sin_port);
}

void rill__sim_port_set(rill__sim_address *address, uint16_t port)
{
    address->v4.sin_port = htons(port);
}

bool rill__sim_same_ip(const rill__sim_address *a, const rill__sim_address *b)
{
    if (a->base.sa_family != b->base.sa_family)
        return false;
    return a->base.sa_family == AF_INET
               ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
               : memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

/* ---- hosts ---- */

rill__sim_host *rill__sim_host_find(rill__sim *sim, const char *name)
{
    rill__list_each(node, &sim->hosts) {
        rill__sim_host *host = rill__container(node, rill__sim_host, link);
        if (strcasecmp(host->name, name) == 0)
            return host;
    }
    return NULL;
}

rill__sim_host *rill__sim_host_at(rill__sim *sim, const rill__sim_address *address)
{
    rill__list_each(node, &sim->hosts) {
        rill__sim_host *host = rill__container(node, rill__sim_host, link);
        for (size_t i = 0; i < host->count; i++)
            if (rill__sim_same_ip(&host->addresses[i], address))
                return host;
    }
    return NULL;
}

static rill__sim_host *new_host(rill__sim *sim, const char *name)
{
    size_t len = strlen(name);
    rill__sim_host *host = rill__world_alloc(sizeof *host + len + 1);
    memcpy(host->name, name, len);
    host->next_port = FIRST_PORT;
    rill__list_append(&sim->hosts, &host->link);
    return host;
}

/* 10.255.0.1 and so on: not what people write themselves. */
static void make_up(rill__sim *sim, rill__sim_address *ret_address)
{
    do {
        unsigned number = ++sim->hosts_made;
        *ret_address = (rill__sim_address){ .v4.sin_family = AF_INET };
        ret_address->v4.sin_addr.s_addr = htonl(0x0aff0000U | number);
    } while (rill__sim_host_at(sim, ret_address));
}

int rill__sim_host_add(rill__sim *sim, const char *name, const char *text)
{
    rill__sim_host *host = rill__sim_host_find(sim, name);
    rill__sim_address address;
    if (!text)
        make_up(sim, &address);
    else if (!parse(text, &address) || rill__sim_is_any(&address) ||
             rill__sim_is_loopback(&address))
        return -EINVAL;
    rill__sim_host *owner = rill__sim_host_at(sim, &address);
    if (owner)
        return owner == host ? 0 : -EEXIST;
    if (!host)
        host = new_host(sim, name);
    if (host->count == RILL__SIM_HOST_ADDRESSES)
        return -ENOSPC;
    host->addresses[host->count++] = address;
    if (host->count == 1) {
        const void *ip = address.base.sa_family == AF_INET ? (void *)&address.v4.sin_addr
                                                           : (void *)&address.v6.sin6_addr;
        inet_ntop(address.base.sa_family, ip, host->text, sizeof host->text);
    }
    return 0;
}

const char *rill__sim_host_address(const rill__sim_host *host)
{
    return host->text;
}

rill__sim_host *rill__sim_here(rill__sim *sim)
{
    return sim->base.place ? (rill__sim_host *)(uintptr_t)sim->base.place : sim->here;
}

/* ---- links ---- */

static struct rill__sim_pair *find_pair(const rill__sim *sim, const rill__sim_host *a,
                                        const rill__sim_host *b)
{
    rill__list_each(node, &sim->pairs) {
        struct rill__sim_pair *pair = rill__container(node, struct rill__sim_pair, link);
        if ((pair->a == a && pair->b == b) || (pair->a == b && pair->b == a))
            return pair;
    }
    return NULL;
}

rill__sim_link rill__sim_link_get(const rill__sim *sim, const rill__sim_host *a,
                                  const rill__sim_host *b)
{
    const struct rill__sim_pair *pair = find_pair(sim, a, b);
    return pair ? pair->how : sim->config.link;
}

/* What was held because its link was down sets out again; what still is, is held once more. */
static void release_held(rill__sim *sim)
{
    rill__list held = { &held, &held };
    for (rill__list *node; (node = rill__list_pop(&sim->held));)
        rill__list_append(&held, node);
    for (rill__list *node; (node = rill__list_pop(&held));) {
        rill__sim_event *event = rill__container(node, rill__sim_event, link);
        event->at = rill__after(sim->now, rill__sim_link_of(event->to).latency_ns);
        rill__sim_event_queue(sim, event);
    }
}

void rill__sim_link_set(rill__sim *sim, rill__sim_host *a, rill__sim_host *b,
                        const rill__sim_link *link)
{
    struct rill__sim_pair *pair = a ? find_pair(sim, a, b) : NULL;
    if (a && !pair) {
        pair = rill__world_alloc(sizeof *pair);
        pair->a = a;
        pair->b = b;
        rill__list_append(&sim->pairs, &pair->link);
    }
    *(pair ? &pair->how : &sim->config.link) = *link;
    release_held(sim);
}

/* ---- names ---- */

static struct rill__sim_name *find_name(const rill__sim *sim, const char *name)
{
    rill__list_each(node, &sim->names) {
        struct rill__sim_name *entry = rill__container(node, struct rill__sim_name, link);
        if (strcasecmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

void rill__sim_dns_set(rill__sim *sim, const char *name, int status, uint64_t delay_ns)
{
    struct rill__sim_name *entry = find_name(sim, name);
    if (!entry) {
        size_t len = strlen(name);
        entry = rill__world_alloc(sizeof *entry + len + 1);
        memcpy(entry->name, name, len);
        rill__list_append(&sim->names, &entry->link);
    }
    entry->status = status;
    entry->delay_ns = delay_ns;
}

static int find_addresses(rill__sim *sim, const char *name, rill__names *ret_names)
{
    rill__sim_address loopback;
    if (strcasecmp(name, "localhost") == 0 && parse("127.0.0.1", &loopback)) {
        ret_names->addresses[ret_names->count++] = loopback.any;
        return 0;
    }
    const rill__sim_host *host = rill__sim_host_find(sim, name);
    for (size_t i = 0; host && i < host->count; i++)
        ret_names->addresses[ret_names->count++] = host->addresses[i].any;
    return host ? 0 : -ENOENT;
}

void rill__sim_resolve(rill__driver *driver, const char *name, rill__names *ret_names)
{
    rill__sim *sim = rill__sim_of(driver);
    const struct rill__sim_name *entry = find_name(sim, name);
    *ret_names = (rill__names){ .status = entry ? entry->status : 0 };
    if (ret_names->status == 0)
        ret_names->status = find_addresses(sim, name, ret_names);
    if (entry && entry->delay_ns)
        ret_names->delay_ns = entry->delay_ns;
    else
        ret_names->delay_ns = ret_names->status == -ETIMEDOUT ? DNS_TIMEOUT_NS : DNS_DELAY_NS;
    rill__sim_note(sim, "resolve", strlen(name), ret_names->status);
}

/* ---- the end ---- */

static void free_all(rill__list *list)
{
    for (rill__list *node; (node = rill__list_pop(list));)
        rill__world_free(node); /* the link stands first in all of them */
}

void rill__sim_world_free(rill__sim *sim)
{
    free_all(&sim->hosts);
    free_all(&sim->pairs);
    free_all(&sim->names);
}
