//! Hash functions: single messages (AFT), Monte Carlo tests (MCT) and large data tests (LDT) of
//! draft-celi-acvp-sha.

use digest::Digest;

use super::case::{Case, Outcome, answer, results};
use super::error::{Cause, Fault};

/// Results of a Monte Carlo test, and iterations between two of them.
const RESULTS: usize = 100;
const ITERATIONS: usize = 1000;

/// What a large message is fed in, in bytes, about.
const PIECE: usize = 64 << 10;

pub(super) fn digest<D: Digest>(case: &Case<'_>) -> Outcome {
    match case.text("testType")? {
        "MCT" => monte_carlo::<D>(case),
        "LDT" => large_data::<D>(case),
        _ => {
            let message = case.sized("msg", "len")?;
            case.budget.work(message.len() as u64)?;
            Ok(answer([("md", &D::digest(message))]))
        }
    }
}

/// Each message is made of the three digests before it. In the alternate version it is cut, or filled
/// up with zeros, to the length of the first seed.
fn monte_carlo<D: Digest>(case: &Case<'_>) -> Outcome {
    let alternate = case.has("mctVersion")
        && case.choice("mctVersion", &[("standard", false), ("alternate", true)])?;
    let first = case.sized("msg", "len")?;
    let message_len = match alternate {
        true => first.len(),
        false => 3 * <D as Digest>::output_size().max(first.len()),
    };
    case.budget
        .work((RESULTS * ITERATIONS) as u64 * message_len as u64)?;

    let mut seed = first.clone();
    let mut array = Vec::with_capacity(RESULTS);
    for _ in 0..RESULTS {
        let mut last = [seed.clone(), seed.clone(), seed];
        for _ in 0..ITERATIONS {
            let mut message = last.concat();
            if alternate {
                message.resize(first.len(), 0);
            }
            last.rotate_left(1);
            last[2] = D::digest(message).to_vec();
        }
        let [.., digest] = last;
        array.push(answer([("md", &digest)]));
        seed = digest;
    }
    Ok(results(array))
}

/// A message of many repetitions of its beginning.
fn large_data<D: Digest>(case: &Case<'_>) -> Outcome {
    let message = case.inner("largeMsg")?;
    message.choice("expansionTechnique", &[("repeating", ())])?;
    let content = message.sized("content", "contentLength")?;
    let mut left = message.length("fullLength")?;
    if content.is_empty() {
        return Err(Fault::in_field(
            "content",
            Cause::Shape("this is not empty"),
        ));
    }
    case.budget.work(left)?;

    let piece = content.repeat(1 + PIECE / content.len());
    let mut hash = D::new();
    while left > 0 {
        let now = left.min(piece.len() as u64);
        hash.update(&piece[..now as usize]);
        left -= now;
    }
    Ok(answer([("md", &hash.finalize())]))
}
