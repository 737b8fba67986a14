//! Tiles for matrix units.

use super::tile::{BUSY, Lines, Matrix, ONE_TAP, Product, Tile, TileLimits, Tiling};
use crate::exec::registry::Operands;

/// All tiles for a kind of matrix units.
pub(super) fn all(matrix: Matrix) -> impl Iterator<Item = Tile> {
    // Subgroups along columns and rows, matrices of columns and rows of one; sizes for matrices of 16.
    let shapes: [([usize; 2], usize, usize); 11] = [
        ([1, 4], 2, 1), // 64 rows × 32
        ([2, 2], 2, 2), // 64×64
        ([2, 2], 2, 4), // 128 rows × 64
        ([2, 4], 2, 2), // the same by 8 subgroups
        ([1, 4], 4, 4), // 256 rows × 64
        ([2, 4], 2, 4), // the same by 8
        ([2, 2], 4, 4), // 128×128
        ([2, 4], 4, 2), // the same by 8
        ([4, 4], 2, 2), // the same by 16
        ([2, 4], 4, 4), // 256 rows × 128 by 8
        ([4, 4], 2, 4), // the same by 16
    ];
    shapes.into_iter().flat_map(move |(threads, columns_each, rows_each)| {
        // Terms of the sum in a tile, and buffers.
        [(32, 2), (32, 1), (16, 2), (64, 1)].map(|(terms, buffers)| Tile {
            tiling: Tiling::Cooperative(matrix),
            threads,
            columns_each,
            rows_each,
            depth: terms / matrix.size,
            buffers,
            splits: 1,
            winograd: 0,
            taps: ONE_TAP,
        })
    })
}

/// Tiles for matrix units whose taps share the pixels that a workgroup loads (see `tiling/cooperative/patches.rs`), for a weight gradient
/// of these taps and a map of these rows and columns.
pub(super) fn sharing_taps(
    taps: [usize; 2],
    map: [usize; 2],
    product: Product,
    limits: TileLimits,
) -> impl Iterator<Item = Tile> {
    let operands = Operands::RowsInVectors;
    // Subgroups along columns and rows, matrices of columns of one; a matrix of rows for each tap.
    let shapes: [([usize; 2], usize); 5] = [
        ([2, 4], 2), // 64 input channels × 64 output channels
        ([4, 4], 1), // the same by 16 subgroups
        ([2, 2], 2), // 32 × 64
        ([4, 2], 2), // 32 × 128 by 8
        ([2, 2], 1), // 32 × 32
    ];
    // Rows of output pixels in a patch, and buffers.
    let depths = [(2, 2), (4, 1), (2, 1), (4, 2), (1, 2)];
    let of_unit = move |matrix: Matrix| {
        let shape = move |(threads, columns_each)| {
            depths.into_iter().map(move |(depth, buffers)| Tile {
                tiling: Tiling::Cooperative(matrix),
                threads,
                columns_each,
                rows_each: 1,
                depth,
                buffers,
                splits: 1,
                winograd: 0,
                taps,
            })
        };
        shapes.into_iter().flat_map(shape).filter(move |tile| {
            // Pixels of a patch beyond the map are multiplied for nothing.
            let patches = map[0].next_multiple_of(tile.depth) * map[1].next_multiple_of(matrix.size);
            2 * patches <= 3 * map[0] * map[1] && tile.fits(operands, product, limits)
        })
    };
    let units = limits.cooperative.into_iter().flatten().filter(|matrix| matrix.lines == Lines::AsTheyCome);
    units.flat_map(of_unit).flat_map(move |tile| {
        let mut shared = [1, 2, 4].map(|more| tile.split(operands, product, more * BUSY)).to_vec();
        shared.dedup();
        shared
    })
}

/// The fixed choice for matrix units: the first tile of a list with which a large GPU has enough work, else the last one that
/// fits, with its sums split. The list begins with the tile that was fastest on an H200. `None` if no tile fits the product.
pub(super) fn on_units(operands: Operands, product: Product, limits: TileLimits) -> Option<Tile> {
    const ORDER: [([usize; 2], usize, usize, usize); 5] =
        [([4, 4], 2, 4, 1), ([2, 4], 2, 4, 1), ([2, 4], 4, 2, 2), ([2, 2], 2, 2, 2), ([1, 4], 2, 1, 2)];
    let tiles: Vec<Tile> = limits.cooperative.into_iter().flatten().flat_map(all).collect();
    let known = |(threads, columns_each, rows_each, buffers)| {
        let same = |tile: &&Tile| {
            [tile.columns_each, tile.rows_each, tile.buffers] == [columns_each, rows_each, buffers]
                && tile.threads == threads
                && tile.terms(operands) == 32
        };
        tiles.iter().find(same).filter(|tile| tile.fits(operands, product, limits)).copied()
    };
    let fitting: Vec<Tile> = ORDER.into_iter().filter_map(known).collect();
    let busy = fitting.iter().find(|tile| 2 * tile.workgroups(operands, product) >= BUSY).copied();
    busy.or_else(|| Some(fitting.last()?.split(operands, product, BUSY)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::LANES;

    fn bytes(tile: &Tile, operands: Operands) -> usize {
        tile.tiling.main_loop().memory(*tile, operands)
    }

    #[test]
    fn matrix_units_get_tiles_that_fit_and_leave_no_large_gpu_idle() {
        let unit = Matrix { size: 16, lanes: 32, lines: Lines::AsTheyCome };
        let limits =
            TileLimits { invocations: 1024, bytes: 48 << 10, cooperative: [Some(unit), None], ..TileLimits::WEBGPU };
        let tile = |m, n, k| {
            let product = Product { m, n, k, batch: 1, lanes: LANES };
            let tile = on_units(Operands::SumInVectors, product, limits)?;
            Some([tile.rows(Operands::SumInVectors), tile.columns(), tile.splits])
        };
        assert_eq!(tile(131_072, 128, 1152), Some([256, 128, 1]), "a map of 8×128×128 pixels");
        assert_eq!(tile(524_288, 64, 576), Some([256, 64, 1]), "no more columns than there are");
        assert_eq!(tile(2048, 1024, 9216), Some([256, 128, 1]));
        let [rows, columns, splits] = tile(64, 512, 4608).expect("a tile");
        assert!(
            64usize.div_ceil(rows) * 512usize.div_ceil(columns) * splits >= BUSY / 2,
            "{rows}×{columns} by {splits}"
        );
        assert_eq!(tile(16, 32, 64), None, "less than half of the smallest");
        let few = TileLimits { invocations: 256, bytes: 32 << 10, ..limits };
        let product = Product { m: 131_072, n: 128, k: 1152, batch: 1, lanes: LANES };
        let small = on_units(Operands::SumInVectors, product, few).expect("a tile");
        assert!(small.invocations() <= 256 && bytes(&small, Operands::SumInVectors) <= 32 << 10, "{small:?}");
    }

    #[test]
    fn taps_share_patches_where_these_fit_the_map() {
        let unit = Matrix { size: 16, lanes: 32, lines: Lines::AsTheyCome };
        let limits =
            TileLimits { invocations: 1024, bytes: 48 << 10, cooperative: [Some(unit), None], ..TileLimits::WEBGPU };
        let tiles = |channels: usize, map: [usize; 2], limits| {
            let (m, k) = (9 * channels, 8 * map[0] * map[1]);
            let product = Product { m, n: 64, k, batch: 1, lanes: LANES };
            sharing_taps([3, 3], map, product, limits).collect::<Vec<_>>()
        };
        let large = tiles(64, [128, 128], limits);
        let shapes = large.iter().map(|tile| [tile.rows_of_tap(Operands::RowsInVectors), tile.columns()]);
        let shapes: std::collections::BTreeSet<_> = shapes.collect();
        assert_eq!(Vec::from_iter(shapes), [[32, 32], [32, 64], [64, 64]]);
        assert!(large.iter().all(|tile| tile.invocations() <= 512 && bytes(tile, Operands::RowsInVectors) <= 48 << 10));
        let busy = large.iter().map(|tile| {
            tile.workgroups(Operands::RowsInVectors, Product { m: 576, n: 64, k: 131_072, batch: 1, lanes: LANES })
        });
        assert!(busy.max() >= Some(BUSY), "one tile has all outputs, so its sum is shared");
        assert_eq!(tiles(4, [128, 128], limits), [], "the stem's channels would not fill half of a matrix");
        assert_eq!(tiles(64, [7, 7], limits), [], "most of a patch lies beyond the map");
        let turned = Matrix { lines: Lines::Turned, ..unit };
        assert_eq!(tiles(64, [128, 128], TileLimits { cooperative: [Some(turned), None], ..limits }), []);
    }
}
