//! Tiles of the matrix kernels: kinds of main loops, sizes, and limits of a device.

use serde::{Deserialize, Serialize};

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

/// Where the operands of the inner loop come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tiling {
    /// Tiles in workgroup memory, for GPUs.
    Workgroup,
    /// Registers only, for software adapters: barriers are expensive there (a 64×64 workgroup tile reached 2–3 GFLOP/s
    /// on llvmpipe, registers alone 8–11).
    Register,
    /// As `Register`, for software adapters with subgroups of `SUBGROUP` invocations. The invocations of a subgroup
    /// load different rows of the left operand and exchange them by shuffles. In a loop, llvmpipe (Mesa 22.3) loads
    /// from buffers lane by lane, even if all lanes read one address. A shuffle is one instruction: 9.2 GFLOP/s per
    /// core, where `Register` reaches 5.
    Subgroup,
    /// Tiles of f16 in workgroup memory, multiplied by matrix units, for GPUs that have them.
    Cooperative(Matrix),
}

impl Tiling {
    /// Whether operands are read straight to registers, without workgroup memory.
    pub fn in_registers(self) -> bool {
        matches!(self, Tiling::Register | Tiling::Subgroup)
    }

    /// Its matrix units, if it has any.
    fn matrix(self) -> Option<Matrix> {
        if let Tiling::Cooperative(matrix) = self { Some(matrix) } else { None }
    }

    /// Columns of a unit of [`Tile::columns_each`], in floats.
    fn column_unit(self) -> usize {
        self.matrix().map_or(LANES, |matrix| matrix.size)
    }

    /// Rows of a unit of [`Tile::rows_each`].
    fn row_unit(self, operands: Operands) -> usize {
        let vectors = if operands == Operands::RowsInVectors { LANES } else { 1 };
        self.matrix().map_or(vectors, |matrix| matrix.size)
    }

    /// Terms of the sum in a unit of [`Tile::depth`].
    fn term_unit(self, operands: Operands) -> usize {
        let vectors = if operands == Operands::SumInVectors { LANES } else { 1 };
        self.matrix().map_or(vectors, |matrix| matrix.size)
    }
}

/// A kind of matrix units: they multiply two matrices of size × size in f16, and add the product to one in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Matrix {
    /// Rows and columns.
    pub size: usize,
    /// Invocations of a subgroup, which computes one product together.
    pub lanes: usize,
    /// How operands lie for them.
    pub lines: Lines,
}

/// How operands are stored in workgroup memory whose vectors do not run along the sum in global memory: weights, and both
/// operands of a weight gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lines {
    /// Transposed, number by number, so that terms of the sum lie side by side. naga's Metal backend has no other pointers, and
    /// AMD's compiler (RADV) loads a matrix at once only from such memory.
    Turned,
    /// As they lie in global memory, in vectors; the units transpose them as they load. On NVIDIA's GPUs a convolution
    /// then takes a fifth to a third less time, and their compiler fails on pointers to anything but vectors of 16-bit
    /// floats.
    AsTheyCome,
}

impl Lines {
    /// Numbers of an element of workgroup memory.
    pub fn unit(self) -> usize {
        match self {
            Lines::Turned => 1,
            Lines::AsTheyCome => LANES,
        }
    }

    /// Type of an element of workgroup memory, given the type of a number.
    pub fn element(self, number: &str) -> String {
        match self {
            Lines::Turned => number.into(),
            Lines::AsTheyCome => format!("vec4<{number}>"),
        }
    }
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
    /// 0, or the number of parts in which the tiles of a batch go through Winograd's stages. The sizes are then those
    /// for the products at the points. See `winograd_stages.rs`.
    pub winograd: usize,
    /// Rows and columns of the taps that share the pixels that a workgroup loads: all taps of a kernel, or one. See
    /// `tiling/cooperative/patches.rs`.
    pub taps: [usize; 2],
}

/// No taps share pixels.
pub(super) const ONE_TAP: [usize; 2] = [1, 1];

/// Workgroups that keep a large GPU busy: an H100 has 132 multiprocessors, an RX 7900 96 compute units. A few
/// workgroups too many cost a small GPU little.
pub(super) const BUSY: usize = 128;
/// Steps of the sum that a part must have. With fewer steps, adding the parts costs more than it gains.
const LEAST_STEPS: usize = 8;

impl Tile {
    /// The tile with sums split so far that about `wanted` workgroups have work. Small maps under many
    /// channels have few tiles and long sums: 2×2×512 of 16 images makes 8 tiles of 64×64 with 4,608 terms. A weight
    /// gradient is split by its op already, for tiles of one tap.
    pub(super) fn split(self, operands: Operands, product: Product, wanted: usize) -> Tile {
        if operands == Operands::RowsInVectors && self.taps == ONE_TAP {
            return self;
        }
        // Each of several products of a sum has its share of the terms.
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

    /// One tile of each kind: if possible one with two buffers, and with sums split as in the fixed choice. Of
    /// Winograd's tiles it is the largest, since their 36 products keep a GPU busy.
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
        self.threads[0] * self.columns_each * self.tiling.column_unit()
    }

    /// Outputs of a workgroup along the rows, in floats.
    pub fn rows(&self, operands: Operands) -> usize {
        self.taps.iter().product::<usize>() * self.rows_of_tap(operands)
    }

    /// Outputs of a tap along the rows, in floats.
    pub(super) fn rows_of_tap(&self, operands: Operands) -> usize {
        self.threads[1] * self.rows_each * self.tiling.row_unit(operands)
    }

    /// Terms of the sum in a tile.
    pub(super) fn terms(&self, operands: Operands) -> usize {
        self.depth * self.tiling.term_unit(operands)
    }

    /// Steps of `k` in a tile; where taps share a patch, a patch is one step.
    pub(super) fn steps(&self, operands: Operands) -> usize {
        if self.taps != ONE_TAP {
            return 1;
        }
        self.terms(operands) / if operands == Operands::SumInVectors { LANES } else { 1 }
    }

    /// Invocations of a workgroup.
    pub(super) fn invocations(&self) -> usize {
        self.threads[0] * self.threads[1] * self.tiling.matrix().map_or(1, |matrix| matrix.lanes)
    }

    /// Whether every invocation loads the same number of vectors; else some invocations wait for the others.
    pub(super) fn loads_evenly(&self, operands: Operands) -> bool {
        if self.taps != ONE_TAP {
            return true;
        }
        let loads = [self.rows(operands), self.columns()].map(|side| side * self.terms(operands) / LANES);
        loads.iter().all(|loads| loads.is_multiple_of(self.invocations()))
    }
}

/// Limits of a device for a workgroup.
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
    /// Limits that every device allows.
    pub const WEBGPU: TileLimits =
        TileLimits { invocations: 256, bytes: 16 << 10, scratch: 128 << 20, cooperative: [None; 2] };
}

/// Every row with every column.
pub(super) fn pairs(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |i| (0..cols).map(move |j| (i, j)))
}
