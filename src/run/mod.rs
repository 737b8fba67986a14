//! What a run leaves on disk: its folder, the history of its epochs, the card of its model, its scores and its pictures.

pub mod card;
pub mod confusion;
pub mod facts;
pub mod history;
pub mod mistakes;
pub mod pictures;
pub mod run_dir;
pub mod tensorboard;
