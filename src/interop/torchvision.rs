//! Weights in torchvision's names and layouts: convolution kernels O I KH KW, linear weights [O, I]. The names are the
//! same as ours; the layouts are converted here and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use super::safetensors::{SafetensorsError, Tensor, TensorData, TensorFile};
use crate::exec::{AnyEngine, ExecError, Session};
use crate::graph::{Group, StateSpec};
use crate::shape::Layout;

/// BatchNorm's step counter, which torchvision's models expect beside the running statistics.
const COUNTER: &str = "num_batches_tracked";

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] SafetensorsError),
    /// The engine failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The tensors are not those of the model.
    #[error("{file}: this checkpoint does not fit the model: {problems}; {remedy}")]
    Mismatch {
        /// The file.
        file: String,
        /// What is missing, too much, or of another shape.
        problems: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// Shape of a state in PyTorch's layout.
fn torch_shape(spec: &StateSpec) -> Vec<usize> {
    match (spec.ty.layout, &spec.ty.shape.0[..]) {
        (Layout::Kernel, [kh, kw, i, o]) => vec![*o, *i, *kh, *kw],
        (Layout::Kernel, [i, o]) => vec![*o, *i],
        (_, dims) => dims.to_vec(),
    }
}

/// Values in our order (KH KW I O) to PyTorch's (O I KH KW); the same for [I, O] with one tap.
fn to_torch(spec: &StateSpec, values: &[f32]) -> Vec<f32> {
    permute(spec, values, |ours, theirs, out: &mut [f32], values| out[theirs] = values[ours])
}

/// The reverse of [`to_torch`].
fn from_torch(spec: &StateSpec, values: &[f32]) -> Vec<f32> {
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

/// The states that a checkpoint holds.
fn saved(session: &Session<AnyEngine>) -> Vec<StateSpec> {
    let states = session.states().iter().filter(|(_, s)| s.group != Group::Moments);
    states.map(|(_, s)| s.clone()).collect()
}

/// Reads all weights and running statistics of a session; `steps` is the number of training steps so far.
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

/// Writes the tensors of a checkpoint into a session. Nothing is written unless everything fits.
///
/// # Errors
/// When a tensor is missing, unexpected, has another shape or holds what is no finite number: all of them are listed.
pub fn restore(session: &mut Session<AnyEngine>, file: &TensorFile, path: &Path) -> Result<(), CheckpointError> {
    let specs = saved(session);
    let mut problems = Vec::new();
    for spec in &specs {
        match file.tensors.get(&spec.name) {
            None => problems.push(format!("`{}` is missing", spec.name)),
            Some(t) if t.shape != torch_shape(spec) => {
                problems.push(format!("`{}` has the shape {:?}, expected {:?}", spec.name, t.shape, torch_shape(spec)));
            }
            Some(Tensor { data: TensorData::I64(_), .. }) => problems.push(format!("`{}` is not of floats", spec.name)),
            Some(Tensor { data: TensorData::F32(values), .. }) => {
                // The root of a negative variance would be NaN in every prediction.
                let variance = spec.name.ends_with("running_var");
                if let Some(value) = values.iter().find(|v| !v.is_finite() || (variance && **v < 0.0)) {
                    problems.push(format!("`{}` holds {value}", spec.name));
                }
            }
        }
    }
    let known = |name: &str| name.ends_with(COUNTER) || specs.iter().any(|s| s.name == name);
    problems.extend(file.tensors.keys().filter(|n| !known(n)).map(|n| format!("`{n}` is unexpected")));
    if !problems.is_empty() {
        let more = problems.len().saturating_sub(6);
        problems.truncate(6);
        if more > 0 {
            problems.push(format!("and {more} more"));
        }
        let remedy = "use a checkpoint of the same model, stem and number of classes";
        return Err(CheckpointError::Mismatch {
            file: path.display().to_string(),
            problems: problems.join(", "),
            remedy,
        });
    }
    for spec in &specs {
        if let TensorData::F32(values) = &file.tensors[&spec.name].data {
            session.write_state(&spec.name, &from_torch(spec, values))?;
        }
    }
    Ok(())
}
