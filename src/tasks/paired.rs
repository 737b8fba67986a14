//! Two models on the same images: McNemar's test (1947), which shows a difference larger than chance, and the figure of the images that
//! only one model classifies correctly.

use image::RgbImage;

use super::TaskError;
use crate::run::pictures::{Cell, Sheet, palette, spread};

/// Images in the figure of a comparison.
const SHOWN: usize = 24;

/// Names of the columns that [`rows`] fills.
pub(super) fn columns(first: &str) -> [String; 3] {
    ["right only here".into(), format!("right only in {first}"), "p (McNemar)".into()]
}

/// For each model, given its correct images: the number correct for it alone, the number correct for the first model alone, and
/// p. The row of the first model is empty.
pub(super) fn rows(right: &[Vec<bool>]) -> Vec<[String; 3]> {
    let against_first = |(place, own): (usize, &Vec<bool>)| {
        if place == 0 {
            return ["–", "–", "–"].map(String::from);
        }
        let pairs = || own.iter().zip(&right[0]);
        let [here, there] = [true, false].map(|here| pairs().filter(|(a, b)| **a == here && **b != here).count());
        [here.to_string(), there.to_string(), p_text(mcnemar(here, there))]
    };
    right.iter().enumerate().map(against_first).collect()
}

fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

/// Two-sided p of McNemar's exact test (McNemar 1947), for `only_a` images that only model a predicts correctly and `only_b` that
/// only model b does. Under the null hypothesis, each image falls to either with probability 1/2. The result is 1
/// without images.
pub(super) fn mcnemar(only_a: usize, only_b: usize) -> f64 {
    let (least, n) = (only_a.min(only_b), only_a + only_b);
    // The logarithm of the binomial coefficient over 2^n does not overflow.
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log.exp();
    for k in 1..=least {
        log += ((n - k + 1) as f64 / k as f64).ln();
        tail += log.exp();
    }
    (2.0 * tail).min(1.0)
}

/// An image, the truth about it, and the words of each model.
pub(super) type Said = (RgbImage, String, Vec<String>);

/// The images that some models get right and others do not, each with the truth and the words of each model. Without such images,
/// images spread over the set.
///
/// # Errors
/// Those of `said`.
pub(super) fn sheet(
    names: &[String],
    right: &[Vec<bool>],
    said: impl Fn(usize) -> Result<Said, TaskError>,
) -> Result<Sheet, TaskError> {
    let images = right.first().map_or(0, Vec::len);
    let differ: Vec<usize> = (0..images).filter(|&i| right.iter().any(|one| one[i] != right[0][i])).collect();
    let (title, shown): (_, Vec<usize>) = match differ.is_empty() {
        true => ("all models are right on the same images".to_owned(), spread(images, SHOWN).collect()),
        false => {
            let title = format!("{} of {images} images on which the models differ", differ.len());
            (title, spread(differ.len(), SHOWN).map(|at| differ[at]).collect())
        }
    };
    let cell = |index: usize| {
        let (image, truth, words) = said(index)?;
        let line = |((name, words), right): ((&String, String), &Vec<bool>)| {
            (format!("{name}: {words}"), if right[index] { palette::RIGHT } else { palette::WRONG })
        };
        let below = names.iter().zip(words).zip(right).map(line).collect();
        Ok(Cell { below, ..Cell::new(image, format!("truth: {truth}"), palette::INK) })
    };
    let cells = shown.into_iter().map(cell).collect::<Result<_, TaskError>>()?;
    Ok(Sheet { title, columns: 4, cell_size: 256, cells })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(min(a, b), a + b, 0.5).pvalue`
    #[test]
    fn p_is_scipys() {
        for (a, b, expected) in [
            (0, 0, 1.0),
            (1, 5, 0.21875),
            (3, 3, 1.0),
            (10, 2, 0.03857421875),
            (25, 40, 0.08168153394154003),
            (0, 12, 0.00048828125),
            (480, 530, 0.12307327589621801),
            (3000, 3300, 0.00016475607669748363),
        ] {
            let p = mcnemar(a, b);
            assert!((p - expected).abs() <= 1e-9 * expected, "{a} {b}: {p} is not {expected}");
        }
    }

    #[test]
    fn the_sheet_shows_images_on_which_models_differ() {
        let names = ["a", "b"].map(String::from);
        let said = |index| Ok((RgbImage::new(2, 2), format!("class {index}"), vec!["x".into(), "y".into()]));
        let sheet_of = |right: [[bool; 3]; 2]| sheet(&names, &right.map(Vec::from), said).expect("draws");
        let differing = sheet_of([[true, true, false], [true, false, false]]);
        assert_eq!(differing.title, "1 of 3 images on which the models differ");
        let Cell { caption, below, .. } = &differing.cells[0];
        assert_eq!((differing.cells.len(), caption.as_str()), (1, "truth: class 1"));
        assert_eq!(*below, [("a: x".into(), palette::RIGHT), ("b: y".into(), palette::WRONG)]);
        assert_eq!(sheet_of([[true; 3]; 2]).cells.len(), 3, "the whole set");
    }

    #[test]
    fn a_row_counts_what_one_model_alone_has_right() {
        let rows = rows(&[vec![true, true, false, false], vec![true, false, true, true]]);
        assert_eq!(rows[1], ["2", "1", "1.000"]);
        assert_eq!(rows[0][2], "–");
    }
}
