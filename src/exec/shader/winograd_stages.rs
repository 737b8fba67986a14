//! Convolutions of 3×3 kernels by [`Winograd's F(4×4, 3×3)`](crate::exec::winograd). The stages meet in scratch memory: values of
//! the input and of the kernel at 36 pairs of points, a matrix product for each pair, and the map back. They move 4.5 times
//! the bytes of both maps, which pays only with many channels. So only the tuner picks Winograd.
//!
//! The tiles of a batch may go through the stages in parts, one after the other. The scratch memory of a part is small enough
//! for any device, and, where there are enough parts, for a large GPU's cache.

use super::draft::{Draft, for_items};
use super::matrix::{MatrixCall, epilogue};
use super::statistics::Statistics;
use super::sums::Gemm;
use super::tile::{Product, Tile};
use crate::exec::registry::Operands;
use crate::exec::winograd::{A, B, POINTS, Plane};
use crate::kernel::Consts;
use crate::shape::{Element, LANES};

/// Pairs of points.
const PAIRS: usize = POINTS * POINTS;
/// Bytes at the points that stay in the cache of a large GPU: an H100 has 50 MB of L2, an RX 7900 96 MB of L3.
const CACHED: usize = 32 << 20;
/// Parts at most: each has three dispatches.
const MOST_PARTS: usize = 32;

/// The maps along one axis, and the place of a tile.
const LINES: &str = include_str!("../../../shaders/winograd/lines.wgsl");
const TILES: &str = include_str!("../../../shaders/winograd/tiles.wgsl");

/// A convolution that the stages can compute.
pub(super) struct Winograd<'a> {
    call: &'a MatrixCall<'a>,
    plane: Plane,
    /// Partial sums of a weight gradient.
    splits: Option<usize>,
    /// Tiles write lines.
    statistics: Option<Statistics<'a>>,
}

impl<'a> Winograd<'a> {
    /// A call, if it is a 3×3 convolution of stride 1 in 32 bits, without groups or dilation.
    pub fn of(call: &'a MatrixCall<'a>) -> Option<Self> {
        if !call.kernel.winograd || call.elements().contains(&Element::F16) {
            return None;
        }
        Some(Winograd {
            call,
            plane: Plane::new(call.geometry)?,
            splits: call.geometry.splits(),
            statistics: Statistics::of(call).filter(|statistics| statistics.lines_of_points() > 0),
        })
    }

    /// Vectors of the channels that are read, and of those that are computed.
    fn vectors(&self) -> [usize; 2] {
        [self.plane.channels, self.plane.columns].map(|c| c / LANES)
    }

    /// The fewest equal parts whose scratch memory has at most `most` bytes, and the fewest whose values stay in a
    /// cache.
    pub fn parts(&self, most: usize) -> impl Iterator<Item = usize> {
        let bytes = |vectors: usize| vectors * LANES * size_of::<f32>();
        let whole = |parts: usize| parts > 0 && self.plane.tiles().is_multiple_of(parts);
        let fewest = |fits: &dyn Fn([usize; 3]) -> bool| {
            (1..=MOST_PARTS).filter(|&parts| whole(parts)).find(|&parts| fits(self.lengths(parts)))
        };
        let allowed = |[v, m, u]: [usize; 3]| bytes(v + m + u + self.lines()) <= most;
        let fitting = fewest(&allowed);
        let cached = fewest(&|[v, m, u]| bytes(v + m) <= CACHED && allowed([v, m, u]));
        fitting.into_iter().chain(cached.filter(|_| cached != fitting))
    }

    /// Tiles of a part.
    fn tiles(&self, parts: usize) -> usize {
        self.plane.tiles() / parts
    }

    /// Tiles in a partial sum of a weight gradient.
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

    /// Vectors of the tiles' lines, which follow V, M and U.
    fn lines(&self) -> usize {
        self.statistics.as_ref().map_or(0, Statistics::lines_of_points)
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
            .size("C4", c4)
            .u("K4", k4)
            .u("TILES_Y", rows)
            .u("TILES_X", columns)
            .u("TILES", self.tiles(parts))
            .u("TILES_EACH", self.tiles_each(parts))
            .size("SPLITS", self.splits.unwrap_or(1))
            .u("V_AT", 0)
            .u("M_AT", v)
            .u("U_AT", v + m)
            .size("LINES_AT", v + m + u)
            .b("FLIPPED", self.plane.flipped)
            .and(self.epilogue_consts())
    }

    /// Constants of the epilogue, and of the statistics of its results.
    fn epilogue_consts(&self) -> Consts {
        if self.splits.is_some() {
            return Consts::new();
        }
        let consts = self.call.geometry.epilogue.consts();
        let Some(of) = &self.call.geometry.statistics else { return consts };
        let consts = consts.size("ROWS", of.norm.rows).size("SAMPLE_ROWS", of.norm.sample_rows);
        let Some(mask) = of.mask else { return consts };
        let groups = Consts::new().size("GROUPS_PADDED", of.norm.groups_padded()).u("GROUP_SIZE", of.norm.group_size);
        consts.and(groups).and(mask.consts())
    }

    /// The stages with this tile for the product, and the length of the scratch memory in floats.
    pub fn stages(&self, tile: Tile) -> (Vec<Draft>, usize) {
        let parts = tile.winograd;
        let stages = Stages { winograd: self, tile };
        let of_part = |part: usize| match self.splits {
            None => [stages.input(part), stages.product(), stages.output(part)],
            Some(_) => [stages.input(part), stages.output_grad(part), stages.weight_grad_product(part > 0)],
        };
        let weight = self.splits.is_none().then(|| stages.weight());
        let weight_grad = self.splits.is_some().then(|| stages.weight_grad());
        let all = weight.into_iter().chain((0..parts).flat_map(of_part)).chain(weight_grad);
        (all.collect(), self.lengths(parts).iter().sum::<usize>() * LANES)
    }
}

/// A linear map along one axis, `NAME_line` in `lines.wgsl`, from and to this many values.
struct Map {
    name: &'static str,
    sizes: [usize; 2],
}

/// Writes the stages of one convolution.
struct Stages<'a> {
    winograd: &'a Winograd<'a>,
    tile: Tile,
}

impl Stages<'_> {
    /// A stage without text: constants, and the bindings `of_call` besides the scratch memory.
    fn draft(&self, of_call: &[usize]) -> Draft {
        let Winograd { call, .. } = self.winograd;
        let mut draft = call.draft();
        draft.constants = self.winograd.consts(self.tile.winograd);
        draft.bindings.extend(call.storage(of_call.iter().copied().chain([call.scratch()])));
        draft
    }

    /// The declaration of the scratch memory.
    fn scratch(&self) -> String {
        let at = self.winograd.call.scratch();
        format!("@group(0) @binding({at}) var<storage, read_write> scratch: array<vec4<f32>>;\n")
    }

    /// A stage that applies a map to the values of each item; `end` follows it.
    fn map(&self, draft: Draft, items: usize, text: &str, map: &Map, [before, end]: [String; 2]) -> Draft {
        let text = format!("{}{LINES}{before}{text}{}", self.scratch(), map.entry_point(&end));
        draft.of_items(items, &text)
    }

    /// Such a stage over the tiles of a part, with `vectors` vectors of channels each.
    fn tiles(&self, part: usize, vectors: usize, map: &Map, (of_call, text): (&[usize], &str)) -> Draft {
        self.tiles_and(self.draft(of_call), part, vectors, map, text, [String::new(), String::new()])
    }

    fn tiles_and(
        &self,
        mut draft: Draft,
        part: usize,
        vectors: usize,
        map: &Map,
        text: &str,
        lines: [String; 2],
    ) -> Draft {
        let tiles = self.winograd.tiles(self.tile.winograd);
        draft.constants = draft.constants.u("VECTORS", vectors).u("FIRST_TILE", part * tiles);
        self.map(draft, tiles * vectors, &format!("{TILES}{text}"), map, lines)
    }

    /// The products of the points.
    fn multiply(&self, draft: Draft, text: &str) -> Draft {
        let (operands, product) = self.winograd.product(self.tile.winograd);
        let scratch = self.winograd.call.scratch();
        let gemm = Gemm { tile: self.tile, operands, product, scratch, statistics: None };
        gemm.product_stage(draft, &format!("{}{text}", self.scratch()))
    }

    /// Kernels of all splits, in vectors.
    fn kernels(&self) -> usize {
        self.winograd.plane.channels * self.winograd.vectors()[1] * self.winograd.splits.unwrap_or(1)
    }

    fn input(&self, part: usize) -> Draft {
        let text = include_str!("../../../shaders/winograd/input.wgsl");
        self.tiles(part, self.winograd.vectors()[0], &Map { name: "input", sizes: [6, 6] }, (&[0], text))
    }

    fn weight(&self) -> Draft {
        let text = include_str!("../../../shaders/winograd/weight.wgsl");
        let map = Map { name: "weight", sizes: [3, 6] };
        self.map(self.draft(&[1]), self.kernels(), text, &map, Default::default())
    }

    fn product(&self) -> Draft {
        self.multiply(self.draft(&[]), include_str!("../../../shaders/winograd/product.wgsl"))
    }

    fn output(&self, part: usize) -> Draft {
        let Winograd { call, statistics, .. } = self.winograd;
        let text = epilogue(call.geometry.epilogue) + include_str!("../../../shaders/winograd/output.wgsl");
        let lines = statistics.as_ref().map(Statistics::of_points).unwrap_or_default();
        let with_norm = statistics.as_ref().map(Statistics::operands).unwrap_or_default();
        let bindings = [vec![call.result()], call.geometry.epilogue.bindings(), with_norm].concat();
        let map = Map { name: "output", sizes: [6, 4] };
        self.tiles_and(self.draft(&bindings), part, self.winograd.vectors()[1], &map, &text, lines)
    }

    fn output_grad(&self, part: usize) -> Draft {
        let text = include_str!("../../../shaders/winograd/output_grad.wgsl");
        self.tiles(part, self.winograd.vectors()[1], &Map { name: "output_grad", sizes: [4, 6] }, (&[1], text))
    }

    fn weight_grad_product(&self, adds: bool) -> Draft {
        let mut draft = self.draft(&[]);
        draft.constants = draft.constants.b("ADDS", adds);
        self.multiply(draft, include_str!("../../../shaders/winograd/weight_grad_product.wgsl"))
    }

    fn weight_grad(&self) -> Draft {
        let text = include_str!("../../../shaders/winograd/weight_grad.wgsl");
        let map = Map { name: "weight_grad", sizes: [6, 3] };
        self.map(self.draft(&[self.winograd.call.result()]), self.kernels(), text, &map, Default::default())
    }
}

impl Map {
    /// The entry point that applies the map along the columns and then along the rows of the values that `load`
    /// returns, and stores the result; `end` follows.
    fn entry_point(&self, end: &str) -> String {
        let Map { name, sizes: [from, to] } = *self;
        let array = ["", "", "", "Three", "Four", "", "Six"][from];
        let list = |each: &dyn Fn(usize) -> String| (0..from).map(each).collect::<Vec<_>>().join(", ");
        let columns = (0..from).map(|c| {
            let loads = list(&|r| format!("load(p, {r}u, {c}u)"));
            format!("        let c{c} = {name}_line({array}({loads}));\n")
        });
        let rows = (0..to).map(|r| {
            let values = list(&|c| format!("c{c}[{r}]"));
            let stores = (0..to).map(|c| format!("        store(p, {r}u, {c}u, r{r}[{c}]);\n"));
            format!("        let r{r} = {name}_line({array}({values}));\n{}", stores.collect::<String>())
        });
        let (columns, rows) = (columns.collect::<String>(), rows.collect::<String>());
        for_items(&format!(
            "        let p = place(i);
        // Along the columns.
{columns}        // Along the rows.
{rows}{end}"
        ))
    }
}
