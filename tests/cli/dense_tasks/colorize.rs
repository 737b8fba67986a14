//! `train colorize` with and without skip connections, and every verb on its runs.

use image::{GrayImage, Luma, RgbImage};
use shadegrad::tasks::colorize::{COLORFULNESS, DELTA_E, PSNR, SSIM};

use super::scenes::{TINY, is_a_figure, scene, write_photos};
use crate::support::Place;

/// CIELAB's L of an sRGB color with fractional values (IEC 61966-2-1, white point D65).
fn lightness(rgb: [f64; 3]) -> f64 {
    let linear = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let [r, g, b] = rgb.map(|v| linear(v / 255.0));
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    if y > 216.0 / 24389.0 { 116.0 * y.cbrt() - 16.0 } else { y * 24389.0 / 27.0 }
}

/// Every pixel keeps the original's lightness within the rounding to bytes. L rises with each channel, so the lightness
/// before rounding is between those of half a byte less and half a byte more. A channel at 0 or 255 may have been
/// clipped. Returns the share of pixels without a clipped channel.
#[track_caller]
fn keeps_lightness(original: &RgbImage, colored: &RgbImage) -> f64 {
    assert_eq!(original.dimensions(), colored.dimensions());
    let mut unclipped = 0;
    for (o, c) in original.pixels().zip(colored.pixels()) {
        if c.0.iter().all(|v| (1..255).contains(v)) {
            let own = lightness(o.0.map(f64::from));
            let [low, high] = [-0.5, 0.5].map(|half| lightness(c.0.map(|v| f64::from(v) + half)));
            assert!(low - 1e-3 <= own && own <= high + 1e-3, "{:?} became {:?}: L {own} in {low}..{high}", o.0, c.0);
            unclipped += 1;
        }
    }
    f64::from(unclipped) / f64::from(original.width() * original.height())
}

fn opened(place: &Place, name: &str) -> RgbImage {
    image::open(place.path(name)).unwrap_or_else(|e| panic!("{name}: {e}")).into_rgb8()
}

fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: f64 = a.iter().zip(b.iter()).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares).log10()
}

#[test]
fn every_verb_works_on_runs_with_and_without_skips() {
    let place = Place::new();
    write_photos(&place, "set", [24, 7]);
    for skips in ["true", "false"] {
        let flags = format!("--auto false --skips {skips} --epochs 8 --lr 0.03 --schedule cosine --out skips-{skips}");
        let outcome = place.run(&format!("train colorize --data set {TINY} {flags}")).fine();
        outcome.printed(&["24 training and 7 validation images", "best validation PSNR", "samples.png"]);
        run_directory(&place, &format!("skips-{skips}"), skips);
        evaluation(&place, &format!("skips-{skips}"));
    }
    comparison(&place);
    prediction(&place);
}

fn run_directory(place: &Place, run: &str, skips: &str) {
    let files = ["best.safetensors", "config.toml", "curves.png", "curves.svg", "finished.safetensors"];
    let others = ["last.safetensors", "layers.csv", "metrics.csv", "metrics.jsonl", "run.json", "samples.png"];
    assert_eq!(place.list(run), [&files[..], &others].concat());
    for picture in ["curves", "samples"] {
        is_a_figure(place, &format!("{run}/{picture}.png"));
    }
    let file = place.checkpoint(&format!("{run}/best.safetensors"));
    let said = |key: &str| file.metadata.get(key).map_or("nothing", String::as_str);
    let known = ["task", "model", "skips", "classes"].map(said);
    assert_eq!(known, ["colorize", "unet", skips, r#"["a","b"]"#]);
    // Without skips the decoder has no channels of the encoder.
    let inputs = if skips == "true" { 8 } else { 4 };
    assert_eq!(file.tensors["up0.conv1.weight"].shape, [4, inputs, 3, 3]);
    assert_eq!(
        (&file.tensors["down0.conv1.weight"].shape[..], file.tensors["head.bias"].data.len()),
        (&[4, 1, 3, 3][..], 2)
    );
    let rows = place.metrics(run);
    let psnr: Vec<f64> = rows.iter().filter_map(|row| row.score(&PSNR)).collect();
    assert_eq!(psnr.len(), 8);
    assert!(psnr[7] > psnr[0] + 2.0, "{run} learns: {psnr:?} dB");
    assert!(rows[7].val_loss < 0.8 * rows[0].val_loss, "{rows:?}");
    for score in [SSIM, DELTA_E, COLORFULNESS] {
        assert!(rows.iter().all(|row| row.score(&score).is_some_and(f64::is_finite)), "{score:?}");
    }
}

/// `eval` reports the score of training, which is also that of the pictures that `predict` wrote.
fn evaluation(place: &Place, run: &str) {
    let eval = |batch: usize| place.run(&format!("eval {run} --data set --device cpu --batch-size {batch}")).fine();
    let outcome = eval(3).printed(&["7 images, PSNR", "SSIM", "ΔE", "(truth "]);
    assert_eq!(outcome.stdout, eval(4).stdout, "the padding of the last batch does not count");
    let found = outcome.number_before(" dB");
    let best = place.metrics(run).iter().filter_map(|row| row.score(&PSNR)).fold(0.0, f64::max);
    assert!((found - best).abs() < 5.1e-3, "{found}, and {best} in the best epoch");
    place.run(&format!("predict {run} set/val --out {run}-pictures --device cpu")).fine();
    let each = (100..107).map(|index| {
        let colored = opened(place, &format!("{run}-pictures/{index}-color.png"));
        let truth = scene(index, (32, 32));
        keeps_lightness(&truth, &colored);
        psnr(&truth, &colored)
    });
    let mean = each.sum::<f64>() / 7.0;
    assert!((found - mean).abs() < 0.01, "{found}, the pictures have {mean}");
}

fn comparison(place: &Place) {
    let outcome = place.run("compare skips-true skips-false --data set --out side --device cpu").fine();
    outcome.printed(&["skips-true", "skips-false", "truth", "comparison.png"]);
    assert_eq!(place.list("side"), ["comparison.csv", "comparison.md", "comparison.png"]);
    is_a_figure(place, "side/comparison.png");
    let table = String::from_utf8(place.bytes("side/comparison.csv")).expect("text");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["model", "PSNR", "SSIM", "ΔE", "colorfulness"]);
    assert_eq!(rows.iter().skip(1).map(|row| row[0]).collect::<Vec<_>>(), ["skips-true", "skips-false", "truth"]);
    let number = |text: &str| text.trim_end_matches(" dB").parse::<f64>().expect("a number");
    let [with, without] = [1, 2].map(|row| [1, 2].map(|column| number(rows[row][column])));
    assert!(with[0] > without[0] && with[1] > without[1], "edges need the skips: {table}");
}

/// Photographs of any size keep their size and lightness, grey ones too.
fn prediction(place: &Place) {
    place.folder("photos");
    let photos = [("wide", scene(5, (61, 22))), ("large", scene(6, (90, 75)))];
    for (name, photo) in &photos {
        photo.save(place.path(&format!("photos/{name}.png"))).expect("writes an image");
    }
    let grey = GrayImage::from_fn(33, 47, |x, y| Luma([(60 + 2 * x + y) as u8]));
    grey.save(place.path("photos/grey.png")).expect("writes an image");
    place.run("predict skips-true photos --out painted --device cpu").fine();
    assert_eq!(place.list("painted"), ["grey-color.png", "large-color.png", "wide-color.png"]);
    for (name, photo) in &photos {
        let unclipped = keeps_lightness(photo, &opened(place, &format!("painted/{name}-color.png")));
        assert!(unclipped > 0.3, "{name}: {unclipped}");
    }
    let from_grey = image::DynamicImage::from(grey).into_rgb8();
    assert!(keeps_lightness(&from_grey, &opened(place, "painted/grey-color.png")) > 0.3);
    let before = place.bytes("painted/wide-color.png");
    place.run("predict skips-true photos --out painted --device cpu").refused(&["painted exists already"]);
    assert_eq!(place.bytes("painted/wide-color.png"), before);
}
