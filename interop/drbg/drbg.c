/*
 * The random bit generators of SP 800-90A as a foreign stack has them, on inputs that a test chooses;
 * compiled once against each stack.
 *
 * Reads one case a line, words with one blank between them, bytes in hex:
 *
 *   mechanism primitive entropy nonce personalization operation..
 *
 * mechanism   hash, hmac, ctr-df or ctr
 * primitive   the stack's name of the hash function (SM3), or of the cipher (SM4-CTR)
 * operation   reseed:ENTROPY:ADDITIONAL
 *             generate:LENGTH:ADDITIONAL
 *             fresh:LENGTH:ADDITIONAL:ENTROPY    with prediction resistance
 *
 * Prints a line for each: a word for each output, and `refused:STEP` when the stack does not go on.
 * Exit status: 0 all lines read, 2 a line that is not understood.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

struct bytes {
    unsigned char *data;
    size_t len;
};

/* A generator, and the source that gives it the entropy of the case. */
struct drbg {
    EVP_RAND_CTX *source, *ctx;
};

static const char *run(char *line);
static int make(struct drbg *drbg, const char *mechanism, char *primitive);
static int instantiate(struct drbg *drbg, const char *entropy, const char *nonce,
                       const char *personalization);
static int operate(struct drbg *drbg, char *operation);
static int reseed(struct drbg *drbg, const char *entropy, const char *additional);
static int generate(struct drbg *drbg, size_t len, const char *additional, const char *entropy);
static int give(struct drbg *drbg, const char *name, const char *hex);
static EVP_RAND_CTX *context(const char *name, EVP_RAND_CTX *parent);
static char *word(char **rest, const char *separator);
static struct bytes bytes(const char *hex);
static void misused(const char *what);

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    while ((len = getline(&line, &room, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        const char *refused = run(line);
        printf(refused == NULL ? "\n" : "refused:%s\n", refused);
    }
    free(line);
    return 0;
}

/* Runs a case, and says which step the stack refused. */
static const char *run(char *line)
{
    struct drbg drbg = { NULL, NULL };
    const char *mechanism = word(&line, " ");
    char *primitive = word(&line, " ");
    const char *entropy = word(&line, " ");
    const char *nonce = word(&line, " ");
    const char *personalization = word(&line, " ");
    const char *refused = NULL;

    if (!make(&drbg, mechanism, primitive))
        refused = "make";
    else if (!instantiate(&drbg, entropy, nonce, personalization))
        refused = "instantiate";
    while (refused == NULL && line != NULL) {
        if (!operate(&drbg, word(&line, " ")))
            refused = "operate";
    }
    EVP_RAND_CTX_free(drbg.ctx);
    EVP_RAND_CTX_free(drbg.source);
    return refused;
}

static int make(struct drbg *drbg, const char *mechanism, char *primitive)
{
    OSSL_PARAM params[3] = { OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END };
    int use_df = strcmp(mechanism, "ctr-df") == 0;
    unsigned int strength = 256;
    const char *name;

    drbg->source = context("TEST-RAND", NULL);
    params[0] = OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength);
    if (drbg->source == NULL || !EVP_RAND_instantiate(drbg->source, strength, 0, NULL, 0, params))
        return 0;

    if (use_df || strcmp(mechanism, "ctr") == 0) {
        name = "CTR-DRBG";
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, primitive, 0);
        params[1] = OSSL_PARAM_construct_int(OSSL_DRBG_PARAM_USE_DF, &use_df);
    } else if (strcmp(mechanism, "hash") == 0) {
        name = "HASH-DRBG";
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST, primitive, 0);
    } else if (strcmp(mechanism, "hmac") == 0) {
        name = "HMAC-DRBG";
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST, primitive, 0);
        params[1] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_MAC, (char *)"HMAC", 0);
    } else {
        misused(mechanism);
    }
    drbg->ctx = context(name, drbg->source);
    return drbg->ctx != NULL && EVP_RAND_CTX_set_params(drbg->ctx, params);
}

static int instantiate(struct drbg *drbg, const char *entropy, const char *nonce,
                       const char *personalization)
{
    struct bytes pers = bytes(personalization);
    int done = give(drbg, OSSL_RAND_PARAM_TEST_ENTROPY, entropy)
        && give(drbg, OSSL_RAND_PARAM_TEST_NONCE, nonce)
        && EVP_RAND_instantiate(drbg->ctx, 0, 0, pers.data, pers.len, NULL);

    free(pers.data);
    return done;
}

static int operate(struct drbg *drbg, char *operation)
{
    const char *what = word(&operation, ":");
    const char *first = word(&operation, ":");
    const char *additional = word(&operation, ":");

    if (strcmp(what, "reseed") == 0)
        return reseed(drbg, first, additional);
    if (strcmp(what, "generate") == 0)
        return generate(drbg, strtoul(first, NULL, 10), additional, NULL);
    if (strcmp(what, "fresh") == 0)
        return generate(drbg, strtoul(first, NULL, 10), additional, word(&operation, ":"));
    misused(what);
    return 0;
}

static int reseed(struct drbg *drbg, const char *entropy, const char *additional)
{
    struct bytes adin = bytes(additional);
    int done = give(drbg, OSSL_RAND_PARAM_TEST_ENTROPY, entropy)
        && EVP_RAND_reseed(drbg->ctx, 0, NULL, 0, adin.data, adin.len);

    free(adin.data);
    return done;
}

/* With prediction resistance if there is fresh entropy. */
static int generate(struct drbg *drbg, size_t len, const char *additional, const char *entropy)
{
    struct bytes adin = bytes(additional);
    unsigned char *out = malloc(len + 1);
    int fresh = entropy != NULL;
    int done = (!fresh || give(drbg, OSSL_RAND_PARAM_TEST_ENTROPY, entropy))
        && EVP_RAND_generate(drbg->ctx, out, len, 0, fresh, adin.data, adin.len);

    for (size_t i = 0; done && i < len; i++)
        printf("%02x", out[i]);
    if (done)
        printf(" ");
    free(out);
    free(adin.data);
    return done;
}

/* Has the source give these bytes from now on. */
static int give(struct drbg *drbg, const char *name, const char *hex)
{
    struct bytes value = bytes(hex);
    OSSL_PARAM params[2] = { OSSL_PARAM_construct_octet_string(name, value.data, value.len),
                             OSSL_PARAM_END };
    int done = EVP_RAND_CTX_set_params(drbg->source, params);

    free(value.data);
    return done;
}

static EVP_RAND_CTX *context(const char *name, EVP_RAND_CTX *parent)
{
    EVP_RAND *rand = EVP_RAND_fetch(NULL, name, NULL);
    EVP_RAND_CTX *ctx = rand == NULL ? NULL : EVP_RAND_CTX_new(rand, parent);

    EVP_RAND_free(rand);
    return ctx;
}

/* The next word, which may be empty; the rest is NULL behind the last. */
static char *word(char **rest, const char *separator)
{
    char *found = strsep(rest, separator);

    if (found == NULL)
        misused("a word is missing");
    return found;
}

/* Never NULL, which the stack takes for "none given". */
static struct bytes bytes(const char *hex)
{
    struct bytes bytes = { malloc(strlen(hex) / 2 + 1), strlen(hex) / 2 };

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned int byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            misused(hex);
        bytes.data[i] = (unsigned char)byte;
    }
    return bytes;
}

static void misused(const char *what)
{
    fprintf(stderr, "not understood: %s\n", what);
    exit(2);
}
