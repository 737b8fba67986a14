//! The tasks: what each learns, from which data, and how that is scored and shown.

pub mod classify;
pub mod colorize;
pub mod segment;
