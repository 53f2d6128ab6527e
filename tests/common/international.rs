//! ECDSA and RSA certificates, issued by `x509-cert` alone.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use p256::pkcs8::{EncodePrivateKey, EncodePublicKey};
use rand_core::UnwrapErr;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use sha2::digest::const_oid::AssociatedOid;
use sha2::digest::{Digest, FixedOutputReset};
use shangmi::random::SystemRandom;
use shangmi::tls13;
use spki::{
    DynSignatureAlgorithmIdentifier, SignatureBitStringEncoding, SubjectPublicKeyInfoOwned,
};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Validity;

pub fn mixed() -> Arc<CryptoProvider> {
    Arc::new(tls13::mixed())
}

/// A provider without any SM algorithm, to stand for what others write.
pub fn international() -> CryptoProvider {
    let mut provider = tls13::mixed();
    provider.cipher_suites.drain(..2);
    provider.kx_groups.remove(0);
    provider.signature_verification_algorithms.all =
        &provider.signature_verification_algorithms.all[2..];
    provider.signature_verification_algorithms.mapping =
        &provider.signature_verification_algorithms.mapping[1..];
    provider
}

pub fn rsa_key() -> rsa::RsaPrivateKey {
    rsa::RsaPrivateKey::new(&mut UnwrapErr(SystemRandom), 2048).unwrap()
}

pub fn p256_key() -> p256::ecdsa::SigningKey {
    use p256::elliptic_curve::Generate;
    p256::SecretKey::try_generate_from_rng(&mut SystemRandom)
        .unwrap()
        .into()
}

pub fn p384_key() -> p384::ecdsa::SigningKey {
    use p384::elliptic_curve::Generate;
    p384::SecretKey::try_generate_from_rng(&mut SystemRandom)
        .unwrap()
        .into()
}

/// A P-256 root and a P-256 server certificate under it.
pub fn p256_server() -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let (root, leaf, key) = p256_pair(None);
    (root, certified(leaf, &key))
}

/// The same with a KeyUsage, without the checks of `tls13::certified_key`.
pub fn p256_server_with(usage: KeyUsages) -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let (root, leaf, key) = p256_pair(Some(usage));
    let own = CertifiedKey::new(vec![leaf], load(&key));
    (root, Arc::new(own))
}

fn p256_pair(
    usage: Option<KeyUsages>,
) -> (
    CertificateDer<'static>,
    CertificateDer<'static>,
    p256::ecdsa::SigningKey,
) {
    use p256::ecdsa::DerSignature;
    let (ca, key) = (p256_key(), p256_key());
    let root = issue_root::<_, DerSignature>(&ca);
    let profile = Profile { usage, ..LEAF };
    let leaf = issue::<_, DerSignature>(profile, &ca, key.verifying_key());
    (root, leaf, key)
}

pub fn issue_root<S, Signature>(signer: &S) -> CertificateDer<'static>
where
    S: signature::Signer<Signature> + signature::Keypair + DynSignatureAlgorithmIdentifier,
    S::VerifyingKey: EncodePublicKey,
    Signature: SignatureBitStringEncoding,
{
    issue(ROOT, signer, &signer.verifying_key())
}

pub fn issue_leaf<S, Signature>(signer: &S, key: &impl EncodePublicKey) -> CertificateDer<'static>
where
    S: signature::Signer<Signature> + signature::Keypair + DynSignatureAlgorithmIdentifier,
    S::VerifyingKey: EncodePublicKey,
    Signature: SignatureBitStringEncoding,
{
    issue(LEAF, signer, key)
}

/// Loads the key through the provider, from PKCS#8.
pub fn certified(leaf: CertificateDer<'static>, key: &impl EncodePrivateKey) -> Arc<CertifiedKey> {
    tls13::certified_key(vec![leaf], load(key)).unwrap()
}

fn load(key: &impl EncodePrivateKey) -> Arc<dyn SigningKey> {
    let key = key.to_pkcs8_der().unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()));
    tls13::mixed().key_provider.load_private_key(key).unwrap()
}

fn issue<S, Signature>(
    profile: Profile,
    signer: &S,
    key: &impl EncodePublicKey,
) -> CertificateDer<'static>
where
    S: signature::Signer<Signature> + signature::Keypair + DynSignatureAlgorithmIdentifier,
    S::VerifyingKey: EncodePublicKey,
    Signature: SignatureBitStringEncoding,
{
    use der::Encode;
    let certificate = CertificateBuilder::new(
        profile,
        SerialNumber::from(42u32),
        Validity::from_now(Duration::from_secs(24 * 3600)).unwrap(),
        SubjectPublicKeyInfoOwned::from_key(key).unwrap(),
    )
    .unwrap()
    .build::<_, Signature>(signer)
    .unwrap();
    certificate.to_der().unwrap().into()
}

const ROOT: Profile = Profile {
    authority: true,
    usage: None,
};
const LEAF: Profile = Profile {
    authority: false,
    usage: None,
};

struct Profile {
    authority: bool,
    usage: Option<KeyUsages>,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        Name::from_str("CN=international root").unwrap()
    }

    fn get_subject(&self) -> Name {
        let name = if self.authority {
            "international root"
        } else {
            "server"
        };
        Name::from_str(&format!("CN={name}")).unwrap()
    }

    fn build_extensions(
        &self,
        _: spki::SubjectPublicKeyInfoRef<'_>,
        _: spki::SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let mut extensions = vec![if self.authority {
            let constraints = BasicConstraints {
                ca: true,
                path_len_constraint: None,
            };
            constraints.to_extension(subject, &[])?
        } else {
            let name = der::asn1::Ia5String::new(super::NAME)?;
            SubjectAltName(vec![GeneralName::DnsName(name)]).to_extension(subject, &[])?
        }];
        if let Some(usage) = self.usage {
            extensions.push(KeyUsage(usage.into()).to_extension(subject, &extensions)?);
        }
        Ok(extensions)
    }
}

/// An RSASSA-PSS key that draws its salts on its own, as the certificate builder wants it.
pub struct Pss<D: Digest>(pub rsa::pss::SigningKey<D>);

impl<D: Digest + FixedOutputReset> signature::Signer<rsa::pss::Signature> for Pss<D> {
    fn try_sign(&self, message: &[u8]) -> signature::Result<rsa::pss::Signature> {
        signature::RandomizedSigner::try_sign_with_rng(
            &self.0,
            &mut UnwrapErr(SystemRandom),
            message,
        )
    }
}

impl<D: Digest + FixedOutputReset> signature::Keypair for Pss<D> {
    type VerifyingKey = rsa::pss::VerifyingKey<D>;

    fn verifying_key(&self) -> Self::VerifyingKey {
        self.0.verifying_key()
    }
}

impl<D: Digest + AssociatedOid> DynSignatureAlgorithmIdentifier for Pss<D> {
    fn signature_algorithm_identifier(&self) -> spki::Result<spki::AlgorithmIdentifierOwned> {
        self.0.signature_algorithm_identifier()
    }
}
