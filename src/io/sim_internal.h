/*
 * What the files of the simulated driver share.
 *
 *   sim.c         the driver: clock, operations, faults
 *   sim_world.c   hosts, links, names
 *   sim_socket.c  descriptors, binding, listening, connecting, closing
 *   sim_stream.c  bytes: their way, receiving, sending
 *   sim_datagram.c  datagrams
 *   sim_event.c   events in the order of their time, chance, and the trace
 */
#ifndef RILL_SRC_IO_SIM_INTERNAL_H
#define RILL_SRC_IO_SIM_INTERNAL_H

#include "base/list.h"
#include "io/handle.h"
#include "io/sim.h"

#include <assert.h>
#include <netinet/in.h>
#include <sys/un.h>

#define RILL__SIM_FIRST_FD (1 << 24)
#define RILL__SIM_FAULTS_MAX 16
#define RILL__SIM_HOST_ADDRESSES 4

typedef struct rill__sim_socket rill__sim_socket;

typedef union rill__sim_address {
    struct sockaddr base;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage any;
} rill__sim_address;

struct rill__sim_host {
    rill__list link; /* rill__sim.hosts */
    size_t count;
    rill__sim_address addresses[RILL__SIM_HOST_ADDRESSES];
    uint16_t next_port; /* the next ephemeral one */
    char text[INET6_ADDRSTRLEN];
    char name[];
};

/* A link of two hosts, in no order. */
struct rill__sim_pair {
    rill__list link; /* rill__sim.pairs */
    const rill__sim_host *a, *b;
    rill__sim_link how;
};

struct rill__sim_name {
    rill__list link; /* rill__sim.names */
    int status;
    uint64_t delay_ns;
    char name[];
};

/* Bytes on their way, or arrived and not read. */
typedef struct rill__sim_chunk {
    rill__list link; /* rill__sim_socket.arrived */
    size_t start, end;
    _Alignas(max_align_t) char bytes[];
} rill__sim_chunk;

typedef enum rill__sim_event_kind {
    RILL__SIM_DATAGRAM,  /* one that this socket sent arrives somewhere */
    RILL__SIM_POKE,      /* look at the socket's ops again */
    RILL__SIM_SYN,       /* a connect reaches the host of its target */
    RILL__SIM_CONNECTED, /* its answer is back */
    RILL__SIM_FAILED,    /* likewise: with an error */
    RILL__SIM_DATA,
    RILL__SIM_FIN,
    RILL__SIM_RST,
} rill__sim_event_kind;

typedef struct rill__sim_event {
    rill__list link; /* rill__sim.held: its link is down */
    uint64_t at, order;
    rill__sim_event_kind kind;
    int error;
    rill__sim_socket *to, *from; /* counted references; from may be NULL */
    rill__sim_chunk *chunk;
} rill__sim_event;

typedef enum rill__sim_state {
    RILL__SIM_NEW,
    RILL__SIM_LISTENING,
    RILL__SIM_CONNECTING,
    RILL__SIM_OPEN,
    RILL__SIM_CLOSED,
} rill__sim_state;

struct rill__sim_socket {
    rill__list link;  /* rill__sim.sockets, or the queue of a listener */
    rill__list bound; /* rill__sim.bound, if it is: connections are not */
    rill__sim *sim;
    unsigned refs;
    int fd;               /* 0: not accepted yet */
    rill__handle *handle; /* NULL: not adopted yet */
    int family, type;
    rill__sim_state state;
    rill__sim_host *host;
    rill__sim_host *remote; /* the peer's; NULL: there is none at that address */
    rill__sim_address local, peer;
    bool one_byte; /* the next receive or send moves one byte */
    bool reuse_port, reset_on_close;
    bool poked; /* a poke is on its way */
    /* A listener's: */
    rill__list queue;
    size_t queued, backlog;
    /* A connection's: */
    rill__sim_socket *other; /* counted reference; stays until this end is closed */
    unsigned tries;          /* connects that met no answer */
    int error;               /* to be told once */
    bool stalled;            /* nothing reaches it any more */
    bool shut;               /* it has said that no more will come */
    bool ended;              /* no more will come to it */
    bool broken;             /* the peer takes no more */
    rill__list arrived;      /* rill__sim_chunk.link */
    size_t unread;           /* bytes on their way to it, or arrived */
    uint64_t line_free;      /* when its line has sent all that it was given */
    uint64_t last_arrival;   /* of what it has sent */
};

struct rill__sim {
    rill__driver base;
    rill__sim_config config;
    uint64_t now, start;
    unsigned idle_polls; /* in a row in which no time passed */
    unsigned looks;      /* at the clock since the last poll */
    bool timed_out;
    bool woken; /* atomic */
    uint64_t random;
    rill__sim_stats stats;
    bool traced; /* on stderr, too */
    rill__sim_host *here;
    rill__list hosts, pairs, names, sockets, bound, held;
    unsigned hosts_made;
    rill__sim_event **heap;
    size_t event_count, heap_size;
    uint64_t next_order;
    rill__sim_socket **table;      /* by descriptor */
    size_t table_size, table_used; /* all below table_used are taken */
    rill__sim_fault faults[RILL__SIM_FAULTS_MAX];
    size_t fault_count;
};

/* ---- sim_event.c ---- */
uint64_t rill__sim_random(rill__sim *sim);
/* A number below n; 0 for 0. */
uint64_t rill__sim_below(rill__sim *sim, uint64_t n);
bool rill__sim_chance(rill__sim *sim, double chance);
/* Puts what happens into the trace: a word, and two numbers. */
void rill__sim_note(rill__sim *sim, const char *what, uint64_t a, int64_t b);
/* Makes an event for a socket at a time. */
rill__sim_event *rill__sim_event_add(rill__sim *sim, rill__sim_event_kind kind,
                                     rill__sim_socket *to, uint64_t at);
void rill__sim_event_queue(rill__sim *sim, rill__sim_event *event);
/* The first event, if it is due; the caller's then. */
rill__sim_event *rill__sim_event_take(rill__sim *sim);
uint64_t rill__sim_event_next(const rill__sim *sim);
void rill__sim_event_free(rill__sim_event *event);

/* ---- sim_world.c ---- */
rill__sim_host *rill__sim_here(rill__sim *sim);
rill__sim_host *rill__sim_host_at(rill__sim *sim, const rill__sim_address *address);
bool rill__sim_is_loopback(const rill__sim_address *address);
bool rill__sim_is_any(const rill__sim_address *address);
uint16_t rill__sim_port(const rill__sim_address *address);
void rill__sim_port_set(rill__sim_address *address, uint16_t port);
/* Whether they are the same but for the port. */
bool rill__sim_same_ip(const rill__sim_address *a, const rill__sim_address *b);
void rill__sim_resolve(rill__driver *driver, const char *name, rill__names *ret_names);
void rill__sim_world_free(rill__sim *sim);

/* ---- sim_socket.c ---- */
rill__sim_socket *rill__sim_socket_of(const rill__sim *sim, int fd);
rill__sim_socket *rill__sim_socket_new(rill__sim *sim, int family, int type);
rill__sim_socket *rill__sim_socket_ref(rill__sim_socket *socket);
void rill__sim_socket_unref(rill__sim_socket *socket);
/* Gives it a descriptor. The number, or -EMFILE. */
int rill__sim_socket_number(rill__sim_socket *socket);
void rill__sim_socket_close(rill__sim_socket *socket);
int rill__sim_bind(rill__driver *driver, rill__handle *handle, const struct sockaddr *address,
                   socklen_t len, rill__bound *ret_bound);
int rill__sim_listen(rill__driver *driver, rill__handle *handle, int backlog);
int rill__sim_local(rill__driver *driver, rill__handle *handle,
                    struct sockaddr_storage *ret_address, socklen_t *ret_len);
socklen_t rill__sim_address_len(const rill__sim_address *address);
/* What a connect does first, 0 or -errno; then its events do the rest. */
int rill__sim_connect(rill__sim_socket *socket, const struct sockaddr *address, socklen_t len);
void rill__sim_syn_arrives(rill__sim_event *event);
/* Looks whether pending ops of the socket can complete now. */
void rill__sim_serve(rill__sim_socket *socket);
/* Does so with the next poll. */
void rill__sim_poke(rill__sim_socket *socket);
/* Tries an op. False: it has to wait. */
bool rill__sim_try(rill__sim_socket *socket, rill__op *op);

/* ---- sim_stream.c ---- */
rill__sim_link rill__sim_link_of(const rill__sim_socket *socket);
/* When something that is sent now arrives, in order with all that was sent before. */
uint64_t rill__sim_arrival(rill__sim_socket *from, size_t bytes);
int64_t rill__sim_recv(rill__sim_socket *socket, rill__op *op);
int64_t rill__sim_send(rill__sim_socket *socket, const rill__op *op);
/* The error that waits, negative; it is told once. */
int64_t rill__sim_told_error(rill__sim_socket *socket);
/* How many bytes its peer has room for. */
size_t rill__sim_room(const rill__sim_socket *socket);
/* Sends the end, or a reset, to the other side. */
void rill__sim_end(rill__sim_socket *socket, rill__sim_event_kind kind);
/* Makes both sides see a reset now. */
void rill__sim_break(rill__sim_socket *socket);
void rill__sim_bytes_arrive(rill__sim_event *event);
void rill__sim_chunks_free(rill__sim_socket *socket);

/* ---- sim_datagram.c ---- */
int rill__sim_datagram_connect(rill__sim_socket *socket, const rill__sim_address *peer);
int64_t rill__sim_sendto(rill__sim_socket *socket, const rill__op *op);
int64_t rill__sim_recvfrom(rill__sim_socket *socket, const rill__op *op);
void rill__sim_datagram_arrives(rill__sim_event *event);

#endif
