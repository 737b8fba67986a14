//! Starts a network from the weights of a file: finds the network's names in it, loads what fits, and says what does not.

use std::fmt;

use super::matched::Matched;
use super::safetensors::TensorFile;
use super::torchvision::{self, CheckpointError, torch_shape};
use super::weight_file::WeightFile;
use crate::exec::{AnyEngine, Session};
use crate::graph::{self, StateSpec};

/// What [`load`] read and what it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What was done to the names of the file, in words; empty for names that fit as they are.
    pub notes: Vec<String>,
    /// Number of tensors read.
    pub loaded: usize,
    /// Tensors of the network that keep their start values, since the file has another shape: name, the file's shape, the
    /// network's.
    pub reshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the network that keep their start values, since the file lacks them.
    pub missing: Vec<String>,
    /// Tensors of the file that the network lacks.
    pub unexpected: Vec<String>,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors loaded", self.loaded)?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))?;
        let reshaped = self.reshaped.iter().map(|(name, file, own)| format!("{name} {file:?} instead of {own:?}"));
        for (what, names) in [
            ("of another shape, not loaded", reshaped.collect()),
            ("missing", self.missing.clone()),
            ("unexpected", self.unexpected.clone()),
        ] {
            if !names.is_empty() {
                write!(f, "; {} {what}: {}", names.len(), torchvision::shortened(names).join(", "))?;
            }
        }
        Ok(())
    }
}

/// Writes those tensors of a file into a session that have the name and shape of a state. `encoder` has the patterns of names
/// that must fit, all but the first convolution, whose channels and window may differ; the rest is a head for another task or
/// another number of classes. Without patterns one tensor must fit.
///
/// # Errors
/// When the encoder does not fit, nothing does, or a tensor that fits holds what is no finite number.
pub fn load(session: &mut Session<AnyEngine>, file: &WeightFile, encoder: &[&str]) -> Result<Loaded, CheckpointError> {
    let specs = torchvision::saved(session);
    let Matched { own: names, others: unexpected, notes } = Matched::find(file, &specs)?;
    let mut found = Loaded { notes, unexpected, ..Loaded::default() };
    let mut fitting = vec![];
    for spec in &specs {
        match names.get(&spec.name).and_then(|name| Some((name, file.shape(name)?))) {
            Some((name, shape)) if shape == torch_shape(spec) => fitting.push((spec, name)),
            Some((_, shape)) => found.reshaped.push((spec.name.clone(), shape.to_vec(), torch_shape(spec))),
            None => found.missing.push(spec.name.clone()),
        }
    }
    found.loaded = fitting.len();
    check_encoder(file, &specs, encoder, &found)?;
    let mut tensors = TensorFile::default();
    for (spec, name) in &fitting {
        tensors.tensors.insert(spec.name.clone(), file.read(name)?);
        if let Some(bad) = torchvision::problem(spec, &tensors) {
            return Err(torchvision::mismatch(file.path(), vec![bad], "the file is damaged: use another checkpoint"));
        }
    }
    fitting.into_iter().try_for_each(|(spec, _)| torchvision::write(session, spec, &tensors))?;
    Ok(found)
}

/// Refuses weights of another network.
fn check_encoder(
    file: &WeightFile,
    specs: &[StateSpec],
    encoder: &[&str],
    found: &Loaded,
) -> Result<(), CheckpointError> {
    let first = specs.iter().find(|spec| torch_shape(spec).len() == 4).map(|spec| spec.name.as_str());
    let needed = |name: &str| Some(name) != first && encoder.iter().any(|pattern| graph::names(pattern, name));
    let reshaped = found.reshaped.iter().filter(|(name, ..)| needed(name));
    let reshaped = reshaped.map(|(name, file, own)| format!("`{name}` has the shape {file:?}, expected {own:?}"));
    let shape_of = |name: &String| specs.iter().find(|spec| spec.name == *name).map(torch_shape).unwrap_or_default();
    let missing = found.missing.iter().filter(|name| needed(name));
    let missing = missing.map(|name| format!("`{name}` {:?} is missing", shape_of(name)));
    let mut problems: Vec<String> = reshaped.chain(missing).collect();
    if found.loaded == 0 && problems.is_empty() {
        problems = found.missing.iter().map(|name| format!("`{name}` {:?} is missing", shape_of(name))).collect();
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems = torchvision::shortened(problems);
    if found.loaded == 0 {
        problems.insert(0, "no tensor has the name and shape of one of the model's".to_owned());
    }
    let others = found.unexpected.iter().filter_map(|name| Some(format!("{name} {:?}", file.shape(name)?)));
    let others = torchvision::shortened(others.collect());
    if !others.is_empty() {
        problems.push(format!("the file has {}", others.join(", ")));
    }
    let remedy = "use weights of the same network, or of one with the same encoder";
    Err(torchvision::mismatched(file.path(), problems, remedy))
}
