//! Labels: class numbers, as inputs of a graph hold them.

/// Label of what counts for nothing: a pixel without a class, or a row that fills up a batch. A mask of bytes holds its
/// lowest 8 bits, 255.
pub const IGNORED: i32 = -1;
