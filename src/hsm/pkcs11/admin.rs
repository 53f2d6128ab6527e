//! Keys and certificates in a token: made, listed, requested for, deleted.

mod certificate;
mod generate;
mod list;
mod request;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::certificate::Found;
use super::key::template;
use super::module::Module;
use super::object::Object;
use super::options::Options;
use super::probe::schemes;
use super::public::{KeyKind, PublicKey};
use super::scheme::Scheme;
use super::token::{Token, hex, key_name};
use super::uri::Uri;
use crate::hsm::{Action, Audit, Error, Event};

pub use certificate::OlderCertificates;
pub use generate::KeySpec;
pub use list::KeyInfo;
pub use request::SignedRequest;

/// Most objects of one kind that are looked at.
const MAX_OBJECTS: usize = 4096;

/// Key management on one token, in read-write sessions of its own, apart from any pool.
///
/// It is for administrators' tools: its calls are made on the caller's thread, and last as long as
/// the module takes. The login is the whole application's, so that a pool on the same token shares
/// it: a server should not manage keys in the process that serves.
///
/// ```no_run
/// use shangmi::hsm::pkcs11::{Administration, KeySpec, Options, Uri};
/// use shangmi::pki::Leaf;
///
/// let token: Uri = "pkcs11:token=bank?module-path=/usr/safenet/lunaclient/lib/libCryptoki2_64.so\
///                   &pin-source=file:/run/secrets/officer".parse()?;
/// let administration = Administration::open(&token, &Options::default())?;
/// administration.generate(KeySpec::Sm2, "server", None)?;
///
/// let key: Uri = "pkcs11:object=server".parse()?;
/// let request = administration.request(&key, &Leaf::server("bank.example"))?;
/// std::fs::write("server.csr", request.to_pem()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Administration {
    token: Token,
    audit: Option<Arc<dyn Audit>>,
    /// Keeps the login while other sessions come and go.
    _login: Session,
}

/// What a person typed to confirm that a key shall be deleted.
#[derive(Clone, Debug)]
pub struct Confirmation {
    name: String,
    certificates: bool,
}

impl Confirmation {
    /// The key's exact label, or its identifier in hexadecimal digits.
    pub fn of(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            certificates: false,
        }
    }

    /// The certificates with the key's identifier go as well.
    #[must_use]
    pub fn and_certificates(mut self) -> Self {
        self.certificates = true;
        self
    }
}

impl Administration {
    /// Opens the token that `uri` describes, and logs in as its user; what the URI says about a key
    /// is left aside. To make keys on a Luna, that is the Crypto Officer.
    ///
    /// # Errors
    /// [`Error`] names the call or the token that is at fault. A wrong PIN is reported and never
    /// tried again.
    pub fn open(uri: &Uri, options: &Options) -> Result<Self, Error> {
        let path = uri.module_path().ok_or(Error::Incomplete {
            advice: "the module is not named: add module-path=/path/to/module.so",
        })?;
        let token = Token::find(Module::load(path, uri, options)?, uri)?;
        let session = token.open_session()?;
        let audit = options.audit.clone();
        audited(audit.as_deref(), &token.label, Action::Login, || {
            token.login(&session, uri, options)
        })?;
        Ok(Self {
            token,
            audit,
            _login: session,
        })
    }

    /// The token's label.
    pub fn token_label(&self) -> &str {
        &self.token.label
    }

    /// Deletes the private key that `key` describes by label or identifier, its public key, and, if
    /// the confirmation says so, its certificates; returns how many objects went.
    ///
    /// Public keys and certificates go by the key's identifier, and stay where another private key
    /// has it too, or where the key has none.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`] if the confirmation does not repeat the key's label or identifier;
    /// [`Error::Key`] unless exactly one private key is described.
    pub fn delete(&self, key: &Uri, confirmation: &Confirmation) -> Result<usize, Error> {
        let session = self.token.open_rw_session()?;
        let private = self.token.find_key(&session, &template(key))?;
        let name = key_name(&session, private);
        let (label, id) = label_and_id(&session, private)?;
        let confirmed = !confirmation.name.is_empty()
            && (confirmation.name == label || confirmation.name.eq_ignore_ascii_case(&hex(&id)));
        if !confirmed {
            return Err(Error::Unconfirmed { key: name });
        }

        let mut doomed = vec![private];
        let siblings = with_id(&session, ObjectClass::PRIVATE_KEY, &id)?.len();
        if !id.is_empty() && siblings == 1 {
            doomed.extend(with_id(&session, ObjectClass::PUBLIC_KEY, &id)?);
            if confirmation.certificates {
                doomed.extend(with_id(&session, ObjectClass::CERTIFICATE, &id)?);
            }
        }
        self.audited(Action::Delete { object: &name }, || {
            for object in &doomed {
                session.destroy_object(*object)?;
            }
            Ok(doomed.len())
        })
    }

    /// A private key with what it can do.
    fn key(&self, session: &Session, private: ObjectHandle) -> Result<Key, Error> {
        let name = key_name(session, private);
        let schemes = schemes(&self.token, session, private, &name)?;
        let public = match schemes.first() {
            Some(scheme) => public_key(&self.token, session, private, scheme.kind())?,
            None => None,
        };
        Ok(Key {
            private,
            name,
            schemes,
            public,
        })
    }

    fn audited<T>(
        &self,
        action: Action<'_>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        audited(self.audit.as_deref(), &self.token.label, action, work)
    }
}

struct Key {
    private: ObjectHandle,
    name: String,
    schemes: Vec<Scheme>,
    /// `None` if the token shows none.
    public: Option<PublicKey>,
}

/// The public half, as the token or a certificate in it shows it.
pub(super) fn public_key(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    kind: KeyKind,
) -> Result<Option<PublicKey>, Error> {
    let object = Object::new(&token.module.raw, session, private);
    Ok(match PublicKey::from_token(object, kind)? {
        Some(public) => Some(public),
        None => Found::public_key(&Found::of_key(object)?, kind),
    })
}

fn audited<T>(
    audit: Option<&dyn Audit>,
    token: &str,
    action: Action<'_>,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let begin = Instant::now();
    let result = work();
    let event = Event {
        token,
        action,
        duration: begin.elapsed(),
        error: result.as_ref().err(),
    };
    tracing::info!(token, ?action, error = ?event.error, "key management");
    if let Some(audit) = audit {
        audit.record(&event);
    }
    result
}

/// The objects with these attributes, at most [`MAX_OBJECTS`].
pub(super) fn objects(
    session: &Session,
    template: &[Attribute],
) -> Result<Vec<ObjectHandle>, Error> {
    let found = session.iter_objects(template)?.take(MAX_OBJECTS);
    Ok(found.collect::<Result<_, _>>()?)
}

/// The objects of a class with this identifier.
fn with_id(session: &Session, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Error> {
    objects(
        session,
        &[Attribute::Class(class), Attribute::Id(id.into())],
    )
}

/// CKA_LABEL and CKA_ID; empty where there is none.
fn label_and_id(session: &Session, object: ObjectHandle) -> Result<(String, Vec<u8>), Error> {
    let (mut label, mut id) = (String::new(), Vec::new());
    let wanted = [AttributeType::Label, AttributeType::Id];
    for attribute in session.get_attributes(object, &wanted)? {
        match attribute {
            Attribute::Label(value) => label = String::from_utf8_lossy(&value).into_owned(),
            Attribute::Id(value) => id = value,
            _ => {}
        }
    }
    Ok((label, id))
}

impl fmt::Debug for Administration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administration")
            .field("token", &self.token.label)
            .finish_non_exhaustive()
    }
}
