//! Starts a network from the weights of a file: finds the network's names in the file, loads the tensors that fit, and
//! reports the others.

use std::fmt;

use super::matched::Matched;
use super::safetensors::{Tensor, TensorData, TensorFile};
use super::torchvision::{self, CheckpointError, torch_shape};
use super::weight_file::WeightFile;
use crate::exec::{AnyEngine, Session};
use crate::graph::{self, StateSpec};

/// The outcome of [`load`]: tensors that were read and tensors that were not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Changes of the file's names, in words; empty if the names fit as they are.
    pub notes: Vec<String>,
    /// Number of tensors read.
    pub loaded: usize,
    /// Tensors of the network that keep their start values, since the file has another shape: name, the file's shape, the
    /// network's.
    pub reshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of the head that keep their start values, since the file's head is for other classes.
    pub of_other_classes: Vec<String>,
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
            ("of other classes, not loaded", self.of_other_classes.clone()),
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

/// Writes those tensors of a file into a session that have the name and shape of a state.
///
/// Every tensor of the network whose name matches a pattern of `encoder` must fit. Only the channels and window of the
/// first convolution may differ. The file must not have further tensors of these patterns, such as those of a deeper
/// encoder. All other tensors are a head, possibly for another task or number of classes. Without patterns at least one
/// tensor must fit. The layers whose names start with `other_head` keep their start values: the file's head has as many
/// classes, but other ones.
///
/// # Errors
/// When the encoder does not fit, no tensor fits, or a tensor that fits holds a number that is not finite.
pub fn load(
    session: &mut Session<AnyEngine>,
    file: &WeightFile,
    encoder: &[&str],
    other_head: Option<&str>,
) -> Result<Loaded, CheckpointError> {
    let specs = torchvision::saved(session);
    let Matched { own: names, others: unexpected, renamed, notes } = Matched::find(file, &specs)?;
    let mut found = Loaded { notes, unexpected, ..Loaded::default() };
    let mut fitting = vec![];
    for spec in &specs {
        match names.get(&spec.name).and_then(|name| Some((name, file.shape(name)?))) {
            Some((_, shape))
                if shape == torch_shape(spec) && other_head.is_some_and(|head| spec.name.starts_with(head)) =>
            {
                found.of_other_classes.push(spec.name.clone());
            }
            Some((name, shape)) if shape == torch_shape(spec) => fitting.push((spec, name)),
            Some((_, shape)) => found.reshaped.push((spec.name.clone(), shape.to_vec(), torch_shape(spec))),
            None => found.missing.push(spec.name.clone()),
        }
    }
    let adapted = adaptable(&specs, &mut found);
    found.loaded = fitting.len() + usize::from(adapted.is_some());
    check_encoder(file, &specs, encoder, &found)?;
    check_no_more(file, encoder, renamed)?;
    let mut tensors = TensorFile::default();
    if let Some((spec, channels)) = adapted {
        fitting.push((spec, &names[&spec.name]));
        found.notes.push(format!("{}: 3 input channels became {channels}, as timm adapts them", spec.name));
    }
    for (spec, name) in &fitting {
        let tensor = file.read(name)?;
        let is_adapted = adapted.is_some_and(|(adapted, _)| adapted.name == spec.name);
        let tensor = if is_adapted { with_channels(tensor, &torch_shape(spec)) } else { tensor };
        tensors.tensors.insert(spec.name.clone(), tensor);
        if let Some(bad) = torchvision::problem(spec, &tensors) {
            return Err(torchvision::mismatch(file.path(), vec![bad], "the file is damaged: use another checkpoint"));
        }
    }
    fitting.into_iter().try_for_each(|(spec, _)| torchvision::write(session, spec, &tensors))?;
    Ok(found)
}

/// The first convolution of a network with 1 or 4 input channels, and their number, if the file has that convolution
/// with 3 channels. It is then removed from the tensors of another shape.
fn adaptable<'a>(specs: &'a [StateSpec], found: &mut Loaded) -> Option<(&'a StateSpec, usize)> {
    let first = specs.iter().find(|spec| torch_shape(spec).len() == 4)?;
    let own = torch_shape(first);
    let is_first = |(name, file, _): &(String, Vec<usize>, Vec<usize>)| {
        let of_colors = file.len() == 4 && file[1] == 3 && [file[0], file[2], file[3]] == [own[0], own[2], own[3]];
        *name == first.name && of_colors && [1, 4].contains(&own[1])
    };
    let at = found.reshaped.iter().position(is_first)?;
    found.reshaped.remove(at);
    Some((first, own[1]))
}

/// A filter of three input channels `[O,3,H,W]` for another number of channels, as timm's `adapt_input_conv`:
///
/// | channels | filter |
/// |---|---|
/// | 1 | the sum over the three |
/// | 4 | red, green, blue and red again, times 3/4 |
fn with_channels(from: Tensor, shape: &[usize]) -> Tensor {
    let ([outputs, channels], window) = ([shape[0], shape[1]], shape[2] * shape[3]);
    let TensorData::F32(values) = &from.data else { return from };
    let value = |output: usize, channel: usize, at: usize| values[(output * 3 + channel) * window + at];
    let adapted = |output: usize, channel: usize, at: usize| match channels {
        1 => (0..3).map(|channel| value(output, channel, at)).sum(),
        _ => value(output, channel % 3, at) * (3.0 / channels as f32),
    };
    let places = (0..outputs).flat_map(|o| (0..channels).flat_map(move |c| (0..window).map(move |at| (o, c, at))));
    let values = places.map(|(output, channel, at)| adapted(output, channel, at)).collect();
    Tensor { shape: shape.to_vec(), data: TensorData::F32(values) }
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

/// Refuses tensors of an encoder's layers that the network lacks: those of a deeper network, or of other blocks.
fn check_no_more(file: &WeightFile, encoder: &[&str], renamed: Vec<String>) -> Result<(), CheckpointError> {
    let is_of_encoder = |name: &String| encoder.iter().any(|pattern| graph::names(pattern, name));
    let further: Vec<String> = renamed.into_iter().filter(is_of_encoder).collect();
    if further.is_empty() {
        return Ok(());
    }
    let problems = further.iter().map(|name| format!("the file has `{name}`, which the model's encoder lacks"));
    let remedy = "use weights of the same network, or of one with the same encoder";
    Err(torchvision::mismatched(file.path(), torchvision::shortened(problems.collect()), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import torch; from timm.models import adapt_input_conv
    /// w = torch.arange(1.0, 7.0).reshape(1, 3, 1, 2)
    /// print(adapt_input_conv(1, w).flatten().tolist(), adapt_input_conv(4, w).flatten().tolist())
    /// ```
    #[test]
    fn filters_take_other_channels_as_in_timm() {
        let filter = || Tensor { shape: vec![1, 3, 1, 2], data: TensorData::F32((1..7).map(|v| v as f32).collect()) };
        let of = |channels: usize| with_channels(filter(), &[1, channels, 1, 2]);
        assert_eq!(of(1), Tensor { shape: vec![1, 1, 1, 2], data: TensorData::F32(vec![9.0, 12.0]) });
        let four = vec![0.75, 1.5, 2.25, 3.0, 3.75, 4.5, 0.75, 1.5];
        assert_eq!(of(4), Tensor { shape: vec![1, 4, 1, 2], data: TensorData::F32(four) });
    }
}
