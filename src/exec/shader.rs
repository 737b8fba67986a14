//! From a kernel call to WGSL text and a number of workgroups: constants, shared snippets, the shader's own file, and
//! for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.

mod gemm;
mod tile;

use crate::exec::registry;
use crate::kernel::{KernelCall, WORKGROUP, Work};

pub use tile::{Operands, SUBGROUP, Tile, TileLimits, Tiling};

/// Text of a compute shader with the entry point `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shader {
    /// WGSL.
    pub source: String,
    /// Workgroups, counted along one axis; the engine may fold them into two (x first).
    pub workgroups: u64,
}

/// The head of all kernels that run one invocation per item.
const ITEMS: &str = include_str!("../../shaders/shared/items.wgsl");

/// The tiles that may be tried for a call, the fixed choice first; none where it is no matrix kernel.
pub fn candidates<B>(call: &KernelCall<B>, tiling: Tiling, limits: TileLimits) -> Vec<Tile> {
    match (call.work, registry::find(call.kernel).gemm) {
        (Work::Gemm { m, n, .. }, Some(operands)) => Tile::candidates(tiling, operands, [m, n], limits),
        _ => vec![],
    }
}

/// The text of a call. For the matrix kernels `tiling` chooses the main loop, and a tuner may have found a tile for it.
pub fn shader<B>(call: &KernelCall<B>, tiling: Tiling, tuned: Option<Tile>) -> Shader {
    let kernel = registry::find(call.kernel);
    let consts = call.consts.prelude();
    match call.work {
        Work::Items(items) | Work::Groups(items) => {
            let per_group = if matches!(call.work, Work::Groups(_)) { 1 } else { WORKGROUP };
            let head = format!("const ITEMS: u32 = {items}u;\nconst WORKGROUP: u32 = {WORKGROUP}u;\n");
            let snippets: String = kernel.snippets.concat();
            Shader {
                source: format!("{consts}{head}{ITEMS}{snippets}{}", kernel.wgsl),
                workgroups: items.div_ceil(per_group) as u64,
            }
        }
        Work::Gemm { m, n, batch, .. } => {
            let operands = kernel.gemm.expect("a matrix kernel says how its operands run");
            let tile = tuned.unwrap_or_else(|| Tile::choose(tiling, operands, n));
            let workgroups = m.div_ceil(tile.rows(operands)) * n.div_ceil(tile.columns()) * batch;
            let body = gemm::main_loop(tile, operands, m, n);
            Shader { source: format!("{consts}{}{body}", kernel.wgsl), workgroups: workgroups as u64 }
        }
    }
}
