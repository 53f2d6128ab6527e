"""SM2 (GB/T 32918-2016) on the curve of GB/T 32918.5-2017. Points are pairs of integers, and None is infinity."""

from .sm3 import sm3, kdf

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

DEFAULT_ID = b"1234567812345678"
TLS13_ID = b"TLSv1.3+GM+Cipher+Suite"


def b32(x):
    return x.to_bytes(32, "big")


def right_side(x):
    return (x * x * x + A * x + B) % P


def on_curve(point):
    x, y = point
    return x < P and y < P and y * y % P == right_side(x)


def square_root(a):
    root = pow(a, (P + 1) // 4, P)
    return root if root * root % P == a % P else None


def lift_x(x):
    """The point with this x and an even y, if there is one."""
    assert x < P
    y = square_root(right_side(x))
    return None if y is None else (x, y if y % 2 == 0 else P - y)


def negate(point):
    return None if point is None else (point[0], -point[1] % P)


def add(p, q):
    """The law does not use b: it is also that of other curves with this a."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P) % P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def multiply(k, point):
    """[k]P for k >= 0, not reduced, in Jacobian coordinates. As `add`, for every curve with this a."""
    if point is None or k == 0:
        return None
    x2, y2 = point
    x, y, z = 0, 1, 0
    for bit in bin(k)[2:]:
        if z:
            # Doubling; y = 0 gives z = 0.
            yy = y * y % P
            s = 4 * x * yy % P
            m = (3 * x * x + A * pow(z, 4, P)) % P
            z = 2 * y * z % P
            x = (m * m - 2 * s) % P
            y = (m * (s - x) - 8 * yy * yy) % P
        if bit == "1":
            if not z:
                x, y, z = x2, y2, 1
                continue
            zz = z * z % P
            h = (x2 * zz - x) % P
            r = (y2 * zz * z - y) % P
            if h == 0:
                total = add((x * pow(zz, -1, P) % P, y * pow(zz * z, -1, P) % P), point)
                x, y, z = (0, 1, 0) if total is None else (*total, 1)
                continue
            hh = h * h % P
            hhh = h * hh % P
            v = x * hh % P
            z = z * h % P
            x = (r * r - hhh - 2 * v) % P
            y = (r * (v - x) - y * hhh) % P
    if not z:
        return None
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * pow(inverse, 3, P) % P


def encode(point):
    return b"\4" + b32(point[0]) + b32(point[1])


def compressed(point):
    return bytes([2 + point[1] % 2]) + b32(point[0])


def hybrid(point):
    return bytes([6 + point[1] % 2]) + b32(point[0]) + b32(point[1])


def z_value(id_, public, entl=None):
    """Z (GB/T 32918.2, 5.5); `entl` in place of the ID's length in bits."""
    if entl is None:
        entl = (8 * len(id_)).to_bytes(2, "big")
    return sm3(entl + id_ + b"".join(map(b32, (A, B, *G, *public))))


def digest(id_, public, message):
    return int.from_bytes(sm3(z_value(id_, public) + message), "big")


def sign(d, e, k):
    """None where the standard wants another k (GB/T 32918.2, 6.1)."""
    r = (e + multiply(k, G)[0]) % N
    if r == 0 or r + k == N:
        return None
    s = pow(1 + d, -1, N) * (k - r * d) % N
    return (r, s) if s else None


def verify(public, e, r, s):
    """GB/T 32918.2, 7.1."""
    if not (1 <= r < N and 1 <= s < N):
        return False
    t = (r + s) % N
    if t == 0:
        return False
    point = add(multiply(s, G), multiply(t, public))
    return point is not None and (e + point[0]) % N == r


def encryption(public, message, k):
    """C1, C3 and C2, or None where the standard wants another k (GB/T 32918.4, 6.1)."""
    x2, y2 = multiply(k, public)
    t = kdf(b32(x2) + b32(y2), len(message))
    if not any(t):
        return None
    c2 = bytes(x ^ y for x, y in zip(message, t))
    return multiply(k, G), sm3(b32(x2) + message + b32(y2)), c2


def decryption(d, c1, c3, c2):
    """None for what must be refused (GB/T 32918.4, 7.1)."""
    if c1 is None or not on_curve(c1) or not c2:
        return None
    x2, y2 = multiply(d, c1)
    t = kdf(b32(x2) + b32(y2), len(c2))
    if not any(t):
        return None
    message = bytes(x ^ y for x, y in zip(c2, t))
    return message if sm3(b32(x2) + message + b32(y2)) == c3 else None


def half(point):
    """x' of an ephemeral key (GB/T 32918.3, 6.1 A4)."""
    return 2**127 + point[0] % 2**127


def common_point(d, r, peer_public, peer_ephemeral):
    """U of party A or V of party B (GB/T 32918.3, 6.1 A7 and B6)."""
    t = (d + half(multiply(r, G)) * r) % N
    return multiply(t, add(peer_public, multiply(half(peer_ephemeral), peer_ephemeral)))


def agreed(common, id_a, public_a, r_a, id_b, public_b, r_b, size):
    """The key, S_B and S_A; `r_a` and `r_b` are points (GB/T 32918.3, 6.1)."""
    x, y = map(b32, common)
    z = z_value(id_a, public_a) + z_value(id_b, public_b)
    inner = sm3(x + z + b"".join(map(b32, (*r_a, *r_b))))
    return kdf(x + y + z, size), sm3(b"\2" + y + inner), sm3(b"\3" + y + inner)


class Generator:
    """Reproducible bytes: SM3 of a seed and a counter."""

    def __init__(self, seed):
        self.seed, self.counter = seed.encode(), 0

    def bytes(self, size):
        out = b""
        while len(out) < size:
            out += sm3(self.seed + self.counter.to_bytes(8, "big"))
            self.counter += 1
        return out[:size]

    def scalar(self):
        """In 1..=n-2."""
        return int.from_bytes(self.bytes(40), "big") % (N - 2) + 1

    def key(self):
        d = self.scalar()
        return d, multiply(d, G)
