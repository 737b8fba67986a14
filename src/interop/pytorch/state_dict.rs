//! Finds the state dict in a pickle, and the description of each of its tensors.

use std::collections::HashSet;

use safetensors::tensor::Dtype;

use super::globals::Global;
use super::pickle::Pickle;
use super::value::{Id, Value};

/// Keys under which checkpoints hold the weights. The first that a file has wins.
const CONTAINERS: [&str; 6] = ["state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "ema"];

/// Deepest nesting of containers.
const DEEPEST: usize = 3;

/// A state dict.
pub(super) struct StateDict<'a> {
    /// The keys that lead to the state dict, such as `state_dict`; empty if the whole file is one.
    pub(super) path: Vec<&'a str>,
    /// Other keys of the file that hold weights.
    pub(super) others: Vec<&'a str>,
    /// Name and description of each tensor.
    pub(super) tensors: Vec<(&'a str, TensorRef<'a>)>,
}

/// A tensor as a pickle describes it. Sizes are in elements.
#[derive(Debug)]
pub(super) struct TensorRef<'a> {
    /// Key of its storage.
    pub(super) key: &'a str,
    /// Type of its elements; `None` if safetensors has no name for it.
    pub(super) dtype: Option<Dtype>,
    /// Elements of the storage, or of the view into it, and where that view begins.
    pub(super) numel: u64,
    pub(super) view: u64,
    /// First element in the view.
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

impl<'a> StateDict<'a> {
    /// The state dict in a pickle, or why it has none.
    pub(super) fn find(pickle: &Pickle<'a>) -> Result<Self, String> {
        let (mut path, mut others) = (vec![], vec![]);
        let mut value = pickle.root();
        while path.len() <= DEEPEST {
            let Value::Dict(entries) = value else { break };
            if entries.iter().any(|(_, value)| is_tensor(pickle, *value)) {
                return Ok(StateDict { path, others, tensors: tensors(pickle, entries)? });
            }
            let found = |key: &&str| entry(pickle, entries, key).filter(|id| matches!(pickle.get(*id), Value::Dict(_)));
            let mut inner = CONTAINERS.into_iter().filter_map(|key| Some((key, found(&key)?)));
            let Some((key, id)) = inner.next() else { break };
            others.extend(inner.map(|(key, _)| key));
            path.push(key);
            value = pickle.get(id);
        }
        Err(match value {
            Value::Tensor(_) => "it holds one tensor without a name: save a state dict".into(),
            Value::Dict(entries) => {
                let keys: Vec<_> = entries.iter().filter_map(|(key, _)| pickle.text(*key)).take(6).collect();
                let among = CONTAINERS.join(", ");
                format!("it has no tensors under its keys ({}), nor under one of {among}", keys.join(", "))
            }
            _ => "it holds no state dict: save `model.state_dict()`".into(),
        })
    }
}

fn is_tensor(pickle: &Pickle<'_>, id: Id) -> bool {
    matches!(pickle.get(id), Value::Tensor(_))
}

fn entry(pickle: &Pickle<'_>, entries: &[(Id, Id)], key: &str) -> Option<Id> {
    entries.iter().find(|(name, _)| pickle.text(*name) == Some(key)).map(|(_, value)| *value)
}

/// The tensors of a dict; other entries are left out.
fn tensors<'a>(pickle: &Pickle<'a>, entries: &[(Id, Id)]) -> Result<Vec<(&'a str, TensorRef<'a>)>, String> {
    let mut seen = HashSet::new();
    let mut tensors = vec![];
    for (name, value) in entries {
        let Value::Tensor(arguments) = pickle.get(*value) else { continue };
        let name = pickle.text(*name).ok_or("a tensor has a name that is no text")?;
        if !seen.insert(name) {
            return Err(format!("it has two tensors of the name `{name}`"));
        }
        let tensor =
            describe(pickle, *arguments).ok_or_else(|| format!("the description of tensor `{name}` is damaged"))?;
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// The arguments of `_rebuild_tensor_v2`: storage, offset, shape, strides.
fn describe<'a>(pickle: &Pickle<'a>, arguments: Id) -> Option<TensorRef<'a>> {
    let [storage, offset, shape, strides, ..] = pickle.items(arguments)? else { return None };
    let Value::Storage(description) = pickle.get(*storage) else { return None };
    let (key, dtype, [view, numel]) = storage_of(pickle, *description)?;
    let (shape, strides) = (pickle.sizes(*shape)?, pickle.sizes(*strides)?);
    (shape.len() == strides.len()).then_some(())?;
    Some(TensorRef { key, dtype, numel, view, offset: pickle.size(*offset)?, shape, strides })
}

/// Key, type, and range in elements of a storage: `("storage", type, key, device, elements)`. The legacy layout adds `None`, or
/// `(key, offset, elements)` of a view.
fn storage_of<'a>(pickle: &Pickle<'a>, description: Id) -> Option<(&'a str, Option<Dtype>, [u64; 2])> {
    let [kind, dtype, key, _, numel, rest @ ..] = pickle.items(description)? else { return None };
    pickle.text(*kind).filter(|kind| *kind == "storage")?;
    let Value::Global(Global::Storage(dtype)) = pickle.get(*dtype) else { return None };
    let range = match rest.first().and_then(|view| pickle.items(*view)) {
        Some([_, offset, numel]) => [pickle.size(*offset)?, pickle.size(*numel)?],
        Some(_) => return None,
        None => [0, pickle.size(*numel)?],
    };
    Some((pickle.text(*key)?, *dtype, range))
}

/// Key and type of every storage that a pickle refers to.
pub(super) fn storages<'p, 'a>(pickle: &'p Pickle<'a>) -> impl Iterator<Item = (&'a str, Option<Dtype>)> + 'p {
    let described = pickle.values().filter_map(|value| if let Value::Storage(id) = value { Some(*id) } else { None });
    described.filter_map(|id| storage_of(pickle, id)).map(|(key, dtype, _)| (key, dtype))
}
