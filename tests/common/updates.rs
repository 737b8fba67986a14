//! Every optimizer update, the averages of gradients and weights, and scaled gradients.

use shadegrad::graph::{GraphError, Group, Init, STATE_ALIGN};
use shadegrad::ops::{self, AdamOptions, SgdOptions, SpanRate};
use shadegrad::shape::TensorType;

use super::case::{Builder, Case, Context, Values, normal};

/// An optimizer's settings.
#[derive(Clone, Copy, Debug)]
pub enum Update {
    Sgd(SgdOptions),
    Adam(AdamOptions),
}

/// Two parameters, one of them without decay, over `gradients`: one list of gradients (of both) per step.
pub fn update_case(
    name: &str,
    parameters: &[(&str, TensorType, bool, Vec<f64>)],
    gradients: &[Values],
    update: (Update, Option<f32>, f64),
) -> Result<Case, GraphError> {
    update_case_of_spans(name, parameters, gradients, update, &[])
}

/// [`update_case`] with a factor of the learning rate for each parameter. A parameter with the factor 0 is not trained.
/// Without factors all have one rate. Parameters with decay stand before those without.
fn update_case_of_spans(
    name: &str,
    parameters: &[(&str, TensorType, bool, Vec<f64>)],
    gradients: &[Values],
    (update, clip, lr): (Update, Option<f32>, f64),
    factors: &[f64],
) -> Result<Case, GraphError> {
    let mut b = Builder::new(name, Context::Alone);
    let mut packed = vec![];
    for (name, ty, decay, start) in parameters {
        b.states.insert((*name).into(), start.clone());
        b.graph.state(name, ty.clone(), Group::Parameters, Init::Constant(0.0), *decay)?;
        let grad = b.graph.input(&format!("gradient.{name}"), ty.clone());
        // The flat buffer needs results of nodes.
        packed.push(ops::scale(&mut b.graph, grad, 1.0)?);
    }
    let flat = ops::pack_parameters(&mut b.graph, &packed)?;
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    let guard = b.constant("guard", TensorType::channels([1]), vec![0.5]);
    let factor = clip.map(|max| ops::clip_scale(&mut b.graph, flat, None, max)).transpose()?;
    let rates = (!factors.is_empty()).then(|| b.graph.input("rates", SpanRate::ty(factors.len())));
    let betas = match update {
        Update::Sgd(o) => ops::sgd_step(&mut b.graph, flat, hyper, factor, guard, rates, o).map(|()| [0.0; 2])?,
        Update::Adam(o) => ops::adam_step(&mut b.graph, flat, hyper, factor, guard, rates, o).map(|()| o.betas)?,
    };
    let outputs: Vec<_> = factor.iter().map(|&f| ("clip", f, None)).collect();
    let mut case = b.finish(&outputs)?;
    let lens = parameters.iter().map(|(_, ty, ..)| ty.len().div_ceil(STATE_ALIGN));
    let ends: Vec<usize> = lens.scan(0, |end, len| Some((*end += len, *end).1)).collect();
    let step = |(t, grads): (usize, &Values)| {
        let hyper = |factor: f64| ops::Hyper::new(lr * factor, betas, t as u64 + 1);
        let row = |(&factor, &end): (&f64, &usize)| {
            SpanRate { end, trained: (factor > 0.0).then(|| hyper(factor)) }.row().map(f64::from)
        };
        let rows: Vec<f64> = factors.iter().zip(&ends).flat_map(row).collect();
        let named = grads.iter().map(|(name, v)| (format!("gradient.{name}"), v.clone()));
        let rates = rates.map(|_| ("rates".to_owned(), rows));
        named.chain([("hyper".to_owned(), hyper(1.0).values().map(f64::from).to_vec())]).chain(rates).collect()
    };
    case.steps = gradients.iter().enumerate().map(step).collect();
    Ok(case)
}

/// Sum and mean of the gradients of three batches, and the moving average of a parameter.
fn averages_case() -> Result<Case, GraphError> {
    let (mut b, ty) = (Builder::new("averages", Context::Alone), TensorType::kernel([3, 3, 5, 7]));
    b.states.insert("w".into(), normal("averages/w", ty.shape.elements()));
    b.graph.state("w", ty.clone(), Group::Parameters, Init::Constant(0.0), true)?;
    let grad = b.graph.input("gradient", ty.clone());
    let grad = ops::scale(&mut b.graph, grad, 1.0)?;
    let flat = ops::pack_parameters(&mut b.graph, &[grad])?;
    let totals = b.graph.input("totals", TensorType::channels([4]));
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    ops::accumulate(&mut b.graph, flat, totals, hyper, false)?;
    let mean = ops::accumulate(&mut b.graph, flat, totals, hyper, true)?.expect("the last batch has a mean");
    ops::moving_average(&mut b.graph, hyper)?;
    let mut case = b.finish(&[("mean", mean, None)])?;
    let step = |t: usize| {
        let keep = if t == 1 { 0.0 } else { 1.0 };
        // The first batch drops the sum that earlier batches left in memory.
        let hyper = ops::Hyper { average_decay: 0.75, keep, ..Default::default() }.values().map(f64::from).to_vec();
        let gradient = normal(&format!("averages/{t}"), ty.shape.elements());
        let totals = vec![0.5, [3.0, 7.5, 2.0][t], 0.0, 9.0];
        [("gradient", gradient), ("totals", totals), ("hyper", hyper)].map(|(n, v)| (n.to_owned(), v)).into()
    };
    case.steps = (0..3).map(step).collect();
    Ok(case)
}

/// States of the scale: at the start, one good step before a rise at the upper bound, at the lower bound, one good step
/// before a rise.
pub const LOSS_SCALES: [[f64; 4]; 4] =
    [[0.0; 4], [8.0, 1999.0, 0.0, 0.0], [-30.0, 5.0, 0.0, 0.0], [3.0, 1999.0, 0.0, 0.0]];

/// Scaled gradients, from a state of the scale. The gradient of the middle step is not finite, and changes only the
/// scale.
pub fn loss_scale_case(start: [f64; 4]) -> Result<Case, GraphError> {
    let name = format!("loss_scale_{start:?}");
    let (mut b, ty) = (Builder::new(&name, Context::Alone), TensorType::kernel([3, 3, 5, 7]));
    b.states.insert(ops::LOSS_SCALE.into(), start.to_vec());
    b.states.insert("w".into(), normal("loss_scale/w", ty.shape.elements()));
    b.graph.state("w", ty.clone(), Group::Parameters, Init::Constant(0.0), true)?;
    let scale = ops::loss_scale(&mut b.graph)?;
    let grad = b.graph.input("gradient", ty.clone());
    let grad = ops::scale(&mut b.graph, grad, 65536.0)?;
    let flat = ops::pack_parameters(&mut b.graph, &[grad])?;
    let hyper = b.graph.input("hyper", ops::Hyper::ty());
    let factor = ops::clip_scale(&mut b.graph, flat, Some(scale), f32::MAX)?;
    ops::sgd_step(&mut b.graph, flat, hyper, Some(factor), factor, None, SgdOptions::default())?;
    ops::update_loss_scale(&mut b.graph, factor)?;
    let mut case = b.finish(&[("scale", scale, None)])?;
    let step = |t: usize| {
        let mut gradient = normal(&format!("loss_scale/{t}"), ty.shape.elements());
        if t == 1 {
            gradient[17] = f64::INFINITY;
        }
        let hyper = ops::Hyper::new(0.1, [0.0; 2], t as u64 + 1).values().map(f64::from).to_vec();
        [("gradient", gradient), ("hyper", hyper)].map(|(n, v)| (n.to_owned(), v)).into()
    };
    case.steps = (0..3).map(step).collect();
    Ok(case)
}

/// Every optimizer with every flag, and the averages.
pub fn update_cases() -> Vec<Case> {
    let sgd = SgdOptions { momentum: 0.9, nesterov: false, weight_decay: 0.05, decay_all: false };
    let adam = AdamOptions { betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.1, decoupled: false, decay_all: false };
    let table = [
        ("sgd_plain", Update::Sgd(SgdOptions { momentum: 0.0, weight_decay: 0.0, ..sgd }), None, vec![]),
        ("sgd_momentum_clipped", Update::Sgd(sgd), Some(1.5), vec![]),
        ("sgd_nesterov_decay_all", Update::Sgd(SgdOptions { nesterov: true, decay_all: true, ..sgd }), None, vec![]),
        ("sgd_spans", Update::Sgd(SgdOptions { nesterov: true, ..sgd }), Some(1.5), vec![0.3, 1.0]),
        ("adam", Update::Adam(adam), None, vec![]),
        ("adam_clipped", Update::Adam(AdamOptions { decay_all: true, ..adam }), Some(0.7), vec![]),
        ("adam_spans", Update::Adam(adam), None, vec![0.0, 0.5]),
        ("adamw", Update::Adam(AdamOptions { decoupled: true, ..adam }), None, vec![]),
        ("adamw_spans", Update::Adam(AdamOptions { decoupled: true, ..adam }), Some(0.7), vec![0.25, 0.0]),
    ];
    let shapes = [("w", TensorType::kernel([3, 3, 5, 7]), true), ("b", TensorType::channels([7]), false)];
    let of = |case: &str, t: usize| {
        let values = |name: &str, ty: &TensorType| normal(&format!("{case}/{name}/{t}"), ty.shape.elements());
        shapes.iter().map(|(name, ty, _)| ((*name).to_owned(), values(name, ty))).collect::<Values>()
    };
    let make = |(name, update, clip, factors): (&str, Update, Option<f32>, Vec<f64>)| {
        let start = of(name, 99);
        let parameters: Vec<_> =
            shapes.iter().map(|(n, ty, decay)| (*n, ty.clone(), *decay, start[*n].clone())).collect();
        let gradients: Vec<Values> = (0..3).map(|t| of(name, t)).collect();
        let case = update_case_of_spans(name, &parameters, &gradients, (update, clip, 0.05), &factors);
        case.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let scales = LOSS_SCALES.map(loss_scale_case);
    let others = [averages_case()].into_iter().chain(scales).map(|case| case.expect("it fits"));
    table.into_iter().map(make).chain(others).collect()
}
