//! Sizes that no kernel can have or count.

use shadegrad::exec::PlanOptions;
use shadegrad::graph::{Graph, GraphError, Group, Init, Value};
use shadegrad::internals::ops::{AxisMap, Resize};
use shadegrad::nn::{Conv2d, ConvTranspose2d, Linear};
use shadegrad::ops::{self, ConvSpec, Coordinates, Interpolation};
use shadegrad::shape::{Padding, TensorType, Window};

use super::{refused, session};

fn image(g: &mut Graph) -> Value {
    g.input("x", TensorType::channels([1, 4, 4, 3]))
}

#[test]
fn tensors_without_channels_are_refused() {
    let mut g = Graph::new();
    let words = ["no channels"];
    let none = g.input("none", TensorType::channels([2, 0]));
    refused(ops::relu(&mut g, none), &words);
    refused(ops::flatten(&mut g, none), &words);
    let x = image(&mut g);
    refused(Conv2d::new(0, 3).padding(1).bias(false).apply(&mut g, "c", x), &["c.weight", "no channels"]);
    refused(ConvTranspose2d::new(0, 2).stride(2).apply(&mut g, "t", x), &["t.weight", "no channels"]);
    let row = g.input("row", TensorType::channels([1, 3]));
    refused(Linear::new(0).apply(&mut g, "l", row), &["l.weight", "no channels"]);
    let kernel = g.input("kernel", TensorType::kernel([3]));
    refused(ops::relu(&mut g, kernel), &["input and output channels"]);
    g.output("none", none);
    refused(session(&g).load(&g, PlanOptions::default()), &["none: ", "no channels"]);
}

#[test]
fn sizes_beyond_what_can_be_counted_are_refused() {
    let mut g = Graph::new();
    let words = ["2^31"];
    for dims in [[1, usize::MAX], [1 << 20, 1 << 20], [usize::MAX, 2], [0, usize::MAX]] {
        let huge = g.input("huge", TensorType::channels(dims));
        refused(ops::relu(&mut g, huge), &words);
        refused(ops::flatten(&mut g, huge), &words);
        refused(g.state("s", TensorType::channels(dims), Group::Frozen, Init::Constant(0.0), false), &words);
        let (nearest, asymmetric) = (Interpolation::Nearest, Coordinates::Asymmetric);
        refused(ops::resize(&mut g, huge, [2, 2], nearest, asymmetric), &words);
    }
    let x = image(&mut g);
    refused(ops::reshape(&mut g, x, [usize::MAX, 2]), &words);
    refused(Conv2d::new(usize::MAX, 3).padding(1).bias(false).apply(&mut g, "c", x), &words);
    refused(Conv2d::new(4, usize::MAX).padding(1).bias(false).apply(&mut g, "k", x), &words);
    let spec = ConvSpec { groups: usize::MAX, ..Window::square(2).stride(2).into() };
    let w = g.input("w", TensorType::kernel([2, 2, 3, 3]));
    refused(ops::conv_transpose2d(&mut g, x, w, spec, [0; 2]), &words);
}

#[test]
fn windows_that_are_too_large_are_refused() {
    let plain = Window::square(3).padding(1);
    let windows = [
        Window { stride: [usize::MAX; 2], ..plain },
        Window { dilation: [1, usize::MAX], ..plain },
        Window { dilation: [1 << 40; 2], ..Window::square(3).padding(1) },
        Window { padding: Padding::same(usize::MAX), ..plain },
        Window { padding: Padding { right: 1 << 31, ..Padding::same(1) }, stride: [1 << 30; 2], ..plain },
    ];
    for window in windows {
        let mut g = Graph::new();
        let x = image(&mut g);
        let w = g.input("w", TensorType::kernel([3, 3, 3, 3]));
        let all: [Result<Value, GraphError>; 4] = [
            ops::conv2d(&mut g, x, w, window),
            ops::conv_transpose2d(&mut g, x, w, window, [0; 2]),
            ops::max_pool(&mut g, x, window),
            ops::avg_pool(&mut g, x, window, false),
        ];
        for result in all {
            refused(result, &["too large"]);
        }
    }
}

#[test]
fn regions_and_maps_out_of_reach_are_refused() {
    let mut g = Graph::new();
    let x = image(&mut g);
    refused(ops::crop_pad(&mut g, x, ops::Region::of_size([1, 1, 1]).starting_at([0, i64::MIN, 0])), &["too far"]);
    refused(ops::crop_pad(&mut g, x, ops::Region::of_size([1, 1, 1]).starting_at([0, 0, 1 << 31])), &["too far"]);
    for coordinates in [Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric] {
        let made = ops::resize(&mut g, x, [usize::MAX, 2], Interpolation::Bilinear, coordinates);
        refused(made, &["1 to 16384"]);
    }
    let map = AxisMap { step: 1, offset: 0, scale: 1 };
    for wrong in [AxisMap { scale: 0, ..map }, AxisMap { offset: i64::MIN, ..map }, AxisMap { step: 1 << 40, ..map }] {
        let op = Resize { size: [2, 2], maps: [map, wrong], interpolation: Interpolation::Nearest };
        refused(g.add(op, &[x]), &["does not map"]);
    }
    refused(shadegrad::internals::ops::fma_peak(&mut g, x, 1 << 40), &["rounds"]);
}

#[test]
fn rows_without_an_area_have_no_mean_over_it() {
    let mut g = Graph::new();
    let rows = g.input("x", TensorType::channels([2, 3]));
    refused(ops::global_avg_pool(&mut g, rows), &["global_avg_pool", "[N,H,W,C]", "[2×3]"]);
}

#[test]
fn axes_that_a_tensor_does_not_have_are_refused() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, 3]));
    let other = g.input("other", TensorType::channels([3, 2]));
    let w = g.input("w", TensorType::kernel([3, 3, 4, 4]));
    refused(ops::sum_axes(&mut g, x, &[2]), &["sum", "axes [2]", "0 to 1"]);
    refused(ops::mean_axes(&mut g, x, &[1, 1]), &["sum", "distinct"]);
    refused(ops::sum_axes(&mut g, w, &[0]), &["weight", "all axes"]);
    for make in [ops::add, ops::sub, ops::mul, ops::div] {
        refused(make(&mut g, x, other), &["each axis 1 or of that size", "[2×3], [3×2]"]);
    }
    refused(ops::broadcast(&mut g, x, TensorType::channels([4, 3])), &["broadcast", "[4×3]"]);
}
