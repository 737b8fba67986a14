//! The commands of `docs/course.md` run in their order, on small sizes.

use std::fs;
use std::path::Path;

use crate::support::{CLASSES, Place};

/// Values that make a command small.
const SMALL: [(&str, &str); 7] = [
    ("--image-size", "16"),
    ("--scenes", "10"),
    ("--batch-size", "5"),
    ("--epochs", "1"),
    ("--limit", "6"),
    ("--base", "1"),
    ("--depth", "1"),
];

fn course() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/course.md");
    fs::read_to_string(path).expect("the page")
}

/// The lines of all `sh` blocks.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// The arguments of a command with small values. Classifiers take the photos, since the built-in scenes have 500
/// validation images.
fn small(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().skip(1).map(str::to_owned).collect();
    for place in 1..words.len() {
        if let Some((_, value)) = SMALL.iter().find(|(flag, _)| *flag == words[place - 1]) {
            (*value).clone_into(&mut words[place]);
        }
    }
    let has = |word: &str| words.iter().any(|known| known == word);
    let mut more: Vec<&str> = match words[0].as_str() {
        // The course trains on scenes, with fixed defaults.
        "train" | "lr-find" => vec!["--device", "cpu", "--auto", "false"],
        "compare" | "predict" => vec!["--device", "cpu"],
        "sweep" => vec!["--device", "cpu", "--sample", "1", "--set", "data=\"photos\"", "--set", "image_size=16"],
        _ => vec![],
    };
    if ["train", "lr-find"].contains(&words[0].as_str()) && !has("--batch-size") {
        more.extend(["--batch-size", "5"]);
    }
    if words[0] == "lr-find" {
        more.extend(["--steps", "10"]);
    }
    if has("train") && !has("--image-size") {
        more.extend(["--image-size", "16x24"]);
    }
    // With a few photos, a network may make no error.
    let line = format!("{} {}", words.join(" ").replace("cnn/errors", "photos"), more.join(" "));
    if has("classify") { line.replace("--scenes 10", "--data photos") } else { line }
}

#[test]
fn every_command_of_the_course_runs() {
    let place = Place::new();
    place.photos("photos", &CLASSES, 4);
    place.folder("examples/sweeps");
    let sweep = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sweeps/resnet18.toml");
    fs::copy(sweep, place.path("examples/sweeps/resnet18.toml")).expect("copies");
    let commands = commands(&course());
    assert!(commands.len() >= 18, "{commands:?}");
    for line in &commands {
        assert!(line.starts_with("shadegrad "), "{line}");
        place.run(&small(line)).fine();
    }
    for made in ["cnn.svg", "rates/lr_find.png", "table/sweep.md", "edges/comparison.png", "colored", "report.html"] {
        assert!(place.has(made), "{made}");
    }
}

#[test]
fn answers_have_their_questions() {
    let page = course();
    let (lessons, answers) = page.split_once("## Answers").expect("answers");
    for row in answers.lines().filter(|row| row.starts_with("| ") && row.contains('.')) {
        let number = row.trim_start_matches("| ").split(' ').next().expect("a number");
        let Some((lesson, question)) = number.split_once('.') else { continue };
        let start = lessons.find(&format!("\n## {lesson}. ")).unwrap_or_else(|| panic!("lesson {lesson}"));
        let text = lessons[start + 4..].split("\n## ").next().expect("a lesson");
        assert!(text.contains(&format!("\n{question}. ")), "lesson {lesson} has no question {question}");
    }
}
