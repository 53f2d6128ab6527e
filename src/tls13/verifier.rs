//! Certificate verifiers: rustls's own, with the KeyUsage rule and a name for the commonest mistake
//! in SM2 certificates.

use std::sync::Arc;

use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, DistinguishedName,
    RootCertStore, SignatureScheme,
};

use super::Error;
use super::verify::EMPTY_ID;
use crate::{module, pki};

/// What a client verifies servers with: the chain to `roots`, validity, name and purpose as webpki
/// does, and digitalSignature wherever the server's certificate has a KeyUsage.
///
/// Goes into [`client_config`]. With a provider that holds SM algorithms only, certificates of any
/// other algorithm are refused. For revocation lists, see [`checked_server_verifier`].
///
/// # Errors
/// [`Error::Verifier`] if `roots` is empty.
pub fn server_verifier(
    roots: impl Into<Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let roots = roots.into();
    let build =
        |provider| WebPkiServerVerifier::builder_with_provider(roots.clone(), provider).build();
    Ok(Arc::new(Checked {
        inner: build(provider.clone())? as Arc<dyn ServerCertVerifier>,
        under_empty_id: Some(build(empty_id(provider))?),
    }))
}

/// What a server verifies clients with, as [`server_verifier`]; a client without a certificate is
/// refused. Goes into `with_client_cert_verifier`.
///
/// # Errors
/// [`Error::Verifier`] if `roots` is empty.
pub fn client_verifier(
    roots: impl Into<Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let roots = roots.into();
    let build =
        |provider| WebPkiClientVerifier::builder_with_provider(roots.clone(), provider).build();
    Ok(Arc::new(Checked {
        inner: build(provider.clone())?,
        under_empty_id: Some(build(empty_id(provider))?),
    }))
}

/// Any verifier of servers with the KeyUsage rule added, say a `WebPkiServerVerifier` with
/// revocation lists.
///
/// A certificate signed under an empty signer ID is refused as `inner` refuses it, for its bad
/// signature; that mistake is named in a warning in the log, not as [`Error::EmptySignerId`].
pub fn checked_server_verifier(inner: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Checked {
        inner,
        under_empty_id: None,
    })
}

/// Any verifier of clients with the KeyUsage rule added, say a `WebPkiClientVerifier` that lets
/// clients come without a certificate.
///
/// As with [`checked_server_verifier`], an empty signer ID is named in the log only.
pub fn checked_client_verifier(inner: Arc<dyn ClientCertVerifier>) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Checked {
        inner,
        under_empty_id: None,
    })
}

/// Begins a client configuration with a verifier of this module, which rustls would otherwise take
/// only through an interface that it calls dangerous.
///
/// What remains is the client's own certificate: `with_no_client_auth()`, or
/// `with_client_cert_resolver(Arc::new(SingleCertAndKey::from(..)))`.
///
/// # Errors
/// [`Error::Tls`] if `provider` has no suite or no group to use.
pub fn client_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

/// `provider` with certificates verified under an empty ID too; it only serves to name a mistake.
fn empty_id(provider: &CryptoProvider) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: EMPTY_ID,
            mapping: &[],
        },
        ..provider.clone()
    })
}

#[derive(Debug)]
struct Checked<V: ?Sized> {
    inner: Arc<V>,
    /// The same verification with the empty ID accepted; its answer is never taken for a success.
    under_empty_id: Option<Arc<V>>,
}

impl<V: ?Sized> Checked<V> {
    fn check<T>(
        &self,
        certificate: &CertificateDer<'_>,
        verify: impl Fn(&V) -> Result<T, rustls::Error>,
    ) -> Result<T, rustls::Error> {
        match pki::allows_digital_signature(certificate) {
            Ok(true) => {}
            Ok(false) => return Err(Error::NoDigitalSignature.refuses_certificate()),
            Err(error) => {
                // Where rustls cannot read it either, its error leads to the alert for corrupt
                // certificates, which ours cannot (RFC 8446 6.2).
                verify(&self.inner)?;
                return Err(Error::UnreadableCertificate(error).refuses_certificate());
            }
        }
        match (unless_refused(verify(&self.inner)), &self.under_empty_id) {
            (
                Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature)),
                Some(lenient),
            ) if verify(lenient).is_ok() => Err(Error::EmptySignerId.refuses_certificate()),
            (result, _) => result,
        }
    }
}

/// rustls's answer, but where the cryptographic module is in the error state: then nothing was verified,
/// and nothing is said of the peer.
fn unless_refused<T>(result: Result<T, rustls::Error>) -> Result<T, rustls::Error> {
    module::operational().map_err(Error::Module)?;
    result
}

impl ServerCertVerifier for Checked<dyn ServerCertVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, |verifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unless_refused(self.inner.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.inner.root_hint_subjects()
    }
}

impl ClientCertVerifier for Checked<dyn ClientCertVerifier> {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity, |verifier| {
            verifier.verify_client_cert(end_entity, intermediates, now)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unless_refused(self.inner.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}

#[cfg(test)]
mod tests {
    use rustls::sign::SigningKey;

    use super::*;
    use crate::gate;
    use crate::pki::{Ca, Leaf, Validity, key};
    use crate::sm2::{self, SecretKey};
    use crate::tls13::{CURVE_SM2_GROUP, SM2SIG_SM3, Sm2SigningKey, strict};

    /// In a process of its own, which does not recover.
    #[test]
    fn in_the_error_state_nobody_is_blamed() {
        const THIS: &str = "tls13::verifier::tests::in_the_error_state_nobody_is_blamed";
        const CHILD: &str = "SHANGMI_TEST_CHILD";
        if std::env::var_os(CHILD).is_none() {
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", THIS])
                .env(CHILD, "")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(
                child.status.success() && said.contains("1 passed"),
                "{said}"
            );
            return;
        }
        let own = |d| SecretKey::from_bytes(&[d; 32]).unwrap();
        let ca = Ca::self_signed("CN=CA", own(1), Validity::days(1)).unwrap();
        let leaf = ca.issue(&Leaf::server("localhost"), own(2).public_key());
        let (leaf, root) = (leaf.unwrap().to_der(), ca.certificate());
        let mut roots = RootCertStore::empty();
        roots.add(root.to_der().into()).unwrap();
        let verifier = server_verifier(roots, &Arc::new(strict())).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let verify = || {
            let leaf = CertificateDer::from(&leaf[..]);
            verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
        };
        let [a, b] = [(); 2].map(|()| CURVE_SM2_GROUP.start().unwrap());
        let signer = Sm2SigningKey::new(Arc::new(own(2))).choose_scheme(&[SM2SIG_SM3]);
        let signer = signer.unwrap();
        let secret = own(1);
        let file = key::to_pkcs8_der(&secret).unwrap();
        verify().unwrap();
        signer.sign(b"message").unwrap();

        let failure = gate::fail("SM2 signature", "on purpose");
        for error in [
            verify().unwrap_err(),
            signer.sign(b"message").unwrap_err(),
            CURVE_SM2_GROUP.start().err().unwrap(),
            a.complete(b.pub_key()).err().unwrap(),
        ] {
            let (Some(Error::Module(cause)) | Some(Error::Sign(sm2::Error::Module(cause)))) =
                Error::find(&error)
            else {
                panic!("{error:?}")
            };
            assert_eq!(*cause, failure);
            assert!(error.to_string().contains("on purpose"), "{error}");
        }
        for error in [
            root.verify_signature(root.public_key()).unwrap_err(),
            key::from_der(&file).unwrap_err(),
            key::to_pkcs8_der(&secret).unwrap_err(),
        ] {
            assert!(matches!(error, pki::Error::Module(cause) if cause == failure));
        }
    }
}
