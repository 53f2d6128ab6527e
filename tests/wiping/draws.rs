//! The random generators: what they gave is nowhere but where it was wanted.

use dump::after;
use rand_core::TryRng;
use shangmi::random::{
    CtrDrbgSm4, Drbg, DrbgRng, HashDrbgSm3, HmacDrbgSm3, SystemRandom,
    fill_with_prediction_resistance,
};

use crate::secrets::Secrets;
use crate::{Found, dump};

/// From the buffer, and into large ones.
const LENGTHS: [usize; 4] = [32, 1000, 5000, 70_000];

/// What the buffer holds.
const BUFFER: usize = 4096;

#[test]
fn thread_s_generator() {
    let mut found = Found::default();
    check_draws(&mut found, "SystemRandom", |out| {
        SystemRandom.try_fill_bytes(out).unwrap();
    });
    for len in LENGTHS {
        check(&mut found, "prediction resistance", len, |out| {
            fill_with_prediction_resistance(out).unwrap();
        });
    }
    found.assert_nothing();
}

#[test]
fn generators() {
    let mut found = Found::default();
    generator::<CtrDrbgSm4>(&mut found, "CTR_DRBG");
    generator::<HashDrbgSm3>(&mut found, "Hash_DRBG");
    generator::<HmacDrbgSm3>(&mut found, "HMAC_DRBG");
    found.assert_nothing();
}

fn generator<D: Drbg + 'static>(found: &mut Found, name: &str) {
    let mut rng = DrbgRng::<D>::new(b"").unwrap();
    check_draws(found, name, |out| rng.try_fill_bytes(out).unwrap());
}

/// The first draw, one from the buffer, the one that fills it again, and the one after it.
fn check_draws(found: &mut Found, name: &str, mut draw: impl FnMut(&mut [u8])) {
    for len in LENGTHS {
        check(found, name, len, &mut draw);
        check(found, name, len, &mut draw);
        for _ in 2..BUFFER / len {
            draw(&mut vec![0; len]);
        }
        check(found, name, len, &mut draw);
        check(found, name, len, &mut draw);
    }
}

/// As [`Found::check`], of what `draw` gives.
fn check(found: &mut Found, name: &str, len: usize, mut draw: impl FnMut(&mut [u8])) {
    let mut out = vec![0; len];
    let dump = after(|| draw(&mut out));
    found.judge(0, name, &Secrets::bytes("output", &out), &dump);
}
