//! What the deterministic random bit generators of SP 800-90A Rev. 1 have in common: their functions
//! (clause 9), their limits (tables 2 and 3) and their errors.

use std::fmt;
use std::time::Duration;

/// Most bytes that SP 800-90A lets one request ask for: 2^19 bits (SP 800-90A Rev. 1, tables 2 and 3).
pub const MAX_REQUEST: usize = 1 << 16;

/// Most requests between two seedings (SP 800-90A Rev. 1, tables 2 and 3).
pub const RESEED_INTERVAL: u64 = 1 << 48;

/// Largest size in bytes of an input. The standard allows up to 2^32; of this, three together can
/// still be counted in the 32 bits of Block_Cipher_df.
pub(super) const MAX_INPUT: u64 = 1 << 30;

/// Stack that no operation of a generator exceeds, to be wiped after it.
pub(super) const STACK: usize = 8 << 10;

/// When GM/T 0105-2021 wants a generator to be reseeded: after so many requests, or so much time,
/// whichever comes first. To be kept by the generator's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReseedLimits {
    /// Most requests between two seedings.
    pub requests: u64,
    /// Longest time between two seedings.
    pub age: Duration,
}

impl ReseedLimits {
    /// For modules of security level one.
    pub const LEVEL_1: Self = Self {
        requests: 1 << 20,
        age: Duration::from_secs(600),
    };
    /// For modules of security level two.
    pub const LEVEL_2: Self = Self {
        requests: 1 << 10,
        age: Duration::from_secs(60),
    };
}

/// A deterministic random bit generator (SP 800-90A Rev. 1, clause 9).
///
/// It computes its output from the entropy input that its owner gives it, and nothing else: where
/// that comes from, and when to reseed before [`RESEED_INTERVAL`] is over, are the owner's task.
/// Its state is on the heap, and wiped when dropped, which is the standard's Uninstantiate. On an
/// error nothing has been generated and the state is what it was.
pub trait Drbg: Sized {
    /// Security strength in bytes: 32 for SHA-256 and SM3, the size of the key for a block cipher.
    const STRENGTH: usize;
    /// Least size in bytes of the entropy input, for instantiating and for reseeding.
    const ENTROPY_LEN: usize;
    /// Least size in bytes of the nonce.
    const NONCE_LEN: usize;
    /// Largest size in bytes of the entropy input, of the nonce, of the personalization string, and of
    /// additional input.
    const MAX_INPUT: u64;
    /// Most bytes that one request may ask for.
    const MAX_REQUEST: usize = MAX_REQUEST;

    /// A generator seeded with `entropy` (9.1).
    ///
    /// `entropy` holds at least [`Drbg::STRENGTH`] bytes of min-entropy and is secret; `nonce`
    /// does not repeat; `personalization` may be empty.
    ///
    /// # Errors
    ///
    /// An input that is too short or too long.
    fn instantiate(entropy: &[u8], nonce: &[u8], personalization: &[u8])
    -> Result<Self, DrbgError>;

    /// Takes fresh `entropy` into the state, and counts requests anew (9.2). `additional` may be empty.
    ///
    /// # Errors
    ///
    /// An input that is too short or too long.
    fn reseed(&mut self, entropy: &[u8], additional: &[u8]) -> Result<(), DrbgError>;

    /// Fills `out`, at most [`Drbg::MAX_REQUEST`] bytes (9.3). `additional` may be empty.
    ///
    /// # Errors
    ///
    /// [`DrbgError::ReseedRequired`] when the reseed counter has gone beyond [`RESEED_INTERVAL`]; a request or an
    /// input that is too long.
    fn generate(&mut self, out: &mut [u8], additional: &[u8]) -> Result<(), DrbgError>;

    /// Reseeds with fresh `entropy` and fills `out`: a request with prediction resistance (9.3.1).
    ///
    /// # Errors
    ///
    /// A request that is too long; an input that is too short or too long.
    fn generate_reseeded(
        &mut self,
        entropy: &[u8],
        out: &mut [u8],
        additional: &[u8],
    ) -> Result<(), DrbgError> {
        check_request::<Self>(out)?;
        self.reseed(entropy, additional)?;
        self.generate(out, &[])
    }

    /// The reseed counter: one more than the requests since the last seeding.
    fn reseed_counter(&self) -> u64;
}

/// Why a generator did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrbgError {
    /// The entropy input is shorter than [`Drbg::ENTROPY_LEN`].
    EntropyTooShort,
    /// The nonce is shorter than [`Drbg::NONCE_LEN`].
    NonceTooShort,
    /// An input is longer than [`Drbg::MAX_INPUT`].
    InputTooLong,
    /// More than [`Drbg::MAX_REQUEST`] bytes were asked for at once.
    RequestTooLong,
    /// The seed has served [`RESEED_INTERVAL`] requests.
    ReseedRequired,
}

impl fmt::Display for DrbgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EntropyTooShort => "the entropy input is too short for this generator",
            Self::NonceTooShort => "the nonce is too short for this generator",
            Self::InputTooLong => "an input is longer than this generator takes",
            Self::RequestTooLong => {
                "more bytes were asked for than one request may get: make several requests"
            }
            Self::ReseedRequired => "the generator must be reseeded before it gives more",
        })
    }
}

impl std::error::Error for DrbgError {}

/// Checks what a generator is instantiated with against its limits (9.1).
pub(super) fn check_instantiate<D: Drbg>(
    entropy: &[u8],
    nonce: &[u8],
    personalization: &[u8],
) -> Result<(), DrbgError> {
    if nonce.len() < D::NONCE_LEN {
        return Err(DrbgError::NonceTooShort);
    }
    check_input::<D>(nonce)?;
    check_reseed::<D>(entropy, personalization)
}

/// Checks what a generator is reseeded with against its limits (9.2).
pub(super) fn check_reseed<D: Drbg>(entropy: &[u8], additional: &[u8]) -> Result<(), DrbgError> {
    if entropy.len() < D::ENTROPY_LEN {
        return Err(DrbgError::EntropyTooShort);
    }
    check_input::<D>(entropy)?;
    check_input::<D>(additional)
}

/// Checks a request against the limits of a generator (9.3).
pub(super) fn check_generate<D: Drbg>(
    drbg: &D,
    out: &[u8],
    additional: &[u8],
) -> Result<(), DrbgError> {
    check_request::<D>(out)?;
    check_input::<D>(additional)?;
    if drbg.reseed_counter() > RESEED_INTERVAL {
        return Err(DrbgError::ReseedRequired);
    }
    Ok(())
}

fn check_request<D: Drbg>(out: &[u8]) -> Result<(), DrbgError> {
    if out.len() > D::MAX_REQUEST {
        return Err(DrbgError::RequestTooLong);
    }
    Ok(())
}

fn check_input<D: Drbg>(input: &[u8]) -> Result<(), DrbgError> {
    if input.len() as u64 > D::MAX_INPUT {
        return Err(DrbgError::InputTooLong);
    }
    Ok(())
}
