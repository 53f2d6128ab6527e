//! A private key in a token: found, tried out, and ready to sign.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::Decode;
use der::asn1::ObjectIdentifier;
use rand_core::TryRng;

use super::options::Options;
use super::pool::Pool;
use super::public::{Key, KeyKind, PublicKey, SECP256R1, SECP384R1};
use super::scheme::{Encoding, Hash, Scheme, read_sm2};
use super::token::{key_name, template_name};
use super::uri::{ObjectType, Uri};
use super::worker::Desk;
use crate::hsm::Error;
use crate::random::SystemRandom;
use crate::sm2;

/// A private key that stays in its token. Cloning it is cheap, and clones share one pool of
/// sessions.
///
/// Every signature of the token is verified in software before it is given out. With feature
/// `rustls` the key is a `rustls::sign::SigningKey`. For certificates and requests with SM2, see
/// [`TokenKey::sm2`].
#[derive(Clone)]
pub struct TokenKey(pub(super) Arc<Inner>);

/// An SM2 key in a token, as [`sm2::SignDigest`].
#[derive(Clone)]
pub struct Sm2TokenKey {
    inner: Arc<Inner>,
    public: sm2::PublicKey,
    scheme: Scheme,
}

pub(super) struct Inner {
    pool: Pool,
    facts: Arc<KeyFacts>,
}

/// What is known of a key, for all sessions.
#[derive(Clone, Debug)]
pub(super) struct KeyFacts {
    /// Tells the key from others of the process.
    id: u64,
    pub(super) name: String,
    template: Vec<Attribute>,
    schemes: Vec<Scheme>,
    encoding: Encoding,
    public: Arc<PublicKey>,
}

impl TokenKey {
    /// Opens the private key that `uri` describes, in a pool of its own with the default
    /// [`Options`], and tries it out.
    ///
    /// `certificate` is the DER of the certificate that the key will serve; without one, the
    /// token's own public key takes its place. A random digest is signed with each mechanism that
    /// the key will use, and verified in software; from that it is learned whether the token writes
    /// r || s or DER.
    ///
    /// # Errors
    /// [`Error`] names the call, the token, the key or the mechanism that is at fault. A wrong PIN
    /// is reported and never tried again.
    pub fn open(uri: &Uri, certificate: Option<&[u8]>) -> Result<Self, Error> {
        let request = Request::new(uri, certificate)?;
        request.open_in(&Pool::open(uri, Options::default())?)
    }

    pub(super) fn open_in(
        pool: &Pool,
        uri: &Uri,
        certificate: Option<&[u8]>,
    ) -> Result<Self, Error> {
        Request::new(uri, certificate)?.open_in(pool)
    }

    /// What the key signs with.
    pub fn kind(&self) -> KeyKind {
        self.0.public().kind()
    }

    /// The public key as SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    pub fn public_key_info(&self) -> &[u8] {
        &self.0.public().spki
    }

    /// The label of the token that holds the key.
    pub fn token_label(&self) -> &str {
        self.0.pool.token_label()
    }

    /// The pool of sessions that the key signs in.
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The key for certificates, requests and everything else that signs with SM2.
    ///
    /// # Errors
    /// [`Error::WrongKind`] if it is no SM2 key.
    pub fn sm2(&self) -> Result<Sm2TokenKey, Error> {
        match (&self.0.public().key, self.0.facts.schemes.first()) {
            (Key::Sm2(public), Some(scheme)) => Ok(Sm2TokenKey {
                inner: self.0.clone(),
                public: public.clone(),
                scheme: *scheme,
            }),
            _ => Err(Error::WrongKind {
                wanted: KeyKind::Sm2,
                found: self.kind(),
            }),
        }
    }
}

impl sm2::SignDigest for Sm2TokenKey {
    fn public_key(&self) -> &sm2::PublicKey {
        &self.public
    }

    fn sign_digest(&self, e: &[u8; 32]) -> Result<sm2::Signature, sm2::Error> {
        let (facts, scheme) = (&self.inner.facts, self.scheme);
        let signature = self.inner.ask(scheme, e, |answer| {
            let signature =
                read_sm2(answer, facts.encoding).ok_or_else(|| format_error(scheme, answer))?;
            match sm2::verify_digest(&self.public, e, &signature) {
                Ok(()) => Ok(signature),
                Err(_) => Err(facts.wrong_signature(scheme)),
            }
        });
        Ok(signature?)
    }
}

/// The key that is to be opened.
struct Request {
    template: Vec<Attribute>,
    certificate: Option<Arc<PublicKey>>,
}

impl Request {
    fn new(uri: &Uri, certificate: Option<&[u8]>) -> Result<Self, Error> {
        if uri
            .object_type()
            .is_some_and(|kind| kind != ObjectType::PrivateKey)
        {
            return Err(Error::Incomplete {
                advice: "`type` must be `private`, or absent",
            });
        }
        let certificate = certificate.map(PublicKey::from_certificate).transpose()?;
        Ok(Self {
            template: template(uri),
            certificate: certificate.map(Arc::new),
        })
    }

    fn open_in(self, pool: &Pool) -> Result<TokenKey, Error> {
        let task = format!("open the key {}", template_name(&self.template));
        let examine = move |desk: &mut Desk<'_>| self.examine(desk);
        let facts = pool.shared().run(&|| task.clone(), examine, Ok)?;
        let facts = Arc::new(tried_out(pool, &Arc::new(facts))?);
        let pool = pool.clone();
        Ok(TokenKey(Arc::new(Inner { pool, facts })))
    }

    /// Finds the key, and learns what it is.
    fn examine(&self, desk: &mut Desk<'_>) -> Result<KeyFacts, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let key = desk.key(id, &self.template)?;
        let name = key_name(desk.session, key);
        let schemes = schemes(desk, key, &name)?;
        let Some(kind) = schemes.first().map(|scheme| scheme.kind()) else {
            return Err(Error::KeyType {
                key: name,
                kind: "of a type without any mechanism".into(),
            });
        };
        let public = public_key(desk.session, key, kind, &name, self.certificate.as_ref())?;
        Ok(KeyFacts {
            id,
            name,
            template: self.template.clone(),
            schemes,
            encoding: Encoding::Raw,
            public,
        })
    }
}

/// Tries every scheme, and keeps those that the token can do with this key.
fn tried_out(pool: &Pool, facts: &Arc<KeyFacts>) -> Result<KeyFacts, Error> {
    let mut working = Vec::new();
    let mut encoding = facts.encoding;
    let mut refusal = None;
    for scheme in facts.schemes.iter().copied() {
        let digest = random_digest(scheme)?;
        let (key, asked) = (facts.clone(), digest.clone());
        let ask = move |desk: &mut Desk<'_>| key.ask(desk, scheme, &asked);
        let learn = |answer: Vec<u8>| facts.encoding_of(scheme, &digest, &answer);
        match pool
            .shared()
            .sign(facts, scheme.mechanism_name(), ask, learn)
        {
            Ok(learned) => {
                encoding = learned;
                working.push(scheme);
            }
            // A policy may forbid one hash or padding of a mechanism that the token lists.
            Err(error) if error.is_refused_mechanism() => {
                tracing::warn!(key = facts.name, ?scheme, %error, "signature scheme refused");
                refusal = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(error) if working.is_empty() => Err(error),
        _ => Ok(KeyFacts {
            schemes: working,
            encoding,
            ..KeyFacts::clone(facts)
        }),
    }
}

fn random_digest(scheme: Scheme) -> Result<Vec<u8>, Error> {
    let mut digest = vec![0; scheme.digest_len()];
    SystemRandom
        .try_fill_bytes(&mut digest)
        .map_err(|_| Error::Random)?;
    Ok(digest)
}

impl Inner {
    pub(super) fn public(&self) -> &PublicKey {
        &self.facts.public
    }

    /// The ways in which the key can sign, the best first.
    #[cfg(feature = "rustls")]
    pub(super) fn schemes(&self) -> &[Scheme] {
        &self.facts.schemes
    }

    /// Signs a digest. The signature is as TLS and X.509 write it.
    #[cfg(feature = "rustls")]
    pub(super) fn sign(&self, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let facts = &self.facts;
        self.ask(scheme, digest, |answer| {
            let signature = scheme
                .read(answer, facts.encoding, &facts.public)
                .ok_or_else(|| format_error(scheme, answer))?;
            match scheme.verifies(&facts.public, digest, &signature) {
                true => Ok(signature),
                false => Err(facts.wrong_signature(scheme)),
            }
        })
    }

    /// Has the pool sign, and gives out only what `check` makes of the token's answer.
    fn ask<T>(
        &self,
        scheme: Scheme,
        digest: &[u8],
        check: impl Fn(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (key, digest) = (self.facts.clone(), digest.to_vec());
        let ask = move |desk: &mut Desk<'_>| key.ask(desk, scheme, &digest);
        let shared = self.pool.shared();
        shared.sign(&self.facts, scheme.mechanism_name(), ask, |answer| {
            check(&answer)
        })
    }
}

impl KeyFacts {
    /// The token's own answer: one C_SignInit and one C_Sign.
    fn ask(&self, desk: &mut Desk<'_>, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let key = desk.key(self.id, &self.template)?;
        let (mechanism, input) = (scheme.mechanism()?, scheme.input(digest));
        Ok(desk
            .inside
            .raw()
            .sign(desk.session, &mechanism, key, &input)?)
    }

    /// The mechanism of the best scheme.
    pub(super) fn mechanism_name(&self) -> &'static str {
        let best = self.schemes.first();
        best.map_or("none", |scheme| scheme.mechanism_name())
    }

    /// Signs a random digest, and verifies it in software.
    pub(super) fn prove(&self, desk: &mut Desk<'_>) -> Result<(), Error> {
        let Some(scheme) = self.schemes.first() else {
            return Ok(());
        };
        let digest = random_digest(*scheme)?;
        let answer = self.ask(desk, *scheme, &digest)?;
        self.encoding_of(*scheme, &digest, &answer).map(|_| ())
    }

    /// How the token writes (r, s), if this is a good signature in one of both ways.
    fn encoding_of(&self, scheme: Scheme, digest: &[u8], answer: &[u8]) -> Result<Encoding, Error> {
        let mut error = format_error(scheme, answer);
        for encoding in [Encoding::Raw, Encoding::Der] {
            match scheme.read(answer, encoding, &self.public) {
                Some(signature) if scheme.verifies(&self.public, digest, &signature) => {
                    return Ok(encoding);
                }
                Some(_) => error = self.wrong_signature(scheme),
                None => {}
            }
        }
        Err(error)
    }

    fn wrong_signature(&self, scheme: Scheme) -> Error {
        Error::WrongSignature {
            key: self.name.clone(),
            mechanism: scheme.mechanism_name().into(),
        }
    }
}

fn template(uri: &Uri) -> Vec<Attribute> {
    let label = uri.object().map(|label| Attribute::Label(label.into()));
    let id = uri.id().map(|id| Attribute::Id(id.into()));
    [Attribute::Class(ObjectClass::PRIVATE_KEY)]
        .into_iter()
        .chain(label)
        .chain(id)
        .collect()
}

/// How this key can sign in this token; never empty.
fn schemes(desk: &Desk<'_>, key: ObjectHandle, name: &str) -> Result<Vec<Scheme>, Error> {
    let refused = |kind: String| Error::KeyType {
        key: name.into(),
        kind,
    };
    let attributes = desk
        .session
        .get_attributes(key, &[AttributeType::KeyType])?;
    let Some(Attribute::KeyType(key_type)) = attributes.first() else {
        return Err(Error::answer("the key has no CKA_KEY_TYPE"));
    };
    let profile = desk
        .profile
        .filter(|profile| profile.key_type == **key_type);
    let scheme = match (*key_type, profile) {
        (_, Some(profile)) => Scheme::Sm2(profile),
        (KeyType::RSA, _) => return rsa_schemes(desk),
        (KeyType::EC, _) => match ec_curve(desk.session, key)? {
            Some(SECP256R1) => Scheme::EcdsaP256,
            Some(SECP384R1) => Scheme::EcdsaP384,
            Some(sm2::CURVE_OID) => return Err(Error::EcdsaOnSm2Curve { key: name.into() }),
            Some(curve) => return Err(refused(format!("CKK_EC on the curve {curve}"))),
            None => return Err(refused("CKK_EC on a curve without a name".into())),
        },
        (other, _) => {
            let kind = format!(
                "of the type {:#x}, which is not known of this vendor",
                *other
            );
            return Err(refused(kind));
        }
    };
    desk.require_mechanism(scheme.mechanism_number(), scheme.mechanism_name())?;
    Ok(vec![scheme])
}

/// PSS first, and PKCS#1 v1.5 for TLS 1.2; a token may lack the one or the other.
fn rsa_schemes(desk: &Desk<'_>) -> Result<Vec<Scheme>, Error> {
    const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
    let mut schemes = Vec::new();
    for family in [HASHES.map(Scheme::RsaPss), HASHES.map(Scheme::RsaPkcs1)] {
        if desk.has_mechanism(family[0].mechanism_number())? {
            schemes.extend(family);
        }
    }
    if schemes.is_empty() {
        let best = Scheme::RsaPss(Hash::Sha256);
        desk.require_mechanism(best.mechanism_number(), best.mechanism_name())?;
    }
    Ok(schemes)
}

/// The curve of CKA_EC_PARAMS, if it is given by name.
fn ec_curve(session: &Session, key: ObjectHandle) -> Result<Option<ObjectIdentifier>, Error> {
    let attributes = session.get_attributes(key, &[AttributeType::EcParams])?;
    let Some(Attribute::EcParams(parameters)) = attributes.first() else {
        return Ok(None);
    };
    Ok(ObjectIdentifier::from_der(parameters).ok())
}

/// The certificate's key, or else the token's; both must be the same where both are known.
fn public_key(
    session: &Session,
    key: ObjectHandle,
    kind: KeyKind,
    name: &str,
    certificate: Option<&Arc<PublicKey>>,
) -> Result<Arc<PublicKey>, Error> {
    let Some(certificate) = certificate else {
        let public = PublicKey::from_token(session, key, kind)?;
        let public = public.ok_or_else(|| Error::NoPublicKey { key: name.into() })?;
        return Ok(Arc::new(public));
    };
    let same = certificate.kind() == kind
        && match PublicKey::from_token(session, key, kind) {
            Ok(public) => public.is_none_or(|public| public.key == certificate.key),
            // The first signature decides, as where the token shows nothing.
            Err(error) => {
                tracing::warn!(key = name, %error, "the token's public key cannot be read");
                true
            }
        };
    match same {
        true => Ok(certificate.clone()),
        false => Err(Error::CertificateMismatch {
            key: name.into(),
            key_kind: kind,
            certificate_kind: certificate.kind(),
        }),
    }
}

fn format_error(scheme: Scheme, answer: &[u8]) -> Error {
    Error::SignatureFormat {
        mechanism: scheme.mechanism_name().into(),
        length: answer.len(),
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("token", &self.pool.token_label())
            .field("key", &self.facts.name)
            .field("kind", &self.public().kind())
            .field("encoding", &self.facts.encoding)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Sm2TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
