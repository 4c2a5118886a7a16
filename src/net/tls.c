/*
 * The TLS engine: one connection of OpenSSL's between two buffers, without I/O.
 *
 * OpenSSL reads from `input` and writes to `output` through a BIO of ours. Both give their memory
 * back as soon as they are empty, so a connection that waits holds none. OpenSSL's queue of errors
 * belongs to the thread, which all tasks share: it is emptied before and after each operation.
 */
#include "net/tls_internal.h"

#include "base/alloc.h"
#include "base/fail.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

/* A record of 16 KiB with what is around it: what a receive has room for. */
#define INPUT_CHUNK (17u << 10)
/* More than this, unread, is not for whoever reads and writes in turn. */
#define INPUT_MAX (1u << 20)
#define OUTPUT_MAX (64u << 20)
/* Plain bytes that one write takes: a record. */
#define WRITE_MAX (16 << 10)

struct rill__tls {
    SSL *ssl;
    rill__tls_context *context;
    rill__buf input;
    size_t input_at; /* so much of it has been used */
    rill__buf output;
    const char *peer; /* for messages, borrowed; NULL: none */
    char alpn[32];
};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *to, int len)
{
    rill__tls *tls = BIO_get_data(bio);
    size_t have = tls->input.len - tls->input_at;
    BIO_clear_retry_flags(bio);
    if (have == 0 || len <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = have < (size_t)len ? have : (size_t)len;
    memcpy(to, tls->input.ptr + tls->input_at, n);
    tls->input_at += n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
    rill__tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    rill__buf_append(&tls->output, from, len < 0 ? 0 : (size_t)len);
    return tls->output.failed ? -1 : len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "rill");
    if (!method)
        return;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    bio_method = method;
}

static bool connect_bio(rill__tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!bio)
        return false;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return true;
}

/* ---- making ---- */

/* Says whom to ask for and whom to accept. Names are sent by SNI, addresses are not (RFC 6066, 3).
 */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[16];
    char name[256];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    /* Neither a zone nor the dot that ends an absolute name is in certificates or in SNI. */
    size_t len = strchr(host, ':') ? strcspn(host, "%") : strlen(host);
    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len >= sizeof name)
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    /* A name in the subject does not count (RFC 9110, section 4.3.4). */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, len) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int set_up(rill__tls *tls, const char *host)
{
    if (tls->context->server_name && !tls->context->server)
        host = tls->context->server_name;
    tls->ssl = SSL_new(tls->context->ssl);
    if (!tls->ssl || !connect_bio(tls))
        return rill__fail_nomem();
    if (tls->context->server) {
        SSL_set_accept_state(tls->ssl);
        return 0;
    }
    SSL_set_connect_state(tls->ssl);
    if (host && !expect_host(tls->ssl, host))
        return rill__fail(RILL_ETLS, "TLS: \"%s\" is no name that a certificate can be for", host);
    return 0;
}

rill__tls *rill__tls_new(rill__tls_context *context, const char *host)
{
    rill__tls *tls = rill__zalloc(sizeof *tls);
    if (!tls) {
        rill__fail_nomem();
        return NULL;
    }
    tls->context = context;
    context->references++;
    tls->input = rill__buf_make(INPUT_MAX);
    tls->output = rill__buf_make(OUTPUT_MAX);
    ERR_clear_error();
    int rc = set_up(tls, host);
    ERR_clear_error();
    if (rc == 0)
        return tls;
    rill__tls_free(tls);
    return NULL;
}

void rill__tls_free(rill__tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    ERR_clear_error();
    rill__tls_context_unref(tls->context);
    rill__buf_free(&tls->input);
    rill__buf_free(&tls->output);
    rill__free(tls);
}

void rill__tls_name_peer(rill__tls *tls, const char *peer)
{
    tls->peer = peer;
}

/* ---- input ---- */

/* Gives the memory back once OpenSSL has used all of it. */
static void settle_input(rill__tls *tls)
{
    if (tls->input_at < tls->input.len)
        return;
    rill__buf_free(&tls->input);
    tls->input_at = 0;
}

/* Before more comes, what has been used goes. */
static void make_room(rill__tls *tls)
{
    if (tls->input_at == 0)
        return;
    rill__buf_consume(&tls->input, tls->input_at);
    tls->input_at = 0;
}

int rill__tls_feed(rill__tls *tls, const void *bytes, size_t len)
{
    make_room(tls);
    rill__buf_append(&tls->input, bytes, len);
    return tls->input.failed ? rill__fail_nomem() : 0;
}

void *rill__tls_input(rill__tls *tls, size_t *ret_len)
{
    make_room(tls);
    *ret_len = INPUT_CHUNK;
    return rill__buf_reserve(&tls->input, INPUT_CHUNK);
}

void rill__tls_input_commit(rill__tls *tls, size_t len)
{
    rill__buf_commit(&tls->input, len);
}

void rill__tls_input_release(rill__tls *tls)
{
    if (tls->input.len == 0)
        rill__buf_free(&tls->input);
}

rill__buf *rill__tls_output(rill__tls *tls)
{
    return &tls->output;
}

/* ---- failures ---- */

/* What the check of the peer's certificate said, if that is what failed; else 0. */
static int verify_failure(const rill__tls *tls, const char *with, const char *peer)
{
    long result = SSL_get_verify_result(tls->ssl);
    if (result == X509_V_OK || SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE)
        return 0;
    int code = RILL_ECERTIFICATE;
    if (result == X509_V_ERR_CERT_HAS_EXPIRED)
        code = RILL_ECERTIFICATE_EXPIRED;
    else if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
        code = RILL_ECERTIFICATE_HOST;
    return rill__fail(code, "TLS handshake%s%s: certificate: %s", with, peer,
                      X509_verify_cert_error_string(result));
}

/* Turns what OpenSSL said into a code: RILL__TLS_WANT, 0 for the goodbye, or an error. */
static int outcome(rill__tls *tls, int ret)
{
    int kind = SSL_get_error(tls->ssl, ret);
    if (kind == SSL_ERROR_WANT_READ)
        return RILL__TLS_WANT;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (tls->output.failed)
        return tls->output.too_long
                   ? rill__fail(RILL_ELIMIT, "TLS: the peer takes nothing of what is to be sent")
                   : rill__fail_nomem();
    if (SSL_is_init_finished(tls->ssl))
        return rill__fail(RILL_ETLS, "TLS: %s", rill__tls_reason());
    const char *with = tls->peer ? " with " : "";
    const char *peer = tls->peer ? tls->peer : "";
    int rc = verify_failure(tls, with, peer);
    if (rc == 0)
        rc = rill__fail(RILL_ETLS, "TLS handshake%s%s: %s", with, peer, rill__tls_reason());
    return rc;
}

/* Ends an operation: its result in our terms, the queue of errors empty, used input dropped. */
static int finish(rill__tls *tls, int ret)
{
    int rc = ret > 0 ? ret : outcome(tls, ret);
    ERR_clear_error();
    settle_input(tls);
    return rc;
}

/* ---- operations ---- */

int rill__tls_handshake(rill__tls *tls)
{
    ERR_clear_error();
    int rc = finish(tls, SSL_do_handshake(tls->ssl));
    if (rc == 0)
        return rill__fail(RILL_ETLS, "TLS handshake: the peer said goodbye in it");
    return rc > 0 ? 0 : rc;
}

ptrdiff_t rill__tls_read(rill__tls *tls, void *buf, size_t len)
{
    ERR_clear_error();
    return finish(tls, SSL_read(tls->ssl, buf, len > INT32_MAX ? INT32_MAX : (int)len));
}

ptrdiff_t rill__tls_write(rill__tls *tls, const void *bytes, size_t len)
{
    if (len == 0)
        return 0;
    ERR_clear_error();
    int rc = finish(tls, SSL_write(tls->ssl, bytes, len > WRITE_MAX ? WRITE_MAX : (int)len));
    return rc == 0 ? rill__fail(RILL_ECLOSED, "TLS: the connection has ended") : rc;
}

void rill__tls_goodbye(rill__tls *tls)
{
    ERR_clear_error();
    /* A second one would read on, and drop what it finds. */
    if (SSL_is_init_finished(tls->ssl) && !(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

bool rill__tls_pending(rill__tls *tls)
{
    char byte;
    ERR_clear_error();
    int ret = SSL_peek(tls->ssl, &byte, 1);
    bool pending = ret > 0 || SSL_get_error(tls->ssl, ret) != SSL_ERROR_WANT_READ;
    ERR_clear_error();
    settle_input(tls);
    return pending;
}

const char *rill__tls_alpn(const rill__tls *tls)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    if (len == 0 || len >= sizeof tls->alpn)
        return "";
    /* OpenSSL's has no NUL; the copy is made when asked for. */
    char *copy = ((rill__tls *)(uintptr_t)tls)->alpn;
    memcpy(copy, name, len);
    copy[len] = '\0';
    return copy;
}
