//! What one end must refuse, and with which alert; the other end must have read it.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{
    AlertDescription, CertificateError, Error, PeerIncompatible, SignatureAlgorithm,
    SignatureScheme,
};
use shangmi::sm2::{self, SecretKey, SignDigest};
use shangmi::{pki, tls13};
use shangmi_interop::chain::OTHER_HOST;
use shangmi_interop::meeting::Meeting;
use shangmi_interop::ours;

use crate::bench::{Bench, Result, Role, own_mutual};
use crate::{BOTH, Feature};

const CLIENT: &[Role] = &[Role::Client];
const SERVER: &[Role] = &[Role::Server];

pub(crate) const FEATURES: [Feature; 20] = [
    Feature {
        name: "we-refuse/wrong-ca",
        title: "We refuse a wrong CA: unknown_ca",
        roles: BOTH,
        check: |bench, role| {
            let own = bench.own_mutual(role, &bench.good, &bench.other_root)?;
            let met = bench.meeting(own).mutual(&bench.good, &bench.good).run()?;
            met.we_refused(AlertDescription::UnknownCA, |error| {
                *error == CertificateError::UnknownIssuer.into()
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/expired",
        title: "We refuse an expired certificate: certificate_expired",
        roles: BOTH,
        check: |bench, role| {
            let met = bench.mutual(role, &bench.good, &bench.expired)?.run()?;
            met.we_refused(AlertDescription::CertificateExpired, |error| {
                matches!(
                    error,
                    Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
                )
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/wrong-name",
        title: "We refuse a wrong name: bad_certificate",
        roles: CLIENT,
        check: |bench, role| {
            let met = bench.server_auth(role, &bench.other_host)?.run()?;
            met.we_refused(AlertDescription::BadCertificate, |error| {
                matches!(
                    error,
                    Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
                )
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/no-client-certificate",
        title: "We refuse a missing client certificate: certificate_required",
        roles: SERVER,
        check: |bench, role| {
            let own = bench.own_mutual(role, &bench.good, &bench.good)?;
            let met = bench.meeting(own).peer_trusts(&bench.good).run()?;
            met.we_refused(AlertDescription::CertificateRequired, |error| {
                *error == Error::NoCertificatesPresented
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/empty-signer-id",
        title: "We refuse a certificate signed under an empty ID: certificate_unknown",
        roles: BOTH,
        check: |bench, role| {
            let met = bench.mutual(role, &bench.good, &bench.empty_id)?.run()?;
            met.we_refused(AlertDescription::CertificateUnknown, |error| {
                matches!(tls13::Error::find(error), Some(tls13::Error::EmptySignerId))
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/other-signer-id",
        title: "We refuse a certificate signed under another ID: decrypt_error",
        roles: BOTH,
        check: |bench, role| {
            let met = bench.mutual(role, &bench.good, &bench.other_id)?.run()?;
            met.we_refused(AlertDescription::DecryptError, |error| {
                *error == CertificateError::BadSignature.into()
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/no-digital-signature",
        title: "We refuse a KeyUsage without digitalSignature: certificate_unknown",
        roles: BOTH,
        check: |bench, role| {
            let peers = &bench.no_digital_signature;
            let met = lenient_mutual(bench, role, peers)?.run()?;
            met.we_refused(AlertDescription::CertificateUnknown, |error| {
                matches!(
                    tls13::Error::find(error),
                    Some(tls13::Error::NoDigitalSignature)
                )
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/no-sm-suite",
        title: "We refuse a client that offers no SM suite: handshake_failure",
        roles: SERVER,
        check: |bench, role| {
            let met = without_sm(bench, role)?.run()?;
            met.we_refused(AlertDescription::HandshakeFailure, |error| {
                *error == PeerIncompatible::NoCipherSuitesInCommon.into()
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/other-group",
        title: "We refuse a client with X25519MLKEM768 only: handshake_failure",
        roles: SERVER,
        check: |bench, role| {
            let met = hybrid_only(bench, role)?.run()?;
            met.we_refused(AlertDescription::HandshakeFailure, |error| {
                *error == PeerIncompatible::NoKxGroupsInCommon.into()
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/p256-certificate",
        title: "We take no client with a P-256 certificate: certificate_required",
        roles: SERVER,
        check: |bench, role| {
            let met = lenient_mutual(bench, role, &bench.p256)?.run()?;
            met.we_refused(AlertDescription::CertificateRequired, |error| {
                *error == Error::NoCertificatesPresented
            })?;
            Ok(())
        },
    },
    Feature {
        name: "we-refuse/tls12",
        title: "We refuse a client of TLS 1.2: protocol_version",
        roles: SERVER,
        check: |bench, role| {
            let met = tls12(bench, role)?.run()?;
            met.we_refused(AlertDescription::ProtocolVersion, |error| {
                *error == PeerIncompatible::SupportedVersionsExtensionRequired.into()
            })?;
            Ok(())
        },
    },
    Feature {
        name: "peer-refuses/wrong-ca",
        title: "The peer refuses a wrong CA: unknown_ca",
        roles: BOTH,
        check: |bench, role| {
            let meeting = bench.mutual(role, &bench.good, &bench.good)?;
            let met = meeting.peer_trusts(&bench.other_root).run()?;
            Ok(met.peer_refused(AlertDescription::UnknownCA)?)
        },
    },
    Feature {
        name: "peer-refuses/expired",
        title: "The peer refuses our expired certificate: certificate_expired",
        roles: BOTH,
        check: |bench, role| {
            let met = bench.mutual(role, &bench.expired, &bench.good)?.run()?;
            Ok(met.peer_refused(AlertDescription::CertificateExpired)?)
        },
    },
    Feature {
        name: "peer-refuses/wrong-name",
        title: "The peer refuses our certificate under another name: bad_certificate",
        roles: SERVER,
        check: |bench, role| {
            let meeting = bench.server_auth(role, &bench.good)?;
            let met = meeting.peer(&["--host", OTHER_HOST]).run()?;
            Ok(met.peer_refused(AlertDescription::BadCertificate)?)
        },
    },
    Feature {
        name: "peer-refuses/no-client-certificate",
        title: "The peer misses our client certificate: certificate_required",
        roles: CLIENT,
        check: |bench, role| {
            let meeting = bench.server_auth(role, &bench.good)?;
            let met = meeting.peer_trusts(&bench.good).peer(&["--verify"]).run()?;
            Ok(met.peer_refused(AlertDescription::CertificateRequired)?)
        },
    },
    Feature {
        name: "peer-refuses/other-signer-id",
        title: "The peer refuses our certificate signed under another ID: decrypt_error",
        roles: BOTH,
        check: |bench, role| {
            let met = bench.mutual(role, &bench.other_id, &bench.good)?.run()?;
            Ok(met.peer_refused(AlertDescription::DecryptError)?)
        },
    },
    Feature {
        name: "peer-refuses/certificate-verify-id",
        title: "The peer refuses a CertificateVerify under the certificates' ID: decrypt_error",
        roles: BOTH,
        check: |bench, role| {
            let met = under_certificate_id(bench, role)?.run()?;
            Ok(met.peer_refused(AlertDescription::DecryptError)?)
        },
    },
    Feature {
        name: "peer-refuses/nothing-in-common",
        title: "A server without SM suites, curveSM2 or an SM2 certificate refuses us: handshake_failure",
        roles: CLIENT,
        check: |bench, role| {
            for meeting in [
                without_sm(bench, role)?,
                hybrid_only(bench, role)?,
                p256_server(bench)?,
            ] {
                meeting
                    .run()?
                    .peer_refused(AlertDescription::HandshakeFailure)?;
            }
            Ok(())
        },
    },
    Feature {
        name: "peer-refuses/tls13",
        title: "A server of TLS 1.2 refuses us: protocol_version",
        roles: CLIENT,
        check: |bench, role| {
            let met = tls12(bench, role)?.run()?;
            Ok(met.peer_refused(AlertDescription::ProtocolVersion)?)
        },
    },
    Feature {
        name: "no-common-alpn",
        title: "The server refuses without a common ALPN protocol: no_application_protocol",
        roles: BOTH,
        check: no_common_alpn,
    },
];

/// Mutual, with a peer that may show a certificate that RFC 8998 does not allow.
fn lenient_mutual(bench: &Bench, role: Role, peers: &Path) -> Result<Meeting> {
    let own = bench.own_mutual(role, &bench.good, peers)?;
    Ok(bench.lenient(own).mutual(&bench.good, peers))
}

fn without_sm(bench: &Bench, role: Role) -> Result<Meeting> {
    let suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
    Ok(bench
        .server_auth(role, &bench.good)?
        .peer(&["--ciphersuites", suites]))
}

/// What the peers prefer by default; Tongsuo's strict mode would add curveSM2 by itself.
fn hybrid_only(bench: &Bench, role: Role) -> Result<Meeting> {
    let meeting = bench
        .lenient(bench.own(role, &bench.good)?)
        .server_auth(&bench.good);
    Ok(meeting.peer(&["--groups", "X25519MLKEM768"]))
}

fn p256_server(bench: &Bench) -> Result<Meeting> {
    Ok(bench
        .lenient(bench.own(Role::Client, &bench.p256)?)
        .server_auth(&bench.p256))
}

fn tls12(bench: &Bench, role: Role) -> Result<Meeting> {
    // With a certificate that suits TLS 1.2, so that the version is the only obstacle.
    let certificates = match role {
        Role::Client => &bench.p256,
        Role::Server => &bench.good,
    };
    let meeting = Meeting::new(bench.stack, bench.own(role, certificates)?);
    Ok(meeting
        .server_auth(certificates)
        .peer(&["--min", "1.2", "--max", "1.2"]))
}

fn no_common_alpn(bench: &Bench, role: Role) -> Result {
    let own = match role {
        Role::Client => {
            let mut config = ours::client_config(&bench.strict, &bench.good, None)?;
            config.alpn_protocols = vec![b"sm/1".into()];
            config.into()
        }
        Role::Server => {
            let mut config = ours::server_config(&bench.strict, &bench.good, None)?;
            config.alpn_protocols = vec![b"sm/1".into()];
            config.into()
        }
    };
    let met = bench
        .meeting(own)
        .server_auth(&bench.good)
        .peer(&["--alpn", "h2"])
        .run()?;
    match role {
        Role::Client => met.peer_refused(AlertDescription::NoApplicationProtocol)?,
        Role::Server => met.we_refused(AlertDescription::NoApplicationProtocol, |error| {
            *error == Error::NoApplicationProtocol
        })?,
    }
    Ok(())
}

/// We sign CertificateVerify as most implementations that got RFC 8998 wrong do.
fn under_certificate_id(bench: &Bench, role: Role) -> Result<Meeting> {
    let provider = Arc::new(CryptoProvider {
        key_provider: &WrongId,
        ..tls13::strict()
    });
    let own = own_mutual(&provider, role, &bench.good, &bench.good)?;
    Ok(bench.meeting(own).mutual(&bench.good, &bench.good))
}

#[derive(Debug)]
struct WrongId;

impl KeyProvider for WrongId {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> std::result::Result<Arc<dyn SigningKey>, Error> {
        let key = pki::key::from_der(key.secret_der())
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Arc::new(WrongIdKey(Arc::new(key))))
    }
}

#[derive(Clone, Debug)]
struct WrongIdKey(Arc<SecretKey>);

impl SigningKey for WrongIdKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&tls13::SM2SIG_SM3)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(0xe0)
    }
}

impl Signer for WrongIdKey {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        sm2::message_digest(sm2::DEFAULT_ID, self.0.public_key(), message)
            .and_then(|e| self.0.sign_digest(&e))
            .map(|signature| signature.to_der())
            .map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        tls13::SM2SIG_SM3
    }
}
