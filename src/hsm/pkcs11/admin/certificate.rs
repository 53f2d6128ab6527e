//! Certificates into the token, beside their keys (PKCS#11 2.40, 4.6.3).

use cryptoki::object::{Attribute, CertificateType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::{Decode, Encode};
use x509_cert::Certificate;

use super::super::public::PublicKey;
use super::super::trial::Trial;
use super::{Administration, label_and_id, objects};
use crate::hsm::{Action, Error};

impl Administration {
    /// Stores a certificate, in DER, beside the private key of the token that it is for, with that
    /// key's label and identifier, and returns both as text.
    ///
    /// Certificates that the key has already stay, for a renewal: delete what is not used any more.
    ///
    /// # Errors
    /// [`Error::Certificate`] if it cannot be read; [`Error::NoKeyForCertificate`] if it is for no
    /// private key of the token; [`Error::CertificateExists`] if it is there already.
    pub fn import_certificate(&self, certificate: &[u8]) -> Result<String, Error> {
        let refused = |error: der::Error| Error::Certificate {
            reason: error.to_string(),
        };
        let public = PublicKey::from_certificate(certificate)?;
        let parsed = Certificate::from_der(certificate).map_err(refused)?;
        let content = parsed.tbs_certificate();
        let subject = content.subject();

        let session = self.token.open_rw_session()?;
        let key = self.key_of(&public)?;
        let key = key.ok_or_else(|| Error::NoKeyForCertificate {
            token: self.token.label.clone(),
            subject: subject.to_string(),
        })?;
        let (label, id) = label_and_id(&session, key)?;
        let name = format!("object={label} id={}", super::hex(&id));
        let same = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::Value(certificate.into()),
        ];
        if session.iter_objects(&same)?.next().is_some() {
            return Err(Error::CertificateExists {
                token: self.token.label.clone(),
                subject: subject.to_string(),
            });
        }
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Label(label.into()),
            Attribute::Id(id),
            Attribute::Subject(subject.to_der().map_err(refused)?),
            Attribute::Issuer(content.issuer().to_der().map_err(refused)?),
            Attribute::SerialNumber(content.serial_number().to_der().map_err(refused)?),
            Attribute::Value(certificate.into()),
        ];
        self.audited(Action::ImportCertificate { object: &name }, || {
            Ok(session.create_object(&template)?)
        })?;
        Ok(name)
    }

    /// The private key of this public one.
    fn key_of(&self, public: &PublicKey) -> Result<Option<ObjectHandle>, Error> {
        let session = self.token.open_session()?;
        for private in objects(&session, &[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
            if self.is_key_of(private, &session, public)? {
                return Ok(Some(private));
            }
        }
        Ok(None)
    }

    fn is_key_of(
        &self,
        private: ObjectHandle,
        session: &Session,
        public: &PublicKey,
    ) -> Result<bool, Error> {
        // Keys that cannot be used here are no keys of this certificate.
        let Ok(key) = self.key(session, private) else {
            return Ok(false);
        };
        if key.schemes.first().map(|scheme| scheme.kind()) != Some(public.kind()) {
            return Ok(false);
        }
        if let Some(own) = key.public {
            return Ok(own.key == public.key);
        }
        // The token shows nothing, so that a signature decides, in a session of its own since it
        // may leave an operation active.
        let session = self.token.open_session()?;
        let trial = Trial {
            token: &self.token,
            session: &session,
            key: private,
            name: &key.name,
            public,
        };
        Ok(trial.sign_random(&key.schemes).is_ok())
    }
}
