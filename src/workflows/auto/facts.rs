//! The facts that the rules use.

use crate::run::ImageSize;
use crate::train::settings::Resolved;

/// The facts that rules use.
pub(super) struct Facts {
    /// The settings with the choices so far.
    pub(super) settings: Resolved,
    /// Number of training images.
    pub(super) images: usize,
    /// Whether the training images are photographs.
    pub(super) photographs: bool,
    /// Whether samples have masks.
    pub(super) masks: bool,
    /// Number of classes with few pixels.
    pub(super) rare: usize,
    /// Whether a processor trains, not a GPU; `None` for devices that may differ, and where no rule needs it.
    pub(super) processor: Option<bool>,
    /// Height and width of some pictures.
    pub(super) pictures: Vec<(usize, usize)>,
    /// Size of the images of the run whose weights training starts from.
    pub(super) start_size: Option<ImageSize>,
}

/// A setting that is text.
pub(super) fn text<'a>(settings: &'a Resolved, key: &str) -> Option<&'a str> {
    settings.table.get(key).and_then(toml::Value::as_str)
}
