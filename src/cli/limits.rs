//! Limits of the system that no error of a library reports: no memory, no threads, no reader of the output.

use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, available_parallelism};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use super::{CliError, complain};

/// Starts the threads that compute: one a core (or `RAYON_NUM_THREADS`), or fewer if the system refuses some. If it
/// refuses all, the main thread computes.
///
/// # Errors
/// When not even the main thread can compute.
pub(super) fn make_threads() -> Result<(), CliError> {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse().ok()).filter(|&n| n > 0);
    let wanted = asked.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    // rayon's pool can be built only once, so its threads are started first.
    let mut waiting: Vec<Sender<ThreadBuilder>> = vec![];
    let mut refused = None;
    while waiting.len() < wanted {
        let (sender, receiver) = channel::<ThreadBuilder>();
        let spawned = Builder::new().spawn(move || receiver.recv().map(ThreadBuilder::run));
        match spawned {
            Ok(_) => waiting.push(sender),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let granted = waiting.len();
    if let Some(error) = refused {
        complain(format_args!(
            "warning: the system grants {granted} of {wanted} threads ({error}): raise their limit (ulimit -u), or end other \
             processes; the run takes longer"
        ));
    }
    let pool = ThreadPoolBuilder::new().num_threads(granted.max(1));
    let built = match granted {
        0 => pool.use_current_thread().build_global(),
        _ => pool
            .spawn_handler(move |thread| {
                // One thread waits for each that the pool asks for.
                let waiting = waiting.pop().ok_or(std::io::ErrorKind::WouldBlock)?;
                waiting.send(thread).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
            })
            .build_global(),
    };
    built.map_err(|error| CliError::Usage(format!("no threads can be made: {error}")))
}

/// Makes an abort end the process with one line and exit code 2. The standard library and drivers abort when memory
/// runs out.
#[cfg(unix)]
pub(super) fn catch_aborts() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // If this signal is ignored, a write beyond the file size limit (ulimit -f) returns an error.
    // SAFETY: installs no function.
    let _ = unsafe { sigaction(Signal::SIGXFSZ, &ignore) };
    extern "C" fn ended(_: nix::libc::c_int) {
        const LINE: &[u8] =
            b"error: the process was aborted, most likely because memory is used up: lower --batch-size or \
            --image-size, take a smaller network (--base, --depth), or raise the limit (ulimit -v)\n";
        // SAFETY: `write` and `_exit` are safe in a signal handler, and the bytes live as long as the process.
        unsafe {
            nix::libc::write(2, LINE.as_ptr().cast(), LINE.len());
            nix::libc::_exit(2);
        }
    }
    let action = SigAction::new(SigHandler::Handler(ended), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler calls nothing that a signal handler must not call. Without it, the process aborts as before.
    let _ = unsafe { sigaction(Signal::SIGABRT, &action) };
}

#[cfg(not(unix))]
pub(super) fn catch_aborts() {}
