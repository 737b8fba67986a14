//! Models side by side on one data set: a table, and a figure of the same images under each of them.

use std::path::Path;

use crate::data::{PreparedImages, PreparedPairs, one_line};
use crate::interop::files::write_atomic;
use crate::run::card::TaskKind;
use crate::run::history::Score;
use crate::run::pictures::{self, Comparison};
use crate::run::run_dir::RunDirError;
use crate::tasks::colorize::metrics::ImageScores;
use crate::tasks::colorize::{self, ColorizeEvaluation};
use crate::tasks::segment::{self, SegmentEvaluation};
use crate::train::TrainError;
use crate::train::model::Checkpoint;
use crate::workflows::evaluation::{self, Chosen, EvalOptions, Origin};

/// A table of numbers: a row a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What a row is.
    pub row: &'static str,
    /// Names of the columns after the model's.
    pub columns: Vec<String>,
    /// Models with their values, as text.
    pub rows: Vec<(String, Vec<String>)>,
}

/// What a comparison gives.
pub struct Compared {
    /// What was compared on: `101 images of the val part of DIR`.
    pub on: String,
    /// Scores.
    pub table: Table,
    /// IoU of each class under each model; none for colorization.
    pub classes: Option<Table>,
    /// The figure.
    pub figure: Comparison,
}

impl Table {
    /// As Markdown, with columns aligned.
    pub fn markdown(&self) -> String {
        let head = std::iter::once((self.row.to_owned(), self.columns.clone()));
        let lines: Vec<Vec<String>> =
            head.chain(self.rows.iter().cloned()).map(|(name, values)| [vec![name], values].concat()).collect();
        let width = |c: usize| lines.iter().filter_map(|l| l.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cell = |(text, &width): (&String, &usize)| format!(" {:<width$} |", one_line(text));
            format!("|{}\n", cells.iter().zip(&widths).map(cell).collect::<String>())
        };
        let rule = format!("|{}\n", widths.iter().map(|w| format!("{}|", "-".repeat(w + 2))).collect::<String>());
        let body = lines[1..].iter().map(|cells| line(cells)).collect::<String>();
        format!("{}{rule}{body}", line(&lines[0]))
    }

    /// As CSV.
    pub fn csv(&self) -> String {
        let mut csv = csv::Writer::from_writer(vec![]);
        // Writing into memory does not fail.
        let _ = csv.write_record(std::iter::once(self.row).chain(self.columns.iter().map(String::as_str)));
        for (name, values) in &self.rows {
            let _ = csv.write_record(std::iter::once(name).chain(values));
        }
        csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Compared {
    /// Writes `comparison.md`, `comparison.csv`, `comparison.png` (and `classes.csv`) into a folder; gives their names.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<Vec<&'static str>, TrainError> {
        let text = |name: &str, text: &str| {
            let written = write_atomic(&folder.join(name), |w| w.write_all(text.as_bytes()));
            written.map_err(|e| TrainError::from(RunDirError::from(e)))
        };
        let mut names = vec!["comparison.png", "comparison.md", "comparison.csv"];
        let classes = self.classes.as_ref();
        let below = classes.map_or(String::new(), |c| format!("\n{}", c.markdown()));
        text("comparison.md", &format!("{}\n\n{}{below}", self.on, self.table.markdown()))?;
        text("comparison.csv", &self.table.csv())?;
        if let Some(classes) = classes {
            text("classes.csv", &classes.csv())?;
            names.push("classes.csv");
        }
        pictures::save_png(&self.figure.draw()?, &folder.join("comparison.png"))?;
        Ok(names)
    }
}

/// Compares trained models, named for people.
///
/// # Errors
/// When they are of different tasks, classes or image sizes, were trained on different data and `options` name none,
/// held out different images of it, or the data does not fit them.
pub fn compare(models: &[(String, Checkpoint)], options: &EvalOptions) -> Result<Compared, TrainError> {
    let Some(((first_name, first), others)) = models.split_first() else {
        let (first, other) = ("nothing".to_owned(), "nothing".to_owned());
        return Err(TrainError::NotComparable { first, other, reason: "name at least one run".into() });
    };
    for (name, other) in others {
        let (a, b) = (&first.card, &other.card);
        let reason = match () {
            () if a.task != b.task => format!("one was trained to {}, the other to {}", a.task.name(), b.task.name()),
            () if a.classes != b.classes => format!("their classes differ: {:?} and {:?}", a.classes, b.classes),
            () if a.image_size != b.image_size => {
                format!("their image sizes differ: {:?} and {:?}", a.image_size, b.image_size)
            }
            () => continue,
        };
        let (first, other) = (first_name.clone(), name.clone());
        return Err(TrainError::NotComparable { first, other, reason });
    }
    require_one_data_set(models, options)?;
    match first.card.task {
        TaskKind::Segment => segmentation(models, first, options),
        TaskKind::Colorize => colorization(models, first, options),
        TaskKind::Classify => {
            let other = others.first().map_or("others", |(name, _)| name).to_owned();
            let reason = "compare takes runs of segment or colorize, and these were trained to classify; `eval` scores \
                          each, `report` puts them on one page";
            Err(TrainError::NotComparable { first: first_name.clone(), other, reason: reason.into() })
        }
    }
}

/// Fails where the first run and another differ in what `told` says of their origins.
fn require_same<T: PartialEq>(
    models: &[(String, Checkpoint)],
    options: &EvalOptions,
    what: impl Fn(&Origin) -> T,
    told: impl Fn(&Origin, &Origin) -> String,
) -> Result<(), TrainError> {
    let origins = models.iter().map(|(_, c)| Origin::of(c, options)).collect::<Result<Vec<_>, _>>()?;
    let other = origins.iter().position(|origin| what(origin) != what(&origins[0]));
    other.map_or(Ok(()), |at| {
        let (first, other) = (models[0].0.clone(), models[at].0.clone());
        Err(TrainError::NotComparable { first, other, reason: told(&origins[0], &origins[at]) })
    })
}

/// All models must have been trained on what they are compared on, where no data is named.
fn require_one_data_set(models: &[(String, Checkpoint)], options: &EvalOptions) -> Result<(), TrainError> {
    let told = |a: &Origin, b: &Origin| {
        format!("one was trained on {}, the other on {}; name the data to compare them on (--data)", a.name(), b.name())
    };
    require_same(models, options, |origin| origin.data.clone(), told)
}

/// All models must have held out the same images: else some are scored on what they have learned.
fn require_one_split<T>(
    models: &[(String, Checkpoint)],
    options: &EvalOptions,
    chosen: &Chosen<T>,
) -> Result<(), TrainError> {
    if !chosen.by_seed {
        return Ok(());
    }
    let told = |a: &Origin, b: &Origin| {
        format!(
            "{} has no parts of its own, and one held out images by seed {}, val_split {}, the other by seed {}, val_split \
             {}, so that each has learned some of the other's; give data with a val/ part (--data), or runs of one seed \
             and val_split",
            chosen.data, a.seed, a.val_split, b.seed, b.val_split
        )
    };
    require_same(models, options, |origin| (origin.seed, origin.val_split), told)
}

fn compared_on<T>(images: usize, Chosen { data, part, .. }: &Chosen<T>) -> String {
    format!("{images} images of the {} part of {data}", part.name())
}

fn names(models: &[(String, Checkpoint)]) -> impl Iterator<Item = String> {
    models.iter().map(|(name, _)| name.clone())
}

fn segmentation(
    models: &[(String, Checkpoint)],
    first: &Checkpoint,
    options: &EvalOptions,
) -> Result<Compared, TrainError> {
    let chosen = evaluation::pairs(first, options)?;
    require_one_split(models, options, &chosen)?;
    let pairs = &chosen.set;
    let found = models
        .iter()
        .map(|(_, checkpoint)| evaluation::segmentation(checkpoint, pairs, options))
        .collect::<Result<Vec<_>, _>>()?;
    let text = |score: Score, v: Option<f64>| v.map_or("–".into(), |v| score.format(v));
    let scores: Vec<_> = found.iter().map(SegmentEvaluation::scores).collect();
    let columns = [Score::MeanIou, Score::WeightedIou, Score::PixelAccuracy];
    let values = scores.iter().map(|s| {
        columns.iter().zip([s.mean_iou, s.weighted_iou, s.pixel_accuracy]).map(|(&c, v)| text(c, v)).collect()
    });
    let table = Table {
        row: "model",
        columns: columns.map(|c| c.name().to_owned()).to_vec(),
        rows: names(models).zip(values).collect(),
    };
    let rows = scores.iter().map(|s| s.iou.iter().map(|&v| text(Score::MeanIou, v)).collect());
    let classes = Table { row: "model", columns: first.card.classes.clone(), rows: names(models).zip(rows).collect() };
    let title = format!("{} images, mean IoU of each", pairs.len());
    let columns = ["image", "truth"].map(String::from).into_iter().chain(names(models)).collect();
    let mut figure = Comparison::new(title, columns);
    figure.legend = first.card.classes.iter().cloned().zip(first.card.palette.iter().copied()).collect();
    for row in 0..found[0].shown.len() {
        figure.row(segmentation_row(pairs, first, &found, row)?);
    }
    Ok(Compared { on: compared_on(pairs.len(), &chosen), table, classes: Some(classes), figure })
}

type Row = Vec<(image::RgbImage, String)>;

fn segmentation_row(
    pairs: &PreparedPairs,
    first: &Checkpoint,
    found: &[SegmentEvaluation],
    row: usize,
) -> Result<Row, TrainError> {
    let palette = &first.card.palette;
    let (image, truth) = segment::pair(pairs, found[0].shown[row].0)?;
    let painted = |mask: &[u8]| pictures::painted(pairs.size(), mask, palette);
    let mut cells = vec![(image, String::new()), (painted(&truth), String::new())];
    for one in found {
        let predicted = &one.shown[row].1;
        let iou = segment::image_iou(&truth, predicted, palette.len());
        cells.push((painted(predicted), format!("IoU {:.3}", iou.unwrap_or(0.0))));
    }
    Ok(cells)
}

fn colorization(
    models: &[(String, Checkpoint)],
    first: &Checkpoint,
    options: &EvalOptions,
) -> Result<Compared, TrainError> {
    let chosen = evaluation::images(first, options)?;
    require_one_split(models, options, &chosen)?;
    let images = &chosen.set;
    let found = models
        .iter()
        .map(|(_, checkpoint)| evaluation::colorization(checkpoint, images, options))
        .collect::<Result<Vec<_>, _>>()?;
    let columns = [Score::Psnr, Score::Ssim, Score::DeltaE, Score::Colourfulness];
    let means: Vec<_> = found.iter().map(|f| ImageScores::mean(&f.images).unwrap_or_default()).collect();
    let values = means
        .iter()
        .map(|m| columns.iter().zip([m.psnr, m.ssim, m.delta_e, m.colourfulness]).map(|(c, v)| c.format(v)).collect());
    let mut rows: Vec<(String, Vec<String>)> = names(models).zip(values).collect();
    let truth = means.first().map_or(0.0, |m| m.true_colourfulness);
    rows.push(("truth".into(), vec!["–".into(), "–".into(), "–".into(), Score::Colourfulness.format(truth)]));
    let table = Table { row: "model", columns: columns.map(|c| c.name().to_owned()).to_vec(), rows };
    let title = format!("{} images, scores of each", images.len());
    let columns = std::iter::once("grey".to_owned()).chain(names(models)).chain(["truth".to_owned()]).collect();
    let mut figure = Comparison::new(title, columns);
    for row in 0..found[0].shown.len() {
        figure.row(colorization_row(images, &found, row)?);
    }
    Ok(Compared { on: compared_on(images.len(), &chosen), table, classes: None, figure })
}

fn colorization_row(images: &PreparedImages, found: &[ColorizeEvaluation], row: usize) -> Result<Row, TrainError> {
    let truth = colorize::truth(images, found[0].shown[row].0)?;
    let mut cells = vec![(colorize::grey(&truth), String::new())];
    for one in found {
        let picture = &one.shown[row].1;
        let scores = ImageScores::of(&truth, picture)?;
        cells.push((picture.clone(), format!("{:.1} dB, SSIM {:.3}", scores.psnr, scores.ssim)));
    }
    cells.push((truth, String::new()));
    Ok(cells)
}
