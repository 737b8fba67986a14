//! The prediction for an image.

use serde_json::{Map, Value as Json};

/// A prediction for an image.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// Files to write: suffix of the name (`mask` for `NAME-mask.png`) and PNG.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The prediction as a line of text.
    pub text: String,
    /// The prediction as JSON.
    pub json: Map<String, Json>,
}
