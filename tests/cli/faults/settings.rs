//! Settings out of range, unknown devices, and folders that cannot be written.

use crate::support::{Place, TRAIN};

/// Requires a refusal of `flags` with a message that contains `parts`, and no output.
fn refused(flags: &str, parts: &[&str]) {
    let place = Place::with_photos(2);
    place.run(&format!("train classify --data photos --out run {flags}")).refused(parts);
    assert_eq!(place.list("."), ["photos"]);
}

#[test]
fn values_out_of_range_are_refused() {
    refused("--device cpu --batch-size 0", &["--batch-size 0", "at least 1"]);
    refused("--device cpu --batch-size 18446744073709551615", &["--batch-size 18446744073709551615", "at most"]);
    refused("--device cpu --image-size 4", &["--image-size 4", "the network needs at least 5 pixels"]);
    refused("--device cpu --image-size 8193", &["--image-size 8193", "1 to 8192"]);
    refused("--device cpu --epochs 0", &["--epochs 0", "at least 1"]);
    refused("--device cpu --lr nan", &["--lr NaN", "a finite number above 0"]);
    refused("--device cpu --val-split 1", &["--val-split 1", "above 0 and below 1"]);
    refused("--device cpu --optimizer adma", &["'adma'", "adam"]);
    let place = Place::new();
    place.run("plan resnet18 --image-size 4").refused(&["--image-size 4", "5 to 8192 pixels"]);
    place.run("plan resnet18 --classes 18446744073709551615").refused(&["--classes 18446744073709551615", "1 to"]);
    place.run("plan resnet18 --batch-size 0").refused(&["--batch-size 0", "at least 1"]);
    place.run("plan resnet18 --image-size 8192 --batch-size 100000").refused(&["lower the batch or image size"]);
    place.run("plan unet --base 1024 --depth 5").refused(&["make the network smaller"]);
    place.run("eval run --data photos --batch-size 0").refused(&["--batch-size 0", "at least 1"]);
}

#[test]
fn an_unknown_device_is_refused_with_a_list_of_devices() {
    refused("--device abacus", &["no device `abacus`", "there are: cpu"]);
    refused("--device 99", &["no device `99`", "there are: cpu"]);
}

#[test]
fn invalid_config_files_are_refused() {
    let place = Place::with_photos(2);
    for (text, parts) in [
        ("optimiser = \"sgd\"", &["unknown key `optimiser`", "did you mean `optimizer`?"]),
        ("learning_rate = 0.1", &["unknown key `learning_rate`", "did you mean `lr`?"]),
        ("epochs = \"three\"", &["line 1, column 10", "expected a whole number"]),
        ("batch_size = 0", &["batch_size = 0", "at least 1"]),
        ("epochs = ", &["line 1", "TOML parse error"]),
    ] {
        place.write("mine.toml", text);
        let outcome = place.run("train classify --config mine.toml --data photos --out run --device cpu");
        outcome.refused(&["mine.toml"]).refused(parts);
    }
    place.run("train classify --config none.toml").refused(&["none.toml", "check the path"]);
    assert!(!place.has("run"));
}

#[test]
fn output_folders_that_cannot_be_made_are_refused() {
    let place = Place::with_photos(2);
    place.write("file", "precious");
    let to = |out: &str| place.run(&format!("{TRAIN} --epochs 1 --out {out}"));
    to("file").refused(&["file exists already", "choose another folder"]);
    to("file/run").refused(&["cannot write", "file", "choose another folder"]);
    to("photos").refused(&["photos exists already and is not empty", "choose another folder"]);
    // The output folder is checked before the data is read.
    place.run("train classify --data nowhere --device cpu --out photos").refused(&["photos exists already"]);
    assert_eq!(place.bytes("file"), b"precious");
    assert_eq!(place.list("photos"), ["disc", "grass", "stripes"]);
    place.folder("fresh");
    to("fresh").fine().printed(&["run:     fresh"]);
}

/// Not even root may make a folder in /proc.
#[cfg(target_os = "linux")]
#[test]
fn an_output_folder_without_write_permission_is_refused() {
    let place = Place::with_photos(2);
    place.run(&format!("{TRAIN} --out /proc/run")).refused(&["cannot write /proc/run", "choose another"]);
}

#[test]
fn a_range_test_without_data_makes_no_folder() {
    let place = Place::new();
    place.run("lr-find classify --data nowhere --device cpu").refused(&["nowhere"]);
    assert!(place.list(".").is_empty());
}
