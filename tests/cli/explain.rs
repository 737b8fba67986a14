//! `predict --explain`: maps of importance, compared with a direct computation, and the flags that are refused.

use serde_json::Value as Json;
use shadegrad::data::{decode_file, square};
use shadegrad::exec;
use shadegrad::run::Checkpoint;
use shadegrad::tasks::classify::ClassifyPredictor;

use crate::support::{CLASSES, Place, RESNET};

const SIDE: usize = 32;
const IMAGE: &str = "photos/val/disc/00.png";

fn with_run() -> Place {
    let place = Place::new();
    for (part, count) in [("train", 4), ("val", 1)] {
        place.photos(&format!("photos/{part}"), &CLASSES, count);
    }
    place.run(&format!("{RESNET} --out run --batch-size 4 --epochs 1")).fine().printed(&["gradcam.png"]);
    place
}

/// The explanation of [`IMAGE`], and its rows.
fn explained(place: &Place, flags: &str) -> (Json, Vec<Vec<f64>>) {
    let outcome = place.run(&format!("predict run {IMAGE} --device cpu --json {flags}")).fine();
    let mut json: Json = serde_json::from_str(&outcome.stdout).expect("an object");
    let files: Vec<String> = serde_json::from_value(json["files"].take()).expect("files");
    let picture = image::load_from_memory(&place.bytes(&files[0])).expect("a picture").to_rgb8();
    assert!(picture.width() > 2 * 384 && picture.height() > 384, "image and map side by side");
    let explanation = json["explanation"].take();
    assert_eq!((&explanation["class"], &explanation["probability"]), (&json["class"], &json["probability"]));
    let rows = serde_json::from_value(explanation["map"].clone()).expect("rows of numbers");
    (explanation, rows)
}

#[test]
fn predictions_are_explained() {
    let place = with_run();
    occlusion_is_the_drop_of_the_probability(&place);
    gradcam_takes_the_last_map_of_four_pixels(&place);
    features_are_those_of_each_size(&place);
    flags_that_do_not_fit_are_refused(&place);
}

/// Each number is the probability of the whole image minus that of the image with a grey square of the pixels.
fn occlusion_is_the_drop_of_the_probability(place: &Place) {
    let (explanation, rows) = explained(place, "--explain occlusion --patch 12 --stride 8 --out occluded");
    let places = [0, 8, 16, 20];
    assert_eq!([rows.len(), rows[0].len()], [places.len(); 2], "the last place ends at the border");
    let checkpoint = Checkpoint::open(&place.path("run")).expect("a checkpoint");
    let table = checkpoint.card.normalization.table();
    let class = checkpoint.card.classes.iter().position(|class| explanation["class"] == **class).expect("a class");
    let mut predictor = ClassifyPredictor::new(&checkpoint, exec::open("cpu").expect("an engine")).expect("a model");
    let mut probability = |bytes: &[u8]| {
        let pixels = bytes.iter().enumerate().map(|(i, &v)| table[i % 3][usize::from(v)]).collect();
        f64::from(predictor.probabilities(pixels).expect("runs")[0][class])
    };
    let whole = square(&decode_file(&place.path(IMAGE)).expect("an image"), SIDE as u32);
    let full = probability(&whole);
    for (top, row) in places.into_iter().zip(&rows) {
        for (left, &got) in places.into_iter().zip(row) {
            let mut bytes = whole.clone();
            for y in top..top + 12 {
                bytes[3 * (y * SIDE + left)..3 * (y * SIDE + left + 12)].fill(128);
            }
            let expected = full - probability(&bytes);
            assert!((got - expected).abs() < 1e-6, "patch at {top}, {left}: {got}, expected {expected}");
        }
    }
}

/// Images of 32×32 give maps of 8, 8, 4, 2 and 1 pixels a side; the fixture of PyTorch has the numbers.
fn gradcam_takes_the_last_map_of_four_pixels(place: &Place) {
    let (explanation, rows) = explained(place, "--explain --out cam");
    assert_eq!(explanation["layer"], "layer2.1");
    assert_eq!([rows.len(), rows[0].len()], [4, 4]);
    assert!(rows.iter().flatten().all(|&v| v >= 0.0) && rows.iter().flatten().any(|&v| v > 0.0), "{rows:?}");
}

/// The first layer, then the last one before each halving.
fn features_are_those_of_each_size(place: &Place) {
    let outcome = place.run(&format!("predict run {IMAGE} --device cpu --json --explain features --out maps")).fine();
    let json: Json = serde_json::from_str(&outcome.stdout).expect("an object");
    assert!(json["probability"].as_f64().is_some(), "the prediction itself is there: {json}");
    let layers = json["explanation"]["layers"].as_array().expect("layers");
    let numbers = |layer: &Json| ["height", "width", "channels"].map(|key| layer[key].as_u64().unwrap_or(0));
    let found: Vec<_> = layers.iter().map(|l| (l["layer"].as_str().unwrap_or(""), numbers(l))).collect();
    let expected = [
        ("conv1", [16, 16, 64]),
        ("bn1", [16, 16, 64]),
        ("layer1.1", [8, 8, 64]),
        ("layer2.1", [4, 4, 128]),
        ("layer3.1", [2, 2, 256]),
    ];
    assert_eq!(found, expected);
    let picture = image::load_from_memory(&place.bytes("maps/00-features.png")).expect("a picture");
    assert!(picture.width() > 3 * 384 && picture.height() > 3 * 384, "image, filters and five layers in three rows");
}

fn flags_that_do_not_fit_are_refused(place: &Place) {
    let refused = |flags: &str, parts: &[&str]| {
        place.run(&format!("predict run {IMAGE} --device cpu {flags}")).refused(parts);
    };
    refused("--explain --class cat", &["the model has no class `cat`", CLASSES[0]]);
    refused("--explain --layer layer4", &["no layer `layer4` has a feature map of more than one pixel", "layer3.1"]);
    refused("--explain occlusion --patch 33", &["patch 33: expected 1 to 32 pixels"]);
    refused("--explain --patch 8", &["--patch: needs --explain occlusion"]);
    refused("--explain features --class disc", &["--class: needs --explain gradcam or occlusion"]);
    refused("--explain features --layer none", &["no layer `none` has a feature map", "conv1"]);
    refused("--explain --tta", &["does not explain averages over mirror images"]);
    assert!(!place.has("runs"), "a refused explanation makes no folder");
    let flags = "--device cpu --scenes 10 --epochs 1 --image-size 16x16 --base 4 --depth 1";
    place.run(&format!("train colorize {flags} --out colors")).fine();
    place
        .run(&format!("predict colors {IMAGE} --explain"))
        .refused(&["the task `colorize` does not explain predictions"]);
}
