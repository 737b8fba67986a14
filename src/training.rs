//! The interface for custom training loops: [`Training`] for training, evaluation and prediction, [`Predictor`] for
//! prediction.
//!
//! A network is a [`Model`](crate::nn::Model), a loss a [`Loss`]. Both are types or closures that append ops to a
//! graph. Gradients, fusion and plans are handled inside; the plan for a batch size is compiled at its first batch and
//! kept.
//!
//! ```
//! use shadegrad::graph::{Graph, GraphError, Value};
//! use shadegrad::nn::{Conv2d, Linear, Mode};
//! use shadegrad::training::{Batch, CrossEntropy, Training, TrainingOptions};
//! use shadegrad::{exec, ops};
//!
//! fn network(g: &mut Graph, images: Value, _: Mode) -> Result<Value, GraphError> {
//!     let x = Conv2d::new(8, 3).stride(2).apply(g, "conv", images)?;
//!     let x = ops::relu(g, x)?;
//!     let x = ops::flatten(g, x)?;
//!     Linear::new(2).apply(g, "head", x)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = exec::open("cpu")?; // or "auto", "gpu", a part of its name
//! let mut training = Training::new(device, [8, 8, 3], network, CrossEntropy::new(), TrainingOptions::adam(1e-2))?;
//! // Dark images have class 0, bright ones class 1.
//! let images = [vec![-0.5; 2 * 8 * 8 * 3], vec![0.5; 2 * 8 * 8 * 3]].concat();
//! let batch = Batch::labeled(images, vec![0, 0, 1, 1]);
//! for _ in 0..20 {
//!     training.step(&batch)?;
//! }
//! assert_eq!(training.predict(&batch.images)?.argmax(), [0, 0, 1, 1]);
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | make a loss out of ops, or sum several | [`Loss`], [`Losses`] |
//! | choose optimizer, clipping, freezing, moving average, 16 bits | [`TrainingOptions`] |
//! | change the learning rate from step to step | [`Training::set_learning_rate`] |
//! | keep a GPU busy while the next batch is prepared | [`Training::start`] and [`Training::finish`] |
//! | read and write parameters, statistics and moments | [`Training::tensor`] and [`Training::set_tensor`] |
//! | read gradients, or apply changed ones | [`Training::gradients`] and [`Training::apply`] |
//! | save, and resume to the bit | [`Training::save`] and [`Training::load`] |
//! | save weights for prediction, or for PyTorch | [`Training::save_weights`] |
//! | see which parts of an image raise an output | [`grad_cam`] |
//!
//! The floor below is [`Graph`](crate::graph::Graph) and [`Session`](crate::exec::Session).

mod error;
mod forward;
pub mod grad_cam;
mod graphs;
mod loss;
mod options;
pub(crate) mod port;
mod predictor;
mod results;
pub(crate) mod spans;
mod stored;
mod targets;
mod trainer;
pub(crate) mod update;

pub use crate::batch::Batch;
pub use error::{IGNORED, TrainingError};
pub use loss::{CrossEntropy, Dice, Loss, Losses, Regression};
pub use options::TrainingOptions;
pub use predictor::Predictor;
pub use results::{Evaluation, Step};
pub use targets::Targets;
pub use trainer::{Pending, Training};
pub use update::Optimizer;
