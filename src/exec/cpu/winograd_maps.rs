//! The maps of [`Winograd's convolution`](crate::exec::winograd) and its products, in vectors.

use pulp::Simd;

use crate::exec::winograd::{A, B};

/// A linear map of a few vectors, applied along both axes of a tile.
pub trait Line<const FROM: usize, const TO: usize> {
    /// The map.
    fn line<S: Simd>(simd: S, from: [S::f32s; FROM]) -> [S::f32s; TO];
}

const A2: f32 = A * A;
const B2: f32 = B * B;

/// Values of a tile of inputs (Bᵀ).
pub struct Input;
/// Values of a kernel (G).
pub struct Weight;
/// Outputs from products (Aᵀ).
pub struct Output;
/// Values of a tile of the outputs' gradient (A).
pub struct OutputGrad;
/// The kernel's gradient from products (Gᵀ).
pub struct WeightGrad;

/// `Σ factor · vector`.
#[inline(always)]
fn sum<S: Simd, const N: usize>(simd: S, terms: [(f32, S::f32s); N]) -> S::f32s {
    let mut terms = terms.into_iter();
    let (factor, first) = terms.next().expect("a sum has terms");
    let first = if factor == 1.0 { first } else { simd.mul_f32s(simd.splat_f32s(factor), first) };
    terms.fold(first, |sum, (factor, vector)| match factor {
        1.0 => simd.add_f32s(sum, vector),
        _ => simd.mul_add_e_f32s(simd.splat_f32s(factor), vector, sum),
    })
}

/// `even + odd, even - odd`: the values at a point and at its negative.
#[inline(always)]
fn both<S: Simd>(simd: S, even: S::f32s, odd: S::f32s) -> [S::f32s; 2] {
    [simd.add_f32s(even, odd), simd.sub_f32s(even, odd)]
}

impl Line<6, 6> for Input {
    #[inline(always)]
    fn line<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let all = |i: usize| sum(simd, [(1.0, d[i + 4]), (-(A2 + B2), d[i + 2]), (A2 * B2, d[i])]);
        let pair = |p: f32, other: f32| {
            let even = sum(simd, [(1.0, d[4]), (-other, d[2])]);
            both(simd, even, sum(simd, [(p, d[3]), (-p * other, d[1])]))
        };
        let ([a, minus_a], [b, minus_b]) = (pair(A, B2), pair(B, A2));
        [all(0), a, minus_a, b, minus_b, all(1)]
    }
}

/// Divisors of [`Weight`] at ±3/4, at ±3/2 and at 0.
const DIVISORS: [f32; 3] = [2.0 * A2 * (A2 - B2), 2.0 * B2 * (B2 - A2), A2 * B2];

impl Line<3, 6> for Weight {
    #[inline(always)]
    fn line<S: Simd>(simd: S, w: [S::f32s; 3]) -> [S::f32s; 6] {
        let pair = |p: f32, divisor: f32| {
            let even = sum(simd, [(1.0 / divisor, w[0]), (p * p / divisor, w[2])]);
            both(simd, even, sum(simd, [(p / divisor, w[1])]))
        };
        let ([a, minus_a], [b, minus_b]) = (pair(A, DIVISORS[0]), pair(B, DIVISORS[1]));
        [sum(simd, [(1.0 / DIVISORS[2], w[0])]), a, minus_a, b, minus_b, w[2]]
    }
}

impl Line<6, 4> for Output {
    #[inline(always)]
    fn line<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let ([even_a, odd_a], [even_b, odd_b]) = (both(simd, m[1], m[2]), both(simd, m[3], m[4]));
        [
            sum(simd, [(1.0, m[0]), (1.0, even_a), (1.0, even_b)]),
            sum(simd, [(A, odd_a), (B, odd_b)]),
            sum(simd, [(A2, even_a), (B2, even_b)]),
            sum(simd, [(1.0, m[5]), (A * A2, odd_a), (B * B2, odd_b)]),
        ]
    }
}

impl Line<4, 6> for OutputGrad {
    #[inline(always)]
    fn line<S: Simd>(simd: S, y: [S::f32s; 4]) -> [S::f32s; 6] {
        let pair = |p: f32| {
            let even = sum(simd, [(1.0, y[0]), (p * p, y[2])]);
            both(simd, even, sum(simd, [(p, y[1]), (p * p * p, y[3])]))
        };
        let ([a, minus_a], [b, minus_b]) = (pair(A), pair(B));
        [y[0], a, minus_a, b, minus_b, y[3]]
    }
}

impl Line<6, 3> for WeightGrad {
    #[inline(always)]
    fn line<S: Simd>(simd: S, u: [S::f32s; 6]) -> [S::f32s; 3] {
        let ([even_a, odd_a], [even_b, odd_b]) = (both(simd, u[1], u[2]), both(simd, u[3], u[4]));
        let [a, b, zero] = DIVISORS.map(f32::recip);
        [
            sum(simd, [(zero, u[0]), (a, even_a), (b, even_b)]),
            sum(simd, [(A * a, odd_a), (B * b, odd_b)]),
            sum(simd, [(1.0, u[5]), (A2 * a, even_a), (B2 * b, even_b)]),
        ]
    }
}

/// Where the vectors of a tile are read and written: one address for each row and column.
pub struct Transform<const FROM: usize, const TO: usize> {
    /// Where vectors are read: `len` floats each.
    pub from: [[*const f32; FROM]; FROM],
    /// Where vectors are written: `len` floats each.
    pub to: [[*mut f32; TO]; TO],
    /// A whole number of vectors.
    pub len: usize,
}

impl<const FROM: usize, const TO: usize> Transform<FROM, TO> {
    /// Applies a map along both axes.
    ///
    /// # Safety
    /// All addresses must be valid for `len` floats. Written memory must not overlap memory that is read, and no other
    /// thread may use it meanwhile.
    #[inline(always)]
    pub unsafe fn run<L: Line<FROM, TO>, S: Simd>(&self, simd: S) {
        for at in (0..self.len).step_by(S::F32_LANES) {
            let mut half = [[simd.splat_f32s(0.0); FROM]; TO];
            for column in 0..FROM {
                let mut read = [simd.splat_f32s(0.0); FROM];
                for (value, row) in read.iter_mut().zip(&self.from) {
                    // SAFETY: passed on to the caller.
                    *value = unsafe { row[column].add(at).cast::<S::f32s>().read_unaligned() };
                }
                for (row, value) in half.iter_mut().zip(L::line(simd, read)) {
                    row[column] = value;
                }
            }
            for (to, row) in self.to.iter().zip(half) {
                for (to, value) in to.iter().zip(L::line(simd, row)) {
                    // SAFETY: passed on to the caller.
                    unsafe { to.add(at).cast::<S::f32s>().write_unaligned(value) };
                }
            }
        }
    }
}

/// `c[row, column] (+)= Σ_k a[row, k] · b[k, column]`, all in the cache.
#[derive(Clone, Copy)]
pub struct Product {
    /// Rows (rounded up to [`ROWS`] while computing), columns (a whole number of vectors), terms of the sum.
    pub size: [usize; 3],
    /// First element of a, and its distances between rows and terms.
    pub a: (*const f32, [usize; 2]),
    /// First element of b, and its distance between terms.
    pub b: (*const f32, usize),
    /// First element of c, and its distance between rows.
    pub c: (*mut f32, usize),
    /// Whether the product is added to c.
    pub add: bool,
}

/// Rows that are computed together, and to which they must be rounded up in memory.
pub const ROWS: usize = 8;

impl Product {
    /// Computes the product.
    ///
    /// # Safety
    /// The three matrices must be valid for these sizes, with rows rounded up. c must overlap neither a nor b.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(self, simd: S) {
        // SAFETY: passed on to the caller, for all of these.
        unsafe {
            match (self.size[1].is_multiple_of(2 * S::F32_LANES), S::REGISTER_COUNT >= 32) {
                (true, true) => self.tiles::<S, ROWS, 2>(simd),
                (true, false) => self.tiles::<S, { ROWS / 2 }, 2>(simd),
                (false, _) => self.tiles::<S, ROWS, 1>(simd),
            }
        }
    }

    /// Tiles of `P` rows and `V` vectors.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const P: usize, const V: usize>(self, simd: S) {
        let Product { size: [rows, columns, depth], a: (a, [a_row, a_term]), b: (b, b_term), c: (c, c_row), add } =
            self;
        let lanes = S::F32_LANES;
        for column in (0..columns).step_by(V * lanes) {
            for row in (0..rows).step_by(P) {
                let to = |p: usize, v: usize| c.wrapping_add((row + p) * c_row + column + v * lanes).cast::<S::f32s>();
                let mut sums = [[simd.splat_f32s(0.0); V]; P];
                let (mut a, mut b) = (a.wrapping_add(row * a_row), b.wrapping_add(column));
                for _ in 0..depth {
                    let mut line = [simd.splat_f32s(0.0); V];
                    for (v, value) in line.iter_mut().enumerate() {
                        // SAFETY: the columns are whole vectors.
                        *value = unsafe { b.add(v * lanes).cast::<S::f32s>().read_unaligned() };
                    }
                    for (p, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: there are rows up to a multiple of P.
                        let value = simd.splat_f32s(unsafe { *a.add(p * a_row) });
                        for (sum, &line) in sums.iter_mut().zip(&line) {
                            *sum = simd.mul_add_e_f32s(value, line, *sum);
                        }
                    }
                    (a, b) = (a.wrapping_add(a_term), b.wrapping_add(b_term));
                }
                for (p, sums) in sums.into_iter().enumerate() {
                    for (v, sum) in sums.into_iter().enumerate() {
                        // SAFETY: as above, for c.
                        unsafe {
                            let old = if add { to(p, v).read_unaligned() } else { simd.splat_f32s(0.0) };
                            to(p, v).write_unaligned(simd.add_f32s(old, sum));
                        }
                    }
                }
            }
        }
    }
}
