//! Detects the classes of masks without a class list.

use std::path::Path;

use rayon::prelude::*;

use super::class_files::{Wishes, WrittenCoding};
use super::coding::Coding;
use super::colors;
use super::found::Pair;
use super::model;
use super::raw::Samples;
use super::seen::Seen;
use super::values;
use crate::data::{DataError, ImageProblem};

/// Reads every mask, and returns the coding and remarks. Unreadable ones are reported when the set is prepared. If
/// values or colors do not decide, or give other classes than `of_model`, those of a trained model, the classes of the
/// model are tried.
///
/// # Errors
/// Where no mask can be read, masks have two readings, too many colors, or a single class.
pub(super) fn detect(
    root: &Path,
    parts: &[&[Pair]],
    wishes: &Wishes,
    of_model: &[String],
) -> Result<(Coding, Vec<String>), DataError> {
    let pairs: Vec<&Pair> = parts.iter().flat_map(|part| part.iter()).collect();
    let read = |pair: &&Pair| {
        let path = Path::new(&pair.mask.name()).to_path_buf();
        pair.mask.read(&pair.image, pair.posture, Samples::Numbers).map(|raw| Seen::of(&path, raw))
    };
    let seen: Vec<_> = pairs.par_iter().map(read).collect();
    let first_problem =
        seen.iter().zip(&pairs).find_map(|(one, pair)| Some((pair.mask.name(), one.as_ref().err()?.clone())));
    let seen = seen.into_iter().flatten().fold(Seen::default(), Seen::plus);
    if !seen.has_files() {
        let threshold = matches!(first_problem, Some((_, ImageProblem::LossyMask(_)))).then_some(128);
        let first = first_problem.map(|(name, problem)| format!("; the first: {name}: {problem}")).unwrap_or_default();
        let problem = format!(
            "none of the {} masks can be read; a mask is a PNG, BMP, GIF or TIFF of values up to 255{first}",
            pairs.len()
        );
        return Err(DataError::Masks { path: root.to_path_buf(), problem, threshold });
    }
    let seen = seen.without(wishes);
    let found = chosen(root, &seen, wishes);
    let is_of_model =
        |(coding, _): &(Coding, Vec<String>)| coding.classes.names.iter().all(|name| of_model.contains(name));
    if !of_model.is_empty()
        && !found.as_ref().is_ok_and(is_of_model)
        && let Some(coding) = model::coding(&seen, of_model)
    {
        return Ok((coding, vec![]));
    }
    let (coding, mut notes) = found?;
    if coding.samples == Samples::Numbers {
        notes.extend(values::numbers_of_objects(&seen.values.plus(seen.greys)));
    }
    Ok((coding.ignoring(wishes).map_err(|problem| DataError::malformed(root, problem))?, notes))
}

/// The coding by values or by the colors that they show, and remarks.
///
/// | masks | reading |
/// |---|---|
/// | of one notation | that |
/// | of values and of colors that agree | that of most files |
/// | else, with one reading that fits | that one |
/// | else, with two | refused |
fn chosen(root: &Path, seen: &Seen, wishes: &Wishes) -> Result<(Coding, Vec<String>), DataError> {
    let value_files = seen.values.files.len();
    let is_mixed = seen.color_files > 0 && value_files > 0;
    let by_colors = seen.color_files > value_files;
    match wishes.coding {
        Some(WrittenCoding::Value) => return Ok((by_value(root, seen, wishes.nearest)?, vec![])),
        Some(WrittenCoding::Color) => return Ok((by_color(root, seen, wishes.nearest)?, vec![])),
        None => {}
    }
    let clash = seen.links.clash();
    if clash.is_none() && !is_mixed {
        let coding = if by_colors { by_color } else { by_value };
        return Ok((coding(root, seen, wishes.nearest)?, vec![]));
    }
    let note = |by: &str| clash.iter().map(|clash| clash.settled(by)).collect();
    match (by_value(root, seen, wishes.nearest), by_color(root, seen, wishes.nearest)) {
        (Ok(of_values), Ok(of_colors)) => match &clash {
            Some(clash) => Err(clash.refused(root)),
            None => Ok((if by_colors { of_colors } else { of_values }, vec![])),
        },
        (Ok(coding), Err(_)) => Ok((coding, note("values"))),
        (Err(_), Ok(coding)) => Ok((coding, note("colors"))),
        (Err(of_values), Err(of_colors)) => match &clash {
            Some(clash) => Err(clash.refused(root)),
            None => Err(if by_colors { of_colors } else { of_values }),
        },
    }
}

/// The coding in which each value is a class. Files of colors have the colors of the palette.
fn by_value(root: &Path, seen: &Seen, nearest: bool) -> Result<Coding, DataError> {
    if seen.values.palette.is_none() && !seen.colors.is_empty() {
        two_notations(root, seen, &|_| false)?;
    }
    let coding = values::coding(root, &seen.values.clone().plus(seen.greys.clone()), nearest)?;
    let is_known = |color: &[u8; 3]| coding.colors.as_ref().is_some_and(|colors| colors.contains_key(color));
    if seen.colors.each().all(is_known) {
        Ok(coding)
    } else {
        Err(notations(root, seen, seen.values.files.first().map(|file| file.path.as_path())))
    }
}

/// The coding in which each color that a file shows is a class.
fn by_color(root: &Path, seen: &Seen, nearest: bool) -> Result<Coding, DataError> {
    if seen.colors.is_empty() && seen.palettes.is_empty() {
        let coding = values::coding(root, &seen.shown.clone().plus(seen.greys.clone()), nearest)?;
        return Ok(Coding { samples: Samples::Colors, ..coding });
    }
    two_notations(root, seen, &|grey| seen.colors.has(grey) || seen.palettes.has(grey))?;
    colors::coding(root, &seen.all_colors(), nearest)
}

/// Refuses files of greys beside files of colors, if one of the greys is not `known`.
fn two_notations(root: &Path, seen: &Seen, known: &dyn Fn(&[u8; 3]) -> bool) -> Result<(), DataError> {
    match seen.links.greys().find(|(grey, _)| !known(grey)) {
        Some((_, file)) => Err(notations(root, seen, Some(file))),
        None => Ok(()),
    }
}

/// The error for masks if some files store values, and others colors.
fn notations(root: &Path, seen: &Seen, of_values: Option<&Path>) -> DataError {
    let name = |path: Option<&Path>| path.map(|path| path.display().to_string()).unwrap_or_default();
    let problem = format!(
        "its masks use two notations: values in files such as {}, colors in files such as {}; write all masks in one, or \
         list the classes with their values and colors in a classes.toml",
        name(of_values),
        name(
            seen.first_of_colors.as_deref().or(seen
                .values
                .files
                .iter()
                .find(|file| file.has_palette)
                .map(|file| file.path.as_path()))
        )
    );
    DataError::malformed(root, problem)
}
