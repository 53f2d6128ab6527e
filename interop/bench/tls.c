/* RFC 8998 in memory, both ends on this thread: whole mutual handshakes without tickets, and records. */
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "bench.h"

static SSL_CTX *contexts[2]; /* the client's, the server's */

static SSL_CTX *new_context(int server)
{
    const char *name = server ? "server" : "client";
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    char path[4096];

    if (ctx == NULL)
        die("SSL_CTX_new");
    MUST(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION));
    MUST(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION));
    MUST(SSL_CTX_set_ciphersuites(ctx, "TLS_SM4_GCM_SM3"));
    MUST(SSL_CTX_set1_groups_list(ctx, "curveSM2"));
#ifdef TONGSUO_VERSION_NUMBER
    SSL_CTX_enable_sm_tls13_strict(ctx);
#endif
    snprintf(path, sizeof(path), "%s/ca.pem", setting.certificates);
    MUST(SSL_CTX_load_verify_locations(ctx, path, NULL));
    snprintf(path, sizeof(path), "%s/%s.pem", setting.certificates, name);
    MUST(SSL_CTX_use_certificate_chain_file(ctx, path));
    snprintf(path, sizeof(path), "%s/%s.key", setting.certificates, name);
    MUST(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    MUST(SSL_CTX_set_num_tickets(ctx, 0));
    return ctx;
}

static SSL *ends[2];

static void close_connection(void)
{
    for (int i = 0; i < 2; i++) {
        SSL_free(ends[i]);
        ends[i] = NULL;
    }
}

static int step(SSL *ssl)
{
    int ret = SSL_do_handshake(ssl);

    if (ret != 1 && SSL_get_error(ssl, ret) != SSL_ERROR_WANT_READ)
        die("a handshake");
    return ret == 1;
}

static void connect_ends(void)
{
    BIO *bios[2];

    MUST(BIO_new_bio_pair(&bios[0], 1 << 16, &bios[1], 1 << 16));
    for (int i = 0; i < 2; i++) {
        ends[i] = SSL_new(contexts[i]);
        if (ends[i] == NULL)
            die("SSL_new");
        SSL_set_bio(ends[i], bios[i], bios[i]);
    }
    MUST(SSL_set_tlsext_host_name(ends[0], "localhost"));
    MUST(X509_VERIFY_PARAM_set1_host(SSL_get0_param(ends[0]), "localhost", 0));
    SSL_set_connect_state(ends[0]);
    SSL_set_accept_state(ends[1]);
    for (;;) {
        int client = step(ends[0]);
        int server = step(ends[1]);

        if (client && server)
            break;
    }
    for (int i = 0; i < 2; i++)
        if (SSL_get0_peer_certificate(ends[i]) == NULL || SSL_get_verify_result(ends[i]) != X509_V_OK)
            die("authentication");
}

static void prepare_handshake(size_t len)
{
    (void)len;
    close_connection();
    for (int i = 0; i < 2; i++)
        if (contexts[i] == NULL)
            contexts[i] = new_context(i);
}

static void handshake(void)
{
    connect_ends();
    result = (const unsigned char *)SSL_get_cipher_name(ends[1]);
    result_len = strlen((const char *)result);
    close_connection();
}

static size_t record_len;
static unsigned char received[MAX_LEN];

static void prepare_record(size_t len)
{
    prepare_handshake(0);
    connect_ends();
    record_len = len;
    fill(len);
}

static void record(void)
{
    MUST(SSL_write(ends[0], buffer, (int)record_len) == (int)record_len);
    MUST(SSL_read(ends[1], received, (int)record_len) == (int)record_len);
    result = received;
    result_len = record_len;
}

const struct work tls_works[] = {
    { "handshake", prepare_handshake, handshake },
    { "record", prepare_record, record },
    { NULL, NULL, NULL },
};
