//! Files of data sets that are not read: archives, containers of arrays, and annotations of other tools. One table
//! lists the kinds, with a program that converts each.

use std::io::Read;
use std::path::Path;

use super::DataError;
use super::listing::{entries, is_image, is_table, name_of, relative, subfolders};
use super::sniff::container_of;
use super::text::{open_regular, start_of};

/// What a set is wanted for, which decides the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Classes of images.
    Classes,
    /// Masks.
    Masks,
    /// Images alone.
    Images,
}

/// The mark of a kind of text: alternatives, of which one must occur with all its words.
enum Mark {
    /// Keys of JSON.
    Json(&'static [&'static [&'static str]]),
    /// Tags of XML.
    Xml(&'static [&'static [&'static str]]),
    /// Columns of a table.
    Columns(&'static [&'static [&'static str]]),
}

use Mark::{Columns, Json, Xml};

/// A kind of annotations: its mark, what the file is or holds, and the remedies for classes and for masks.
type Kind = (Mark, &'static str, &'static str, &'static str);

const TABLE: &str = "write a table of path,label (.csv), or sort the images into a folder for each class";
const BOXES: &str = "a box is not a mask: label polygons or masks";
const COCO: &str = "export COCO's JSON or masks as PNG";

const KINDS: [Kind; 23] = [
    (
        Json(&[&["_via_settings"], &["_via_img_metadata"], &["shape_attributes"], &["region_attributes"]]),
        "is a project of VIA",
        TABLE,
        "export COCO's JSON from VIA",
    ),
    (Columns(&[&["region_shape_attributes"]]), "is a table of VIA", TABLE, "export COCO's JSON from VIA"),
    (
        Json(&[
            &["data_row", "media_attributes"],
            &["data_row", "projects"],
            &["DataRow ID"],
            &["Labeled Data", "Label"],
        ]),
        "is an export of Labelbox",
        TABLE,
        "convert it to COCO's JSON (labelbox's `COCOConverter`), or write each mask as PNG",
    ),
    (Columns(&[&["labeled data", "label"], &["datarow id"]]), "is an export of Labelbox", TABLE, COCO),
    (
        Json(&[
            &["metadata", "instances", "lastAction"],
            &["metadata", "instances", "annotatorEmail"],
            &["annotationStatus", "instances"],
            &["metadata", "instances", "comments"],
        ]),
        "is an export of SuperAnnotate",
        TABLE,
        "convert it to COCO's JSON (`superannotate export`, format COCO)",
    ),
    (
        Json(&[&["schema_ref", "item"], &["item", "slots"], &["darwin", "annotations"]]),
        "is an export of V7 Darwin",
        TABLE,
        "convert it to COCO's JSON (`darwin convert coco`), or export masks",
    ),
    (
        Json(&[&["dm_format_version"], &["categories", "items", "media_type"]]),
        "is a set of Datumaro",
        TABLE,
        "convert it with `datum convert -f coco`",
    ),
    (
        Json(&[&["box2d"], &["poly2d"]]),
        "is a list of BDD100K",
        TABLE,
        "use the bitmasks of BDD100K, or convert them to PNG",
    ),
    (Json(&[&["image", "annotations", "coordinates"]]), "holds boxes (Create ML)", TABLE, BOXES),
    (Json(&[&["source-ref"]]), "is a manifest of Ground Truth (SageMaker)", TABLE, "use its masks in PNG"),
    (
        Json(&[&["FeatureCollection", "features"], &["type", "geometry", "coordinates"]]),
        "is GeoJSON, with shapes in coordinates of a map",
        TABLE,
        "draw the shapes as a mask with `gdal_rasterize`, one PNG an image",
    ),
    (
        Json(&[&["imagePath", "shapes"]]),
        "is LabelMe's JSON of shapes",
        TABLE,
        "give the folder that holds it and its image; there, correct it: it may be cut off",
    ),
    (
        Json(&[&["annotations", "images", "categories"]]),
        "is COCO's JSON of objects",
        TABLE,
        "give the folder that holds it and its images; there, correct it: it may be cut off",
    ),
    (
        Json(&[&["annotations"], &["shapes"], &["segmentation"], &["polygon"], &["objects"]]),
        "is a JSON of annotations in an unknown form, or cut off",
        TABLE,
        "export COCO's JSON, LabelMe's files or masks",
    ),
    (
        Xml(&[&["<Annotations", "<Vertex"], &["<Annotations", "<Vertices"]]),
        "holds outlines of Aperio ImageScope (MoNuSeg)",
        TABLE,
        "draw the outlines as masks, one PNG an image",
    ),
    (
        Xml(&[&["<annotations>"], &["<annotations ", "<version>"]]),
        "is CVAT's XML",
        TABLE,
        "export \"Segmentation mask 1.1\" or COCO",
    ),
    (Xml(&[&["<annotation", "<polygon"]]), "is an XML of polygons", TABLE, "export COCO's JSON or masks"),
    (
        Xml(&[&["<annotation", "<bndbox"], &["<annotation", "<object"], &["<annotation"]]),
        "holds boxes (Pascal VOC's XML)",
        TABLE,
        BOXES,
    ),
    (
        Xml(&[&["<kml"]]),
        "is KML, with shapes in coordinates of a map",
        TABLE,
        "draw the shapes as a mask with `gdal_rasterize`",
    ),
    (
        Columns(&[&["encodedpixels"], &["rle"], &["segmentation", "height", "width"]]),
        "holds masks as run lengths",
        TABLE,
        "write each mask as PNG",
    ),
    (Columns(&[&["xmin", "ymax"], &["x1", "y1", "x2", "y2"], &["bbox"]]), "holds boxes", TABLE, BOXES),
    (Columns(&[&["mask_rle"], &["encoded_pixels"]]), "holds masks as run lengths", TABLE, "write each mask as PNG"),
    (
        Columns(&[&["polygon"], &["wkt"], &["multipolygonwkt"]]),
        "holds polygons",
        TABLE,
        "draw the polygons as masks, one PNG an image",
    ),
];

/// Extensions of kinds of files that their first bytes do not identify.
const NAMES: [(&str, &str); 12] = [
    ("tfrecord", "is a TFRecord file"),
    ("tfrecords", "is a TFRecord file"),
    ("npz", "holds NumPy arrays"),
    ("npy", "is an array of NumPy"),
    ("mat", "is a MATLAB file"),
    ("h5", "is an HDF5 file"),
    ("hdf5", "is an HDF5 file"),
    ("mdb", "is an LMDB database"),
    ("rec", "is a RecordIO file (MXNet)"),
    ("beton", "is a set of FFCV"),
    ("feather", "is an Arrow file"),
    ("pkl", "is a Python pickle"),
];

/// Bytes at the start of a text by which its kind is recognized.
const LOOKED_AT: u64 = 1 << 14;
/// Largest number of files of a folder that are read. Folders of annotations may have one for each picture.
const FILES: usize = 200;

/// The first file of a kind that is not read in `root` and the folders there, with its kind and the remedy.
///
/// # Errors
/// Where a folder cannot be listed.
pub(crate) fn find(root: &Path, wanted: Wanted) -> Result<Option<String>, DataError> {
    for folder in std::iter::once(root.to_path_buf()).chain(subfolders(root)?) {
        let files = entries(&folder)?.into_iter().filter(|path| !is_image(path) && path.is_file());
        if let Some(words) = files.take(FILES).find_map(|path| words(&relative(root, &path), &path, wanted)) {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

/// A note on annotations in `root` and the folders there that are not read; `None` without such annotations. They may
/// give other labels than the files that are read.
///
/// # Errors
/// Where a folder cannot be listed.
pub(crate) fn unread_annotations(root: &Path) -> Result<Option<String>, DataError> {
    for folder in std::iter::once(root.to_path_buf()).chain(subfolders(root)?) {
        let files = entries(&folder)?.into_iter().filter(|path| !is_image(path) && path.is_file());
        let found = files.take(FILES).find_map(|path| Some((annotations(&path, Wanted::Masks)?.0, path)));
        if let Some((what, path)) = found {
            return Ok(Some(format!("{} {what}, which is not read: the masks are", relative(root, &path))));
        }
    }
    Ok(None)
}

/// What the file at `path`, called `place`, is, and what converts it; `None` for a file of another kind.
pub(crate) fn words(place: &str, path: &Path, wanted: Wanted) -> Option<String> {
    let (what, remedy) = container(path, wanted).or_else(|| annotations(path, wanted))?;
    Some(format!("{place} {what}, which is not read; {remedy}"))
}

/// Files that hold many images or arrays.
fn container(path: &Path, wanted: Wanted) -> Option<(String, &'static str)> {
    let save = match wanted {
        Wanted::Classes => {
            "save its images as PNG files in a folder for each class, or its labels as a table of path,label (.csv)"
        }
        Wanted::Masks => "save its images and masks as PNG files in images/ and masks/",
        Wanted::Images => "save its images as PNG files in a folder",
    };
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    let is_record = name_of(path).to_lowercase().contains(".tfrecord");
    let named = NAMES.iter().find(|(known, _)| *known == extension || (is_record && *known == "tfrecord"));
    if let Some((_, what)) = named {
        return Some(((*what).to_owned(), save));
    }
    if ["xlsx", "xls", "ods", "numbers"].contains(&&*extension) {
        return Some(("is a spreadsheet".to_owned(), "save it as a table (.csv)"));
    }
    let mut bytes = Vec::new();
    open_regular(path).ok()?.0.take(512).read_to_end(&mut bytes).ok()?;
    let kind = container_of(&bytes)?;
    let remedy = if kind.is_packed { kind.remedy } else { save };
    Some((format!("is {}", kind.name), remedy))
}

/// Annotations, by the start of their text.
fn annotations(path: &Path, wanted: Wanted) -> Option<(String, &'static str)> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    let start = || start_of(path, LOOKED_AT);
    let of_kind = |fits: &dyn Fn(&Mark) -> bool| KINDS.iter().find(|(mark, ..)| fits(mark));
    let all = |words: &[&str], has: &dyn Fn(&str) -> bool| words.iter().all(|word| has(word));
    let kind = match extension.as_str() {
        "json" | "geojson" | "ndjson" | "jsonl" | "manifest" => {
            let text = start()?;
            let has = |key: &str| text.contains(&format!("\"{key}\""));
            of_kind(&|mark| matches!(mark, Json(kinds) if kinds.iter().any(|keys| all(keys, &has))))
        }
        "xml" | "kml" => {
            let text = start()?;
            of_kind(&|mark| matches!(mark, Xml(kinds) if kinds.iter().any(|tags| all(tags, &|tag| text.contains(tag)))))
        }
        // Where classes are wanted, a table of the set is read, so it needs no remedy.
        "csv" | "tsv" | "txt" if wanted != Wanted::Classes || !is_table(path) => {
            let header = start()?.lines().next()?.to_lowercase();
            let columns: Vec<&str> = header.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"')).collect();
            let has = |name: &str| columns.contains(&name);
            of_kind(&|mark| matches!(mark, Columns(kinds) if kinds.iter().any(|names| all(names, &has))))
        }
        _ => None,
    };
    kind.map(|(_, what, classes, masks)| {
        let remedy = if wanted == Wanted::Masks { *masks } else { *classes };
        ((*what).to_owned(), remedy)
    })
}

/// Refuses a path that is not a folder.
pub(super) fn require_folder(path: &Path, wanted: Wanted) -> Result<(), DataError> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if metadata.is_dir() { Ok(()) } else { Err(not_a_folder(path, wanted)) }
}

/// The error for a file instead of a folder, with its kind if it is one that is not read.
pub(super) fn not_a_folder(path: &Path, wanted: Wanted) -> DataError {
    match words("", path, wanted) {
        Some(words) => DataError::malformed(path, words.trim_start()),
        None => DataError::NotAFolder(path.into()),
    }
}
