"""The examples of the standards, which the model must give before it may judge anything."""

from . import sm2, sm3, sm4
from .sm2 import G, multiply

H = bytes.fromhex


def check():
    hash_and_mac()
    cipher()
    signature()
    encryption()
    agreement()


def hash_and_mac():
    # GB/T 32905-2016 A.1 and A.2
    expect(sm3.sm3(b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
    expect(sm3.sm3(b"abcd" * 16), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732")
    # GM/T 0042-2015 D.3
    key = bytes(range(1, 38))
    tag = "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae"
    expect(sm3.hmac(key, b"\xcd" * 50), tag)
    tag = "2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882"
    expect(sm3.hmac(b"Jefe", b"what do ya want for nothing?"), tag)


def cipher():
    # GB/T 32907-2016 A.1
    key = H("0123456789abcdeffedcba9876543210")
    expect(sm4.encrypt(key, key), "681edf34d206965e86b3e94f536e4246")
    expect(sm4.decrypt(key, sm4.encrypt(key, key)), key.hex())
    # RFC 8998 A.1 and A.2
    iv = H("00001234567800000000abcd")
    aad = H("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    message = b"".join(bytes([x * 17]) * 8 for x in (10, 11, 12, 13, 14, 15, 14, 10))
    ciphertext, tag = sm4.gcm(key, iv, aad, message)
    expect(
        ciphertext,
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
    )
    expect(tag, "83de3541e4c2b58177e065a9bf7b62ec")
    ciphertext, tag = sm4.ccm(key, iv, aad, message)
    expect(
        ciphertext,
        "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094"
        "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b",
    )
    expect(tag, "16842d4fa186f56ab33256971fa110f4")


def signature():
    # GB/T 32918.5-2017 A.2
    d = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    k = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    public = multiply(d, G)
    expect(
        sm2.encode(public),
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
    )
    z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    expect(sm2.z_value(sm2.DEFAULT_ID, public), z)
    e = sm2.digest(sm2.DEFAULT_ID, public, b"message digest")
    expect(sm2.b32(e), "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
    r, s = sm2.sign(d, e, k)
    expect(sm2.b32(r), "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3")
    expect(sm2.b32(s), "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")
    assert sm2.verify(public, e, r, s) and not sm2.verify(public, e + 1, r, s)


def encryption():
    # GB/T 32918.5-2017 C.2
    d = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    k = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    c1, c3, c2 = sm2.encryption(multiply(d, G), b"encryption standard", k)
    expect(
        sm2.encode(c1) + c3 + c2,
        "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
        "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
        "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
        "21886ca989ca9c7d58087307ca93092d651efa",
    )
    assert sm2.decryption(d, c1, c3, c2) == b"encryption standard"


def agreement():
    # GB/T 32918.5-2017 B.2
    d_a = 0x81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029
    d_b = 0x785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5
    r_a = 0xD4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3
    r_b = 0x7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6
    public_a, public_b, point_a, point_b = (multiply(k, G) for k in (d_a, d_b, r_a, r_b))
    u = sm2.common_point(d_a, r_a, public_b, point_b)
    assert u == sm2.common_point(d_b, r_b, public_a, point_a)
    id_ = sm2.DEFAULT_ID
    key, s_b, s_a = sm2.agreed(u, id_, public_a, point_a, id_, public_b, point_b, 16)
    expect(key, "6c89347354de2484c60b4ab1fde4c6e5")
    expect(s_b, "d3a0fe15dee185ceae907a6b595cc32a266ed7b3367e9983a896dc32fa20f8eb")
    expect(s_a, "18c7894b3816df16cf07b05c5ec0bef5d655d58f779cc1b400a4f3884644db88")


def expect(value, digits):
    assert value.hex() == digits, f"the model gives {value.hex()}, the standard {digits}"
