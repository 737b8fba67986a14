//! Kernels with padded input channels: their rows of zeros must not count.

use shadegrad::autodiff::gradients_from;
use shadegrad::exec::PlanOptions;
use shadegrad::graph::{Graph, GraphError, Group, Init, Value};
use shadegrad::ops::{self, CrossEntropyOptions, DiceOptions, Regression, UnaryOp};
use shadegrad::shape::{TensorType, Window};

use super::{refused, session};

fn kernel(g: &mut Graph, inputs: usize) -> Value {
    let ty = TensorType::kernel([1, 1, inputs, 4]);
    g.state(&format!("w{inputs}"), ty, Group::Parameters, Init::Constant(3.0), true).expect("a new state")
}

/// Results of ops on rows of channels, for kernels `w` and `v`.
fn rows_of_channels(g: &mut Graph, w: Value, v: Value, inputs: usize) -> Vec<Result<(), GraphError>> {
    let labels = g.input("labels", TensorType::flat(inputs));
    let bias = g.input("bias", TensorType::channels([4]));
    let ty = g.ty(w).clone();
    let pixels = Window::square(1);
    vec![
        ops::regression_loss(g, w, v, Regression::Mse).map(drop),
        ops::softmax_cross_entropy(g, w, labels, None, CrossEntropyOptions::default()).map(drop),
        ops::dice_loss(g, w, labels, DiceOptions::default()).map(drop),
        ops::argmax(g, w).map(drop),
        ops::unary(g, w, UnaryOp::Sigmoid).map(drop),
        ops::add_bias(g, w, bias).map(drop),
        ops::reshape(g, w, [inputs * 4]).map(drop),
        ops::flatten(g, w).map(drop),
        ops::concat(g, &[w, v]).map(drop),
        ops::crop_pad(g, w, ops::Region::of_size([1, inputs, 4])).map(drop),
        ops::max_pool(g, w, pixels).map(drop),
        ops::group_norm(g, [w, bias, bias], ops::GroupNormOptions { groups: 1, eps: 0.0 }).map(drop),
        ops::fill(g, ty, 1.0).map(drop),
    ]
}

#[test]
fn kernels_with_padded_input_channels_are_refused_as_rows() {
    for (inputs, right) in [(3, false), (4, true)] {
        let mut g = Graph::new();
        let w = kernel(&mut g, inputs);
        let v = ops::scale(&mut g, w, 1.0).expect("an activation");
        for (index, result) in rows_of_channels(&mut g, w, v, inputs).into_iter().enumerate() {
            match right {
                true => result.unwrap_or_else(|e| panic!("{index}: {e}")),
                false => refused(result, &["input channels", "padded"]),
            }
        }
    }
}

/// Σ (2w + w)²: products and sums read zeros in the padding.
#[test]
fn sums_and_products_of_kernels_are_right() {
    let mut g = Graph::new();
    let w = kernel(&mut g, 3);
    let twice = ops::scale(&mut g, w, 2.0).expect("an activation");
    let thrice = ops::add(&mut g, twice, w).expect("equal shapes");
    let squares = ops::mul(&mut g, thrice, thrice).expect("equal shapes");
    let sums = ops::channel_sums(&mut g, squares).expect("it has channels");
    let upstream = g.input("upstream", TensorType::kernel([1, 1, 3, 4]));
    let gradient = gradients_from(&mut g, &[(squares, upstream)], &[w]).expect("it depends on w")[0];
    g.output("sums", sums);
    g.output("gradient", gradient);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "upstream", &[1.0; 12]).expect("it fits");
    let got = session.run_now(plan).expect("a run");
    assert_eq!(got[0], [3.0 * 81.0; 4], "three weights of 3 for each output");
    assert_eq!(got[1], [2.0 * 9.0 * 3.0; 12], "of (3w)²");
}
