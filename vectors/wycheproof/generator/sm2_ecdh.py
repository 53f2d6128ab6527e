"""Plain ECDH on the SM2 curve, as TLS 1.3 uses it (RFC 8998, 2.3 and RFC 8446, 7.4.2)."""

from . import sm2
from .notes import SM2_ECDH
from .sm2 import G, N, P, Generator, add, b32, lift_x, multiply, negate
from .sm2_verify import next_x, y_above
from .testfile import File, big

HEADER = [
    "Test vectors of type EcdhEcpointTest are intended for testing an ECDH implementation",
    "where the public key is an encoded point. The curve is curveSM2 of RFC 8998,",
    "and the shared secret is the x coordinate, 32 bytes.",
]


def make():
    file = File("ECDH", "ecdh_ecpoint_test_schema_v1.json", HEADER, SM2_ECDH)
    group = file.group("EcdhEcpointTest", curve="curveSM2", encoding="ecpoint")
    random = Generator("SM2 ECDH")

    def valid(flag, comment, d, point):
        assert 1 <= d <= N - 2 and sm2.on_curve(point)
        shared = b32(multiply(d, point)[0])
        group.case("valid", flag, comment, public=sm2.encode(point), private=big(d), shared=shared)

    def invalid(flag, comment, encoded, d=None):
        private = big(random.scalar() if d is None else d)
        group.case("invalid", flag, comment, public=encoded, private=private, shared="")

    for i in range(20):
        valid("Normal", f"random keys, number {i}", random.scalar(), random.key()[1])

    points = {f"x = {x}": lift_x(x) for x in range(40) if lift_x(x)}
    points |= {
        "x = 0, the other y": negate(lift_x(0)),
        "the greatest x": next_x(P - 1, -1),
        "the next x below it": next_x(next_x(P - 1, -1)[0] - 1, -1),
    }
    points |= {"the least x from n on": next_x(N, 1), "the greatest x below n": next_x(N - 1, -1)}
    for i in (16, 31, 32, 64, 96, 127, 128, 160, 192, 224, 240, 248, 255):
        points |= {
            f"x just above 2^{i}": next_x(2**i, 1),
            f"x just below 2^{i}": next_x(2**i - 1, -1),
            f"x just below p - 2^{i}": next_x(P - 2**i, -1),
        }
    points |= {f"x just above 0x{b}..": next_x(int(b * 32, 16), 1) for b in ("11", "33", "55", "aa", "cc", "ee", "f0")}
    points |= {
        f"x just above 0x{b}..": next_x(int(b, 16), 1)
        for b in ("00000000ffffffff" * 4, "7fffffff00000000" * 4, "0000ffff" * 8, "00ff" * 16)
    }
    points |= {
        f"y just above {y if y < 2**32 else hex(y)}": y_above(y)
        for y in (1, 16, 2**32, 2**64, 2**128, 2**224, 2**247, P // 2)
    }
    points |= {f"the greatest y but {y}": negate(y_above(y)) for y in (1, 16, 2**32)}
    for name, point in points.items():
        valid("EdgeCaseEphemeralKey", f"public key: {name}", random.scalar(), point)
    for name, point in points.items():
        d = random.scalar()
        valid("EdgeCaseSharedSecret", f"shared point: {name}", d, multiply(pow(d, -1, N), point))

    keys = {f"{d}": d for d in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 128, 255, 256, 257, 65535, 65536)}
    for i in (32, 63, 64, 65, 96, 127, 128, 129, 192, 224, 248, 252, 254, 255):
        keys |= {f"2^{i}": 2**i, f"2^{i} - 1": 2**i - 1, f"2^{i} + 1": 2**i + 1, f"n - 2^{i}": N - 2**i}
    keys |= {f"n - {i}": N - i for i in (2, 3, 4, 5, 15, 16, 17, 31, 32, 33)}
    keys |= {"(n - 1) / 2": N // 2, "(n + 1) / 2": N // 2 + 1, "(n + 3) / 2": N // 2 + 2}
    keys |= {f"0x{b}..": int(b * 32, 16) for b in ("11", "22", "44", "55", "77", "88", "aa", "cc", "ee", "f0", "0f")}
    keys |= {f"n - 0x{b}..": N - int(b * 31, 16) for b in ("11", "55", "aa", "ff")}
    other = random.key()[1]
    for name, d in keys.items():
        valid("EdgeCasePrivateKey", f"private key {name}", d, other)
    for name, d in keys.items():
        multiple = (d % 5 + 1) * (1 if d % 2 else -1)
        valid("EdgeCaseDoubling", f"private key {name}, public key {multiple} G", d, multiply(multiple % N, G))
    for i in (1, 2, 3, 5, 8, 13):
        d = pow(i, -1, N)
        for m in (1, 2, 3, i, N - i):
            valid(
                "EdgeCaseDoubling",
                f"private key 1 / {i}, public key {'-' if m > 100 else ''}{min(m, N - m)} G",
                d,
                multiply(m, G),
            )

    for name, point in {
        "x even y": lift_x(7),
        "x odd y": negate(lift_x(7)),
        "random": other,
        "x = 0": lift_x(0),
        "the greatest x": next_x(P - 1, -1),
    }.items():
        for form, encode in {"compressed": sm2.compressed, "hybrid": sm2.hybrid}.items():
            d = random.scalar()
            shared = b32(multiply(d, point)[0])
            group.case(
                "acceptable", "OtherPointForm", f"{form}, {name}", public=encode(point), private=big(d), shared=shared
            )
    for x in [x for x in range(60) if not lift_x(x)][:12] + [next_none(2**128), next_none(N), next_none(P - 20)]:
        for first in (2, 3):
            invalid(
                "InvalidCompressedPublic",
                f"{first:02x}, no point has x = {x if x < 100 else hex(x)}",
                bytes([first]) + b32(x),
            )
    for name, x in {"p": P, "p + 1": P + 1, "2^256 - 1": 2**256 - 1}.items():
        for first in (2, 3):
            invalid("CoordinateRange", f"{first:02x}, x = {name}", bytes([first]) + b32(x))

    x, y = other
    off = {
        f"({name_x}, {name_y})": (a, b)
        for name_x, a in (("0", 0), ("1", 1), ("p - 1", P - 1))
        for name_y, b in (("0", 0), ("1", 1), ("p - 1", P - 1))
    }
    del off["(0, 0)"]
    off |= {
        "x + 1": (x + 1, y),
        "y + 1": (x, y + 1),
        "y - 1": (x, y - 1),
        "exchanged coordinates": (y, x),
        "-x": (P - x, y),
        "x and 0": (x, 0),
        "0 and y": (0, y),
        "1 / y": (x, pow(y, -1, P)),
    }
    off |= {f"G with bit {i} of y changed": (G[0], G[1] ^ 1 << i) for i in (0, 7, 64, 128, 255)}
    off |= {f"G with bit {i} of x changed": (G[0] ^ 1 << i, G[1]) for i in (0, 31, 100, 200)}
    for i in range(10):
        off[f"random, number {i}"] = (
            int.from_bytes(random.bytes(32), "big") % P,
            int.from_bytes(random.bytes(32), "big") % P,
        )
    for i in (3, 5, 7):
        off[f"of order {i} on another curve"] = of_order(i, random)
    for name, point in off.items():
        assert not (point[0] < P and point[1] < P and sm2.on_curve(point)), name
        invalid("InvalidCurveAttack", f"not on the curve: {name}", sm2.encode(point))
    for name, px, py in (
        (
            "P-256",
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ),
        (
            "secp256k1",
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        ),
        (
            "brainpoolP256r1",
            "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
            "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
        ),
    ):
        invalid("WrongCurve", f"the base point of {name}", bytes.fromhex("04" + px + py))
    low, high = lift_x(1), y_above(1)
    zero = lift_x(0)
    for name, point in {
        "x + p for x = 1": (low[0] + P, low[1]),
        "x = p for 0": (P, zero[1]),
        "y + p": (high[0], high[1] + P),
        "x = 2^256 - 1": (2**256 - 1, y),
        "y = 2^256 - 1": (x, 2**256 - 1),
        "both 2^256 - 1": (2**256 - 1,) * 2,
        "y = p": (x, P),
        "both p": (P, P),
        "both p for (0, 0), y + 1": (P, P + 1),
    }.items():
        invalid("CoordinateRange", f"coordinates not below p: {name}", sm2.encode(point))
    for name, encoded in {
        "00": b"\0",
        "0000": b"\0\0",
        "33 bytes of 0": bytes(33),
        "65 bytes of 0": bytes(65),
        "04 and (0, 0)": b"\4" + bytes(64),
        "04 alone": b"\4",
        "no bytes": b"",
        "04 and (0, 1)": b"\4" + bytes(63) + b"\1",
        "06 and (0, 0)": b"\6" + bytes(64),
    }.items():
        invalid("PointAtInfinity", f"infinity as {name}", encoded)
    good = sm2.encode(other)
    for first in [0, 1, 2, 3, 5, 7 - y % 2, 8, 0x40, 0x84, 0xFF]:
        invalid("InvalidEncoding", f"04 replaced by {first:02x}", bytes([first]) + good[1:])
    for name, encoded in {
        "without 04": good[1:],
        "cut by a byte": good[:-1],
        "with a byte of 0 more": good + b"\0",
        "with a byte more": good + b"\1",
        "only x": good[:33],
        "only 04 and 63 bytes": good[:64],
        "twice": good + good,
        "04 04": b"\4" + good,
        "in an OCTET STRING": b"\4\x41" + good,
        "in a BIT STRING": b"\3\x42\0" + good,
        "coordinates of 33 bytes": b"\4\0" + good[1:33] + b"\0" + good[33:],
        "coordinates of 31 bytes": b"\4" + good[2:33] + good[34:],
        "compressed, cut by a byte": sm2.compressed(other)[:-1],
        "compressed, with a byte more": sm2.compressed(other) + b"\0",
        "compressed with 04": b"\4" + sm2.compressed(other)[1:],
        "x || y in reverse": b"\4" + good[1:33][::-1] + good[33:][::-1],
        "in hex": good.hex().encode(),
    }.items():
        invalid("InvalidEncoding", name, encoded)

    for name, d in {
        "0": 0,
        "n": N,
        "n + 1": N + 1,
        "2n": 2 * N,
        "2n + 1": 2 * N + 1,
        "2^256": 2**256,
        "2^256 - 1": 2**256 - 1,
        "2^256 + 1": 2**256 + 1,
        "p": P,
        "-1": -1,
        "-n": -N,
    }.items():
        invalid("PrivateKeyRange", f"private key {name}", good, d)
    for name, point in {"random": other, "G": G}.items():
        group.case(
            "acceptable",
            "LastPrivateKey",
            f"private key n - 1, public key {name}",
            public=sm2.encode(point),
            private=big(N - 1),
            shared=b32(point[0]),
        )
    return file


def next_none(x):
    """The first x from this one on that no point has."""
    while lift_x(x):
        x += 1
    return x


def of_order(order, random):
    """A point of this small odd order on y^2 = x^3 - 3x + b' for some b', by its division polynomial in y^2 and x."""
    while True:
        x = int.from_bytes(random.bytes(32), "big") % P
        for yy in candidates(order, x):
            y = sm2.square_root(yy)
            if y and multiply(order, (x, y)) is None:
                return x, y


def candidates(order, x):
    """y^2 for which (x, y) may have this order: the multiple has an x that is a fraction in y^2 = v. Searched on lines."""
    a = sm2.A
    if order == 3:
        # 3P is infinity where x of 2P is x: (3x^2 + a)^2 = 12 x v.
        return [pow(3 * x * x + a, 2, P) * pow(12 * x, -1, P) % P]
    # m = 3x^2 + a, v = y^2: x of 2P is m^2 / 4v - 2x. For 5: x(3P) = x(2P); for 7: x(4P) = x(3P).
    m = (3 * x * x + a) % P
    return roots_of_order(order, x, m)


def roots_of_order(order, x, m):
    """The division polynomial as a polynomial in v, whose roots are found as in `roots`."""
    # psi_3 = 12 x v - m^2, psi_4 / 4y = -m^3 + 12 x v m - 8 v^2, psi_2^2 = 4 v
    psi3 = [-m * m % P, 12 * x % P]
    psi4 = [-pow(m, 3, P) % P, 12 * x * m % P, -8 % P]  # divided by 4y
    # psi_5 = psi_4 psi_2^3 - psi_3^3 = 32 y^4 psi4 - psi3^3
    psi5 = subtract(times([0, 0, 32], psi4), times(psi3, times(psi3, psi3)))
    if order == 5:
        return roots_mod_p(psi5)
    # psi_7 = psi_5 psi_3^3 - psi_2 psi_4^3 = psi_5 psi_3^3 - 2y (4y)^3 psi4^3
    cube = times(psi3, times(psi3, psi3))
    psi7 = subtract(times(psi5, cube), times([0, 0, 128], times(psi4, times(psi4, psi4))))
    return roots_mod_p(psi7)


def times(g, h):
    product = [0] * (len(g) + len(h) - 1)
    for i, a in enumerate(g):
        for j, b in enumerate(h):
            product[i + j] = (product[i + j] + a * b) % P
    return product


def subtract(g, h):
    size = max(len(g), len(h))
    g, h = g + [0] * (size - len(g)), h + [0] * (size - len(h))
    result = [(a - b) % P for a, b in zip(g, h)]
    while result and result[-1] == 0:
        result.pop()
    return result


def remainder(g, f):
    g, inverse = list(g), pow(f[-1], -1, P)
    while len(g) >= len(f):
        factor, shift = g[-1] * inverse % P, len(g) - len(f)
        for i, a in enumerate(f):
            g[shift + i] = (g[shift + i] - factor * a) % P
        while g and g[-1] == 0:
            g.pop()
    return g


def roots_mod_p(f):
    """The roots of a polynomial, if it has just one."""
    power = [1]
    for bit in bin(P)[2:]:
        power = remainder(times(power, power), f) if power else power
        if bit == "1":
            power = remainder([0, *power], f)
    g, h = f, subtract(power, [0, 1])
    while h:
        g, h = h, remainder(g, h)
    return [-g[0] * pow(g[1], -1, P) % P] if len(g) == 2 else []
