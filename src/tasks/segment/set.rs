//! Sets of images and masks to evaluate and compare on.

use std::sync::Arc;

use image::RgbImage;

use super::evaluation::SegmentEvaluation;
use super::metrics;
use super::objective::Segmentation;
use super::picture::pair;
use super::scores::{MEAN_IOU, OWN_SCORES, SCORES};
use crate::data::{BadImage, CropSource, Crops, Place, PreparedPairs, SegmentationSource, Source};
use crate::run::card::ModelCard;
use crate::run::pictures::{self, PictureTable};
use crate::run::table::Table;
use crate::run::{ImageSize, Score};
use crate::tasks::TaskError;
use crate::tasks::data::{Compared, Figure, ImageSet, typed};
use crate::train::{Evaluation, Objective};

/// Images and masks to evaluate segmentation models on.
pub(super) struct SegmentedImages(pub Arc<PreparedPairs>);

impl ImageSet for SegmentedImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn skipped(&self) -> &[BadImage] {
        self.0.bad()
    }

    fn note(&self) -> Option<String> {
        self.0.note_for_model()
    }

    fn measure(&self, card: &ModelCard) -> Result<(Box<dyn Objective>, Arc<dyn Source>), TaskError> {
        let objective = Box::new(Segmentation::trained(card.clone(), Some(self.0.clone()))?);
        let (height, width) = self.0.size();
        let size = ImageSize { height: height as usize, width: width as usize };
        let source: Arc<dyn Source> = match card.channels() {
            4 => Arc::new(CropSource::new(self.0.clone(), card.inputs(), whole(size), 0)),
            _ => Arc::new(SegmentationSource::new(self.0.clone(), &card.normalization).with_inputs(card.inputs())),
        };
        Ok((objective, source))
    }

    fn compare(
        &self,
        card: &ModelCard,
        names: &[String],
        found: &[Box<dyn Evaluation>],
    ) -> Result<Compared, TaskError> {
        let found = typed::<SegmentEvaluation>(found);
        let text = |score: Score, v: Option<f64>| v.map_or("–".into(), |v| score.format(v));
        // The masks' own size is the same for all models; classes are scored there.
        let has_own = found.iter().any(|one| one.own_confusion.is_some());
        let scores: Vec<_> = found.iter().map(|one| one.own_scores()).collect();
        let columns: Vec<Score> = SCORES.into_iter().chain(OWN_SCORES.into_iter().filter(|_| has_own)).collect();
        let values = found.iter().zip(&scores).map(|(one, own)| {
            let values = one.class_scores().three().into_iter().chain(own.three());
            columns.iter().zip(values).map(|(c, v)| text(c.clone(), v)).collect()
        });
        let table = Table {
            row: "model",
            columns: columns.iter().map(|c| c.name.to_string()).collect(),
            rows: names.iter().cloned().zip(values).collect(),
            bold: None,
        };
        let rows = scores.iter().map(|s| s.iou.iter().map(|&v| text(MEAN_IOU, v)).collect());
        let rows = names.iter().cloned().zip(rows).collect();
        let classes = Table { row: "model", columns: card.classes.clone(), rows, bold: None };
        let title = format!("{} images, mean IoU of each", self.0.len());
        let columns = ["image", "truth"].map(String::from).into_iter().chain(names.iter().cloned()).collect();
        let mut figure = PictureTable::new(title, columns);
        figure.legend = card.classes.iter().cloned().zip(card.palette.iter().copied()).collect();
        for row in 0..found.first().map_or(0, |first| first.shown.len()) {
            figure.row(self.row(card, &found, row)?);
        }
        Ok(Compared { table, classes: Some(classes), figure: Figure::Pictures(figure) })
    }
}

impl SegmentedImages {
    /// An image, its true mask, and the mask of each model.
    fn row(
        &self,
        card: &ModelCard,
        found: &[&SegmentEvaluation],
        row: usize,
    ) -> Result<Vec<(RgbImage, String)>, TaskError> {
        let (image, truth) = pair(&self.0, found[0].shown[row].0)?;
        let painted = |mask: &[u8]| pictures::painted(self.0.size(), mask, &card.palette);
        let mut cells = vec![(image, String::new()), (painted(&truth), String::new())];
        for one in found {
            let predicted = &one.shown[row].1;
            let iou = metrics::image_iou(&truth, predicted, card.palette.len());
            cells.push((painted(predicted), format!("IoU {:.3}", iou.unwrap_or(0.0))));
        }
        Ok(cells)
    }
}

/// Whole pictures, stretched to a size.
pub(super) fn whole(size: ImageSize) -> Crops {
    Crops { size: (size.height, size.width), scale: [1.0; 2], place: Place::Whole }
}
