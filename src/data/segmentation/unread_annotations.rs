//! Annotation files of formats that are not read, for the error where no masks are found.

use std::path::Path;

use crate::data::DataError;
use crate::data::listing::{entries, relative, subfolders};
use crate::data::text::start_of;

/// Number of bytes that are read to find the format.
const LOOKED_AT: u64 = 1 << 14;

/// The first annotation file in `root` or its subfolders that is not read, with its kind and a remedy.
///
/// # Errors
/// Where a folder cannot be listed.
pub(super) fn find(root: &Path) -> Result<Option<String>, DataError> {
    let mut folders = vec![root.to_path_buf()];
    folders.extend(subfolders(root)?);
    for folder in folders {
        if let Some(words) = entries(&folder)?.iter().find_map(|path| words(root, path)) {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

fn words(root: &Path, path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    let kind = match extension.as_str() {
        "npy" => "is an array of NumPy, which is not read; save masks as PNG",
        "xml" => of_xml(&start_of(path, LOOKED_AT)?)?,
        "csv" | "tsv" | "txt" => of_table(&start_of(path, LOOKED_AT)?)?,
        "json" => of_json(&start_of(path, LOOKED_AT)?)?,
        _ => return None,
    };
    Some(format!("{} {kind}", relative(root, path)))
}

fn of_xml(start: &str) -> Option<&'static str> {
    if start.contains("<annotations>") {
        return Some("is CVAT's XML, which is not read; export \"Segmentation mask 1.1\" or COCO");
    }
    match (start.contains("<annotation"), start.contains("<polygon")) {
        (true, true) => Some("is an XML of polygons, which is not read; export COCO's JSON or masks"),
        (true, false) => Some("holds boxes (Pascal VOC's XML): a box is not a mask; label polygons or masks"),
        _ => None,
    }
}

fn of_table(start: &str) -> Option<&'static str> {
    let header = start.lines().next()?.to_lowercase();
    if header.contains("region_shape_attributes") {
        return Some("is a table of VIA, which is not read; export COCO's JSON from VIA");
    }
    let has = |word: &str| header.split([',', ';', '\t']).any(|cell| cell.trim().trim_matches('"') == word);
    if has("encodedpixels") || header.contains("rle") {
        return Some("holds masks as run lengths, which are not read; write each mask as PNG");
    }
    (has("xmin") && has("ymax")).then_some("holds boxes: a box is not a mask; label polygons or masks")
}

fn of_json(start: &str) -> Option<&'static str> {
    let has = |key: &str| start.contains(&format!("\"{key}\""));
    if has("_via_settings") || has("shape_attributes") || has("_via_img_metadata") {
        return Some("is a project of VIA, which is not read; export COCO's JSON from VIA");
    }
    if has("annotations") || has("shapes") || has("segmentation") || has("polygon") {
        return Some(
            "is a JSON of annotations in a form that is not read, or cut off; export COCO's JSON, LabelMe's files or masks",
        );
    }
    None
}
