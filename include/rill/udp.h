/*
 * UDP: datagrams, each whole or not at all, and addresses to send them to.
 *
 *     rill_auto(rill_udp) udp = rill_udp_open(.host = "127.0.0.1", .port = 5353);
 *     rill_datagram got;
 *     ptrdiff_t n = rill_udp_recv_from(udp, buf, sizeof buf, &got);
 *     rill_udp_send_to(udp, &got.from, buf, (size_t)n);
 *
 *     rill_auto(rill_udp) server = rill_udp_open(.peer = "ntp.example.org", .peer_port = 123);
 *     rill_udp_send(server, query, sizeof query);
 *     n = rill_udp_recv(server, buf, sizeof buf);
 *
 * A datagram that was sent may get lost, or come twice: put a scope with a timeout around the wait
 * for an answer. One task may receive while another sends; two that receive at once get RILL_EBUSY.
 */
#ifndef RILL_UDP_H
#define RILL_UDP_H

#include <rill/error.h>

RILL_BEGIN_DECLS

/* ---- addresses ---- */

/* An IPv4 or IPv6 address with a port. The fields are the library's own; zeroed, it is none. */
typedef struct rill_address {
    uint32_t words[7];
    uint32_t len;
} rill_address;

/* Room for any address's text. */
#define RILL_ADDRESS_TEXT 80

/* Reads a numeric address: "192.0.2.7", "::1", "fe80::1%eth0". Returns 0, or RILL_EINVAL for other
 * text and for ports that are not 0 to 65535. */
RILL_API int rill_address_of(rill_address *ret_address, const char *host, int port);
/* Finds the first address of a name, or of a numeric address at once. Returns 0 or as rill_connect
 * does: RILL_EDNS_NOTFOUND, RILL_EDNS_TIMEOUT, RILL_EDNS; RILL_EINVAL. */
RILL_AWAITS RILL_API int rill_address_find(rill_address *ret_address, const char *host, int port);
/* Writes "192.0.2.7:53" or "[::1]:53", cut to what there is room for; returns text. */
RILL_API const char *rill_address_text(const rill_address *address, char *text, size_t size);
RILL_API int rill_address_port(const rill_address *address);
/* Whether address and port are the same. */
RILL_API bool rill_address_eq(const rill_address *a, const rill_address *b);

/* ---- sockets ---- */

typedef struct rill_udp rill_udp;

typedef struct rill_udp_opts {
    size_t size;
    const char *host; /* the local address, numeric or a name. Default: any, of the peer's family,
                         else IPv4 */
    int port;         /* default: any free one, see rill_udp_address */
    const char *peer; /* whom to send to and receive from alone, a name or an address. Default:
                         anybody */
    int peer_port;
    bool reuse_port;  /* several processes may have the port: datagrams are spread over them */
    bool broadcast;   /* may send to broadcast addresses */
    const char *file; /* where it was made: filled by the macro */
    int line;
} rill_udp_opts;

/* Opens a socket. An IPv6 address takes IPv6 alone.
 * Returns it, or NULL with the error: RILL_ELISTEN when the port cannot be had, RILL_ECONNECT and
 * its children for the peer, RILL_EINVAL, RILL_EOS, RILL_ENOMEM, RILL_ENOTASK. */
#define rill_udp_open(...)                                                                         \
    rill_udp_open_with(RILL_OPTS(rill_udp_opts, .file = __FILE__, .line = __LINE__, __VA_ARGS__))
RILL_AWAITS RILL_API rill_udp *rill_udp_open_with(const rill_udp_opts *opts);

/* A datagram that has come. */
typedef struct rill_datagram {
    rill_address from;
    size_t len; /* its whole length: what is more than the buffer's was cut off */
} rill_datagram;

/* Waits for a datagram. Returns how much of it is in the buffer; 0 is an empty one.
 * Errors  RILL_EREFUSED: nobody has the port that was sent to, as the peer's machine told (only
 *         with a peer), RILL_EUNREACHABLE, RILL_ESOCKET, RILL_EBUSY, RILL_ECLOSED.
 * Cancel  nothing was received. */
RILL_AWAITS RILL_API ptrdiff_t rill_udp_recv_from(rill_udp *udp, void *buf, size_t len,
                                                  rill_datagram *ret_datagram);
/* The same for who does not look at the sender; a datagram that is larger than the buffer is lost,
 * and RILL_ELIMIT. */
RILL_AWAITS RILL_API ptrdiff_t rill_udp_recv(rill_udp *udp, void *buf, size_t len);

/* Sends a datagram: to the address, or to the peer. It waits only while the system's buffer is
 * full. Returns 0.
 * Errors  as above, for a datagram that was sent before; RILL_ELIMIT when it is too large;
 *         RILL_EINVAL without a peer.
 * Cancel  nothing was sent. */
RILL_AWAITS RILL_API int rill_udp_send_to(rill_udp *udp, const rill_address *to, const void *bytes,
                                          size_t len);
RILL_AWAITS RILL_API int rill_udp_send(rill_udp *udp, const void *bytes, size_t len);

/* Its local address. */
RILL_API int rill_udp_address(const rill_udp *udp, rill_address *ret_address);
/* The descriptor, for what this interface does not have: multicast, sizes of buffers. It stays the
 * socket's. */
RILL_API int rill_udp_fd(const rill_udp *udp);
/* Closes and frees; tasks that wait get RILL_ECLOSED. NULL is fine. */
RILL_API void rill_udp_free(rill_udp *udp);
RILL_DEFINE_AUTO(rill_udp)

RILL_END_DECLS

#endif
