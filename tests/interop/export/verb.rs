//! `shadegrad export` on the command line.

use image::RgbImage;

use super::compare::{channels_first, output};
use super::wire;
use crate::support::Place;

const TRAIN: &str = "train colorize --device cpu --scenes 10 --epochs 1 --image-size 16x19 --base 4 --depth 1";

#[test]
fn export_writes_a_model_of_a_run() {
    let place = Place::new();
    place.run(&format!("{TRAIN} --out run")).fine();
    let outcome = place.run("export run").fine();
    outcome.printed(&["written: run/model.onnx", "images [N,3,16,19]", "rgb [N,3,16,19]"]);
    assert!(!place.list("run").iter().any(|name| name.starts_with('.')), "no temporary file is left");

    // The picture of the model, in bytes, is the one that `predict` writes.
    let image = RgbImage::from_fn(19, 16, |x, y| image::Rgb([(x * 13) as u8, (y * 15) as u8, (x * y) as u8]));
    image.save(place.path("image.png")).expect("writes an image");
    place.run("predict run image.png --device cpu --out painted").fine();
    let painted = image::open(place.path("painted/image-color.png")).expect("a picture").into_rgb8();
    let given: Vec<f32> = image.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let model = wire::model(&place.bytes("run/model.onnx"));
    let found = output(&model, &channels_first(&given, &[1, 16, 19, 3]));
    let expected: Vec<f32> = painted.iter().map(|&byte| byte.into()).collect();
    let expected = channels_first(&expected, &[1, 16, 19, 3]);
    let worst = found.values.iter().zip(&expected.values).map(|(f, e)| (255.0 * f - e).abs()).fold(0.0, f64::max);
    assert!(worst < 0.51, "{worst} of a byte");

    let model = place.bytes("run/model.onnx");
    place.run("export run --out other.onnx").fine().printed(&["written: other.onnx"]);
    assert!(place.bytes("other.onnx") == model, "the same bytes");
    place.folder("alone");
    place.write("alone/weights.safetensors", place.bytes("run/best.safetensors"));
    place.run("export alone/weights.safetensors").fine().printed(&["written: alone/model.onnx"]);
    assert!(place.bytes("alone/model.onnx") == model, "a run is its best checkpoint");
    refusals(&place, &model);
}

fn refusals(place: &Place, model: &[u8]) {
    let taken = ["run/model.onnx exists already and is not overwritten", "--out", "move it away"];
    place.run("export run").refused(&taken);
    place.write("mine.onnx", "mine");
    place.run("export run --out mine.onnx").refused(&["mine.onnx exists already"]);
    assert!(place.bytes("run/model.onnx") == model && place.bytes("mine.onnx") == b"mine", "nothing is touched");
    place.run("export nothing").refused(&["cannot read nothing", "check the path"]);
    place.run("export run --out gone/model.onnx").refused(&["gone/model.onnx", "create its folder first"]);
    place.run("export image.png --out m.onnx").refused(&["image.png", "not a usable safetensors file"]);
    place.folder("empty");
    place.run("export empty").refused(&["empty is not a run folder"]);
    assert!(!place.has("m.onnx") && !place.has("gone") && place.list("empty").is_empty());
}
