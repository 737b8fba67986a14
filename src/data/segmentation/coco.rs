//! COCO's JSON: one file with polygons and run lengths of many images.
//!
//! Pixels without annotation are background. Annotations are drawn in the order of the file; later ones cover earlier
//! ones. Crowd regions (`iscrowd`) have their class and lie below the other annotations. Categories are aligned by
//! name.

mod split;
mod written;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders;
use super::found::{Found, Pair};
use super::gathered::require_no_masks;
use super::mask::MaskSource;
use super::shapes::{Area, Drawing, Shape, coding, require_no_boxes, unpack_runs, with_background};
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::list_index::{Index, Match};
use crate::data::listing::{Walk, entries, name_of, relative, stem_of, subfolders};
use crate::data::parts::{Part, part_of};
use crate::data::text::{json_problem, read_text, start_of};
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};
use written::{Id, Written, WrittenAnnotation, WrittenArea, WrittenCategory, WrittenImage, WrittenRuns};

/// COCO's JSON.
pub(crate) struct Coco;

impl Format for Coco {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "COCO JSON"
    }

    fn looks_for(&self) -> &'static str {
        "a `.json` of images, annotations and categories: here, in `annotations/` or in the parts' folders; its name or \
         its folder says the part (`instances_train2017.json`, `valid/_annotations.coco.json`)"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let files = files(root)?;
        Ok((!files.is_empty()).then(|| Evidence::certain(files.iter().map(|(_, path)| relative(root, path)))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let (files, others): (Vec<_>, Vec<_>) = by_kind(files(root)?);
        let walk = Walk::below(root)?;
        require_no_masks(root, &walk.images, self.name())?;
        let mut read = Vec::new();
        for (part, path) in files {
            let text = read_text(&path)?;
            let written: Written = serde_json::from_str(&text).map_err(|error| unreadable(&path, &text, &error))?;
            read.push((part, path, written));
        }
        let Classes { names, ids, notes } = classes(root, &read)?;
        let mut found = Found { known: Some(coding(&names, &name_of(&read[0].1), &read[0].1)?), ..Found::default() };
        found.decisions.left_out = walk.left_out;
        found.decisions.left_out.extend(others.iter().map(|(_, path)| LeftOut::new(path, Why::OtherAnnotations)));
        found.decisions.notes = notes;
        found.decisions.split = split::words(root, &read)?.unwrap_or_default();
        let index = Index::new(root, walk.images.iter().map(PathBuf::as_path));
        let mut pairs = Vec::new();
        let mut taken: Vec<Option<String>> = vec![None; walk.images.len()];
        for ((part, path, written), ids) in read.into_iter().zip(&ids) {
            let files = Files { root, index: &index, images: &walk.images };
            found.has_val |= part == Some(Part::Val);
            let own = files.pairs(&path, written, ids, &mut taken, &mut found)?;
            found.has_val |= own.iter().any(|(said, _)| *said == Some(Part::Val));
            pairs.extend(own.into_iter().map(|(said, pair)| (said.or(part), pair)));
        }
        found.decisions.notes.extend(index.note());
        let unlisted = walk.images.iter().zip(&taken).filter(|(_, taken)| taken.is_none()).map(|(path, _)| path);
        found.decisions.left_out.extend(unlisted.map(|path| LeftOut::new(path, Why::InNoList)));
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        folders::divide(root, pairs, &mut found)?;
        Ok(found)
    }
}

/// The fault of a file that is not as expected. Panoptic files and captions have other annotations.
fn unreadable(path: &Path, text: &str, error: &serde_json::Error) -> DataError {
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    let problem = if has("segments_info") {
        "is of COCO's panoptic form, whose segments are in PNG files; convert it to polygons or run lengths (panopticapi \
         has a converter), or write masks of one class number a pixel"
            .into()
    } else if has("caption") && !has("segmentation") {
        "holds captions, no polygons; give COCO's instances file".into()
    } else {
        format!("is not as COCO's JSON: {}; export it again, or correct that line", json_problem(text, error))
    };
    DataError::malformed(path, problem)
}

/// Stems of COCO's files that are about other tasks. `instances_*.json` has the objects.
const OTHER_KINDS: [&str; 5] = ["captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_"];

/// Files of objects, and files of other tasks beside them. Without `instances_*.json` all files count.
fn by_kind(files: Vec<(Option<Part>, PathBuf)>) -> (Vec<(Option<Part>, PathBuf)>, Vec<(Option<Part>, PathBuf)>) {
    let starts = |path: &Path, front: &str| stem_of(path).to_lowercase().starts_with(front);
    let has_instances = files.iter().any(|(_, path)| starts(path, "instances_"));
    files.into_iter().partition(|(_, path)| !has_instances || !OTHER_KINDS.iter().any(|kind| starts(path, kind)))
}

/// Annotation files, and the part in their names or folders.
fn files(root: &Path) -> Result<Vec<(Option<Part>, PathBuf)>, DataError> {
    let mut folders = vec![root.to_path_buf()];
    folders.extend(subfolders(root)?);
    let mut found = Vec::new();
    for folder in folders {
        for path in entries(&folder)? {
            let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
            if is_json && path.is_file() && looks_like_coco(&path) {
                let folder = name_of(&folder).to_lowercase();
                found.push((part_in(&stem_of(&path)).or_else(|| part_of(&folder)), path));
            }
        }
    }
    // A lone file is that of the whole set, even if its name has the word of a part.
    if let [(part, _)] = found.as_mut_slice() {
        *part = None;
    }
    Ok(found)
}

/// Whether the start of a JSON file has COCO's keys.
fn looks_like_coco(path: &Path) -> bool {
    const LOOKED_AT: u64 = 1 << 16;
    let Some(start) = start_of(path, LOOKED_AT) else { return false };
    let has = |key: &str| start.contains(&format!("\"{key}\""));
    (has("images") || has("annotations"))
        && !has("shapes")
        && (has("file_name") || has("categories") || has("image_id"))
}

/// The part in a file's name, which may have a year: `instances_train2017`.
fn part_in(stem: &str) -> Option<Part> {
    let lower = stem.to_lowercase();
    let words = lower.split(['_', '-', '.', ' ']).map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()));
    words.into_iter().find_map(part_of)
}

type Read = (Option<Part>, PathBuf, Written);

/// The classes of all files.
struct Classes {
    names: Vec<String>,
    /// For each file the train id of each category.
    ids: Vec<HashMap<Id, u8>>,
    notes: Vec<String>,
}

/// Names of the classes, and the train id of each category. Categories of one name are one class. A category without
/// annotations, such as the root of a tree of categories, is not a class.
fn classes(root: &Path, read: &[Read]) -> Result<Classes, DataError> {
    let mut notes = Vec::new();
    let mut used: BTreeMap<(&Id, &str), &Path> = BTreeMap::new();
    for (_, path, written) in read {
        let mut own: HashMap<&Id, &str> = HashMap::new();
        for WrittenCategory { id, name } in &written.categories {
            if let Some(other) = own.insert(id, name).filter(|other| *other != name.as_str()) {
                let problem = format!("category {id} is '{other}' and '{name}'; give each category an id");
                return Err(DataError::malformed(path, problem));
            }
        }
        for one in &written.annotations {
            if let Some(name) = own.get(&one.category_id) {
                used.entry((&one.category_id, name)).or_insert(path);
            }
        }
    }
    let unlisted = read
        .iter()
        .filter(|_| used.is_empty())
        .find_map(|(_, path, written)| Some((path, written.annotations.first()?)));
    if let Some((path, first)) = unlisted {
        let problem =
            format!("no annotation has a listed category: the first has {}; add it to categories", first.category_id);
        return Err(DataError::malformed(path, problem));
    }
    let mut ids_of: BTreeMap<&str, &Id> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    for (id, name) in used.keys() {
        match ids_of.get(name) {
            Some(first) => notes.push(format!("category {id} has the name '{name}' of category {first}: one class")),
            None => names.push((*name).to_string()),
        }
        ids_of.entry(name).or_insert(id);
    }
    let shared = used.iter().zip(used.iter().skip(1)).find(|(((a, _), _), ((b, _), _))| a == b);
    if let Some((((id, first), at), ((_, second), other))) = shared {
        let [at, other] = [at, other].map(|path| relative(root, path));
        let note = format!("category {id} is '{first}' in {at} and '{second}' in {other}: names decide");
        notes.push(note);
    }
    let names = with_background(names);
    let place = |name: &String| names.iter().position(|known| known == name).unwrap_or(0) as u8;
    let ids_in = |(_, _, written): &Read| -> HashMap<Id, u8> {
        written.categories.iter().map(|one| (one.id.clone(), place(&one.name))).collect()
    };
    let ids = read.iter().map(ids_in).collect();
    Ok(Classes { names, ids, notes })
}

struct Files<'a> {
    root: &'a Path,
    index: &'a Index,
    images: &'a [PathBuf],
}

impl Files<'_> {
    /// The images of a file with their drawings, and their parts by the field `split`. `taken` gets the entry that names each image.
    fn pairs(
        &self,
        path: &Path,
        written: Written,
        ids: &HashMap<Id, u8>,
        taken: &mut [Option<String>],
        found: &mut Found,
    ) -> Result<Vec<(Option<Part>, Pair)>, DataError> {
        let Written { images, annotations, .. } = written;
        let mut of_image = self.annotations(path, annotations, &mut found.decisions.notes)?;
        let mut entries: HashMap<Id, usize> = HashMap::new();
        images.iter().for_each(|image| *entries.entry(image.id.clone()).or_default() += 1);
        let mut pairs = Vec::new();
        for WrittenImage { id, file_name, width, height, split } in images {
            let name = format!("{}, image {id} ({file_name})", path.display());
            let mut fault_of = |problem| found.faults.push(BadImage { image: name.clone(), problem });
            let at = match self.find(path, &file_name) {
                Ok(at) => at,
                Err(problem) => {
                    fault_of(problem);
                    continue;
                }
            };
            let mut fault = |text| fault_of(ImageProblem::Annotation(text));
            if let Some(other) = taken[at].replace(format!("image {id} of {}", relative(self.root, path))) {
                fault(format!("{other} is the same file; keep one of the two entries"));
                continue;
            }
            if entries.get(&id).is_some_and(|count| *count > 1) {
                fault(format!(
                    "several images have the id {id}, so its annotations may belong to any; give each an id"
                ));
                continue;
            }
            let shapes: Result<Vec<_>, String> = of_image
                .remove(&id)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|one| shape(one, ids, (width, height)))
                .collect();
            match shapes {
                Ok(shapes) => {
                    let drawing = Drawing { name, size: Some((width, height)), shapes };
                    let pair = Pair::new(self.images[at].clone(), MaskSource::Drawn(Arc::new(drawing)));
                    pairs.push((split::part(split.as_ref()), pair));
                }
                Err(problem) => fault(problem),
            }
        }
        of_image.retain(|id, _| !entries.contains_key(id));
        let is_annotated =
            |(_, pair): &(_, Pair)| matches!(&pair.mask, MaskSource::Drawn(drawing) if !drawing.shapes.is_empty());
        if let Some(id) = of_image.keys().min().filter(|_| !pairs.is_empty() && !pairs.iter().any(is_annotated)) {
            let problem =
                format!("no annotation belongs to a listed image: there is none with the id {id}; correct image_id");
            return Err(DataError::malformed(path, problem));
        }
        found.decisions.notes.extend(self.unlisted(path, &of_image));
        Ok(pairs)
    }

    /// A note on annotations of images that the file does not list.
    fn unlisted(&self, path: &Path, of_image: &HashMap<Id, Vec<WrittenAnnotation>>) -> Option<String> {
        let id = of_image.keys().min()?;
        let count: usize = of_image.values().map(Vec::len).sum();
        Some(format!(
            "{}: {count} annotations belong to images that are not listed, such as image {id}; they are left out",
            relative(self.root, path)
        ))
    }

    /// The annotations of each image, crowd regions first.
    ///
    /// # Errors
    /// Where some are boxes.
    fn annotations(
        &self,
        path: &Path,
        annotations: Vec<WrittenAnnotation>,
        notes: &mut Vec<String>,
    ) -> Result<HashMap<Id, Vec<WrittenAnnotation>>, DataError> {
        let boxes = annotations.iter().filter(|one| !one.has_area()).count();
        require_no_boxes(path, "annotations", (boxes, annotations.len()), "export all objects as polygons or masks")?;
        let file = relative(self.root, path);
        let crowds = annotations.iter().filter(|one| one.has_area() && one.is_crowd()).count();
        if crowds > 0 {
            notes.push(format!("{file}: {crowds} crowd regions (iscrowd) have their class and lie below the objects"));
        }
        let mut of_image: HashMap<Id, Vec<WrittenAnnotation>> = HashMap::new();
        for one in annotations {
            of_image.entry(one.image_id.clone()).or_default().push(one);
        }
        of_image.values_mut().for_each(|list| list.sort_by_key(|one| !one.is_crowd()));
        Ok(of_image)
    }

    /// The index of the image file that an entry names, beside the annotations if possible.
    fn find(&self, path: &Path, file_name: &str) -> Result<usize, ImageProblem> {
        let beside = path.parent().map(|folder| relative(self.root, &folder.join(file_name)));
        let found = match beside.map(|name| self.index.find(&name)) {
            Some(Match::One(at)) => Match::One(at),
            _ => match self.index.find(file_name) {
                Match::Several(..) => self.by_part(path, file_name),
                Match::None => self.index.find_of_other_machine(file_name),
                found @ Match::One(_) => found,
            },
        };
        match found {
            Match::One(at) => Ok(at),
            Match::None => {
                let remedy = "add the file, or correct file_name";
                Err(ImageProblem::Absent { name: file_name.to_owned(), remedy })
            }
            Match::Several(a, b) => {
                let [a, b] = [a, b].map(|at| relative(self.root, &self.images[at]));
                Err(ImageProblem::Annotation(format!("{file_name} may be {a} or {b}; write its folder into file_name")))
            }
        }
    }

    /// The image in the part of the annotation file, if images of several parts have this name.
    fn by_part(&self, path: &Path, file_name: &str) -> Match {
        let stem = stem_of(path).to_lowercase();
        let words = stem.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty());
        let tries = words.flat_map(|word| [format!("{word}/{file_name}"), format!("images/{word}/{file_name}")]);
        let one = tries.map(|name| self.index.find(&name)).find(|found| matches!(found, Match::One(_)));
        one.unwrap_or_else(|| self.index.find(file_name))
    }
}

/// The shape of an annotation; `None` if it has no area.
fn shape(one: WrittenAnnotation, ids: &HashMap<Id, u8>, (width, height): (u32, u32)) -> Option<Result<Shape, String>> {
    if !one.has_area() {
        return None;
    }
    let Some(&id) = ids.get(&one.category_id) else {
        let problem = format!(
            "an annotation has category {0}, which is not listed; add category {0} to categories, or correct category_id",
            one.category_id
        );
        return Some(Err(problem));
    };
    let area = match one.segmentation? {
        WrittenArea::Polygons(polygons) => {
            let corners = |flat: &Vec<f64>| flat.as_chunks::<2>().0.to_vec();
            if polygons.iter().any(|flat| flat.len() < 6 || flat.len() % 2 == 1) {
                return Some(Err(
                    "a polygon has fewer than three corners or an odd number of coordinates; remove or correct it"
                        .into(),
                ));
            }
            Area::Polygons(polygons.iter().map(corners).collect())
        }
        WrittenArea::Runs { size, .. } if size != [height, width] => {
            let problem = format!(
                "run lengths of {}x{} on an image of {width}x{height}; size is [height, width] and must be that of the image",
                size[1], size[0]
            );
            return Some(Err(problem));
        }
        WrittenArea::Runs { counts: WrittenRuns::Plain(runs), .. } => Area::Runs(runs),
        WrittenArea::Runs { counts: WrittenRuns::Packed(packed), .. } => match unpack_runs(&packed) {
            Ok(runs) => Area::Runs(runs),
            Err(problem) => return Some(Err(format!("{problem}; export the file again"))),
        },
    };
    Some(Ok(Shape { id, area }))
}
