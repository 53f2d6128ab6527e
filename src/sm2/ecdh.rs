//! Plain elliptic-curve Diffie-Hellman on the SM2 curve, as TLS 1.3 uses it (RFC 8998, 3.3.1.2).
//! It is not the key agreement of GB/T 32918.3, which is in [`agreement`](super::agreement).

use super::{Error, PublicKey, STACK, SecretKey, self_test};
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::secret::Secret;

/// The x coordinate of \[d\]P, 32 bytes (RFC 8446, 7.4.2).
///
/// # Errors
/// [`Error::AgreementFailed`] if the product is infinity, which no valid pair of keys gives;
/// [`Error::Module`].
pub fn shared_secret(secret: &SecretKey, public: &PublicKey) -> Result<Secret<32>, Error> {
    self_test::ECDH.enter(Service::Sm2Ecdh)?;
    leaving::<STACK, _>(|| x_of_product(secret, public))
}

/// [`shared_secret`] without its gate.
pub(super) fn x_of_product(secret: &SecretKey, public: &PublicKey) -> Result<Secret<32>, Error> {
    let point = public
        .point()
        .mul(secret.scalar())
        .ok_or(Error::AgreementFailed)?;
    let coordinates = point.secret_coordinates();
    let mut x = Secret::<32>::zeroed();
    x.as_mut_bytes()
        .copy_from_slice(&coordinates.as_bytes()[..32]);
    Ok(x)
}
