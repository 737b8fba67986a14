//! Label Studio's JSON export: polygons in percent of the picture, and brush strokes as run lengths.
//!
//! Pixels without region are background. Regions are drawn in the order of the file; later ones cover earlier ones. Of
//! several annotations of a picture, the one marked as ground truth counts. Boxes and points are left out, and so are
//! pictures that nobody annotated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::found::Found;
use super::gathered::Gathered;
use super::shapes::{Area, id_of, require_no_boxes, with_background};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{entries, name_of};
use crate::data::names::{percent_decoded, quoted};
use crate::data::reading;
use crate::data::text::{read_json, start_of};
use crate::data::{DataError, ImageProblem, SetOptions};

/// Label Studio's JSON export.
pub(crate) struct LabelStudio;

impl Format for LabelStudio {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Label Studio JSON"
    }

    fn looks_for(&self) -> &'static str {
        "a `.json` (JSON or JSON-MIN) of tasks whose regions have `polygonlabels` or `brushlabels`, beside or above the images"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let files = files(root)?;
        Ok((!files.is_empty()).then(|| Evidence::certain(files.iter().map(|path| name_of(path)))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let tasks = tasks(root)?;
        let names = with_background(labels(root, &tasks)?);
        let mut gathered = Gathered::new(root, &names, "the labels of the regions", self.name())?;
        let mut truths = 0;
        for (path, task) in &tasks {
            let name = format!("{}, task {} ({})", path.display(), task.id, task.image());
            let at = gathered.image(task.names()).or_else(|| gathered.image_elsewhere(task.image()));
            let Some(at) = at else {
                let remedy = "put the image below the folder of the data";
                gathered.fault(name, ImageProblem::Absent { name: task.image().to_owned(), remedy });
                continue;
            };
            let annotation = match task.annotation() {
                Ok(Some(annotation)) => annotation,
                Ok(None) => {
                    gathered.skip(at);
                    continue;
                }
                Err(problem) => {
                    gathered.fault_of(at, name, ImageProblem::Annotation(problem));
                    continue;
                }
            };
            if let Some(problem) = task.other_picture(annotation) {
                gathered.fault_of(at, name, ImageProblem::Annotation(problem));
                continue;
            }
            truths += usize::from(annotation.ground_truth && task.annotations.len() > 1);
            let shapes = ["polygon", "brush", "ellipse", "rectangle"];
            let is_bare = |region: &&Region| region.labels().is_empty() && shapes.contains(&region.kind.as_str());
            if let Some(bare) = annotation.result.iter().find(is_bare) {
                let problem = format!(
                    "a region of type {0} has no label; give it one, with the control that labels a {0}",
                    bare.kind
                );
                gathered.fault_of(at, name, ImageProblem::Annotation(problem));
                continue;
            }
            let labeled = || annotation.result.iter().filter_map(|region| Some((region, region.labels().first()?)));
            let size = labeled().find_map(|(region, _)| region.width.zip(region.height));
            let part = reading::read(Path::new(&task.address())).part;
            let regions = labeled().map(|(region, label)| (id_of(&names, label), region.area()));
            gathered.draw(at, part, (name, size), regions);
        }
        if truths > 0 {
            let note = format!("{truths} tasks have several annotations: the ground truth counts");
            gathered.found.decisions.notes.push(note);
        }
        gathered.note_without_area("points");
        gathered.finish()
    }
}

/// The tasks of all export files, each with its file.
fn tasks(root: &Path) -> Result<Vec<(PathBuf, StudioTask)>, DataError> {
    let mut tasks = Vec::new();
    for path in files(root)? {
        let failed = |e: serde_json::Error| DataError::malformed(&path, format!("{e}; export it again"));
        for task in read_json::<Vec<Map<String, Value>>>(&path)? {
            let task = if task.contains_key("data") {
                serde_json::from_value(Value::Object(task)).map_err(failed)?
            } else {
                StudioTask::of_min(task).map_err(failed)?
            };
            tasks.push((path.clone(), task));
        }
    }
    Ok(tasks)
}

/// The labels of the regions, sorted.
///
/// # Errors
/// Where regions are boxes, or no region has a label.
fn labels(root: &Path, tasks: &[(PathBuf, StudioTask)]) -> Result<BTreeSet<String>, DataError> {
    let regions = || tasks.iter().flat_map(|(_, task)| task.regions());
    let boxes = regions().filter(|region| region.kind == "rectanglelabels").count();
    require_no_boxes(root, "regions", (boxes, regions().count()), "label with polygons or the brush")?;
    let used: BTreeSet<String> = regions().flat_map(Region::labels).cloned().collect();
    if !used.is_empty() {
        return Ok(used);
    }
    let is_choice = regions().any(|region| region.kind == "choices");
    let problem = match is_choice {
        true => "holds choices (a class an image), no polygons or brush strokes; for classification export CSV",
        false => "holds no region with a label; label with polygons or the brush",
    };
    Err(DataError::malformed(tasks.first().map_or(root, |(path, _)| path), problem))
}

#[derive(Deserialize)]
struct StudioTask {
    #[serde(default)]
    id: u64,
    data: Map<String, Value>,
    #[serde(alias = "completions")]
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    was_cancelled: bool,
    #[serde(default)]
    ground_truth: bool,
    result: Vec<Region>,
}

#[derive(Deserialize, PartialEq)]
struct Region {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "original_width")]
    width: Option<u32>,
    #[serde(rename = "original_height")]
    height: Option<u32>,
    /// The control of the picture that the region lies on.
    #[serde(default)]
    to_name: String,
    /// Clockwise turn of the picture while it was labeled, in degrees.
    #[serde(rename = "image_rotation", default)]
    rotation: Option<f64>,
    #[serde(default)]
    value: Marked,
}

#[derive(Deserialize, Default, PartialEq)]
struct Marked {
    #[serde(default)]
    points: Vec<[f64; 2]>,
    #[serde(default)]
    rle: Vec<u8>,
    #[serde(alias = "brushlabels", alias = "rectanglelabels", alias = "keypointlabels", alias = "ellipselabels")]
    polygonlabels: Option<Vec<String>>,
}

/// Keys of a region's labels. The key says the kind of the region.
const KINDS: [&str; 5] = ["polygonlabels", "brushlabels", "rectanglelabels", "keypointlabels", "ellipselabels"];

impl StudioTask {
    /// A task of JSON-MIN: the values of its data, and lists of regions under the names of their controls.
    fn of_min(task: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let id = task.get("id").and_then(Value::as_u64).unwrap_or_default();
        let (mut data, mut result) = (Map::new(), Vec::new());
        for (key, value) in task {
            match value {
                Value::String(_) => drop(data.insert(key, value)),
                Value::Array(regions) => {
                    for region in regions {
                        result.extend(Region::of_min(region)?);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { id, data, annotations: vec![Annotation { was_cancelled: false, ground_truth: false, result }] })
    }

    /// The regions of all annotations that count.
    fn regions(&self) -> impl Iterator<Item = &Region> {
        self.annotations.iter().filter(|one| !one.was_cancelled).flat_map(|one| &one.result)
    }

    /// The annotation that counts: the one marked as ground truth, else the only one, or the first if all are equal.
    /// Cancelled annotations are skipped tasks. `None` if nobody annotated the picture.
    ///
    /// # Errors
    /// The problem in words, if several annotations differ.
    fn annotation(&self) -> Result<Option<&Annotation>, String> {
        let all: Vec<&Annotation> = self.annotations.iter().filter(|one| !one.was_cancelled).collect();
        let truths: Vec<&Annotation> = all.iter().copied().filter(|one| one.ground_truth).collect();
        match (truths.as_slice(), all.as_slice()) {
            ([truth], _) => Ok(Some(truth)),
            (_, []) => Ok(None),
            (_, [first, rest @ ..]) if rest.iter().all(|one| one.result == first.result) => Ok(Some(first)),
            _ => Err(format!(
                "has {} annotations that differ; mark one as ground truth in Label Studio, or remove the others",
                all.len()
            )),
        }
    }

    /// The address of the picture: the entry `image`, else the first text with a `/` or a `.`.
    fn image(&self) -> &str {
        let text = |value: &'_ Value| value.as_str().is_some_and(|text| text.contains(['/', '.']));
        let value = self.data.get("image").or_else(|| self.data.values().find(|value| text(value)));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The problem of regions that may lie on another picture of the task.
    fn other_picture(&self, annotation: &Annotation) -> Option<String> {
        let names: BTreeSet<&str> =
            annotation.result.iter().map(|region| region.to_name.as_str()).filter(|name| !name.is_empty()).collect();
        let is_own = |name: &&str| self.data.get(*name).is_none_or(|value| value.as_str() == Some(self.image()));
        let is_several = names.len() > 1 || !names.iter().all(is_own);
        is_several.then(|| {
            let names: Vec<&&str> = names.iter().collect();
            format!(
                "its regions lie on {}, several pictures of one task; export a task for each picture",
                quoted(&names)
            )
        })
    }

    /// The path of the picture without a query, with `%20` and the like decoded.
    fn address(&self) -> String {
        let image = self.image();
        let path = match image.split_once("?d=") {
            Some((_, path)) => path,
            None if image.contains("://") => image.split(['?', '#']).next().unwrap_or_default(),
            None => image,
        };
        let decoded = percent_decoded(path);
        decoded.split_once("://").map_or(decoded.clone(), |(_, rest)| rest.to_string())
    }

    /// Possible names of the picture. Names of uploads start with eight hexadecimal digits and a hyphen.
    fn names(&self) -> Vec<String> {
        let address = self.address();
        let name = address.rsplit('/').next().unwrap_or_default().to_string();
        let is_prefix = |front: &str| front.len() == 8 && front.bytes().all(|b| b.is_ascii_hexdigit());
        let bare = name.split_once('-').filter(|(front, _)| is_prefix(front)).map(|(_, rest)| rest.to_string());
        std::iter::once(name).chain(bare).chain([address, self.image().to_string()]).collect()
    }
}

impl Region {
    /// A region of JSON-MIN; `None` for other values of a list.
    fn of_min(region: Value) -> Result<Option<Self>, serde_json::Error> {
        let Some(kind) = KINDS.into_iter().find(|kind| region.get(kind).is_some()) else { return Ok(None) };
        let side = |key: &str| region.get(key).and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
        let (width, height) = (side("original_width"), side("original_height"));
        let rotation = region.get("image_rotation").and_then(Value::as_f64);
        let to_name = String::new();
        Ok(Some(Self { kind: kind.into(), width, height, to_name, rotation, value: serde_json::from_value(region)? }))
    }

    fn labels(&self) -> &[String] {
        self.value.polygonlabels.as_deref().unwrap_or_default()
    }

    /// The area; `None` for points.
    ///
    /// # Errors
    /// The problem in words, if the region has two classes, is an ellipse, belongs to a turned picture or is damaged.
    fn area(&self) -> Result<Option<Area>, String> {
        if let [first, second, ..] = self.labels() {
            return Err(format!("a region has two labels, '{first}' and '{second}'; give it one"));
        }
        if let Some(rotation) = self.rotation.filter(|rotation| *rotation != 0.0) {
            return Err(format!(
                "a region belongs to the picture turned by {rotation} degrees; turn the image file and label it again"
            ));
        }
        let size = || self.width.zip(self.height).ok_or("a region has no original_width and original_height");
        match self.kind.as_str() {
            "polygonlabels" if self.value.points.len() < 3 => {
                Err("a polygon has fewer than three corners; remove or correct it".into())
            }
            "polygonlabels" => {
                let (width, height) = size()?;
                let pixel = |[x, y]: &[f64; 2]| [x / 100.0 * f64::from(width), y / 100.0 * f64::from(height)];
                Ok(Some(Area::Polygons(vec![self.value.points.iter().map(pixel).collect()])))
            }
            "brushlabels" => {
                let size = size()?;
                let samples = 4 * u64::from(size.0) * u64::from(size.1);
                let rgba = unpack(&self.value.rle, samples).ok_or("the run lengths of a brush stroke are damaged")?;
                let set = rgba.as_chunks::<4>().0.iter().map(|pixel| pixel[3] > 0).collect();
                Ok(Some(Area::Bitmap { origin: [0, 0], size, set }))
            }
            "ellipselabels" => {
                Err("a region is an ellipse, which is not read; draw a polygon, or use the brush".into())
            }
            _ => Ok(None),
        }
    }
}

/// Largest number of samples of a brush stroke: 128 megapixels of four channels.
const MAX_SAMPLES: u64 = 4 * 128_000_000;

/// Decodes the run lengths of a brush stroke to `expected` samples; `None` if they are damaged.
///
/// The stream has a header and blocks:
///
/// | bits | field |
/// |---|---|
/// | 32 | number of samples |
/// | 5 | bits of a sample, minus 1 |
/// | 4 · 4 | bits of each of the four kinds of length, minus 1 |
/// | 1 | in a block: whether one sample repeats |
/// | 2 | in a block: kind of its length |
/// | of that kind | in a block: its length, minus 1 |
/// | one sample, or as many as the length | in a block: its samples |
fn unpack(bytes: &[u8], expected: u64) -> Option<Vec<u8>> {
    let mut at = 0;
    let mut take = |bits: usize| -> Option<u64> {
        let mut value = 0;
        for _ in 0..bits {
            value = value << 1 | u64::from(bytes.get(at / 8)? >> (7 - at % 8) & 1);
            at += 1;
        }
        Some(value)
    };
    let count = take(32)?;
    if count != expected || count > MAX_SAMPLES {
        return None;
    }
    let count = count as usize;
    let word = take(5)? as usize + 1;
    let mut lengths = [0; 4];
    for length in &mut lengths {
        *length = take(4)? as usize + 1;
    }
    let mut samples = Vec::new();
    while samples.len() < count {
        let repeats = take(1)? == 1;
        let bits = lengths[take(2)? as usize];
        let length = take(bits)? as usize + 1;
        if samples.len() + length > count {
            return None;
        }
        if repeats {
            let sample = take(word)? as u8;
            samples.resize(samples.len() + length, sample);
        } else {
            for _ in 0..length {
                samples.push(take(word)? as u8);
            }
        }
    }
    Some(samples)
}

/// The exports directly in `root`.
fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    Ok(entries(root)?.into_iter().filter(|path| is_json(path) && is_export(path)).collect())
}

/// Whether the start of a file has the keys of an export.
fn is_export(path: &Path) -> bool {
    let Some(start) = start_of(path, 1 << 16) else { return false };
    let has = |key: &str| start.contains(&format!("\"{key}\""));
    let is_full =
        has("result") && (has("annotations") || has("completions")) && (has("original_width") || has("from_name"));
    let is_min = has("original_width") && KINDS.iter().any(|kind| has(kind));
    start.trim_start().starts_with('[') && (is_full || is_min)
}
