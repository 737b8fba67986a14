//! Convolutions of 3×3 kernels by [`Winograd's F(4×4, 3×3)`](crate::exec::winograd) in stages that meet in scratch
//! memory: values of the input and of the kernel at 36 pairs of points, a matrix product for each, and the way back.
//! Only the tuner picks it: the stages move 4.5 times the bytes of both maps, which many channels win back and few do not.

use super::tile::{Operands, Product, Tile};
use super::{Shader, Stage, for_items, gemm, items_head};
use crate::exec::winograd::{A, B, POINTS, Plane};
use crate::kernel::{Consts, KernelCall, WORKGROUP};
use crate::shape::{Element, LANES};

/// Pairs of points.
const PAIRS: usize = POINTS * POINTS;

const LINES: &str = include_str!("../../../shaders/winograd/lines.wgsl");
const TILES: &str = include_str!("../../../shaders/winograd/tiles.wgsl");

/// A convolution that can go this way.
pub(super) struct Winograd {
    plane: Plane,
    /// Parts of a weight gradient's sum.
    splits: Option<usize>,
    /// Flags of the epilogue.
    epilogue: Consts,
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
            epilogue: if wgrad { Consts::new() } else { call.consts.only(&["HAS_BIAS", "HAS_ADDEND", "RELU"]) },
        })
    }

    /// Vectors of channels that are read, and that are computed.
    fn vectors(&self) -> [usize; 2] {
        [self.plane.channels, self.plane.columns].map(|c| c / LANES)
    }

    /// Tiles of a part of a weight gradient's sum.
    fn tiles_each(&self) -> usize {
        self.plane.tiles().div_ceil(self.splits.unwrap_or(1))
    }

    /// The product of the points.
    pub fn product(&self) -> (Operands, Product) {
        let Plane { channels, columns: n, .. } = self.plane;
        match self.splits {
            None => (Operands::SumInVectors, Product { m: self.plane.tiles(), n, k: channels, batch: PAIRS }),
            Some(splits) => {
                (Operands::RowsInVectors, Product { m: channels, n, k: self.tiles_each(), batch: PAIRS * splits })
            }
        }
    }

    /// Vectors of V, M and U.
    fn lengths(&self) -> [usize; 3] {
        let [channels, columns] = self.vectors();
        let tiles = PAIRS * self.plane.tiles();
        let kernels = PAIRS * self.plane.channels * columns * self.splits.unwrap_or(1);
        [tiles * channels, tiles * columns, kernels]
    }

    /// Floats of scratch memory.
    pub fn scratch(&self) -> usize {
        self.lengths().iter().sum::<usize>() * LANES
    }

    fn consts(&self) -> Consts {
        let ([v, m, _], [rows, columns]) = (self.lengths(), self.plane.grid());
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
            .u("TILES", self.plane.tiles())
            .u("TILES_EACH", self.tiles_each())
            .u("SPLITS", self.splits.unwrap_or(1))
            .u("V_AT", 0)
            .u("M_AT", v)
            .u("U_AT", v + m)
            .b("FLIPPED", self.plane.flipped)
            .and(self.epilogue.clone())
    }

    /// The stages with this tile for the product; the scratch memory is the binding `scratch_at`.
    pub fn shader(&self, tile: Tile, scratch_at: usize) -> Shader {
        let binding = format!("@group(0) @binding({scratch_at}) var<storage, read_write> scratch: array<vec4<f32>>;\n");
        let head = self.consts().prelude() + &binding;
        let stage = |items: usize, text: &str, line: &str, [from, to]: [usize; 2]| Stage {
            source: format!("{head}{}{LINES}{text}{}", items_head(items), transform(line, from, to)),
            workgroups: items.div_ceil(WORKGROUP) as u64,
        };
        let tiles = |vectors: usize, file: &str, line: &str, sizes: [usize; 2]| {
            let text = format!("const VECTORS: u32 = {vectors}u;\n{TILES}{file}");
            stage(self.plane.tiles() * vectors, &text, line, sizes)
        };
        let (operands, product) = self.product();
        let multiply = |file: &str| Stage {
            source: format!("{head}{file}{}", gemm::main_loop(tile, operands, product, scratch_at)),
            workgroups: tile.workgroups(operands, product) as u64,
        };
        let [channels, columns] = self.vectors();
        let kernels = self.plane.channels * columns * self.splits.unwrap_or(1);
        let input = tiles(channels, include_str!("../../../shaders/winograd/input.wgsl"), "input", [6, 6]);
        let stages = match self.splits {
            None => vec![
                input,
                stage(kernels, include_str!("../../../shaders/winograd/weight.wgsl"), "weight", [3, 6]),
                multiply(include_str!("../../../shaders/winograd/product.wgsl")),
                tiles(columns, include_str!("../../../shaders/winograd/output.wgsl"), "output", [6, 4]),
            ],
            Some(_) => vec![
                input,
                tiles(columns, include_str!("../../../shaders/winograd/output_grad.wgsl"), "output_grad", [4, 6]),
                multiply(include_str!("../../../shaders/winograd/weight_grad_product.wgsl")),
                stage(kernels, include_str!("../../../shaders/winograd/weight_grad.wgsl"), "weight_grad", [6, 3]),
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
