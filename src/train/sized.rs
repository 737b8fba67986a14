//! Plans for single pictures, one per size. They share the states of a session.

use super::TrainError;
use super::observer::Watch;
use crate::exec::{AnyEngine, PlanId, Session};
use crate::graph::{Graph, GraphError, StateTable};
use crate::plan::PlanOptions;

/// A session, and its plans for one picture of a height and width.
pub struct SizedPlans<'a> {
    /// States and plans.
    pub session: &'a mut Session<AnyEngine>,
    /// The plans so far, by height and width.
    pub(super) plans: &'a mut Vec<([usize; 2], PlanId)>,
    /// Observer and stop flag of an evaluation of the pictures.
    pub watch: Watch<'a>,
}

impl SizedPlans<'_> {
    /// Prepares the plan for a height and width, and keeps it for later calls.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn plan_of(
        &mut self,
        size: [usize; 2],
        graph: impl FnOnce(StateTable) -> Result<Graph, GraphError>,
    ) -> Result<PlanId, TrainError> {
        if let Some((_, id)) = self.plans.iter().find(|(known, _)| *known == size) {
            return Ok(*id);
        }
        let graph = graph(self.session.states().clone())?;
        let id = self.session.load(&graph, PlanOptions::default())?;
        self.plans.push((size, id));
        Ok(id)
    }
}
