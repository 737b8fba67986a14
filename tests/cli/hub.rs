//! The folder of `export --hub`: it loads back, and its card has the facts of the run and nothing about the machine.

use serde_json::Value as Json;

use crate::support::{Place, RESNET};

/// Names of classes are text in the card, whatever characters they have.
#[cfg(unix)]
#[test]
fn no_name_is_markup_in_a_card() {
    let place = Place::with_photos(6);
    std::fs::rename(place.path("photos/disc"), place.path("photos/a|b *c* `d` <e>")).expect("renames");
    std::fs::rename(place.path("photos/grass"), place.path("photos/two\nlines")).expect("renames");
    place.run(&format!("{RESNET} --epochs 1 --out run")).fine();
    place.run("export run --hub hub --license mit").fine();
    let card = String::from_utf8(place.bytes("hub/README.md")).expect("UTF-8");
    let line = card.lines().find(|line| line.starts_with("Classes: ")).expect("classes");
    assert_eq!(line, r"Classes: a\|b \*c\* \`d\` \<e\>, stripes, two lines.");
    place.run("compare run run --data photos --out both").fine();
    let table = String::from_utf8(place.bytes("both/comparison.md")).expect("UTF-8");
    let cells = |line: &str| line.replace(r"\|", "").matches('|').count();
    let rows: Vec<usize> = table.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    assert!(table.contains(r"a\|b \*c\*") && table.contains("two lines"), "{table}");
    assert!(rows.windows(2).all(|pair| pair[0] == pair[1] || pair[1] == 5), "{table}");
}

#[test]
fn a_hub_folder_loads_back_and_describes_its_model() {
    let place = Place::with_photos(6);
    place.run(&format!("{RESNET} --epochs 1 --out run")).fine();
    place.run("export run --hub hub").refused(&["--license"]);
    assert!(!place.has("hub"));
    place.run("export run --hub hub --license MIT").refused(&["MIT", "mit"]);
    assert!(!place.has("hub"));
    place
        .run("export run --hub hub --license mit --dataset me/photos")
        .fine()
        .printed(&["model.safetensors", "README.md"]);
    let text = |name: &str| String::from_utf8(place.bytes(name)).expect("UTF-8");
    let config: Json = serde_json::from_str(&text("hub/config.json")).expect("JSON");
    assert_eq!(config["architecture"], "resnet18");
    assert_eq!(config["num_classes"], 3);
    assert_eq!(config["label_names"], serde_json::json!(["disc", "grass", "stripes"]));
    assert_eq!(config["pretrained_cfg"]["input_size"], serde_json::json!([3, 32, 32]));
    let processor: Json = serde_json::from_str(&text("hub/preprocessor_config.json")).expect("JSON");
    assert_eq!(processor["image_mean"], config["pretrained_cfg"]["mean"]);
    assert_eq!(processor["crop_size"]["height"], 32);
    let card = text("hub/README.md");
    let front = card.split("---").nth(1).expect("front matter");
    for line in [
        "license: \"mit\"",
        "library_name: timm",
        "pipeline_tag: image-classification",
        "- \"me/photos\"",
        "- type: accuracy",
    ] {
        assert!(front.contains(line), "no {line} in {front}");
    }
    let folder = place.path("").display().to_string();
    assert!(!card.contains(folder.trim_end_matches('/')) && !card.contains("data ="), "{card}");
    assert!(card.contains("![Loss and score over the epochs](curves.png)") && place.has("hub/curves.png"));
    assert!(place.bytes("hub/model.safetensors") == place.bytes("run/best.safetensors"));
    // Its weights start a run with the normalization that the folder names, and predict.
    place.run(&format!("{RESNET} --epochs 1 --init hub --out again")).fine().printed(&["hub"]);
    descriptions_of_other_weights_are_refused(&place, &config, &processor);
    let predict = |of: &str| place.run(&format!("predict {of} photos/disc/00.png --json --device cpu")).fine().stdout;
    assert_eq!(predict("hub/model.safetensors"), predict("run"));
    let before = place.list("hub");
    place.run("export run --hub hub --license mit").refused(&["hub exists already"]);
    assert_eq!(place.list("hub"), before);
}

/// A description beside weights is refused if it contradicts the weights, the other description or the network.
fn descriptions_of_other_weights_are_refused(place: &Place, config: &Json, processor: &Json) {
    let line = format!("{RESNET} --epochs 1 --init hub --out never");
    let refused = |file: &str, good: &Json, change: &dyn Fn(&mut Json), words: &[&str]| {
        let mut other = good.clone();
        change(&mut other);
        place.write(&format!("hub/{file}"), other.to_string());
        place.run(&line).refused(words).refused(&["hub/model.safetensors", file, "correct or remove that file"]);
        place.write(&format!("hub/{file}"), format!("{good:#}\n"));
    };
    let with = |key: &'static str, value: Json| move |json: &mut Json| json[key] = value.clone();
    let other = with("architecture", "resnet50.a1_in1k".into());
    refused("config.json", config, &other, &["the network 'resnet50.a1_in1k'", "the model has resnet18"]);
    let other = with("label_names", serde_json::json!(["grass", "disc", "stripes"]));
    refused("config.json", config, &other, &["other classes, or in another order"]);
    let other = with("image_mean", serde_json::json!([0.5, 0.5, 0.5]));
    refused("preprocessor_config.json", processor, &other, &["other means or deviations", "config.json"]);
}
