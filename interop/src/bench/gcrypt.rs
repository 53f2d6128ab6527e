//! libgcrypt: SM4 in all modes, SM3, SM2 signatures. It has no ECDH for this curve.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{null, null_mut};

use shangmi::sm2::{DEFAULT_ID, PublicKey, Signature, message_digest};

use super::library::library;
use super::task::{Task, changes, gives};
use super::work::{HEADER, IV, Inputs, KEY, Kind, MESSAGE, NONCE, Work, plaintext};
use super::{Contender, Result, Who};

library! { Functions, "libgcrypt.so.20", "libgcrypt20":
    fn gcry_check_version(*const c_char) -> *const c_char;
    fn gcry_control(c_int; ...) -> c_uint;
    fn gcry_get_config(c_int, *const c_char) -> *mut c_char;
    fn gcry_free(*mut c_void);
    fn gcry_strerror(c_uint) -> *const c_char;
    fn gcry_cipher_open(*mut Handle, c_int, c_int, c_uint) -> c_uint;
    fn gcry_cipher_close(Handle);
    fn gcry_cipher_ctl(Handle, c_int, *mut c_void, usize) -> c_uint;
    fn gcry_cipher_setkey(Handle, *const u8, usize) -> c_uint;
    fn gcry_cipher_setiv(Handle, *const u8, usize) -> c_uint;
    fn gcry_cipher_setctr(Handle, *const u8, usize) -> c_uint;
    fn gcry_cipher_authenticate(Handle, *const u8, usize) -> c_uint;
    fn gcry_cipher_encrypt(Handle, *mut u8, usize, *const u8, usize) -> c_uint;
    fn gcry_cipher_decrypt(Handle, *mut u8, usize, *const u8, usize) -> c_uint;
    fn gcry_cipher_gettag(Handle, *mut u8, usize) -> c_uint;
    fn gcry_cipher_checktag(Handle, *const u8, usize) -> c_uint;
    fn gcry_md_hash_buffer(c_int, *mut u8, *const u8, usize);
    fn gcry_sexp_build(*mut Handle, *mut usize, *const c_char; ...) -> c_uint;
    fn gcry_sexp_find_token(Handle, *const c_char, usize) -> Handle;
    fn gcry_sexp_nth_data(Handle, c_int, *mut usize) -> *const u8;
    fn gcry_sexp_release(Handle);
    fn gcry_pk_sign(*mut Handle, Handle, Handle) -> c_uint;
    fn gcry_pk_verify(Handle, Handle, Handle) -> c_uint;
}

/// A cipher or an S-expression.
type Handle = *mut c_void;

// From gcrypt.h.
const GCRYCTL_DISABLE_SECMEM: c_int = 37;
const GCRYCTL_INITIALIZATION_FINISHED: c_int = 38;
const GCRYCTL_SET_CCM_LENGTHS: c_int = 69;
const GCRY_CIPHER_SM4: c_int = 318;
const GCRY_MD_SM3: c_int = 326;
const GCRY_CIPHER_MODE_CBC: c_int = 3;
const GCRY_CIPHER_MODE_CTR: c_int = 6;
const GCRY_CIPHER_MODE_CCM: c_int = 8;
const GCRY_CIPHER_MODE_GCM: c_int = 9;

pub(super) struct Libgcrypt {
    lib: Functions,
    version: String,
}

impl Libgcrypt {
    pub(super) fn load() -> Result<Self> {
        let lib = Functions::open()?;
        // SAFETY: the order that the manual wants: version, settings, finished; the version is a
        // static string. Secure memory would only be a pool for keys.
        let version = unsafe {
            let version = (lib.gcry_check_version)(null());
            (lib.gcry_control)(GCRYCTL_DISABLE_SECMEM, 0 as c_int);
            (lib.gcry_control)(GCRYCTL_INITIALIZATION_FINISHED, 0 as c_int);
            text(version)
        };
        Ok(Self { lib, version })
    }
}

impl Contender for Libgcrypt {
    fn who(&self) -> Who {
        Who::Libgcrypt
    }

    fn name(&self) -> String {
        format!("libgcrypt {}", self.version)
    }

    /// From a line `hwflist:intel-cpu:intel-aesni:..:`.
    fn hardware(&self) -> String {
        // SAFETY: the answer is null or a string that is ours to free.
        unsafe {
            let list = (self.lib.gcry_get_config)(0, c"hwflist".as_ptr());
            let words = text(list);
            (self.lib.gcry_free)(list.cast());
            words
                .trim()
                .trim_start_matches("hwflist:")
                .replace(':', " ")
        }
    }

    fn task(&self, work: Work, inputs: &Inputs) -> Result<Option<Box<dyn Task>>> {
        let lib = self.lib;
        let len = work.len;
        match work.kind {
            Kind::GcmSeal => {
                let cipher = Cipher::new(lib, GCRY_CIPHER_MODE_GCM)?;
                changes(len, 16, move |buffer| cipher.seal(buffer, len))
            }
            Kind::GcmOpen => {
                let cipher = Cipher::new(lib, GCRY_CIPHER_MODE_GCM)?;
                let mut sealed = plaintext(len);
                sealed.resize(len + 16, 0);
                cipher.seal(&mut sealed, len)?;
                changes(len, 0, move |opened| cipher.open(&sealed, opened))
            }
            Kind::CcmSeal => {
                let cipher = Cipher::new(lib, GCRY_CIPHER_MODE_CCM)?;
                changes(len, 16, move |buffer| cipher.seal(buffer, len))
            }
            Kind::CbcEncrypt => {
                let cipher = Cipher::new(lib, GCRY_CIPHER_MODE_CBC)?;
                changes(len, 0, move |buffer| {
                    // SAFETY: pointer and length of a constant.
                    cipher.check(unsafe {
                        (lib.gcry_cipher_setiv)(cipher.handle, IV.as_ptr(), 16)
                    })?;
                    cipher.encrypt(buffer)
                })
            }
            Kind::CtrEncrypt => {
                let cipher = Cipher::new(lib, GCRY_CIPHER_MODE_CTR)?;
                changes(len, 0, move |buffer| {
                    // SAFETY: pointer and length of a constant.
                    cipher.check(unsafe {
                        (lib.gcry_cipher_setctr)(cipher.handle, IV.as_ptr(), 16)
                    })?;
                    cipher.encrypt(buffer)
                })
            }
            Kind::Hash => {
                let data = plaintext(len);
                gives(move || {
                    let mut digest = [0; 32];
                    // SAFETY: the digest of SM3 is 32 bytes long.
                    unsafe {
                        (lib.gcry_md_hash_buffer)(
                            GCRY_MD_SM3,
                            digest.as_mut_ptr(),
                            data.as_ptr(),
                            data.len(),
                        );
                    }
                    Ok(digest)
                })
            }
            Kind::Sign => {
                let key = private_key(lib, inputs)?;
                let public = PublicKey::from_sec1(&inputs.public)?;
                gives(move || {
                    let data = data(lib, &public)?;
                    let mut signature = null_mut();
                    // SAFETY: both expressions live until the end of the block.
                    check(lib, unsafe {
                        (lib.gcry_pk_sign)(&mut signature, data.handle(), key.handle())
                    })?;
                    let signature = Expression {
                        lib,
                        handle: signature,
                    };
                    Ok([signature.number(c"r")?, signature.number(c"s")?].concat())
                })
            }
            Kind::Verify => {
                let key = private_key(lib, inputs)?;
                let public = PublicKey::from_sec1(&inputs.public)?;
                let bytes = Signature::from_der(&inputs.signature)?.to_bytes();
                gives(move || {
                    let data = data(lib, &public)?;
                    let format = c"(sig-val (sm2 (r %b)(s %b)))";
                    let signature = Expression::build(lib, format, &bytes[..32], &bytes[32..])?;
                    // SAFETY: all three expressions live until the end of the block.
                    check(lib, unsafe {
                        (lib.gcry_pk_verify)(signature.handle(), data.handle(), key.handle())
                    })?;
                    Ok(b"valid")
                })
            }
            Kind::GenerateKey | Kind::Ecdh | Kind::Handshake | Kind::Record => Ok(None),
        }
    }
}

/// An SM4 context of one mode, with its key.
struct Cipher {
    lib: Functions,
    mode: c_int,
    handle: Handle,
}

impl Cipher {
    fn new(lib: Functions, mode: c_int) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: writes the handle that is closed on drop.
        let opened = unsafe { (lib.gcry_cipher_open)(&mut handle, GCRY_CIPHER_SM4, mode, 0) };
        check(lib, opened)?;
        let cipher = Self { lib, mode, handle };
        // SAFETY: pointer and length of a constant.
        cipher.check(unsafe { (lib.gcry_cipher_setkey)(handle, KEY.as_ptr(), KEY.len()) })?;
        Ok(cipher)
    }

    /// Begins a message of `len` bytes.
    fn start(&self, len: usize) -> Result<()> {
        let lib = self.lib;
        // SAFETY: pointers and lengths of constants.
        self.check(unsafe { (lib.gcry_cipher_setiv)(self.handle, NONCE.as_ptr(), NONCE.len()) })?;
        if self.mode == GCRY_CIPHER_MODE_CCM {
            let mut lengths = [len as u64, HEADER.len() as u64, 16];
            let size = size_of_val(&lengths);
            // SAFETY: three numbers of 64 bits, which this command wants.
            self.check(unsafe {
                (lib.gcry_cipher_ctl)(
                    self.handle,
                    GCRYCTL_SET_CCM_LENGTHS,
                    lengths.as_mut_ptr().cast(),
                    size,
                )
            })?;
        }
        // SAFETY: pointer and length of a constant.
        self.check(unsafe {
            (lib.gcry_cipher_authenticate)(self.handle, HEADER.as_ptr(), HEADER.len())
        })
    }

    /// Data of `len` bytes and the tag's place.
    fn seal(&self, buffer: &mut [u8], len: usize) -> Result<()> {
        let (data, tag) = buffer.split_at_mut(len);
        self.start(len)?;
        self.encrypt(data)?;
        // SAFETY: pointer and length of one slice.
        self.check(unsafe {
            (self.lib.gcry_cipher_gettag)(self.handle, tag.as_mut_ptr(), tag.len())
        })
    }

    fn open(&self, sealed: &[u8], out: &mut [u8]) -> Result<()> {
        let (data, tag) = sealed.split_at(out.len());
        self.start(out.len())?;
        // SAFETY: pointers and lengths of two slices.
        self.check(unsafe {
            let (from, len) = (data.as_ptr(), data.len());
            (self.lib.gcry_cipher_decrypt)(self.handle, out.as_mut_ptr(), out.len(), from, len)
        })?;
        // SAFETY: pointer and length of one slice.
        self.check(unsafe { (self.lib.gcry_cipher_checktag)(self.handle, tag.as_ptr(), tag.len()) })
    }

    fn encrypt(&self, data: &mut [u8]) -> Result<()> {
        // SAFETY: in place, which no input pointer stands for.
        self.check(unsafe {
            (self.lib.gcry_cipher_encrypt)(self.handle, data.as_mut_ptr(), data.len(), null(), 0)
        })
    }

    fn check(&self, code: c_uint) -> Result<()> {
        check(self.lib, code)
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        // SAFETY: nothing uses the handle any more.
        unsafe { (self.lib.gcry_cipher_close)(self.handle) }
    }
}

struct Expression {
    lib: Functions,
    handle: Handle,
}

impl Expression {
    /// From a format with `%b` twice.
    fn build(lib: Functions, format: &CStr, first: &[u8], second: &[u8]) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: `%b` takes a length as int and a pointer.
        check(lib, unsafe {
            (lib.gcry_sexp_build)(
                &mut handle,
                null_mut(),
                format.as_ptr(),
                first.len() as c_int,
                first.as_ptr(),
                second.len() as c_int,
                second.as_ptr(),
            )
        })?;
        Ok(Self { lib, handle })
    }

    /// A method, so that closures capture the expression and not only its handle.
    fn handle(&self) -> Handle {
        self.handle
    }

    /// The number behind `name`, as 32 bytes.
    fn number(&self, name: &CStr) -> Result<[u8; 32]> {
        // SAFETY: the data lives as long as the token, and is copied before that is released.
        unsafe {
            let token = (self.lib.gcry_sexp_find_token)(self.handle, name.as_ptr(), 0);
            let token = Self {
                lib: self.lib,
                handle: token,
            };
            let mut len = 0;
            let data = (self.lib.gcry_sexp_nth_data)(token.handle(), 1, &mut len);
            if data.is_null() {
                return Err("no such number in the signature".into());
            }
            let data = std::slice::from_raw_parts(data, len);
            // Positive: a zero byte may stand before, or leading ones be left out.
            let digits = data.strip_prefix(&[0]).unwrap_or(data);
            let mut number = [0; 32];
            let start = 32usize
                .checked_sub(digits.len())
                .ok_or("a number too long")?;
            number[start..].copy_from_slice(digits);
            Ok(number)
        }
    }
}

impl Drop for Expression {
    fn drop(&mut self) {
        // SAFETY: nothing uses the handle any more; null is allowed.
        unsafe { (self.lib.gcry_sexp_release)(self.handle) }
    }
}

fn private_key(lib: Functions, inputs: &Inputs) -> Result<Expression> {
    let format = c"(private-key (ecc (curve sm2p256v1)(q %b)(d %b)))";
    Expression::build(lib, format, &inputs.public, &inputs.secret)
}

/// The digest e of the message; libgcrypt leaves the signer's ID to its caller.
fn data(lib: Functions, public: &PublicKey) -> Result<Expression> {
    let digest = message_digest(DEFAULT_ID, public, MESSAGE)?;
    Expression::build(lib, c"(data (flags sm2)(hash %b %b))", b"sm3", &digest)
}

fn check(lib: Functions, code: c_uint) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: a static string.
    Err(format!("libgcrypt: {}", unsafe { text((lib.gcry_strerror)(code)) }).into())
}

/// # Safety
/// `words` must be null or a C string.
unsafe fn text(words: *const c_char) -> String {
    if words.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(words) }
        .to_string_lossy()
        .into_owned()
}
