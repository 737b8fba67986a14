//! Flags that decide how a data set is read where its files are ambiguous, for verbs without the settings of a task.

use std::path::PathBuf;

use crate::data::Hints;

/// Hints for reading the data.
#[derive(clap::Args)]
pub(super) struct HintArgs {
    /// Column of a table that names the image files: its name, or its number from 1
    #[arg(long, value_name = "COLUMN")]
    path_column: Option<String>,
    /// Column of a table that holds the labels: its name, or its number from 1
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// Folder that the paths of a table are relative to [default: the table's own]
    #[arg(long, value_name = "DIR")]
    image_root: Option<PathBuf>,
    /// Masks have two classes: values below N, and values from N on; JPEG masks are read too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    mask_threshold: Option<u8>,
}

impl HintArgs {
    /// The hints that are given.
    pub fn hints(&self) -> Hints {
        Hints {
            path_column: self.path_column.clone(),
            label_column: self.label_column.clone(),
            image_root: self.image_root.clone(),
            mask_threshold: self.mask_threshold,
        }
    }
}
