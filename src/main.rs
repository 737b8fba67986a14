//! Command line of shadegrad.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_mesa();
    shadegrad::cli::run()
}

/// Sets the folder for sockets if the system sets none, as on most servers. Without it, Mesa's Vulkan layer for device
/// selection looks for a Wayland display and prints `error: XDG_RUNTIME_DIR is invalid or not set`.
fn quiet_mesa() {
    let named = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    if cfg!(target_os = "linux") && !named {
        // SAFETY: this is the first action of `main`, so no other thread reads the environment.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
