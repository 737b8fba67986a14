//! Cases of the ops for dense prediction: transposed convolution, regions, resizing, losses per pixel.

use shadegrad::graph::GraphError;
use shadegrad::ops::{self, ConvSpec, Coordinates, DiceOptions, Interpolation, Regression};
use shadegrad::shape::{Padding, Shape, TensorType, Window};

use super::case::{normal, uniform};
use super::table::OpCase;

/// A transposed convolution of x [n, h, w, inputs] to `outputs` channels.
#[derive(Clone, Copy, Debug)]
pub struct TransposedCase {
    pub name: &'static str,
    pub x: [usize; 4],
    pub outputs: usize,
    pub spec: ConvSpec,
    pub output_padding: [usize; 2],
}

/// Name, x, outputs, kernel size, stride, padding (top, left, bottom, right), output padding, dilation, groups.
type Row = (&'static str, [usize; 4], usize, [usize; 2], [usize; 2], [usize; 4], [usize; 2], [usize; 2], usize);

/// All transposed convolutions.
pub fn transposed_cases() -> Vec<TransposedCase> {
    let table: &[Row] = &[
        ("2x2_s2", [2, 3, 5, 8], 4, [2, 2], [2, 2], [0; 4], [0, 0], [1, 1], 1),
        ("2x2_s2_odd_channels", [2, 5, 3, 7], 5, [2, 2], [2, 2], [0; 4], [0, 0], [1, 1], 1),
        ("3x3_s1", [2, 5, 7, 5], 3, [3, 3], [1, 1], [1; 4], [0, 0], [1, 1], 1),
        ("3x3_s2_output_padding", [1, 4, 6, 3], 5, [3, 3], [2, 2], [1; 4], [1, 1], [1, 1], 1),
        ("4x4_s2_width47", [1, 2, 24, 3], 5, [4, 4], [2, 2], [1; 4], [0, 0], [1, 1], 1),
        ("2x2_s3_gaps", [2, 3, 4, 5], 3, [2, 2], [3, 3], [0; 4], [0, 0], [1, 1], 1),
        ("map1x1", [3, 1, 1, 13], 5, [4, 4], [1, 1], [0; 4], [0, 0], [1, 1], 1),
        ("asymmetric_s2", [1, 5, 4, 3], 7, [4, 3], [2, 3], [1, 0, 2, 1], [0, 1], [1, 1], 1),
        ("dilation2_s2", [1, 4, 5, 5], 3, [3, 3], [2, 2], [2; 4], [1, 1], [2, 2], 1),
        ("dilation2_output_padding_of_stride1", [1, 4, 5, 3], 3, [3, 3], [1, 1], [2; 4], [1, 1], [2, 2], 1),
        ("groups2_aligned", [2, 3, 5, 8], 8, [3, 3], [2, 2], [1; 4], [1, 1], [1, 1], 2),
        ("groups3_unaligned", [2, 3, 2, 6], 9, [3, 3], [2, 2], [1; 4], [0, 0], [1, 1], 3),
        ("depthwise", [2, 4, 3, 5], 5, [4, 4], [2, 2], [1; 4], [0, 0], [1, 1], 5),
        ("16x16_s8", [1, 3, 2, 5], 6, [16, 16], [8, 8], [4; 4], [0, 0], [1, 1], 1),
    ];
    let case = |&(
        name,
        x,
        outputs,
        kernel_size,
        stride,
        [top, left, bottom, right],
        output_padding,
        dilation,
        groups,
    ): &Row| {
        let padding = Padding { top, left, bottom, right };
        let window = Window { kernel_size, stride, padding, dilation, ceil_mode: false };
        TransposedCase { name, x, outputs, spec: ConvSpec { window, groups }, output_padding }
    };
    table.iter().map(case).collect()
}

/// All ops of this file.
pub fn dense_cases() -> Vec<OpCase> {
    [transposed(), regions(), resizes(), losses()].into_iter().flatten().collect()
}

fn transposed() -> Vec<OpCase> {
    let case = |c: TransposedCase| {
        OpCase::new(format!("conv_transpose2d_{}", c.name), move |b| {
            let [kh, kw] = c.spec.window.kernel_size;
            let x = b.random("x", c.x);
            let w = b.random_of("w", TensorType::kernel([kh, kw, c.outputs / c.spec.groups, c.x[3]]));
            let bias = b.random("b", [c.outputs]);
            let y = ops::conv_transpose2d(&mut b.graph, x, w, c.spec, c.output_padding)?;
            ops::add_bias(&mut b.graph, y, bias)
        })
    };
    transposed_cases().into_iter().map(case).collect()
}

fn regions() -> Vec<OpCase> {
    let region = |name: &str, x: [usize; 4], start: [i64; 3], size: [usize; 3]| {
        OpCase::new(format!("crop_pad_{name}"), move |b| {
            let x = b.random("x", x);
            ops::crop_pad(&mut b.graph, x, ops::Region { start, size })
        })
    };
    let flip = |name: &str, x: [usize; 4]| {
        OpCase::new(format!("flip_{name}"), move |b| {
            let x = b.random("x", x);
            ops::flip(&mut b.graph, x)
        })
    };
    let join = |name: &str, channels: Vec<usize>| {
        OpCase::new(format!("concat_{name}"), move |b| {
            let parts: Vec<_> =
                channels.iter().enumerate().map(|(i, &c)| b.random(&format!("x{i}"), [2, 5, 47, c])).collect();
            ops::concat(&mut b.graph, &parts)
        })
    };
    vec![
        flip("odd", [2, 3, 47, 5]),
        flip("one_column", [2, 3, 1, 4]),
        flip("even", [1, 5, 6, 9]),
        region("crop", [2, 7, 6, 5], [2, 1, 0], [4, 3, 5]),
        region("pad", [2, 3, 5, 3], [-1, -2, 0], [7, 9, 3]),
        region("crop_and_pad", [1, 5, 4, 8], [2, -1, 0], [6, 4, 8]),
        region("channels_aligned", [2, 3, 5, 13], [0, 0, 4], [3, 5, 6]),
        region("channels_unaligned", [2, 3, 5, 13], [0, 0, 3], [3, 5, 7]),
        region("channels_before", [2, 3, 5, 6], [0, 0, -5], [3, 5, 13]),
        region("channels_behind", [2, 3, 5, 6], [1, 0, -4], [3, 5, 12]),
        join("aligned", vec![8, 4]),
        join("end_unaligned", vec![4, 7]),
        join("unaligned", vec![3, 6]),
        join("three", vec![5, 1, 4]),
        OpCase::new("concat_of_one_value_twice", |b| {
            let x = b.random("x", [1, 3, 5, 4]);
            ops::concat(&mut b.graph, &[x, x])
        }),
    ]
}

fn resizes() -> Vec<OpCase> {
    let mut cases = vec![];
    for (x, size) in [
        ([2, 3, 5, 5], [6, 10]),
        ([1, 4, 7, 3], [9, 47]),
        ([2, 7, 9, 6], [3, 4]),
        ([1, 1, 1, 3], [4, 3]),
        ([1, 5, 6, 4], [1, 1]),
        ([1, 3, 4, 4], [3, 4]),
    ] {
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
            for coordinates in [Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric] {
                let name = format!("resize_{interpolation:?}_{coordinates:?}_{x:?}_{size:?}");
                cases.push(OpCase::new(name, move |b| {
                    let x = b.random("x", x);
                    ops::resize(&mut b.graph, x, size, interpolation, coordinates)
                }));
            }
        }
    }
    cases
}

fn losses() -> Vec<OpCase> {
    let mut cases = vec![];
    for loss in [Regression::Mse, Regression::L1, Regression::Huber(0.75)] {
        for shape in [vec![2, 5, 7, 3], vec![3, 47, 11, 26], vec![1, 1]] {
            cases.push(OpCase::new(format!("{loss:?}_{shape:?}"), move |b| {
                let x = b.random_of("prediction", TensorType::channels(Shape(shape.clone())));
                let target = normal(&format!("{shape:?}/target"), shape.iter().product());
                // Far from |d| = 0 and |d| = δ, where the slope is undefined.
                let target = b.inputs["prediction"].iter().zip(target).map(|(x, t)| x + 0.3 * t + 0.1 * t.signum());
                let target: Vec<f64> = target.map(|v| f64::from(v as f32)).collect();
                let target = b.constant("target", TensorType::channels(Shape(shape.clone())), target);
                let [loss, totals] = ops::regression_loss(&mut b.graph, x, target, loss)?;
                b.graph.output("totals", totals);
                Ok(loss)
            }));
        }
    }
    for (shape, smooth, ignore_index) in
        [(vec![2, 5, 7, 3], 1.0, None), (vec![1, 9, 47, 6], 0.0, Some(2)), (vec![300, 5], 0.5, Some(-1))]
    {
        cases.push(OpCase::new(format!("dice_{shape:?}"), move |b| {
            let ty = TensorType::channels(Shape(shape.clone()));
            let (rows, classes) = (ty.shape.rows(), ty.shape.channels());
            let x = b.random_of("logits", ty);
            let label = |i: usize| if i % 5 == 1 { ignore_index.unwrap_or(0) } else { (i * 7 % classes) as i32 };
            let labels = b.constant("labels", TensorType::flat(rows), (0..rows).map(|i| label(i).into()).collect());
            ops::dice_loss(&mut b.graph, x, labels, DiceOptions { smooth, ignore_index })
        }));
    }
    cases
}

/// The multiply-add probe, which has no gradient.
pub fn probe_case() -> Result<super::Case, GraphError> {
    let mut b = super::case::Builder::new("fma_peak", super::case::Context::Alone);
    let ty = TensorType::channels([2, 9, 11, 13]);
    // Below 1, so that the sums converge.
    let values = uniform("probe", ty.shape.elements(), -0.9, 0.9);
    let x = b.constant("x", ty, values);
    let y = shadegrad::internals::ops::fma_peak(&mut b.graph, x, 5)?;
    b.finish(&[("y", y, None)])
}

/// Logits of this shape with labels, some of them ignored: argmax and the confusion matrix.
pub fn counted_case(shape: [usize; 4]) -> Result<super::Case, GraphError> {
    let mut b = super::case::Builder::new(&format!("confusion_{shape:?}"), super::case::Context::Alone);
    let ty = TensorType::channels(shape);
    let (rows, classes) = (ty.shape.rows(), shape[3]);
    // Whole numbers make ties.
    let logits = normal("counted", ty.shape.elements()).into_iter().map(|v| (2.0 * v).round()).collect();
    let logits = b.constant("logits", ty, logits);
    let label = |i: usize| if i % 7 == 3 { -1.0 } else { (i * i % (classes + 1)) as f64 };
    let labels = b.constant("labels", TensorType::flat(rows), (0..rows).map(label).collect());
    let predictions = ops::argmax(&mut b.graph, logits)?;
    let counts = ops::confusion(&mut b.graph, labels, predictions, classes)?;
    b.finish(&[("predictions", predictions, None), ("counts", counts, None)])
}
