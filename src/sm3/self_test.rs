//! The known-answer tests of SM3 and HMAC-SM3, which the module needs before anything else, and of
//! HKDF-SM3.

use digest::Update;

use super::integrity::INTEGRITY;
use super::{DIGEST_LEN, HkdfSm3, HmacSm3, Sm3};
use crate::arch::sm3::Kernel;
use crate::gate::{Algorithm, Answer, Answers, SelfTest};

/// What must have passed before the module's first service, in this order.
pub(crate) static PRE_OPERATIONAL: [&SelfTest; 3] = [&SM3, &HMAC_SM3, &INTEGRITY];

pub(crate) static SM3: SelfTest = SelfTest::new(Algorithm::Sm3, &PRE_OPERATIONAL, kernel, sm3);
pub(crate) static HMAC_SM3: SelfTest =
    SelfTest::new(Algorithm::HmacSm3, &PRE_OPERATIONAL, kernel, hmac_sm3);
pub(crate) static HKDF_SM3: SelfTest =
    SelfTest::new(Algorithm::HkdfSm3, &PRE_OPERATIONAL, kernel, hkdf_sm3);

/// The digest of 300 bytes that count from zero.
const BYTES_300: [u8; DIGEST_LEN] = [
    0x11, 0xf3, 0x94, 0x0f, 0x10, 0xce, 0x70, 0xef, 0x1f, 0x7b, 0xd8, 0x03, 0x2b, 0x0a, 0x72, 0x8b,
    0x11, 0x24, 0xe5, 0x2c, 0xe7, 0x8c, 0x04, 0x8f, 0x10, 0x90, 0x36, 0x77, 0x76, 0xfe, 0xb2, 0xe4,
];

/// Of the same message, under a key of 100 such bytes.
const LONG_KEY_TAG: [u8; DIGEST_LEN] = [
    0xac, 0x74, 0xe2, 0x6f, 0xf5, 0x60, 0x96, 0x53, 0x35, 0xd0, 0x9e, 0xd0, 0x2b, 0x22, 0x6c, 0x95,
    0xca, 0x2a, 0x65, 0xbf, 0xbc, 0xd5, 0x80, 0x6f, 0xa4, 0xd1, 0x2c, 0x34, 0x18, 0x20, 0x35, 0x74,
];

/// HKDF's for the inputs of RFC 5869, A.2.
const OUTPUT: [u8; 82] = [
    0xc1, 0x22, 0x62, 0x36, 0xbb, 0xde, 0xfa, 0x79, 0x21, 0xf9, 0xfe, 0xbe, 0x27, 0xb8, 0x64, 0xf3,
    0x3e, 0x44, 0x92, 0x01, 0xb4, 0x36, 0xd8, 0x84, 0x4e, 0xa5, 0x3f, 0x58, 0x17, 0x0d, 0xd6, 0x42,
    0x6d, 0xef, 0xbd, 0x22, 0xed, 0x1f, 0x3c, 0x59, 0x60, 0xf3, 0x55, 0x23, 0xe6, 0x2e, 0x3b, 0x6c,
    0x0d, 0x65, 0x7f, 0x2c, 0x61, 0x89, 0x34, 0x36, 0xf5, 0x39, 0x01, 0x31, 0x99, 0xbf, 0xae, 0xf2,
    0x5a, 0xaf, 0xd1, 0xe7, 0x72, 0x6e, 0xde, 0x92, 0x76, 0x23, 0xa9, 0xf5, 0xcb, 0xb8, 0x88, 0x5c,
    0x7e, 0x5d,
];

pub(super) fn kernel() -> &'static str {
    Kernel::select().name()
}

/// GB/T 32905-2016, A.1 and A.2: padding within a block, and a block of its own. Then blocks that the
/// kernel takes at once, as OpenSSL 3.0.19 hashes them.
fn sm3(answers: &mut Answers) -> Answer {
    const ABC: [u8; DIGEST_LEN] = [
        0x66, 0xc7, 0xf0, 0xf4, 0x62, 0xee, 0xed, 0xd9, 0xd1, 0xf2, 0xd4, 0x6b, 0xdc, 0x10, 0xe4,
        0xe2, 0x41, 0x67, 0xc4, 0x87, 0x5c, 0xf2, 0xf7, 0xa2, 0x29, 0x7d, 0xa0, 0x2b, 0x8f, 0x4b,
        0xa8, 0xe0,
    ];
    const ABCD_16: [u8; DIGEST_LEN] = [
        0xde, 0xbe, 0x9f, 0xf9, 0x22, 0x75, 0xb8, 0xa1, 0x38, 0x60, 0x48, 0x89, 0xc1, 0x8e, 0x5a,
        0x4d, 0x6f, 0xdb, 0x70, 0xe5, 0x38, 0x7e, 0x57, 0x65, 0x29, 0x3d, 0xcb, 0xa3, 0x9c, 0x0c,
        0x57, 0x32,
    ];
    answers.equal("abc", &digest_of(&[b"abc"]), &ABC)?;
    answers.equal(
        "one block",
        &digest_of(&[&[*b"abcd"; 16].concat()]),
        &ABCD_16,
    )?;
    let pieces: Vec<&[u8]> = [&b"abcd"[..]; 16].to_vec();
    answers.equal("pieces", &digest_of(&pieces), &ABCD_16)?;
    answers.equal("many blocks", &digest_of(&[&bytes(0, 300)]), &BYTES_300)
}

fn digest_of(pieces: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut hash = Sm3::default();
    pieces.iter().for_each(|piece| hash.update(piece));
    let mut digest = [0; DIGEST_LEN];
    hash.finish(&mut digest);
    digest
}

/// `len` bytes that count from `first` on.
fn bytes(first: u8, len: usize) -> Vec<u8> {
    (first..=255).chain((0..=255).cycle()).take(len).collect()
}

/// GM/T 0042-2015, D.3: the example whose key is `Jefe`, shorter than a block. Then a key that is
/// longer, with the tag of OpenSSL 3.0.19.
fn hmac_sm3(answers: &mut Answers) -> Answer {
    const TAG: [u8; DIGEST_LEN] = [
        0x2e, 0x87, 0xf1, 0xd1, 0x68, 0x62, 0xe6, 0xd9, 0x64, 0xb5, 0x0a, 0x52, 0x00, 0xbf, 0x2b,
        0x10, 0xb7, 0x64, 0xfa, 0xa9, 0x68, 0x0a, 0x29, 0x6a, 0x24, 0x05, 0xf2, 0x4b, 0xec, 0x39,
        0xf8, 0x82,
    ];
    let tag = HmacSm3::keyed(b"Jefe").tag(&[b"what do ya want ", b"for nothing?"]);
    answers.equal("tag", tag.as_bytes(), &TAG)?;
    let tag = HmacSm3::keyed(&bytes(0, 100)).tag(&[&bytes(0, 300)]);
    answers.equal("tag, long key", tag.as_bytes(), &LONG_KEY_TAG)
}

/// The inputs of RFC 5869, A.2, with the output key of OpenSSL 3.0.19: three blocks, the last one in
/// part.
fn hkdf_sm3(answers: &mut Answers) -> Answer {
    let mut output = [0; 82];
    let derived = HkdfSm3::extract(Some(&bytes(0x60, 80)), &bytes(0, 80))
        .expand(&[&bytes(0xb0, 33), &bytes(0xd1, 47)], &mut output);
    answers.that("derivation", derived.is_ok())?;
    answers.equal("output key", &output, &OUTPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What OpenSSL computed, by RustCrypto too.
    #[test]
    fn the_answers_are_rustcryptos() {
        let digest = <::sm3::Sm3 as digest::Digest>::digest(bytes(0, 300));
        assert_eq!(digest, BYTES_300);
        let mac = <::hmac::Hmac<::sm3::Sm3> as digest::KeyInit>::new_from_slice(&bytes(0, 100));
        let tag = digest::Mac::chain_update(mac.unwrap(), bytes(0, 300));
        assert_eq!(digest::Mac::finalize(tag).into_bytes(), LONG_KEY_TAG);
        let (salt, input) = (bytes(0x60, 80), bytes(0, 80));
        let mut output = [0; 82];
        ::hkdf::Hkdf::<::sm3::Sm3>::new(Some(&salt), &input)
            .expand(&bytes(0xb0, 80), &mut output)
            .unwrap();
        assert_eq!(output, OUTPUT);
    }
}
