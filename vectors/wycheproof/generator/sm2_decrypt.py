"""Decryption (GB/T 32918.4-2016)."""

import hashlib

from . import asn1, sm2
from .notes import SM2_DECRYPT
from .sm2 import G, N, P, Generator, add, b32, lift_x, multiply, negate
from .sm2_verify import next_x, y_above
from .sm3 import kdf, sm3
from .testfile import File, big

HEADER = [
    "Test vectors of type Sm2Decrypt are meant for the decryption of SM2 ciphertexts.",
    "The encoding of a group is C1C3C2 (GB/T 32918.4, 6.1 A8, C1 uncompressed) or ASN.1 (SM2Cipher of GB/T 35276, in DER).",
    "Where a case has a nonce, encryption with it gives ct, or has to draw another nonce if the case is invalid.",
]

# KDF(x2 || y2) starts with two bytes of 0 for this nonce and the key of the file: found by search, checked below.
TWO_ZEROS = 0x599


def make():
    file = File("SM2-PKE", "sm2_decrypt_schema.json", HEADER, SM2_DECRYPT)
    cases = Cases(file)
    cases.plain()
    cases.asn1()
    cases.private_keys()
    return file


def raw(c1, c3, c2):
    return sm2.encode(c1) + c3 + c2


def der(c1, c3, c2):
    return asn1.sequence(asn1.integer(c1[0]), asn1.integer(c1[1]), asn1.octets(c3), asn1.octets(c2))


def parse_raw(ct):
    """C1, C3 and C2, with C1 in its uncompressed form only."""
    if len(ct) < 97 or ct[0] != 4:
        return None
    return (int.from_bytes(ct[1:33], "big"), int.from_bytes(ct[33:65], "big")), ct[65:97], ct[97:]


def parse_der(ct):
    try:
        head, content = (2, ct[2:]) if ct[1] < 0x80 else (3, ct[3:]) if ct[1] == 0x81 else (4, ct[4:])
        parts = []
        while content:
            head = 2 if content[1] < 0x80 else 3 if content[1] == 0x81 else 4
            size = content[1] if head == 2 else int.from_bytes(content[2:head], "big")
            parts.append(content[head : head + size])
            content = content[head + size :]
        x, y, c3, c2 = parts
        x, y = (int.from_bytes(part, "big", signed=True) for part in (x, y))
        # Whatever is laxer than DER does not come out the same.
        if der((x, y), c3, c2) != ct or x < 0 or y < 0:
            return None
        return (x, y), c3, c2
    except (ValueError, IndexError):
        return None


class Cases:
    def __init__(self, file):
        self.file, self.random = file, Generator("SM2 decryption")
        self.d, self.public = self.random.key()

    def group(self, d, encoding):
        key = asn1.pkcs8(d)
        group = self.file.group(
            "Sm2Decrypt",
            curve="curveSM2",
            encoding=encoding,
            sha="SM3",
            private=big(d),
            publicPoint=sm2.encode(multiply(d, G)).hex(),
            privateKeyPkcs8=key.hex(),
            privateKeyPem=asn1.pem("PRIVATE KEY", key),
        )
        parse = parse_raw if encoding == "C1C3C2" else parse_der

        def case(expected, flag, comment, msg, ct, k=None):
            parts = parse(ct)
            message = sm2.decryption(d, *parts) if parts else None
            assert (message is not None) == (expected == "valid"), comment
            assert expected != "valid" or message == msg, comment
            more = {"nonce": big(k)} if k else {}
            group.case(expected, flag, comment, msg=msg, ct=ct, **more)

        case.acceptable = lambda flag, comment, msg, ct: group.case("acceptable", flag, comment, msg=msg, ct=ct)
        return case

    def encryption(self, public, message, k=None):
        while True:
            nonce = k or self.random.scalar()
            parts = sm2.encryption(public, message, nonce)
            if parts:
                return parts, nonce
            assert not k

    def for_c1(self, d, c1, message):
        """C3 and C2 as an implementation expects that does not look at C1."""
        x2, y2 = multiply(d, c1)
        c2 = bytes(a ^ b for a, b in zip(message, kdf(b32(x2) + b32(y2), len(message))))
        return sm3(b32(x2) + message + b32(y2)), c2

    def plain(self):
        d, public, random = self.d, self.public, self.random
        case = self.group(d, "C1C3C2")
        for size in (
            1,
            2,
            3,
            7,
            8,
            16,
            19,
            31,
            32,
            33,
            48,
            55,
            56,
            63,
            64,
            65,
            95,
            96,
            97,
            127,
            128,
            129,
            191,
            192,
            255,
            256,
            257,
            1000,
        ):
            message = random.bytes(size)
            parts, k = self.encryption(public, message)
            case("valid", "MessageLength", f"plaintext of {size} bytes", message, raw(*parts), k)
        for name, message in {
            "of 16 zeros": bytes(16),
            "of 33 ff": b"\xff" * 33,
            "of a pre-master secret of TLCP": b"\1\1" + random.bytes(46),
        }.items():
            parts, k = self.encryption(public, message)
            case("valid", "Normal", f"plaintext {name}", message, raw(*parts), k)
        message = b"encryption standard"
        self.nonces(case, message, raw)
        self.key_stream(case, raw)
        self.points(case, message, raw)

        (c1, c3, c2), k = self.encryption(public, message)
        good = raw(c1, c3, c2)
        case("valid", "Normal", "the ciphertext that the following cases change", message, good, k)
        for i in range(32):
            changed = bytearray(c3)
            changed[i] ^= 1 << (i % 8)
            case("invalid", "ModifiedC3", f"bit {i % 8} of byte {i} of C3", b"", raw(c1, bytes(changed), c2))
        for name, changed in {
            "all 0": bytes(32),
            "all ff": b"\xff" * 32,
            "inverted": bytes(x ^ 0xFF for x in c3),
            "in reverse": c3[::-1],
            "with its halves exchanged": c3[16:] + c3[:16],
            "empty": b"",
            "cut by a byte": c3[:-1],
            "without its first byte": c3[1:],
            "with a byte more": c3 + b"\0",
            "the first 16 bytes and zeros": c3[:16] + bytes(16),
            "the first 31 bytes and another": c3[:31] + bytes([c3[31] ^ 0x80]),
        }.items():
            case("invalid", "ModifiedC3", f"C3 {name}", b"", raw(c1, changed, c2))
        for i in range(0, len(c2), 3):
            changed = bytearray(c2)
            changed[i] ^= 0x80 >> (i % 8)
            case("invalid", "ModifiedC2", f"a bit of byte {i} of C2", b"", raw(c1, c3, bytes(changed)))
        for name, changed in {
            "cut by a byte": c2[:-1],
            "without its first byte": c2[1:],
            "of its first byte": c2[:1],
            "with a byte of 0 more": c2 + b"\0",
            "twice": c2 + c2,
            "with a byte of 0 before": b"\0" + c2,
            "all 0": bytes(len(c2)),
            "the plaintext": message,
        }.items():
            case("invalid", "ModifiedC2", f"C2 {name}", b"", raw(c1, c3, changed))
        for size in (0, 1, 2, 32, 33, 64, 65, 66, 96, 97, 98, len(good) - 1):
            case("invalid", "Truncated", f"only the first {size} bytes", b"", good[:size])
        encoded = sm2.encode(c1)
        for name, ct in {
            "C1 C2 C3": encoded + c2 + c3,
            "C3 C1 C2": c3 + encoded + c2,
            "C2 C3 C1": c2 + c3 + encoded,
            "C3 C2 C1": c3 + c2 + encoded,
            "C1 C3 C2 without 04": good[1:],
            "C1 C2": encoded + c2,
            "C1 C3 C3 C2": encoded + c3 + c3 + c2,
            "ASN.1": der(c1, c3, c2),
            "y, x, C3, C2": b"\4" + b32(c1[1]) + b32(c1[0]) + c3 + c2,
            "C1 with its bytes in reverse": b"\4" + b32(c1[0])[::-1] + b32(c1[1])[::-1] + c3 + c2,
        }.items():
            case("invalid", "WrongOrder", name, b"", ct)
        self.other_constructions(case, message, raw)
        self.other_points(case, message)
        for name, point, flag in (
            ("C1 compressed", sm2.compressed(c1), "OtherPointForm"),
            ("C1 hybrid", sm2.hybrid(c1), "OtherPointForm"),
        ):
            case.acceptable(flag, name, message, point + c3 + c2)
        (c1, c3, c2), k = self.encryption(public, message)
        for first in (0, 1, 2, 3, 5, 6 + (1 - c1[1] % 2), 8, 0x84, 0xFF):
            case("invalid", "WrongPointForm", f"04 replaced by {first:02x}", b"", bytes([first]) + raw(c1, c3, c2)[1:])
        wrong = bytes([3 - c1[1] % 2]) + b32(c1[0])
        case("invalid", "WrongPointForm", "C1 compressed, with the wrong bit for y", b"", wrong + c3 + c2)

    def nonces(self, case, message, join):
        half = pow(2, -1, N)
        for name, k in {
            "k = 1, C1 = G": 1,
            "k = 2": 2,
            "k = 3": 3,
            "k = 16": 16,
            "k = n - 1, C1 = -G": N - 1,
            "k = n - 2": N - 2,
            "k = (n + 1) / 2": half,
            "k = d, C1 is the public key": self.d,
            "k = -d": N - self.d,
            "k = 1 / d, the shared point is G": pow(self.d, -1, N),
            "k = -1 / d": N - pow(self.d, -1, N),
            "k = 2^128": 2**128,
            "k = 2^255": 2**255,
            "k = 0x55..": int("55" * 32, 16),
        }.items():
            parts, k = self.encryption(self.public, message, k)
            case("valid", "EdgeCaseNonce", name, message, join(*parts), k)

    def key_stream(self, case, join):
        """Short plaintexts for which the key stream starts with, or is, zeros."""
        d, public = self.d, self.public
        k, shared = self.random.scalar(), None
        shared, found = multiply(k, public), 0
        while found < 3:
            stream = kdf(b32(shared[0]) + b32(shared[1]), 4)
            if stream[0] == 0 and stream[1]:
                c1 = multiply(k, G)
                for message in (b"\0", b"a", b"\xff"):
                    c3 = sm3(b32(shared[0]) + message + b32(shared[1]))
                    case(
                        "invalid",
                        "KdfIsZero",
                        f"1 byte {message.hex()}, all of the key stream is 0",
                        message,
                        join(c1, c3, message),
                        k,
                    )
                for size in (2, 3, 33):
                    message = self.random.bytes(size)
                    parts = sm2.encryption(public, message, k)
                    case(
                        "valid",
                        "KdfStartsWithZero",
                        f"{size} bytes, the key stream starts with 0",
                        message,
                        join(*parts),
                        k,
                    )
                found += 1
            k, shared = k + 1, add(shared, public)
        k = TWO_ZEROS
        x2, y2 = multiply(k, public)
        assert kdf(b32(x2) + b32(y2), 2) == b"\0\0"
        message = b"ab"
        c3 = sm3(b32(x2) + message + b32(y2))
        case(
            "invalid", "KdfIsZero", "2 bytes, all of the key stream is 0", message, join(multiply(k, G), c3, message), k
        )
        parts = sm2.encryption(public, b"abc", k)
        case("valid", "KdfStartsWithZero", "3 bytes, the key stream starts with 0000", b"abc", join(*parts), k)
        c1 = multiply(k, G)
        case("invalid", "EmptyMessage", "no plaintext, C3 right", b"", join(c1, sm3(b32(x2) + b32(y2)), b""))
        case("invalid", "EmptyMessage", "no plaintext, C3 of zeros", b"", join(c1, bytes(32), b""))

    def points(self, case, message, join):
        d = self.d
        special = {f"C1 with x = {x}": lift_x(x) for x in (0, 1, 7)}
        special |= {
            "C1 with x = 0, the other y": negate(lift_x(0)),
            "C1 with the greatest x": next_x(P - 1, -1),
            "C1 with an x not below n": next_x(N, 1),
        }
        special |= {f"C1 with an x of {i // 8} bytes": next_x(2 ** (i - 1), 1) for i in (128, 240, 248)}
        special |= {
            "C1 with a small y": y_above(1),
            "C1 with the greatest y": negate(y_above(1)),
            "C1 with a y of 31 bytes": y_above(2**247),
        }
        inverse = pow(d, -1, N)
        shared = {f"shared x = {x}": lift_x(x) for x in (0, 1)}
        shared |= {
            "shared x not below n": next_x(N, 1),
            "greatest shared x": next_x(P - 1, -1),
            "shared x of 31 bytes": next_x(2**247, 1),
        }
        shared |= {"shared y small": y_above(1), "shared y of 31 bytes": y_above(2**247)}
        special |= {name: multiply(inverse, point) for name, point in shared.items()}
        for name, c1 in special.items():
            case("valid", "EdgeCasePoint", name, message, join(c1, *self.for_c1(d, c1, message)))

    def other_constructions(self, case, message, join):
        d, public = self.d, self.public
        (c1, c3, c2), _ = self.encryption(public, message)
        x2, y2 = multiply(d, c1)
        x, y = b32(x2), b32(y2)
        case("invalid", "NegatedPoint", "C1 negated, C2 and C3 unchanged", b"", join(negate(c1), c3, c2))
        changed = bytes(a ^ b for a, b in zip(message, kdf(x + b32(P - y2), len(message))))
        case("invalid", "NegatedPoint", "C1 negated, C2 for its own key stream", b"", join(negate(c1), c3, changed))
        case("invalid", "ModifiedC1", "C1 + G", b"", join(add(c1, G), c3, c2))
        case("invalid", "ModifiedC1", "2 C1", b"", join(add(c1, c1), c3, c2))
        case("invalid", "ModifiedC1", "C1 = G", b"", join(G, c3, c2))
        case("invalid", "ModifiedC1", "C1 is the public key", b"", join(public, c3, c2))
        for name, value in {
            "SM3(x2 || y2 || M)": sm3(x + y + message),
            "SM3(M || x2 || y2)": sm3(message + x + y),
            "SM3(y2 || M || x2)": sm3(y + message + x),
            "SM3(M)": sm3(message),
            "SM3(x2 || M)": sm3(x + message),
            "SM3(M || y2)": sm3(message + y),
            "SM3(x2 || C2 || y2)": sm3(x + c2 + y),
            "SHA-256(x2 || M || y2)": hashlib.sha256(x + message + y).digest(),
            "SM3(04 || x2 || M || y2)": sm3(b"\4" + x + message + y),
            "SM3 of the message padded to 32 bytes": sm3(x + message.ljust(32, b"\0") + y),
            "SM3(x1 || M || y1)": sm3(b32(c1[0]) + message + b32(c1[1])),
        }.items():
            case("invalid", "WrongCheckValue", f"C3 = {name}", b"", join(c1, value, c2))
        for name, stream in {
            "KDF counting from 0": kdf(x + y, len(message), 0),
            "KDF counting from 2": kdf(x + y, len(message), 2),
            "KDF(x2)": kdf(x, len(message)),
            "KDF(y2 || x2)": kdf(y + x, len(message)),
            "KDF(04 || x2 || y2)": kdf(b"\4" + x + y, len(message)),
            "SM3(x2 || y2)": sm3(x + y),
            "a counter of one byte": sm3(x + y + b"\1"),
            "a counter in reverse": sm3(x + y + b"\1\0\0\0"),
            "KDF by SHA-256": hashlib.sha256(x + y + b"\0\0\0\1").digest(),
            "KDF(x1 || y1)": kdf(b32(c1[0]) + b32(c1[1]), len(message)),
        }.items():
            changed = bytes(a ^ b for a, b in zip(message, stream))
            # C3 is right for the plaintext meant, so that only the key stream is wrong.
            case("invalid", "WrongKdf", f"key stream: {name}", b"", join(c1, c3, changed))
        for name, key in {
            "a random key": multiply(self.random.scalar(), G),
            "the key -P": negate(public),
            "the key P + G": add(public, G),
            "the key G": G,
        }.items():
            parts, _ = self.encryption(key, message)
            case("invalid", "WrongKey", f"for {name}", b"", join(*parts))

    def other_points(self, case, message):
        d, random = self.d, self.random
        off = {}
        for i in range(6):
            off[f"a random point, number {i}"] = (
                int.from_bytes(random.bytes(32), "big") % P,
                int.from_bytes(random.bytes(32), "big") % P,
            )
        x, y = G
        off |= {"G with x + 1": (x + 1, y), "G with y + 1": (x, y + 1), "x and y of G exchanged": (y, x)}
        off |= {f"({x}, {y})": (x, y) for x, y in ((1, 1), (2, 3), (P - 1, 1), (1, P - 1))}
        for name, c1 in off.items():
            case(
                "invalid",
                "InvalidCurveAttack",
                f"C1 not on the curve: {name}",
                b"",
                raw(c1, *self.for_c1(d, c1, message)),
            )
        # On a curve with another b, (x, 0) has order 2. [d](x, 0) is (x, 0) or infinity.
        for x in (5, 123456789, P - 2):
            shared = b32(x) + bytes(32)
            c2 = bytes(a ^ b for a, b in zip(message, kdf(shared, len(message))))
            c3 = sm3(b32(x) + message + bytes(32))
            case(
                "invalid",
                "InvalidCurveAttack",
                f"C1 of order 2 on another curve: ({x}, 0), for an odd d",
                b"",
                raw((x, 0), c3, c2),
            )
            c2 = bytes(a ^ b for a, b in zip(message, kdf(bytes(64), len(message))))
            case(
                "invalid",
                "InvalidCurveAttack",
                f"C1 of order 2 on another curve: ({x}, 0), for an even d",
                b"",
                raw((x, 0), sm3(bytes(32) + message + bytes(32)), c2),
            )
        # x that is of no point: the twist has it.
        for x in [x for x in range(2, 30) if not lift_x(x)][:4]:
            for first in (2, 3):
                case(
                    "invalid",
                    "InvalidCurveAttack",
                    f"C1 compressed, of the twist: x = {x}, {first:02x}",
                    b"",
                    bytes([first]) + b32(x) + bytes(32) + message,
                )
            case(
                "invalid",
                "InvalidCurveAttack",
                f"C1 of no point: x = {x}",
                b"",
                raw((x, 1), *self.for_c1(d, (x, 1), message)),
            )
        c2 = bytes(a ^ b for a, b in zip(message, kdf(bytes(64), len(message))))
        c3 = sm3(bytes(32) + message + bytes(32))
        for name, c1 in {
            "00": b"\0",
            "65 bytes of 0": bytes(65),
            "04 and (0, 0)": b"\4" + bytes(64),
            "33 bytes of 0": bytes(33),
            "02 and zeros": b"\2" + bytes(32),
            "no bytes": b"",
        }.items():
            if name == "02 and zeros":
                continue
            case("invalid", "PointAtInfinity", f"C1 is {name}", b"", c1 + c3 + c2)
        small, low = lift_x(1), y_above(1)
        for name, c1, real in (
            ("x + p", (small[0] + P, small[1]), small),
            ("y + p", (low[0], low[1] + P), low),
            ("x = p for 0", (P, lift_x(0)[1]), lift_x(0)),
        ):
            case("invalid", "CoordinateRange", f"C1 with {name}", b"", raw(c1, *self.for_c1(d, real, message)))
        case("invalid", "CoordinateRange", "C1 of ff", b"", b"\4" + b"\xff" * 64 + c3 + c2)

    def asn1(self):
        d, public, random = self.d, self.public, self.random
        case = self.group(d, "ASN.1")
        for size in (1, 16, 17, 32, 48, 100, 127, 128, 129, 200, 255, 256, 1000):
            message = random.bytes(size)
            parts, k = self.encryption(public, message)
            case("valid", "MessageLength", f"plaintext of {size} bytes", message, der(*parts), k)
        message = b"encryption standard"
        self.nonces(case, message, der)
        self.key_stream(case, der)
        self.points(case, message, der)
        self.other_constructions(case, message, der)
        while True:
            # One coordinate with a leading 0 in DER, and one without.
            (c1, c3, c2), k = self.encryption(public, message)
            if c1[0] >> 255 and not c1[1] >> 255 and c1[1] >> 248:
                break
        case("valid", "Normal", "the ciphertext that the following cases change", message, der(c1, c3, c2), k)
        elements = [
            ("x", asn1.integer(c1[0])),
            ("y", asn1.integer(c1[1])),
            ("C3", asn1.octets(c3)),
            ("C2", asn1.octets(c2)),
        ]
        for flag, comment, changed in asn1.mutations(elements):
            case("invalid", flag, comment, b"", changed)
        x, y, hash_, text = (element for _, element in elements)
        for name, ct in {
            "C2 before C3": (x, y, text, hash_),
            "y before x": (y, x, hash_, text),
            "the hash first": (hash_, x, y, text),
            "C3 and C2 as one": (x, y, asn1.octets(c3 + c2)),
            "C1 as one OCTET STRING": (asn1.octets(sm2.encode(c1)), hash_, text),
            "C1 as two OCTET STRINGs": (asn1.octets(b32(c1[0])), asn1.octets(b32(c1[1])), hash_, text),
        }.items():
            case("invalid", "WrongOrder", name, b"", asn1.sequence(*ct))
        case("invalid", "WrongOrder", "C1 C3 C2 without ASN.1", b"", raw(c1, c3, c2))
        for name, changed in {
            "all 0": bytes(32),
            "empty": b"",
            "cut by a byte": c3[:-1],
            "with a byte more": c3 + b"\0",
            "of 31 bytes, without its first": c3[1:],
            "of 64 bytes": c3 + bytes(32),
        }.items():
            case("invalid", "ModifiedC3", f"C3 {name}", b"", der(c1, changed, c2))
        for name, point in {
            "x + n": (c1[0] + N, c1[1]),
            "x + p": (c1[0] + P, c1[1]),
            "x - p": (c1[0] - P, c1[1]),
            "-x": (-c1[0], c1[1]),
            "y + p": (c1[0], c1[1] + P),
            "y - p": (c1[0], c1[1] - P),
            "-y": (c1[0], -c1[1]),
            "x + 2^256": (c1[0] + 2**256, c1[1]),
            "y + 2^256": (c1[0], c1[1] + 2**256),
            "x + 2^512": (c1[0] + 2**512, c1[1]),
            "p - y, C1 negated": (c1[0], P - c1[1]),
        }.items():
            case("invalid", "CoordinateRange", f"C1 with {name}", b"", der(point, c3, c2))
        c2_zero = bytes(a ^ b for a, b in zip(message, kdf(bytes(64), len(message))))
        c3_zero = sm3(bytes(32) + message + bytes(32))
        case("invalid", "PointAtInfinity", "C1 is (0, 0)", b"", der((0, 0), c3_zero, c2_zero))
        for name, point in {
            "(1, 1)": (1, 1),
            "G with y + 1": (G[0], G[1] + 1),
            "a random point": (int.from_bytes(random.bytes(31), "big"), 5),
        }.items():
            case(
                "invalid",
                "InvalidCurveAttack",
                f"C1 not on the curve: {name}",
                b"",
                der(point, *self.for_c1(d, point, message)),
            )

    def private_keys(self):
        for name, d in {"d = 1": 1, "d = 2": 2, "d = n - 2": N - 2, "d = 2^255": 2**255}.items():
            case = self.group(d, "C1C3C2")
            message = b"encryption standard"
            for k in (None, 1, N - 1):
                parts, nonce = self.encryption(multiply(d, G), message, k)
                comment = f"{name}, k {'random' if k is None else '= 1' if k == 1 else '= n - 1'}"
                case("valid", "EdgeCasePrivateKey", comment, message, raw(*parts), nonce)
