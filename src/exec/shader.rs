//! From a kernel call to WGSL text and a number of workgroups: constants, shared snippets, the shader's own file, and
//! for the matrix kernels the generated main loop. Knows no device; every variant can be translated anywhere.

mod cooperative;
mod epilogue;
mod gemm;
mod results;
mod sizes;
mod staged;
mod statistics;
mod tile;
mod units;
mod winograd;

use crate::exec::registry;
use crate::kernel::{KernelCall, WORKGROUP, Work};
use crate::shape::{Element, LANES};
use epilogue::epilogue;
use statistics::Statistics;
use winograd::Winograd;

pub use tile::{Operands, Product, SUBGROUP, Tile, TileLimits, Tiling};
pub use units::{Lines, Matrix};

/// What computes a call: one dispatch, or several of a matrix kernel that leave their results to each other in scratch
/// memory. That is one more binding behind those of the call, writable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shader {
    /// One after the other.
    pub stages: Vec<Stage>,
    /// Length of the scratch memory, in floats.
    pub scratch: usize,
}

/// A compute shader with the entry point `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// WGSL.
    pub source: String,
    /// Workgroups, counted along one axis; the engine may fold them into two (x first).
    pub workgroups: u64,
    /// Values of the immediates that the text declares.
    pub sizes: Vec<u32>,
}

impl Stage {
    /// One whose sizes are constants of its text.
    pub fn new(source: String, workgroups: usize) -> Stage {
        Stage { source, workgroups: workgroups as u64, sizes: vec![] }
    }
}

/// What kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The main loop of the matrix kernels.
    pub tiling: Tiling,
    /// Invocations of a subgroup, where all are of one size and may be used by the reductions.
    pub subgroup: Option<usize>,
    /// Rows that a texture may have, where operands are to be read from textures of [`TEXTURE_W`] vectors a row; not with
    /// tiles in workgroup memory.
    pub texture_rows: Option<usize>,
    /// Bytes of immediates, where kernels are to be told sizes when they run.
    pub immediates: Option<usize>,
    /// Matrix units of one kind, with what else a device allows, for calls in 16 bits that nobody has tuned.
    pub units: Option<TileLimits>,
}

/// The head of all kernels that run one invocation per item.
const ITEMS: &str = include_str!("../../shaders/shared/items.wgsl");
/// The head of all kernels whose workgroups reduce together, with subgroups and without.
const SUBGROUPS: &str = include_str!("../../shaders/shared/subgroups.wgsl");
const ALONE: &str = include_str!("../../shaders/shared/workgroup.wgsl");
const SPANS: &str = include_str!("../../shaders/shared/spans.wgsl");
/// Where the operands of the matrix kernels are read from.
const BUFFERS: &str = include_str!("../../shaders/operands/buffers.wgsl");
const TEXTURES: &str = include_str!("../../shaders/operands/textures.wgsl");

/// Vectors in a row of a texture that operands are read from; every device has as many.
pub const TEXTURE_W: usize = 2048;

/// The tiles that may be tried for a call, the fixed choice first; none where it is no matrix kernel.
pub fn candidates<B>(call: &KernelCall<B>, tiling: Tiling, limits: TileLimits) -> Vec<Tile> {
    let Some((operands, product)) = product(call) else { return vec![] };
    let cooperative = if takes_units(call) { limits.cooperative } else { [None; 2] };
    let limits = TileLimits { cooperative, ..limits };
    let mut tiles = Tile::candidates(tiling, operands, product, limits);
    if let Some(taps) = shared_taps(call).filter(|_| tiling == Tiling::Workgroup) {
        let map = ["OH", "OW"].map(|side| call.consts.usize(side));
        tiles.extend(Tile::of_patches(taps, map, product, limits));
    }
    if let Some(winograd) = Winograd::of(call) {
        for parts in winograd.parts(limits.scratch) {
            tiles.extend(Tile::winograd(tiling, winograd.product(parts), parts, limits));
        }
    }
    tiles
}

/// Whether both operands are in f16, as matrix units take them.
fn takes_units<B>(call: &KernelCall<B>) -> bool {
    call.elements.iter().take(2).all(|&element| element == Element::F16)
}

/// Rows and columns of a weight gradient's taps, if these can share what a workgroup loads ([`Tile::taps`]): they reach
/// neighbouring pixels, and their sums find room in registers.
pub fn shared_taps<B>(call: &KernelCall<B>) -> Option<[usize; 2]> {
    let u = |name: &str| call.consts.usize(name);
    let near = call.kernel == "conv_wgrad" && ["SH", "SW", "DH", "DW"].iter().all(|name| u(name) == 1);
    let taps = near.then(|| ["KH", "KW"].map(u))?;
    (2..=9).contains(&taps.iter().product::<usize>()).then_some(taps)
}

/// One of each kind of the tiles for a call (see [`Tile::typical`]).
pub fn typical<B>(call: &KernelCall<B>, tiles: &[Tile]) -> Vec<Tile> {
    product(call).map_or_else(Vec::new, |(operands, product)| Tile::typical(tiles, operands, product))
}

/// Makes of parts what they come to.
pub type Together = Box<dyn Fn(&[f32]) -> Vec<f32>>;

/// What the values that a call has written to a binding come to together, if each of them depends on the call's tile: parts of
/// a sum or a statistic, by Winograd's tiles over other pixels than else.
pub fn together<B>(call: &KernelCall<B>, binding: usize) -> Option<Together> {
    if call.kernel == "conv_wgrad" && binding + 1 == call.bindings.len() && call.consts.usize("SPLITS") > 1 {
        let splits = call.consts.usize("SPLITS");
        let sum = move |values: &[f32]| {
            let each = values.len() / splits;
            (0..each).map(|i| values[i..].iter().step_by(each).map(|&v| f64::from(v)).sum::<f64>() as f32).collect()
        };
        return Some(Box::new(sum));
    }
    let statistics = Statistics::of(call, "").filter(|statistics| statistics.kept_at() == binding)?;
    Some(Box::new(move |kept: &[f32]| statistics.of_all_segments(kept)))
}

/// The product of a matrix kernel, and how its operands run.
fn product<B>(call: &KernelCall<B>) -> Option<(Operands, Product)> {
    let Work::Gemm { m, n, k, batch } = call.work else { return None };
    let operands = registry::find(call.kernel).gemm.expect("a matrix kernel says how its operands run");
    Some((operands, Product { m, n, k, batch, lanes: call.consts.usize("A_LANES") }))
}

/// The text of a call; a tuner may have found a tile for it.
pub fn shader<B>(call: &KernelCall<B>, target: Target, tuned: Option<Tile>) -> Shader {
    let mut shader = with_constants(call, target, tuned);
    if let Some(limit) = target.immediates.filter(|_| sizes::at_run_time(call)) {
        shader.stages = shader.stages.into_iter().map(|stage| stage.sized_at_run_time(limit)).collect();
    }
    shader
}

fn with_constants<B>(call: &KernelCall<B>, target: Target, tuned: Option<Tile>) -> Shader {
    let kernel = registry::find(call.kernel);
    let consts = elements(call) + &call.consts.prelude();
    let text = kernel.snippets.concat() + kernel.wgsl;
    match call.work {
        Work::Items(items) => {
            let source = format!("{consts}{}{text}", items_head(items));
            Shader { stages: vec![Stage::new(source, items.div_ceil(WORKGROUP))], scratch: 0 }
        }
        Work::Groups(items) => {
            let source = format!("{consts}{}{text}", groups_head(items, target));
            Shader { stages: vec![Stage::new(source, items)], scratch: 0 }
        }
        Work::Gemm { .. } => matrix_kernel(call, target, tuned, [&consts, &text]),
    }
}

/// The stages of a matrix kernel, with what becomes of what its tiles leave.
fn matrix_kernel<B>(call: &KernelCall<B>, target: Target, tuned: Option<Tile>, [consts, text]: [&str; 2]) -> Shader {
    let (operands, product) = product(call).expect("a matrix product");
    let on_units = || Tile::on_units(operands, product, target.units.filter(|_| takes_units(call))?);
    let tile = tuned.or_else(on_units).unwrap_or_else(|| Tile::choose(target.tiling, operands, product));
    let (statistics, scratch_at) = (Statistics::of(call, consts), call.bindings.len());
    let leaves = statistics.as_ref().filter(|statistics| statistics.fits(tile, operands));
    let made = match (tile.winograd, Winograd::of(call)) {
        (1.., Some(winograd)) => winograd.shader(tile, scratch_at),
        _ => {
            let ends = match operands {
                Operands::SumInVectors => epilogue(&call.consts),
                Operands::RowsInVectors => String::new(),
            };
            let text = &(ends + &operands_from(call, target, tile) + text);
            let body = gemm::main_loop(tile, operands, product, scratch_at, leaves);
            products(tile, (operands, product), [consts, text, &body], scratch_at)
        }
    };
    match (leaves, &statistics) {
        (Some(statistics), _) => statistics.merged(made, tile, operands, scratch_at),
        (None, Some(statistics)) => statistics.passed(made, target),
        (None, None) => made,
    }
}

/// Where the operands are read from.
fn operands_from<B>(call: &KernelCall<B>, target: Target, tile: Tile) -> String {
    let u = |name: &&str| call.consts.usize(name);
    let vectors = |sides: &[&str]| sides.iter().map(u).product::<usize>();
    let x = vectors(&["N", "H", "W", "GROUPS", "GI4"]);
    let y = vectors(&["N", "OH", "OW", "GROUPS", "GO4"]);
    let kernel = vectors(&["KH", "KW", "GI4", "GROUPS", "GO4"]) * LANES;
    let fits = |rows: usize| x.max(y).max(kernel) <= TEXTURE_W * rows;
    let floats = call.elements.iter().take(2).all(|&element| element == Element::F32);
    match target.texture_rows.is_some_and(fits) && tile.tiling.in_registers() && floats {
        true => format!("const TEXTURE_W: u32 = {TEXTURE_W}u;\n{TEXTURES}"),
        false => BUFFERS.into(),
    }
}

/// The products by a main loop, and the stage that adds up split sums.
fn products(
    tile: Tile,
    (operands, product): (Operands, Product),
    [consts, text, body]: [&str; 3],
    scratch_at: usize,
) -> Shader {
    // Extensions stand at the very beginning.
    let units = matches!(tile.tiling, Tiling::Cooperative(_));
    let extension = if units { "enable wgpu_cooperative_matrix;\n" } else { "" };
    let source = format!("{extension}{consts}{text}{body}");
    let first = Stage::new(source, tile.workgroups(operands, product));
    if tile.splits == 1 {
        return Shader { stages: vec![first], scratch: 0 };
    }
    let items = product.batch * product.m * (product.n / LANES);
    let body = gemm::finish(tile, (operands, product), scratch_at);
    let source = format!("{consts}{}{text}{body}", items_head(items));
    let second = Stage::new(source, items.div_ceil(WORKGROUP));
    Shader { stages: vec![first, second], scratch: tile.splits * items * LANES }
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

/// The head of kernels whose workgroups reduce together.
fn groups_head(groups: usize, target: Target) -> String {
    // Whole ones only.
    let subgroup = target.subgroup.filter(|&size| size.is_power_of_two() && size <= WORKGROUP);
    let reach = match subgroup {
        Some(size) => format!("const SUBGROUP: u32 = {size}u;\n{SUBGROUPS}"),
        None => ALONE.into(),
    };
    format!("const ITEMS: u32 = {groups}u;\nconst WORKGROUP: u32 = {WORKGROUP}u;\n{reach}{SPANS}")
}

fn items_head(items: usize) -> String {
    format!("const ITEMS: u32 = {items}u;\nconst WORKGROUP: u32 = {WORKGROUP}u;\n{ITEMS}")
}
