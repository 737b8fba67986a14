//! Command line of shadegrad.

use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_mesa();
    shadegrad::cli::run()
}

/// Mesa's layer for choosing a device prints `error: XDG_RUNTIME_DIR is invalid` where that is not set, as on most
/// servers, and nothing of ours is meant by it.
fn quiet_mesa() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread exists yet that could read the environment.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
