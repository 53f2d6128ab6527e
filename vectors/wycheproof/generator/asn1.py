"""DER, keys in DER and PEM, and encodings that are not DER."""

import base64

from . import sm2

EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
SM2_CURVE = bytes.fromhex("06082a811ccf5501822d")

INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30


def length(n):
    if n < 0x80:
        return bytes([n])
    digits = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([0x80 + len(digits)]) + digits


def tlv(tag, content):
    return bytes([tag]) + length(len(content)) + content


def integer_content(x):
    return x.to_bytes((x if x >= 0 else ~x).bit_length() // 8 + 1, "big", signed=True)


def integer(x):
    return tlv(INTEGER, integer_content(x))


def octets(content):
    return tlv(OCTETS, content)


def sequence(*elements):
    return tlv(SEQUENCE, b"".join(elements))


def signature(r, s):
    return sequence(integer(r), integer(s))


def spki(point):
    """SubjectPublicKeyInfo of an encoded point."""
    return sequence(sequence(EC_PUBLIC_KEY, SM2_CURVE), tlv(0x03, b"\0" + point))


def pkcs8(d):
    public = tlv(0xA1, tlv(0x03, b"\0" + sm2.encode(sm2.multiply(d, sm2.G))))
    key = sequence(integer(1), octets(sm2.b32(d)), public)
    return sequence(integer(0), sequence(EC_PUBLIC_KEY, SM2_CURVE), octets(key))


def pem(label, der):
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def mutations(elements):
    """Encodings of a SEQUENCE that are not its DER, as (flag, comment, bytes).

    `elements` gives each element's name and its DER."""
    der = sequence(*(element for _, element in elements))
    for item in of_element("the sequence", der):
        yield item
    for i, (name, element) in enumerate(elements):
        for flag, comment, changed in of_element(name, element):
            others = [other for _, other in elements]
            others[i] = changed
            yield flag, comment, sequence(*others)
    for i, (name, element) in enumerate(elements):
        rest = [other for j, (_, other) in enumerate(elements) if j != i]
        yield "InvalidEncoding", f"{name} left out", sequence(*rest)
        twice = [other for _, other in elements]
        twice.insert(i, element)
        yield "InvalidEncoding", f"{name} twice", sequence(*twice)
    content = b"".join(element for _, element in elements)
    for garbage in ("00", "0000", "0500", "0204deadbeef", "04", "30"):
        more = bytes.fromhex(garbage)
        yield "TrailingData", f"{garbage} after the end", der + more
        yield "InvalidEncoding", f"{garbage} before the beginning", more + der
        yield "TrailingData", f"{garbage} as the last thing in the sequence", sequence(content + more)
        yield "InvalidEncoding", f"{garbage} as the first thing in the sequence", sequence(more + content)
    yield "InvalidEncoding", "nothing at all", b""
    yield "InvalidEncoding", "without the sequence", content
    yield "InvalidEncoding", "a sequence in a sequence", sequence(der)
    yield "InvalidEncoding", "a set of a sequence", tlv(0x31, der)
    yield "TrailingData", "twice", der + der
    for size in [1, 2, 3, 4, 5, *range(8, len(der), 9), len(der) - 2, len(der) - 1]:
        yield "Truncated", f"only the first {size} bytes", der[:size]


def of_element(name, der):
    """Wrong encodings of one element with a one-byte tag and a DER length."""
    tag = der[:1]
    head = 2 if der[1] < 0x80 else 2 + der[1] - 0x80
    content, size = der[head:], len(der) - head
    ber, bad = "BerEncoding", "InvalidEncoding"

    def with_length(digits):
        return tag + digits + content

    if size < 0x80:
        yield ber, f"{name}: length in long form", with_length(bytes([0x81, size]))
    yield ber, f"{name}: length with a leading 0", with_length(b"\x83\0" + size.to_bytes(2, "big"))
    yield ber, f"{name}: length of 8 bytes", with_length(b"\x88" + size.to_bytes(8, "big"))
    yield bad, f"{name}: length too long by 1", with_length(length(size + 1))
    yield bad, f"{name}: length too short by 1", with_length(length(size - 1))
    yield bad, f"{name}: length 0", with_length(b"\0")
    yield bad, f"{name}: length of 2^32 more", with_length(b"\x85\1" + size.to_bytes(4, "big"))
    yield bad, f"{name}: length of 2^64 more", with_length(b"\x89\1" + size.to_bytes(8, "big"))
    for digits in (
        "847fffffff",
        "8480000000",
        "84ffffffff",
        "85ffffffffff",
        "887fffffffffffffff",
        "88ffffffffffffffff",
        "ff",
        "80",
        "8100",
    ):
        yield bad, f"{name}: length {digits}", with_length(bytes.fromhex(digits))
    yield bad, f"{name}: only its tag", tag
    yield bad, f"{name}: no content", tag + b"\0"
    if tag[0] == SEQUENCE:
        yield ber, f"{name}: of indefinite length", tag + b"\x80" + content + b"\0\0"
        yield ber, f"{name}: of indefinite length, its end cut", tag + b"\x80" + content + b"\0"
    else:
        middle = size // 2
        pieces = tlv(tag[0], content[:middle]) + tlv(tag[0], content[middle:])
        constructed = bytes([tag[0] | 0x20])
        yield ber, f"{name}: constructed of two", constructed + length(len(pieces)) + pieces
        yield ber, f"{name}: constructed of indefinite length", constructed + b"\x80" + pieces + b"\0\0"
    others = {INTEGER: (0, 1, 3, 4, 5, 0x0A, 0x82, 0x22), OCTETS: (0, 1, 2, 3, 5, 0x0C, 0x84, 0x24)}
    for other in others.get(tag[0], (0, 2, 0x10, 0x2E, 0x2F, 0x31, 0xB0, 0xFF)):
        yield "InvalidTypes", f"{name}: tag {other:02x}", bytes([other]) + der[1:]
    for other in ("0500", "010100", "0101ff", "090142", "090380fe01", "0c00", "0c0130", "3000", "3003020100", "0300"):
        yield "InvalidTypes", f"{name}: replaced by {other}", bytes.fromhex(other)
    if tag[0] == INTEGER:
        yield "NonMinimalInteger", f"{name}: a leading 0 more", tlv(INTEGER, b"\0" + content)
        yield "NonMinimalInteger", f"{name}: 8 leading 0 more", tlv(INTEGER, bytes(8) + content)
        yield "NonMinimalInteger", f"{name}: 256 leading 0 more", tlv(INTEGER, bytes(256) + content)
        if content[0] == 0:
            yield "MissingZero", f"{name}: negative for want of its leading 0", tlv(INTEGER, content[1:])
        yield bad, f"{name}: a leading ff more", tlv(INTEGER, b"\xff" + content)
    for flag, comment, changed in (
        ("ModifiedValue", "a last byte of 0 more", content + b"\0"),
        ("ModifiedValue", "the last byte left out", content[:-1]),
        ("ModifiedValue", "the first byte left out", content[1:]),
        ("ModifiedValue", "another last bit", content[:-1] + bytes([content[-1] ^ 1])),
        ("ModifiedValue", "another bit in the middle", content[:9] + bytes([content[9] ^ 0x10]) + content[10:]),
    ):
        if tag[0] != SEQUENCE and changed != content:
            yield flag, f"{name}: {comment}", tlv(tag[0], changed)
