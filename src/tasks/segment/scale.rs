//! The setting `scale`: a range of factors such as `0.5..2`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::setting::{Kind, SettingValue};

/// Smallest and largest factor by which a picture is scaled before it is cropped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScaleRange(pub [f64; 2]);

const EXPECTED: &str = "MIN..MAX with 0.1 <= MIN <= MAX <= 10, such as 0.5..2";

impl ScaleRange {
    /// No scaling.
    pub const ONE: Self = ScaleRange([1.0; 2]);
}

impl FromStr for ScaleRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once("..").and_then(|(least, most)| Some([least.parse().ok()?, most.parse().ok()?]));
        let in_order = |[least, most]: &[f64; 2]| 0.1 <= *least && least <= most && *most <= 10.0;
        numbers.filter(in_order).map(ScaleRange).ok_or_else(|| EXPECTED.to_owned())
    }
}

impl TryFrom<String> for ScaleRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|expected| format!("`{text}` is no range: expected {expected}"))
    }
}

impl From<ScaleRange> for String {
    fn from(range: ScaleRange) -> String {
        range.to_string()
    }
}

impl fmt::Display for ScaleRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0[0], self.0[1])
    }
}

impl SettingValue for ScaleRange {
    const KIND: Kind = Kind::Parsed(|text| text.parse::<ScaleRange>().map(drop));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_every_bit_as_text() {
        for range in [ScaleRange::ONE, ScaleRange([0.1, 1.0 / 3.0]), ScaleRange([0.5, 2.0])] {
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        for wrong in ["2..0.5", "0..1", "1", "0.5..11", "a..b", "nan..1", ""] {
            assert!(wrong.parse::<ScaleRange>().is_err(), "{wrong}");
        }
    }
}
