"""What the flags of each file mean: the type of bug that they look for, and a description."""

SM2_VERIFY = {
    "ValidSignature": ("BASIC", "A signature made with random values."),
    "SignerId": (
        "FUNCTIONALITY",
        "The signer's ID is of another length or content than the default one. It has 0 to 8191 bytes, as its length in bits must fit in 16 bits (GB/T 32918.2, 5.5).",
    ),
    "IdTooLong": (
        "MISSING_STEP",
        "The ID has 8192 bytes: ENTL cannot hold its length, and no Z exists. The signature was made with a length that was cut or widened.",
    ),
    "WrongId": ("AUTH_BYPASS", "The signature was made under another ID. It must be refused, or the ID binds nothing."),
    "WrongZ": (
        "MODIFIED_PARAMETER",
        "The signature covers another digest than e = SM3(Z || M): Z is left out or made of other things.",
    ),
    "WrongScheme": (
        "AUTH_BYPASS",
        "The signature would pass a verification that leaves out or confuses a step, or was made with another scheme on the same curve, such as ECDSA.",
    ),
    "ModifiedMessage": ("AUTH_BYPASS", "The message is another than the signed one."),
    "ModifiedSignature": (
        "AUTH_BYPASS",
        "r and s were exchanged, negated or replaced by numbers that follow from them.",
    ),
    "ModifiedInteger": (
        "CAN_OF_WORMS",
        "r or s was changed by a multiple of n or of a power of 2. Both must be in 1..n-1 (GB/T 32918.2, 7.1 B1 and B2).",
    ),
    "RangeCheck": ("AUTH_BYPASS", "r and s are special numbers, most of them outside 1..n-1."),
    "SumIsZero": (
        "AUTH_BYPASS",
        "r + s = 0 modulo n, which step B5 refuses. Without that step anyone can make this signature, without a key.",
    ),
    "PointAtInfinity": (
        "AUTH_BYPASS",
        "[s]G + [t]P is infinity, which has no x. An implementation that takes 0 or 1 for it would accept.",
    ),
    "PointDoubling": (
        "EDGE_CASE",
        "[s]G and [t]P are equal, or differ by a small multiple of G: a formula for the sum of different points fails.",
    ),
    "EdgeCaseMultiplication": (
        "EDGE_CASE",
        "s or t = r + s has a special form, such as long runs of bits or a small difference to n.",
    ),
    "EdgeCasePrivateKey": (
        "EDGE_CASE",
        "The private key is small, close to n or a power of 2: tables of multiples of G and of the public key share entries.",
    ),
    "EdgeCasePublicKey": ("EDGE_CASE", "A coordinate of the public key is small, close to p, or has bytes of 0."),
    "EdgeCasePoint": ("EDGE_CASE", "The x of [s]G + [t]P is 0, small, not below n, or close to p."),
    "SpecialCaseHash": ("EDGE_CASE", "The digest e is 0, close to n or p, not below n, or of long runs of bits."),
    "SmallRandS": ("EDGE_CASE", "r or s is a small number, with a short encoding."),
    "OtherKeyForm": (
        "FUNCTIONALITY",
        "The public key is compressed or hybrid. GB/T 32918.1 defines these forms beside the uncompressed one and leaves open which an implementation reads: acceptable.",
    ),
    "InvalidPublicKey": (
        "MISSING_STEP",
        "The public key is not a point of the curve in its one uncompressed encoding. The signature would pass if nobody looked (GB/T 32918.1, 6.2).",
    ),
    "BerEncoding": ("BER_ENCODING", "The signature is in BER but not in DER (X.690, 10)."),
    "NonMinimalInteger": ("BER_ENCODING", "An INTEGER has needless leading bytes (X.690, 8.3.2)."),
    "MissingZero": ("LEGACY", "A leading 0 is missing, so that the INTEGER is negative."),
    "InvalidEncoding": ("CAN_OF_WORMS", "The encoding of the signature is broken."),
    "InvalidTypes": ("AUTH_BYPASS", "An element has another ASN.1 type."),
    "TrailingData": ("SIGNATURE_MALLEABILITY", "More follows the signature, or its last element."),
    "Truncated": ("CAN_OF_WORMS", "The signature is cut."),
    "ModifiedValue": ("CAN_OF_WORMS", "The encoding is DER, of other numbers."),
}

SM2_DECRYPT = {
    "Normal": ("BASIC", "A ciphertext made with random values."),
    "MessageLength": (
        "FUNCTIONALITY",
        "The plaintext ends at or beside a block of the key derivation function or of the hash.",
    ),
    "EdgeCaseNonce": (
        "EDGE_CASE",
        "The nonce of the encryption is special, so that C1 is G, -G, the public key or the like.",
    ),
    "EdgeCasePoint": (
        "EDGE_CASE",
        "C1 or the shared point has a coordinate that is small, has leading zeros or is not below n.",
    ),
    "EdgeCasePrivateKey": ("EDGE_CASE", "The private key is 1 or n - 2."),
    "KdfStartsWithZero": ("EDGE_CASE", "The key stream starts with zeros but is not all zero: it must be accepted."),
    "KdfIsZero": (
        "CONFIDENTIALITY",
        "The key stream of the whole message is zero, so that C2 is the plaintext. Encryption draws another nonce (GB/T 32918.4, 6.1 A5), decryption refuses (7.1 B4).",
    ),
    "EmptyMessage": (
        "CAN_OF_WORMS",
        "C2 is empty. A key stream of no bits has no bit that is not zero: 6.1 A5 never lets such a ciphertext out.",
    ),
    "InvalidCurveAttack": (
        "CONFIDENTIALITY",
        "C1 is not on the curve (GB/T 32918.4, 7.1 B1). C2 and C3 are right for an implementation that does not look, which then tells parts of its private key.",
    ),
    "PointAtInfinity": ("CONFIDENTIALITY", "C1 is infinity, in some encoding (GB/T 32918.4, 7.1 B2)."),
    "CoordinateRange": ("MODIFIED_PARAMETER", "A coordinate of C1 is not below p."),
    "OtherPointForm": (
        "FUNCTIONALITY",
        "C1 is compressed or hybrid. GB/T 32918.1 defines these forms beside the uncompressed one and leaves open which an implementation reads: acceptable.",
    ),
    "WrongPointForm": (
        "MODIFIED_PARAMETER",
        "The first byte of C1 is none of the standard's, or does not belong to the rest.",
    ),
    "NegatedPoint": ("AUTH_BYPASS", "C1 is negated: the shared point has the same x."),
    "ModifiedC1": ("AUTH_BYPASS", "C1 is another point of the curve."),
    "ModifiedC2": ("AUTH_BYPASS", "C2 was changed, cut or made longer."),
    "ModifiedC3": ("AUTH_BYPASS", "C3 was changed, cut or made longer."),
    "WrongOrder": ("AUTH_BYPASS", "The parts are in another order, such as C1 C2 C3 of GM/T 0003-2012 and before."),
    "WrongCheckValue": ("AUTH_BYPASS", "C3 is not SM3(x2 || M || y2)."),
    "WrongKdf": ("MODIFIED_PARAMETER", "The key stream was derived otherwise."),
    "WrongKey": ("AUTH_BYPASS", "The ciphertext is for another key."),
    "Truncated": ("CAN_OF_WORMS", "The ciphertext is cut."),
    "BerEncoding": ("BER_ENCODING", "The ciphertext is in BER but not in DER (X.690, 10)."),
    "NonMinimalInteger": ("BER_ENCODING", "An INTEGER has needless leading bytes (X.690, 8.3.2)."),
    "MissingZero": ("LEGACY", "A leading 0 is missing, so that the INTEGER is negative."),
    "InvalidEncoding": ("CAN_OF_WORMS", "The encoding of the ciphertext is broken."),
    "InvalidTypes": ("CAN_OF_WORMS", "An element has another ASN.1 type."),
    "TrailingData": ("CAN_OF_WORMS", "More follows the ciphertext, or its last element."),
    "ModifiedValue": ("AUTH_BYPASS", "The encoding is DER, of other values."),
}

SM2_ECDH = {
    "Normal": ("BASIC", "Random keys."),
    "EdgeCaseEphemeralKey": (
        "EDGE_CASE",
        "A coordinate of the public key is small, close to p, not below n, or has bytes of 0; or the point is a small multiple of G.",
    ),
    "EdgeCaseSharedSecret": (
        "EDGE_CASE",
        "A coordinate of the shared point is small, close to p, not below n, or has leading zeros. The secret always has 32 bytes.",
    ),
    "EdgeCasePrivateKey": ("EDGE_CASE", "The private key is small, close to n, or has long runs of bits."),
    "EdgeCaseDoubling": (
        "EDGE_CASE",
        "The public key is a small multiple of G or of its inverse and the private key makes additions of equal or opposite points likely.",
    ),
    "OtherPointForm": (
        "FUNCTIONALITY",
        "The public key is compressed or hybrid. GB/T 32918.1 defines these forms and leaves open which an implementation reads; TLS 1.3 allows the uncompressed form only (RFC 8446, 4.2.8.2): acceptable.",
    ),
    "InvalidCompressedPublic": ("MODIFIED_PARAMETER", "The public key is compressed, and no point has this x."),
    "InvalidCurveAttack": (
        "CONFIDENTIALITY",
        "The public key is not a point of the curve. An implementation that computes with it tells parts of its private key.",
    ),
    "WrongCurve": ("CONFIDENTIALITY", "The public key is a point of another curve of the same size."),
    "CoordinateRange": ("MODIFIED_PARAMETER", "A coordinate of the public key is not below p."),
    "PointAtInfinity": ("CONFIDENTIALITY", "The public key is infinity, in some encoding."),
    "InvalidEncoding": ("MODIFIED_PARAMETER", "The encoding of the public key is broken."),
    "PrivateKeyRange": ("MODIFIED_PARAMETER", "The private key is not in 1..n-2 (GB/T 32918.1, 6.1)."),
    "LastPrivateKey": (
        "CAN_OF_WORMS",
        "The private key is n - 1, which GB/T 32918.1, 6.1 excludes, as it cannot sign. It can agree, and RFC 8998 does not say whether it may: acceptable.",
    ),
}

SM2_AGREEMENT = {
    "Normal": ("BASIC", "Random keys."),
    "KeySize": ("FUNCTIONALITY", "Keys of several sizes, among them that of a pre-master secret of TLCP, 48 bytes."),
    "SignerId": ("FUNCTIONALITY", "IDs of several lengths, equal or not, of the two parties."),
    "IdTooLong": ("MISSING_STEP", "An ID of 8192 bytes, whose length in bits does not fit in 16 bits."),
    "TruncatedX": (
        "EDGE_CASE",
        "x' = 2^127 + (x mod 2^127) of an ephemeral key is special: bit 127 of x is 0 or 1, the bits below it are all 0 or all 1, or bits above it are all 0 or all 1.",
    ),
    "EdgeCasePoint": (
        "EDGE_CASE",
        "A peer's key or the common point has a coordinate that is small, close to p, not below n, or has leading zeros.",
    ),
    "EdgeCasePrivateKey": ("EDGE_CASE", "An own key is small, close to n, or a power of 2."),
    "PointDoubling": ("EDGE_CASE", "The peer's static key and [x']R are equal, so that their sum is a doubling."),
    "EqualKeys": ("EDGE_CASE", "Static and ephemeral keys of one side, or keys of both sides, are equal."),
    "CommonPointAtInfinity": (
        "AUTH_BYPASS",
        "The common point is infinity, which the standard refuses (GB/T 32918.3, 6.1 A7 and B6). A peer can choose its keys so, without knowing the other's private keys, and would know the agreed key of an implementation that goes on.",
    ),
    "OwnFactorIsZero": (
        "EDGE_CASE",
        "t = d + x' r is 0 modulo n, so that the common point is infinity whatever the peer sends.",
    ),
    "InvalidCurveAttack": (
        "CONFIDENTIALITY",
        "A peer's key is not a point of the curve (GB/T 32918.3, 6.1 A6 and B5).",
    ),
    "PointAtInfinity": ("CONFIDENTIALITY", "A peer's key is infinity, in some encoding."),
    "CoordinateRange": ("MODIFIED_PARAMETER", "A coordinate of a peer's key is not below p."),
    "InvalidEncoding": ("MODIFIED_PARAMETER", "The encoding of a peer's key is broken."),
    "OtherPointForm": (
        "FUNCTIONALITY",
        "A peer's key is compressed or hybrid. GB/T 32918.1 defines these forms beside the uncompressed one and leaves open which an implementation reads: acceptable.",
    ),
    "WrongConfirmation": (
        "AUTH_BYPASS",
        "The peer's confirmation value is not the one that belongs to this agreement (GB/T 32918.3, 6.1 A9 and B10).",
    ),
    "WrongRole": ("AUTH_BYPASS", "The peer computed with the roles exchanged."),
    "PrivateKeyRange": (
        "MODIFIED_PARAMETER",
        "An own private key is not in the range of the standard: 1..n-2 for the static key, 1..n-1 for the ephemeral one.",
    ),
    "LastEphemeralKey": (
        "CAN_OF_WORMS",
        "The own ephemeral key is n - 1: GB/T 32918.3, 6.1 A1 allows it, but an implementation that draws it as a private key (1..n-2) never has it: acceptable.",
    ),
    "ZeroKeySize": ("MISSING_STEP", "A key of no bytes was asked for."),
}
