/*
 * Datagrams of the simulated world: each arrives whole or not at all, perhaps twice, and may
 * overtake another. One that nobody is there for is lost; a sender that is connected hears of it.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/sim_internal.h"

#include <string.h>

#define DATAGRAM_MAX 65507
/* What waits to be received by one socket. */
#define QUEUE_MAX ((size_t)256 << 10)

/* What stands before the bytes of a chunk. */
struct envelope {
    rill__sim_address from, to;
};

static rill__sim_host *host_of(rill__sim_socket *socket, const rill__sim_address *to)
{
    bool own = rill__sim_is_loopback(to) || rill__sim_is_any(to);
    return own ? socket->host : rill__sim_host_at(socket->sim, to);
}

int rill__sim_datagram_connect(rill__sim_socket *socket, const rill__sim_address *peer)
{
    if (peer->base.sa_family != socket->family)
        return -EINVAL;
    if (!socket->host)
        return -EDESTADDRREQ; /* they are all bound first */
    socket->peer = *peer;
    socket->remote = host_of(socket, peer);
    socket->state = RILL__SIM_OPEN;
    return 0;
}

/* ---- sending ---- */

/* As the receiver sees it: a socket that is bound to any address sends from one that fits. */
static bool source_for(const rill__sim_socket *socket, const rill__sim_address *to,
                       rill__sim_address *ret_from)
{
    const rill__sim_host *host = socket->host;
    *ret_from = socket->local;
    if (!rill__sim_is_any(&socket->local))
        return true;
    const rill__sim_address *own = rill__sim_is_loopback(to) ? to : NULL;
    for (size_t i = 0; i < host->count && !own; i++)
        if (host->addresses[i].base.sa_family == socket->family)
            own = &host->addresses[i];
    if (!own)
        return false;
    *ret_from = *own;
    rill__sim_port_set(ret_from, rill__sim_port(&socket->local));
    return true;
}

static rill__sim_chunk *seal(const rill__op *op, const struct envelope *envelope)
{
    size_t len = sizeof *envelope + op->sendto.len;
    rill__sim_chunk *chunk = rill__world_alloc(sizeof *chunk + len);
    memcpy(chunk->bytes, envelope, sizeof *envelope);
    if (op->sendto.len > 0)
        memcpy(chunk->bytes + sizeof *envelope, op->sendto.ptr, op->sendto.len);
    chunk->start = sizeof *envelope;
    chunk->end = len;
    return chunk;
}

static void dispatch(rill__sim_socket *socket, const rill__op *op, const struct envelope *envelope)
{
    rill__sim *sim = socket->sim;
    rill__sim_link link = rill__sim_link_get(sim, socket->host, host_of(socket, &envelope->to));
    if (link.down || rill__sim_chance(sim, link.loss))
        return;
    for (int copies = rill__sim_chance(sim, link.twice) ? 2 : 1; copies > 0; copies--) {
        uint64_t way = rill__after(link.latency_ns, rill__sim_below(sim, link.jitter_ns));
        rill__sim_event *event =
            rill__sim_event_add(sim, RILL__SIM_DATAGRAM, socket, rill__after(sim->now, way));
        event->chunk = seal(op, envelope);
    }
}

int64_t rill__sim_sendto(rill__sim_socket *socket, const rill__op *op)
{
    struct envelope envelope = { .to = socket->peer };
    size_t len = op->sendto.address_len;
    if (op->sendto.address)
        memcpy(&envelope.to, op->sendto.address, len < sizeof envelope.to ? len : 0);
    else if (socket->state != RILL__SIM_OPEN)
        return -EDESTADDRREQ;
    if (socket->error)
        return rill__sim_told_error(socket);
    if (op->sendto.len > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (envelope.to.base.sa_family != socket->family || rill__sim_port(&envelope.to) == 0)
        return -EINVAL;
    if (!source_for(socket, &envelope.to, &envelope.from))
        return -ENETUNREACH;
    dispatch(socket, op, &envelope);
    return (int64_t)op->sendto.len;
}

/* ---- arriving ---- */

static bool same(const rill__sim_address *a, const rill__sim_address *b)
{
    return rill__sim_same_ip(a, b) && rill__sim_port(a) == rill__sim_port(b);
}

/* Who is connected hears its peer alone. */
static bool takes(const rill__sim_socket *socket, const rill__sim_host *host,
                  const struct envelope *envelope)
{
    const rill__sim_address *local = &socket->local;
    return socket->type == SOCK_DGRAM && socket->host == host &&
           socket->family == envelope->to.base.sa_family &&
           rill__sim_port(local) == rill__sim_port(&envelope->to) &&
           (rill__sim_is_any(local) || rill__sim_same_ip(local, &envelope->to)) &&
           (socket->state != RILL__SIM_OPEN || same(&socket->peer, &envelope->from));
}

/* Of several that share the port one is taken by chance. */
static rill__sim_socket *find_receiver(rill__sim *sim, const rill__sim_host *host,
                                       const struct envelope *envelope)
{
    rill__sim_socket *found = NULL;
    uint64_t count = 0;
    rill__list_each(node, &sim->bound) {
        rill__sim_socket *socket = rill__container(node, rill__sim_socket, bound);
        if (takes(socket, host, envelope) && (++count == 1 || rill__sim_below(sim, count) == 0))
            found = socket;
    }
    return found;
}

/* The answer of the machine that it came to, or of a router. */
static void tell_sender(rill__sim_socket *socket, const rill__sim_host *host,
                        const rill__sim_address *to)
{
    if (socket->state != RILL__SIM_OPEN || !same(&socket->peer, to))
        return;
    socket->error = host ? ECONNREFUSED : EHOSTUNREACH;
    rill__sim_serve(socket);
}

void rill__sim_datagram_arrives(rill__sim_event *event)
{
    rill__sim_socket *sender = event->to;
    const struct envelope *envelope = (const void *)event->chunk->bytes;
    if (!sender->host)
        return;
    const rill__sim_host *host = host_of(sender, &envelope->to);
    rill__sim_socket *receiver = host ? find_receiver(sender->sim, host, envelope) : NULL;
    size_t len = event->chunk->end;
    if (!receiver)
        tell_sender(sender, host, &envelope->to);
    else if (!receiver->stalled && !sender->stalled && receiver->unread + len <= QUEUE_MAX) {
        rill__list_append(&receiver->arrived, &event->chunk->link);
        event->chunk = NULL;
        receiver->unread += len;
        rill__sim_serve(receiver);
    }
}

/* ---- receiving ---- */

int64_t rill__sim_recvfrom(rill__sim_socket *socket, const rill__op *op)
{
    if (socket->error)
        return rill__sim_told_error(socket);
    rill__list *node = rill__list_pop(&socket->arrived);
    if (!node)
        return -EAGAIN;
    rill__sim_chunk *chunk = rill__container(node, rill__sim_chunk, link);
    const struct envelope *envelope = (const void *)chunk->bytes;
    size_t len = chunk->end - chunk->start;
    size_t part = len < op->recvfrom.len ? len : op->recvfrom.len;
    if (part > 0)
        memcpy(op->recvfrom.ptr, chunk->bytes + chunk->start, part);
    if (op->recvfrom.ret_address) {
        *op->recvfrom.ret_address = envelope->from.any;
        *op->recvfrom.ret_len = rill__sim_address_len(&envelope->from);
    }
    socket->unread -= chunk->end;
    rill__world_free(chunk);
    return (int64_t)len;
}
