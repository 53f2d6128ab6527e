//! `./figures [area]`: every measured figure that an issue names, one JSON line each.
//!
//! Us and the peer are measured in the same run, in turns, and the medians are printed: the
//! machines are noisy, so only the ratio of one run means much. Nothing here decides a test.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use serde_json::json;
use shangmi::random::SystemRandom;
use shangmi::sm2::{self, SecretKey, SigningKey};
use shangmi::sm4::Sm4Gcm;
use shangmi_interop::memory;
use signature::{Signer, Verifier};
use sm2_rustcrypto::dsa;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The areas and their figures; an issue that names new ones adds a row or an area.
const AREAS: &[(&str, Measure)] = &[("core", core)];

type Measure = fn() -> Result<Vec<Figure>>;

/// Turns taken by us and the peer, and the length of one turn.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(300);

struct Figure {
    name: &'static str,
    unit: &'static str,
    value: f64,
    peer: String,
    peer_value: f64,
    at_least: Option<f64>,
}

fn main() -> Result<()> {
    let wanted = std::env::args().nth(1);
    let mut found = false;
    for (area, measure) in AREAS {
        if wanted.as_deref().is_some_and(|wanted| wanted != *area) {
            continue;
        }
        found = true;
        for figure in measure()? {
            figure.print(area);
        }
    }
    if !found {
        let areas: Vec<_> = AREAS.iter().map(|(area, _)| *area).collect();
        return Err(format!("no such area; there are: {}", areas.join(", ")).into());
    }
    Ok(())
}

impl Figure {
    fn print(&self, area: &str) {
        let mut line = json!({
            "area": area,
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": rounded(self.peer_value),
            "ratio": rounded(self.value / self.peer_value),
        });
        if let Some(bound) = self.at_least {
            line["at_least"] = json!(bound);
        }
        println!("{line}");
    }
}

/// The core issue: no targets yet.
fn core() -> Result<Vec<Figure>> {
    Ok(vec![handshakes()?, gcm_16k()?, sign()?, verify()?])
}

fn handshakes() -> Result<Figure> {
    let (sm, p256) = (memory::sm()?, memory::p256_aws_lc()?);
    let (value, peer_value) = in_turns(
        || memory::mutual_handshake(&sm),
        || memory::mutual_handshake(&p256),
    )?;
    Ok(Figure {
        name: "mutual handshakes in memory, both ends on one thread, TLS_SM4_GCM_SM3",
        unit: "1/s",
        value,
        peer: format!(
            "rustls {} + aws-lc-rs {}, P-256",
            locked("rustls"),
            locked("aws-lc-rs")
        ),
        peer_value,
        at_least: None,
    })
}

fn gcm_16k() -> Result<Figure> {
    const LEN: usize = 16 * 1024;
    type TheirGcm = AesGcm<sm4_rustcrypto::Sm4, U12>;
    let (mut ours, mut theirs) = (vec![0u8; LEN], vec![0u8; LEN]);
    let our_gcm = Sm4Gcm::new(&[7; 16].into());
    let their_gcm = TheirGcm::new(&[7; 16].into());
    let nonce = [1; 12].into();
    let failed = |_| "sealing failed".into();
    let (value, peer_value) = in_turns(
        || {
            our_gcm
                .encrypt_inout_detached(&nonce, b"", ours.as_mut_slice().into())
                .map_err(failed)
        },
        || {
            let theirs = theirs.as_mut_slice().into();
            their_gcm
                .encrypt_inout_detached(&nonce, b"", theirs)
                .map_err(failed)
        },
    )?;
    let megabytes = LEN as f64 / 1e6;
    Ok(Figure {
        name: "SM4-GCM seal, 16 KiB",
        unit: "MB/s",
        value: value * megabytes,
        peer: format!(
            "RustCrypto aes-gcm {} over sm4 {}",
            locked("aes-gcm"),
            locked("sm4")
        ),
        peer_value: peer_value * megabytes,
        at_least: None,
    })
}

fn sign() -> Result<Figure> {
    let (ours, theirs) = key_pair()?;
    let (value, peer_value) = in_turns(
        || Ok(ours.try_sign(b"message")?),
        || Ok(theirs.try_sign(b"message")?),
    )?;
    Ok(sm2_figure("SM2 sign", value, peer_value))
}

fn verify() -> Result<Figure> {
    let (ours, theirs) = key_pair()?;
    let signature: sm2::Signature = ours.try_sign(b"message")?;
    let their_signature = dsa::Signature::from_slice(&signature.to_bytes())?;
    let (value, peer_value) = in_turns(
        || Ok(ours.verifying_key().verify(b"message", &signature)?),
        || {
            Ok(theirs
                .verifying_key()
                .verify(b"message", &their_signature)?)
        },
    )?;
    Ok(sm2_figure("SM2 verify", value, peer_value))
}

fn key_pair() -> Result<(SigningKey, dsa::SigningKey)> {
    let secret = SecretKey::generate(&mut SystemRandom)?;
    let theirs = dsa::SigningKey::from_slice("1234567812345678", secret.to_bytes().as_bytes())?;
    Ok((SigningKey::new(secret, sm2::DEFAULT_ID)?, theirs))
}

fn sm2_figure(name: &'static str, value: f64, peer_value: f64) -> Figure {
    let peer = format!("RustCrypto sm2 {}", locked("sm2"));
    Figure {
        name,
        unit: "1/s",
        value,
        peer,
        peer_value,
        at_least: None,
    }
}

/// Calls per second of both, the median of the turns.
fn in_turns<A, B>(
    mut ours: impl FnMut() -> Result<A>,
    mut theirs: impl FnMut() -> Result<B>,
) -> Result<(f64, f64)> {
    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        our_rates.push(rate(&mut ours)?);
        their_rates.push(rate(&mut theirs)?);
    }
    Ok((median(our_rates), median(their_rates)))
}

fn rate<T>(work: &mut impl FnMut() -> Result<T>) -> Result<f64> {
    black_box(work()?);
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < TURN {
        black_box(work()?);
        calls += 1;
    }
    Ok(f64::from(calls) / start.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn rounded(value: f64) -> f64 {
    let scale = if value < 100.0 { 100.0 } else { 1.0 };
    (value * scale).round() / scale
}

/// The version of a library that was measured, from the lock file.
fn locked(name: &str) -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let versions = LOCK
        .split(&entry)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    versions.unwrap_or("of unknown version")
}
