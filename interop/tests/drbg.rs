//! Our random bit generators on SM3 and SM4 against those of the foreign stacks, on the same entropy: no
//! standard publishes answers for them.
//!
//! Hundreds of random cases of each mechanism, with personalization strings and additional input
//! of many lengths, reseeding and prediction resistance. The cases are the same in every run.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use shangmi::random::{CtrDrbg, CtrDrbgSm4, Drbg, HashDrbgGm, HashDrbgSm3, HmacDrbgSm3};
use shangmi::sm4::Sm4;
use shangmi_interop::stack::Stack;

/// Cases of each mechanism and stack.
const CASES: usize = 400;

/// The longest output of a request.
const LONGEST: usize = 4096;

#[test]
fn openssl_agrees() {
    use Stack::OpenSsl;
    agree::<HashDrbgSm3>(OpenSsl, "hash SM3");
    agree::<HmacDrbgSm3>(OpenSsl, "hmac SM3");
    agree::<CtrDrbgSm4>(OpenSsl, "ctr-df SM4-CTR");
    agree::<CtrDrbg<Sm4, false>>(OpenSsl, "ctr SM4-CTR");
}

/// Tongsuo's generator on SM3 is that of GM/T 0105-2021, not that of SP 800-90A.
#[test]
fn tongsuo_agrees() {
    use Stack::Tongsuo;
    agree::<HashDrbgGm>(Tongsuo, "hash SM3");
    agree::<HmacDrbgSm3>(Tongsuo, "hmac SM3");
    agree::<CtrDrbgSm4>(Tongsuo, "ctr-df SM4-CTR");
    agree::<CtrDrbg<Sm4, false>>(Tongsuo, "ctr SM4-CTR");
}

/// The two generators on SM3 differ in reseeding, and each stack has one of them.
#[test]
fn the_generators_on_sm3_are_told_apart() {
    let reseeded = Case {
        entropy: vec![1; 32],
        nonce: vec![2; 16],
        personalization: vec![],
        operations: vec![
            Operation::Generate(32, vec![]),
            Operation::Reseed(vec![3; 32], vec![]),
            Operation::Generate(32, vec![]),
        ],
    };
    let (sp800_90a, gm) = (
        reseeded.answer::<HashDrbgSm3>(),
        reseeded.answer::<HashDrbgGm>(),
    );
    assert_eq!(sp800_90a[0], gm[0]);
    assert_ne!(sp800_90a[1], gm[1]);
    let cases = [reseeded];
    assert_eq!(answers(Stack::OpenSsl, "hash SM3", &cases), [sp800_90a]);
    assert_eq!(answers(Stack::Tongsuo, "hash SM3", &cases), [gm]);
}

/// What a stack does not have is reported, so that no comparison is of nothing with nothing.
#[test]
fn a_refusal_is_seen() {
    let case = Case {
        entropy: vec![1; 31],
        nonce: vec![2; 16],
        personalization: vec![],
        operations: vec![Operation::Generate(1, vec![])],
    };
    for stack in Stack::ALL {
        let cases = [&case];
        assert_eq!(
            answers(stack, "hash SM3", cases),
            [["refused:instantiate"]],
            "{stack}: entropy input that is too short"
        );
        assert_eq!(
            answers(stack, "hash SM5", cases),
            [["refused:make"]],
            "{stack}: no such hash function"
        );
    }
}

/// Fails unless the stack's generator gives what ours does in every case.
fn agree<D: Drbg>(stack: Stack, mechanism: &str) {
    let mut random = Random(0x5eed);
    let cases: Vec<_> = (0..CASES).map(|_| Case::random::<D>(&mut random)).collect();
    let theirs = answers(stack, mechanism, &cases);
    assert_eq!(theirs.len(), cases.len(), "{stack}, {mechanism}");
    let (mut outputs, mut bytes) = (0, 0);
    for (case, theirs) in cases.iter().zip(theirs) {
        let ours = case.answer::<D>();
        assert_eq!(ours, theirs, "{stack}, {mechanism}{}", case.words());
        outputs += ours.len();
        bytes += ours.iter().map(|output| output.len() / 2).sum::<usize>();
    }
    // On a line of its own, whatever libtest is printing.
    println!("\ndrbg {stack} {mechanism}: {CASES} cases, {outputs} outputs, {bytes} bytes agree");
}

/// What a stack's generator prints for each of the cases.
fn answers<'c>(
    stack: Stack,
    mechanism: &str,
    cases: impl IntoIterator<Item = &'c Case>,
) -> Vec<Vec<String>> {
    let mut program = Command::new(stack.drbg().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let lines: String = cases
        .into_iter()
        .map(|case| format!("{mechanism}{}\n", case.words()))
        .collect();
    let writer = thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{stack}: {}", output.status);
    let printed = String::from_utf8(output.stdout).unwrap();
    printed
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

struct Case {
    entropy: Vec<u8>,
    nonce: Vec<u8>,
    personalization: Vec<u8>,
    operations: Vec<Operation>,
}

/// Lengths are of outputs; the last field is additional input.
enum Operation {
    Reseed(Vec<u8>, Vec<u8>),
    Generate(usize, Vec<u8>),
    /// With prediction resistance, from fresh entropy.
    Fresh(usize, Vec<u8>, Vec<u8>),
}

impl Case {
    /// Of sizes that a generator takes.
    fn random<D: Drbg>(random: &mut Random) -> Self {
        let count = random.up_to(5) + 1;
        Self {
            entropy: random.entropy::<D>(),
            nonce: match D::NONCE_LEN {
                0 => vec![],
                least => random.between(least, least + 40),
            },
            personalization: random.optional::<D>(),
            operations: (0..count).map(|_| Operation::random::<D>(random)).collect(),
        }
    }

    /// What our generator gives, in hex.
    fn answer<D: Drbg>(&self) -> Vec<String> {
        let mut drbg = D::instantiate(&self.entropy, &self.nonce, &self.personalization).unwrap();
        let mut outputs = Vec::new();
        for operation in &self.operations {
            let mut out;
            match operation {
                Operation::Reseed(entropy, additional) => {
                    drbg.reseed(entropy, additional).unwrap();
                    continue;
                }
                Operation::Generate(len, additional) => {
                    out = vec![0; *len];
                    drbg.generate(&mut out, additional).unwrap();
                }
                Operation::Fresh(len, entropy, additional) => {
                    out = vec![0; *len];
                    drbg.generate_reseeded(entropy, &mut out, additional)
                        .unwrap();
                }
            }
            outputs.push(hex(&out));
        }
        outputs
    }

    /// As the program reads it, behind the mechanism.
    fn words(&self) -> String {
        let mut words = String::new();
        for bytes in [&self.entropy, &self.nonce, &self.personalization] {
            words.push(' ');
            words.push_str(&hex(bytes));
        }
        for operation in &self.operations {
            match operation {
                Operation::Reseed(entropy, additional) => {
                    write!(words, " reseed:{}:{}", hex(entropy), hex(additional))
                }
                Operation::Generate(len, additional) => {
                    write!(words, " generate:{len}:{}", hex(additional))
                }
                Operation::Fresh(len, entropy, additional) => {
                    write!(words, " fresh:{len}:{}:{}", hex(additional), hex(entropy))
                }
            }
            .unwrap();
        }
        words
    }
}

impl Operation {
    fn random<D: Drbg>(random: &mut Random) -> Self {
        let additional = random.optional::<D>();
        match random.up_to(3) {
            0 => Self::Reseed(random.entropy::<D>(), additional),
            1 => Self::Fresh(random.len::<D>(), random.entropy::<D>(), additional),
            _ => Self::Generate(random.len::<D>(), additional),
        }
    }
}

/// SplitMix64: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, most: usize) -> usize {
        (self.next() % (most as u64 + 1)) as usize
    }

    fn between(&mut self, least: usize, most: usize) -> Vec<u8> {
        let len = least + self.up_to(most - least);
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn entropy<D: Drbg>(&mut self) -> Vec<u8> {
        let most = D::MAX_INPUT.min(D::ENTROPY_LEN as u64 + 100);
        self.between(D::ENTROPY_LEN, most as usize)
    }

    /// Input that may be empty, and often is.
    fn optional<D: Drbg>(&mut self) -> Vec<u8> {
        match self.up_to(2) {
            0 => vec![],
            _ => self.between(1, D::MAX_INPUT.min(200) as usize),
        }
    }

    /// The length of an output: of a few blocks as often as of many.
    fn len<D: Drbg>(&mut self) -> usize {
        let most = D::MAX_REQUEST.min(LONGEST);
        let most = if self.up_to(1) == 0 {
            most.min(100)
        } else {
            most
        };
        1 + self.up_to(most - 1)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
