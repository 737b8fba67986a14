//! Convolutions of 3×3 kernels by Winograd's F(4×4, 3×3): a quarter of the multiplications, in stages that meet in scratch
//! memory. Values of the input and of the kernel at 36 points, a matrix product for each, and the way back. Only the tuner
//! picks it: the stages move 4.5 times the bytes of both maps, which many channels win back and few do not.

use super::tile::{Operands, Product, Tile};
use super::{Shader, Stage, for_items, gemm, items_head};
use crate::kernel::{Consts, KernelCall, WORKGROUP};
use crate::shape::{Element, LANES};

/// Pairs of points.
const POINTS: usize = 36;
/// Outputs of a tile along an axis.
const OUTPUTS: usize = 4;

const LINES: &str = include_str!("../../../shaders/winograd/lines.wgsl");

/// Sizes of a convolution that can go this way.
pub(super) struct Winograd {
    images: usize,
    /// Height and width of what is read and of what is computed; of the output, for the gradient of a weight.
    from: [usize; 2],
    to: [usize; 2],
    /// Rows and columns of zeros before what is read.
    pad: [i64; 2],
    /// Vectors of channels that are read, and that are computed.
    channels: usize,
    columns: usize,
    /// Parts of a weight gradient's sum.
    splits: Option<usize>,
    flipped: bool,
    has_bias: bool,
}

impl Winograd {
    /// The sizes of a call, if it is a 3×3 convolution of stride 1 in 32 bits, without groups or dilation.
    pub fn of<B>(call: &KernelCall<B>) -> Option<Winograd> {
        if !["conv_fwd", "conv_dgrad", "conv_wgrad"].contains(&call.kernel) {
            return None;
        }
        let u = |name| call.consts.usize(name);
        let pairs = [(["KH", "KW"], 3), (["SH", "SW"], 1), (["DH", "DW"], 1)];
        let fits = pairs.iter().all(|&(names, value)| names.iter().all(|name| u(name) == value));
        if !fits || u("GROUPS") != 1 || call.elements.contains(&Element::F16) {
            return None;
        }
        let maps = [[u("H"), u("W")], [u("OH"), u("OW")]];
        let (pad, sides) = ([u("PT") as i64, u("PL") as i64], [u("GI4"), u("GO4")]);
        let turned = call.kernel == "conv_dgrad";
        let order = if turned { [1, 0] } else { [0, 1] };
        Some(Winograd {
            images: u("N"),
            from: maps[order[0]],
            to: maps[order[1]],
            pad: if turned { pad.map(|p| 2 - p) } else { pad },
            channels: sides[order[0]],
            columns: sides[order[1]],
            splits: (call.kernel == "conv_wgrad").then(|| u("SPLITS")),
            flipped: turned,
            has_bias: call.kernel != "conv_wgrad" && call.consts.flag("HAS_BIAS"),
        })
    }

    fn grid(&self) -> [usize; 2] {
        self.to.map(|size| size.div_ceil(OUTPUTS))
    }

    fn tiles(&self) -> usize {
        self.images * self.grid().iter().product::<usize>()
    }

    /// Tiles of a part of a weight gradient's sum.
    fn tiles_each(&self) -> usize {
        self.tiles().div_ceil(self.splits.unwrap_or(1))
    }

    /// The product of the points.
    pub fn product(&self) -> (Operands, Product) {
        let (channels, n) = (self.channels * LANES, self.columns * LANES);
        match self.splits {
            None => (Operands::SumInVectors, Product { m: self.tiles(), n, k: channels, batch: POINTS }),
            Some(splits) => {
                (Operands::RowsInVectors, Product { m: channels, n, k: self.tiles_each(), batch: POINTS * splits })
            }
        }
    }

    /// Vectors of V, M and U.
    fn lengths(&self) -> [usize; 3] {
        let tiles = POINTS * self.tiles();
        let kernels = POINTS * self.channels * LANES * self.columns * self.splits.unwrap_or(1);
        [tiles * self.channels, tiles * self.columns, kernels]
    }

    /// Floats of scratch memory.
    pub fn scratch(&self) -> usize {
        self.lengths().iter().sum::<usize>() * LANES
    }

    fn consts(&self) -> Consts {
        let ([v, m, _], [rows, columns]) = (self.lengths(), self.grid());
        Consts::new()
            .u("FROM_H", self.from[0])
            .u("FROM_W", self.from[1])
            .u("TO_H", self.to[0])
            .u("TO_W", self.to[1])
            .i("PAD_T", self.pad[0])
            .i("PAD_L", self.pad[1])
            .u("C4", self.channels)
            .u("K4", self.columns)
            .u("TILES_Y", rows)
            .u("TILES_X", columns)
            .u("TILES", self.tiles())
            .u("TILES_EACH", self.tiles_each())
            .u("SPLITS", self.splits.unwrap_or(1))
            .u("V_AT", 0)
            .u("M_AT", v)
            .u("U_AT", v + m)
            .b("FLIPPED", self.flipped)
            .b("HAS_BIAS", self.has_bias)
    }

    /// The stages with this tile for the product; the scratch memory is the binding `scratch_at`.
    pub fn shader(&self, tile: Tile, scratch_at: usize) -> Shader {
        let binding = format!("@group(0) @binding({scratch_at}) var<storage, read_write> scratch: array<vec4<f32>>;\n");
        let head = self.consts().prelude() + &binding;
        let stage = |items: usize, file: &str, line: &str, [from, to]: [usize; 2]| Stage {
            source: format!("{head}{}{LINES}{file}{}", items_head(items), transform(line, from, to)),
            workgroups: items.div_ceil(WORKGROUP) as u64,
        };
        let (operands, product) = self.product();
        let multiply = |file: &str| Stage {
            source: format!("{head}{file}{}", gemm::main_loop(tile, operands, product, scratch_at)),
            workgroups: tile.workgroups(operands, product) as u64,
        };
        let [rows, columns] = [self.tiles() * self.channels, self.tiles() * self.columns];
        let kernels = self.channels * LANES * self.columns;
        let input = stage(rows, include_str!("../../../shaders/winograd/input.wgsl"), "input", [6, 6]);
        let stages = match self.splits {
            None => vec![
                input,
                stage(kernels, include_str!("../../../shaders/winograd/weight.wgsl"), "weight", [3, 6]),
                multiply(include_str!("../../../shaders/winograd/product.wgsl")),
                stage(columns, include_str!("../../../shaders/winograd/output.wgsl"), "output", [6, 4]),
            ],
            Some(splits) => vec![
                input,
                stage(columns, include_str!("../../../shaders/winograd/output_grad.wgsl"), "output_grad", [4, 6]),
                multiply(include_str!("../../../shaders/winograd/weight_grad_product.wgsl")),
                stage(
                    splits * kernels,
                    include_str!("../../../shaders/winograd/weight_grad.wgsl"),
                    "weight_grad",
                    [6, 3],
                ),
            ],
        };
        Shader { stages, scratch: self.scratch() }
    }
}

/// The entry point that applies the map `LINE_line` along the columns and then along the rows of what `load` gives.
fn transform(line: &str, from: usize, to: usize) -> String {
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
    for_items(&format!("        let p = place(i);\n{}{}", columns.collect::<String>(), rows.collect::<String>()))
}
