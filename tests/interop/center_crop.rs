//! The preprocessing of published evaluations against torchvision's, and weights that are evaluated as they are against
//! torchvision's loss and predictions. tests/fixtures/generate_center_crop.py describes images and weights.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::Value as Json;
use shadegrad::data::CenterCrop;
use shadegrad::interop::safetensors::{Tensor, TensorFile};
use shadegrad::nn::ResNetDepth;
use shadegrad::tasks::classify::{WeightsOptions, evaluate_weights};
use shadegrad::train::Evaluation;

use crate::common::trace::{floats, k, sizes, start, text};

fn fixture(name: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&fs::read_to_string(path).expect("the fixture")).expect("the fixture is JSON")
}

/// Image `n`: blocks of 6x6 equal pixels.
fn picture(n: u64, width: u32, height: u32) -> RgbImage {
    let (rows, columns) = (height.div_ceil(6), width.div_ceil(6));
    let bytes: Vec<u8> = k(100 + n, (rows * columns * 3) as usize).map(|value| value as u8).collect();
    RgbImage::from_fn(width, height, |x, y| {
        let block = ((y / 6 * columns + x / 6) * 3) as usize;
        Rgb([bytes[block], bytes[block + 1], bytes[block + 2]])
    })
}

fn number(of: &Json, key: &str) -> u32 {
    of[key].as_u64().expect("a number") as u32
}

#[test]
fn crops_are_those_of_torchvision() {
    let fixture = fixture("center_crop.json");
    let size = CenterCrop { resize: number(&fixture, "resize"), crop: number(&fixture, "crop") };
    for (n, expected) in (0..).zip(fixture["crops"].as_array().expect("a list")) {
        let (width, height) = (number(expected, "width"), number(expected, "height"));
        let found = size.apply(&picture(n, width, height));
        let theirs = text(expected, "rgb").as_bytes().chunks(2);
        let theirs = theirs.map(|digits| {
            let digits = std::str::from_utf8(digits).expect("digits");
            i32::from(u8::from_str_radix(digits, 16).expect("a byte"))
        });
        let ours = found.as_raw();
        assert_eq!(theirs.len(), ours.len());
        let off: Vec<i32> = theirs.zip(ours).map(|(theirs, ours)| i32::from(*ours) - theirs).collect();
        let worst = off.iter().map(|off| off.abs()).max().expect("bytes");
        let mean = f64::from(off.iter().sum::<i32>()) / off.len() as f64;
        println!("{width}x{height}: off by up to {worst}, on average {mean:.3}");
        // Coefficients have fewer bits here than in Pillow, and both round to bytes between the two directions.
        assert!(worst <= 1 && mean.abs() < 0.1, "{width}x{height}: off by up to {worst}, on average {mean}");
    }
}

/// The weights at the start of the trace, with the linear layer of the fixture.
fn write_weights(path: &Path, bias: &[f64]) {
    let mut file = TensorFile::default();
    for about in fixture("resnet18_trace.json")["tensors"].as_array().expect("a list") {
        let name = text(about, "name");
        let values: Vec<f32> = match name {
            "fc.bias" => bias.iter().map(|value| *value as f32).collect(),
            "fc.weight" => start(about).iter().map(|value| 4.0 * *value as f32).collect(),
            _ => start(about).iter().map(|value| *value as f32).collect(),
        };
        file.tensors.insert(name.to_owned(), Tensor::f32(sizes(&about["shape"]), values));
    }
    file.write_atomic(path).expect("writes");
}

#[test]
fn weights_as_they_are_have_torchvisions_loss_and_predictions() {
    let fixture = fixture("center_crop.json");
    let evaluated = &fixture["evaluated"];
    let folder = tempfile::tempdir().expect("a folder");
    let (weights, data) = (folder.path().join("weights.safetensors"), folder.path().join("set"));
    write_weights(&weights, &floats(&evaluated["bias"]));
    let sizes: Vec<[u32; 2]> = serde_json::from_value(evaluated["sizes"].clone()).expect("sizes");
    for n in 0..number(evaluated, "count") {
        let class = data.join(format!("n{:08}", n % 10));
        fs::create_dir_all(&class).expect("a folder");
        let [width, height] = sizes[n as usize % sizes.len()];
        picture(u64::from(n), width, height).save(class.join(format!("{n}.png"))).expect("writes");
    }
    let options = WeightsOptions {
        model: ResNetDepth::L18,
        weights,
        data,
        hints: Default::default(),
        resize: Some(number(evaluated, "resize")),
        crop: Some(number(evaluated, "crop")),
        device: "cpu".to_owned(),
        batch_size: 7,
        offline: true,
    };
    let found = evaluate_weights(&options, &()).unwrap_or_else(|error| panic!("{error}")).found;
    let expected = evaluated["loss"].as_f64().expect("a loss");
    println!("loss {} and {expected}", found.loss());
    assert!((found.loss() - expected).abs() < 2e-3 * expected, "{} instead of {expected}", found.loss());
    let mut predicted = vec![vec![0_u64; 10]; 10];
    for (n, class) in evaluated["predictions"].as_array().expect("a list").iter().enumerate() {
        predicted[n % 10][class.as_u64().expect("a class") as usize] += 1;
    }
    for (truth, row) in predicted.iter().enumerate() {
        let counts: Vec<u64> = (0..10).map(|class| found.confusion.count(truth, class)).collect();
        assert_eq!(&counts, row, "class {truth}");
    }
    // Other weights do not fit ten classes.
    let deeper = WeightsOptions { model: ResNetDepth::L34, ..options };
    let error = evaluate_weights(&deeper, &()).err().expect("refused").to_string();
    assert!(error.contains("does not fit the model") && error.contains("layer1.2.conv1.weight"), "{error}");
}
