//! The twin of a shader: a Rust function over the same constants and buffers, in f32 and f64.

use gemm_common::Parallelism;
use num_traits::Float;

use crate::kernel::{Consts, Geometry, KernelCall, Parameters};

/// The Rust twin of a shader, in both element types.
#[derive(Clone, Copy)]
pub struct Twin {
    /// In f32: the CPU engine.
    pub f32: fn(Args<'_, f32>),
    /// In f64: the reference of tests and of gradient checks.
    pub f64: fn(Args<'_, f64>),
}

impl Twin {
    /// Runs the twin for an element type.
    pub(crate) fn run<T: Real>(&self, args: Args<'_, T>) {
        T::run(self, args);
    }
}

/// Parameters and buffers of a call as its twin sees them. Outputs can be taken once each.
pub struct Args<'a, T> {
    /// All constants of the call.
    pub consts: &'a Consts,
    parameters: &'a Parameters,
    buffers: Vec<Binding<'a, T>>,
}

/// A buffer of a call.
pub(super) enum Binding<'a, T> {
    Read(&'a [T]),
    Write(Option<&'a mut [T]>),
}

impl<'a, T> Args<'a, T> {
    /// The arguments of a call with one buffer for each of its bindings.
    pub(super) fn new<B>(call: &'a KernelCall<B>, buffers: Vec<Binding<'a, T>>) -> Self {
        Args { consts: call.consts(), parameters: &call.parameters, buffers }
    }

    /// The buffer at a read-only binding.
    ///
    /// # Panics
    /// If the kernel writes the binding.
    pub fn input(&self, binding: usize) -> &'a [T] {
        match &self.buffers[binding] {
            Binding::Read(slice) => slice,
            Binding::Write(_) => panic!("binding {binding} is written by the kernel"),
        }
    }

    /// The buffer at a written binding.
    ///
    /// # Panics
    /// If the kernel only reads the binding, or the buffer was taken before.
    pub fn output(&mut self, binding: usize) -> &'a mut [T] {
        match &mut self.buffers[binding] {
            Binding::Write(slice) => slice.take().expect("a twin takes each output once"),
            Binding::Read(_) => panic!("binding {binding} is only read by the kernel"),
        }
    }

    /// The call's geometry.
    ///
    /// # Panics
    /// When the call has another geometry. Engines check this before, if the kernel's line of the registry names a
    /// geometry.
    pub fn geometry<G: Geometry>(&self) -> &'a G {
        self.parameters.geometry().unwrap_or_else(|| panic!("a twin reads a {}", std::any::type_name::<G>()))
    }

    /// A constant.
    pub fn u(&self, name: &str) -> usize {
        self.consts.usize(name)
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> bool {
        self.consts.flag(name)
    }
}

/// A matrix in memory: where it starts, and the distances between rows and between columns, in elements.
#[derive(Clone, Copy)]
pub struct Strided<P> {
    /// First element.
    pub at: P,
    /// From one row to the next.
    pub row: isize,
    /// From one column to the next.
    pub col: isize,
}

/// f32 or f64.
pub trait Real:
    Float + Default + Send + Sync + std::fmt::Debug + std::iter::Sum + std::ops::AddAssign + From<f32> + Into<f64> + 'static
{
    /// Runs a twin in this type.
    fn run(twin: &Twin, args: Args<'_, Self>);

    /// A constant in this type.
    fn of(v: f64) -> Self {
        num_traits::cast(v).unwrap_or_else(Self::nan)
    }

    /// The class that a label names: a whole number below `classes`.
    fn class(self, classes: usize) -> Option<usize> {
        self.to_usize().filter(|&k| k < classes && Self::of(k as f64) == self)
    }

    /// The slices if this type is f32, for code that exists only for f32.
    fn floats<const N: usize>(_: [&[Self]; N]) -> Option<[&[f32]; N]> {
        None
    }

    /// The exponential function; the smallest results may be flushed to 0.
    fn exp_fast(self) -> Self {
        self.exp()
    }

    /// `dst = a · b`, or `dst += a · b`, for sizes (m, n, k), on the calling thread. `dst` is dense along its rows: where
    /// it starts, and the distance between rows.
    ///
    /// # Safety
    /// The three matrices must be valid for these sizes, and `dst` must overlap neither of the others.
    unsafe fn matmul(
        size: [usize; 3],
        dst: (*mut Self, isize),
        add: bool,
        a: Strided<*const Self>,
        b: Strided<*const Self>,
    );
}

/// `matmul` by the crate `gemm-f32` or `gemm-f64`. The crate `gemm` above them would also bring complex numbers.
macro_rules! matmul {
    ($gemm:expr) => {
        unsafe fn matmul(
            [m, n, k]: [usize; 3],
            dst: (*mut Self, isize),
            add: bool,
            a: Strided<*const Self>,
            b: Strided<*const Self>,
        ) {
            if m == 0 || n == 0 {
                return;
            }
            let (keep, one, none) = (if add { 1.0 } else { 0.0 }, 1.0, Parallelism::None);
            // The crate's vectors run along the columns of the result, so it computes dstᵀ = bᵀ · aᵀ: 2 to 4 times as
            // fast.
            // SAFETY: passed on to the caller.
            unsafe {
                $gemm(
                    n, m, k, dst.0, dst.1, 1, add, b.at, b.row, b.col, a.at, a.row, a.col, keep, one, false, false,
                    false, none,
                );
            }
        }
    };
}

impl Real for f32 {
    matmul!(gemm_f32::gemm::f32::get_gemm_fn());

    fn run(twin: &Twin, args: Args<'_, Self>) {
        (twin.f32)(args);
    }

    /// Cephes' expf, within 2 ulp. It has no branches, so that the compiler vectorizes loops over it.
    #[inline(always)]
    fn exp_fast(self) -> f32 {
        // Adding this number rounds to a whole number, which then lies in the lowest bits of the sum.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.3, 88.3);
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let n = rounded - ROUND;
        // ln 2 in two parts, the first of few bits.
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let terms = [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
        let polynomial = terms.iter().fold(0.0, |sum, term| sum * r + term);
        let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
        (polynomial * r * r + r + 1.0) * power
    }

    fn floats<const N: usize>(slices: [&[Self]; N]) -> Option<[&[f32]; N]> {
        Some(slices)
    }
}

impl Real for f64 {
    matmul!(gemm_f64::gemm::f64::get_gemm_fn());

    fn run(twin: &Twin, args: Args<'_, Self>) {
        (twin.f64)(args);
    }
}
