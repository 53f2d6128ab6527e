//! HMAC (draft-fussell-acvp-mac).

use digest::{KeyInit, Mac};

use super::case::{Case, Outcome, answer, wrong_length};
use super::error::Fault;

/// The leftmost `macLen` bits of the tag.
pub(super) fn hmac<M: Mac + KeyInit>(case: &Case<'_>) -> Outcome {
    let key = case.sized("key", "keyLen")?;
    let message = case.sized("msg", "msgLen")?;
    let length = case.output_length("macLen")?;
    case.budget.work((key.len() + message.len()) as u64)?;

    let mac = <M as KeyInit>::new_from_slice(&key).map_err(Fault::refused)?;
    let tag = mac.chain_update(message).finalize().into_bytes();
    let tag_len = tag.len();
    let tag = tag.get(..length);
    let tag = tag.ok_or(wrong_length("macLen", tag_len, length))?;
    Ok(answer([("mac", tag)]))
}
