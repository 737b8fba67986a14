//! Convolutions of 3×3 kernels by [`Winograd's F(4×4, 3×3)`](crate::exec::winograd) in stages that meet in scratch
//! memory: values of the input and of the kernel at 36 pairs of points, a matrix product for each, and the way back.
//! Only the tuner picks it: the stages move 4.5 times the bytes of both maps, which many channels win back and few do not.
//!
//! The tiles of a batch may go through the stages in parts, one after the other: the scratch memory of a part is small
//! enough for any device, and, where there are enough parts, for a large GPU's cache.

use super::epilogue::epilogue;
use super::statistics::Statistics;
use super::tile::{Operands, Product, Tile};
use super::{Shader, Stage, for_items, gemm, items_head};
use crate::exec::winograd::{A, B, POINTS, Plane};
use crate::kernel::{Consts, KernelCall, WORKGROUP};
use crate::shape::{Element, LANES};

/// Pairs of points.
const PAIRS: usize = POINTS * POINTS;
/// Bytes at the points that stay in the cache of a large GPU: 50 MB of L2 on an H100, 96 MB behind it on an RX 7900.
const CACHED: usize = 32 << 20;
/// Parts at most: each has three dispatches.
const MOST_PARTS: usize = 32;

/// Constants of what ends a convolution, and of what is left of it.
const EPILOGUE: [&str; 9] =
    ["HAS_BIAS", "HAS_ADDEND", "HAS_RELU", "ROWS", "SAMPLE_ROWS", "RELU", "RESIDUAL", "GROUP_SIZE", "GROUPS_PADDED"];
const LINES: &str = include_str!("../../../shaders/winograd/lines.wgsl");
const TILES: &str = include_str!("../../../shaders/winograd/tiles.wgsl");

/// A convolution that can go this way.
pub(super) struct Winograd {
    plane: Plane,
    /// Parts of a weight gradient's sum.
    splits: Option<usize>,
    /// The types of the bindings.
    types: String,
    /// Constants of the epilogue.
    epilogue: Consts,
    /// Tiles leave something of their outputs.
    statistics: Option<Statistics>,
}

impl Winograd {
    /// The sizes of a call, if it is a 3×3 convolution of stride 1 in 32 bits, without groups or dilation.
    pub fn of<B>(call: &KernelCall<B>) -> Option<Winograd> {
        let wgrad = call.kernel == "conv_wgrad";
        let known = wgrad || ["conv_fwd", "conv_dgrad"].contains(&call.kernel);
        if !known || call.elements.contains(&Element::F16) {
            return None;
        }
        Some(Winograd {
            plane: Plane::new(&call.consts, call.kernel == "conv_dgrad")?,
            splits: wgrad.then(|| call.consts.usize("SPLITS")),
            statistics: Statistics::of(call, "").filter(|statistics| statistics.left_by_points() > 0),
            types: super::elements(call),
            epilogue: call.consts.only(if wgrad { &[] } else { &EPILOGUE }),
        })
    }

    /// Vectors of channels that are read, and that are computed.
    fn vectors(&self) -> [usize; 2] {
        [self.plane.channels, self.plane.columns].map(|c| c / LANES)
    }

    /// The fewest equal parts whose scratch memory is no larger than this, in bytes, and the fewest whose values stay in a
    /// cache.
    pub fn parts(&self, most: usize) -> impl Iterator<Item = usize> {
        let bytes = |vectors: usize| vectors * LANES * size_of::<f32>();
        let whole = |parts: usize| parts > 0 && self.plane.tiles().is_multiple_of(parts);
        let fewest = |fits: &dyn Fn([usize; 3]) -> bool| {
            (1..=MOST_PARTS).filter(|&parts| whole(parts)).find(|&parts| fits(self.lengths(parts)))
        };
        let allowed = |[v, m, u]: [usize; 3]| bytes(v + m + u + self.left()) <= most;
        let fitting = fewest(&allowed);
        let cached = fewest(&|[v, m, u]| bytes(v + m) <= CACHED && allowed([v, m, u]));
        fitting.into_iter().chain(cached.filter(|_| cached != fitting))
    }

    /// Tiles of a part.
    fn tiles(&self, parts: usize) -> usize {
        self.plane.tiles() / parts
    }

    /// Those that a split of a weight gradient's sum is over.
    fn tiles_each(&self, parts: usize) -> usize {
        self.tiles(parts).div_ceil(self.splits.unwrap_or(1))
    }

    /// The product of the points.
    pub fn product(&self, parts: usize) -> (Operands, Product) {
        let Plane { channels, columns: n, .. } = self.plane;
        match self.splits {
            None => {
                (Operands::SumInVectors, Product { m: self.tiles(parts), n, k: channels, batch: PAIRS, lanes: LANES })
            }
            Some(splits) => {
                let k = self.tiles_each(parts);
                (Operands::RowsInVectors, Product { m: channels, n, k, batch: PAIRS * splits, lanes: LANES })
            }
        }
    }

    /// Vectors of V, M and U.
    fn lengths(&self, parts: usize) -> [usize; 3] {
        let [channels, columns] = self.vectors();
        let tiles = PAIRS * self.tiles(parts);
        let kernels = PAIRS * self.plane.channels * columns * self.splits.unwrap_or(1);
        [tiles * channels, tiles * columns, kernels]
    }

    /// Vectors that the tiles leave behind those.
    fn left(&self) -> usize {
        self.statistics.as_ref().map_or(0, Statistics::left_by_points)
    }

    fn consts(&self, parts: usize) -> Consts {
        let ([v, m, u], [rows, columns]) = (self.lengths(parts), self.plane.grid());
        let [c4, k4] = self.vectors();
        Consts::new()
            .f("A", A.into())
            .f("B", B.into())
            .u("FROM_H", self.plane.input[0])
            .u("FROM_W", self.plane.input[1])
            .u("TO_H", self.plane.output[0])
            .u("TO_W", self.plane.output[1])
            .i("PAD_T", self.plane.pad[0])
            .i("PAD_L", self.plane.pad[1])
            .u("C4", c4)
            .u("K4", k4)
            .u("TILES_Y", rows)
            .u("TILES_X", columns)
            .u("TILES", self.tiles(parts))
            .u("TILES_EACH", self.tiles_each(parts))
            .u("SPLITS", self.splits.unwrap_or(1))
            .u("V_AT", 0)
            .u("M_AT", v)
            .u("U_AT", v + m)
            .u("LEFT_AT", v + m + u)
            .b("FLIPPED", self.plane.flipped)
            .and(self.epilogue.clone())
    }

    /// The stages with this tile for the product; the scratch memory is the binding `scratch_at`.
    pub fn shader(&self, tile: Tile, scratch_at: usize) -> Shader {
        let parts = tile.winograd;
        let binding = format!("@group(0) @binding({scratch_at}) var<storage, read_write> scratch: array<vec4<f32>>;\n");
        let stages = Stages {
            winograd: self,
            tile,
            scratch_at,
            head: self.types.clone() + &self.consts(parts).prelude() + &binding,
        };
        let of_part = |part: usize| match self.splits {
            None => [stages.input(part), stages.product(), stages.output(part)],
            Some(_) => [stages.input(part), stages.output_grad(part), stages.weight_grad_product(part > 0)],
        };
        let weight = self.splits.is_none().then(|| stages.weight());
        let weight_grad = self.splits.is_some().then(|| stages.weight_grad());
        let all = weight.into_iter().chain((0..parts).flat_map(of_part)).chain(weight_grad);
        Shader { stages: all.collect(), scratch: self.lengths(parts).iter().sum::<usize>() * LANES }
    }
}

/// Writes the stages of one convolution.
struct Stages<'a> {
    winograd: &'a Winograd,
    tile: Tile,
    scratch_at: usize,
    /// Constants and the scratch memory.
    head: String,
}

impl Stages<'_> {
    /// A stage that applies a map to the `from`×`from` values of each item.
    fn map(&self, items: usize, text: &str, (line, sizes): (&str, [usize; 2])) -> Stage {
        let leaves = self.winograd.statistics.as_ref().filter(|_| line == "output").map(Statistics::by_points);
        let [before, end] = leaves.unwrap_or_default();
        let transform = transform(line, sizes, &end);
        let source = format!("{}{}{LINES}{before}{text}{transform}", self.head, items_head(items));
        Stage::new(source, items.div_ceil(WORKGROUP))
    }

    /// One of the tiles of a part, with so many vectors of channels each.
    fn tiles(&self, part: usize, vectors: usize, line: (&str, [usize; 2]), text: &str) -> Stage {
        let tiles = self.winograd.tiles(self.tile.winograd);
        let place = Consts::new().u("VECTORS", vectors).u("FIRST_TILE", part * tiles).prelude();
        self.map(tiles * vectors, &format!("{place}{TILES}{text}"), line)
    }

    /// The products of the points.
    fn multiply(&self, text: &str) -> Stage {
        let (operands, product) = self.winograd.product(self.tile.winograd);
        let main = gemm::main_loop(self.tile, operands, product, self.scratch_at, None);
        Stage::new(format!("{}{text}{main}", self.head), self.tile.workgroups(operands, product))
    }

    /// Kernels of all splits, in vectors.
    fn kernels(&self) -> usize {
        self.winograd.plane.channels * self.winograd.vectors()[1] * self.winograd.splits.unwrap_or(1)
    }

    fn input(&self, part: usize) -> Stage {
        let text = include_str!("../../../shaders/winograd/input.wgsl");
        self.tiles(part, self.winograd.vectors()[0], ("input", [6, 6]), text)
    }

    fn weight(&self) -> Stage {
        self.map(self.kernels(), include_str!("../../../shaders/winograd/weight.wgsl"), ("weight", [3, 6]))
    }

    fn product(&self) -> Stage {
        self.multiply(include_str!("../../../shaders/winograd/product.wgsl"))
    }

    fn output(&self, part: usize) -> Stage {
        let text = epilogue(&self.winograd.epilogue) + include_str!("../../../shaders/winograd/output.wgsl");
        self.tiles(part, self.winograd.vectors()[1], ("output", [6, 4]), &text)
    }

    fn output_grad(&self, part: usize) -> Stage {
        let text = include_str!("../../../shaders/winograd/output_grad.wgsl");
        self.tiles(part, self.winograd.vectors()[1], ("output_grad", [4, 6]), text)
    }

    fn weight_grad_product(&self, adds: bool) -> Stage {
        let text = include_str!("../../../shaders/winograd/weight_grad_product.wgsl");
        self.multiply(&(Consts::new().b("ADDS", adds).prelude() + text))
    }

    fn weight_grad(&self) -> Stage {
        let text = include_str!("../../../shaders/winograd/weight_grad.wgsl");
        self.map(self.kernels(), text, ("weight_grad", [6, 3]))
    }
}

/// The entry point that applies the map `LINE_line` along the columns and then along the rows of what `load` gives, and
/// ends with `end`.
fn transform(line: &str, [from, to]: [usize; 2], end: &str) -> String {
    let names = ["", "", "", "Three", "Four", "", "Six"];
    let list = |each: &dyn Fn(usize) -> String| (0..from).map(each).collect::<Vec<_>>().join(", ");
    let columns = (0..from).map(|c| {
        let loads = list(&|r| format!("load(p, {r}u, {c}u)"));
        format!("        let c{c} = {line}_line({}({loads}));\n", names[from])
    });
    let rows = (0..to).map(|r| {
        let values = list(&|c| format!("c{c}[{r}]"));
        let stores = (0..to).map(|c| format!("        store(p, {r}u, {c}u, r{r}[{c}]);\n"));
        format!("        let r{r} = {line}_line({}({values}));\n{}", names[from], stores.collect::<String>())
    });
    let (columns, rows) = (columns.collect::<String>(), rows.collect::<String>());
    for_items(&format!("        let p = place(i);\n{columns}{rows}{end}"))
}
