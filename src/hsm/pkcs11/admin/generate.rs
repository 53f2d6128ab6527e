//! New key pairs.

use std::fmt;
use std::str::FromStr;

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{CK_MECHANISM_TYPE, CK_ULONG};
use der::Encode;
use der::asn1::ObjectIdentifier;
use rand_core::TryRng;
use rsa::traits::PublicKeyParts;

use super::super::probe::require_mechanism;
use super::super::public::{self, KeyKind, PublicKey, SECP256R1, SECP384R1};
use super::super::token::{Token, hex, object_name};
use super::super::visit::{Access, Visit};
use super::{Administration, Key};
use crate::hsm::{Action, Error};
use crate::random::SystemRandom;
use crate::sm2;

/// Length in bytes of an identifier that is made here.
const ID_LEN: usize = 16;

/// What kind of key pair to make.
///
/// ```
/// use shangmi::hsm::pkcs11::KeySpec;
///
/// assert_eq!("sm2".parse(), Ok(KeySpec::Sm2));
/// assert_eq!(KeySpec::Rsa3072.to_string(), "rsa3072");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySpec {
    /// SM2, with the vendor's own mechanism.
    Sm2,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

impl Administration {
    /// Makes a key pair that signs and never leaves the token, and returns its identifier: `id`, or
    /// a random one of 16 bytes.
    ///
    /// Before it counts, the pair must pass a test: the token must say that the private key is
    /// sensitive and cannot be extracted, and a signature of a random digest must verify in
    /// software under the public key that is read back. A pair that fails is destroyed again. There is
    /// no pair that is not tested so, since all that are made here sign.
    ///
    /// # Errors
    /// [`Error::KeyExists`] if the token has a key with this label or identifier;
    /// [`Error::Mechanism`] and [`Error::NoSm2Numbers`] if it cannot make such a pair;
    /// [`Error::PairRefused`] if the pair failed the test.
    pub fn generate(
        &self,
        spec: KeySpec,
        label: &str,
        id: Option<&[u8]>,
    ) -> Result<Vec<u8>, Error> {
        if label.is_empty() || id.is_some_and(<[u8]>::is_empty) {
            return Err(Error::Incomplete {
                advice: "a new key needs a label, and an identifier is not empty",
            });
        }
        let id = match id {
            Some(id) => id.to_vec(),
            None => random_id()?,
        };
        self.visit(Access::Write, |visit| {
            self.generate_in(visit, spec, label, &id)
        })?;
        Ok(id)
    }

    fn generate_in(
        &self,
        visit: &Visit<'_>,
        spec: KeySpec,
        label: &str,
        id: &[u8],
    ) -> Result<(), Error> {
        let (session, raw) = (&visit.session, visit.inside.raw());
        let (number, mechanism_name) = self.generator(spec)?;
        let Token {
            slot, label: token, ..
        } = &self.token;

        let name = object_name(label, id);
        let action = Action::GenerateKey {
            key: &name,
            mechanism: mechanism_name,
        };
        self.audited(action, || {
            self.refuse_existing(session, label, id)?;
            require_mechanism(raw, *slot, token, number, mechanism_name)?;
            let public = public_template(spec, label, id)?;
            let private = private_template(label, id);
            let pair = raw.generate_key_pair(session, number, &public, &private)?;
            accept(visit, pair, spec, &name)
        })
    }

    fn refuse_existing(&self, session: &Session, label: &str, id: &[u8]) -> Result<(), Error> {
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            for taken in [Attribute::Label(label.into()), Attribute::Id(id.into())] {
                let template = [Attribute::Class(class), taken.clone()];
                if session.iter_objects(&template)?.next().is_some() {
                    return Err(Error::KeyExists {
                        token: self.token.label.clone(),
                        key: match taken {
                            Attribute::Label(_) => format!("object={label}"),
                            _ => format!("id={}", hex(id)),
                        },
                    });
                }
            }
        }
        Ok(())
    }

    /// The mechanism that makes such pairs: its number and name.
    fn generator(&self, spec: KeySpec) -> Result<(CK_MECHANISM_TYPE, &'static str), Error> {
        Ok(match spec {
            KeySpec::Sm2 => {
                let profile = self.module.profile;
                let number = profile.and_then(|profile| profile.key_pair_generation());
                let unknown = || Error::NoSm2Numbers {
                    token: self.token.label.clone(),
                };
                (number.ok_or_else(unknown)?, "CKM_SM2_KEY_PAIR_GEN")
            }
            KeySpec::P256 | KeySpec::P384 => {
                (*MechanismType::ECC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN")
            }
            KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => (
                *MechanismType::RSA_PKCS_KEY_PAIR_GEN,
                "CKM_RSA_PKCS_KEY_PAIR_GEN",
            ),
        })
    }
}

/// Tests a new pair, and destroys it if it fails.
fn accept(
    visit: &Visit<'_>,
    (public, private): (ObjectHandle, ObjectHandle),
    spec: KeySpec,
    name: &str,
) -> Result<(), Error> {
    let tested = check_protection(&visit.session, private, name)
        .and_then(|()| check_consistency(visit, private, spec, name));
    let Err(reason) = tested else { return Ok(()) };
    // Both, even if the first fails.
    let destroyed = [private, public].map(|object| visit.session.destroy_object(object));
    let fault = destroyed.into_iter().find_map(Result::err);
    Err(Error::PairRefused {
        key: name.into(),
        reason: Box::new(reason),
        remains: fault.map(|fault| Box::new(fault.into())),
    })
}

/// Pairwise consistency: what the private key signs, the public key verifies (ISO/IEC 19790,
/// 7.10.3.3).
fn check_consistency(
    visit: &Visit<'_>,
    private: ObjectHandle,
    spec: KeySpec,
    name: &str,
) -> Result<(), Error> {
    // In another session, since a signature that fails may leave an operation active.
    let visit = visit.again()?;
    let key = Key::read(&visit, private)?;
    let public = key
        .public
        .ok_or_else(|| Error::NoPublicKey { key: name.into() })?;
    if !spec.describes(&public) {
        let kind = public.kind();
        return Err(Error::answer(format!("the new pair is {kind}, not {spec}")));
    }
    visit
        .sign_random(private, name, &key.schemes, &public)
        .map(drop)
}

/// A module may take a template and not heed it.
fn check_protection(session: &Session, private: ObjectHandle, name: &str) -> Result<(), Error> {
    let wanted = [
        AttributeType::Token,
        AttributeType::Private,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
    ];
    let told = session.get_attributes(private, &wanted)?;
    let required = [
        (Attribute::Token(true), "CKA_TOKEN is true"),
        (Attribute::Private(true), "CKA_PRIVATE is true"),
        (Attribute::Sensitive(true), "CKA_SENSITIVE is true"),
        (
            Attribute::AlwaysSensitive(true),
            "CKA_ALWAYS_SENSITIVE is true",
        ),
        (Attribute::Extractable(false), "CKA_EXTRACTABLE is false"),
        (
            Attribute::NeverExtractable(true),
            "CKA_NEVER_EXTRACTABLE is true",
        ),
    ];
    match required.iter().find(|(value, _)| !told.contains(value)) {
        None => Ok(()),
        Some((_, rule)) => Err(Error::Unprotected {
            key: name.into(),
            rule,
        }),
    }
}

/// The curve stands here alone: Luna refuses it in the private template.
fn public_template(spec: KeySpec, label: &str, id: &[u8]) -> Result<Vec<Attribute>, Error> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.into()),
        Attribute::Id(id.into()),
    ];
    match spec.domain() {
        Domain::Curve(curve) => {
            let curve = curve.to_der().map_err(|e| Error::answer(e.to_string()))?;
            template.push(Attribute::EcParams(curve));
        }
        Domain::Modulus(bits) => template.extend([
            Attribute::ModulusBits(CK_ULONG::from(bits).into()),
            Attribute::PublicExponent(vec![1, 0, 1]),
        ]),
    }
    Ok(template)
}

fn private_template(label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.into()),
        Attribute::Id(id.into()),
    ]
}

fn random_id() -> Result<Vec<u8>, Error> {
    let mut id = vec![0; ID_LEN];
    SystemRandom
        .try_fill_bytes(&mut id)
        .map_err(|_| Error::unless_refused(Error::Random))?;
    Ok(id)
}

/// What a pair is made on.
enum Domain {
    Curve(ObjectIdentifier),
    Modulus(u32),
}

impl KeySpec {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Sm2,
        Self::P256,
        Self::P384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    fn domain(self) -> Domain {
        match self {
            Self::Sm2 => Domain::Curve(sm2::CURVE_OID),
            Self::P256 => Domain::Curve(SECP256R1),
            Self::P384 => Domain::Curve(SECP384R1),
            Self::Rsa2048 => Domain::Modulus(2048),
            Self::Rsa3072 => Domain::Modulus(3072),
            Self::Rsa4096 => Domain::Modulus(4096),
        }
    }

    fn describes(self, public: &PublicKey) -> bool {
        match (self.domain(), &public.key) {
            (Domain::Curve(_), _) => matches!(
                (self, public.kind()),
                (Self::Sm2, KeyKind::Sm2)
                    | (Self::P256, KeyKind::EcdsaP256)
                    | (Self::P384, KeyKind::EcdsaP384)
            ),
            (Domain::Modulus(bits), public::Key::Rsa(key)) => key.n().bits() == bits,
            (Domain::Modulus(_), _) => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sm2 => "sm2",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeySpec {
    type Err = String;

    /// The names that `Display` writes.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|spec| spec.name() == name);
        found.ok_or_else(|| "one of sm2, p256, p384, rsa2048, rsa3072 and rsa4096".into())
    }
}
