//! The stages of a network among its parameters. The parameters of a stage lie side by side in the flat buffer of all parameters,
//! once those that are decayed and once the others.

use crate::graph::{self, Group, STATE_ALIGN, StateTable};
use crate::nn::Stages;

/// Neighboring parameters of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// End in the flat buffer of all parameters, in blocks of [`STATE_ALIGN`] floats.
    pub end: usize,
    /// Number of the stage, from the stem on. The head comes last.
    pub stage: usize,
}

/// The stage of a layer or state. The head is `stages.len()`.
pub fn stage_of(stages: Stages, name: &str) -> usize {
    let matches = |patterns: &&[&str]| patterns.iter().any(|pattern| graph::names(pattern, name));
    stages.iter().position(matches).unwrap_or(stages.len())
}

/// All parameters as spans, in the order of the flat buffer.
pub fn spans(states: &StateTable, stages: Stages) -> Vec<Span> {
    let layout = states.layout();
    let mut parameters: Vec<_> = states.of(Group::Parameters).map(|(id, spec)| (layout.offsets[id.0], spec)).collect();
    parameters.sort_by_key(|(offset, _)| *offset);
    let mut spans: Vec<Span> = vec![];
    for (offset, spec) in parameters {
        let (end, stage) = ((offset + spec.ty.len()).div_ceil(STATE_ALIGN), stage_of(stages, &spec.name));
        match spans.last_mut() {
            Some(last) if last.stage == stage => last.end = end,
            _ => spans.push(Span { end, stage }),
        }
    }
    spans
}
