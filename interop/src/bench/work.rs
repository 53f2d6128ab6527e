//! What there is to do, and the input that everyone does it with.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use shangmi::sm2::{DEFAULT_ID, SecretKey, Signer, SigningKey};

use super::Result;
use crate::chain;

/// One piece of work. In commands to another process it is a name and a length, `gcm-seal 16384`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// What to do.
    pub kind: Kind,
    /// With how many bytes; 0 where there are none.
    pub len: usize,
}

/// Declares the kinds with their names in commands.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// What to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }

        impl FromStr for Kind {
            type Err = String;

            fn from_str(name: &str) -> std::result::Result<Self, String> {
                match name {
                    $($name => Ok(Self::$kind),)+
                    _ => Err(format!("no such work: {name}")),
                }
            }
        }
    };
}

kinds! {
    /// SM4-GCM, in place, with five bytes of associated data as a TLS record has.
    GcmSeal = "gcm-seal",
    /// The opposite, into another buffer.
    GcmOpen = "gcm-open",
    /// SM4-CCM, in place.
    CcmSeal = "ccm-seal",
    /// SM4-CBC without padding, in place.
    CbcEncrypt = "cbc-encrypt",
    /// SM4-CTR, in place.
    CtrEncrypt = "ctr-encrypt",
    /// SM3.
    Hash = "hash",
    /// A 32-byte message, with the signature in DER.
    Sign = "sign",
    /// Of the same, with a key that is parsed already.
    Verify = "verify",
    /// A new key with the encoding of its point.
    GenerateKey = "generate-key",
    /// Shared secret from a private key and the peer's encoded point.
    Ecdh = "ecdh",
    /// A whole handshake with both ends authenticated, no tickets, both ends on one thread.
    Handshake = "handshake",
    /// One record of application data, from one end to the other.
    Record = "record",
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.len)
    }
}

/// The key of every cipher.
pub(super) const KEY: [u8; 16] = *b"shangmi's bench\0";
/// The nonce of every AEAD.
pub(super) const NONCE: [u8; 12] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The IV of CBC and the first counter block of CTR.
pub(super) const IV: [u8; 16] = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Associated data: the header of a TLS record (RFC 8446 5.2).
pub(super) const HEADER: &[u8; 5] = &[0x17, 0x03, 0x03, 0x40, 0x11];
/// What is signed.
pub(super) const MESSAGE: &[u8; 32] = &{
    let mut message = [0; 32];
    message[0] = 3;
    message
};

/// Byte i of every plaintext is i mod 256.
pub(super) fn plaintext(len: usize) -> Vec<u8> {
    (0..=255).cycle().take(len).collect()
}

/// What differs from run to run.
pub(super) struct Inputs {
    /// An SM2 key.
    pub(super) secret: [u8; 32],
    /// Its point.
    pub(super) public: [u8; 65],
    /// Its signature on [`MESSAGE`] in DER, by us.
    pub(super) signature: Vec<u8>,
    /// SM2 certificates for TLS.
    pub(super) certificates: PathBuf,
}

impl Inputs {
    pub(super) fn new() -> Result<Self> {
        // Several programs may run at once.
        let directory = format!("bench-{}", std::process::id());
        let certificates = chain::make(&directory, chain::Kind::Plain)?;
        // Not secret and the same everywhere, so that runs can be compared.
        let secret = [0x5a; 32];
        let key = SigningKey::new(SecretKey::from_bytes(&secret)?, DEFAULT_ID)?;
        Ok(Self {
            secret,
            public: key.verifying_key().public_key().to_sec1(),
            signature: key.try_sign(MESSAGE)?.to_der(),
            certificates,
        })
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // What stays behind is replaced by the next run with this number.
        let _ = std::fs::remove_dir_all(&self.certificates);
    }
}

/// For commands and messages.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
