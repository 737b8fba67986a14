//! Trains convolutional vision models on any GPU through [`wgpu`] and WGSL compute shaders, or on the CPU. No CUDA, no ROCm, no
//! Python.
//!
//! # A loop of your own
//! A network is a function that appends layers to a graph; so is a loss. [`Training`] adds gradients, fuses kernels,
//! and makes a plan for each batch size, compiled at its first batch.
//!
//! ```
//! use shadegrad::graph::{Graph, GraphError, Value};
//! use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode};
//! use shadegrad::training::{Batch, CrossEntropy, Training, TrainingOptions};
//! use shadegrad::{exec, ops};
//!
//! fn network(g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
//!     let x = Conv2d::new(16, 3).stride(2).padding(1).bias(false).apply(g, "conv1", images)?;
//!     let x = BatchNorm2d::new().apply(g, "norm1", x, mode)?;
//!     let x = ops::relu(g, x)?;
//!     let x = ops::global_avg_pool(g, x)?;
//!     let x = ops::flatten(g, x)?;
//!     Linear::new(2).apply(g, "head", x) // logits [N,2]
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = exec::open("cpu")?; // or "auto", "gpu", a part of its name
//! let mut training = Training::new(device, [16, 16, 3], network, CrossEntropy::new(), TrainingOptions::adam(1e-2))?;
//!
//! // Dark images are of class 0, bright ones of class 1.
//! let images: Vec<f32> = (0..8 * 16 * 16 * 3).map(|i| if i / 768 % 2 == 0 { -0.5 } else { 0.5 }).collect();
//! let batch = Batch::labeled(images, vec![0, 1, 0, 1, 0, 1, 0, 1]);
//! let first = training.step(&batch)?.loss;
//! for _ in 0..20 {
//!     training.step(&batch)?;
//! }
//! assert!(training.step(&batch)?.loss < 0.5 * first);
//!
//! let logits = training.predict(&batch.images)?; // a Tensor [8,2]
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.safetensors");
//! training.save_weights(&path)?; // PyTorch reads it too
//! # Ok(())
//! # }
//! ```
//!
//! Data comes from memory ([`Batch`](training::Batch)), or from a [`Loader`](data::Loader) over a folder, a CSV, built-in scenes
//! or [pictures in memory](data::MemoryClassification), with augmentation:
//!
//! ```no_run
//! # use shadegrad::data::{Loader, DataError};
//! # use shadegrad::training::{Training, TrainingError};
//! # fn run(mut training: Training, train: Loader, val: Loader) -> Result<(), TrainingError> {
//! for epoch in 0..10 {
//!     for batch in train.epoch(epoch)? {
//!         training.step(&batch?)?;
//!     }
//!     let scores = training.evaluate(val.epoch(0)?)?;
//!     println!("epoch {epoch}: loss {:.3}, accuracy {:?}", scores.loss(), scores.accuracy());
//! }
//! # Ok(())
//! # }
//! ```
//! `examples/custom_model.rs` is a whole program of 60 lines.
//!
//! # Shapes
//! | tensor | axes |
//! |---|---|
//! | images, activations | N H W C, channels last |
//! | weights of convolutions | KH KW I O |
//! | weights of linear layers | I O |
//! | logits | `[N,classes]` of images, `[N,H,W,classes]` of pixels |
//! | labels | class numbers `[N]` or `[N,H,W]`; 255 is ignored |
//!
//! Files of weights have PyTorch's order O I KH KW, which [`interop`] converts.
//!
//! # The flow
//! ```text
//! nn ──► graph ──► autodiff ──► fuse ──► precision ──► plan ──► exec: GPU (WGSL through wgpu) or CPU (a Rust twin of each shader)
//! layers  static    gradients    small    16 bits or    kernel calls
//!         IR        as nodes     rewrites 32            in buffers
//! ```
//! A whole training step (forward, backward, optimizer) is one plan: compiled once, then run with one submission a step.
//!
//! # Where to go on
//! | to | see |
//! |---|---|
//! | several losses, freezing, clipping, gradients by name, saving | [`training`] |
//! | write a network | [`nn`], [`ops`] |
//! | use the built-in networks and pretrained weights | [`nn::ResNet`], [`nn::UNet`], [`Training::load_weights`] |
//! | open data sets, check and augment them | [`data`] |
//! | train a whole task into a run folder, as the command line does | [`tasks`] |
//! | predict without training | [`Predictor`] |
//! | choose a device, or share a `wgpu::Device` | [`exec::open`], [`exec::gpu::GpuEngine::shared`] |
//! | run a graph step by step | [`graph::Graph`], [`exec::Session`] |
//! | read and write safetensors, write ONNX | [`interop`] |
//!
//! # Features
//! | feature | brings | for |
//! |---|---|---|
//! | none | [`nn`], [`ops`], [`training`], [`exec`], safetensors | training and prediction on numbers in memory |
//! | `data` | [`data`], [`image`] | data sets, the loader, augmentation, pictures in memory |
//! | `onnx` | `interop::onnx` | ONNX models for inference |
//! | `tasks` (with `data`, `onnx`) | [`tasks`], [`train`], [`run`], [`report`], [`workflows`] | whole tasks in run folders |
//! | `fetch` (with `tasks`) | downloads in [`interop::pretrained`] | published weights |
//! | `mpi` (with `tasks`) | `ranks::mpi` | training on several devices |
//! | `cli` (default, with `tasks` and `fetch`) | the command `shadegrad` | |
//!
//! A library takes `shadegrad = { version = "0.1", default-features = false, features = ["data"] }`.
//!
//! # A quiet standard error
//! The library prints nothing. Mesa's Vulkan drivers print `error: XDG_RUNTIME_DIR is invalid or not set` if that
//! variable is not set, as on most servers. Set it before the first thread starts; the command `shadegrad` does.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod autodiff;
mod batch;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod data;
pub mod exec;
pub mod fuse;
pub mod graph;
mod hyper;
#[doc(hidden)]
pub mod internals;
pub mod interop;
pub mod kernel;
mod label;
mod memory;
pub mod nn;
pub mod ops;
mod plan;
pub mod precision;
mod random;
#[cfg(feature = "tasks")]
pub mod ranks;
#[cfg(feature = "tasks")]
pub mod report;
#[cfg(feature = "tasks")]
pub mod run;
mod setting;
pub mod shape;
#[cfg(feature = "tasks")]
pub mod tasks;
mod tensor;
mod text;
#[cfg(feature = "tasks")]
pub mod train;
pub mod training;
#[cfg(feature = "tasks")]
pub mod workflows;

#[cfg(feature = "data")]
pub use image;
pub use tensor::Tensor;
pub use training::{Predictor, Training};
pub use wgpu;
