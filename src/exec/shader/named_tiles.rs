//! Tiles by name, for people who read the generated text without a device.

use super::candidates::candidates;
use super::matrix::MatrixCall;
use super::target::Target;
use super::tile::{Lines, Matrix, Tile, TileLimits, Tiling};
use super::tiling::SUBGROUP;
use super::units::on_units;
use crate::exec::registry;
use crate::kernel::KernelCall;

/// The names of [`tile_by_name`], and their meaning.
pub const TILE_NAMES: [(&str, &str); 5] = [
    ("workgroup", "the fixed choice of GPUs: tiles in workgroup memory"),
    ("register", "the fixed choice of software adapters: registers only"),
    ("subgroup", "the same with subgroups of 8, and sizes at run time"),
    ("units", "the fixed choice of GPUs with 16×16 matrix units, for calls in f16"),
    ("winograd", "a tile for Winograd's F(4×4, 3×3), for 3×3 convolutions of stride 1 in f32"),
];

/// A text that does not name a tile of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The text is neither a name nor the JSON of a tile.
    #[error("`{text}` is not a tile: expected {names}, or the JSON of a tile ({problem})")]
    Unknown {
        /// The given text.
        text: String,
        /// The known names.
        names: String,
        /// Why the text is not the JSON of a tile.
        problem: String,
    },
    /// The call cannot have such a tile.
    #[error("{kernel} has no tile `{text}` with these sizes; the fixed choice is {fixed}")]
    NotOfCall {
        /// The kernel.
        kernel: &'static str,
        /// The given text.
        text: String,
        /// The JSON of the fixed choice, or that there is none.
        fixed: String,
    },
}

/// The matrix units of NVIDIA's GPUs.
const UNITS: Matrix = Matrix { size: 16, lanes: 32, lines: Lines::AsTheyCome };

/// Limits of a large GPU with these matrix units.
fn limits(units: Matrix) -> TileLimits {
    TileLimits { invocations: 1024, bytes: 48 << 10, scratch: 512 << 20, cooperative: [Some(units), None] }
}

/// All tiles that some device may give a call, those of `units` among them; the fixed choice comes first.
pub fn all_tiles<B>(call: &KernelCall<B>, units: Matrix) -> Vec<Tile> {
    let tilings = [Tiling::Workgroup, Tiling::Register, Tiling::Subgroup];
    tilings.into_iter().flat_map(|tiling| candidates(call, tiling, limits(units))).collect()
}

/// The target and the tile that a name or the JSON of a tile stands for. Only the target counts for a kernel that is
/// not a matrix kernel, because its calls have no tiles.
///
/// # Errors
/// When there is no such name, or the call cannot have the tile.
pub fn tile_by_name<B>(call: &KernelCall<B>, text: &str) -> Result<(Target, Option<Tile>), TileError> {
    let target = |tiling| Target { tiling, ..Target::WEBGPU };
    let matrix = registry::of(call).ok().and_then(|kernel| MatrixCall::new(call, kernel));
    let fixed = || match candidates(call, Tiling::Workgroup, TileLimits::WEBGPU).first() {
        Some(tile) => serde_json::json!(tile).to_string(),
        None => "none, since it is no matrix product".into(),
    };
    let none = || TileError::NotOfCall { kernel: call.kernel, text: text.into(), fixed: fixed() };
    match text {
        "workgroup" => Ok((target(Tiling::Workgroup), None)),
        "register" => Ok((target(Tiling::Register), None)),
        "subgroup" => {
            let sizes = Target { subgroup: Some(SUBGROUP), immediates: Some(128), ..target(Tiling::Subgroup) };
            Ok((sizes, None))
        }
        "units" => {
            let matrix = matrix.filter(MatrixCall::in_16_bits).ok_or_else(none)?;
            let tile = on_units(matrix.operands, matrix.product, limits(UNITS)).ok_or_else(none)?;
            Ok((target(Tiling::Workgroup), Some(tile)))
        }
        "winograd" => {
            let tiles = all_tiles(call, UNITS);
            let tile = tiles.into_iter().find(|tile| tile.winograd > 0).ok_or_else(none)?;
            Ok((target(Tiling::Workgroup), Some(tile)))
        }
        json => {
            let tile: Tile = serde_json::from_str(json).map_err(|problem| TileError::Unknown {
                text: text.into(),
                names: TILE_NAMES.map(|(name, _)| name).join(", "),
                problem: problem.to_string(),
            })?;
            let units = if let Tiling::Cooperative(matrix) = tile.tiling { matrix } else { UNITS };
            // Only tiles that a device may get: the generator relies on their sizes.
            let known = matches!(units, Matrix { size: 8 | 16, lanes: 8 | 16 | 32 | 64, .. });
            match known && all_tiles(call, units).contains(&tile) {
                true => Ok((target(tile.tiling), Some(tile))),
                false => Err(none()),
            }
        }
    }
}
