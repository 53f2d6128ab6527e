//! A signature that is verified in software before anyone uses it.

use std::time::{Duration, Instant};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use rand_core::TryRng;

use super::public::PublicKey;
use super::scheme::{Encoding, Scheme};
use super::token::Token;
use crate::hsm::Error;
use crate::random::SystemRandom;

/// A private key in one session, with the public key that its signatures must verify under.
pub(super) struct Trial<'a> {
    pub(super) token: &'a Token,
    pub(super) session: &'a Session,
    pub(super) key: ObjectHandle,
    pub(super) name: &'a str,
    pub(super) public: &'a PublicKey,
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

impl Trial<'_> {
    /// Signs a random digest with the first of the schemes that the token does not refuse.
    pub(super) fn sign_random(&self, schemes: &[Scheme]) -> Result<Signed, Error> {
        let mut refusal = Error::KeyType {
            key: self.name.into(),
            kind: "of a type without any mechanism".into(),
        };
        for scheme in schemes {
            let mut digest = vec![0; scheme.digest_len()];
            SystemRandom
                .try_fill_bytes(&mut digest)
                .map_err(|_| Error::Random)?;
            match self.sign(*scheme, &digest) {
                // A policy may forbid one hash or padding of a mechanism that the token lists.
                Err(error) if error.is_refused_mechanism() => refusal = error,
                other => return other,
            }
        }
        Err(refusal)
    }

    /// Signs a digest. After an error the session may be left with an active operation.
    pub(super) fn sign(&self, scheme: Scheme, digest: &[u8]) -> Result<Signed, Error> {
        let (mechanism, parameters) = (scheme.mechanism_number(), scheme.parameters());
        let input = scheme.input(digest);
        let raw = &self.token.module.raw;
        let begin = Instant::now();
        let answer = raw.sign(self.session, mechanism, parameters, self.key, &input)?;
        let duration = begin.elapsed();

        let mut is_signature = false;
        for encoding in scheme.encodings() {
            let Some(signature) = scheme.read(&answer, *encoding, self.public) else {
                continue;
            };
            is_signature = true;
            if scheme.verifies(self.public, digest, &signature) {
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
            true => Error::WrongSignature {
                key: self.name.into(),
                mechanism,
            },
            false => Error::SignatureFormat {
                mechanism,
                length: answer.len(),
            },
        })
    }
}
