"""HMAC-SM3 (RFC 2104) and HKDF-SM3 (RFC 5869)."""

from .aead import flip
from .sm2 import Generator
from .sm3 import hkdf, hmac, sm3
from .testfile import File

HMAC_NOTES = {
    "Pseudorandom": ("FUNCTIONALITY", "Messages of every length up to 130 bytes, two blocks of SM3 and more."),
    "KeyLength": ("FUNCTIONALITY", "Keys of every length up to 130 bytes: those of more than 64 are hashed first."),
    "EquivalentKey": (
        "EDGE_CASE",
        "Different keys with the same tags: one filled with zeros, and one that is the hash of a long one.",
    ),
    "EdgeCaseKey": ("EDGE_CASE", "A key that makes one of the two pads 0, or of equal bytes."),
    "ModifiedTag": ("AUTH_BYPASS", "The tag was changed."),
    "TruncatedTag": ("AUTH_BYPASS", "The tag is shorter or longer than the group's tagSize."),
    "ModifiedMessage": ("AUTH_BYPASS", "The message or the key was changed."),
    "WrongConstruction": ("AUTH_BYPASS", "The tag was made otherwise."),
}
HKDF_NOTES = {
    "Normal": ("BASIC", "Random inputs."),
    "Size": ("FUNCTIONALITY", "Outputs that end at or beside a block of SM3."),
    "EmptySalt": (
        "FUNCTIONALITY",
        "No salt is the same as 32 zeros (RFC 5869, 2.2), and for HMAC the same as any number of zeros up to 64.",
    ),
    "LongSalt": ("EDGE_CASE", "The salt is longer than a block of SM3, so that HMAC hashes it."),
    "InputSize": ("FUNCTIONALITY", "Input keys and info of several lengths, and none."),
    "MaximalOutputSize": ("EDGE_CASE", "255 blocks, the longest output."),
    "SizeTooLarge": (
        "MISSING_STEP",
        "More than 255 blocks (RFC 5869, 2.3). An implementation whose counter wraps around would repeat itself.",
    ),
    "EmptyOutput": ("CAN_OF_WORMS", "No output was asked for. RFC 5869 sets only an upper bound: acceptable."),
}


def make_hmac():
    header = ["Test vectors of type MacTest are intended for testing the generation and verification of MACs."]
    file = File("HMACSM3", "mac_test_schema_v1.json", header, HMAC_NOTES)
    random, groups = Generator("HMAC-SM3"), {}

    def case(result, flag, comment, key, msg, tag, size=32):
        assert (result == "valid") == (hmac(key, msg)[:size] == tag), comment
        sizes = (8 * len(key), 8 * size)
        if sizes not in groups:
            groups[sizes] = file.group("MacTest", keySize=sizes[0], tagSize=sizes[1])
        groups[sizes].case(result, flag, comment, key=key, msg=msg, tag=tag)

    def valid(flag, comment, key, msg, size=32):
        case("valid", flag, comment, key, msg, hmac(key, msg)[:size], size)

    for size in [*range(131), 191, 192, 193, 255, 256, 257, 1000]:
        valid("Pseudorandom", f"message of {size} bytes", random.bytes(32), random.bytes(size))
    for size in [*range(131), 191, 192, 256, 300]:
        valid("KeyLength", f"key of {size} bytes", random.bytes(size), random.bytes(24))
    for size in (16, 12, 20):
        for length in (0, 1, 55, 56, 64):
            valid(
                "Pseudorandom",
                f"the first {size} bytes of the tag, message of {length} bytes",
                random.bytes(32),
                random.bytes(length),
                size,
            )
    key, message = random.bytes(20), random.bytes(30)
    tag = hmac(key, message)
    for size in (20, 21, 32, 63, 64):
        case("valid", "EquivalentKey", f"filled with zeros to {size} bytes", key.ljust(size, b"\0"), message, tag)
    case(
        "invalid",
        "EquivalentKey",
        "filled with zeros to 65 bytes, which are hashed",
        key.ljust(65, b"\0"),
        message,
        tag,
    )
    for size in (65, 66, 128):
        key = random.bytes(size)
        tag = hmac(key, message)
        case("valid", "EquivalentKey", f"of {size} bytes", key, message, tag)
        case("valid", "EquivalentKey", f"the hash of one of {size} bytes", sm3(key), message, tag)
        case("invalid", "EquivalentKey", f"the first 64 bytes of one of {size}", key[:64], message, tag)
    key = random.bytes(64)
    case(
        "invalid",
        "EquivalentKey",
        "the hash of one of 64 bytes, which is not hashed",
        sm3(key),
        message,
        hmac(key, message),
    )
    for name, key in {
        "the inner pad": b"\x36" * 64,
        "the outer pad": b"\x5c" * 64,
        "of 0": bytes(32),
        "of ones": b"\xff" * 32,
        "of ones, 64 bytes": b"\xff" * 64,
        "both pads": b"\x36\x5c" * 32,
    }.items():
        valid("EdgeCaseKey", f"key {name}", key, message)
        valid("EdgeCaseKey", f"key {name}, no message", key, b"")
    for size in (32, 16):
        key, message = random.bytes(32), random.bytes(40)
        tag = hmac(key, message)[:size]
        case("valid", "Pseudorandom", "the case that the following ones change", key, message, tag, size)
        for bit in range(0, 8 * size, 1 if size == 32 else 7):
            case("invalid", "ModifiedTag", f"bit {bit % 8} of byte {bit // 8}", key, message, flip(tag, bit), size)
        for name, changed in {
            "all 0": bytes(size),
            "all ff": b"\xff" * size,
            "inverted": bytes(x ^ 0xFF for x in tag),
            "in reverse": tag[::-1],
            "right in its first half": tag[: size // 2] + bytes(size // 2),
            "right in its second half": bytes(size // 2) + tag[size // 2 :],
            "with words in reverse": b"".join(tag[i : i + 4][::-1] for i in range(0, size, 4)),
        }.items():
            case("invalid", "ModifiedTag", f"tag {name}", key, message, changed, size)
        for length in (0, 1, 4, 8, size - 1):
            case("invalid", "TruncatedTag", f"the first {length} bytes", key, message, tag[:length], size)
        case("invalid", "TruncatedTag", "a byte of 0 more", key, message, tag + b"\0", size)
    tag = hmac(key, message)
    for name, changed in {
        "cut by a byte": message[:-1],
        "with a byte of 0 more": message + b"\0",
        "empty": b"",
        "with another last bit": flip(message, 8 * 39),
        "with another first bit": flip(message, 7),
    }.items():
        case("invalid", "ModifiedMessage", f"message {name}", key, changed, tag)
    case("invalid", "ModifiedMessage", "another key", flip(key, 0), message, tag)
    case("invalid", "ModifiedMessage", "the last byte of the key before the message", key[:-1], key[-1:] + message, tag)
    pads = [bytes(x ^ pad for x in key.ljust(64, b"\0")) for pad in (0x36, 0x5C)]
    for name, wrong in {
        "SM3(K || M)": sm3(key + message),
        "SM3(M || K)": sm3(message + key),
        "SM3(K || M || K)": sm3(key + message + key),
        "SM3(M)": sm3(message),
        "the inner hash": sm3(pads[0] + message),
        "the pads exchanged": sm3(pads[0] + sm3(pads[1] + message)),
        "key always hashed": hmac(sm3(key), message),
        "key of 32 bytes, without filling": sm3(pads[1][:32] + sm3(pads[0][:32] + message)),
        "K and M exchanged": hmac(message, key),
        "HMAC of the hash of M": hmac(key, sm3(message)),
    }.items():
        case("invalid", "WrongConstruction", name, key, message, wrong)
    return file


def make_hkdf():
    header = ["Test vectors of type HkdfTest are intended for the verification of HKDF."]
    file = File("HKDF-SM3", "hkdf_test_schema_v1.json", header, HKDF_NOTES)
    random, groups = Generator("HKDF-SM3"), {}

    def case(flag, comment, ikm, salt, info, size, result="valid"):
        if len(ikm) not in groups:
            groups[len(ikm)] = file.group("HkdfTest", keySize=8 * len(ikm))
        okm = hkdf(ikm, salt, info, size) if size <= 255 * 32 else b""
        groups[len(ikm)].case(result, flag, comment, ikm=ikm, salt=salt, info=info, size=size, okm=okm)

    for i in range(10):
        case("Normal", f"number {i}", random.bytes(32), random.bytes(16), random.bytes(10), 42)
    for size in [*range(1, 35), 48, 63, 64, 65, 95, 96, 97, 127, 128, 129, 255, 256, 257, 1024]:
        case("Size", f"{size} bytes", random.bytes(32), random.bytes(32), random.bytes(16), size)
    ikm, info = random.bytes(32), random.bytes(8)
    for zeros in (0, 1, 16, 31, 32, 33, 63, 64):
        assert hkdf(ikm, bytes(zeros), info, 64) == hkdf(ikm, b"", info, 64)
        case("EmptySalt", f"{zeros} zeros", ikm, bytes(zeros), info, 64)
    assert hkdf(ikm, bytes(65), info, 64) != hkdf(ikm, b"", info, 64)
    case("LongSalt", "65 zeros, which are hashed", ikm, bytes(65), info, 64)
    for size in (64, 65, 80, 127, 128, 129):
        salt = random.bytes(size)
        case("LongSalt", f"salt of {size} bytes", ikm, salt, info, 48)
        if size > 64:
            assert hkdf(ikm, salt, info, 48) == hkdf(ikm, sm3(salt), info, 48)
            case("LongSalt", f"the hash of a salt of {size} bytes", ikm, sm3(salt), info, 48)
    for size in (0, 1, 16, 31, 33, 48, 55, 63, 64, 65, 128, 200):
        case("InputSize", f"input key of {size} bytes", random.bytes(size), random.bytes(32), info, 40)
        case("InputSize", f"info of {size} bytes", ikm, random.bytes(32), random.bytes(size), 70)
        case("InputSize", f"info of {size} zeros", ikm, random.bytes(32), bytes(size), 70)
    case("InputSize", "all empty", b"", b"", b"", 32)
    # The label of an exporter in TLS 1.3 (RFC 8446, 7.1).
    label = b"\0\x20\x0ftls13 exp master" + b"\x20" + sm3(b"")
    case("InputSize", "a label of TLS 1.3", ikm, bytes(32), label, 32)
    for size in (8129, 8160):
        case("MaximalOutputSize", f"{size} bytes", random.bytes(32), random.bytes(32), info, size)
    for size in (8161, 8162, 8191, 8192, 8193, 16320, 65535, 65536):
        case("SizeTooLarge", f"{size} bytes", random.bytes(32), random.bytes(32), info, size, "invalid")
    case("EmptyOutput", "0 bytes", ikm, random.bytes(32), info, 0, "acceptable")
    return file
