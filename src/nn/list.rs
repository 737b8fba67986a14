//! The one list of architectures. An architecture is a file beside this one, with its `ARCHITECTURE`, and a line here.
//! A user of the library registers another one with [`register`].

use std::sync::{PoisonError, RwLock};

use super::network::Architecture;
use super::{cnn, resnet, resnet_seg, resnet_unet, unet};

/// The built-in architectures, by file.
const BUILT_IN: [&[Architecture]; 5] = [
    &[cnn::ARCHITECTURE],
    &resnet::ARCHITECTURES,
    &resnet_seg::ARCHITECTURES,
    &[unet::ARCHITECTURE],
    &resnet_unet::ARCHITECTURES,
];

/// Architectures of users.
static REGISTERED: RwLock<Vec<Architecture>> = RwLock::new(vec![]);

/// All architectures.
pub fn architectures() -> Vec<Architecture> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    BUILT_IN.into_iter().flatten().chain(registered.iter()).copied().collect()
}

/// The architecture of this name.
pub fn architecture(name: &str) -> Option<Architecture> {
    architectures().into_iter().find(|known| known.name == name)
}

/// Adds an architecture, so that its checkpoints can be opened by name. Returns false, and adds nothing, if the name is taken.
pub fn register(added: Architecture) -> bool {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    let taken = BUILT_IN.into_iter().flatten().chain(registered.iter()).any(|known| known.name == added.name);
    if !taken {
        registered.push(added);
    }
    !taken
}

/// The names of all architectures, for a message.
#[cfg(feature = "tasks")]
pub fn names() -> String {
    architectures().iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}
