//! Each type that holds a secret: its own bytes, and the heap blocks that it frees.

use cipher::{Array, KeyInit, KeyIvInit};
use shangmi::random::{CtrDrbg, Drbg, HashDrbgSm3, HmacDrbgSm3, SystemRandom};
use shangmi::secret::{Secret, SecretBytes};
use shangmi::sm2::agreement::{Peer, Role};
use shangmi::sm2::encryption::{Format, encrypt};
use shangmi::sm2::{self, Agree, Decrypt, SecretKey, SignDigest, SigningKey};
use shangmi::sm3::{HkdfSm3, HmacSm3};
use shangmi::sm4::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm, Sm4GcmSealer};

use crate::drbg_states::{self, NONCE};
use crate::heap::{Freed, bytes_of, freed_during, heap_of};
use crate::locked::undumped_pages;

const KEY: [u8; 16] = *b"\x9e\x37\x79\xb9\x7f\x4a\x7c\x15\xf3\x9c\xc0\x60\x5c\xed\xc8\x34";

/// Drops a boxed value made by `make`, and fails if its memory still holds what it held.
///
/// The stack on which it is made is full of something that looks like a key, as after a key
/// schedule: what a type does not initialise shows it.
fn wiped<T>(name: &str, make: impl FnOnce() -> T) {
    leave_remnants_on_the_stack();
    let boxed = Box::new(make());
    let before = bytes_of(&*boxed);
    let (_, after) = freed_during(move || drop(boxed));
    let after = &after.0[after.0.len() - before.len()..];
    let same = |(b, a): &(&u8, &u8)| **b != 0 && a == b;
    let left = before.iter().zip(after).filter(same).count();
    assert!(
        left == 0,
        "{name}: {left} of {} bytes are still there",
        before.len()
    );
}

/// Drops a boxed cipher made by `make` from [`KEY`], which may be its IV as well, and fails if a part
/// of these or of what it had on the heap is still there.
fn wiped_with_its_heap<T>(name: &str, make: impl FnOnce() -> T) {
    leave_remnants_on_the_stack();
    let (value, secrets) = heap_of(make);
    assert!(
        secrets.iter().any(|block| block.len() >= 128),
        "{name}: no round keys on the heap"
    );
    let boxed = Box::new(value);
    let (_, freed) = freed_during(move || drop(boxed));
    for secret in &secrets {
        freed.assert_without(name, secret);
    }
    freed.assert_without(name, &KEY);
    let reversed: Vec<u8> = KEY.iter().rev().copied().collect();
    freed.assert_without(name, &reversed);
}

#[inline(never)]
fn leave_remnants_on_the_stack() {
    std::hint::black_box(&mut [KEY; 1000]);
}

#[test]
fn the_check_notices_what_is_not_wiped() {
    struct Plain {
        _bytes: [u8; 32],
    }
    let caught = std::panic::catch_unwind(|| wiped("plain", || Plain { _bytes: [0xa5; 32] }));
    assert!(caught.is_err(), "a plain array passed for wiped");

    let caught = std::panic::catch_unwind(|| {
        wiped_with_its_heap("plain", || vec![KEY; 8]);
    });
    assert!(caught.is_err(), "a plain vector passed for a wiped cipher");

    let (_, freed) = freed_during(|| drop(KEY.to_vec()));
    assert!(freed.holds_part_of(&KEY), "a plain vector passed for wiped");
}

#[test]
fn ciphers_and_macs_wipe_their_keys() {
    let key = Array::from(KEY);
    wiped_with_its_heap("Sm4", || Sm4::new(&key));
    wiped_with_its_heap("Sm4Gcm", || Sm4Gcm::new(&key));
    wiped_with_its_heap("Sm4GcmSealer", || Sm4GcmSealer::new(&KEY));
    wiped_with_its_heap("Sm4Ccm", || Sm4Ccm::new(&key));
    wiped_with_its_heap("Sm4Ctr", || Sm4Ctr::new(&key, &key));
    wiped_with_its_heap("Sm4CbcEncryptor", || Sm4CbcEncryptor::new(&key, &key));
    wiped_with_its_heap("Sm4CbcDecryptor", || Sm4CbcDecryptor::new(&key, &key));
    wiped("HmacSm3", || HmacSm3::keyed(&KEY));
    wiped("HkdfSm3", || HkdfSm3::extract(None, &KEY));
}

#[test]
fn buffers_wipe_their_content() {
    let secret = pattern();
    let freed = |make: &dyn Fn() -> Box<dyn Send>| freed_during(|| drop(make())).1;
    freed(&|| Box::new(Secret::copy_of(&pattern()))).assert_without("Secret", &secret);
    freed(&|| Box::new(SecretBytes::copy_of(&pattern()))).assert_without("SecretBytes", &secret);
    let with_room = freed(&|| {
        let mut vec = Vec::with_capacity(100);
        vec.extend_from_slice(&pattern());
        Box::new(SecretBytes::new(vec))
    });
    with_room.assert_without("SecretBytes::new", &secret);
}

#[test]
fn random_bit_generators_wipe_their_state() {
    let entropy = pattern();
    let [v, c] = drbg_states::hash_drbg(&entropy);
    generator_wiped::<HashDrbgSm3>("Hash_DRBG", &NONCE, &[&c, &v]);
    let [key, v] = drbg_states::hmac_drbg(&entropy);
    generator_wiped::<HmacDrbgSm3>("HMAC_DRBG", &NONCE, &[&key, &v]);
    let [key, v] = drbg_states::ctr_drbg(&entropy);
    let word = u128::from_be_bytes(v).to_ne_bytes();
    generator_wiped::<CtrDrbg<Sm4, false>>("CTR_DRBG", &[], &[&key, &v, &word]);
}

/// Fails if the state after instantiation, which is `secrets` with V at the end, or the entropy input
/// is among the freed bytes: once when it is replaced, and once when the generator is dropped.
fn generator_wiped<D: Drbg>(name: &str, nonce: &[u8], secrets: &[&[u8]]) {
    let new = || D::instantiate(&pattern(), nonce, b"").unwrap();
    let (drbg, heap) = heap_of(new);
    let v = *secrets.last().unwrap();
    let on_heap = heap
        .iter()
        .any(|block| block.windows(v.len()).any(|it| it == v));
    assert!(
        on_heap || undumped_pages().holds_part_of(v),
        "{name}: the state is not as computed"
    );
    drop(drbg);
    let (_, dropped) = freed_during(|| drop(new()));
    let ((), replaced) = freed_during(|| {
        let mut drbg = new();
        drbg.generate(&mut [0; 100], b"additional").unwrap();
        drbg.reseed(&[7; 32], b"").unwrap();
    });
    for freed in [dropped, replaced, undumped_pages()] {
        freed.assert_without(name, &pattern());
        for secret in secrets {
            freed.assert_without(name, secret);
        }
    }
}

#[test]
fn sm2_keys_leave_nothing_after_every_operation() {
    let d = pattern();
    let peer = SecretKey::generate(&mut SystemRandom).unwrap();
    let sealed = encrypt(
        SecretKey::from_bytes(&d).unwrap().public_key(),
        b"a plaintext of some length",
        Format::Asn1,
        &mut SystemRandom,
    )
    .unwrap();
    let (shared, freed) = freed_during(|| {
        let key = SecretKey::from_bytes(&d).unwrap();
        drop(key.to_bytes());
        key.sign_digest(&[1; 32]).unwrap();
        assert_eq!(
            *key.decrypt(&sealed, Format::Asn1).unwrap(),
            b"a plaintext of some length"[..]
        );
        let ephemeral = SecretKey::generate(&mut SystemRandom).unwrap();
        let of_peer = Peer {
            id: b"p",
            public: peer.public_key(),
            ephemeral: peer.public_key(),
        };
        key.agree(Role::Initiator, b"i", &ephemeral, of_peer, 48)
            .unwrap();
        drop(sm2::ecdh::shared_secret(&key, peer.public_key()).unwrap());
        let signing = SigningKey::new(key, sm2::TLS13_ID).unwrap();
        signing.sign_digest(&[2; 32]).unwrap();
        drop(signing);
        peer.public_key().clone()
    });
    let key = SecretKey::from_bytes(&d).unwrap();
    assert_secret_key_gone(&freed, "SecretKey", &d);
    let shared = sm2::ecdh::shared_secret(&key, &shared).unwrap();
    freed.assert_without("ECDH secret", shared.as_bytes());
    freed.assert_without("plaintext", b"a plaintext of some length");
}

/// Fails if d, or (1 + d)^-1, is among the freed bytes in any form that the arithmetic uses: big-
/// or little-endian, plain or in Montgomery form.
pub(crate) fn assert_secret_key_gone(freed: &Freed, name: &str, d: &[u8; 32]) {
    use ::sm2::Scalar;
    use ::sm2::elliptic_curve::ff::PrimeField;
    let d = Scalar::from_repr((*d).into()).unwrap();
    let montgomery = (0..256).fold(Scalar::ONE, |power, _| power.double());
    for (what, scalar) in [("d", d), ("(1+d)^-1", (d + Scalar::ONE).invert().unwrap())] {
        for (form, scalar) in [("plain", scalar), ("Montgomery", scalar * montgomery)] {
            let mut bytes: [u8; 32] = scalar.to_repr().into();
            freed.assert_without(&format!("{name}: {what}, {form}, big-endian"), &bytes);
            bytes.reverse();
            freed.assert_without(&format!("{name}: {what}, {form}, little-endian"), &bytes);
        }
    }
}

/// 32 bytes without repetition, below n.
pub(crate) fn pattern() -> [u8; 32] {
    std::array::from_fn(|i| (i as u8).wrapping_mul(0x6b) ^ 0x5c)
}
