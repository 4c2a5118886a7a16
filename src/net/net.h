/*
 * What client, server and redis use of net beyond the public streams.
 *
 * A server connection is a machine without a task, so it speaks TLS through the engine, which does
 * no I/O: encrypted bytes in and out on one side, plain ones on the other. Streams are built on the
 * same engine.
 */
#ifndef RILL_SRC_NET_NET_H
#define RILL_SRC_NET_NET_H

#include "base/buf.h"
#include "runtime/runtime.h"

#include <rill/net.h>

/* ---- streams ---- */

/* Whether the peer is silent: it has sent nothing that was not read (but for what TLS says on its
 * own), and has not closed. Asked of an idle pooled connection, which is of no use otherwise. Does
 * not wait, and mostly needs no system call. */
bool rill__stream_is_idle(rill_stream *stream);
/* Has the peer asked whether it is still there once nothing was heard for `idle` seconds, then
 * every `interval` seconds, `count` times. A socket that has no such option is none that needs it.
 */
void rill__stream_keep_alive(rill_stream *stream, int idle, int interval, int count);

/* ---- TLS, without I/O ---- */

typedef struct rill__tls_context rill__tls_context; /* certificates and trust: one per profile */
typedef struct rill__tls rill__tls;                 /* one connection */

/* Counted references. Clients of a thread with equal options share a context; a server's is read
 * anew, so that renewed certificates are taken. NULL: RILL_ETLS with what is wrong with which file.
 */
rill__tls_context *rill__tls_context_client(const rill_tls_opts *opts);
rill__tls_context *rill__tls_context_server(const rill_tls_opts *opts);
void rill__tls_context_unref(rill__tls_context *context);

/* `host`: the name to send (SNI, unless numeric) and to check; NULL for a server. */
rill__tls *rill__tls_new(rill__tls_context *context, const char *host);
void rill__tls_free(rill__tls *tls);

/* Gives encrypted bytes that came from the peer. 0 or RILL_ENOMEM. */
int rill__tls_feed(rill__tls *tls, const void *bytes, size_t len);
/* Takes plain bytes out, as many as fit. > 0: count; 0: the peer said goodbye; RILL__TLS_WANT: feed
 * more first; else a code with the error made (RILL_ECERTIFICATE… on the client). The handshake
 * goes on by itself. */
ptrdiff_t rill__tls_read(rill__tls *tls, void *buf, size_t len);
/* Puts plain bytes in. > 0: count taken, a record of 16 KiB at most: send the output before there
 * is much of it (64 MiB is RILL_ELIMIT). RILL__TLS_WANT: the handshake needs to be fed first. */
ptrdiff_t rill__tls_write(rill__tls *tls, const void *bytes, size_t len);
/* Goes on with the handshake. 0: done; RILL__TLS_WANT; else a code. */
int rill__tls_handshake(rill__tls *tls);
/* Puts the goodbye into the output. */
void rill__tls_goodbye(rill__tls *tls);
/* Encrypted bytes to be sent to the peer: send some, then consume them from the buffer. */
rill__buf *rill__tls_output(rill__tls *tls);
const char *rill__tls_alpn(const rill__tls *tls);
#define RILL__TLS_WANT (-1)

/* ---- listeners for machines ---- */

/* Accepts without a task: `accepted` is called from the loop for every connection, with a
 * descriptor that is then the callee's. Stops when the listener is freed or stopped. */
typedef void rill__accepted_fn(void *arg, int fd, const struct sockaddr_storage *address,
                               socklen_t len);
int rill__listener_start(rill_listener *listener, rill__accepted_fn *accepted, void *arg);
void rill__listener_stop(rill_listener *listener);
/* The listener's TLS context, or NULL for a plain one. */
rill__tls_context *rill__listener_tls(const rill_listener *listener);
/* "127.0.0.1:8080": where it listens. */
const char *rill__listener_name(const rill_listener *listener);

/* Writes "1.2.3.4:80", "[::1]:80" or "unix:/path". */
void rill__address_text(char *text, size_t size, const struct sockaddr *address, socklen_t len);

#endif
