//! Keys of dropout masks. A mask is a function of seed, optimizer step, batch of the epoch, shard, layer and element, so a
//! resumed run has the masks of an uninterrupted one, whatever the number of ranks.

use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::nn::DROPOUT_SEED;
use crate::random::{self, op};

/// The key of the masks of a batch, or of a shard of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks(u64);

impl Masks {
    /// The masks of batch `index` of an epoch, from 0, in optimizer step `step`.
    pub(super) fn of_batch(seed: u64, step: u64, index: usize) -> Self {
        Masks(random::word(seed, step, index as u64, op::DROPOUT))
    }

    /// The masks of a shard.
    pub(super) fn of_shard(self, shard: usize) -> Self {
        Masks(random::word(self.0, 0, shard as u64, op::DROPOUT))
    }

    /// Writes the key into a plan whose network has dropout.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) fn write(self, session: &mut Session<AnyEngine>, plan: PlanId) -> Result<(), ExecError> {
        if session.plan(plan).input(DROPOUT_SEED).is_none() {
            return Ok(());
        }
        session.write(plan, DROPOUT_SEED, &[0, 16, 32, 48].map(|at| f32::from((self.0 >> at) as u16)))
    }
}
