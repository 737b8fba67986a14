//! Command line of shadegrad.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_mesa();
    shadegrad::cli::run()
}

/// Names a folder for sockets where the system names none, as on most servers. Without it, Mesa's Vulkan layer for choosing a
/// device looks for a Wayland display and prints `error: XDG_RUNTIME_DIR is invalid or not set`.
fn quiet_mesa() {
    let named = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    if cfg!(target_os = "linux") && !named {
        // SAFETY: this is the first thing that `main` does, so no other thread reads the environment yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
