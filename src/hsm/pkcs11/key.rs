//! A private key in a token: found, tried out, and ready to sign.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use rand_core::TryRng;

use super::certificate::Certificate;
use super::module::Module;
use super::options::Options;
use super::probe::{Probed, probe};
use super::public::{Key, KeyKind, PublicKey};
use super::scheme::{Encoding, Scheme, read_sm2};
use super::token::{Token, key_name};
use super::uri::{ObjectType, Uri};
use crate::hsm::Error;
use crate::random::SystemRandom;
use crate::sm2;

/// A private key that stays in its token. Cloning it is cheap, and clones share one session.
///
/// With feature `rustls` it is a `rustls::sign::SigningKey`. For certificates and requests with
/// SM2, see [`TokenKey::sm2`].
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
    token: Token,
    name: String,
    template: Vec<Attribute>,
    schemes: Vec<Scheme>,
    encoding: Encoding,
    pub(super) public: PublicKey,
    certificate: Certificate,
    /// One session, used by one thread at a time.
    session: Mutex<KeySession>,
}

/// A session and the key's handle in it.
struct KeySession {
    session: Session,
    key: ObjectHandle,
    /// A call failed, which may have left an operation active, so that the session would refuse
    /// the next one.
    stale: bool,
}

impl KeySession {
    fn new(session: Session, key: ObjectHandle) -> Self {
        let stale = false;
        Self {
            session,
            key,
            stale,
        }
    }
}

impl TokenKey {
    /// Opens the private key that `uri` describes, and tries it out.
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
        Self::open_with(uri, certificate, &Options::default())
    }

    pub(super) fn open_with(
        uri: &Uri,
        certificate: Option<&[u8]>,
        options: &Options,
    ) -> Result<Self, Error> {
        if uri
            .object_type()
            .is_some_and(|kind| kind != ObjectType::PrivateKey)
        {
            return Err(Error::Incomplete {
                advice: "`type` must be `private`, or absent",
            });
        }
        let path = uri.module_path().ok_or(Error::Incomplete {
            advice: "the module is not named: add module-path=/path/to/module.so",
        })?;
        let module = Module::load(path, uri, options)?;
        module.warn_of_ha_members();
        let vendor = module.vendor();
        Self::open_in(module, uri, certificate, options).map_err(|error| error.of(vendor))
    }

    fn open_in(
        module: Module,
        uri: &Uri,
        certificate: Option<&[u8]>,
        options: &Options,
    ) -> Result<Self, Error> {
        let token = Token::find(module, uri)?;
        let session = token.open_session()?;
        token.login(&session, uri, options)?;

        let template = template(uri);
        let key = token.find_key(&session, &template)?;
        let name = key_name(&session, key);
        let Probed {
            schemes,
            public,
            certificate,
        } = probe(&token, &session, key, &name, certificate)?;
        let session = Mutex::new(KeySession::new(session, key));
        let encoding = Encoding::Raw;
        let mut inner = Inner {
            token,
            name,
            template,
            schemes,
            encoding,
            public,
            certificate,
            session,
        };
        inner.try_out()?;
        Ok(Self(Arc::new(inner)))
    }

    /// What the key signs with.
    pub fn kind(&self) -> KeyKind {
        self.0.public.kind()
    }

    /// The public key as SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    pub fn public_key_info(&self) -> &[u8] {
        &self.0.public.spki
    }

    /// The key's certificate in DER: the one that it was opened with, or else the one in the token
    /// with the key's CKA_ID that is for this key (CKC_X_509).
    ///
    /// # Errors
    /// [`Error::Certificates`] where the token has several of them, [`Error::CertificateMismatch`]
    /// and [`Error::Certificate`] where those with the key's CKA_ID are for other keys or cannot be
    /// read.
    pub fn certificate(&self) -> Result<Option<&[u8]>, Error> {
        self.0.certificate.get(&self.0.name, self.kind())
    }

    /// The label of the token that holds the key.
    pub fn token_label(&self) -> &str {
        &self.0.token.label
    }

    /// The key for certificates, requests and everything else that signs with SM2.
    ///
    /// # Errors
    /// [`Error::WrongKind`] if it is no SM2 key.
    pub fn sm2(&self) -> Result<Sm2TokenKey, Error> {
        match (&self.0.public.key, self.0.schemes.first()) {
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
        let answer = self.inner.ask(self.scheme, e)?;
        let signature = read_sm2(&answer, self.inner.encoding);
        Ok(signature.ok_or_else(|| format_error(self.scheme, &answer))?)
    }
}

impl Inner {
    /// The ways in which the key can sign, the best first.
    pub(super) fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    /// Signs a digest. The signature is as TLS and X.509 write it.
    pub(super) fn sign(&self, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let answer = self.ask(scheme, digest)?;
        scheme
            .read(&answer, self.encoding, &self.public)
            .ok_or_else(|| format_error(scheme, &answer))
    }

    /// The token's own answer, from a new session if the last call failed.
    fn ask(&self, scheme: Scheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if current.stale {
            // The new session is open before the old one closes, and so the login lasts.
            *current = self.reopen(scheme)?;
        }
        let answer = self.ask_in(&current, scheme, digest);
        current.stale = answer.is_err();
        answer
    }

    /// One C_SignInit and one C_Sign.
    fn ask_in(
        &self,
        current: &KeySession,
        scheme: Scheme,
        digest: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let KeySession { session, key, .. } = current;
        let (number, parameters) = (scheme.mechanism_number(), scheme.parameters());
        let raw = &self.token.module.raw;
        let answer = raw.sign(session, number, parameters, *key, &scheme.input(digest));
        answer.map_err(|error| Error::from(error).of(self.token.module.vendor()))
    }

    /// The key is looked up anew, and may have been replaced under its name: it must prove first
    /// that it is the one of `public`.
    fn reopen(&self, scheme: Scheme) -> Result<KeySession, Error> {
        let session = self.token.open_session()?;
        let key = self.token.find_key(&session, &self.template)?;
        let fresh = KeySession::new(session, key);
        self.try_scheme(scheme, |digest| self.ask_in(&fresh, scheme, digest))?;
        Ok(fresh)
    }

    /// Tries every scheme, and keeps those that the token can do with this key.
    fn try_out(&mut self) -> Result<(), Error> {
        let mut working = Vec::new();
        let mut refusal = None;
        for scheme in self.schemes.clone() {
            match self.try_scheme(scheme, |digest| self.ask(scheme, digest)) {
                Ok(encoding) => {
                    self.encoding = encoding;
                    working.push(scheme);
                }
                // A policy may forbid one hash or padding of a mechanism that the token lists.
                Err(error) if error.is_refused_mechanism() => {
                    tracing::warn!(key = self.name, ?scheme, %error, "signature scheme refused");
                    refusal = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        self.schemes = working;
        match refusal {
            Some(error) if self.schemes.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// Signs a random digest, verifies it in software, and learns how the token writes (r, s).
    fn try_scheme(
        &self,
        scheme: Scheme,
        ask: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
    ) -> Result<Encoding, Error> {
        let mut digest = vec![0; scheme.digest_len()];
        SystemRandom
            .try_fill_bytes(&mut digest)
            .map_err(|_| Error::Random)?;
        let answer = ask(&digest)?;
        let mut error = format_error(scheme, &answer);
        for encoding in scheme.encodings().iter().copied() {
            match scheme.read(&answer, encoding, &self.public) {
                Some(signature) if scheme.verifies(&self.public, &digest, &signature) => {
                    return Ok(encoding);
                }
                Some(_) => {
                    let mechanism = scheme.mechanism_name().into();
                    error = Error::WrongSignature {
                        key: self.name.clone(),
                        mechanism,
                    };
                }
                None => {}
            }
        }
        Err(error)
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
            .field("token", &self.token.label)
            .field("key", &self.name)
            .field("kind", &self.public.kind())
            .field("encoding", &self.encoding)
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
