//! Ranks that an MPI launcher has started. All calls come from the thread that started MPI (`MPI_THREAD_FUNNELED`), every message is
//! waited for, and none is longer than 4 MiB.

use std::env;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::request::{Request, Scope};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::{Destination, Source};

use super::{RankError, Ranks};

/// Longest message, in bytes.
const MESSAGE: usize = 4 << 20;
/// Tag of all messages.
const TAG: i32 = 1;
/// Longest sleep between two looks at the messages.
const SLEEP: Duration = Duration::from_micros(200);
/// Looks at the messages before the first sleep.
const LOOKS: usize = 200;
/// Variable with the seconds after which a silent rank counts as dead.
const TIMEOUT: &str = "SHADEGRAD_RANK_TIMEOUT";
/// Seconds without the variable.
const DEFAULT_TIMEOUT: u64 = 600;
/// Exit code of all ranks when one is silent: EX_TEMPFAIL of sysexits.h.
pub const SILENT_EXIT_CODE: u8 = 75;

/// The processes of an MPI job.
pub struct Mpi {
    world: SimpleCommunicator,
    local: usize,
    thread: ThreadId,
    timeout: Duration,
    report: fn(&RankError),
    /// Ends MPI when it is dropped, after `world`.
    _universe: Universe,
}

// SAFETY: MPI runs with MPI_THREAD_FUNNELED, and `Mpi::check` refuses calls from another thread than the one that started it.
unsafe impl Send for Mpi {}
// SAFETY: as above.
unsafe impl Sync for Mpi {}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.world.rank(), self.world.size())
    }
}

impl Mpi {
    /// Starts MPI in this process. `report` prints the error of a silent rank, after which all ranks end with
    /// [`SILENT_EXIT_CODE`].
    ///
    /// # Errors
    /// When MPI was started before, or lacks MPI_THREAD_FUNNELED.
    pub fn start(report: fn(&RankError)) -> Result<Arc<Self>, RankError> {
        let refused = |problem: &str| RankError::Failed { rank: 0, problem: problem.into() };
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| refused("MPI was started before in this process"))?;
        if threading < Threading::Funneled {
            return Err(refused("this MPI library has no MPI_THREAD_FUNNELED"));
        }
        let timeout = env::var(TIMEOUT).ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_TIMEOUT);
        let (world, thread) = (universe.world(), thread::current().id());
        let local = world.split_shared(world.rank()).rank() as usize;
        Ok(Arc::new(Mpi { world, local, thread, timeout: Duration::from_secs(timeout), report, _universe: universe }))
    }

    fn check(&self) -> Result<(), RankError> {
        if thread::current().id() == self.thread {
            return Ok(());
        }
        let problem = "MPI was called from another thread than the one that started it".into();
        Err(RankError::Failed { rank: self.rank(), problem })
    }

    /// Waits for all requests. Ends all ranks where one is silent: its buffers may not be touched before it answers.
    fn wait<'a, S: Scope<'a>>(&self, mut requests: Vec<(usize, Request<'a, [u8], S>)>, patient: bool) {
        let (mut since, mut idle) = (Instant::now(), 0);
        while !requests.is_empty() {
            let before = requests.len();
            let still = requests.drain(..).filter_map(|(rank, request)| Some((rank, request.test().err()?)));
            requests = still.collect();
            if requests.len() < before {
                (since, idle) = (Instant::now(), 0);
                continue;
            }
            idle += 1;
            if idle < LOOKS {
                thread::yield_now();
            } else {
                thread::sleep(SLEEP);
            }
            if !patient && since.elapsed() > self.timeout {
                let mut silent: Vec<usize> = requests.iter().map(|(rank, _)| *rank).collect();
                silent.sort_unstable();
                silent.dedup();
                let seconds = self.timeout.as_secs();
                (self.report)(&RankError::Silent { rank: self.rank(), size: self.size(), silent, seconds });
                self.abort(SILENT_EXIT_CODE);
            }
        }
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn local(&self) -> usize {
        self.local
    }

    fn exchange(
        &self,
        send: &[(usize, &[u8])],
        receive: &mut [(usize, &mut [u8])],
        patient: bool,
    ) -> Result<(), RankError> {
        self.check()?;
        mpi::request::scope(|scope| {
            let mut requests = vec![];
            for (from, into) in receive {
                let process = self.world.process_at_rank(*from as i32);
                let parts = into.chunks_mut(MESSAGE);
                requests.extend(parts.map(|part| (*from, process.immediate_receive_into_with_tag(scope, part, TAG))));
            }
            let mut sends = vec![];
            for (to, message) in send {
                let process = self.world.process_at_rank(*to as i32);
                let parts = message.chunks(MESSAGE);
                sends.extend(parts.map(|part| (*to, process.immediate_send_with_tag(scope, part, TAG))));
            }
            requests.append(&mut sends);
            self.wait(requests, patient);
        });
        Ok(())
    }

    fn ready(&self, from: usize) -> Result<bool, RankError> {
        self.check()?;
        Ok(self.world.process_at_rank(from as i32).immediate_probe_with_tag(TAG).is_some())
    }

    fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }
}
