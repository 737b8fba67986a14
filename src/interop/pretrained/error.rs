//! Why published weights are not available.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::table::{Place, Published};
use crate::interop::files::FileError;
use crate::text::one_of;

/// Why published weights are not available.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PretrainedError {
    /// The table has no weights of this name for a network.
    #[error(
        "there are no published weights `{name}` for {network}: expected an encoder with some: {}",
        one_of(encoders)
    )]
    None {
        /// Name of the weights.
        name: String,
        /// The network.
        network: String,
        /// Encoders that have weights of this name.
        encoders: Vec<&'static str>,
    },
    /// A file of the cache cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// This machine has no folder for downloads.
    #[error(
        "there is no folder for downloaded weights, since neither HOME nor a cache folder is set: set SHADEGRAD_WEIGHTS_DIR to \
         a folder"
    )]
    NoFolder,
    /// No folder has the file, and nothing is fetched.
    #[error("the published weights are not on this machine, and nothing is fetched offline: {needed}")]
    Offline {
        /// The file.
        needed: Needed,
    },
    /// No folder has the file, and every address failed.
    #[error("the published weights cannot be fetched: {}; {needed}", list(failures))]
    NotFetched {
        /// The file.
        needed: Needed,
        /// The failure of each address.
        failures: Vec<Failure>,
    },
}

/// A file that is missing from our folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Where it is published.
    pub address: String,
    /// Where it belongs.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, or the digits of it that are published.
    pub sha256: String,
}

impl Needed {
    /// The preferred file of weights, in a folder.
    pub(super) fn of(weights: &Published<'_>, folder: &Path) -> Self {
        let (address, name, bytes, sha256) = weights.files.first().map_or_else(Default::default, |file| {
            let address = match file.place {
                Place::Url(address) => address.to_owned(),
                Place::HuggingFace { repository, revision, path } => {
                    format!("https://huggingface.co/{repository}/resolve/{revision}/{path}")
                }
            };
            (address, file.name, file.bytes, file.sha256)
        });
        Needed { address, path: folder.join(name), bytes, sha256: sha256.to_owned() }
    }

    /// The folder where the file belongs.
    #[cfg(feature = "fetch")]
    pub(super) fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).to_owned()
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Needed { address, path, bytes, sha256 } = self;
        let digits = if sha256.len() < 64 { "SHA-256 from" } else { "SHA-256" };
        write!(f, "put the file of {address} ({bytes} bytes, {digits} {sha256}) at {}", path.display())
    }
}

/// An address that did not give its file.
#[derive(Debug)]
pub struct Failure {
    /// The address.
    pub address: String,
    /// Its answer.
    pub refusal: Refusal,
}

fn list(failures: &[Failure]) -> String {
    let lines = failures.iter().map(|Failure { address, refusal }| format!("{address}: {refusal}"));
    lines.collect::<Vec<_>>().join("; ")
}

/// Why an address or a file did not give the published weights.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No connection.
    #[error("no connection ({0})")]
    Unreachable(String),
    /// The server answered with the status of an error.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The connection ended before the file did. The bytes so far are kept, and the next attempt continues them.
    #[error("the connection broke off after {done} of {total} bytes ({reason}); the next attempt continues there")]
    BrokenOff {
        /// Bytes received.
        done: u64,
        /// Bytes in all.
        total: u64,
        /// The failure.
        reason: String,
    },
    /// The size differs.
    #[error("it has {found} bytes instead of {expected}")]
    Size {
        /// Bytes of the file or answer.
        found: u64,
        /// Bytes of the published file.
        expected: u64,
    },
    /// The hash differs.
    #[error("its SHA-256 is {found} instead of {expected}, so it is another file or was damaged on the way")]
    Hash {
        /// SHA-256 of the file.
        found: String,
        /// SHA-256 of the published file, or its first digits.
        expected: String,
    },
}
