//! Linear dependence between short pieces (5.10).

use super::{Values, pearson};
use crate::bits::Bits;

/// Rows and columns of a matrix.
const SIZE: usize = 32;
/// How probable the full rank is, one less, and any other.
const PROBABILITIES: [f64; 3] = [0.2888, 0.5776, 0.1336];

/// 5.10 Rank of 32 x 32 matrices over GF(2).
pub fn matrix_rank(bits: &Bits) -> Values {
    let mut counts = [0_u32; 3];
    let rows: Vec<_> = bits.values(SIZE).collect();
    let (matrices, _) = rows.as_chunks::<SIZE>();
    for matrix in matrices {
        counts[(SIZE - rank(*matrix)).min(2)] += 1;
    }
    let v = counts.iter().zip(PROBABILITIES);
    let v = v.map(|(count, probability)| (f64::from(*count), matrices.len() as f64 * probability));
    Values::chi_square(pearson(v), 2)
}

/// Each row not yet used clears its highest bit in all others.
fn rank(mut rows: [u64; SIZE]) -> usize {
    let mut rank = 0;
    for i in 0..SIZE {
        let row = rows[i];
        if row == 0 {
            continue;
        }
        rank += 1;
        let highest = row.ilog2();
        for later in &mut rows[i + 1..] {
            if *later >> highest & 1 == 1 {
                *later ^= row;
            }
        }
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependent_rows_do_not_count() {
        let unit: [u64; SIZE] = std::array::from_fn(|i| 1 << i);
        assert_eq!(rank(unit), 32);
        assert_eq!(rank(unit.map(|row| row | 1)), 32);
        assert_eq!(rank(unit.map(|row| row & !1)), 31);
        assert_eq!(rank([0xffff_ffff; SIZE]), 1);
        assert_eq!(rank([0; SIZE]), 0);
    }
}
