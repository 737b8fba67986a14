//! Refuses lists and tables beside a set that divide it in another way than it was divided.
//!
//! | the set is divided by | compared with |
//! |---|---|
//! | folders | lists, tables of parts, the file of all parts |
//! | lists in one place | those in other places and of other forms |
//! | a column of its table, its annotation files | all of them |
//! | seed | nothing: if there were lists, they would divide the set |

use std::path::{Path, PathBuf};

use super::DataError;
use super::decisions::{Decisions, LeftOut, Why};
use super::division::Sought;
use super::list_index::{Index, Match};
use super::list_tables;
use super::listing::{relative, stem_of};
use super::lists::ListFile;
use super::parts::{Part, part_of_list};
use super::unused_lists;

/// Refuses lists of the set at `root` that put an image into another part than the set does. Lists that agree are left
/// out, and so are files named as lists that are not read. `parts` gives the images with their parts. It is called only if there are lists other than those that divided
/// the set.
///
/// # Errors
/// The first such line.
pub(crate) fn require(
    root: &Path,
    sought: Sought,
    decisions: &mut Decisions,
    parts: impl FnOnce() -> Vec<(Part, PathBuf)>,
) -> Result<(), DataError> {
    let lists = list_tables::all(root, sought).into_iter();
    let others: Vec<ListFile> = lists.filter(|list| !decisions.lists.contains(&relative(root, &list.path))).collect();
    if others.is_empty() {
        unused_lists::report_unread(root, decisions);
        return Ok(());
    }
    let parts = parts();
    let index = Index::new(root, parts.iter().map(|(_, path)| path.as_path()));
    let has_test = parts.iter().any(|(part, _)| *part == Part::Test);
    for list in others {
        let (_, is_both) = part_of_list(&stem_of(&list.path)).unwrap_or((list.part, false));
        let agrees = |part: Part| match part {
            // Without a validation part, the test part is used for validation.
            Part::Val => list.part == Part::Val || is_both || (list.part == Part::Test && !has_test),
            part => part == list.part,
        };
        let mut names_some = false;
        for (number, line) in &list.lines {
            let (Match::One(item), _) = index.find_first(line) else { continue };
            names_some = true;
            let (part, path) = &parts[item];
            if !agrees(*part) {
                let problem = format!(
                    "puts {} into {}, which is in {} {}; remove or correct one of the two",
                    relative(root, path),
                    list.part.word(),
                    part.word(),
                    decisions.split
                );
                return Err(list.fault(*number, problem));
            }
        }
        let known = decisions.left_out.iter().any(|one| one.path == list.path && one.why == Why::RepeatsDivision);
        if names_some && !known {
            decisions.left_out.retain(|one| one.path != list.path);
            decisions.left_out.push(LeftOut::new(&list.path, Why::RepeatsDivision));
        }
    }
    unused_lists::report_unread(root, decisions);
    Ok(())
}

/// The images of training, validation and test with their parts.
pub(crate) fn in_parts(images: [Option<Vec<PathBuf>>; 3]) -> Vec<(Part, PathBuf)> {
    let parts = [Part::Train, Part::Val, Part::Test].into_iter().zip(images);
    parts.flat_map(|(part, images)| images.unwrap_or_default().into_iter().map(move |path| (part, path))).collect()
}
