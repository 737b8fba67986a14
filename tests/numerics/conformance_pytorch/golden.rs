//! A golden case of PyTorch, in the library's layouts.

use std::path::Path;

use serde_json::Value as Json;
use shadegrad::interop::safetensors::{TensorData, TensorFile};
use shadegrad::ops::Reduction;
use shadegrad::shape::{Padding, Shape, TensorType, Window};

use crate::common::layout::{channels_last, outputs_last};

/// A golden case: tensors in the library's layouts.
pub struct Golden {
    pub name: String,
    pub op: String,
    pub attrs: Json,
    /// `input.NAME`, `output.NAME`, `upstream.NAME`, `grad.NAME`.
    tensors: Vec<(String, TensorType, Vec<f64>)>,
}

impl Golden {
    pub fn read(path: &Path) -> Golden {
        let file = TensorFile::read(path).unwrap_or_else(|e| panic!("{e}"));
        let op = file.metadata["op"].clone();
        let attrs = serde_json::from_str(&file.metadata["attrs"]).expect("attributes are JSON");
        let tensors = file.tensors.iter().map(|(key, tensor)| {
            let values: Vec<f64> = match &tensor.data {
                TensorData::F32(v) => v.iter().map(|&v| v.into()).collect(),
                TensorData::I64(v) => v.iter().map(|&v| v as f64).collect(),
            };
            let (ty, values) = inside(&op, key, &tensor.shape, values);
            (key.clone(), ty, values)
        });
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        Golden { name, tensors: tensors.collect(), op, attrs }
    }

    pub fn find(&self, key: &str) -> Option<&(String, TensorType, Vec<f64>)> {
        self.tensors.iter().find(|(k, ..)| k == key)
    }
    pub fn values(&self, key: &str) -> Vec<f64> {
        self.find(key).unwrap_or_else(|| panic!("{}: there is no {key}", self.name)).2.clone()
    }
    /// Tensors `PREFIX.NAME` as (NAME, type, values).
    pub fn all<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a TensorType, &'a Vec<f64>)> {
        self.tensors.iter().filter_map(move |(key, ty, v)| Some((key.strip_prefix(prefix)?.strip_prefix('.')?, ty, v)))
    }

    pub fn float(&self, name: &str) -> f64 {
        self.attrs[name].as_f64().unwrap_or_else(|| panic!("{}: no number {name}", self.name))
    }
    pub fn flag(&self, name: &str) -> bool {
        self.attrs[name].as_bool().unwrap_or_else(|| panic!("{}: no flag {name}", self.name))
    }
    /// Sizes or axes, if there are any.
    pub fn axes(&self, name: &str) -> Option<Vec<usize>> {
        let items = self.attrs[name].as_array()?;
        Some(items.iter().map(|item| item.as_u64().expect("an axis") as usize).collect())
    }
    pub fn list<const N: usize>(&self, name: &str) -> [usize; N] {
        let items = self.attrs[name].as_array().unwrap_or_else(|| panic!("{}: no list {name}", self.name));
        std::array::from_fn(|i| items[i].as_u64().expect("a size") as usize)
    }

    pub fn focal_gamma(&self) -> f32 {
        self.attrs.get("focal_gamma").and_then(Json::as_f64).unwrap_or(0.0) as f32
    }

    pub fn reduction(&self) -> Reduction {
        match self.attrs["reduction"].as_str() {
            Some("sum") => Reduction::Sum,
            _ => Reduction::Mean,
        }
    }

    pub fn window(&self, kernel_size: [usize; 2]) -> Window {
        let [top, left, bottom, right] = self.list("padding");
        Window {
            kernel_size,
            stride: self.list("stride"),
            padding: Padding { top, left, bottom, right },
            dilation: if self.attrs.get("dilation").is_some() { self.list("dilation") } else { [1; 2] },
            ceil_mode: self.attrs.get("ceil_mode").is_some_and(|v| v == &Json::Bool(true)),
        }
    }
}

/// A tensor's type and values in the library's layout.
fn inside(op: &str, key: &str, shape: &[usize], values: Vec<f64>) -> (TensorType, Vec<f64>) {
    let weight = key.ends_with(".w") && matches!(op, "conv2d" | "conv_transpose2d" | "linear");
    if weight {
        let (shape, values) = outputs_last(&values, shape);
        return (TensorType::kernel(Shape(shape)), values);
    }
    if key.ends_with(".labels") {
        return (TensorType::flat(values.len()), values);
    }
    // The tensors of an optimizer are not images: their axes stay.
    let image = !matches!(op, "sgd" | "adam" | "adamw");
    let (shape, values) = if image { channels_last(&values, shape) } else { (shape.to_vec(), values) };
    (TensorType::channels(Shape(shape)), values)
}
