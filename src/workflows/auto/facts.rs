//! The facts that the rules use.

use crate::run::{Condition, ImageSize, SettingRoles, setting_roles};
use crate::train::settings::Resolved;

/// The facts that rules use.
pub(super) struct Facts {
    /// The settings with the choices so far.
    pub(super) settings: Resolved,
    /// The roles of the task's settings.
    pub(super) roles: SettingRoles,
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

/// Channels of the first level of a narrow UNet.
pub(super) const NARROW: i64 = 16;

impl Facts {
    /// Whether a condition of the task holds; false for tasks without the condition.
    pub(super) fn holds(&self, condition: Option<Condition>) -> bool {
        setting_roles::holds(condition, &self.settings.table)
    }

    /// Key and channels of the first level of a UNet with its own encoder, not a ResNet.
    pub(super) fn width(&self) -> Option<(&'static str, i64)> {
        let width = self.roles.width.filter(|width| self.holds(Some(width.when)))?;
        Some((width.key, self.settings.table.get(width.key)?.as_integer()?))
    }

    /// Time of a step, as a multiple of that of a narrow network on the same pixels. It grows with the square of the channels.
    pub(super) fn work(&self) -> f64 {
        self.width().map_or(1.0, |(_, channels)| (channels as f64 / NARROW as f64).powi(2)).max(1.0)
    }
}
