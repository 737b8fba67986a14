//! The tiles that the tuner may try for a call. All give the same sums, up to the order of their terms. Matrix units
//! take operands in f16, so their tiles are for calls whose operands are f16 already.

use super::matrix::MatrixCall;
use super::tile::{BUSY, ONE_TAP, Product, Tile, TileLimits, Tiling};
use super::units;
use super::winograd_stages::Winograd;
use crate::exec::registry::Operands;
use crate::kernel::{ConvDirection, ConvGeometry, KernelCall};
use crate::shape::LANES;

/// The tiles that may be tried for a call, the fixed choice first; empty unless the kernel is a matrix kernel.
pub fn candidates<B>(call: &KernelCall<B>, tiling: Tiling, limits: TileLimits) -> Vec<Tile> {
    let Some(matrix) = MatrixCall::find(call) else { return vec![] };
    let MatrixCall { operands, product, geometry, .. } = matrix;
    let cooperative = if matrix.in_16_bits() { limits.cooperative } else { [None; 2] };
    let limits = TileLimits { cooperative, ..limits };
    // Main loops without workgroup memory have only the fixed choice.
    let on_gpu = tiling == Tiling::Workgroup;
    let mut tiles = vec![tiling.main_loop().choose(operands, product)];
    for tile in by_product(operands, product, limits).into_iter().filter(|_| on_gpu) {
        if !tiles.contains(&tile) {
            tiles.push(tile);
        }
    }
    if let Some(taps) = shared_taps(call).filter(|_| on_gpu) {
        tiles.extend(units::sharing_taps(taps, [geometry.oh, geometry.ow], product, limits));
    }
    if let Some(winograd) = Winograd::of(&matrix).filter(|_| on_gpu) {
        for parts in winograd.parts(limits.scratch) {
            let (operands, product) = winograd.product(parts);
            let points = for_points(operands, product, limits);
            tiles.extend(points.map(|tile| Tile { winograd: parts, ..tile }));
        }
    }
    tiles
}

/// Rows and columns of a weight gradient's taps, if the taps can share the pixels that a workgroup loads
/// ([`Tile::taps`]): they reach neighboring pixels, and registers have room for their sums.
pub fn shared_taps<B>(call: &KernelCall<B>) -> Option<[usize; 2]> {
    let g = call.geometry::<ConvGeometry>()?;
    let near = matches!(g.direction, ConvDirection::WeightGrad { .. }) && g.stride == [1; 2] && g.dilation == [1; 2];
    (near && (2..=9).contains(&g.taps())).then_some([g.kh, g.kw])
}

/// One tile of each kind among those of a call (see [`Tile::typical`]).
pub fn typical<B>(call: &KernelCall<B>, tiles: &[Tile]) -> Vec<Tile> {
    MatrixCall::find(call).map_or_else(Vec::new, |matrix| Tile::typical(tiles, matrix.operands, matrix.product))
}

/// Tiles for a product, in workgroup memory or for matrix units, that may be faster than the fixed choice on some GPU.
fn by_product(operands: Operands, product: Product, limits: TileLimits) -> Vec<Tile> {
    let kinds = limits.cooperative.into_iter().flatten();
    // Where a device has matrix units, only tiles for small maps compete with theirs: others reached a third of their speed
    // on an H200.
    let alone = limits.cooperative.iter().all(Option::is_none);
    let small = |tile: &Tile| alone || (tile.columns_each == 1 && tile.rows(operands) <= 64);
    let tiles = kinds.flat_map(units::all).chain(in_workgroup_memory(operands).filter(small));
    let fitting = tiles.filter(|tile| tile.fits(operands, product, limits));
    fitting.flat_map(|tile| [0, BUSY, 4 * BUSY].map(|wanted| tile.split(operands, product, wanted))).collect()
}

/// Tiles for the 36 products of Winograd's points. These products keep a GPU busy, so sums are not split and tiles are
/// large.
fn for_points(operands: Operands, product: Product, limits: TileLimits) -> impl Iterator<Item = Tile> {
    let fits = move |tile: &Tile| {
        let large = tile.columns() * tile.rows(operands) >= 64 * 64;
        large && tile.buffers == 2 && tile.terms(operands) == 16 && tile.fits(operands, product, limits)
    };
    in_workgroup_memory(operands).filter(fits)
}

/// All tiles in workgroup memory. Some do not fit a device or a product.
fn in_workgroup_memory(operands: Operands) -> impl Iterator<Item = Tile> {
    let tiling = Tiling::Workgroup;
    let vectors = operands == Operands::RowsInVectors;
    // Threads along columns and rows, vectors of columns and rows (or vectors of rows) of one invocation.
    let shapes: [([usize; 2], usize, usize); 8] = [
        ([8, 8], 2, 8),   // 64×64 by 64
        ([8, 16], 2, 8),  // 128×64 by 128
        ([16, 8], 2, 8),  // 64×128 by 128
        ([16, 16], 2, 8), // 128×128 by 256
        ([16, 16], 1, 4), // 64×64 by 256: for small maps, with which most of a GPU is idle
        ([8, 16], 1, 8),  // 128×32 by 128
        ([8, 8], 1, 4),   // 32×32 by 64
        ([8, 8], 2, 4),   // 32×64 by 64
    ];
    shapes.into_iter().flat_map(move |(threads, columns_each, rows)| {
        let rows_each = if vectors { rows / LANES } else { rows };
        // Larger tiles need more memory for each term, smaller ones more terms to hide a barrier.
        let other_terms = if threads[0] * threads[1] > 64 { 8 } else { 32 };
        [(16, 1), (16, 2), (other_terms, 2)].map(|(terms, buffers)| {
            let depth = if vectors { terms } else { terms / LANES };
            let splits = 1;
            Tile { tiling, threads, columns_each, rows_each, depth, buffers, splits, winograd: 0, taps: ONE_TAP }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tile of each kind, after checks that each kind of [`by_product`] has exactly one.
    fn typical_of(m: usize, n: usize, k: usize) -> Vec<Tile> {
        let limits = TileLimits { bytes: 48 << 10, ..TileLimits::WEBGPU };
        let product = Product { m, n, k, batch: 1, lanes: LANES };
        let tiles = &by_product(Operands::SumInVectors, product, limits);
        let found = Tile::typical(tiles, Operands::SumInVectors, product);
        let kinds: Vec<Tile> = found.iter().map(Tile::kind).collect();
        assert!((1..kinds.len()).all(|i| !kinds[..i].contains(&kinds[i])), "{kinds:?}");
        assert!(tiles.iter().all(|tile| kinds.contains(&tile.kind())) && found.iter().all(|tile| tiles.contains(tile)));
        assert!(2 * found.len() < tiles.len(), "{} of {}", found.len(), tiles.len());
        assert!(found.iter().all(|tile| tile.buffers == 2), "{found:?}");
        found
    }

    #[test]
    fn one_tile_of_each_kind_stands_for_the_others() {
        assert!(
            typical_of(16_384, 128, 576).iter().all(|tile| tile.splits == 1),
            "large maps keep a GPU busy by themselves"
        );
        assert!(typical_of(196, 256, 2304).iter().all(|tile| tile.splits > 1), "small ones do not");
    }
}
