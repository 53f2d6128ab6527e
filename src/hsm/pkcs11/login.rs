//! Logging in: a PIN is read when it is needed, and one that a token refused is never sent again.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki_sys::CK_USER_TYPE;
use rand_core::TryRng;
use secrecy::ExposeSecret;

use super::options::Options;
use super::pin;
use super::recovery;
use super::token::Token;
use super::uri::Uri;
use crate::hsm::Error;
use crate::module;
use crate::random::SystemRandom;
use crate::secret::SecretBytes;
use crate::sm3::HmacSm3;

/// Logs the user in, once: tries are counted, and the last one locks the token.
///
/// The login is the whole application's, and lasts as long as it has a session with the token.
pub(super) fn login(
    token: &Token,
    session: &Session,
    uri: &Uri,
    options: &Options,
) -> Result<(), Error> {
    let user = UserType::from(options.user_for(uri));
    let result = match options.pin_for(uri) {
        Some(source) => {
            let pin = pin::read(source)?;
            let tag = tag(token, user.into(), pin.expose_secret())?;
            if REFUSED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&tag)
            {
                return Err(Error::PinRefusedBefore {
                    token: token.label.clone(),
                });
            }
            let result = session.login_with_raw(user, &pin);
            if let Err(CryptokiError::Pkcs11(code, _)) = result
                && recovery::is_wrong_pin(code.into())
            {
                REFUSED
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(tag);
            }
            result
        }
        None if token.protected_path => session.login(user, None),
        None => {
            return Err(Error::Incomplete {
                advice: "the token requires a login: add pin-source=file:/path",
            });
        }
    };
    match result {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What tokens refused in this process: which token, which user, which PIN, as [`tag`] has it.
static REFUSED: Mutex<BTreeSet<[u8; 32]>> = Mutex::new(BTreeSet::new());

/// HMAC-SM3 under a key that lives as long as the process, so that no PIN is kept, nor a digest
/// from which one could be found.
fn tag(token: &Token, user: CK_USER_TYPE, pin: &[u8]) -> Result<[u8; 32], Error> {
    static KEY: OnceLock<SecretBytes> = OnceLock::new();
    let key = match KEY.get() {
        Some(key) => key,
        None => {
            let mut key = SecretBytes::zeroed(32);
            SystemRandom
                .try_fill_bytes(key.as_mut_bytes())
                .map_err(|_| Error::unless_refused(Error::Random))?;
            KEY.get_or_init(|| key)
        }
    };
    // A tag has no error to give.
    module::operational().map_err(Error::Refused)?;
    let hmac = HmacSm3::keyed(key.as_bytes());
    // A serial number has at most 16 bytes, and the PIN comes last: no two triples are alike.
    let serial_len = [u8::try_from(token.serial.len()).unwrap_or(u8::MAX)];
    let parts = [
        &serial_len[..],
        token.serial.as_bytes(),
        &user.to_be_bytes(),
        pin,
    ];
    Ok(*hmac.tag(&parts).as_bytes())
}
