//! YOLO's polygons: one text file per image, one line per object, coordinates in shares of the picture.
//!
//! Pixels without polygon are background. An image without text file is background alone.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data_yaml::{DataYaml, below};
use super::folders;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::pairing;
use super::shapes::{Area, BACKGROUND, Drawing, Shape, coding};
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{Walk, entries, is_image, name_of, relative, stem_of, subfolders};
use crate::data::lists::{Index, Match};
use crate::data::names::shortened;
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
         `data.yaml` names the classes and may name the parts"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let labels = labels(root)?;
        let Some(first) = labels.first() else { return Ok(None) };
        let yaml = yaml(root)?.map(|path| name_of(&path));
        Ok(Some(Evidence::certain(yaml.into_iter().chain([relative(root, first)]))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let mut labels = Texts::of(labels(root)?, root);
        let mut found = Found::default();
        let walk = Walk::below(root)?;
        super::gathered::require_no_masks(root, &walk.images, self.name())?;
        found.decisions.left_out = walk.left_out;
        let (mut pairs, mut highest, mut boxes, mut objects) = (Vec::new(), 0, None, 0);
        let mut unlabeled = Vec::new();
        for image in walk.images {
            let reading = pairing::read(image.strip_prefix(root).unwrap_or(&image));
            let text = labels.take(root, &image);
            let mut drawing = Drawing { name: format!("labels of {}", image.display()), ..Drawing::default() };
            if text.is_none() {
                unlabeled.push(relative(root, &image));
            }
            if let Some(path) = text {
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
                        found.faults.push(BadImage { image, problem: ImageProblem::Annotation(problem) });
                        continue;
                    }
                }
            }
            found.has_val |= reading.part == Some(Part::Val);
            pairs.push((reading.part, Pair::new(image, MaskSource::Drawn(Arc::new(drawing)))));
        }
        for path in labels.left() {
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
        let yaml = yaml(root)?.map(|path| DataYaml::read(&path)).transpose()?;
        let (names, file) = match (&yaml, listed_names(root)?) {
            (Some(yaml), _) => (yaml.names.clone(), yaml.path.clone()),
            (None, Some(listed)) => listed,
            (None, None) => ((0..highest).map(|class| format!("class {class}")).collect(), root.to_path_buf()),
        };
        if names.len() < usize::from(highest) {
            let problem = format!("names {} classes, but labels have class {}", names.len(), highest - 1);
            return Err(DataError::malformed(&file, problem));
        }
        let names: Vec<String> = std::iter::once(BACKGROUND.to_string()).chain(names).collect();
        found.known = Some(coding(&names, &name_of(&file), &file)?);
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        if let Some(yaml) = &yaml
            && divide_by(root, yaml, &pairs, &mut found)?
        {
            return Ok(found);
        }
        folders::divide(root, pairs, &mut found)?;
        Ok(found)
    }
}

/// The text files of labels, by the names of their images.
struct Texts {
    files: Vec<PathBuf>,
    taken: Vec<bool>,
    /// By the path without `images` and `labels`: `images/a/x.jpg` and `labels/a/x.txt`.
    exact: HashMap<String, usize>,
    /// By part and name, where that is one file: `images/train2017/x.jpg` and `labels/train/x.txt`.
    loose: HashMap<(Option<Part>, String), Option<usize>>,
}

impl Texts {
    fn of(files: Vec<PathBuf>, root: &Path) -> Self {
        let exact = files.iter().enumerate().map(|(at, path)| (place(root, path), at)).collect();
        let mut loose = HashMap::new();
        for (at, path) in files.iter().enumerate() {
            loose.entry(part_and_stem(root, path)).and_modify(|known| *known = None).or_insert(Some(at));
        }
        Self { taken: vec![false; files.len()], exact, loose, files }
    }

    /// The text file of an image that no other image took.
    fn take(&mut self, root: &Path, image: &Path) -> Option<PathBuf> {
        let exact = self.exact.get(&place(root, image)).copied();
        let at = exact.or_else(|| self.loose.get(&part_and_stem(root, image)).copied().flatten())?;
        (!std::mem::replace(&mut self.taken[at], true)).then(|| self.files[at].clone())
    }

    /// The files that no image took.
    fn left(self) -> impl Iterator<Item = PathBuf> {
        self.files.into_iter().zip(self.taken).filter(|(_, taken)| !taken).map(|(path, _)| path)
    }
}

/// The path below the root without the folders `images` and `labels`, and without extension.
fn place(root: &Path, path: &Path) -> String {
    let path = relative(root, &path.with_extension(""));
    let is_kept = |part: &&str| !part.eq_ignore_ascii_case("images") && !part.eq_ignore_ascii_case("labels");
    path.split('/').filter(is_kept).collect::<Vec<_>>().join("/")
}

fn part_and_stem(root: &Path, path: &Path) -> (Option<Part>, String) {
    (pairing::read(path.strip_prefix(root).unwrap_or(path)).part, stem_of(path))
}

/// The text files of labels in folders `labels`.
fn labels(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
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
            let is_text = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")) && path.is_file();
            if is_text && !NAME_LISTS.contains(&name_of(&path).as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
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
        if numbers.len() % 2 == 1 {
            let problem = format!(
                "has {} coordinates, an odd number; a confidence at the end? write the labels without it (save_conf=False)",
                numbers.len()
            );
            return Ok(Err((number + 1, problem)));
        }
        if numbers.len() < 6 || !(0.0..254.0).contains(&class) || class.fract() != 0.0 {
            let problem = format!(
                "{} coordinates of class {class}; expected 3 corners or more of a class from 0 to 253",
                numbers.len()
            );
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

/// The file of classes and parts.
fn yaml(root: &Path) -> Result<Option<PathBuf>, DataError> {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let files: Vec<PathBuf> = entries(root)?.into_iter().filter(is_yaml).collect();
    let named = files.iter().find(|path| stem_of(path) == "data").cloned();
    Ok(named.or_else(|| files.into_iter().next()))
}

/// Lists of class names beside the labels, as Label Studio, labelImg and Darknet write them.
const NAME_LISTS: [&str; 2] = ["classes.txt", "obj.names"];

/// Names of the classes and their file, without a `data.yaml`: the lines of `classes.txt` or `obj.names`.
fn listed_names(root: &Path) -> Result<Option<(Vec<String>, PathBuf)>, DataError> {
    let folders = [root.to_path_buf(), root.join("labels")];
    let mut files = folders.iter().flat_map(|folder| NAME_LISTS.map(|name| folder.join(name)));
    let Some(path) = files.find(|path| path.is_file()) else { return Ok(None) };
    let text = read_text(&path)?;
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect();
    Ok(Some((names, path)))
}

/// Divides pairs by the entries `train`, `val` and `test` of a data file: folders, or lists of images. False where none of
/// them is here, or all are the same.
fn divide_by(
    root: &Path,
    yaml: &DataYaml,
    pairs: &[(Option<Part>, Pair)],
    found: &mut Found,
) -> Result<bool, DataError> {
    let index = Index::new(root, pairs.iter().map(|(_, pair)| pair.image.as_path()));
    let (mut parts, mut named): (Vec<(Part, BTreeSet<usize>)>, Vec<String>) = (Vec::new(), vec![name_of(&yaml.path)]);
    for (part, entries) in &yaml.parts {
        let mut own = BTreeSet::new();
        for entry in entries {
            let Some(path) = below(root, entry) else {
                found.decisions.notes.push(format!("{}: '{entry}' is not there", name_of(&yaml.path)));
                continue;
            };
            if path.is_dir() {
                own.extend(
                    pairs.iter().enumerate().filter(|(_, (_, pair))| pair.image.starts_with(&path)).map(|(at, _)| at),
                );
                continue;
            }
            named.push(relative(root, &path));
            for (number, line) in read_text(&path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                match index.find(line.trim()) {
                    Match::One(at) => drop(own.insert(at)),
                    _ => {
                        let image = format!("{}, line {}", path.display(), number + 1);
                        let problem = ImageProblem::Listed(format!("'{}' is the name of no image", shortened(line)));
                        found.faults.push(BadImage { image, problem });
                    }
                }
            }
        }
        if !own.is_empty() {
            parts.push((*part, own));
        }
    }
    match parts.as_slice() {
        [] => return Ok(false),
        [(_, first), others @ ..] if others.iter().all(|(_, other)| other == first) => {
            if !others.is_empty() {
                let note = "gives training and validation the same images, and does not divide them";
                found.decisions.notes.push(format!("{} {note}", name_of(&yaml.path)));
            }
            return Ok(false);
        }
        _ => {}
    }
    found.has_val = parts.iter().any(|(part, _)| *part == Part::Val);
    for (part, own) in &parts {
        let own = own.iter().map(|&at| pairs[at].1.clone());
        match part {
            Part::Train => found.train.extend(own),
            Part::Val => found.val.extend(own),
            Part::Test => found.test.extend(own),
        }
    }
    let is_unlisted = |at: &usize| parts.iter().all(|(_, own)| !own.contains(at));
    let unlisted = (0..pairs.len()).filter(is_unlisted).map(|at| LeftOut::new(&pairs[at].1.image, Why::InNoList));
    found.decisions.left_out.extend(unlisted);
    found.decisions.lists = named;
    Ok(true)
}
