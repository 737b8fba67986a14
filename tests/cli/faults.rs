//! Bad input: the error names the fault and the remedy, the exit code is 2, no file is lost and no temporary file
//! remains.

mod changed_data;
mod checkpoints;
mod images;
mod outputs;
mod running;
mod runs;
mod settings;
