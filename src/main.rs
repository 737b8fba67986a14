//! Command line of shadegrad.

use std::process::ExitCode;

fn main() -> ExitCode {
    shadegrad::cli::run()
}
