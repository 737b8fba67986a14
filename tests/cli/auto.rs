//! Settings that `train TASK` chooses from data and device.

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

const PLAIN: &str = "train classify --data photos --model cnn --image-size 16 --device cpu";

#[test]
fn settings_are_chosen_from_the_data_with_their_reasons() {
    let place = Place::new();
    photographs(&place, 50);
    // 80 training images: batches of 20, 4 steps an epoch, and 60 epochs at most.
    let outcome = place.run(&format!("{PLAIN} --dry-run")).fine();
    outcome.printed(&[
        "auto:    batch_size = 20: an epoch of 80 images has about 4 steps",
        "auto:    epochs = 60: 240 steps of 20 images",
        "auto:    schedule = cosine: ",
        "auto:    augment = light: 80 photographs are few",
        "auto:    --auto false keeps the fixed defaults",
        "  batch_size           20                           chosen from the data",
        "for 240 steps",
    ]);
    // Given settings are kept, and decide the others.
    let outcome =
        place.run(&format!("{PLAIN} --batch-size 40 --augment none --epochs 1 --schedule constant --out run")).fine();
    assert!(!outcome.stdout.contains("auto:"), "{}", outcome.stdout);
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    for line in ["batch_size = 40\n", "epochs = 1\n", "augment = \"none\"\n", "schedule = \"constant\"\n"] {
        assert!(config.contains(line), "{line} in {config}");
    }
}

/// Six training images in batches of four, the smallest chosen batch, make two steps.
#[test]
fn the_reason_of_a_batch_names_the_steps_that_the_epoch_has() {
    let place = Place::new();
    photographs(&place, 4);
    let outcome = place.run(&format!("{PLAIN} --epochs 1 --dry-run")).fine();
    outcome.printed(&["auto:    batch_size = 4: an epoch of 6 images has about 2 steps"]);
}

/// A run repeats its settings: a config file and a resumed run keep theirs, unless `--auto` is given.
#[test]
fn config_files_and_resumed_runs_keep_their_settings() {
    let place = Place::new();
    photographs(&place, 10);
    place.write("run.toml", "batch_size = 6\nepochs = 1\n");
    let config = format!("{PLAIN} --config run.toml");
    let outcome = place.run(&format!("{config} --dry-run -v")).fine();
    outcome.printed(&["  schedule             constant                     default"]);
    let outcome = place.run(&format!("{config} --out run")).fine();
    assert!(!outcome.stdout.contains("auto:"), "{}", outcome.stdout);
    let before = place.bytes("run/config.toml");
    let outcome = place.run("train classify --resume run --epochs 2").fine();
    assert!(!outcome.stdout.contains("auto:"), "{}", outcome.stdout);
    let after = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    assert_eq!(after.replace("epochs = 2", "epochs = 1"), String::from_utf8(before).expect("text"));
    place.run("report run").fine();
    let page = String::from_utf8(place.bytes("run/report.html")).expect("text");
    assert!(!page.contains("Chosen from data"));
    // With `--auto`, the data decides the settings that the file does not give.
    let outcome = place.run(&format!("{config} --auto --dry-run")).fine();
    outcome.printed(&["auto:    schedule = cosine", "  batch_size           6                            config file"]);
    place.run(&format!("{PLAIN} --auto --resume run")).refused(&["--auto --resume"]);
}

/// The reasons are in `config.toml`, which is read back, and in the report. A resumed run keeps them.
#[test]
fn reasons_stay_with_the_run() {
    let place = Place::new();
    photographs(&place, 10);
    place.run(&format!("{PLAIN} --epochs 1 --out run")).fine();
    let reason = "# Chosen: batch_size: an epoch of 16 images has about 4 steps\n";
    let config = |run: &str| String::from_utf8(place.bytes(&format!("{run}/config.toml"))).expect("text");
    assert!(config("run").contains(reason), "{}", config("run"));
    place.run("train classify --resume run --epochs 2").fine();
    assert!(config("run").contains(reason), "{}", config("run"));
    place.run("report run").fine();
    let page = String::from_utf8(place.bytes("run/report.html")).expect("text");
    assert!(
        page.contains("<li>schedule: the learning rate falls to 0") && page.contains("<dt>schedule</dt><dd>cosine")
    );
    let folded = page.split("settings at their defaults").nth(1).expect("defaults");
    assert!(!folded.contains("<dt>schedule</dt>"), "a chosen schedule is no default");
    place.run("train classify --config run/config.toml --out again").fine();
    assert!(!config("again").contains("# Chosen"));
    // With `--auto`, chosen settings are chosen again, and given ones stay.
    let outcome = place.run("train classify --config run/config.toml --init run --auto --out tuned").fine();
    outcome.printed(&["auto:    batch_size = 4: ", "auto:    schedule = cosine: "]);
    assert!(config("tuned").contains("epochs = 2\n") && config("tuned").contains(reason), "{}", config("tuned"));
}

/// Fixed defaults on request, and for the built-in scenes.
#[test]
fn fixed_defaults_stay_for_scenes_and_on_request() {
    let place = Place::new();
    photographs(&place, 10);
    let flags = "--model cnn --image-size 16 --device cpu --dry-run -v";
    for line in ["--data photos --auto false", "--scenes 10 --auto", "--scenes 10"] {
        let outcome = place.run(&format!("train classify {line} {flags}")).fine();
        let outcome = outcome.printed(&["  batch_size           32                           default"]);
        assert!(!outcome.stdout.contains("auto:    batch"), "{}", outcome.stdout);
        assert_eq!(outcome.stdout.contains("nothing to choose without --data"), line == "--scenes 10 --auto", "{line}");
    }
}

/// Adam's rate follows the network and its start; the width of a UNet follows the device.
#[test]
fn rate_and_width_follow_network_and_device() {
    let place = Place::new();
    photographs(&place, 10);
    let fitted = |line: &str| place.run(&format!("train {line} --data photos --device cpu --dry-run")).fine();
    fitted("classify --image-size 32").printed(&["auto:    lr = 0.0003: Adam, and a ResNet from random weights"]);
    let outcome = fitted("classify --image-size 32 --optimizer sgd --lr 0.05");
    assert!(!outcome.stdout.contains("auto:    lr"), "{}", outcome.stdout);
    let outcome = fitted("colorize --image-size 16");
    outcome.printed(&[
        "auto:    base = 16: the processor trains",
        "auto:    lr = 0.003: Adam, and a narrow UNet from random weights",
        "  base                 16                           chosen from the device",
    ]);
    let outcome = fitted("colorize --image-size 16 --base 8");
    assert!(!outcome.stdout.contains("auto:    base"), "{}", outcome.stdout);
}

/// The learning-rate finder tests the settings that a training would choose.
#[test]
fn the_learning_rate_finder_takes_the_same_batches() {
    let place = Place::new();
    photographs(&place, 50);
    let line = "lr-find classify --data photos --model cnn --image-size 16 --device cpu --steps 10";
    let outcome = place.run(line).fine().printed(&["auto:    batch_size = 20"]);
    assert!(!outcome.stdout.contains("auto:    epochs"), "{}", outcome.stdout);
    let next = outcome.stdout.lines().find(|line| line.starts_with("next:"));
    assert!(next.is_none_or(|next| !next.contains("--batch-size")), "{next:?}");
}

/// Pictures of 20x20. `config.toml` holds the side with its reason, and weights bring the size of their images.
#[test]
fn the_image_size_follows_pictures_and_weights() {
    let place = Place::new();
    photographs(&place, 10);
    let line = "train classify --data photos --model cnn --device cpu --epochs 1";
    let reason = "the shorter side of a median image has 20 pixels";
    let outcome = place.run(&format!("{line} --out run")).fine();
    outcome.printed(&[&format!("auto:    image_size = 20: {reason}"), "pictures of 20x20 stay as they are"]);
    let config = |run: &str| String::from_utf8(place.bytes(&format!("{run}/config.toml"))).expect("text");
    assert!(config("run").contains("image_size = 20\n"), "{}", config("run"));
    assert!(config("run").contains(&format!("# Chosen: image_size: {reason}\n")), "{}", config("run"));
    // A given size stays, and so do those of a config file and of a resumed run.
    place.run(&format!("{line} --image-size 24 --out given")).fine();
    assert!(config("given").contains("image_size = 24\n"));
    place.run("train classify --config given/config.toml --out again").fine();
    assert!(config("again").contains("image_size = 24\n"));
    place.run("train classify --resume run --epochs 2").fine();
    assert!(config("run").contains("image_size = 20\n"));
    let outcome = place.run(&format!("{line} --init given --out tuned")).fine();
    outcome.printed(&["auto:    image_size = 24: the images of the weights that training starts from"]);
    let outcome = place.run(&format!("{line} --auto false --out fixed")).fine();
    assert!(!outcome.stdout.contains("auto:") && config("fixed").contains("image_size = 64\n"), "{}", outcome.stdout);
    let outcome = place.run("data preview --task classify photos --samples 1 --epochs 1 --out sheet.png").fine();
    assert!(place.has("sheet.png"), "{}", outcome.stdout);
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
    let outcome = place.run(&format!("{PLAIN} --dry-run")).fine().printed(&["auto:    batch_size = 4"]);
    assert!(!outcome.stdout.contains("auto:    augment"), "{}", outcome.stdout);
}

/// Eight pictures of 50x50 pixels. The second class of their masks begins at a column.
fn masks(place: &Place, set: &str, from: u32) {
    for folder in ["images", "masks"] {
        place.folder(&format!("{set}/{folder}"));
    }
    for index in 0..8u32 {
        let noise = |x: u32, y: u32| ((x * 7919 + y * 104_729 + index * 31 + x * y * 13) % 251) as u8;
        let picture = image::RgbImage::from_fn(50, 50, |x, y| image::Rgb([noise(x, y), noise(y, x), noise(x, x)]));
        let mask = image::GrayImage::from_fn(50, 50, |x, _| image::Luma([u8::from(x >= from) * 255]));
        picture.save(place.path(&format!("{set}/images/{index}.png"))).expect("writes");
        mask.save(place.path(&format!("{set}/masks/{index}.png"))).expect("writes");
    }
}

/// A class with a fiftieth of the pixels gets a weight; halves do not.
#[test]
fn rare_classes_of_masks_are_weighted() {
    let place = Place::new();
    masks(&place, "rare", 49);
    masks(&place, "halves", 25);
    let fitted = |set: &str, flags: &str| {
        place
            .run(&format!(
                "train segment --data {set} --image-size 50 --base 2 --depth 1 --device cpu --dry-run {flags}"
            ))
            .fine()
    };
    let outcome = fitted("rare", "");
    let outcome = outcome.printed(&["auto:    class_weights = median: one class has less than a fifth of the pixels"]);
    assert!(!outcome.stdout.contains("auto:    augment"), "{}", outcome.stdout);
    for (set, flags) in [("halves", ""), ("rare", "--loss ce+dice"), ("rare", "--class-weights none")] {
        let outcome = fitted(set, flags);
        assert!(!outcome.stdout.contains("auto:    class_weights"), "{set} {flags}: {}", outcome.stdout);
    }
}

/// Settings that the data decided for one network do not hinder another: with another encoder the width of a UNet has no effect, and
/// beside crops the image size.
#[test]
fn chosen_settings_without_an_effect_stay_in_their_file() {
    let place = Place::new();
    masks(&place, "masks", 25);
    place.run("train segment --data masks --depth 1 --device cpu --epochs 1 --batch-size 4 --out run").fine().printed(
        &[
            "auto:    base = 16: the processor trains",
            "auto:    image_size = 48x48: a median image has 50x50 pixels; more would show no more",
        ],
    );
    let outcome = place.run("train segment --config run/config.toml --crop 32 --auto --out crops --dry-run").fine();
    outcome.printed(&["  crop                 32"]);
    // The commands of a verdict hold.
    let said =
        place.run("train segment --data masks --image-size 32 --base 4 --depth 1 --device cpu --dry-run").fine().stdout;
    let next = said.rsplit("next:").next().expect("a command").trim();
    assert_eq!(
        next,
        "shadegrad train segment --data masks --device cpu --encoder resnet18 --finetune --image-size 32 --pretrained"
    );
}
