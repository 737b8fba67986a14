//! What goes wrong while training: a loss that is no number, a disk that takes no more.

use crate::support::{Place, TRAIN};

#[test]
fn a_loss_that_is_no_number_stops_and_is_traced() {
    let place = Place::with_photos(6);
    let told = place.run(&format!("{TRAIN} --out run --batch-size 4 --epochs 3 --optimizer sgd --lr 1e30"));
    told.refused(&["the loss is NaN at step 2 of epoch 1", "learning rate 1e30", "in the layer `conv1"])
        .refused(&["no checkpoint had been written yet", "Lower --lr"]);
    assert!(place.has("run/config.toml"), "what was tried can be looked up");
    assert!(!place.has("run/last.safetensors") && !place.has("run/best.safetensors"), "no useless weights");
}
