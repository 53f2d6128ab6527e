//! Certificates into the token, beside their keys (PKCS#11 2.40, 4.6.3).

use cryptoki::object::{Attribute, CertificateType, ObjectClass, ObjectHandle};

use super::super::public::PublicKey;
use super::super::token::object_name;
use super::super::visit::{Access, Visit};
use super::{Administration, Key, belongs_to_one_key, label_and_id, objects, with_id};
use crate::hsm::{Action, Error};
use crate::pki;

/// What becomes of the certificates that a key has when a new one is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderCertificates {
    /// They stay. A program that takes its key's certificate from the token must then be given one.
    Keep,
    /// They are deleted, after the new one is there: all with the key's identifier, but none where
    /// another private key has it too.
    Delete,
}

impl Administration {
    /// Stores a certificate, in DER or PEM, beside the private key of the token that it is for, with
    /// that key's label and identifier, and returns both as text.
    ///
    /// # Errors
    /// [`Error::Certificate`] and [`Error::Pki`] if it cannot be read;
    /// [`Error::NoKeyForCertificate`] if it is for no private key of the token;
    /// [`Error::CertificateExists`] if it is there already.
    pub fn import_certificate(
        &self,
        certificate: &[u8],
        older: OlderCertificates,
    ) -> Result<String, Error> {
        let certificate = &*pki::certificate_der(certificate)?;
        let public = PublicKey::from_certificate(certificate)?;
        let names = pki::certificate_names(certificate)?;
        let subject = pki::describe_certificate(certificate)?;

        self.visit(Access::Write, |visit| {
            let session = &visit.session;
            let key = key_of(visit, &public)?.ok_or_else(|| Error::NoKeyForCertificate {
                token: self.token.label.clone(),
                subject: subject.clone(),
            })?;
            let (label, id) = label_and_id(session, key)?;
            let name = object_name(&label, &id);
            let same = [
                Attribute::Class(ObjectClass::CERTIFICATE),
                Attribute::Value(certificate.into()),
            ];
            if session.iter_objects(&same)?.next().is_some() {
                return Err(Error::CertificateExists {
                    token: self.token.label.clone(),
                    subject,
                });
            }
            let old = match older {
                OlderCertificates::Delete if belongs_to_one_key(session, &id)? => {
                    with_id(session, ObjectClass::CERTIFICATE, &id)?
                }
                _ => Vec::new(),
            };
            let template = [
                Attribute::Class(ObjectClass::CERTIFICATE),
                Attribute::CertificateType(CertificateType::X_509),
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Label(label.into()),
                Attribute::Id(id),
                Attribute::Subject(names.subject),
                Attribute::Issuer(names.issuer),
                Attribute::SerialNumber(names.serial_number),
                Attribute::Value(certificate.into()),
            ];
            self.audited(Action::ImportCertificate { object: &name }, || {
                Ok(session.create_object(&template)?)
            })?;
            for certificate in old {
                self.audited(Action::Delete { object: &name }, || {
                    Ok(session.destroy_object(certificate)?)
                })?;
            }
            Ok(name)
        })
    }
}

/// The private key of this public one.
fn key_of(visit: &Visit<'_>, public: &PublicKey) -> Result<Option<ObjectHandle>, Error> {
    let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    for private in objects(&visit.session, &keys)? {
        if is_key_of(visit, private, public)? {
            return Ok(Some(private));
        }
    }
    Ok(None)
}

fn is_key_of(visit: &Visit<'_>, private: ObjectHandle, public: &PublicKey) -> Result<bool, Error> {
    // Keys that cannot be used here are no keys of this certificate.
    let Ok(key) = Key::read(visit, private) else {
        return Ok(false);
    };
    if key.schemes.first().map(|scheme| scheme.kind()) != Some(public.kind()) {
        return Ok(false);
    }
    if let Some(own) = key.public {
        return Ok(own.key == public.key);
    }
    // The token shows nothing, so that a signature decides.
    let signed = visit
        .again()?
        .sign_random(private, &key.name, &key.schemes, public);
    Ok(signed.is_ok())
}
