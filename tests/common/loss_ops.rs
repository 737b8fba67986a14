//! Cases of the ops that losses consist of (functions, broadcasting, sums, softmax), and losses made of them.

use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::ops::{self, UnaryOp};
use shadegrad::shape::{Shape, TensorType};

use super::case::{Builder, uniform};
use super::table::OpCase;

/// All ops of this file.
pub fn loss_op_cases() -> Vec<OpCase> {
    [functions(), two_tensors(), broadcasts(), sums(), softmaxes(), losses()].into_iter().flatten().collect()
}

/// A tensor of positive values.
fn positive(b: &mut Builder, name: &str, shape: &[usize]) -> Value {
    let ty = TensorType::channels(Shape(shape.to_vec()));
    let values = uniform(&format!("{name} {shape:?}"), ty.shape.elements(), 0.3, 2.0);
    b.parameter(name, ty, values)
}

/// A tensor of values of either sign.
fn either(b: &mut Builder, name: &str, shape: &[usize]) -> Value {
    b.random_of(name, TensorType::channels(Shape(shape.to_vec())))
}

fn functions() -> Vec<OpCase> {
    let of_either = [
        UnaryOp::Exp,
        UnaryOp::Abs,
        UnaryOp::Scale(-1.0),
        UnaryOp::AddScalar(1.25),
        UnaryOp::Pow(2.0),
        UnaryOp::Pow(3.0),
        UnaryOp::Pow(17.0),
    ];
    let of_positive =
        [UnaryOp::Log, UnaryOp::Sqrt, UnaryOp::Pow(-1.0), UnaryOp::Pow(-2.0), UnaryOp::Pow(0.5), UnaryOp::Pow(1.75)];
    let mut cases = vec![];
    for (f, signed) in of_either.into_iter().map(|f| (f, true)).chain(of_positive.into_iter().map(|f| (f, false))) {
        for shape in [vec![2, 3, 47, 5], vec![3, 13]] {
            cases.push(OpCase::new(format!("{f:?}_{shape:?}"), move |b| {
                let x = if signed { either(b, "x", &shape) } else { positive(b, "x", &shape) };
                ops::unary(&mut b.graph, x, f)
            }));
        }
    }
    // A weight, which has padding between its rows.
    cases.push(OpCase::new("square_of_a_weight", |b| {
        let w = b.random_of("w", TensorType::kernel([3, 3, 5, 7]));
        ops::pow(&mut b.graph, w, 2.0)
    }));
    cases
}

type Make = fn(&mut Graph, Value, Value) -> Result<Value, GraphError>;

const TWO: [(&str, Make); 4] = [("add", ops::add), ("sub", ops::sub), ("mul", ops::mul), ("div", ops::div)];

fn two_tensors() -> Vec<OpCase> {
    let shapes: [(&str, &[usize], &[usize]); 10] = [
        ("same", &[2, 9, 7, 5], &[2, 9, 7, 5]),
        ("scalar", &[2, 9, 7, 5], &[1]),
        ("per_channel", &[2, 9, 7, 5], &[5]),
        ("per_sample", &[2, 9, 7, 5], &[2, 1, 1, 5]),
        ("per_pixel", &[2, 3, 47, 6], &[2, 3, 47, 1]),
        ("per_column", &[2, 3, 7, 6], &[1, 1, 7, 1]),
        ("whole_vectors", &[3, 4, 5, 8], &[3, 1, 5, 8]),
        ("rows_of_a_matrix", &[19, 5], &[19, 1]),
        ("one_channel", &[7, 1], &[1]),
        ("smaller_first", &[5], &[4, 3, 5]),
    ];
    let mut cases = vec![];
    for (op, make) in TWO {
        // All ops of the family share one kernel. Addition and multiplication need few cases.
        let few = matches!(op, "add" | "mul");
        let chosen = |name: &str| !few || ["per_sample", "per_pixel", "smaller_first"].contains(&name);
        for (name, a, b_shape) in shapes.into_iter().filter(|(name, ..)| chosen(name)) {
            cases.push(OpCase::new(format!("{op}_{name}_{a:?}"), move |b| {
                let x = either(b, "a", a);
                let y = if op == "div" { positive(b, "b", b_shape) } else { either(b, "b", b_shape) };
                make(&mut b.graph, x, y)
            }));
        }
    }
    cases
}

fn broadcasts() -> Vec<OpCase> {
    let case = |(x, to): (&'static [usize], &'static [usize])| {
        OpCase::new(format!("broadcast_{x:?}_{to:?}"), move |b| {
            let x = either(b, "x", x);
            ops::broadcast(&mut b.graph, x, TensorType::channels(Shape(to.to_vec())))
        })
    };
    let table: [(&[usize], &[usize]); 7] = [
        (&[2, 1, 1, 5], &[2, 3, 7, 5]),
        (&[2, 3, 5, 1], &[2, 3, 5, 6]),
        (&[1, 3, 1, 1], &[2, 3, 5, 6]),
        (&[5], &[2, 3, 47, 5]),
        (&[1], &[2, 3, 5, 7]),
        (&[3, 1], &[3, 9]),
        (&[1], &[2, 1, 3, 2, 5]),
    ];
    table.into_iter().map(case).collect()
}

fn sums() -> Vec<OpCase> {
    type Reduce = fn(&mut Graph, Value, &[usize]) -> Result<Value, GraphError>;
    let of_axes = |name: &'static str, reduce: Reduce, shape: &'static [usize], axes: &'static [usize]| {
        OpCase::new(format!("{name}_{shape:?}_{axes:?}"), move |b| {
            let x = either(b, "x", shape);
            reduce(&mut b.graph, x, axes)
        })
    };
    let map: &[usize] = &[2, 3, 47, 6];
    let choices: [(&[usize], &[usize]); 14] = [
        (map, &[1, 2]),
        (map, &[3]),
        (map, &[0]),
        (map, &[1]),
        (map, &[2, 0]),
        (map, &[1, 3]),
        (map, &[0, 3]),
        (map, &[1, 2, 3]),
        (map, &[0, 1, 2]),
        (map, &[0, 1, 2, 3]),
        (&[2, 3, 5, 4], &[]),
        (&[9, 13], &[1]),
        (&[9, 13], &[0]),
        (&[2, 1, 900, 5], &[2]),
    ];
    let mut cases: Vec<_> = choices.into_iter().map(|(x, axes)| of_axes("sum", ops::sum_axes, x, axes)).collect();
    cases.push(of_axes("mean", ops::mean_axes, map, &[1, 2]));
    cases.push(of_axes("mean", ops::mean_axes, map, &[3]));
    for shape in [vec![2, 5, 47, 3], vec![3, 47, 11, 26], vec![1, 1], vec![13]] {
        cases.push(OpCase::new(format!("sum_of_all_{shape:?}"), move |b| {
            let x = either(b, "x", &shape);
            ops::sum(&mut b.graph, x)
        }));
    }
    cases.push(OpCase::new("mean_of_all", |b| {
        let x = either(b, "x", &[2, 5, 7, 3]);
        ops::mean(&mut b.graph, x)
    }));
    for (name, ty) in [("weight", TensorType::kernel([3, 3, 5, 7])), ("flat", TensorType::flat(45))] {
        cases.push(OpCase::new(format!("sum_of_a_{name}"), move |b| {
            // Its gradient is a broadcast to a weight, which has padding between its rows.
            let w = b.random_of("w", ty.clone());
            ops::sum(&mut b.graph, w)
        }));
    }
    cases
}

fn softmaxes() -> Vec<OpCase> {
    type Make = fn(&mut Graph, Value) -> Result<Value, GraphError>;
    let mut cases = vec![];
    for (name, make) in [("softmax", ops::softmax as Make), ("log_softmax", ops::log_softmax as Make)] {
        for shape in [vec![5, 7], vec![2, 3, 5, 7], vec![3, 1, 1, 13], vec![300, 3], vec![3, 8]] {
            cases.push(OpCase::new(format!("{name}_{shape:?}"), move |b| {
                let x = either(b, "x", &shape);
                make(&mut b.graph, x)
            }));
        }
    }
    cases
}

/// Focal loss (Lin et al. 2017) of one-hot targets, and the distance of two vectors: losses without an op.
fn losses() -> Vec<OpCase> {
    let focal = OpCase::new("focal_loss_of_ops", |b| {
        let ty = TensorType::channels([9, 5]);
        let x = b.random_of("logits", ty.clone());
        let hot = (0..45).map(|i| f64::from(u8::from(i % 5 == i / 5 * 3 % 5))).collect();
        let hot = b.constant("targets", ty, hot);
        let g = &mut b.graph;
        let log_p = ops::log_softmax(g, x)?;
        let p = ops::exp(g, log_p)?;
        let (rest, nll) = (ops::neg(g, p)?, ops::neg(g, log_p)?);
        let rest = ops::add_scalar(g, rest, 1.0)?;
        let focus = ops::pow(g, rest, 2.0)?;
        let each = ops::mul(g, focus, nll)?;
        let each = ops::mul(g, each, hot)?;
        let rows = ops::sum_axes(g, each, &[1])?;
        ops::mean(g, rows)
    });
    let cosine = OpCase::new("cosine_similarity_of_ops", |b| {
        let (x, y) = (b.random("x", [7, 13]), b.random("y", [7, 13]));
        let g = &mut b.graph;
        let norm = |g: &mut Graph, v| {
            let squares = ops::pow(g, v, 2.0)?;
            let sum = ops::sum_axes(g, squares, &[1])?;
            ops::sqrt(g, sum)
        };
        let product = ops::mul(g, x, y)?;
        let product = ops::sum_axes(g, product, &[1])?;
        let (of_x, of_y) = (norm(g, x)?, norm(g, y)?);
        let norms = ops::mul(g, of_x, of_y)?;
        ops::div(g, product, norms)
    });
    vec![focal, cosine]
}
