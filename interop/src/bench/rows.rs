//! What is measured, and how much faster than whom we promise to be on a processor with 256-bit AES
//! instructions.

use super::Who::{self, AwsLc, Botan, Libgcrypt, OpenSsl, Ours, OursPortable, RustCrypto, Tongsuo};
use super::work::{Kind, Work};

/// One row of the table.
pub struct Row {
    /// What a reader calls it.
    pub name: &'static str,
    /// What is done.
    pub work: Work,
    /// Which of our two processes does it.
    pub ours: Who,
    /// What is promised.
    pub promise: Promise,
}

/// The least ratios that a row must show.
pub enum Promise {
    /// Against these.
    Each(&'static [(Who, f64)]),
    /// Against the fastest of those measured that does the same work.
    Best(f64),
    /// None, and why.
    None(&'static str),
}

use Promise::{Best, Each, None};

const RECORD: usize = 16 * 1024;
/// What a record carries that fits into one Ethernet frame.
const FRAME: usize = 1350;

/// The table, in its order.
pub const ROWS: &[Row] = &[
    row(
        "SM4-GCM seal, 16 KiB",
        (Kind::GcmSeal, RECORD),
        Each(&[(Libgcrypt, 1.7), (OpenSsl, 8.0), (Tongsuo, 8.0)]),
    ),
    row(
        "SM4-GCM open, 16 KiB",
        (Kind::GcmOpen, RECORD),
        Each(&[(Libgcrypt, 1.7), (OpenSsl, 8.0), (Tongsuo, 8.0)]),
    ),
    row("SM4-GCM seal, 1,350 B", (Kind::GcmSeal, FRAME), Best(1.6)),
    row("SM4-GCM seal, 64 B", (Kind::GcmSeal, 64), Best(1.3)),
    row(
        "SM4-CBC encryption, 16 KiB",
        (Kind::CbcEncrypt, RECORD),
        None(
            "no peer is constant-time here: for one block at a time, all look the S-box up in tables",
        ),
    ),
    row("SM4-CCM seal, 16 KiB", (Kind::CcmSeal, RECORD), Best(1.2)),
    row(
        "SM3, 16 KiB",
        (Kind::Hash, RECORD),
        Each(&[(RustCrypto, 1.25), (Libgcrypt, 1.1), (Botan, 1.1)]),
    ),
    row(
        "SM3, 64 B",
        (Kind::Hash, 64),
        Each(&[(RustCrypto, 1.25), (Libgcrypt, 1.1), (Botan, 1.1)]),
    ),
    row("SM2 sign", (Kind::Sign, 0), Each(&[(AwsLc, 1.6)])),
    row(
        "SM2 key generation",
        (Kind::GenerateKey, 0),
        Each(&[(AwsLc, 1.5)]),
    ),
    row("SM2 verify", (Kind::Verify, 0), Each(&[(AwsLc, 1.6)])),
    row("SM2 ECDH derive", (Kind::Ecdh, 0), Each(&[(AwsLc, 1.4)])),
    row(
        "RFC 8998 mutual handshake, both ends on one thread",
        (Kind::Handshake, 0),
        Each(&[(AwsLc, 1.3), (OpenSsl, 10.0), (Tongsuo, 10.0)]),
    ),
    row(
        "application data, records of 16 KiB",
        (Kind::Record, RECORD),
        Each(&[(OpenSsl, 8.0), (Tongsuo, 8.0)]),
    ),
    Row {
        ours: OursPortable,
        ..row(
            "portable SM4-CTR, 16 KiB",
            (Kind::CtrEncrypt, RECORD),
            Each(&[(RustCrypto, 1.5)]),
        )
    },
];

const fn row(name: &'static str, (kind, len): (Kind, usize), promise: Promise) -> Row {
    Row {
        name,
        work: Work { kind, len },
        ours: Ours,
        promise,
    }
}

impl Row {
    /// In what the row counts.
    pub fn unit(&self) -> &'static str {
        if self.work.len > 0 { "MB/s" } else { "1/s" }
    }
}
