//! The states of a session on disk, as a safetensors file. Weights have torchvision's order of axes
//! ([`super::torchvision`]), so PyTorch can read the file. Moments are stored for each parameter, as
//! `optimizer.exp_avg.conv1.weight`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::matched::Matched;
use super::safetensors::{Tensor, TensorData, TensorFile};
use super::torchvision::{self, CheckpointError, torch_shape};
use super::weight_file::WeightFile;
use crate::exec::{AnyEngine, Session};
use crate::graph::StateSpec;

/// Free text in the header of a file.
pub type Metadata = BTreeMap<String, String>;

/// Prefix of an optimizer's tensors.
const OPTIMIZER: &str = "optimizer.";

impl Session<AnyEngine> {
    /// Writes all weights and running statistics to a safetensors file, in torchvision's order of axes. The file is
    /// replaced at once, so a crash keeps the old file.
    ///
    /// # Errors
    /// When the file cannot be written or the device is lost.
    pub fn save_weights(&mut self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        save(self, 0, path.as_ref())
    }

    /// Reads all weights and running statistics of a safetensors or PyTorch file in torchvision's order of axes. Prefixes of
    /// wrappers such as `module.` are taken off. Tensors named `optimizer.…` are skipped. Nothing is written unless the whole
    /// file fits.
    ///
    /// # Errors
    /// When the file cannot be read, or a tensor is missing, unexpected, of another shape, or not finite. All are
    /// listed.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        load_file(self, &WeightFile::open(path.as_ref())?)
    }
}

/// Reads all weights and running statistics of a session. Nothing is written unless the whole file fits.
fn load_file(session: &mut Session<AnyEngine>, file: &WeightFile) -> Result<(), CheckpointError> {
    let specs = torchvision::saved(session);
    let Matched { own: names, others: unexpected, .. } = Matched::find(file, &specs)?;
    let problem = |spec: &StateSpec| {
        let (name, own) = (&spec.name, torch_shape(spec));
        match names.get(name).and_then(|name| file.shape(name)) {
            None => Some(format!("`{name}` is missing")),
            Some(shape) if shape != own => Some(format!("`{name}` has the shape {shape:?}, expected {own:?}")),
            Some(_) => None,
        }
    };
    let mut problems: Vec<String> = specs.iter().filter_map(problem).collect();
    let unexpected = unexpected.iter().filter(|name| !name.starts_with(OPTIMIZER));
    problems.extend(unexpected.map(|name| format!("`{name}` is unexpected")));
    if !problems.is_empty() {
        return Err(torchvision::mismatch(file.path(), problems, torchvision::OTHER_MODEL));
    }
    let mut tensors = TensorFile::default();
    for (ours, name) in names {
        tensors.tensors.insert(ours, file.read(&name)?);
    }
    torchvision::restore(session, &tensors, file.path())
}

/// Writes weights and running statistics. `steps` is the number of training steps so far.
pub(crate) fn save(session: &mut Session<AnyEngine>, steps: u64, path: &Path) -> Result<(), CheckpointError> {
    Ok(torchvision::collect(session, steps, Metadata::new())?.write_atomic(path)?)
}

/// Writes all states.
pub(crate) fn save_all(
    session: &mut Session<AnyEngine>,
    steps: u64,
    metadata: Metadata,
    path: &Path,
) -> Result<(), CheckpointError> {
    let mut file = torchvision::collect(session, steps, metadata)?;
    for (name, spec) in moments(session) {
        let values = torchvision::to_torch(&spec, &session.tensor(&name)?.values);
        file.tensors.insert(name, Tensor::f32(torch_shape(&spec), values));
    }
    Ok(file.write_atomic(path)?)
}

/// Reads all states and returns the metadata. Nothing is written unless all fit.
pub(crate) fn load_all(session: &mut Session<AnyEngine>, path: &Path) -> Result<Metadata, CheckpointError> {
    let mut file = TensorFile::read(path)?;
    let moments = moments(session);
    let known: HashSet<&String> = moments.iter().map(|(name, _)| name).collect();
    let stored = |name: &String| name.starts_with(OPTIMIZER);
    let mut problems: Vec<String> = moments
        .iter()
        .filter_map(|(name, spec)| torchvision::problem(&StateSpec { name: name.clone(), ..spec.clone() }, &file))
        .collect();
    let unexpected = file.tensors.keys().filter(|name| stored(name) && !known.contains(name));
    problems.extend(unexpected.map(|name| format!("`{name}` is unexpected")));
    if !problems.is_empty() {
        let remedy = "load a file that was saved with the same optimizer, moving average and frozen layers, or its weights alone";
        return Err(torchvision::mismatch(path, problems, remedy));
    }
    let kept: BTreeMap<String, Tensor> = moments.iter().filter_map(|(n, _)| file.tensors.remove_entry(n)).collect();
    torchvision::restore(session, &file, path)?;
    for (name, spec) in moments {
        if let Some(Tensor { data: TensorData::F32(values), .. }) = kept.get(&name) {
            let tensor = crate::tensor::Tensor::new(spec.ty.shape.clone(), torchvision::from_torch(&spec, values));
            session.set_tensor(&name, &tensor)?;
        }
    }
    Ok(file.metadata)
}

/// The tensors of the optimizer, with the type of each.
fn moments(session: &Session<AnyEngine>) -> Vec<(String, StateSpec)> {
    let names = session.tensor_names().into_iter().filter(|name| name.starts_with(OPTIMIZER));
    let spec = |name: String| session.tensor_spec(&name).map(|spec| (name, spec));
    names.filter_map(spec).collect()
}
