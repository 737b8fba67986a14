//! Convolutions whose tiles are chosen by the test.

use std::time::Duration;

use shadegrad::exec::gpu::EngineOptions;
use shadegrad::internals::exec::shader::Tiling;
use shadegrad::ops::{self, BatchNormOptions, ConvSpec};
use shadegrad::shape::{TensorType, Window};

use super::case::{Case, Context};
use super::table::OpCase;

/// A convolution that writes the moments for a BatchNorm, and one whose input gradient writes the sums for the
/// BatchNorm's gradient.
pub fn around_batch_norm(x: [usize; 4], outputs: usize) -> OpCase {
    OpCase::new(format!("conv2d_around_batch_norm_{x:?}"), move |b| {
        let [w, second] = [("w", [3, 3, x[3], outputs]), ("w2", [3, 3, outputs, x[3]])]
            .map(|(name, shape)| b.random_of(name, TensorType::kernel(shape)));
        let x = b.random("x", x);
        let y = ops::conv2d(&mut b.graph, x, w, ConvSpec::from(Window::square(3).padding(1)))?;
        let (gamma, beta) = (b.random("gamma", [outputs]), b.random("beta", [outputs]));
        let (mean, var) = (b.statistic("mean", vec![0.5; outputs])?, b.statistic("var", vec![2.0; outputs])?);
        let y = ops::batch_norm(&mut b.graph, [y, gamma, beta, mean, var], 1e-5, Some(BatchNormOptions::default()))?;
        let y = ops::relu(&mut b.graph, y)?;
        ops::conv2d(&mut b.graph, y, second, ConvSpec::from(Window::square(3).padding(1)))
    })
}

/// A convolution of activations, which may have 16 bits.
pub fn amidst(name: &str, shape: [usize; 4], [i, o]: [usize; 2], window: Window) -> Case {
    let case = OpCase::new(name, move |b| {
        let x = b.random("x", shape);
        let [kh, kw] = window.kernel_size;
        let w = b.random_of("w", TensorType::kernel([kh, kw, i, o]));
        ops::conv2d(&mut b.graph, x, w, ConvSpec::from(window))
    });
    case.case(Context::Midst)
}

/// Options with tiles in workgroup memory, independent of any record.
pub fn options() -> EngineOptions {
    let (cache_dir, tiling, tune) = (None, Some(Tiling::Workgroup), Some(Duration::ZERO));
    EngineOptions { checked: false, cache_dir, tiling, tune, ..EngineOptions::default() }
}
