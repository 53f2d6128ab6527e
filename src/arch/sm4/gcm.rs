//! GCM with a nonce of 96 bits (NIST SP 800-38D, 7.1 and 7.2), over what a kernel does at once.

use cipher::inout::InOutBuf;

use super::Direction;

/// A key and a nonce of one kernel.
pub(crate) trait Gcm {
    /// GHASH of what was hashed so far.
    type State: Copy;
    /// The bytes that are encrypted at once.
    const CHUNK: usize;

    /// GHASH of nothing.
    fn start(&self) -> Self::State;
    /// Hashes `data`, filled up with zeros to whole blocks, and then `last`.
    fn hash(&self, state: Self::State, data: &[u8], last: Option<&[u8; 16]>) -> Self::State;
    /// Encrypts or decrypts CHUNK bytes from `counter` on, and hashes what `hashed` says.
    fn chunk(
        &self,
        counter: u32,
        chunk: &mut InOutBuf<'_, '_, u8>,
        state: Self::State,
        hashed: Hashed<'_>,
    ) -> Self::State;
    /// Encrypts or decrypts less than CHUNK bytes from `counter` on, and hashes `previous`, which
    /// is a chunk or empty. Returns also the encryption of the block whose counter is 1.
    fn tail(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        state: Self::State,
        previous: &[u8],
    ) -> (Self::State, [u8; 16]);
    /// The state as a block, plus `mask`.
    fn tag(&self, state: Self::State, mask: &[u8; 16]) -> [u8; 16];
}

/// What to hash while a chunk is encrypted or decrypted.
pub(crate) enum Hashed<'a> {
    /// Another chunk, or nothing.
    Previous(&'a [u8]),
    /// The chunk as it comes in.
    This,
}

/// Encrypts or decrypts `buf` and returns the tag.
#[inline(always)]
pub(crate) fn crypt<G: Gcm>(
    gcm: &G,
    direction: Direction,
    associated_data: &[u8],
    mut buf: InOutBuf<'_, '_, u8>,
) -> [u8; 16] {
    let mut lengths = [0; 16];
    lengths[..8].copy_from_slice(&(8 * associated_data.len() as u64).to_be_bytes());
    lengths[8..].copy_from_slice(&(8 * buf.len() as u64).to_be_bytes());

    let mut state = gcm.hash(gcm.start(), associated_data, None);
    let mut counter = 2;
    let mut previous: &[u8] = &[];
    while buf.len() >= G::CHUNK {
        let (mut chunk, rest) = buf.split_at(G::CHUNK);
        let hashed = match direction {
            Direction::Encrypt => Hashed::Previous(previous),
            Direction::Decrypt => Hashed::This,
        };
        state = gcm.chunk(counter, &mut chunk, state, hashed);
        if direction == Direction::Encrypt {
            previous = chunk.into_out();
        }
        counter = counter.wrapping_add((G::CHUNK / 16) as u32);
        buf = rest;
    }

    let mask;
    match direction {
        Direction::Encrypt => {
            let mut tail = buf;
            (state, mask) = gcm.tail(counter, tail.reborrow(), state, previous);
            state = gcm.hash(state, tail.get_out(), Some(&lengths));
        }
        Direction::Decrypt => {
            state = gcm.hash(state, buf.get_in(), Some(&lengths));
            (state, mask) = gcm.tail(counter, buf, state, &[]);
        }
    }
    gcm.tag(state, &mask)
}
