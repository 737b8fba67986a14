//! LabelMe's JSON: a file beside each image, with polygons, rectangles and circles in pixels.
//!
//! Pixels in no shape are background. Shapes are drawn in the order of the file, later ones over earlier ones. Points and
//! lines have no area and are left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::folders;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::pairing;
use super::shapes::{Area, Drawing, Shape, coding, with_background};
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{Walk, entries, relative, subfolders};
use crate::data::lists::{Index, Match};
use crate::data::parts::Part;
use crate::data::text::{open_regular, read_text};
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

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

    fn recognise(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
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
        let names = classes(root, &read)?;
        let mut found = Found { known: Some(coding(&names, "the labels of the shapes", root)?), ..Found::default() };
        let walk = Walk::below(root)?;
        found.decisions.left_out = walk.left_out;
        let index = Index::new(root, walk.images.iter().map(PathBuf::as_path));
        let mut taken = vec![false; walk.images.len()];
        let (mut pairs, mut without_area) = (Vec::new(), 0);
        for (path, written) in read {
            let Match::One(at) = image_of(root, path, &written, &index) else {
                let image = path.display().to_string();
                found.faults.push(BadImage { image, problem: ImageProblem::NoImage });
                continue;
            };
            taken[at] = true;
            let mut shapes = Vec::new();
            for shape in &written.shapes {
                match area(shape) {
                    Some(area) => {
                        let id = names.iter().position(|name| *name == shape.label).unwrap_or(0) as u8;
                        shapes.push(Shape { id, area });
                    }
                    None => without_area += 1,
                }
            }
            let size = written.image_width.zip(written.image_height);
            let Some(size) = size else {
                let problem = ImageProblem::Listed("imageWidth or imageHeight is missing".into());
                found.faults.push(BadImage { image: path.display().to_string(), problem });
                continue;
            };
            let part = pairing::read(path.strip_prefix(root).unwrap_or(path)).part;
            found.has_val |= part == Some(Part::Val);
            let drawing = Drawing { name: path.display().to_string(), size: Some(size), shapes };
            let image = walk.images[at].clone();
            pairs.push((part, Pair::new(image, MaskSource::Drawn(Arc::new(drawing)))));
        }
        if without_area > 0 {
            found.decisions.notes.push(format!("{without_area} points or lines have no area and are left out"));
        }
        let unlisted = walk.images.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(path, _)| path);
        found.decisions.left_out.extend(unlisted.map(|path| LeftOut::new(path, Why::InNoList)));
        pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        folders::divide(root, pairs, &mut found)?;
        Ok(found)
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
}

/// The JSON files of shapes below `root`.
fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if depth < 4 {
            folders.extend(subfolders(&folder)?.into_iter().map(|folder| (folder, depth + 1)));
        }
        let is_json = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let own: Vec<PathBuf> = entries(&folder)?.into_iter().filter(|path| is_json(path) && path.is_file()).collect();
        // One file of a folder tells for all.
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

/// Background, then the labels in the order of `labels.txt`, or sorted.
fn classes(root: &Path, read: &[(&PathBuf, Written)]) -> Result<Vec<String>, DataError> {
    let used: BTreeSet<&String> =
        read.iter().flat_map(|(_, written)| &written.shapes).map(|shape| &shape.label).collect();
    let list = root.join("labels.txt");
    if !list.is_file() {
        return Ok(with_background(used.into_iter().cloned()));
    }
    let text = read_text(&list)?;
    let special = ["__ignore__", "_background_"];
    let listed = text.lines().map(str::trim).filter(|name| !name.is_empty() && !special.contains(name));
    let names = with_background(listed.map(String::from));
    match used.into_iter().find(|label| !names.contains(label) && !special.contains(&label.as_str())) {
        Some(unknown) => Err(DataError::malformed(&list, format!("does not list the label '{unknown}'"))),
        None => Ok(names),
    }
}

/// The image of a file: beside it under the same name, or where its `imagePath` says.
fn image_of(root: &Path, path: &Path, written: &Written, index: &Index) -> Match {
    let named = written.image_path.rsplit(['/', '\\']).next().unwrap_or_default();
    let beside = |name: &str| path.parent().map(|folder| relative(root, &folder.join(name)));
    let tries = [beside(named), Some(relative(root, &path.with_extension(""))), Some(named.to_string())];
    let found = tries.into_iter().flatten().filter(|name| !name.is_empty()).map(|name| index.find(&name));
    found.into_iter().find(|found| matches!(found, Match::One(_))).unwrap_or(Match::None)
}

/// The area of a shape; `None` for points, lines and shapes of other kinds.
fn area(shape: &WrittenShape) -> Option<Area> {
    match (shape.shape_type.as_deref().unwrap_or("polygon"), shape.points.as_slice()) {
        ("polygon", points) if points.len() >= 3 => Some(Area::Polygons(vec![points.to_vec()])),
        ("rectangle", &[[x0, y0], [x1, y1]]) => {
            Some(Area::Polygons(vec![vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]))
        }
        ("circle", &[[x, y], [rim_x, rim_y]]) => Some(Area::Disc([x, y], (rim_x - x).hypot(rim_y - y))),
        _ => None,
    }
}
