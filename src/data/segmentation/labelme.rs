//! LabelMe's JSON: a file beside each image, with polygons, circles and masks in pixels.
//!
//! Pixels without shape are background. Shapes are drawn in the order of the file; later ones cover earlier ones.
//! Points have no area and are left out; lines are refused. Shapes labeled `__ignore__` are ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bitmap::{base64, of_png};
use super::class_list::IGNORED;
use super::found::Found;
use super::gathered::Gathered;
use super::shapes::{Area, id_of, require_no_boxes, with_background, without_area};
use super::written;
use crate::data::decode::Head;
use crate::data::format::{Evidence, Format};
use crate::data::listing::{entries, relative, subfolders};
use crate::data::reading;
use crate::data::text::{read_json, read_text, start_of};
use crate::data::{DataError, ImageProblem, SetOptions, division};

/// The label of ignored areas.
const IGNORE: &str = "__ignore__";

/// LabelMe's JSON.
pub(crate) struct LabelMe;

impl Format for LabelMe {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "LabelMe JSON"
    }

    fn looks_for(&self) -> &'static str {
        "`x.json` with `shapes` for each image `x.jpg`, here or in the parts' folders; `labels.txt` may order the classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let files = files(root)?;
        let Some(first) = files.first() else { return Ok(None) };
        Ok(Some(Evidence::certain([format!("{} and {} more", relative(root, first), files.len() - 1)])))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let files = files(root)?;
        let mut read: Vec<(&PathBuf, Written)> = Vec::new();
        for path in &files {
            read.push((path, read_json(path)?));
        }
        let shapes = || read.iter().flat_map(|(_, written)| &written.shapes);
        let boxes = shapes().filter(|shape| shape.shape_type.as_deref() == Some("rectangle")).count();
        require_no_boxes(root, "shapes", (boxes, shapes().count()), "draw polygons")?;
        if shapes().count() == 0 {
            let problem = format!("its {} JSON files hold no shape; draw polygons first", read.len());
            return Err(DataError::malformed(root, problem));
        }
        let names = classes(root, &read)?;
        let mut gathered = Gathered::new(root, &names, "the labels of the shapes", self.name())?;
        let ignored = shapes().filter(|shape| shape.label == IGNORE).count();
        gathered.ignore(ignored, &format!("shapes labeled {IGNORE}"));
        let id = |shape: &WrittenShape| if shape.label == IGNORE { IGNORED } else { id_of(&names, &shape.label) };
        for (path, written) in read {
            let file = path.display().to_string();
            let at = match image(root, path, &written, &mut gathered) {
                Ok(at) => at,
                Err(problem) => {
                    gathered.fault(file, problem);
                    continue;
                }
            };
            // Older files have no size. LabelMe shows pictures upright.
            let of_file = || Head::of(gathered.path(at)).map(|head| head.upright());
            let size = written.image_width.zip(written.image_height).or_else(of_file);
            let part = reading::read(path.strip_prefix(root).unwrap_or(path)).part;
            gathered.draw(at, part, (file, size), written.shapes.iter().map(|shape| (id(shape), area(shape))));
        }
        gathered.note_without_area("points or lines");
        gathered.finish()
    }
}

#[derive(Deserialize)]
struct Written {
    shapes: Vec<WrittenShape>,
    #[serde(rename = "imagePath", default)]
    image_path: String,
    #[serde(rename = "imageWidth")]
    image_width: Option<u32>,
    #[serde(rename = "imageHeight")]
    image_height: Option<u32>,
}

#[derive(Deserialize)]
struct WrittenShape {
    #[serde(deserialize_with = "written::label")]
    label: String,
    points: Vec<[f64; 2]>,
    #[serde(default)]
    shape_type: Option<String>,
    /// A PNG in base64, of the box in `points`.
    mask: Option<String>,
}

/// The JSON files with shapes below `root`.
fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if depth < 4 {
            folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
        }
        let is_json = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let own = entries(&folder)?.into_iter().filter(|path| is_json(path) && path.is_file());
        let own: Vec<PathBuf> = own.filter(|path| !division::is_named_so(path) || has_shapes(path)).collect();
        // The first file decides for its folder.
        if own.first().is_some_and(|path| has_shapes(path)) {
            found.extend(own);
        }
    }
    found.sort();
    Ok(found)
}

fn has_shapes(path: &Path) -> bool {
    start_of(path, 1 << 12).is_some_and(|start| start.contains("\"shapes\""))
}

/// Background, then the labels in the order of `labels.txt`, else sorted.
fn classes(root: &Path, read: &[(&PathBuf, Written)]) -> Result<Vec<String>, DataError> {
    let used: BTreeSet<&String> = read
        .iter()
        .flat_map(|(_, written)| &written.shapes)
        .map(|shape| &shape.label)
        .filter(|label| *label != IGNORE)
        .collect();
    let list = root.join("labels.txt");
    if !list.is_file() {
        return Ok(with_background(used.into_iter().cloned()));
    }
    let text = read_text(&list)?;
    let special = [IGNORE, "_background_"];
    let listed = text.lines().map(str::trim).filter(|name| !name.is_empty() && !special.contains(name));
    let names = with_background(listed.map(String::from));
    match used.into_iter().find(|label| !names.contains(label) && !special.contains(&label.as_str())) {
        Some(unknown) => Err(DataError::malformed(
            &list,
            format!("does not list the label '{unknown}'; add it, or correct the shape"),
        )),
        None => Ok(names),
    }
}

/// The index of the image of a file: the image of the same name, or the one at its `imagePath`. If both exist, the one
/// with the size in the file.
///
/// # Errors
/// Where there is no image, or both fit.
fn image(root: &Path, path: &Path, written: &Written, gathered: &mut Gathered<'_>) -> Result<usize, ImageProblem> {
    let folder = path.parent().unwrap_or(root);
    let listed = written.image_path.replace('\\', "/");
    let named = listed.rsplit('/').next().unwrap_or_default();
    let own = gathered.image([relative(root, &path.with_extension(""))]);
    let mut names = vec![relative(root, &folder.join(named))];
    names.extend(below(root, folder, &listed));
    let said = if named.is_empty() { None } else { gathered.image(names) };
    let (Some(own), Some(said)) = (own, said) else {
        let elsewhere = || gathered.image([named.to_string()].into_iter().filter(|name| !name.is_empty()));
        return own.or(said).or_else(elsewhere).ok_or(ImageProblem::NoImage);
    };
    if own == said {
        return Ok(own);
    }
    let size = written.image_width.zip(written.image_height);
    let fits = |at: usize| {
        Head::of(gathered.path(at))
            .is_some_and(|head| size.is_some_and(|size| head.size == size || head.upright() == size))
    };
    let words = [own, said].map(|at| relative(root, gathered.path(at)));
    match (fits(own), fits(said)) {
        (true, false) | (false, true) => {
            let (at, word) = if fits(own) { (own, &words[0]) } else { (said, &words[1]) };
            let note = format!(
                "{}: its name says {}, its imagePath {}; {word} has the size in the file",
                relative(root, path),
                words[0],
                words[1]
            );
            gathered.found.decisions.notes.push(note);
            Ok(at)
        }
        _ => Err(ImageProblem::Annotation(format!(
            "imagePath names {}, but {} has the name of the file; correct imagePath, or rename one of them",
            words[1], words[0]
        ))),
    }
}

/// A path relative to `folder` as one below `root`; `None` if it leads out of the root.
fn below(root: &Path, folder: &Path, path: &str) -> Option<String> {
    let inside = relative(root, folder);
    let mut parts: Vec<&str> = inside.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The area of a shape; `None` for points.
///
/// # Errors
/// The problem in words, if a shape is a line or of an unknown kind, or a mask is damaged.
fn area(shape: &WrittenShape) -> Result<Option<Area>, String> {
    Ok(match (shape.shape_type.as_deref().unwrap_or("polygon"), shape.points.as_slice()) {
        ("polygon" | "oriented_rectangle", points) if points.len() >= 3 => Some(Area::Polygons(vec![points.to_vec()])),
        ("circle", &[[x, y], [rim_x, rim_y]]) => Some(Area::Disc([x, y], (rim_x - x).hypot(rim_y - y))),
        // The first point is the upper left pixel of the mask.
        ("mask", &[[left, top], ..]) => {
            let mask = shape.mask.as_deref().ok_or("a shape of type mask has no mask; draw it again")?;
            let (size, set) = of_png(&base64(mask)?)?;
            Some(Area::Bitmap { origin: [left as i64, top as i64], size, set })
        }
        ("polygon" | "oriented_rectangle", _) => {
            return Err("a polygon has fewer than three corners; remove or correct it".into());
        }
        ("point" | "points", _) => None,
        (kind, _) => return Err(without_area(kind)),
    })
}
