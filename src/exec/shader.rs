//! From a kernel call to WGSL text, bindings and a number of workgroups: constants, shared snippets, the shader's own file,
//! and for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.
//!
//! | file | what |
//! |---|---|
//! | `stage`, `target` | the result as data, and what is known of the device |
//! | `draft`, `sizes` | a stage while it is put together; sizes at run time instead of constants |
//! | `matrix`, `matrix_stages` | a call of a matrix kernel, and its stages |
//! | `gemm`, `sums`, `main_loop` | the entry point of its product, the text that main loops share, and their trait |
//! | `tile`, `tiling` | sizes of tiles; the main loops, one file each |
//! | `candidates`, `units` | the tiles that the tuner tries |
//! | `named_tiles` | tiles by name, for readers of the text |
//! | `statistics`, `statistics_stages` | what a convolution writes of its result for a BatchNorm |
//! | `partials` | partial results that depend on the tile, merged |
//! | `winograd_stages` | Winograd's F(4×4, 3×3) |

mod candidates;
mod draft;
mod gemm;
mod main_loop;
mod matrix;
mod matrix_stages;
mod named_tiles;
mod partials;
mod sizes;
mod stage;
mod staged;
mod statistics;
mod statistics_stages;
mod sums;
mod target;
mod tile;
mod tiling;
mod units;
mod winograd_stages;

use crate::exec::registry::{self, KernelError};
use crate::kernel::{KernelCall, Work};
use draft::Draft;
use matrix::MatrixCall;

pub use crate::exec::registry::Operands;
pub use candidates::{candidates, shared_taps, typical};
pub use matrix::TEXTURE_W;
pub use named_tiles::{TILE_NAMES, TileError, all_tiles, tile_by_name};
pub use partials::merged_partials;
pub use stage::{BindingKind, Shader, Stage, StageBinding};
pub use target::Target;
pub use tile::{Lines, Matrix, Product, Tile, TileLimits, Tiling};
pub use tiling::SUBGROUP;

/// The shader of a call. `tuned` is the tile of a matrix kernel; without it the fixed choice is taken.
///
/// # Errors
/// When the kernel is not registered, or the call lacks the geometry that the kernel reads.
pub fn shader<B>(call: &KernelCall<B>, target: Target, tuned: Option<Tile>) -> Result<Shader, KernelError> {
    let kernel = registry::of(call)?;
    let (drafts, scratch) = match MatrixCall::new(call, kernel) {
        Some(call) => call.stages(target, tuned),
        None => {
            let text = kernel.snippets.concat() + kernel.wgsl;
            let bindings = Stage::new(String::new(), 0, &call.bindings).bindings;
            let (constants, elements) = (call.consts().clone(), call.elements.clone());
            let draft = Draft { constants, elements, bindings, ..Draft::default() };
            let draft = match call.work {
                Work::Groups(groups) => draft.of_groups(groups, target, &text),
                Work::Items(items) | Work::Gemm { m: items, .. } => draft.of_items(items, &text),
            };
            (vec![draft], 0)
        }
    };
    let immediates = target.immediates.filter(|_| kernel.sizes_at_run_time);
    Ok(Shader { stages: drafts.into_iter().map(|draft| draft.finished(immediates)).collect(), scratch })
}
