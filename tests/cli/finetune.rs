//! `--finetune`: the head alone, then all layers, each stage with its rate, also across `--resume`. `--sampler` and
//! `--tta`.

use shadegrad::interop::safetensors::TensorData;

use crate::support::{Place, RESNET};

#[test]
fn the_head_trains_alone_at_first_and_resume_keeps_the_rates() {
    let place = Place::with_photos(4);
    place.run(&format!("{RESNET} --batch-size 5 --epochs 1 --out base")).fine();
    let tune = format!("{RESNET} --batch-size 5 --finetune --init base --head-epochs 1 --schedule constant");
    let outcome = place.run(&format!("{tune} --epochs 1 --freeze-statistics --out run")).fine();
    let rates = "head 1.000e-3, layer4 5.000e-4, layer3 2.500e-4, layer2 1.250e-4, layer1 6.250e-5, conv1+bn1 3.125e-5";
    outcome.printed(&["rates:", rates, "the first 2 steps train the head alone", "BatchNorm stay as they are"]);
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    assert!(config.contains(rates) && config.contains("warmup = 0.5") && config.contains("lr_decay_layers = 0.5"));
    let [before, after] =
        ["base/best", "run/last"].map(|name| place.checkpoint(&format!("{name}.safetensors")).tensors);
    for (name, tensor) in before.iter().filter(|(name, _)| !name.contains("num_batches_tracked")) {
        assert_eq!(after[name] == *tensor, !name.starts_with("fc"), "{name}");
    }
    // All layers, with fixed statistics.
    let flags = "--epochs 2 --freeze-statistics";
    place.run(&format!("train classify --resume run {flags}")).fine();
    place.run(&format!("{tune} {flags} --out whole")).fine();
    assert!(place.bytes("run/last.safetensors") == place.bytes("whole/last.safetensors"));
    let trained = place.checkpoint("run/last.safetensors").tensors;
    // `num_batches_tracked` counts the steps of the run.
    for (name, tensor) in before.iter().filter(|(name, _)| !name.contains("num_batches_tracked")) {
        assert_eq!(trained[name] == *tensor, name.contains("running"), "{name}");
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
    place.run(&format!("{RESNET} --finetune")).refused(&["--finetune true: no effect without --pretrained or --init"]);
    place.run(&format!("{RESNET} --lr-decay-layers 1.5")).refused(&["above 0, at most 1"]);
    let unet = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --device cpu";
    place.run(&format!("{unet} --head-epochs 1")).refused(&[
        "head_epochs",
        "unet has no encoder with stages",
        "--encoder",
    ]);
    assert!(!place.has("runs"), "nothing is written");
}

#[test]
fn draws_are_balanced_and_predictions_averaged_over_mirror_images() {
    let place = Place::with_photos(2);
    place.photos("photos", &["grass"], 10);
    let line = format!("{RESNET} --batch-size 4 --val-split 0.3 --sampler balanced");
    let outcome = place.run(&format!("{line} --epochs 1 --out run")).fine();
    outcome.printed(&["sampler: balanced", "% → 33.3 %", "grass"]);
    place.run(&format!("{line} --epochs 1 --shuffle false")).refused(&["--shuffle false: no effect", "--sampler all"]);
    let unet = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --device cpu";
    place.run(&format!("{unet} --sampler balanced")).refused(&["no classes over which draws could be balanced"]);
    let plain = place.run("eval run --device cpu").fine();
    let outcome = "tta:  predictions are averaged over each image and its mirror image";
    let twice = place.run("eval run --tta --device cpu").fine().printed(&[outcome]);
    assert_ne!(plain.number_before(", accuracy"), twice.number_before(", accuracy"), "the loss is of the average");
    // The average over an image and its mirror image is the same for both.
    let image = image::open(place.path("photos/disc/00.png")).expect("reads").to_rgb8();
    image::imageops::flip_horizontal(&image).save(place.path("mirrored.png")).expect("writes");
    let predict = |flags: &str| {
        let outcome =
            place.run(&format!("predict run photos/disc/00.png mirrored.png --json --device cpu {flags}")).fine();
        let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let of =
            |line: serde_json::Value| (line["probabilities"]["disc"].as_f64().expect("a number"), line["tta"] == true);
        lines.map(of).collect::<Vec<_>>()
    };
    let (alone, averaged) = (predict(""), predict("--tta"));
    let mean = (alone[0].0 + alone[1].0) / 2.0;
    assert!((alone[0].0 - alone[1].0).abs() > 1e-4 && !alone[0].1, "{alone:?}");
    for (p, tta) in averaged {
        assert!((p - mean).abs() < 1e-5 && tta, "{p} is not {mean}");
    }
    place.run("compare run --tta --device cpu").fine().printed(&["averaged over each image and its mirror image"]);
}
