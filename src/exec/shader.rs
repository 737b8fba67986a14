//! From a kernel call to WGSL text, bindings and a number of workgroups: constants, shared snippets, the shader's own file,
//! and for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.
//!
//! | file | what |
//! |---|---|
//! | `stage` | the result as data, and a stage while it is put together |
//! | `sizes` | sizes at run time instead of constants |
//! | `matrix` | the stages of a matrix kernel |
//! | `gemm` | the entry point of its product, over a [`Tiling`] |
//! | `tile`, `tiling` | sizes of tiles, and the main loops as one trait with a file each |
//! | `named_tiles` | tiles by name, for readers of the text |
//! | `statistics` | what a convolution writes of its result for a BatchNorm |
//! | `winograd_stages` | Winograd's F(4×4, 3×3) |

mod gemm;
mod matrix;
mod named_tiles;
mod sizes;
mod stage;
mod staged;
mod statistics;
mod tile;
mod tiling;
mod winograd_stages;

use crate::exec::registry::{self, KernelError};
use crate::kernel::{Consts, KernelCall, WORKGROUP, Work};
use crate::plan::Slice;
use matrix::MatrixCall;
use stage::Draft;

pub use crate::exec::registry::Operands;
pub use matrix::{TEXTURE_W, candidates, merged_partials, shared_taps, typical};
pub use named_tiles::{TILE_NAMES, TileError, all_tiles, tile_by_name};
pub use stage::{BindingKind, Shader, Stage, StageBinding};
pub use tile::{Product, Tile, TileLimits};
pub use tiling::{Lines, Matrix, SUBGROUP, Tiling};

/// The device that kernels are generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The main loop of the matrix kernels.
    pub tiling: Tiling,
    /// Invocations of a subgroup, where all subgroups are of one size and reductions may use them.
    pub subgroup: Option<usize>,
    /// Rows of the largest texture, where operands are to be read from textures of [`TEXTURE_W`] vectors a row. Only tilings
    /// that read operands straight to registers do so.
    pub texture_rows: Option<usize>,
    /// Bytes of immediates, where kernels take sizes at run time.
    pub immediates: Option<usize>,
    /// The limits of a device with one kind of matrix units: the fixed choice of tile for calls in 16 bits.
    pub units: Option<TileLimits>,
}

impl Target {
    /// A GPU that has no more than WebGPU guarantees.
    pub const WEBGPU: Target =
        Target { tiling: Tiling::Workgroup, subgroup: None, texture_rows: None, immediates: None, units: None };
}

/// Makes the text of a call with a tile.
pub type Shaders = fn(&KernelCall<Slice>, Target, Option<Tile>) -> Result<Shader, KernelError>;

/// The head of all kernels that run one invocation per item.
const ITEMS: &str = include_str!("../../shaders/shared/items.wgsl");
/// The head of all kernels whose workgroups reduce together, with subgroups and without.
const SUBGROUPS: &str = include_str!("../../shaders/shared/subgroups.wgsl");
const ALONE: &str = include_str!("../../shaders/shared/workgroup.wgsl");
const SPANS: &str = include_str!("../../shaders/shared/spans.wgsl");

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

impl Draft {
    /// One invocation for each item: constants, the head, and `text`.
    fn of_items(mut self, items: usize, text: &str) -> Draft {
        let constants = Consts::new().size("ITEMS", items).u("WORKGROUP", WORKGROUP);
        self.constants = self.constants.and(constants);
        self.text = format!("{ITEMS}{text}");
        Draft { workgroups: items.div_ceil(WORKGROUP), ..self }
    }

    /// One workgroup that reduces together for each of `groups`: constants, the head, and `text`.
    fn of_groups(mut self, groups: usize, target: Target, text: &str) -> Draft {
        let constants = Consts::new().size("ITEMS", groups).u("WORKGROUP", WORKGROUP);
        // Only whole subgroups lie in a workgroup.
        let subgroup = target.subgroup.filter(|&size| size.is_power_of_two() && size <= WORKGROUP);
        let (constants, head) = match subgroup {
            Some(size) => (constants.u("SUBGROUP", size), SUBGROUPS),
            None => (constants, ALONE),
        };
        self.constants = self.constants.and(constants);
        self.text = format!("{head}{SPANS}{text}");
        Draft { workgroups: groups, ..self }
    }
}

/// The entry point that runs `body` for each item `i`, for kernels whose text is generated.
fn for_items(body: &str) -> String {
    format!(
        "
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {{
    let i = item(wid, count, lid);
    if (i < ITEMS) {{
{body}    }}
}}
"
    )
}
