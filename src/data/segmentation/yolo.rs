//! YOLO's polygons: one text file per image, one line per object, coordinates in shares of the picture.
//!
//! Pixels without polygon are background. An image without text file is background alone.

mod data_file;
mod division;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders;
use super::found::{Found, Pair};
use super::gathered::require_no_masks;
use super::mask::MaskSource;
use super::shapes::{Area, BACKGROUND, Drawing, Shape, coding};
use super::strangers;
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{Walk, entries, is_image, name_of, relative, stem_of, subfolders};
use crate::data::names::shortened;
use crate::data::parts::Part;
use crate::data::reading::{self, Role};
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
         `data.yaml` names the classes and the parts, `classes.txt` or `obj.names` the classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let TextFiles { labels, .. } = TextFiles::below(root)?;
        let Some(first) = labels.first() else { return Ok(None) };
        let yaml = data_file::yaml_files(root)?.first().map(|path| name_of(path));
        Ok(Some(Evidence::certain(yaml.into_iter().chain([relative(root, &first.path)]))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let TextFiles { labels, class_lists } = TextFiles::below(root)?;
        let file = data_file::find(root)?;
        let mut found = Found::default();
        let walk = Walk::below(root)?;
        require_no_masks(root, &walk.images, self.name())?;
        found.decisions.left_out = walk.left_out;
        let division = file.as_ref().map(|file| division::of(root, file, &walk.images)).transpose()?.flatten();
        let Objects { pairs, highest, .. } = Objects::read(root, walk.images, &labels, &mut found)?;
        let (names, source) = names(file.as_ref(), &class_lists)?
            .unwrap_or_else(|| ((0..highest).map(|class| format!("class {class}")).collect(), root.to_path_buf()));
        if names.len() < usize::from(highest) {
            let problem = format!(
                "names {} classes, but labels have class {}; add its name, or correct the labels",
                names.len(),
                highest - 1
            );
            return Err(DataError::malformed(&source, problem));
        }
        let (names, pairs) = in_one_class_each(names, pairs, &mut found);
        found.known = Some(coding(&names, &name_of(&source), &source)?);
        divide(root, pairs, division, file.as_ref().map(|file| file.path.as_path()), &mut found)?;
        Ok(found)
    }
}

/// The objects of all images.
#[derive(Default)]
struct Objects {
    /// The images with their drawings, each with its number.
    pairs: Vec<(usize, Pair)>,
    /// Number of classes up to the last one that an object has.
    highest: u8,
    /// Number of polygons.
    polygons: usize,
    /// The first file with boxes.
    boxes: Option<PathBuf>,
}

impl Objects {
    /// Reads the labels of images. `found` gets faults, notes, and what is left out.
    ///
    /// # Errors
    /// Where a file cannot be read, or holds boxes.
    fn read(root: &Path, images: Vec<PathBuf>, labels: &[LabelFile], found: &mut Found) -> Result<Self, DataError> {
        let (mut objects, mut unlabeled) = (Self::default(), Vec::new());
        let of_image = labels_of(root, &images, labels);
        let first = images.first().map(|image| relative(root, image));
        let mut is_used = vec![false; labels.len()];
        of_image.iter().flatten().for_each(|&label| is_used[label] = true);
        for (number, (image, label)) in images.into_iter().zip(of_image).enumerate() {
            let drawing = match label {
                None if reading(root, &image).role == Some(Role::Mask) => {
                    found.decisions.left_out.push(LeftOut::new(&image, Why::Mask));
                    continue;
                }
                None => {
                    unlabeled.push(relative(root, &image));
                    Drawing { name: format!("labels of {}", image.display()), ..Drawing::default() }
                }
                Some(label) => match objects.drawing(&labels[label].path)? {
                    Ok(drawing) => drawing,
                    Err(fault) => {
                        found.faults.push(fault);
                        continue;
                    }
                },
            };
            objects.pairs.push((number, Pair::new(image, MaskSource::Drawn(Arc::new(drawing)))));
        }
        if let (false, Some(label), Some(image)) = (is_used.contains(&true), labels.first(), &first) {
            let (count, label) = (labels.len(), format!("the image of {}", relative(root, &label.path)));
            return Err(DataError::malformed(root, strangers::unknown("YOLO polygons", count, &label, image)));
        }
        for (label, _) in labels.iter().zip(&is_used).filter(|(_, is_used)| !**is_used) {
            let image = label.path.display().to_string();
            found.faults.push(BadImage { image, problem: ImageProblem::NoImage });
        }
        objects.require_polygons()?;
        if let Some(first) = unlabeled.first() {
            let count = unlabeled.len();
            let note = format!("{count} images have no text file, such as {first}: they are background alone");
            found.decisions.notes.push(note);
        }
        Ok(objects)
    }

    /// The drawing of a label file, whose objects are counted. The inner error is a fault of the file.
    fn drawing(&mut self, path: &Path) -> Result<Result<Drawing, BadImage>, DataError> {
        Ok(match read(path)? {
            Ok(Labels { shapes, boxes }) => {
                self.highest = shapes.iter().map(|shape| shape.id).max().unwrap_or(0).max(self.highest);
                self.polygons += shapes.len();
                if boxes > 0 {
                    self.boxes.get_or_insert_with(|| path.to_path_buf());
                }
                Ok(Drawing { name: path.display().to_string(), shapes, ..Drawing::default() })
            }
            Err((line, problem)) => {
                let image = format!("{}, line {line}", path.display());
                Err(BadImage { image, problem: ImageProblem::Annotation(problem) })
            }
        })
    }

    /// Refuses boxes.
    fn require_polygons(&self) -> Result<(), DataError> {
        let Some(path) = &self.boxes else { return Ok(()) };
        let problem = match self.polygons {
            0 => "holds boxes (a class and 4 numbers a line), no polygons: a box is not a mask; export polygons",
            _ => "holds boxes among polygons; export all objects as polygons",
        };
        Err(DataError::malformed(path, problem))
    }
}

/// The background and the names, each once, and the pairs with the numbers of these classes. Objects of a class with
/// the name of the background become background.
fn in_one_class_each(
    names: Vec<String>,
    mut pairs: Vec<(usize, Pair)>,
    found: &mut Found,
) -> (Vec<String>, Vec<(usize, Pair)>) {
    let mut unique = vec![BACKGROUND.to_string()];
    let mut ids: Vec<u8> = vec![0];
    for name in names {
        let known = unique.iter().position(|one| *one == name || one == BACKGROUND && name.eq_ignore_ascii_case(one));
        if known.is_some() {
            found
                .decisions
                .notes
                .push(format!("the name '{}' stands twice, or is that of the background: one class", shortened(&name)));
        }
        ids.push(known.unwrap_or(unique.len()) as u8);
        if known.is_none() {
            unique.push(name);
        }
    }
    if unique.len() < ids.len() {
        for (_, pair) in &mut pairs {
            if let MaskSource::Drawn(drawing) = &mut pair.mask {
                let place = |shape: &mut Shape| shape.id = ids.get(usize::from(shape.id)).copied().unwrap_or(shape.id);
                Arc::make_mut(drawing).shapes.iter_mut().for_each(place);
            }
        }
    }
    (unique, pairs)
}

fn reading(root: &Path, path: &Path) -> reading::Reading {
    reading::read(path.strip_prefix(root).unwrap_or(path))
}

/// Divides the pairs, each with the number of its image: by the data file if that has parts, else by lists or folders.
fn divide(
    root: &Path,
    pairs: Vec<(usize, Pair)>,
    division: Option<division::Division>,
    file: Option<&Path>,
    found: &mut Found,
) -> Result<(), DataError> {
    let by_folder = |pair: &Pair| reading(root, &pair.image).part;
    let (Some(division), Some(file)) = (division, file) else {
        found.has_val = pairs.iter().any(|(_, pair)| by_folder(pair) == Some(Part::Val));
        let mut pairs: Vec<_> = pairs.into_iter().map(|(_, pair)| (by_folder(&pair), pair)).collect();
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        return folders::divide(root, pairs, found);
    };
    let name = name_of(file);
    found.decisions.notes.extend(division.notes);
    for (number, pair) in pairs {
        let part = division.parts[number];
        let folder = by_folder(&pair);
        let contradicts = !division.is_whole && part.is_some() && folder.is_some() && part != folder;
        if contradicts && !found.decisions.notes.iter().any(|note| note.contains("otherwise than its folders")) {
            let image = relative(root, &pair.image);
            let note = format!("{name} divides the set otherwise than its folders, such as {image}; {name} counts");
            found.decisions.notes.push(note);
        }
        match part {
            Some(Part::Train) => found.train.push(pair),
            Some(Part::Val) => found.val.push(pair),
            Some(Part::Test) => found.test.push(pair),
            None => found.decisions.left_out.push(LeftOut::new(&pair.image, Why::InNoList)),
        }
    }
    found.has_val = !found.val.is_empty();
    if !division.is_whole && found.has_val {
        found.decisions.split = match division.lists.is_empty() {
            true => format!("by {name}"),
            false => format!("by {name} and its lists {}", division.lists.join(", ")),
        };
    }
    found.decisions.lists = division.lists;
    Ok(())
}

/// A text file of labels.
struct LabelFile {
    path: PathBuf,
    /// Its path without `labels/` and extension.
    exact: String,
    /// Its part and its name without extension.
    loose: (Option<Part>, String),
}

/// The path of an image or a label file without the folders `images` and `labels` and without extension.
fn exact_key(root: &Path, path: &Path) -> String {
    let inside = relative(root, &path.with_extension(""));
    let is_kind = |part: &&str| ["images", "labels"].iter().any(|kind| part.eq_ignore_ascii_case(kind));
    inside.split('/').filter(|part| !is_kind(part)).collect::<Vec<_>>().join("/")
}

/// The label file of each image: at the same path with `labels` for `images`, else the only one of its part and name.
fn labels_of(root: &Path, images: &[PathBuf], labels: &[LabelFile]) -> Vec<Option<usize>> {
    let exact: HashMap<&str, usize> = labels.iter().enumerate().map(|(at, label)| (label.exact.as_str(), at)).collect();
    let mut found: Vec<Option<usize>> =
        images.iter().map(|image| exact.get(exact_key(root, image).as_str()).copied()).collect();
    let mut loose: BTreeMap<&(Option<Part>, String), Vec<usize>> = BTreeMap::new();
    labels.iter().enumerate().for_each(|(at, label)| loose.entry(&label.loose).or_default().push(at));
    let taken: Vec<usize> = found.iter().flatten().copied().collect();
    let key = |image: &PathBuf| (reading(root, image).part, stem_of(image));
    let mut twins: HashMap<(Option<Part>, String), usize> = HashMap::new();
    images.iter().for_each(|image| *twins.entry(key(image)).or_default() += 1);
    for (slot, image) in found.iter_mut().zip(images).filter(|(slot, _)| slot.is_none()) {
        let key = key(image);
        if let (Some([only]), Some(1)) = (loose.get(&key).map(Vec::as_slice), twins.get(&key))
            && !taken.contains(only)
        {
            *slot = Some(*only);
        }
    }
    found
}

/// The text files of a set.
#[derive(Default)]
struct TextFiles {
    /// Those in folders `labels`.
    labels: Vec<LabelFile>,
    /// Lists of class names: `classes.txt` in the root or beside labels, and Darknet's `obj.names`.
    class_lists: Vec<PathBuf>,
}

impl TextFiles {
    fn below(root: &Path) -> Result<Self, DataError> {
        let mut found = Self::default();
        let mut folders = vec![(root.to_path_buf(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if depth < 4 {
                folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
            }
            let inside = relative(root, &folder).to_lowercase();
            let is_labels = inside.split('/').any(|part| part == "labels");
            if !is_labels && depth > 0 {
                continue;
            }
            let entries = entries(&folder)?;
            // A folder of masks may have a text file about them.
            let has_masks = is_labels && entries.iter().any(|path| is_image(path));
            for path in entries.into_iter().filter(|path| !has_masks && path.is_file()) {
                let is_text = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"));
                if matches!(name_of(&path).as_str(), "classes.txt" | "obj.names") {
                    found.class_lists.push(path);
                } else if is_text && is_labels {
                    let loose = (reading(root, &path).part, stem_of(&path));
                    found.labels.push(LabelFile { exact: exact_key(root, &path), loose, path });
                }
            }
        }
        found.labels.sort_by(|a, b| a.path.cmp(&b.path));
        found.class_lists.sort();
        Ok(found)
    }
}

/// The class names and their file: the data file and the lists, which must agree. `None` without any.
fn names(
    file: Option<&data_file::DataFile>,
    class_lists: &[PathBuf],
) -> Result<Option<(Vec<String>, PathBuf)>, DataError> {
    let mut known = file.map(|file| (file.names.clone(), file.path.clone()));
    for path in class_lists {
        let text = read_text(path)?;
        let names: Vec<String> =
            text.lines().map(|line| line.trim().to_string()).filter(|name| !name.is_empty()).collect();
        match &known {
            _ if names.is_empty() => {}
            Some((first, from)) if *first != names => {
                let problem = format!("lists other classes than {}; remove or correct one of the two", from.display());
                return Err(DataError::malformed(path, problem));
            }
            Some(_) => {}
            None => known = Some((names, path.clone())),
        }
    }
    Ok(known)
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
            let line = shortened(line);
            return Ok(Err((number + 1, format!("'{line}' is not a class and coordinates; correct the line"))));
        };
        if numbers.len() == 4 {
            labels.boxes += 1;
            continue;
        }
        if numbers.len() > 6 && numbers.len() % 2 == 1 {
            let problem = format!(
                "has {} coordinates, an odd number; if the last one is a confidence, write the labels without it \
                 (save_conf=False)",
                numbers.len()
            );
            return Ok(Err((number + 1, problem)));
        }
        if numbers.len() < 6 || numbers.len() % 2 == 1 || !(0.0..254.0).contains(&class) || class.fract() != 0.0 {
            let problem = format!(
                "{} coordinates of class {class}; expected 3 corners or more of a class from 0 to 253",
                numbers.len()
            );
            return Ok(Err((number + 1, problem)));
        }
        if numbers.iter().any(|v| !(-0.01..=1.01).contains(v)) {
            return Ok(Err((
                number + 1,
                "coordinates beyond 0 to 1; expected shares of the picture; divide pixels by its size".into(),
            )));
        }
        let corners = numbers.as_chunks::<2>().0.to_vec();
        labels.shapes.push(Shape { id: class as u8 + 1, area: Area::Polygons(vec![corners]) });
    }
    Ok(Ok(labels))
}
