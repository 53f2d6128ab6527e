//! `shangmi hsm`: keys in an HSM behind PKCS#11.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use shangmi::hsm::pkcs11::{
    self, Administration, Confirmation, KeySpec, OlderCertificates, Options, Uri,
};
use shangmi::pki::{Leaf, Purpose};

use super::arguments::{Hex, KeyArguments, TokenArguments};
use super::{End, Failure};

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Tell what the module, its tokens and keys are and can do; changes nothing.
    ///
    /// Without a PIN nobody logs in. With one, each key signs random digests, which are verified in
    /// software. The output has no PIN in it; send it in when something does not work.
    Probe(Probe),
    /// List the private keys of a token.
    Keys(Keys),
    /// Make a key pair in a token, and test it.
    Keygen(Keygen),
    /// Make a certification request (PKCS#10), signed by a key in a token.
    Csr(Csr),
    /// Store a certificate beside its private key.
    Import(Import),
    /// Delete a private key with its public key.
    Delete(Delete),
    /// Measure signatures per second against the number of sessions.
    Bench(Bench),
}

#[derive(Args)]
pub(crate) struct Probe {
    #[command(flatten)]
    token: TokenArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    token: TokenArguments,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Keygen {
    #[command(flatten)]
    token: TokenArguments,
    /// sm2, p256, p384, rsa2048, rsa3072 or rsa4096.
    #[arg(long)]
    kind: KeySpec,
    /// The label of the new key.
    #[arg(long)]
    label: String,
    /// The identifier of the new key, in hexadecimal digits; random without it.
    #[arg(long, value_name = "HEX")]
    id: Option<Hex>,
}

#[derive(Args)]
pub(crate) struct Csr {
    #[command(flatten)]
    token: TokenArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// The subject, such as CN=bank.example,O=Bank,C=CN.
    #[arg(long)]
    subject: String,
    /// A DNS name; may be repeated.
    #[arg(long)]
    dns: Vec<String>,
    /// An IP address; may be repeated.
    #[arg(long)]
    ip: Vec<IpAddr>,
    /// What the certificate is for; may be repeated. Without it: server where there is a name or
    /// an address, else client.
    #[arg(long, value_enum)]
    purpose: Vec<PurposeArgument>,
    /// The file to write, which must not exist; standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PurposeArgument {
    Server,
    Client,
}

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    token: TokenArguments,
    /// The certificate, in PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The certificates that the key has already are deleted.
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    token: TokenArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// The key's exact label, or its identifier in hexadecimal digits, once more.
    #[arg(long)]
    confirm: String,
    /// The certificates with the key's identifier go as well.
    #[arg(long)]
    with_certificates: bool,
}

#[derive(Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    token: TokenArguments,
    #[command(flatten)]
    key: KeyArguments,
    /// Numbers of sessions.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    sessions: Vec<u16>,
    /// How long to measure each number of sessions, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Verb {
    pub(crate) fn run(self) -> Result<End, Failure> {
        match self {
            Self::Probe(arguments) => arguments.run(),
            Self::Keys(arguments) => arguments.run(),
            Self::Keygen(arguments) => arguments.run(),
            Self::Csr(arguments) => arguments.run(),
            Self::Import(arguments) => arguments.run(),
            Self::Delete(arguments) => arguments.run(),
            Self::Bench(arguments) => arguments.run(),
        }
    }
}

impl Probe {
    fn run(self) -> Result<End, Failure> {
        let Self { token, key, json } = self;
        let report = in_time(&token, Some(&key), |uri, options| {
            Ok(pkcs11::probe(uri, options)?)
        })?;
        let text = match json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => report.to_string(),
        };
        Ok(match report.findings.is_empty() {
            true => End::Well(text),
            false => End::Finding(text),
        })
    }
}

impl Keys {
    fn run(self) -> Result<End, Failure> {
        let keys = administer(&self.token, None, |token, _| Ok(token.keys()?))?;
        Ok(End::Well(match self.json {
            true => serde_json::to_string_pretty(&keys)? + "\n",
            false => keys.iter().map(|key| format!("{key}\n")).collect(),
        }))
    }
}

impl Keygen {
    fn run(self) -> Result<End, Failure> {
        let Self {
            token,
            kind,
            label,
            id,
        } = self;
        let text = administer(&token, None, move |token, _| {
            let id = token.generate(kind, &label, id.as_ref().map(|id| &id.0[..]))?;
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            Ok(format!("object={label} id={id}\n"))
        })?;
        Ok(End::Well(text))
    }
}

impl Csr {
    fn run(self) -> Result<End, Failure> {
        let leaf = self.leaf()?;
        let pem = administer(&self.token, Some(&self.key), move |token, key| {
            Ok(token.request(key, &leaf)?.to_pem()?)
        })?;
        let Some(path) = self.out else {
            return Ok(End::Well(pem));
        };
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut file| file.write_all(pem.as_bytes()))
            .map_err(|error| Failure::Fault(format!("{}: {error}", path.display())))?;
        Ok(End::Well(String::new()))
    }

    fn leaf(&self) -> Result<Leaf, Failure> {
        let named = !(self.dns.is_empty() && self.ip.is_empty());
        let server =
            self.purpose.contains(&PurposeArgument::Server) || (self.purpose.is_empty() && named);
        let client = self.purpose.contains(&PurposeArgument::Client);
        let mut leaf = match (self.dns.split_first(), self.ip.split_first()) {
            _ if !server => self.named(Leaf::client("client"), &self.dns, &self.ip),
            (Some((first, rest)), _) => self.named(Leaf::server(first), rest, &self.ip),
            (None, Some((first, rest))) => {
                self.named(Leaf::server(&first.to_string()), &self.dns, rest)
            }
            (None, None) => {
                return Err(Failure::Usage("a server needs --dns or --ip".into()));
            }
        };
        if server && client {
            leaf = leaf.purpose(Purpose::Client);
        }
        Ok(leaf)
    }

    fn named(&self, leaf: Leaf, dns: &[String], ip: &[IpAddr]) -> Leaf {
        let leaf = leaf.subject(&self.subject);
        let leaf = dns.iter().fold(leaf, |leaf, name| leaf.dns(name));
        ip.iter().fold(leaf, |leaf, address| leaf.ip(*address))
    }
}

impl Import {
    fn run(self) -> Result<End, Failure> {
        let path = self.certificate;
        let older = match self.replace {
            true => OlderCertificates::Delete,
            false => OlderCertificates::Keep,
        };
        let certificate = fs::read(&path)
            .map_err(|error| Failure::Fault(format!("{}: {error}", path.display())))?;
        let key = administer(&self.token, None, move |token, _| {
            Ok(token.import_certificate(&certificate, older)?)
        })?;
        Ok(End::Well(format!("{key}\n")))
    }
}

impl Delete {
    fn run(self) -> Result<End, Failure> {
        let mut confirmation = Confirmation::of(self.confirm);
        if self.with_certificates {
            confirmation = confirmation.and_certificates();
        }
        let count = administer(&self.token, Some(&self.key), move |token, key| {
            Ok(token.delete(key, &confirmation)?)
        })?;
        Ok(End::Well(format!("{count} objects deleted\n")))
    }
}

impl Bench {
    fn run(self) -> Result<End, Failure> {
        let Self {
            mut token,
            key,
            sessions,
            seconds,
            json,
        } = self;
        let work = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
        token.timeout = token.timeout.saturating_add(work.saturating_mul(seconds));
        let measured = in_time(&token, Some(&key), move |uri, options| {
            let duration = Duration::from_secs(seconds);
            let measure = |count: u16| pkcs11::bench(uri, options, count.into(), duration);
            let measured: Result<Vec<_>, _> = sessions.into_iter().map(measure).collect();
            Ok(measured?)
        })?;
        if json {
            return Ok(End::Well(serde_json::to_string_pretty(&measured)? + "\n"));
        }
        let mut text = "sessions  signatures/s\n".to_owned();
        for one in measured {
            text += &format!("{:8}  {:12.0}\n", one.sessions, one.per_second());
        }
        Ok(End::Well(text))
    }
}

/// Works with a token that is logged in to; the URI names the key as well.
fn administer<T: Send + 'static>(
    token: &TokenArguments,
    key: Option<&KeyArguments>,
    work: impl FnOnce(&Administration, &Uri) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    in_time(token, key, |uri, options| {
        work(&Administration::open(uri, options)?, uri)
    })
}

/// A module may hang: the work is done on another thread, and left there when its time is over.
fn in_time<T: Send + 'static>(
    token: &TokenArguments,
    key: Option<&KeyArguments>,
    work: impl FnOnce(&Uri, &Options) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (uri, options) = token.open(key)?;
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        // Nobody waits any more if this fails.
        _ = done.send(work(&uri, &options));
    });
    let ended = result.recv_timeout(Duration::from_secs(token.timeout));
    ended.unwrap_or_else(|error| {
        Err(Failure::Fault(match error {
            RecvTimeoutError::Timeout => {
                format!("the module gave no answer in {} s", token.timeout)
            }
            RecvTimeoutError::Disconnected => "the work ended without a result".into(),
        }))
    })
}
