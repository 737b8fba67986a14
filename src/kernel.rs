//! Kernel calls, which ops emit and engines run. A call depends on neither graph nor device.
//!
//! A call has the name of a kernel, its typed [`Geometry`], the [`Consts`] derived from it, its bindings and its
//! extent.
//! The facts of the kernel itself (shader, twin, accuracy, …) are one line of [`crate::exec::registry`].

mod consts;
pub(crate) mod conv;
pub(crate) mod norm;
pub(crate) mod pool;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

pub use consts::{Const, Consts};
pub(crate) use conv::{ConvDirection, ConvEpilogue, ConvGeometry, ConvStatistics};
pub(crate) use norm::{NormGeometry, NormMask};
pub(crate) use pool::PoolGeometry;

use crate::shape::Element;

/// Storage buffers that a kernel may bind: the smallest limit of the known adapters (SwiftShader; WebGPU guarantees 8).
pub const MOST_BINDINGS: usize = 10;

/// Invocations per workgroup of all but the matrix kernels. It is a multiple of every common subgroup size (8 to 64),
/// and small enough that a small map still fills several workgroups.
pub const WORKGROUP: usize = 64;

/// The sizes of one call: one struct for each family of kernels. The constants of the shader derive from it. The twin
/// and the generator of shaders read it.
pub trait Geometry: Any + Debug + Send + Sync {
    /// The constants declared in the shader's text.
    fn consts(&self) -> Consts;
}

/// The parameters of a call: constants, and the geometry that they derive from, if its family has one.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    consts: Consts,
    geometry: Option<Arc<dyn Geometry>>,
}

impl Parameters {
    /// The constants of a geometry.
    pub fn of(geometry: impl Geometry) -> Self {
        Parameters { consts: geometry.consts(), geometry: Some(Arc::new(geometry)) }
    }

    /// The same with more constants.
    pub fn and(mut self, consts: Consts) -> Self {
        self.consts = self.consts.and(consts);
        self
    }

    /// All constants.
    pub fn consts(&self) -> &Consts {
        &self.consts
    }

    /// The geometry, if it is a `G`.
    pub fn geometry<G: Geometry>(&self) -> Option<&G> {
        (self.geometry.as_deref()? as &dyn Any).downcast_ref()
    }
}

impl From<Consts> for Parameters {
    fn from(consts: Consts) -> Self {
        Parameters { consts, geometry: None }
    }
}

impl<G: Geometry> From<G> for Parameters {
    fn from(geometry: G) -> Self {
        Parameters::of(geometry)
    }
}

/// The use of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`; every float is written, padding included.
    Write,
    /// `var<storage, read_write>`; updated in place.
    Update,
}

/// The extent of a call. The engine converts it to workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One invocation per item.
    Items(usize),
    /// One workgroup of [`WORKGROUP`] invocations per item. They reduce together.
    Groups(usize),
    /// An implicit matrix product per batch entry: `m` × `n` outputs (floats), summed over `k`.
    Gemm {
        /// Rows of the output.
        m: usize,
        /// Columns of the output.
        n: usize,
        /// Length of the sums.
        k: usize,
        /// Independent products: groups × phases, or groups × splits of `k`.
        batch: usize,
    },
}

/// One kernel to run: name, parameters, buffers in binding order, extent. `B` is an operand of the graph during
/// lowering, and a slice of a planned buffer afterwards.
#[derive(Clone, Debug)]
pub struct KernelCall<B> {
    /// Name in the registry, of `shaders/NAME.wgsl` and of the twin in `exec/cpu`.
    pub kernel: &'static str,
    /// Constants and geometry of this call.
    pub parameters: Parameters,
    /// Buffers in binding order.
    pub bindings: Vec<(B, Access)>,
    /// Element type of each binding. The shader's type of binding `i` is `Ti`.
    pub elements: Vec<Element>,
    /// Extent.
    pub work: Work,
    /// Floating-point operations (a fused multiply-add counts 2).
    pub flops: u64,
}

impl<B> KernelCall<B> {
    /// All constants.
    pub fn consts(&self) -> &Consts {
        self.parameters.consts()
    }

    /// The geometry, if it is a `G`.
    pub fn geometry<G: Geometry>(&self) -> Option<&G> {
        self.parameters.geometry()
    }

    /// The same call with its buffers renamed.
    pub fn map<C>(self, mut rename: impl FnMut(B) -> C) -> KernelCall<C> {
        KernelCall {
            kernel: self.kernel,
            parameters: self.parameters,
            bindings: self.bindings.into_iter().map(|(b, access)| (rename(b), access)).collect(),
            elements: self.elements,
            work: self.work,
            flops: self.flops,
        }
    }
}
