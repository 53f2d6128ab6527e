#!/usr/bin/env python3
"""What OpenSSL's libcrypto makes of the edge cases: judge.py [path of libcrypto.so] prints a row for each file.

Cases of digests go through EVP_PKEY_verify, others through EVP_DigestVerify with the signer's ID."""

import collections
import ctypes
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
POINTER, INT, TEXT, SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
GCM_TAG, GCM_SET_TAG, SET_IV_LENGTH = 0x10, 0x11, 0x9


class Refused(Exception):
    """OpenSSL reported an error."""


class Unknown(Exception):
    """This OpenSSL has no such algorithm."""


def bind(library):
    crypto = ctypes.CDLL(library)
    for name in (
        "EVP_sm3",
        "EVP_MD_CTX_new",
        "EVP_PKEY_CTX_new",
        "d2i_PUBKEY",
        "d2i_AutoPrivateKey",
        "EVP_CIPHER_CTX_new",
        "EVP_CIPHER_fetch",
        "HMAC",
        "EVP_PKEY_new",
        "EVP_PKEY_CTX_new_from_name",
    ):
        getattr(crypto, name).restype = POINTER
    crypto.OpenSSL_version.restype = TEXT
    return crypto


def good(result):
    if result != 1:
        crypto.ERR_clear_error()
        raise Refused
    return result


def public_key(der):
    data = ctypes.c_char_p(der)
    key = crypto.d2i_PUBKEY(None, ctypes.byref(data), ctypes.c_long(len(der)))
    if not key:
        crypto.ERR_clear_error()
        raise Refused
    return POINTER(key)


def verify(group, case):
    key = public_key(bytes.fromhex(group["publicKeyDer"]))
    signature = bytes.fromhex(case["sig"])
    context = POINTER(crypto.EVP_PKEY_CTX_new(key, None))
    try:
        if "digest" in case:
            digest = bytes.fromhex(case["digest"])
            good(crypto.EVP_PKEY_verify_init(context))
            good(crypto.EVP_PKEY_verify(context, signature, SIZE(len(signature)), digest, SIZE(len(digest))))
            return
        id_, message = bytes.fromhex(group["signerId"]), bytes.fromhex(case["msg"])
        hash_ = POINTER(crypto.EVP_MD_CTX_new())
        crypto.EVP_MD_CTX_set_pkey_ctx(hash_, context)
        try:
            good(crypto.EVP_PKEY_CTX_set1_id(context, id_, INT(len(id_))))
            good(crypto.EVP_DigestVerifyInit(hash_, None, POINTER(crypto.EVP_sm3()), None, key))
            good(crypto.EVP_DigestVerify(hash_, signature, SIZE(len(signature)), message, SIZE(len(message))))
        finally:
            crypto.EVP_MD_CTX_free(hash_)
    finally:
        crypto.EVP_PKEY_CTX_free(context)
        crypto.EVP_PKEY_free(key)


def decrypt(group, case):
    if group["encoding"] != "ASN.1":
        raise Unknown
    der, ct = bytes.fromhex(group["privateKeyPkcs8"]), bytes.fromhex(case["ct"])
    data = ctypes.c_char_p(der)
    key = POINTER(crypto.d2i_AutoPrivateKey(None, ctypes.byref(data), ctypes.c_long(len(der))))
    context = POINTER(crypto.EVP_PKEY_CTX_new(key, None))
    try:
        out, size = ctypes.create_string_buffer(len(ct) + 4096), SIZE(len(ct) + 4096)
        good(crypto.EVP_PKEY_decrypt_init(context))
        good(crypto.EVP_PKEY_decrypt(context, out, ctypes.byref(size), ct, SIZE(len(ct))))
        return out.raw[: size.value] == bytes.fromhex(case["msg"])
    finally:
        crypto.EVP_PKEY_CTX_free(context)
        crypto.EVP_PKEY_free(key)


def cipher(name):
    found = crypto.EVP_CIPHER_fetch(None, name, None)
    if not found:
        crypto.ERR_clear_error()
        raise Unknown
    return POINTER(found)


def update(context, data, out=True):
    buffer, size = ctypes.create_string_buffer(len(data) + 32), INT(0)
    good(crypto.EVP_CipherUpdate(context, buffer if out else None, ctypes.byref(size), data, INT(len(data))))
    return buffer.raw[: size.value] if out else b""


def final(context):
    buffer, size = ctypes.create_string_buffer(64), INT(0)
    good(crypto.EVP_CipherFinal_ex(context, buffer, ctypes.byref(size)))
    return buffer.raw[: size.value]


def aead(name):
    algorithm = cipher(name)

    def judge(_, case):
        key, iv, aad, ct, tag = (bytes.fromhex(case[field]) for field in ("key", "iv", "aad", "ct", "tag"))
        # The size of the tag is the caller's to fix: OpenSSL takes shorter ones too.
        if len(tag) != 16:
            raise Refused
        context = POINTER(crypto.EVP_CIPHER_CTX_new())
        try:
            good(crypto.EVP_CipherInit_ex(context, algorithm, None, None, None, INT(0)))
            good(crypto.EVP_CIPHER_CTX_ctrl(context, SET_IV_LENGTH, INT(len(iv)), None))
            good(crypto.EVP_CIPHER_CTX_ctrl(context, GCM_SET_TAG, INT(len(tag)), tag))
            good(crypto.EVP_CipherInit_ex(context, None, None, key, iv, INT(0)))
            if name == b"SM4-CCM":
                size = INT(0)
                good(crypto.EVP_CipherUpdate(context, None, ctypes.byref(size), None, INT(len(ct))))
            if aad:
                update(context, aad, out=False)
            message = update(context, ct) if ct or name == b"SM4-CCM" else b""
            if name == b"SM4-GCM":
                final(context)
            return message == bytes.fromhex(case["msg"])
        finally:
            crypto.EVP_CIPHER_CTX_free(context)

    return judge


def cbc(_, case):
    key, iv, ct = (bytes.fromhex(case[field]) for field in ("key", "iv", "ct"))
    context = POINTER(crypto.EVP_CIPHER_CTX_new())
    try:
        good(crypto.EVP_CipherInit_ex(context, cipher(b"SM4-CBC"), None, key, iv, INT(0)))
        return update(context, ct) + final(context) == bytes.fromhex(case["msg"])
    finally:
        crypto.EVP_CIPHER_CTX_free(context)


def hmac(group, case):
    key, message, tag = (bytes.fromhex(case[field]) for field in ("key", "msg", "tag"))
    out = ctypes.create_string_buffer(32)
    assert crypto.HMAC(POINTER(crypto.EVP_sm3()), key, INT(len(key)), message, SIZE(len(message)), out, None)
    # The comparison is the caller's.
    if out.raw[: group["tagSize"] // 8] != tag:
        raise Refused


def row(name, judge):
    file = json.loads((FOLDER / name).read_text())
    judged, otherwise = 0, collections.Counter()
    for group in file["testGroups"]:
        for case in group["tests"]:
            try:
                answer = "valid" if judge(group, case) is not False else "wrong"
            except Refused:
                answer = "invalid"
            except Unknown:
                continue
            judged += 1
            if answer == "wrong" or case["result"] not in (answer, "acceptable"):
                otherwise[case["flags"][0]] += 1
                if "-v" in sys.argv:
                    print(case["tcId"], case["comment"], case["flags"], answer)
    text = ", ".join(f"{flag} {count}" for flag, count in sorted(otherwise.items())) or "none"
    print(f"| `{name}` | {version} | {judged} | {text} |", flush=True)


paths = [argument for argument in sys.argv[1:] if argument != "-v"]
crypto = bind(paths[0] if paths else "libcrypto.so.3")
version = crypto.OpenSSL_version(0).decode().rsplit(" ", 3)[0]
if hasattr(crypto, "Tongsuo_version_num"):
    number = crypto.Tongsuo_version_num() & 0xFFFFFFFF
    version = f"Tongsuo {number >> 28}.{number >> 20 & 255}.{number >> 4 & 255}"
row("sm2_verify_test.json", verify)
row("sm2_encrypt_test.json", decrypt)
for file_name, algorithm in (("sm4_gcm_test.json", b"SM4-GCM"), ("sm4_ccm_test.json", b"SM4-CCM")):
    try:
        row(file_name, aead(algorithm))
    except Unknown:
        print(f"| `{file_name}` | {version} | 0 | it has no {algorithm.decode()} |")
row("sm4_cbc_pkcs5_test.json", cbc)
row("hmac_sm3_test.json", hmac)
