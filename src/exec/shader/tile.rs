//! Tiles of the matrix kernels: the fixed choice, and what the tuner may try in its place.

use serde::{Deserialize, Serialize};

use super::cooperative;
use super::units::Matrix;
use crate::shape::LANES;

/// Where the operands of the inner loop come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tiling {
    /// Tiles in workgroup memory, for GPUs.
    Workgroup,
    /// Registers only, for software adapters: barriers are expensive there (a 64×64 workgroup tile reached 2–3 GFLOP/s
    /// on llvmpipe, registers alone 8–11).
    Register,
    /// As `Register`, for software adapters with subgroups of [`SUBGROUP`]: the invocations of one load different rows of
    /// the left operand and show them to each other. llvmpipe (Mesa 22.3) loads from buffers inside of a loop lane by lane,
    /// even from one address for all, while a shuffle is one instruction: 9.2 GFLOP/s a core where `Register` reaches 5.
    Subgroup,
    /// Tiles of f16 in workgroup memory, multiplied by matrix units, for GPUs that have them; only the tuner picks it.
    Cooperative(Matrix),
}

impl Tiling {
    /// Whether operands go from where they lie to registers, without workgroup memory.
    pub fn in_registers(self) -> bool {
        matches!(self, Tiling::Register | Tiling::Subgroup)
    }
}

/// Invocations in a subgroup, and in a workgroup, of [`Tiling::Subgroup`].
pub const SUBGROUP: usize = 8;

/// Along which axis the left operand's vectors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// `a_load(tap, c)` gives 4 terms of the sum, channels of a tap, for one row (forward, input gradient).
    SumInVectors,
    /// `a_load(row, pixel)` gives 4 rows for one term; rows count vectors (weight gradient).
    RowsInVectors,
}

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
    /// Lanes of the left operand's vectors that hold something.
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
    /// Tiles of each operand in workgroup memory: with 2 the next one is loaded while this one is multiplied, and a
    /// barrier less is needed.
    pub buffers: usize,
    /// Workgroups that share a sum; a second dispatch adds up their parts, in a fixed order.
    pub splits: usize,
    /// Where not 0, the products are those of Winograd's points, in so many parts; see `exec/shader/winograd.rs`.
    pub winograd: usize,
    /// Rows and columns of taps that share what a workgroup has loaded, all of a kernel or one; see
    /// `exec/shader/cooperative/patches.rs`.
    pub taps: [usize; 2],
}

/// Each tap by itself.
pub(super) const ONE_TAP: [usize; 2] = [1, 1];

/// Workgroups that keep a large GPU busy: an H100 has 132 multiprocessors, an RX 7900 96 compute units, and small ones
/// lose little by a few more.
pub(super) const BUSY: usize = 128;
/// Steps of the sum that a part must have, or adding up costs more than is won.
const LEAST_STEPS: usize = 8;

impl Tile {
    /// A fixed choice by the sizes of the product.
    pub fn choose(tiling: Tiling, operands: Operands, product: Product) -> Tile {
        let n = product.n;
        let vectors = operands == Operands::RowsInVectors;
        match tiling {
            // 64×64 outputs by 64 invocations of 8×8 each: 16 vector loads from workgroup memory per 256 FMAs. The sum
            // advances 16 terms a tile.
            Tiling::Workgroup | Tiling::Cooperative(_) => Tile {
                tiling: Tiling::Workgroup,
                threads: [8, 8],
                columns_each: 2,
                rows_each: if vectors { 2 } else { 8 },
                depth: if vectors { 16 } else { 4 },
                buffers: 1,
                splits: 1,
                winograd: 0,
                taps: ONE_TAP,
            }
            .split(operands, product, BUSY),
            // Neighbours along the columns, so that their loads of the right operand lie side by side: with neighbours
            // along the rows, 8×2 vectors each, a product of 4096×64×576 ran at 1.8 GFLOP/s a core instead of 5.
            Tiling::Register | Tiling::Subgroup => {
                let tx = (n / LANES).next_power_of_two().min(SUBGROUP);
                let threads = [tx, SUBGROUP / tx];
                let held = tiling == Tiling::Subgroup;
                let columns_each = if !held && (n / LANES).is_multiple_of(2 * tx) { 2 } else { 1 };
                // What is held by shuffles costs no load, so more rows share a load of the right operand.
                let rows_each = match (held, vectors) {
                    // Where few columns leave the lanes to the rows, fewer each: 16 loads of rows in one loop take
                    // minutes to compile with bounds checks.
                    (true, false) => (4 * tx).min(16),
                    (true, true) => (2 * tx).min(8),
                    (false, false) => 8,
                    (false, true) => 2,
                };
                let (depth, buffers, splits) = (1, 1, 1);
                Tile { tiling, threads, columns_each, rows_each, depth, buffers, splits, winograd: 0, taps: ONE_TAP }
            }
        }
    }

    /// The same tile with sums shared by as many workgroups as it takes to have `wanted` of them. Small maps under many
    /// channels have few tiles and long sums: 2×2×512 of 16 images makes 8 tiles of 64×64 with 4,608 terms. A weight
    /// gradient is split by its op already, for tiles of one tap.
    pub(super) fn split(self, operands: Operands, product: Product, wanted: usize) -> Tile {
        if operands == Operands::RowsInVectors && self.taps == ONE_TAP {
            return self;
        }
        // Sums of a product that is one of several parts are as much shorter.
        let steps = match operands {
            Operands::SumInVectors => product.k.div_ceil(self.terms(operands)),
            Operands::RowsInVectors => product.k.div_ceil(self.terms(operands) * product.batch),
        };
        let workgroups = self.workgroups(operands, product);
        let splits = (wanted / workgroups.max(1)).min(steps / LEAST_STEPS).clamp(1, 32);
        Tile { splits, ..self }
    }

    /// What tiles have in common that differ in depth, buffers and splits of their sums alone, or only in how Winograd's
    /// products are tiled.
    pub fn kind(&self) -> Tile {
        let kind = Tile { depth: 1, buffers: 1, splits: 1, ..*self };
        match self.winograd {
            0 => kind,
            _ => Tile { threads: [1, 1], columns_each: 1, rows_each: 1, ..kind },
        }
    }

    /// One tile of each kind: with two buffers where there are some, and sums shared as those of the fixed choice; the largest
    /// of Winograd's, whose 36 products keep a GPU busy.
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

    /// Tiles of a product, each part of a split sum counted.
    pub fn workgroups(&self, operands: Operands, Product { m, n, batch, .. }: Product) -> usize {
        m.div_ceil(self.rows(operands)) * n.div_ceil(self.columns()) * batch * self.splits
    }

    /// Outputs of a workgroup along the columns, in floats.
    pub fn columns(&self) -> usize {
        let each = if let Tiling::Cooperative(matrix) = self.tiling { matrix.size } else { LANES };
        self.threads[0] * self.columns_each * each
    }

    /// Outputs of a workgroup along the rows, in floats.
    pub fn rows(&self, operands: Operands) -> usize {
        self.taps.iter().product::<usize>() * self.rows_of_tap(operands)
    }

    /// Those of each tap.
    pub(super) fn rows_of_tap(&self, operands: Operands) -> usize {
        let each = match (self.tiling, operands) {
            (Tiling::Cooperative(matrix), _) => matrix.size,
            (_, Operands::RowsInVectors) => LANES,
            (_, Operands::SumInVectors) => 1,
        };
        self.threads[1] * self.rows_each * each
    }

    /// Terms of the sum in a tile.
    pub(super) fn terms(&self, operands: Operands) -> usize {
        match (self.tiling, operands) {
            (Tiling::Cooperative(matrix), _) => self.depth * matrix.size,
            (_, Operands::RowsInVectors) => self.depth,
            (_, Operands::SumInVectors) => self.depth * LANES,
        }
    }

    /// Steps of `k` in a tile; where taps share a patch, that is one.
    pub(super) fn steps(&self, operands: Operands) -> usize {
        if self.taps != ONE_TAP {
            return 1;
        }
        self.terms(operands) / if operands == Operands::SumInVectors { LANES } else { 1 }
    }

    /// What may be faster than the fixed choice on some device; the fixed choice comes first. All give the same sums in
    /// another order, or in the same, those of matrix units with operands rounded to f16, which both must be anyway.
    pub fn candidates(tiling: Tiling, operands: Operands, product: Product, limits: TileLimits) -> Vec<Tile> {
        let mut found = vec![Tile::choose(tiling, operands, product)];
        if tiling != Tiling::Workgroup {
            return found;
        }
        let units = limits.cooperative.into_iter().flatten();
        // Where there are units, nothing else but tiles for small maps came near them (an H200: a third of their speed).
        let alone = limits.cooperative.iter().all(Option::is_none);
        let small = |tile: &Tile| alone || (tile.columns_each == 1 && tile.rows(operands) <= 64);
        for tile in units.flat_map(Tile::cooperative).chain(Tile::in_workgroups(operands).filter(small)) {
            if !tile.fits(operands, product, limits) {
                continue;
            }
            for wanted in [0, BUSY, 4 * BUSY] {
                let tile = tile.split(operands, product, wanted);
                if !found.contains(&tile) {
                    found.push(tile);
                }
            }
        }
        found
    }

    /// The same for the products of Winograd's points: they are 36 at once, so sums need not be split, nor tiles be small.
    pub fn winograd(
        tiling: Tiling,
        (operands, product): (Operands, Product),
        parts: usize,
        limits: TileLimits,
    ) -> Vec<Tile> {
        let fits = |tile: &Tile| {
            let large = tile.columns() * tile.rows(operands) >= 64 * 64;
            large && tile.buffers == 2 && tile.terms(operands) == 16 && tile.fits(operands, product, limits)
        };
        // On llvmpipe its stages take what its products win (docs/rejected.md).
        let tiles = (tiling == Tiling::Workgroup).then(|| Tile::in_workgroups(operands).filter(fits));
        tiles.into_iter().flatten().map(|tile| Tile { winograd: parts, ..tile }).collect()
    }

    /// Whether a device can run it, and half of it at least has work.
    pub(super) fn fits(&self, operands: Operands, product: Product, limits: TileLimits) -> bool {
        let full = |tile: usize, size: usize| tile <= 32 || tile < 2 * size;
        self.loads_evenly(operands)
            && self.invocations() <= limits.invocations
            && self.bytes(operands) <= limits.bytes
            && full(self.columns(), product.n)
            && full(self.rows(operands), product.m)
    }

    /// Tiles of f32 in workgroup memory.
    fn in_workgroups(operands: Operands) -> impl Iterator<Item = Tile> {
        let tiling = Tiling::Workgroup;
        let vectors = operands == Operands::RowsInVectors;
        // Threads along columns and rows, vectors of columns and rows (or vectors of rows) of one invocation.
        let shapes: [([usize; 2], usize, usize); 8] = [
            ([8, 8], 2, 8),   // 64×64 by 64
            ([8, 16], 2, 8),  // 128×64 by 128
            ([16, 8], 2, 8),  // 64×128 by 128
            ([16, 16], 2, 8), // 128×128 by 256
            ([16, 16], 1, 4), // 64×64 by 256: small maps that leave most of a GPU idle
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

    /// Invocations of a workgroup.
    pub(super) fn invocations(&self) -> usize {
        let lanes = if let Tiling::Cooperative(matrix) = self.tiling { matrix.lanes } else { 1 };
        self.threads[0] * self.threads[1] * lanes
    }

    /// Vectors of each operand's tile in workgroup memory. One vector of padding per row keeps invocations that read
    /// different rows off the same memory bank.
    pub(super) fn vectors(&self, operands: Operands) -> [usize; 2] {
        let ([tx, ty], rows, cols) = (self.threads, self.rows_each, self.columns_each);
        match operands {
            Operands::SumInVectors => [ty * rows * (self.depth + 1), self.depth * LANES * tx * cols],
            Operands::RowsInVectors => [self.depth * ty * rows, self.depth * tx * cols],
        }
    }

    /// Workgroup memory.
    pub(super) fn bytes(&self, operands: Operands) -> usize {
        if let Tiling::Cooperative(matrix) = self.tiling {
            return cooperative::bytes(*self, matrix, operands);
        }
        let floats = self.vectors(operands).iter().sum::<usize>() * LANES;
        floats * size_of::<f32>() * self.buffers
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
    /// Workgroup memory.
    pub bytes: usize,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// What matrix units there are; two where subgroups are of either size.
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
        let tiles = &Tile::candidates(Tiling::Workgroup, Operands::SumInVectors, product, limits)[1..];
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
