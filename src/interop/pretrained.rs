//! Published weights: a [`table`] of those that are known, the folders where programs keep them, and the download of one
//! that is in none of them.
//!
//! A file is used only when its size and its SHA-256 are those of the table. A download goes to a partial file in our folder
//! and gets its final name after that check.

pub mod cache;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "fetch")]
mod lock;
mod options;
mod progress;
pub mod table;
mod verify;

use std::path::PathBuf;

pub use cache::Folders;
pub use error::{Failure, Needed, PretrainedError, Refusal};
pub use options::Options;
pub use progress::Progress;
pub use table::{Place, Published, PublishedFile};

/// The file of published weights: one that is in a folder of [`Folders`], else a download. `report` hears of the download.
///
/// # Errors
/// When no folder has it and it cannot be fetched; [`PretrainedError`] says which file belongs where.
pub fn obtain(
    weights: &Published<'_>,
    options: &Options,
    report: &dyn Fn(&Progress<'_>),
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

/// Tries the addresses in their order. The first file that is complete and right is the result.
#[cfg(feature = "fetch")]
fn download(
    weights: &Published<'_>,
    needed: Needed,
    options: &Options,
    report: &dyn Fn(&Progress<'_>),
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
    _: &dyn Fn(&Progress<'_>),
) -> Result<PathBuf, PretrainedError> {
    Err(PretrainedError::Offline { needed })
}
