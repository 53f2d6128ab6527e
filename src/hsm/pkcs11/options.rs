//! How a token is used: sessions, deadline, login, numbers, audit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pin::PinSource;
use super::profile::{Profile, User};
use super::uri::Uri;
use crate::hsm::Audit;

const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// How a pool of sessions uses its token. The default suits a Luna partition.
#[derive(Clone)]
pub struct Options {
    pub(super) max_sessions: usize,
    pub(super) deadline: Duration,
    pub(super) eager: bool,
    pub(super) audit: Option<Arc<dyn Audit>>,
    profile: Option<Profile>,
    user: Option<User>,
    pin: Option<Arc<PinSource>>,
}

impl Options {
    /// Most sessions that are open at a time, beside the one that keeps the login: 16 unless told.
    /// The token's own limit holds as well. At least one is used.
    #[must_use]
    pub fn max_sessions(mut self, count: usize) -> Self {
        self.max_sessions = count.max(1);
        self
    }

    /// How long a caller waits for a signature, whatever the token does: 10 s unless told, a day at
    /// most. A call that hangs in the module goes on in the pool's own thread.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        // The end of a wait must be a time that there is.
        self.deadline = deadline.min(LONGEST_DEADLINE);
        self
    }

    /// Opens all sessions at the start; otherwise they are opened when they are needed.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Who keeps the audit trail.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn Audit>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// The vendor's numbers, whatever the URI and the module say.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Who logs in, whatever the URI says: [`User::User`] unless told.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Where the PIN comes from, whatever the URI says.
    #[must_use]
    pub fn pin(mut self, source: PinSource) -> Self {
        self.pin = Some(Arc::new(source));
        self
    }

    pub(super) fn user_for(&self, uri: &Uri) -> User {
        self.user.or(uri.user()).unwrap_or_default()
    }

    pub(super) fn pin_for<'a>(&'a self, uri: &'a Uri) -> Option<&'a PinSource> {
        self.pin.as_deref().or(uri.pin())
    }

    /// The profile that was given by name; without one, the module's own counts.
    pub(super) fn profile_for(&self, uri: &Uri) -> Option<Profile> {
        self.profile.or(uri.profile())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_sessions: 16,
            deadline: Duration::from_secs(10),
            eager: false,
            audit: None,
            profile: None,
            user: None,
            pin: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_sessions", &self.max_sessions)
            .field("deadline", &self.deadline)
            .field("eager", &self.eager)
            .field("profile", &self.profile)
            .field("user", &self.user)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use shangmi_testtoken::{TestToken, module_path, set_profile};

    use super::super::profile::SignatureEncoding;
    use super::super::{KeyKind, Pool};
    use super::*;
    use crate::hsm::Error;
    use crate::secret::SecretBytes;
    use crate::sm2::{self, SignDigest};

    #[test]
    fn what_a_program_says_wins_over_the_uri() {
        let uri: Uri = "pkcs11:?x-profile=tass&x-user=crypto-user&pin-source=/pin"
            .parse()
            .unwrap();
        let options = Options::default();
        assert_eq!(options.profile_for(&uri), Some(Profile::TASS));
        assert_eq!(options.user_for(&uri), User::CryptoUser);
        assert!(matches!(options.pin_for(&uri), Some(PinSource::File(_))));

        let ours = Profile::new("ours", 1, 2);
        let options = options
            .profile(ours)
            .user(User::Vendor(3))
            .pin(PinSource::Value(SecretBytes::copy_of(b"hunter2")));
        assert_eq!(options.profile_for(&uri), Some(ours));
        assert_eq!(options.user_for(&uri), User::Vendor(3));
        assert!(matches!(options.pin_for(&uri), Some(PinSource::Value(_))));
        assert!(!format!("{options:?}{options:#?}").contains("hunter2"));

        let nothing: Uri = "pkcs11:".parse().unwrap();
        let options = Options::default();
        assert_eq!(options.profile_for(&nothing), None);
        assert_eq!(options.user_for(&nothing), User::User);
        assert!(options.pin_for(&nothing).is_none());
    }

    /// A vendor that is not known, with mechanisms and a key type below 0x80000000, where `cryptoki`
    /// takes none; and a PIN that is asked for at each login.
    #[test]
    fn vendor_of_the_programs_own_description() {
        const PIN: &str = "hunter2-hunter2";
        set_profile(shangmi_testtoken::Profile::Unnamed).unwrap();
        let token = TestToken::create("unnamed", PIN).unwrap();
        let point = token.generate_sm2("key", &[1]).unwrap();
        let module = module_path().unwrap();
        let uri: Uri = format!(
            "pkcs11:token=unnamed?module-path={}&x-profile=luna&pin-value=wrong",
            module.to_str().unwrap()
        )
        .parse()
        .unwrap();
        let theirs = shangmi_testtoken::Profile::Unnamed;
        let profile = Profile::new("ours", theirs.key_type(), theirs.sign_mechanism());
        assert!(profile.key_type() < 0x8000_0000 && profile.mechanism() < 0x8000_0000);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let pin = PinSource::Callback(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(SecretBytes::copy_of(PIN.as_bytes()))
        }));
        let options = Options::default().profile(profile).pin(pin);

        let pool = Pool::open(&uri, options.clone().deadline(Duration::MAX)).unwrap();
        let key = pool.key(&uri, None).unwrap();
        assert_eq!(key.kind(), KeyKind::Sm2);
        let signer = key.sm2().unwrap();
        assert_eq!(signer.public_key().to_sec1(), point);
        let signature = signer.sign_digest(&[3; 32]).unwrap();
        sm2::verify_digest(signer.public_key(), &[3; 32], &signature).unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(token.wrong_pins().unwrap(), 0);
        #[cfg(feature = "rustls")]
        assert!(
            rustls::sign::SigningKey::choose_scheme(
                &key,
                &[rustls::SignatureScheme::Unknown(sm2::SM2SIG_SM3)]
            )
            .is_some()
        );
        drop((key, signer, pool));

        let refused = |profile: Profile| {
            let options = options.clone().profile(profile);
            let pool = Pool::open(&uri, options).unwrap();
            pool.key(&uri, None).unwrap_err()
        };
        let der = profile.with_encoding(SignatureEncoding::Der);
        assert!(matches!(
            refused(der),
            Error::SignatureFormat { length: 64, .. }
        ));
        let error = refused(Profile::new("ours", profile.key_type(), 0x0001_0009));
        assert_eq!(
            error.to_string(),
            "the token unnamed has the SM2 mechanism (0x10009), but not for signatures (CKF_SIGN): \
             check its policies"
        );
        let error = refused(Profile::new("ours", profile.key_type(), 0x0001_0003));
        assert!(matches!(error, Error::Mechanism { .. }), "{error}");
    }
}
