//! `--finetune`: the head alone, then all layers with rates of their own, also across `--resume`.

use shadegrad::interop::safetensors::TensorData;

use crate::support::{Place, TRAIN};

#[test]
fn the_head_trains_alone_at_first_and_resume_keeps_the_rates() {
    let place = Place::with_photos(4);
    place.run(&format!("{TRAIN} --batch-size 5 --epochs 1 --out base")).fine();
    let tune = format!("{TRAIN} --batch-size 5 --finetune --init base --head-epochs 1 --schedule constant");
    let told = place.run(&format!("{tune} --epochs 1 --freeze-statistics --out run")).fine();
    let rates = "head 1.000e-3, layer4 5.000e-4, layer3 2.500e-4, layer2 1.250e-4, layer1 6.250e-5, conv1+bn1 3.125e-5";
    told.printed(&["rates:", rates, "the first 2 steps train the head alone", "BatchNorm stay as they are"]);
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    assert!(config.contains(rates) && config.contains("warmup = 0.5") && config.contains("lr_decay_layers = 0.5"));
    let [before, after] =
        ["base/best", "run/last"].map(|name| place.checkpoint(&format!("{name}.safetensors")).tensors);
    for (name, tensor) in &before {
        assert_eq!(after[name] == *tensor, !name.starts_with("fc"), "{name}");
    }
    // All layers, with statistics that stay.
    let flags = "--epochs 2 --freeze-statistics";
    place.run(&format!("train classify --resume run {flags}")).fine();
    place.run(&format!("{tune} {flags} --out whole")).fine();
    assert!(place.bytes("run/last.safetensors") == place.bytes("whole/last.safetensors"));
    let trained = place.checkpoint("run/last.safetensors").tensors;
    for (name, tensor) in &before {
        assert_eq!(trained[name] == *tensor, name.contains("running") || name.contains("batches"), "{name}");
    }
    let change = |name: &str| match (&trained[name].data, &before[name].data) {
        (TensorData::F32(a), TensorData::F32(b)) => a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
        _ => panic!("{name} has numbers"),
    };
    // The first steps of Adam change every weight by about the rate.
    assert!(change("conv1.weight") < 0.2 * change("layer4.1.conv2.weight"), "the stem has a 16th of that rate");
    refusals(&place);
}

fn refusals(place: &Place) {
    place.run(&format!("{TRAIN} --finetune")).refused(&["--finetune true: no effect without --init"]);
    place.run(&format!("{TRAIN} --lr-decay-layers 1.5")).refused(&["above 0, at most 1"]);
    let unet = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --device cpu";
    place.run(&format!("{unet} --head-epochs 1")).refused(&[
        "head_epochs",
        "unet has no encoder with stages",
        "--encoder",
    ]);
    assert!(!place.has("runs"), "nothing is written");
}
