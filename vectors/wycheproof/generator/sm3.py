"""SM3 (GB/T 32905-2016), HMAC (RFC 2104), HKDF (RFC 5869) and the KDF of GB/T 32918.4, 5.4.3."""

MASK = 0xFFFFFFFF
IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)


def rotl(x, n):
    n %= 32
    return (x << n | x >> (32 - n)) & MASK


def compress(state, block):
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ rotl(w[j - 3], 15)
        x ^= rotl(x, 15) ^ rotl(x, 23)
        w.append(x ^ rotl(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        t = 0x79CC4519 if j < 16 else 0x7A879D8A
        a12 = rotl(a, 12)
        ss1 = rotl((a12 + e + rotl(t, j)) & MASK, 7)
        ss2 = ss1 ^ a12
        if j < 16:
            ff, gg = a ^ b ^ c, e ^ f ^ g
        else:
            ff, gg = a & b | a & c | b & c, e & f | ~e & MASK & g
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & MASK
        tt2 = (gg + h + ss1 + w[j]) & MASK
        a, b, c, d = tt1, a, rotl(b, 9), c
        e, f, g, h = tt2 ^ rotl(tt2, 9) ^ rotl(tt2, 17), e, rotl(f, 19), g
    return tuple(x ^ y for x, y in zip(state, (a, b, c, d, e, f, g, h)))


def sm3(message):
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = IV
    for i in range(0, len(padded), 64):
        state = compress(state, padded[i : i + 64])
    return b"".join(x.to_bytes(4, "big") for x in state)


def hmac(key, message):
    if len(key) > 64:
        key = sm3(key)
    key = key.ljust(64, b"\0")
    inner = sm3(bytes(x ^ 0x36 for x in key) + message)
    return sm3(bytes(x ^ 0x5C for x in key) + inner)


def hkdf(ikm, salt, info, size):
    assert size <= 255 * 32
    prk = hmac(salt or bytes(32), ikm)
    okm, block = b"", b""
    for counter in range(1, (size + 31) // 32 + 1):
        block = hmac(prk, block + info + bytes([counter]))
        okm += block
    return okm[:size]


def kdf(shared, size, first=1):
    blocks = range(first, first + (size + 31) // 32)
    return b"".join(sm3(shared + i.to_bytes(4, "big")) for i in blocks)[:size]
