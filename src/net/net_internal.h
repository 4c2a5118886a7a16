/*
 * What the files of net share: addresses, the resolver, and how streams are made.
 */
#ifndef RILL_SRC_NET_INTERNAL_H
#define RILL_SRC_NET_INTERNAL_H

#include "net/net.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- address.c ---- */

/* An address to connect to or to listen at. */
typedef struct rill__address {
    union {
        struct sockaddr base;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t len;
} rill__address;

#define RILL__ADDRESS_TEXT 128 /* enough for any address's text: a unix path has 108 bytes */

/* Reads a numeric IPv4 or IPv6 address, the latter perhaps with a zone ("fe80::1%eth0"). */
bool rill__address_parse(const char *host, int port, rill__address *ret_address);
/* Reads "unix:/path". 0, or RILL_EINVAL for a path that is empty or too long. */
int rill__address_unix(const char *host, rill__address *ret_address);
bool rill__address_is_unix(const char *host);
void rill__address_set_port(rill__address *address, int port);

/* ---- dns.c ---- */

typedef struct rill__addresses {
    rill__address list[RILL__ADDRESSES_MAX];
    size_t count;
} rill__addresses;

/* Finds the addresses of a name (or of a numeric address, at once), best first; at least one.
 * Returns 0, RILL_EDNS_NOTFOUND, RILL_EDNS_TIMEOUT, RILL_EDNS, RILL_ENOMEM or RILL_ECANCELED. */
RILL_AWAITS int rill__resolve(const char *host, int port, rill__addresses *ret_addresses);

/* Settings of the resolver, for tests: they hold for loops whose first lookup comes later. */
typedef struct rill__dns_settings {
    const char *servers; /* "127.0.0.1:5353,…". Default: the system's */
    int timeout_ms;      /* of the first try; it doubles with each. Default: 2000 */
    int tries;           /* default: 3 */
} rill__dns_settings;
extern rill__dns_settings rill__dns_settings_now;

/* ---- stream.c ---- */

struct rill_stream {
    rill__handle handle;
    rill__tls *tls;            /* NULL: plain */
    rill__buf sending;         /* TLS: what a task is sending, apart from what the engine makes */
    rill__waitq handshakers;   /* tasks that wait for another's handshake */
    rill__waitq flushers;      /* a writer that waits for a reader's flush */
    struct tls_recv *receiver; /* a reader that waits, and sends aside */
    uint64_t written, received;
    unsigned users;        /* calls under way; the last one frees a stream that was freed */
    unsigned instant;      /* TLS: receives in a row that did not wait */
    bool reading, writing; /* a task does */
    bool flushing;         /* a task sends what the engine has made */
    bool shaking, shaken;  /* the TLS handshake is under way; is done */
    bool shut;             /* nothing more will be written */
    bool off_loop;         /* threads read and write it, since it cannot be waited for */
    bool standard;         /* the loop's own: see rill_stdin */
    bool freed;
    rill__birth birth;
    char peer[RILL__ADDRESS_TEXT];
};

/* A stream without a descriptor; NULL with RILL_ENOMEM. */
rill_stream *rill__stream_new(void);
/* Puts TLS on a connected stream. `host` is NULL on a server. */
int rill__stream_set_tls(rill_stream *stream, rill__tls_context *context, const char *host);
/* Does the TLS handshake if there is one left to do. `peer` is for the message. */
RILL_AWAITS int rill__stream_handshake(rill_stream *stream, const char *peer);

/* ---- pipe.c ---- */

/* Read and write a descriptor on a thread: a count, -errno, or RILL_ECANCELED. */
RILL_AWAITS int64_t rill__off_loop_read(int fd, void *buf, size_t len);
/* Writes all of it. 0, or as above; *ret_written says how much went, and keeps its value when
 * nothing was begun. */
RILL_AWAITS int64_t rill__off_loop_write(int fd, const void *bytes, size_t len,
                                         size_t *ret_written);

/* ---- tls.c ---- */

/* Room in the engine's input for what a receive brings; NULL when memory is short. */
void *rill__tls_input(rill__tls *tls, size_t *ret_len);
void rill__tls_input_commit(rill__tls *tls, size_t len);
/* Gives the input's memory back if nothing is in it. */
void rill__tls_input_release(rill__tls *tls);
/* Whether a plain byte, the goodbye or a failure is there to be read. */
bool rill__tls_pending(rill__tls *tls);
/* The name of the peer for messages about the handshake; borrowed. */
void rill__tls_name_peer(rill__tls *tls, const char *peer);

#endif
