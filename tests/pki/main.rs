//! Keys, certificates and requests: what is made is read again, webpki and OpenSSL accept it, and
//! bad input gives the error that names its cause.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod certificates;
mod issuing;
mod keys;
mod openssl;
#[cfg(feature = "rustls")]
mod path_validation;
mod requests;

use shangmi::pki::{Ca, Certificate, Error, Leaf, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;

fn new_key() -> SecretKey {
    SecretKey::generate(&mut SystemRandom).unwrap()
}

fn new_ca() -> Ca {
    let subject = "CN=Test CA,O=Example,C=CN";
    Ca::self_signed(subject, new_key(), Validity::days(3650)).unwrap()
}

fn issue(leaf: &Leaf) -> Certificate {
    new_ca().issue(leaf, new_key().public_key()).unwrap()
}

/// Every truncation, and the input with one byte more.
fn assert_exact<T: std::fmt::Debug>(input: &[u8], read: impl Fn(&[u8]) -> Result<T, Error>) {
    read(input).unwrap();
    for length in 0..input.len() {
        let error = read(&input[..length]).unwrap_err();
        assert!(
            matches!(error, Error::Malformed { .. }),
            "{length}: {error}"
        );
    }
    let error = read(&[input, &[0]].concat()).unwrap_err();
    assert!(
        matches!(error, Error::Malformed { .. }),
        "trailing: {error}"
    );
}

/// The input with one bit changed, in each of its bytes.
fn alterations(input: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..input.len()).map(|at| {
        let mut altered = input.to_vec();
        altered[at] ^= 1 << (at % 8);
        (at, altered)
    })
}
