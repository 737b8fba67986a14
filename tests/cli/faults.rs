//! Bad input: the error names the fault and the remedy, the exit code is 2, no file is lost and no temporary file
//! remains.

mod changed_data;
mod checkpoints;
mod images;
mod outputs;
#[cfg(target_os = "linux")]
mod permissions;
mod running;
mod runs;
mod settings;
