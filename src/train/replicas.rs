//! The copies of the weights on all ranks: made equal, and compared.

use super::TrainError;
use super::model::LoadedModel;
use crate::data::digest;
use crate::graph::Group;
use crate::ranks::{RankError, Ranks, Wait, all_gather, broadcast};

/// Gives all ranks the states of rank 0.
///
/// # Errors
/// When the device is lost, or a rank does not answer.
pub(super) fn share_states(ranks: &dyn Ranks, model: &mut LoadedModel) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    for group in Group::ALL {
        let mut values = model.session.read_group(group)?;
        broadcast(ranks, bytemuck::cast_slice_mut(&mut values), Wait::Timeout)?;
        if ranks.rank() > 0 {
            model.session.write_group(group, &values)?;
        }
    }
    Ok(())
}

/// Compares the weights and running statistics of all ranks if their devices are equal. Different devices compute
/// different bits, so they take the states of rank 0.
///
/// # Errors
/// [`RankError::Diverged`] with the rank.
pub(super) fn compare(
    ranks: &dyn Ranks,
    model: &mut LoadedModel,
    (epoch, step): (usize, u64),
) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let devices = all_gather(ranks, model.session.engine().name().as_bytes())?;
    if devices.iter().any(|device| *device != devices[0]) {
        return share_states(ranks, model);
    }
    let mut sums = vec![];
    for group in [Group::Parameters, Group::Statistics] {
        sums.push(digest(bytemuck::cast_slice(&model.session.read_group(group)?)));
    }
    let all = all_gather(ranks, bytemuck::cast_slice(&sums))?;
    match all.iter().position(|sums| *sums != all[0]) {
        Some(rank) => Err(RankError::Diverged { rank, epoch, step }.into()),
        None => Ok(()),
    }
}
