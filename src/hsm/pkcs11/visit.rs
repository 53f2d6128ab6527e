//! One operation of a tool with a token: a session of its own, and signatures that are verified in
//! software before anyone uses them.

use std::time::{Duration, Instant};

use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use rand_core::TryRng;

use super::certificate::Found;
use super::module::Inside;
use super::object::Object;
use super::probe::PrivateKey;
use super::profile::Profile;
use super::public::{KeyKind, PublicKey};
use super::report::Reporter;
use super::scheme::{Encoding, Scheme};
use super::token::Token;
use crate::hsm::{Action, Error};
use crate::random::SystemRandom;

/// A session with a token. The module stays initialized for as long.
pub(super) struct Visit<'a> {
    pub(super) session: Session,
    pub(super) inside: &'a Inside<'a>,
    pub(super) token: &'a Token,
    pub(super) profile: Option<Profile>,
    pub(super) reporter: &'a Reporter,
}

/// What a session may do.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// See objects and sign.
    Read,
    /// Make and delete objects as well.
    Write,
}

/// A signature that verified.
pub(super) struct Signed {
    pub(super) scheme: Scheme,
    /// As TLS and X.509 write it.
    pub(super) signature: Vec<u8>,
    pub(super) encoding: Encoding,
    /// How long the token took.
    pub(super) duration: Duration,
}

impl<'a> Visit<'a> {
    pub(super) fn open(
        access: Access,
        inside: &'a Inside<'a>,
        token: &'a Token,
        profile: Option<Profile>,
        reporter: &'a Reporter,
    ) -> Result<Self, Error> {
        let begin = Instant::now();
        let session = match access {
            Access::Read => inside.pkcs11().open_ro_session(token.slot),
            Access::Write => inside.pkcs11().open_rw_session(token.slot),
        };
        Ok(Self {
            session: opened(session, begin, profile, reporter)?,
            inside,
            token,
            profile,
            reporter,
        })
    }

    /// A second session: a signature that failed may have left an operation active in the first.
    pub(super) fn again(&self) -> Result<Self, Error> {
        let visit = Self::open(
            Access::Read,
            self.inside,
            self.token,
            self.profile,
            self.reporter,
        )?;
        // A Luna HA slot answers nothing about a handle in a session that has not searched.
        let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        visit.session.iter_objects(&keys)?.next().transpose()?;
        Ok(visit)
    }

    /// How a private key of this name can sign, the best first; never empty.
    pub(super) fn schemes(&self, key: ObjectHandle, name: &str) -> Result<Vec<Scheme>, Error> {
        let key = PrivateKey {
            raw: self.inside.raw(),
            session: &self.session,
            handle: key,
            name,
            token: &self.token.label,
            slot: self.token.slot,
            profile: self.profile,
        };
        key.schemes()
    }

    /// The public half of a private key, as the token or a certificate in it shows it.
    pub(super) fn public_key(
        &self,
        key: ObjectHandle,
        kind: KeyKind,
    ) -> Result<Option<PublicKey>, Error> {
        let object = Object::new(self.inside.raw(), &self.session, key);
        Ok(match PublicKey::from_token(object, kind)? {
            Some(public) => Some(public),
            None => Found::public_key(&Found::of_key(object)?, kind),
        })
    }

    /// Signs a random digest with the first of the schemes that the token does not refuse.
    pub(super) fn sign_random(
        &self,
        key: ObjectHandle,
        name: &str,
        schemes: &[Scheme],
        public: &PublicKey,
    ) -> Result<Signed, Error> {
        let mut refusal = Error::KeyType {
            key: name.into(),
            kind: "of a type without any mechanism".into(),
        };
        for scheme in schemes {
            let mut digest = vec![0; scheme.digest_len()];
            SystemRandom
                .try_fill_bytes(&mut digest)
                .map_err(|_| Error::unless_refused(Error::Random))?;
            match self.sign(key, name, *scheme, public, &digest) {
                // A policy may forbid one hash or padding of a mechanism that the token lists.
                Err(error) if error.is_refused_mechanism() => refusal = error,
                other => return other,
            }
        }
        Err(refusal)
    }

    /// Signs a digest. After an error the session may be left with an active operation.
    pub(super) fn sign(
        &self,
        key: ObjectHandle,
        name: &str,
        scheme: Scheme,
        public: &PublicKey,
        digest: &[u8],
    ) -> Result<Signed, Error> {
        let begin = Instant::now();
        let signed = self.sign_untold(key, name, scheme, public, digest);
        let signed = signed.map_err(|error| error.of(Profile::vendor(self.profile)));
        let action = Action::Sign {
            key: name,
            mechanism: scheme.mechanism_name(),
        };
        let error = signed.as_ref().err();
        self.reporter.event(action, begin.elapsed(), error);
        signed
    }

    fn sign_untold(
        &self,
        key: ObjectHandle,
        name: &str,
        scheme: Scheme,
        public: &PublicKey,
        digest: &[u8],
    ) -> Result<Signed, Error> {
        scheme.enter()?;
        let (mechanism, parameters) = (scheme.mechanism_number(), scheme.parameters());
        let (raw, input) = (self.inside.raw(), scheme.input(digest));
        let begin = Instant::now();
        let answer = raw.sign(&self.session, mechanism, parameters, key, &input)?;
        let duration = begin.elapsed();

        let mut is_signature = false;
        for encoding in scheme.encodings() {
            let Some(signature) = scheme.read(&answer, *encoding, public) else {
                continue;
            };
            is_signature = true;
            if scheme.verifies(public, digest, &signature) {
                return Ok(Signed {
                    scheme,
                    signature,
                    encoding: *encoding,
                    duration,
                });
            }
        }
        let mechanism = scheme.mechanism_name().into();
        Err(match is_signature {
            true => Error::unless_refused(Error::WrongSignature {
                key: name.into(),
                mechanism,
            }),
            false => Error::SignatureFormat {
                mechanism,
                length: answer.len(),
            },
        })
    }
}

/// A tool's sessions come and go with its operations, which the audit trail has; a session that does
/// not open is a failure of its own.
pub(super) fn opened(
    session: Result<Session, cryptoki::error::Error>,
    begin: Instant,
    profile: Option<Profile>,
    reporter: &Reporter,
) -> Result<Session, Error> {
    session.map_err(|error| {
        let error = Error::from(error).of(Profile::vendor(profile));
        reporter.event(Action::OpenSession, begin.elapsed(), Some(&error));
        error
    })
}
