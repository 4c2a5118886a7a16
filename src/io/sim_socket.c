/* The sockets of the simulated world: descriptors, where they are bound, how they meet and end. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fail.h"
#include "io/sim_internal.h"

#include <string.h>

#define DESCRIPTORS 65536
#define PORTS 16384 /* ephemeral ones */
/* Connects that meet no answer are tried again after 1, 2, 4 … s; that makes 127 s, as with Linux.
 */
#define CONNECT_TRIES 6

/* ---- descriptors ---- */

rill__sim_socket *rill__sim_socket_of(const rill__sim *sim, int fd)
{
    size_t at = (size_t)fd - RILL__SIM_FIRST_FD;
    return fd >= RILL__SIM_FIRST_FD && at < sim->table_size ? sim->table[at] : NULL;
}

rill__sim_socket *rill__sim_socket_new(rill__sim *sim, int family, int type)
{
    rill__sim_socket *socket = rill__world_alloc(sizeof *socket);
    socket->sim = sim;
    socket->refs = 1; /* that of its descriptor */
    socket->family = family;
    socket->type = type;
    socket->local.base.sa_family = socket->peer.base.sa_family = (sa_family_t)family;
    rill__list_init(&socket->queue);
    rill__list_init(&socket->arrived);
    return socket;
}

rill__sim_socket *rill__sim_socket_ref(rill__sim_socket *socket)
{
    socket->refs++;
    return socket;
}

void rill__sim_socket_unref(rill__sim_socket *socket)
{
    if (socket && --socket->refs == 0)
        rill__world_free(socket);
}

static void grow_table(rill__sim *sim)
{
    size_t size = sim->table_size ? 2 * sim->table_size : 64;
    sim->table = rill__world_realloc(sim->table, size * sizeof *sim->table);
    memset(sim->table + sim->table_size, 0, (size - sim->table_size) * sizeof *sim->table);
    sim->table_size = size;
}

/* The lowest that is free, as the kernel does. */
int rill__sim_socket_number(rill__sim_socket *socket)
{
    rill__sim *sim = socket->sim;
    if (sim->stats.open >= (sim->config.descriptors ? sim->config.descriptors : DESCRIPTORS))
        return -EMFILE;
    size_t at = sim->table_used;
    while (at < sim->table_size && sim->table[at])
        at++;
    if (at == sim->table_size)
        grow_table(sim);
    sim->table[at] = socket;
    sim->table_used = at + 1;
    sim->stats.open++;
    rill__list_append(&sim->sockets, &socket->link);
    socket->fd = RILL__SIM_FIRST_FD + (int)at;
    return socket->fd;
}

/* ---- binding ---- */

static bool is_local(const rill__sim_socket *socket)
{
    return socket->family == AF_UNIX;
}

static bool overlap(const rill__sim_socket *socket, const rill__sim_address *address)
{
    const rill__sim_address *local = &socket->local;
    if (socket->family != address->base.sa_family)
        return false;
    if (is_local(socket))
        return strcmp(local->local.sun_path, address->local.sun_path) == 0;
    return rill__sim_port(local) == rill__sim_port(address) &&
           (rill__sim_is_any(local) || rill__sim_is_any(address) ||
            rill__sim_same_ip(local, address));
}

/* Whether another socket of the host is there already. */
static bool is_taken(const rill__sim_socket *asking, const rill__sim_address *address)
{
    rill__list_each(node, &asking->sim->bound) {
        const rill__sim_socket *socket = rill__container(node, rill__sim_socket, bound);
        bool shared = socket->reuse_port && asking->reuse_port;
        if (socket != asking && socket->host == asking->host && socket->type == asking->type &&
            !shared && overlap(socket, address))
            return true;
    }
    return false;
}

static int take_port(rill__sim_socket *socket, rill__sim_address *address)
{
    for (int i = 0; i < PORTS; i++) {
        rill__sim_port_set(address, socket->host->next_port);
        socket->host->next_port = socket->host->next_port == UINT16_MAX
                                      ? UINT16_MAX - PORTS + 1
                                      : (uint16_t)(socket->host->next_port + 1);
        if (!is_taken(socket, address))
            return 0;
    }
    return -EADDRNOTAVAIL;
}

static int bind_to(rill__sim_socket *socket, const rill__sim_address *given)
{
    rill__sim *sim = socket->sim;
    rill__sim_address address = *given;
    bool own = is_local(socket) || rill__sim_is_any(&address) || rill__sim_is_loopback(&address);
    socket->host = own ? rill__sim_here(sim) : rill__sim_host_at(sim, &address);
    if (!socket->host)
        return -EADDRNOTAVAIL;
    if (!is_local(socket) && rill__sim_port(&address) == 0)
        RILL__TRY(take_port(socket, &address));
    if (is_taken(socket, &address))
        return -EADDRINUSE;
    socket->local = address;
    rill__list_append(&sim->bound, &socket->bound);
    return 0;
}

int rill__sim_bind(rill__driver *driver, rill__handle *handle, const struct sockaddr *address,
                   socklen_t len, rill__bound *ret_bound)
{
    (void)ret_bound; /* there is no file */
    rill__sim_socket *socket = rill__sim_socket_of(rill__sim_of(driver), handle->fd);
    rill__sim_address given = { 0 };
    memcpy(&given, address, len < sizeof given ? len : sizeof given);
    if (given.base.sa_family != socket->family || socket->host)
        return -EINVAL;
    int rc = bind_to(socket, &given);
    if (rc < 0)
        socket->host = NULL;
    rill__sim_note(socket->sim, "bind", (uint64_t)handle->fd, rc);
    return rc;
}

int rill__sim_listen(rill__driver *driver, rill__handle *handle, int backlog)
{
    rill__sim_socket *socket = rill__sim_socket_of(rill__sim_of(driver), handle->fd);
    if (socket->state != RILL__SIM_NEW || !socket->host)
        return -EINVAL;
    socket->state = RILL__SIM_LISTENING;
    socket->backlog = backlog > 0 ? (size_t)backlog : 1;
    return 0;
}

int rill__sim_local(rill__driver *driver, rill__handle *handle,
                    struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    const rill__sim_socket *socket = rill__sim_socket_of(rill__sim_of(driver), handle->fd);
    *ret_address = socket->local.any;
    *ret_len = rill__sim_address_len(&socket->local);
    return 0;
}

socklen_t rill__sim_address_len(const rill__sim_address *address)
{
    switch (address->base.sa_family) {
    case AF_INET:
        return sizeof address->v4;
    case AF_INET6:
        return sizeof address->v6;
    default:
        return address->local.sun_path[0] ? sizeof address->local
                                          : offsetof(struct sockaddr_un, sun_path);
    }
}

/* ---- connecting ---- */

/* The address that a connect is made from. */
static int choose_local(rill__sim_socket *socket)
{
    rill__sim_address local = socket->peer;
    if (!rill__sim_is_loopback(&socket->peer)) {
        size_t at = 0;
        while (at < socket->host->count &&
               socket->host->addresses[at].base.sa_family != socket->family)
            at++;
        if (at == socket->host->count)
            return -ENETUNREACH;
        local = socket->host->addresses[at];
    }
    RILL__TRY(take_port(socket, &local));
    socket->local = local;
    return 0;
}

static rill__sim_host *target_host(rill__sim_socket *socket)
{
    const rill__sim_address *peer = &socket->peer;
    bool own = is_local(socket) || rill__sim_is_loopback(peer) || rill__sim_is_any(peer);
    return own ? socket->host : rill__sim_host_at(socket->sim, peer);
}

int rill__sim_connect(rill__sim_socket *socket, const struct sockaddr *address, socklen_t len)
{
    rill__sim *sim = socket->sim;
    rill__sim_address peer = { 0 };
    memcpy(&peer, address, len < sizeof peer ? len : sizeof peer);
    if (socket->type == SOCK_DGRAM)
        return rill__sim_datagram_connect(socket, &peer);
    if (socket->state != RILL__SIM_NEW || address->sa_family != socket->family)
        return socket->state == RILL__SIM_OPEN ? -EISCONN : -EINVAL;
    socket->peer = peer;
    if (!socket->host) {
        socket->host = rill__sim_here(sim);
        if (!is_local(socket))
            RILL__TRY(choose_local(socket));
    }
    socket->remote = target_host(socket);
    socket->state = RILL__SIM_CONNECTING;
    socket->tries = 0;
    rill__sim_event_add(sim, RILL__SIM_SYN, socket, rill__sim_arrival(socket, 0));
    return 0;
}

static void fail_connect(rill__sim_socket *socket, int error, uint64_t after_ns)
{
    rill__sim *sim = socket->sim;
    uint64_t at = rill__after(sim->now, after_ns);
    rill__sim_event_add(sim, RILL__SIM_FAILED, socket, at)->error = error;
}

static void try_again(rill__sim_socket *socket)
{
    uint64_t pause = RILL__SECOND << socket->tries;
    if (socket->tries++ == CONNECT_TRIES)
        fail_connect(socket, ETIMEDOUT, pause);
    else
        rill__sim_event_add(socket->sim, RILL__SIM_SYN, socket,
                            rill__after(socket->sim->now, pause));
}

/* Of several that share the port one is taken by chance. */
static rill__sim_socket *find_listener(rill__sim *sim, const rill__sim_host *host,
                                       const rill__sim_address *address)
{
    rill__sim_socket *found = NULL;
    uint64_t count = 0;
    rill__list_each(node, &sim->bound) {
        rill__sim_socket *socket = rill__container(node, rill__sim_socket, bound);
        if (socket->state != RILL__SIM_LISTENING || socket->host != host ||
            !overlap(socket, address))
            continue;
        if (++count == 1 || rill__sim_below(sim, count) == 0)
            found = socket;
    }
    return found;
}

/* The server's side exists from now on, and waits to be accepted. */
static void meet(rill__sim_socket *client, rill__sim_socket *listener)
{
    rill__sim *sim = client->sim;
    rill__sim_socket *server = rill__sim_socket_new(sim, client->family, client->type);
    server->state = RILL__SIM_OPEN;
    server->host = listener->host;
    server->remote = client->host;
    server->local = client->peer;
    server->peer = client->local;
    server->other = rill__sim_socket_ref(client);
    client->other = rill__sim_socket_ref(server);
    rill__list_append(&listener->queue, &server->link);
    listener->queued++;
    rill__sim_event_add(sim, RILL__SIM_CONNECTED, client, rill__sim_arrival(server, 0));
    rill__sim_serve(listener);
}

/* What a connect hears: 0, it is let in; EAGAIN, nothing; else why not. */
static int answer_to(rill__sim_socket *socket, const rill__sim_socket *listener,
                     const rill__sim_link *link)
{
    if (!socket->remote)
        return EHOSTUNREACH;
    if (link->down)
        return EAGAIN;
    if (!listener || rill__sim_chance(socket->sim, link->refuse))
        return is_local(socket) ? ENOENT : ECONNREFUSED;
    if (listener->queued < listener->backlog)
        return 0;
    return is_local(socket) ? ENOBUFS : EAGAIN;
}

void rill__sim_syn_arrives(rill__sim_event *event)
{
    rill__sim_socket *socket = event->to;
    if (socket->state != RILL__SIM_CONNECTING)
        return;
    rill__sim_link link = rill__sim_link_of(socket);
    rill__sim_socket *listener = find_listener(socket->sim, socket->remote, &socket->peer);
    int error = answer_to(socket, listener, &link);
    if (error == 0)
        meet(socket, listener);
    else if (error == EAGAIN)
        try_again(socket);
    else
        fail_connect(socket, error, link.latency_ns);
}

/* ---- operations ---- */

static int64_t try_accept(rill__sim_socket *socket, rill__op *op)
{
    if (socket->state != RILL__SIM_LISTENING)
        return -EINVAL;
    rill__list *node = rill__list_pop(&socket->queue);
    if (!node)
        return -EAGAIN;
    rill__sim_socket *got = rill__container(node, rill__sim_socket, link);
    int fd = rill__sim_socket_number(got);
    if (fd < 0) {
        rill__list_prepend(&socket->queue, &got->link);
        return fd;
    }
    socket->queued--;
    if (op->accept.ret_address) {
        *op->accept.ret_address = got->peer.any;
        *op->accept.ret_len = rill__sim_address_len(&got->peer);
    }
    return fd;
}

static int64_t try_connected(rill__sim_socket *socket)
{
    if (socket->state == RILL__SIM_CONNECTING)
        return -EAGAIN;
    int error = socket->error;
    socket->error = 0;
    return -error;
}

static int64_t try_readable(const rill__sim_socket *socket)
{
    bool ready = socket->state == RILL__SIM_LISTENING
                     ? socket->queued > 0
                     : !rill__list_empty(&socket->arrived) || socket->ended || socket->error;
    return ready ? 0 : -EAGAIN;
}

static int64_t try_writable(const rill__sim_socket *socket)
{
    return socket->type == SOCK_DGRAM || rill__sim_room(socket) > 0 || socket->broken ||
                   socket->error
               ? 0
               : -EAGAIN;
}

bool rill__sim_try(rill__sim_socket *socket, rill__op *op)
{
    switch (op->kind) {
    case RILL__OP_RECV:
        op->result = rill__sim_recv(socket, op);
        break;
    case RILL__OP_SEND:
        op->result = rill__sim_send(socket, op);
        break;
    case RILL__OP_ACCEPT:
        op->result = try_accept(socket, op);
        break;
    case RILL__OP_CONNECT:
        op->result = try_connected(socket);
        break;
    case RILL__OP_READABLE:
        op->result = try_readable(socket);
        break;
    case RILL__OP_WRITABLE:
        op->result = try_writable(socket);
        break;
    case RILL__OP_RECVFROM:
        op->result = rill__sim_recvfrom(socket, op);
        break;
    case RILL__OP_SENDTO:
        op->result = rill__sim_sendto(socket, op);
        break;
    }
    if (op->result == -EAGAIN)
        return false;
    rill__sim_note(socket->sim, "done", (uint64_t)socket->fd, op->result);
    return true;
}

static void serve_op(rill__sim_socket *socket, rill__op *op)
{
    if (!op || !rill__sim_try(socket, op))
        return;
    rill__driver *driver = &socket->sim->base;
    const void *before = driver->place;
    driver->place = socket->host;
    rill__op_unplace(driver, op);
    op->done(op);
    driver->place = before;
}

void rill__sim_serve(rill__sim_socket *socket)
{
    rill__sim_socket_ref(socket);
    if (socket->handle)
        serve_op(socket, socket->handle->reader);
    if (socket->handle) /* it may have been closed meanwhile */
        serve_op(socket, socket->handle->writer);
    rill__sim_socket_unref(socket);
}

void rill__sim_poke(rill__sim_socket *socket)
{
    if (socket->poked || !socket->handle)
        return;
    socket->poked = true;
    rill__sim_event_add(socket->sim, RILL__SIM_POKE, socket, socket->sim->now);
}

/* ---- the end ---- */

static void close_connection(rill__sim_socket *socket)
{
    if (socket->reset_on_close || !rill__list_empty(&socket->arrived))
        rill__sim_end(socket, RILL__SIM_RST);
    else if (!socket->shut)
        rill__sim_end(socket, RILL__SIM_FIN);
    rill__sim_chunks_free(socket);
}

/* Who was not accepted learns that nobody is there. */
static void close_queue(rill__sim_socket *listener)
{
    for (rill__list *node; (node = rill__list_pop(&listener->queue));) {
        rill__sim_socket *socket = rill__container(node, rill__sim_socket, link);
        socket->reset_on_close = true;
        rill__sim_socket_close(socket);
    }
}

void rill__sim_socket_close(rill__sim_socket *socket)
{
    rill__sim *sim = socket->sim;
    rill__sim_note(sim, "close", (uint64_t)socket->fd, 0);
    if (socket->fd) {
        size_t at = (size_t)(socket->fd - RILL__SIM_FIRST_FD);
        sim->table[at] = NULL;
        sim->table_used = at < sim->table_used ? at : sim->table_used;
        sim->stats.open--;
    }
    rill__list_remove(&socket->link);
    rill__list_remove(&socket->bound);
    socket->handle = NULL;
    close_queue(socket);
    close_connection(socket);
    socket->state = RILL__SIM_CLOSED;
    rill__sim_socket_unref(socket->other);
    socket->other = NULL;
    rill__sim_socket_unref(socket);
}
