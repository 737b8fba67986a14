//! The files of a run on disk: its folder, the history of its epochs, the card of its model, its scores and its pictures.

pub mod card;
pub mod checkpoint;
pub mod confusion;
pub mod error;
pub mod facts;
pub mod folder;
pub mod history;
pub mod image_size;
pub mod mistakes;
pub mod names;
pub mod pictures;
pub mod resume;
mod rewind;
pub mod score;
pub mod table;
pub mod task_card;
pub mod tensorboard;

pub use checkpoint::Checkpoint;
pub use error::RunError;
pub use folder::RunDir;
pub use image_size::ImageSize;
pub use score::Score;
