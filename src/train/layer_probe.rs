//! A batch and the plans that show what each layer does.

use crate::data::Batch;
use crate::exec::PlanId;

/// The batch and the plans that show the layers.
pub(super) struct LayerProbe {
    pub batch: Batch,
    pub gradients: PlanId,
    pub forward: PlanId,
    /// The layer before each ReLU, in the order of the plan's outputs.
    pub rectified: Vec<String>,
}
