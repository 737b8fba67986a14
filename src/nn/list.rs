//! The one list of models. A model is a file beside this one, with its `MODEL`, and a line here; a user of the library
//! registers one from outside with [`register`].

use std::sync::{PoisonError, RwLock};

use super::network::Model;
use super::{resnet, resnet_seg, unet};

/// The built-in models.
const BUILT_IN: [Model; 3] = [resnet::MODEL, resnet_seg::MODEL, unet::MODEL];

/// Models of users.
static REGISTERED: RwLock<Vec<Model>> = RwLock::new(vec![]);

/// All models.
pub fn models() -> Vec<Model> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    BUILT_IN.into_iter().chain(registered.iter().copied()).collect()
}

/// The model of a name.
pub fn model(name: &str) -> Option<Model> {
    models().into_iter().find(|model| model.name == name)
}

/// Adds a model, so that its checkpoints can be opened by name. One of a name that is known takes no effect.
pub fn register(added: Model) {
    if model(added.name).is_none() {
        REGISTERED.write().unwrap_or_else(PoisonError::into_inner).push(added);
    }
}

/// The names of all models, for a message.
pub fn names() -> String {
    models().iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
}
