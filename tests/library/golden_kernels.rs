//! Golden copies of generated kernels in `tests/kernels/`, so that a diff shows what a change of the generator does. After an
//! intended change write them again:
//!
//! `SHADEGRAD_UPDATE_KERNELS=1 cargo test --test library golden_kernels`

use std::fs;
use std::path::Path;

use shadegrad::exec::shader::{Shader, Target, Tile, Tiling, shader, tile_by_name};
use shadegrad::kernel::KernelCall;
use shadegrad::plan::Slice;
use shadegrad::shape::Window;

use crate::common::case::{Case, Place};
use crate::common::tiles::{amidst, around_batch_norm};

const UPDATE: &str = "SHADEGRAD_UPDATE_KERNELS";

/// The first call of a kernel in a case.
fn call(case: &Case, kernel: &str) -> KernelCall<Slice> {
    let calls = case.plan().calls.into_iter().map(|planned| planned.call);
    calls.into_iter().find(|call| call.kernel == kernel).unwrap_or_else(|| panic!("{}: no {kernel}", case.name))
}

/// A call with a tile by name.
fn named(call: &KernelCall<Slice>, tile: &str) -> Shader {
    let (target, tile) = tile_by_name(call, tile).unwrap_or_else(|e| panic!("{e}"));
    shader(call, target, tile).expect("a kernel of the list")
}

/// A call with the tile that `change` makes of the fixed choice of tiles in workgroup memory.
fn changed(call: &KernelCall<Slice>, change: impl Fn(Tile) -> Tile) -> Shader {
    let limits = shadegrad::exec::shader::TileLimits::WEBGPU;
    let fixed = shadegrad::exec::shader::candidates(call, Tiling::Workgroup, limits)[0];
    shader(call, Target::WEBGPU, Some(change(fixed))).expect("a kernel of the list")
}

/// Names of the copies, with the stage that each holds.
fn kernels() -> Vec<(&'static str, Shader, usize)> {
    let plain = amidst("golden", [2, 14, 14, 64], [64, 64], Window::square(3).padding(1));
    let stride = amidst("golden of stride 2", [2, 14, 14, 32], [32, 64], Window::square(3).stride(2).padding(1));
    let normalized = around_batch_norm([4, 32, 32, 64], 64).case(Place::Midst).fused();
    let half = amidst("golden", [2, 56, 56, 64], [64, 64], Window::square(3).padding(1)).halved();
    let [fwd, wgrad] = ["conv_fwd", "conv_wgrad"].map(|kernel| call(&plain, kernel));
    let split = |tile| Tile { splits: 4, ..tile };
    vec![
        ("conv_fwd_workgroup", changed(&fwd, |tile| Tile { splits: 1, buffers: 2, ..tile }), 0),
        ("conv_fwd_registers", named(&call(&stride, "conv_fwd"), "register"), 0),
        ("conv_dgrad_subgroups_sizes_at_run_time", named(&call(&stride, "conv_dgrad"), "subgroup"), 0),
        ("conv_wgrad_workgroup", named(&wgrad, "workgroup"), 0),
        ("conv_fwd_sum_of_splits", changed(&fwd, split), 1),
        ("conv_fwd_winograd_product", named(&call(&normalized, "conv_fwd"), "winograd"), 2),
        ("conv_fwd_matrix_units", named(&call(&half, "conv_fwd"), "units"), 0),
        ("conv_fwd_statistics", named(&call(&normalized, "conv_fwd"), "workgroup"), 0),
        ("conv_fwd_statistics_merged", named(&call(&normalized, "conv_fwd"), "workgroup"), 1),
        ("norm_finalize", named(&call(&normalized, "norm_finalize"), "workgroup"), 0),
    ]
}

#[test]
fn generated_kernels_are_those_of_the_golden_copies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
    let kernels = kernels();
    let mut wrong = vec![];
    for (name, made, stage) in &kernels {
        let (path, source) = (folder.join(name).with_extension("wgsl"), &made.stages[*stage].source);
        if std::env::var_os(UPDATE).is_some() {
            fs::create_dir_all(&folder).expect("the folder of the copies");
            fs::write(&path, source).expect("a copy is written");
        }
        let copy = fs::read_to_string(&path).unwrap_or_default();
        if copy != *source {
            let at = copy.lines().zip(source.lines()).position(|(a, b)| a != b);
            let lines = |text: &str| at.and_then(|at| text.lines().nth(at)).unwrap_or_default().to_owned();
            wrong.push(format!("{name}.wgsl, line {:?}: `{}` became `{}`", at, lines(&copy), lines(source)));
        }
    }
    let mut known: Vec<String> = kernels.iter().map(|(name, ..)| format!("{name}.wgsl")).collect();
    known.sort();
    let files = fs::read_dir(&folder).expect("the copies").map(|file| file.expect("a file").file_name());
    let mut files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    files.sort();
    assert_eq!(files, known, "files of tests/kernels");
    assert!(wrong.is_empty(), "if these changes are meant, run with {UPDATE}=1:\n{}", wrong.join("\n"));
}

/// A text may be given for a tile only where a device may get it.
#[test]
fn only_tiles_of_a_call_have_names() {
    let plain = amidst("golden", [2, 14, 14, 64], [64, 64], Window::square(3).padding(1));
    let fwd = call(&plain, "conv_fwd");
    let json = serde_json::json!(changed_tile(&fwd)).to_string();
    assert!(tile_by_name(&fwd, &json).is_ok(), "{json}");
    let refused = [
        ("workgroups", "`workgroups` is no tile: give workgroup, register"),
        ("{\"tiling\": \"Register\"}", "missing field"),
        ("units", "conv_fwd has no tile `units`"),
        (&*json.replace("\"depth\":4", "\"depth\":0"), "has no tile"),
    ];
    for (name, told) in refused {
        let error = tile_by_name(&fwd, name).expect_err(name).to_string();
        assert!(error.contains(told), "{error}");
    }
}

fn changed_tile(call: &KernelCall<Slice>) -> Tile {
    shadegrad::exec::shader::candidates(call, Tiling::Workgroup, shadegrad::exec::shader::TileLimits::WEBGPU)[0]
}
