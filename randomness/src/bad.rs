//! Generators with a known defect, which the tests must find. All are deterministic.

use std::io::{self, Read};

use crate::source::KeyStream;

/// A generator with a known defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Independent bits that are one with a probability of 0.502.
    Biased,
    /// Bits that repeat the one before with a probability of 0.502; as many ones as zeros.
    Sticky,
    /// A linear feedback shift register of 401 bits, x^401 + x^152 + 1 (irreducible): its period is
    /// far longer than any test, and its bits are balanced.
    Lfsr,
    /// The low byte of a linear congruential generator modulo 2^31, that of glibc's `rand` of type 0.
    Lcg,
    /// A counter of 32 bits, big-endian.
    Counter,
    /// Good bits that come again after 2048 bytes.
    Periodic,
}

impl Bad {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Biased,
        Self::Sticky,
        Self::Lfsr,
        Self::Lcg,
        Self::Counter,
        Self::Periodic,
    ];

    /// What it is called in `bad:NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Biased => "biased",
            Self::Sticky => "sticky",
            Self::Lfsr => "lfsr",
            Self::Lcg => "lcg",
            Self::Counter => "counter",
            Self::Periodic => "periodic",
        }
    }

    /// Its bytes, from the first.
    pub fn open(self) -> Box<dyn Read + Send> {
        match self {
            Self::Biased => Box::new(Bytes(biased())),
            Self::Sticky => Box::new(Bytes(sticky())),
            Self::Lfsr => Box::new(Bytes(lfsr())),
            Self::Lcg => Box::new(Bytes(lcg())),
            Self::Counter => Box::new(Bytes((0..=u32::MAX).flat_map(u32::to_be_bytes))),
            Self::Periodic => Box::new(Bytes(periodic())),
        }
    }
}

fn biased() -> impl Iterator<Item = u8> + Send {
    bytes(often())
}

fn sticky() -> impl Iterator<Item = u8> + Send {
    let (mut often, mut bit) = (often(), false);
    bytes(move || {
        bit ^= !often();
        bit
    })
}

/// True with a probability of 0.502.
fn often() -> impl FnMut() -> bool + Send {
    let mut good = good();
    move || {
        let number: [u8; 4] = std::array::from_fn(|_| good.next().unwrap_or_default());
        f64::from(u32::from_be_bytes(number)) < 0.502 * 2_f64.powi(32)
    }
}

fn lfsr() -> impl Iterator<Item = u8> + Send {
    const DEGREE: usize = 401;
    const TAP: usize = 152;
    let mut seed = good();
    let mut state: [bool; DEGREE] =
        std::array::from_fn(|_| seed.next().is_some_and(|byte| byte & 1 == 1));
    let mut i = 0;
    bytes(move || {
        let bit = state[i];
        state[i] ^= state[(i + TAP) % DEGREE];
        i = (i + 1) % DEGREE;
        bit
    })
}

fn lcg() -> impl Iterator<Item = u8> + Send {
    let mut state = 1_u32;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        state as u8
    })
}

fn periodic() -> impl Iterator<Item = u8> + Send {
    let period: Vec<_> = good().take(2048).collect();
    period.into_iter().cycle()
}

/// Good bits, to make bad ones of.
fn good() -> impl Iterator<Item = u8> + Send {
    let (mut source, mut buffer) = (KeyStream::new(), Vec::new());
    std::iter::from_fn(move || {
        if buffer.is_empty() {
            buffer.resize(4096, 0);
            source.read_exact(&mut buffer).ok()?;
        }
        buffer.pop()
    })
}

/// Bits as bytes, the first bit highest.
fn bytes(mut bit: impl FnMut() -> bool) -> impl Iterator<Item = u8> {
    std::iter::repeat_with(move || (0..8).fold(0, |byte, _| byte << 1 | u8::from(bit())))
}

/// Reads an iterator.
struct Bytes<I>(I);

impl<I: Iterator<Item = u8>> Read for Bytes<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        for (place, byte) in buffer.iter_mut().zip(&mut self.0) {
            *place = byte;
            len += 1;
        }
        Ok(len)
    }
}
