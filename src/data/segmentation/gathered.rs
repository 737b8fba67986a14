//! Collects images with the drawings of annotation files, and makes a [`Found`] of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::shapes::{Area, Drawing, Shape, coding};
use crate::data::aside::masks_among;
use crate::data::decisions::{LeftOut, Why};
use crate::data::list_index::{Index, Match};
use crate::data::listing::{Walk, relative};
use crate::data::names::case_twins;
use crate::data::parts::Part;
use crate::data::{BadImage, DataError, ImageProblem};

/// Notes on names that look alike.
pub(super) fn twins(names: &[String]) -> Vec<String> {
    let note = |(a, b)| format!("the classes '{a}' and '{b}' differ in case, blanks or invisible characters alone");
    case_twins(names).into_iter().map(note).collect()
}

/// Refuses masks beside the annotations of a format: both give labels, which may differ.
///
/// # Errors
/// Where some of `images`, those below `root`, are masks of others.
pub(super) fn require_no_masks(root: &Path, images: &[PathBuf], format: &str) -> Result<(), DataError> {
    // Folders of masks that tools draw from the same annotations.
    const OWN: [&str; 5] = ["panoptic", "stuff", "masks_machine", "masks_human", "masks_instances"];
    let is_own = |path: &PathBuf| {
        let inside = relative(root, path).to_lowercase();
        inside.split('/').any(|folder| OWN.iter().any(|own| folder.starts_with(own)))
    };
    let images = images.iter().filter(|path| !is_own(path)).cloned().collect();
    match masks_among(root, images).first() {
        None => Ok(()),
        Some(mask) => {
            let problem = format!(
                "holds {format}, and masks such as {}: both give labels, which may differ; move one of them elsewhere",
                relative(root, mask)
            );
            Err(DataError::malformed(root, problem))
        }
    }
}

/// The images below a folder, and their pairs.
pub(super) struct Gathered<'a> {
    root: &'a Path,
    index: Index,
    images: Vec<PathBuf>,
    taken: Vec<bool>,
    pairs: Vec<(Option<Part>, Pair)>,
    without_area: usize,
    pub found: Found,
}

impl<'a> Gathered<'a> {
    /// The images below `root` with the classes `names`, of which the first is the background.
    ///
    /// # Errors
    /// Where a folder cannot be listed, the number of classes is 1 or above 255, or masks lie beside the annotations.
    pub fn new(root: &'a Path, names: &[String], source: &str, format: &str) -> Result<Self, DataError> {
        let mut found = Found { known: Some(coding(names, source, root)?), ..Found::default() };
        let Walk { images, left_out } = Walk::below(root)?;
        require_no_masks(root, &images, format)?;
        found.decisions.left_out = left_out;
        let index = Index::new(root, images.iter().map(PathBuf::as_path));
        Ok(Self { root, index, taken: vec![false; images.len()], images, pairs: Vec::new(), without_area: 0, found })
    }

    /// The index of the image for the first of `names` that has exactly one match.
    pub fn image<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Option<usize> {
        names.into_iter().find_map(|name| match self.index.find(name.as_ref()) {
            Match::One(at) => Some(at),
            _ => None,
        })
    }

    /// Adds the pair of image `at` and a drawing.
    pub fn add(&mut self, at: usize, part: Option<Part>, drawing: Drawing) {
        if std::mem::replace(&mut self.taken[at], true) {
            let image = self.images[at].display();
            let problem = format!("{image} is annotated by another file or task too; keep one of the two");
            return self.fault(drawing.name, ImageProblem::Annotation(problem));
        }
        self.found.has_val |= part == Some(Part::Val);
        self.pairs.push((part, Pair::new(self.images[at].clone(), MaskSource::Drawn(Arc::new(drawing)))));
    }

    /// Adds the pair of image `at` and the drawing of its regions, each a train id and an area. Regions without an area
    /// are counted for [`Self::note_without_area`]. A damaged region is a fault of the annotation `name`.
    pub fn draw(
        &mut self,
        at: usize,
        part: Option<Part>,
        (name, size): (String, Option<(u32, u32)>),
        regions: impl IntoIterator<Item = (u8, Result<Option<Area>, String>)>,
    ) {
        let mut shapes = Vec::new();
        for (id, area) in regions {
            match area {
                Ok(Some(area)) => shapes.push(Shape { id, area }),
                Ok(None) => self.without_area += 1,
                Err(problem) => return self.fault_of(at, name, ImageProblem::Annotation(problem)),
            }
        }
        self.add(at, part, Drawing { name, size, shapes });
    }

    /// Notes the number of regions without an area, unless it is 0. `kinds` names their kinds, such as
    /// `points or lines`.
    pub fn note_without_area(&mut self, kinds: &str) {
        if self.without_area > 0 {
            let note = format!("{} {kinds} have no area and are left out", self.without_area);
            self.found.decisions.notes.push(note);
        }
    }

    /// Records in the list of classes that `count` areas are ignored, unless `count` is 0.
    pub fn ignore(&mut self, count: usize, what: &str) {
        if let Some(coding) = self.found.known.as_mut().filter(|_| count > 0) {
            Arc::make_mut(&mut coding.classes).ignored = format!("{count} {what}");
        }
    }

    /// Leaves image `at` out, because nobody annotated it.
    pub fn skip(&mut self, at: usize) {
        self.taken[at] = true;
        self.found.decisions.left_out.push(LeftOut::new(&self.images[at], Why::Unannotated));
    }

    /// The index of the image for a path or an address of another machine.
    pub fn image_elsewhere(&self, name: &str) -> Option<usize> {
        match self.index.find_of_other_machine(name) {
            Match::One(at) => Some(at),
            _ => None,
        }
    }

    /// The path of image `at`.
    pub fn path(&self, at: usize) -> &Path {
        &self.images[at]
    }

    /// Adds the fault of an annotation of image `at`.
    pub fn fault_of(&mut self, at: usize, file: String, problem: ImageProblem) {
        self.taken[at] = true;
        self.fault(file, problem);
    }

    /// Adds the fault of an annotation.
    pub fn fault(&mut self, file: String, problem: ImageProblem) {
        self.found.faults.push(BadImage { image: file, problem });
    }

    /// The pairs in parts. Images without annotation are left out.
    ///
    /// # Errors
    /// Where a list of a part cannot be read.
    pub fn finish(mut self) -> Result<Found, DataError> {
        self.found.decisions.notes.extend(self.index.note());
        let unlisted = self.images.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(path, _)| path);
        self.found.decisions.left_out.extend(unlisted.map(|path| LeftOut::new(path, Why::InNoList)));
        self.pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
        folders::divide(self.root, self.pairs, &mut self.found)?;
        Ok(self.found)
    }
}
