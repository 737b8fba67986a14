//! A case as JSON: nodes, attributes and data sets. A tensor's values are in the JSON or in an .npy file that it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use super::npy::{self, Tensor};

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    data: Data,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    File { file: String },
    Values { shape: Vec<usize>, values: Vec<f64> },
}

impl Data {
    fn read(&self, folder: &Path) -> Result<Tensor, String> {
        match self {
            Data::File { file } => npy::read(&folder.join(file)),
            Data::Values { shape, values } => Ok(Tensor { shape: shape.clone(), values: values.clone() }),
        }
    }
}

#[derive(Deserialize)]
struct Set {
    inputs: Vec<Named>,
    outputs: Vec<Named>,
}

/// A node of the case's graph.
#[derive(Clone, Deserialize)]
pub struct Node {
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    #[serde(default)]
    attrs: BTreeMap<String, Json>,
}

impl Node {
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attrs.get(name)?.as_i64()
    }
    pub fn float(&self, name: &str) -> Option<f64> {
        self.attrs.get(name)?.as_f64()
    }
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attrs.get(name)?.as_str()
    }
    /// Two numbers of an attribute, or `default` if it is missing.
    pub fn pair(&self, name: &str, default: usize) -> Option<[usize; 2]> {
        match self.sizes(name) {
            Some(list) => list.try_into().ok(),
            None => Some([default; 2]),
        }
    }
    pub fn sizes(&self, name: &str) -> Option<Vec<usize>> {
        self.attrs.get(name)?.as_array()?.iter().map(|v| Some(v.as_u64()? as usize)).collect()
    }
    /// Whole numbers of either sign.
    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attrs.get(name)?.as_array()?.iter().map(Json::as_i64).collect()
    }
    /// Name of an input, if it is given.
    pub fn input(&self, i: usize) -> Option<&str> {
        self.inputs.get(i).map(String::as_str).filter(|name| !name.is_empty())
    }
}

#[derive(Deserialize)]
struct Description {
    name: String,
    nodes: Vec<Node>,
    data_sets: Vec<Set>,
    #[serde(default)]
    initializers: BTreeMap<String, Data>,
}

/// A case with one of its data sets.
pub struct OnnxCase {
    pub name: String,
    pub nodes: Vec<Node>,
    /// Inputs and initializers.
    pub given: BTreeMap<String, Tensor>,
    pub expected: BTreeMap<String, Tensor>,
}

impl Description {
    /// One case per data set. Files are relative to `folder`.
    fn cases(self, folder: &Path) -> Result<Vec<OnnxCase>, String> {
        let load = |tensors: &[Named]| -> Result<BTreeMap<String, Tensor>, String> {
            tensors.iter().map(|t| Ok((t.name.clone(), t.data.read(folder)?))).collect()
        };
        let sets = self.data_sets.iter().map(|set| {
            let mut given = load(&set.inputs)?;
            for (name, data) in &self.initializers {
                given.insert(name.clone(), data.read(folder)?);
            }
            let (name, nodes) = (self.name.clone(), self.nodes.clone());
            Ok(OnnxCase { name, nodes, given, expected: load(&set.outputs)? })
        });
        sets.collect()
    }
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// All cases of a file that holds a list of them.
pub fn read_list(path: &Path) -> Result<Vec<OnnxCase>, String> {
    let cases = parse::<Vec<Description>>(path)?.into_iter().map(|case| case.cases(Path::new("")));
    Ok(cases.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The case of a folder with a `case.json`.
pub fn read_folder(folder: &Path) -> Result<Vec<OnnxCase>, String> {
    parse::<Description>(&folder.join("case.json"))?.cases(folder)
}

/// Folders with a case.json under `root`, at most two levels down.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect()
    };
    let mut all = children(root);
    all.extend(children(root).iter().flat_map(|p| children(p)));
    all.retain(|p| p.join("case.json").is_file());
    all.sort();
    all
}
