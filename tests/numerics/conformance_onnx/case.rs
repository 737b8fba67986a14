//! A case folder: `case.json` with nodes, attributes and data sets, and the .npy files that it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use super::npy::{self, Tensor};

#[derive(Deserialize)]
struct File {
    file: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Set {
    inputs: Vec<File>,
    outputs: Vec<File>,
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
    /// Two numbers of an attribute, or `default` where it is missing.
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
    /// Name of an input that is given.
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
    initializers: BTreeMap<String, File>,
}

/// A case with one of its data sets.
pub struct OnnxCase {
    pub name: String,
    pub nodes: Vec<Node>,
    /// Inputs and initializers.
    pub given: BTreeMap<String, Tensor>,
    pub expected: BTreeMap<String, Tensor>,
}

/// All data sets of a folder.
pub fn read(folder: &Path) -> Result<Vec<OnnxCase>, String> {
    let path = folder.join("case.json");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let case: Description = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let load = |files: &[File]| {
        files
            .iter()
            .map(|f| Ok((f.name.clone(), npy::read(&folder.join(&f.file))?)))
            .collect::<Result<BTreeMap<_, _>, String>>()
    };
    let sets = case.data_sets.iter().map(|set| {
        let mut given = load(&set.inputs)?;
        for (name, file) in &case.initializers {
            given.insert(name.clone(), npy::read(&folder.join(&file.file))?);
        }
        let (name, nodes) = (case.name.clone(), case.nodes.clone());
        Ok(OnnxCase { name, nodes, given, expected: load(&set.outputs)? })
    });
    sets.collect()
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
