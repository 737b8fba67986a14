//! Foreign, truncated and hostile checkpoints, given to `--init`, `eval` and `predict`.

use shadegrad::interop::safetensors::{TensorData, TensorFile};

use crate::support::{Place, RESNET, TRAIN};

/// A place with a run of three classes, trained by a command line.
fn trained(line: &str) -> Place {
    let place = Place::with_photos(2);
    place.run(&format!("{line} --out run --batch-size 3 --epochs 1")).fine();
    place
}

/// Requires `predict` and `--init` to refuse the file by name, and `--init` to make no run folder.
fn refused(place: &Place, file: &str, parts: &[&str]) {
    cannot_predict(place, file, parts);
    place.run(&format!("{TRAIN} --init {file} --out next")).refused(&[file]).refused(parts);
    assert!(!place.has("next"), "no run folder");
}

fn cannot_predict(place: &Place, file: &str, parts: &[&str]) {
    place.run(&format!("predict {file} photos/disc/00.png --device cpu")).refused(&[file]).refused(parts);
}

/// Writes `place`'s checkpoint after `change` to another file.
fn changed(place: &Place, name: &str, change: impl FnOnce(&mut TensorFile)) {
    let mut file = place.checkpoint("run/best.safetensors");
    change(&mut file);
    file.write_atomic(&place.path(name)).expect("writes");
}

#[test]
fn checkpoints_that_do_not_fit_or_are_damaged_are_refused() {
    let place = trained(TRAIN);
    let kept = place.bytes("run/best.safetensors");

    place.write("cut.safetensors", &kept[..kept.len() / 2]);
    refused(&place, "cut.safetensors", &["not a usable safetensors file", "truncated"]);
    place.write("stub.safetensors", &kept[..5]);
    refused(&place, "stub.safetensors", &["5 bytes", "truncated"]);
    place.write("none.safetensors", "");
    refused(&place, "none.safetensors", &["0 bytes", "empty"]);
    place.write("photo.safetensors", place.bytes("photos/disc/00.png"));
    refused(&place, "photo.safetensors", &["claim a header", "a file of another kind"]);
    // Eight bytes that claim exabytes, and a header that claims a tensor of exabytes.
    place.write("claim.safetensors", [&u64::MAX.to_le_bytes()[..], b"{}"].concat());
    refused(&place, "claim.safetensors", &["claim a header of 18446744073709551615 bytes"]);
    let header = br#"{"fc.bias":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    place.write("vast.safetensors", [&length[..], header, &[0; 4]].concat());
    refused(&place, "vast.safetensors", &["not a usable safetensors file"]);
    refused(&place, "nowhere.safetensors", &["check the path"]);

    let nan = |file: &mut TensorFile| {
        if let TensorData::F32(values) = &mut file.tensors.get_mut("conv2.weight").expect("there").data {
            values[7] = f32::NAN;
        }
    };
    changed(&place, "nan.safetensors", nan);
    refused(&place, "nan.safetensors", &["`conv2.weight` holds NaN"]);
    changed(&place, "less.safetensors", |file| drop(file.tensors.remove("bn1.running_var")));
    cannot_predict(&place, "less.safetensors", &["`bn1.running_var` is missing", "same model"]);
    changed(&place, "more.safetensors", |file| {
        let extra = file.tensors["fc.weight"].clone();
        file.tensors.insert("head.weight".into(), extra);
    });
    cannot_predict(&place, "more.safetensors", &["`head.weight` is unexpected"]);
    assert!(place.bytes("run/best.safetensors") == kept, "the run is as it was");
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_lies() {
    let place = trained(TRAIN);
    let kept = place.bytes("run/best.safetensors");
    let header = 8 + u64::from_le_bytes(kept[..8].try_into().expect("8 bytes")) as usize;
    let mean = kept.windows(6).position(|at| at == b"\"mean\"").expect("an entry") + 10;
    for (name, at) in [("weights", header + (kept.len() - header) / 2), ("last", kept.len() - 1), ("mean", mean)] {
        let mut bytes = kept.clone();
        bytes[at] ^= 1;
        let file = format!("{name}.safetensors");
        place.write(&file, bytes);
        refused(&place, &file, &["differs from its checksum"]);
    }
}

#[test]
fn weights_in_the_folder_of_another_run_are_refused() {
    let place = trained(TRAIN);
    place.run(&format!("{TRAIN} --out other --batch-size 3 --epochs 1 --seed 9")).fine();
    place.run("eval other --device cpu").fine();
    place.write("other/best.safetensors", place.bytes("run/best.safetensors"));
    let parts = ["other/best.safetensors", "weights of another run", "other/metrics.csv"];
    for command in ["eval other", "predict other photos/disc/00.png", "export other --out model.onnx"] {
        place.run(command).refused(&parts);
    }
    let outcome = place.run("report other").fine();
    assert!(outcome.stderr.contains("other/best.safetensors is damaged: it holds the weights of another run"));
    // `last` is the best epoch: it restores what was overwritten.
    place
        .run("train classify --resume other --epochs 2 --device cpu")
        .printed(&["weights of another run", "restored from last"]);
    place.run("eval other --device cpu").fine();
}

#[test]
fn missing_and_invalid_metadata_is_refused() {
    let place = trained(RESNET);
    let many = serde_json::to_string(&vec!["x"; 1_000_000]).expect("JSON");
    for (key, value) in [
        ("model", "vgg11"),
        ("classes", "[]"),
        ("classes", "[\"a\",\"b\"]"),
        ("classes", &many),
        ("image_size", "0"),
        ("image_size", "4"),
        ("image_size", "18446744073709551615"),
        ("std", "[0,0,0]"),
        ("mean", "[1e39,0,0]"),
        ("stem", "tree"),
    ] {
        changed(&place, "odd.safetensors", |file| drop(file.metadata.insert(key.into(), value.into())));
        let outcome = place.run("predict odd.safetensors photos/disc/00.png --device cpu");
        outcome.refused(&["odd.safetensors", &format!("no usable `{key}`"), "best.safetensors"]);
    }
    changed(&place, "bare.safetensors", |file| file.metadata.clear());
    place.run("predict bare.safetensors photos/disc/00.png --device cpu").refused(&["no usable `task`"]);
    // `--init` accepts it: PyTorch writes no such metadata.
    place.run(&format!("{RESNET} --init bare.safetensors --out next --batch-size 3 --epochs 1")).fine();
}

#[test]
fn data_with_other_classes_is_matched_by_name_or_refused() {
    let place = trained(RESNET);
    place.photos("pair", &["disc", "grass"], 2);
    place.photos("others", &["disc", "grass", "waves"], 2);
    // `--init` loads the body of a network with any head.
    let init = "--init run/best.safetensors --image-size 32 --batch-size 2 --epochs 1 --device cpu";
    let outcome = place.run(&format!("train classify --data pair {init} --out fewer")).fine();
    // 20 convolutions, and scale, shift, mean and variance of 20 norms. 20 of the 122 entries are step counters.
    let head = "2 of another shape, not loaded: fc.weight [3, 512] instead of [2, 512], fc.bias [3] instead of [2]";
    outcome.printed(&["start:", &format!("run/best.safetensors: 100 tensors loaded; {head}")]);
    let outcome = place.run(&format!("train classify --data photos --stem cifar {init} --out stem")).fine();
    let stem = "1 of another shape, not loaded: conv1.weight [64, 3, 7, 7] instead of [64, 3, 3, 3]";
    outcome.printed(&[&format!("101 tensors loaded; {stem}")]);
    // Classes are matched by name. A class without images has no precision, recall, F1 and AUROC.
    let outcome = place.run("eval run --data pair --device cpu").fine();
    let stripes = outcome.stdout.lines().find(|line| line.starts_with("stripes")).expect("a row");
    assert_eq!(stripes.split_whitespace().collect::<Vec<_>>(), ["stripes", "0", "–", "–", "–", "–"]);
    place.run("eval run --data others --device cpu").refused(&["\"waves\"", "data with the same classes"]);
}

/// `place`'s checkpoint as another program would write it: without metadata, each tensor under another name.
fn foreign(place: &Place, path: &str, name: impl Fn(&str) -> String) {
    changed(place, path, |file| {
        file.metadata.clear();
        file.tensors = std::mem::take(&mut file.tensors).into_iter().map(|(key, value)| (name(&key), value)).collect();
    });
}

/// The name in transformers' `ResNetForImageClassification`.
fn transformers_name(name: &str) -> String {
    let kind = |layer: &str| if layer.starts_with("conv") { "convolution" } else { "normalization" };
    let block = |stage: &str, block: &str| {
        let stage: usize = stage.trim_start_matches("layer").parse().expect("a number");
        format!("resnet.encoder.stages.{}.layers.{block}", stage - 1)
    };
    match name.split('.').collect::<Vec<_>>()[..] {
        ["fc", value] => format!("classifier.1.{value}"),
        [layer, value] => format!("resnet.embedder.embedder.{}.{value}", kind(layer)),
        [stage, number, "downsample", "0", value] => format!("{}.shortcut.convolution.{value}", block(stage, number)),
        [stage, number, "downsample", _, value] => format!("{}.shortcut.normalization.{value}", block(stage, number)),
        [stage, number, layer, value] => {
            let index: usize = layer[layer.len() - 1..].parse().expect("a number");
            format!("{}.layer.{}.{}.{value}", block(stage, number), index - 1, kind(layer))
        }
        _ => panic!("{name}"),
    }
}

#[test]
fn weights_of_other_programs_bring_names_and_normalization() {
    let place = trained(RESNET);
    let still = format!("{RESNET} --batch-size 3 --epochs 1 --optimizer sgd --lr 1e-20 --momentum 0");
    foreign(&place, "wrapped.safetensors", |name| format!("module.{name}"));
    let outcome = place.run(&format!("{still} --init wrapped.safetensors --out a")).fine();
    outcome.printed(&["wrapped.safetensors: 102 tensors loaded; names without the prefix `module.`"]).printed(&[
        "pixels:  mean 0.4850 0.4560 0.4060, std 0.2290 0.2240 0.2250",
        "assumed, since the file does not say",
    ]);
    let settings = String::from_utf8(place.bytes("a/config.toml")).expect("text");
    assert!(settings.contains("\nnormalize = \"imagenet\"\n"), "{settings}");

    place.folder("hub");
    foreign(&place, "hub/model.safetensors", transformers_name);
    place.write("hub/preprocessor_config.json", r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}"#);
    let outcome = place.run(&format!("{still} --init hub --out b")).fine();
    outcome
        .printed(&["hub/model.safetensors: 102 tensors loaded; names converted from those of transformers"])
        .printed(&["pixels:  mean 0.5000 0.5000 0.5000, std 0.2500 0.2500 0.2500, as preprocessor_config.json beside"]);
    let (before, after) = (place.checkpoint("run/best.safetensors"), place.checkpoint("b/last.safetensors"));
    for name in before.tensors.keys().filter(|name| !name.contains("running") && !name.contains("tracked")) {
        assert_eq!(before.tensors[name], after.tensors[name], "{name}");
    }
    assert_eq!(after.metadata["mean"], "[0.5,0.5,0.5]");
    assert_eq!(after.metadata["std"], "[0.25,0.25,0.25]");
    // The settings hold the values, so a resumed run does not need the foreign weights.
    let settings = String::from_utf8(place.bytes("b/config.toml")).expect("text");
    assert!(settings.contains("\nnormalize = \"0.5,0.5,0.5/0.25,0.25,0.25\"\n"), "{settings}");

    let outcome = place.run(&format!("{still} --init b --normalize none --out c")).fine();
    outcome.printed(&[
        "note:    pixels have mean 0.0000 0.0000 0.0000, std 1.0000 1.0000 1.0000; the weights expect mean 0.5",
    ]);
    place.run(&format!("{still} --init run --out d")).fine().printed(&["pixels:  mean", "as the weights were trained"]);
    let outcome = place.run(&format!("{still} --normalize 0.5,0.5/1,1 --out e"));
    outcome.refused(&["0.5,0.5/1,1", "means and deviations of red, green and blue"]);
}

#[test]
fn weights_of_another_network_are_refused_with_names_and_shapes() {
    let place = trained(RESNET);
    let bottleneck = |file: &mut TensorFile| {
        let weight = file.tensors["layer2.0.downsample.0.weight"].clone();
        file.tensors.insert("layer1.0.conv1.weight".into(), weight.clone());
        file.tensors.remove("layer3.0.bn1.bias");
        file.tensors.insert("layer1.0.conv3.weight".into(), weight);
    };
    changed(&place, "deeper.safetensors", bottleneck);
    place.run(&format!("{RESNET} --init deeper.safetensors --out next")).refused(&[
        "`layer1.0.conv1.weight` has the shape [128, 64, 1, 1], expected [64, 64, 3, 3]",
        "`layer3.0.bn1.bias` [256] is missing",
        "the file has layer1.0.conv3.weight [128, 64, 1, 1]",
    ]);
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/torch/zip.pth");
    place.write("other.pth", std::fs::read(fixture).expect("the fixture"));
    place.run(&format!("{RESNET} --init other.pth --out next")).refused(&[
        "other.pth: this checkpoint does not fit the model: no tensor has the name and shape of one of the model's",
        "`bn1.weight` has the shape [4], expected [64]",
    ]);
    place.write("module.pt", std::fs::read(fixture.replace("zip.pth", "module.pt")).expect("the fixture"));
    let outcome = place.run(&format!("{RESNET} --init module.pt --out next"));
    outcome.refused(&["module.pt: the file asks to run `torch.nn.modules.linear.Linear`"]);
    assert!(!place.has("next"), "no run directory");
}

#[test]
fn a_path_that_is_no_run_and_a_file_that_is_no_image_are_refused() {
    let place = trained(TRAIN);
    place.folder("empty");
    place.run("predict run empty --device cpu").refused(&["empty: holds no JPEG, PNG, WebP, BMP, GIF or TIFF file"]);
    place.run("predict empty photos/disc --device cpu").refused(&["empty is not a run folder", "config.toml"]);
    place.run("predict nowhere photos/disc --device cpu").refused(&["nowhere", "check the path"]);
    place.run("eval run --data nowhere --device cpu").refused(&["nowhere", "check the path"]);
    place.run("predict run photos/disc --device abacus").refused(&["no device `abacus`", "there are: cpu"]);
    place.write("void.png", "");
    let outcome = place.run("predict run void.png photos/disc/00.png nowhere.png --device cpu");
    assert!(outcome.stdout.starts_with("photos/disc/00.png: "), "the good one is classified: {}", outcome.stdout);
    assert!(!outcome.stderr.contains("--skip-bad"), "predict has no such flag: {}", outcome.stderr);
    outcome.refused(&["error: void.png: file is empty (0 bytes)", "error: nowhere.png: file not found"]);
}
