//! Networks of exported ops, and refused ones.

use shadegrad::exec::{PlanOptions, Session};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, GraphError, Group, Init, Lowering, Op, Value};
use shadegrad::interop::onnx::{OnnxError, export};
use shadegrad::nn::{BatchNorm2d, Conv2d, ConvTranspose2d, Linear, Mode, WeightInit};
use shadegrad::ops::{ConvSpec, Coordinates, Interpolation, UnaryOp};
use shadegrad::shape::{Padding, TensorType, Window};
use shadegrad::{exec, ops};

use super::compare::{agrees, channels_first, random};

/// N H W C of the input.
const X: [usize; 4] = [2, 10, 7, 6];

type Build = fn(&mut Graph, Value) -> Result<Value, GraphError>;

fn graph_of(build: Build) -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels(X));
    let y = build(&mut g, x).expect("a graph");
    g.output("y", y);
    g
}

/// Compares the network on the CPU engine with its export, unfused and fused.
fn check(name: &str, build: Build) {
    for fused in [false, true] {
        let mut g = graph_of(build);
        if fused {
            fuse(&mut g, FuseOptions::default());
        }
        let mut session = Session::new(exec::open("cpu").expect("an engine"), &g, 9).expect("starts");
        let plan = session.load(&g, PlanOptions::default()).expect("loads");
        let x: Vec<f32> = random(3, X.iter().product()).iter().map(|u| 2.0 * u - 1.0).collect();
        session.write(plan, "x", &x).expect("writes");
        for (other, v) in g.inputs().filter(|(other, _)| *other != "x") {
            session.write(plan, other, &vec![0.0; g.ty(v).shape.elements()]).expect("writes");
        }
        let y = session.run_now(plan).expect("runs").remove(0);
        let expected = channels_first(&y, g.dims(g.outputs()[0].1));
        let model = export(&g, &mut session, &["y"]).expect("exports");
        let name = if fused { format!("{name}-fused") } else { name.to_owned() };
        agrees(&name, &model, &channels_first(&x, &X), &expected, 1e-5);
    }
}

fn padding(top: usize, bottom: usize, left: usize, right: usize) -> Padding {
    Padding { top, bottom, left, right }
}

/// A vector over channels with random initial values.
fn vector(g: &mut Graph, name: &str, c: usize) -> Result<Value, GraphError> {
    g.state(name, TensorType::channels([c]), Group::Parameters, Init::Uniform { bound: 1.0 }, false)
}

#[test]
fn exported_convolutions_agree() {
    check("grouped", |g, x| {
        let window = Window {
            kernel_size: [3, 2],
            stride: [2, 1],
            padding: padding(2, 1, 0, 1),
            dilation: [2, 3],
            ceil_mode: true,
        };
        let layer = Conv2d { channels: 9, spec: ConvSpec { window, groups: 3 }, bias: true, init: WeightInit::He };
        let y = layer.apply(g, "conv", x)?;
        ops::relu(g, y)
    });
    check("transposed", |g, x| {
        let window = Window {
            kernel_size: [3, 4],
            stride: [2, 3],
            padding: padding(0, 2, 1, 1),
            dilation: [2, 1],
            ceil_mode: false,
        };
        let spec = ConvSpec { window, groups: 2 };
        let init = WeightInit::Uniform;
        ConvTranspose2d { channels: 4, spec, output_padding: [1, 2], bias: true, init }.apply(g, "up", x)
    });
    check("residual", |g, x| {
        let y = Conv2d::new(6, 3).padding(1).bias(false).apply(g, "conv", x)?;
        let y = BatchNorm2d { eps: 1e-3, ..BatchNorm2d::default() }.apply(g, "norm", y, Mode::Eval)?;
        let y = ops::add(g, y, x)?;
        let y = ops::relu(g, y)?;
        let z = Conv2d::new(6, 1).apply(g, "head", y)?;
        let z = ops::add(g, z, y)?;
        ops::relu(g, z)
    });
}

#[test]
fn exported_pooling_agrees() {
    let window = |ceil_mode, padding| Window { padding, ceil_mode, ..Window::square(3).stride(2) };
    assert_eq!(window(true, padding(0, 0, 0, 0)).output_size([10, 7]), Ok([5, 3]), "of which one is rounded up");
    check("max-ceil", |g, x| {
        ops::max_pool(g, x, Window { ceil_mode: true, dilation: [1, 2], ..Window::square(3).stride(2) })
    });
    check("max-padded", |g, x| {
        ops::max_pool(g, x, Window { padding: padding(1, 0, 2, 1), ..Window::square(3).stride(2) })
    });
    check("avg-include", |g, x| {
        ops::avg_pool(g, x, Window { padding: padding(1, 2, 0, 1), ..Window::square(3).stride(2) }, true)
    });
    check("avg-exclude-ceil", |g, x| {
        ops::avg_pool(
            g,
            x,
            Window { ceil_mode: true, padding: padding(1, 0, 0, 0), ..Window::square(2).stride(2) },
            false,
        )
    });
    check("avg-global", ops::global_avg_pool);
}

#[test]
fn exported_functions_norms_and_regions_agree() {
    check("elements", |g, x| {
        let functions = [UnaryOp::LeakyRelu(0.2), UnaryOp::Tanh, UnaryOp::Scale(1.5), UnaryOp::Sigmoid];
        let y = functions.into_iter().try_fold(x, |y, f| ops::unary(g, y, f))?;
        let gate = vector(g, "gate", 6)?;
        // One vector repeated over a map, as a state and as a computed value.
        let y = ops::mul(g, y, gate)?;
        let gate = ops::unary(g, gate, UnaryOp::Sigmoid)?;
        let y = ops::add_bias(g, y, gate)?;
        ops::mul(g, y, x)
    });
    check("functions", |g, x| {
        // Above 0, where all of them are defined.
        let y = ops::abs(g, x)?;
        let y = ops::add_scalar(g, y, 0.5)?;
        let functions = [UnaryOp::Log, UnaryOp::Exp, UnaryOp::Sqrt, UnaryOp::Pow(-1.5), UnaryOp::Pow(2.0)];
        functions.into_iter().try_fold(y, |y, f| ops::unary(g, y, f))
    });
    check("attention", |g, x| {
        // Each channel and each pixel is weighted by the others.
        let of_channels = ops::mean_axes(g, x, &[1, 2])?;
        let of_channels = ops::softmax(g, of_channels)?;
        let of_pixels = ops::sum_axes(g, x, &[3])?;
        let y = ops::mul(g, x, of_channels)?;
        let y = ops::sub(g, y, of_pixels)?;
        let rows = ops::sum_axes(g, y, &[2])?;
        let rows = ops::broadcast(g, rows, g.ty(x).clone())?;
        let norm = ops::exp(g, of_pixels)?;
        let y = ops::div(g, rows, norm)?;
        let two = vector(g, "two", 1)?;
        let y = ops::add(g, y, two)?;
        ops::log_softmax(g, y)
    });
    check("groups", |g, x| {
        let (gamma, beta) = (vector(g, "gamma", 6)?, vector(g, "beta", 6)?);
        let y = ops::group_norm(g, [x, gamma, beta], ops::GroupNormOptions { groups: 3, eps: 1e-3 })?;
        ops::relu(g, y)
    });
    check("regions", |g, x| {
        let y = ops::crop_pad(g, x, ops::Region::of_size([13, 4, 3]).starting_at([-1, 2, 1]))?;
        let z = ops::crop_pad(g, x, ops::Region::of_size([13, 4, 9]).starting_at([0, -2, -1]))?;
        let z = ops::flip(g, z)?;
        ops::concat(g, &[y, z, y])
    });
    check("dense", |g, x| {
        let y = ops::global_avg_pool(g, x)?;
        let y = ops::flatten(g, y)?;
        let seed = g.input("seed", TensorType::channels([4]));
        let y = ops::dropout(g, y, seed, 0.0)?;
        let y = Linear::new(5).apply(g, "head", y)?;
        let y = ops::reshape(g, y, [X[0], 1, 1, 5])?;
        ops::resize(g, y, [3, 2], Interpolation::Bilinear, Coordinates::HalfPixel)
    });
    check("classes", ops::argmax);
}

#[test]
fn exported_resizing_agrees() {
    check("bilinear", |g, x| ops::resize(g, x, [23, 9], Interpolation::Bilinear, Coordinates::HalfPixel));
    check("smaller", |g, x| ops::resize(g, x, [3, 5], Interpolation::Bilinear, Coordinates::HalfPixel));
    check("corners", |g, x| ops::resize(g, x, [17, 1], Interpolation::Bilinear, Coordinates::AlignCorners));
    check("nearest", |g, x| ops::resize(g, x, [30, 14], Interpolation::Nearest, Coordinates::Asymmetric));
    check("nearest-half", |g, x| ops::resize(g, x, [30, 14], Interpolation::Nearest, Coordinates::HalfPixel));
}

/// An op of a user, without an ONNX form.
#[derive(Debug)]
struct Own;

impl Op for Own {
    fn name(&self) -> &'static str {
        "own"
    }
    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }
    fn lower(&self, _: &mut Lowering<'_>) {}
}

#[track_caller]
fn refused(build: Build, op: &str, parts: &[&str]) {
    let g = graph_of(build);
    let mut session = Session::new(exec::open("cpu").expect("an engine"), &g, 0).expect("starts");
    let error = export(&g, &mut session, &["y"]).expect_err("a refusal");
    assert!(matches!(&error, OnnxError::Op { op: named, .. } if *named == op), "{error:?}");
    for part in parts {
        assert!(error.to_string().contains(part), "no `{part}` in: {error}");
    }
}

#[test]
fn ops_without_an_onnx_form_are_refused_by_name() {
    refused(
        |g, x| g.scope("block.own", |g| g.add1(Own, &[x])),
        "own",
        &["own in block.own cannot be exported to ONNX"],
    );
    refused(ops::flatten, "reshape", &["[2×10×7×6]", "global_avg_pool"]);
    refused(
        |g, x| BatchNorm2d::default().apply(g, "norm", x, Mode::Train),
        "batch_norm",
        &["batch_norm in norm", "Mode::Eval"],
    );
    refused(
        |g, x| ops::resize(g, x, [15, 7], Interpolation::Nearest, Coordinates::Asymmetric),
        "resize",
        &["whole factors"],
    );
    refused(
        |g, x| {
            let w = g.state("w", TensorType::kernel([1, 1, 6, 4]), Group::Parameters, Init::Constant(1.0), true)?;
            let w = ops::scale(g, w, 2.0)?;
            ops::conv2d(g, x, w, Window::square(1))
        },
        "scale",
        &["it computes with a weight"],
    );
    refused(
        |g, x| {
            let w = g.input("w", TensorType::kernel([1, 1, 6, 4]));
            ops::conv2d(g, x, w, Window::square(1))
        },
        "conv2d",
        &["its weight is an input or is computed"],
    );
    // Later nodes would read another value in ONNX.
    refused(
        |g, x| {
            let bias = vector(g, "bias", 6)?;
            let twice = ops::scale(g, bias, 2.0)?;
            ops::assign(g, bias, twice)?;
            ops::add_bias(g, x, bias)
        },
        "assign",
        &["updates a state that later nodes read"],
    );
}

#[test]
fn unknown_and_repeated_names_of_outputs_are_refused() {
    let g = graph_of(ops::relu);
    let mut session = Session::new(exec::open("cpu").expect("an engine"), &g, 0).expect("starts");
    let error = export(&g, &mut session, &["logits"]).expect_err("a refusal").to_string();
    assert!(error.contains("`logits`") && error.contains("it has y"), "{error}");
    assert!(export(&g, &mut session, &["y", "y"]).is_err(), "one name for two outputs");
}
