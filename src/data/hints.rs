//! Hints of a person for reading a data set whose files leave it open.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Decisions on how a set is read, where its files leave it open or suggest another reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hints {
    /// Column of a table that names the image files: its name in the first line, or its number from 1.
    pub path_column: Option<String>,
    /// Column of a table that holds the labels: its name or its number.
    pub label_column: Option<String>,
    /// Folder that the paths of a table are relative to; the table's own folder when not given.
    pub image_root: Option<PathBuf>,
    /// Masks have two classes: values below it, and values from it on. From 1 to 255.
    pub mask_threshold: Option<u8>,
}

impl Hints {
    /// The hints among the settings of a task.
    pub fn of_settings(settings: &toml::Table) -> Self {
        let text = |key: &str| settings.get(key).and_then(toml::Value::as_str);
        Self {
            path_column: text("path_column").map(String::from),
            label_column: text("label_column").map(String::from),
            image_root: text("image_root").map(PathBuf::from),
            mask_threshold: settings
                .get("mask_threshold")
                .and_then(toml::Value::as_integer)
                .and_then(|value| u8::try_from(value).ok()),
        }
    }

    /// These hints, and those of `other` where these have none.
    pub fn or(self, other: Self) -> Self {
        Self {
            path_column: self.path_column.or(other.path_column),
            label_column: self.label_column.or(other.label_column),
            image_root: self.image_root.or(other.image_root),
            mask_threshold: self.mask_threshold.or(other.mask_threshold),
        }
    }

    /// The keys of those that are given.
    pub fn keys(&self) -> Vec<&'static str> {
        let given = [
            ("path_column", self.path_column.is_some()),
            ("label_column", self.label_column.is_some()),
            ("image_root", self.image_root.is_some()),
            ("mask_threshold", self.mask_threshold.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }

    /// Whether they are about a table.
    pub(crate) fn are_of_a_table(&self) -> bool {
        self.path_column.is_some() || self.label_column.is_some() || self.image_root.is_some()
    }

    /// These hints without those about a table.
    pub fn without_table(self) -> Self {
        Self { mask_threshold: self.mask_threshold, ..Self::default() }
    }
}
