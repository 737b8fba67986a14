//! ONNX's losses. The loss of a row is the sum with all other rows ignored. The log-probability of a class is minus the
//! loss of a row with that label.

use shadegrad::ops::{self, CrossEntropyOptions, Reduction};
use shadegrad::shape::TensorType;

use super::build::{Built, Check, Source, unsupported};
use super::case::OnnxCase;
use super::npy::Tensor;
use crate::common::case::{Builder, Context, Values};
use crate::common::layout::transpose;

/// Largest number of runs of a case. Smaller cases check the same.
const MOST_RUNS: usize = 1200;

/// Label of ignored rows. It is neither a class nor an ignored label of any case.
const NOBODY: i32 = -77;

/// A tensor as rows of the elements along an axis.
fn rows(t: &Tensor, axis: usize) -> (usize, Vec<f64>) {
    let order: Vec<usize> = (0..t.shape.len()).filter(|&other| other != axis).chain([axis]).collect();
    (t.shape[axis], transpose(&t.values, &t.shape, &order).1)
}

struct Loss<'c> {
    case: &'c OnnxCase,
    classes: usize,
    logits: Vec<f64>,
    labels: Vec<f64>,
    options: CrossEntropyOptions,
}

pub fn build(case: &OnnxCase) -> Built {
    let node = &case.nodes[0];
    let given = |i: usize| node.input(i).and_then(|name| case.given.get(name));
    let (Some(scores), Some(labels)) = (given(0), given(1)) else { return unsupported("scores or labels are missing") };
    let (classes, logits) = rows(scores, 1);
    let options = CrossEntropyOptions {
        label_smoothing: 0.0,
        ignore_index: node.int("ignore_index").map(|i| i as i32),
        reduction: if node.text("reduction") == Some("sum") { Reduction::Sum } else { Reduction::Mean },
        log_probabilities: node.op == "NegativeLogLikelihoodLoss",
        soft_labels: false,
        focal_gamma: 0.0,
    };
    let loss = Loss { case, classes, logits, labels: labels.values.clone(), options };
    let weights = given(2).map(|t| t.values.clone());
    let (mut checks, mut left_out) = (vec![], vec![]);
    let count = loss.labels.len();
    let name = &node.outputs[0];
    if let Some(expected) = case.expected.get(name) {
        if node.text("reduction") != Some("none") {
            let all = vec![loss.labels.clone()];
            checks.push(loss.check(name, loss.options, &weights, all, (1.0, expected.values.clone()))?);
        } else if count <= MOST_RUNS {
            // The op has one ignored label, for the case's ignored rows and for all rows but one.
            let ignored = loss.options.ignore_index.unwrap_or(NOBODY);
            let options =
                CrossEntropyOptions { ignore_index: Some(ignored), reduction: Reduction::Sum, ..loss.options };
            let steps = (0..count).map(|row| loss.only(row, loss.labels[row], ignored)).collect();
            checks.push(loss.check(name, options, &weights, steps, (1.0, expected.values.clone()))?);
        } else {
            left_out.push(format!("{}: a loss for each of {count} rows", case.name));
        }
    }
    if let Some((name, expected)) = node.outputs.get(1).and_then(|name| Some((name, case.expected.get(name)?))) {
        if count * classes <= MOST_RUNS {
            let options = CrossEntropyOptions { ignore_index: Some(NOBODY), reduction: Reduction::Sum, ..loss.options };
            let steps = (0..count * classes).map(|i| loss.only(i / classes, (i % classes) as f64, NOBODY)).collect();
            checks.push(loss.check(name, options, &None, steps, (-1.0, rows(expected, 1).1))?);
        } else {
            left_out.push(format!("{}: {} log-probabilities", case.name, count * classes));
        }
    }
    if checks.is_empty() { unsupported(left_out.join("; ")) } else { Ok((checks, left_out)) }
}

/// `LogSoftmax`: minus the loss of every row with every label.
pub fn log_softmax(case: &OnnxCase) -> Built {
    let node = &case.nodes[0];
    let input = node.input(0).and_then(|name| case.given.get(name));
    let (Some(x), Some(expected)) = (input, case.expected.get(&node.outputs[0])) else {
        return unsupported("input or result are missing");
    };
    let axis = node.int("axis").unwrap_or(-1).rem_euclid(x.shape.len() as i64) as usize;
    let (classes, logits) = rows(x, axis);
    let options = CrossEntropyOptions {
        label_smoothing: 0.0,
        ignore_index: Some(NOBODY),
        reduction: Reduction::Sum,
        log_probabilities: false,
        soft_labels: false,
        focal_gamma: 0.0,
    };
    let labels = vec![0.0; logits.len() / classes];
    let loss = Loss { case, classes, logits, labels, options };
    let steps = (0..x.values.len()).map(|i| loss.only(i / classes, (i % classes) as f64, NOBODY)).collect();
    let expected = rows(expected, axis).1;
    Ok((vec![loss.check(&node.outputs[0], options, &None, steps, (-1.0, expected))?], vec![]))
}

impl Loss<'_> {
    /// Labels that ignore all rows but one.
    fn only(&self, row: usize, label: f64, ignored: i32) -> Vec<f64> {
        let mut labels = vec![ignored.into(); self.labels.len()];
        labels[row] = label;
        labels
    }

    fn check(
        &self,
        name: &str,
        options: CrossEntropyOptions,
        weights: &Option<Vec<f64>>,
        steps: Vec<Vec<f64>>,
        (factor, expected): (f64, Vec<f64>),
    ) -> Result<Check, super::build::Unsupported> {
        let mut b = Builder::new(&self.case.name, Context::Alone);
        let count = self.labels.len();
        let logits = b.constant("logits", TensorType::channels([count, self.classes]), self.logits.clone());
        let labels = b.constant("labels", TensorType::flat(count), self.labels.clone());
        let weights = weights.clone().map(|w| b.constant("weights", TensorType::channels([self.classes]), w));
        let [loss, _] = ops::softmax_cross_entropy(&mut b.graph, logits, labels, weights, options)?;
        let mut case = b.finish(&[("loss", loss, None)])?;
        case.steps = steps.into_iter().map(|labels| Values::from([("labels".to_owned(), labels)])).collect();
        let from = Source::EveryStep("loss".into(), factor);
        Ok(Check { what: format!("{}: {name}", self.case.name), case, from, expected })
    }
}
