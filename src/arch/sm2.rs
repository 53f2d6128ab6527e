//! Arithmetic modulo SM2's p and n in four 64-bit limbs, in Montgomery form.
//!
//! The curve, in `sm2`, is generic over [`Arithmetic`], and a whole point multiplication is compiled
//! for each implementation.

/// A number below 2^256, least significant limb first.
pub(crate) type Limbs = [u64; 4];

/// One implementation of the arithmetic. Every function takes and gives fully reduced numbers, and
/// all of them run in constant time but for those named `_vartime`.
pub(crate) trait Arithmetic: Copy + Send + Sync + 'static {
    /// a b 2^-256 mod p.
    fn mul_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a^2 2^-256 mod p.
    fn sqr_p(self, a: &Limbs) -> Limbs;
    /// a + b mod p.
    fn add_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a - b mod p.
    fn sub_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a / 2 mod p.
    fn half_p(self, a: &Limbs) -> Limbs;
    /// a b 2^-256 mod n.
    fn mul_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a + b mod n.
    fn add_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a - b mod n.
    fn sub_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a^-1 2^512 mod p, so that the inverse of a Montgomery form is one too; 0 for 0.
    fn inv_p(self, a: &Limbs) -> Limbs;
    /// a^-1 2^512 mod n; 0 for 0.
    fn inv_n(self, a: &Limbs) -> Limbs;
    /// Entry `index` of `table`, each entry N limbs; every entry is read. All zero if `index` is
    /// not below the table's length.
    fn lookup<const N: usize>(self, table: &[[u64; N]], index: u64) -> [u64; N];
}
