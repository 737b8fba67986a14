//! Labels: class indices, and the ignored label.

/// Label of an ignored row in an input of a graph: a pixel without a class, or a row that fills up a batch.
pub const IGNORED: i32 = -1;

/// [`IGNORED`] in a mask of bytes and in a batch: its lowest 8 bits, 255.
pub const IGNORED_BYTE: u8 = IGNORED as u8;
