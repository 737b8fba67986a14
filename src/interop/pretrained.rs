//! Published weights: a [`table`] of the known ones, the folders where programs keep them, and the download of a file
//! that no folder has.
//!
//! A file is used only if its size and its SHA-256 are those of the table. A download goes to a partial file in our
//! folder and gets its final name after that check.

pub mod cache;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod fetching;
#[cfg(feature = "fetch")]
mod lock;
mod options;
pub mod table;
mod verify;

use std::path::PathBuf;

pub use cache::Folders;
pub use error::{Failure, Needed, PretrainedError, Refusal};
pub use fetching::Fetching;
pub use options::Options;
pub use table::{Place, Published, PublishedFile};

/// The file of published weights: from a folder of [`Folders`], else a download. `report` gets the events of the
/// download.
///
/// # Errors
/// When no folder has the file and it cannot be fetched; [`PretrainedError`] says which file belongs where.
pub fn obtain(
    weights: &Published<'_>,
    options: &Options,
    report: &dyn Fn(&Fetching<'_>),
) -> Result<PathBuf, PretrainedError> {
    if let Some(found) = options.folders.find(weights)? {
        return Ok(found);
    }
    let own = options.folders.own.as_deref().ok_or(PretrainedError::NoFolder)?;
    let needed = Needed::of(weights, own);
    if options.offline {
        return Err(PretrainedError::Offline { needed });
    }
    download(weights, needed, options, report)
}

/// Tries the addresses in their order, and returns the first file that is complete and has the right hash.
#[cfg(feature = "fetch")]
fn download(
    weights: &Published<'_>,
    needed: Needed,
    options: &Options,
    report: &dyn Fn(&Fetching<'_>),
) -> Result<PathBuf, PretrainedError> {
    let folder = needed.folder();
    let mut failures = vec![];
    for (file, address) in options.addresses(weights) {
        match fetch::fetch(file, &address, &folder, options, report) {
            Ok(path) => return Ok(path),
            Err(fetch::Stop::Local(error)) => return Err(PretrainedError::File(error)),
            Err(fetch::Stop::Remote(refusal)) => failures.push(Failure { address, refusal }),
        }
    }
    Err(PretrainedError::NotFetched { needed, failures })
}

#[cfg(not(feature = "fetch"))]
fn download(
    _: &Published<'_>,
    needed: Needed,
    _: &Options,
    _: &dyn Fn(&Fetching<'_>),
) -> Result<PathBuf, PretrainedError> {
    Err(PretrainedError::Offline { needed })
}
