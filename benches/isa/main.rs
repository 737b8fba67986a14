//! Compiles the kernels of a training step for an absent GPU, and prints registers, occupancy (resident subgroups per
//! partition of a multiprocessor) and the instructions of the main loop. There are two compilers.
//!
//! Mesa's RADV compiles for the GPU in `RADV_FORCE_FAMILY`. Mesa 22.3 (for which the family below is GFX1100, without
//! matrix units) and 25.0 have the variable, 26.2 does not:
//!
//!     RADV_FORCE_FAMILY=NAVI31 VK_DRIVER_FILES=/usr/share/vulkan/icd.d/radeon_icd.x86_64.json \
//!         cargo bench --bench isa -- --step unet:8x256x256:base=64 --kernel conv_fwd --tiles
//!
//! NVIDIA's `nvcc` and `nvdisasm` (CUDA 13) compile for the architecture of `--nvidia sm_90`. naga writes no Metal for
//! 16×16 matrix units, so only RADV compiles those kernels.

mod code;
mod cuda;
mod vulkan;

use std::collections::BTreeSet;
use std::error::Error;

use clap::Parser;
use naga::Module;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use shadegrad::exec::{Plan, PlanOptions, PlannedCall};
use shadegrad::internals::exec::shader::{Lines, Matrix, Target, Tile, TileLimits, Tiling, candidates, shader};
use shadegrad::internals::train::step_spec::StepSpec;
use shadegrad::ops::AdamOptions;
use shadegrad::precision::Precision;
use shadegrad::train::step::{Optimizer, Update};

#[derive(Parser)]
struct Args {
    /// Training step, as of `shadegrad bench`
    #[arg(long, default_value = "unet:8x256x256:base=64")]
    step: StepSpec,
    /// Kernels whose name contains this
    #[arg(long, default_value = "conv_")]
    kernel: String,
    /// Calls whose shapes contain this
    #[arg(long, default_value = "")]
    shapes: String,
    /// All tiles that the tuner may try, not only the fixed choice
    #[arg(long)]
    tiles: bool,
    /// Print the machine's code
    #[arg(long)]
    code: bool,
    /// Print the WGSL
    #[arg(long)]
    wgsl: bool,
    /// Activations in 16 bits
    #[arg(long)]
    half: bool,
    /// With --half: 16×16 matrix units and subgroups of this many lanes
    #[arg(long)]
    lanes: Option<usize>,
    /// Use NVIDIA's compiler for this architecture instead of the first Vulkan device
    #[arg(long, conflicts_with = "lanes")]
    nvidia: Option<String>,
    /// `cargo bench` adds this flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// A compiled kernel.
struct Made {
    /// Registers of an invocation.
    registers: u64,
    /// Registers (RADV) or bytes (nvcc) spilled to memory.
    spilled: u64,
    /// Resident subgroups per partition of a multiprocessor.
    subgroups: u64,
    /// Bytes of workgroup memory.
    shared: u64,
    /// Disassembly: one line per label or, after a tab, per instruction.
    code: String,
}

/// WGSL parsed and validated by naga.
fn module(source: &str) -> Result<(Module, ModuleInfo), Box<dyn Error>> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

enum Compiler {
    Vulkan(Box<vulkan::Compiler>),
    Cuda(cuda::Compiler),
}

impl Compiler {
    fn name(&self) -> String {
        match self {
            Compiler::Vulkan(compiler) => compiler.name(),
            Compiler::Cuda(compiler) => compiler.name(),
        }
    }

    fn compile(&self, source: &str) -> Result<Made, Box<dyn Error>> {
        match self {
            Compiler::Vulkan(compiler) => compiler.compile(source),
            Compiler::Cuda(compiler) => compiler.compile(source),
        }
    }
}

const HEAD: &str =
    "kernel       shapes                             tile                        regs spill waves shared |  main loop";

/// A tile in short: invocations, vectors of each, depth, buffers, splits, Winograd, matrix units, taps that share a patch.
fn short(t: &Tile) -> String {
    let [x, y] = t.threads;
    let winograd = if t.winograd > 0 { format!(" W{}", t.winograd) } else { String::new() };
    let units = if matches!(t.tiling, Tiling::Cooperative(_)) { " M" } else { "" };
    let taps = if t.taps == [1, 1] { String::new() } else { format!(" T{}x{}", t.taps[0], t.taps[1]) };
    format!(
        "{x}x{y} {}x{} d{} b{} s{}{winograd}{units}{taps}",
        t.columns_each, t.rows_each, t.depth, t.buffers, t.splits
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let compiler = match &args.nvidia {
        Some(architecture) => Compiler::Cuda(cuda::Compiler::new(architecture)?),
        None => Compiler::Vulkan(Box::new(vulkan::Compiler::new()?)),
    };
    println!("{}", compiler.name());
    println!(
        "main loop: products, other vector, workgroup memory, global memory, scalar | the same of the loop around it; \
         without what a branch leaps over, once a tap"
    );
    println!("{HEAD}");
    let precision = if args.half { Precision::F16 } else { Precision::F32 };
    let update = Update { precision, ..Update::plain(Optimizer::Adam(AdamOptions::default()), None) };
    let plan = Plan::new(&args.step.graph(&update)?, PlanOptions::default());
    let units = args.lanes.map(|lanes| Matrix { size: 16, lanes, lines: Lines::Turned });
    let limits = TileLimits { invocations: 1024, bytes: 64 << 10, scratch: 512 << 20, cooperative: [units, None] };
    let target = Target {
        tiling: Tiling::Workgroup,
        subgroup: args.lanes.or(args.nvidia.as_ref().map(|_| cuda::SUBGROUP)),
        texture_rows: None,
        immediates: None,
        units: None,
    };
    let mut seen = BTreeSet::new();
    for planned in &plan.calls {
        if !planned.call.kernel.contains(&args.kernel) || !planned.shapes.contains(&args.shapes) {
            continue;
        }
        let tiles: Vec<Option<Tile>> = match candidates(&planned.call, Tiling::Workgroup, limits) {
            tiles if args.tiles && !tiles.is_empty() => tiles.into_iter().map(Some).collect(),
            _ => vec![None],
        };
        for tile in tiles {
            for (i, stage) in shader(&planned.call, target, tile)?.stages.iter().enumerate() {
                if seen.insert(stage.source.clone()) {
                    let tile = tile.map_or("fixed".into(), |tile| format!("{} #{i}", short(&tile)));
                    show(&compiler, &args, planned, &tile, &stage.source);
                }
            }
        }
    }
    Ok(())
}

/// Prints the line of a kernel, and its WGSL and disassembly on request.
fn show(compiler: &Compiler, args: &Args, planned: &PlannedCall, tile: &str, source: &str) {
    if args.wgsl {
        println!("{source}");
    }
    let made = match compiler.compile(source) {
        Ok(made) => made,
        Err(why) => {
            println!("{:<12} {:<34} {tile:<26} {why}", planned.call.kernel, planned.shapes);
            return;
        }
    };
    println!(
        "{:<12} {:<34} {tile:<26} {:>5} {:>5} {:>5} {:>6} |{}",
        planned.call.kernel,
        planned.shapes,
        made.registers,
        made.spilled,
        made.subgroups,
        made.shared,
        code::MainLoop::of(&made.code),
    );
    if args.code {
        println!("{}", made.code);
    }
}
