//! shadegrad trains convolutional vision models on any GPU through `wgpu` and WGSL compute shaders, or on the CPU.
//!
//! The flow goes one way: layers ([`nn`]) append nodes to a static [`graph`]; [`autodiff`] appends their gradients;
//! [`fuse`] merges neighbours and [`precision`] halves what it may; [`plan`] lowers the nodes to kernel calls over buffer
//! slots; an engine of [`exec`] runs the plan, on a GPU through the shaders or on the CPU through their Rust twins. [`data`]
//! and [`train`] drive it.
//!
//! # A task
//! [`tasks::classify`], [`tasks::segment`] and [`tasks::colorize`] do what the command line does: a configuration in, a run
//! directory with a trained model out.
//!
//! # A network and a loop of one's own
//! Activations are N H W C, weights KH KW I O. States (parameters, moments, running statistics) are named by their layers and
//! live in a [`exec::Session`]; graphs over the same states, such as one for evaluation, share them.
//!
//! ```
//! use shadegrad::exec::{self, Session};
//! use shadegrad::fuse::{FuseOptions, fuse};
//! use shadegrad::graph::Graph;
//! use shadegrad::nn::{BatchNorm2d, Conv2dLayer, Linear, Mode};
//! use shadegrad::ops::{self, AdamOptions, CrossEntropyOptions};
//! use shadegrad::plan::PlanOptions;
//! use shadegrad::shape::TensorType;
//! use shadegrad::train::step::{Optimizer, append_update};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut g = Graph::new();
//! let images = g.input("images", TensorType::channels([8, 16, 16, 3]));
//! let labels = g.input("labels", TensorType::flat(8));
//! let x = Conv2dLayer::square(16, 3, 2, 1).apply(&mut g, "conv1", images)?;
//! let x = BatchNorm2d::default().apply(&mut g, "norm1", x, Mode::Train)?;
//! let x = ops::relu(&mut g, x)?;
//! let x = ops::global_avg_pool(&mut g, x)?;
//! let x = ops::flatten(&mut g, x)?;
//! let logits = Linear { features: 2 }.apply(&mut g, "head", x)?;
//! let [loss, _] = ops::softmax_cross_entropy(&mut g, logits, labels, None, CrossEntropyOptions::default())?;
//! g.output("loss", loss);
//! let adam = AdamOptions::default();
//! append_update(&mut g, loss, Optimizer::Adam(adam), None)?; // gradients and the optimizer, in the same graph
//! fuse(&mut g, FuseOptions::default());
//!
//! let mut session = Session::new(exec::open("cpu")?, &g, 0)?; // or "auto", "gpu", a part of its name
//! let step = session.load(&g, PlanOptions::default())?;
//! // Dark images are of class 0, bright ones of class 1.
//! let pixels: Vec<f32> = (0..8 * 16 * 16 * 3).map(|i| if i / 768 % 2 == 0 { -0.5 } else { 0.5 }).collect();
//! session.write(step, "images", &pixels)?;
//! session.write(step, "labels", &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])?;
//! let mut losses = vec![];
//! for t in 1..=20 {
//!     session.write(step, "hyper", &ops::Hyper::new(1e-2, adam.betas, t).values())?;
//!     losses.push(session.run_now(step)?[0][0]);
//! }
//! assert!(losses[19] < 0.5 * losses[0]);
//! # Ok(())
//! # }
//! ```
//! `examples/custom_model.rs` goes on from here: data, evaluation, a loop over epochs.

pub mod autodiff;
pub mod cli;
pub mod data;
pub mod exec;
pub mod fuse;
pub mod graph;
pub mod hyper;
pub mod interop;
pub mod kernel;
pub mod nn;
pub mod ops;
pub mod plan;
pub mod precision;
pub mod random;
pub mod report;
pub mod run;
pub mod shape;
pub mod tasks;
pub mod train;
pub mod workflows;
