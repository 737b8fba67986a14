//! Evaluation on data that changed after training, and folders that shadegrad wrote inside data.

use std::fs;

use serde_json::Value;

use crate::support::{Outcome, Place};

const TRAIN: &str =
    "train classify --model cnn --data photos --image-size 32 --batch-size 4 --epochs 1 --device cpu --out run";

fn notes(outcome: &Outcome) -> String {
    let object: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    object["notes"]
        .as_array()
        .expect("notes")
        .iter()
        .map(|note| note.as_str().expect("text"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn eval_names_images_that_trained_the_model() {
    let place = Place::new();
    place.photos("photos", &["disc", "grass"], 6);
    place.run(TRAIN).fine();
    let same = place.run("eval run --device cpu --json").fine();
    assert_eq!(notes(&same), "", "the data of the run");
    let all: Vec<String> = place.list("photos/disc");
    fs::remove_file(place.path(&format!("photos/disc/{}", all[0]))).expect("removes");
    fs::remove_file(place.path(&format!("photos/disc/{}", all[3]))).expect("removes");
    // Another seed holds out other images, some of which trained the model.
    let changed = notes(&place.run("eval run --device cpu --seed 3 --json").fine());
    assert!(changed.contains("trained the model, such as") && changed.contains("not those of the run"), "{changed}");
    place
        .run("eval run --device cpu --seed 3")
        .fine()
        .printed(&["note: the validation images are not those of the run"]);
    place.run("compare run run --device cpu --out side").fine().printed(&["not those of the run"]);
    fs::rename(place.path("photos"), place.path("moved")).expect("renames");
    let moved = notes(&place.run("eval run --data moved --device cpu --seed 3 --json").fine());
    assert!(moved.contains("trained the model") && moved.contains("moved has no parts"), "{moved}");
}

/// Another data set has no held-out part: all its images are new to the model.
#[test]
fn another_data_set_without_parts_is_scored_whole() {
    let place = Place::new();
    place.photos("photos", &["disc", "grass"], 10);
    place.run(TRAIN).fine();
    place.photos("other", &["disc", "grass"], 7);
    let whole = ["data: other, all images (14), since it has no parts", "of these 14 images trained the model"];
    place.run("eval run --data other --device cpu").fine().printed(&whole);
    let part = ["data: other, val part", "these are the 2 images that the seed holds out of it"];
    place.run("eval run --data other --split val --device cpu").fine().printed(&part);
    place.run("eval run --data other --seed 1 --device cpu").fine().printed(&part);
    let compared = place.run("compare run run --data other --device cpu --out side").fine();
    compared.printed(&["all images (14) of other, which has no parts"]);
    place.photos("single", &["disc"], 1);
    place.run("eval run --data single --device cpu").fine().printed(&["data: single, all images (1)"]);
    // The images of the run in a moved folder keep the held-out part.
    let before = place.run("eval run --device cpu").fine().stdout.replace("photos, val", "moved, val");
    fs::rename(place.path("photos"), place.path("moved")).expect("renames");
    let moved = place.run("eval run --data moved --device cpu").fine().stdout;
    let note = "note: moved has no parts: these are the 4 images that the seed holds out of it; the others are its train part\n";
    assert_eq!(moved.replace(note, ""), before);
}

#[test]
fn eval_takes_data_with_one_class_of_the_model() {
    let place = Place::new();
    place.photos("photos", &["disc", "grass"], 6);
    place.run(TRAIN).fine();
    place.photos("only", &["grass"], 5);
    place.run("eval run --data only --device cpu").fine();
    let rows: String = place.list("only/grass").iter().map(|name| format!("only/grass/{name},grass\n")).collect();
    place.write("one.csv", format!("path,label\n{rows}"));
    place.run("eval run --data one.csv --device cpu").fine();
    place.photos("other", &["Disc", "Grass"], 3);
    place.run("eval run --data other --device cpu").refused(&["differ in case alone"]);
    place.run("train segment --resume run").refused(&["run: is a run of the task `classify`", "resume it as classify"]);
    place.run("eval run --data one.csv --label-column 1 --device cpu").refused(&["'path', names the files"]);
}

#[test]
fn own_output_is_no_data() {
    let place = Place::new();
    place.photos("photos", &["disc", "grass"], 6);
    place.run(TRAIN).fine();
    place.run("predict run photos --explain --device cpu --out photos/seen").fine();
    place.run("data check --task classify photos --fix clean").fine();
    fs::rename(place.path("clean"), place.path("photos/clean")).expect("renames");
    place.run("export run --hub photos/hub --license mit").fine();
    let checked = place.run("data check --task classify photos --json").fine();
    let object: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let classes: Vec<&str> =
        object["classes"].as_array().expect("classes").iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(classes, ["disc", "grass"]);
    for folder in ["seen", "clean", "hub"] {
        assert!(checked.stdout.contains(&format!("photos/{folder}")), "{folder} is named: {}", checked.stdout);
    }
}

#[cfg(unix)]
#[test]
fn a_limit_of_file_sizes_is_an_error() {
    let place = Place::new();
    place.photos("photos", &["disc", "grass"], 6);
    place.run_in_shell("ulimit -f 10;", TRAIN).refused(&["cannot write", "File too large"]);
}

#[test]
fn a_file_instead_of_a_folder_is_a_fault_in_json_too() {
    let place = Place::new();
    place.write("a.json", "{}");
    let checked = place.run("data check --task segment --json a.json");
    let object: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!((object["is_good"].as_bool(), checked.code), (Some(false), Some(2)));
    assert!(object["faults"][0]["what"].as_str().expect("text").contains("give the folder that it lies in"));
}
