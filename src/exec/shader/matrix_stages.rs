//! The stages of a matrix kernel: its product with a tile, the sum of split sums, statistics of the result; or Winograd's
//! stages in place of the product.

use super::draft::Draft;
use super::matrix::{MatrixCall, TEXTURE_W, epilogue};
use super::stage::{BindingKind, StageBinding};
use super::statistics::Statistics;
use super::sums::Gemm;
use super::target::Target;
use super::tile::{Product, Tile};
use super::units::on_units;
use super::winograd_stages::Winograd;
use crate::exec::registry::Operands;
use crate::shape::{Element, LANES};

/// The operands of a matrix kernel, from buffers and from textures.
const BUFFERS: &str = include_str!("../../../shaders/operands/buffers.wgsl");
const TEXTURES: &str = include_str!("../../../shaders/operands/textures.wgsl");

impl MatrixCall<'_> {
    /// The fixed choice of a tile.
    fn fixed_tile(&self, target: Target) -> Tile {
        let limits = target.units.filter(|_| self.in_16_bits());
        let units = limits.and_then(|limits| on_units(self.operands, self.product, limits));
        units.unwrap_or_else(|| target.tiling.main_loop().choose(self.operands, self.product))
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
