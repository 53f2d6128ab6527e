//! The known-answer tests of SM4 and its modes.
//!
//! Each begins with a published example. Then come lengths that lead through all of the kernel in use,
//! whichever it is; what these give is known as a digest, of what OpenSSL 3.0.19 computed, and a unit
//! test computes it anew with RustCrypto.

use aead::{AeadCore, AeadInOut};
use cipher::consts::{U12, U16};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit,
    KeyIvInit, StreamCipher,
};
use digest::Update;

use super::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm};
use crate::arch::sm4::Kernel;
use crate::gate::{Algorithm, Answer, Answers, SelfTest};
use crate::sm3::self_test::PRE_OPERATIONAL;
use crate::sm3::{DIGEST_LEN, Sm3};

pub(crate) static SM4: SelfTest = SelfTest::new(Algorithm::Sm4, &PRE_OPERATIONAL, kernel, sm4);
pub(crate) static SM4_CBC: SelfTest =
    SelfTest::new(Algorithm::Sm4Cbc, &PRE_OPERATIONAL, kernel, cbc);
pub(crate) static SM4_CTR: SelfTest =
    SelfTest::new(Algorithm::Sm4Ctr, &PRE_OPERATIONAL, kernel, ctr);
pub(crate) static SM4_GCM: SelfTest =
    SelfTest::new(Algorithm::Sm4Gcm, &PRE_OPERATIONAL, kernel, gcm);
pub(crate) static SM4_CCM: SelfTest =
    SelfTest::new(Algorithm::Sm4Ccm, &PRE_OPERATIONAL, kernel, ccm);

/// The key of all examples.
const KEY: [u8; 16] = 0x0123456789abcdeffedcba9876543210_u128.to_be_bytes();

/// Numbers of blocks. A kernel takes 64, 32 or 16 at once, and what is left in one to four states of
/// 16, 8 or 4; the portable one 32, and one or two by themselves.
const BLOCKS: [usize; 8] = [1, 3, 6, 11, 20, 40, 61, 130];

/// Numbers of bytes, likewise. With the block that masks GCM's tag, what is left of the last one is
/// more than four states hold.
const BYTES: [usize; 5] = [3 * 16, 10 * 16, 18 * 16, 36 * 16, 3071];

/// For CCM, which goes block by block on every kernel.
const BYTES_OF_CCM: [usize; 1] = [100];

type Digest = [u8; DIGEST_LEN];

const BLOCKS_DIGEST: Digest = [
    0x54, 0x81, 0xba, 0x07, 0xb9, 0x95, 0xa3, 0xb3, 0x3c, 0x52, 0xe8, 0x6d, 0x05, 0x17, 0x25, 0x7d,
    0xbb, 0xdb, 0x4d, 0xb9, 0xae, 0x95, 0x89, 0x39, 0x29, 0xed, 0xf6, 0x6a, 0x3e, 0xa4, 0x99, 0xae,
];
const CBC_DIGEST: Digest = [
    0xcd, 0x39, 0xf1, 0x4d, 0xc2, 0xc1, 0xe6, 0x58, 0x9d, 0xb4, 0x06, 0xca, 0x9f, 0x1f, 0x80, 0xdd,
    0x80, 0x5f, 0xc6, 0x54, 0x10, 0x4b, 0x65, 0xdf, 0x7c, 0x9c, 0x01, 0xab, 0x95, 0x8e, 0xe4, 0xb8,
];
const CTR_DIGEST: Digest = [
    0x1d, 0xb4, 0xee, 0x5e, 0xbc, 0xda, 0x40, 0xf0, 0x53, 0x8b, 0x95, 0x41, 0x83, 0x5c, 0xac, 0xb0,
    0x52, 0x23, 0xea, 0x53, 0xa0, 0x8e, 0x8f, 0x9a, 0xe8, 0x3a, 0x40, 0x0d, 0x9c, 0xe6, 0xe8, 0xc5,
];
const GCM_DIGEST: Digest = [
    0xac, 0x94, 0x63, 0x89, 0x20, 0xd1, 0xc5, 0x69, 0x93, 0xc4, 0x18, 0x99, 0xd9, 0xcd, 0xd5, 0x1a,
    0x42, 0x92, 0x22, 0x14, 0x26, 0x94, 0xe2, 0xce, 0x82, 0x6d, 0xc7, 0x7d, 0xce, 0x25, 0xaa, 0xd0,
];
const CCM_DIGEST: Digest = [
    0x11, 0x42, 0x74, 0x9f, 0xcc, 0xc1, 0x03, 0xb4, 0xc4, 0x21, 0x7d, 0x9a, 0x77, 0xdf, 0x3b, 0x6f,
    0x1b, 0x2c, 0xf6, 0x6c, 0x26, 0xe1, 0x7d, 0xf3, 0x44, 0x8a, 0x4d, 0x97, 0xb9, 0x9c, 0xec, 0xbc,
];

fn kernel() -> &'static str {
    Kernel::select().name()
}

/// GB/T 32907-2016, A.1.
fn sm4(answers: &mut Answers) -> Answer {
    const CIPHERTEXT: [u8; 16] = 0x681edf34d206965e86b3e94f536e4246_u128.to_be_bytes();
    let sm4 = Sm4::new(&KEY.into());
    let mut block = KEY.into();
    sm4.encrypt_block(&mut block);
    answers.equal("encryption", &block, &CIPHERTEXT)?;
    sm4.decrypt_block(&mut block);
    answers.equal("decryption", &block, &KEY)?;

    let (digest, back) = in_blocks(&sm4);
    answers.equal("encryption, all lengths", &digest, &BLOCKS_DIGEST)?;
    answers.that("decryption, all lengths", back)
}

/// What [`BLOCKS`] become, and whether they come back.
fn in_blocks<C>(cipher: &C) -> (Digest, bool)
where
    C: BlockCipherEncrypt<BlockSize = U16> + BlockCipherDecrypt,
{
    all_lengths(&BLOCKS.map(|count| 16 * count), |text| {
        let (blocks, _) = Array::slice_as_chunks_mut(text);
        cipher.encrypt_blocks(blocks);
        let mut back = blocks.to_vec();
        cipher.decrypt_blocks(&mut back);
        (Vec::new(), Array::slice_as_flattened(&back).to_vec())
    })
}

/// draft-ribose-cfrg-sm4-10, A.2.2.1.
fn cbc(answers: &mut Answers) -> Answer {
    const PLAINTEXT: [[u8; 16]; 2] = [
        0xaaaaaaaabbbbbbbbccccccccdddddddd_u128.to_be_bytes(),
        0xeeeeeeeeffffffffaaaaaaaabbbbbbbb_u128.to_be_bytes(),
    ];
    const CIPHERTEXT: [[u8; 16]; 2] = [
        0x78ebb11cc40b0a48312aaeb2040244cb_u128.to_be_bytes(),
        0x4cb7016951909226979b0d15dc6a8f6d_u128.to_be_bytes(),
    ];
    let mut blocks = PLAINTEXT.map(Array);
    Sm4CbcEncryptor::new(&KEY.into(), &IV.into()).encrypt_blocks(&mut blocks);
    let found = Array::slice_as_flattened(&blocks);
    answers.equal("encryption", found, CIPHERTEXT.as_flattened())?;
    Sm4CbcDecryptor::new(&KEY.into(), &IV.into()).decrypt_blocks(&mut blocks);
    let found = Array::slice_as_flattened(&blocks);
    answers.equal("decryption", found, PLAINTEXT.as_flattened())?;

    let (digest, back) = chained::<Sm4CbcEncryptor, Sm4CbcDecryptor>();
    answers.equal("encryption, all lengths", &digest, &CBC_DIGEST)?;
    answers.that("decryption, all lengths", back)
}

/// The examples' initialization vector.
const IV: [u8; 16] = 0x000102030405060708090a0b0c0d0e0f_u128.to_be_bytes();

/// As [`in_blocks`], in one chain.
fn chained<E, D>() -> (Digest, bool)
where
    E: BlockModeEncrypt<BlockSize = U16> + KeyIvInit<KeySize = U16, IvSize = U16>,
    D: BlockModeDecrypt<BlockSize = U16> + KeyIvInit<KeySize = U16, IvSize = U16>,
{
    let mut encryptor = E::new(&KEY.into(), &IV.into());
    let mut decryptor = D::new(&KEY.into(), &IV.into());
    all_lengths(&BLOCKS.map(|count| 16 * count), |text| {
        let (blocks, _) = Array::slice_as_chunks_mut(text);
        encryptor.encrypt_blocks(blocks);
        let mut back = blocks.to_vec();
        decryptor.decrypt_blocks(&mut back);
        (Vec::new(), Array::slice_as_flattened(&back).to_vec())
    })
}

/// draft-ribose-cfrg-sm4-10, A.2.5.1.
fn ctr(answers: &mut Answers) -> Answer {
    const PLAINTEXT: [u8; 8] = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xaa, 0xbb];
    const CIPHERTEXT: [[u8; 16]; 4] = [
        0xac3236cb970cc20791364c395a1342d1_u128.to_be_bytes(),
        0xa3cbc1878c6f30cd074cce385cdd70c7_u128.to_be_bytes(),
        0xf234bc0e24c11980fd1286310ce37b92_u128.to_be_bytes(),
        0x6e02fcd0faa0baf38b2933851d824514_u128.to_be_bytes(),
    ];
    let mut text = PLAINTEXT.map(|byte| [byte; 8]);
    let text = text.as_flattened_mut();
    Sm4Ctr::new(&KEY.into(), &IV.into()).apply_keystream(text);
    answers.equal("key stream", text, CIPHERTEXT.as_flattened())?;

    let (digest, back) = streamed::<Sm4Ctr>();
    answers.equal("key stream, all lengths", &digest, &CTR_DIGEST)?;
    answers.that("key stream, repeated", back)
}

/// What [`BYTES`] become in one stream, whose counter carries beyond its last 32 bits, and whether they
/// come back.
fn streamed<C>() -> (Digest, bool)
where
    C: StreamCipher + KeyIvInit<KeySize = U16, IvSize = U16>,
{
    const COUNTER: [u8; 16] = 0x000102030405060708090a0bfffffffe_u128.to_be_bytes();
    let mut there = C::new(&KEY.into(), &COUNTER.into());
    let mut back = C::new(&KEY.into(), &COUNTER.into());
    all_lengths(&BYTES, |text| {
        there.apply_keystream(text);
        let mut again = text.to_vec();
        back.apply_keystream(&mut again);
        (Vec::new(), again)
    })
}

/// RFC 8998, A.1.
fn gcm(answers: &mut Answers) -> Answer {
    const CIPHERTEXT: [[u8; 16]; 4] = [
        0x17f399f08c67d5ee19d0dc9969c4bb7d_u128.to_be_bytes(),
        0x5fd46fd3756489069157b282bb200735_u128.to_be_bytes(),
        0xd82710ca5c22f0ccfa7cbf93d496ac15_u128.to_be_bytes(),
        0xa56834cbcf98c397b4024a2691233b8d_u128.to_be_bytes(),
    ];
    const TAG: [u8; 16] = 0x83de3541e4c2b58177e065a9bf7b62ec_u128.to_be_bytes();
    example_of_rfc_8998::<Sm4Gcm>(answers, CIPHERTEXT.as_flattened(), TAG)?;

    let (digest, back) = sealed::<Sm4Gcm>(&BYTES);
    answers.equal("sealing, all lengths", &digest, &GCM_DIGEST)?;
    answers.that("opening, all lengths", back)
}

/// RFC 8998, A.2.
fn ccm(answers: &mut Answers) -> Answer {
    const CIPHERTEXT: [[u8; 16]; 4] = [
        0x48af93501fa62adbcd414cce6034d895_u128.to_be_bytes(),
        0xdda1bf8f132f042098661572e7483094_u128.to_be_bytes(),
        0xfd12e518ce062c98acee28d95df4416b_u128.to_be_bytes(),
        0xed31a2f04476c18bb40c84a74b97dc5b_u128.to_be_bytes(),
    ];
    const TAG: [u8; 16] = 0x16842d4fa186f56ab33256971fa110f4_u128.to_be_bytes();
    example_of_rfc_8998::<Sm4Ccm>(answers, CIPHERTEXT.as_flattened(), TAG)?;

    let (digest, back) = sealed::<Sm4Ccm>(&BYTES_OF_CCM);
    answers.equal("sealing, part of a block", &digest, &CCM_DIGEST)?;
    answers.that("opening, part of a block", back)
}

const NONCE: [u8; 12] = *b"\x00\x00\x12\x34\x56\x78\x00\x00\x00\x00\xab\xcd";

fn example_of_rfc_8998<A>(answers: &mut Answers, ciphertext: &[u8], tag: [u8; 16]) -> Answer
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit<KeySize = U16>,
{
    const PLAINTEXT: [u8; 8] = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xee, 0xaa];
    const ASSOCIATED: [u8; 20] =
        *b"\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2";
    let plaintext = PLAINTEXT.map(|byte| [byte; 8]);
    let plaintext = plaintext.as_flattened();
    let aead = A::new(&KEY.into());

    let mut text = plaintext.to_vec();
    let found = aead.encrypt_inout_detached(&NONCE.into(), &ASSOCIATED, text.as_mut_slice().into());
    answers.equal("ciphertext", &text, ciphertext)?;
    answers.equal("tag", &found.unwrap_or_default(), &tag)?;

    let mut open = |tag: [u8; 16]| {
        text.copy_from_slice(ciphertext);
        let buffer = text.as_mut_slice().into();
        let opened = aead.decrypt_inout_detached(&NONCE.into(), &ASSOCIATED, buffer, &tag.into());
        opened.map(|()| text.clone())
    };
    let mut altered = tag;
    altered[15] ^= 1;
    answers.that("altered tag refused", open(altered).is_err())?;
    answers.equal("plaintext", &open(tag).unwrap_or_default(), plaintext)
}

/// What `lengths` become with their tags, and whether they open. Half of each is associated data.
fn sealed<A>(lengths: &[usize]) -> (Digest, bool)
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit<KeySize = U16>,
{
    let aead = A::new(&KEY.into());
    all_lengths(lengths, |text| {
        let associated = message(text.len() / 2);
        let sealed = aead.encrypt_inout_detached(&NONCE.into(), &associated, (&mut *text).into());
        let tag = sealed.unwrap_or_default();
        let mut back = text.to_vec();
        let buffer = back.as_mut_slice().into();
        match aead.decrypt_inout_detached(&NONCE.into(), &associated, buffer, &tag) {
            Ok(()) => (tag.to_vec(), back),
            Err(aead::Error) => (tag.to_vec(), Vec::new()),
        }
    })
}

/// The digest of what `there_and_back` makes of messages of these lengths, and of what it returns beside
/// each, the tag; and whether it came back to each message.
fn all_lengths(
    lengths: &[usize],
    mut there_and_back: impl FnMut(&mut [u8]) -> (Vec<u8>, Vec<u8>),
) -> (Digest, bool) {
    let mut hash = Sm3::default();
    let mut all_back = true;
    for &len in lengths {
        let mut text = message(len);
        let (tag, back) = there_and_back(&mut text);
        hash.update(&text);
        hash.update(&tag);
        all_back &= back == message(len);
    }
    let mut digest = [0; DIGEST_LEN];
    hash.finish(&mut digest);
    (digest, all_back)
}

/// Bytes among which no block is like another.
fn message(len: usize) -> Vec<u8> {
    let byte = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8;
    (0..).map(byte).take(len).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::convert::Infallible;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::slice;

    use aead::Aead;
    use aes_gcm::AesGcm;
    use rand_core::{TryCryptoRng, TryRng};

    use super::super::{SealError, Sm4GcmSealer};
    use super::*;
    use crate::gate::{self, Service, in_a_process_of_its_own};
    use crate::sm3::{self, HkdfSm3, HmacSm3};

    type Judge = ::sm4::Sm4;

    #[test]
    fn the_digests_are_rustcryptos() {
        assert_eq!(in_blocks(&Judge::new(&KEY.into())), (BLOCKS_DIGEST, true));
        let found = chained::<::cbc::Encryptor<Judge>, ::cbc::Decryptor<Judge>>();
        assert_eq!(found, (CBC_DIGEST, true));
        let found = streamed::<::ctr::Ctr128BE<Judge>>();
        assert_eq!(found, (CTR_DIGEST, true));
        let found = sealed::<AesGcm<Judge, U12>>(&BYTES);
        assert_eq!(found, (GCM_DIGEST, true));
        let found = sealed::<::ccm::Ccm<Judge, U16, U12>>(&BYTES_OF_CCM);
        assert_eq!(found, (CCM_DIGEST, true));
    }

    #[test]
    fn no_block_of_a_message_is_like_another() {
        let message = message(3072);
        let blocks: HashSet<&[u8; 16]> = message.as_chunks().0.iter().collect();
        assert_eq!(blocks.len(), 192);
    }

    /// For every kernel: each number of states, whole chunks, and a mask beside the last block.
    #[test]
    fn the_lengths_lead_through_all_of_a_kernel() {
        for state in [4, 8, 16] {
            let states = |count: usize| (count % (4 * state)).div_ceil(state);
            let blocks: HashSet<_> = BLOCKS.map(states).into();
            assert!(
                blocks.is_superset(&[1, 2, 3, 4].into()),
                "{state}: {blocks:?}"
            );
            // With the mask.
            let tails = BYTES.map(|len| (len % (64 * state)).div_ceil(16) + 1);
            let states: HashSet<_> = tails.map(|count| count.div_ceil(state).min(4)).into();
            assert!(
                states.is_superset(&[1, 2, 3, 4].into()),
                "{state}: {states:?}"
            );
            let last = BYTES[4] % (64 * state);
            assert_eq!(last.div_ceil(16), 4 * state, "no room for the mask");
            assert!(!last.is_multiple_of(16) && BYTES[4] > 2 * 64 * state);
        }
    }

    /// The error state is for good, and so the test has a process of its own. Its keys are older than
    /// the failure.
    #[test]
    fn after_a_failure_older_keys_give_nothing() {
        let name = "sm4::self_test::tests::after_a_failure_older_keys_give_nothing";
        in_a_process_of_its_own(name, || {
            let sm4 = Sm4::new(&KEY.into());
            let mut encryptor = Sm4CbcEncryptor::new(&KEY.into(), &IV.into());
            let mut decryptor = Sm4CbcDecryptor::new(&KEY.into(), &IV.into());
            let mut ctr = Sm4Ctr::new(&KEY.into(), &IV.into());
            let gcm = Sm4Gcm::new(&KEY.into());
            let ccm = Sm4Ccm::new(&KEY.into());
            let sealer = Sm4GcmSealer::new(&KEY);
            let hmac = HmacSm3::keyed(&KEY);
            let hkdf = HkdfSm3::from_prk(&KEY);
            let nonce = NONCE.into();
            let sealed = gcm.encrypt(&nonce, b"text".as_slice()).unwrap();
            let sealed_by_ccm = ccm.encrypt(&nonce, b"text".as_slice()).unwrap();
            // 15 bytes of key stream stay in its buffer.
            ctr.apply_keystream(&mut [0]);
            sm4.encrypt_block(&mut IV.into());
            hkdf.expand(&[], &mut [0; 9]).unwrap();

            let failure = gate::fail("a test", "on order");
            assert_eq!(gcm.encrypt(&nonce, b"text".as_slice()), Err(aead::Error));
            assert_eq!(gcm.decrypt(&nonce, &sealed[..]), Err(aead::Error));
            assert_eq!(ccm.encrypt(&nonce, b"text".as_slice()), Err(aead::Error));
            assert_eq!(ccm.decrypt(&nonce, &sealed_by_ccm[..]), Err(aead::Error));
            let by_sealer = sealer.seal(&mut Zeros, b"", b"text");
            assert_eq!(by_sealer, Err(SealError::Module(failure.clone())));
            let opened = sealer.open(b"", &[&NONCE[..], &sealed].concat());
            assert_eq!(opened, Err(aead::Error));
            let mut text = [7; 4];
            assert!(ctr.try_apply_keystream(&mut text).is_err());
            assert!(ctr.try_write_keystream(&mut text).is_err());
            let derived = hkdf.expand(&[], &mut text);
            assert_eq!(derived, Err(sm3::Error::Module(failure)));
            assert_eq!(text, [7; 4]);

            panics(|| ctr.apply_keystream(&mut text));
            panics(|| ctr.write_keystream(&mut text));
            panics(|| ctr.unchecked_apply_keystream(&mut text));
            panics(|| ctr.unchecked_write_keystream(&mut text));
            assert_eq!(text, [7; 4]);
            let mut block = Array([7; 16]);
            panics(|| sm4.encrypt_block(&mut block));
            panics(|| sm4.decrypt_block(&mut block));
            panics(|| sm4.encrypt_blocks(slice::from_mut(&mut block)));
            panics(|| sm4.decrypt_blocks(slice::from_mut(&mut block)));
            panics(|| encryptor.encrypt_block(&mut block));
            panics(|| decryptor.decrypt_block(&mut block));
            panics(|| encryptor.encrypt_blocks(slice::from_mut(&mut block)));
            panics(|| decryptor.decrypt_blocks(slice::from_mut(&mut block)));
            assert_eq!(block, Array([7; 16]));
            panics(|| sm3::digest(b"abc"));
            panics(|| <Sm3 as sm3::Digest>::digest(b"abc"));
            panics(|| hmac.clone().tag(&[]));
            panics(|| digest::Mac::finalize(hmac));
        });
    }

    fn panics<T>(service: impl FnOnce() -> T) {
        let panic = catch_unwind(AssertUnwindSafe(service)).err().unwrap();
        let text = panic.downcast::<String>().unwrap();
        assert!(
            text.contains("the cryptographic module is in the error state"),
            "{text}"
        );
    }

    /// Strict GM mode is for good as well.
    #[test]
    fn strict_mode_refuses_what_is_not_approved() {
        let name = "sm4::self_test::tests::strict_mode_refuses_what_is_not_approved";
        in_a_process_of_its_own(name, || {
            // Before the self tests, which use what it refuses.
            gate::set_strict_gm();
            let gcm = Sm4Gcm::new(&KEY.into());
            let ccm = Sm4Ccm::new(&KEY.into());
            assert_eq!(gcm.encrypt(&NONCE.into(), b"".as_slice()), Err(aead::Error));
            assert_eq!(ccm.encrypt(&NONCE.into(), b"".as_slice()), Err(aead::Error));
            let refused = Sm4GcmSealer::new(&KEY).seal(&mut Zeros, b"", b"");
            let not_approved = gate::Error::NotApproved(Service::Sm4GcmSeal);
            assert_eq!(refused, Err(SealError::Module(not_approved)));
            let short = catch_unwind(|| HmacSm3::keyed(&[0; 13]).tag(&[]));
            assert!(short.is_err());

            assert_eq!(gate::state(), gate::State::Operational);
            HmacSm3::keyed(&[0; 14]).tag(&[]);
            Sm4::new(&KEY.into()).encrypt_block(&mut IV.into());
            let sealed = <AesGcm<Judge, U12> as KeyInit>::new(&KEY.into())
                .encrypt(&NONCE.into(), b"text".as_slice())
                .unwrap();
            assert_eq!(gcm.decrypt(&NONCE.into(), &sealed[..]).unwrap(), b"text");
        });
    }

    /// A generator of the caller's, and not a good one.
    struct Zeros;

    impl TryRng for Zeros {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(0);
            Ok(())
        }
    }

    impl TryCryptoRng for Zeros {}

    #[test]
    fn each_call_is_noted_as_what_it_is() {
        let noted = |services: &[Service], call: &dyn Fn()| {
            let ((), used) = gate::observe(call);
            assert_eq!(used.iter().collect::<Vec<_>>(), services);
        };
        let (gcm, ccm) = (Sm4Gcm::new(&KEY.into()), Sm4Ccm::new(&KEY.into()));
        let nonce = NONCE.into();
        noted(&[Service::Sm4GcmSeal], &|| {
            gcm.encrypt(&nonce, b"".as_slice()).unwrap();
        });
        noted(&[Service::Sm4GcmOpen], &|| {
            gcm.decrypt(&nonce, [0; 16].as_slice()).unwrap_err();
        });
        noted(&[Service::Sm4CcmSeal], &|| {
            ccm.encrypt(&nonce, b"".as_slice()).unwrap();
        });
        noted(&[Service::Sm4CcmOpen], &|| {
            ccm.decrypt(&nonce, [0; 16].as_slice()).unwrap_err();
        });
        noted(&[Service::Sm4Ecb], &|| {
            Sm4::new(&KEY.into()).encrypt_block(&mut IV.into());
        });
        noted(&[Service::Sm4Cbc], &|| {
            Sm4CbcDecryptor::new(&KEY.into(), &IV.into()).decrypt_block(&mut IV.into());
        });
        noted(&[Service::Sm4Ctr], &|| {
            Sm4Ctr::new(&KEY.into(), &IV.into()).apply_keystream(&mut [0; 99]);
        });
        noted(&[Service::HkdfSm3], &|| {
            let hkdf = HkdfSm3::extract(None, b"short");
            hkdf.expand(&[], &mut [0; 99]).unwrap();
        });
        noted(&[Service::HmacSm3], &|| {
            HmacSm3::keyed(&[0; 14]).clone().tag(&[]);
        });
        noted(&[Service::HmacSm3ShortKey], &|| {
            HmacSm3::keyed(&[0; 13]).clone().tag(&[]);
        });
        noted(&[Service::Sm3, Service::HmacSm3], &|| {
            sm3::digest(b"abc");
            HmacSm3::keyed(&[0; 100]).tag(&[]);
        });
        noted(&[], &|| drop(Sm4Gcm::new(&KEY.into())));
    }
}
