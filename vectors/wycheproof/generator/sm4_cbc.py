"""SM4-CBC with the padding of PKCS #7 (RFC 5652, 6.3), which Wycheproof calls PKCS5."""

from . import sm4
from .sm2 import Generator
from .testfile import File

NOTES = {
    "Pseudorandom": ("FUNCTIONALITY", "Plaintexts of every length up to 128 bytes, and longer ones."),
    "EdgeCase": ("EDGE_CASE", "Key, IV or plaintext of equal bits, or a plaintext that ends like a padding."),
    "ModifiedIv": (
        "FUNCTIONALITY",
        "The IV is changed, which changes the first block of the plaintext: the padding stays right, and CBC alone notices nothing.",
    ),
    "BadPadding": (
        "MISSING_STEP",
        "The padding is none of PKCS #7. Whoever tells this error from others lets an attacker decrypt.",
    ),
    "OtherPadding": (
        "MISSING_STEP",
        "The padding is of another standard: ISO 7816-4, ANSI X9.23, ISO 10126, or zeros.",
    ),
    "TlsPadding": (
        "MISSING_STEP",
        "The padding is that of records in TLS 1.2 and TLCP: n + 1 bytes of n. Read as PKCS #7 one of 1 byte is wrong, and a longer one leaves a byte.",
    ),
    "NoPadding": ("MISSING_STEP", "The ciphertext is empty."),
    "WrongLength": ("MISSING_STEP", "The ciphertext is not of whole blocks."),
}
HEADER = [
    "Test vectors of type IndCpaTest are intended for tests that verify",
    "encryption and decryption of symmetric ciphers without authentication.",
    "Cases of the flags TlsPadding and ModifiedIv that are valid are those of another encryption: they encrypt to ct too.",
]


def make():
    file = File("SM4-CBC-PKCS5", "ind_cpa_test_schema_v1.json", HEADER, NOTES)
    random = Generator("SM4-CBC")
    group = file.group("IndCpaTest", keySize=128, ivSize=128)

    def case(flag, comment, padded, key=None, iv=None):
        key, iv = key or random.bytes(16), iv or random.bytes(16)
        good = sm4.pkcs7_is_valid(padded)
        message = padded[: -padded[-1]] if good else b""
        ct = sm4.cbc_encrypt(key, iv, padded)
        group.case("valid" if good else "invalid", flag, comment, key=key, iv=iv, msg=message, ct=ct)
        return good

    for size in [*range(129), 143, 144, 145, 255, 256, 257, 511, 512, 513, 1023, 1024]:
        assert case("Pseudorandom", f"plaintext of {size} bytes", sm4.pkcs7(random.bytes(size)))
    zero, ones = bytes(16), b"\xff" * 16
    for name, key, iv in (
        ("key 0", zero, None),
        ("key of ones", ones, None),
        ("IV 0", None, zero),
        ("IV of ones", None, ones),
        ("key and IV 0", zero, zero),
    ):
        for size in (0, 15, 16, 32):
            assert case("EdgeCase", f"{name}, {size} bytes of 0", sm4.pkcs7(bytes(size)), key, iv)
            assert case("EdgeCase", f"{name}, {size} bytes of ones", sm4.pkcs7(b"\xff" * size), key, iv)
    for n in (1, 2, 8, 15, 16):
        assert case(
            "EdgeCase", f"the plaintext ends with {n} bytes of {n}", sm4.pkcs7(random.bytes(32 - n) + bytes([n]) * n)
        )
        assert case(
            "EdgeCase", f"the plaintext is {32 - n} bytes of {n}, like its padding", sm4.pkcs7(bytes([n]) * (32 - n))
        )

    key, iv, message = random.bytes(16), random.bytes(16), random.bytes(37)
    ct = sm4.cbc_encrypt(key, iv, sm4.pkcs7(message))
    for bit in (0, 9, 127):
        delta = (1 << bit).to_bytes(16, "big")
        changed = sm4.xor(message[:16], delta) + message[16:]
        group.case("valid", "ModifiedIv", f"bit {bit}", key=key, iv=sm4.xor(iv, delta), msg=changed, ct=ct)

    for before in (0, 1, 2):
        start = random.bytes(16 * before)
        for last in (0, 17, 18, 31, 32, 33, 64, 127, 128, 129, 240, 255):
            assert not case("BadPadding", f"{before} blocks, then one of {last}", start + bytes([last]) * 16)
            assert not case(
                "BadPadding", f"{before} blocks, then one whose last byte is {last}", start + bytes(15) + bytes([last])
            )
        for n in range(2, 17):
            for wrong in {0, 1, n // 2, n - 2} if before == 1 else {0}:
                padded = bytearray(start + random.bytes(16 - n) + bytes([n]) * n)
                padded[len(padded) - n + wrong] ^= 1 << random.bytes(1)[0] % 8
                assert not case("BadPadding", f"{before} blocks, padding {n}, byte {wrong} of it wrong", bytes(padded))
            fill = start + random.bytes(15 - n if n < 16 else 0)
            short = fill + b"\x5a" * (17 - n) if n < 16 else start + b"\x5a" + bytes([n]) * 15
            short = short[: 16 * before + 17 - n] + bytes([n]) * (n - 1)
            assert not case("BadPadding", f"{before} blocks, padding {n}, one byte of it too few", short)
    for n in (1, 2, 3, 7, 8, 9, 15, 16):
        start = random.bytes(32 - n)
        for name, padding in {
            "ISO 7816-4": b"\x80" + bytes(n - 1),
            "zeros": bytes(n),
            "ANSI X9.23": bytes(n - 1) + bytes([n]),
            "ISO 10126": random.bytes(n - 1) + bytes([n]),
            "spaces": b" " * n,
        }.items():
            if not sm4.pkcs7_is_valid(start + padding):
                case("OtherPadding", f"{name}, {n} bytes", start + padding)
    for n in range(16):
        case("TlsPadding", f"{n + 1} bytes of {n}", random.bytes(32 - n - 1) + bytes([n]) * (n + 1))
    for n in (16, 31, 47, 255):
        case("TlsPadding", f"{n + 1} bytes of {n}", random.bytes(-(n + 1) % 16) + bytes([n]) * (n + 1))
    group.case("invalid", "NoPadding", "empty ciphertext", key=key, iv=iv, msg=b"", ct=b"")
    for size in (1, 2, 8, 15, 17, 24, 31, 33, 47):
        group.case(
            "invalid", "WrongLength", f"the first {size} bytes of a ciphertext", key=key, iv=iv, msg=b"", ct=ct[:size]
        )
    group.case("invalid", "WrongLength", "a byte more", key=key, iv=iv, msg=b"", ct=ct + b"\0")
    # Cut by whole blocks: what is then last is no padding.
    for size in (16, 32):
        assert not sm4.pkcs7_is_valid(message[:size])
        group.case(
            "invalid",
            "BadPadding",
            f"the last {48 - size} bytes of the ciphertext cut",
            key=key,
            iv=iv,
            msg=b"",
            ct=ct[:size],
        )
    return file
