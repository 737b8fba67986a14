//! Options of the GPU engine.

use std::path::PathBuf;
use std::time::Duration;

use super::cache::default_cache_dir;
use crate::exec::registry::KernelError;
use crate::exec::shader::{Shader, Target, Tile, Tiling, shader};
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// Makes the text of a call with a tile.
pub type Shaders = fn(&KernelCall<Slice>, Target, Option<Tile>) -> Result<Shader, KernelError>;

/// How kernels are compiled.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Check array bounds, bound loops and zero workgroup memory. A correct shader does not need it; a wrong one does less
    /// harm with it. On by default in debug builds.
    pub checked: bool,
    /// Where compiled kernels are kept, if anywhere.
    pub cache_dir: Option<PathBuf>,
    /// Generates the shader of a call; tests replace it by a wrong one.
    #[doc(hidden)]
    pub shaders: Shaders,
    /// The main loop of the matrix kernels; `None`: the one for the kind of adapter.
    pub tiling: Option<Tiling>,
    /// Whether reductions may use subgroups. They do where all subgroups of the device are of one size.
    pub subgroups: bool,
    /// Longest time for tuning the matrix kernels of a plan; zero: no tuning. `None`: the seconds that
    /// `SHADEGRAD_TUNE_SECONDS` gives, else 10 on a real GPU and 0 on others.
    pub tune: Option<Duration>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            checked: cfg!(debug_assertions),
            cache_dir: default_cache_dir(),
            shaders: shader,
            tiling: None,
            subgroups: true,
            tune: None,
        }
    }
}
