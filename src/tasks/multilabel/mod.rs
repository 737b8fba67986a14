//! Multi-label classification: several labels an image, each decided on its own.

pub mod metrics;
