//! Every differentiable op in its difficult cases.

use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::ops::{self, BatchNormOptions, CrossEntropyOptions, Reduction, UnaryOp};
use shadegrad::shape::{TensorType, Window};

use super::blocks::blocks;
use super::case::{Builder, Case, Context, normal, uniform};
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
            let x = b.random("x", [2, 5, 7, 6]);
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
            let [loss, totals] = ops::softmax_cross_entropy(&mut b.graph, x, labels, weights, options)?;
            b.graph.output("totals", totals);
            Ok(loss)
        }));
    }
    cases.extend(binary_cross_entropies());
    cases
}

/// Targets 0, 1 and between. Maps are so large that a part sums several vectors. The channels do not fill whole
/// vectors.
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
            let [loss, totals] = ops::binary_cross_entropy(&mut b.graph, x, targets, weights, options)?;
            b.graph.output("totals", totals);
            Ok(loss)
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
