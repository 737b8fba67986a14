//! Small networks that the rewrites apply to.

use shadegrad::graph::{GraphError, Value};
use shadegrad::ops::{self, BatchNormOptions};
use shadegrad::shape::{TensorType, Window};

use super::case::{Builder, normal, uniform};
use super::table::{OpCase, batch_norm};

/// Result of a case's builder.
type Made = Result<Value, GraphError>;

/// All networks.
pub fn blocks() -> Vec<OpCase> {
    let trained = Some(BatchNormOptions::default());
    // Row counts below and above the limit of the single-workgroup norm.
    let (few, many) = ([2, 5, 7, 6], [3, 19, 21, 6]);
    let added = |name: &str, shape: [usize; 4], norm_first: bool, training| {
        OpCase::new(format!("norm_add_relu_{name}"), move |b| {
            let (x, shortcut) = (b.random("x", shape), b.random("shortcut", shape));
            let y = batch_norm(b, x, training)?;
            let (first, second) = if norm_first { (y, shortcut) } else { (shortcut, y) };
            let sum = ops::add(&mut b.graph, first, second)?;
            ops::relu(&mut b.graph, sum)
        })
    };
    let alone = |name: &str, shape: [usize; 4], training| {
        OpCase::new(name, move |b| {
            let x = b.random("x", shape);
            let y = batch_norm(b, x, training)?;
            ops::relu(&mut b.graph, y)
        })
    };
    let after_conv =
        |name: &str, x: [usize; 4], outputs: usize, window: Window, more: fn(&mut Builder, Value) -> Made| {
            OpCase::new(format!("conv_norm_{name}"), move |b| {
                let [kh, kw] = window.kernel_size;
                let (x, w) = (b.random("x", x), b.random_of("w", TensorType::kernel([kh, kw, x[3], outputs])));
                let y = ops::conv2d(&mut b.graph, x, w, window)?;
                let y = batch_norm(b, y, trained)?;
                more(b, y)
            })
        };
    let plain = |_: &mut Builder, y| Ok(y);
    // So few results that none is within a finite-difference step of the kink.
    let relu = |b: &mut Builder, y| ops::relu(&mut b.graph, y);
    let residual = |b: &mut Builder, y| {
        let ty = b.graph.ty(y).clone();
        let shortcut = b.random_of("shortcut", ty);
        let y = ops::add(&mut b.graph, y, shortcut)?;
        ops::relu(&mut b.graph, y)
    };
    // The convolution's input gradient writes the sums of the norm's gradient.
    let before_conv =
        |name: &str, x: [usize; 4], relu: bool, training, more: fn(&mut Builder, Value, Value) -> Made| {
            OpCase::new(format!("norm_conv_{name}"), move |b| {
                let mut y = far_from_the_kink(b, x, training)?;
                if relu {
                    y = ops::relu(&mut b.graph, y)?;
                }
                let w = b.random_of("w", TensorType::kernel([3, 3, x[3], 11]));
                let z = ops::conv2d(&mut b.graph, y, w, Window::square(3).padding(1))?;
                more(b, y, z)
            })
        };
    let no_more = |_: &mut Builder, _, z| Ok(z);
    let used_twice = |b: &mut Builder, y, z| {
        let c = b.graph.dims(y)[3];
        let w = b.random_of("w2", TensorType::kernel([1, 1, c, 11]));
        let other = ops::conv2d(&mut b.graph, y, w, Window::square(1))?;
        ops::add(&mut b.graph, z, other)
    };
    let residual_before_conv = OpCase::new("norm_conv_residual", move |b| {
        let shortcut = b.parameter(
            "shortcut",
            TensorType::channels([3, 19, 21, 6]),
            uniform("shortcut", 3 * 19 * 21 * 6, -0.03, 0.03),
        );
        let y = far_from_the_kink(b, [3, 19, 21, 6], trained)?;
        let y = ops::add(&mut b.graph, y, shortcut)?;
        let y = ops::relu(&mut b.graph, y)?;
        let w = b.random_of("w", TensorType::kernel([3, 3, 6, 11]));
        ops::conv2d(&mut b.graph, y, w, Window::square(3).padding(1))
    });
    // The pooled map has a second use, so its gradient is some channels of a joint gradient.
    let pooled_beside = |name: &str, before: usize| {
        OpCase::new(format!("pool_{name}"), move |b| {
            let (other, x) = (b.random("other", [2, 5, 7, before]), b.random("x", [2, 5, 7, 8]));
            let pooled = ops::max_pool(&mut b.graph, x, Window::square(3).padding(1))?;
            ops::concat(&mut b.graph, &[other, x, pooled])
        })
    };
    vec![
        pooled_beside("beside_whole_vectors", 4),
        pooled_beside("beside_others", 3),
        OpCase::new("pool_added", |b| {
            let x = b.random("x", [2, 5, 7, 6]);
            let pooled = ops::max_pool(&mut b.graph, x, Window::square(3).padding(1))?;
            ops::add(&mut b.graph, x, pooled)
        }),
        before_conv("relu", [2, 24, 23, 5], true, trained, no_more),
        before_conv("plain", [3, 19, 21, 6], false, trained, no_more),
        before_conv("eval", [2, 24, 23, 13], true, None, no_more),
        before_conv("twice", [3, 19, 21, 20], true, trained, used_twice),
        residual_before_conv,
        after_conv("3x3", [2, 24, 23, 5], 9, Window::square(3).padding(1), relu),
        after_conv("3x3_residual", [3, 19, 21, 6], 13, Window::square(3).padding(1), residual),
        after_conv("3x3_whole_tiles", [2, 32, 32, 16], 64, Window::square(3).padding(1), plain),
        after_conv("1x1", [1, 35, 47, 3], 70, Window::square(1), plain),
        after_conv("5x5_s2", [5, 33, 31, 3], 5, Window::square(5).stride(2).padding(2), relu),
        alone("norm_relu", few, trained),
        alone("norm_relu_many_rows", many, trained),
        alone("norm_relu_eval", few, None),
        alone("norm_relu_eval_many_rows", many, None),
        OpCase::new("group_norm_relu", |b| {
            let (x, gamma, beta) = (b.random("x", [2, 5, 7, 6]), b.random("gamma", [6]), b.random("beta", [6]));
            let y = ops::group_norm(&mut b.graph, [x, gamma, beta], ops::GroupNormOptions::new(3))?;
            ops::relu(&mut b.graph, y)
        }),
        added("first", few, true, trained),
        added("many_rows", many, true, trained),
        added("second", few, false, trained),
        added("eval", few, true, None),
        OpCase::new("shortcut_used_twice", move |b| {
            let x = b.random("x", [2, 5, 7, 6]);
            let y = batch_norm(b, x, trained)?;
            let sum = ops::add(&mut b.graph, y, x)?;
            let y = ops::relu(&mut b.graph, sum)?;
            ops::mul(&mut b.graph, y, sum)
        }),
        OpCase::new("two_norms_added", move |b| {
            let x = b.random("x", [2, 5, 7, 6]);
            let first = batch_norm(b, x, trained)?;
            let (gamma, beta) = (b.random("gamma2", [6]), b.random("beta2", [6]));
            let second = ops::group_norm(&mut b.graph, [x, gamma, beta], ops::GroupNormOptions::new(2))?;
            let sum = ops::add(&mut b.graph, first, second)?;
            ops::relu(&mut b.graph, sum)
        }),
    ]
}

/// Norms that finite differences cannot check. Large maps have too many elements; an invocation takes 4 of their rows,
/// or 2 if the number of rows is not a multiple of 4. A scale of 0, at which blocks may start, puts all results on the
/// kink of ReLU.
pub fn without_differences() -> [OpCase; 6] {
    let trained = Some(BatchNormOptions::default());
    let relu = OpCase::new("norm_relu_large_map", move |b| {
        let y = far_from_the_kink(b, [1, 128, 128, 16], trained)?;
        ops::relu(&mut b.graph, y)
    });
    let residual = OpCase::new("norm_add_relu_large_map", move |b| {
        let shape = [2, 127, 129, 7];
        let y = far_from_the_kink(b, shape, trained)?;
        let values = uniform("shortcut", shape.iter().product(), 0.0, 0.02);
        let shortcut = b.parameter("shortcut", TensorType::channels(shape), values);
        let sum = ops::add(&mut b.graph, y, shortcut)?;
        ops::relu(&mut b.graph, sum)
    });
    let eval = OpCase::new("norm_large_map_eval", |b| {
        let x = b.random("x", [1, 128, 128, 16]);
        batch_norm(b, x, None)
    });
    let groups = OpCase::new("group_norm_large_map", |b| {
        let (x, gamma, beta) = (b.random("x", [1, 128, 129, 13]), b.random("gamma", [13]), b.random("beta", [13]));
        ops::group_norm(&mut b.graph, [x, gamma, beta], ops::GroupNormOptions::new(1))
    });
    // The CPU engine gives a task as many rows as a cache holds, but no rows of two samples.
    let tasks = OpCase::new("group_norm_tasks_of_samples", |b| {
        let (x, gamma, beta) = (b.random("x", [2, 19, 17, 64]), b.random("gamma", [64]), b.random("beta", [64]));
        ops::group_norm(&mut b.graph, [x, gamma, beta], ops::GroupNormOptions::new(2))
    });
    let zeros = OpCase::new("norm_relu_of_zeros", move |b| {
        let (x, vector) = (b.random("x", [2, 5, 7, 6]), TensorType::channels([6]));
        let [gamma, beta] = ["gamma", "beta"].map(|name| b.parameter(name, vector.clone(), vec![0.0; 6]));
        let (mean, var) = (b.statistic("mean", normal("mean", 6))?, b.statistic("var", uniform("var", 6, 0.5, 2.0))?);
        let y = ops::batch_norm(&mut b.graph, [x, gamma, beta, mean, var], 1e-5, trained)?;
        ops::relu(&mut b.graph, y)
    });
    [relu, residual, eval, groups, tasks, zeros]
}

/// A BatchNorm with results of either sign, none near 0. With results near 0, the ReLU after it could cut a value in 16
/// bits that it keeps in 64 bits.
fn far_from_the_kink(b: &mut Builder, x: [usize; 4], training: Option<BatchNormOptions>) -> Result<Value, GraphError> {
    let (c, len) = (x[3], x.iter().product());
    let signs = normal("signs", len);
    let values = uniform("values", len, 1.0, 1.2).into_iter().zip(signs).map(|(v, sign)| v * sign.signum());
    let vector = || TensorType::channels([c]);
    let gamma = b.parameter("gamma", vector(), uniform("gamma", c, 0.5, 1.5));
    let beta = b.parameter("beta", vector(), uniform("beta", c, -0.03, 0.03));
    let mean = b.statistic("mean", uniform("mean", c, -0.1, 0.1))?;
    let var = b.statistic("var", uniform("var", c, 0.8, 1.2))?;
    let x = b.parameter("x", TensorType::channels(x), values.collect());
    ops::batch_norm(&mut b.graph, [x, gamma, beta, mean, var], 1e-5, training)
}
