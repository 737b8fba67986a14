//! The entries of COCO's JSON.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::data::segmentation::written::label;

#[derive(Deserialize)]
pub(super) struct Written {
    pub images: Vec<WrittenImage>,
    #[serde(default)]
    pub annotations: Vec<WrittenAnnotation>,
    #[serde(default)]
    pub categories: Vec<WrittenCategory>,
}

/// A number, with or without a fraction of 0, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Id {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected an id: a number or a text")]
        enum Form {
            Whole(i64),
            Real(f64),
            Text(String),
        }
        Ok(match Form::deserialize(from)? {
            Form::Whole(id) => Self::Number(id),
            Form::Real(id) if id.fract() == 0.0 => Self::Number(id as i64),
            Form::Real(id) => Self::Text(id.to_string()),
            // `"7"` in one place and 7 in another are the same id.
            Form::Text(id) => id.parse().map_or(Self::Text(id), Self::Number),
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => write!(f, "{id}"),
            Self::Text(id) => f.write_str(id),
        }
    }
}

/// A number of pixels, which some tools write as `640.0`.
fn pixels<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(from)?;
    match number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        true => Ok(number as u32),
        false => Err(D::Error::custom(format!("{number} is no number of pixels"))),
    }
}

#[derive(Deserialize)]
pub(super) struct WrittenImage {
    pub id: Id,
    pub file_name: String,
    #[serde(deserialize_with = "pixels")]
    pub width: u32,
    #[serde(deserialize_with = "pixels")]
    pub height: u32,
    /// Its part, if the tool that wrote the file gives one.
    #[serde(default)]
    pub split: Option<serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct WrittenAnnotation {
    pub image_id: Id,
    pub category_id: Id,
    pub segmentation: Option<WrittenArea>,
    #[serde(default)]
    pub iscrowd: Option<Crowd>,
}

/// Whether a region holds several objects: 0, 1, `false` or `true`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "iscrowd: expected 0 or 1")]
pub(super) enum Crowd {
    Number(f64),
    Flag(bool),
}

impl WrittenAnnotation {
    pub fn is_crowd(&self) -> bool {
        matches!(self.iscrowd, Some(Crowd::Flag(true))) || matches!(self.iscrowd, Some(Crowd::Number(n)) if n != 0.0)
    }

    /// Whether it is more than a box: some tools write an empty list of polygons for one.
    pub fn has_area(&self) -> bool {
        match &self.segmentation {
            None => false,
            Some(WrittenArea::Polygons(polygons)) => polygons.iter().any(|flat| !flat.is_empty()),
            Some(WrittenArea::Runs { .. }) => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "segmentation: expected polygons [[x, y, x, y, ...]] or run lengths {counts, size: [height, width]} with \
                 counts from 0 to 4294967295"
)]
pub(super) enum WrittenArea {
    Polygons(Vec<Vec<f64>>),
    Runs { counts: WrittenRuns, size: [u32; 2] },
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WrittenRuns {
    Plain(Vec<u32>),
    Packed(String),
}

#[derive(Deserialize)]
pub(super) struct WrittenCategory {
    pub id: Id,
    #[serde(deserialize_with = "label")]
    pub name: String,
}
