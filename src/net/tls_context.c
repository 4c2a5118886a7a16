/*
 * TLS contexts: options turned into an SSL_CTX, shared while somebody uses it.
 *
 * The system's roots are read once a process. What is weaker than TLS 1.2, renegotiation and
 * compression are off. There is no session cache yet.
 */
#include "net/tls_internal.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>

#define ALPN_MAX 255 /* bytes of all protocols as on the wire */

/* Clients' contexts of this thread that somebody uses. A server reads its files anew: they may have
 * been renewed. */
static __thread rill__list contexts;

const char *rill__tls_reason(void)
{
    unsigned long error = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(error))
        return strerror(ERR_GET_REASON(error));
    const char *reason = ERR_reason_error_string(error);
    return reason ? reason : "unknown reason";
}

/* ---- trust ---- */

static X509_STORE *system_roots;

static void load_system_roots(void)
{
    system_roots = X509_STORE_new();
    if (system_roots)
        X509_STORE_set_default_paths(system_roots);
    ERR_clear_error();
}

static int trust(rill__tls_context *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (context->ca_file) {
        if (SSL_CTX_load_verify_file(context->ssl, context->ca_file) == 1)
            return 0;
        return rill__fail(RILL_ETLS, "TLS: roots in %s: %s", context->ca_file, rill__tls_reason());
    }
    pthread_once(&once, load_system_roots);
    if (!system_roots)
        return rill__fail_nomem();
    SSL_CTX_set1_cert_store(context->ssl, system_roots);
    return 0;
}

static int set_verification(rill__tls_context *context)
{
    bool wanted = !context->insecure && (!context->server || context->ca_file);
    int mode = SSL_VERIFY_PEER | (context->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(context->ssl, wanted ? mode : SSL_VERIFY_NONE, NULL);
    return wanted ? trust(context) : 0;
}

/* ---- what is shown ---- */

static int show_certificate(rill__tls_context *context)
{
    const char *cert = context->cert_file;
    const char *key = context->key_file ? context->key_file : cert;
    if (!cert)
        return context->server ? rill__fail(RILL_ETLS, "TLS: a server needs a certificate") : 0;
    if (SSL_CTX_use_certificate_chain_file(context->ssl, cert) != 1)
        return rill__fail(RILL_ETLS, "TLS: certificate in %s: %s", cert, rill__tls_reason());
    if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1)
        return rill__fail(RILL_ETLS, "TLS: private key in %s: %s", key, rill__tls_reason());
    if (SSL_CTX_check_private_key(context->ssl) != 1)
        return rill__fail(RILL_ETLS, "TLS: the private key in %s is not that of %s", key, cert);
    return 0;
}

/* ---- ALPN ---- */

/* The first of ours that the client offers; none in common ends the handshake (RFC 7301, 3.2).
 * lint: allow foreign-signature: OpenSSL's callback. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *arg)
{
    (void)ssl;
    const rill__tls_context *context = arg;
    unsigned char *name;
    int rc = SSL_select_next_proto(&name, ret_len, (const unsigned char *)context->alpn.ptr,
                                   (unsigned)context->alpn.len, offered, offered_len);
    if (rc != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int parse_alpn(rill__tls_context *context)
{
    context->alpn = rill__buf_make(ALPN_MAX);
    for (const char *at = context->alpn_text; *at;) {
        size_t len = strcspn(at, ",");
        if (len == 0 || len > 255)
            return rill__fail(RILL_EINVAL, "TLS: \"%s\" is no list of protocols",
                              context->alpn_text);
        rill__buf_putc(&context->alpn, (char)len);
        rill__buf_append(&context->alpn, at, len);
        at += len;
        at += *at == ',';
    }
    if (context->alpn.too_long)
        return rill__fail(RILL_EINVAL, "TLS: too many protocols for ALPN");
    return context->alpn.failed ? rill__fail_nomem() : 0;
}

static int set_alpn(rill__tls_context *context)
{
    if (!context->alpn_text || !*context->alpn_text)
        return 0;
    RILL__TRY(parse_alpn(context));
    if (context->server)
        SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
    else if (SSL_CTX_set_alpn_protos(context->ssl, (const unsigned char *)context->alpn.ptr,
                                     (unsigned)context->alpn.len) != 0)
        return rill__fail_nomem();
    return 0;
}

/* ---- making and sharing ---- */

static bool copy(char **to, const char *text)
{
    *to = text ? rill__strdup(text) : NULL;
    return !text || *to;
}

static bool copy_options(rill__tls_context *context, const rill_tls_opts *opts)
{
    context->insecure = opts->insecure_no_verify;
    return copy(&context->ca_file, opts->ca_file) && copy(&context->cert_file, opts->cert_file) &&
           copy(&context->key_file, opts->key_file) &&
           copy(&context->server_name, opts->server_name) && copy(&context->alpn_text, opts->alpn);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static rill__tls_context *find(const rill_tls_opts *opts)
{
    if (!contexts.next)
        rill__list_init(&contexts);
    rill__list_each(node, &contexts) {
        rill__tls_context *context = rill__container(node, rill__tls_context, link);
        if (context->insecure == opts->insecure_no_verify &&
            same(context->ca_file, opts->ca_file) && same(context->cert_file, opts->cert_file) &&
            same(context->key_file, opts->key_file) &&
            same(context->server_name, opts->server_name) && same(context->alpn_text, opts->alpn))
            return context;
    }
    return NULL;
}

static int fill(rill__tls_context *context, const rill_tls_opts *opts)
{
    static const unsigned char session_id_context[] = "rill";
    context->ssl = SSL_CTX_new(context->server ? TLS_server_method() : TLS_client_method());
    if (!context->ssl || !copy_options(context, opts))
        return rill__fail_nomem();
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context->ssl, session_id_context, sizeof session_id_context - 1);
    RILL__TRY(show_certificate(context));
    RILL__TRY(set_verification(context));
    return set_alpn(context);
}

static rill__tls_context *get(const rill_tls_opts *given, bool server)
{
    rill_tls_opts opts = given ? *given : (rill_tls_opts){ 0 };
    rill__tls_context *context = server ? NULL : find(&opts);
    if (context) {
        context->references++;
        return context;
    }
    context = rill__zalloc(sizeof *context);
    if (!context) {
        rill__fail_nomem();
        return NULL;
    }
    context->references = 1;
    context->server = server;
    ERR_clear_error();
    int rc = fill(context, &opts);
    ERR_clear_error();
    if (rc < 0) {
        rill__tls_context_unref(context);
        return NULL;
    }
    if (!server)
        rill__list_append(&contexts, &context->link);
    return context;
}

rill__tls_context *rill__tls_context_client(const rill_tls_opts *opts)
{
    return get(opts, false);
}

rill__tls_context *rill__tls_context_server(const rill_tls_opts *opts)
{
    return get(opts, true);
}

void rill__tls_context_unref(rill__tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    rill__list_remove(&context->link);
    SSL_CTX_free(context->ssl);
    rill__buf_free(&context->alpn);
    rill__free(context->ca_file);
    rill__free(context->cert_file);
    rill__free(context->key_file);
    rill__free(context->server_name);
    rill__free(context->alpn_text);
    rill__free(context);
}
