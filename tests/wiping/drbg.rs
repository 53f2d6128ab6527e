//! Random bit generators.

use std::cell::RefCell;

use shangmi::random::{CtrDrbg, CtrDrbgSm4, Drbg, DrbgError, HashDrbgGm, HashDrbgSm3, HmacDrbgSm3};
use shangmi::sm4::Sm4;

use crate::drbg_states::{self, NONCE};
use crate::secrets::Secrets;
use crate::{Found, random};

#[test]
fn hash_drbg() {
    let entropy = random();
    let [v, c] = drbg_states::hash_drbg(&entropy);
    let state = Secrets::bytes("V", &v).and(Secrets::bytes("C", &c));
    drbg::<HashDrbgSm3>(&entropy, &NONCE, &state);
    drbg::<HashDrbgGm>(&entropy, &NONCE, &state);
}

#[test]
fn hmac_drbg() {
    let entropy = random();
    let [key, v] = drbg_states::hmac_drbg(&entropy);
    let state = Secrets::hmac_key(&key).and(Secrets::bytes("V", &v));
    drbg::<HmacDrbgSm3>(&entropy, &NONCE, &state);
}

#[test]
fn ctr_drbg() {
    let entropy: [u8; 32] = random();
    let [key, v] = drbg_states::ctr_drbg(&entropy);
    let mut reversed = v;
    reversed.reverse();
    let state = Secrets::sm4_key(&key)
        .and(Secrets::bytes("V", &v))
        .and(Secrets::bytes("V", &reversed));
    drbg::<CtrDrbg<Sm4, false>>(&entropy, &[], &state);
    drbg::<CtrDrbgSm4>(&entropy, &NONCE, &Secrets::default());
}

/// Looks for the entropy input, the `state` after it, and the output.
fn drbg<D: Drbg>(entropy: &[u8; 32], nonce: &[u8], state: &Secrets) {
    let new = || D::instantiate(entropy, nonce, b"");
    // On the heap: what the test's own frames hold is not what is looked for.
    let out = RefCell::new(vec![0; D::MAX_REQUEST.min(1500)]);
    let generated = || {
        let mut drbg = new()?;
        drbg.generate(&mut out.borrow_mut(), b"additional")?;
        Ok::<_, DrbgError>(drbg)
    };
    let reseeded = || {
        let mut drbg = new()?;
        drbg.reseed(entropy, b"additional")?;
        Ok::<_, DrbgError>(drbg)
    };
    generated().unwrap();
    let secrets = Secrets::bytes("entropy input", entropy)
        .and(Secrets::bytes("output", &out.borrow()))
        .and(state.clone());
    let mut found = Found::default();
    found.check("instantiate", &secrets, new);
    found.check("generate", &secrets, generated);
    found.check("reseed", &secrets, reseeded);
    found.assert_nothing();
}
