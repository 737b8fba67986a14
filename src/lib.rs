//! shadegrad trains convolutional vision models on any GPU through `wgpu` and WGSL compute shaders.
//!
//! The flow goes one way: layers ([`nn`]) append nodes to a static [`graph`]; [`autodiff`] appends their gradients;
//! [`fuse`] merges neighbours and [`precision`] halves what it may; [`plan`] lowers the nodes to kernel calls over buffer slots; an engine of [`exec`] runs
//! the plan, on a GPU through the shaders or on the CPU through their Rust twins. [`data`] and [`train`] drive it.

pub mod autodiff;
pub mod cli;
pub mod data;
pub mod exec;
pub mod fuse;
pub mod graph;
pub mod interop;
pub mod kernel;
pub mod nn;
pub mod ops;
pub mod plan;
pub mod precision;
pub mod shape;
pub mod train;
