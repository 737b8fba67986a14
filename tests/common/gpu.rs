//! GPU engines as [`Runner`]s: one device for all cases of a test binary.

use std::sync::{Mutex, OnceLock, PoisonError};

use shadegrad::exec::gpu::{Choice, EngineOptions, GpuEngine, choose, list};
use shadegrad::exec::registry::KernelError;
use shadegrad::exec::{Engine, ExecError, Slice};
use shadegrad::internals::exec::shader::{Shader, Target, Tile, shader};
use shadegrad::kernel::KernelCall;

use super::compare::Accuracy;
use super::{Case, Runner, Values, run_on};

/// A new engine on the adapter named by `SHADEGRAD_TEST_DEVICE`, else on Mesa's software adapter. Shaders are compiled
/// with or without checks of array bounds and loops, and never come from the disk cache. Checked shaders have all sizes
/// in their texts, as on real GPUs. Unchecked shaders use subgroups if the adapter has them.
pub fn open(checked: bool) -> GpuEngine {
    let tune = Some(std::time::Duration::ZERO);
    let shaders = if checked { of_constants } else { shader };
    open_with(EngineOptions {
        checked,
        shaders,
        subgroups: !checked,
        cache_dir: None,
        tune,
        ..EngineOptions::default()
    })
}

/// Shaders with all sizes as constants.
fn of_constants(call: &KernelCall<Slice>, target: Target, tile: Option<Tile>) -> Result<Shader, KernelError> {
    shader(call, Target { immediates: None, ..target }, tile)
}

/// A new engine with the given options.
pub fn open_with(options: EngineOptions) -> GpuEngine {
    let asked = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
    match choose(&asked, &list()) {
        Ok(Choice::Adapter(index)) => GpuEngine::new(index, options).unwrap_or_else(|e| panic!("{e}")),
        Ok(Choice::Cpu) => panic!("SHADEGRAD_TEST_DEVICE={asked} is no GPU"),
        Err(error) => panic!(
            "{error}\nThis test needs a GPU or a software one: on Debian `apt install mesa-vulkan-drivers`, or set \
             SHADEGRAD_TEST_DEVICE to the name of an adapter that is there"
        ),
    }
}

/// Whether the adapter has 16 bits. Mesa's has them. For an adapter without them, named by `SHADEGRAD_TEST_DEVICE`, a
/// message names the skipped checks.
pub fn has_half(what: &str) -> bool {
    let engine = open(false);
    if !engine.has_half() {
        assert!(std::env::var_os("SHADEGRAD_TEST_DEVICE").is_some(), "Mesa's software adapter has no f16: is it old?");
        println!("{} has no f16, so this is not tested: {what}", engine.name());
    }
    engine.has_half()
}

/// An engine that all tests of a binary share. One test at a time runs on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnGpu {
    /// With checked shaders.
    Checked,
    /// With unchecked shaders.
    Unchecked,
    /// Another one with unchecked shaders, whose kernels are compiled beside those of the first.
    Beside,
}

impl OnGpu {
    fn with<T>(self, run: impl FnOnce(&mut GpuEngine) -> T) -> T {
        static ENGINES: [OnceLock<Mutex<GpuEngine>>; 3] = [const { OnceLock::new() }; 3];
        let engine = ENGINES[self as usize].get_or_init(|| Mutex::new(open(self == Self::Checked)));
        run(&mut engine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Runner for OnGpu {
    fn name(&self) -> String {
        let shaders = if *self == Self::Checked { "checked" } else { "unchecked, with subgroups" };
        self.with(|engine| format!("{}, {shaders}", engine.name()))
    }
    fn accuracy(&self) -> Accuracy {
        Accuracy::Wgsl
    }
    fn run_steps(&self, case: &Case) -> Result<Vec<Values>, ExecError> {
        self.with(|engine| run_on(engine, case))
    }
}
