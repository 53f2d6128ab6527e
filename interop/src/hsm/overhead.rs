//! What a signature through the pool costs beyond the token's own work: the same token without
//! latency, one thread, in turns with a direct loop of C_SignInit and C_Sign.

use std::hint::black_box;
use std::ptr;
use std::time::{Duration, Instant};

use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{CK_FUNCTION_LIST, CK_MECHANISM, CKR_OK};
use shangmi::hsm::pkcs11::Options;
use shangmi::sm2::{DEFAULT_ID, SignDigest, VerifyingKey};
use shangmi_testtoken::{CKM_SM2DSA, module_path};
use signature::hazmat::PrehashVerifier;

use super::{Bank, Result};

/// Signatures in a turn, and turns; the best turn of each counts, since noise only adds.
const SIGNATURES: u32 = 50;
const TURNS: usize = 60;

/// Time a signature, the best of the turns.
#[derive(Clone, Copy, Debug)]
pub struct Overhead {
    /// C_SignInit and C_Sign, called directly.
    pub direct: Duration,
    /// Through the pool, with the verification in software.
    pub pooled: Duration,
    /// The verification in software alone.
    pub verification: Duration,
}

impl Overhead {
    /// What the pool adds.
    pub fn added(&self) -> f64 {
        self.pooled.as_secs_f64() - self.direct.as_secs_f64() - self.verification.as_secs_f64()
    }
}

/// Measures all three in turns.
///
/// # Errors
/// When a signature fails.
pub fn measure() -> Result<Overhead> {
    let bank = Bank::open("overhead", Options::default())?;
    let (key, direct) = (bank.key.sm2()?, Direct::open(&bank)?);
    let e = [7; 32];
    let signature = key.sign_digest(&e)?;
    // As the pool does it: the key verifies again and again.
    let verifying_key = VerifyingKey::new(key.public_key().clone(), DEFAULT_ID)?.prepare();
    let mut best = [Duration::MAX; 3];
    for _ in 0..TURNS {
        let turn = [
            time(|| direct.sign(&e))?,
            time(|| Ok(key.sign_digest(&e)?))?,
            time(|| Ok(verifying_key.verify_prehash(&e, &signature)?))?,
        ];
        for (best, this) in best.iter_mut().zip(turn) {
            *best = this.min(*best);
        }
    }
    let [direct, pooled, verification] = best;
    Ok(Overhead {
        direct,
        pooled,
        verification,
    })
}

fn time<T>(mut work: impl FnMut() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..SIGNATURES {
        black_box(work()?);
    }
    Ok(start.elapsed() / SIGNATURES)
}

/// A session of its own, in which nothing but the two calls is made.
struct Direct {
    functions: CK_FUNCTION_LIST,
    session: Session,
    key: ObjectHandle,
    /// The functions live as long as the library is loaded.
    _library: cryptoki_sys::Pkcs11,
}

impl Direct {
    fn open(bank: &Bank) -> Result<Self> {
        let session = bank.session()?;
        let key = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;

        // SAFETY: loading runs the library's initializers, which have run already.
        let library = unsafe { cryptoki_sys::Pkcs11::new(module_path()?)? };
        let mut list = ptr::null_mut();
        // SAFETY: `list` is a place for one pointer (PKCS#11 2.40, 5.4).
        let rv = unsafe { library.C_GetFunctionList(&mut list) };
        if rv != CKR_OK || list.is_null() {
            return Err("no function list".into());
        }
        Ok(Self {
            // SAFETY: the list is static memory of the library, which `_library` keeps loaded.
            functions: unsafe { list.read() },
            session,
            key: *key.first().ok_or("no private key")?,
            _library: library,
        })
    }

    fn sign(&self, e: &[u8; 32]) -> Result<[u8; 64]> {
        let kind = MechanismType::new_vendor_defined(CKM_SM2DSA)?;
        let mechanism = Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None));
        let mut mechanism: CK_MECHANISM = (&mechanism).into();
        let (Some(init), Some(sign)) = (self.functions.C_SignInit, self.functions.C_Sign) else {
            return Err("no C_SignInit or no C_Sign".into());
        };
        // SAFETY: the mechanism has no parameter, and only this thread uses the session.
        let rv = unsafe { init(self.session.handle(), &mut mechanism, self.key.handle()) };
        if rv != CKR_OK {
            return Err(format!("C_SignInit: {rv:#x}").into());
        }
        let (mut signature, mut len) = ([0; 64], 64);
        // SAFETY: both buffers are as long as told; C_Sign does not write to its input.
        let rv = unsafe {
            sign(
                self.session.handle(),
                e.as_ptr().cast_mut(),
                32,
                signature.as_mut_ptr(),
                &mut len,
            )
        };
        match (rv, len) {
            (CKR_OK, 64) => Ok(signature),
            _ => Err(format!("C_Sign: {rv:#x}, {len} bytes").into()),
        }
    }
}
