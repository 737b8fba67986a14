//! Foreign, truncated and hostile checkpoints, given to `--init`, `eval` and `predict`.

use shadegrad::interop::safetensors::{TensorData, TensorFile};

use crate::support::{Place, TRAIN};

/// A place with a trained run of three classes.
fn trained() -> Place {
    let place = Place::with_photos(2);
    place.run(&format!("{TRAIN} --out run --batch-size 3 --epochs 1")).fine();
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
    let place = trained();
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
        if let TensorData::F32(values) = &mut file.tensors.get_mut("layer2.0.conv1.weight").expect("there").data {
            values[7] = f32::NAN;
        }
    };
    changed(&place, "nan.safetensors", nan);
    refused(&place, "nan.safetensors", &["`layer2.0.conv1.weight` holds NaN"]);
    changed(&place, "less.safetensors", |file| drop(file.tensors.remove("layer1.0.bn1.running_var")));
    cannot_predict(&place, "less.safetensors", &["`layer1.0.bn1.running_var` is missing", "same model"]);
    changed(&place, "more.safetensors", |file| {
        let extra = file.tensors["fc.weight"].clone();
        file.tensors.insert("head.weight".into(), extra);
    });
    cannot_predict(&place, "more.safetensors", &["`head.weight` is unexpected"]);
    assert!(place.bytes("run/best.safetensors") == kept, "the run is as it was");
}

#[test]
fn missing_and_invalid_metadata_is_refused() {
    let place = trained();
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
        let told = place.run("predict odd.safetensors photos/disc/00.png --device cpu");
        told.refused(&["odd.safetensors", &format!("no usable `{key}`"), "best.safetensors"]);
    }
    changed(&place, "bare.safetensors", |file| file.metadata.clear());
    place.run("predict bare.safetensors photos/disc/00.png --device cpu").refused(&["no usable `task`"]);
    // `--init` accepts it: PyTorch writes no such metadata.
    place.run(&format!("{TRAIN} --init bare.safetensors --out next --batch-size 3 --epochs 1")).fine();
}

#[test]
fn data_with_other_classes_is_matched_by_name_or_refused() {
    let place = trained();
    place.photos("pair", &["disc", "grass"], 2);
    place.photos("others", &["disc", "grass", "waves"], 2);
    // `--init` loads the body of a network with any head.
    let init = "--init run/best.safetensors --image-size 32 --batch-size 2 --epochs 1 --device cpu";
    let told = place.run(&format!("train classify --data pair {init} --out fewer")).fine();
    // 20 convolutions, and scale, shift, mean and variance of 20 norms. 20 of the 122 entries are step counters.
    told.printed(&["start:", "run/best.safetensors: 100 tensors loaded; 2 missing: fc.weight, fc.bias"]);
    let told = place.run(&format!("train classify --data photos --stem cifar {init} --out stem")).fine();
    told.printed(&["101 tensors loaded; 1 missing: conv1.weight"]);
    // Classes are matched by name. A class without images has no recall.
    let told = place.run("eval run --data pair --device cpu").fine();
    let stripes = told.stdout.lines().find(|line| line.starts_with("stripes")).expect("a row");
    assert_eq!(stripes.split_whitespace().collect::<Vec<_>>(), ["stripes", "0", "–", "–"]);
    place.run("eval run --data others --device cpu").refused(&["\"waves\"", "data with the same classes"]);
}

#[test]
fn a_path_that_is_no_run_and_a_file_that_is_no_image_are_refused() {
    let place = trained();
    place.folder("empty");
    place.run("predict run empty --device cpu").refused(&["empty: holds no JPEG, PNG, WebP, BMP, GIF or TIFF file"]);
    place.run("predict empty photos/disc --device cpu").refused(&["empty is not a run folder", "config.toml"]);
    place.run("predict nowhere photos/disc --device cpu").refused(&["nowhere", "check the path"]);
    place.run("eval run --data nowhere --device cpu").refused(&["nowhere", "check the path"]);
    place.run("predict run photos/disc --device abacus").refused(&["no device `abacus`", "there are: cpu"]);
    place.write("void.png", "");
    let told = place.run("predict run void.png photos/disc/00.png nowhere.png --device cpu");
    assert!(told.stdout.starts_with("photos/disc/00.png: "), "the good one is classified: {}", told.stdout);
    assert!(!told.stderr.contains("--skip-bad"), "predict has no such flag: {}", told.stderr);
    told.refused(&["error: void.png: file is empty (0 bytes)", "error: nowhere.png: file not found"]);
}
