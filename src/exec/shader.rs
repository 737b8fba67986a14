//! From a kernel call to WGSL text and a number of workgroups: constants, shared snippets, the shader's own file, and
//! for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.

mod gemm;

use crate::exec::registry;
use crate::kernel::{KernelCall, WORKGROUP, Work};

pub use gemm::{Operands, SUBGROUP, Tile, Tiling};

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

/// The text of a call. `tiling` chooses the main loop of the matrix kernels.
pub fn shader<B>(call: &KernelCall<B>, tiling: Tiling) -> Shader {
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
            let tile = Tile::choose(tiling, operands, n);
            let workgroups = m.div_ceil(tile.rows(operands)) * n.div_ceil(tile.columns()) * batch;
            let body = gemm::main_loop(tile, operands, m, n);
            Shader { source: format!("{consts}{}{body}", kernel.wgsl), workgroups: workgroups as u64 }
        }
    }
}
