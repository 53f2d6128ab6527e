//! Block ciphers in the modes ECB, CBC and CTR: single messages (AFT), and Monte Carlo tests (MCT) as
//! draft-celi-acvp-symmetric defines them for AES with a key of the size of a block.

use cipher::array::Array;
use cipher::consts::U16;
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    IvSizeUser, KeyInit, KeyIvInit, KeySizeUser, StreamCipher,
};

use super::case::{Case, Outcome, answer, results};
use super::error::{Cause, Fault};

/// Size of a key, an initial value and a block in bytes.
const SIZE: usize = 16;

/// Results of a Monte Carlo test, and iterations between two of them.
const RESULTS: usize = 100;
const ITERATIONS: usize = 1000;

type Bytes = [u8; SIZE];

/// Encrypts or decrypts blocks, one call after the other.
type Mode = Box<dyn FnMut(&mut [Array<u8, U16>])>;

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

pub(super) fn ecb<C>(case: &Case<'_>) -> Outcome
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + KeyInit + 'static,
    C: BlockSizeUser<BlockSize = U16> + KeySizeUser<KeySize = U16>,
{
    let direction = direction(case)?;
    let mode = |key: &Bytes| -> Mode {
        let cipher = C::new(&(*key).into());
        match direction {
            Direction::Encrypt => Box::new(move |blocks| cipher.encrypt_blocks(blocks)),
            Direction::Decrypt => Box::new(move |blocks| cipher.decrypt_blocks(blocks)),
        }
    };
    let (input, output) = texts(direction);
    let mut key = key(case)?;
    if case.text("testType")? != "MCT" {
        return blocks(case, mode(&key), input, output);
    }

    let mut text: Bytes = case.array(input)?;
    pay_for_monte_carlo(case)?;
    let mut array = Vec::with_capacity(RESULTS);
    for _ in 0..RESULTS {
        let mut mode = mode(&key);
        let mut block = [text.into()];
        for _ in 0..ITERATIONS {
            mode(&mut block);
        }
        let last: Bytes = block[0].into();
        array.push(answer([("key", &key), (input, &text), (output, &last)]));
        key = xor(key, last);
        text = last;
    }
    Ok(results(array))
}

pub(super) fn cbc<E, D>(case: &Case<'_>) -> Outcome
where
    E: BlockModeEncrypt + KeyIvInit + KeySizeUser<KeySize = U16> + 'static,
    E: BlockSizeUser<BlockSize = U16> + IvSizeUser<IvSize = U16>,
    D: BlockModeDecrypt + KeyIvInit + KeySizeUser<KeySize = U16> + 'static,
    D: BlockSizeUser<BlockSize = U16> + IvSizeUser<IvSize = U16>,
{
    let direction = direction(case)?;
    let mode = |key: &Bytes, iv: &Bytes| -> Mode {
        let (key, iv) = ((*key).into(), (*iv).into());
        match direction {
            Direction::Encrypt => {
                let mut cbc = E::new(&key, &iv);
                Box::new(move |blocks| cbc.encrypt_blocks(blocks))
            }
            Direction::Decrypt => {
                let mut cbc = D::new(&key, &iv);
                Box::new(move |blocks| cbc.decrypt_blocks(blocks))
            }
        }
    };
    let (input, output) = texts(direction);
    let mut key = key(case)?;
    let mut iv = case.array("iv")?;
    if case.text("testType")? != "MCT" {
        return blocks(case, mode(&key, &iv), input, output);
    }

    let mut text: Bytes = case.array(input)?;
    pay_for_monte_carlo(case)?;
    let mut array = Vec::with_capacity(RESULTS);
    for _ in 0..RESULTS {
        let mut mode = mode(&key, &iv);
        // What goes in is what came out two steps before; before the first stands the IV.
        let (mut next, mut last) = (text, iv);
        for _ in 0..ITERATIONS {
            let mut block = [next.into()];
            mode(&mut block);
            next = last;
            last = block[0].into();
        }
        array.push(answer([
            ("key", &key),
            ("iv", &iv),
            (input, &text),
            (output, &last),
        ]));
        key = xor(key, last);
        iv = last;
        text = next;
    }
    Ok(results(array))
}

/// Messages of any length; the initial value is the first counter block.
pub(super) fn ctr<S>(case: &Case<'_>) -> Outcome
where
    S: StreamCipher + KeyIvInit + KeySizeUser<KeySize = U16> + IvSizeUser<IvSize = U16>,
{
    let (input, output) = texts(direction(case)?);
    let (key, iv) = (key(case)?, case.array::<SIZE>("iv")?);
    let mut text = case.sized(input, "payloadLen")?;
    case.budget.work(text.len() as u64)?;
    S::new(&key.into(), &iv.into()).apply_keystream(&mut text);
    Ok(answer([(output, &text)]))
}

/// A message of whole blocks.
fn blocks(case: &Case<'_>, mut mode: Mode, input: &'static str, output: &str) -> Outcome {
    let mut text = case.bytes(input)?;
    case.budget.work(text.len() as u64)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut text);
    if !rest.is_empty() {
        let expected = Cause::Shape("a text in this mode is whole blocks of 16 bytes");
        return Err(Fault::in_field(input, expected));
    }
    mode(blocks);
    Ok(answer([(output, &text)]))
}

fn direction(case: &Case<'_>) -> Result<Direction, Fault> {
    let directions = [
        ("encrypt", Direction::Encrypt),
        ("decrypt", Direction::Decrypt),
    ];
    case.choice("direction", &directions)
}

/// The names of what goes in and of what comes out.
fn texts(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Encrypt => ("pt", "ct"),
        Direction::Decrypt => ("ct", "pt"),
    }
}

fn key(case: &Case<'_>) -> Result<Bytes, Fault> {
    case.sized("key", "keyLen")?;
    case.array("key")
}

fn pay_for_monte_carlo(case: &Case<'_>) -> Result<(), Fault> {
    case.budget.work((RESULTS * ITERATIONS * SIZE) as u64)
}

fn xor(a: Bytes, b: Bytes) -> Bytes {
    std::array::from_fn(|i| a[i] ^ b[i])
}
