//! Oxford-IIIT Pet: photographs with trimaps of pet, background and border.

use std::path::Path;

use super::class_list::{ClassList, voc_color};
use super::coding::Coding;
use super::folders;
use super::found::Found;
use crate::data::format::{Evidence, Format};
use crate::data::{DataError, SetOptions};

/// The classes of values 1, 2 and 3.
const CLASSES: [&str; 3] = ["pet", "background", "border"];

/// Oxford-IIIT Pet.
pub(crate) struct Pets;

impl Format for Pets {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Oxford-IIIT Pet"
    }

    fn looks_for(&self) -> &'static str {
        "`images/`, `annotations/trimaps/` and `annotations/trainval.txt` (and `test.txt`)"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let annotations = root.join("annotations");
        let is_there = annotations.join("trimaps").is_dir() && annotations.join("trainval.txt").is_file();
        Ok(is_there.then(|| Evidence::certain(["annotations/trimaps/", "annotations/trainval.txt"])))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let colors: Vec<(&str, [u8; 3])> =
            CLASSES.iter().enumerate().map(|(id, name)| (*name, voc_color(id as u8))).collect();
        let list = ClassList::of(&colors, "value 255", "Oxford-IIIT Pet");
        Ok(Found { known: Some(Coding::by_values(list, &[1, 2, 3], &[])), ..folders::find(root)? })
    }
}
