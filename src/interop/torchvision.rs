//! Weights in torchvision's order of axes: convolution kernels O I KH KW, linear weights O I. Only this file converts
//! the order. Names are equal on both sides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::FileError;
use super::pytorch::PytorchError;
use super::safetensors::{SafetensorsError, Tensor, TensorData, TensorFile};
use crate::exec::{AnyEngine, ExecError, Session};
use crate::graph::{Group, StateSpec};
use crate::shape::Layout;

/// BatchNorm's step counter. torchvision's models expect it with the running statistics.
pub(super) const COUNTER: &str = "num_batches_tracked";

/// Remedy for a checkpoint of another model.
pub(super) const OTHER_MODEL: &str = "use a checkpoint of the same model, stem and number of classes";

/// Errors of checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] SafetensorsError),
    /// A PyTorch file cannot be read.
    #[error(transparent)]
    Pytorch(#[from] PytorchError),
    /// The file is of a kind that is not read.
    #[error("{}: it is {kind}: {remedy}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// Its kind.
        kind: &'static str,
        /// The remedy.
        remedy: &'static str,
    },
    /// The engine failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The tensors do not fit the model.
    #[error("{file}: this checkpoint does not fit the model: {problems}; {remedy}")]
    Mismatch {
        /// The file.
        file: String,
        /// Missing tensors, unexpected tensors, and tensors of another shape.
        problems: String,
        /// The remedy.
        remedy: &'static str,
    },
}

impl From<FileError> for CheckpointError {
    fn from(error: FileError) -> Self {
        CheckpointError::File(error.into())
    }
}

/// Shape of a state in PyTorch's layout.
pub(super) fn torch_shape(spec: &StateSpec) -> Vec<usize> {
    match (spec.ty.layout, &spec.ty.shape.0[..]) {
        (Layout::Kernel, [kh, kw, i, o]) => vec![*o, *i, *kh, *kw],
        (Layout::Kernel, [i, o]) => vec![*o, *i],
        (_, dims) => dims.to_vec(),
    }
}

/// Values of KH KW I O in PyTorch's order O I KH KW; of I O in O I.
pub(super) fn to_torch(spec: &StateSpec, values: &[f32]) -> Vec<f32> {
    permute(spec, values, |ours, theirs, out: &mut [f32], values| out[theirs] = values[ours])
}

/// The reverse of [`to_torch`].
pub(super) fn from_torch(spec: &StateSpec, values: &[f32]) -> Vec<f32> {
    permute(spec, values, |ours, theirs, out: &mut [f32], values| out[ours] = values[theirs])
}

fn permute(spec: &StateSpec, values: &[f32], copy: impl Fn(usize, usize, &mut [f32], &[f32])) -> Vec<f32> {
    if spec.ty.layout != Layout::Kernel {
        return values.to_vec();
    }
    let dims = &spec.ty.shape.0;
    let (i, o) = (dims[dims.len() - 2], dims[dims.len() - 1]);
    let taps = values.len() / (i * o).max(1);
    let mut out = vec![0.0; values.len()];
    for ours in 0..values.len() {
        let (tap, input, output) = (ours / (i * o), ours / o % i, ours % o);
        copy(ours, (output * i + input) * taps + tap, &mut out, values);
    }
    out
}

/// The states in a checkpoint.
pub(super) fn saved(session: &Session<AnyEngine>) -> Vec<StateSpec> {
    let states = session.states().iter().filter(|(_, s)| s.group != Group::Moments);
    states.map(|(_, s)| s.clone()).collect()
}

/// Reads all weights and running statistics of a session, without the moments of the optimizer. `steps` is the number of
/// training steps so far, for `num_batches_tracked`.
///
/// # Errors
/// When the device is lost.
pub fn collect(
    session: &mut Session<AnyEngine>,
    steps: u64,
    metadata: BTreeMap<String, String>,
) -> Result<TensorFile, ExecError> {
    let mut tensors = BTreeMap::new();
    for spec in saved(session) {
        let values = to_torch(&spec, &session.read_state(&spec.name)?);
        if let Some(norm) = spec.name.strip_suffix("running_mean") {
            tensors.insert(format!("{norm}{COUNTER}"), Tensor::i64(vec![], vec![steps as i64]));
        }
        tensors.insert(spec.name.clone(), Tensor::f32(torch_shape(&spec), values));
    }
    Ok(TensorFile { tensors, metadata })
}

/// The first six items, and the number of the others.
pub(super) fn shortened(mut items: Vec<String>) -> Vec<String> {
    let more = items.len().saturating_sub(6);
    if more > 0 {
        items.truncate(6);
        items.push(format!("and {more} more"));
    }
    items
}

/// Why a tensor of a checkpoint cannot be a state.
pub(super) fn problem(spec: &StateSpec, file: &TensorFile) -> Option<String> {
    let (name, wanted) = (&spec.name, torch_shape(spec));
    match file.tensors.get(name) {
        None => Some(format!("`{name}` is missing")),
        Some(t) if t.shape != wanted => Some(format!("`{name}` has the shape {:?}, expected {wanted:?}", t.shape)),
        Some(Tensor { data: TensorData::I64(_), .. }) => Some(format!("`{name}` is not of floats")),
        Some(Tensor { data: TensorData::F32(values), .. }) => {
            // The root of a negative variance would make every prediction NaN.
            let variance = name.ends_with("running_var");
            let bad = values.iter().find(|v| !v.is_finite() || (variance && **v < 0.0));
            bad.map(|value| format!("`{name}` holds {value}"))
        }
    }
}

pub(super) fn unexpected<'f>(specs: &[StateSpec], file: &'f TensorFile) -> impl Iterator<Item = &'f String> {
    let known: std::collections::HashSet<String> = specs.iter().map(|s| s.name.clone()).collect();
    file.tensors.keys().filter(move |name| !name.ends_with(COUNTER) && !known.contains(*name))
}

pub(super) fn write(
    session: &mut Session<AnyEngine>,
    spec: &StateSpec,
    file: &TensorFile,
) -> Result<(), CheckpointError> {
    match &file.tensors[&spec.name].data {
        TensorData::F32(values) => Ok(session.write_state(&spec.name, &from_torch(spec, values))?),
        TensorData::I64(_) => Ok(()),
    }
}

/// Writes the tensors of a checkpoint into a session. Nothing is written unless all fit.
///
/// # Errors
/// When a tensor is missing, unexpected, has another shape or a value that is not finite. All of them are listed.
pub fn restore(session: &mut Session<AnyEngine>, file: &TensorFile, path: &Path) -> Result<(), CheckpointError> {
    let specs = saved(session);
    let mut problems: Vec<_> = specs.iter().filter_map(|s| problem(s, file)).collect();
    problems.extend(unexpected(&specs, file).map(|name| format!("`{name}` is unexpected")));
    if !problems.is_empty() {
        return Err(mismatch(path, problems, OTHER_MODEL));
    }
    specs.iter().try_for_each(|spec| write(session, spec, file))
}

pub(crate) fn mismatch(path: &Path, problems: Vec<String>, remedy: &'static str) -> CheckpointError {
    mismatched(path, shortened(problems), remedy)
}

/// The error of a few problems, which are all listed.
pub(super) fn mismatched(path: &Path, problems: Vec<String>, remedy: &'static str) -> CheckpointError {
    let (file, problems) = (path.display().to_string(), problems.join(", "));
    CheckpointError::Mismatch { file, problems, remedy }
}
