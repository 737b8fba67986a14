//! Refuses ranks that differ in their program, settings or data.

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::settings::{self, Difference, Setting, SettingComparison};
use crate::data::digest;
use crate::ranks::{RankError, Ranks, Wait, broadcast, gather};
use crate::run::fingerprint::DataPrint;

/// Facts that must be the same on all ranks.
#[derive(Serialize, Deserialize)]
struct Identity {
    program: String,
    settings: String,
    data: DataPrint,
}

/// Refuses ranks that differ in their program, settings or data; `settings` are the settings as TOML and their declarations. Rank 0
/// finds the differences. The error of the other ranks does not list them.
///
/// # Errors
/// [`RankError::Differ`].
pub(super) fn agree(
    ranks: &dyn Ranks,
    (settings, declared): (&str, &[Setting]),
    data: &DataPrint,
) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let own = Identity { program: program(), settings: settings.to_owned(), data: data.clone() };
    // Text and numbers always have a JSON form.
    let messages = gather(ranks, &serde_json::to_vec(&own).unwrap_or_default(), Wait::Unlimited)?;
    let others = messages.iter().enumerate().skip(1);
    let differences: Vec<String> = others
        .flat_map(|(rank, message)| match serde_json::from_slice(message) {
            Ok(other) => {
                differences(&own, &other, declared).into_iter().map(|line| format!("rank {rank}: {line}")).collect()
            }
            Err(_) => vec![format!("rank {rank} is another version of the program")],
        })
        .collect();
    let mut refused = [u8::from(!differences.is_empty())];
    // A rank may still read its data.
    broadcast(ranks, &mut refused, Wait::Unlimited)?;
    if refused == [0] { Ok(()) } else { Err(RankError::Differ { differences }.into()) }
}

/// Version and digest of the running program.
fn program() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    format!("{} {:016x}", env!("CARGO_PKG_VERSION"), digest(&bytes))
}

/// Differences of a rank from rank 0, in words.
fn differences(first: &Identity, other: &Identity, declared: &[Setting]) -> Vec<String> {
    let mut lines = vec![];
    if first.program != other.program {
        lines.push(format!("the program is {}, on rank 0 {}", other.program, first.program));
    }
    let [of_first, of_other] =
        [first, other].map(|identity| toml::from_str::<toml::Table>(&identity.settings).unwrap_or_default());
    let counts = |key: &str| !settings::is_ignored(declared, SettingComparison::Ranks, key);
    let differ = settings::differences(&of_first, &of_other, counts);
    lines.extend(
        differ.into_iter().map(|Difference { key, before, now }| format!("{key} is {now}, on rank 0 {before}")),
    );
    lines.extend(first.data.changes(&other.data).into_iter().map(|change| format!("other data than rank 0: {change}")));
    lines
}
