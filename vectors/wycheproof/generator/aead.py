"""SM4-GCM (SP 800-38D) and SM4-CCM (SP 800-38C) with the sizes of TLS (RFC 8998, 2.1), and GCM with IVs of 16 bytes."""

from . import sm4
from .sm2 import Generator
from .testfile import File

COMMON = {
    "Ktv": ("BASIC", "The example of RFC 8998, A."),
    "Length": (
        "FUNCTIONALITY",
        "Plaintexts of every length up to 128 bytes, and around the sizes at which implementations change their pace.",
    ),
    "AadLength": ("FUNCTIONALITY", "Associated data of every length up to 64 bytes, and more."),
    "EdgeCaseKey": ("EDGE_CASE", "Key, nonce or data of equal bits."),
    "SpecialCaseTag": ("EDGE_CASE", "Data made so that the tag is of equal bits, or almost: it is right all the same."),
    "CounterCarry": (
        "EDGE_CASE",
        "The message is so long that the counter of blocks has a carry from its lowest byte.",
    ),
    "ModifiedTag": ("AUTH_BYPASS", "The tag was changed."),
    "TruncatedTag": (
        "AUTH_BYPASS",
        "The tag is shorter or longer than 16 bytes. An implementation that compares the bytes that are there accepts too much.",
    ),
    "ModifiedCiphertext": ("AUTH_BYPASS", "The ciphertext was changed, cut or made longer."),
    "ModifiedAad": (
        "AUTH_BYPASS",
        "The associated data were changed, cut or made longer, or bytes moved between them and the ciphertext.",
    ),
    "ModifiedIv": ("AUTH_BYPASS", "The nonce is another."),
    "WrongMode": ("AUTH_BYPASS", "The tag was made with another mode or another form of this one."),
}
GCM = {
    **COMMON,
    "EdgeCaseGhash": ("EDGE_CASE", "Blocks made so that the state of GHASH is 0, 1, or another special element."),
    "CounterWrap": (
        "AUTH_BYPASS",
        "IVs of 16 bytes, made so that the 32-bit counter wraps around in the message. It must not carry into the other 96 bits (SP 800-38D, 6.2).",
    ),
}
CCM = {
    **COMMON,
    "LongAad": (
        "EDGE_CASE",
        "Associated data of 65279 bytes, the most with a length of 2 bytes, and of one more (SP 800-38C, A.2.2).",
    ),
}
HEADER = [
    "Test vectors of type AeadTest test authenticated encryption with additional data.",
    'Cases with "result": "valid" are for encryption and decryption, others must be refused in decryption.',
]


def make_gcm():
    file = File("SM4-GCM", "aead_test_schema_v1.json", HEADER, GCM)
    cases = Cases(file, sm4.gcm, "SM4-GCM")
    cases.common()
    cases.gcm_special()
    cases.gcm_wrong()
    cases.counter_wrap(file)
    return file


def make_ccm():
    file = File("SM4-CCM", "aead_test_schema_v1.json", HEADER, CCM)
    cases = Cases(file, sm4.ccm, "SM4-CCM")
    cases.common()
    cases.ccm_special()
    cases.ccm_wrong()
    return file


def flip(data, bit):
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


class Cases:
    def __init__(self, file, seal, seed):
        self.seal, self.random = seal, Generator(seed)
        self.group = file.group("AeadTest", ivSize=96, keySize=128, tagSize=128)

    def valid(self, flag, comment, key, iv, aad, msg, tag=None, group=None):
        ct, right = self.seal(key, iv, aad, msg)
        assert tag in (None, right), comment
        (group or self.group).case("valid", flag, comment, key=key, iv=iv, aad=aad, msg=msg, ct=ct, tag=right)

    def invalid(self, flag, comment, key, iv, aad, ct, tag):
        # Both modes are counter modes: encrypting twice decrypts.
        assert self.seal(key, iv, aad, self.seal(key, iv, aad, ct)[0])[1] != tag, comment
        self.group.case("invalid", flag, comment, key=key, iv=iv, aad=aad, msg=b"", ct=ct, tag=tag)

    def common(self):
        random = self.random
        key = bytes.fromhex("0123456789abcdeffedcba9876543210")
        iv = bytes.fromhex("00001234567800000000abcd")
        aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        message = b"".join(bytes([x * 17]) * 8 for x in (10, 11, 12, 13, 14, 15, 14, 10))
        self.valid("Ktv", "RFC 8998", key, iv, aad, message)
        for size in [
            *range(129),
            143,
            144,
            145,
            159,
            160,
            161,
            191,
            192,
            193,
            239,
            240,
            241,
            255,
            256,
            257,
            271,
            511,
            512,
            513,
            527,
            1023,
            1024,
            1025,
            1039,
        ]:
            aad = random.bytes((0, 13, 5, 16)[size % 4])
            self.valid(
                "Length", f"plaintext of {size} bytes", random.bytes(16), random.bytes(12), aad, random.bytes(size)
            )
        for size in [*range(65), 79, 80, 81, 95, 96, 97, 127, 128, 129, 255, 256, 257, 1024]:
            self.valid(
                "AadLength",
                f"associated data of {size} bytes",
                random.bytes(16),
                random.bytes(12),
                random.bytes(size),
                random.bytes((0, 1, 16, 20)[size % 4]),
            )
        # The counter's lowest byte is 255 after the 253rd block of GCM and the 255th of CCM.
        for size in (4081, 4097):
            self.valid(
                "CounterCarry",
                f"plaintext of {size} bytes",
                random.bytes(16),
                random.bytes(12),
                b"",
                random.bytes(size),
            )
        zero, ones = bytes(16), b"\xff" * 16
        for name, key, iv in (
            ("key 0", zero, random.bytes(12)),
            ("key of ones", ones, random.bytes(12)),
            ("nonce 0", random.bytes(16), bytes(12)),
            ("nonce of ones", random.bytes(16), ones[:12]),
            ("key and nonce 0", zero, bytes(12)),
            ("key and nonce of ones", ones, ones[:12]),
        ):
            for size in (0, 16, 33):
                self.valid("EdgeCaseKey", f"{name}, {size} bytes of 0", key, iv, bytes(size), bytes(size))
                self.valid("EdgeCaseKey", f"{name}, {size} bytes of ones", key, iv, b"\xff" * size, b"\xff" * size)
        self.modified()

    def modified(self):
        random = self.random
        key, iv, aad, message = random.bytes(16), random.bytes(12), random.bytes(20), random.bytes(40)
        ct, tag = self.seal(key, iv, aad, message)
        self.valid("Length", "the case that the following ones change", key, iv, aad, message)
        for bit in range(128):
            self.invalid(
                "ModifiedTag", f"bit {bit % 8} of byte {bit // 8} of the tag", key, iv, aad, ct, flip(tag, bit)
            )
        for name, changed in {
            "all 0": bytes(16),
            "all ff": b"\xff" * 16,
            "inverted": bytes(x ^ 0xFF for x in tag),
            "in reverse": tag[::-1],
            "with its halves exchanged": tag[8:] + tag[:8],
            "with the high bits changed": bytes(x ^ 0x80 for x in tag),
            "with the low bits changed": bytes(x ^ 1 for x in tag),
            "right in its first half": tag[:8] + bytes(8),
            "right in its second half": bytes(8) + tag[8:],
            "with two bits changed": flip(flip(tag, 3), 99),
            "with a byte exchanged": tag[1::-1] + tag[2:],
        }.items():
            self.invalid("ModifiedTag", f"tag {name}", key, iv, aad, ct, changed)
        for size in (0, 1, 4, 8, 12, 14, 15):
            self.invalid("TruncatedTag", f"the first {size} bytes of the tag", key, iv, aad, ct, tag[:size])
        self.invalid("TruncatedTag", "a byte of 0 more", key, iv, aad, ct, tag + b"\0")
        self.invalid("TruncatedTag", "the tag twice", key, iv, aad, ct, tag + tag)
        for bit in range(0, 320, 9):
            self.invalid("ModifiedCiphertext", f"bit {bit % 8} of byte {bit // 8}", key, iv, aad, flip(ct, bit), tag)
        for name, changed in {
            "cut by a byte": ct[:-1],
            "cut by a block": ct[:-16],
            "without its first byte": ct[1:],
            "with a byte of 0 more": ct + b"\0",
            "with a block of 0 more": ct + bytes(16),
            "empty": b"",
            "the plaintext": message,
            "two blocks exchanged": ct[16:32] + ct[:16] + ct[32:],
            "filled with 0 to a block": ct + bytes(8),
        }.items():
            self.invalid("ModifiedCiphertext", name, key, iv, aad, changed, tag)
        for bit in range(0, 160, 13):
            self.invalid("ModifiedAad", f"bit {bit % 8} of byte {bit // 8}", key, iv, flip(aad, bit), ct, tag)
        for name, changed in {
            "cut by a byte": aad[:-1],
            "empty": b"",
            "with a byte of 0 more": aad + b"\0",
            "with a byte of 0 before": b"\0" + aad,
            "filled with 0 to a block": aad + bytes(12),
            "twice": aad * 2,
        }.items():
            self.invalid("ModifiedAad", f"associated data {name}", key, iv, changed, ct, tag)
        self.invalid(
            "ModifiedAad", "the first byte of the ciphertext as associated data", key, iv, aad + ct[:1], ct[1:], tag
        )
        self.invalid(
            "ModifiedAad", "the last byte of the associated data as ciphertext", key, iv, aad[:-1], aad[-1:] + ct, tag
        )
        self.invalid("ModifiedAad", "associated data and ciphertext exchanged", key, iv, ct, aad, tag)
        for bit in range(0, 96, 5):
            self.invalid(
                "ModifiedIv", f"bit {bit % 8} of byte {bit // 8} of the nonce", key, flip(iv, bit), aad, ct, tag
            )
        self.invalid("ModifiedIv", "nonce in reverse", key, iv[::-1], aad, ct, tag)

    def special_tags(self):
        tags = {
            "of 0": bytes(16),
            "of ones": b"\xff" * 16,
            "1": bytes(15) + b"\1",
            "2^127": b"\x80" + bytes(15),
            "of ones but for the first bit": b"\x7f" + b"\xff" * 15,
            "of ones but for the last bit": b"\xff" * 15 + b"\xfe",
        }
        tags |= {
            "of a half of 0": b"\xff" * 8 + bytes(8),
            "of another half of 0": bytes(8) + b"\xff" * 8,
            "0x80..": b"\x80" * 16,
            "0x7f..": b"\x7f" * 16,
            "0x01..": b"\1" * 16,
            "0x00ff..": b"\0\xff" * 8,
            "with a zero first": b"\0" + b"\x5a" * 15,
            "with 4 zeros last": b"\xa5" * 12 + bytes(4),
        }
        return tags.items()

    # GCM

    def gcm_special(self):
        random = self.random
        for name, tag in self.special_tags():
            key, iv = random.bytes(16), random.bytes(12)
            h = sm4.hash_key(key)
            inverse = sm4.inverse(h)
            mask = int.from_bytes(sm4.xor(tag, sm4.encrypt(key, sm4.j0(key, iv))), "big")

            def block(size_a, size_c):
                # The last block X of (.. X) H^2 + (lengths) H = mask
                lengths = int.from_bytes(sm4.lengths(size_a, size_c), "big")
                return sm4.multiply(sm4.multiply(mask, inverse) ^ lengths, inverse)

            aad = block(16, 0).to_bytes(16, "big")
            self.valid("SpecialCaseTag", f"tag {name}, by associated data", key, iv, aad, b"", tag)
            ct = block(0, 16).to_bytes(16, "big")
            message = sm4.counter_mode(key, sm4.j0(key, iv), ct)
            self.valid("SpecialCaseTag", f"tag {name}, by the ciphertext", key, iv, b"", message, tag)
        for name, state in {
            "0": 0,
            "1": 1 << 127,
            "x": 1 << 126,
            "x^127": 1,
            "the polynomial": 0xE1 << 120,
            "all ones": 2**128 - 1,
            "x^63": 1 << 64,
            "x^64": 1 << 63,
            "the high half": (2**64 - 1) << 64,
            "the low half": 2**64 - 1,
            "0x55..": int("55" * 16, 16),
            "0xaa..": int("aa" * 16, 16),
        }.items():
            key, iv = random.bytes(16), random.bytes(12)
            inverse = sm4.inverse(sm4.hash_key(key))
            first = sm4.multiply(state, inverse)
            second = sm4.multiply(state, inverse) ^ state
            aad = first.to_bytes(16, "big") + second.to_bytes(16, "big")
            self.valid(
                "EdgeCaseGhash", f"after one block of associated data, {name}", key, iv, aad[:16], random.bytes(5)
            )
            self.valid("EdgeCaseGhash", f"after two blocks of associated data, {name} twice", key, iv, aad, b"")
            # The same by ciphertext, in eight blocks, as many as implementations take at once.
            ct = aad + second.to_bytes(16, "big") * 6
            message = sm4.counter_mode(key, sm4.j0(key, iv), ct)
            self.valid("EdgeCaseGhash", f"after each of eight blocks of ciphertext, {name}", key, iv, b"", message)

    def gcm_wrong(self):
        random = self.random
        key, iv, aad, message = random.bytes(16), random.bytes(12), random.bytes(20), random.bytes(40)
        ct, tag = sm4.gcm(key, iv, aad, message)
        h, mask = sm4.hash_key(key), sm4.encrypt(key, iv + b"\0\0\0\1")

        def tag_of(*parts):
            return sm4.xor(sm4.ghash(h, *parts).to_bytes(16, "big"), mask)

        lengths = sm4.lengths(20, 40)
        for name, changed in {
            "GHASH without the encrypted counter": sm4.xor(tag, mask),
            "only the encrypted counter": mask,
            "with the counter of the first block": sm4.xor(sm4.xor(tag, mask), sm4.encrypt(key, iv + b"\0\0\0\2")),
            "without the lengths": tag_of(aad, ct),
            "lengths in bytes": tag_of(aad, ct, (20).to_bytes(8, "big") + (40).to_bytes(8, "big")),
            "lengths exchanged": tag_of(aad, ct, lengths[8:] + lengths[:8]),
            "lengths in reverse": tag_of(aad, ct, lengths[::-1]),
            "over the plaintext": tag_of(aad, message, lengths),
            "without associated data": tag_of(ct, lengths),
            "data not filled to blocks": tag_of(aad + ct, lengths),
            "associated data after the ciphertext": tag_of(ct, aad, lengths),
            "of CCM": sm4.ccm(key, iv, aad, message)[1],
            "J0 = IV || 0": sm4.xor(sm4.xor(tag, mask), sm4.encrypt(key, iv + bytes(4))),
        }.items():
            self.invalid("WrongMode", f"tag {name}", key, iv, aad, ct, changed)

    def counter_wrap(self, file):
        group = file.group("AeadTest", ivSize=128, keySize=128, tagSize=128)
        for name, last in {
            f"the counter starts at {c:08x}": c
            for c in (
                0xFFFFFFFF,
                0xFFFFFFFE,
                0xFFFFFFFD,
                0xFFFFFFFA,
                0xFFFFFFF0,
                0xFFFFFF00,
                0x7FFFFFFF,
                0x00FFFFFF,
                0x0000FFFF,
                0,
                0x80000000,
            )
        }.items():
            for upper in (b"\xff" * 12, bytes(12), self.random.bytes(12)):
                key = self.random.bytes(16)
                start = upper + last.to_bytes(4, "big")
                inverse = sm4.inverse(sm4.hash_key(key))
                iv = sm4.multiply(sm4.multiply(int.from_bytes(start, "big"), inverse) ^ 128, inverse).to_bytes(
                    16, "big"
                )
                assert sm4.j0(key, iv) == start
                self.valid(
                    "CounterWrap", f"{name}, after {upper.hex()}", key, iv, b"", self.random.bytes(144), group=group
                )

    # CCM

    def ccm_special(self):
        random = self.random
        for name, tag in self.special_tags():
            for aad in (b"", random.bytes(9)):
                key, iv = random.bytes(16), random.bytes(12)
                state = bytes(16)
                for block in sm4.blocks(sm4.ccm_blocks(iv, aad, bytes(16), 16))[:-1]:
                    state = sm4.encrypt(key, sm4.xor(block, state))
                mac = sm4.xor(tag, sm4.encrypt(key, sm4.ccm_counter(iv, 0)))
                message = sm4.xor(sm4.decrypt(key, mac), state)
                self.valid(
                    "SpecialCaseTag", f"tag {name}, associated data of {len(aad)} bytes", key, iv, aad, message, tag
                )
        for size in (65279, 65280):
            self.valid(
                "LongAad",
                f"associated data of {size} bytes",
                random.bytes(16),
                random.bytes(12),
                (b"0123456789abcdef" * 4080)[:size],
                b"message",
            )

    def ccm_wrong(self):
        random = self.random
        key, iv, aad, message = random.bytes(16), random.bytes(12), random.bytes(20), random.bytes(40)
        ct, tag = sm4.ccm(key, iv, aad, message)
        mask = sm4.encrypt(key, sm4.ccm_counter(iv, 0))

        def tag_of(data):
            mac = bytes(16)
            for block in sm4.blocks(data):
                mac = sm4.encrypt(key, sm4.xor(block, mac))
            return sm4.xor(mac, mask)

        whole = sm4.ccm_blocks(iv, aad, message, 16)
        assert tag_of(whole) == tag
        first, head, rest = whole[:16], whole[16:48], whole[48:]
        for name, changed in {
            "CBC-MAC not encrypted": sm4.xor(tag, mask),
            "only the encrypted counter": mask,
            "with the counter of the first block": sm4.xor(
                sm4.xor(tag, mask), sm4.encrypt(key, sm4.ccm_counter(iv, 1))
            ),
            "with a first block for tags of 8 bytes": tag_of(sm4.ccm_blocks(iv, aad, message, 8)),
            "with a first block that denies associated data": tag_of(bytes([first[0] & 0xBF]) + whole[1:]),
            "without the first block": tag_of(whole[16:]),
            "without the length of the associated data": tag_of(first + aad + bytes(12) + rest),
            "with a length of 6 bytes for them": tag_of(first + (b"\xff\xfe\0\0\0\x14" + aad).ljust(32, b"\0") + rest),
            "with a length in bits": tag_of(first + (b"\0\xa0" + aad).ljust(32, b"\0") + rest),
            "with a length in reverse": tag_of(first + (b"\x14\0" + aad).ljust(32, b"\0") + rest),
            "data not filled to blocks": tag_of((first + b"\0\x14" + aad + message).ljust(80, b"\0")),
            "over the ciphertext": tag_of(first + head + ct + bytes(8)),
            "with the length of the plaintext 0": tag_of(first[:13] + bytes(3) + whole[16:]),
            "of GCM": sm4.gcm(key, iv, aad, message)[1],
        }.items():
            self.invalid("WrongMode", f"tag {name}", key, iv, aad, ct, changed)
        # Without associated data, their length must not be there either.
        ct, tag = sm4.ccm(key, iv, b"", message)
        first = sm4.ccm_blocks(iv, b"", message, 16)
        self.invalid(
            "WrongMode",
            "no associated data, with a first block that claims some",
            key,
            iv,
            b"",
            ct,
            tag_of(bytes([first[0] | 0x40]) + first[1:]),
        )
        self.invalid(
            "WrongMode",
            "no associated data, with their length 0",
            key,
            iv,
            b"",
            ct,
            tag_of(bytes([first[0] | 0x40]) + first[1:16] + bytes(16) + first[16:]),
        )
