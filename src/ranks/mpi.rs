//! Ranks that an MPI launcher has started. One thread starts MPI and makes all calls (`MPI_THREAD_FUNNELED`): it sends and receives
//! while other threads compute. The thread waits for every message, and no message is longer than 4 MiB.

use std::env;
use std::fmt;
use std::mem;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::request::{Request, Scope};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::{Destination, Source};

use super::{RankError, Ranks, Wait};

/// Longest message, in bytes.
const MESSAGE: usize = 4 << 20;
/// Tag of all messages.
const TAG: i32 = 1;
/// Sleep between two polls of the messages.
const SLEEP: Duration = Duration::from_micros(200);
/// Number of polls before the first sleep.
const LOOKS: usize = 200;
/// Variable with the seconds after which a silent rank counts as dead.
const TIMEOUT: &str = "SHADEGRAD_RANK_TIMEOUT";
/// Default of the variable.
const DEFAULT_TIMEOUT: u64 = 600;
/// Exit code of all ranks when one is silent: EX_TEMPFAIL of sysexits.h.
pub const SILENT_EXIT_CODE: u8 = 75;
/// Not an exit code: the job goes on.
const GOES_ON: i32 = -1;

/// Work for the thread of MPI.
type Job = Box<dyn FnOnce(&World) + Send>;

/// The processes of an MPI job.
pub struct Mpi {
    rank: usize,
    size: usize,
    local: usize,
    /// Exit code with which all ranks shall end, or [`GOES_ON`].
    end: Arc<AtomicI32>,
    /// `None` while it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank, self.size)
    }
}

impl Mpi {
    /// Starts MPI in this process. `report` prints the error of a silent rank, after which all ranks end with
    /// [`SILENT_EXIT_CODE`].
    ///
    /// # Errors
    /// When MPI was started before, or lacks MPI_THREAD_FUNNELED.
    pub fn start(report: fn(&RankError)) -> Result<Arc<Self>, RankError> {
        let end = Arc::new(AtomicI32::new(GOES_ON));
        let (jobs, orders) = mpsc::channel::<Job>();
        let (started, answer) = mpsc::sync_channel(1);
        let asked = end.clone();
        let serve = move || match World::start(report, asked) {
            Ok(world) => {
                let local = world.world.split_shared(world.world.rank()).rank() as usize;
                let _ = started.send(Ok((world.rank(), world.size(), local)));
                orders.into_iter().for_each(|job| job(&world));
            }
            Err(error) => drop(started.send(Err(error))),
        };
        let failed = |problem: String| RankError::Failed { rank: 0, problem };
        let thread = thread::Builder::new().name("mpi".into()).spawn(serve);
        let thread = thread.map_err(|error| failed(format!("the thread of MPI cannot start: {error}")))?;
        let (rank, size, local) = answer.recv().map_err(|_| failed("MPI has ended while it started".into()))??;
        Ok(Arc::new(Mpi { rank, size, local, end, jobs: Some(jobs), thread: Some(thread) }))
    }

    /// Runs work in the thread of MPI, and waits for its result.
    fn call<R: Send>(&self, work: impl FnOnce(&World) -> R + Send) -> Result<R, RankError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Box<dyn FnOnce(&World) + Send + '_> = Box::new(move |world| drop(answer.send(work(world))));
        // SAFETY: `recv` returns after the job has run or was dropped, so the job does not outlive what it borrows.
        let job: Job = unsafe { mem::transmute(job) };
        // A thread that has ended drops the job.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let ended = |_| RankError::Failed { rank: self.rank, problem: "the thread of MPI has ended".into() };
        answered.recv().map_err(ended)
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        self.jobs = None;
        // MPI ends in the thread that started it.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn local(&self) -> usize {
        self.local
    }

    fn exchange(
        &self,
        send: &[(usize, &[u8])],
        receive: &mut [(usize, &mut [u8])],
        wait: Wait,
    ) -> Result<(), RankError> {
        self.call(|world| world.exchange(send, receive, wait))
    }

    fn ready(&self, from: usize) -> Result<bool, RankError> {
        self.call(|world| world.ready(from))
    }

    fn abort(&self, code: u8) -> ! {
        // The thread may wait for messages.
        self.end.store(code.into(), Ordering::Relaxed);
        let _ = self.call(|world| -> () { world.abort(code.into()) });
        process::exit(code.into())
    }
}

/// MPI in its thread.
struct World {
    world: SimpleCommunicator,
    timeout: Duration,
    report: fn(&RankError),
    end: Arc<AtomicI32>,
    /// Ends MPI when it is dropped, after `world`.
    _universe: Universe,
}

impl World {
    fn start(report: fn(&RankError), end: Arc<AtomicI32>) -> Result<Self, RankError> {
        let refused = |problem: &str| RankError::Failed { rank: 0, problem: problem.into() };
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| refused("MPI was started before in this process"))?;
        if threading < Threading::Funneled {
            return Err(refused("this MPI library has no MPI_THREAD_FUNNELED"));
        }
        let seconds = env::var(TIMEOUT).ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_TIMEOUT);
        let timeout = Duration::from_secs(seconds);
        Ok(World { world: universe.world(), timeout, report, end, _universe: universe })
    }

    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    /// Ends all ranks.
    fn abort(&self, code: i32) -> ! {
        self.world.abort(code)
    }

    /// See [`Ranks::exchange`].
    fn exchange(&self, send: &[(usize, &[u8])], receive: &mut [(usize, &mut [u8])], wait: Wait) {
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
            self.finish(requests, wait);
        });
    }

    /// See [`Ranks::ready`].
    fn ready(&self, from: usize) -> bool {
        self.world.process_at_rank(from as i32).immediate_probe_with_tag(TAG).is_some()
    }

    /// Waits for all requests. A silent rank ends all ranks, because its buffers must stay untouched until it answers.
    fn finish<'a, S: Scope<'a>>(&self, mut requests: Vec<(usize, Request<'a, [u8], S>)>, wait: Wait) {
        let (mut since, mut idle) = (Instant::now(), 0);
        while !requests.is_empty() {
            let before = requests.len();
            let still = requests.drain(..).filter_map(|(rank, request)| Some((rank, request.test().err()?)));
            requests = still.collect();
            if requests.len() < before {
                (since, idle) = (Instant::now(), 0);
                continue;
            }
            let end = self.end.load(Ordering::Relaxed);
            if end != GOES_ON {
                self.abort(end);
            }
            idle += 1;
            if idle < LOOKS {
                thread::yield_now();
            } else {
                thread::sleep(SLEEP);
            }
            if wait == Wait::Timeout && since.elapsed() > self.timeout {
                let mut silent: Vec<usize> = requests.iter().map(|(rank, _)| *rank).collect();
                silent.sort_unstable();
                silent.dedup();
                let seconds = self.timeout.as_secs();
                (self.report)(&RankError::Silent { rank: self.rank(), size: self.size(), silent, seconds });
                self.abort(SILENT_EXIT_CODE.into());
            }
        }
    }
}
