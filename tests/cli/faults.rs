//! Bad input: a clear error that names what is wrong and what to do, exit code 2, nothing lost and no rubbish left.

mod checkpoints;
mod images;
mod running;
mod settings;
