/*
 * What the benchmark drives of a foreign stack, compiled once against each: both export the same names,
 * so that they cannot be in one process with us.
 *
 *   bench DIR SECRET PUBLIC SIGNATURE
 *
 * DIR holds certificates, `{ca,server,client}.{pem,key}`; the rest is in hexadecimal: an SM2 key as 32
 * bytes, its point as 65, and the DER of its signature on `message`. Each line of the standard input is
 * a command, answered in one line:
 *
 *   version              the library's own version
 *   hardware             which instructions it uses, in its own words
 *   output WORK LEN      what the work gives for the input that everyone has, in hexadecimal
 *   time WORK LEN CALLS  nanoseconds for so many calls
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "bench.h"

unsigned char buffer[MAX_LEN + TAG_LEN];
const unsigned char *result;
size_t result_len;
struct setting setting;

static size_t from_hex(const char *hex, unsigned char *out, size_t room)
{
    size_t len = strlen(hex) / 2;

    if (len > room)
        die("an argument of this length");
    for (size_t i = 0; i < len; i++) {
        unsigned int byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            die("reading hexadecimal");
        out[i] = (unsigned char)byte;
    }
    return len;
}

static const struct work *find(const char *name)
{
    const struct work *tables[] = { crypto_works, tls_works };

    for (size_t i = 0; i < 2; i++)
        for (const struct work *work = tables[i]; work->name != NULL; work++)
            if (strcmp(work->name, name) == 0)
                return work;
    die(name);
    return NULL;
}

static const struct work *prepared;
static size_t prepared_len;

static void print_output(const struct work *work, size_t len)
{
    prepared = NULL;
    work->prepare(len);
    work->once();
    for (size_t i = 0; i < result_len; i++)
        printf("%02x", result[i]);
    printf("\n");
}

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* A run follows another contender's; one call beforehand brings the code and data back. */
static void print_time(const struct work *work, size_t len, long calls)
{
    int64_t start;

    if (work != prepared || len != prepared_len) {
        work->prepare(len);
        prepared = work;
        prepared_len = len;
    }
    if (calls > 1)
        work->once();
    start = now();
    for (long i = 0; i < calls; i++)
        work->once();
    printf("%lld\n", (long long)(now() - start));
}

int main(int argc, char **argv)
{
    char line[256], command[16], name[32];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 5) {
        fprintf(stderr, "usage: bench DIR SECRET PUBLIC SIGNATURE\n");
        return 2;
    }
    setting.certificates = argv[1];
    if (from_hex(argv[2], setting.secret, 32) != 32 || from_hex(argv[3], setting.public, 65) != 65)
        die("reading the key");
    setting.signature_len = from_hex(argv[4], setting.signature, sizeof(setting.signature));

    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t len = 0;
        long calls = 1;
        int words = sscanf(line, "%15s %31s %zu %ld", command, name, &len, &calls);

        if (words >= 3 && len > MAX_LEN)
            die(line);
        if (words == 1 && strcmp(command, "version") == 0)
#ifdef TONGSUO_VERSION
            printf("%s\n", OpenSSL_version(TONGSUO_VERSION));
#else
            printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
#endif
        else if (words == 1 && strcmp(command, "hardware") == 0)
            printf("%s\n", OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS));
        else if (words == 3 && strcmp(command, "output") == 0)
            print_output(find(name), len);
        else if (words == 4 && strcmp(command, "time") == 0)
            print_time(find(name), len, calls);
        else
            die(line);
    }
    return 0;
}

void fill(size_t len)
{
    for (size_t i = 0; i < len; i++)
        buffer[i] = (unsigned char)i;
}

void die(const char *what)
{
    fprintf(stderr, "bench: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}
