/*
 * Bytes in the simulated world. What is sent travels as chunks, in order; what has arrived waits to
 * be received. A sender may have so many bytes under way or unread, its window, and waits then.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/sim_internal.h"

#include <string.h>

#define WINDOW ((size_t)256 << 10)

rill__sim_link rill__sim_link_of(const rill__sim_socket *socket)
{
    return rill__sim_link_get(socket->sim, socket->host, socket->remote);
}

/* ---- the way ---- */

uint64_t rill__sim_arrival(rill__sim_socket *from, size_t bytes)
{
    rill__sim *sim = from->sim;
    rill__sim_link link = rill__sim_link_of(from);
    uint64_t at = sim->now;
    if (link.bandwidth > 0) {
        at = from->line_free > at ? from->line_free : at;
        at = rill__after(at, rill__seconds_ns((double)bytes / link.bandwidth));
        from->line_free = at;
    }
    at = rill__after(at, link.latency_ns);
    if (link.jitter_ns)
        at = rill__after(at, rill__sim_below(sim, link.jitter_ns));
    if (rill__sim_chance(sim, link.stall))
        at = rill__after(at, link.stall_ns);
    from->last_arrival = at > from->last_arrival ? at : from->last_arrival;
    return from->last_arrival;
}

static void send_chunk(rill__sim_socket *from, rill__sim_chunk *chunk)
{
    uint64_t at = rill__sim_arrival(from, chunk->end);
    rill__sim_event *event = rill__sim_event_add(from->sim, RILL__SIM_DATA, from->other, at);
    event->from = rill__sim_socket_ref(from);
    event->chunk = chunk;
    from->other->unread += chunk->end;
}

void rill__sim_end(rill__sim_socket *socket, rill__sim_event_kind kind)
{
    if (!socket->other || socket->broken)
        return;
    uint64_t at = rill__sim_arrival(socket, 0);
    rill__sim_event *event = rill__sim_event_add(socket->sim, kind, socket->other, at);
    event->from = rill__sim_socket_ref(socket);
}

/* ---- arriving ---- */

static void see_reset(rill__sim_socket *socket)
{
    if (!socket->broken)
        socket->error = ECONNRESET;
    socket->broken = socket->ended = true;
}

void rill__sim_break(rill__sim_socket *socket)
{
    rill__sim_end(socket, RILL__SIM_RST);
    see_reset(socket);
    rill__sim_poke(socket);
}

/* Nobody is there any more: the sender hears so. */
static void answer_reset(rill__sim_event *event)
{
    rill__sim_socket *from = event->from;
    if (event->kind != RILL__SIM_DATA || !from || from->state == RILL__SIM_CLOSED)
        return;
    uint64_t at = rill__after(from->sim->now, rill__sim_link_of(from).latency_ns);
    rill__sim_event_add(from->sim, RILL__SIM_RST, from, at);
}

void rill__sim_bytes_arrive(rill__sim_event *event)
{
    rill__sim_socket *to = event->to;
    if (to->state == RILL__SIM_CLOSED) {
        answer_reset(event);
        return;
    }
    if (to->stalled || to->broken)
        return;
    if (event->kind == RILL__SIM_RST) {
        see_reset(to);
    } else if (event->kind == RILL__SIM_FIN) {
        to->ended = true;
    } else {
        rill__list_append(&to->arrived, &event->chunk->link);
        event->chunk = NULL;
    }
    rill__sim_serve(to);
}

/* ---- receiving ---- */

static size_t some_of(rill__sim_socket *socket, size_t count)
{
    rill__sim *sim = socket->sim;
    if (socket->one_byte && count > 0) {
        socket->one_byte = false;
        return 1;
    }
    if (count > 1 && rill__sim_chance(sim, rill__sim_link_of(socket).split))
        return 1 + (size_t)rill__sim_below(sim, count - 1);
    return count;
}

static size_t first_bytes(const rill__sim_socket *socket)
{
    size_t count = 0;
    rill__list_each(node, &socket->arrived) {
        const rill__sim_chunk *chunk = rill__container(node, rill__sim_chunk, link);
        count += chunk->end - chunk->start;
    }
    return count;
}

static void take_bytes(rill__sim_socket *socket, char *to, size_t count)
{
    while (count > 0) {
        rill__sim_chunk *chunk = rill__container(socket->arrived.next, rill__sim_chunk, link);
        size_t here = chunk->end - chunk->start;
        size_t part = here < count ? here : count;
        memcpy(to, chunk->bytes + chunk->start, part);
        to += part;
        count -= part;
        chunk->start += part;
        if (chunk->start < chunk->end)
            continue;
        rill__list_remove(&chunk->link);
        rill__world_free(chunk);
    }
}

int64_t rill__sim_told_error(rill__sim_socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return -error;
}

int64_t rill__sim_recv(rill__sim_socket *socket, rill__op *op)
{
    if (socket->state != RILL__SIM_OPEN)
        return -ENOTCONN;
    size_t there = first_bytes(socket);
    if (there == 0)
        return socket->error ? rill__sim_told_error(socket) : socket->ended ? 0 : -EAGAIN;
    void *ptr = op->recv.ptr;
    size_t len = op->recv.len;
    if (!ptr && !(ptr = op->recv.borrow(op, &len)))
        return -ENOMEM;
    size_t count = some_of(socket, there < len ? there : len);
    take_bytes(socket, ptr, count);
    socket->unread -= count;
    if (socket->other)
        rill__sim_poke(socket->other);
    return (int64_t)count;
}

void rill__sim_chunks_free(rill__sim_socket *socket)
{
    for (rill__list *node; (node = rill__list_pop(&socket->arrived));)
        rill__world_free(rill__container(node, rill__sim_chunk, link));
}

/* ---- sending ---- */

static size_t length_of(const rill__op *op)
{
    size_t len = 0;
    for (int i = 0; i < op->send.count; i++)
        len += op->send.iov[i].iov_len;
    return len;
}

/* Copies `count` bytes from the vector, after `skip`. */
static rill__sim_chunk *copy_out(const rill__op *op, size_t skip, size_t count)
{
    rill__sim_chunk *chunk = rill__world_alloc(sizeof *chunk + count);
    for (int i = 0; i < op->send.count && chunk->end < count; i++) {
        const struct iovec *iov = &op->send.iov[i];
        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        size_t part = iov->iov_len - skip;
        part = part < count - chunk->end ? part : count - chunk->end;
        memcpy(chunk->bytes + chunk->end, (const char *)iov->iov_base + skip, part);
        chunk->end += part;
        skip = 0;
    }
    return chunk;
}

/* In one piece or, by chance, in two, of which the second may come later. */
static void carry(rill__sim_socket *socket, const rill__op *op, size_t count)
{
    rill__sim *sim = socket->sim;
    size_t first = count;
    if (count > 1 && rill__sim_chance(sim, rill__sim_link_of(socket).split))
        first = 1 + (size_t)rill__sim_below(sim, count - 1);
    send_chunk(socket, copy_out(op, 0, first));
    if (first < count)
        send_chunk(socket, copy_out(op, first, count - first));
}

size_t rill__sim_room(const rill__sim_socket *socket)
{
    if (socket->state != RILL__SIM_OPEN)
        return 0;
    size_t window = socket->sim->config.window ? socket->sim->config.window : WINDOW;
    return window > socket->other->unread ? window - socket->other->unread : 0;
}

int64_t rill__sim_send(rill__sim_socket *socket, const rill__op *op)
{
    rill__sim *sim = socket->sim;
    if (socket->state != RILL__SIM_OPEN)
        return -ENOTCONN;
    if (socket->error)
        return rill__sim_told_error(socket);
    if (socket->shut || socket->broken)
        return -EPIPE;
    size_t len = length_of(op);
    size_t room = rill__sim_room(socket);
    if (len > 0 && room == 0)
        return -EAGAIN;
    if (rill__sim_chance(sim, rill__sim_link_of(socket).reset)) {
        rill__sim_break(socket);
        return rill__sim_told_error(socket);
    }
    size_t count = some_of(socket, len < room ? len : room);
    if (count > 0)
        carry(socket, op, count);
    return (int64_t)count;
}
