//! COCO's JSON: one file with polygons and run lengths of many images.
//!
//! Pixels without annotation are background. Annotations are drawn in the order of the file; later ones cover earlier
//! ones. Crowd regions (`iscrowd`) are drawn as their class, with a note. Categories of the same name are one class. Where
//! files give an id different names, names decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::folders;
use super::found::{Found, Pair};
use super::gathered::{require_no_masks, twins};
use super::mask::MaskSource;
use super::shapes::{Area, Drawing, Shape, coding, unpack_runs, with_background};
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{Walk, entries, name_of, relative, stem_of, subfolders};
use crate::data::lists::{Index, Match};
use crate::data::parts::{Part, part_of};
use crate::data::text::read_text;
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

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
        let (files, others) = of_instances(files(root)?);
        let walk = Walk::below(root)?;
        require_no_masks(root, &walk.images, self.name())?;
        let mut read = Vec::new();
        for (part, path) in files {
            let text = read_text(&path)?;
            let written: Written = serde_json::from_str(&text).map_err(|error| unreadable(&path, &text, &error))?;
            read.push((part, path, written));
        }
        let (names, ids, notes) = classes(&read);
        let mut found = Found { known: Some(coding(&names, &name_of(&read[0].1), &read[0].1)?), ..Found::default() };
        found.decisions.left_out = walk.left_out;
        found.decisions.left_out.extend(others.iter().map(|path| LeftOut::new(path, Why::OtherAnnotations)));
        found.decisions.notes.extend(notes);
        found.decisions.notes.extend(twins(&names));
        let index = Index::new(root, walk.images.iter().map(PathBuf::as_path));
        let mut pairs = Vec::new();
        let mut taken = vec![false; walk.images.len()];
        for ((part, path, written), ids) in read.into_iter().zip(ids) {
            let files = Files { root, index: &index, images: &walk.images };
            let own = files.pairs(&path, written, &ids, (&mut found, &mut taken))?;
            found.has_val |= part == Some(Part::Val);
            pairs.extend(own.into_iter().map(|pair| (part, pair)));
        }
        found.decisions.notes.extend(index.note());
        let unlisted = walk.images.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(path, _)| path);
        found.decisions.left_out.extend(unlisted.map(|path| LeftOut::new(path, Why::InNoList)));
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        folders::divide(root, pairs, &mut found)?;
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Written {
    images: Vec<WrittenImage>,
    #[serde(default)]
    annotations: Vec<WrittenAnnotation>,
    #[serde(default)]
    categories: Vec<WrittenCategory>,
}

/// A number, with or without a fraction of 0, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Id {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected an id: a number or a text")]
        enum Form {
            Whole(i64),
            Real(f64),
            Text(String),
        }
        Ok(match Form::deserialize(from)? {
            Form::Whole(id) => Self::Number(id),
            Form::Real(id) if id.fract() == 0.0 => Self::Number(id as i64),
            Form::Real(id) => Self::Text(id.to_string()),
            // `"7"` in one place and 7 in another are the same id.
            Form::Text(id) => id.parse().map_or(Self::Text(id), Self::Number),
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => write!(f, "{id}"),
            Self::Text(id) => f.write_str(id),
        }
    }
}

/// A number of pixels, which some tools write as `640.0`.
fn pixels<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(from)?;
    match number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        true => Ok(number as u32),
        false => Err(D::Error::custom(format!("{number} is no number of pixels"))),
    }
}

#[derive(Deserialize)]
struct WrittenImage {
    id: Id,
    file_name: String,
    #[serde(deserialize_with = "pixels")]
    width: u32,
    #[serde(deserialize_with = "pixels")]
    height: u32,
}

#[derive(Deserialize)]
struct WrittenAnnotation {
    image_id: Id,
    category_id: Id,
    segmentation: Option<WrittenArea>,
    /// 1 for a region of many objects.
    #[serde(default)]
    iscrowd: Crowd,
}

/// A number or a truth value: 0 and false are no crowd.
#[derive(Debug, Default)]
struct Crowd(bool);

impl<'de> Deserialize<'de> for Crowd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        Ok(Self(value.as_bool().unwrap_or_else(|| value.as_f64().is_some_and(|number| number != 0.0))))
    }
}

impl WrittenAnnotation {
    /// Whether it is more than a box: some tools write an empty list of polygons for one.
    fn has_area(&self) -> bool {
        match &self.segmentation {
            None => false,
            Some(WrittenArea::Polygons(polygons)) => polygons.iter().any(|flat| !flat.is_empty()),
            Some(WrittenArea::Runs { .. }) => true,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenArea {
    Polygons(Vec<Vec<f64>>),
    Runs { counts: WrittenRuns, size: [u32; 2] },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenRuns {
    Plain(Vec<u32>),
    Packed(String),
}

#[derive(Deserialize)]
struct WrittenCategory {
    id: Id,
    name: String,
}

/// The fault of a file that is not as expected. Panoptic files have other annotations.
fn unreadable(path: &Path, text: &str, error: &serde_json::Error) -> DataError {
    let problem = match text.contains("\"segments_info\"") {
        true => "is of COCO's panoptic form, whose segments are in PNG files; convert it to polygons or run lengths \
                 (panopticapi has a converter), or write masks of one class number a pixel"
            .into(),
        false => format!("is not as COCO's JSON: {error}; export it again, or correct that line"),
    };
    DataError::malformed(path, problem)
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
    Ok(found)
}

/// Whether the start of a JSON file has COCO's keys.
fn looks_like_coco(path: &Path) -> bool {
    use std::io::Read;
    const LOOKED_AT: u64 = 1 << 16;
    let Ok((file, _)) = crate::data::text::open_regular(path) else { return false };
    let mut start = Vec::new();
    if file.take(LOOKED_AT).read_to_end(&mut start).is_err() {
        return false;
    }
    let start = String::from_utf8_lossy(&start);
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

/// The files of instances, and those that describe the same pictures in another form: COCO's captions, keypoints and stuff.
fn of_instances(files: Vec<(Option<Part>, PathBuf)>) -> (Vec<(Option<Part>, PathBuf)>, Vec<PathBuf>) {
    const OTHERS: [&str; 5] = ["captions_", "person_keypoints_", "stuff_", "image_info_", "panoptic_"];
    let starts = |path: &Path, fronts: &[&str]| fronts.iter().any(|front| stem_of(path).starts_with(front));
    if !files.iter().any(|(_, path)| starts(path, &["instances_"])) {
        return (files, Vec::new());
    }
    let (others, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, path)| starts(path, &OTHERS));
    (files, others.into_iter().map(|(_, path)| path).collect())
}

/// The train id of each category of a file.
type Ids = HashMap<Id, u8>;

/// Names of the classes over all files, the train ids of the categories of each file, and notes. A category without
/// annotations, such as the root of a tree of categories, is no class.
fn classes(read: &[Read]) -> (Vec<String>, Vec<Ids>, Vec<String>) {
    let mut notes = Vec::new();
    // By id, with the name and the file that gave it.
    let mut categories: BTreeMap<(Id, String), &Path> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (_, path, written) in read {
        let own: HashMap<&Id, &String> = written.categories.iter().map(|one| (&one.id, &one.name)).collect();
        used.extend(written.annotations.iter().filter_map(|one| own.get(&one.category_id)).map(ToString::to_string));
        for WrittenCategory { id, name } in &written.categories {
            categories.entry((id.clone(), name.clone())).or_insert(path);
        }
    }
    let listed: Vec<(&Id, &String, &Path)> = categories.iter().map(|((id, name), path)| (id, name, *path)).collect();
    let renamed = listed.windows(2).find(|pair| pair[0].0 == pair[1].0);
    if let Some([(id, a, first), (_, b, second)]) = renamed {
        let [first, second] = [first, second].map(|path| name_of(path));
        notes.push(format!("category {id} is '{a}' in {first} and '{b}' in {second}: names decide"));
    }
    let mut names: Vec<String> = Vec::new();
    for (id, name, _) in listed.iter().filter(|(_, name, _)| used.contains(*name)) {
        match names.contains(name) {
            false => names.push((*name).clone()),
            true if renamed.is_none() => {
                notes.push(format!("category {id} has the name '{name}' of another: one class"));
            }
            true => {}
        }
    }
    let names = with_background(names);
    let place = |name: &String| names.iter().position(|known| known == name).unwrap_or(0) as u8;
    let of_file = |(_, _, written): &Read| -> Ids {
        written.categories.iter().map(|one| (one.id.clone(), place(&one.name))).collect()
    };
    let ids = read.iter().map(of_file).collect();
    (names, ids, notes)
}

struct Files<'a> {
    root: &'a Path,
    index: &'a Index,
    images: &'a [PathBuf],
}

impl Files<'_> {
    /// The images of a file with their drawings, each with its index.
    fn pairs(
        &self,
        path: &Path,
        written: Written,
        ids: &Ids,
        (found, taken): (&mut Found, &mut [bool]),
    ) -> Result<Vec<Pair>, DataError> {
        let Written { images, annotations, .. } = written;
        let boxes = annotations.iter().filter(|one| !one.has_area()).count();
        if boxes > 0 && boxes == annotations.len() {
            let problem = format!(
                "has {boxes} annotations, all of them boxes without polygons: a box is not a mask; export polygons or masks"
            );
            return Err(DataError::malformed(path, problem));
        }
        if boxes > 0 {
            found
                .decisions
                .notes
                .push(format!("{}: {boxes} boxes without polygons are left out", relative(self.root, path)));
        }
        let crowds = annotations.iter().filter(|one| one.iscrowd.0 && one.has_area()).count();
        if crowds > 0 {
            let file = relative(self.root, path);
            found.decisions.notes.push(format!("{file}: {crowds} crowd regions are drawn as their class"));
        }
        let mut of_image: HashMap<Id, Vec<WrittenAnnotation>> = HashMap::new();
        for one in annotations {
            of_image.entry(one.image_id.clone()).or_default().push(one);
        }
        let mut pairs = Vec::new();
        for WrittenImage { id, file_name, width, height } in images {
            let name = format!("{}, image {id} ({file_name})", path.display());
            let mut fault = |problem| found.faults.push(BadImage { image: name.clone(), problem });
            let at = match self.find(path, &file_name) {
                Ok(at) => at,
                Err(problem) => {
                    fault(ImageProblem::Listed(problem));
                    continue;
                }
            };
            taken[at] = true;
            let shapes: Result<Vec<_>, String> = of_image
                .remove(&id)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|one| shape(one, ids, (width, height)))
                .collect();
            match shapes {
                Ok(shapes) => {
                    let drawing = Drawing { name, size: Some((width, height)), shapes };
                    pairs.push(Pair::new(self.images[at].clone(), MaskSource::Drawn(Arc::new(drawing))));
                }
                Err(problem) => fault(ImageProblem::Annotation(problem)),
            }
        }
        Ok(pairs)
    }

    /// The index of the image file that an entry names, beside the annotations if possible.
    fn find(&self, path: &Path, file_name: &str) -> Result<usize, String> {
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
            Match::None => Err(format!("{file_name} is not there")),
            Match::Several(a, b) => {
                let [a, b] = [a, b].map(|at| relative(self.root, &self.images[at]));
                Err(format!("{file_name} may be {a} or {b}"))
            }
        }
    }

    /// Of images of the same name in several parts, the one in the part of the annotation file.
    fn by_part(&self, path: &Path, file_name: &str) -> Match {
        let stem = stem_of(path).to_lowercase();
        let words = stem.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty());
        let tries = words.flat_map(|word| [format!("{word}/{file_name}"), format!("images/{word}/{file_name}")]);
        tries.map(|name| self.index.find(&name)).find(|found| matches!(found, Match::One(_))).unwrap_or(Match::None)
    }
}

/// The shape of an annotation; `None` if it has no area.
fn shape(one: WrittenAnnotation, ids: &Ids, (width, height): (u32, u32)) -> Option<Result<Shape, String>> {
    if !one.has_area() {
        return None;
    }
    let Some(&id) = ids.get(&one.category_id) else {
        return Some(Err(format!(
            "an annotation has category {}, which is not among the categories; add it to them, or correct the annotation",
            one.category_id
        )));
    };
    let area = match one.segmentation? {
        WrittenArea::Polygons(polygons) => {
            let corners = |flat: &Vec<f64>| flat.as_chunks::<2>().0.to_vec();
            if polygons.iter().any(|flat| flat.len() < 6 || flat.len() % 2 == 1) {
                return Some(Err(
                    "a polygon has fewer than three corners or a coordinate too many; correct the annotation".into(),
                ));
            }
            Area::Polygons(polygons.iter().map(corners).collect())
        }
        WrittenArea::Runs { size, .. } if size != [height, width] => {
            let problem =
                format!("run lengths of {}x{} on an image of {width}x{height}; correct the sizes", size[1], size[0]);
            return Some(Err(problem));
        }
        WrittenArea::Runs { counts: WrittenRuns::Plain(runs), .. } => Area::Runs(runs),
        WrittenArea::Runs { counts: WrittenRuns::Packed(packed), .. } => match unpack_runs(&packed) {
            Ok(runs) => Area::Runs(runs),
            Err(problem) => return Some(Err(problem)),
        },
    };
    Some(Ok(Shape { id, area }))
}
