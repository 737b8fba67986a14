//! Weights that are initialized as bilinear interpolation.

use shadegrad::exec::PlanOptions;
use shadegrad::graph::Graph;
use shadegrad::nn::{Conv2d, ConvTranspose2d, WeightInit};
use shadegrad::ops::{self, Coordinates, Interpolation};
use shadegrad::shape::TensorType;

use super::{refused, session};

#[test]
fn interpolation_with_unequal_channels_is_refused() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, 4, 4, 3]));
    let words = ["bilinear", "number of channels"];
    refused(ConvTranspose2d::bilinear(5, 2).apply(&mut g, "t", x), &words);
    let conv = Conv2d::new(4, 3).padding(1).bias(false).init(WeightInit::Bilinear);
    refused(conv.apply(&mut g, "c", x), &words);
}

/// Pixels with both neighbors in the image have the values of the interpolating op.
#[test]
fn every_factor_starts_as_interpolation() {
    for factor in [2, 3, 5] {
        let (mut g, size) = (Graph::new(), 4 * factor);
        let x = g.input("x", TensorType::channels([1, 4, 4, 2]));
        let y = ConvTranspose2d::bilinear(2, factor).apply(&mut g, "up", x).expect("2 channels");
        let (bilinear, half_pixel) = (Interpolation::Bilinear, Coordinates::HalfPixel);
        let expected = ops::resize(&mut g, x, [size; 2], bilinear, half_pixel).expect("a size");
        assert_eq!(g.dims(y), [1, size, size, 2]);
        g.output("y", y);
        g.output("expected", expected);
        let mut session = session(&g);
        let plan = session.load(&g, PlanOptions::default()).expect("a plan");
        let values: Vec<f32> = (0..32).map(|i| (i * 7 % 11) as f32).collect();
        session.write(plan, "x", &values).expect("it fits");
        let got = session.run_now(plan).expect("a run");
        let inside = factor / 2..size - factor / 2;
        for at in inside.clone().flat_map(|row| inside.clone().map(move |column| (row * size + column) * 2)) {
            assert!((got[0][at] - got[1][at]).abs() < 1e-5, "factor {factor} at {at}: {} {}", got[0][at], got[1][at]);
        }
    }
}
