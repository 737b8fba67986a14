//! Events of a download.

use std::path::Path;

use super::error::Refusal;

/// An event of a download.
#[derive(Debug)]
pub enum Fetching<'a> {
    /// Another process fetches the same file; this one waits for it.
    Waits {
        /// The file.
        path: &'a Path,
    },
    /// A connection sends the file, from byte `done` on.
    Begins {
        /// Its address.
        address: &'a str,
        /// The file.
        path: &'a Path,
        /// Bytes received.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// More bytes were received.
    Advances {
        /// Bytes received.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The connection failed; another attempt follows.
    Retries {
        /// Its address.
        address: &'a str,
        /// The failure.
        refusal: &'a Refusal,
    },
    /// The file is complete, has the right hash, and has its final name.
    Ends {
        /// The file.
        path: &'a Path,
    },
}
