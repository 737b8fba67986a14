//! Training traces of PyTorch: the shared generator of values, and the comparison of states after the run.

use serde_json::Value as Json;
use shadegrad::exec::{Engine, Session};

use super::Number;
use super::compare::Failures;
use super::layout::transpose;

/// `count` values of the fixture's counter-based generator, 24 bits each.
pub fn k(seed: u64, count: usize) -> impl Iterator<Item = u64> {
    (0..count as u64).map(move |i| {
        let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(i);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) >> 40
    })
}

/// 2u − 1.
pub fn signed(seed: u64, count: usize) -> Vec<f64> {
    k(seed, count).map(|v| v as f64 / f64::from(1 << 23) - 1.0).collect()
}

pub fn floats(list: &Json) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}
pub fn sizes(list: &Json) -> Vec<usize> {
    list.as_array().expect("a list").iter().map(|v| v.as_u64().expect("a size") as usize).collect()
}
pub fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of[name].as_str().expect("a text")
}

/// The initial values of a tensor in PyTorch's order, as f32.
pub fn start(about: &Json) -> Vec<f64> {
    let (bound, constant) = (about["bound"].as_f64().expect("a bound"), about["constant"].as_f64().expect("a value"));
    let count = sizes(&about["shape"]).iter().product();
    let seed = about["seed"].as_u64().expect("a seed");
    signed(seed, count).into_iter().map(|v| f64::from((v * bound + constant) as f32)).collect()
}

pub fn narrow<E: Engine>(values: &[f64]) -> Vec<E::Scalar>
where
    E::Scalar: Number,
{
    values.iter().map(|&v| Number::of(v)).collect()
}

/// `tolerance` is the limit of ‖got − expected‖ / ‖expected‖. Eight elements of the difference estimate its norm. Sums
/// bound it from below: |Σ d| ≤ ‖d‖·sqrt(n).
pub fn compare_tensor(failures: &mut Failures, what: &str, got: &[f64], (about, end): (&Json, &Json), tolerance: f64) {
    let n = got.len() as f64;
    let norm = got.iter().map(|v| v * v).sum::<f64>().sqrt();
    let indices = sizes(&about["indices"]);
    let values = floats(&end["values_f64"]);
    let off = indices.iter().zip(&values).map(|(&i, v)| (got[i] - v).powi(2)).sum::<f64>() / values.len() as f64;
    failures.close_to_scale(&format!("{what} (elements)"), &[off.sqrt()], &[0.0], tolerance, norm / n.sqrt());
    let sum: f64 = got.iter().sum();
    let magnitudes: f64 = got.iter().map(|v| v.abs()).sum();
    for (name, got) in [("sum_f64", sum), ("abs_sum_f64", magnitudes)] {
        let expected = end[name].as_f64().expect("a number");
        failures.close_to_scale(&format!("{what} ({name})"), &[got], &[expected], tolerance, norm * n.sqrt());
    }
}

/// A state in PyTorch's order.
pub fn as_pytorch<E: Engine>(session: &mut Session<E>, about: &Json) -> Vec<f64>
where
    E::Scalar: Number,
{
    let values = session.read_state(text(about, "name")).unwrap_or_else(|e| panic!("{e}"));
    let values: Vec<f64> = values.into_iter().map(Number::wide).collect();
    match sizes(&about["shape"])[..] {
        [o, i, h, w] => transpose(&values, &[h, w, i, o], &[3, 2, 0, 1]).1,
        [o, i] => transpose(&values, &[i, o], &[1, 0]).1,
        _ => values,
    }
}
