//! Search for damaged files of a run. It changes nothing.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use super::card::EPOCH;
use super::checkpoint::EpochMark;
use super::facts::RunFacts;
use super::folder::{CONFUSION, LAYERS, MAX_TABLE_BYTES, RunDir, TRUST};
use super::history::EpochRow;
use super::layers::LayerRow;
use super::resume::Header;
use super::score::Score;
use super::trust::Trust;
use crate::data::digest;
use crate::interop::files::{read_bytes, read_text};
use crate::interop::safetensors::read_metadata;

/// Files of results that a run writes at its end, or after its best epoch.
const RESULTS: [&str; 8] =
    [CONFUSION, TRUST, "iou.csv", "classes.csv", "errors/errors.csv", "samples.png", "confusion.png", "gradcam.png"];

/// The digest of a text file of a run, as in `run.json`.
pub fn text_digest(text: &str) -> String {
    format!("{:016x}", digest(text.as_bytes()))
}

impl RunDir {
    /// The digests of the existing files of results, by name.
    pub(crate) fn result_digests(&self) -> BTreeMap<String, String> {
        let of = |name: &&str| {
            let bytes = read_bytes(&self.path().join(name), MAX_TABLE_BYTES).ok()?;
            Some(((*name).to_owned(), format!("{:016x}", digest(&bytes))))
        };
        RESULTS.iter().filter_map(of).collect()
    }

    /// A problem if the names of outputs in `run.json` are not those of the checkpoint beside it.
    fn other_outputs(&self, facts: &RunFacts) -> Option<String> {
        let path = self.checkpoint()?;
        let entries = read_metadata(&path).ok()?;
        let classes: Vec<String> = serde_json::from_str(entries.get("classes")?).ok()?;
        (classes != facts.outputs).then(|| format!("its outputs are not the classes of {}", path.display()))
    }

    /// The problem of each file of results that is not the one with the digest that the run kept, by name. A resumed run has removed them.
    fn other_results(&self, facts: &RunFacts) -> Vec<(String, String)> {
        let results = self.result_digests();
        let problem = |(name, kept): (&String, &String)| match results.get(name) {
            Some(found) if found == kept => None,
            Some(_) => Some((name.clone(), "it is not the file that the run wrote".to_owned())),
            None if self.is_unfinished() => None,
            None => Some((
                name.clone(),
                absence(read_bytes(&self.path().join(name), MAX_TABLE_BYTES).err().map(|error| error.source)),
            )),
        };
        facts.result_digests.iter().filter_map(problem).collect()
    }

    /// The problem of a file of scores or layers that is there and cannot be read. The last line of `layers.csv` of a live run may be cut.
    fn unreadable_results(&self) -> Vec<(String, String)> {
        let text = |name: &str| {
            read_bytes(&self.path().join(name), MAX_TABLE_BYTES)
                .ok()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let trust = text(TRUST).and_then(|text| serde_json::from_str::<Trust>(&text).err());
        let layers = text(LAYERS).filter(|text| !self.is_unfinished() || text.ends_with('\n'));
        let rows =
            |text: String| csv::Reader::from_reader(text.as_bytes()).deserialize::<LayerRow>().find_map(Result::err);
        let layers = layers.and_then(rows).map(|error| (LAYERS.to_owned(), error.to_string()));
        trust.map(|error| (TRUST.to_owned(), error.to_string())).into_iter().chain(layers).collect()
    }

    /// The first problem of each file of results, by name.
    fn damaged_results(&self, facts: Option<&RunFacts>) -> Vec<(String, String)> {
        let mut found = facts.map_or(vec![], |facts| self.other_results(facts));
        for (name, problem) in self.unreadable_results() {
            if found.iter().all(|(known, _)| *known != name) {
                found.push((name, problem));
            }
        }
        found
    }

    /// A line for each file of the run that is damaged or missing. The line begins with the file's path.
    pub fn damage(&self) -> Vec<String> {
        let mut found = vec![];
        let mut add = |file: &str, problem: String| {
            found.push(format!("{} is damaged: {problem}", self.path().join(file).display()));
        };
        let facts = match self.read_facts() {
            Ok(facts) => facts,
            Err(error) => {
                add("run.json", error.to_string());
                None
            }
        };
        if let Some(problem) = facts.as_ref().and_then(|facts| self.other_outputs(facts)) {
            add("run.json", problem);
        }
        self.damaged_results(facts.as_ref()).into_iter().for_each(|(name, problem)| add(&name, problem));
        let settings = read_text(&self.config_path(), 1 << 20).unwrap_or_default();
        let kept = facts.as_ref().and_then(|facts| facts.settings_digest.clone());
        if kept.is_some_and(|kept| kept != text_digest(&settings)) {
            add("config.toml", "it differs from the settings of the run".into());
        }
        let known: Vec<Score> = facts.iter().flat_map(RunFacts::known_scores).cloned().collect();
        // Read before the table, because a live run extends the table first.
        let state = Some(self.state_path()).filter(|state| state.exists());
        let kept_state = state.as_deref().map(Header::read).unwrap_or_default();
        let metrics = read_bytes(&self.metrics_path(), MAX_TABLE_BYTES);
        let denied = metrics.as_ref().err().filter(|error| error.source.kind() != ErrorKind::NotFound);
        let denied = denied.map(|error| format!("it cannot be read: {}", error.source));
        let metrics = metrics.unwrap_or_default();
        let (rows, unreadable) = EpochRow::read_damaged(&metrics, &known);
        let epoch = |path| read_metadata(path).ok().and_then(|entries| entries.get(EPOCH)?.parse::<u32>().ok());
        let last = epoch(&self.last_path()).max(epoch(&self.best_path()));
        // A live run may have a row without its checkpoint, or no row.
        let none_yet = metrics.is_empty() && self.checkpoint().is_none();
        let kept = facts.as_ref().and_then(|facts| facts.metrics_digest.as_deref());
        let contradicts = || contradiction(&metrics, (rows.len(), last), kept, kept_state.origin.epochs.as_deref());
        let problem = denied.or_else(|| unreadable.filter(|_| !none_yet)).or_else(contradicts);
        if let Some(problem) = problem {
            add("metrics.csv", problem);
        }
        if !rows.is_empty() || last.is_some() {
            for path in [self.best_path(), self.last_path()] {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match read_metadata(&path) {
                    Ok(entries) if EpochMark::of(&entries).is_some_and(|mark| mark.contradicts(&rows)) => {
                        add(&name, "it holds the weights of another run".into());
                    }
                    Ok(_) => {}
                    Err(_) if !path.exists() => add(&name, "it is gone".into()),
                    Err(error) => add(&name, error.to_string()),
                }
            }
        }
        // A live run may write or remove this file in the meantime.
        if let Some(state) = state.filter(|state| kept_state.position.is_none() && state.exists()) {
            let name = state.file_name().unwrap_or_default().to_string_lossy();
            add(&name, "it holds no position of the run".into());
        }
        found
    }
}

/// The reason why a file is not there, or not read.
fn absence(error: Option<io::Error>) -> String {
    match error {
        Some(error) if error.kind() != ErrorKind::NotFound => format!("it cannot be read: {error}"),
        _ => "it is gone".into(),
    }
}

/// A contradiction between the table of epochs and the last epoch of the checkpoints, the digest of the table, or the
/// epochs in the state of the run.
fn contradiction(
    metrics: &[u8],
    (rows, last): (usize, Option<u32>),
    digest: Option<&str>,
    epochs: Option<&str>,
) -> Option<String> {
    if let Some(last) = last.filter(|last| (rows as u32) < *last) {
        return Some(format!("it ends after epoch {rows}, the checkpoints after {last}"));
    }
    let was_changed = digest.is_some_and(|kept| kept != text_digest(&String::from_utf8_lossy(metrics)))
        || epochs.is_some_and(|epochs| !metrics.starts_with(epochs.as_bytes()));
    was_changed.then(|| "its values were changed".into())
}
