//! The benchmark behind `./figures kernels`: one program that measures us and the peers in one run.
//!
//! [`rows`] says what is measured and how much faster we promise to be. Each contender makes a
//! [`Task`] of a [`Work`]; [`measure`] runs them in turns. libgcrypt and Botan are opened at run
//! time into this process; OpenSSL, Tongsuo and our own portable code are other processes that
//! take their turns by commands over a pipe ([`driver`]).
//!
//! Figures decide no test; that all contenders give the same results does: [`agree`].

mod aws_lc;
mod botan;
mod driver;
mod gcrypt;
mod library;
mod machine;
mod ours;
mod rustcrypto;
mod task;
mod traits;

pub mod measure;
pub mod rows;
pub mod work;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use shangmi::sm2::{DEFAULT_ID, PublicKey, Signature, Verifier, VerifyingKey};

use crate::stack::Stack;
use rows::Row;
use task::Task;
use work::{Inputs, Kind, MESSAGE, Work};

pub use driver::serve;
pub use machine::Machine;
pub use ours::Ours;

/// What may go wrong: any contender's error.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// This library.
    Ours,
    /// This library with every instruction hidden that not all processors have.
    OursPortable,
    /// GnuPG's library, Debian's build.
    Libgcrypt,
    /// Botan 2, Debian's build.
    Botan,
    /// OpenSSL 4, built here with its own defaults.
    OpenSsl,
    /// Tongsuo 8.5, built here with its own defaults.
    Tongsuo,
    /// The RustCrypto crates.
    RustCrypto,
    /// AES-128-GCM, SHA-256 and P-256 by aws-lc-rs: the yardstick of mainstream TLS.
    AwsLc,
}

impl Who {
    /// Works with the SM algorithms, so that its results can be compared with ours.
    pub fn speaks_sm(self) -> bool {
        self != Self::AwsLc
    }
}

/// One that takes part.
trait Contender {
    fn who(&self) -> Who;

    /// Name and version, as the library itself reports it where it does.
    fn name(&self) -> String;

    /// Name and version of what does this work, for a figure.
    fn name_for(&self, _work: Work) -> String {
        self.name()
    }

    /// Which special instructions it uses, in its own words where it has some.
    fn hardware(&self) -> String;

    /// How this contender does `work`; `None` if it cannot.
    fn task(&self, work: Work, inputs: &Inputs) -> Result<Option<Box<dyn Task>>>;
}

/// All that take part, ready to run.
pub struct Bench {
    inputs: Inputs,
    contenders: Vec<Box<dyn Contender>>,
}

impl Bench {
    /// Loads and starts every contender; one that is missing is an error. `program` runs
    /// [`serve`] when it is called with the argument `serve`.
    ///
    /// # Errors
    /// When a library is not installed or a stack cannot be built.
    pub fn new(program: &Path) -> Result<Self> {
        let inputs = Inputs::new()?;
        let contenders: Vec<Box<dyn Contender>> = vec![
            Box::new(Ours),
            Box::new(driver::portable(program)?),
            Box::new(gcrypt::Libgcrypt::load()?),
            Box::new(botan::Botan::load()?),
            Box::new(driver::stack(Stack::OpenSsl, &inputs)?),
            Box::new(driver::stack(Stack::Tongsuo, &inputs)?),
            Box::new(rustcrypto::RustCrypto),
            Box::new(aws_lc::AwsLc),
        ];
        Ok(Self { inputs, contenders })
    }

    /// Who they are: each with its name and version, and the instructions that it uses.
    pub fn contenders(&self) -> Vec<(String, String)> {
        self.contenders
            .iter()
            .map(|contender| (contender.name(), contender.hardware()))
            .collect()
    }

    /// The tasks of a row: ours first, then every peer's that can do it.
    fn entries(&self, row: &Row) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for contender in &self.contenders {
            let who = contender.who();
            let ours = matches!(who, Who::Ours | Who::OursPortable);
            if ours && who != row.ours {
                continue;
            }
            let named = |error| format!("{}: {}: {error}", row.name, contender.name());
            let task = contender.task(row.work, &self.inputs).map_err(named)?;
            entries.extend(task.map(|task| Entry {
                who,
                name: contender.name_for(row.work),
                task,
            }));
        }
        Ok(entries)
    }
}

struct Entry {
    who: Who,
    name: String,
    task: Box<dyn Task>,
}

/// Does the row's work once with everyone and compares what comes out: equal bytes, signatures that
/// we accept, keys that are points of the curve. Returns who took part.
///
/// # Errors
/// When one cannot do the work or gives something else; both results are shown.
pub fn agree(bench: &Bench, row: &Row) -> Result<Vec<Who>> {
    let mut outputs = BTreeMap::new();
    for mut entry in bench.entries(row)? {
        let named = |error| format!("{}: {}: {error}", row.name, entry.name);
        let output = entry.task.output().map_err(named)?;
        entry.task.time(2).map_err(named)?;
        outputs.insert(entry.who, output);
    }
    let ours = outputs.get(&row.ours).ok_or("we do not take part")?;
    for (who, theirs) in outputs.iter().filter(|(who, _)| who.speaks_sm()) {
        if !as_good(row.work.kind, &bench.inputs, ours, theirs) {
            let (ours, theirs) = (work::hex(ours), work::hex(theirs));
            return Err(format!("{}: {who:?} gives {theirs}, we give {ours}", row.name).into());
        }
    }
    Ok(outputs.into_keys().collect())
}

/// Whether a contender's result is what ours says it must be.
fn as_good(kind: Kind, inputs: &Inputs, ours: &[u8], theirs: &[u8]) -> bool {
    match kind {
        Kind::Sign => verifies(inputs, theirs),
        Kind::GenerateKey => PublicKey::from_sec1(theirs).is_ok(),
        _ => theirs == ours,
    }
}

/// A signature as r || s or in DER.
fn verifies(inputs: &Inputs, signature: &[u8]) -> bool {
    let parsed = match <&[u8; 64]>::try_from(signature) {
        Ok(raw) => Signature::from_bytes(raw),
        Err(_) => Signature::from_der(signature),
    };
    let key = PublicKey::from_sec1(&inputs.public);
    match (
        parsed,
        key.and_then(|key| VerifyingKey::new(key, DEFAULT_ID)),
    ) {
        (Ok(signature), Ok(key)) => key.verify(MESSAGE, &signature).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_result_is_not_as_good() {
        let inputs = Inputs::new().unwrap();
        let judge = |kind, theirs: &[u8]| as_good(kind, &inputs, b"ours", theirs);
        assert!(judge(Kind::GcmSeal, b"ours"));
        assert!(!judge(Kind::GcmSeal, b"other"));

        let mut signature = inputs.signature.clone();
        assert!(judge(Kind::Sign, &signature));
        *signature.last_mut().unwrap() ^= 1;
        assert!(!judge(Kind::Sign, &signature));

        let mut point = inputs.public;
        assert!(judge(Kind::GenerateKey, &point));
        point[64] ^= 1;
        assert!(!judge(Kind::GenerateKey, &point));
    }
}
