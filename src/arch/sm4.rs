//! Chooses the SM4 kernel.

pub(crate) mod ccm;
pub(crate) mod gcm;
mod portable;

use cipher::Array;
use cipher::consts::U16;
use cipher::inout::InOutBuf;
use zeroize::{Zeroize, Zeroizing};

#[cfg(target_arch = "x86_64")]
use super::cpu::{AesAvx, GfniAvx2, GfniAvx512, VaesAvx2};
use super::portable as leaves;
use super::wipe::leaving;
#[cfg(target_arch = "x86_64")]
use super::x86_64;
#[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
use super::x86_64::vector::emulated;

/// Whether a mode encrypts or decrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

/// A kernel that this processor can run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    GfniAvx512(GfniAvx512),
    #[cfg(target_arch = "x86_64")]
    GfniAvx2(GfniAvx2),
    #[cfg(target_arch = "x86_64")]
    VaesAvx2(VaesAvx2),
    #[cfg(target_arch = "x86_64")]
    AesAvx(AesAvx),
    Portable,
    /// The generic code of `VaesAvx2`, for tests where the processor lacks VAES.
    #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
    EmulatedVaes(emulated::Vaes256),
    /// The generic code of `GfniAvx2`, for tests where the processor lacks GFNI.
    #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
    EmulatedGfni(emulated::Gfni256),
    /// The generic code of `GfniAvx512`, for tests where the processor lacks it.
    #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
    EmulatedGfni512(emulated::Gfni512),
}

impl Kernel {
    /// All that this processor can run; the names of the others are printed.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        for (name, kernel) in [
            ("AES-NI + AVX", AesAvx::check().map(Self::AesAvx)),
            ("VAES + AVX2", VaesAvx2::check().map(Self::VaesAvx2)),
            ("GFNI + AVX2", GfniAvx2::check().map(Self::GfniAvx2)),
            ("GFNI + AVX-512", GfniAvx512::check().map(Self::GfniAvx512)),
            (
                "emulated VAES",
                emulated::Vaes256::check().map(Self::EmulatedVaes),
            ),
            (
                "emulated GFNI",
                emulated::Gfni256::check().map(Self::EmulatedGfni),
            ),
            (
                "emulated GFNI, 512 bits",
                emulated::Gfni512::check().map(Self::EmulatedGfni512),
            ),
        ] {
            match kernel {
                Some(kernel) => all.push(kernel),
                None => println!("SM4 kernel not run on this machine: {name}"),
            }
        }
        all
    }

    /// Whether its instructions are emulated, which takes hundreds of times as long.
    #[cfg(test)]
    fn is_emulated(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(
            self,
            Self::EmulatedVaes(_) | Self::EmulatedGfni(_) | Self::EmulatedGfni512(_)
        );
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// As docs/kernels.md calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::GfniAvx512(_) => "GFNI + AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::GfniAvx2(_) => "GFNI + AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::VaesAvx2(_) => "VAES + AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::AesAvx(_) => "AES-NI + AVX",
            Self::Portable => "portable",
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Self::EmulatedVaes(_) => "emulated VAES",
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Self::EmulatedGfni(_) => "emulated GFNI",
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Self::EmulatedGfni512(_) => "emulated GFNI, 512 bits",
        }
    }

    /// The fastest.
    pub(crate) fn select() -> Self {
        #[cfg(all(shangmi_ctgrind, target_arch = "x86_64"))]
        if let Some(emulated) = Self::emulated() {
            return emulated;
        }
        #[cfg(target_arch = "x86_64")]
        {
            let fastest = GfniAvx512::check()
                .map(Self::GfniAvx512)
                .or_else(|| GfniAvx2::check().map(Self::GfniAvx2))
                .or_else(|| VaesAvx2::check().map(Self::VaesAvx2))
                .or_else(|| AesAvx::check().map(Self::AesAvx));
            if let Some(fastest) = fastest {
                return fastest;
            }
        }
        Self::Portable
    }
}

#[cfg(all(shangmi_ctgrind, target_arch = "x86_64"))]
impl Kernel {
    /// What `SHANGMI_CPU_EMULATE` names, for valgrind, which knows neither VAES nor GFNI.
    fn emulated() -> Option<Self> {
        match std::env::var("SHANGMI_CPU_EMULATE").ok()?.as_str() {
            "vaes" => emulated::Vaes256::check().map(Self::EmulatedVaes),
            "gfni" => emulated::Gfni256::check().map(Self::EmulatedGfni),
            "gfni,avx512" => emulated::Gfni512::check().map(Self::EmulatedGfni512),
            _ => None,
        }
    }
}

/// Blocks as the traits of `cipher` have them.
pub(crate) type Blocks<'i, 'o> = InOutBuf<'i, 'o, Array<u8, U16>>;

fn as_arrays<'i, 'o>(blocks: Blocks<'i, 'o>) -> InOutBuf<'i, 'o, [u8; 16]> {
    let len = blocks.len();
    let (input, output) = blocks.into_raw();
    // SAFETY: `Array<u8, U16>` is a transparent wrapper of `[u8; 16]`.
    unsafe { InOutBuf::from_raw(input.cast(), output.cast(), len) }
}

fn as_bytes<'i, 'o>(blocks: Blocks<'i, 'o>) -> InOutBuf<'i, 'o, u8> {
    let len = 16 * blocks.len();
    let (input, output) = blocks.into_raw();
    // SAFETY: each of the blocks has 16 bytes.
    unsafe { InOutBuf::from_raw(input.cast(), output.cast(), len) }
}

/// Calls a function of the kernel's module, with its token where it has one.
macro_rules! on {
    ($kernel:expr, $function:ident($($argument:expr),*), $portable:expr) => {
        match $kernel {
            // SAFETY: each token shows that the processor has what the functions of its module
            // enable.
            #[cfg(target_arch = "x86_64")]
            Kernel::GfniAvx512(token) => unsafe {
                x86_64::sm4::gfni_avx512::$function(token, $($argument),*)
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::GfniAvx2(token) => unsafe {
                x86_64::sm4::gfni_avx2::$function(token, $($argument),*)
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::VaesAvx2(token) => unsafe {
                x86_64::sm4::vaes_avx2::$function(token, $($argument),*)
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::AesAvx(token) => unsafe {
                x86_64::sm4::aes_avx::$function(token, $($argument),*)
            },
            // Its bit planes take more of the stack than the other kernels' registers.
            Kernel::Portable => leaving::<{ 8 << 10 }, _>(|| $portable),
            // SAFETY: as above.
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Kernel::EmulatedVaes(token) => unsafe {
                x86_64::sm4::emulated_vaes::$function(token, $($argument),*)
            },
            // SAFETY: as above.
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Kernel::EmulatedGfni(token) => unsafe {
                x86_64::sm4::emulated_gfni::$function(token, $($argument),*)
            },
            // SAFETY: as above.
            #[cfg(all(any(test, shangmi_ctgrind), target_arch = "x86_64"))]
            Kernel::EmulatedGfni512(token) => unsafe {
                x86_64::sm4::emulated_gfni_512::$function(token, $($argument),*)
            },
        }
    };
}

/// Stack that copying a key does not exceed; the copy goes through registers, which are wiped too.
const CLONE_STACK: usize = 1 << 10;

/// An SM4 key, expanded for one kernel.
///
/// The round keys are on the heap, so that moving a key leaves no copy, and are wiped on drop.
pub(crate) struct Key {
    kernel: Kernel,
    /// In the kernel's own form.
    round_keys: Box<Zeroizing<[u32; 32]>>,
}

impl Clone for Key {
    fn clone(&self) -> Self {
        leaving::<CLONE_STACK, _>(|| self.copy())
    }
}

impl Key {
    /// A key for all but decryption of blocks.
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self::with_kernel(Kernel::select(), key)
    }

    pub(crate) fn with_kernel(kernel: Kernel, key: &[u8; 16]) -> Self {
        let mut round_keys = Box::new(Zeroizing::new([0; 32]));
        let out = &mut **round_keys;
        on!(kernel, expand(key, out), {
            let mut expanded = leaves::sm4::expand(key);
            out.copy_from_slice(&expanded);
            expanded.zeroize();
        });
        Self { kernel, round_keys }
    }

    /// A clone, from heap to heap, for a caller that wipes what this leaves behind.
    fn copy(&self) -> Self {
        let mut round_keys = Box::new(Zeroizing::new([0; 32]));
        round_keys.copy_from_slice(&**self.round_keys);
        Self {
            kernel: self.kernel,
            round_keys,
        }
    }

    /// A key that decrypts where this one encrypts.
    pub(crate) fn reversed(&self) -> Self {
        let mut reversed = self.copy();
        reversed.round_keys.reverse();
        reversed
    }

    /// Encrypts blocks one by one.
    pub(crate) fn crypt(&self, blocks: Blocks<'_, '_>) {
        let (keys, blocks) = (&self.round_keys, as_arrays(blocks));
        on!(
            self.kernel,
            crypt(keys, None, blocks),
            leaves::sm4::crypt(keys, blocks)
        );
    }

    /// CBC encryption. `iv` becomes the last block of ciphertext.
    pub(crate) fn cbc_encrypt(&self, iv: &mut [u8; 16], blocks: Blocks<'_, '_>) {
        let (keys, blocks) = (&self.round_keys, as_arrays(blocks));
        on!(
            self.kernel,
            cbc_encrypt(keys, iv, blocks),
            portable::cbc_encrypt(keys, iv, blocks)
        );
    }

    /// CBC decryption with a reversed key. `iv` becomes the last block of ciphertext.
    pub(crate) fn cbc_decrypt(&self, iv: &mut [u8; 16], blocks: Blocks<'_, '_>) {
        let (keys, blocks) = (&self.round_keys, as_arrays(blocks));
        on!(
            self.kernel,
            crypt(keys, Some(iv), blocks),
            portable::cbc_decrypt(keys, iv, blocks)
        );
    }

    /// Adds the key stream of consecutive big-endian counter blocks, which may wrap.
    pub(crate) fn ctr(&self, mut counter: u128, mut blocks: Blocks<'_, '_>) {
        while !blocks.is_empty() {
            // The kernels count in 32 bits: as far as these do not wrap.
            let room = (1 << 32) - u64::from(counter as u32);
            let len = usize::try_from(room).map_or(blocks.len(), |room| room.min(blocks.len()));
            let (now, later) = blocks.split_at(len);
            self.ctr_32(counter, now);
            (counter, blocks) = (counter.wrapping_add(len as u128), later);
        }
    }

    /// The same while the counter's last 32 bits do not wrap.
    fn ctr_32(&self, counter: u128, blocks: Blocks<'_, '_>) {
        let (keys, bytes) = (&self.round_keys, as_bytes(blocks));
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&counter.to_be_bytes()[..12]);
        let (nonce, counter) = (&nonce, counter as u32);
        on!(
            self.kernel,
            ctr(keys, nonce, counter, bytes),
            portable::ctr(keys, nonce, counter, bytes)
        );
    }

    /// CCM of less than 2^24 bytes; returns the tag.
    pub(crate) fn ccm(
        &self,
        direction: Direction,
        nonce: &[u8; 12],
        associated_data: &[u8],
        buf: InOutBuf<'_, '_, u8>,
    ) -> [u8; 16] {
        let keys = &self.round_keys;
        on!(
            self.kernel,
            ccm(keys, direction, nonce, associated_data, buf),
            ccm::crypt(
                portable::PortableCcm::new(keys),
                direction,
                nonce,
                associated_data,
                buf
            )
        )
    }
}

/// An SM4 key with what GHASH needs of it, on the heap and wiped on drop as well.
pub(crate) struct GcmKey {
    cipher: Key,
    hash: Box<leaves::ghash::Key>,
    /// None for the portable kernel.
    #[cfg(target_arch = "x86_64")]
    powers: x86_64::ghash::Powers,
}

impl Clone for GcmKey {
    fn clone(&self) -> Self {
        leaving::<CLONE_STACK, _>(|| Self {
            cipher: self.cipher.copy(),
            hash: self.hash.clone(),
            #[cfg(target_arch = "x86_64")]
            powers: self.powers.clone(),
        })
    }
}

impl GcmKey {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self::with_kernel(Kernel::select(), key)
    }

    pub(crate) fn with_kernel(kernel: Kernel, key: &[u8; 16]) -> Self {
        let cipher = Key::with_kernel(kernel, key);
        let mut h = Zeroizing::new([0; 16]);
        cipher.crypt(InOutBuf::from_mut((&mut *h).into()));
        let h = &*h;
        Self {
            cipher,
            hash: Box::new(leaves::ghash::Key::new(h)),
            #[cfg(target_arch = "x86_64")]
            powers: on!(kernel, powers(h), x86_64::ghash::Powers::default()),
        }
    }

    /// GCM of at most 2^36 - 32 bytes; returns the tag.
    pub(crate) fn crypt(
        &self,
        direction: Direction,
        nonce: &[u8; 12],
        associated_data: &[u8],
        buf: InOutBuf<'_, '_, u8>,
    ) -> [u8; 16] {
        let round_keys = &self.cipher.round_keys;
        on!(
            self.cipher.kernel,
            gcm(
                (round_keys, &self.powers),
                direction,
                nonce,
                associated_data,
                buf
            ),
            {
                let hash_key = &self.hash;
                let kernel = portable::PortableGcm {
                    round_keys,
                    hash_key,
                    nonce,
                };
                gcm::crypt(&kernel, direction, associated_data, buf)
            }
        )
    }
}

#[cfg(test)]
mod tests;
