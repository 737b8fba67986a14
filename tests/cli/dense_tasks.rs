//! Segmentation and colorization on the command line, on scenes that are learned in seconds.

mod colorize;
mod compare;
mod other_sets;
mod refusals;
mod scenes;
mod segment;
mod start;
