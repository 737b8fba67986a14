//! The stages of a matrix kernel: its product with a tile, the sum of split sums, statistics of the result; or Winograd's
//! stages in place of the product.

use super::Target;
use super::gemm::Gemm;
use super::stage::{BindingKind, Draft, StageBinding};
use super::statistics::Statistics;
use super::tile::{Product, Tile, TileLimits};
use super::tiling::{Tiling, on_units, sharing_taps};
use super::winograd_stages::Winograd;
use crate::exec::registry::{self, Kernel, Operands, Partials};
use crate::kernel::{Access, ConvDirection, ConvEpilogue, ConvGeometry, KernelCall, Work};
use crate::shape::{Element, LANES};

/// Vectors in a row of a texture that operands are read from; every device has as many.
pub const TEXTURE_W: usize = 2048;

/// The operands of a matrix kernel, from buffers and from textures.
const BUFFERS: &str = include_str!("../../../shaders/operands/buffers.wgsl");
const TEXTURES: &str = include_str!("../../../shaders/operands/textures.wgsl");

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

    /// The same, by the name of the kernel.
    fn find<B>(call: &'a KernelCall<B>) -> Option<Self> {
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

    /// These of the call's bindings, or of the scratch memory, as storage.
    pub fn storage(&self, indices: impl IntoIterator<Item = usize>) -> impl Iterator<Item = StageBinding> {
        let binding = |index: usize| {
            let access = self.access.get(index).copied().unwrap_or(Access::Write);
            StageBinding { index: index as u32, kind: access.into() }
        };
        indices.into_iter().map(binding)
    }

    /// The tile of a call that nobody has tuned.
    fn fixed_tile(&self, target: Target) -> Tile {
        let limits = target.units.filter(|_| self.in_16_bits());
        let units = limits.and_then(|limits| on_units(self.operands, self.product, limits));
        units.unwrap_or_else(|| target.tiling.main_loop().choose(self.operands, self.product))
    }

    /// Whether both operands are in f16, as matrix units take them.
    pub fn in_16_bits(&self) -> bool {
        self.elements().iter().take(2).all(|&element| element == Element::F16)
    }

    /// The stages, and the length of the scratch memory in floats.
    pub fn stages(&self, target: Target, tuned: Option<Tile>) -> (Vec<Draft>, usize) {
        let tile = tuned.unwrap_or_else(|| self.fixed_tile(target));
        let statistics = Statistics::of(self);
        let by_tiles = statistics.as_ref().filter(|statistics| statistics.fits(tile, self.operands));
        let made = match (tile.winograd, Winograd::of(self)) {
            (1.., Some(winograd)) => winograd.stages(tile),
            _ => self.products(tile, self.source(target, tile), by_tiles),
        };
        match (by_tiles, &statistics) {
            (Some(statistics), _) => statistics.merged(made, tile, self.operands),
            (None, Some(statistics)) => statistics.passed(made, target),
            (None, None) => made,
        }
    }

    /// The product, and the stage that adds up split sums.
    fn products(&self, tile: Tile, source: Source, statistics: Option<&Statistics<'_>>) -> (Vec<Draft>, usize) {
        let ended = self.operands == Operands::SumInVectors;
        let ends = if ended { epilogue(self.geometry.epilogue) } else { String::new() };
        let declared = format!("{ends}{}{}", source.text, self.kernel.wgsl);
        let mut draft = self.draft();
        if source.kind == BindingKind::Texture {
            draft.constants = draft.constants.u("TEXTURE_W", TEXTURE_W);
        }
        let inputs = [0, 1].map(|index| StageBinding { index, kind: source.kind });
        let with_epilogue = self.geometry.epilogue.bindings().into_iter().filter(|_| ended);
        draft.bindings.extend(inputs.into_iter().chain(self.storage(with_epilogue.chain([self.result()]))));
        let gemm = Gemm { tile, operands: self.operands, product: self.product, scratch: self.scratch(), statistics };
        let split = tile.splits > 1;
        let scratch = (split || statistics.is_some()).then(|| self.scratch());
        let with_norm = statistics.map(Statistics::operands).unwrap_or_default();
        let mut first = draft.clone();
        first.bindings.extend(self.storage(scratch.into_iter().chain(with_norm)));
        first.extensions.extend(tile.tiling.main_loop().extension());
        let first = gemm.product_stage(first, &declared);
        if !split {
            return (vec![first], 0);
        }
        let Product { m, n, batch, .. } = self.product;
        let items = batch * m * (n / LANES);
        draft.bindings.extend(self.storage(scratch));
        let (constants, sum) = gemm.sum_of_splits();
        draft.constants = draft.constants.and(constants);
        let second = draft.of_items(items, &format!("{declared}{sum}"));
        (vec![first, second], tile.splits * items * LANES)
    }

    /// Where the operands are read from.
    fn source(&self, target: Target, tile: Tile) -> Source {
        let g = self.geometry;
        let vectors = |floats: usize| floats / LANES;
        let [x, y] = [vectors(g.n * g.h * g.w * g.ci()), vectors(g.n * g.oh * g.ow * g.co())];
        let kernel = vectors(g.taps() * g.gi * g.co());
        let fits = |rows: usize| x.max(y).max(kernel) <= TEXTURE_W * rows;
        let floats = self.elements().iter().take(2).all(|&element| element == Element::F32);
        match target.texture_rows.is_some_and(fits) && tile.tiling.in_registers() && floats {
            true => Source { text: TEXTURES, kind: BindingKind::Texture },
            false => Source { text: BUFFERS, kind: BindingKind::Read },
        }
    }
}

/// How the operands of a matrix kernel are read.
struct Source {
    text: &'static str,
    kind: BindingKind,
}

impl ConvEpilogue {
    /// The bindings of the tensors that are there.
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

/// The tiles that may be tried for a call, the fixed choice first; none where it is no matrix kernel.
pub fn candidates<B>(call: &KernelCall<B>, tiling: Tiling, limits: TileLimits) -> Vec<Tile> {
    let Some(matrix) = MatrixCall::find(call) else { return vec![] };
    let MatrixCall { operands, product, geometry, .. } = matrix;
    let cooperative = if matrix.in_16_bits() { limits.cooperative } else { [None; 2] };
    let limits = TileLimits { cooperative, ..limits };
    let main_loop = tiling.main_loop();
    let mut tiles = vec![main_loop.choose(operands, product)];
    for tile in main_loop.candidates(operands, product, limits) {
        if !tiles.contains(&tile) {
            tiles.push(tile);
        }
    }
    if let Some(taps) = shared_taps(call).filter(|_| tiling == Tiling::Workgroup) {
        tiles.extend(sharing_taps(taps, [geometry.oh, geometry.ow], product, limits));
    }
    if let Some(winograd) = Winograd::of(&matrix) {
        for parts in winograd.parts(limits.scratch) {
            let (operands, product) = winograd.product(parts);
            let points = main_loop.for_points(operands, product, limits).into_iter();
            tiles.extend(points.map(|tile| Tile { winograd: parts, ..tile }));
        }
    }
    tiles
}

/// Rows and columns of a weight gradient's taps, if these can share what a workgroup loads ([`Tile::taps`]): they reach
/// neighboring pixels, and registers have room for their sums.
pub fn shared_taps<B>(call: &KernelCall<B>) -> Option<[usize; 2]> {
    let g = call.geometry::<ConvGeometry>()?;
    let near = matches!(g.direction, ConvDirection::WeightGrad { .. }) && g.stride == [1; 2] && g.dilation == [1; 2];
    (near && (2..=9).contains(&g.taps())).then_some([g.kh, g.kw])
}

/// One tile of each kind among those of a call (see [`Tile::typical`]).
pub fn typical<B>(call: &KernelCall<B>, tiles: &[Tile]) -> Vec<Tile> {
    MatrixCall::find(call).map_or_else(Vec::new, |matrix| Tile::typical(tiles, matrix.operands, matrix.product))
}

/// Merges partial results to values that do not depend on the tile.
pub type Merge = Box<dyn Fn(&[f32]) -> Vec<f32>>;

/// The merge of what a call writes to a binding, if its values are partial results that depend on the call's tile: parts of
/// a sum, or statistics of segments. Winograd's tiles, for one, cover other pixels than rows do.
pub fn merged_partials<B>(call: &KernelCall<B>, binding: usize) -> Option<Merge> {
    let matrix = MatrixCall::find(call)?;
    if binding + 1 != call.bindings.len() {
        return None;
    }
    match matrix.kernel.partials {
        Partials::None => None,
        Partials::Splits => {
            let splits = matrix.geometry.splits().filter(|&splits| splits > 1)?;
            Some(Box::new(move |values| {
                let each = values.len() / splits;
                let sum = |i: usize| values[i..].iter().step_by(each).map(|&v| f64::from(v)).sum::<f64>();
                (0..each).map(|i| sum(i) as f32).collect()
            }))
        }
        Partials::Statistics(of) => {
            let statistics = matrix.geometry.statistics.clone()?;
            Some(Box::new(move |kept| super::statistics::merged_segments(of, &statistics.norm, kept)))
        }
    }
}
