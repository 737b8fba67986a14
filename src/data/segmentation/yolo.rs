//! YOLO's polygons: one text file per image, one line per object, coordinates in shares of the picture.
//!
//! Pixels without polygon are background. An image without text file is background alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::pairing;
use super::shapes::{Area, BACKGROUND, Drawing, Shape, coding};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{Walk, entries, is_image, name_of, relative, stem_of, subfolders};
use crate::data::parts::Part;
use crate::data::text::read_text;
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

/// YOLO's polygons.
pub(crate) struct YoloSeg;

impl Format for YoloSeg {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "YOLO polygons"
    }

    fn looks_for(&self) -> &'static str {
        "`images/` and `labels/` (with parts in them or around them), where `labels/` holds a `.txt` for each image; \
         `data.yaml` names the classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let labels = labels(root)?;
        let Some(first) = labels.values().next() else { return Ok(None) };
        let yaml = yaml(root)?.map(|path| name_of(&path));
        Ok(Some(Evidence::certain(yaml.into_iter().chain([relative(root, first)]))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let mut labels = labels(root)?;
        let mut found = Found::default();
        let walk = Walk::below(root)?;
        found.decisions.left_out = walk.left_out;
        let (mut pairs, mut highest, mut boxes, mut objects) = (Vec::new(), 0, None, 0);
        let mut unlabeled = Vec::new();
        for image in walk.images {
            let reading = pairing::read(image.strip_prefix(root).unwrap_or(&image));
            let key = (reading.part, stem_of(&image));
            let mut drawing = Drawing { name: format!("labels of {}", image.display()), ..Drawing::default() };
            if !labels.contains_key(&key) {
                unlabeled.push(relative(root, &image));
            }
            if let Some(path) = labels.remove(&key) {
                drawing.name = path.display().to_string();
                match read(&path)? {
                    Ok(Labels { shapes, boxes: own }) => {
                        highest = shapes.iter().map(|shape| shape.id).max().unwrap_or(0).max(highest);
                        objects += shapes.len();
                        drawing.shapes = shapes;
                        boxes = boxes.or((own > 0).then(|| path.clone()));
                    }
                    Err((line, problem)) => {
                        let image = format!("{}, line {line}", path.display());
                        found.faults.push(BadImage { image, problem: ImageProblem::Listed(problem) });
                        continue;
                    }
                }
            }
            found.has_val |= reading.part == Some(Part::Val);
            pairs.push((reading.part, Pair::new(image, MaskSource::Drawn(Arc::new(drawing)))));
        }
        for path in labels.into_values() {
            let image = path.display().to_string();
            found.faults.push(BadImage { image, problem: ImageProblem::NoImage });
        }
        if let Some(path) = boxes {
            let problem = match objects {
                0 => "holds boxes (a class and 4 numbers a line), no polygons: a box is not a mask; export polygons",
                _ => "holds boxes among polygons; export all objects as polygons",
            };
            return Err(DataError::malformed(&path, problem));
        }
        if let Some(first) = unlabeled.first() {
            let count = unlabeled.len();
            let note = format!("{count} images have no text file, such as {first}: they are background alone");
            found.decisions.notes.push(note);
        }
        let (names, file) = match yaml(root)? {
            Some(path) => (names(&path)?, path),
            None => ((0..highest).map(|class| format!("class {class}")).collect(), root.to_path_buf()),
        };
        if names.len() < usize::from(highest) {
            let problem = format!("names {} classes, but labels have class {}", names.len(), highest - 1);
            return Err(DataError::malformed(&file, problem));
        }
        let names: Vec<String> = std::iter::once(BACKGROUND.to_string()).chain(names).collect();
        found.known = Some(coding(&names, &name_of(&file), &file)?);
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        folders::divide(root, pairs, &mut found)?;
        Ok(found)
    }
}

type Key = (Option<Part>, String);

/// The text files in folders `labels`, by part and name.
fn labels(root: &Path) -> Result<BTreeMap<Key, PathBuf>, DataError> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if depth < 4 {
            folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
        }
        let inside = relative(root, &folder).to_lowercase();
        if !inside.split('/').any(|part| part == "labels") {
            continue;
        }
        let entries = entries(&folder)?;
        // A folder of masks may have a text file about them.
        if entries.iter().any(|path| is_image(path)) {
            continue;
        }
        for path in entries {
            if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")) && path.is_file() {
                let part = pairing::read(path.strip_prefix(root).unwrap_or(&path)).part;
                found.insert((part, stem_of(&path)), path);
            }
        }
    }
    Ok(found)
}

struct Labels {
    shapes: Vec<Shape>,
    /// Lines that are boxes.
    boxes: usize,
}

/// The objects of a file. The inner error is a line number (from 1) and its fault.
fn read(path: &Path) -> Result<Result<Labels, (usize, String)>, DataError> {
    let text = read_text(path)?;
    let mut labels = Labels { shapes: Vec::new(), boxes: 0 };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let class = words.next().and_then(|word| word.parse::<f64>().ok());
        let numbers: Option<Vec<f64>> = words.map(|word| word.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        let (Some(class), Some(numbers)) = (class, numbers) else {
            return Ok(Err((number + 1, format!("'{line}' is not a class and coordinates"))));
        };
        if numbers.len() == 4 {
            labels.boxes += 1;
            continue;
        }
        if numbers.len() < 6 || numbers.len() % 2 == 1 || !(0.0..254.0).contains(&class) || class.fract() != 0.0 {
            let problem = format!("{} coordinates of class {class}; expected 3 corners or more", numbers.len());
            return Ok(Err((number + 1, problem)));
        }
        if numbers.iter().any(|v| !(-0.01..=1.01).contains(v)) {
            return Ok(Err((number + 1, "coordinates beyond 0 to 1; expected shares of the picture".into())));
        }
        let corners = numbers.as_chunks::<2>().0.to_vec();
        labels.shapes.push(Shape { id: class as u8 + 1, area: Area::Polygons(vec![corners]) });
    }
    Ok(Ok(labels))
}

/// The file with the class names.
fn yaml(root: &Path) -> Result<Option<PathBuf>, DataError> {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let files: Vec<PathBuf> = entries(root)?.into_iter().filter(is_yaml).collect();
    let named = files.iter().find(|path| stem_of(path) == "data").cloned();
    Ok(named.or_else(|| files.into_iter().next()))
}

/// The entry `names` of a data file: a list or numbered names, in one or several lines.
fn names(path: &Path) -> Result<Vec<String>, DataError> {
    let text = read_text(path)?;
    let lines: Vec<&str> = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim_end()).collect();
    let wrong = || DataError::malformed(path, "has no readable entry 'names'; expected a list of class names");
    let at = lines.iter().position(|line| line.starts_with("names:")).ok_or_else(wrong)?;
    let mut inline = lines[at]["names:".len()..].trim().to_string();
    let rest = lines[at + 1..].iter().take_while(|line| line.is_empty() || line.starts_with([' ', '-']));
    let entries: Vec<String> = if inline.starts_with(['[', '{']) {
        let close = if inline.starts_with('[') { ']' } else { '}' };
        rest.take_while(|_| true).for_each(|line| inline.push_str(line.trim()));
        let inside = inline[1..].split(close).next().unwrap_or_default();
        inside.split(',').map(|entry| entry.trim().to_string()).filter(|entry| !entry.is_empty()).collect()
    } else {
        rest.map(|line| line.trim().trim_start_matches("- ").to_string()).filter(|line| !line.is_empty()).collect()
    };
    let unquoted = |name: &str| name.trim().trim_matches(['"', '\'']).to_string();
    let numbered: Vec<Option<(usize, String)>> = entries
        .iter()
        .map(|entry| entry.split_once(':').and_then(|(n, name)| Some((n.trim().parse().ok()?, unquoted(name)))))
        .collect();
    if entries.is_empty() {
        return Err(wrong());
    }
    if numbered.iter().all(Option::is_some) {
        let mut numbered: Vec<(usize, String)> = numbered.into_iter().flatten().collect();
        numbered.sort();
        if numbered.iter().enumerate().any(|(k, (number, _))| k != *number) {
            return Err(DataError::malformed(path, "numbers its names with gaps; expected 0, 1, 2 and so on"));
        }
        return Ok(numbered.into_iter().map(|(_, name)| name).collect());
    }
    Ok(entries.iter().map(|entry| unquoted(entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_read_in_each_notation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.yaml");
        for text in [
            "train: images/train\nnames:\n  0: cat\n  1: 'big dog'\nnc: 2\n",
            "names:\n- cat\n- big dog\nnc: 2\n",
            "nc: 2\nnames: ['cat', \"big dog\"]  # two\n",
            "names: [cat,\n  big dog]\n",
            "names: {1: big dog, 0: cat}\r\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(names(&path).unwrap(), ["cat", "big dog"], "{text}");
        }
        std::fs::write(&path, "names:\n  0: cat\n  2: dog\n").unwrap();
        assert!(names(&path).unwrap_err().to_string().contains("gaps"));
        std::fs::write(&path, "nc: 2\n").unwrap();
        assert!(names(&path).unwrap_err().to_string().contains("'names'"));
    }
}
