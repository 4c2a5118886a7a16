/*
 * The simulated driver: a clock and a network in memory, for tests.
 *
 * Its clock stands still while a task can run and jumps to the next timer or event when all wait.
 * Its network has named hosts, and links between them with latency, jitter, bandwidth and
 * accidents. Whatever happens by chance is decided by one seed: equal runs with equal seeds are
 * equal to the last byte, which a hash over all that happened shows.
 *
 * A place of it (rill__driver.place) is a host; without one, a task is on a host called "here".
 * A descriptor of it is a number that no kernel gives. There is no world outside: when every task
 * waits, no timer is set and nothing is on its way, poll says -EDEADLK.
 *
 * Its memory is not the library's: it is neither counted nor ever made to fail.
 */
#ifndef RILL_SRC_IO_SIM_H
#define RILL_SRC_IO_SIM_H

#include "io/driver.h"

typedef struct rill__sim rill__sim;
typedef struct rill__sim_host rill__sim_host;

/* How bytes travel from one host to another. Chances are from 0 to 1. */
typedef struct rill__sim_link {
    uint64_t latency_ns;
    uint64_t jitter_ns; /* at most so much more, by chance */
    double bandwidth;   /* bytes a second of each connection; 0: no limit */
    double split;       /* the chance that a read, a write or what travels is cut in two, or that an
                           operation waits though it need not */
    double refuse;      /* the chance that a connect is refused */
    double reset;       /* the chance, for each write, that its connection is reset */
    double stall;       /* the chance, for each write, that it takes stall_ns longer */
    uint64_t stall_ns;
    double loss;  /* the chance, for each datagram, that it does not arrive */
    double twice; /* and that it does so twice */
    bool down;    /* nothing arrives; what is under way waits, but for datagrams, which are lost */
} rill__sim_link;

typedef struct rill__sim_config {
    uint64_t seed;
    bool shuffle;       /* ready tasks run in an order of chance */
    uint64_t wall_ns;   /* the time of day at the start, ns since 1970 */
    size_t window;      /* bytes on their way or not read yet, of one direction; 0: 256 KiB */
    size_t descriptors; /* at most so many are open; 0: 65536 */
    uint64_t job_ns;    /* what a thread's job takes at most */
    uint64_t end_ns;    /* poll says -ETIME after so long; after twice that the world ends, whatever
                           is still to come. 0: never */
    rill__sim_link link;
} rill__sim_config;

/* What an operation meets that is broken. */
typedef enum rill__sim_fault_kind {
    RILL__SIM_SHORT, /* a receive or send moves one byte */
    RILL__SIM_AGAIN, /* it completes later, though it could at once; as EINTR and EAGAIN make it */
    RILL__SIM_RESET, /* the connection is reset */
    RILL__SIM_STALL, /* the connection falls silent for good */
    RILL__SIM_ERROR, /* it fails with `error` */
} rill__sim_fault_kind;

typedef struct rill__sim_fault {
    unsigned long at; /* which operation, from 1; 0: none */
    rill__sim_fault_kind kind;
    int error;       /* an errno */
    unsigned accept; /* only ops of these kinds are counted (1 << kind); 0: all */
} rill__sim_fault;

typedef struct rill__sim_stats {
    unsigned long operations; /* opens, binds, and ops submitted */
    unsigned long faults;     /* how many of them were broken by a fault that was set */
    uint64_t trace;           /* the hash */
    size_t open;              /* descriptors */
    uint64_t now;
} rill__sim_stats;

rill__sim *rill__sim_new(const rill__sim_config *config);
/* The driver of a world. A loop's end frees nothing of it: the world is looked at afterwards. */
rill__driver *rill__sim_driver(rill__sim *sim);
/* The world of a driver, NULL when it is another kind of driver. */
rill__sim *rill__sim_of(rill__driver *driver);
void rill__sim_free(rill__sim *sim);

/* Adds a host, or another address to one. NULL address: one is made up. 0; -EINVAL: no address;
 * -EEXIST: another host's. */
int rill__sim_host_add(rill__sim *sim, const char *name, const char *address);
rill__sim_host *rill__sim_host_find(rill__sim *sim, const char *name);
/* The first address of a host. */
const char *rill__sim_host_address(const rill__sim_host *host);
/* Sets the link between two hosts, both ways; with NULL for both, that of all others. */
void rill__sim_link_set(rill__sim *sim, rill__sim_host *a, rill__sim_host *b,
                        const rill__sim_link *link);
rill__sim_link rill__sim_link_get(const rill__sim *sim, const rill__sim_host *a,
                                  const rill__sim_host *b);
/* What the name servers say of a name from now on: status as in rill__names, after a delay. */
void rill__sim_dns_set(rill__sim *sim, const char *name, int status, uint64_t delay_ns);

/* Breaks an operation, counted from now; a few faults can be set at once, then -ENOSPC. */
int rill__sim_fault_set(rill__sim *sim, const rill__sim_fault *fault);
/* Forgets the faults that were set and not met. */
void rill__sim_fault_clear(rill__sim *sim);
/* Lets time pass at once, as if the program had computed so long. */
void rill__sim_advance(rill__sim *sim, uint64_t ns);
/* Sets the time of day, ns since 1970. */
void rill__sim_wall_set(rill__sim *sim, uint64_t wall_ns);
void rill__sim_stats_get(const rill__sim *sim, rill__sim_stats *ret_stats);
/* Writes what is open: "tcp 10.0.0.1:80, …". */
void rill__sim_list_open(const rill__sim *sim, char *text, size_t size);

#endif
