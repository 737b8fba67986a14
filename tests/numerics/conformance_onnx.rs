//! ONNX operator cases on every engine: those of `tests/fixtures/onnx.json` with results of ONNX's reference evaluator
//! (`tests/fixtures/generate_onnx.py`), and those of the folder in `SHADEGRAD_ONNX_CASES`, if it is set.

mod build;
mod case;
mod loss;
mod npy;
mod optimizer;

use std::fs;
use std::path::{Path, PathBuf};

use build::{Check, Source, Unsupported, build};
use case::OnnxCase;
use npy::Tensor;

use crate::common::compare::{Failures, allowed, operations, rounding};
use crate::common::{Runner, engines, twin};

/// Relative tolerance of ONNX's own runner.
const ONNX_TOLERANCE: f64 = 1e-3;

/// Cases by outcome.
#[derive(Default)]
struct Report {
    passed: Vec<String>,
    unsupported: Vec<(String, String)>,
    left_out: Vec<String>,
    failures: Failures,
}

fn run_all(cases: Vec<OnnxCase>) -> Report {
    let mut engines = engines();
    engines.push(twin());
    let mut report = Report::default();
    for case in cases {
        match build(&case) {
            Ok((checks, left_out)) => {
                let before = report.failures.count();
                for check in &checks {
                    engines.iter().for_each(|engine| run(engine.as_ref(), check, &mut report.failures));
                }
                report.left_out.extend(left_out);
                if report.failures.count() == before {
                    report.passed.push(case.name);
                }
            }
            Err(Unsupported(reason)) => report.unsupported.push((case.name, reason)),
        }
    }
    report
}

/// Cases of all folders under `root`.
fn read_folders(root: &Path) -> Vec<OnnxCase> {
    let read = |folder: PathBuf| case::read_folder(&folder).unwrap_or_else(|e| panic!("{e}"));
    case::folders(root).into_iter().flat_map(read).collect()
}

fn run(engine: &dyn Runner, check: &Check, failures: &mut Failures) {
    let what = format!("{} on {}", check.what, engine.name());
    let steps = match engine.run_steps(&check.case) {
        Ok(steps) => steps,
        Err(e) => return failures.add(format!("{what}: {e}")),
    };
    let got: Vec<f64> = match &check.from {
        Source::Last(name, range) => steps.last().map(|s| s[name][range.clone()].to_vec()).unwrap_or_default(),
        Source::EveryStep(name, factor) => steps.iter().map(|s| factor * s[name][0]).collect(),
    };
    // The expected values were computed or stored in f32. One case of ONNX has four digits, not all of them right.
    let plan = check.case.plan();
    let typed = check.what.starts_with("test_averagepool_2d_ceil_last_window_starts_on_pad:");
    let given = if typed { ONNX_TOLERANCE } else { rounding(operations(&plan), f32::EPSILON.into()) };
    let tolerance = allowed(&plan, engine.accuracy()) + given;
    failures.close(&what, &got, &check.expected, tolerance);
}

fn passes(what: &str, cases: Vec<OnnxCase>) -> Report {
    let mut report = run_all(cases);
    for (name, reason) in &report.unsupported {
        println!("unsupported {name}: {reason}");
    }
    for left_out in &report.left_out {
        println!("left out of {left_out}");
    }
    let [passed, unsupported] = [report.passed.len(), report.unsupported.len()];
    println!("{what}: {passed} passed, {unsupported} unsupported, {} differences", report.failures.count());
    std::mem::take(&mut report.failures).none();
    report
}

#[test]
fn own_cases_pass() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx.json");
    let cases = case::read_list(Path::new(path)).unwrap_or_else(|e| panic!("{e}"));
    let report = passes(path, cases);
    assert!(report.passed.len() >= 54, "only {} cases were run", report.passed.len());
    assert!(
        report.unsupported.is_empty() && report.left_out.is_empty(),
        "every case of the file must be supported in full"
    );
}

#[test]
#[ignore = "needs ONNX's node cases, converted to .npy, in the folder that SHADEGRAD_ONNX_CASES names"]
fn cases_of_a_folder_pass() {
    let root = std::env::var_os("SHADEGRAD_ONNX_CASES").expect("SHADEGRAD_ONNX_CASES names a folder of cases");
    let root = PathBuf::from(root);
    let report = passes(&root.display().to_string(), read_folders(&root));
    assert!(!report.passed.is_empty(), "{} has no folder with a case.json that passes", root.display());
}

/// A pooling case with the given expected result. The right one is 2.5.
fn write_case(folder: &Path, op: &str, expected: f64) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let tensor = |shape: &[usize], values: &[f64]| Tensor { shape: shape.to_vec(), values: values.to_vec() };
    npy::write(&folder.join("x.npy"), &tensor(&[1, 2, 2, 2], &[1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0]), false)?;
    npy::write(&folder.join("y.npy"), &tensor(&[1, 2, 1, 1], &[expected, -expected]), false)?;
    let text = format!(
        r#"{{"name": "{op}", "nodes": [{{"op": "{op}", "inputs": ["x"], "outputs": ["y"],
            "attrs": {{"kernel_shape": [2, 2], "strides": [2, 2]}}}}],
            "data_sets": [{{"inputs": [{{"file": "x.npy", "name": "x"}}], "outputs": [{{"file": "y.npy", "name": "y"}}]}}]}}"#
    );
    fs::write(folder.join("case.json"), text)
}

#[test]
fn right_cases_pass_and_wrong_cases_fail_on_every_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write_case(&root.join("right"), "AveragePool", 2.5).expect("it can be written");
    write_case(&root.join("sub/unknown"), "LpPool", 2.5).expect("it can be written");
    let report = run_all(read_folders(root));
    assert_eq!(report.passed, ["AveragePool"]);
    assert_eq!(report.unsupported.len(), 1, "{:?}", report.unsupported);
    assert_eq!(report.failures.count(), 0);
    write_case(&root.join("wrong"), "AveragePool", 2.6).expect("it can be written");
    let report = run_all(read_folders(root));
    assert_eq!((report.passed.len(), report.failures.count()), (1, 3), "wrong on the GPU, the CPU and the twin");
}
