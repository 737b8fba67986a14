//! Bad input: an error that names the fault and the remedy, exit code 2, no file lost and no temporary file left.

mod checkpoints;
mod images;
mod outputs;
mod running;
mod runs;
mod settings;
