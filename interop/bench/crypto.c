/* SM4, SM3 and SM2 through the EVP interface, as a program that cares for speed would call it: keys and
 * contexts are made once. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "bench.h"

/* The same in every contender; see work.rs. */
static const unsigned char key[16] = "shangmi's bench", nonce[12] = { 1 }, iv[16] = { 2 };
static const unsigned char header[5] = { 0x17, 0x03, 0x03, 0x40, 0x11 };
static const unsigned char message[32] = { 3 };
static const char id[] = "1234567812345678";

static size_t buffer_len;
static EVP_CIPHER_CTX *cipher;

/* ---- SM4 ---- */

/* A new context for the mode; it keeps its own reference. */
static void new_cipher(const char *name)
{
    EVP_CIPHER *mode = EVP_CIPHER_fetch(NULL, name, NULL);

    if (mode == NULL)
        die(name);
    EVP_CIPHER_CTX_free(cipher);
    cipher = EVP_CIPHER_CTX_new();
    MUST(EVP_EncryptInit_ex(cipher, mode, NULL, NULL, NULL));
    EVP_CIPHER_free(mode);
}

static void prepare_cipher(const char *name, const unsigned char *start, size_t len)
{
    new_cipher(name);
    MUST(EVP_EncryptInit_ex(cipher, NULL, NULL, key, start));
    MUST(EVP_CIPHER_CTX_set_padding(cipher, 0));
    buffer_len = len;
    fill(len);
}

static void prepare_gcm(size_t len)
{
    prepare_cipher("SM4-GCM", nonce, len);
}

static void gcm_seal(void)
{
    int n;

    MUST(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce));
    MUST(EVP_EncryptUpdate(cipher, NULL, &n, header, sizeof(header)));
    MUST(EVP_EncryptUpdate(cipher, buffer, &n, buffer, (int)buffer_len));
    MUST(EVP_EncryptFinal_ex(cipher, buffer + buffer_len, &n));
    MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, buffer + buffer_len));
    result = buffer;
    result_len = buffer_len + TAG_LEN;
}

static unsigned char opened[MAX_LEN];

static void prepare_open(size_t len)
{
    prepare_gcm(len);
    gcm_seal();
    MUST(EVP_DecryptInit_ex(cipher, NULL, NULL, key, nonce));
}

static void gcm_open(void)
{
    int n;

    MUST(EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, nonce));
    MUST(EVP_DecryptUpdate(cipher, NULL, &n, header, sizeof(header)));
    MUST(EVP_DecryptUpdate(cipher, opened, &n, buffer, (int)buffer_len));
    MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, buffer + buffer_len));
    MUST(EVP_DecryptFinal_ex(cipher, opened + buffer_len, &n));
    result = opened;
    result_len = buffer_len;
}

static void prepare_ccm(size_t len)
{
    new_cipher("SM4-CCM");
    MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_IVLEN, sizeof(nonce), NULL));
    MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, NULL));
    MUST(EVP_EncryptInit_ex(cipher, NULL, NULL, key, nonce));
    buffer_len = len;
    fill(len);
}

static void ccm_seal(void)
{
    int n;

    MUST(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce));
    MUST(EVP_EncryptUpdate(cipher, NULL, &n, NULL, (int)buffer_len));
    MUST(EVP_EncryptUpdate(cipher, NULL, &n, header, sizeof(header)));
    MUST(EVP_EncryptUpdate(cipher, buffer, &n, buffer, (int)buffer_len));
    MUST(EVP_EncryptFinal_ex(cipher, buffer + buffer_len, &n));
    MUST(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, buffer + buffer_len));
    result = buffer;
    result_len = buffer_len + TAG_LEN;
}

static void prepare_cbc(size_t len)
{
    prepare_cipher("SM4-CBC", iv, len);
}

static void prepare_ctr(size_t len)
{
    prepare_cipher("SM4-CTR", iv, len);
}

static void encrypt(void)
{
    int n;

    MUST(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv));
    MUST(EVP_EncryptUpdate(cipher, buffer, &n, buffer, (int)buffer_len));
    result = buffer;
    result_len = buffer_len;
}

/* ---- SM3 ---- */

static EVP_MD *sm3;
static EVP_MD_CTX *md;

static void prepare_hash(size_t len)
{
    if (sm3 == NULL) {
        sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
        md = EVP_MD_CTX_new();
    }
    buffer_len = len;
    fill(len);
}

static void hash(void)
{
    static unsigned char digest[32];

    MUST(EVP_DigestInit_ex(md, sm3, NULL));
    MUST(EVP_DigestUpdate(md, buffer, buffer_len));
    MUST(EVP_DigestFinal_ex(md, digest, NULL));
    result = digest;
    result_len = sizeof(digest);
}

/* ---- SM2 ---- */

static unsigned char out[128];
static EVP_PKEY *own;

/* Loads the key of the command line. */
static void prepare_signature(size_t len)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);
    unsigned char native[32];
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, setting.public, sizeof(setting.public)),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof(native)),
        OSSL_PARAM_END,
    };

    (void)len;
    for (size_t i = 0; i < 32; i++) /* an integer of OSSL_PARAM is in the machine's order */
        native[i] = setting.secret[31 - i];
    EVP_PKEY_free(own);
    own = NULL;
    MUST(EVP_PKEY_fromdata_init(context));
    MUST(EVP_PKEY_fromdata(context, &own, EVP_PKEY_KEYPAIR, params));
    EVP_PKEY_CTX_free(context);
}

static void sign(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    size_t len = sizeof(out);

    MUST(EVP_DigestSignInit(context, &pkey, EVP_sm3(), NULL, own));
    MUST(EVP_PKEY_CTX_set1_id(pkey, id, strlen(id)));
    MUST(EVP_DigestSign(context, out, &len, message, sizeof(message)));
    EVP_MD_CTX_free(context);
    result = out;
    result_len = len;
}

static void verify(void)
{
    static const unsigned char valid[] = "valid";
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;

    MUST(EVP_DigestVerifyInit(context, &pkey, EVP_sm3(), NULL, own));
    MUST(EVP_PKEY_CTX_set1_id(pkey, id, strlen(id)));
    MUST(EVP_DigestVerify(context, setting.signature, setting.signature_len, message, sizeof(message)));
    EVP_MD_CTX_free(context);
    result = valid;
    result_len = sizeof(valid) - 1;
}

static void prepare_nothing(size_t len)
{
    (void)len;
}

static void generate_key(void)
{
    EVP_PKEY *made = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");

    MUST(made != NULL);
    MUST(EVP_PKEY_get_octet_string_param(made, OSSL_PKEY_PARAM_PUB_KEY, out, sizeof(out), &result_len));
    EVP_PKEY_free(made);
    result = out;
}

static EC_GROUP *curve;
static BIGNUM *secret;

static void prepare_ecdh(size_t len)
{
    (void)len;
    if (curve == NULL)
        curve = EC_GROUP_new_by_curve_name(NID_sm2);
    BN_clear_free(secret);
    secret = BN_secure_new();
    MUST(BN_bin2bn(setting.secret, sizeof(setting.secret), secret) != NULL);
    BN_set_flags(secret, BN_FLG_CONSTTIME);
}

/* With the peer's share as bytes, as TLS has it. The two stacks name this exchange differently in EVP,
 * so that this is the arithmetic below it; decoding checks that the point is on the curve. */
static void ecdh(void)
{
    EC_POINT *point = EC_POINT_new(curve);
    BIGNUM *x = BN_new();

    MUST(EC_POINT_oct2point(curve, point, setting.public, sizeof(setting.public), NULL));
    MUST(EC_POINT_mul(curve, point, NULL, point, secret, NULL));
    MUST(EC_POINT_get_affine_coordinates(curve, point, x, NULL, NULL));
    MUST(BN_bn2binpad(x, out, 32));
    BN_free(x);
    EC_POINT_free(point);
    result = out;
    result_len = 32;
}

const struct work crypto_works[] = {
    { "gcm-seal", prepare_gcm, gcm_seal },
    { "gcm-open", prepare_open, gcm_open },
    { "ccm-seal", prepare_ccm, ccm_seal },
    { "cbc-encrypt", prepare_cbc, encrypt },
    { "ctr-encrypt", prepare_ctr, encrypt },
    { "hash", prepare_hash, hash },
    { "sign", prepare_signature, sign },
    { "verify", prepare_signature, verify },
    { "generate-key", prepare_nothing, generate_key },
    { "ecdh", prepare_ecdh, ecdh },
    { NULL, NULL, NULL },
};
