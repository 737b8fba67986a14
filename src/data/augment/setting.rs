//! Augmentation as a setting: the name of a preset, or a list.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::op::Entry;
use super::{AugmentError, Augmentation, Op, Outside, Step};

/// Changes that keep the label of a task's samples. A preset makes no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeps {
    /// `light` may mirror. A mirrored photograph keeps its class, a mirrored digit or arrow may not.
    pub mirror: bool,
    /// Saturation, hue and sharpness may change: they are not predicted.
    pub color: bool,
    /// A patch may be erased: its content need not be predicted.
    pub erase: bool,
}

/// The augmentation: `"light"` in a config file and on the command line, or a list such as
///
/// ```toml
/// augment = [
///     { rotate = 10 },                                # -10 to 10 degrees
///     { stretch = 0.1 },                              # each axis by 0.9 to 1.1
///     { crop = 4 },                                   # shifts of up to 4 pixels
///     { resized_crop = [0.5, 1.0], ratio = [0.75, 1.333] },
///     { flip = "horizontal" },                        # p = 0.5 unless given
///     { brightness = 0.2 }, { contrast = 0.2 }, { saturation = 0.2 }, { hue = 10 },
///     { blur = 1.0, p = 0.2 },                        # sigma of 0 to 1 pixels, for a fifth of the samples
///     { erase = [0.02, 0.2], p = 0.25 },
///     { trivial = 1.0 },                              # one operation of any strength (TrivialAugment)
///     { rand = 2, magnitude = 9 },                    # 2 operations of strength 9 of 30 (RandAugment)
///     { outside = "mean" },                           # or "reflect", which it is without this entry
/// ]
/// ```
///
/// Presets, by the changes that keep the label ([`Keeps`]):
///
/// | preset | steps | with `mirror` | with `color` | with `erase` |
/// |---|---|---|---|---|
/// | `light` | rotation ±10°, stretch ±10 %, blur of sigma <= 1 with p 0.2 | horizontal flip | | |
/// | `strong` | resized crop of half the area or more, rotation ±15°, horizontal flip, brightness and contrast ±20 % | | brightness and contrast ±30 %, saturation ±30 %, hue ±10°, blur of sigma <= 1.5 with p 0.3 | erasing with p 0.25 |
/// | `trivial` | one operation of TrivialAugment (Müller & Hutter 2021) | horizontal flip | its operations on colors | |
///
/// `light` never mirrors an image whose class may depend on it, such as a digit, a letter or an arrow. `strong` does;
/// where left and right matter, give a list without the flip. Colors that are predicted stay, and no patch is erased
/// whose color or class is predicted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Augment(Kind);

#[derive(Debug, Clone, PartialEq, Default)]
enum Kind {
    #[default]
    None,
    Light,
    Strong,
    Trivial,
    List(Vec<Step>, Outside),
}

const EXPECTED: &str = "none, light, strong, trivial or a list such as [{ rotate = 10 }, { blur = 1.0, p = 0.2 }]";

impl Augment {
    /// Names of the presets.
    pub(super) const PRESETS: [&str; 4] = ["none", "light", "strong", "trivial"];
    /// No change.
    pub const NONE: Self = Augment(Kind::None);
    /// Slight changes.
    pub const LIGHT: Self = Augment(Kind::Light);
    /// Changes for long training.
    pub const STRONG: Self = Augment(Kind::Strong);
    /// TrivialAugment.
    pub const TRIVIAL: Self = Augment(Kind::Trivial);

    /// A list of steps.
    ///
    /// # Errors
    /// A value out of range, or an operation that the list has twice.
    pub fn list(steps: Vec<Step>, outside: Outside) -> Result<Self, AugmentError> {
        for (index, step) in steps.iter().enumerate() {
            let place = index + 1;
            step.check().map_err(|(key, value, expected)| AugmentError::Value { place, key, value, expected })?;
            // Two steps of one operation would share their random numbers.
            if steps[..index].iter().any(|earlier| earlier.op.number() == step.op.number()) {
                return Err(AugmentError::Twice { place, key: step.op.key() });
            }
        }
        Ok(Augment(Kind::List(steps, outside)))
    }

    /// The steps that keep the label.
    pub fn steps(&self, keeps: Keeps) -> Vec<Step> {
        match &self.0 {
            Kind::None => vec![],
            Kind::Light => light(keeps),
            Kind::Strong => strong(keeps),
            Kind::Trivial => trivial(keeps),
            Kind::List(steps, _) => steps.iter().map(|&step| of_colors(step, keeps.color)).collect(),
        }
    }

    /// The augmentation with its seed; `None` without any step.
    pub fn prepare(&self, keeps: Keeps, seed: u64) -> Option<Arc<Augmentation>> {
        let outside = if let Kind::List(_, outside) = self.0 { outside } else { Outside::default() };
        let steps = self.steps(keeps);
        (!steps.is_empty()).then(|| Arc::new(Augmentation::new(steps, outside, seed)))
    }

    fn of_tables(tables: &[Table]) -> Result<Self, AugmentError> {
        let (mut steps, mut outside) = (vec![], None);
        for (index, table) in tables.iter().enumerate() {
            let place = index + 1;
            match Entry::read(place, table)? {
                Entry::Outside(_) if outside.is_some() => return Err(AugmentError::Twice { place, key: "outside" }),
                Entry::Outside(found) => outside = Some(found),
                Entry::Step(step) => {
                    let twice = steps.iter().any(|earlier: &Step| earlier.op.number() == step.op.number());
                    if twice {
                        return Err(AugmentError::Twice { place, key: step.op.key() });
                    }
                    steps.push(step);
                }
            }
        }
        Self::list(steps, outside.unwrap_or_default())
    }

    fn to_value(&self) -> Value {
        match &self.0 {
            Kind::None => "none".into(),
            Kind::Light => "light".into(),
            Kind::Strong => "strong".into(),
            Kind::Trivial => "trivial".into(),
            Kind::List(steps, outside) => {
                let mut tables: Vec<Value> = steps.iter().map(|step| Value::Table(step.to_table())).collect();
                if *outside == Outside::Mean {
                    tables.push(Value::Table(Table::from_iter([("outside".to_owned(), Value::from("mean"))])));
                }
                Value::Array(tables)
            }
        }
    }
}

fn light(keeps: Keeps) -> Vec<Step> {
    let mut steps = vec![
        Step::of(Op::Rotate { degrees: 10.0 }),
        Step::of(Op::Stretch { share: 0.1 }),
        Step::of(Op::Blur { sigma: [0.0, 1.0] }).with_p(0.2),
    ];
    if keeps.mirror {
        steps.push(Step::of(Op::FlipHorizontal));
    }
    steps
}

fn strong(keeps: Keeps) -> Vec<Step> {
    let mut steps = vec![
        Step::of(Op::ResizedCrop { area: [0.5, 1.0], ratio: [0.75, 4.0 / 3.0] }),
        Step::of(Op::Rotate { degrees: 15.0 }),
        Step::of(Op::FlipHorizontal),
    ];
    let share = if keeps.color { 0.3 } else { 0.2 };
    steps.extend([Op::Brightness { share }, Op::Contrast { share }].map(Step::of));
    if keeps.color {
        steps.extend([Op::Saturation { share }, Op::Hue { degrees: 10.0 }].map(Step::of));
        steps.push(Step::of(Op::Blur { sigma: [0.0, 1.5] }).with_p(0.3));
    }
    if keeps.erase {
        steps.push(Step::of(Op::Erase { area: [0.02, 0.2], ratio: [0.3, 3.3] }).with_p(0.25));
    }
    steps
}

fn trivial(keeps: Keeps) -> Vec<Step> {
    let drawn = Step::of(Op::Trivial { strength: 1.0, colors: keeps.color });
    if keeps.mirror { vec![Step::of(Op::FlipHorizontal), drawn] } else { vec![drawn] }
}

/// The step in which TrivialAugment and RandAugment draw operations on colors if `keeps`, and none otherwise.
fn of_colors(step: Step, keeps: bool) -> Step {
    let op = match step.op {
        Op::Trivial { strength, .. } => Op::Trivial { strength, colors: keeps },
        Op::Rand { count, magnitude, .. } => Op::Rand { count, magnitude, colors: keeps },
        op => op,
    };
    Step { op, ..step }
}

impl FromStr for Augment {
    type Err = AugmentError;

    /// The name of a preset, or a list as in a config file.
    fn from_str(text: &str) -> Result<Self, AugmentError> {
        match text.trim() {
            "none" => Ok(Self::NONE),
            "light" => Ok(Self::LIGHT),
            "strong" => Ok(Self::STRONG),
            "trivial" => Ok(Self::TRIVIAL),
            list if list.starts_with('[') => {
                let not_toml = |e: toml::de::Error| AugmentError::Text { text: text.into(), problem: e.to_string() };
                let found: Table = toml::from_str(&format!("augment = {list}")).map_err(not_toml)?;
                let tables = found.get("augment").and_then(Value::as_array).filter(|_| found.len() == 1);
                let tables: Option<Vec<Table>> = tables.and_then(|a| a.iter().map(|v| v.as_table().cloned()).collect());
                let other = || AugmentError::Name { text: text.into(), expected: EXPECTED };
                Self::of_tables(&tables.ok_or_else(other)?)
            }
            _ => Err(AugmentError::Name { text: text.into(), expected: EXPECTED }),
        }
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_value() {
            Value::String(name) => f.write_str(&name),
            list => write!(f, "{list}"),
        }
    }
}

impl Serialize for Augment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrList;
        impl<'de> Visitor<'de> for NameOrList {
            type Value = Augment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Augment, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Augment, A::Error> {
                let tables = Vec::<Table>::deserialize(SeqAccessDeserializer::new(list))?;
                Augment::of_tables(&tables).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(NameOrList)
    }
}
