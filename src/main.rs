//! Command line of shadegrad.

use std::path::Path;
use std::process::ExitCode;

use shadegrad::cli::Output;

fn main() -> ExitCode {
    quiet_mesa();
    shadegrad::cli::run(output())
}

/// Whether the standard output was closed when the process started (`>&-`). Before `main`, Rust's runtime replaces a closed one by
/// `/dev/null`, where writing never fails.
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod at_start {
    use std::sync::atomic::{AtomicBool, Ordering};

    static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    extern "C" fn look() {
        // SAFETY: asks for the flags of a file descriptor, and changes nothing.
        if unsafe { nix::libc::fcntl(1, nix::libc::F_GETFD) } == -1 {
            WAS_CLOSED.store(true, Ordering::Relaxed);
        }
    }

    // SAFETY: the linker's list of functions that run before the runtime. This one needs neither runtime nor allocator.
    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
    static LOOK: extern "C" fn() = look;

    pub fn was_closed() -> bool {
        WAS_CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn output() -> Output {
    if at_start::was_closed() { Output::Closed } else { Output::Open }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn output() -> Output {
    Output::Open
}

/// Sets the folder for sockets if the system does not, as on most servers. Without it, Mesa's Vulkan layer for device
/// selection looks for a Wayland display and prints `error: XDG_RUNTIME_DIR is invalid or not set`.
fn quiet_mesa() {
    let named = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    if cfg!(target_os = "linux") && !named {
        // SAFETY: this is the first action of `main`, so no other thread reads the environment.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
