//! Random bytes: 32 at a time, against the call of the operating system.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rand_core::TryRng;
use shangmi::random::{
    CtrDrbgSm4, Drbg, DrbgRng, HashDrbgSm3, HmacDrbgSm3, SystemRandom,
    fill_with_prediction_resistance,
};

use super::{Against, Error, Options, Row};

const DRAW: usize = 32;

/// Turns taken by us and the peer, and the length of one turn.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(200);

/// What the issue asks of the worst of the services and of the best one.
const WORST: f64 = 0.5;
const BEST: f64 = 5.0;

/// The services as they are offered, with their buffers; then, without a bound, what a buffer is over.
pub(super) fn rows(_: &Options, print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
    let mut row = |name: &str, at_least, draw: &mut dyn FnMut(&mut [u8]) -> Result<(), Error>| {
        against_system(name, at_least, draw).map(|row| print(&row))
    };
    let best = "SystemRandom (CTR_DRBG-SM4)";
    row(best, Some(BEST), &mut |out| {
        Ok(SystemRandom.try_fill_bytes(out)?)
    })?;
    let (mut ctr, mut hash, mut hmac) = (
        DrbgRng::<CtrDrbgSm4>::new(b"")?,
        DrbgRng::<HashDrbgSm3>::new(b"")?,
        DrbgRng::<HmacDrbgSm3>::new(b"")?,
    );
    row("DrbgRng, CTR_DRBG-SM4", Some(WORST), &mut |out| {
        Ok(ctr.fill(out, b"")?)
    })?;
    row("DrbgRng, Hash_DRBG-SM3", Some(WORST), &mut |out| {
        Ok(hash.fill(out, b"")?)
    })?;
    row("DrbgRng, HMAC_DRBG-SM3", Some(WORST), &mut |out| {
        Ok(hmac.fill(out, b"")?)
    })?;

    row(
        "CTR_DRBG-SM4, unbuffered",
        None,
        &mut unbuffered::<CtrDrbgSm4>()?,
    )?;
    row(
        "Hash_DRBG-SM3, unbuffered",
        None,
        &mut unbuffered::<HashDrbgSm3>()?,
    )?;
    row(
        "HMAC_DRBG-SM3, unbuffered",
        None,
        &mut unbuffered::<HmacDrbgSm3>()?,
    )?;
    row("SystemRandom, prediction resistance", None, &mut |out| {
        Ok(fill_with_prediction_resistance(out)?)
    })
}

fn unbuffered<D: Drbg>() -> Result<impl FnMut(&mut [u8]) -> Result<(), Error>, Error> {
    let (mut entropy, mut nonce) = (vec![0; D::ENTROPY_LEN], vec![0; D::NONCE_LEN]);
    getrandom::fill(&mut entropy)?;
    getrandom::fill(&mut nonce)?;
    let mut drbg = D::instantiate(&entropy, &nonce, b"")?;
    Ok(move |out: &mut [u8]| Ok(drbg.generate(out, b"")?))
}

fn against_system(
    name: &str,
    at_least: Option<f64>,
    mut draw: impl FnMut(&mut [u8]) -> Result<(), Error>,
) -> Result<Row, Error> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(rate(&mut draw)?);
        theirs.push(rate(&mut |out| Ok(getrandom::fill(out)?))?);
    }
    Ok(Row {
        name: format!("{DRAW} random bytes: {name}"),
        value: median(ours),
        unit: "1/s",
        at_most: None,
        against: Some(Against {
            peer: "operating system, getrandom::fill".into(),
            value: median(theirs),
            at_least,
        }),
    })
}

/// Draws per second.
fn rate(draw: &mut impl FnMut(&mut [u8]) -> Result<(), Error>) -> Result<f64, Error> {
    /// Between two looks at the clock, which would cost as much as a draw.
    const ROUND: u32 = 100;
    let mut out = [0; DRAW];
    draw(&mut out)?;
    let (start, mut draws) = (Instant::now(), 0);
    while start.elapsed() < TURN {
        for _ in 0..ROUND {
            draw(black_box(&mut out))?;
        }
        draws += ROUND;
    }
    Ok(f64::from(draws) / start.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
