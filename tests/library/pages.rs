//! The pages of `docs/contributing/` are correct: each block of code is in the file that the block names, where the
//! compiler and other tests check it. Each path in a page exists.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Pages, with CONTRIBUTING.md first.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/contributing")).expect("a folder of pages");
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.sort();
    pages.insert(0, root().join("CONTRIBUTING.md"));
    pages
}

/// A fenced block whose first line names a language and a file: ```` ```rust src/x.rs ````.
struct Block {
    file: String,
    lines: Vec<String>,
}

/// All blocks of a page, in order. Blocks without a file are not compared.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = vec![];
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(about) = line.strip_prefix("```") else { continue };
        let body: Vec<String> = lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
        if let Some((_, file)) = about.split_once(' ') {
            blocks.push(Block { file: file.to_owned(), lines: body });
        }
    }
    blocks
}

/// Lines without their indentation and without empty ones.
fn bare<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines.map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// The first part of a block that is missing in its file. A line `…` stands for any lines.
fn missing(block: &Block, source: &str) -> Option<String> {
    let source = bare(source.lines());
    let stretches = block.lines.split(|line| line.trim() == "…").map(|part| bare(part.iter().map(String::as_str)));
    let mut found = stretches.filter(|part| !part.is_empty());
    found.find(|part| !source.windows(part.len()).any(|window| window == part.as_slice())).map(|part| part.join("\n"))
}

#[test]
fn blocks_of_code_are_in_the_files_that_they_name() {
    let mut compared = 0;
    for page in pages() {
        for block in blocks(&text(&page)) {
            let missing = missing(&block, &text(&root().join(&block.file)));
            assert_eq!(missing, None, "{}: {} has other lines", page.display(), block.file);
            compared += 1;
        }
    }
    assert!(compared >= 8, "only {compared} blocks of code name a file");
}

#[test]
fn paths_of_the_pages_exist() {
    // A path in backticks: it begins with a folder of the repository, and has no placeholder.
    let folders = ["src/", "shaders/", "tests/", "benches/", "docs/", "examples/", "scripts/", ".ci/"];
    for page in pages() {
        let page_text = text(&page);
        for word in page_text.split('`').skip(1).step_by(2) {
            let placeholder = word.contains(|c: char| c.is_uppercase() || "*…{<".contains(c) || c.is_whitespace());
            if folders.iter().any(|folder| word.starts_with(folder)) && !placeholder {
                assert!(root().join(word).exists(), "{}: there is no {word}", page.display());
            }
        }
    }
}

#[test]
fn a_changed_line_is_found() {
    let block = Block { file: String::new(), lines: ["fn a() {", "…", "    b();", "}"].map(str::to_owned).into() };
    assert_eq!(missing(&block, "mod x {\n    fn a() {\n        c();\n        b();\n    }\n}\n"), None);
    assert_eq!(missing(&block, "fn a() {\n    c();\n}\n").as_deref(), Some("b();\n}"));
}
