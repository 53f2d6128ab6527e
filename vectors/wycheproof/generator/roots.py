"""Points of the curve with a chosen y."""

from .sm2 import A, B, P


def lift_y(y):
    """The x of the points with this y, in ascending order: the roots of x^3 + ax + b - y^2."""
    f = [(B - y * y) % P, A, 0]  # without its leading 1
    power = power_of([0, 1, 0], P, f)
    # gcd(f, x^p - x) has the roots in the field, each once.
    common = gcd([*f, 1], trim([power[0], power[1] - 1, power[2]]))
    return sorted(split(common))


def times(g, h, f):
    product = [0] * 5
    for i, x in enumerate(g):
        for j, y in enumerate(h):
            product[i + j] += x * y
    for i in (4, 3):
        for j in range(3):
            product[i - 3 + j] -= product[i] * f[j]
    return [x % P for x in product[:3]]


def power_of(g, exponent, f):
    result = [1, 0, 0]
    for bit in bin(exponent)[2:]:
        result = times(result, result, f)
        if bit == "1":
            result = times(result, g, f)
    return result


def trim(g):
    g = [x % P for x in g]
    while g and g[-1] == 0:
        g.pop()
    return g


def gcd(g, h):
    while h:
        inverse = pow(h[-1], -1, P)
        while len(g) >= len(h):
            factor, shift = g[-1] * inverse, len(g) - len(h)
            g = trim([x - factor * h[i - shift] if i >= shift else x for i, x in enumerate(g)][:-1])
        g, h = h, g
    inverse = pow(g[-1], -1, P)
    return [x * inverse % P for x in g]


def split(g):
    """The roots of a product of different linear factors."""
    if len(g) == 1:
        return []
    if len(g) == 2:
        return [-g[0] % P]
    f = g[:-1] if len(g) == 4 else [0, *g[:-1]]  # of degree 3, with a root 0 more if need be
    for shift in range(1, 200):
        power = power_of([shift, 1, 0], (P - 1) // 2, f)
        part = gcd(g, trim([power[0] - 1, power[1], power[2]]) or g)
        if 1 < len(part) < len(g):
            quotient, rest = [], list(g)
            while len(rest) >= len(part):
                factor, shift_ = rest[-1], len(rest) - len(part)
                quotient.insert(0, factor)
                rest = [x - factor * part[i - shift_] if i >= shift_ else x for i, x in enumerate(rest)][:-1]
            return split(part) + split([x % P for x in quotient])
    raise AssertionError("no factor")
