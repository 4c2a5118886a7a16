/* What the two files of the TLS engine share. */
#ifndef RILL_SRC_NET_TLS_INTERNAL_H
#define RILL_SRC_NET_TLS_INTERNAL_H

#include "base/list.h"
#include "net/net_internal.h"

#include <openssl/ssl.h>

/* Certificates and trust. A context belongs to its thread. */
struct rill__tls_context {
    rill__list link; /* contexts of this thread */
    unsigned references;
    bool server;
    SSL_CTX *ssl;
    rill__buf alpn; /* as on the wire: each name behind its length */
    /* The options it was made of, copied: NULL when not given. */
    char *ca_file, *cert_file, *key_file, *server_name, *alpn_text;
    bool insecure;
};

/* The text of OpenSSL's first error, "unknown reason" when it has none. */
const char *rill__tls_reason(void);

#endif
