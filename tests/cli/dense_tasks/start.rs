//! `--init`: a segmentation network starts from the body of a classification network.

use shadegrad::interop::safetensors::{TensorData, TensorFile};

use super::scenes::write;
use crate::support::{Place, RESNET};

/// A vanishing learning rate keeps the loaded weights.
const STILL: &str = "--optimizer sgd --momentum 0 --lr 1e-12 --epochs 1 --batch-size 4 --image-size 32x32 --device cpu";

#[test]
fn a_segmentation_network_starts_from_the_body_of_a_classifier() {
    let place = Place::with_photos(2);
    write(&place, "set", [4, 1]);
    place.run(&format!("{RESNET} --batch-size 3 --epochs 1 --out body")).fine();
    let line = format!("train segment --data set --model resnet18-seg {STILL}");
    let outcome = place.run(&format!("{line} --init body --out seg")).fine();
    // ResNet18 has 122 entries. 20 are step counters and 2 belong to the head.
    outcome
        .printed(&["body/best.safetensors: 100 tensors loaded"])
        .printed(&["missing: score.weight, score.bias, upscore.weight", "unexpected: fc.bias, fc.weight"]);
    let (body, seg) = (place.checkpoint("body/best.safetensors"), place.checkpoint("seg/last.safetensors"));
    let values = |file: &TensorFile, name: &str| match &file.tensors[name].data {
        TensorData::F32(values) => values.clone(),
        TensorData::I64(_) => panic!("{name} is not of floats"),
    };
    let weights = body.tensors.keys().filter(|name| !name.contains("running") && !name.contains("tracked"));
    let mut same = 0;
    for name in weights.filter(|name| !name.starts_with("fc.")) {
        let off = values(&seg, name).iter().zip(values(&body, name)).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
        assert!(off < 1e-9, "{name}: {off:e}");
        same += 1;
    }
    assert_eq!(same, 60, "20 convolutions, and scale and shift of 20 norms");
    assert_eq!(seg.tensors["upscore.weight"].shape, [3, 3, 64, 64]);
    enlarges_bilinearly(&values(&seg, "upscore.weight"));

    let outcome = place.run(&format!("{line} --decoder fcn8s --init seg/last.safetensors --out finer")).fine();
    // The scores of the head fit; its up-sampling does not.
    outcome.printed(&[
        "102 tensors loaded; 1 of another shape, not loaded: upscore.weight [3, 3, 64, 64] instead of [3, 3, 16, 16]; \
         6 missing: up3.weight, score3.weight, score3.bias, up2.weight, score2.weight, score2.bias",
    ]);
    let outcome =
        place.run(&format!("train segment --data set --encoder resnet18 {STILL} --init body --out across")).fine();
    outcome.printed(&["body/best.safetensors: 100 tensors loaded", "missing: up4.enlarge.weight"]);
    let across = place.checkpoint("across/last.safetensors");
    for name in ["conv1.weight", "layer4.1.bn2.bias"] {
        let off =
            values(&across, name).iter().zip(values(&body, name)).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
        assert!(off < 1e-9, "{name}: {off:e}");
    }
    place.run("eval across --data set --device cpu").fine();

    // Weights of a deeper network, with a prefix: the encoder would lack its last blocks.
    let mut deeper = TensorFile::default();
    for (name, tensor) in &body.tensors {
        deeper.tensors.insert(format!("module.{name}"), tensor.clone());
        if let Some(rest) = name.strip_prefix("layer1.1.") {
            deeper.tensors.insert(format!("module.layer1.2.{rest}"), tensor.clone());
        }
    }
    deeper.write_atomic(&place.path("deeper.safetensors")).unwrap();
    let outcome = place.run(&format!("{line} --init deeper.safetensors --out none"));
    outcome.refused(&["deeper.safetensors", "layer1.2.bn1.bias", "the model's encoder lacks", "the same network"]);

    let unet = format!("train segment --data set --model unet --base 4 --depth 2 {STILL} --init body --out none");
    place.run(&unet).refused(&["body/best.safetensors", "no tensor has the name and shape"]);
    assert!(!place.has("none"), "nothing is written for a run that cannot start");
}

/// A ResNet encoder fixes depth and channels of the decoder.
#[test]
fn depth_and_base_are_refused_with_a_resnet_encoder() {
    let place = Place::new();
    for flag in ["--depth", "--base"] {
        for task in ["segment", "colorize"] {
            place
                .run(&format!("train {task} --encoder resnet34 {flag} 3 --out none"))
                .refused(&[flag, "--encoder none"]);
        }
    }
    let line = "train segment --model resnet18-seg --encoder resnet34 --out none";
    place.run(line).refused(&["--encoder", "--model unet"]);
}

/// FCN-32s starts as bilinear interpolation of each class, with neighbors 32 pixels apart.
fn enlarges_bilinearly(weight: &[f32]) {
    let part = |at: usize| 1.0 - (at as f64 - 31.5).abs() / 32.0;
    for (i, &v) in weight.iter().enumerate() {
        let [input, output, row, column] = [i / (3 * 4096), i / 4096 % 3, i / 64 % 64, i % 64];
        let expected = if input == output { part(row) * part(column) } else { 0.0 };
        assert!((f64::from(v) - expected).abs() < 1e-6, "{input} to {output} at {row}, {column}: {v} for {expected}");
    }
}
