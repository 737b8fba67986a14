//! LabelMe's JSON: a file beside each image, with polygons, rectangles, circles and masks in pixels.
//!
//! Pixels without shape are background. Shapes are drawn in the order of the file; later ones cover earlier ones.
//! Points and lines have no area and are left out. Pixels of `__ignore__` are ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::found::Found;
use super::gathered::Gathered;
use super::pairing;
use super::shapes::{Area, Drawing, Shape, with_background};
use super::supervisely::{base64, bitmap};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{entries, relative, subfolders};
use crate::data::text::{open_regular, read_text};
use crate::data::{DataError, IGNORED, ImageProblem, SetOptions};

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
        let mut read = Vec::new();
        for path in &files {
            let written: Written =
                serde_json::from_str(&read_text(path)?).map_err(|e| DataError::malformed(path, e.to_string()))?;
            read.push((path, written));
        }
        let shapes = || read.iter().flat_map(|(_, written)| &written.shapes);
        let boxes = shapes().filter(|shape| shape.shape_type.as_deref() == Some("rectangle")).count();
        if boxes > 0 && boxes == shapes().count() {
            let problem = format!("its {boxes} shapes are boxes: a box is not a mask; draw polygons");
            return Err(DataError::malformed(root, problem));
        }
        let names = classes(root, &read)?;
        let mut gathered = Gathered::new(root, &names, "the labels of the shapes", self.name())?;
        let (mut without_area, mut ignored) = (0, 0);
        for (path, written) in read {
            let file = path.display().to_string();
            let [named, same] = image_names(root, path, &written);
            let at = match [gathered.image(named), gathered.image(same)] {
                [Some(named), Some(same)] if named != same => {
                    let [named, same] = [named, same].map(|at| relative(root, gathered.path(at)));
                    let problem = format!(
                        "imagePath names {named}, but {same} has the name of the file; correct imagePath, or rename one of them"
                    );
                    gathered.fault(file, ImageProblem::Annotation(problem));
                    continue;
                }
                [Some(at), _] | [None, Some(at)] => at,
                [None, None] => {
                    gathered.fault(file, ImageProblem::NoImage);
                    continue;
                }
            };
            gathered.take(at);
            let (mut shapes, mut damaged) = (Vec::new(), None);
            for shape in &written.shapes {
                let id = match shape.label.as_str() {
                    IGNORED_LABEL => IGNORED,
                    label => names.iter().position(|name| name == label).unwrap_or(0) as u8,
                };
                match area(shape) {
                    Ok(Some(area)) => shapes.push(Shape { id, area }),
                    Ok(None) => without_area += 1,
                    Err(problem) => damaged = Some(problem),
                }
            }
            if let Some(problem) = damaged {
                gathered.fault(file, ImageProblem::Annotation(problem));
                continue;
            }
            ignored += shapes.iter().filter(|shape| shape.id == IGNORED).count();
            let Some(size) = written.image_width.zip(written.image_height) else {
                gathered.fault(file, ImageProblem::Annotation("imageWidth or imageHeight is missing; add it".into()));
                continue;
            };
            let part = pairing::read(path.strip_prefix(root).unwrap_or(path)).part;
            gathered.add(at, part, Drawing { name: file, size: Some(size), shapes });
        }
        if ignored > 0 {
            gathered
                .found
                .decisions
                .notes
                .push(format!("the pixels of {ignored} shapes of {IGNORED_LABEL} are ignored"));
        }
        if without_area > 0 {
            let note = format!("{without_area} points or lines have no area and are left out");
            gathered.found.decisions.notes.push(note);
        }
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
    label: String,
    points: Vec<[f64; 2]>,
    #[serde(default)]
    shape_type: Option<String>,
    /// PNG in base64, of a shape of type `mask`. `points` are the first and the last pixel of its rectangle.
    #[serde(default)]
    mask: Option<String>,
}

/// The label of pixels that labelme2voc ignores.
const IGNORED_LABEL: &str = "__ignore__";

/// The JSON files with shapes below `root`.
fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if depth < 4 {
            folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
        }
        let is_json = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let own: Vec<PathBuf> = entries(&folder)?.into_iter().filter(|path| is_json(path) && path.is_file()).collect();
        // One file decides for its folder.
        if own.first().is_some_and(|path| has_shapes(path)) {
            found.extend(own);
        }
    }
    found.sort();
    Ok(found)
}

fn has_shapes(path: &Path) -> bool {
    use std::io::Read;
    let Ok((file, _)) = open_regular(path) else { return false };
    let mut start = Vec::new();
    file.take(1 << 12).read_to_end(&mut start).is_ok() && String::from_utf8_lossy(&start).contains("\"shapes\"")
}

/// Background, then the labels in the order of `labels.txt`, else sorted.
fn classes(root: &Path, read: &[(&PathBuf, Written)]) -> Result<Vec<String>, DataError> {
    let used: BTreeSet<&String> =
        read.iter().flat_map(|(_, written)| &written.shapes).map(|shape| &shape.label).collect();
    let list = root.join("labels.txt");
    if !list.is_file() {
        return Ok(with_background(used.into_iter().filter(|label| *label != IGNORED_LABEL).cloned()));
    }
    let text = read_text(&list)?;
    let special = [IGNORED_LABEL, "_background_"];
    let listed = text.lines().map(str::trim).filter(|name| !name.is_empty() && !special.contains(name));
    let names = with_background(listed.map(String::from));
    match used.into_iter().find(|label| !names.contains(label) && !special.contains(&label.as_str())) {
        Some(unknown) => Err(DataError::malformed(&list, format!("does not list the label '{unknown}'"))),
        None => Ok(names),
    }
}

/// Possible paths of the image of a file: at its `imagePath`, and of the same name.
fn image_names(root: &Path, path: &Path, written: &Written) -> [Vec<String>; 2] {
    let named = written.image_path.rsplit(['/', '\\']).next().unwrap_or_default();
    let beside = path.parent().map(|folder| relative(root, &folder.join(named)));
    let named: Vec<String> = beside.into_iter().chain([named.to_string()]).collect();
    let named = if written.image_path.is_empty() { vec![] } else { named };
    [named, vec![relative(root, &path.with_extension(""))]]
}

/// The area of a shape; `None` for points, lines and shapes of other kinds.
///
/// # Errors
/// Where a mask is damaged, in words.
fn area(shape: &WrittenShape) -> Result<Option<Area>, String> {
    Ok(match (shape.shape_type.as_deref().unwrap_or("polygon"), shape.points.as_slice()) {
        ("polygon", points) if points.len() >= 3 => Some(Area::Polygons(vec![points.to_vec()])),
        ("rectangle", &[[x0, y0], [x1, y1]]) => {
            Some(Area::Polygons(vec![vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]))
        }
        ("circle", &[[x, y], [rim_x, rim_y]]) => Some(Area::Disc([x, y], (rim_x - x).hypot(rim_y - y))),
        ("mask", &[[left, top], ..]) => {
            let damaged = |what: &str| format!("the mask of '{}' is damaged: {what}", shape.label);
            let png = shape.mask.as_deref().and_then(base64).ok_or_else(|| damaged("it is not base64"))?;
            Some(bitmap(png, [left, top].map(|side| side.round() as i64)).map_err(|error| damaged(&error))?)
        }
        _ => None,
    })
}
