//! A private key in a token: found, tried out, and ready to sign.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cryptoki::object::{Attribute, ObjectClass};
use rand_core::TryRng;
use signature::hazmat::PrehashVerifier;

use super::certificate::Certificate;
use super::options::Options;
use super::pool::Pool;
use super::probe::{PrivateKey, Probed};
use super::public::{Key, KeyKind, PublicKey};
use super::scheme::{Encoding, Scheme};
use super::token::{key_name, template_name};
use super::uri::{ObjectType, Uri};
use super::worker::Desk;
use crate::hsm::Error;
use crate::random::SystemRandom;
use crate::sm2::{self, DEFAULT_ID, PreparedVerifyingKey, VerifyingKey};

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
    /// How the token wrote the first signature.
    encoding: Encoding,
    public: Arc<PublicKey>,
    certificate: Arc<Certificate>,
    /// The public key of an SM2 key, made ready to verify every signature.
    prepared: Option<Arc<PreparedVerifyingKey>>,
}

impl TokenKey {
    /// Opens the private key that `uri` describes, in a pool of its own with the default
    /// [`Options`], and tries it out.
    ///
    /// `certificate` is the DER of the certificate that the key will serve; without one, the
    /// token's own public key takes its place, or that of the certificates with the key's CKA_ID in
    /// the token (see [`TokenKey::certificate`]). A random digest is signed with each mechanism that
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

    /// The key's certificate in DER: the one that it was opened with, or else the one in the token
    /// with the key's CKA_ID that is for this key (CKC_X_509).
    ///
    /// # Errors
    /// [`Error::Certificates`] where the token has several of them, [`Error::CertificateMismatch`]
    /// and [`Error::Certificate`] where those with the key's CKA_ID are for other keys or cannot be
    /// read.
    pub fn certificate(&self) -> Result<Option<&[u8]>, Error> {
        let facts = &self.0.facts;
        facts.certificate.get(&facts.name, self.kind())
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
        sm2::Signature::from_der(&self.inner.sign(self.scheme, e)?)
    }
}

/// The key that is to be opened.
struct Request {
    template: Vec<Attribute>,
    certificate: Option<Vec<u8>>,
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
        // One that cannot be read is refused before anything is asked of the token.
        certificate.map(PublicKey::from_certificate).transpose()?;
        Ok(Self {
            template: template(uri),
            certificate: certificate.map(Into::into),
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
        let private = PrivateKey {
            raw: desk.inside.raw(),
            session: desk.session,
            handle: key,
            name: &name,
            token: &desk.token.label,
            slot: desk.token.slot,
            profile: desk.profile,
        };
        let Probed {
            schemes,
            public,
            certificate,
        } = private.probe(self.certificate.as_deref())?;
        let prepared = match &public.key {
            // Digests come ready, so that the ID does not matter.
            Key::Sm2(key) => VerifyingKey::new(key.clone(), DEFAULT_ID).ok(),
            _ => None,
        };
        let prepared = prepared.map(|key| Arc::new(key.prepare()));
        Ok(KeyFacts {
            prepared,
            id,
            name,
            template: self.template.clone(),
            schemes,
            encoding: Encoding::Raw,
            public: Arc::new(public),
            certificate: Arc::new(certificate),
        })
    }
}

/// Tries every scheme, and keeps those that the token can do with this key.
fn tried_out(pool: &Pool, facts: &Arc<KeyFacts>) -> Result<KeyFacts, Error> {
    let mut working = Vec::new();
    let mut encoding = facts.encoding;
    let mut refusal = None;
    for scheme in facts.schemes.iter().copied() {
        scheme.enter()?;
        let digest = random_digest(scheme)?;
        let (key, asked) = (facts.clone(), digest.clone());
        let ask = move |desk: &mut Desk<'_>| key.ask(desk, scheme, &asked);
        let learn = |answer: Vec<u8>| facts.read(scheme, &digest, &answer);
        match pool
            .shared()
            .sign(facts, scheme.mechanism_name(), ask, learn)
        {
            Ok((learned, _)) => {
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
        .map_err(|_| Error::unless_refused(Error::Random))?;
    Ok(digest)
}

impl Inner {
    pub(super) fn public(&self) -> &PublicKey {
        &self.facts.public
    }

    /// The ways in which the key can sign, the best first.
    pub(super) fn schemes(&self) -> &[Scheme] {
        &self.facts.schemes
    }

    /// Signs a digest. The signature is as TLS and X.509 write it, and verified.
    pub(super) fn sign(&self, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        scheme.enter()?;
        let (key, asked) = (self.facts.clone(), digest.to_vec());
        let ask = move |desk: &mut Desk<'_>| key.ask(desk, scheme, &asked);
        // Another member of a group may have firmware that writes it otherwise.
        let read = |answer: Vec<u8>| {
            let (_, signature) = self.facts.read(scheme, digest, &answer)?;
            Ok(signature)
        };
        let shared = self.pool.shared();
        shared.sign(&self.facts, scheme.mechanism_name(), ask, read)
    }
}

impl KeyFacts {
    /// The token's own answer: one C_SignInit and one C_Sign.
    fn ask(&self, desk: &mut Desk<'_>, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let key = desk.key(self.id, &self.template)?;
        let (mechanism, parameters) = (scheme.mechanism_number(), scheme.parameters());
        let (raw, input) = (desk.inside.raw(), scheme.input(digest));
        Ok(raw.sign(desk.session, mechanism, parameters, key, &input)?)
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
        scheme.enter()?;
        let digest = random_digest(*scheme)?;
        let answer = self.ask(desk, *scheme, &digest)?;
        self.read(*scheme, &digest, &answer).map(|_| ())
    }

    /// The token's answer as TLS and X.509 write it, and how the token wrote (r, s), if this is a
    /// good signature in one of the ways that the scheme allows.
    fn read(
        &self,
        scheme: Scheme,
        digest: &[u8],
        answer: &[u8],
    ) -> Result<(Encoding, Vec<u8>), Error> {
        let mut error = format_error(scheme, answer);
        for encoding in scheme.encodings().iter().copied() {
            match scheme.read(answer, encoding, &self.public) {
                Some(signature) if self.verifies(scheme, digest, &signature) => {
                    return Ok((encoding, signature));
                }
                Some(_) => error = self.wrong_signature(scheme),
                None => {}
            }
        }
        Err(error)
    }

    /// Whether a signature, as [`Scheme::read`] returns it, verifies in software.
    fn verifies(&self, scheme: Scheme, digest: &[u8], signature: &[u8]) -> bool {
        match self.prepared {
            Some(_) => sm2::Signature::from_der(signature)
                .is_ok_and(|signature| self.verifies_sm2(digest, &signature)),
            None => scheme.verifies(&self.public, digest, signature),
        }
    }

    fn verifies_sm2(&self, e: &[u8], signature: &sm2::Signature) -> bool {
        let key = self.prepared.as_ref();
        key.is_some_and(|key| key.verify_prehash(e, signature).is_ok())
    }

    fn wrong_signature(&self, scheme: Scheme) -> Error {
        Error::unless_refused(Error::WrongSignature {
            key: self.name.clone(),
            mechanism: scheme.mechanism_name().into(),
        })
    }
}

pub(super) fn template(uri: &Uri) -> Vec<Attribute> {
    let label = uri.object().map(|label| Attribute::Label(label.into()));
    let id = uri.id().map(|id| Attribute::Id(id.into()));
    [Attribute::Class(ObjectClass::PRIVATE_KEY)]
        .into_iter()
        .chain(label)
        .chain(id)
        .collect()
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
