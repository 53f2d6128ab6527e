/*
 * One TLS 1.3 peer that a test scripts from its command line; compiled once against each foreign
 * stack. It prints one event a line, `word key=value ..`, so that a test can read what this end saw.
 *
 *   peer version
 *   peer chain   --dir D [--kind sm2|p256] [--id ID]
 *   peer server  [options]            prints `listening port=N` first
 *   peer client  --port N [options]
 *
 * Options of both roles:
 *   --ca F  --chain F  --key F        PEM files: trust anchors, own chain, own key
 *   --ciphersuites L  --groups L      lists in the stack's own syntax
 *   --min 1.2|1.3  --max 1.2|1.3      protocol versions (1.3 only unless told otherwise)
 *   --alpn a,b                        offered or accepted protocols
 *   --verify                          server: a client certificate is required
 *   --host H                          client: SNI, and the name that the certificate must carry
 *   --resume                          client: later connections offer the last ticket
 *   --connections N                   one after the other; default 1
 *   --strict                          RFC 8998 strictly (Tongsuo only)
 *   --deadline S                      seconds until the process gives up; default 60
 *   --do step,step,..                 after each handshake; default `close`:
 *        send=N  recv=N               N bytes of application data, with their SM3 digest
 *        update  update-request       KeyUpdate, without and with a request for the other's
 *        close                        close_notify, then wait for the other's
 *        wait-close                   wait for the other's close_notify, then answer it
 *
 * Exit status: 0 all done, 1 a TLS error (reported as an event), 2 wrong use, 3 deadline.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "peer.h"

struct options opt = {
    .min = "1.3", .max = "1.3", .steps = "close", .kind = "sm2", .id = "1234567812345678",
    .connections = 1, .deadline = 60,
};

/* What the message callback and the ticket callback saw in the connection under way. */
static int hello_retry;
static SSL_SESSION *last_session;

static int run_server(void);
static int run_client(void);
static void parse_options(int argc, char **argv);
static void on_alarm(int signal_number);

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: peer version|chain|server|client [options]\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "version") == 0) {
#ifdef TONGSUO_VERSION
        printf("version %s\n", OpenSSL_version(TONGSUO_VERSION));
#else
        printf("version %s\n", OpenSSL_version(OPENSSL_VERSION));
#endif
        return 0;
    }
    parse_options(argc - 2, argv + 2);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_alarm);
    alarm((unsigned)opt.deadline);

    if (strcmp(argv[1], "chain") == 0)
        return make_chain();
    if (strcmp(argv[1], "server") == 0)
        return run_server();
    if (strcmp(argv[1], "client") == 0)
        return run_client();
    fprintf(stderr, "peer: unknown role %s\n", argv[1]);
    return EXIT_USAGE;
}

/* ---- options and failures ---- */

static void parse_options(int argc, char **argv)
{
    const struct { const char *name; const char **text; int *number; int *flag; } table[] = {
        { "--ca", &opt.ca, NULL, NULL }, { "--chain", &opt.chain, NULL, NULL },
        { "--key", &opt.key, NULL, NULL }, { "--ciphersuites", &opt.ciphersuites, NULL, NULL },
        { "--groups", &opt.groups, NULL, NULL },
        { "--min", &opt.min, NULL, NULL }, { "--max", &opt.max, NULL, NULL },
        { "--alpn", &opt.alpn, NULL, NULL }, { "--host", &opt.host, NULL, NULL },
        { "--do", &opt.steps, NULL, NULL }, { "--dir", &opt.dir, NULL, NULL },
        { "--kind", &opt.kind, NULL, NULL }, { "--id", &opt.id, NULL, NULL },
        { "--port", NULL, &opt.port, NULL }, { "--connections", NULL, &opt.connections, NULL },
        { "--deadline", NULL, &opt.deadline, NULL },
        { "--verify", NULL, NULL, &opt.verify }, { "--resume", NULL, NULL, &opt.resume },
        { "--strict", NULL, NULL, &opt.strict },
    };
    const size_t count = sizeof(table) / sizeof(table[0]);

    for (int i = 0; i < argc; i++) {
        size_t k = 0;

        while (k < count && strcmp(argv[i], table[k].name) != 0)
            k++;
        if (k == count || (table[k].flag == NULL && i + 1 == argc)) {
            fprintf(stderr, "peer: unknown option or missing value: %s\n", argv[i]);
            exit(EXIT_USAGE);
        }
        if (table[k].flag != NULL)
            *table[k].flag = 1;
        else if (table[k].number != NULL)
            *table[k].number = atoi(argv[++i]);
        else
            *table[k].text = argv[++i];
    }
}

static void on_alarm(int signal_number)
{
    static const char line[] = "error stage=deadline\n";
    ssize_t ignored = write(STDOUT_FILENO, line, sizeof(line) - 1);

    (void)signal_number;
    (void)ignored;
    _exit(EXIT_DEADLINE);
}

/* Something that the test set up wrongly: no event, the stack's own words on stderr. */
void die(const char *what)
{
    fprintf(stderr, "peer: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(EXIT_USAGE);
}

/* A value of an event line holds no space. */
static const char *word(const char *text)
{
    static char ring[8][128];
    static unsigned next;
    char *out = ring[next++ % 8];

    snprintf(out, sizeof(ring[0]), "%s", text == NULL || *text == '\0' ? "-" : text);
    for (char *p = out; *p != '\0'; p++)
        if (*p == ' ')
            *p = '_';
    return out;
}

static void report_error(const char *stage, SSL *ssl, int ret)
{
    int kind = SSL_get_error(ssl, ret);
    unsigned long code = ERR_peek_error();

    printf("error stage=%s kind=%d reason=%s verify=%ld\n", stage, kind,
           word(code == 0 ? "end_of_stream" : ERR_reason_error_string(code)),
           SSL_get_verify_result(ssl));
    ERR_clear_error();
}

/* ---- events ---- */

/* Sees every message in the clear: alerts, HelloRetryRequest and KeyUpdate, in both directions. */
static void on_message(int written, int version, int content_type, const void *data, size_t len,
                       SSL *ssl, void *arg)
{
    /* RFC 8446 4.1.3: this random marks a ServerHello as a HelloRetryRequest. */
    static const unsigned char retry_random[32] = {
        0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
        0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
    };
    const unsigned char *bytes = data;
    const char *direction = written ? "write" : "read";

    (void)version;
    (void)ssl;
    (void)arg;
    if (content_type == SSL3_RT_ALERT && len == 2)
        printf("alert %s level=%d desc=%d\n", direction, bytes[0], bytes[1]);
    if (content_type != SSL3_RT_HANDSHAKE || len < 5)
        return;
    if (bytes[0] == SSL3_MT_KEY_UPDATE)
        printf("key_update %s request=%d\n", direction, bytes[4]);
    if (bytes[0] == SSL3_MT_SERVER_HELLO && len >= 38
        && memcmp(bytes + 6, retry_random, sizeof(retry_random)) == 0)
        hello_retry = 1;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(last_session);
    last_session = session;
    printf("ticket read lifetime=%lu\n", SSL_SESSION_get_ticket_lifetime_hint(session));
    return 1; /* the reference is kept */
}

static const char *common_name(X509 *cert)
{
    static char out[128];
    const X509_NAME *name = cert == NULL ? NULL : X509_get_subject_name(cert);
    int at = name == NULL ? -1 : X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *value;

    if (at < 0)
        return NULL;
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    snprintf(out, sizeof(out), "%.*s", ASN1_STRING_length(value), ASN1_STRING_get0_data(value));
    return out;
}

static void report_handshake(SSL *ssl)
{
    const unsigned char *alpn = NULL;
    const char *own_signature = NULL, *peer_signature = NULL;
    unsigned int alpn_len = 0;
    char protocol[64];

    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    snprintf(protocol, sizeof(protocol), "%.*s", (int)alpn_len, alpn == NULL ? (const unsigned char *)"" : alpn);
    SSL_get0_signature_name(ssl, &own_signature);
    SSL_get0_peer_signature_name(ssl, &peer_signature);
    printf("handshake version=%s cipher=%s group=%s sigalg=%s peer_sigalg=%s resumed=%d retry=%d "
           "sni=%s alpn=%s verify=%ld peer_cn=%s\n",
           SSL_get_version(ssl), word(SSL_get_cipher_name(ssl)), word(SSL_get0_group_name(ssl)),
           word(own_signature), word(peer_signature), SSL_session_reused(ssl), hello_retry,
           word(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)), word(protocol),
           SSL_get_verify_result(ssl), word(common_name(SSL_get0_peer_certificate(ssl))));
}

/* ---- TLS configuration ---- */

/* "h2,http/1.1" as the length-prefixed list of RFC 7301. */
static unsigned char *alpn_wire(const char *names, unsigned int *len)
{
    size_t total = strlen(names) + 1;
    unsigned char *wire = malloc(total);
    size_t start = 0;

    if (wire == NULL)
        die("malloc");
    memcpy(wire + 1, names, total - 1);
    for (size_t i = 1; i <= total; i++) {
        if (i == total || wire[i] == ',') {
            wire[start] = (unsigned char)(i - start - 1);
            start = i;
        }
    }
    *len = (unsigned int)total;
    return wire;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
    static unsigned char *own;
    static unsigned int own_len;

    (void)ssl;
    (void)arg;
    if (own == NULL)
        own = alpn_wire(opt.alpn, &own_len);
    if (SSL_select_next_proto((unsigned char **)out, out_len, own, own_len, in, in_len)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int protocol_version(const char *text)
{
    return strcmp(text, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

static SSL_CTX *new_context(int server)
{
    static const unsigned char session_context[] = "shangmi-interop";
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int verify = SSL_VERIFY_NONE;

    if (ctx == NULL)
        die("SSL_CTX_new");
    MUST(SSL_CTX_set_min_proto_version(ctx, protocol_version(opt.min)));
    MUST(SSL_CTX_set_max_proto_version(ctx, protocol_version(opt.max)));
    if (opt.ciphersuites != NULL)
        MUST(SSL_CTX_set_ciphersuites(ctx, opt.ciphersuites));
    if (opt.groups != NULL)
        MUST(SSL_CTX_set1_groups_list(ctx, opt.groups));
    if (opt.ca != NULL)
        MUST(SSL_CTX_load_verify_locations(ctx, opt.ca, NULL));
    if (opt.chain != NULL) {
        MUST(SSL_CTX_use_certificate_chain_file(ctx, opt.chain));
        MUST(SSL_CTX_use_PrivateKey_file(ctx, opt.key, SSL_FILETYPE_PEM));
        MUST(SSL_CTX_check_private_key(ctx));
    }
    if (opt.strict) {
#ifdef TONGSUO_VERSION_NUMBER
        SSL_CTX_enable_sm_tls13_strict(ctx);
#else
        die("--strict, which only Tongsuo has,");
#endif
    }

    if (!server)
        verify = SSL_VERIFY_PEER;
    else if (opt.verify)
        verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, verify, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN); /* sends what --chain holds, no more */
    SSL_CTX_set_msg_callback(ctx, on_message);
    MUST(SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1));
    if (server && opt.alpn != NULL)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    if (!server) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
    }
    return ctx;
}

/* ---- one connection ---- */

/* Moves n bytes and reports their digest; returns 0 after an error. */
static int transfer(SSL *ssl, long n, int sending)
{
    static unsigned char buffer[16384];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    MUST(EVP_DigestInit_ex(md, EVP_sm3(), NULL));
    for (long left = n; left > 0;) {
        int chunk = left < (long)sizeof(buffer) ? (int)left : (int)sizeof(buffer);
        int done;

        if (sending)
            MUST(RAND_bytes(buffer, chunk));
        done = sending ? SSL_write(ssl, buffer, chunk) : SSL_read(ssl, buffer, chunk);
        if (done <= 0) {
            report_error(sending ? "send" : "recv", ssl, done);
            EVP_MD_CTX_free(md);
            return 0;
        }
        MUST(EVP_DigestUpdate(md, buffer, (size_t)done));
        left -= done;
    }
    MUST(EVP_DigestFinal_ex(md, digest, &digest_len));
    EVP_MD_CTX_free(md);
    printf("%s bytes=%ld sm3=", sending ? "sent" : "received", n);
    for (unsigned int i = 0; i < digest_len; i++)
        printf("%02x", digest[i]);
    printf("\n");
    return 1;
}

static int key_update(SSL *ssl, int kind)
{
    int ret = SSL_key_update(ssl, kind);

    if (ret == 1)
        ret = SSL_do_handshake(ssl); /* sends it now, not with the next data */
    if (ret != 1)
        report_error("update", ssl, ret);
    return ret == 1;
}

/* Reads until the other end's close_notify; what comes before it is not wanted. */
static int await_close(SSL *ssl)
{
    unsigned char byte;
    int ret = SSL_read(ssl, &byte, 1);

    if (ret > 0) {
        printf("error stage=close reason=unexpected_data\n");
        return 0;
    }
    if (SSL_get_error(ssl, ret) != SSL_ERROR_ZERO_RETURN) {
        report_error("close", ssl, ret);
        return 0;
    }
    return 1;
}

static int run_steps(SSL *ssl)
{
    char *steps = strdup(opt.steps);
    char *rest = NULL;
    int ok = 1;

    for (char *step = strtok_r(steps, ",", &rest); ok && step != NULL; step = strtok_r(NULL, ",", &rest)) {
        if (strncmp(step, "send=", 5) == 0) {
            ok = transfer(ssl, atol(step + 5), 1);
        } else if (strncmp(step, "recv=", 5) == 0) {
            ok = transfer(ssl, atol(step + 5), 0);
        } else if (strcmp(step, "update") == 0) {
            ok = key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        } else if (strcmp(step, "update-request") == 0) {
            ok = key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        } else if (strcmp(step, "close") == 0) {
            ok = SSL_shutdown(ssl) >= 0 && await_close(ssl);
        } else if (strcmp(step, "wait-close") == 0) {
            ok = await_close(ssl) && SSL_shutdown(ssl) == 1;
        } else {
            fprintf(stderr, "peer: unknown step %s\n", step);
            exit(EXIT_USAGE);
        }
    }
    free(steps);
    return ok;
}

/* An alert that was written must be read before a reset can overtake it: half-close, then drain. */
static void close_socket(int fd)
{
    char sink[4096];

    shutdown(fd, SHUT_WR);
    while (read(fd, sink, sizeof(sink)) > 0)
        ;
    close(fd);
}

static int run_connection(SSL_CTX *ctx, int fd, int server)
{
    SSL *ssl = SSL_new(ctx);
    int one = 1;
    int ok, ret;

    if (ssl == NULL)
        die("SSL_new");
    hello_retry = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    MUST(SSL_set_fd(ssl, fd));
    if (!server && opt.host != NULL) {
        MUST(SSL_set_tlsext_host_name(ssl, opt.host));
        MUST(X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), opt.host, 0));
    }
    if (!server && opt.alpn != NULL) {
        unsigned int len = 0;
        unsigned char *wire = alpn_wire(opt.alpn, &len);

        if (SSL_set_alpn_protos(ssl, wire, len) != 0)
            die("SSL_set_alpn_protos");
        free(wire);
    }
    if (opt.resume && last_session != NULL)
        MUST(SSL_set_session(ssl, last_session));

    ret = server ? SSL_accept(ssl) : SSL_connect(ssl);
    ok = ret == 1;
    if (ok) {
        report_handshake(ssl);
        ok = run_steps(ssl);
        if (ok)
            printf("done\n");
    } else {
        report_error("handshake", ssl, ret);
    }
    close_socket(fd);
    SSL_free(ssl);
    return ok;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int run_server(void)
{
    SSL_CTX *ctx = new_context(1);
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int ok = 1;

    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 4) != 0
        || getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        die("listen");
    printf("listening port=%d\n", ntohs(address.sin_port));
    for (int i = 0; i < opt.connections; i++) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            die("accept");
        ok &= run_connection(ctx, fd, 1);
    }
    SSL_CTX_free(ctx);
    return ok ? 0 : EXIT_TLS;
}

static int run_client(void)
{
    SSL_CTX *ctx = new_context(0);
    int ok = 1;

    for (int i = 0; i < opt.connections; i++) {
        struct sockaddr_in address = loopback(opt.port);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
            die("connect");
        ok &= run_connection(ctx, fd, 0);
    }
    SSL_SESSION_free(last_session);
    SSL_CTX_free(ctx);
    return ok ? 0 : EXIT_TLS;
}
