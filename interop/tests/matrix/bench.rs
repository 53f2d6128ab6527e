//! What the cells of one foreign stack share: certificates, and meetings with sensible defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use shangmi::tls13;
use shangmi_interop::chain::{self, Kind};
use shangmi_interop::meeting::{Meeting, Ours};
use shangmi_interop::ours;
use shangmi_interop::peer;
use shangmi_interop::stack::Stack;

pub(crate) type Result<T = ()> = std::result::Result<T, ours::SetupError>;

/// What we are in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

pub(crate) const GCM: &str = "TLS_SM4_GCM_SM3";
pub(crate) const CCM: &str = "TLS_SM4_CCM_SM3";

pub(crate) struct Bench {
    pub(crate) stack: Stack,
    pub(crate) strict: Arc<CryptoProvider>,
    /// Good certificates for both ends, made by us.
    pub(crate) good: PathBuf,
    /// Good certificates under another root.
    pub(crate) other_root: PathBuf,
    /// Good certificates with a CA in between.
    pub(crate) intermediate: PathBuf,
    /// Good certificates made by the foreign stack.
    pub(crate) foreign: PathBuf,
    /// P-256 certificates made by the foreign stack.
    pub(crate) p256: PathBuf,
    pub(crate) expired: PathBuf,
    pub(crate) other_host: PathBuf,
    pub(crate) empty_id: PathBuf,
    pub(crate) other_id: PathBuf,
    pub(crate) no_digital_signature: PathBuf,
}

impl Bench {
    pub(crate) fn new(stack: Stack) -> Result<Self> {
        let ours = |name: &str, kind| {
            chain::make(&format!("{stack}/{name}"), kind).map_err(|error| error.to_string())
        };
        let foreign = |name: &str, options: &[&str]| -> Result<PathBuf> {
            let dir = chain::scratch(&format!("{stack}/{name}"))?;
            peer::make_chain(stack, &dir, options)?;
            Ok(dir)
        };
        Ok(Self {
            stack,
            strict: Arc::new(tls13::strict()),
            good: ours("good", Kind::Plain)?,
            other_root: ours("other-root", Kind::Plain)?,
            intermediate: ours("intermediate", Kind::Intermediate)?,
            foreign: foreign("foreign", &[])?,
            p256: foreign("p256", &["--kind", "p256"])?,
            expired: ours("expired", Kind::Expired)?,
            other_host: ours("other-host", Kind::OtherHost)?,
            empty_id: ours("empty-id", Kind::SignerId(b""))?,
            other_id: ours("other-id", Kind::SignerId(b"another signer"))?,
            no_digital_signature: ours("no-digital-signature", Kind::NoDigitalSignature)?,
        })
    }

    /// A meeting in which only the server has a certificate.
    pub(crate) fn server_auth(&self, role: Role, certificates: &Path) -> Result<Meeting> {
        let own = self.own(role, certificates)?;
        Ok(self.meeting(own).server_auth(certificates))
    }

    /// A meeting in which each end has the certificate in its directory, and trusts the other's.
    pub(crate) fn mutual(&self, role: Role, ours: &Path, peers: &Path) -> Result<Meeting> {
        let own = self.own_mutual(role, ours, peers)?;
        Ok(self.meeting(own).mutual(ours, peers))
    }

    /// Our end where only the server has a certificate.
    pub(crate) fn own(&self, role: Role, certificates: &Path) -> Result<Ours> {
        Ok(match role {
            Role::Client => ours::client_config(&self.strict, certificates, None)?.into(),
            Role::Server => ours::server_config(&self.strict, certificates, None)?.into(),
        })
    }

    /// Our end where both have one.
    pub(crate) fn own_mutual(&self, role: Role, identity: &Path, roots: &Path) -> Result<Ours> {
        own_mutual(&self.strict, role, identity, roots)
    }

    /// The peer speaks TLS_SM4_GCM_SM3 with curveSM2, strictly where it has such a mode.
    pub(crate) fn meeting(&self, own: Ours) -> Meeting {
        let meeting = self.lenient(own);
        match self.stack {
            Stack::OpenSsl => meeting,
            Stack::Tongsuo => meeting.peer(&["--strict"]),
        }
    }

    /// The same, but the peer may do what RFC 8998 does not allow.
    pub(crate) fn lenient(&self, own: Ours) -> Meeting {
        Meeting::new(self.stack, own).peer(&["--ciphersuites", GCM, "--groups", "curveSM2"])
    }
}

/// Our end with any provider, where both have a certificate.
pub(crate) fn own_mutual(
    provider: &Arc<CryptoProvider>,
    role: Role,
    identity: &Path,
    roots: &Path,
) -> Result<Ours> {
    Ok(match role {
        Role::Client => ours::client_config(provider, roots, Some(identity))?.into(),
        Role::Server => ours::server_config(provider, identity, Some(roots))?.into(),
    })
}
