/*
 * Streams: connected byte pipes over TCP, unix sockets and TLS, and the listeners that make them.
 *
 *     rill_auto(rill_stream) stream = rill_connect("example.com", 443, .tls = true);
 *     rill_stream_write(stream, "GET / HTTP/1.0\r\n\r\n", 18);
 *     while ((n = rill_stream_read(stream, buf, sizeof buf)) > 0) …
 *
 * One task may read while another writes; two that read at once get RILL_EBUSY. A cancelled read or
 * write leaves the stream usable. Names are resolved without blocking the loop, and addresses are
 * tried as happy eyeballs does (RFC 8305).
 */
#ifndef RILL_NET_H
#define RILL_NET_H

#include <rill/error.h>

RILL_BEGIN_DECLS

typedef struct rill_stream rill_stream;
typedef struct rill_listener rill_listener;

/* What a TLS side trusts and shows. */
typedef struct rill_tls_opts {
    const char *ca_file;     /* PEM file of trusted roots. Default: the system's */
    const char *cert_file;   /* PEM chain to show: a server needs one */
    const char *key_file;    /* PEM private key of it */
    const char *server_name; /* the name to ask for and to check. Default: the host connected to */
    const char *alpn;        /* protocols offered, comma separated: "http/1.1". Default: none */
    bool insecure_no_verify; /* accept any certificate of the peer */
} rill_tls_opts;

typedef struct rill_connect_opts {
    size_t size;
    int port;
    bool tls; /* speak TLS */
    rill_tls_opts tls_options;
    double timeout;            /* seconds for all of it. Default: none */
    double attempt_timeout;    /* seconds for one address. Default: 30 */
    const char *local_address; /* numeric address to connect from. Default: the system's choice */
    const char *file;          /* where it was made: filled by the macro */
    int line;
} rill_connect_opts;

/* Connects to a host: a name, or a numeric address (IPv6 without brackets); "unix:/path" for a unix
 * socket (its port is ignored).
 * Returns the stream, or NULL with the error: RILL_EDNS_NOTFOUND, RILL_EDNS_TIMEOUT, RILL_EDNS,
 *   RILL_EREFUSED, RILL_EUNREACHABLE, RILL_EUNIX, RILL_ESOCK_CONNECT_TIMEOUT (no answer in time),
 *   RILL_ECONNECT_TIMEOUT (`timeout`), RILL_ETLS, RILL_ECERTIFICATE, RILL_ECERTIFICATE_HOST,
 *   RILL_ECERTIFICATE_EXPIRED.
 * Cancel  nothing stays behind. */
#define rill_connect(host, ...)                                                                    \
    rill_connect_with((host), RILL_OPTS(rill_connect_opts, .file = __FILE__, .line = __LINE__,     \
                                        .port = __VA_ARGS__))
RILL_AWAITS RILL_API rill_stream *rill_connect_with(const char *host,
                                                    const rill_connect_opts *opts);

/* Reads what is there, at least a byte, at most len. Returns the count, 0 at the end of the stream.
 * Errors  RILL_ERESET, RILL_ESOCKET, RILL_ETLS (a TLS stream that ends without its goodbye is
 *         RILL_ETRUNCATED), RILL_EBUSY, RILL_ECLOSED.
 * Cancel  nothing was read. */
RILL_AWAITS RILL_API ptrdiff_t rill_stream_read(rill_stream *stream, void *buf, size_t len);

/* Writes all of it. Returns 0 or a code as above.
 * Cancel  part of it may have been written: rill_stream_written says how much in all. */
RILL_AWAITS RILL_API int rill_stream_write(rill_stream *stream, const void *bytes, size_t len);

/* Bytes written and read in all so far, before encryption. */
RILL_API uint64_t rill_stream_written(const rill_stream *stream);
RILL_API uint64_t rill_stream_received(const rill_stream *stream);

/* Says that no more will be written: the peer reads to its end. */
RILL_AWAITS RILL_API int rill_stream_shutdown(rill_stream *stream);

/* Closes and frees. A TLS goodbye is sent if that needs no waiting. NULL is fine. */
RILL_API void rill_stream_free(rill_stream *stream);
RILL_DEFINE_AUTO(rill_stream)

/* "93.184.216.34:443", "[::1]:80", "unix:/path". Live as long as the stream. */
RILL_API const char *rill_stream_peer(const rill_stream *stream);
/* The protocol chosen by ALPN, "" when none. */
RILL_API const char *rill_stream_alpn(const rill_stream *stream);
/* The descriptor, for what this interface does not have. It stays the stream's. */
RILL_API int rill_stream_fd(const rill_stream *stream);

typedef struct rill_listen_opts {
    size_t size;
    int port;    /* 0: any free one, see rill_listener_port */
    int backlog; /* default: 1024 */
    bool tls;    /* accept TLS: needs tls_options.cert_file and key_file */
    rill_tls_opts tls_options;
    bool reuse_port;  /* several processes may listen at once (SO_REUSEPORT) */
    const char *file; /* where it was made: filled by the macro */
    int line;
} rill_listen_opts;

/* Listens on a numeric address or name ("127.0.0.1", "::", "localhost"; an IPv6 address takes IPv6
 * alone), or "unix:/path" (a stale socket file is replaced, a live one is not).
 * Returns the listener, or NULL: RILL_ELISTEN with errno, RILL_ETLS for a bad certificate or key.
 */
#define rill_listen(host, ...)                                                                     \
    rill_listen_with((host), RILL_OPTS(rill_listen_opts, .file = __FILE__, .line = __LINE__,       \
                                       .port = __VA_ARGS__))
RILL_AWAITS RILL_API rill_listener *rill_listen_with(const char *host,
                                                     const rill_listen_opts *opts);

/* Waits for the next connection; of a TLS listener one whose handshake is yet to come: it is done
 * by the first read or write. Returns the stream or NULL; when descriptors run out it waits and
 * tries again instead of failing.
 * Cancel  no connection is lost. */
RILL_AWAITS RILL_API rill_stream *rill_accept(rill_listener *listener);
RILL_API int rill_listener_port(const rill_listener *listener);
/* Closes and frees; a task that waits in rill_accept gets RILL_ECLOSED. NULL is fine. */
RILL_API void rill_listener_free(rill_listener *listener);
RILL_DEFINE_AUTO(rill_listener)

RILL_END_DECLS

#endif
