//! Lists and tables of pairs: each line has the path of an image and the path of its mask. SegNet's version of CamVid
//! has this format, with ids 0 to 10 and 11 for void. The original CamVid is folders of images and color masks with a
//! `label_colors.txt`.

use std::path::Path;

use super::class_list::{ClassList, IGNORED};
use super::coding::Coding;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::pair_files::Files;
use crate::data::decisions::{LeftOut, Why};
use crate::data::flat::is_flat;
use crate::data::format::{Confidence, Evidence, Format};
use crate::data::list_tables;
use crate::data::listing::{name_of, relative, stem_of};
use crate::data::lists::{self, ListFile};
use crate::data::parts::Part;
use crate::data::{DataError, SetOptions};

/// Names, ids and colors of SegNet's eleven classes.
const CLASSES: [(&str, [u8; 3]); 11] = [
    ("Sky", [128, 128, 128]),
    ("Building", [128, 0, 0]),
    ("Pole", [192, 192, 128]),
    ("Road", [128, 64, 128]),
    ("Pavement", [60, 40, 222]),
    ("Tree", [128, 128, 0]),
    ("SignSymbol", [192, 128, 128]),
    ("Fence", [64, 64, 128]),
    ("Car", [64, 0, 128]),
    ("Pedestrian", [64, 64, 0]),
    ("Bicyclist", [0, 128, 192]),
];
const VOID: u8 = 11;

/// Lists of image and mask paths.
pub(crate) struct PairLists;

impl Format for PairLists {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "lists of image and mask paths (CamVid)"
    }

    fn looks_for(&self) -> &'static str {
        "`train.txt`, `val.txt` (and `test.txt`) whose lines are the path of an image and the path of its mask; or a table (`.csv`, \
         `.tsv`, `.jsonl`, `.json`) with a column of images and one of masks"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let lists = list_tables::find(root)?;
        let files = Files::below(root)?;
        let mut seen: Vec<String> =
            lists.iter().filter(|list| files.are_pairs(list)).map(|list| name_of(&list.path)).collect();
        seen.dedup();
        if seen.is_empty() {
            seen.extend(undivided(root, &files)?.map(|table| name_of(&table.path)));
        }
        Ok((!seen.is_empty()).then(|| Evidence::new(Confidence::Likely, seen)))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let mut files = Files::below(root)?;
        let (mut found, mut is_named) = (Found::default(), false);
        found.decisions.left_out.append(&mut files.left_out);
        let lists = list_tables::find(root)?;
        if !lists.iter().any(|list| files.are_pairs(list))
            && let Some(table) = undivided(root, &files)?
        {
            found.train = files.read(&table, &mut found.faults);
            found.decisions.notes.extend(files.index.note());
            found.decisions.notes.push(format!("{} pairs the images with their masks", name_of(&table.path)));
            note_columns(&mut found, &table);
            found.table = Some(table.path);
            files.leave_out_unnamed(&mut found);
            return Ok(found);
        }
        for list in lists {
            if list.part == Part::Test && !files.are_pairs(&list) {
                found.decisions.left_out.push(LeftOut::new(&list.path, Why::UnlabeledTest));
                continue;
            }
            is_named |= list.lines.iter().any(|(_, line)| line.to_lowercase().contains("camvid"));
            found.has_val |= list.part == Part::Val;
            let pairs = files.read(&list, &mut found.faults);
            note_columns(&mut found, &list);
            match list.part {
                Part::Train => found.train = pairs,
                Part::Val => found.val = pairs,
                Part::Test => found.test = pairs,
            }
            found.decisions.lists.push(relative(root, &list.path));
        }
        found.decisions.lists.dedup();
        if let Some(other) = undivided(root, &files)?.filter(|other| !lists_it(&found, root, &other.path)) {
            files.require_same(&found, &other)?;
            found.decisions.left_out.push(LeftOut::new(&other.path, Why::RepeatsPairs));
        }
        let exchanged = exchange_by_pixels(&mut found);
        found.decisions.notes.extend(exchanged);
        found.decisions.notes.extend(files.index.note());
        files.leave_out_unnamed(&mut found);
        if root.join("trainannot").is_dir() && (is_named || proves_classes(&found)) {
            found.known = Some(coding());
        }
        Ok(found)
    }
}

/// The only list or table of pairs in the folder `root` that divides nothing.
///
/// # Errors
/// Where there are several.
fn undivided(root: &Path, files: &Files<'_>) -> Result<Option<ListFile>, DataError> {
    let mut found: Vec<ListFile> = list_tables::undivided_pairs(root)?.into_iter().collect();
    for list in lists::of_no_part(root)? {
        found.extend(Some(list).filter(|list| files.are_pairs(list)));
    }
    match &found[..] {
        [first, second, ..] => {
            let problem = format!("pairs images and masks, as {} does; keep one of them", first.path.display());
            Err(DataError::malformed(&second.path, problem))
        }
        _ => Ok(found.pop()),
    }
}

/// Notes the columns of a table of pairs, and keeps their names.
fn note_columns(found: &mut Found, table: &ListFile) {
    let Some(columns) = &table.columns else { return };
    let note = format!("{}: {}", name_of(&table.path), columns.words);
    let notes = &mut found.decisions.notes;
    if !notes.contains(&note) {
        notes.push(note);
    }
    found.decisions.columns = found.decisions.columns.take().or_else(|| columns.names.clone());
}

/// Whether the file at `path` is one of the lists that divide a set.
fn lists_it(found: &Found, root: &Path, path: &Path) -> bool {
    found.decisions.lists.contains(&relative(root, path))
}

/// Exchanges images and masks if the lists name the masks first, and returns a note. In such lists, the files named
/// first have few colors, and the others are pictures.
fn exchange_by_pixels(found: &mut Found) -> Option<String> {
    const SAMPLE: usize = 4;
    let step = found.train.len().div_ceil(SAMPLE).max(1);
    let mut sample = found.train.iter().step_by(step).peekable();
    sample.peek()?;
    let is_exchanged = |pair: &Pair| is_flat(&pair.image) && !pair.mask.files().iter().any(|file| is_flat(file));
    if !sample.all(is_exchanged) {
        return None;
    }
    for pair in [&mut found.train, &mut found.val, &mut found.test].into_iter().flatten() {
        if let MaskSource::File(mask) = &mut pair.mask {
            std::mem::swap(mask, &mut pair.image);
        }
    }
    Some("the lists name the masks before the images: the files that stand first have few colors".into())
}

/// Whether the names of most images are those of CamVid's videos: `0001TP_006690`, `0006R0_f00930`, `0016E5_07959`,
/// `Seq05VD_f00000`. Other sets have its folders too.
fn proves_classes(found: &Found) -> bool {
    const VIDEOS: [&str; 4] = ["0001TP_", "0006R0_", "0016E5_", "Seq05VD_"];
    let is_own = |pair: &&Pair| VIDEOS.iter().any(|video| stem_of(&pair.image).starts_with(video));
    2 * found.parts().into_iter().flatten().filter(is_own).count() > found.len()
}

fn coding() -> Coding {
    let classes = ClassList::of(&CLASSES, "value 11 (void), value 255", "SegNet's CamVid");
    let mut coding = Coding::by_position(classes);
    if let Some(values) = &mut coding.values {
        values[usize::from(VOID)] = Some(IGNORED);
    }
    if let Some(colors) = &mut coding.colors {
        colors.insert([0; 3], IGNORED);
    }
    coding
}
