//! The operations: their names, the ranges of their values, and the list as TOML.

use toml::{Table, Value};

use super::AugmentError;

/// A change of a picture. Random amounts are uniform unless stated otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// Turns by -degrees to +degrees about the center; 0 to 180.
    Rotate {
        /// Largest angle.
        degrees: f32,
    },
    /// Scales each axis about the center by an independent factor from 1 − share to 1 + share; share is 0 to 0.5.
    Stretch {
        /// Largest change.
        share: f32,
    },
    /// Moves by a whole number of pixels, -padding to +padding on each axis, at most half of the side. This is a crop
    /// of the picture with that padding. 1 to 1024.
    Crop {
        /// Largest shift in pixels.
        padding: u32,
    },
    /// Enlarges a rectangle of the picture to the whole.
    ResizedCrop {
        /// Least and largest share of the area that is kept; 0.01 to 1.
        area: [f32; 2],
        /// Least and largest width over height of the rectangle, relative to that of the picture: 1 keeps proportions.
        /// Logarithmically uniform, 0.1 to 10.
        ratio: [f32; 2],
    },
    /// Mirrors left and right.
    FlipHorizontal,
    /// Mirrors top and bottom.
    FlipVertical,
    /// Multiplies all values by a factor from 1 - share to 1 + share; 0 to 1.
    Brightness {
        /// Largest change.
        share: f32,
    },
    /// Multiplies the distance from the picture's mean lightness by a factor from 1 - share to 1 + share; 0 to 1.
    Contrast {
        /// Largest change.
        share: f32,
    },
    /// Multiplies the distance from grey by a factor from 1 - share to 1 + share; 0 to 1.
    Saturation {
        /// Largest change.
        share: f32,
    },
    /// Turns colors about the axis of greys by -degrees to +degrees; 0 to 180.
    Hue {
        /// Largest angle.
        degrees: f32,
    },
    /// Gaussian blur.
    Blur {
        /// Least and largest standard deviation in pixels; 0 to 10.
        sigma: [f32; 2],
    },
    /// One operation of TrivialAugment (Müller & Hutter 2021). Its strength is drawn from 31 levels.
    Trivial {
        /// Fraction of the levels that may be drawn; 0 to 1.
        strength: f32,
        /// Whether colors may change.
        colors: bool,
    },
    /// Operations of RandAugment (Cubuk et al. 2020), all with one strength.
    Rand {
        /// Number of operations; 1 to 4.
        count: u32,
        /// Strength; 0 to 30.
        magnitude: u32,
        /// Whether colors may change.
        colors: bool,
    },
    /// Fills a rectangle with the picture's mean color. In a mask its pixels are ignored.
    Erase {
        /// Least and largest share of the picture's area; above 0, at most 0.9.
        area: [f32; 2],
        /// Least and largest width over height; logarithmically uniform, 0.1 to 10.
        ratio: [f32; 2],
    },
}

/// The value of pixels from outside of the picture. In a mask they are always ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// The picture mirrored at its edge (`c b a | a b c`).
    #[default]
    Reflect,
    /// The picture's mean color.
    Mean,
}

/// An operation and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// Probability for a sample, 0 to 1.
    pub p: f32,
}

/// Default ratio of torchvision's random resized crop and random erasing.
const CROP_RATIO: [f32; 2] = [0.75, 4.0 / 3.0];
const ERASE_RATIO: [f32; 2] = [0.3, 3.3];

/// Largest number of operations of RandAugment.
pub(super) const MOST_DRAWN: u32 = 4;
/// RandAugment's strength in torchvision.
const MAGNITUDE: u32 = 9;

const EXPECTED_KEYS: &str = "one of rotate, stretch, crop, resized_crop, flip, brightness, contrast, saturation, hue, \
                             blur, erase, trivial, rand, outside, beside it p, ratio with resized_crop or erase, and \
                             magnitude with rand";
const NUMBER: &str = "a number";
const RANGE: &str = "a number, or two as [least, most]";

impl Op {
    /// Key in a list.
    pub fn key(self) -> &'static str {
        match self {
            Op::Rotate { .. } => "rotate",
            Op::Stretch { .. } => "stretch",
            Op::Crop { .. } => "crop",
            Op::ResizedCrop { .. } => "resized_crop",
            Op::FlipHorizontal | Op::FlipVertical => "flip",
            Op::Brightness { .. } => "brightness",
            Op::Contrast { .. } => "contrast",
            Op::Saturation { .. } => "saturation",
            Op::Hue { .. } => "hue",
            Op::Blur { .. } => "blur",
            Op::Erase { .. } => "erase",
            Op::Trivial { .. } => "trivial",
            Op::Rand { .. } => "rand",
        }
    }

    /// Number among the uses of randomness, counted from [`crate::random::op::AUGMENT`]. It never changes, because
    /// repeated runs depend on it.
    pub(super) fn number(self) -> u64 {
        match self {
            Op::Rotate { .. } => 0,
            Op::Stretch { .. } => 1,
            Op::Crop { .. } => 2,
            Op::ResizedCrop { .. } => 3,
            Op::FlipHorizontal => 4,
            Op::FlipVertical => 5,
            Op::Brightness { .. } => 6,
            Op::Contrast { .. } => 7,
            Op::Saturation { .. } => 8,
            Op::Hue { .. } => 9,
            Op::Blur { .. } => 10,
            Op::Erase { .. } => 11,
            Op::Trivial { .. } => 12,
            Op::Rand { .. } => 13,
        }
    }

    /// Default probability: 1, and 0.5 for flips and erasing.
    fn usual_p(self) -> f32 {
        match self {
            Op::FlipHorizontal | Op::FlipVertical | Op::Erase { .. } => 0.5,
            _ => 1.0,
        }
    }
}

/// Key, value and expectation of a value out of range. The comparisons are false for NaN.
type Check = Result<(), (&'static str, String, &'static str)>;

fn check(key: &'static str, value: f32, from: f32, to: f32, expected: &'static str) -> Check {
    if (from..=to).contains(&value) { Ok(()) } else { Err((key, value.to_string(), expected)) }
}

fn check_range(key: &'static str, [low, high]: [f32; 2], from: f32, to: f32, expected: &'static str) -> Check {
    if from <= low && low <= high && high <= to { Ok(()) } else { Err((key, format!("[{low}, {high}]"), expected)) }
}

impl Step {
    /// An operation with its usual probability: 0.5 for flips and erasing, else 1.
    pub fn of(op: Op) -> Self {
        Step { op, p: op.usual_p() }
    }

    /// The same operation with another probability.
    pub fn with_p(self, p: f32) -> Self {
        Step { p, ..self }
    }

    pub(super) fn check(self) -> Check {
        let ratios = "[least, most] with 0.1 <= least <= most <= 10";
        let key = self.op.key();
        match self.op {
            Op::Rotate { degrees } | Op::Hue { degrees } => check(key, degrees, 0.0, 180.0, "0 to 180 degrees")?,
            Op::Stretch { share } => check(key, share, 0.0, 0.5, "a share of 0 to 0.5")?,
            Op::Crop { padding } => check(key, padding as f32, 1.0, 1024.0, "1 to 1024 pixels")?,
            Op::Brightness { share } | Op::Contrast { share } | Op::Saturation { share } => {
                check(key, share, 0.0, 1.0, "a share of 0 to 1")?;
            }
            Op::FlipHorizontal | Op::FlipVertical => {}
            Op::Trivial { strength, .. } => check(key, strength, 0.0, 1.0, "a share of 0 to 1")?,
            Op::Rand { count, magnitude, .. } => {
                check(key, count as f32, 1.0, MOST_DRAWN as f32, "1 to 4 operations")?;
                check("magnitude", magnitude as f32, 0.0, 30.0, "a strength of 0 to 30")?;
            }
            Op::Blur { sigma } => {
                check_range(key, sigma, 0.0, 10.0, "a deviation of 0 to 10 pixels, or [least, most] of it")?;
            }
            Op::ResizedCrop { area, ratio } => {
                check_range(key, area, 0.01, 1.0, "the share kept, [least, most] with 0.01 <= least <= most <= 1")?;
                check_range("ratio", ratio, 0.1, 10.0, ratios)?;
            }
            Op::Erase { area, ratio } => {
                let least = f32::MIN_POSITIVE;
                check_range(key, area, least, 0.9, "the share erased, [least, most] with 0 < least <= most <= 0.9")?;
                check_range("ratio", ratio, 0.1, 10.0, ratios)?;
            }
        }
        check("p", self.p, 0.0, 1.0, "a probability of 0 to 1")
    }

    /// The inline table. It has `p` only where it is not the default.
    pub(super) fn to_table(self) -> Table {
        let (mut table, mut ratios) = (Table::new(), None);
        let value = match self.op {
            Op::Rotate { degrees } | Op::Hue { degrees } => float(degrees),
            Op::Stretch { share } | Op::Brightness { share } | Op::Contrast { share } | Op::Saturation { share } => {
                float(share)
            }
            Op::Crop { padding } => Value::Integer(padding.into()),
            Op::FlipHorizontal => Value::String("horizontal".into()),
            Op::FlipVertical => Value::String("vertical".into()),
            Op::Blur { sigma } => floats(sigma),
            Op::Trivial { strength, .. } => float(strength),
            Op::Rand { count, magnitude, .. } => {
                if magnitude != MAGNITUDE {
                    table.insert("magnitude".into(), Value::Integer(magnitude.into()));
                }
                Value::Integer(count.into())
            }
            Op::ResizedCrop { area, ratio } | Op::Erase { area, ratio } => {
                ratios = Some(floats(ratio));
                floats(area)
            }
        };
        table.insert(self.op.key().into(), value);
        ratios.map(|ratios| table.insert("ratio".into(), ratios));
        if self.p != self.op.usual_p() {
            table.insert("p".into(), float(self.p));
        }
        table
    }
}

/// A table of a list.
pub(super) enum Entry {
    Step(Step),
    Outside(Outside),
}

impl Entry {
    /// Reads table `place` (from 1) of a list.
    pub(super) fn read(place: usize, table: &Table) -> Result<Self, AugmentError> {
        let reader = Reader { place, table };
        let named = |key: &&String| !matches!(key.as_str(), "p" | "ratio" | "magnitude");
        let mut keys = table.keys().filter(named);
        let (Some(key), None) = (keys.next(), keys.next()) else { return Err(reader.other_keys()) };
        let has_ratio = table.contains_key("ratio");
        if table.contains_key("magnitude") && key != "rand" {
            return Err(reader.other_keys());
        }
        if has_ratio && !matches!(key.as_str(), "resized_crop" | "erase") {
            return Err(reader.other_keys());
        }
        let op = match key.as_str() {
            "rotate" => Op::Rotate { degrees: reader.number("rotate")? },
            "stretch" => Op::Stretch { share: reader.number("stretch")? },
            "crop" => Op::Crop { padding: reader.whole("crop", "1 to 1024 pixels")? },
            "resized_crop" => {
                let area = reader.range("resized_crop", |least| [least, 1.0])?;
                Op::ResizedCrop { area, ratio: reader.ratio(has_ratio, CROP_RATIO)? }
            }
            "flip" => match table[key].as_str() {
                Some("horizontal") => Op::FlipHorizontal,
                Some("vertical") => Op::FlipVertical,
                _ => return Err(reader.wrong("flip", "\"horizontal\" or \"vertical\"")),
            },
            "brightness" => Op::Brightness { share: reader.number("brightness")? },
            "contrast" => Op::Contrast { share: reader.number("contrast")? },
            "saturation" => Op::Saturation { share: reader.number("saturation")? },
            "hue" => Op::Hue { degrees: reader.number("hue")? },
            "blur" => Op::Blur { sigma: reader.range("blur", |most| [0.0, most])? },
            "erase" => {
                let area = reader.range("erase", |most| [most.min(0.02), most])?;
                Op::Erase { area, ratio: reader.ratio(has_ratio, ERASE_RATIO)? }
            }
            "trivial" => Op::Trivial { strength: reader.number("trivial")?, colors: true },
            "rand" => {
                let given = table.contains_key("magnitude");
                let magnitude = if given { reader.whole("magnitude", "a strength of 0 to 30")? } else { MAGNITUDE };
                Op::Rand { count: reader.whole("rand", "1 to 4 operations")?, magnitude, colors: true }
            }
            "outside" if table.len() == 1 => {
                return match table[key].as_str() {
                    Some("reflect") => Ok(Entry::Outside(Outside::Reflect)),
                    Some("mean") => Ok(Entry::Outside(Outside::Mean)),
                    _ => Err(reader.wrong("outside", "\"reflect\" or \"mean\"")),
                };
            }
            _ => return Err(reader.other_keys()),
        };
        let step = Step::of(op);
        let step = if table.contains_key("p") { step.with_p(reader.number("p")?) } else { step };
        let in_place = |(key, value, expected)| AugmentError::Value { place, key, value, expected };
        step.check().map_err(in_place)?;
        Ok(Entry::Step(step))
    }
}

struct Reader<'a> {
    place: usize,
    table: &'a Table,
}

impl Reader<'_> {
    fn other_keys(&self) -> AugmentError {
        let found = self.table.keys().cloned().collect::<Vec<_>>().join(", ");
        AugmentError::Keys { place: self.place, found, expected: EXPECTED_KEYS }
    }

    fn wrong(&self, key: &'static str, expected: &'static str) -> AugmentError {
        let value = self.table.get(key).map_or(String::new(), ToString::to_string);
        AugmentError::Value { place: self.place, key, value, expected }
    }

    fn whole(&self, key: &'static str, expected: &'static str) -> Result<u32, AugmentError> {
        let number = self.table.get(key).and_then(Value::as_integer).and_then(|n| u32::try_from(n).ok());
        number.ok_or_else(|| self.wrong(key, expected))
    }

    fn number(&self, key: &'static str) -> Result<f32, AugmentError> {
        self.table.get(key).and_then(as_number).ok_or_else(|| self.wrong(key, NUMBER))
    }

    /// Two numbers, or the range that one number stands for.
    fn range(&self, key: &'static str, of_one: impl Fn(f32) -> [f32; 2]) -> Result<[f32; 2], AugmentError> {
        let value = &self.table[key];
        let pair = || match value.as_array()?.as_slice() {
            [low, high] => Some([as_number(low)?, as_number(high)?]),
            _ => None,
        };
        as_number(value).map(of_one).or_else(pair).ok_or_else(|| self.wrong(key, RANGE))
    }

    fn ratio(&self, given: bool, usual: [f32; 2]) -> Result<[f32; 2], AugmentError> {
        if given { self.range("ratio", |one| [one, one]) } else { Ok(usual) }
    }
}

fn as_number(value: &Value) -> Option<f32> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64)).map(|v| v as f32)
}

/// The shortest number that reads back as the same `f32`.
fn float(value: f32) -> Value {
    Value::Float(value.to_string().parse().unwrap_or(f64::from(value)))
}

fn floats(values: [f32; 2]) -> Value {
    Value::Array(values.map(float).to_vec())
}
