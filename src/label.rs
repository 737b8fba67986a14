//! Labels: class numbers, and the one that stands for no class.

/// Label of a row that does not count: a pixel without a class, or a row that fills up a batch. As it lies in an input of
/// a graph.
pub const IGNORED: i32 = -1;

/// [`IGNORED`] in a mask of bytes and in a batch: its lowest 8 bits, 255.
pub const IGNORED_BYTE: u8 = IGNORED as u8;
