//! Segmentation and colorization as a user types them, on scenes that are learned in seconds.

mod colorize;
mod compare;
mod refusals;
mod scenes;
mod segment;
mod start;
