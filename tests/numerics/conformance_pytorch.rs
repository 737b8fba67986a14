//! Golden cases of PyTorch (tests/fixtures/generate.py): results and gradients of every op.

mod golden;

use std::fs;

use shadegrad::graph::{GraphError, Value};
use shadegrad::ops::{
    self, AdamOptions, BatchNormOptions, BinaryCrossEntropyOptions, ConvSpec, Coordinates, CrossEntropyOptions,
    DiceOptions, Interpolation, Regression, SgdOptions, UnaryOp,
};
use shadegrad::shape::{Shape, TensorType};

use crate::common::case::{Builder, Case, Context, Values};
use crate::common::compare::{Failures, allowed, scale};
use crate::common::updates::{Update, update_case};
use crate::common::{OnGpu, Runner, cpu, twin};
use golden::Golden;

/// The case as a graph. Its outputs have the names of the fixture.
fn build(golden: &Golden) -> Result<Case, GraphError> {
    match golden.op.as_str() {
        "sgd" | "adam" | "adamw" => return update(golden),
        "clip_grad_norm" => return clip(golden),
        _ => {}
    }
    let mut b = Builder::new(&golden.name, Context::Alone);
    let mut inputs = vec![];
    for (name, ty, values) in golden.all("input") {
        let value = if name.starts_with("running") {
            b.statistic(name, values.clone())?
        } else if golden.find(&format!("grad.{name}")).is_some() {
            b.parameter(name, ty.clone(), values.clone())
        } else {
            b.constant(name, ty.clone(), values.clone())
        };
        inputs.push((name, value));
    }
    let find = |name: &str| inputs.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
    let y = apply(golden, &mut b, &|name| find(name).unwrap_or_else(|| panic!("{}: no {name}", golden.name)), &find)?;
    let name = if golden.find("output.loss").is_some() { "loss" } else { "y" };
    let upstream = golden.values(&format!("upstream.{name}"));
    b.finish(&[(name, y, Some(upstream))])
}

type Get<'a> = &'a dyn Fn(&str) -> Value;

fn apply(
    golden: &Golden,
    b: &mut Builder,
    get: Get<'_>,
    find: &dyn Fn(&str) -> Option<Value>,
) -> Result<Value, GraphError> {
    let g = &mut b.graph;
    let unary = match golden.op.as_str() {
        "relu" => Some(UnaryOp::Relu),
        "leaky_relu" => Some(UnaryOp::LeakyRelu(golden.float("slope") as f32)),
        "sigmoid" => Some(UnaryOp::Sigmoid),
        "tanh" => Some(UnaryOp::Tanh),
        "scale" => Some(UnaryOp::Scale(golden.float("factor") as f32)),
        "add_scalar" => Some(UnaryOp::AddScalar(golden.float("number") as f32)),
        "neg" => Some(UnaryOp::Scale(-1.0)),
        "exp" => Some(UnaryOp::Exp),
        "log" => Some(UnaryOp::Log),
        "sqrt" => Some(UnaryOp::Sqrt),
        "abs" => Some(UnaryOp::Abs),
        "pow" => Some(UnaryOp::Pow(golden.float("exponent") as f32)),
        _ => None,
    };
    if let Some(f) = unary {
        return ops::unary(g, get("x"), f);
    }
    match golden.op.as_str() {
        "conv2d" | "linear" => {
            let y = if golden.op == "linear" {
                ops::linear(g, get("x"), get("w"))?
            } else {
                let [kh, kw] = [0, 1].map(|axis| g.dims(get("w"))[axis]);
                let groups = golden.attrs["groups"].as_u64().expect("groups") as usize;
                ops::conv2d(g, get("x"), get("w"), ConvSpec { window: golden.window([kh, kw]), groups })?
            };
            find("b").map_or(Ok(y), |bias| ops::add_bias(g, y, bias))
        }
        "conv_transpose2d" => {
            let [kh, kw] = [0, 1].map(|axis| g.dims(get("w"))[axis]);
            let groups = golden.attrs["groups"].as_u64().expect("groups") as usize;
            let spec = ConvSpec { window: golden.window([kh, kw]), groups };
            let y = ops::conv_transpose2d(g, get("x"), get("w"), spec, golden.list("output_padding"))?;
            find("b").map_or(Ok(y), |bias| ops::add_bias(g, y, bias))
        }
        "concat" => ops::concat(g, &[get("a"), get("b")]),
        "interpolate" => {
            let (interpolation, coordinates) = match (golden.attrs["mode"].as_str(), golden.flag("align_corners")) {
                (Some("nearest"), _) => (Interpolation::Nearest, Coordinates::Asymmetric),
                (_, true) => (Interpolation::Bilinear, Coordinates::AlignCorners),
                (_, false) => (Interpolation::Bilinear, Coordinates::HalfPixel),
            };
            ops::resize(g, get("x"), golden.list("size"), interpolation, coordinates)
        }
        "mse_loss" => Ok(ops::regression_loss(g, get("x"), get("target"), Regression::Mse)?[0]),
        "l1_loss" => Ok(ops::regression_loss(g, get("x"), get("target"), Regression::L1)?[0]),
        "huber_loss" => {
            let loss = Regression::Huber(golden.float("delta") as f32);
            Ok(ops::regression_loss(g, get("x"), get("target"), loss)?[0])
        }
        "dice_loss" => {
            let ignore_index = golden.attrs["ignore_index"].as_i64().map(|i| i as i32);
            let options = DiceOptions { smooth: golden.float("smooth") as f32, ignore_index };
            ops::dice_loss(g, get("logits"), get("labels"), options)
        }
        "batch_norm" => {
            let options = BatchNormOptions { momentum: golden.float("momentum") as f32, unbiased: true };
            let values = ["x", "weight", "bias", "running_mean", "running_var"].map(get);
            ops::batch_norm(g, values, golden.float("eps") as f32, golden.flag("training").then_some(options))
        }
        "group_norm" => {
            let groups = golden.attrs["groups"].as_u64().expect("groups") as usize;
            let options = ops::GroupNormOptions { groups, eps: golden.float("eps") as f32 };
            ops::group_norm(g, ["x", "weight", "bias"].map(get), options)
        }
        "add" => ops::add(g, get("a"), get("b")),
        "mul" => ops::mul(g, get("a"), get("b")),
        "sub" => ops::sub(g, get("a"), get("b")),
        "div" => ops::div(g, get("a"), get("b")),
        "broadcast" => {
            let to = golden.axes("to").expect("a shape");
            let order: &[usize] = if to.len() == 4 { &[0, 2, 3, 1] } else { &[0, 1] };
            let to = TensorType::channels(Shape(order.iter().map(|&axis| to[axis]).collect()));
            ops::broadcast(g, get("x"), to)
        }
        "sum" | "mean" => {
            let mean = golden.op == "mean";
            match golden.axes("axes") {
                None if mean => ops::mean(g, get("x")),
                None => ops::sum(g, get("x")),
                Some(axes) => {
                    // From N C H W to N H W C.
                    let axes: Vec<usize> = axes.into_iter().map(|axis| [0, 3, 1, 2][axis]).collect();
                    if mean { ops::mean_axes(g, get("x"), &axes) } else { ops::sum_axes(g, get("x"), &axes) }
                }
            }
        }
        "softmax" => ops::softmax(g, get("x")),
        "log_softmax" => ops::log_softmax(g, get("x")),
        "max_pool" => ops::max_pool(g, get("x"), golden.window(golden.list("kernel"))),
        "avg_pool" => {
            ops::avg_pool(g, get("x"), golden.window(golden.list("kernel")), golden.flag("count_include_pad"))
        }
        "global_avg_pool" => ops::global_avg_pool(g, get("x")),
        "binary_cross_entropy" => {
            let options = BinaryCrossEntropyOptions {
                label_smoothing: golden.float("label_smoothing") as f32,
                ignore_target: golden.attrs["ignore_target"].as_i64().map(|i| i as i32),
                reduction: golden.reduction(),
                focal_gamma: golden.focal_gamma(),
            };
            let made = ops::binary_cross_entropy(g, get("logits"), get("targets"), find("pos_weight"), options)?;
            Ok(made[0])
        }
        "softmax_cross_entropy" => {
            let options = CrossEntropyOptions {
                label_smoothing: golden.float("label_smoothing") as f32,
                ignore_index: golden.attrs["ignore_index"].as_i64().map(|i| i as i32),
                reduction: golden.reduction(),
                log_probabilities: false,
                focal_gamma: golden.focal_gamma(),
                soft_labels: golden.attrs.get("soft_labels").and_then(serde_json::Value::as_bool) == Some(true),
            };
            let labels = get(if options.soft_labels { "probabilities" } else { "labels" });
            Ok(ops::softmax_cross_entropy(g, get("logits"), labels, find("class_weight"), options)?[0])
        }
        other => panic!("{}: this test knows no op {other}", golden.name),
    }
}

fn update(golden: &Golden) -> Result<Case, GraphError> {
    let (_, ty, start) = golden.find("input.param").expect("a parameter");
    let steps: Vec<Values> = golden
        .values("input.grads")
        .chunks_exact(start.len())
        .map(|grad| Values::from([("param".to_owned(), grad.to_vec())]))
        .collect();
    let weight_decay = golden.float("weight_decay") as f32;
    let update = if golden.op == "sgd" {
        let (momentum, nesterov) = (golden.float("momentum") as f32, golden.flag("nesterov"));
        Update::Sgd(SgdOptions { momentum, nesterov, weight_decay, decay_all: false })
    } else {
        let betas = [0, 1].map(|i| golden.attrs["betas"][i].as_f64().expect("two rates"));
        let (eps, decoupled) = (golden.float("eps") as f32, golden.op == "adamw");
        Update::Adam(AdamOptions { betas, eps, weight_decay, decoupled, decay_all: false })
    };
    let parameters = [("param", ty.clone(), true, start.clone())];
    update_case(&golden.name, &parameters, &steps, (update, None, golden.float("lr")))
}

/// Clipping is checked by SGD with a rate of 1 on parameters of 0.
fn clip(golden: &Golden) -> Result<Case, GraphError> {
    let parameters: Vec<_> =
        golden.all("input").map(|(name, ty, v)| (name, ty.clone(), true, vec![0.0; v.len()])).collect();
    let grads: Values = golden.all("input").map(|(name, _, v)| (name.to_owned(), v.clone())).collect();
    let sgd = SgdOptions { momentum: 0.0, nesterov: false, weight_decay: 0.0, decay_all: false };
    let max_norm = Some(golden.float("max_norm") as f32);
    update_case(&golden.name, &parameters, &[grads], (Update::Sgd(sgd), max_norm, 1.0))
}

/// The expected values of the fixture, under the names of the case.
fn expected(golden: &Golden) -> Values {
    let optimizer = matches!(golden.op.as_str(), "sgd" | "adam" | "adamw");
    let mut values = Values::new();
    for (name, _, v) in golden.all("output") {
        let (name, v) = match name {
            "running_mean" | "running_var" => (format!("state.{name}"), v.clone()),
            "param" => ("state.param".to_owned(), v.clone()),
            "momentum_buffer" => ("state.optimizer.momentum".to_owned(), v.clone()),
            _ if optimizer => (format!("state.optimizer.{name}"), v.clone()),
            _ if golden.op == "clip_grad_norm" && name != "total_norm" => {
                (format!("state.{name}"), v.iter().map(|v| -v).collect())
            }
            _ => (name.to_owned(), v.clone()),
        };
        values.insert(name, v);
    }
    for (name, _, v) in golden.all("grad") {
        values.insert(format!("grad.{name}"), v.clone());
    }
    values
}

/// Amplification of an input error. A norm subtracts a mean, which may be large, from x and divides by its standard
/// deviation. Both amplify the rounding of x.
fn condition(golden: &Golden) -> f64 {
    let Some((_, ty, x)) = golden.find("input.x").filter(|_| golden.op.ends_with("_norm")) else { return 1.0 };
    let spread = |c: usize| {
        let channel: Vec<f64> = x.iter().skip(c).step_by(ty.shape.channels()).copied().collect();
        let mean = channel.iter().sum::<f64>() / channel.len() as f64;
        let var = channel.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / channel.len() as f64;
        (var + golden.float("eps")).sqrt()
    };
    let smallest = (0..ty.shape.channels()).map(spread).fold(f64::INFINITY, f64::min);
    (scale(x) / smallest).max(1.0)
}

/// Relative error beyond the rounding of the arithmetic. Golden values and attributes are rounded to f32; 1e-6 is 17
/// such roundings.
const TOLERANCE: f64 = 1e-6;

fn compare(failures: &mut Failures, engine: &dyn Runner, golden: &Golden, case: &Case) {
    let got = match engine.run(case) {
        Ok(got) => got,
        Err(e) => return failures.add(format!("{} on {}: {e}", case.name, engine.name())),
    };
    let rounded = allowed(&case.plan(), engine.accuracy()) * condition(golden);
    for (name, expected) in expected(golden) {
        // The moments of a single parameter are flat, followed by the alignment of its group.
        let from = match name.as_str() {
            "total_norm" => got["clip"][..1].to_vec(),
            _ if name.starts_with("state.optimizer.") => unpad(golden, &got[&name]),
            _ => got[&name].clone(),
        };
        let what = format!("{} on {}: {name}", case.name, engine.name());
        failures.close(&what, &from, &expected, TOLERANCE + rounded);
    }
}

/// The parameter's part of a flat moment, which has the layout of the parameter.
fn unpad(golden: &Golden, flat: &[f64]) -> Vec<f64> {
    let (_, ty, _) = golden.find("input.param").expect("a parameter");
    ty.unpack(&flat[..ty.len()])
}

fn fixtures() -> Vec<Golden> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ops");
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the fixtures").map(|f| f.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|p| Golden::read(p)).collect()
}

fn check(engine: &dyn Runner, chosen: fn(&Golden) -> bool) {
    let mut failures = Failures::default();
    let mut fixtures = fixtures();
    assert!(fixtures.len() >= 170, "only {} fixtures: are some missing?", fixtures.len());
    fixtures.retain(chosen);
    for golden in &fixtures {
        let case = build(golden).unwrap_or_else(|e| panic!("{}: {e}", golden.name));
        if !case.is_picked() {
            continue;
        }
        compare(&mut failures, engine, golden, &case);
        let fused = case.fused();
        if fused.links() != case.links() {
            compare(&mut failures, engine, golden, &fused);
        }
    }
    println!("{} cases on {}", fixtures.len(), engine.name());
    failures.none();
}

#[test]
fn the_twin_agrees_with_pytorch() {
    check(twin().as_ref(), |_| true);
}

#[test]
fn the_cpu_engine_agrees_with_pytorch() {
    check(&cpu(), |_| true);
}

/// Convolutions are left out, because a software adapter takes a second or more to compile the kernels of each size. The
/// twin agrees with PyTorch on them, and the GPU engine with the twin on the same sizes (`ops_match_twin`).
#[test]
fn the_gpu_engine_agrees_with_pytorch() {
    check(&OnGpu::Checked, |golden| !golden.op.starts_with("conv"));
}
