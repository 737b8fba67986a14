//! What `eval`, `predict` and `compare` do with a trained classifier: which images they read, and what they say of them.

mod support;

use support::{CLASSES, Place, TRAIN};

/// Training, validation and test images of every class, and a run of one epoch on the first two.
fn with_run() -> Place {
    let place = Place::new();
    for (part, count) in [("train", 4), ("val", 1), ("test", 2)] {
        place.photos(&format!("photos/{part}"), &CLASSES, count);
    }
    let told = place.run(&format!("{TRAIN} --out run --batch-size 4 --epochs 1")).fine();
    told.printed(&["12 training and 3 validation images"]);
    place
}

#[test]
fn a_classifier_on_images_that_it_has_not_seen() {
    let place = with_run();
    folders_of_images(&place);
}

/// What training takes for an image is one here too: at any depth, whatever its ending, but not what is hidden.
fn folders_of_images(place: &Place) {
    place.folder("mixed/deep");
    place.write("mixed/b.png", place.bytes("photos/train/disc/00.png"));
    place.write("mixed/deep/a.jfif", place.bytes("photos/train/disc/01.jpg"));
    place.write("mixed/deep/b.JPE", place.bytes("photos/train/disc/01.jpg"));
    place.write("mixed/._b.png", "resource fork");
    place.write("mixed/notes.txt", "text");
    let told = place.run("predict run mixed --device cpu").fine();
    let images: Vec<&str> = told.stdout.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(images, ["mixed/b.png", "mixed/deep/a.jfif", "mixed/deep/b.JPE"]);
    place.write("mixed/moving.gif", "GIF89a\x01\x00\x01\x00\x00\x00\x00;");
    let told = place.run("predict run mixed --device cpu");
    assert_eq!(
        (told.code, told.stdout.lines().count()),
        (Some(2), 3),
        "what cannot be read is named, and the rest done"
    );
    assert!(told.stderr.contains("mixed/moving.gif: GIF image, which is not supported"), "{}", told.stderr);
    place.folder("nothing/deep");
    place.run("predict run nothing --device cpu").refused(&["nothing", "holds no JPEG, PNG, WebP or BMP file"]);
}
