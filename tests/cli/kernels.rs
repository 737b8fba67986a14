//! `plan --wgsl` against golden copies of generated kernels in `tests/kernels/`. A diff of the copies shows the effect
//! of a change of the generator. After an intended change, write them again:
//!
//! `SHADEGRAD_UPDATE_KERNELS=1 cargo test --test cli kernels`

use std::fs;
use std::path::Path;

use crate::support::Place;

const UPDATE: &str = "SHADEGRAD_UPDATE_KERNELS";

/// The copies, and the command lines that print them.
const COPIES: [(&str, &str); 9] = [
    ("conv_fwd_workgroup", "resnet18 --eval --wgsl conv_fwd:4"),
    ("conv_fwd_registers", "resnet18 --batch-size 4 --image-size 64 --eval --wgsl conv_fwd --tile register"),
    ("conv_dgrad_subgroups", "resnet18 --batch-size 4 --image-size 64 --wgsl conv_dgrad:94 --tile subgroup"),
    ("conv_wgrad_workgroup", "resnet18 --batch-size 4 --image-size 64 --wgsl conv_wgrad:98"),
    ("conv_fwd_split_sums", "resnet18 --batch-size 4 --image-size 64 --eval --wgsl conv_fwd:49"),
    ("conv_fwd_winograd", "unet --batch-size 2 --image-size 64 --eval --wgsl conv_fwd --tile winograd"),
    ("conv_fwd_matrix_units", "unet --batch-size 2 --image-size 64 --precision f16 --wgsl conv_fwd:5 --tile units"),
    ("conv_fwd_statistics", "resnet18 --wgsl conv_fwd"),
    ("norm_finalize", "resnet18 --wgsl norm_finalize"),
];

#[test]
fn generated_kernels_are_those_of_the_golden_copies() {
    let (place, folder) = (Place::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels"));
    let mut wrong = vec![];
    for (name, line) in COPIES {
        let printed = place.run(&format!("plan {line}")).fine().stdout;
        let path = folder.join(name).with_extension("wgsl");
        if std::env::var_os(UPDATE).is_some() {
            fs::create_dir_all(&folder).expect("the folder of the copies");
            fs::write(&path, &printed).expect("a copy is written");
        }
        let copy = fs::read_to_string(&path).unwrap_or_default();
        if copy != printed {
            let same = copy.lines().zip(printed.lines()).take_while(|(a, b)| a == b).count();
            let [was, is] = [&copy, &printed].map(|text| text.lines().nth(same).unwrap_or("(its end)"));
            wrong.push(format!("{name}.wgsl, line {}: `{was}` became `{is}`", same + 1));
        }
    }
    assert!(wrong.is_empty(), "if these changes are meant, run with {UPDATE}=1:\n{}", wrong.join("\n"));
    let mut files: Vec<String> = fs::read_dir(&folder)
        .expect("the copies")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut known = COPIES.map(|(name, _)| format!("{name}.wgsl"));
    known.sort();
    assert_eq!(files, known, "files of tests/kernels");
}

#[test]
fn a_kernel_call_or_tile_that_is_not_there_is_refused() {
    let place = Place::new();
    let plan = |flags: &str| place.run(&format!("plan resnet18 --batch-size 4 --image-size 64 --eval {flags}"));
    plan("--wgsl conv").refused(&["--wgsl: the plan has no kernel `conv`; it has avg_pool, conv_fwd"]);
    plan("--wgsl conv_fwd:3").refused(&["`3` is no call of conv_fwd; its calls have the numbers 0, 4, 7"]);
    plan("--wgsl conv_fwd --tile large").refused(&["`large` is not a tile: expected workgroup, register"]);
    plan("--wgsl conv_fwd --tile units").refused(&["conv_fwd has no tile `units` with these sizes"]);
    plan("--tile register").refused(&["--wgsl"]);
    // The JSON of a tile as `list` prints it. A tile that no device can have is refused.
    let tiles = plan("--wgsl conv_fwd:4 --tile list").fine().stdout;
    let json = tiles.lines().find(|line| line.contains("\"buffers\":2")).expect("a tile with two buffers");
    plan(&format!("--wgsl conv_fwd:4 --tile {json}")).fine().printed(&["var full = 0u;", json]);
    let (wrong, depth) = (json.replace("\"depth\":4", "\"depth\":0"), "\"depth\":4");
    assert!(json.contains(depth), "{json}");
    plan(&format!("--wgsl conv_fwd:4 --tile {wrong}")).refused(&["has no tile"]);
}
