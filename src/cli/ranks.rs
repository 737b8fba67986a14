//! Processes that an MPI launcher has started.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::progress::OPENING;
use super::{CliError, advice, complain};
use crate::ranks::{Alone, Ranks, launched};
use crate::run::history::EpochRow;
use crate::train::{Observer, StepProgress};

/// Exit code of an error.
const ERROR: u8 = 2;
/// Exit code of an error after which the same command may succeed: EX_TEMPFAIL of sysexits.h.
const AGAIN: u8 = 75;
/// Delay of the other ranks, in which rank 0 prints an error that all ranks have.
const FIRST: Duration = Duration::from_secs(2);

/// The processes that train together.
pub(super) fn start() -> Result<Arc<dyn Ranks>, CliError> {
    match launched() {
        None => Ok(Arc::new(Alone(0))),
        Some(size) => start_mpi(size),
    }
}

#[cfg(feature = "mpi")]
fn start_mpi(_: usize) -> Result<Arc<dyn Ranks>, CliError> {
    let report = |error: &crate::ranks::RankError| complain(format_args!("error: {error}"));
    Ok(crate::ranks::mpi::Mpi::start(report).map_err(crate::train::TrainError::from)?)
}

#[cfg(not(feature = "mpi"))]
fn start_mpi(size: usize) -> Result<Arc<dyn Ranks>, CliError> {
    Err(CliError::Usage(format!(
        "this is one of {size} processes that mpirun has started, but this program is built without MPI, so each of them would \
         train the whole run. Build it with MPI: on Debian `apt install libopenmpi-dev openmpi-bin libclang-dev`, then `cargo \
         install --path . --features mpi`"
    )))
}

/// Ends all ranks if one has an error. Rank 0 goes first, so that an error that all ranks have is printed once.
pub(super) fn end_all(ranks: &dyn Ranks, result: Result<ExitCode, CliError>) -> Result<ExitCode, CliError> {
    let error = match result {
        Err(error) if ranks.size() > 1 => error,
        result => return result,
    };
    if ranks.rank() > 0 {
        std::thread::sleep(FIRST);
        complain(format_args!("error of rank {}: {}", ranks.rank(), advice::message(&error)));
    } else {
        complain(format_args!("error: {}", advice::message(&error)));
        advice::flags(&error).into_iter().for_each(complain);
    }
    ranks.abort(if advice::may_pass(&error) { AGAIN } else { ERROR })
}

/// The observer of a rank that follows. It prints nothing.
pub(super) struct Follower;

impl Observer for Follower {
    fn reading(&self, done: usize, total: usize) {
        OPENING.store(done < total, Ordering::Relaxed);
    }
    fn begins(&self, _: &[String]) {
        OPENING.store(false, Ordering::Relaxed);
    }
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}
