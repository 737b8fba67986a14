//! An invented file of weights, and the result of fetching it from a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use shadegrad::interop::pretrained::{
    Fetching, Folders, Options, Place, PretrainedError, Published, PublishedFile, Refusal, obtain,
};
use tempfile::TempDir;

use super::server::{Answer, Request, Server};

/// Bytes of the invented file.
pub const BYTES: usize = 100_000;
/// Its SHA-256: `hashlib.sha256(bytes((i*i*31//7)%251 for i in range(100000))).hexdigest()`.
pub const SHA256: &str = "9e5c57f8704fc6e365a0b8a356c147495ba17b70a2f11fc1e1f6383ea97f12c9";

/// The invented file.
pub fn content() -> Vec<u8> {
    (0..BYTES).map(|i| (i * i * 31 / 7 % 251) as u8).collect()
}

/// The table's line for the invented file at an address.
pub fn file(address: &str) -> PublishedFile<'_> {
    PublishedFile { name: "net.pth", place: Place::Url(address), bytes: BYTES as u64, slack: 0, sha256: SHA256 }
}

pub fn weights<'a>(files: &'a [PublishedFile<'a>]) -> Published<'a> {
    let (mean, std) = ([0.5; 3], [0.25; 3]);
    let (title, license) = ("invented", "CC0-1.0");
    Published { encoder: "net", name: "imagenet", title, license, mean, std, top1: 50.0, resize: 256, files }
}

/// Options of a test: folders below `folder`, two retries, no pauses.
pub fn options(folder: &Path) -> Options {
    let folders = Folders {
        own: Some(folder.join("own")),
        torch: Some(folder.join("torch")),
        hugging_face: Some(folder.join("hub")),
    };
    let (pause, patience) = (Duration::ZERO, Duration::from_secs(20));
    Options { folders, offline: false, mirror: None, hugging_face: None, retries: 2, pause, patience }
}

/// A folder, a server and the result of fetching the file from it.
pub struct Fetched {
    pub folder: TempDir,
    pub result: Result<PathBuf, PretrainedError>,
    /// Events in words.
    pub events: Vec<String>,
    pub requests: Vec<Request>,
}

/// Fetches from a server into a folder that `prepare` fills.
pub fn fetch_after(
    prepare: impl FnOnce(&Path),
    answer: impl Fn(usize, &Request) -> Answer + Send + 'static,
    change: impl FnOnce(&mut Options),
) -> Fetched {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let server = Server::start(answer);
    let mut options = options(folder.path());
    change(&mut options);
    let address = server.address("net.pth");
    let events = Mutex::new(vec![]);
    let result = obtain(&weights(&[file(&address)]), &options, &|progress| {
        let text = match progress {
            Fetching::Waits { .. } => "waits".to_owned(),
            Fetching::Begins { done, total, .. } => format!("begins {done}/{total}"),
            Fetching::Advances { done, total } => format!("advances {done}/{total}"),
            Fetching::Retries { refusal, .. } => format!("retries {refusal}"),
            Fetching::Ends { .. } => "ends".to_owned(),
        };
        events.lock().expect("events").push(text);
    });
    Fetched { folder, result, events: events.into_inner().expect("events"), requests: server.requests() }
}

pub fn fetch(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> Fetched {
    fetch_after(|_| {}, answer, |_| {})
}

impl Fetched {
    pub fn own(&self, name: &str) -> PathBuf {
        self.folder.path().join("own").join(name)
    }

    /// Requires the whole file, under its final name only.
    pub fn is_whole(&self) -> &Self {
        let path = self.result.as_ref().unwrap_or_else(|error| panic!("{error}\n{:?}", self.events));
        assert_eq!(path, &self.own("net.pth"));
        assert!(fs::read(path).expect("reads") == content());
        assert!(!self.own("net.pth.partial").exists());
        assert_eq!(self.events.last().map(String::as_str), Some("ends"));
        self
    }

    /// The refusal of the only address. Requires that no file has the final name.
    pub fn refusal(&self) -> &Refusal {
        assert!(!self.own("net.pth").exists(), "nothing broken has the final name");
        match &self.result {
            Err(PretrainedError::NotFetched { failures, .. }) => &failures[0].refusal,
            other => panic!("{other:?}"),
        }
    }

    /// The first bytes that requests asked for.
    pub fn ranges(&self) -> Vec<Option<u64>> {
        self.requests.iter().map(|request| request.range).collect()
    }
}

/// The whole file, or the requested rest of it.
pub fn good(request: &Request) -> Answer {
    match request.range {
        Some(start) => Answer::part(&content(), start as usize),
        None => Answer::whole(&content()),
    }
}
