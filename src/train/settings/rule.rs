//! Checks of the values of settings.

use std::fmt::Display;

use super::error::{ConfigError, Needs, Origin};
use crate::text::number;

/// Checks values. The first refused value is an error.
#[derive(Clone, Copy)]
pub struct Rule<'a> {
    origin: &'a dyn Fn(&str) -> Origin,
}

impl<'a> Rule<'a> {
    /// Checks of values whose origins a function gives by key.
    pub(super) fn of(origin: &'a dyn Fn(&str) -> Origin) -> Self {
        Rule { origin }
    }

    /// Refuses a value that is out of range; `expected` describes the range.
    ///
    /// # Errors
    /// [`ConfigError::Value`] unless it `holds`.
    pub fn range(
        self,
        key: &'static str,
        value: &dyn Display,
        holds: bool,
        expected: &'static str,
    ) -> Result<(), ConfigError> {
        match holds {
            true => Ok(()),
            false => {
                let value = value.to_string();
                // 1e308 has 309 digits.
                let value = value.parse().ok().filter(|_| value.len() > 24).map_or(value, number);
                Err(ConfigError::Value { key, value, origin: (self.origin)(key), expected })
            }
        }
    }

    /// Refuses a setting without an effect if it is given directly. In config files and sweeps it passes, because these
    /// hold settings for several kinds of models.
    ///
    /// # Errors
    /// [`ConfigError::NoEffect`] unless it `holds`.
    pub fn effect(self, key: &'static str, value: &dyn Display, holds: bool, needs: Needs) -> Result<(), ConfigError> {
        match holds || (self.origin)(key) != Origin::Given {
            true => Ok(()),
            false => Err(ConfigError::NoEffect { key, value: value.to_string(), needs }),
        }
    }
}

/// γ of focal loss unless a setting gives it: that of Lin et al. 2017.
pub(crate) const FOCAL_GAMMA: f64 = 2.0;

/// Checks γ of focal loss, and refuses it beside another loss.
pub(crate) fn check_focal(rule: Rule<'_>, gamma: Option<f64>, focal: bool) -> Result<(), ConfigError> {
    let Some(gamma) = gamma else { return Ok(()) };
    rule.effect("focal_gamma", &gamma, focal, Needs::OneOf("loss", &["focal"]))?;
    rule.range("focal_gamma", &gamma, gamma > 0.0 && gamma <= 100.0, "above 0, at most 100, such as 2")
}
