//! A part whose images lie in one folder and whose classes are in a text beside it, as the validation part of Tiny ImageNet:
//! `val/images/val_0.JPEG`, and lines `val_0.JPEG<TAB>n03444034<TAB>0<TAB>32<TAB>44<TAB>62` in `val/val_annotations.txt`.

use std::path::{Path, PathBuf};

use super::DataError;
use super::decisions::{Decisions, LeftOut, Why};
use super::list_index::{Index, Match};
use super::listing::{Walk, entries, name_of, relative, stem_of, subfolders};
use super::names::shortened;
use super::reading::{Role, role_in};
use super::text::read_text;

/// The images of the part at `root` with the places of their classes among `classes`; `None` if the part has another form. `decisions`
/// gets a note on the text and the images without a line.
///
/// # Errors
/// The first line that names no image, an unknown class, or an image of an earlier line with another class.
pub(super) fn read(
    root: &Path,
    classes: &[String],
    decisions: &mut Decisions,
) -> Result<Option<Vec<(PathBuf, u32)>>, DataError> {
    let folders = subfolders(root)?;
    let is_of_images = |folder: &PathBuf| role_in(&name_of(folder)) == Some(Role::Image);
    let [_] = &folders.iter().filter(|folder| is_of_images(folder)).collect::<Vec<_>>()[..] else { return Ok(None) };
    let is_class = |folder: &PathBuf| classes.contains(&name_of(folder));
    let texts = texts(root)?;
    let ([text_at], false) = (&texts[..], folders.iter().any(is_class)) else { return Ok(None) };
    let Walk { images, left_out } = Walk::pictures(root)?;
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let text = read_text(text_at)?;
    let lines: Vec<(usize, &str, &str)> = (1..).zip(text.lines()).filter_map(|(at, line)| fields(at, line)).collect();
    let named = lines.iter().filter(|(_, name, _)| index.find(name) != Match::None).count();
    if 2 * named <= lines.len() {
        return Ok(None);
    }
    let mut labels: Vec<Option<(u32, usize)>> = vec![None; images.len()];
    for (line, name, class) in lines {
        let fail = |problem: String| DataError::CsvRow { path: text_at.clone(), line: line as u64, problem };
        let Match::One(image) = index.find(name) else {
            return Err(fail(format!("'{}' names no image in {}/", shortened(name), name_of(root))));
        };
        let Some(label) = classes.iter().position(|known| known == class) else {
            return Err(fail(format!("'{}' is no class folder of the training part", shortened(class))));
        };
        let (first, at) = *labels[image].get_or_insert((label as u32, line));
        if first != label as u32 {
            let problem = format!(
                "'{}' is here and '{}' on line {at}; keep one class an image",
                shortened(class),
                classes[first as usize]
            );
            return Err(fail(problem));
        }
    }
    decisions.left_out.extend(left_out);
    let unlisted = images.iter().zip(&labels).filter(|(_, label)| label.is_none());
    decisions.left_out.extend(unlisted.map(|(image, _)| LeftOut::new(image, Why::InNoList)));
    let at = root.parent().map_or_else(|| text_at.display().to_string(), |set| relative(set, text_at));
    decisions.notes.push(format!("the classes of the images in {}/ are those in {at}", name_of(root)));
    Ok(Some(images.into_iter().zip(labels).filter_map(|(image, label)| Some((image, label?.0))).collect()))
}

/// The texts directly in `root` whose names say that they hold labels.
fn texts(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let is_one = |path: &PathBuf| {
        let stem = stem_of(path).to_lowercase();
        path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"))
            && ["annotation", "label", "class"].iter().any(|word| stem.contains(word))
            && path.is_file()
    };
    Ok(entries(root)?.into_iter().filter(is_one).collect())
}

/// The number of a line, and its first two fields. Tabs separate names that may hold blanks.
fn fields(at: usize, line: &str) -> Option<(usize, &str, &str)> {
    let line = line.trim();
    let (name, rest) = line.split_once('\t').or_else(|| line.split_once([' ', ',']))?;
    let class = rest.trim().split(['\t', ' ', ',']).next()?;
    Some((at, name.trim(), class))
}
