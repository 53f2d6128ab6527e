//! Certificates made with our `pki`, in the layout that the foreign stacks' `make_chain` has too:
//! `{ca,server,client}.{pem,key}`, all SM2.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use shangmi::pki::{Ca, Certificate, KeyUsages, Leaf, Validity, key};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;

use crate::stack::target_dir;

/// The name in server certificates.
pub const HOST: &str = "localhost";

/// A name that is not in them.
pub const OTHER_HOST: &str = "elsewhere.test";

/// The common name in client certificates.
pub const CLIENT: &str = "interop client";

/// How a chain differs from a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not at all: a root and two leaves.
    Plain,
    /// Good, with a subordinate CA between the root and the leaves.
    Intermediate,
    /// The leaves ended yesterday.
    Expired,
    /// The leaves' KeyUsage is keyEncipherment only.
    NoDigitalSignature,
    /// The server certificate is for another host.
    OtherHost,
    /// The root signs the leaves under another signer ID.
    SignerId(&'static [u8]),
}

/// Makes a chain in a directory of this name, which is emptied first.
///
/// # Errors
/// When our `pki` or the file system refuses.
pub fn make(name: &str, kind: Kind) -> Result<PathBuf, Box<dyn Error>> {
    let dir = scratch(name)?;
    let root_key = SecretKey::generate(&mut SystemRandom)?;
    // A name of its own, so that a wrong root is unknown, not one with a wrong key.
    let subject = format!("CN=interop root {}", name.replace('/', " "));
    let root = Ca::self_signed(&subject, root_key, Validity::days(30))?;
    fs::write(dir.join("ca.pem"), root.certificate().to_pem()?)?;

    let issuer = match kind {
        Kind::SignerId(id) => root.with_signer_id(id),
        Kind::Intermediate => {
            let key = SecretKey::generate(&mut SystemRandom)?;
            root.subordinate("CN=interop intermediate", key, Validity::days(30), 0)?
        }
        _ => root,
    };
    let between = match kind {
        Kind::Intermediate => Some(issuer.certificate()),
        _ => None,
    };
    let host = match kind {
        Kind::OtherHost => OTHER_HOST,
        _ => HOST,
    };
    for (file, leaf) in [
        ("server", Leaf::server(host)),
        ("client", Leaf::client(CLIENT)),
    ] {
        let leaf = match kind {
            Kind::Expired => leaf.validity(yesterday()),
            Kind::NoDigitalSignature => leaf.key_usage(KeyUsages::KeyEncipherment),
            _ => leaf,
        };
        let leaf_key = SecretKey::generate(&mut SystemRandom)?;
        let certificate = issuer.issue(&leaf, leaf_key.public_key())?;
        save(&dir, file, &certificate, between, &leaf_key)?;
    }
    Ok(dir)
}

/// An empty directory for one test's files.
///
/// # Errors
/// When the file system refuses.
pub fn scratch(name: &str) -> std::io::Result<PathBuf> {
    let dir = target_dir().join("tmp/interop").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn save(
    dir: &Path,
    file: &str,
    own: &Certificate,
    between: Option<&Certificate>,
    secret: &SecretKey,
) -> Result<(), Box<dyn Error>> {
    let mut pem = own.to_pem()?;
    if let Some(intermediate) = between {
        pem.push_str(&intermediate.to_pem()?);
    }
    fs::write(dir.join(format!("{file}.pem")), pem)?;
    let key = key::to_pkcs8_pem(secret)?;
    fs::write(dir.join(format!("{file}.key")), key.as_bytes())?;
    Ok(())
}

fn yesterday() -> Validity {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let now = SystemTime::now();
    Validity::new(now - 2 * DAY, now - DAY)
}
