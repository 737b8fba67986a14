//! Tiles of the matrix kernels: their sizes, and what the tuner compares.

use serde::{Deserialize, Serialize};

use super::tiling::{Matrix, Tiling};
use crate::exec::registry::Operands;
use crate::shape::LANES;

/// Sizes of an implicit matrix product, in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Rows of the output.
    pub m: usize,
    /// Columns of the output.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// Independent products.
    pub batch: usize,
    /// Lanes of the left operand's vectors that are not padding.
    pub lanes: usize,
}

/// Sizes of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tile {
    /// Where the operands come from.
    pub tiling: Tiling,
    /// Invocations along the columns and rows; subgroups with [`Tiling::Cooperative`].
    pub threads: [usize; 2],
    /// Columns of one of them, in vectors (in matrices).
    pub columns_each: usize,
    /// Rows of one of them: single rows, or vectors of rows (matrices).
    pub rows_each: usize,
    /// Steps of the sum per tile in workgroup memory, in units of `k` (in matrices).
    pub depth: usize,
    /// Tiles of each operand in workgroup memory: with 2 the next one is loaded while this one is multiplied, which saves a
    /// barrier.
    pub buffers: usize,
    /// Workgroups that share a sum; a second dispatch adds up their parts, in a fixed order.
    pub splits: usize,
    /// If not 0, the products are those of Winograd's points, and the tiles of the batch go through the stages in this many
    /// parts; see `winograd_stages.rs`.
    pub winograd: usize,
    /// Rows and columns of taps that share what a workgroup has loaded, all of a kernel or one; see
    /// `tiling/cooperative/patches.rs`.
    pub taps: [usize; 2],
}

/// Each tap by itself.
pub(super) const ONE_TAP: [usize; 2] = [1, 1];

/// Workgroups that keep a large GPU busy: an H100 has 132 multiprocessors, an RX 7900 96 compute units, and small ones
/// lose little by a few more.
pub(super) const BUSY: usize = 128;
/// Steps of the sum that a part must have; with fewer, adding up costs more than it gains.
const LEAST_STEPS: usize = 8;

impl Tile {
    /// The same tile with sums shared by as many workgroups as it takes to have `wanted` of them. Small maps under many
    /// channels have few tiles and long sums: 2×2×512 of 16 images makes 8 tiles of 64×64 with 4,608 terms. A weight
    /// gradient is split by its op already, for tiles of one tap.
    pub(super) fn split(self, operands: Operands, product: Product, wanted: usize) -> Tile {
        if operands == Operands::RowsInVectors && self.taps == ONE_TAP {
            return self;
        }
        // A product that is one of several parts has sums that are as many times shorter.
        let steps = match operands {
            Operands::SumInVectors => product.k.div_ceil(self.terms(operands)),
            Operands::RowsInVectors => product.k.div_ceil(self.terms(operands) * product.batch),
        };
        let workgroups = self.workgroups(operands, product);
        let splits = (wanted / workgroups.max(1)).min(steps / LEAST_STEPS).clamp(1, 32);
        Tile { splits, ..self }
    }

    /// The kind of a tile: tiles of a kind differ only in depth, buffers and splits of their sums, or only in how Winograd's
    /// products are tiled.
    pub fn kind(&self) -> Tile {
        let kind = Tile { depth: 1, buffers: 1, splits: 1, ..*self };
        match self.winograd {
            0 => kind,
            _ => Tile { threads: [1, 1], columns_each: 1, rows_each: 1, ..kind },
        }
    }

    /// One tile of each kind: one with two buffers where there is one, and sums shared as those of the fixed choice; the
    /// largest of Winograd's, whose 36 products keep a GPU busy.
    pub fn typical(tiles: &[Tile], operands: Operands, product: Product) -> Vec<Tile> {
        let mut kinds: Vec<Vec<Tile>> = vec![];
        for tile in tiles {
            match kinds.iter_mut().find(|kind| kind[0].kind() == tile.kind()) {
                Some(kind) => kind.push(*tile),
                None => kinds.push(vec![*tile]),
            }
        }
        let best = |kind: &Vec<Tile>| {
            let size = |tile: &&Tile| tile.rows(operands) * tile.columns();
            let largest = kind.iter().filter(|tile| tile.winograd > 0).max_by_key(size);
            let shared =
                || kind.iter().find(|tile| tile.buffers == 2).unwrap_or(&kind[0]).split(operands, product, BUSY);
            largest.copied().unwrap_or_else(shared)
        };
        kinds.iter().map(best).collect()
    }

    /// Workgroups of a product: its tiles, times the parts of a split sum.
    pub fn workgroups(&self, operands: Operands, Product { m, n, batch, .. }: Product) -> usize {
        m.div_ceil(self.rows(operands)) * n.div_ceil(self.columns()) * batch * self.splits
    }

    /// Outputs of a workgroup along the columns, in floats.
    pub fn columns(&self) -> usize {
        self.threads[0] * self.columns_each * self.tiling.main_loop().column_unit()
    }

    /// Outputs of a workgroup along the rows, in floats.
    pub fn rows(&self, operands: Operands) -> usize {
        self.taps.iter().product::<usize>() * self.rows_of_tap(operands)
    }

    /// Those of each tap.
    pub(super) fn rows_of_tap(&self, operands: Operands) -> usize {
        self.threads[1] * self.rows_each * self.tiling.main_loop().row_unit(operands)
    }

    /// Terms of the sum in a tile.
    pub(super) fn terms(&self, operands: Operands) -> usize {
        self.depth * self.tiling.main_loop().term_unit(operands)
    }

    /// Steps of `k` in a tile; where taps share a patch, a patch is one step.
    pub(super) fn steps(&self, operands: Operands) -> usize {
        if self.taps != ONE_TAP {
            return 1;
        }
        self.terms(operands) / if operands == Operands::SumInVectors { LANES } else { 1 }
    }

    /// Whether a device can run it, and at least half of it has work.
    pub(super) fn fits(&self, operands: Operands, product: Product, limits: TileLimits) -> bool {
        let full = |tile: usize, size: usize| tile <= 32 || tile < 2 * size;
        let main_loop = self.tiling.main_loop();
        self.loads_evenly(operands)
            && main_loop.invocations(*self) <= limits.invocations
            && main_loop.memory(*self, operands) <= limits.bytes
            && full(self.columns(), product.n)
            && full(self.rows(operands), product.m)
    }

    /// Invocations of a workgroup.
    pub(super) fn invocations(&self) -> usize {
        self.tiling.main_loop().invocations(*self)
    }

    /// Whether every invocation loads the same number of vectors, or those without one wait.
    fn loads_evenly(&self, operands: Operands) -> bool {
        if self.taps != ONE_TAP {
            return true;
        }
        let loads = [self.rows(operands), self.columns()].map(|side| side * self.terms(operands) / LANES);
        loads.iter().all(|loads| loads.is_multiple_of(self.invocations()))
    }
}

/// What a device allows a workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileLimits {
    /// Invocations.
    pub invocations: usize,
    /// Bytes of workgroup memory.
    pub bytes: usize,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// The kinds of matrix units; two where subgroups are of either size.
    pub cooperative: [Option<Matrix>; 2],
}

impl TileLimits {
    /// What every device allows.
    pub const WEBGPU: TileLimits =
        TileLimits { invocations: 256, bytes: 16 << 10, scratch: 128 << 20, cooperative: [None; 2] };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all tiles but the fixed choice, one of each kind, shared among as many workgroups as the fixed choice would be.
    fn typical_of(m: usize, n: usize, k: usize) -> Vec<Tile> {
        let limits = TileLimits { bytes: 48 << 10, ..TileLimits::WEBGPU };
        let product = Product { m, n, k, batch: 1, lanes: LANES };
        let tiles = &Tiling::Workgroup.main_loop().candidates(Operands::SumInVectors, product, limits);
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
