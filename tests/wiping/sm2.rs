//! SM2: keys, signing, decryption, ECDH and the key agreement.

use shangmi::random::SystemRandom;
use shangmi::sm2::agreement::{Peer, Role};
use shangmi::sm2::encryption::{Format, encrypt};
use shangmi::sm2::{Agree, DEFAULT_ID, Decrypt, SecretKey, SignDigest, SigningKey, ecdh, hazmat};
use sm2::elliptic_curve::PrimeField;

use crate::secrets::Secrets;
use crate::{Found, random};

/// A private key with its secrets: d and (1 + d)^-1.
fn key() -> ([u8; 32], SecretKey, Secrets) {
    let d = nonzero();
    let one_plus_d = sm2::Scalar::ONE + scalar(&d);
    let inverse = one_plus_d.invert().unwrap().to_repr().into();
    let secrets = Secrets::number("d", &d)
        .and(Secrets::number("1 + d", &one_plus_d.to_repr().into()))
        .and(Secrets::number("(1 + d)^-1", &inverse));
    (d, SecretKey::from_bytes(&d).unwrap(), secrets)
}

/// A number that is certainly below n.
fn nonzero() -> [u8; 32] {
    let mut number: [u8; 32] = random();
    number[0] &= 0x7f;
    number
}

fn scalar(number: &[u8; 32]) -> sm2::Scalar {
    sm2::Scalar::from_repr((*number).into()).unwrap()
}

#[test]
fn keys() {
    let (d, _, secrets) = key();
    let mut found = Found::default();
    found.check("from_bytes", &secrets, || SecretKey::from_bytes(&d));
    found.check("SigningKey::new", &secrets, || {
        SigningKey::new(SecretKey::from_bytes(&d).unwrap(), DEFAULT_ID)
    });
    // Its secret is not known beforehand; that all is wiped is checked without.
    found.check("generate", &Secrets::default(), || {
        SecretKey::generate(&mut SystemRandom)
    });
    found.assert_nothing();
}

#[test]
fn signing() {
    let (d, secret, secrets) = key();
    let (e, k) = (random(), nonzero());
    let signature = hazmat::sign_digest_with_nonce(&secret, &e, &k).unwrap();
    let r = scalar(signature.to_bytes()[..32].try_into().unwrap());
    let sum = (r + scalar(&k)).to_repr().into();
    let secrets = secrets
        .and(Secrets::number("k", &k))
        .and(Secrets::number("r + k", &sum));
    let mut found = Found::default();
    found.check("sign_digest_with_nonce", &secrets, || {
        hazmat::sign_digest_with_nonce(&secret, &e, &k)
    });
    found.check("sign_digest", &secrets, || secret.sign_digest(&e));
    let signing = SigningKey::new(SecretKey::from_bytes(&d).unwrap(), DEFAULT_ID).unwrap();
    found.check("sign_digest with a signing key", &secrets, || {
        signing.sign_digest(&e)
    });
    found.assert_nothing();
}

#[test]
fn decryption_and_agreement() {
    let (_, secret, secrets) = key();
    let (_, ephemeral, of_ephemeral) = key();
    let (_, peer, _) = key();
    let secrets = secrets.and(of_ephemeral);
    let mut found = Found::default();

    let plaintext: [u8; 48] = random();
    let ciphertext = encrypt(
        secret.public_key(),
        &plaintext,
        Format::Asn1,
        &mut SystemRandom,
    );
    let ciphertext = ciphertext.unwrap();
    let with_plaintext = secrets.clone().and(Secrets::bytes("plaintext", &plaintext));
    found.check("decrypt", &with_plaintext, || {
        secret.decrypt(&ciphertext, Format::Asn1)
    });

    let shared = ecdh::shared_secret(&secret, peer.public_key()).unwrap();
    let with_shared = secrets
        .clone()
        .and(Secrets::number("shared secret", shared.as_bytes()));
    found.check("shared_secret", &with_shared, || {
        ecdh::shared_secret(&secret, peer.public_key())
    });

    let agree = || {
        let peer = Peer {
            id: b"peer",
            public: peer.public_key(),
            ephemeral: peer.public_key(),
        };
        secret.agree(Role::Initiator, b"own", &ephemeral, peer, 48)
    };
    let agreement = agree().unwrap();
    let with_key = secrets.and(Secrets::bytes("agreed key", agreement.key()));
    found.check("agree", &with_key, agree);
    found.assert_nothing();
}
