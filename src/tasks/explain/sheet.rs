//! The sheet of Grad-CAM maps of a run.

use super::cam::CamPlan;
use super::map::{enlarged, raised};
use crate::data::{Batch, Source, one_line};
use crate::exec::{AnyEngine, Session};
use crate::run::card::ModelCard;
use crate::run::pictures::{Cell, Drawn, Sheet, heat_overlay};
use crate::train::TrainError;

/// An image of a validation set whose prediction a run explains.
pub(in crate::tasks) struct Shown {
    /// Its index in the set.
    pub index: usize,
    /// The class that is explained.
    pub class: usize,
    /// The image with its prediction.
    pub cell: Cell,
}

/// Maximum number of wrong predictions on a run's sheet, and of right ones.
pub(in crate::tasks) const SHOWN: usize = 6;

/// Side of the pictures on that sheet, in pixels.
const CELL: u32 = 192;

/// The sheet of Grad-CAM of validation images: each image beside the map of its class. `batch` images run at once.
/// `None` if nothing is shown, or if every feature map has one pixel.
///
/// # Errors
/// When an image cannot be read, or the device is lost.
pub(in crate::tasks) fn sheet(
    session: &mut Session<AnyEngine>,
    card: &ModelCard,
    source: &dyn Source,
    batch: usize,
    shown: Vec<Shown>,
) -> Result<Option<Drawn>, TrainError> {
    if shown.is_empty() {
        return Ok(None);
    }
    let Ok(plan) = CamPlan::new(session, card, batch, None)? else { return Ok(None) };
    let (indices, classes): (Vec<_>, Vec<_>) = shown.iter().map(|shown| (shown.index, shown.class)).unzip();
    let loaded = Batch::load(source, &indices)?;
    let maps = plan.maps(session, &loaded.images, &classes)?;
    let mut cells = vec![];
    for (Shown { mut cell, class, .. }, map) in shown.into_iter().zip(maps) {
        cell.image = enlarged(cell.image, CELL);
        let image = heat_overlay(&cell.image, &map, plan.size());
        let what = if raised(&map) { "raises" } else { "no part raises" };
        let caption = format!("{what} {}", one_line(&card.classes[class]));
        let overlay = Cell::new(image, caption, cell.caption_color);
        cells.extend([cell, overlay]);
    }
    let [h, w] = plan.size();
    let title = format!("Grad-CAM of {} ({h} × {w}): yellow raises the predicted class most", plan.layer());
    Ok(Some(Sheet { title, columns: 6, cell_size: CELL, cells }.draw()?))
}
