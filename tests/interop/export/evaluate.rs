//! ONNX's operators by their definitions, as loops in f64, for the operators of exported models.

use std::collections::BTreeMap;

use super::spatial;
use super::wire::{Attribute, Model, Node, Tensor};

impl Node {
    pub fn int(&self, name: &str, default: i64) -> i64 {
        match self.attributes.get(name) {
            Some(Attribute::Int(v)) => *v,
            None => default,
            other => panic!("{name}: {other:?}"),
        }
    }
    pub fn float(&self, name: &str) -> f64 {
        if let Some(Attribute::Float(v)) = self.attributes.get(name) { *v } else { panic!("no {name}") }
    }
    pub fn text(&self, name: &str) -> &str {
        if let Some(Attribute::Text(v)) = self.attributes.get(name) { v } else { panic!("no {name}") }
    }
    pub fn sizes<const N: usize>(&self, name: &str, default: usize) -> [usize; N] {
        match self.attributes.get(name) {
            Some(Attribute::Ints(v)) => std::array::from_fn(|i| v[i] as usize),
            None => [default; N],
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// All values of a model for an input.
pub fn evaluate(model: &Model, input: (&str, Tensor)) -> BTreeMap<String, Tensor> {
    let mut values = model.constants.clone();
    values.insert(input.0.into(), input.1);
    for node in &model.nodes {
        let given: Vec<Option<&Tensor>> = node
            .inputs
            .iter()
            .map(|name| (!name.is_empty()).then(|| values.get(name).unwrap_or_else(|| panic!("no value {name}"))))
            .collect();
        let result = operator(node, &given);
        assert!(values.insert(node.outputs[0].clone(), result).is_none(), "{} is made twice", node.outputs[0]);
    }
    values
}

fn operator(node: &Node, given: &[Option<&Tensor>]) -> Tensor {
    let x = given[0].expect("a first input");
    let input = |i: usize| given[i].expect("an input");
    let vector = |i: usize| &input(i).values;
    let each =
        |f: &dyn Fn(f64) -> f64| Tensor { shape: x.shape.clone(), values: x.values.iter().map(|&v| f(v)).collect() };
    match node.operator.as_str() {
        "Relu" => each(&|v| v.max(0.0)),
        "LeakyRelu" => each(&|v| if v < 0.0 { v * node.float("alpha") } else { v }),
        "Sigmoid" => each(&|v| 1.0 / (1.0 + (-v).exp())),
        "Tanh" => each(&f64::tanh),
        "Exp" => each(&f64::exp),
        "Log" => each(&f64::ln),
        "Sqrt" => each(&f64::sqrt),
        "Abs" => each(&f64::abs),
        "Round" => each(&f64::round_ties_even),
        "Clip" => each(&|v| v.clamp(vector(1)[0], vector(2)[0])),
        "Identity" | "Dropout" => x.clone(),
        "Cast" => x.clone(),
        "Add" => paired(x, input(1), |a, b| a + b),
        "Sub" => paired(x, input(1), |a, b| a - b),
        "Mul" => paired(x, input(1), |a, b| a * b),
        "Div" => paired(x, input(1), |a, b| a / b),
        "Pow" => paired(x, input(1), f64::powf),
        "Greater" => paired(x, input(1), |a, b| f64::from(u8::from(a > b))),
        "Where" => {
            let values = x.values.iter().zip(vector(1).iter().zip(vector(2)));
            Tensor {
                shape: x.shape.clone(),
                values: values.map(|(&c, (&a, &b))| if c > 0.0 { a } else { b }).collect(),
            }
        }
        "Reshape" => reshape(x, vector(1)),
        "Softmax" => softmax(x),
        "LogSoftmax" => {
            let p = softmax(x);
            Tensor { values: p.values.iter().map(|p| p.ln()).collect(), ..p }
        }
        "ReduceSum" => reduce_sum(x, vector(1)),
        "Expand" => {
            let shape: Vec<usize> = vector(1).iter().map(|&size| size as usize).collect();
            paired(x, &Tensor { values: vec![0.0; shape.iter().product()], shape }, |x, _| x)
        }
        "ArgMax" => arg_max(x),
        "Gemm" => gemm(x, input(1), given.get(2).copied().flatten(), node.int("transB", 0)),
        "BatchNormalization" => {
            let eps = node.float("epsilon");
            per_channel(x, |c, v| (v - vector(3)[c]) / (vector(4)[c] + eps).sqrt() * vector(1)[c] + vector(2)[c])
        }
        "InstanceNormalization" => instance_norm(x, node.float("epsilon"), [vector(1), vector(2)]),
        "Concat" => (1..given.len()).fold(x.clone(), |joint, i| concat(&joint, input(i), node.int("axis", 0))),
        "Slice" => slice(x, [vector(1), vector(2), vector(3)], given.get(4).copied().flatten()),
        "Pad" => pad(x, vector(1)),
        _ => spatial::operator(node, given),
    }
}

/// Row-major steps of each axis.
fn steps(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// A tensor whose elements are a function of their index.
fn by_place(shape: Vec<usize>, f: impl Fn(&[usize]) -> f64) -> Tensor {
    let steps = steps(&shape);
    let values = (0..shape.iter().product())
        .map(|i: usize| f(&steps.iter().zip(&shape).map(|(step, size)| i / step % size).collect::<Vec<_>>()))
        .collect();
    Tensor { shape, values }
}

/// Axes are aligned at the end. Axes of size 1 are repeated.
fn paired(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
    let rank = a.shape.len().max(b.shape.len());
    let widened = |t: &Tensor| [vec![1; rank - t.shape.len()], t.shape.clone()].concat();
    let [sa, sb] = [a, b].map(widened);
    let shape: Vec<usize> = sa
        .iter()
        .zip(&sb)
        .map(|(&x, &y)| {
            assert!(x == y || x == 1 || y == 1, "{:?} with {:?}", a.shape, b.shape);
            x.max(y)
        })
        .collect();
    let at = |t: &Tensor, sizes: &[usize], place: &[usize]| {
        let places = place.iter().zip(sizes).zip(steps(sizes));
        t.values[places.map(|((&p, &size), step)| if size == 1 { 0 } else { p * step }).sum::<usize>()]
    };
    by_place(shape, |place| f(at(a, &sa, place), at(b, &sb, place)))
}

fn per_channel(x: &Tensor, f: impl Fn(usize, f64) -> f64) -> Tensor {
    let step: usize = x.shape[2..].iter().product();
    let values = x.values.iter().enumerate().map(|(i, &v)| f(i / step % x.shape[1], v)).collect();
    Tensor { shape: x.shape.clone(), values }
}

fn reshape(x: &Tensor, to: &[f64]) -> Tensor {
    let kept = |(axis, &size): (usize, &f64)| if size == 0.0 { x.shape[axis] as f64 } else { size };
    let mut shape: Vec<f64> = to.iter().enumerate().map(kept).collect();
    let known: f64 = shape.iter().filter(|&&s| s > 0.0).product();
    shape.iter_mut().filter(|s| **s < 0.0).for_each(|s| *s = x.values.len() as f64 / known);
    let shape: Vec<usize> = shape.into_iter().map(|s| s as usize).collect();
    assert_eq!(shape.iter().product::<usize>(), x.values.len(), "{:?} to {shape:?}", x.shape);
    Tensor { shape, values: x.values.clone() }
}

/// Softmax over axis 1.
fn softmax(x: &Tensor) -> Tensor {
    let powers = Tensor { shape: x.shape.clone(), values: x.values.iter().map(|v| v.exp()).collect() };
    paired(&powers, &reduce_sum(&powers, &[1.0]), |power, sum| power / sum)
}

/// The sum over axes, which keep size 1.
fn reduce_sum(x: &Tensor, axes: &[f64]) -> Tensor {
    let summed = |axis: usize| axes.contains(&(axis as f64));
    let sized = |kept: bool| (0..x.shape.len()).map(|a| if summed(a) == kept { 1 } else { x.shape[a] }).collect();
    let (shape, inner): (Vec<usize>, Vec<usize>) = (sized(true), sized(false));
    let steps = steps(&x.shape);
    let at = |place: &[usize]| place.iter().zip(&steps).map(|(p, step)| p * step).sum::<usize>();
    by_place(shape, |outer| by_place(inner.clone(), |place| x.values[at(outer) + at(place)]).values.iter().sum())
}

/// Argmax over axis 1, which is dropped.
fn arg_max(x: &Tensor) -> Tensor {
    let step: usize = x.shape[2..].iter().product();
    let shape = [&x.shape[..1], &x.shape[2..]].concat();
    let best = |i: usize| {
        let at = |c: usize| x.values[(i / step * x.shape[1] + c) * step + i % step];
        (0..x.shape[1]).fold(0, |best, c| if at(c) > at(best) { c } else { best }) as f64
    };
    Tensor { values: (0..shape.iter().product()).map(best).collect(), shape }
}

fn gemm(a: &Tensor, b: &Tensor, c: Option<&Tensor>, transposed: i64) -> Tensor {
    assert_eq!((transposed, a.shape[1]), (1, b.shape[1]));
    let dot = |row: &[f64], column: &[f64]| row.iter().zip(column).map(|(x, y)| x * y).sum::<f64>();
    let (depth, columns) = (a.shape[1], b.shape[0]);
    let values = a.values.chunks(depth).flat_map(|row| {
        let columns = b.values.chunks(depth).enumerate();
        columns.map(move |(k, column)| dot(row, column) + c.map_or(0.0, |c| c.values[k]))
    });
    Tensor { shape: vec![a.shape[0], columns], values: values.collect() }
}

fn instance_norm(x: &Tensor, eps: f64, [scale, bias]: [&Vec<f64>; 2]) -> Tensor {
    let len: usize = x.shape[2..].iter().product();
    let values = x.values.chunks(len).enumerate().flat_map(|(i, row)| {
        let mean = row.iter().sum::<f64>() / len as f64;
        let var = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / len as f64;
        let (scale, bias) = (scale[i % x.shape[1]], bias[i % x.shape[1]]);
        row.iter().map(move |v| (v - mean) / (var + eps).sqrt() * scale + bias)
    });
    Tensor { shape: x.shape.clone(), values: values.collect() }
}

fn concat(a: &Tensor, b: &Tensor, axis: i64) -> Tensor {
    assert_eq!((axis, a.shape[0], &a.shape[2..]), (1, b.shape[0], &b.shape[2..]));
    let row = |t: &Tensor| t.values.len() / t.shape[0];
    let pairs = a.values.chunks(row(a)).zip(b.values.chunks(row(b)));
    let values = pairs.flat_map(|(a, b)| [a, b].concat()).collect();
    Tensor { shape: [&[a.shape[0], a.shape[1] + b.shape[1]], &a.shape[2..]].concat(), values }
}

/// Ranges of axes, forwards or (with the step −1) backwards. Negative bounds count from the end.
fn slice(x: &Tensor, [starts, ends, axes]: [&Vec<f64>; 3], by: Option<&Tensor>) -> Tensor {
    let (mut shape, mut first, mut signs) = (x.shape.clone(), vec![0; x.shape.len()], vec![1; x.shape.len()]);
    for (i, &axis) in axes.iter().enumerate() {
        let (axis, step) = (axis as usize, by.map_or(1.0, |steps| steps.values[i]));
        let size = x.shape[axis] as f64;
        let bound = |v: f64| if v < 0.0 { v + size } else { v };
        let (start, end) = match step {
            1.0 => (bound(starts[i]), bound(ends[i])),
            -1.0 => (bound(starts[i]), bound(ends[i]).max(-1.0)),
            _ => panic!("step {step}"),
        };
        let count = (end - start) * step;
        assert!(start >= 0.0 && count >= 1.0 && start + step * (count - 1.0) < size, "{start} {end} of {size}");
        (first[axis], shape[axis], signs[axis]) = (start as isize, count as usize, step as isize);
    }
    let steps = steps(&x.shape);
    by_place(shape, |place| {
        let at = |axis: usize| (first[axis] + signs[axis] * place[axis] as isize) as usize * steps[axis];
        x.values[(0..place.len()).map(at).sum::<usize>()]
    })
}

fn pad(x: &Tensor, pads: &[f64]) -> Tensor {
    let rank = x.shape.len();
    assert!(pads.len() == 2 * rank && pads.iter().all(|&p| p >= 0.0), "{pads:?}");
    let (before, behind) = pads.split_at(rank);
    let shape = (0..rank).map(|axis| x.shape[axis] + (before[axis] + behind[axis]) as usize).collect();
    let steps = steps(&x.shape);
    by_place(shape, |place| {
        let mut at = 0;
        for (axis, &p) in place.iter().enumerate() {
            match p.checked_sub(before[axis] as usize) {
                Some(p) if p < x.shape[axis] => at += p * steps[axis],
                _ => return 0.0,
            }
        }
        x.values[at]
    })
}
