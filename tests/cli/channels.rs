//! Networks for grey images and for images of four channels.

use image::{Rgb, RgbImage, Rgba, RgbaImage};

use crate::support::Place;

const NET: &str = "--image-size 32 --batch-size 4 --epochs 1 --device cpu";

/// Two classes of 24×20 pixels that differ only in the fourth channel.
fn four(root: &Place, folder: &str) {
    for (class, alpha) in [("low", 40), ("high", 210)] {
        root.folder(&format!("{folder}/{class}"));
        for index in 0..3u8 {
            let pixel = |x: u32, y: u32| Rgba([(x * 9) as u8 + index, (y * 11) as u8, 99, alpha + index]);
            let image = RgbaImage::from_fn(24, 20, pixel);
            image.save(root.path(&format!("{folder}/{class}/{index}.png"))).expect("writes an image");
        }
    }
}

fn probability(place: &Place, run: &str, image: &str) -> f64 {
    let outcome = place.run(&format!("predict {run} {image} --json --device cpu")).fine();
    let said: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("a line of JSON");
    said["probabilities"]["high"].as_f64().expect("a probability")
}

#[test]
fn classifiers_take_one_and_four_channels() {
    let place = Place::new();
    four(&place, "set");
    place.run(&format!("train classify --data set {NET} --out colors")).fine();
    let mut first = vec![];
    for (channels, others) in [(1, ""), (4, "--augment light --mixup 0.2")] {
        let flags = format!("--channels {channels} --init colors {others} --out run{channels}");
        let outcome = place.run(&format!("train classify --data set {NET} {flags}")).fine();
        outcome.printed(&[&format!("conv1.weight: 3 input channels became {channels}, as timm adapts them")]);
        let file = place.checkpoint(&format!("run{channels}/best.safetensors"));
        assert_eq!(file.tensors["conv1.weight"].shape, [64, channels, 7, 7]);
        let eval = place.run(&format!("eval run{channels} --device cpu")).fine();
        let row = place.metrics(&format!("run{channels}")).remove(0);
        assert!(eval.stdout.contains(&format!("loss {:.4}", row.val_loss)), "{row:?}: {}", eval.stdout);
        place.run(&format!("export run{channels}")).fine().printed(&[&format!("[N,{channels},32,32]")]);
        let runs = [("low", 0), ("high", 0)]
            .map(|(class, n)| probability(&place, &format!("run{channels}"), &format!("set/{class}/{n}.png")));
        first.push(runs);
    }
    assert!((first[1][0] - first[1][1]).abs() > 1e-6, "the fourth channel is seen: {first:?}");
    RgbImage::from_pixel(24, 20, Rgb([9; 3])).save(place.path("plain.png")).expect("writes an image");
    place.run("predict run4 plain.png --device cpu").refused(&["plain.png", "has no four channels"]);
    std::fs::copy(place.path("plain.png"), place.path("set/low/plain.png")).expect("copies");
    let refusal = ["plain.png: has no four channels"];
    place.run(&format!("train classify --data set {NET} --channels 4 --out no")).refused(&refusal);
    place
        .run(&format!("train classify --data set {NET} --channels 2 --out no"))
        .refused(&["--channels 2", "1, 3 or 4"]);
}

#[test]
fn segmentation_takes_one_and_four_channels() {
    let place = Place::new();
    for part in ["train", "val"] {
        for folder in ["images", "masks"] {
            place.folder(&format!("set/{part}/{folder}"));
        }
        for index in 0..3u32 {
            let inside = |x: u32, y: u32| (4..12).contains(&x) && (5 * index..5 * index + 5).contains(&y);
            let image = RgbaImage::from_fn(20, 16, |x, y| {
                Rgba([(x * 12) as u8, (y * 15) as u8, 80, if inside(x, y) { 230 } else { 20 }])
            });
            let mask = image::GrayImage::from_fn(20, 16, |x, y| image::Luma([u8::from(inside(x, y))]));
            image.save(place.path(&format!("set/{part}/images/{index}.png"))).expect("writes an image");
            mask.save(place.path(&format!("set/{part}/masks/{index}.png"))).expect("writes a mask");
        }
    }
    place.write("set/classes.toml", "classes = [\"out\", \"in\"]\n");
    let net = "--base 4 --depth 1 --batch-size 1 --epochs 6 --lr 0.02 --device cpu";
    let mut scores = vec![];
    for (name, flags) in [
        ("grey", "--channels 1 --image-size 16x20"),
        ("four", "--channels 4 --image-size 16x20"),
        ("crops", "--channels 4 --crop 12x12"),
    ] {
        place.run(&format!("train segment --data set {flags} {net} --out {name}")).fine();
        let mean = place.run(&format!("eval {name} --device cpu")).fine().number_before(", weighted IoU");
        scores.push(mean);
        // The masks beside the images are left out.
        let outcome = place.run(&format!("predict {name} set/val --out {name}-masks --device cpu")).fine();
        assert!(outcome.stderr.contains("masks beside these images are left out"), "{}", outcome.stderr);
        assert_eq!(place.list(&format!("{name}-masks")).len(), 6);
        place.run(&format!("export {name}")).fine();
    }
    // The fourth channel is the mask. The other channels do not show it: they are the same in all images, and the masks
    // are disjoint.
    assert!(scores.iter().skip(1).all(|&score| score > 0.7), "{scores:?}");
}
