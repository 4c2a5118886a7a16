/* Makes certificates with libcrypto: a root, and what it signs. */
#include "harness.h"

#include "certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static X509 *root;
static EVP_PKEY *root_key;
static char made[32][64];
static size_t made_count;

const char *certificates_path(const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *new_path(const char *name, const char *suffix)
{
    snprintf(made[made_count], sizeof made[0], "%s%s", name, suffix);
    return certificates_path(made[made_count++]);
}

static void add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *make(const struct certificate *from, EVP_PKEY *key, bool is_root)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from->from_day * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(certificate), from->to_day * 86400L);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)from->file, -1, -1,
                               0);
    bool alone = is_root || from->self_signed;
    X509 *issuer = alone ? certificate : root;
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints,
                  is_root ? "critical,CA:TRUE" : "CA:FALSE");
    if (from->names)
        add_extension(certificate, issuer, NID_subject_alt_name, from->names);
    X509_sign(certificate, alone ? key : root_key, EVP_sha256());
    return certificate;
}

static void save(const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(new_path(name, ".pem"), "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    file = fopen(new_path(name, ".key"), "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

const char *certificates_open(void)
{
    snprintf(folder, sizeof folder, "/tmp/rill-certificates-XXXXXX");
    if (!mkdtemp(folder))
        return NULL;
    made_count = 0;
    root_key = EVP_EC_gen("P-256");
    root =
        make(&(struct certificate){ .file = "root", .from_day = -1, .to_day = 2 }, root_key, true);
    save("root", root, root_key);
    return folder;
}

static void make_with(const struct certificate *from, EVP_PKEY *key)
{
    X509 *certificate = make(from, key, false);
    save(from->file, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void certificates_make(const struct certificate *certificate)
{
    make_with(certificate, EVP_EC_gen("P-256"));
}

void certificates_make_steady(const struct certificate *certificate)
{
    make_with(certificate, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

void certificates_close(void)
{
    while (made_count > 0)
        unlink(certificates_path(made[--made_count]));
    rmdir(folder);
    X509_free(root);
    EVP_PKEY_free(root_key);
}
