"""Signature verification (GB/T 32918.2-2016)."""

import hashlib

from . import asn1, sm2
from .notes import SM2_VERIFY
from .roots import lift_y
from .sm2 import DEFAULT_ID, G, N, P, TLS13_ID, Generator, add, b32, lift_x, multiply, negate
from .sm3 import sm3
from .testfile import File, big

HEADER = [
    "Test vectors of type Sm2Verify are meant for the verification of SM2 signatures with SM3 in DER,",
    "under the signer's ID of the group (signerId, in hex).",
    "Test vectors of type Sm2VerifyDigest give the 32 bytes e = SM3(Z || M) (digest) in place of ID and message:",
    "they reach cases for which no message is known.",
]


def make():
    file = File("SM2", "sm2_verify_schema.json", HEADER, SM2_VERIFY)
    cases = Cases(file)
    cases.default_id()
    cases.identities()
    cases.private_keys()
    cases.digests()
    cases.multiplications()
    cases.points()
    cases.refused_sums()
    cases.public_keys()
    cases.invalid_public_keys()
    return file


def key_fields(point, encoded=None):
    encoded = sm2.encode(point) if encoded is None else encoded
    der = asn1.spki(encoded)
    return {
        "publicKey": {
            "type": "EcPublicKey",
            "curve": "curveSM2",
            "keySize": 256,
            "uncompressed": encoded.hex(),
            "wx": big(point[0]),
            "wy": big(point[1]),
        },
        "publicKeyDer": der.hex(),
        "publicKeyPem": asn1.pem("PUBLIC KEY", der),
        "sha": "SM3",
    }


def parse(der):
    """r and s, or None if this is not the DER of two INTEGERs."""

    def element(data, tag):
        assert len(data) >= 2 and data[0] == tag and data[1] < 0x80 and len(data) >= 2 + data[1]
        return data[2 : 2 + data[1]], data[2 + data[1] :]

    try:
        content, rest = element(der, asn1.SEQUENCE)
        assert not rest
        r, content = element(content, asn1.INTEGER)
        s, content = element(content, asn1.INTEGER)
        assert not content
        numbers = [int.from_bytes(x, "big", signed=True) for x in (r, s)]
        assert asn1.signature(*numbers) == der
        return numbers
    except AssertionError:
        return None


class Cases:
    def __init__(self, file):
        self.file, self.random = file, Generator("SM2 verification")
        self.d, self.public = self.random.key()

    # Groups and cases, whose result the model finds. `expected` is what the case is made for.

    def message_group(self, public, id_):
        fields = key_fields(public)
        group = self.file.group("Sm2Verify", signerId=id_.hex(), **fields)

        def case(expected, flag, comment, message, signature):
            numbers = parse(signature)
            good = len(id_) <= 8191 and numbers is not None
            good = good and sm2.verify(public, sm2.digest(id_, public, message), *numbers)
            assert good == (expected == "valid"), comment
            group.case(expected, flag, comment, msg=message, sig=signature)

        return case

    def digest_group(self, public, encoded=None):
        group = self.file.group("Sm2VerifyDigest", **key_fields(public, encoded))

        assert encoded is not None or sm2.on_curve(public)

        def case(expected, flag, comment, e, r, s):
            good = encoded is None and sm2.verify(public, e, r, s)
            assert good == (expected == "valid"), comment
            group.case(expected, flag, comment, digest=b32(e), sig=asn1.signature(r, s))

        return case

    def signed(self, d, e):
        while True:
            numbers = sm2.sign(d, e, self.random.scalar())
            if numbers:
                return numbers

    def signed_message(self, d, public, id_, message):
        return self.signed(d, sm2.digest(id_, public, message))

    # Messages

    def default_id(self):
        d, public = self.d, self.public
        case = self.message_group(public, DEFAULT_ID)
        # With Z, messages of 23 bytes and of 31 fill a block of SM3 with and without its padding.
        for size in (0, 1, 20, 22, 23, 24, 31, 32, 33, 64, 87, 88, 96, 200, 1000):
            message = self.random.bytes(size)
            numbers = self.signed_message(d, public, DEFAULT_ID, message)
            case("valid", "ValidSignature", f"message of {size} bytes", message, asn1.signature(*numbers))

        message = b"message digest"
        e = sm2.digest(DEFAULT_ID, public, message)
        while True:
            # One number with a leading 0 in DER, and one without.
            r, s = self.signed(d, e)
            if r >> 255 and not s >> 255 and s >> 248:
                break
        good = asn1.signature(r, s)
        case("valid", "ValidSignature", "the signature that the following cases change", message, good)
        for changed in (b"", b"message diges", b"message digest\0", b"Message digest", b"\0message digest"):
            case("invalid", "ModifiedMessage", f"message {changed!r}", changed, good)
        for flag, comment, der in asn1.mutations([("r", asn1.integer(r)), ("s", asn1.integer(s))]):
            case("invalid", flag, comment, message, der)

        t = (r + s) % N
        for comment, numbers in {
            "r and s exchanged": (s, r),
            "n - r": (N - r, s),
            "n - s, the other half of an ECDSA signature": (r, N - s),
            "n - r and n - s": (N - r, N - s),
            "r and r + s": (r, t),
            "r + s and s": (t, s),
            "1 / r": (pow(r, -1, N), s),
            "1 / s": (r, pow(s, -1, N)),
            "r and 2s": (r, 2 * s % N),
            "2r and s": (2 * r % N, s),
            "r and s + 1": (r, s + 1),
            "r + 1 and s": (r + 1, s),
            "r and n - r": (r, N - r),
            "e and s": (e % N, s),
        }.items():
            case("invalid", "ModifiedSignature", comment, message, asn1.signature(*numbers))
        for name, x in (("r", r), ("s", s)):
            for comment, changed in {
                f"{name} + n": x + N,
                f"{name} - n": x - N,
                f"-{name}": -x,
                f"-{name} - n": -x - N,
                f"{name} + 2n": x + 2 * N,
                f"{name} + 256 n": x + 256 * N,
                f"{name} + p": x + P,
                f"{name} + 2^256": x + 2**256,
                f"{name} + 2^320": x + 2**320,
                f"{name} + 2^512": x + 2**512,
                f"{name} + 2^256 n": x + 2**256 * N,
                f"256 {name}": 256 * x,
                f"2^256 {name}": 2**256 * x,
            }.items():
                pair = (changed, s) if name == "r" else (r, changed)
                case("invalid", "ModifiedInteger", comment, message, asn1.signature(*pair))
        special = {"0": 0, "1": 1, "-1": -1, "n": N, "n - 1": N - 1, "n + 1": N + 1, "p": P, "2^256": 2**256}
        for r_name, r_ in special.items():
            for s_name, s_ in special.items():
                der = asn1.signature(r_, s_)
                case("invalid", "RangeCheck", f"r = {r_name}, s = {s_name}", message, der)
        self.wrong_z(case, message)
        self.wrong_schemes(case, message)

    def wrong_z(self, case, message):
        d, public = self.d, self.public
        entl = (8 * len(DEFAULT_ID)).to_bytes(2, "big")
        curve = b"".join(map(b32, (sm2.A, sm2.B, *G)))
        own = b"".join(map(b32, public))
        z = sm2.z_value(DEFAULT_ID, public)
        for comment, e in {
            "SM3(M), without Z": sm3(message),
            "SM3(M || Z)": sm3(message + z),
            "SM3(Z || SM3(M))": sm3(z + sm3(message)),
            "SM3(SM3(Z || M))": sm3(sm3(z + message)),
            "SM3(Z || M) read with its bytes in reverse": sm3(z + message)[::-1],
            "SHA-256(Z || M)": hashlib.sha256(z + message).digest(),
            "Z by SHA-256": sm3(hashlib.sha256(entl + DEFAULT_ID + curve + own).digest() + message),
            "SM3(ID || M)": sm3(DEFAULT_ID + message),
            "Z without hashing": sm3(entl + DEFAULT_ID + curve + own + message),
            "ENTL in bytes": sm3(sm2.z_value(DEFAULT_ID, public, b"\0\x10") + message),
            "ENTL in reverse": sm3(sm2.z_value(DEFAULT_ID, public, entl[::-1]) + message),
            "ENTL of one byte": sm3(sm2.z_value(DEFAULT_ID, public, entl[1:]) + message),
            "ENTL of four bytes": sm3(sm2.z_value(DEFAULT_ID, public, b"\0\0" + entl) + message),
            "without ENTL": sm3(sm2.z_value(DEFAULT_ID, public, b"") + message),
            "Z without the curve": sm3(sm3(entl + DEFAULT_ID + own) + message),
            "Z without the public key": sm3(sm3(entl + DEFAULT_ID + curve) + message),
            "Z with the public key before the curve": sm3(sm3(entl + DEFAULT_ID + own + curve) + message),
            "Z with a leading 04 in the public key": sm3(sm3(entl + DEFAULT_ID + curve + b"\4" + own) + message),
            "Z with the compressed public key": sm3(sm3(entl + DEFAULT_ID + curve + sm2.compressed(public)) + message),
            "Z of the key -P": sm3(sm2.z_value(DEFAULT_ID, negate(public)) + message),
            "Z of the key G": sm3(sm2.z_value(DEFAULT_ID, G) + message),
            "e = 0": bytes(32),
        }.items():
            numbers = self.signed(d, int.from_bytes(e, "big"))
            case("invalid", "WrongZ", comment, message, asn1.signature(*numbers))
        for id_ in (
            b"",
            TLS13_ID,
            DEFAULT_ID + b"\0",
            DEFAULT_ID[:-1],
            DEFAULT_ID * 2,
            DEFAULT_ID.hex().encode(),
            DEFAULT_ID.decode().encode("utf-16-le"),
            b"1234567812345679",
        ):
            numbers = self.signed_message(d, public, id_, message)
            case("invalid", "WrongId", f"made under the ID {id_!r}", message, asn1.signature(*numbers))

    def wrong_schemes(self, case, message):
        d, public, k = self.d, self.public, self.random.scalar()
        e = sm2.digest(DEFAULT_ID, public, message)
        x, y = multiply(k, G)
        s = self.random.scalar()
        one_plus_d = pow(1 + d, -1, N)

        def ecdsa(e):
            return x % N, pow(k, -1, N) * (e + x * d) % N

        def sm2_with(r):
            return r % N, one_plus_d * (k - r * d) % N

        for comment, numbers in {
            "ECDSA on e": ecdsa(e),
            "ECDSA with SM3 and without Z": ecdsa(int.from_bytes(sm3(message), "big")),
            "ECDSA with SHA-256": ecdsa(int.from_bytes(hashlib.sha256(message).digest(), "big")),
            "s without 1 / (1 + d): passes if t is r": ((e + x) % N, (k - (e + x) * d) % N),
            "passes if t is s": ((e + multiply(s * (1 + d) % N, G)[0]) % N, s),
            "passes if [s]G is not added": ((e + multiply(s, public)[0]) % N, (s - e - multiply(s, public)[0]) % N),
            "passes if [t]P is not added": ((e + multiply(s, G)[0]) % N, s),
            "passes if [t]P is subtracted": (lambda r: (r, pow(1 - d, -1, N) * (k + r * d) % N))((e + x) % N),
            "passes if G and P are exchanged": (lambda r: (r, pow(1 + d, -1, N) * (k - r) % N))((e + x) % N),
            "r = x, without e": sm2_with(x),
            "r = e, without x": sm2_with(e),
            "r = e + y": sm2_with(e + y),
            "r = e - x": sm2_with(e - x),
            "r = e x": sm2_with(e * x),
            "r = e xor x": sm2_with(e ^ x),
            "under the key -P": self.signed(N - d, e),
            "under the key d + 1": self.signed(d + 1, e),
            "under another key": self.signed(self.random.scalar(), e),
        }.items():
            case("invalid", "WrongScheme", comment, message, asn1.signature(*numbers))

    def identities(self):
        hash_ = sm3(b"a transcript")
        tls = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + hash_
        d, public = self.random.key()
        case = self.message_group(public, TLS13_ID)
        numbers = self.signed_message(d, public, TLS13_ID, tls)
        case("valid", "SignerId", "CertificateVerify of TLS 1.3 (RFC 8998, 3.2.1)", tls, asn1.signature(*numbers))
        client = tls.replace(b"server", b"client")
        case("invalid", "ModifiedMessage", "CertificateVerify of the client", client, asn1.signature(*numbers))
        for id_ in (DEFAULT_ID, b"", TLS13_ID[:-1], TLS13_ID.lower()):
            numbers = self.signed_message(d, public, id_, tls)
            case("invalid", "WrongId", f"CertificateVerify under the ID {id_!r}", tls, asn1.signature(*numbers))

        random = self.random
        for name, id_ in {
            "empty": b"",
            "of 1 byte": b"A",
            "of 15 bytes": DEFAULT_ID[:15],
            "of 17 bytes": DEFAULT_ID + b"9",
            "of 62 bytes, a block with ENTL": b"62 bytes of ID and the 2 of ENTL fill the first block of SM3.."[:62],
            "in Chinese": "商用密码".encode(),
            "with zeros": b"a\0b\0",
            "of one 0": b"\0",
            "that is not UTF-8": b"\xff\xfe\x80",
            "of 31 bytes, ENTL below 256": b"31 bytes, whose ENTL is 248 bits"[:31],
            "of 32 bytes, ENTL 256": b"32 bytes, whose ENTL is 256 bits"[:32],
            "of 8191 bytes, the longest": (b"0123456789abcdef" * 512)[:8191],
        }.items():
            d, public = random.key()
            case = self.message_group(public, id_)
            for message in (b"", b"message digest"):
                numbers = self.signed_message(d, public, id_, message)
                case("valid", "SignerId", f"ID {name}", message, asn1.signature(*numbers))
            others = {
                "the default ID": DEFAULT_ID,
                "an ID with another last bit": id_[:-1] + bytes([(id_ or b"\0")[-1] ^ 1]),
            }
            others["an ID cut by a byte"] = id_[:-1] if id_ else b"\0"
            for other_name, other in others.items():
                if other == id_:
                    continue
                numbers = self.signed_message(d, public, other, b"message digest")
                case(
                    "invalid",
                    "WrongId",
                    f"ID {name}, made under {other_name}",
                    b"message digest",
                    asn1.signature(*numbers),
                )
        d, public = random.key()
        id_ = b"0123456789abcdef" * 512
        case = self.message_group(public, id_)
        for name, entl in {"0000": b"\0\0", "010000": b"\1\0\0", "ffff": b"\xff\xff", "00010000": b"\0\1\0\0"}.items():
            e = int.from_bytes(sm3(sm2.z_value(id_, public, entl) + b"message digest"), "big")
            numbers = self.signed(d, e)
            case("invalid", "IdTooLong", f"ID of 8192 bytes, ENTL {name}", b"message digest", asn1.signature(*numbers))

    def private_keys(self):
        """Keys whose multiples meet those of G."""
        special = {f"d = {d}": d for d in (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 64, 255, 256)}
        special |= {f"d = 2^{i}": 2**i for i in (32, 64, 128, 192, 252, 255)}
        special |= {f"d = n - {i}": N - i for i in (2, 3, 4, 5, 17)}
        special |= {"d = (n - 1) / 2": N // 2, "d = (n + 1) / 2": N // 2 + 1, "d = 1 / 2 - 1": (pow(2, -1, N) - 1) % N}
        for name, d in special.items():
            public = multiply(d, G)
            case = self.message_group(public, DEFAULT_ID)
            for message in (b"a message", b"another message"):
                numbers = self.signed_message(d, public, DEFAULT_ID, message)
                case("valid", "EdgeCasePrivateKey", name, message, asn1.signature(*numbers))
            numbers = self.signed_message(d, public, DEFAULT_ID, b"a message")
            changed = asn1.signature(numbers[0], numbers[1] % (N - 1) + 1)
            case("invalid", "EdgeCasePrivateKey ModifiedSignature", f"{name}, s + 1", b"a message", changed)

    # Digests

    def digests(self):
        case = self.digest_group(self.public)
        runs = {f"e = 2^{i}": 2**i for i in (1, 31, 32, 63, 64, 128, 192, 224, 255)}
        runs |= {f"e = 2^256 - 2^{i}": 2**256 - 2**i for i in (32, 64, 128, 192, 224, 255)}
        for name, e in {
            "e = 0": 0,
            "e = 1": 1,
            "e = 2": 2,
            "e = n - 2": N - 2,
            "e = n - 1": N - 1,
            "e = n": N,
            "e = n + 1": N + 1,
            "e = p - 1": P - 1,
            "e = p": P,
            "e = p + 1": P + 1,
            "e = 2^256 - 1": 2**256 - 1,
            "e = 2^256 - n": 2**256 - N,
            "e = 0x55..": int("55" * 32, 16),
            "e = 0xaa..": int("aa" * 32, 16),
            "e = 0x00ff..": int("00ff" * 16, 16),
            **runs,
        }.items():
            r, s = self.signed(self.d, e)
            case("valid", "SpecialCaseHash", name, e, r, s)
            case("invalid", "SpecialCaseHash ModifiedMessage", f"{name}, verified with another e", e ^ 2, r, s)

    def by_st(self, d, s, t):
        """(e, r, s) of a signature under d whose verification multiplies by s and t; None for infinity."""
        point = multiply((s + t * d) % N, G)
        r = (t - s) % N
        return None if point is None or r == 0 else ((r - point[0]) % N, r, s)

    def multiplications(self):
        special = {f"{i}": i for i in (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32)}
        for i in (32, 64, 96, 128, 192, 224, 255):
            special |= {f"2^{i}": 2**i, f"2^{i} - 1": 2**i - 1, f"n - 2^{i}": N - 2**i}
        special |= {f"n - {i}": N - i for i in (1, 2, 3, 15, 16, 17)}
        special |= {"(n - 1) / 2": N // 2, "(n + 1) / 2": N // 2 + 1}
        special |= {f"0x{b}..": int(b * 32, 16) for b in ("11", "33", "55", "77", "aa", "cc", "f0")}
        names = list(special)
        case = self.digest_group(self.public)
        for i, name in enumerate(names):
            x, other = special[name], names[(7 * i + 3) % len(names)]
            for comment, s, t in (
                (f"s = {name}", x, self.random.scalar()),
                (f"t = {name}", self.random.scalar(), x),
                (f"s = {name}, t = {other}", x, special[other]),
            ):
                numbers = self.by_st(self.d, s, t)
                if numbers:
                    case("valid", "EdgeCaseMultiplication", comment, *numbers)
        for r in (1, 2, 3, 0x7F, 0x80, 0xFF, 2**64, 2**128, 2**248 - 1):
            s = self.random.scalar()
            numbers = self.by_st(self.d, s, (r + s) % N)
            case("valid", "SmallRandS", f"r = {r}", *numbers)
        for r, s in ((1, 1), (1, 2), (2, 1), (1, N - 2), (N - 2, 1), (N - 1, N - 1), (3, N - 4)):
            numbers = self.by_st(self.d, s, (r + s) % N)
            case("valid", "SmallRandS", f"r = {name_of(r)}, s = {name_of(s)}", *numbers)

        for name, d in {
            "P = G": 1,
            "P = -G": N - 1,
            "P = 2G": 2,
            "P = -2G": N - 2,
            "P = G / 2": N // 2 + 1,
            "P random": self.random.scalar(),
        }.items():
            case = self.digest_group(multiply(d, G))
            for delta in (0, 1, -1, 2, -2, 3, 16, -16, 2**64, 2**128, 2**252):
                for t in (self.random.scalar(), 1, 2, N - 1):
                    # [s]G = [t]P + [delta]G
                    numbers = self.by_st(d, (t * d + delta) % N, t)
                    if numbers and numbers[2]:
                        comment = (
                            f"{name}, t = {'random' if t not in (1, 2, N - 1) else name_of(t)}, [s]G = [t]P + {delta}G"
                        )
                        case("valid", "PointDoubling", comment, *numbers)

    def points(self):
        """Signatures under a key made so that [s]G + [t]P is a chosen point."""
        special = {"x = 0": lift_x(0), "x = 0, the other y": negate(lift_x(0)), "x = 1": lift_x(1)}
        special |= {"the least x from n on": next_x(N, 1), "the next x after it": next_x(next_x(N, 1)[0] + 1, 1)}
        special |= {"the greatest x below n": next_x(N - 1, -1), "the greatest x of all": next_x(P - 1, -1)}
        special |= {
            "the next x below it": next_x(next_x(P - 1, -1)[0] - 1, -1),
            "x in the middle of n and p": next_x((N + P) // 2, 1),
        }
        special |= {f"x just above 2^{i}": next_x(2**i, 1) for i in (64, 128, 224, 255)}
        special |= {"the least y": y_above(1), "G": G, "-G": negate(G)}
        for name, point in special.items():
            for e in (None, 0, N - 1, 2**256 - 1, (N - point[0]) % N):
                if e is None:
                    s, t = self.random.scalar(), self.random.scalar()
                    r = (t - s) % N
                    e = (r - point[0]) % N
                    comment = name
                else:
                    r = (e + point[0]) % N
                    s = self.random.scalar()
                    t = (r + s) % N
                    comment = f"{name}, e = {name_of(e)}"
                if r == 0:
                    continue
                public = multiply(pow(t, -1, N), add(point, negate(multiply(s, G))))
                case = self.digest_group(public)
                case("valid", "EdgeCasePoint", comment, e, r, s)

    def refused_sums(self):
        for name, d in {"random": self.random.scalar(), "1": 1, "2": 2, "n - 2": N - 2}.items():
            public = multiply(d, G)
            case = self.digest_group(public)
            for r in (self.random.scalar(), 1, N - 1, N // 2):
                s = N - r
                x = multiply(s, G)[0]
                comment = f"d = {name}, r = {name_of(r)}, s = n - r"
                case("invalid", "SumIsZero", comment, (r - x) % N, r, s)
                case("invalid", "SumIsZero", f"{comment}, with e = r", r, r, s)
            for t in (self.random.scalar(), 1, 2, N - 1):
                s = -t * d % N
                r = (t - s) % N
                if r == 0:
                    continue
                for x in (0, 1):
                    comment = f"d = {name}, [t]P = -[s]G, t = {name_of(t)}, e = r - {x}"
                    case("invalid", "PointAtInfinity", comment, (r - x) % N, r, s)

    def public_keys(self):
        special = {f"x = {x}": lift_x(x) for x in (0, 1, 7, 11)}
        special |= {
            "x = 0, the other y": negate(lift_x(0)),
            "the greatest x": next_x(P - 1, -1),
            "x not below n": next_x(N, 1),
        }
        special |= {f"x just above 2^{i}": next_x(2**i, 1) for i in (32, 64, 96, 128, 192, 224, 255)}
        special |= {f"x just below 2^{i}": next_x(2**i - 1, -1) for i in (32, 64, 128, 192, 224, 255)}
        special |= {f"y just above {y}": y_above(y) for y in (1, 2**32, 2**64, 2**128, 2**224)}
        special |= {"the greatest y": negate(y_above(1)), "y just above p / 2": y_above(P // 2)}
        for name, public in special.items():
            case = self.digest_group(public)
            for _ in range(2):
                s, t = self.random.scalar(), self.random.scalar()
                r = (t - s) % N
                e = (r - add(multiply(s, G), multiply(t, public))[0]) % N
                case("valid", "EdgeCasePublicKey", name, e, r, s)
            case("invalid", "EdgeCasePublicKey ModifiedSignature", f"{name}, s + 1", e, r, s % (N - 1) + 1)
        for form, encode in {"compressed": sm2.compressed, "hybrid": sm2.hybrid}.items():
            for name, public in {"y even": lift_x(7), "y odd": negate(lift_x(7))}.items():
                group = self.file.group("Sm2VerifyDigest", **key_fields(public, encode(public)))
                s, t = self.random.scalar(), self.random.scalar()
                r = (t - s) % N
                e = (r - add(multiply(s, G), multiply(t, public))[0]) % N
                assert sm2.verify(public, e, r, s)
                group.case("acceptable", "OtherKeyForm", f"{form}, {name}", digest=b32(e), sig=asn1.signature(r, s))
        for name, found in {
            "x with a leading 0": lambda q: q[0] < 2**248,
            "y with a leading 0": lambda q: q[1] < 2**248,
            "x with a last 0": lambda q: q[0] % 256 == 0,
            "y with a last 0": lambda q: q[1] % 256 == 0,
        }.items():
            d, public = self.random.key()
            while not found(public):
                d, public = d + 1, add(public, G)
            case = self.message_group(public, DEFAULT_ID)
            numbers = self.signed_message(d, public, DEFAULT_ID, b"a message")
            case("valid", "EdgeCasePublicKey", name, b"a message", asn1.signature(*numbers))

    def invalid_public_keys(self):
        x, y = self.public
        small = lift_x(1)
        low = y_above(1)
        point = sm2.encode
        for name, public, encoded in (
            ("x + 1, not on the curve", (x + 1, y), None),
            ("y + 1, not on the curve", (x, y + 1), None),
            ("x and y exchanged", (y, x), None),
            ("of order 2 on another curve", (x, 0), None),
            (
                "of the curve P-256",
                (
                    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
                    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
                ),
                None,
            ),
            ("infinity, one byte", None, b"\0"),
            ("infinity, 65 bytes of 0", None, bytes(65)),
            ("(0, 0)", (0, 0), None),
            ("x + p", (small[0] + P, small[1]), None),
            ("y + p", (low[0], low[1] + P), None),
            ("(p, y) for (0, y)", (P, lift_x(0)[1]), None),
            ("x = 2^256 - 1", (2**256 - 1, y), None),
            ("without its last byte", (x, y), point((x, y))[:-1]),
            ("with a byte more", (x, y), point((x, y)) + b"\0"),
            ("without 04", (x, y), point((x, y))[1:]),
            ("with 05", (x, y), b"\5" + point((x, y))[1:]),
            ("with 02 and both coordinates", (x, y), b"\2" + point((x, y))[1:]),
            ("hybrid, with the wrong bit for y", (x, y), bytes([7 - y % 2]) + point((x, y))[1:]),
            ("of no bytes", None, b""),
        ):
            claimed = public or (0, 0)
            encoded = encoded if encoded is not None else point(claimed)
            # As an implementation would compute that never looks at the key.
            naive = None if public in (None, (0, 0)) else (public[0] % P, public[1] % P)
            s, t = self.random.scalar(), self.random.scalar()
            r = (t - s) % N
            e = (r - add(multiply(s, G), multiply(t, naive))[0]) % N
            self.digest_group(claimed, encoded)("invalid", "InvalidPublicKey", name, e, r, s)


def next_x(x, step):
    """The first point of the curve with an x from this one on."""
    while not lift_x(x):
        x += step
    return lift_x(x)


def y_above(y):
    """The first point of the curve with a y from this one on, and its least x."""
    while not (found := lift_y(y)):
        y += 1
    return found[0], y


def name_of(x):
    if x < 2**32:
        return str(x)
    if N - 2**32 < x < N:
        return f"n - {N - x}"
    return {2**256 - 1: "2^256 - 1", N // 2: "(n - 1) / 2"}.get(x, "random" if x.bit_length() > 200 else hex(x))
