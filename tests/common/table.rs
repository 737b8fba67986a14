//! Every differentiable op in its difficult cases, and every optimizer update.

use shadegrad::graph::{Graph, GraphError, Group, Init, STATE_ALIGN, Value};
use shadegrad::ops::{
    self, AdamOptions, BatchNormOptions, CrossEntropyOptions, Reduction, SgdOptions, SpanRate, UnaryOp,
};
use shadegrad::shape::{TensorType, Window};

use super::blocks::blocks;
use super::case::{Builder, Case, Context, Values, normal, uniform};
use super::geometry::{conv_cases, pool_cases};

type Build = Box<dyn Fn(&mut Builder) -> Result<Value, GraphError>>;

/// An op with its inputs.
pub struct OpCase {
    pub name: String,
    build: Build,
}

impl OpCase {
    pub fn new(name: impl Into<String>, build: impl Fn(&mut Builder) -> Result<Value, GraphError> + 'static) -> Self {
        OpCase { name: name.into(), build: Box::new(build) }
    }

    /// The op with its gradients in a context.
    pub fn case(&self, context: Context) -> Case {
        self.build(Builder::new(&self.name, context))
    }

    /// The op without gradients.
    pub fn forward(&self, context: Context) -> Case {
        self.build(Builder::forward(&self.name, context))
    }

    fn build(&self, mut builder: Builder) -> Case {
        let made = (self.build)(&mut builder).and_then(|y| builder.finish_op(y));
        made.unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

/// All ops.
pub fn op_cases() -> Vec<OpCase> {
    let dense = super::dense::dense_cases();
    let of_losses = super::loss_ops::loss_op_cases();
    let families = [
        convs(),
        conv_epilogues(),
        linears(),
        norms(),
        elementwise(),
        pools(),
        losses(),
        moves(),
        blocks(),
        dense,
        of_losses,
    ];
    families.into_iter().flatten().collect()
}

fn convs() -> Vec<OpCase> {
    let case = |c: super::geometry::ConvCase| {
        OpCase::new(format!("conv2d_{}", c.name), move |b| {
            let [kh, kw] = c.spec.window.kernel_size;
            let x = b.random("x", c.x);
            let w = b.random_of("w", TensorType::kernel([kh, kw, c.x[3] / c.spec.groups, c.outputs]));
            let bias = b.random("b", [c.outputs]);
            let y = ops::conv2d(&mut b.graph, x, w, c.spec)?;
            ops::add_bias(&mut b.graph, y, bias)
        })
    };
    conv_cases().into_iter().map(case).collect()
}

/// Two convolutions of one tensor, added, before a ReLU. Epilogues compute the sum and the sum of the gradients.
fn conv_epilogues() -> Vec<OpCase> {
    let case = |c: super::geometry::ConvCase| {
        OpCase::new(format!("conv_add_relu_{}", c.name), move |b| {
            let [kh, kw] = c.spec.window.kernel_size;
            let ty = TensorType::kernel([kh, kw, c.x[3] / c.spec.groups, c.outputs]);
            let (x, bias) = (b.random("x", c.x), b.random("b", [c.outputs]));
            let (main, other) = (b.random_of("w", ty.clone()), b.random_of("shortcut", ty));
            let y = ops::conv2d(&mut b.graph, x, main, c.spec)?;
            let y = ops::add_bias(&mut b.graph, y, bias)?;
            let shortcut = ops::conv2d(&mut b.graph, x, other, c.spec)?;
            let y = ops::add(&mut b.graph, y, shortcut)?;
            ops::relu(&mut b.graph, y)
        })
    };
    let transposed = OpCase::new("conv_transpose_bias_relu", |b| {
        let (x, w) = (b.random("x", [2, 5, 3, 7]), b.random_of("w", TensorType::kernel([2, 2, 9, 7])));
        let bias = b.random("b", [9]);
        let y = ops::conv_transpose2d(&mut b.graph, x, w, Window::square(2).stride(2), [0, 0])?;
        let y = ops::add_bias(&mut b.graph, y, bias)?;
        ops::relu(&mut b.graph, y)
    });
    let named = [
        "3x3",
        "3x3_s2_odd",
        "1x1",
        "3x3_map1x1",
        "asymmetric_s2",
        "2x2_s3_gaps",
        "groups2_aligned",
        "groups3_unaligned_s2",
        "3x3_vectors",
        "3x3_vectors_two_blocks",
        "3x3_vectors_wide_padding",
        "3x3_s2_vectors",
    ];
    let chosen: Vec<_> = conv_cases().into_iter().filter(|c| named.contains(&c.name)).collect();
    assert_eq!(chosen.len(), named.len(), "a case has another name");
    chosen.into_iter().map(case).chain([transposed]).collect()
}

fn linears() -> Vec<OpCase> {
    let case = |[n, inputs, outputs]: [usize; 3]| {
        OpCase::new(format!("linear_{n}_{inputs}_{outputs}"), move |b| {
            let x = b.random("x", [n, inputs]);
            let w = b.random_of("w", TensorType::kernel([inputs, outputs]));
            ops::linear(&mut b.graph, x, w)
        })
    };
    [[3, 13, 7], [1, 5, 3], [2, 67, 10], [300, 8, 4]].into_iter().map(case).collect()
}

pub fn batch_norm(b: &mut Builder, x: Value, training: Option<BatchNormOptions>) -> Result<Value, GraphError> {
    let c = b.graph.dims(x)[b.graph.dims(x).len() - 1];
    let (gamma, beta) = (b.random("gamma", [c]), b.random("beta", [c]));
    let mean = b.statistic("mean", normal("mean", c))?;
    let var = b.statistic("var", uniform("var", c, 0.5, 2.0))?;
    ops::batch_norm(&mut b.graph, [x, gamma, beta, mean, var], 1e-5, training)
}

fn norms() -> Vec<OpCase> {
    let trained = Some(BatchNormOptions::default());
    let onnx = Some(BatchNormOptions { momentum: 0.3, unbiased: false });
    let batch = |name: &str, x: [usize; 4], training| {
        OpCase::new(format!("batch_norm_{name}"), move |b| {
            let x = b.random("x", x);
            batch_norm(b, x, training)
        })
    };
    let group = |name: &str, x: [usize; 4], groups| {
        OpCase::new(format!("group_norm_{name}"), move |b| {
            let (x, gamma, beta) = (b.random("x", x), b.random("gamma", [x[3]]), b.random("beta", [x[3]]));
            ops::group_norm(&mut b.graph, [x, gamma, beta], ops::GroupNormOptions::new(groups))
        })
    };
    vec![
        batch("train", [2, 7, 3, 5], trained),
        batch("train_many_segments", [3, 19, 21, 6], trained),
        batch("train_many_rows_alone", [2, 19, 17, 6], trained),
        batch("train_many_channels_alone", [2, 3, 3, 69], trained),
        batch("train_map1x1", [3, 1, 1, 13], trained),
        batch("train_biased", [2, 3, 5, 8], onnx),
        batch("eval", [2, 7, 3, 5], None),
        group("g1", [2, 3, 7, 5], 1),
        group("g3_of_6", [3, 5, 5, 6], 3),
        group("instance", [2, 3, 5, 7], 7),
        group("width47", [1, 2, 47, 9], 3),
        group("many_segments", [2, 19, 17, 8], 2),
        group("map1x1", [2, 1, 1, 14], 2),
    ]
}

fn elementwise() -> Vec<OpCase> {
    let functions = [
        ("relu", UnaryOp::Relu),
        ("leaky_relu", UnaryOp::LeakyRelu(0.2)),
        ("sigmoid", UnaryOp::Sigmoid),
        ("tanh", UnaryOp::Tanh),
        ("scale", UnaryOp::Scale(-0.375)),
    ];
    let mut cases = vec![];
    for (name, f) in functions {
        for shape in [[2, 5, 7, 3], [1, 3, 47, 5], [3, 1, 1, 13]] {
            cases.push(OpCase::new(format!("{name}_{shape:?}"), move |b| {
                let x = b.random("x", shape);
                ops::unary(&mut b.graph, x, f)
            }));
        }
    }
    for (name, vector) in [("", false), ("_per_channel", true)] {
        type Make = fn(&mut Graph, Value, Value) -> Result<Value, GraphError>;
        for (op, make) in [("add", ops::add as Make), ("mul", ops::mul as Make)] {
            cases.push(OpCase::new(format!("{op}{name}"), move |b| {
                let x = b.random("x", [2, 19, 17, 5]);
                let y = if vector { b.random("y", [5]) } else { b.random("y", [2, 19, 17, 5]) };
                make(&mut b.graph, x, y)
            }));
        }
    }
    cases.push(OpCase::new("square_of_one_value", |b| {
        let x = b.random("x", [2, 3, 5, 3]);
        ops::mul(&mut b.graph, x, x)
    }));
    for p in [0.0, 0.5, 0.9] {
        cases.push(OpCase::new(format!("dropout_{p}"), move |b| {
            let x = b.random("x", [2, 5, 7, 3]);
            let seed = b.constant("seed", TensorType::channels([4]), vec![12_345.0, 65_535.0, 7.0, 3.0]);
            ops::dropout(&mut b.graph, x, seed, p)
        }));
    }
    cases
}

fn pools() -> Vec<OpCase> {
    let mut cases = vec![];
    for c in pool_cases() {
        cases.push(OpCase::new(format!("max_pool_{}", c.name), move |b| {
            let x = b.random("x", c.x);
            ops::max_pool(&mut b.graph, x, c.window)
        }));
        for include in [false, true] {
            cases.push(OpCase::new(format!("avg_pool_{}_include_pad_{include}", c.name), move |b| {
                let x = b.random("x", c.x);
                ops::avg_pool(&mut b.graph, x, c.window, include)
            }));
        }
    }
    for shape in [[2, 7, 3, 5], [1, 1, 1, 13], [3, 2, 47, 3]] {
        cases.push(OpCase::new(format!("global_avg_pool_{shape:?}"), move |b| {
            let x = b.random("x", shape);
            ops::global_avg_pool(&mut b.graph, x)
        }));
    }
    cases
}

fn losses() -> Vec<OpCase> {
    let mut cases = vec![];
    for (logits, label_smoothing, ignore, weighted, reduction, (log_probabilities, soft_labels, focal_gamma)) in [
        (vec![5, 7], 0.0, None, false, Reduction::Mean, (false, false, 0.0)),
        (vec![1, 2], 0.0, None, false, Reduction::Mean, (false, false, 0.0)),
        (vec![300, 3], 0.0, Some(-100), false, Reduction::Sum, (false, false, 0.0)),
        (vec![7, 5], 0.1, Some(2), true, Reduction::Mean, (false, false, 0.0)),
        (vec![2, 3, 7, 5], 0.3, Some(255), true, Reduction::Sum, (false, false, 0.0)),
        (vec![2, 3, 7, 8], 0.1, None, false, Reduction::Mean, (false, false, 0.0)),
        (vec![7, 5], 0.0, Some(2), true, Reduction::Mean, (true, false, 0.0)),
        (vec![7, 5], 0.2, None, true, Reduction::Sum, (true, false, 0.0)),
        (vec![7, 5], 0.0, None, false, Reduction::Mean, (false, true, 0.0)),
        (vec![2, 3, 7, 6], 0.2, None, true, Reduction::Sum, (false, true, 0.0)),
        (vec![7, 5], 0.0, None, false, Reduction::Mean, (false, false, 2.0)),
        (vec![2, 3, 7, 6], 0.0, Some(255), true, Reduction::Sum, (false, false, 0.5)),
    ] {
        let (ignore_index, log) = (ignore, log_probabilities);
        let options = CrossEntropyOptions {
            label_smoothing,
            ignore_index,
            reduction,
            log_probabilities: log,
            soft_labels,
            focal_gamma,
        };
        let name = format!("softmax_cross_entropy_{logits:?}_{weighted}_{options:?}");
        cases.push(OpCase::new(name.clone(), move |b| {
            let (rows, classes) = (logits.iter().rev().skip(1).product(), logits[logits.len() - 1]);
            let ty = TensorType::channels(shadegrad::shape::Shape(logits.clone()));
            let values = normal(&format!("{name}/logits"), ty.shape.elements());
            // Log-probabilities are negative.
            let sign = |v: f64| if log_probabilities { -v.abs() } else { v };
            let x = b.parameter("logits", ty, values.into_iter().map(sign).collect());
            let label = |i: usize| if i % 3 == 1 { ignore.unwrap_or(0) } else { (i * 7 % classes) as i32 };
            let labels = match soft_labels {
                false => b.constant("labels", TensorType::flat(rows), (0..rows).map(|i| label(i).into()).collect()),
                true => {
                    let ty = TensorType::channels(shadegrad::shape::Shape(logits.clone()));
                    b.constant("labels", ty, uniform(&format!("{name}/labels"), rows * classes, 0.0, 1.0))
                }
            };
            let weights = || uniform(&name, classes, 0.2, 2.0);
            let weights = weighted.then(|| b.constant("weights", TensorType::channels([classes]), weights()));
            Ok(ops::softmax_cross_entropy(&mut b.graph, x, labels, weights, options)?[0])
        }));
    }
    cases.extend(binary_cross_entropies());
    cases
}

/// Targets 0, 1 and between. Maps are so large that a part sums several vectors. Channels fill no vector.
fn binary_cross_entropies() -> Vec<OpCase> {
    let mut cases = vec![];
    for (shape, label_smoothing, ignore_target, weighted, reduction, focal_gamma) in [
        (vec![5, 7], 0.0, None, false, Reduction::Mean, 0.0),
        (vec![1, 1], 0.0, None, false, Reduction::Mean, 0.0),
        (vec![7, 6], 0.2, None, true, Reduction::Mean, 0.0),
        (vec![300, 3], 0.0, Some(-1), true, Reduction::Sum, 0.0),
        (vec![2, 3, 47, 5], 0.1, Some(-1), true, Reduction::Mean, 0.0),
        (vec![3, 47, 11, 26], 0.1, Some(-1), true, Reduction::Mean, 0.0),
        (vec![5, 7], 0.0, None, false, Reduction::Mean, 2.0),
        (vec![2, 3, 7, 6], 0.1, Some(-1), true, Reduction::Sum, 0.5),
    ] {
        let options = ops::BinaryCrossEntropyOptions { label_smoothing, ignore_target, reduction, focal_gamma };
        let name = format!("binary_cross_entropy_{shape:?}_{weighted}_{options:?}");
        cases.push(OpCase::new(name.clone(), move |b| {
            let ty = TensorType::channels(shadegrad::shape::Shape(shape.clone()));
            let (elements, classes) = (ty.shape.elements(), ty.shape.channels());
            let x = b.random_of("logits", ty.clone());
            let between = uniform(&format!("{name}/targets"), elements, 0.0, 1.0);
            let target = |(i, soft): (usize, f64)| match i % 5 {
                1 => ignore_target.map_or(0.0, f64::from),
                2 => soft,
                k => (k % 2) as f64,
            };
            let targets = b.constant("targets", ty, between.into_iter().enumerate().map(target).collect());
            let weights = || uniform(&name, classes, 0.2, 4.0);
            let weights = weighted.then(|| b.constant("weights", TensorType::channels([classes]), weights()));
            Ok(ops::binary_cross_entropy(&mut b.graph, x, targets, weights, options)?[0])
        }));
    }
    cases
}

fn moves() -> Vec<OpCase> {
    let case = |name: &str, from: Vec<usize>, to: Vec<usize>| {
        OpCase::new(format!("reshape_{name}"), move |b| {
            let x = b.random_of("x", TensorType::channels(shadegrad::shape::Shape(from.clone())));
            ops::reshape(&mut b.graph, x, shadegrad::shape::Shape(to.clone()))
        })
    };
    vec![
        case("flatten", vec![2, 3, 5, 7], vec![2, 105]),
        case("same_rows", vec![3, 1, 1, 13], vec![3, 13]),
        case("no_padding", vec![2, 2, 3, 4], vec![4, 12]),
        OpCase::new("channel_sums_of_a_product", |b| {
            let x = b.random("x", [2, 19, 17, 5]);
            let bias = b.random("bias", [5]);
            ops::add_bias(&mut b.graph, x, bias)
        }),
    ]
}

/// An optimizer's settings.
#[derive(Clone, Copy, Debug)]
pub enum Update {
    Sgd(SgdOptions),
    Adam(AdamOptions),
}

/// Two parameters, one of them without decay, over `gradients`: one list of gradients (of both) per step.
pub fn update_case(
    name: &str,
    parameters: &[(&str, TensorType, bool, Vec<f64>)],
    gradients: &[Values],
    update: (Update, Option<f32>, f64),
) -> Result<Case, GraphError> {
    update_case_of_spans(name, parameters, gradients, update, &[])
}

/// The same, where each parameter has its own factor of the rate; one of 0 is not trained. Without factors there is one rate.
/// Parameters with decay stand before those without.
fn update_case_of_spans(
    name: &str,
    parameters: &[(&str, TensorType, bool, Vec<f64>)],
    gradients: &[Values],
    (update, clip, lr): (Update, Option<f32>, f64),
    factors: &[f64],
) -> Result<Case, GraphError> {
    let mut b = Builder::new(name, Context::Alone);
    let mut packed = vec![];
    for (name, ty, decay, start) in parameters {
        b.states.insert((*name).into(), start.clone());
        b.graph.state(name, ty.clone(), Group::Parameters, Init::Constant(0.0), *decay)?;
        let grad = b.graph.input(&format!("gradient.{name}"), ty.clone());
        // The flat buffer needs results of nodes.
        packed.push(ops::scale(&mut b.graph, grad, 1.0)?);
    }
    let flat = ops::pack_parameters(&mut b.graph, &packed)?;
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    let guard = b.constant("guard", TensorType::channels([1]), vec![0.5]);
    let factor = clip.map(|max| ops::clip_scale(&mut b.graph, flat, None, max)).transpose()?;
    let rates = (!factors.is_empty()).then(|| b.graph.input("rates", SpanRate::ty(factors.len())));
    let betas = match update {
        Update::Sgd(o) => ops::sgd_step(&mut b.graph, flat, hyper, factor, guard, rates, o).map(|()| [0.0; 2])?,
        Update::Adam(o) => ops::adam_step(&mut b.graph, flat, hyper, factor, guard, rates, o).map(|()| o.betas)?,
    };
    let outputs: Vec<_> = factor.iter().map(|&f| ("clip", f, None)).collect();
    let mut case = b.finish(&outputs)?;
    let lens = parameters.iter().map(|(_, ty, ..)| ty.len().div_ceil(STATE_ALIGN));
    let ends: Vec<usize> = lens.scan(0, |end, len| Some((*end += len, *end).1)).collect();
    let step = |(t, grads): (usize, &Values)| {
        let hyper = |factor: f64| ops::Hyper::new(lr * factor, betas, t as u64 + 1);
        let row = |(&factor, &end): (&f64, &usize)| {
            SpanRate { end, trained: (factor > 0.0).then(|| hyper(factor)) }.row().map(f64::from)
        };
        let rows: Vec<f64> = factors.iter().zip(&ends).flat_map(row).collect();
        let named = grads.iter().map(|(name, v)| (format!("gradient.{name}"), v.clone()));
        let rates = rates.map(|_| ("rates".to_owned(), rows));
        named.chain([("hyper".to_owned(), hyper(1.0).values().map(f64::from).to_vec())]).chain(rates).collect()
    };
    case.steps = gradients.iter().enumerate().map(step).collect();
    Ok(case)
}

/// Sum and mean of the gradients of three batches, and the moving average of a parameter.
fn averages_case() -> Result<Case, GraphError> {
    let (mut b, ty) = (Builder::new("averages", Context::Alone), TensorType::kernel([3, 3, 5, 7]));
    b.states.insert("w".into(), normal("averages/w", ty.shape.elements()));
    b.graph.state("w", ty.clone(), Group::Parameters, Init::Constant(0.0), true)?;
    let grad = b.graph.input("gradient", ty.clone());
    let grad = ops::scale(&mut b.graph, grad, 1.0)?;
    let flat = ops::pack_parameters(&mut b.graph, &[grad])?;
    let totals = b.graph.input("totals", TensorType::channels([4]));
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    ops::accumulate(&mut b.graph, flat, totals, hyper, false)?;
    let mean = ops::accumulate(&mut b.graph, flat, totals, hyper, true)?.expect("the last batch has a mean");
    ops::moving_average(&mut b.graph, hyper)?;
    let mut case = b.finish(&[("mean", mean, None)])?;
    let step = |t: usize| {
        let keep = if t == 1 { 0.0 } else { 1.0 };
        // The first batch drops the sum that earlier batches left in memory.
        let hyper = ops::Hyper { average_decay: 0.75, keep, ..Default::default() }.values().map(f64::from).to_vec();
        let gradient = normal(&format!("averages/{t}"), ty.shape.elements());
        let totals = vec![0.5, [3.0, 7.5, 2.0][t], 0.0, 9.0];
        [("gradient", gradient), ("totals", totals), ("hyper", hyper)].map(|(n, v)| (n.to_owned(), v)).into()
    };
    case.steps = (0..3).map(step).collect();
    Ok(case)
}

/// Scaled gradients. The one of the middle step is not finite, and changes only the scale.
pub fn loss_scale_case() -> Result<Case, GraphError> {
    let (mut b, ty) = (Builder::new("loss_scale", Context::Alone), TensorType::kernel([3, 3, 5, 7]));
    b.states.insert("w".into(), normal("loss_scale/w", ty.shape.elements()));
    b.graph.state("w", ty.clone(), Group::Parameters, Init::Constant(0.0), true)?;
    let scale = ops::loss_scale(&mut b.graph)?;
    let grad = b.graph.input("gradient", ty.clone());
    let grad = ops::scale(&mut b.graph, grad, 65536.0)?;
    let flat = ops::pack_parameters(&mut b.graph, &[grad])?;
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    let factor = ops::clip_scale(&mut b.graph, flat, Some(scale), f32::MAX)?;
    ops::sgd_step(&mut b.graph, flat, hyper, Some(factor), factor, None, SgdOptions::default())?;
    ops::update_loss_scale(&mut b.graph, factor)?;
    let mut case = b.finish(&[("scale", scale, None)])?;
    let step = |t: usize| {
        let mut gradient = normal(&format!("loss_scale/{t}"), ty.shape.elements());
        if t == 1 {
            gradient[17] = f64::INFINITY;
        }
        let hyper = ops::Hyper::new(0.1, [0.0; 2], t as u64 + 1).values().map(f64::from).to_vec();
        [("gradient", gradient), ("hyper", hyper)].map(|(n, v)| (n.to_owned(), v)).into()
    };
    case.steps = (0..3).map(step).collect();
    Ok(case)
}

/// Every optimizer with every flag, and the averages.
pub fn update_cases() -> Vec<Case> {
    let sgd = SgdOptions { momentum: 0.9, nesterov: false, weight_decay: 0.05, decay_all: false };
    let adam = AdamOptions { betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.1, decoupled: false, decay_all: false };
    let table = [
        ("sgd_plain", Update::Sgd(SgdOptions { momentum: 0.0, weight_decay: 0.0, ..sgd }), None, vec![]),
        ("sgd_momentum_clipped", Update::Sgd(sgd), Some(1.5), vec![]),
        ("sgd_nesterov_decay_all", Update::Sgd(SgdOptions { nesterov: true, decay_all: true, ..sgd }), None, vec![]),
        ("sgd_spans", Update::Sgd(SgdOptions { nesterov: true, ..sgd }), Some(1.5), vec![0.3, 1.0]),
        ("adam", Update::Adam(adam), None, vec![]),
        ("adam_clipped", Update::Adam(AdamOptions { decay_all: true, ..adam }), Some(0.7), vec![]),
        ("adam_spans", Update::Adam(adam), None, vec![0.0, 0.5]),
        ("adamw", Update::Adam(AdamOptions { decoupled: true, ..adam }), None, vec![]),
        ("adamw_spans", Update::Adam(AdamOptions { decoupled: true, ..adam }), Some(0.7), vec![0.25, 0.0]),
    ];
    let shapes = [("w", TensorType::kernel([3, 3, 5, 7]), true), ("b", TensorType::channels([7]), false)];
    let of = |case: &str, t: usize| {
        let values = |name: &str, ty: &TensorType| normal(&format!("{case}/{name}/{t}"), ty.shape.elements());
        shapes.iter().map(|(name, ty, _)| ((*name).to_owned(), values(name, ty))).collect::<Values>()
    };
    let make = |(name, update, clip, factors): (&str, Update, Option<f32>, Vec<f64>)| {
        let start = of(name, 99);
        let parameters: Vec<_> =
            shapes.iter().map(|(n, ty, decay)| (*n, ty.clone(), *decay, start[*n].clone())).collect();
        let gradients: Vec<Values> = (0..3).map(|t| of(name, t)).collect();
        let case = update_case_of_spans(name, &parameters, &gradients, (update, clip, 0.05), &factors);
        case.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    table.into_iter().map(make).chain([averages_case(), loss_scale_case()].map(|case| case.expect("it fits"))).collect()
}
