/*
 * `peer chain`: a root with a server and a client certificate, all made by the foreign library, so
 * that we judge its certificates as it judges ours.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "peer.h"

struct issuer {
    X509 *cert;
    EVP_PKEY *key;
};

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = strcmp(opt.kind, "sm2") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2")
                                                 : EVP_EC_gen("P-256");

    if (key == NULL)
        die("key generation");
    return key;
}

static void add_extension(X509 *cert, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);

    if (extension == NULL)
        die(OBJ_nid2sn(nid));
    MUST(X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void sign(X509 *cert, EVP_PKEY *key)
{
    int sm2 = strcmp(opt.kind, "sm2") == 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;

    MUST(EVP_DigestSignInit(md, &pkey, sm2 ? EVP_sm3() : EVP_sha256(), NULL, key));
    if (sm2)
        MUST(EVP_PKEY_CTX_set1_id(pkey, opt.id, (int)strlen(opt.id)));
    MUST(X509_sign_ctx(cert, md));
    EVP_MD_CTX_free(md);
}

static void save(const char *name, X509 *cert, EVP_PKEY *key)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.pem", opt.dir, name);
    if ((file = fopen(path, "w")) == NULL)
        die(path);
    MUST(PEM_write_X509(file, cert));
    fclose(file);
    snprintf(path, sizeof(path), "%s/%s.key", opt.dir, name);
    if ((file = fopen(path, "w")) == NULL)
        die(path);
    MUST(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
}

/* A certificate for a new key, for a month; without an issuer it is a self-signed CA. */
static struct issuer make_certificate(const char *file, const char *cn, const struct issuer *issuer)
{
    const long day = 24 * 3600;
    struct issuer made = { X509_new(), new_key() };
    const struct issuer *by = issuer == NULL ? &made : issuer;
    X509_NAME *name = X509_NAME_new();
    uint64_t serial;
    X509V3_CTX context;

    MUST(RAND_bytes((unsigned char *)&serial, sizeof(serial)));
    MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.cert), serial));
    MUST(X509_set_version(made.cert, X509_VERSION_3));
    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0));
    MUST(X509_set_subject_name(made.cert, name));
    MUST(X509_set_issuer_name(made.cert, X509_get_subject_name(by->cert)));
    MUST(X509_gmtime_adj(X509_getm_notBefore(made.cert), -day) != NULL);
    MUST(X509_gmtime_adj(X509_getm_notAfter(made.cert), 30 * day) != NULL);
    MUST(X509_set_pubkey(made.cert, made.key));

    X509V3_set_ctx(&context, by->cert, made.cert, NULL, NULL, 0);
    if (issuer == NULL) {
        add_extension(made.cert, &context, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(made.cert, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
        add_extension(made.cert, &context, NID_subject_key_identifier, "hash");
    } else {
        add_extension(made.cert, &context, NID_key_usage, "critical,digitalSignature");
        add_extension(made.cert, &context, NID_ext_key_usage, "serverAuth,clientAuth");
        add_extension(made.cert, &context, NID_subject_alt_name, "DNS:localhost");
        add_extension(made.cert, &context, NID_subject_key_identifier, "hash");
        add_extension(made.cert, &context, NID_authority_key_identifier, "keyid");
    }
    sign(made.cert, by->key);
    save(file, made.cert, made.key);
    X509_NAME_free(name);
    return made;
}

int make_chain(void)
{
    const char *leaves[][2] = { { "server", "interop server" }, { "client", "interop client" } };
    struct issuer ca;

    if (opt.dir == NULL) {
        fprintf(stderr, "peer: chain needs --dir\n");
        return EXIT_USAGE;
    }
    ca = make_certificate("ca", "interop CA", NULL);
    for (size_t i = 0; i < 2; i++) {
        struct issuer leaf = make_certificate(leaves[i][0], leaves[i][1], &ca);

        X509_free(leaf.cert);
        EVP_PKEY_free(leaf.key);
    }
    X509_free(ca.cert);
    EVP_PKEY_free(ca.key);
    printf("done\n");
    return 0;
}
