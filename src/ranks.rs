//! The same training on several devices: one rank computes each shard of a batch, and the sums do not depend on which
//! rank does.

mod collective;
mod forecast;
#[cfg(feature = "mpi")]
pub mod mpi;
mod shares;
mod sum;
pub mod tree;
mod wire;

pub use collective::{all_gather, broadcast, gather};
pub use forecast::{Forecast, Network, RankDivision};
pub use shares::Shares;
use std::fmt::Debug;
pub use sum::{Buckets, Divisors, mean_of_shards, traffic};
pub use wire::{Messages, Wire};

/// How long a rank waits for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until the timeout, after which a silent rank counts as dead.
    Timeout,
    /// Without a limit: the other ranks may be busy for long.
    Unlimited,
}

/// Processes that train one model together, numbered from 0. Rank 0 writes the files.
pub trait Ranks: Debug + Send + Sync {
    /// Number of this process.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn size(&self) -> usize;

    /// Number of this process among those of its machine.
    fn local(&self) -> usize {
        0
    }

    /// Sends messages to ranks, receives messages from ranks, and waits for all of them. Messages between two ranks keep their
    /// order.
    ///
    /// # Errors
    /// When a rank does not answer in time.
    fn exchange(
        &self,
        send: &[(usize, &[u8])],
        receive: &mut [(usize, &mut [u8])],
        wait: Wait,
    ) -> Result<(), RankError>;

    /// Whether a message from a rank can be received without a wait.
    ///
    /// # Errors
    /// When the ranks have ended.
    fn ready(&self, from: usize) -> Result<bool, RankError>;

    /// Ends all ranks with an exit code.
    fn abort(&self, code: u8) -> !;
}

/// Why ranks cannot train together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// A rank is silent.
    #[error(
        "rank {rank} of {size} waited {seconds} s for {}: its process died, its device hangs, or the network is down",
        others(silent)
    )]
    Silent {
        /// The rank that waited.
        rank: usize,
        /// Number of ranks.
        size: usize,
        /// Ranks that did not answer.
        silent: Vec<usize>,
        /// Seconds that it waited.
        seconds: u64,
    },
    /// Ranks would not train the same thing.
    #[error("the ranks differ, so nothing was trained:{}", differences.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Differ {
        /// The differences, in words.
        differences: Vec<String>,
    },
    /// More ranks than shards.
    #[error("{ranks} ranks need {ranks} shards or more, but the run has {shards}: {advice}")]
    TooFew {
        /// Number of ranks.
        ranks: usize,
        /// Number of shards.
        shards: usize,
        /// The remedy.
        advice: &'static str,
    },
    /// The number of shares differs from the number of ranks.
    #[error("{} shares ({}) for {ranks} {}: give each rank a share", shares.len(), list(shares), if *ranks == 1 { "rank" } else { "ranks" })]
    Shares {
        /// The shares.
        shares: Vec<usize>,
        /// Number of ranks.
        ranks: usize,
    },
    /// A rank has no shard of a full batch.
    #[error(
        "rank {rank} has no shard: the shares {} divide {shards} shards; give it a larger share, or cut batches into more shards",
        list(shares)
    )]
    NoShard {
        /// The rank.
        rank: usize,
        /// The shares.
        shares: Vec<usize>,
        /// Shards of a full batch.
        shards: usize,
    },
    /// A rank has other weights than rank 0.
    #[error(
        "rank {rank} has other weights than rank 0 after step {step} of epoch {epoch}: its device or its driver computes other \
         bits; the last checkpoint is of the epoch before"
    )]
    Diverged {
        /// The rank.
        rank: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimizer step, from 1.
        step: u64,
    },
    /// MPI reported an error.
    #[error("rank {rank}: {problem}")]
    Failed {
        /// The rank.
        rank: usize,
        /// The problem.
        problem: String,
    },
}

/// Ranks in words.
fn others(ranks: &[usize]) -> String {
    format!("{} {}", if ranks.len() == 1 { "rank" } else { "ranks" }, list(ranks))
}

/// Numbers in words.
fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A process that trains alone. Its number among the processes of its machine decides its device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone(pub usize);

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        1
    }
    fn local(&self) -> usize {
        self.0
    }
    fn exchange(&self, _: &[(usize, &[u8])], _: &mut [(usize, &mut [u8])], _: Wait) -> Result<(), RankError> {
        Ok(())
    }
    fn ready(&self, _: usize) -> Result<bool, RankError> {
        Ok(false)
    }
    fn abort(&self, code: u8) -> ! {
        std::process::exit(code.into())
    }
}

/// Variables in which launchers of MPI programs give the number of processes: OpenMPI, MPICH and Intel MPI, MVAPICH.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];

/// The number of processes that a launcher of MPI programs has started, if more than one.
pub fn launched() -> Option<usize> {
    let size = |name: &&str| std::env::var(name).ok()?.parse().ok();
    SIZES.iter().find_map(size).filter(|&size| size > 1)
}
