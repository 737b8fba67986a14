//! The graphs of a training: one for each kind of run and shape of the images, over the same states.

use super::loss::{Loss, Losses};
use super::options::TrainingOptions;
use super::port::{self, input};
use super::targets::{Taken, Targets};
use super::update::{self, Gradients, Phase};
use crate::autodiff;
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, Group, StateTable, Value};
use crate::nn::{Mode, Model, Outputs};
use crate::ops;
use crate::precision::{self, Precision};
use crate::shape::TensorType;

/// Purpose of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Forward, gradients, update.
    Step,
    /// Forward and loss.
    Evaluation,
    /// Forward and gradients, which are outputs.
    Gradients,
}

/// Parts of the graphs.
pub(super) struct Parts<O: Outputs> {
    pub network: Box<dyn Model<Output = O> + Send>,
    pub loss: Box<dyn Loss<O> + Send>,
    pub options: TrainingOptions,
}

/// Prefix of outputs that the user has named.
pub(super) const NAMED: &str = "measured.";
/// Prefix of outputs and inputs that are gradients.
pub(super) const GRADIENT: &str = "gradient.";

impl<O: Outputs> Parts<O> {
    /// A graph, and the inputs that it takes from a batch.
    pub fn graph(&self, states: StateTable, kind: Kind, images: [usize; 4]) -> Result<(Graph, Taken), GraphError> {
        let mut g = Graph::with_states(states);
        let x = g.input(port::IMAGES, TensorType::channels(images));
        let mode = if kind == Kind::Evaluation { Mode::Eval } else { Mode::Train };
        let output = self.network.apply(&mut g, x, mode)?;
        let mut targets = Targets::new(x, images[0], mode);
        let losses = self.loss.apply(&mut g, output, &mut targets)?;
        let loss = losses.sum(&mut g)?;
        name_outputs(&mut g, loss, &losses);
        let halved = kind == Kind::Step && self.options.precision == Precision::F16;
        match kind {
            Kind::Evaluation => {}
            Kind::Step => {
                let ends = [loss, losses.totals.unwrap_or(loss)];
                update::append_training(&mut g, ends, &self.options.update(), Phase::Update)?;
            }
            Kind::Gradients => {
                let parameters = named_parameters(&mut g);
                let values: Vec<Value> = parameters.iter().map(|(_, value)| *value).collect();
                for ((name, _), gradient) in parameters.iter().zip(autodiff::gradients(&mut g, loss, &values)?) {
                    g.output(&format!("{GRADIENT}{name}"), gradient);
                }
            }
        }
        fuse(&mut g, FuseOptions::default());
        if halved {
            precision::halve(&mut g);
        }
        Ok((g, targets.taken))
    }

    /// The update alone: its inputs are the gradients.
    pub fn update(&self, states: StateTable) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let parameters = named_parameters(&mut g);
        let gradient = |(name, value): (String, Value)| {
            let ty = g.ty(value).clone();
            input(&mut g, &format!("{GRADIENT}{name}"), ty)
        };
        let gradients: Vec<Value> = parameters.into_iter().map(gradient).collect();
        let packed = ops::pack_parameters(&mut g, &gradients)?;
        // These gradients are not scaled, so the loss scale does not change.
        let update = update::Update { precision: Precision::F32, norms: false, ..self.options.update() };
        update::append_update_of(&mut g, Gradients { packed, scale: None, guard: None }, &update)?;
        Ok(g)
    }
}

/// The outputs of a step or an evaluation.
fn name_outputs(g: &mut Graph, loss: Value, losses: &Losses) {
    g.output(port::LOSS, loss);
    if let Some(totals) = losses.totals {
        g.output(port::TOTALS, totals);
    }
    // A single term without weight is the loss itself.
    let terms = losses.terms.iter().filter(|(_, _, value)| *value != loss).map(|(name, _, value)| (name, *value));
    let metrics = losses.metrics.iter().map(|(name, value)| (name, *value));
    for (name, value) in terms.chain(metrics).collect::<Vec<_>>() {
        g.output(&format!("{NAMED}{name}"), value);
    }
}

/// All parameters with their names.
pub(super) fn named_parameters(g: &mut Graph) -> Vec<(String, Value)> {
    let names: Vec<String> = g.states().of(Group::Parameters).map(|(_, spec)| spec.name.clone()).collect();
    names.into_iter().zip(g.parameters()).collect()
}
