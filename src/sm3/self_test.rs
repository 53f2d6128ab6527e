//! The known-answer tests of SM3 and HMAC-SM3, which the module needs before anything else.

use digest::Update;

use super::integrity::INTEGRITY;
use super::{DIGEST_LEN, HmacSm3, Sm3};
use crate::arch::sm3::Kernel;
use crate::gate::{Algorithm, Answer, Answers, SelfTest};

/// What must have passed before the module's first service, in this order.
pub(crate) static PRE_OPERATIONAL: [&SelfTest; 3] = [&SM3, &HMAC_SM3, &INTEGRITY];

pub(crate) static SM3: SelfTest = SelfTest::new(Algorithm::Sm3, &PRE_OPERATIONAL, kernel, sm3);
pub(crate) static HMAC_SM3: SelfTest =
    SelfTest::new(Algorithm::HmacSm3, &PRE_OPERATIONAL, kernel, hmac_sm3);

pub(super) fn kernel() -> &'static str {
    Kernel::select().name()
}

/// GB/T 32905-2016, A.1 and A.2: padding within a block, and a block of its own.
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
    answers.equal("pieces", &digest_of(&pieces), &ABCD_16)
}

fn digest_of(pieces: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut hash = Sm3::default();
    pieces.iter().for_each(|piece| hash.update(piece));
    let mut digest = [0; DIGEST_LEN];
    hash.finish(&mut digest);
    digest
}

/// GM/T 0042-2015, D.3: the second example, whose key is shorter than a block.
fn hmac_sm3(answers: &mut Answers) -> Answer {
    const TAG: [u8; DIGEST_LEN] = [
        0x2e, 0x87, 0xf1, 0xd1, 0x68, 0x62, 0xe6, 0xd9, 0x64, 0xb5, 0x0a, 0x52, 0x00, 0xbf, 0x2b,
        0x10, 0xb7, 0x64, 0xfa, 0xa9, 0x68, 0x0a, 0x29, 0x6a, 0x24, 0x05, 0xf2, 0x4b, 0xec, 0x39,
        0xf8, 0x82,
    ];
    let tag = HmacSm3::keyed(b"Jefe").tag(&[b"what do ya want ", b"for nothing?"]);
    answers.equal("tag", tag.as_bytes(), &TAG)
}
