//! Supervisely's projects: `DATASET/img/x.jpg` and `DATASET/ann/x.jpg.json` with polygons and bitmaps in pixels.
//!
//! Pixels without object are background. Objects are drawn in the order of the file; later ones cover earlier ones.
//! Boxes, lines and points have no area and are left out.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use super::bitmap::{MAX_BITMAP, base64, damaged, of_png};
use super::found::Found;
use super::gathered::Gathered;
use super::shapes::{Area, id_of, require_no_boxes, with_background, without_area};
use super::written;
use crate::data::format::{Evidence, Format};
use crate::data::listing::{entries, name_of, relative, subfolders};
use crate::data::reading;
use crate::data::text::read_json;
use crate::data::{DataError, ImageProblem, SetOptions};

/// Supervisely's projects.
pub(crate) struct Supervisely;

impl Format for Supervisely {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Supervisely project"
    }

    fn looks_for(&self) -> &'static str {
        "`DATASET/img/x.jpg` and `DATASET/ann/x.jpg.json` with `objects`; `meta.json` orders the classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let files = files(root)?;
        let meta = root.join("meta.json").is_file().then(|| "meta.json".to_string());
        Ok(files.first().map(|first| Evidence::certain(meta.into_iter().chain([relative(root, first)]))))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let mut read = Vec::new();
        for path in files(root)? {
            let written: Written = read_json(&path)?;
            read.push((path, written));
        }
        let objects = || read.iter().flat_map(|(_, written)| &written.objects);
        let boxes = objects().filter(|object| object.kind == "rectangle").count();
        require_no_boxes(root, "objects", (boxes, objects().count()), "draw polygons or bitmaps")?;
        if objects().count() == 0 {
            let problem = format!("its {} annotation files hold no object; label the images first", read.len());
            return Err(DataError::malformed(root, problem));
        }
        let names = classes(root, objects().map(|object| object.title.as_str()))?;
        let mut gathered = Gathered::new(root, &names, "the classes of the project", self.name())?;
        for (path, written) in read {
            let file = path.display().to_string();
            let image = image_of(root, &path);
            let Some(at) = gathered.image([image]) else {
                gathered.fault(file, ImageProblem::NoImage);
                continue;
            };
            let size = Some((written.size.width, written.size.height));
            let part = reading::read(path.strip_prefix(root).unwrap_or(&path)).part;
            let regions = written.objects.iter().map(|object| (id_of(&names, &object.title), object.area()));
            gathered.draw(at, part, (file, size), regions);
        }
        gathered.note_without_area("points");
        gathered.finish()
    }
}

#[derive(Deserialize)]
struct Written {
    size: WrittenSize,
    objects: Vec<WrittenObject>,
}

#[derive(Deserialize)]
struct WrittenSize {
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct WrittenObject {
    #[serde(rename = "classTitle", deserialize_with = "written::label")]
    title: String,
    #[serde(rename = "geometryType", default)]
    kind: String,
    #[serde(default)]
    points: WrittenPoints,
    bitmap: Option<WrittenBitmap>,
}

#[derive(Deserialize, Default)]
struct WrittenPoints {
    #[serde(default)]
    exterior: Vec<[f64; 2]>,
    #[serde(default)]
    interior: Vec<Vec<[f64; 2]>>,
}

/// A PNG, compressed by zlib, in base64. Its upper left pixel is at `origin`.
#[derive(Deserialize)]
struct WrittenBitmap {
    data: String,
    origin: [i64; 2],
}

#[derive(Deserialize)]
struct Meta {
    classes: Vec<MetaClass>,
}

#[derive(Deserialize)]
struct MetaClass {
    #[serde(deserialize_with = "written::label")]
    title: String,
}

impl WrittenObject {
    /// The area; `None` for points.
    fn area(&self) -> Result<Option<Area>, String> {
        if let Some(bitmap) = &self.bitmap {
            return bitmap.area().map(Some);
        }
        match self.kind.as_str() {
            "polygon" => {}
            "point" => return Ok(None),
            kind => return Err(without_area(kind)),
        }
        if self.points.exterior.len() < 3 {
            return Err("a polygon has fewer than three corners; remove or correct it".into());
        }
        let rings = std::iter::once(&self.points.exterior).chain(&self.points.interior);
        Ok(Some(Area::Holed(rings.cloned().collect())))
    }
}

impl WrittenBitmap {
    fn area(&self) -> Result<Area, String> {
        let packed = base64(&self.data)?;
        let mut png = Vec::new();
        let unpacked = ZlibDecoder::new(packed.as_slice()).take(MAX_BITMAP).read_to_end(&mut png);
        unpacked.map_err(|_| damaged("it is not compressed by zlib"))?;
        let (size, set) = of_png(&png)?;
        Ok(Area::Bitmap { origin: self.origin, size, set })
    }
}

/// The JSON files in folders `ann` beside a folder `img`.
fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let ann = folder.join("ann");
        if ann.is_dir() && folder.join("img").is_dir() {
            let is_json = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
            found.extend(entries(&ann)?.into_iter().filter(is_json));
        } else if depth < 3 {
            folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    found.sort();
    Ok(found)
}

/// `DATASET/img/x.jpg` for `DATASET/ann/x.jpg.json`; older projects have `ann/x.json`.
fn image_of(root: &Path, path: &Path) -> String {
    let name = name_of(path);
    let name = name.get(..name.len() - ".json".len()).unwrap_or_default();
    let dataset = path.parent().and_then(Path::parent).unwrap_or(root);
    relative(root, &dataset.join("img").join(name))
}

/// Background, then the classes in the order of `meta.json`, else sorted.
fn classes<'a>(root: &Path, used: impl Iterator<Item = &'a str>) -> Result<Vec<String>, DataError> {
    let used: BTreeSet<&str> = used.collect();
    let path = root.join("meta.json");
    let listed: Vec<String> = match path.is_file() {
        true => {
            let meta: Meta = read_json(&path)?;
            meta.classes.into_iter().map(|class| class.title).filter(|title| used.contains(title.as_str())).collect()
        }
        false => used.iter().map(ToString::to_string).collect(),
    };
    match used.into_iter().find(|title| !listed.iter().any(|known| known == title)) {
        Some(unknown) => Err(DataError::malformed(&path, format!("does not list the class '{unknown}'"))),
        None => Ok(with_background(listed)),
    }
}
