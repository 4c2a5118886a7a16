/*
 * The simulated driver: its clock, its operations, and the faults that they meet.
 *
 * Time passes in poll alone. A program that only yields, or only looks at the clock, would wait for
 * ever: so after many polls or looks at one moment each further one takes a little time.
 */
#include "io/sim.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/sim_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The clock's zero is when the world began to be; 0 means "not read" elsewhere. */
#define START_NS RILL__SECOND
/* So many polls may find the clock unchanged; then it creeps: a microsecond a poll, and more after
 * each hundred, to a millisecond. */
#define IDLE_POLLS 1000
/* So many looks at the clock in one turn; then each takes a microsecond. */
#define LOOKS 10000
/* Bits of a fault's `accept` for what is no op. */
#define OPEN_BIT (1U << 16)

static rill__sim *self(rill__driver *driver)
{
    return (rill__sim *)driver;
}

/* ---- the clock ---- */

static uint64_t now(rill__driver *driver)
{
    rill__sim *sim = self(driver);
    if (++sim->looks > LOOKS)
        sim->now += 1000;
    return sim->now;
}

static uint64_t wall(rill__driver *driver)
{
    const rill__sim *sim = self(driver);
    return sim->config.wall_ns + (sim->now - sim->start);
}

void rill__sim_advance(rill__sim *sim, uint64_t ns)
{
    sim->now = rill__after(sim->now, ns);
    rill__sim_note(sim, "advance", ns, 0);
}

void rill__sim_wall_set(rill__sim *sim, uint64_t wall_ns)
{
    sim->config.wall_ns = wall_ns - (sim->now - sim->start);
    rill__sim_note(sim, "wall", wall_ns, 0);
}

static uint64_t creep(unsigned idle_polls)
{
    if (idle_polls < IDLE_POLLS)
        return 0;
    unsigned steps = (idle_polls - IDLE_POLLS) / 100;
    return UINT64_C(1000) << (steps < 10 ? steps : 10);
}

static void pass_time(rill__sim *sim, uint64_t until)
{
    sim->looks = 0;
    sim->idle_polls = until > sim->now ? 0 : sim->idle_polls + 1;
    if (until <= sim->now)
        until = sim->now + creep(sim->idle_polls);
    sim->now = until;
}

/* ---- polling ---- */

/* What travels over a link that is down waits for it. */
static bool is_held(const rill__sim_event *event)
{
    return event->kind >= RILL__SIM_CONNECTED && event->kind != RILL__SIM_FAILED &&
           rill__sim_link_of(event->to).down;
}

static void connect_ends(rill__sim_event *event)
{
    rill__sim_socket *socket = event->to;
    if (socket->state != RILL__SIM_CONNECTING)
        return;
    socket->state = event->kind == RILL__SIM_CONNECTED ? RILL__SIM_OPEN : RILL__SIM_NEW;
    socket->error = event->error;
    rill__sim_serve(socket);
}

static void happen(rill__sim_event *event)
{
    switch (event->kind) {
    case RILL__SIM_DATAGRAM:
        rill__sim_datagram_arrives(event);
        break;
    case RILL__SIM_POKE:
        event->to->poked = false;
        rill__sim_serve(event->to);
        break;
    case RILL__SIM_SYN:
        rill__sim_syn_arrives(event);
        break;
    case RILL__SIM_CONNECTED:
    case RILL__SIM_FAILED:
        connect_ends(event);
        break;
    case RILL__SIM_DATA:
    case RILL__SIM_FIN:
    case RILL__SIM_RST:
        rill__sim_bytes_arrive(event);
        break;
    }
}

/* What is due now; what that makes due at once is for the next poll, after the tasks it woke. */
static void happen_due(rill__sim *sim)
{
    uint64_t end = sim->next_order;
    while (sim->event_count > 0 && sim->heap[0]->order < end) {
        rill__sim_event *event = rill__sim_event_take(sim);
        if (!event)
            return;
        if (is_held(event)) {
            rill__list_append(&sim->held, &event->link);
            continue;
        }
        rill__sim_note(sim, "event", (uint64_t)event->to->fd, (int64_t)event->kind);
        happen(event);
        rill__sim_event_free(event);
    }
}

static bool is_over(const rill__sim *sim, uint64_t times)
{
    return sim->config.end_ns && sim->now - sim->start >= times * sim->config.end_ns;
}

static int poll_world(rill__driver *driver, uint64_t timeout_ns)
{
    rill__sim *sim = self(driver);
    if (__atomic_exchange_n(&sim->woken, false, __ATOMIC_ACQ_REL))
        timeout_ns = 0;
    uint64_t next = rill__sim_event_next(sim);
    if (is_over(sim, 2) || (next == RILL__NEVER && timeout_ns == RILL__NEVER))
        return -EDEADLK;
    uint64_t end = rill__after(sim->now, timeout_ns);
    if (sim->config.end_ns && !sim->timed_out && end > sim->start + sim->config.end_ns)
        end = sim->start + sim->config.end_ns;
    pass_time(sim, next < end ? next : end);
    happen_due(sim);
    if (sim->timed_out || !is_over(sim, 1))
        return 0;
    sim->timed_out = true;
    return -ETIME;
}

static void wake(rill__driver *driver)
{
    __atomic_store_n(&self(driver)->woken, true, __ATOMIC_RELEASE);
}

/* ---- faults ---- */

int rill__sim_fault_set(rill__sim *sim, const rill__sim_fault *fault)
{
    if (sim->fault_count == RILL__SIM_FAULTS_MAX)
        return -ENOSPC;
    sim->faults[sim->fault_count++] = *fault;
    return 0;
}

void rill__sim_fault_clear(rill__sim *sim)
{
    sim->fault_count = 0;
}

/* Counts an operation, and takes out the fault that it meets. */
static bool strike(rill__sim *sim, unsigned bit, rill__sim_fault *ret_fault)
{
    bool struck = false;
    sim->stats.operations++;
    for (size_t i = sim->fault_count; i-- > 0;) {
        rill__sim_fault *fault = &sim->faults[i];
        if ((fault->accept && !(fault->accept & bit)) || --fault->at > 0)
            continue;
        if (struck) {
            fault->at = 1; /* one at a time: it is for the next */
            continue;
        }
        *ret_fault = *fault;
        *fault = sim->faults[--sim->fault_count];
        struck = true;
    }
    if (!struck)
        return false;
    sim->stats.faults++;
    rill__sim_note(sim, "fault", bit, ret_fault->kind);
    return true;
}

static void stall(rill__sim_socket *socket)
{
    socket->stalled = true;
    if (socket->other)
        socket->other->stalled = true;
}

/* Returns true when the op completes with what the fault makes of it. */
static bool meet_fault(rill__sim_socket *socket, rill__op *op, const rill__sim_fault *fault)
{
    switch (fault->kind) {
    case RILL__SIM_SHORT:
        socket->one_byte = true;
        return false;
    case RILL__SIM_AGAIN:
        return false;
    case RILL__SIM_RESET:
        op->result = -ECONNRESET;
        if (socket->state == RILL__SIM_OPEN && socket->type == SOCK_STREAM) {
            rill__sim_break(socket);
            socket->error = 0; /* told here */
        }
        return true;
    case RILL__SIM_STALL:
        stall(socket);
        return false;
    case RILL__SIM_ERROR:
        op->result = -fault->error;
        return true;
    }
    return false;
}

/* ---- operations ---- */

static bool may_be_late(const rill__op *op)
{
    return op->kind != RILL__OP_CONNECT && op->kind != RILL__OP_READABLE &&
           op->kind != RILL__OP_WRITABLE;
}

/* A datagram is received and sent, too. */
static unsigned fault_bit(const rill__op *op)
{
    return 1U << (op->kind == RILL__OP_RECVFROM ? RILL__OP_RECV
                  : op->kind == RILL__OP_SENDTO ? RILL__OP_SEND
                                                : op->kind);
}

static bool submit(rill__driver *driver, rill__op *op)
{
    rill__sim *sim = self(driver);
    if (!rill__op_begin(op))
        return true;
    rill__sim_socket *socket = rill__sim_socket_of(sim, op->handle->fd);
    rill__sim_fault fault = { 0 };
    rill__sim_note(sim, "submit", (uint64_t)socket->fd, (int64_t)op->kind);
    bool struck = strike(sim, fault_bit(op), &fault);
    if (struck && meet_fault(socket, op, &fault))
        return true;
    if (op->kind == RILL__OP_CONNECT) {
        int rc = rill__sim_connect(socket, op->connect.address, op->connect.len);
        op->result = rc;
        if (rc < 0)
            return true;
    }
    bool late = may_be_late(op) && ((struck && fault.kind == RILL__SIM_AGAIN) ||
                                    rill__sim_chance(sim, rill__sim_link_of(socket).split));
    if (!late && rill__sim_try(socket, op))
        return true;
    rill__op_place(driver, op);
    if (late)
        rill__sim_poke(socket);
    return false;
}

static bool cancel(rill__driver *driver, rill__op *op)
{
    rill__op_take_back(driver, op);
    return true;
}

/* ---- handles ---- */

static int open_socket(rill__driver *driver, rill__handle *handle, int family, int type)
{
    rill__sim *sim = self(driver);
    rill__sim_fault fault = { 0 };
    if (strike(sim, OPEN_BIT, &fault) && fault.kind == RILL__SIM_ERROR)
        return -fault.error;
    if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
        (type != SOCK_STREAM && (type != SOCK_DGRAM || family == AF_UNIX)))
        return -EPROTONOSUPPORT;
    rill__sim_socket *socket = rill__sim_socket_new(sim, family, type);
    int fd = rill__sim_socket_number(socket);
    if (fd < 0) {
        rill__sim_socket_unref(socket);
        return fd;
    }
    *handle = (rill__handle){ .fd = fd, .ready = RILL__READY_READ | RILL__READY_WRITE };
    socket->handle = handle;
    return 0;
}

static int adopt(rill__driver *driver, rill__handle *handle, int fd)
{
    rill__sim_socket *socket = rill__sim_socket_of(self(driver), fd);
    *handle = (rill__handle){ .fd = -1 };
    if (!socket)
        return -EBADF; /* the kernel's: there is no kernel here */
    if (socket->handle)
        return -EEXIST;
    *handle = (rill__handle){ .fd = fd, .ready = RILL__READY_READ | RILL__READY_WRITE };
    socket->handle = handle;
    return 0;
}

static void discard(rill__driver *driver, int fd)
{
    rill__sim_socket *socket = rill__sim_socket_of(self(driver), fd);
    if (socket)
        rill__sim_socket_close(socket);
}

static void close_handle(rill__driver *driver, rill__handle *handle)
{
    int fd = handle->fd;
    if (fd < 0)
        return;
    handle->fd = -1;
    rill__sim_socket *socket = rill__sim_socket_of(self(driver), fd);
    socket->handle = NULL;
    if (!handle->foreign)
        rill__sim_socket_close(socket);
    rill__handle_end_ops(driver, handle);
}

static int set_option(rill__driver *driver, rill__handle *handle, rill__option option, int value)
{
    rill__sim_socket *socket = rill__sim_socket_of(self(driver), handle->fd);
    if (!socket)
        return -EBADF;
    if (option == RILL__OPTION_REUSE_PORT)
        socket->reuse_port = value;
    else if (option == RILL__OPTION_RESET_ON_CLOSE)
        socket->reset_on_close = value;
    return 0;
}

static int shut_down(rill__driver *driver, rill__handle *handle)
{
    rill__sim_socket *socket = rill__sim_socket_of(self(driver), handle->fd);
    if (!socket)
        return -EBADF;
    if (socket->state != RILL__SIM_OPEN || socket->broken)
        return -ENOTCONN;
    if (!socket->shut)
        rill__sim_end(socket, RILL__SIM_FIN);
    socket->shut = true;
    return 0;
}

static void unbind(rill__driver *driver, const rill__bound *bound)
{
    (void)driver;
    (void)bound;
}

/* ---- chance and order ---- */

static void random_bytes(rill__driver *driver, void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)rill__sim_random(self(driver));
}

static uint64_t job_time(rill__driver *driver)
{
    rill__sim *sim = self(driver);
    return rill__sim_below(sim, sim->config.job_ns + 1);
}

static size_t pick(rill__driver *driver, size_t count)
{
    rill__sim *sim = self(driver);
    return sim->config.shuffle ? (size_t)rill__sim_below(sim, count) : 0;
}

static void note(rill__driver *driver, uint64_t task)
{
    rill__sim_note(self(driver), "run", task, 0);
}

/* ---- beginning and end ---- */

static void loop_ends(rill__driver *driver)
{
    (void)driver; /* its maker frees it */
}

static const struct rill__driver_ops sim_ops = {
    .name = "sim",
    .now = now,
    .wall = wall,
    .random = random_bytes,
    .resolve = rill__sim_resolve,
    .job_time = job_time,
    .pick = pick,
    .note = note,
    .poll = poll_world,
    .wake = wake,
    .open = open_socket,
    .adopt = adopt,
    .bind = rill__sim_bind,
    .unbind = unbind,
    .listen = rill__sim_listen,
    .local = rill__sim_local,
    .option = set_option,
    .shutdown = shut_down,
    .discard = discard,
    .submit = submit,
    .cancel = cancel,
    .close = close_handle,
    .free = loop_ends,
};

rill__sim *rill__sim_new(const rill__sim_config *config)
{
    rill__sim *sim = rill__world_alloc(sizeof *sim);
    sim->base.ops = &sim_ops;
    sim->config = *config;
    sim->now = sim->start = START_NS;
    sim->random = config->seed;
    sim->traced = getenv("RILL_TRACE") != NULL;
    rill__list_init(&sim->hosts);
    rill__list_init(&sim->pairs);
    rill__list_init(&sim->names);
    rill__list_init(&sim->sockets);
    rill__list_init(&sim->bound);
    rill__list_init(&sim->held);
    rill__sim_host_add(sim, "here", NULL);
    rill__sim_host_add(sim, "here", "fd00::1");
    sim->here = rill__sim_host_find(sim, "here");
    return sim;
}

rill__driver *rill__sim_driver(rill__sim *sim)
{
    return &sim->base;
}

rill__sim *rill__sim_of(rill__driver *driver)
{
    return driver->ops == &sim_ops ? self(driver) : NULL;
}

void rill__sim_free(rill__sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; i < sim->table_size; i++)
        if (sim->table[i])
            rill__sim_socket_close(sim->table[i]);
    for (rill__list *node; (node = rill__list_pop(&sim->held));)
        rill__sim_event_free(rill__container(node, rill__sim_event, link));
    for (size_t i = 0; i < sim->event_count; i++)
        rill__sim_event_free(sim->heap[i]);
    rill__sim_world_free(sim);
    rill__world_free(sim->heap);
    rill__world_free(sim->table);
    rill__world_free(sim);
}

/* ---- what it says of itself ---- */

void rill__sim_stats_get(const rill__sim *sim, rill__sim_stats *ret_stats)
{
    *ret_stats = sim->stats;
    ret_stats->now = sim->now - sim->start;
}

void rill__sim_list_open(const rill__sim *sim, char *text, size_t size)
{
    static const char *const states[] = { "new", "listening", "connecting", "open", "closed" };
    size_t used = 0;
    text[0] = '\0';
    rill__list_each(node, &sim->sockets) {
        const rill__sim_socket *socket = rill__container(node, rill__sim_socket, link);
        int len = snprintf(text + used, size - used, "%s%s on %s, port %d", used ? "; " : "",
                           states[socket->state], socket->host ? socket->host->name : "no host",
                           socket->family == AF_UNIX ? 0 : rill__sim_port(&socket->local));
        if (len < 0 || (size_t)len >= size - used)
            return;
        used += (size_t)len;
    }
}
