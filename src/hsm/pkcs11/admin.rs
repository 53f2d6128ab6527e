//! Keys and certificates in a token: made, listed, requested for, deleted.

mod certificate;
mod generate;
mod list;
mod request;

use std::fmt;
use std::time::Instant;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::key::template;
use super::login::login;
use super::module::Module;
use super::options::Options;
use super::public::PublicKey;
use super::report::Reporter;
use super::scheme::Scheme;
use super::token::{Token, find_key, hex, key_name};
use super::uri::Uri;
use super::visit::{Access, Visit, opened};
use crate::hsm::{Action, Error};

pub use certificate::OlderCertificates;
pub use generate::KeySpec;
pub use list::KeyInfo;
pub use request::SignedRequest;

/// Most objects of one kind that are looked at.
const MAX_OBJECTS: usize = 4096;

/// Key management on one token, in read-write sessions of its own, apart from any pool.
///
/// It is for administrators' tools: its calls are made on the caller's thread, and last as long as
/// the module takes: no deadline holds, and a call that hangs in the module never returns. The login is the whole application's, so that a pool on the same token shares
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
    module: Module,
    token: Token,
    reporter: Reporter,
    /// Keeps the login while other sessions come and go.
    login: Option<Session>,
    /// The module's, when `login` was opened.
    generation: u64,
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
        let module = Module::load(uri, options)?;
        let inside = module.enter()?;
        let vendor = module.vendor();
        let token = Token::find(&inside, uri).map_err(|error| error.of(vendor))?;
        let reporter = Reporter {
            token: token.label.clone(),
            audit: options.audit.clone(),
        };
        let begin = Instant::now();
        // `cryptoki` would close it on drop, even after the module was initialized again.
        let session = inside.pkcs11().open_ro_session_no_drop(token.slot);
        let session = opened(session, begin, module.profile, &reporter)?;
        let generation = inside.generation;
        drop(inside);
        let administration = Self {
            reporter,
            token,
            module,
            generation,
            login: Some(session),
        };
        administration.log_in(uri, options)?;
        Ok(administration)
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
        self.visit(Access::Write, |visit| {
            let session = &visit.session;
            let private = find_key(session, &self.token.label, &template(key))?;
            let name = key_name(session, private);
            let (label, id) = label_and_id(session, private)?;
            let repeated = &confirmation.name;
            let confirmed = !repeated.is_empty()
                && (*repeated == label || repeated.eq_ignore_ascii_case(&hex(&id)));

            let mut doomed = vec![private];
            if belongs_to_one_key(session, &id)? {
                doomed.extend(with_id(session, ObjectClass::PUBLIC_KEY, &id)?);
                if confirmation.certificates {
                    doomed.extend(with_id(session, ObjectClass::CERTIFICATE, &id)?);
                }
            }
            self.audited(Action::Delete { object: &name }, || {
                if !confirmed {
                    return Err(Error::Unconfirmed { key: name.clone() });
                }
                for object in &doomed {
                    session.destroy_object(*object)?;
                }
                Ok(doomed.len())
            })
        })
    }

    fn log_in(&self, uri: &Uri, options: &Options) -> Result<(), Error> {
        let inside = self.module.enter()?;
        match &self.login {
            Some(session) if self.token.login_required && inside.generation == self.generation => {
                self.audited(Action::Login, || login(&self.token, session, uri, options))
            }
            _ => Ok(()),
        }
    }

    /// Works in a session of its own.
    fn visit<T>(
        &self,
        access: Access,
        work: impl FnOnce(&Visit<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let inside = self.module.enter()?;
        if inside.generation != self.generation {
            return Err(Error::answer(
                "the module was initialized again: open the administration anew",
            ));
        }
        let profile = self.module.profile;
        let visit = Visit::open(access, &inside, &self.token, profile, &self.reporter);
        let result = visit.and_then(|visit| work(&visit));
        result.map_err(|error| error.of(self.module.vendor()))
    }

    fn audited<T>(
        &self,
        action: Action<'_>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let begin = Instant::now();
        let result = work().map_err(|error| error.of(self.module.vendor()));
        let error = result.as_ref().err();
        self.reporter.event(action, begin.elapsed(), error);
        result
    }
}

impl Drop for Administration {
    fn drop(&mut self) {
        let Some(session) = self.login.take() else {
            return;
        };
        let Ok(inside) = self.module.enter() else {
            return;
        };
        if inside.generation == self.generation
            && let Err(error) = session.close()
        {
            tracing::debug!(%error, "a session did not close");
        }
    }
}

/// A private key with what it can do.
struct Key {
    name: String,
    schemes: Vec<Scheme>,
    /// `None` if the token shows none.
    public: Option<PublicKey>,
}

impl Key {
    fn read(visit: &Visit<'_>, private: ObjectHandle) -> Result<Self, Error> {
        let name = key_name(&visit.session, private);
        let schemes = visit.schemes(private, &name)?;
        let public = match schemes.first() {
            Some(scheme) => visit.public_key(private, scheme.kind())?,
            None => None,
        };
        Ok(Self {
            name,
            schemes,
            public,
        })
    }
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

/// Whether what has this identifier can only belong to the one private key that has it.
fn belongs_to_one_key(session: &Session, id: &[u8]) -> Result<bool, Error> {
    Ok(!id.is_empty() && with_id(session, ObjectClass::PRIVATE_KEY, id)?.len() == 1)
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
