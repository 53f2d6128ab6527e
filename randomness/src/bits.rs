//! A sequence of bits, packed into words.

use std::ops::Range;

/// A sequence of bits. The first bit of a byte is its highest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The first bit is the highest of the first word; those after the last bit are zero.
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The first `len` bits of some bytes, or all of them where there are fewer.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Self {
        let words = bytes
            .chunks(8)
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_be_bytes(word)
            })
            .collect();
        Self::trimmed(words, len.min(8 * bytes.len()))
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits, first to last.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        self.range(0..self.len)
    }

    /// The bits of a range.
    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = bool> + '_ {
        range.map(|i| self.words[i / 64] << (i % 64) >> 63 == 1)
    }

    /// Number of ones.
    pub(crate) fn ones(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Number of ones in `len` bits from `start`.
    pub(crate) fn ones_in(&self, start: usize, len: usize) -> usize {
        (start..start + len)
            .step_by(64)
            .map(|i| self.value(i, 64.min(start + len - i)).count_ones() as usize)
            .sum()
    }

    /// The number that `width` bits (1 to 64) make from `start`, the first one highest.
    pub(crate) fn value(&self, start: usize, width: usize) -> u64 {
        self.window(start) >> (64 - width)
    }

    /// The numbers that blocks of `width` bits (1 to 64) make; an incomplete last block is left out.
    pub(crate) fn values(&self, width: usize) -> impl Iterator<Item = u64> + '_ {
        (0..self.len / width).map(move |i| self.value(i * width, width))
    }

    /// Each bit XOR the one `distance` after it; so many bits fewer.
    pub(crate) fn differences(&self, distance: usize) -> Self {
        let words = self.words.iter().enumerate();
        Self::trimmed(
            words
                .map(|(i, word)| word ^ self.window(64 * i + distance))
                .collect(),
            self.len.saturating_sub(distance),
        )
    }

    /// The runs of equal bits, first to last: the bit and how often it stands there.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (bool, usize)> + '_ {
        let changes = self.differences(1);
        let (mut start, mut bit) = (0, self.len > 0 && self.value(0, 1) == 1);
        std::iter::from_fn(move || {
            if start >= self.len {
                return None;
            }
            let end = changes.next_one(start).map_or(self.len, |i| i + 1);
            let run = (bit, end - start);
            (start, bit) = (end, !bit);
            Some(run)
        })
    }

    /// Where the next one is, at `start` or after it.
    fn next_one(&self, start: usize) -> Option<usize> {
        (start..self.len)
            .step_by(64)
            .map(|i| (i, self.window(i)))
            .find(|(_, window)| *window != 0)
            .map(|(i, window)| i + window.leading_zeros() as usize)
    }

    /// 64 bits from `start`, with zeros after the last bit.
    fn window(&self, start: usize) -> u64 {
        let word = |i: usize| self.words.get(i).copied().unwrap_or_default();
        let (i, shift) = (start / 64, start % 64);
        match shift {
            0 => word(i),
            _ => word(i) << shift | word(i + 1) >> (64 - shift),
        }
    }

    fn trimmed(mut words: Vec<u64>, len: usize) -> Self {
        words.truncate(len.div_ceil(64));
        if let Some(last) = words.last_mut().filter(|_| !len.is_multiple_of(64)) {
            *last &= !(u64::MAX >> (len % 64));
        }
        Self { words, len }
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let (mut words, mut len) = (Vec::new(), 0);
        for bit in bits {
            if len % 64 == 0 {
                words.push(0);
            }
            if let Some(last) = words.last_mut() {
                *last |= u64::from(bit) << (63 - len % 64);
            }
            len += 1;
        }
        Self { words, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bit_is_the_highest() {
        let bits = Bits::from_bytes(&[0b1010_0000, 0xff, 0x80], 17);
        assert_eq!(bits.len(), 17);
        assert_eq!(bits, bits.iter().collect());
        assert_eq!(
            (bits.ones(), bits.ones_in(0, 8), bits.ones_in(7, 9)),
            (11, 2, 8)
        );
        assert_eq!(bits.values(4).collect::<Vec<_>>(), [0b1010, 0, 0xf, 0xf]);
        assert_eq!(Bits::from_bytes(&[0xff; 3], 20).ones(), 20);
        assert_eq!(Bits::from_bytes(&[0xff; 3], 100).len(), 24);
    }

    /// Against the same by single bits, at lengths around a word's.
    #[test]
    fn words_say_what_bits_say() {
        for len in [1, 2, 63, 64, 65, 127, 128, 129, 200] {
            let single: Vec<_> = (0..len).map(|i: usize| i * i % 7 < 3).collect();
            let bits: Bits = single.iter().copied().collect();
            for distance in [1, 2, 63, 64, 65] {
                let expected: Bits = (distance..len)
                    .map(|i| single[i - distance] ^ single[i])
                    .collect();
                assert_eq!(bits.differences(distance), expected, "{len}, {distance}");
            }
            let runs = single
                .chunk_by(|a, b| a == b)
                .map(|run| (run[0], run.len()));
            assert!(bits.runs().eq(runs), "{len}");
        }
    }
}
