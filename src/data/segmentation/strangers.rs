//! Sets without a pair, in which no annotation or mask belongs to an image.

use std::path::Path;

use super::found::Found;
use crate::data::decisions::Why;
use crate::data::listing::{Walk, relative};
use crate::data::names::shortened;
use crate::data::{BadImage, DataError, ImageProblem};

/// The problem of annotations below `path` without any image there, or whose names are those of no image. `None` where faults of
/// other kinds exist.
pub(super) fn problem(path: &Path, found: &Found) -> Result<Option<String>, DataError> {
    let Some(first) = found.faults.first() else { return Ok(None) };
    let Walk { images, left_out } = Walk::below(path)?;
    let count = found.faults.len();
    if images.is_empty() {
        let packed = left_out.iter().find(|one| one.why == Why::Packed);
        let packed = packed.map(|one| format!("; {} may hold them: unpack it", relative(path, &one.path)));
        return Ok(Some(format!(
            "is a set of {} without any image: {count} annotations have none, such as {}; put the images into a folder there{}",
            found.format,
            first.image,
            packed.unwrap_or_default()
        )));
    }
    if found.known.is_none() {
        return Ok(None);
    }
    let listed: Option<Vec<String>> = found.faults.iter().map(|fault| listed(path, fault)).collect();
    Ok(listed.and_then(|listed| Some(unknown(found.format, count, listed.first()?, &relative(path, images.first()?)))))
}

/// The problem of `count` annotations that name other images than those there.
pub(super) fn unknown(format: &str, count: usize, listed: &str, present: &str) -> String {
    format!(
        "is a set of {format} of which no annotation belongs to an image there: the first of {count} is about {}, and the first image there is \
         {present}; correct the names, or put the images of these annotations there",
        shortened(listed)
    )
}

/// The image that a fault misses.
fn listed(root: &Path, fault: &BadImage) -> Option<String> {
    match &fault.problem {
        ImageProblem::Absent { name, .. } => Some(name.clone()),
        ImageProblem::NoImage => Some(format!("the image of {}", relative(root, Path::new(&fault.image)))),
        _ => None,
    }
}
