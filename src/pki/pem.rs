//! PEM text (RFC 7468) that may hold secrets: every intermediate buffer is wiped.

use der::pem::{Base64Decoder, LineEnding};
use zeroize::{Zeroize, Zeroizing};

use super::error::{Error, Item};

/// The longest PEM text that is searched, in bytes.
pub(super) const MAX_PEM: usize = 256 * 1024;

/// Finds the only block of this kind and decodes it; other blocks are skipped.
///
/// Returns the label and the DER bytes.
pub(super) fn decode_one(pem: &[u8], item: Item) -> Result<(&str, Zeroizing<Vec<u8>>), Error> {
    let mut found = blocks_of(pem, item)?;
    let block = found.next().ok_or(Error::NotFound { item })??;
    match found.next() {
        None => Ok((block.label, block.decode(item)?)),
        Some(Ok(_)) => Err(Error::Ambiguous { item }),
        Some(Err(error)) => Err(error),
    }
}

/// Decodes every block of this kind, in the order of the text; other blocks are skipped.
pub(super) fn decode_all(pem: &[u8], item: Item) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
    blocks_of(pem, item)?
        .map(|block| block?.decode(item))
        .collect()
}

/// Encodes with lines of 64 characters, each ended by one line feed.
pub(super) fn encode(label: &str, der: &[u8], item: Item) -> Result<Zeroizing<String>, Error> {
    let damaged = |source| Error::Pem { item, source };
    let length = der::pem::encoded_len(label, LineEnding::LF, der).map_err(damaged)?;
    let mut text = Zeroizing::new(vec![0; length]);
    let written = der::pem::encode(label, LineEnding::LF, der, &mut text).map_err(damaged)?;
    let written = written.len();
    text.truncate(written);
    // Moves the allocation, so that no copy of a private key is left behind.
    String::from_utf8(std::mem::take(&mut *text))
        .map(Zeroizing::new)
        .map_err(|error| {
            error.into_bytes().zeroize();
            damaged(der::pem::Error::CharacterEncoding)
        })
}

struct Block<'a> {
    label: &'a str,
    body: &'a [u8],
}

impl Block<'_> {
    fn decode(&self, item: Item) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.body.contains(&b':') {
            // RFC 1421 headers, which OpenSSL's traditional format uses for encrypted keys.
            return Err(match find(self.body, b"ENCRYPTED") {
                Some(_) => Error::Encrypted,
                None => Error::Pem {
                    item,
                    source: der::pem::Error::HeaderDisallowed,
                },
            });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(self.body.len()));
        text.extend(self.body.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let damaged = |error| Error::Pem {
            item,
            source: der::pem::Error::Base64(error),
        };
        let mut decoder = Base64Decoder::new(&text).map_err(damaged)?;
        let mut der = Zeroizing::new(vec![0; decoder.remaining_len()]);
        decoder.decode(&mut der).map_err(damaged)?;
        Ok(der)
    }
}

fn blocks_of(
    pem: &[u8],
    item: Item,
) -> Result<impl Iterator<Item = Result<Block<'_>, Error>>, Error> {
    let is_of_kind = move |block: &Result<Block<'_>, Error>| match block {
        Ok(block) => item.has_label(block.label),
        Err(_) => true,
    };
    Ok(blocks(pem, item)?.filter(is_of_kind))
}

/// The blocks of a PEM text; text between them is ignored (RFC 7468 section 2).
fn blocks(pem: &[u8], item: Item) -> Result<impl Iterator<Item = Result<Block<'_>, Error>>, Error> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const DASHES: &[u8] = b"-----";

    if pem.len() > MAX_PEM {
        return Err(Error::TooLarge {
            item,
            limit: MAX_PEM,
        });
    }
    let damaged = move |source| Error::Pem { item, source };
    let mut rest = pem;
    Ok(std::iter::from_fn(move || {
        let (_, after) = split(rest, BEGIN)?;
        // A fault ends the iteration.
        rest = &[];
        let Some((label, after)) = split(after, DASHES) else {
            return Some(Err(damaged(der::pem::Error::PreEncapsulationBoundary)));
        };
        let label = match std::str::from_utf8(label) {
            Ok(label)
                if label
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic()) =>
            {
                label
            }
            _ => return Some(Err(damaged(der::pem::Error::Label))),
        };
        let ended = split(after, END).and_then(|(body, after)| {
            let after = after.strip_prefix(label.as_bytes())?;
            Some((body, after.strip_prefix(DASHES)?))
        });
        let Some((body, after)) = ended else {
            return Some(Err(damaged(der::pem::Error::PostEncapsulationBoundary)));
        };
        rest = after;
        Some(Ok(Block { label, body }))
    }))
}

/// What stands before and after the first occurrence of `mark`.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
