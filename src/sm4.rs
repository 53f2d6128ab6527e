//! SM4, the block cipher of GB/T 32907-2016 (16-byte block, 16-byte key), with the modes that TLS
//! and key files use: GCM and CCM as `aead`, CTR and CBC as `cipher`.
//!
//! All of it runs in constant time, on kernels for the processor at hand; the kernel is chosen when
//! a key is made.

mod block;
mod cbc;
mod ccm;
mod ctr;
mod gcm;
mod sealer;
pub(crate) mod self_test;

pub use block::Sm4;
pub use cbc::{Sm4CbcDecryptor, Sm4CbcEncryptor};
pub use ccm::Sm4Ccm;
pub use ctr::{Sm4Ctr, Sm4CtrCore};
pub use gcm::Sm4Gcm;
pub use sealer::{SealError, Sm4GcmSealer};

use cipher::Array;
use cipher::consts::{U16, U64};
use cipher::inout::{InOut, InOutBuf};

#[doc(no_inline)]
pub use aead::{Aead, AeadInOut, KeyInit};

/// Size of an SM4 key in bytes.
pub const KEY_LEN: usize = 16;
/// Size of an SM4 block in bytes.
pub const BLOCK_LEN: usize = 16;
/// Size of a GCM and CCM nonce in bytes (RFC 8998, 2.1).
pub const NONCE_LEN: usize = 12;
/// Size of a GCM and CCM tag in bytes (RFC 8998, 2.1).
pub const TAG_LEN: usize = 16;

/// Stack that no operation here exceeds, to be wiped after it.
const STACK: usize = 4 << 10;

/// The blocks that a mode hands to a kernel at once: as many as the widest one encrypts at once.
type AtOnce = U64;

/// One block as several.
fn single<'i, 'o>(block: InOut<'i, 'o, Array<u8, U16>>) -> InOutBuf<'i, 'o, Array<u8, U16>> {
    block.into_buf().into_chunks().0
}
