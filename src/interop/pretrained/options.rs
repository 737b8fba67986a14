//! Where published weights are looked for, and how they are fetched.

use std::env;
use std::time::Duration;

use super::cache::Folders;
use super::table::{Place, Published, PublishedFile};

/// Address of Hugging Face.
const HUGGING_FACE: &str = "https://huggingface.co";

/// Where published weights are looked for, and how they are fetched.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folders that are searched; the first is also where a download goes.
    pub folders: Folders,
    /// Whether nothing is fetched.
    pub offline: bool,
    /// Address of a folder that has the files under their names in our folder. It is tried first.
    pub mirror: Option<String>,
    /// Address that replaces Hugging Face's. Its files are then tried before those of other places.
    pub hugging_face: Option<String>,
    /// Further attempts after an attempt that brought no byte.
    pub retries: u32,
    /// Time between two attempts.
    pub pause: Duration,
    /// Time without a byte after which a connection counts as broken off.
    pub patience: Duration,
}

impl Options {
    /// Options from environment variables.
    ///
    /// | variable | effect |
    /// |---|---|
    /// | those of [`Folders::of_environment`] | folders |
    /// | `SHADEGRAD_OFFLINE`, `HF_HUB_OFFLINE` | nothing is fetched where one is set and neither empty, `0`, `false`, `no` nor `off` |
    /// | `SHADEGRAD_WEIGHTS_MIRROR` | [`Options::mirror`] |
    /// | `HF_ENDPOINT` | [`Options::hugging_face`] |
    /// | `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxy of the connection |
    pub fn of_environment() -> Self {
        Self::of(&|name| env::var(name).ok())
    }

    /// [`Options::of_environment`] with variables from a function.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let is_on = |name: &str| {
            variable(name).is_some_and(|value| {
                !["", "0", "false", "no", "off"].contains(&value.trim().to_ascii_lowercase().as_str())
            })
        };
        let address = |name: &str| {
            let value = variable(name)?.trim().trim_end_matches('/').to_owned();
            (!value.is_empty()).then_some(value)
        };
        Options {
            folders: Folders::of_environment(variable),
            offline: is_on("SHADEGRAD_OFFLINE") || is_on("HF_HUB_OFFLINE"),
            mirror: address("SHADEGRAD_WEIGHTS_MIRROR"),
            hugging_face: address("HF_ENDPOINT"),
            retries: 4,
            pause: Duration::from_secs(2),
            patience: Duration::from_secs(30),
        }
    }

    /// The addresses to try in their order, each with the file that it gives.
    pub fn addresses<'w>(&self, weights: &Published<'w>) -> Vec<(&'w PublishedFile<'w>, String)> {
        let from_mirror =
            |file: &'w PublishedFile<'w>| Some((file, format!("{}/{}", self.mirror.as_ref()?, file.name)));
        let endpoint = self.hugging_face.as_deref().unwrap_or(HUGGING_FACE);
        let published = |file: &'w PublishedFile<'w>| match file.place {
            Place::Url(address) => (file, address.to_owned()),
            Place::HuggingFace { repository, revision, path } => {
                (file, format!("{endpoint}/{repository}/resolve/{revision}/{path}"))
            }
        };
        let mut files: Vec<_> = weights.files.iter().collect();
        let first = self.hugging_face.is_some();
        files.sort_by_key(|file| matches!(file.place, Place::HuggingFace { .. }) != first);
        weights.files.iter().filter_map(from_mirror).chain(files.into_iter().map(published)).collect()
    }
}
