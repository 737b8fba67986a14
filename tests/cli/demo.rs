//! `shadegrad demo --short`: all parts, and the report on them.

use crate::support::Place;

#[test]
fn the_demo_ends_in_one_report_on_everything() {
    let place = Place::new();
    place.run("demo --short --device cpu --out demo").fine().printed(&[
        "[1/5]",
        "[5/5]",
        "run 4 of 4",
        "| unet",
        "| resnet18-seg",
        "| with-skips",
        "| without-skips",
    ]);
    let report = String::from_utf8(place.bytes("demo/report.html")).expect("text");
    for part in ["Classification", "Segmentation", "Colorization", "resnet18-seg", "without-skips", "<svg"] {
        assert!(report.contains(part), "{part}");
    }
    assert!(report.matches("data:image/png;base64,").count() >= 6, "both comparisons and each run's samples");
    for file in
        ["classify/sweep.csv", "classify/004/best.safetensors", "segment/comparison.png", "colorize/comparison.csv"]
    {
        assert!(place.has(&format!("demo/{file}")), "{file}");
    }
    // Nothing is overwritten.
    place.run("demo --short --device cpu --out demo").refused(&["demo", "never overwritten"]);
    place.run("demo --device nowhere --out other").refused(&["nowhere"]);
    assert!(!place.has("other"));
}
