"""The key agreement of GB/T 32918.3-2016, which TLCP uses."""

from . import sm2
from .notes import SM2_AGREEMENT
from .sm2 import DEFAULT_ID, G, N, P, Generator, add, b32, half, lift_x, multiply, negate
from .sm2_verify import next_x, y_above
from .sm3 import sm3
from .testfile import File, big

HEADER = [
    "Test vectors of type Sm2KeyAgreement show one side of the SM2 key agreement (GB/T 32918.3, 6.1).",
    "That side has role, ownId, private and ephemeralPrivate, and knows peerId, peerPublic and peerEphemeral.",
    "It must derive key, send confirmation and accept peerConfirmation (initiator: sends S_A, accepts S_B).",
    "An invalid case must be refused, at the latest because peerConfirmation is not the value expected.",
]


def make():
    file = File("SM2-KEY-AGREEMENT", "sm2_key_agreement_schema.json", HEADER, SM2_AGREEMENT)
    cases = Cases(file)
    cases.normal()
    cases.truncation()
    cases.points()
    cases.keys()
    cases.infinity()
    cases.invalid_points()
    cases.confirmations()
    return file


class Cases:
    def __init__(self, file):
        self.random = Generator("SM2 key agreement")
        self.group = file.group("Sm2KeyAgreement", curve="curveSM2", hash="SM3")

    def answer(self, role, d, r, public, ephemeral, own_id, peer_id, size, common=None):
        """The key, the peer's confirmation and the own one, or None for infinity."""
        common = common or sm2.common_point(d, r, public, ephemeral)
        if common is None:
            return None
        own, peer = (own_id, multiply(d, G), multiply(r, G)), (peer_id, public, ephemeral)
        a, b = (own, peer) if role == "initiator" else (peer, own)
        key, s_b, s_a = sm2.agreed(common, *a, *b, size)
        return (key, s_b, s_a) if role == "initiator" else (key, s_a, s_b)

    def case(self, result, flag, comment, role, d, r, public, ephemeral, own_id, peer_id, size, answer):
        key, peer, own = answer or (b"", bytes(32), b"")
        if result == "invalid":
            key, own = b"", b""
        self.group.case(
            result,
            flag,
            comment,
            role=role,
            ownId=own_id,
            private=big(d),
            ephemeralPrivate=big(r),
            peerId=peer_id,
            peerPublic=public,
            peerEphemeral=ephemeral,
            size=size,
            key=key,
            confirmation=own,
            peerConfirmation=peer,
        )

    def valid(
        self,
        flag,
        comment,
        d=None,
        r=None,
        public=None,
        ephemeral=None,
        own_id=DEFAULT_ID,
        peer_id=DEFAULT_ID,
        size=32,
        roles=("initiator", "responder"),
    ):
        for role in roles:
            d_, r_ = d or self.random.scalar(), r or self.random.scalar()
            public_, ephemeral_ = public or self.random.key()[1], ephemeral or self.random.key()[1]
            assert sm2.on_curve(public_) and sm2.on_curve(ephemeral_), comment
            answer = self.answer(role, d_, r_, public_, ephemeral_, own_id, peer_id, size)
            self.case(
                "valid",
                flag,
                comment,
                role,
                d_,
                r_,
                sm2.encode(public_),
                sm2.encode(ephemeral_),
                own_id,
                peer_id,
                size,
                answer,
            )

    def normal(self):
        id_a, id_b = b"ALICE123@YAHOO.COM", b"BILL456@YAHOO.COM"
        # Both sides of one agreement.
        for i in range(8):
            (d_a, p_a), (r_a, q_a), (d_b, p_b), (r_b, q_b) = (self.random.key() for _ in range(4))
            assert sm2.common_point(d_a, r_a, p_b, q_b) == sm2.common_point(d_b, r_b, p_a, q_a)
            ids = (DEFAULT_ID, DEFAULT_ID) if i % 2 else (id_a, id_b)
            self.valid("Normal", f"agreement {i}", d_a, r_a, p_b, q_b, *ids, roles=["initiator"])
            self.valid("Normal", f"agreement {i}", d_b, r_b, p_a, q_a, *ids[::-1], roles=["responder"])
        for size in (1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 128, 255, 256, 1000):
            self.valid("KeySize", f"key of {size} bytes", size=size)
        for name, own, peer in (
            ("own one empty", b"", DEFAULT_ID),
            ("peer's one empty", DEFAULT_ID, b""),
            ("both empty", b"", b""),
            ("equal", id_a, id_a),
            ("in Chinese", "甲".encode(), "乙".encode()),
            ("of one byte", b"A", b"B"),
            ("with zeros", b"\0", b"\0\0"),
            ("not UTF-8", b"\xff", b"\xfe\x80"),
            ("one the beginning of the other", id_a, id_a[:-1]),
        ):
            self.valid("SignerId", f"IDs: {name}", own_id=own, peer_id=peer)
        longest = (b"0123456789abcdef" * 512)[:8191]
        self.valid("SignerId", "own ID of 8191 bytes", own_id=longest, roles=["initiator"])
        self.valid("SignerId", "peer's ID of 8191 bytes", peer_id=longest, roles=["responder"])
        for name, own, peer in (("peer's", DEFAULT_ID, longest + b"f"),):
            d, r, public, ephemeral = (
                self.random.scalar(),
                self.random.scalar(),
                self.random.key()[1],
                self.random.key()[1],
            )
            # The confirmation of a peer that cuts ENTL to 16 bits.
            own_key, own_ephemeral = multiply(d, G), multiply(r, G)
            x, y = map(b32, sm2.common_point(d, r, public, ephemeral))
            z = b"".join(
                sm2.z_value(i, p, (8 * len(i) % 2**16).to_bytes(2, "big")) for i, p in ((own, own_key), (peer, public))
            )
            s_b = sm3(b"\2" + y + sm3(x + z + b"".join(map(b32, (*own_ephemeral, *ephemeral)))))
            self.case(
                "invalid",
                "IdTooLong",
                f"{name} ID of 8192 bytes",
                "initiator",
                d,
                r,
                sm2.encode(public),
                sm2.encode(ephemeral),
                own,
                peer,
                32,
                (b"", s_b, b""),
            )

    def truncation(self):
        low = 2**127
        random = lambda: int.from_bytes(self.random.bytes(32), "big") % P
        special = {}
        for name, x in {
            "bit 127 of x is 1": random() | low,
            "bit 127 of x is 0": random() & ~low,
            "x' = 2^127": random() >> 128 << 128,
            "x' = 2^127, bit 127 of x is 1": random() >> 128 << 128 | low,
        }.items():
            # The low bits stay: the high ones count up to a point of the curve.
            while not lift_x(x % P):
                x = (x + 2**128) % 2**255
            special[name] = lift_x(x)
        for name, low_bits in {
            "x' = 2^128 - 1, bit 127 of x is 0": low - 1,
            "x' = 2^128 - 1": 2**128 - 1,
            "x' = 2^127 + 1": 1,
            "x' = 2^127 + 2^126": 2**126,
        }.items():
            x = random() >> 128 << 128 | low_bits
            while not lift_x(x % P):
                x = (x + 2**128) % 2**255
            special[name] = lift_x(x)
        special |= {
            "x = 0, x' = 2^127": lift_x(0),
            "x = 0, the other y": negate(lift_x(0)),
            "x = 1": lift_x(1),
            "the greatest x": next_x(P - 1, -1),
            "x not below n": next_x(N, 1),
        }
        special |= {
            "x just below 2^127": next_x(low - 1, -1),
            "x just above 2^127": next_x(low, 1),
            "x just below 2^128": next_x(2**128 - 1, -1),
            "x just above 2^128": next_x(2**128, 1),
        }
        for name, point in special.items():
            self.valid("TruncatedX", f"the peer's ephemeral key: {name}", ephemeral=point)
        for name, found in {
            "bit 127 of x is 1": lambda x: x & low,
            "bit 127 of x is 0": lambda x: not x & low,
            "bits 119 to 126 are 0": lambda x: not x >> 119 & 0xFF,
            "bits 119 to 126 are 1": lambda x: x >> 119 & 0xFF == 0xFF,
            "bits 128 to 135 are 1": lambda x: x >> 128 & 0xFF == 0xFF,
            "bits 0 to 7 are 0": lambda x: not x & 0xFF,
            "bits 248 to 255 are 0": lambda x: not x >> 248,
            "bits 127 to 134 are 0": lambda x: not x >> 127 & 0xFF,
        }.items():
            for both in (False, True):
                r, point = self.random.key()
                while not found(point[0]):
                    r, point = r + 1, add(point, G)
                self.valid(
                    "TruncatedX",
                    f"the own ephemeral key{' and the peer' if both else ''}: {name}",
                    r=r,
                    ephemeral=negate(point) if both else None,
                )

    def points(self):
        special = {f"x = {x}": lift_x(x) for x in (0, 1, 7)} | {"x = 0, the other y": negate(lift_x(0))}
        special |= {
            "the greatest x": next_x(P - 1, -1),
            "x not below n": next_x(N, 1),
            "small y": y_above(1),
            "the greatest y": negate(y_above(1)),
            "x of 31 bytes": next_x(2**247, 1),
            "y of 31 bytes": y_above(2**247),
        }
        special |= {"G": G, "-G": negate(G), "2G": add(G, G)}
        for name, point in special.items():
            self.valid("EdgeCasePoint", f"the peer's static key: {name}", public=point)
            self.valid("EdgeCasePoint", f"the peer's ephemeral key: {name}", ephemeral=point)
            d, r, ephemeral = self.random.scalar(), self.random.scalar(), self.random.key()[1]
            t = (d + half(multiply(r, G)) * r) % N
            public = add(multiply(pow(t, -1, N), point), negate(multiply(half(ephemeral), ephemeral)))
            self.valid("EdgeCasePoint", f"the common point: {name}", d, r, public, ephemeral)
        for _ in range(3):
            ephemeral = self.random.key()[1]
            self.valid("PointDoubling", "P = [x']R", public=multiply(half(ephemeral), ephemeral), ephemeral=ephemeral)

    def keys(self):
        for name, k in {
            "1": 1,
            "2": 2,
            "3": 3,
            "n - 2": N - 2,
            "n - 3": N - 3,
            "2^128": 2**128,
            "2^255": 2**255,
            "(n - 1) / 2": N // 2,
            "(n + 1) / 2": N // 2 + 1,
        }.items():
            self.valid("EdgeCasePrivateKey", f"own static key {name}", d=k)
            self.valid("EdgeCasePrivateKey", f"own ephemeral key {name}", r=k)
            self.valid("EdgeCasePrivateKey", f"both own keys {name}", d=k, r=k)
        for _ in range(2):
            (d, p), (r, q) = self.random.key(), self.random.key()
            self.valid("EqualKeys", "own static and ephemeral keys equal", d=d, r=d)
            self.valid("EqualKeys", "the peer's static and ephemeral keys equal", public=p, ephemeral=p)
            self.valid("EqualKeys", "all four keys equal", d, d, p, p)
            self.valid("EqualKeys", "the peer has the own static key", d=d, public=p)
            self.valid("EqualKeys", "the peer has the own ephemeral key", r=r, ephemeral=q)
            self.valid("EqualKeys", "the peer has both own keys", d, r, p, q)
            self.valid("EqualKeys", "the peer has both own keys, exchanged", d, r, q, p)
            self.valid("EqualKeys", "the peer's keys are the negated own ones", d, r, negate(p), negate(q))
        public, ephemeral = (sm2.encode(self.random.key()[1]) for _ in range(2))
        k = self.random.scalar()
        for name, value in {"0": 0, "n": N, "n + 1": N + 1, "2^256": 2**256, "-1": -1}.items():
            self.case(
                "invalid",
                "PrivateKeyRange",
                f"own static key {name}",
                "initiator",
                value,
                k,
                public,
                ephemeral,
                DEFAULT_ID,
                DEFAULT_ID,
                32,
                None,
            )
            self.case(
                "invalid",
                "PrivateKeyRange",
                f"own ephemeral key {name}",
                "initiator",
                k,
                value,
                public,
                ephemeral,
                DEFAULT_ID,
                DEFAULT_ID,
                32,
                None,
            )
        self.case(
            "invalid",
            "PrivateKeyRange",
            "own static key n - 1",
            "initiator",
            N - 1,
            k,
            public,
            ephemeral,
            DEFAULT_ID,
            DEFAULT_ID,
            32,
            None,
        )
        for role in ("initiator", "responder"):
            (d, _), (_, p), (_, q) = (self.random.key() for _ in range(3))
            answer = self.answer(role, d, N - 1, p, q, DEFAULT_ID, DEFAULT_ID, 32)
            self.case(
                "acceptable",
                "LastEphemeralKey",
                "own ephemeral key n - 1",
                role,
                d,
                N - 1,
                sm2.encode(p),
                sm2.encode(q),
                DEFAULT_ID,
                DEFAULT_ID,
                32,
                answer,
            )
            self.case(
                "invalid",
                "ZeroKeySize",
                "key of 0 bytes",
                role,
                d,
                k,
                sm2.encode(p),
                sm2.encode(q),
                DEFAULT_ID,
                DEFAULT_ID,
                0,
                self.answer(role, d, k, p, q, DEFAULT_ID, DEFAULT_ID, 0),
            )

    def infinity(self):
        """Where U is infinity, peers that take (0, 0) for it would agree on what they then send."""
        for role in ("initiator", "responder"):
            for name, ephemeral in {
                "random": self.random.key()[1],
                "G": G,
                "x = 0": lift_x(0),
                "x' = 2^127": None,
            }.items():
                if ephemeral is None:
                    ephemeral = next_x(2**200, 2**128)
                d, r = self.random.scalar(), self.random.scalar()
                public = negate(multiply(half(ephemeral), ephemeral))
                assert sm2.common_point(d, r, public, ephemeral) is None
                answer = self.answer(role, d, r, public, ephemeral, DEFAULT_ID, DEFAULT_ID, 32, common=(0, 0))
                self.case(
                    "invalid",
                    "CommonPointAtInfinity",
                    f"P = -[x']R, R {name}",
                    role,
                    d,
                    r,
                    sm2.encode(public),
                    sm2.encode(ephemeral),
                    DEFAULT_ID,
                    DEFAULT_ID,
                    32,
                    answer,
                )
            for i in range(2):
                r, point = self.random.key() if i else (2, multiply(2, G))
                d = -half(point) * r % N
                (_, p), (_, q) = self.random.key(), self.random.key()
                assert 1 <= d <= N - 2 and sm2.common_point(d, r, p, q) is None
                answer = self.answer(role, d, r, p, q, DEFAULT_ID, DEFAULT_ID, 32, common=(0, 0))
                self.case(
                    "invalid",
                    "OwnFactorIsZero",
                    f"d = -x' r, r {'random' if i else '= 2'}",
                    role,
                    d,
                    r,
                    sm2.encode(p),
                    sm2.encode(q),
                    DEFAULT_ID,
                    DEFAULT_ID,
                    32,
                    answer,
                )

    def invalid_points(self):
        small, low, zero = lift_x(1), y_above(1), lift_x(0)
        good = self.random.key()[1]
        x, y = good
        bad = [
            ("InvalidCurveAttack", f"not on the curve: {name}", sm2.encode(q), q)
            for name, q in {
                "y + 1": (x, y + 1),
                "x + 1": (x + 1, y),
                "exchanged": (y, x),
                "(1, 1)": (1, 1),
                "(x, 0)": (x, 0),
                "G with y - 1": (G[0], G[1] - 1),
                "of P-256": (
                    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
                    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
                ),
            }.items()
        ]
        twist = next(x for x in range(2, 99) if not lift_x(x))
        bad += [("InvalidCurveAttack", f"compressed, no point has x = {twist}", b"\2" + b32(twist), None)]
        bad += [
            ("PointAtInfinity", f"infinity as {name}", encoded, None)
            for name, encoded in {"00": b"\0", "65 bytes of 0": bytes(65), "04 and (0, 0)": b"\4" + bytes(64)}.items()
        ]
        bad += [
            ("CoordinateRange", name, sm2.encode(q), real)
            for name, q, real in (
                ("x + p", (small[0] + P, small[1]), small),
                ("y + p", (low[0], low[1] + P), low),
                ("x = p for 0", (P, zero[1]), zero),
                ("2^256 - 1", (2**256 - 1,) * 2, None),
            )
        ]
        bad += [
            ("InvalidEncoding", name, encoded, good)
            for name, encoded in {
                "no bytes": b"",
                "without 04": sm2.encode(good)[1:],
                "cut by a byte": sm2.encode(good)[:-1],
                "with a byte more": sm2.encode(good) + b"\0",
                "05": b"\5" + sm2.encode(good)[1:],
                "02 and both coordinates": b"\2" + sm2.encode(good)[1:],
                "hybrid, with the wrong bit for y": bytes([7 - y % 2]) + sm2.encode(good)[1:],
            }.items()
        ]
        roles = ["initiator", "responder"]
        for i, (flag, name, encoded, naive) in enumerate(bad):
            for which in ("static", "ephemeral"):
                role = roles[(i + (which == "static")) % 2]
                d, r, (_, other) = self.random.scalar(), self.random.scalar(), self.random.key()
                # As a peer confirms who reckons that nobody looks at its key.
                pair = (naive, other) if which == "static" else (other, naive)
                answer = self.answer(role, d, r, *pair, DEFAULT_ID, DEFAULT_ID, 32) if naive else None
                keys = (encoded, sm2.encode(other)) if which == "static" else (sm2.encode(other), encoded)
                self.case(
                    "invalid",
                    flag,
                    f"the peer's {which} key: {name}",
                    role,
                    d,
                    r,
                    *keys,
                    DEFAULT_ID,
                    DEFAULT_ID,
                    32,
                    answer,
                )
        for form, encode in {"compressed": sm2.compressed, "hybrid": sm2.hybrid}.items():
            for which in ("static", "ephemeral"):
                d, r, (_, p), (_, q) = self.random.scalar(), self.random.scalar(), self.random.key(), self.random.key()
                answer = self.answer("initiator", d, r, p, q, DEFAULT_ID, DEFAULT_ID, 32)
                keys = (encode(p), sm2.encode(q)) if which == "static" else (sm2.encode(p), encode(q))
                self.case(
                    "acceptable",
                    "OtherPointForm",
                    f"the peer's {which} key is {form}",
                    "initiator",
                    d,
                    r,
                    *keys,
                    DEFAULT_ID,
                    DEFAULT_ID,
                    32,
                    answer,
                )

    def confirmations(self):
        for role in ("initiator", "responder"):
            (d, own_p), (r, own_q), (_, p), (_, q) = (self.random.key() for _ in range(4))
            own_id, peer_id = b"ALICE123@YAHOO.COM", b"BILL456@YAHOO.COM"
            key, peer, own = self.answer(role, d, r, p, q, own_id, peer_id, 32)
            common = sm2.common_point(d, r, p, q)
            ours, theirs = (own_id, own_p, own_q), (peer_id, p, q)
            a, b = (ours, theirs) if role == "initiator" else (theirs, ours)
            first = b"\2" if role == "initiator" else b"\3"
            x, y = map(b32, common)
            z_a, z_b = sm2.z_value(*a[:2]), sm2.z_value(*b[:2])
            points = b"".join(map(b32, (*a[2], *b[2])))
            inner = sm3(x + z_a + z_b + points)
            assert peer == sm3(first + y + inner)

            def invalid(flag, name, value):
                self.case(
                    "invalid",
                    flag,
                    name,
                    role,
                    d,
                    r,
                    sm2.encode(p),
                    sm2.encode(q),
                    own_id,
                    peer_id,
                    32,
                    (b"", value, b""),
                )

            for i in (0, 1, 15, 31):
                changed = bytearray(peer)
                changed[i] ^= 1 << (i % 8)
                invalid("WrongConfirmation", f"a bit of byte {i}", bytes(changed))
            for name, value in {
                "all 0": bytes(32),
                "the own one, sent back": own,
                "empty": b"",
                "cut by a byte": peer[:-1],
                "the first 16 bytes": peer[:16],
                "with a byte more": peer + b"\0",
                "the agreed key": key,
                "with 01 before": sm3(b"\1" + y + inner),
                "with nothing before": sm3(y + inner),
                "with x in place of y": sm3(first + x + inner),
                "with y in place of x": sm3(first + y + sm3(y + z_a + z_b + points)),
                "without the inner hash": sm3(first + y + x + z_a + z_b + points),
                "the inner hash": inner,
                "without Z": sm3(first + y + sm3(x + points)),
                "without the ephemeral keys": sm3(first + y + sm3(x + z_a + z_b)),
                "with only the x of the ephemeral keys": sm3(
                    first + y + sm3(x + z_a + z_b + b32(a[2][0]) + b32(b[2][0]))
                ),
                "with the ephemeral keys exchanged": sm3(first + y + sm3(x + z_a + z_b + points[64:] + points[:64])),
                "with 04 before the ephemeral keys": sm3(
                    first + y + sm3(x + z_a + z_b + sm2.encode(a[2]) + sm2.encode(b[2]))
                ),
                "with Z_A and Z_B exchanged": sm3(first + y + sm3(x + z_b + z_a + points)),
            }.items():
                invalid("WrongConfirmation", name, value)
            exchanged = sm2.agreed(common, *b, *a, 32)
            invalid("WrongRole", "the confirmation of the other role", exchanged[1])
            invalid("WrongRole", "the other confirmation of the other role", exchanged[2])
            for name, other in {
                "the peer has another ID for itself": self.answer(role, d, r, p, q, own_id, DEFAULT_ID, 32),
                "the peer has another ID for this side": self.answer(role, d, r, p, q, DEFAULT_ID, peer_id, 32),
                "the IDs exchanged": self.answer(role, d, r, p, q, peer_id, own_id, 32),
                "x not cut to 127 bits": self.uncut(role, d, r, p, q, own_id, peer_id, False),
                "x cut to 127 bits, without bit 127 set": self.uncut(role, d, r, p, q, own_id, peer_id, True),
                "ECDH of the static keys": self.answer(role, d, r, p, q, own_id, peer_id, 32, multiply(d, p)),
                "ECDH of the ephemeral keys": self.answer(role, d, r, p, q, own_id, peer_id, 32, multiply(r, q)),
                "another ephemeral key": self.answer(role, d, r, p, self.random.key()[1], own_id, peer_id, 32),
                "another static key": self.answer(role, d, r, self.random.key()[1], q, own_id, peer_id, 32),
            }.items():
                invalid("WrongConfirmation", name, other[1])

    def uncut(self, role, d, r, p, q, own_id, peer_id, cut):
        """With another x' than the standard's."""
        own, peer = multiply(r, G)[0], q[0]
        if cut:
            own, peer = own % 2**127, peer % 2**127
        common = multiply((d + own * r) % N, add(p, multiply(peer, q)))
        return self.answer(role, d, r, p, q, own_id, peer_id, 32, common)
