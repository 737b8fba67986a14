//! From a kernel call to WGSL text and a number of workgroups: constants, shared snippets, the shader's own file, and
//! for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.

mod cooperative;
mod gemm;
mod tile;

use crate::exec::registry;
use crate::kernel::{KernelCall, WORKGROUP, Work};
use crate::shape::{Element, LANES};

pub use tile::{Matrix, Operands, Product, SUBGROUP, Tile, TileLimits, Tiling};

/// Text of a compute shader with the entry point `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shader {
    /// WGSL.
    pub source: String,
    /// Workgroups, counted along one axis; the engine may fold them into two (x first).
    pub workgroups: u64,
    /// What adds up the parts of sums that several workgroups share.
    pub finish: Option<Finish>,
}

impl Shader {
    /// Floats that the parts of split sums take.
    pub fn parts(&self) -> usize {
        self.finish.as_ref().map_or(0, |finish| finish.parts)
    }
}

/// The second dispatch of a matrix kernel whose sums are split. Both have one more binding behind those of the call,
/// writable: the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// WGSL.
    pub source: String,
    /// Workgroups.
    pub workgroups: u64,
    /// Length of the parts, in floats.
    pub parts: usize,
}

/// The head of all kernels that run one invocation per item.
const ITEMS: &str = include_str!("../../shaders/shared/items.wgsl");

/// The tiles that may be tried for a call, the fixed choice first; none where it is no matrix kernel.
pub fn candidates<B>(call: &KernelCall<B>, tiling: Tiling, limits: TileLimits) -> Vec<Tile> {
    match (call.work, registry::find(call.kernel).gemm) {
        (Work::Gemm { m, n, k, batch }, Some(operands)) => {
            // Matrix units take f16, so there they lose nothing. Weights are rounded as PyTorch's autocast does.
            let activations = if operands == Operands::RowsInVectors { 2 } else { 1 };
            let half = call.elements.iter().take(activations).all(|&e| e == Element::F16);
            let cooperative = if half { limits.cooperative } else { [None; 2] };
            let limits = TileLimits { cooperative, ..limits };
            Tile::candidates(tiling, operands, Product { m, n, k, batch }, limits)
        }
        _ => vec![],
    }
}

/// The text of a call. For the matrix kernels `tiling` chooses the main loop, and a tuner may have found a tile for it.
pub fn shader<B>(call: &KernelCall<B>, tiling: Tiling, tuned: Option<Tile>) -> Shader {
    let kernel = registry::find(call.kernel);
    let consts = elements(call) + &call.consts.prelude();
    match call.work {
        Work::Items(items) | Work::Groups(items) => {
            let per_group = if matches!(call.work, Work::Groups(_)) { 1 } else { WORKGROUP };
            let (head, snippets) = (items_head(items), kernel.snippets.concat());
            Shader {
                source: format!("{consts}{head}{snippets}{}", kernel.wgsl),
                workgroups: items.div_ceil(per_group) as u64,
                finish: None,
            }
        }
        Work::Gemm { m, n, k, batch } => {
            let operands = kernel.gemm.expect("a matrix kernel says how its operands run");
            let product = Product { m, n, k, batch };
            let tile = tuned.unwrap_or_else(|| Tile::choose(tiling, operands, product));
            let parts_at = call.bindings.len();
            let body = gemm::main_loop(tile, operands, product, parts_at);
            let finish = (tile.splits > 1).then(|| {
                let items = batch * m * (n / LANES);
                let body = gemm::finish(tile, product, parts_at);
                Finish {
                    source: format!("{consts}{}{}{body}", items_head(items), kernel.wgsl),
                    workgroups: items.div_ceil(WORKGROUP) as u64,
                    parts: tile.splits * items * LANES,
                }
            });
            let workgroups = tile.workgroups(operands, product) as u64;
            // Extensions stand at the very beginning.
            let units = matches!(tile.tiling, Tiling::Cooperative(_));
            let extension = if units { "enable wgpu_cooperative_matrix;\n" } else { "" };
            Shader { source: format!("{extension}{consts}{}{body}", kernel.wgsl), workgroups, finish }
        }
    }
}

/// The types of the bindings' numbers.
fn elements<B>(call: &KernelCall<B>) -> String {
    let half = call.elements.contains(&Element::F16);
    let mut text = String::from(if half { "enable f16;\n" } else { "" });
    for (i, element) in call.elements.iter().enumerate() {
        let ty = if *element == Element::F16 { "f16" } else { "f32" };
        text += &format!("alias T{i} = {ty};\n");
    }
    text
}

fn items_head(items: usize) -> String {
    format!("const ITEMS: u32 = {items}u;\nconst WORKGROUP: u32 = {WORKGROUP}u;\n{ITEMS}")
}
