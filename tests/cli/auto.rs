//! `train TASK --auto`.

use crate::support::Place;

/// Pictures without flat areas.
fn photographs(place: &Place, count: u32) {
    for class in ["a", "b"] {
        place.folder(&format!("photos/{class}"));
        for index in 0..count {
            let noise = |x: u32, y: u32| (x * 7919 + y * 104_729 + index * 31 + x * y * 13).to_le_bytes();
            let picture =
                image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([noise(x, y)[0], noise(y, x)[0], noise(x, y)[1]]));
            picture.save(place.path(&format!("photos/{class}/{index:02}.png"))).expect("writes");
        }
    }
}

const AUTO: &str = "train classify --data photos --model cnn --image-size 16 --device cpu --auto";

#[test]
fn settings_are_chosen_from_the_data_with_their_reasons() {
    let place = Place::new();
    photographs(&place, 50);
    // 80 training images: batches of 10, 8 steps an epoch, and 60 epochs at most.
    let told = place.run(&format!("{AUTO} --dry-run")).fine();
    told.printed(&[
        "auto:    batch_size = 10: an epoch of 80 images has about 8 steps",
        "auto:    epochs = 60: 480 steps of 10 images",
        "auto:    schedule = cosine: ",
        "auto:    augment = light: 80 photographs are few",
        "  batch_size           10                           chosen from the data",
        "for 480 steps",
    ]);
    // What is given is kept, and decides the rest.
    place.write("run.toml", "batch_size = 40\n");
    let told =
        place.run(&format!("{AUTO} --config run.toml --augment none --epochs 1 --schedule constant --out run")).fine();
    assert!(
        !told.stdout.contains("auto:    batch_size") && !told.stdout.contains("auto:    epochs"),
        "{}",
        told.stdout
    );
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    for line in ["batch_size = 40\n", "epochs = 1\n", "augment = \"none\"\n", "schedule = \"constant\"\n"] {
        assert!(config.contains(line), "{line} in {config}");
    }
}

/// Without `--auto`, and for the built-in scenes, nothing is chosen.
#[test]
fn defaults_stay_without_the_flag_and_for_scenes() {
    let place = Place::new();
    photographs(&place, 10);
    let flags = "--model cnn --image-size 16 --device cpu --dry-run -v";
    for line in [format!("train classify --data photos {flags}"), format!("train classify --scenes 10 --auto {flags}")]
    {
        let told = place.run(&line).fine().printed(&["  batch_size           32                           default"]);
        assert!(!told.stdout.contains("auto:"), "{}", told.stdout);
    }
    place.run(&format!("{AUTO} --resume run")).refused(&["--auto --resume"]);
}

/// Drawings have flat areas, and a label may depend on a detail: they are not augmented.
#[test]
fn drawings_are_not_augmented() {
    let place = Place::new();
    for class in ["one", "seven"] {
        place.folder(&format!("photos/{class}"));
        for index in 0..10 {
            let ink = |x: u32, y: u32| x == 8 + index % 3 || (class == "seven" && y == 3);
            let picture = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([if ink(x, y) { 20 } else { 250 }; 3]));
            picture.save(place.path(&format!("photos/{class}/{index:02}.png"))).expect("writes");
        }
    }
    let told = place.run(&format!("{AUTO} --dry-run")).fine().printed(&["auto:    batch_size = 4"]);
    assert!(!told.stdout.contains("auto:    augment"), "{}", told.stdout);
}
