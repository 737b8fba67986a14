//! The values of a pickle. They lie in one list and refer to each other by number. So neither nesting nor cycles take
//! stack memory, and a value that is used twice is stored once.

use super::globals::Global;

/// Number of a value.
pub(super) type Id = u32;

/// A value of a pickle.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, little-endian.
    Long(&'a [u8]),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Pairs of key and value in their order.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A reference to a storage: the tuple that describes it.
    Storage(Id),
    /// A tensor: the tuple of arguments of `torch._utils._rebuild_tensor_v2`.
    Tensor(Id),
    /// A value that no weights need: `None`, a float, bytes, a set, an object.
    Other,
}

/// Why a pickle is not read.
#[derive(Debug)]
pub(super) enum PickleError {
    /// The pickle names a global that is not on the list.
    Global(String),
    /// The pickle is damaged, or has an instruction that weights never need: the reason.
    Format(String),
}
