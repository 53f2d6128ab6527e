"""SM4 (GB/T 32907-2016) and its modes: CBC, GCM (SP 800-38D) and CCM (SP 800-38C)."""

import functools

SBOX = bytes.fromhex(
    "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa44132649860699"
    "9c4250f491ef987a33540b43edcfac62e4b31ca9c908e89580df94fa758f3fa6"
    "4707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35"
    "1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89e"
    "eabf8ad240c738b5a3f7f2cef96115a1e0ae5da49b341a55ad933230f58cb1e3"
    "1df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51"
    "8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b0"
    "8969974a0c96777e65b9f109c56ec68418f07dec3adc4d2079ee5f3ed7cb3948"
)
FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
CK = [sum((7 * (4 * i + j) % 256) << (24 - 8 * j) for j in range(4)) for i in range(32)]


def rotl(x, n):
    return (x << n | x >> (32 - n)) & 0xFFFFFFFF


def tau(x):
    return int.from_bytes(x.to_bytes(4, "big").translate(SBOX), "big")


@functools.cache
def round_keys(key):
    k = [int.from_bytes(key[i : i + 4], "big") ^ FK[i // 4] for i in range(0, 16, 4)]
    for i in range(32):
        x = tau(k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ CK[i])
        k.append(k[i] ^ x ^ rotl(x, 13) ^ rotl(x, 23))
    return k[4:]


def crypt(keys, block):
    x = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 16, 4)]
    for key in keys:
        t = tau(x[1] ^ x[2] ^ x[3] ^ key)
        x = x[1:] + [x[0] ^ t ^ rotl(t, 2) ^ rotl(t, 10) ^ rotl(t, 18) ^ rotl(t, 24)]
    return b"".join(word.to_bytes(4, "big") for word in reversed(x))


def encrypt(key, block):
    return crypt(round_keys(key), block)


def decrypt(key, block):
    return crypt(round_keys(key)[::-1], block)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def blocks(data):
    return [data[i : i + 16] for i in range(0, len(data), 16)]


def cbc_encrypt(key, iv, padded):
    out = [iv]
    for block in blocks(padded):
        out.append(encrypt(key, xor(block, out[-1])))
    return b"".join(out[1:])


def pkcs7(message):
    n = 16 - len(message) % 16
    return message + bytes([n]) * n


def pkcs7_is_valid(padded):
    """Whether this is the padding of some message."""
    if not padded or len(padded) % 16:
        return False
    n = padded[-1]
    return 1 <= n <= 16 and padded.endswith(bytes([n]) * n)


# GCM: an element of the field is an integer whose highest bit is the coefficient of x^0.

R = 0xE1 << 120


def multiply(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (R if y & 1 else 0)
    return z


def inverse(x):
    """x^(2^128 - 2)"""
    result = 1 << 127
    for _ in range(127):
        x = multiply(x, x)
        result = multiply(result, x)
    return result


@functools.cache
def hash_key(key):
    return int.from_bytes(encrypt(key, bytes(16)), "big")


@functools.cache
def table(h):
    """h times each byte at each place."""
    powers = [h]
    for _ in range(127):
        y = powers[-1]
        powers.append(y >> 1 ^ (R if y & 1 else 0))
    rows = []
    for place in range(16):
        row = []
        for byte in range(256):
            z = 0
            for bit in range(8):
                if byte >> (7 - bit) & 1:
                    z ^= powers[8 * place + bit]
            row.append(z)
        rows.append(row)
    return rows


def ghash(h, *parts):
    """GHASH of each part padded with zeros to whole blocks."""
    rows, y = table(h), 0
    for part in parts:
        for block in blocks(part):
            y ^= int.from_bytes(block.ljust(16, b"\0"), "big")
            bytes_of_y, y = y.to_bytes(16, "big"), 0
            for row, byte in zip(rows, bytes_of_y):
                y ^= row[byte]
    return y


def lengths(a, b):
    return (8 * a).to_bytes(8, "big") + (8 * b).to_bytes(8, "big")


def j0(key, iv):
    if len(iv) == 12:
        return iv + b"\0\0\0\1"
    return ghash(hash_key(key), iv, lengths(0, len(iv))).to_bytes(16, "big")


def counter_mode(key, block, data):
    """With the 32-bit counter of GCM, from the block after this one."""
    out = []
    for part in blocks(data):
        block = block[:12] + ((int.from_bytes(block[12:], "big") + 1) % 2**32).to_bytes(4, "big")
        out.append(xor(part, encrypt(key, block)))
    return b"".join(out)


def gcm_tag(key, iv, aad, ciphertext):
    y = ghash(hash_key(key), aad, ciphertext, lengths(len(aad), len(ciphertext)))
    return xor(y.to_bytes(16, "big"), encrypt(key, j0(key, iv)))


def gcm(key, iv, aad, message):
    ciphertext = counter_mode(key, j0(key, iv), message)
    return ciphertext, gcm_tag(key, iv, aad, ciphertext)


# CCM


def ccm_blocks(iv, aad, message, tag_size):
    """What the CBC-MAC covers (SP 800-38C, A.2)."""
    q = 15 - len(iv)
    flags = (0x40 if aad else 0) | (tag_size - 2) // 2 << 3 | q - 1
    data = bytes([flags]) + iv + len(message).to_bytes(q, "big")
    if aad:
        short = len(aad) < 2**16 - 2**8
        head = len(aad).to_bytes(2, "big") if short else b"\xff\xfe" + len(aad).to_bytes(4, "big")
        data += head + aad
        data += bytes(-len(data) % 16)
    return data + message + bytes(-len(message) % 16)


def ccm_counter(iv, i):
    q = 15 - len(iv)
    return bytes([q - 1]) + iv + i.to_bytes(q, "big")


def ccm(key, iv, aad, message, tag_size=16):
    mac = bytes(16)
    for block in blocks(ccm_blocks(iv, aad, message, tag_size)):
        mac = encrypt(key, xor(block, mac))
    ciphertext = b"".join(xor(part, encrypt(key, ccm_counter(iv, i + 1))) for i, part in enumerate(blocks(message)))
    return ciphertext, xor(mac, encrypt(key, ccm_counter(iv, 0)))[:tag_size]
