//! What a private key in a token can do, before it signs anything: its type, its token's mechanisms
//! and their key sizes, its public half, its certificate.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_ULONG, CKA_EC_PARAMS, CKA_KEY_TYPE, CKA_MODULUS,
    CKF_SIGN, CKK_EC, CKK_RSA,
};
use der::Decode;
use der::asn1::ObjectIdentifier;

use super::certificate::{Certificate, Found};
use super::object::{MAX_MODULUS, MAX_NAME, Object};
use super::profile::Profile;
use super::public::{KeyKind, PublicKey, SECP256R1, SECP384R1};
use super::raw::Raw;
use super::scheme::{Hash, Scheme};
use crate::hsm::Error;
use crate::sm2;

/// What was learned of a key.
#[derive(Debug)]
pub(super) struct Probed {
    /// How it can sign, the best first; never empty.
    pub(super) schemes: Vec<Scheme>,
    pub(super) public: PublicKey,
    pub(super) certificate: Certificate,
}

/// A private key in a session with its token.
pub(super) struct PrivateKey<'a> {
    pub(super) raw: &'a Raw,
    pub(super) session: &'a Session,
    pub(super) handle: ObjectHandle,
    /// Its label and identifier.
    pub(super) name: &'a str,
    /// The label of its token.
    pub(super) token: &'a str,
    pub(super) slot: Slot,
    pub(super) profile: Option<Profile>,
}

impl PrivateKey<'_> {
    /// Looks at the key. `certificate` is the one that it will serve, in DER.
    pub(super) fn probe(&self, certificate: Option<&[u8]>) -> Result<Probed, Error> {
        let schemes = self.schemes()?;
        let Some(kind) = schemes.first().map(|scheme| scheme.kind()) else {
            return Err(self.refused("of a type without any mechanism".into()));
        };
        let (public, certificate) = match certificate {
            Some(der) => (self.public_key_of(der, kind)?, Certificate::One(der.into())),
            None => self.public_key(kind)?,
        };
        Ok(Probed {
            schemes,
            public,
            certificate,
        })
    }

    fn object(&self) -> Object<'_> {
        Object::new(self.raw, self.session, self.handle)
    }

    fn refused(&self, kind: String) -> Error {
        Error::KeyType {
            key: self.name.into(),
            kind,
        }
    }

    /// How this key can sign in this token; never empty.
    pub(super) fn schemes(&self) -> Result<Vec<Scheme>, Error> {
        let Some(key_type) = self.object().number(CKA_KEY_TYPE)? else {
            return Err(Error::answer("the key has no CKA_KEY_TYPE"));
        };
        if let Some(profile) = self
            .profile
            .filter(|profile| profile.key_type() == key_type)
        {
            return self.require(Scheme::Sm2(profile), Some(256));
        }
        match key_type {
            CKK_RSA => self.rsa_schemes(),
            CKK_EC => match self.curve()? {
                Some(SECP256R1) => self.require(Scheme::EcdsaP256, Some(256)),
                Some(SECP384R1) => self.require(Scheme::EcdsaP384, Some(384)),
                Some(sm2::CURVE_OID) => Err(Error::EcdsaOnSm2Curve {
                    key: self.name.into(),
                }),
                Some(curve) => Err(self.refused(format!("CKK_EC on the curve {curve}"))),
                None => Err(self.refused("CKK_EC on a curve without a name".into())),
            },
            other => Err(self.refused(match self.profile {
                Some(profile) => {
                    let (name, sm2) = (profile.name(), profile.key_type());
                    format!("of the type {other:#x}; in the profile {name}, SM2 is {sm2:#x}")
                }
                None => format!(
                    "of the type {other:#x}, and the vendor is not known: if it is SM2, name the \
                     vendor with x-profile, or give a profile"
                ),
            })),
        }
    }

    fn require(&self, scheme: Scheme, bits: Option<CK_ULONG>) -> Result<Vec<Scheme>, Error> {
        let (number, name) = (scheme.mechanism_number(), scheme.mechanism_name());
        require_mechanism(self.raw, self.slot, self.token, number, name)?;
        self.check_mechanism(scheme, bits)?;
        Ok(vec![scheme])
    }

    /// PSS first, and PKCS#1 v1.5 for TLS 1.2; a token may lack the one or the other.
    fn rsa_schemes(&self) -> Result<Vec<Scheme>, Error> {
        const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        let bits = self.modulus_bits()?;
        if let Some(bits) = bits.filter(|bits| !(2048..=8192).contains(bits)) {
            return Err(self.refused(format!("RSA of {bits} bits")));
        }
        let mut schemes = Vec::new();
        let mut refusal = None;
        for family in [HASHES.map(Scheme::RsaPss), HASHES.map(Scheme::RsaPkcs1)] {
            let [first, ..] = family;
            match self.require(first, bits) {
                Ok(_) => schemes.extend(family),
                Err(error @ Error::Call { .. }) => return Err(error),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(error) if schemes.is_empty() => Err(error),
            _ => Ok(schemes),
        }
    }

    /// The size of the modulus; a token need not show it in the private key.
    fn modulus_bits(&self) -> Result<Option<CK_ULONG>, Error> {
        let modulus = self.object().attribute(CKA_MODULUS, MAX_MODULUS)?;
        Ok(modulus.and_then(|modulus| {
            let start = modulus.iter().position(|byte| *byte != 0)?;
            let zeros = modulus.get(start)?.leading_zeros();
            let bits = (modulus.len() - start) * 8 - usize::try_from(zeros).ok()?;
            bits.try_into().ok()
        }))
    }

    /// The curve of CKA_EC_PARAMS, if it is given by name.
    fn curve(&self) -> Result<Option<ObjectIdentifier>, Error> {
        let parameters = self.object().attribute(CKA_EC_PARAMS, MAX_NAME)?;
        Ok(parameters.and_then(|parameters| ObjectIdentifier::from_der(&parameters).ok()))
    }

    /// Refuses a mechanism that does not sign, or does not with keys of this size.
    fn check_mechanism(&self, scheme: Scheme, bits: Option<CK_ULONG>) -> Result<(), Error> {
        let number = scheme.mechanism_number();
        let mechanism = || format!("{} ({number:#x})", scheme.mechanism_name());
        let info = match self.raw.mechanism_info(self.slot, number) {
            Ok(info) => info,
            // The token lists the mechanism, and the first signature will show.
            Err(
                CryptokiError::NullFunctionPointer
                | CryptokiError::Pkcs11(RvError::FunctionNotSupported | RvError::MechanismInvalid, _),
            ) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if info.flags & CKF_SIGN == 0 {
            return Err(Error::MechanismCannotSign {
                token: self.token.into(),
                mechanism: mechanism(),
            });
        }
        match bits.filter(|bits| !takes(&info, *bits)) {
            Some(bits) => Err(Error::KeySize {
                key: self.name.into(),
                bits,
                mechanism: mechanism(),
                minimum: info.ulMinKeySize,
                maximum: info.ulMaxKeySize,
            }),
            None => Ok(()),
        }
    }

    /// What the token shows; the certificates there stand in for a public key that it does not.
    fn public_key(&self, kind: KeyKind) -> Result<(PublicKey, Certificate), Error> {
        let found = Found::of_key(self.object())?;
        let public = match PublicKey::from_token(self.object(), kind)? {
            Some(public) => Some(public),
            None => Found::public_key(&found, kind),
        };
        let public = public.ok_or_else(|| Error::NoPublicKey {
            key: self.name.into(),
        })?;
        let certificate = Certificate::choose(found, &public);
        Ok((public, certificate))
    }

    /// The key of the certificate that was given; it must be the token's where the token shows one.
    fn public_key_of(&self, certificate: &[u8], kind: KeyKind) -> Result<PublicKey, Error> {
        let certificate = PublicKey::from_certificate(certificate)?;
        let same = certificate.kind() == kind
            && match PublicKey::from_token(self.object(), kind) {
                Ok(public) => public.is_none_or(|public| public.key == certificate.key),
                // The first signature decides, as where the token shows nothing.
                Err(error) => {
                    let key = self.name;
                    tracing::warn!(key, %error, "the token's public key cannot be read");
                    true
                }
            };
        match same {
            true => Ok(certificate),
            false => Err(Error::CertificateMismatch {
                key: self.name.into(),
                key_kind: kind,
                certificate_kind: certificate.kind(),
            }),
        }
    }
}

/// Refuses a token that does not list the mechanism, by the mechanism's name.
pub(super) fn require_mechanism(
    raw: &Raw,
    slot: Slot,
    token: &str,
    number: CK_MECHANISM_TYPE,
    name: &str,
) -> Result<(), Error> {
    match raw.mechanisms(slot)?.contains(&number) {
        true => Ok(()),
        false => Err(Error::Mechanism {
            token: token.into(),
            mechanism: format!("{name} ({number:#x})"),
        }),
    }
}

/// Whether a mechanism takes keys of this size. The unit is bits for RSA and EC (PKCS#11 2.40
/// mechanisms, 2.1 and 2.3), but some tokens give bytes for EC: a maximum too small for any key that
/// is supported here must be in bytes. A maximum of 0 is no limit.
fn takes(info: &CK_MECHANISM_INFO, bits: CK_ULONG) -> bool {
    let (minimum, maximum) = (info.ulMinKeySize, info.ulMaxKeySize);
    let size = match maximum < 256 {
        true => bits.div_ceil(8),
        false => bits,
    };
    maximum == 0 || (minimum..=maximum).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sizes_are_in_bits_or_bytes() {
        for (minimum, maximum, bits, expected) in [
            (256, 256, 256, true),
            (112, 571, 384, true),
            (32, 32, 256, true),
            (32, 66, 384, true),
            (32, 32, 384, false),
            (512, 4096, 2048, true),
            (512, 4096, 8192, false),
            (4096, 8192, 2048, false),
            (256, 512, 4096, false),
            (0, 0, 8192, true),
            (0, 521, 384, true),
            // More than there can be, and CK_UNAVAILABLE_INFORMATION.
            (0, CK_ULONG::MAX, 384, true),
        ] {
            let info = CK_MECHANISM_INFO {
                ulMinKeySize: minimum,
                ulMaxKeySize: maximum,
                flags: CKF_SIGN,
            };
            assert_eq!(takes(&info, bits), expected, "{minimum}..{maximum} {bits}");
        }
    }
}
