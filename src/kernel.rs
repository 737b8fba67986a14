//! What a kernel call is: the word that ops speak and engines hear. It knows neither graph nor device.

use std::fmt;

use crate::shape::Element;

/// A value baked into a shader's text and read by its twin, so that divisions are by constants.
#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    /// `u32`
    U(u32),
    /// `i32`
    I(i32),
    /// `f32` in a shader, in full precision for an f64 twin.
    F(f64),
    /// `bool`
    B(bool),
    /// `array<u32, …>`
    A(Vec<u32>),
}

/// Buffers that a kernel may bind: what the least of the adapters that are known has (SwiftShader; WebGPU guarantees 8).
pub const MOST_BINDINGS: usize = 10;

/// Named constants of a call, in a fixed order: part of the key under which a pipeline is cached.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Consts(pub Vec<(&'static str, Const)>);

impl Consts {
    /// No constants.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds an unsigned integer.
    pub fn u(mut self, name: &'static str, value: usize) -> Self {
        self.0.push((name, Const::U(u32::try_from(value).expect("plan sizes are checked to fit 32 bits"))));
        self
    }
    /// Adds a signed integer.
    pub fn i(mut self, name: &'static str, value: i64) -> Self {
        self.0.push((name, Const::I(i32::try_from(value).expect("plan sizes are checked to fit 32 bits"))));
        self
    }
    /// Adds a float.
    pub fn f(mut self, name: &'static str, value: f64) -> Self {
        self.0.push((name, Const::F(value)));
        self
    }
    /// Adds a flag.
    pub fn b(mut self, name: &'static str, value: bool) -> Self {
        self.0.push((name, Const::B(value)));
        self
    }
    /// Adds an array of unsigned integers.
    pub fn a(mut self, name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        self.0.push((name, Const::A(values.into_iter().map(|v| v as u32).collect())));
        self
    }
    /// All of `other` as well.
    pub fn and(mut self, other: Consts) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Those of these names.
    pub fn only(&self, names: &[&str]) -> Consts {
        Consts(self.0.iter().filter(|(name, _)| names.contains(name)).cloned().collect())
    }

    fn get(&self, name: &str) -> &Const {
        let found = self.0.iter().find(|(n, _)| *n == name);
        &found.unwrap_or_else(|| panic!("a twin asks for the constant {name} that its op does not give")).1
    }
    /// An unsigned integer by name.
    pub fn usize(&self, name: &str) -> usize {
        match self.get(name) {
            Const::U(v) => *v as usize,
            other => panic!("{name} is {other:?}, not an unsigned integer"),
        }
    }
    /// A signed integer by name.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Const::I(v) => i64::from(*v),
            other => panic!("{name} is {other:?}, not a signed integer"),
        }
    }
    /// A float by name.
    pub fn float(&self, name: &str) -> f64 {
        match self.get(name) {
            Const::F(v) => *v,
            other => panic!("{name} is {other:?}, not a float"),
        }
    }
    /// A flag by name.
    pub fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Const::B(v) => *v,
            other => panic!("{name} is {other:?}, not a flag"),
        }
    }
    /// An array by name.
    pub fn array(&self, name: &str) -> &[u32] {
        match self.get(name) {
            Const::A(v) => v,
            other => panic!("{name} is {other:?}, not an array"),
        }
    }

    /// The constants as WGSL declarations, the head of every shader.
    pub fn prelude(&self) -> String {
        self.0.iter().map(|(name, value)| format!("const {name} {value}\n")).collect()
    }
}

impl fmt::Display for Const {
    /// `: type = value;`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Const::U(v) => write!(f, ": u32 = {v}u;"),
            Const::I(v) => write!(f, ": i32 = {v}i;"),
            Const::F(v) => write!(f, ": f32 = {:e}f;", *v as f32),
            Const::B(v) => write!(f, ": bool = {v};"),
            Const::A(v) => {
                let items: Vec<_> = v.iter().map(|x| format!("{x}u")).collect();
                write!(f, " = array<u32, {}>({});", v.len(), items.join(", "))
            }
        }
    }
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`; every float of it is written, padding included.
    Write,
    /// `var<storage, read_write>`; updated in place.
    Update,
}

/// How much work a call is; the engine turns it into workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One invocation per item.
    Items(usize),
    /// One workgroup of [`WORKGROUP`] invocations per item, that reduce together.
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

/// Invocations per workgroup for all but the matrix kernels: a multiple of every common subgroup size (8–64), and few
/// enough that a small map still fills several workgroups.
pub const WORKGROUP: usize = 64;

/// One kernel to run: shader (and twin) name, constants, buffers in binding order, extent. `B` names a buffer: an
/// operand of the graph while lowering, a slice of a planned buffer afterwards.
#[derive(Clone, Debug)]
pub struct KernelCall<B> {
    /// Name of the shader `shaders/NAME.wgsl` and of its twin `exec/cpu`.
    pub kernel: &'static str,
    /// Constants of this call.
    pub consts: Consts,
    /// Buffers in binding order.
    pub bindings: Vec<(B, Access)>,
    /// What the numbers of each are; a shader knows that of binding i as the type `Ti`.
    pub elements: Vec<Element>,
    /// Extent.
    pub work: Work,
    /// Floating-point operations (a fused multiply-add counts 2).
    pub flops: u64,
}

impl<B> KernelCall<B> {
    /// The same call with its buffers renamed.
    pub fn map<C>(self, mut rename: impl FnMut(B) -> C) -> KernelCall<C> {
        KernelCall {
            kernel: self.kernel,
            consts: self.consts,
            bindings: self.bindings.into_iter().map(|(b, access)| (rename(b), access)).collect(),
            elements: self.elements,
            work: self.work,
            flops: self.flops,
        }
    }
}
