/*
 * UDP sockets, and addresses for their users.
 *
 * A task that waits on a socket that is freed meanwhile hears that it is closed; the last one that
 * uses it frees the memory.
 */
#include "base/alloc.h"
#include "base/fail.h"
#include "base/opts.h"
#include "net/net_internal.h"

#include <errno.h>
#include <rill/udp.h>
#include <stdio.h>

_Static_assert(sizeof(((rill_address *)0)->words) >= sizeof(struct sockaddr_in6),
               "room for both families");

struct rill_udp {
    rill__handle handle;
    rill__birth birth;
    unsigned users; /* calls under way */
    bool receiving, sending, freed;
    bool connected;
    char peer[RILL__ADDRESS_TEXT]; /* for messages: of the peer, else its own */
};

/* ---- addresses ---- */

static const struct sockaddr *sockaddr_of(const rill_address *address)
{
    return (const struct sockaddr *)(const void *)address->words;
}

static void set_address(rill_address *address, const void *from, socklen_t len)
{
    *address = (rill_address){ 0 };
    if (len > sizeof address->words)
        return;
    memcpy(address->words, from, len);
    address->len = len;
}

static int check_port(const char *host, int port)
{
    if (port < 0 || port > 65535)
        return rill__fail(RILL_EINVAL, "address %s: %d is no port", host, port);
    return 0;
}

int rill_address_of(rill_address *ret_address, const char *host, int port)
{
    rill__address address;
    RILL__TRY(check_port(host, port));
    if (!rill__address_parse(host, port, &address))
        return rill__fail(RILL_EINVAL, "address %s: not a numeric one", host);
    set_address(ret_address, &address.base, address.len);
    return 0;
}

int rill_address_find(rill_address *ret_address, const char *host, int port)
{
    rill__addresses found;
    RILL__TRY(rill__checkpoint("address"));
    RILL__TRY(check_port(host, port));
    RILL__TRY(rill__resolve(host, port, &found));
    set_address(ret_address, &found.list[0].base, found.list[0].len);
    return 0;
}

const char *rill_address_text(const rill_address *address, char *text, size_t size)
{
    if (address->len > 0)
        rill__address_text(text, size, sockaddr_of(address), address->len);
    else
        snprintf(text, size, "none");
    return text;
}

int rill_address_port(const rill_address *address)
{
    const struct sockaddr *base = sockaddr_of(address);
    if (base->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)base)->sin_port);
    if (base->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)base)->sin6_port);
    return 0;
}

/* The flow label is a detail of the way. */
static bool same_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
}

bool rill_address_eq(const rill_address *a, const rill_address *b)
{
    if (a->len != b->len || sockaddr_of(a)->sa_family != sockaddr_of(b)->sa_family)
        return false;
    if (sockaddr_of(a)->sa_family == AF_INET6)
        return same_v6((const struct sockaddr_in6 *)(const void *)a->words,
                       (const struct sockaddr_in6 *)(const void *)b->words);
    return memcmp(a->words, b->words, a->len) == 0;
}

/* ---- opening ---- */

/* What a socket is opened with, once names are addresses. len 0: none. */
struct plan {
    rill__address local, peer;
    int family;
};

static int find_local(const rill_udp_opts *opts, struct plan *plan)
{
    rill__addresses found;
    if (!opts->host)
        return 0;
    RILL__TRY(rill__resolve(opts->host, opts->port, &found));
    plan->local = found.list[0];
    plan->family = plan->local.base.sa_family;
    return 0;
}

/* The peer's first address, of the family of the local one if that is given. */
static int find_peer(const rill_udp_opts *opts, struct plan *plan)
{
    rill__addresses found;
    if (!opts->peer)
        return 0;
    RILL__TRY(rill__resolve(opts->peer, opts->peer_port, &found));
    size_t at = 0;
    while (plan->local.len > 0 && at < found.count && found.list[at].base.sa_family != plan->family)
        at++;
    if (at == found.count)
        return rill__fail(RILL_ECONNECT, "udp %s: it has no address of the family of %s",
                          opts->peer, opts->host);
    plan->peer = found.list[at];
    plan->family = plan->peer.base.sa_family;
    return 0;
}

static int make_plan(const rill_udp_opts *opts, struct plan *plan)
{
    RILL__TRY(rill__checkpoint("udp"));
    if (opts->port < 0 || opts->port > 65535)
        return rill__fail(RILL_EINVAL, "udp: %d is no port", opts->port);
    if (opts->peer && (opts->peer_port <= 0 || opts->peer_port > 65535))
        return rill__fail(RILL_EINVAL, "udp %s: %d is no port", opts->peer, opts->peer_port);
    RILL__TRY(find_local(opts, plan));
    RILL__TRY(find_peer(opts, plan));
    if (plan->local.len == 0)
        rill__address_parse(plan->family == AF_INET6 ? "::" : "0.0.0.0", opts->port, &plan->local);
    return 0;
}

static int bind_local(rill_udp *udp, const rill_udp_opts *opts, const rill__address *local)
{
    rill__driver *driver = rill__loop_driver();
    if (opts->reuse_port)
        driver->ops->option(driver, &udp->handle, RILL__OPTION_REUSE_PORT, 1);
    if (opts->broadcast)
        driver->ops->option(driver, &udp->handle, RILL__OPTION_BROADCAST, 1);
    if (local->base.sa_family == AF_INET6)
        driver->ops->option(driver, &udp->handle, RILL__OPTION_V6_ONLY, 1);
    rill__address_text(udp->peer, sizeof udp->peer, &local->base, local->len);
    int rc = driver->ops->bind(driver, &udp->handle, &local->base, local->len, NULL);
    if (rc < 0)
        return rill__fail_errno(RILL_ELISTEN, -rc, "udp %s", udp->peer);
    struct sockaddr_storage bound; /* with the port that it got */
    socklen_t len;
    if (driver->ops->local(driver, &udp->handle, &bound, &len) == 0)
        rill__address_text(udp->peer, sizeof udp->peer, (struct sockaddr *)&bound, len);
    return 0;
}

static int failure(const rill_udp *udp, const char *what, int64_t rc)
{
    if (!RILL__IS_ERRNO(rc))
        return (int)rc;
    if (udp->freed || rc == -EBADF)
        return rill__fail(RILL_ECLOSED, "%s %s: the socket was closed", what, udp->peer);
    if (rc == -ECONNREFUSED)
        return rill__fail_errno(RILL_EREFUSED, ECONNREFUSED, "%s %s", what, udp->peer);
    return rill__fail_errno(rill__code_of_errno((int)-rc), (int)-rc, "%s %s", what, udp->peer);
}

static int connect_peer(rill_udp *udp, const rill__address *peer)
{
    if (peer->len == 0)
        return 0;
    rill__address_text(udp->peer, sizeof udp->peer, &peer->base, peer->len);
    int64_t rc = rill__io_connect(&udp->handle, &peer->base, peer->len);
    udp->connected = rc == 0;
    return failure(udp, "udp", rc);
}

static int open_socket(rill_udp *udp, const rill_udp_opts *opts, const struct plan *plan)
{
    RILL__TRY(rill__io_open(&udp->handle, plan->family, SOCK_DGRAM));
    RILL__TRY(bind_local(udp, opts, &plan->local));
    return connect_peer(udp, &plan->peer);
}

rill_udp *rill_udp_open_with(const rill_udp_opts *given)
{
    rill_udp_opts opts;
    struct plan plan = { .family = AF_INET };
    rill__opts_read(opts, given);
    if (make_plan(&opts, &plan) < 0)
        return NULL;
    rill_udp *udp = rill__zalloc(sizeof *udp);
    if (!udp) {
        rill__fail_nomem();
        return NULL;
    }
    udp->handle.fd = -1;
    if (open_socket(udp, &opts, &plan) == 0) {
        rill__born(&udp->birth, "UDP socket", udp->peer, opts.file, opts.line);
        return udp;
    }
    rill_udp_free(udp);
    return NULL;
}

static void unuse(rill_udp *udp)
{
    if (--udp->users == 0 && udp->freed)
        rill__free(udp);
}

void rill_udp_free(rill_udp *udp)
{
    if (!udp)
        return;
    rill__died(&udp->birth);
    udp->freed = true;
    udp->users++; /* closing tells those who wait, who may be the last */
    if (udp->handle.fd >= 0)
        rill__io_close(&udp->handle);
    unuse(udp);
}

int rill_udp_address(const rill_udp *udp, rill_address *ret_address)
{
    struct sockaddr_storage address;
    socklen_t len;
    rill__driver *driver = rill__loop_driver();
    rill__handle handle = udp->handle;
    int rc = driver->ops->local(driver, &handle, &address, &len);
    if (rc < 0)
        return rill__fail_errno(RILL_EOS, -rc, "udp %s", udp->peer);
    set_address(ret_address, &address, len);
    return 0;
}

int rill_udp_fd(const rill_udp *udp)
{
    return udp->handle.fd;
}

/* ---- receiving and sending ---- */

ptrdiff_t rill_udp_recv_from(rill_udp *udp, void *buf, size_t len, rill_datagram *ret_datagram)
{
    struct sockaddr_storage from;
    socklen_t from_len = 0;
    if (udp->receiving)
        return rill__fail(RILL_EBUSY, "recv %s: another task receives", udp->peer);
    udp->receiving = true;
    udp->users++;
    int64_t n = rill__io_recvfrom(&udp->handle, buf, len, &from, &from_len);
    udp->receiving = false;
    if (n < 0) {
        n = failure(udp, "recv", n);
    } else {
        set_address(&ret_datagram->from, &from, from_len);
        ret_datagram->len = (size_t)n;
    }
    unuse(udp);
    return n > (int64_t)len ? (ptrdiff_t)len : (ptrdiff_t)n;
}

ptrdiff_t rill_udp_recv(rill_udp *udp, void *buf, size_t len)
{
    rill_datagram datagram = { 0 };
    ptrdiff_t n = rill_udp_recv_from(udp, buf, len, &datagram);
    if (n < 0 || datagram.len <= len)
        return n;
    return rill__fail(RILL_ELIMIT, "recv: a datagram of %zu bytes, and room for %zu", datagram.len,
                      len);
}

static int send_datagram(rill_udp *udp, const rill_address *to, const void *bytes, size_t len)
{
    if (udp->sending)
        return rill__fail(RILL_EBUSY, "send %s: another task sends", udp->peer);
    udp->sending = true;
    udp->users++;
    int64_t n =
        rill__io_sendto(&udp->handle, bytes, len, to ? sockaddr_of(to) : NULL, to ? to->len : 0);
    udp->sending = false;
    int rc = 0;
    if (n == -EMSGSIZE)
        rc = rill__fail_errno(RILL_ELIMIT, EMSGSIZE, "send: a datagram of %zu bytes", len);
    else if (n < 0)
        rc = failure(udp, "send", n);
    unuse(udp);
    return rc;
}

int rill_udp_send_to(rill_udp *udp, const rill_address *to, const void *bytes, size_t len)
{
    if (to->len == 0)
        return rill__fail(RILL_EINVAL, "send: there is no address to send to");
    int rc = send_datagram(udp, to, bytes, len);
    if (rc >= 0 || rc == RILL_ECANCELED || rc == RILL_ENOTASK)
        return rc;
    char text[RILL_ADDRESS_TEXT];
    rill__error_where(rill_address_text(to, text, sizeof text));
    return rc;
}

int rill_udp_send(rill_udp *udp, const void *bytes, size_t len)
{
    if (!udp->connected)
        return rill__fail(RILL_EINVAL, "send %s: the socket has no peer", udp->peer);
    return send_datagram(udp, NULL, bytes, len);
}
