//! The shares of the ranks. They are as given, else equal for equal devices, else those of the resumed run, else
//! by measured speed.

use super::TrainError;
use super::settings::TrainSettings;
use crate::ranks::{Ranks, Shares, Wait, all_gather, broadcast, gather};
use crate::run::RunDir;
use crate::run::facts::RankFacts;

/// The shares of a run, and lines about them.
pub(super) struct Chosen {
    pub shares: Shares,
    /// The ranks, if there are several.
    pub facts: Option<RankFacts>,
    pub line: Option<String>,
}

/// Chooses the shares. All ranks call it. `time` measures the seconds of a shard on this rank.
///
/// # Errors
/// When given shares do not fit the ranks, the device is lost, or a rank does not answer.
pub(super) fn choose(
    ranks: &dyn Ranks,
    settings: &TrainSettings,
    device: &str,
    time: impl FnOnce() -> Result<f64, TrainError>,
) -> Result<Chosen, TrainError> {
    let (size, shards) = (ranks.size(), settings.shards());
    // A resumed run may have another number of ranks than its settings.
    let given = settings.shares.as_deref().filter(|shares| shares.len() == size || settings.resume.is_none());
    if size == 1 {
        let shares = given.map_or(Ok(Shares::equal(1)), |given| Shares::new(given, 1, shards))?;
        return Ok(Chosen { shares, facts: None, line: None });
    }
    let devices = all_gather(ranks, device.as_bytes())?;
    let devices: Vec<String> = devices.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let equal = devices.iter().all(|device| *device == devices[0]);
    let (shares, origin) = match given {
        Some(given) => (Shares::new(given, size, shards)?, "as given"),
        None if equal => (Shares::equal(size), ""),
        None => {
            let earlier = ranks_of(settings, ranks).filter(|earlier| earlier.devices == devices);
            let earlier = earlier.and_then(|earlier| Shares::new(&earlier.shares, size, shards).ok());
            match agreed(ranks, earlier)? {
                Some(shares) => (shares, "as before"),
                None => (measured(ranks, shards, time()?)?, "by measured speed"),
            }
        }
    };
    let parts = shares.parts(shards).into_iter().zip(&devices).enumerate();
    let words = parts.map(|(rank, (part, device))| format!("rank {rank} ({device}) {}", part.len()));
    let line = (!origin.is_empty()).then(|| format!("shares:  {origin}: {}", words.collect::<Vec<_>>().join(", ")));
    let facts = Some(RankFacts { shares: shares.shares().to_vec(), devices });
    Ok(Chosen { shares, facts, line })
}

/// The shares that rank 0 knows, on all ranks; `None` if it knows none.
fn agreed(ranks: &dyn Ranks, known: Option<Shares>) -> Result<Option<Shares>, TrainError> {
    let mut words: Vec<u64> = match known {
        Some(shares) => shares.shares().iter().map(|&share| share as u64).collect(),
        None => vec![0; ranks.size()],
    };
    broadcast(ranks, bytemuck::cast_slice_mut(&mut words), Wait::Unlimited)?;
    let shares: Vec<usize> = words.iter().map(|&word| word as usize).collect();
    Ok(if shares.contains(&0) { None } else { Some(Shares::new(&shares, ranks.size(), shares.iter().sum())?) })
}

/// The shares by the seconds of a shard on each rank.
fn measured(ranks: &dyn Ranks, shards: usize, seconds: f64) -> Result<Shares, TrainError> {
    let all = gather(ranks, &seconds.to_ne_bytes(), Wait::Unlimited)?;
    let all: Vec<f64> = all.iter().map(|seconds| bytemuck::pod_read_unaligned(seconds)).collect();
    let known = (ranks.rank() == 0).then(|| Shares::by_speed(&all, shards));
    Ok(agreed(ranks, known)?.unwrap_or_else(|| Shares::equal(ranks.size())))
}

/// The ranks of the run that rank 0 resumes.
fn ranks_of(settings: &TrainSettings, ranks: &dyn Ranks) -> Option<RankFacts> {
    let run = settings.resume.as_ref().filter(|_| ranks.rank() == 0)?;
    RunDir::to_resume(run).ok()?.read_facts().ok()??.ranks
}
