//! `train TASK --dry-run`.

use std::fs;

use super::support::{Place, RESNET};

#[test]
fn a_dry_run_names_data_settings_and_doubts_and_touches_nothing() {
    let place = Place::with_photos(5);
    place.write("run.toml", "lr = 0.002\nclip = 1.0\n");
    let before = place.list(".");
    let line = format!("{RESNET} --config run.toml --batch-size 64 --lr 0.05 --out new --dry-run");
    let said = place.run(&line).fine();
    said.printed(&[
        "12 training and 3 validation images, 3 classes",
        "balance: disc 4 + 1, grass 4 + 1, stripes 4 + 1 (training + validation images)",
        "run:     new",
        "network: resnet18, 11.18 million parameters, images of 32x32",
        "  lr                   0.05                         flag",
        "  clip                 1.0                          config file",
        "  normalize            dataset                      chosen from the data",
        "  defaults: ",
        " seed 0,",
        "holds more than the 12 training images",
        "a learning rate of 0.05 is high for Adam",
        "few images: 4 per class",
        "next:    shadegrad train classify --config run.toml --batch-size 4 --data photos --device cpu --epochs 100 --finetune \
         --image-size 32 --lr 0.001 --out new --pretrained",
        "shadegrad lr-find classify --config run.toml",
    ]);
    assert_eq!(place.list("."), before, "the working folder is as it was");
}

#[test]
fn a_dry_run_is_json_for_programs() {
    let place = Place::with_photos(4);
    let flags = "--image-size 32 --device cpu --batch-size 3 --auto false";
    let said = place.run(&format!("train classify --data photos {flags} --dry-run --json")).fine();
    let json: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON alone");
    assert_eq!(json["training_images"], 9);
    assert_eq!(json["batches_per_epoch"], 3);
    assert_eq!(json["steps"], 15);
    assert!(json["memory"]["states"].as_u64() > Some(100_000_000), "{}", json["memory"]);
    let time = &json["time"];
    let [all, batch, validation] =
        ["seconds", "batch_seconds", "validation_seconds"].map(|key| time[key].as_f64().expect("a number"));
    assert!((all - 5.0 * (3.0 * batch + validation)).abs() < 1e-9 * all, "{time}");
    assert_eq!(json["classes"][0]["training_images"], 3);
}

/// A dry run refuses what a training refuses, in the same words.
#[test]
fn a_dry_run_refuses_what_the_training_refuses() {
    let place = Place::with_photos(4);
    place.folder("taken");
    place.write("taken/file", "");
    place.run(&format!("{RESNET} --out taken --dry-run")).refused(&["taken"]);
    place.run("train classify --data nowhere --device cpu --dry-run").refused(&["nowhere"]);
    place.run(&format!("{RESNET} --resume taken --dry-run")).refused(&["--dry-run --resume"]);
}

#[test]
fn masks_are_counted_by_pixels() {
    let place = Place::new();
    let said = place
        .run("train segment --scenes 10 --base 1 --depth 1 --batch-size 2 --image-size 32x48 --device cpu --dry-run");
    let said = said.fine().printed(&["(share of the pixels in the first batches)", "image_size           32x48"]);
    let line = said.stdout.lines().find(|line| line.starts_with("balance: ")).expect("a line");
    let shares = line.split(" %").filter_map(|part| part.split_whitespace().last()?.parse::<f64>().ok());
    let sum: f64 = shares.sum();
    assert!((sum - 100.0).abs() < 1.0, "{line}");
    assert!(fs::read_dir(place.path(".")).expect("lists").next().is_none(), "nothing is made");
}

/// A table of the current folder has no folder in its name.
#[test]
fn the_table_of_the_labels_is_no_unused_list() {
    let place = Place::with_photos(4);
    let rows = ["disc", "grass"].map(|class| (0..4).map(move |index| (class, index)));
    let kind = |index| if index % 2 == 0 { "png" } else { "jpg" };
    let rows =
        rows.into_iter().flatten().map(|(class, index)| format!("photos/{class}/{index:02}.{},{class}\n", kind(index)));
    let table = format!("path,label\n{}", rows.collect::<String>());
    place.write("labels.csv", &table);
    place.write("other.csv", &table);
    let line = "--model cnn --image-size 16 --epochs 1 --device cpu --auto false --dry-run";
    for data in ["labels.csv", "./labels.csv"] {
        let said = place.run(&format!("train multi-label --data {data} {line}")).fine();
        let unused = said.stdout.lines().find(|line| line.contains("are not used")).unwrap_or_default();
        assert!(unused.ends_with("other.csv") && !unused.contains("labels.csv"), "{data}: {}", said.stdout);
    }
}
