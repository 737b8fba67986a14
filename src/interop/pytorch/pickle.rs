//! A pickle of PyTorch's files as data. Nothing in a pickle runs. It has at most [`MOST_INSTRUCTIONS`], so its values take at
//! most 100 MB.

use super::machine::Machine;
use super::value::{Id, PickleError, Value};

/// Most instructions of a pickle. A checkpoint of ResNet152 with Adam's moments has about 150,000.
const MOST_INSTRUCTIONS: usize = 1 << 20;

/// A pickle: its values, and which of them is the result.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`, and returns it with its length in bytes.
    pub(super) fn read(bytes: &'a [u8]) -> Result<(Self, usize), PickleError> {
        let mut machine = Machine::new(bytes);
        for _ in 0..MOST_INSTRUCTIONS {
            if let Some(root) = machine.step()? {
                let (values, length) = machine.end();
                return Ok((Pickle { values, root }, length));
            }
        }
        Err(PickleError::Format(format!("its pickle has more than {MOST_INSTRUCTIONS} instructions")))
    }

    /// The result.
    pub(super) fn root(&self) -> &Value<'a> {
        self.get(self.root)
    }

    /// A value by its number.
    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// All values.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.values.iter()
    }

    /// The text of a value; `None` for a value of another kind.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// The whole number of a value; `None` for a negative one and for a value of another kind.
    pub(super) fn size(&self, id: Id) -> Option<u64> {
        if let Value::Int(number) = self.get(id) { u64::try_from(*number).ok() } else { None }
    }

    /// The items of a tuple or list.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        if let Value::Tuple(items) | Value::List(items) = self.get(id) { Some(items) } else { None }
    }

    /// The sizes in a tuple or list, such as a shape.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<u64>> {
        self.items(id)?.iter().map(|id| self.size(*id)).collect()
    }
}
