//! `./figures [area]`: every measured figure that an issue names, one JSON line each;
//! `--markdown` after an area of the benchmark prints the README's table instead.
//!
//! Us and the peer are measured in the same run, in turns, and the medians are printed: the
//! machines are noisy, so only the ratio of one run means much. Nothing here decides a test.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use serde_json::json;
use shangmi::random::SystemRandom;
use shangmi::sm2::{self, SecretKey, SigningKey};
use shangmi::sm4::Sm4Gcm;
use shangmi_interop::bench::measure::{self, measure};
use shangmi_interop::bench::rows::ROWS;
use shangmi_interop::bench::{self, Bench, Machine, Who};
use shangmi_interop::{hsm, locked, memory, validation};
use signature::{Signer, Verifier};
use sm2_rustcrypto::dsa;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The areas; an issue that names new figures adds a row or an area.
const AREAS: &[&str] = &["core", "kernels", "portable", "hsm", "validation"];

/// Turns taken by us and the peer in the core area, and the length of one turn.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(300);

/// How long a load is measured.
const LOAD: Duration = Duration::from_secs(6);

struct Figure {
    name: &'static str,
    unit: &'static str,
    value: f64,
    peer: String,
    peer_value: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // Other processes of the benchmark.
        ["serve"] => bench::serve(),
        ["agree"] => agree(),
        [] => AREAS.iter().try_for_each(|area| run(area, json)),
        [area] if AREAS.contains(area) => run(area, json),
        ["validation", "--sequences", count] => validate(count.parse()?),
        ["hsm", "--signatures", count] => under_load(count.parse()?),
        [area @ ("kernels" | "portable"), "--markdown"] => run(area, markdown),
        _ => Err(format!(
            "usage: figures [{}] [--markdown | --signatures COUNT | --sequences COUNT]",
            AREAS.join("|")
        )
        .into()),
    }
}

/// How the benchmark prints.
type Print = fn(&str, &Bench, &Machine) -> Result<()>;

fn run(area: &str, print: Print) -> Result<()> {
    match area {
        "core" => {
            core()?.iter().for_each(Figure::print);
            Ok(())
        }
        "hsm" => under_load(1_000_000),
        "validation" => validate(1000),
        "portable" if Machine::here().disabled != "all" => again_without_instructions(),
        _ => print(
            area,
            &Bench::new(&std::env::current_exe()?)?,
            &Machine::here(),
        ),
    }
}

/// The cryptographic module; GM/T 0005's tests on so many sequences.
fn validate(sequences: usize) -> Result<()> {
    let options = validation::Options { sequences };
    let print = |row: &validation::Row| println!("{}", row.json());
    validation::measure(&options, print).map_err(|error| -> Box<dyn Error> { error })
}

/// A key in an HSM; `signatures` are made to see what is left behind.
fn under_load(signatures: u64) -> Result<()> {
    let print = |row: &hsm::rows::Row| println!("{}", row.json());
    hsm::rows::measure(LOAD, signatures, print).map_err(|error| -> Box<dyn Error> { error })
}

/// Instructions are hidden from a whole process, before it starts.
fn again_without_instructions() -> Result<()> {
    let only_area = std::env::args().len() == 1;
    let arguments = std::env::args().skip(1);
    let status = Command::new(std::env::current_exe()?)
        .args(
            only_area
                .then(|| "portable".to_owned())
                .into_iter()
                .chain(arguments),
        )
        .env("SHANGMI_CPU_DISABLE", "all")
        .status()?;
    if !status.success() {
        return Err(format!("figures portable: {status}").into());
    }
    Ok(())
}

/// One line about the machine and everyone's versions, then one for each row and peer.
fn json(area: &str, bench: &Bench, machine: &Machine) -> Result<()> {
    let contenders: Vec<_> = bench
        .contenders()
        .iter()
        .map(|(name, hardware)| json!({ "name": name, "hardware": hardware }))
        .collect();
    let line = json!({
        "area": area,
        "machine": {
            "processor": machine.processor,
            "instructions in use": machine.instructions,
            "SHANGMI_CPU_DISABLE": machine.disabled,
        },
        "contenders": contenders,
        "method": method(),
    });
    println!("{line}");
    for row in ROWS {
        for figure in measure(bench, row)? {
            let mut line = json!({
                "area": area,
                "name": figure.name,
                "value": rounded(figure.value),
                "unit": figure.unit,
                "peer": figure.peer,
                "peer_value": rounded(figure.peer_value),
                "ratio": rounded(figure.ratio),
            });
            if let Some(bound) = figure.at_least.filter(|_| machine.promised()) {
                line["at_least"] = json!(bound);
            }
            if let Some(note) = figure.note {
                line["note"] = json!(note);
            }
            println!("{line}");
        }
    }
    Ok(())
}

/// The README's table: a column for everyone, each with our ratio to it.
fn markdown(area: &str, bench: &Bench, machine: &Machine) -> Result<()> {
    const PEERS: [(Who, &str); 6] = [
        (Who::Libgcrypt, "libgcrypt"),
        (Who::Botan, "Botan"),
        (Who::OpenSsl, "OpenSSL"),
        (Who::Tongsuo, "Tongsuo"),
        (Who::RustCrypto, "RustCrypto"),
        (Who::AwsLc, "aws-lc-rs: AES-128-GCM, SHA-256, P-256"),
    ];
    let hidden = match machine.disabled.as_str() {
        "" => String::new(),
        names => format!("SHANGMI_CPU_DISABLE={names} "),
    };
    let names: Vec<_> = bench
        .contenders()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    println!(
        "`{hidden}./figures {area}` on {}, using {}: {}.",
        machine.processor,
        words(machine),
        method()
    );
    println!(
        "Everyone's figure, and how many times as fast we are. {}; rustls {} with us and aws-lc-rs.\n",
        names.join("; "),
        locked("rustls")
    );
    println!(
        "| | unit | shangmi | {} |",
        PEERS.map(|(_, name)| name).join(" | ")
    );
    println!("|---|---{}|", "|---:".repeat(PEERS.len() + 1));
    for row in ROWS {
        let figures = measure(bench, row)?;
        let ours = figures.first().map_or(0.0, |figure| figure.value);
        let cells = PEERS.map(|(who, _)| {
            let figure = figures.iter().find(|figure| figure.who == who);
            figure.map_or(String::new(), |figure| {
                format!("{} ({:.2}x)", grouped(figure.peer_value), figure.ratio)
            })
        });
        println!(
            "| {} | {} | {} | {} |",
            row.name,
            row.unit(),
            grouped(ours),
            cells.join(" | ")
        );
    }
    Ok(())
}

/// Does every row once with everyone and compares the results; see `tests/bench_smoke.rs`.
fn agree() -> Result<()> {
    let bench = Bench::new(&std::env::current_exe()?)?;
    for (name, hardware) in bench.contenders() {
        println!("contender {name}: {hardware}");
    }
    for row in ROWS {
        println!("agreed {}: {:?}", row.name, bench::agree(&bench, row)?);
    }
    Ok(())
}

fn method() -> String {
    let turn = measure::TURN.as_millis();
    let (rounds, turns) = (measure::ROUNDS, measure::TURNS);
    format!(
        "median of {rounds} rounds, in each the best of {turns} interleaved turns of {turn} ms, one thread"
    )
}

fn words(machine: &Machine) -> String {
    match machine.instructions.as_slice() {
        [] => "no special instructions".to_owned(),
        names => names.join(", "),
    }
}

/// With a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Figure {
    fn print(&self) {
        let line = json!({
            "area": "core",
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": rounded(self.peer_value),
            "ratio": rounded(self.value / self.peer_value),
        });
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
