//! Botan 2 through its C interface.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use super::library::library;
use super::task::{Task, changes, gives};
use super::work::{HEADER, IV, Inputs, KEY, Kind, MESSAGE, NONCE, Work, plaintext};
use super::{Contender, Result, Who};

library! { Functions, "libbotan-2.so.19", "libbotan-2-19":
    fn botan_version_string() -> *const c_char;
    fn botan_error_description(c_int) -> *const c_char;
    fn botan_cipher_init(*mut Handle, *const c_char, u32) -> c_int;
    fn botan_cipher_destroy(Handle) -> c_int;
    fn botan_cipher_set_key(Handle, *const u8, usize) -> c_int;
    fn botan_cipher_set_associated_data(Handle, *const u8, usize) -> c_int;
    fn botan_cipher_start(Handle, *const u8, usize) -> c_int;
    fn botan_cipher_update(Handle, u32, *mut u8, usize, *mut usize, *const u8, usize, *mut usize) -> c_int;
    fn botan_hash_init(*mut Handle, *const c_char, u32) -> c_int;
    fn botan_hash_destroy(Handle) -> c_int;
    fn botan_hash_update(Handle, *const u8, usize) -> c_int;
    fn botan_hash_final(Handle, *mut u8) -> c_int;
    fn botan_rng_init(*mut Handle, *const c_char) -> c_int;
    fn botan_rng_destroy(Handle) -> c_int;
    fn botan_mp_init(*mut Handle) -> c_int;
    fn botan_mp_from_bin(Handle, *const u8, usize) -> c_int;
    fn botan_mp_destroy(Handle) -> c_int;
    fn botan_privkey_create(*mut Handle, *const c_char, *const c_char, Handle) -> c_int;
    fn botan_privkey_load_sm2(*mut Handle, Handle, *const c_char) -> c_int;
    fn botan_privkey_load_ecdh(*mut Handle, Handle, *const c_char) -> c_int;
    fn botan_privkey_export_pubkey(*mut Handle, Handle) -> c_int;
    fn botan_privkey_destroy(Handle) -> c_int;
    fn botan_pubkey_destroy(Handle) -> c_int;
    fn botan_pk_op_sign_create(*mut Handle, Handle, *const c_char, u32) -> c_int;
    fn botan_pk_op_sign_destroy(Handle) -> c_int;
    fn botan_pk_op_sign_update(Handle, *const u8, usize) -> c_int;
    fn botan_pk_op_sign_finish(Handle, Handle, *mut u8, *mut usize) -> c_int;
    fn botan_pk_op_verify_create(*mut Handle, Handle, *const c_char, u32) -> c_int;
    fn botan_pk_op_verify_destroy(Handle) -> c_int;
    fn botan_pk_op_verify_update(Handle, *const u8, usize) -> c_int;
    fn botan_pk_op_verify_finish(Handle, *const u8, usize) -> c_int;
    fn botan_pk_op_key_agreement_create(*mut Handle, Handle, *const c_char, u32) -> c_int;
    fn botan_pk_op_key_agreement_destroy(Handle) -> c_int;
    fn botan_pk_op_key_agreement_export_public(Handle, *mut u8, *mut usize) -> c_int;
    fn botan_pk_op_key_agreement(Handle, *mut u8, *mut usize, *const u8, usize, *const u8, usize) -> c_int;
}

/// Any of its objects.
type Handle = *mut c_void;

// From botan/ffi.h.
const ENCRYPT: u32 = 0;
const DECRYPT: u32 = 1;
const FINAL: u32 = 1;

const CURVE: &CStr = c"sm2p256v1";
/// Signer ID and hash.
const PADDING: &CStr = c"1234567812345678,SM3";

pub(super) struct Botan {
    lib: Functions,
    version: String,
}

impl Botan {
    pub(super) fn load() -> Result<Self> {
        let lib = Functions::open()?;
        // SAFETY: a static string.
        let version = unsafe { CStr::from_ptr((lib.botan_version_string)()) };
        let version = version.to_string_lossy();
        // `Botan 2.19.3 (release, dated 20221116, revision git:..)`
        let short = version.split(" (").next().unwrap_or(&version).to_owned();
        Ok(Self {
            lib,
            version: short,
        })
    }

    fn private_key(&self, load: Load, inputs: &Inputs) -> Result<Object> {
        let number = self.object(self.lib.botan_mp_destroy, |out| {
            // SAFETY: writes a handle.
            unsafe { (self.lib.botan_mp_init)(out) }
        })?;
        let secret = &inputs.secret;
        // SAFETY: pointer and length of one array.
        check(self.lib, unsafe {
            (self.lib.botan_mp_from_bin)(number.handle(), secret.as_ptr(), secret.len())
        })?;
        self.object(self.lib.botan_privkey_destroy, |out| {
            // SAFETY: writes a handle; the number lives until the end of this function.
            unsafe { load(out, number.handle(), CURVE.as_ptr()) }
        })
    }

    fn rng(&self) -> Result<Object> {
        self.object(self.lib.botan_rng_destroy, |out| {
            // SAFETY: writes a handle; the name is a C string. `user` is a generator of this process.
            unsafe { (self.lib.botan_rng_init)(out, c"user".as_ptr()) }
        })
    }

    fn object(&self, destroy: Destroy, make: impl FnOnce(*mut Handle) -> c_int) -> Result<Object> {
        let mut handle = null_mut();
        check(self.lib, make(&mut handle))?;
        Ok(Object { handle, destroy })
    }
}

impl Contender for Botan {
    fn who(&self) -> Who {
        Who::Botan
    }

    fn name(&self) -> String {
        self.version.clone()
    }

    fn hardware(&self) -> String {
        "its own detection, carry-less multiplication for GHASH; SM2, SM3 and SM4 are plain C++"
            .into()
    }

    fn task(&self, work: Work, inputs: &Inputs) -> Result<Option<Box<dyn Task>>> {
        let lib = self.lib;
        let len = work.len;
        match work.kind {
            Kind::GcmSeal => seal(lib, c"SM4/GCM", len),
            Kind::GcmOpen => {
                let mut sealed = vec![0; len + 16];
                let seal = Cipher::new(lib, c"SM4/GCM", ENCRYPT)?;
                seal.message(&NONCE, HEADER, &plaintext(len), &mut sealed)?;
                let open = Cipher::new(lib, c"SM4/GCM", DECRYPT)?;
                changes(len, 0, move |opened| {
                    open.message(&NONCE, HEADER, &sealed, opened)
                })
            }
            // Tags of 16 bytes, lengths in 3 bytes: a nonce of 12.
            Kind::CcmSeal => seal(lib, c"SM4/CCM(16,3)", len),
            Kind::CbcEncrypt => encrypt(lib, c"SM4/CBC/NoPadding", len),
            Kind::CtrEncrypt => encrypt(lib, c"CTR(SM4)", len),
            Kind::Hash => {
                let data = plaintext(len);
                let hash = self.object(lib.botan_hash_destroy, |out| {
                    // SAFETY: writes a handle; the name is a C string.
                    unsafe { (lib.botan_hash_init)(out, c"SM3".as_ptr(), 0) }
                })?;
                gives(move || {
                    let mut digest = [0; 32];
                    // SAFETY: pointer and length of one slice; a digest of SM3 has 32 bytes.
                    unsafe {
                        check(
                            lib,
                            (lib.botan_hash_update)(hash.handle(), data.as_ptr(), data.len()),
                        )?;
                        check(
                            lib,
                            (lib.botan_hash_final)(hash.handle(), digest.as_mut_ptr()),
                        )?;
                    }
                    Ok(digest)
                })
            }
            Kind::Sign => {
                let key = self.private_key(lib.botan_privkey_load_sm2, inputs)?;
                let rng = self.rng()?;
                let signer = self.object(lib.botan_pk_op_sign_destroy, |out| {
                    // SAFETY: writes a handle, which keeps a reference to the key: both go together.
                    unsafe { (lib.botan_pk_op_sign_create)(out, key.handle(), PADDING.as_ptr(), 0) }
                })?;
                gives(move || {
                    let _ = &key;
                    let mut signature = [0; 64];
                    let mut size = signature.len();
                    // SAFETY: pointers and lengths of one array each; r || s has 64 bytes.
                    unsafe {
                        let (message, len) = (MESSAGE.as_ptr(), MESSAGE.len());
                        check(
                            lib,
                            (lib.botan_pk_op_sign_update)(signer.handle(), message, len),
                        )?;
                        let out = signature.as_mut_ptr();
                        let finish = lib.botan_pk_op_sign_finish;
                        check(lib, finish(signer.handle(), rng.handle(), out, &mut size))?;
                    }
                    Ok(signature)
                })
            }
            Kind::Verify => {
                let private = self.private_key(lib.botan_privkey_load_sm2, inputs)?;
                let key = self.object(lib.botan_pubkey_destroy, |out| {
                    // SAFETY: writes a handle; the private key lives until the end of this arm.
                    unsafe { (lib.botan_privkey_export_pubkey)(out, private.handle()) }
                })?;
                let verifier = self.object(lib.botan_pk_op_verify_destroy, |out| {
                    // SAFETY: writes a handle, which keeps a reference to the key: both go together.
                    unsafe {
                        (lib.botan_pk_op_verify_create)(out, key.handle(), PADDING.as_ptr(), 0)
                    }
                })?;
                let signature = shangmi::sm2::Signature::from_der(&inputs.signature)?.to_bytes();
                gives(move || {
                    let _ = &key;
                    // SAFETY: pointers and lengths of one array each.
                    unsafe {
                        let (message, len) = (MESSAGE.as_ptr(), MESSAGE.len());
                        check(
                            lib,
                            (lib.botan_pk_op_verify_update)(verifier.handle(), message, len),
                        )?;
                        let (signature, len) = (signature.as_ptr(), signature.len());
                        check(
                            lib,
                            (lib.botan_pk_op_verify_finish)(verifier.handle(), signature, len),
                        )?;
                    }
                    Ok(b"valid")
                })
            }
            Kind::GenerateKey => {
                let rng = self.rng()?;
                gives(move || {
                    let mut handle = null_mut();
                    let mut share = [0; 65];
                    let mut size = share.len();
                    // SAFETY: writes a handle, which is destroyed on drop; names are C strings; an
                    // uncompressed point has 65 bytes.
                    unsafe {
                        let create = lib.botan_privkey_create;
                        let curve = CURVE.as_ptr();
                        check(
                            lib,
                            create(&mut handle, c"ECDH".as_ptr(), curve, rng.handle()),
                        )?;
                        let key = Object {
                            handle,
                            destroy: lib.botan_privkey_destroy,
                        };
                        let export = lib.botan_pk_op_key_agreement_export_public;
                        check(lib, export(key.handle(), share.as_mut_ptr(), &mut size))?;
                    }
                    Ok(share)
                })
            }
            Kind::Ecdh => {
                let key = self.private_key(lib.botan_privkey_load_ecdh, inputs)?;
                let agreement = self.object(lib.botan_pk_op_key_agreement_destroy, |out| {
                    // SAFETY: writes a handle, which keeps a reference to the key: both go together.
                    unsafe {
                        (lib.botan_pk_op_key_agreement_create)(
                            out,
                            key.handle(),
                            c"Raw".as_ptr(),
                            0,
                        )
                    }
                })?;
                let share = inputs.public;
                gives(move || {
                    let _ = &key;
                    let mut secret = [0; 32];
                    let mut size = secret.len();
                    // SAFETY: pointers and lengths of one array each; no salt.
                    check(lib, unsafe {
                        (lib.botan_pk_op_key_agreement)(
                            agreement.handle(),
                            secret.as_mut_ptr(),
                            &mut size,
                            share.as_ptr(),
                            share.len(),
                            null(),
                            0,
                        )
                    })?;
                    Ok(secret)
                })
            }
            Kind::Handshake | Kind::Record => Ok(None),
        }
    }
}

fn seal(lib: Functions, mode: &CStr, len: usize) -> Result<Option<Box<dyn Task>>> {
    let cipher = Cipher::new(lib, mode, ENCRYPT)?;
    let data = plaintext(len);
    changes(len, 16, move |sealed| {
        cipher.message(&NONCE, HEADER, &data, sealed)
    })
}

fn encrypt(lib: Functions, mode: &CStr, len: usize) -> Result<Option<Box<dyn Task>>> {
    let cipher = Cipher::new(lib, mode, ENCRYPT)?;
    let data = plaintext(len);
    changes(len, 0, move |out| cipher.message(&IV, b"", &data, out))
}

type Load = unsafe extern "C" fn(*mut Handle, Handle, *const c_char) -> c_int;
type Destroy = unsafe extern "C" fn(Handle) -> c_int;

/// An object of the library's with the function that frees it.
struct Object {
    handle: Handle,
    destroy: Destroy,
}

impl Object {
    /// A method, so that closures capture the object and not only its handle.
    fn handle(&self) -> Handle {
        self.handle
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the function belongs to this kind of handle, which nothing uses any more.
        unsafe { (self.destroy)(self.handle) };
    }
}

struct Cipher {
    lib: Functions,
    object: Object,
}

impl Cipher {
    fn new(lib: Functions, name: &CStr, direction: u32) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: writes a handle, which is destroyed on drop; pointer and length of a constant.
        unsafe {
            check(
                lib,
                (lib.botan_cipher_init)(&mut handle, name.as_ptr(), direction),
            )?;
            let object = Object {
                handle,
                destroy: lib.botan_cipher_destroy,
            };
            check(
                lib,
                (lib.botan_cipher_set_key)(handle, KEY.as_ptr(), KEY.len()),
            )?;
            Ok(Self { lib, object })
        }
    }

    /// One message; what comes out must fill `out`. The library has no work in place: it copies.
    fn message(&self, start: &[u8], header: &[u8], input: &[u8], out: &mut [u8]) -> Result<()> {
        let (lib, cipher) = (self.lib, self.object.handle);
        let (mut written, mut consumed) = (0, 0);
        // SAFETY: pointers and lengths of one slice each.
        unsafe {
            if !header.is_empty() {
                let (header, len) = (header.as_ptr(), header.len());
                check(
                    lib,
                    (lib.botan_cipher_set_associated_data)(cipher, header, len),
                )?;
            }
            check(
                lib,
                (lib.botan_cipher_start)(cipher, start.as_ptr(), start.len()),
            )?;
            let (to, room) = (out.as_mut_ptr(), out.len());
            let (from, len) = (input.as_ptr(), input.len());
            let update = lib.botan_cipher_update;
            check(
                lib,
                update(
                    cipher,
                    FINAL,
                    to,
                    room,
                    &mut written,
                    from,
                    len,
                    &mut consumed,
                ),
            )?;
        }
        if (written, consumed) != (out.len(), input.len()) {
            return Err(format!("Botan wrote {written} bytes for {consumed}").into());
        }
        Ok(())
    }
}

fn check(lib: Functions, code: c_int) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: a static string.
    let words = unsafe { CStr::from_ptr((lib.botan_error_description)(code)) };
    Err(format!("Botan: {}", words.to_string_lossy()).into())
}
