//! Runs folders of ONNX's own operator cases on every engine. `SHADEGRAD_ONNX_CASES` names the folder; without it
//! `../shared/data/onnx-cases` beside the repository is taken where it exists. One case written here always runs.

mod build;
mod case;
mod loss;
mod npy;
mod optimizer;

use std::fs;
use std::path::{Path, PathBuf};

use build::{Check, Source, Unsupported, build};
use npy::Tensor;

use crate::common::compare::{Failures, allowed, operations, rounding};
use crate::common::{Runner, engines, twin};

/// Relative tolerance of ONNX's own runner.
const ONNX_TOLERANCE: f64 = 1e-3;

/// What became of the cases of a folder.
#[derive(Default)]
struct Report {
    passed: Vec<String>,
    unsupported: Vec<(String, String)>,
    left_out: Vec<String>,
    failures: Failures,
}

fn run_folder(root: &Path) -> Report {
    let mut engines = engines();
    engines.push(twin());
    let mut report = Report::default();
    for folder in case::folders(root) {
        let cases = case::read(&folder).unwrap_or_else(|e| panic!("{e}"));
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
    }
    report
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
    // The expected values were computed in f32 too; those of one case were typed in with four digits, not all right.
    let plan = check.case.plan();
    let typed = check.what.starts_with("test_averagepool_2d_ceil_last_window_starts_on_pad:");
    let given = if typed { ONNX_TOLERANCE } else { rounding(operations(&plan), f32::EPSILON.into()) };
    let tolerance = allowed(&plan, engine.accuracy()) + given;
    failures.close(&what, &got, &check.expected, tolerance);
}

/// The folder to run, if there is one.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SHADEGRAD_ONNX_CASES") {
        let named = PathBuf::from(named);
        assert!(named.is_dir(), "SHADEGRAD_ONNX_CASES names {}, which is no folder", named.display());
        return Some(named);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/onnx-cases");
    beside.is_dir().then_some(beside)
}

#[test]
fn onnx_cases_pass() {
    let Some(root) = folder() else {
        println!("ran 0 ONNX cases: set SHADEGRAD_ONNX_CASES to a folder of them");
        return;
    };
    let report = run_folder(&root);
    let ran = report.passed.len() + report.unsupported.len();
    for (name, reason) in &report.unsupported {
        println!("unsupported {name}: {reason}");
    }
    for left_out in &report.left_out {
        println!("left out of {left_out}");
    }
    println!(
        "{}: {} passed, {} unsupported, {} differences",
        root.display(),
        report.passed.len(),
        report.unsupported.len(),
        report.failures.count()
    );
    assert!(ran > 0, "{} has no folder with a case.json", root.display());
    report.failures.none();
}

/// A pooling case with a result computed by hand, or with a wrong one.
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
fn the_runner_tells_right_from_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write_case(&root.join("right"), "AveragePool", 2.5).expect("it can be written");
    write_case(&root.join("sub/unknown"), "LpPool", 2.5).expect("it can be written");
    let report = run_folder(root);
    assert_eq!(report.passed, ["AveragePool"]);
    assert_eq!(report.unsupported.len(), 1, "{:?}", report.unsupported);
    assert_eq!(report.failures.count(), 0);
    write_case(&root.join("wrong"), "AveragePool", 2.6).expect("it can be written");
    let report = run_folder(root);
    assert_eq!((report.passed.len(), report.failures.count()), (1, 3), "wrong on the GPU, the CPU and the twin");
}
