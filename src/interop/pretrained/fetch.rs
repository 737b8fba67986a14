//! Downloads a file of published weights.
//!
//! The bytes go to `NAME.partial` in our folder. After a broken connection, of this process or an earlier one, a range
//! request continues where the partial file ends. A server that ignores the range sends the whole file, which replaces
//! the partial one. `NAME.lock` makes a second process wait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;

use ureq::http::{Response, header};
use ureq::{Agent, Body};

use super::error::Refusal;
use super::fetching::Fetching;
use super::lock::Lock;
use super::options::Options;
use super::table::PublishedFile;
use crate::interop::files::{FileError, rename};

/// Bytes read at once.
const BLOCK: usize = 1 << 16;
/// Most redirections of an address.
const REDIRECTIONS: u32 = 10;

/// Why a download stopped.
pub(super) enum Stop {
    /// The address did not give the file; another may.
    Remote(Refusal),
    /// The folder cannot be written.
    Local(FileError),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Stop::Local(error)
    }
}

/// Fetches a file into a folder and returns its path.
pub(super) fn fetch(
    file: &PublishedFile<'_>,
    address: &str,
    folder: &Path,
    options: &Options,
    report: &dyn Fn(&Fetching<'_>),
) -> Result<PathBuf, Stop> {
    let path = folder.join(file.name);
    fs::create_dir_all(folder).map_err(|error| FileError::writing(folder, error))?;
    let locked = path.with_added_extension("lock");
    let lock = Lock::take(&locked, || report(&Fetching::Waits { path: &path }));
    let _lock = lock.map_err(|error| FileError::writing(&locked, error))?;
    // The process that held the lock may have fetched it.
    if path.is_file() && file.difference(&path)?.is_none() {
        return Ok(path);
    }
    let download = Download { file, address, path: &path, options, report, agent: agent(options) };
    download.attempts()?;
    report(&Fetching::Ends { path: &path });
    Ok(path)
}

fn agent(options: &Options) -> Agent {
    let patience = Some(options.patience);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(REDIRECTIONS)
        .timeout_resolve(patience)
        .timeout_connect(patience)
        .timeout_recv_response(patience)
        .timeout_per_read(patience)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// A file that is being fetched from an address.
struct Download<'a> {
    file: &'a PublishedFile<'a>,
    address: &'a str,
    path: &'a Path,
    options: &'a Options,
    report: &'a dyn Fn(&Fetching<'_>),
    agent: Agent,
}

/// The outcome of an attempt that did not fail.
enum Attempt {
    /// All bytes were received.
    Complete,
    /// The server's answer does not continue the partial file.
    Restart,
}

impl Download<'_> {
    /// Tries until the file is complete and has the right hash. An attempt that brought bytes resets the count of
    /// retries.
    fn attempts(&self) -> Result<(), Stop> {
        let partial = self.path.with_added_extension("partial");
        let writing = |error| FileError::writing(&partial, error);
        let mut out =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&partial).map_err(writing)?;
        let (mut failed, mut continued, mut restarted, mut progressed) = (0, false, false, false);
        loop {
            let before = length(&out).map_err(writing)?;
            continued |= before > 0;
            let refusal = match self.attempt(&mut out, &partial, before) {
                Ok(Attempt::Complete) => match self.finish(&out, &partial)? {
                    None => return Ok(()),
                    // A continued file may mix the bytes of two files, so it is fetched once from its start.
                    Some(refusal) if continued && !restarted => {
                        restarted = true;
                        refusal
                    }
                    Some(refusal) => {
                        fs::remove_file(&partial).map_err(writing)?;
                        return Err(Stop::Remote(refusal));
                    }
                },
                Ok(Attempt::Restart) => {
                    out.set_len(0).map_err(writing)?;
                    continue;
                }
                Err(Stop::Remote(refusal)) if is_passing(&refusal, progressed) => refusal,
                Err(stop) => return Err(stop),
            };
            let after = length(&out).map_err(writing)?;
            progressed |= after > before;
            failed = if after > before { 0 } else { failed + 1 };
            if failed > self.options.retries {
                return Err(Stop::Remote(refusal));
            }
            (self.report)(&Fetching::Retries { address: self.address, refusal: &refusal });
            thread::sleep(self.options.pause);
        }
    }

    /// One connection, which continues after `done` bytes.
    fn attempt(&self, out: &mut File, partial: &Path, done: u64) -> Result<Attempt, Stop> {
        let total = self.file.bytes;
        if done >= total - self.file.slack.min(total) && self.file.has_size(done) {
            return Ok(Attempt::Complete);
        }
        if done > total {
            return Ok(Attempt::Restart);
        }
        let request = self.agent.get(self.address).header(header::ACCEPT_ENCODING, "identity");
        let request = if done > 0 { request.header(header::RANGE, format!("bytes={done}-")) } else { request };
        let unreachable = |error: ureq::Error| Stop::Remote(Refusal::Unreachable(error.to_string()));
        let mut answer = request.call().map_err(unreachable)?;
        let start = match answer.status().as_u16() {
            200 => 0,
            206 if range_start(&answer) == Some(done) && done > 0 => done,
            206 | 416 if done > 0 => return Ok(Attempt::Restart),
            status => return Err(Stop::Remote(Refusal::Status(status))),
        };
        let announced = answer.body().content_length().map(|length| start + length);
        if let Some(found) = announced.filter(|found| !self.file.has_size(*found)) {
            return Err(Stop::Remote(Refusal::Size { found, expected: total }));
        }
        let writing = |error| FileError::writing(partial, error);
        out.set_len(start).and_then(|()| out.seek(SeekFrom::Start(start))).map_err(writing)?;
        (self.report)(&Fetching::Begins { address: self.address, path: self.path, done: start, total });
        self.copy(answer.body_mut(), out, start, announced).map_err(|stop| match stop {
            Copying::Writing(error) => Stop::Local(writing(error)),
            Copying::Refused(refusal) => Stop::Remote(refusal),
        })
    }

    fn copy(&self, body: &mut Body, out: &mut File, start: u64, announced: Option<u64>) -> Result<Attempt, Copying> {
        let total = self.file.bytes;
        let (mut source, mut done, mut block) = (body.as_reader(), start, vec![0; BLOCK]);
        let broken = |done, reason| Err(Copying::Refused(Refusal::BrokenOff { done, total, reason }));
        loop {
            let count = match source.read(&mut block) {
                Ok(0) if announced.is_some_and(|announced| done < announced) => {
                    return broken(done, "the server closed it".to_owned());
                }
                Ok(0) if !self.file.has_size(done) => {
                    return broken(done, "the server sent no more".to_owned());
                }
                Ok(0) => return Ok(Attempt::Complete),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return broken(done, error.to_string()),
            };
            done += count as u64;
            if done > total + self.file.slack {
                return Err(Copying::Refused(Refusal::Size { found: done, expected: total }));
            }
            out.write_all(&block[..count]).map_err(Copying::Writing)?;
            (self.report)(&Fetching::Advances { done, total });
        }
    }

    /// Checks the partial file. A right file gets its final name; a wrong one is emptied.
    fn finish(&self, out: &File, partial: &Path) -> Result<Option<Refusal>, FileError> {
        let writing = |error| FileError::writing(partial, error);
        out.sync_all().map_err(writing)?;
        let difference = self.file.difference(partial)?;
        match difference {
            None => rename(partial, self.path)?,
            Some(_) => out.set_len(0).map_err(writing)?,
        }
        Ok(difference)
    }
}

/// Why bytes were not copied.
enum Copying {
    Refused(Refusal),
    Writing(io::Error),
}

/// Whether another attempt may succeed. A server that was never reached is not tried again: this machine may have no network.
fn is_passing(refusal: &Refusal, progressed: bool) -> bool {
    match refusal {
        Refusal::Unreachable(_) => progressed,
        Refusal::BrokenOff { .. } => true,
        Refusal::Status(status) => *status == 408 || *status == 429 || *status >= 500,
        Refusal::Size { .. } | Refusal::Hash { .. } => false,
    }
}

fn length(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// The first byte of a partial answer: `Content-Range: bytes START-END/TOTAL`.
fn range_start(answer: &Response<Body>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
