//! Pictures and tables at the end of a run. A failure is noted with its reason, and the other files are still written.

use std::sync::atomic::{AtomicBool, Ordering};

use super::TrainError;
use crate::run::RunDir;
use crate::run::pictures::Drawn;

/// Results of a run under way.
pub struct Results<'a> {
    run: &'a RunDir,
    /// The only file to write, if not all are.
    only: Option<&'static str>,
    /// Ends the writing once it is set.
    stop: Option<&'a AtomicBool>,
    written: Vec<&'static str>,
    left_out: Vec<String>,
}

impl<'a> Results<'a> {
    /// No results yet.
    pub fn new(run: &'a RunDir) -> Self {
        Results { run, only: None, stop: None, written: vec![], left_out: vec![] }
    }

    /// Results of which only one file is written.
    pub fn only(run: &'a RunDir, name: &'static str) -> Self {
        Results { only: Some(name), ..Results::new(run) }
    }

    /// Writes no further file once `stop` is set.
    pub(super) fn until(self, stop: &'a AtomicBool) -> Self {
        Results { stop: Some(stop), ..self }
    }

    /// Whether the file of this name is to be written.
    fn wants(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only == name) && self.stop.is_none_or(|stop| !stop.load(Ordering::Relaxed))
    }

    /// The run.
    pub fn run(&self) -> &'a RunDir {
        self.run
    }

    /// Draws a picture and writes it under a name.
    pub fn picture<D: Into<Drawn>>(&mut self, name: &'static str, draw: impl FnOnce() -> Result<D, TrainError>) {
        if !self.wants(name) {
            return;
        }
        let path = self.run.path().join(name);
        let outcome = draw().and_then(|picture| Ok(picture.into().save(&path)?));
        if self.done(name, outcome) {
            self.written.push(name);
        }
    }

    /// Writes a file or a folder. The results name it if `write` returns true: it then has content.
    pub fn file(&mut self, name: &'static str, write: impl FnOnce(&RunDir) -> Result<bool, TrainError>) {
        if !self.wants(name) {
            return;
        }
        let outcome = write(self.run);
        let there = *outcome.as_ref().unwrap_or(&false);
        if self.done(name, outcome.map(drop)) && there {
            self.written.push(name);
        }
    }

    /// Notes a failure. Returns true if there was none.
    pub fn done(&mut self, name: &str, outcome: Result<(), TrainError>) -> bool {
        self.left_out.extend(outcome.as_ref().err().map(|error| format!("{name} is left out: {error}")));
        outcome.is_ok()
    }

    /// Names of the written files, and a line for each failure.
    pub fn finish(self) -> (Vec<&'static str>, Vec<String>) {
        (self.written, self.left_out)
    }
}
