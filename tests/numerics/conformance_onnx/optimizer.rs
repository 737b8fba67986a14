//! ONNX's Adam and Momentum: inputs R (rate), T (number of steps), then parameters, gradients and moments alternately.

use shadegrad::graph::Group;
use shadegrad::ops::{AdamOptions, Hyper, SgdOptions};
use shadegrad::shape::{Shape, TensorType};

use super::build::{Built, Check, Source, unsupported};
use super::case::OnnxCase;
use super::npy::Tensor;
use crate::common::case::Values;
use crate::common::updates::{Update, update_case};

pub fn build(case: &OnnxCase) -> Built {
    let node = &case.nodes[0];
    let adam = node.op == "Adam";
    let given = |i: usize| node.input(i).and_then(|name| case.given.get(name));
    let (Some(rate), Some(steps)) = (given(0), given(1)) else { return unsupported("R or T is missing") };
    if steps.values != [0.0] {
        return unsupported("bias correction from a step other than the first");
    }
    if node.float("norm_coefficient_post").unwrap_or(0.0) != 0.0 {
        return unsupported("norm_coefficient_post");
    }
    // Parameters, gradients and one or two moments each.
    let kinds = if adam { 4 } else { 3 };
    let count = (node.inputs.len() - 2) / kinds;
    let tensors = |kind: usize| -> Option<Vec<&Tensor>> { (0..count).map(|i| given(2 + kind * count + i)).collect() };
    let Some(all) = (0..kinds).map(tensors).collect::<Option<Vec<_>>>() else { return unsupported("missing inputs") };
    let names: Vec<String> = (0..count).map(|i| format!("x{i}")).collect();
    let parameters: Vec<_> = names
        .iter()
        .zip(&all[0])
        .map(|(name, t)| (name.as_str(), TensorType::channels(Shape(t.shape.clone())), true, t.values.clone()))
        .collect();
    let gradients: Values = names.iter().cloned().zip(all[1].iter().map(|t| t.values.clone())).collect();
    let float = |name: &str, default: f64| node.float(name).unwrap_or(default) as f32;
    let weight_decay = float("norm_coefficient", 0.0);
    let update = if adam {
        let betas = [float("alpha", 0.9), float("beta", 0.999)];
        Update::Adam(AdamOptions {
            betas: betas.map(f64::from),
            eps: float("epsilon", 0.0),
            weight_decay,
            decoupled: false,
            decay_all: true,
        })
    } else {
        let nesterov = node.text("mode") == Some("nesterov");
        Update::Sgd(SgdOptions { momentum: float("alpha", 0.0), nesterov, weight_decay, decay_all: true })
    };
    let mut graph = update_case(&case.name, &parameters, &[gradients], (update, None, rate.values[0]))?;
    // For T = 0 ONNX applies no correction.
    let (lr, one) = (rate.values[0] as f32, 1.0);
    let hyper = Hyper { lr, first_correction: one, second_correction: one, ..Hyper::default() };
    graph.steps[0].insert("hyper".into(), hyper.values().map(f64::from).to_vec());
    let layout = graph.graph.states().layout();
    let moments: &[&str] = if adam { &["optimizer.exp_avg", "optimizer.exp_avg_sq"] } else { &["optimizer.momentum"] };
    let mut from: Vec<Source> =
        names.iter().zip(&all[0]).map(|(n, t)| Source::Last(format!("state.{n}"), 0..t.values.len())).collect();
    for (moment, tensors) in moments.iter().zip(&all[2..]) {
        let mut flat = vec![0.0; layout.group_len[Group::Parameters as usize]];
        for (t, &offset) in tensors.iter().zip(&layout.offsets) {
            flat[offset..offset + t.values.len()].copy_from_slice(&t.values);
            from.push(Source::Last(format!("state.{moment}"), offset..offset + t.values.len()));
        }
        graph.states.insert((*moment).into(), flat);
    }
    let check = |(name, from): (&String, Source)| {
        let expected = case.expected.get(name)?.values.clone();
        Some(Check { what: format!("{}: {name}", case.name), case: graph.clone(), from, expected })
    };
    Ok((node.outputs.iter().zip(from).filter_map(check).collect(), vec![]))
}
