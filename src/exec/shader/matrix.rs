//! A call of a matrix kernel: its geometry, its product and its bindings.

use super::draft::Draft;
use super::stage::StageBinding;
use super::tile::Product;
use crate::exec::registry::{self, Kernel, Operands};
use crate::kernel::{Access, ConvEpilogue, ConvGeometry, KernelCall, Work};
use crate::shape::Element;

/// Vectors in a row of an operand's texture. Every device allows that many.
pub const TEXTURE_W: usize = 2048;

/// A call of a matrix kernel, as the generator sees it.
pub(super) struct MatrixCall<'a> {
    pub kernel: &'static Kernel,
    pub geometry: &'a ConvGeometry,
    pub operands: Operands,
    pub product: Product,
    /// Constants and element types, without text.
    head: Draft,
    access: Vec<Access>,
}

impl<'a> MatrixCall<'a> {
    /// A call, if it is one of a matrix kernel.
    pub fn new<B>(call: &'a KernelCall<B>, kernel: &'static Kernel) -> Option<Self> {
        let (Work::Gemm { m, n, k, batch }, operands) = (call.work, kernel.product?) else { return None };
        let geometry = call.geometry::<ConvGeometry>()?;
        let product = Product { m, n, k, batch, lanes: geometry.lanes };
        let head = Draft { constants: call.consts().clone(), elements: call.elements.clone(), ..Draft::default() };
        let access = call.bindings.iter().map(|(_, access)| *access).collect();
        Some(MatrixCall { kernel, geometry, operands, product, head, access })
    }

    /// A call whose kernel is looked up by its name.
    pub fn find<B>(call: &'a KernelCall<B>) -> Option<Self> {
        MatrixCall::new(call, registry::of(call).ok()?)
    }

    /// A stage with the call's constants and element types.
    pub fn draft(&self) -> Draft {
        self.head.clone()
    }

    /// The element types of the call.
    pub fn elements(&self) -> &[Element] {
        &self.head.elements
    }

    /// The binding of the scratch memory.
    pub fn scratch(&self) -> usize {
        self.access.len()
    }

    /// The binding of the result.
    pub fn result(&self) -> usize {
        self.access.iter().position(|access| *access != Access::Read).unwrap_or(0)
    }

    /// Bindings of the call, or that of the scratch memory, as storage.
    pub fn storage(&self, indices: impl IntoIterator<Item = usize>) -> impl Iterator<Item = StageBinding> {
        let binding = |index: usize| {
            let access = self.access.get(index).copied().unwrap_or(Access::Write);
            StageBinding { index: index as u32, kind: access.into() }
        };
        indices.into_iter().map(binding)
    }

    /// Whether both operands are in f16, as matrix units take them.
    pub fn in_16_bits(&self) -> bool {
        self.elements().iter().take(2).all(|&element| element == Element::F16)
    }
}

impl ConvEpilogue {
    /// The bindings of bias and addend, where the call has them.
    pub(super) fn bindings(self) -> Vec<usize> {
        [(self.bias, 2), (self.addend, 3)].into_iter().filter_map(|(there, index)| there.then_some(index)).collect()
    }
}

/// The function `ended`, with the bindings that it reads. Those of absent tensors are not declared, since a device may have
/// no more than [`crate::kernel::MOST_BINDINGS`].
pub(super) fn epilogue(of: ConvEpilogue) -> String {
    let bias = match of.bias {
        true => include_str!("../../../shaders/epilogue/bias.wgsl"),
        false => "fn with_bias(sum: vec4<f32>, channel: u32) -> vec4<f32> { return sum; }\n",
    };
    let addend = match of.addend {
        true => include_str!("../../../shaders/epilogue/addend.wgsl"),
        false => "fn with_addend(sum: vec4<f32>, at: u32) -> vec4<f32> { return sum; }\n",
    };
    format!("{bias}{addend}{}", include_str!("../../../shaders/epilogue/ended.wgsl"))
}
