//! Logits of pictures at their own size: of the whole picture if it fits into memory, else of overlapping tiles with
//! blended borders ([`grid`](super::grid)).
//!
//! Tiles are computed row by row. Their weighted logits are summed in a band as high as a tile; rows that no later tile covers are
//! passed on, divided by the sum of the weights. Memory: the plan of a tile, three copies of its logits, and the band. It does not
//! grow with the height of the picture.

use std::collections::HashMap;

use rayon::prelude::*;

use super::grid::{Axis, padded};
use crate::data::augment::reflected;
use crate::data::{Bands, Inputs};
use crate::graph::{Graph, GraphError, StateTable};
use crate::plan::{Plan, PlanOptions};
use crate::train::step::port;
use crate::train::{Objective, SizedPlans, TrainError};

/// Bytes that a tile and its band may take, besides the weights and the picture.
pub(super) const TILE_MEMORY: u64 = 512 << 20;
/// Sides in pixels of the automatic tiles of a picture that does not fit, the largest first.
const SIDES: [usize; 10] = [2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 64];

/// A network as a graph of logits for one tile.
pub(super) trait Logits: Objective {
    /// Logits `[1,H,W,classes]` of one image of a height and width.
    ///
    /// # Errors
    /// When the network does not take that size.
    fn logits_graph(&self, states: StateTable, size: [usize; 2]) -> Result<Graph, GraphError>;
}

/// The tiles of a picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub rows: Axis,
    pub columns: Axis,
    /// Bytes of the plan of a tile, its logits and the band.
    pub bytes: u64,
}

impl Grid {
    /// The cover of a picture, in words: `whole in 960x768 pixels, 310 MiB`.
    pub fn words(&self) -> String {
        let (rows, columns) = (&self.rows, &self.columns);
        let megabytes = self.bytes.div_ceil(1 << 20);
        match (rows.starts.len(), columns.starts.len()) {
            (1, 1) => format!("whole in {}x{} pixels, {megabytes} MiB", rows.tile, columns.tile),
            (down, across) => {
                format!("{down}x{across} tiles of {}x{} pixels, {megabytes} MiB", rows.tile, columns.tile)
            }
        }
    }
}

/// Runs a network over pictures of any size.
pub(super) struct Tiles {
    /// Height and width of tiles; by default what fits into [`TILE_MEMORY`].
    tile: Option<[usize; 2]>,
    stride: usize,
    inputs: Inputs,
    grids: HashMap<[usize; 2], Grid>,
    /// Bytes of the plan for a tile.
    plans: HashMap<[usize; 2], u64>,
}

impl Tiles {
    pub fn new(objective: &dyn Objective) -> Self {
        let card = objective.card();
        let stride = stride(card.network.settings());
        let (grids, plans) = Default::default();
        Tiles { tile: card.tile(), stride, inputs: card.inputs(), grids, plans }
    }

    /// The bound on memory, in words.
    pub fn bound(&self) -> String {
        let megabytes = TILE_MEMORY >> 20;
        match self.tile {
            Some([height, width]) => {
                format!("pictures are taken at their own size, in tiles of {height}x{width} pixels")
            }
            None => format!(
                "pictures are taken at their own size: whole where the network needs at most {megabytes} MiB beside its weights and the \
                 picture, else in tiles within that"
            ),
        }
    }

    /// The tiles of a picture of a height and width.
    ///
    /// # Errors
    /// When the network does not take the size of the tiles.
    pub fn grid(&mut self, of: &impl Logits, states: &StateTable, size: [usize; 2]) -> Result<Grid, TrainError> {
        if let Some(grid) = self.grids.get(&size) {
            return Ok(grid.clone());
        }
        let on_stride = |side: usize| side.div_ceil(self.stride).max(2) * self.stride;
        let grid = match self.tile {
            Some(tile) => self.cover(of, states, size, tile.map(on_stride))?,
            None => {
                let whole = size.map(|side| padded(side, self.stride));
                let squares = SIDES.map(|side| [on_stride(side); 2]);
                let mut grid = self.cover(of, states, size, whole)?;
                for square in squares {
                    if grid.bytes <= TILE_MEMORY {
                        break;
                    }
                    grid = self.cover(of, states, size, square)?;
                }
                grid
            }
        };
        self.grids.insert(size, grid.clone());
        Ok(grid)
    }

    /// The cover of a picture with tiles of at most a height and width.
    fn cover(
        &mut self,
        of: &impl Logits,
        states: &StateTable,
        size: [usize; 2],
        most: [usize; 2],
    ) -> Result<Grid, GraphError> {
        let [rows, columns] = [0, 1].map(|at| Axis::new(size[at], most[at], self.stride));
        let tile = [rows.tile, columns.tile];
        let plan = match self.plans.get(&tile) {
            Some(bytes) => *bytes,
            None => {
                let graph = of.logits_graph(states.clone(), tile)?;
                let memory = Plan::new(&graph, PlanOptions::default()).memory;
                (memory.fixed + memory.pool) as u64
            }
        };
        self.plans.insert(tile, plan);
        let (classes, height) = (of.card().classes.len(), rows.tile);
        let numbers =
            3 * height * columns.tile * classes + height * columns.length * classes + 3 * height * columns.tile;
        Ok(Grid { rows, columns, bytes: plan + 4 * numbers as u64 })
    }

    /// Runs the network over a picture. `take` gets the number of the first row and the logits `[rows,W,classes]` of
    /// consecutive rows. All calls together cover the picture.
    ///
    /// # Errors
    /// When the network does not take the size of the tiles, or the device fails.
    pub fn run(
        &mut self,
        of: &impl Logits,
        plans: &mut SizedPlans<'_>,
        image: &Bands,
        mut take: impl FnMut(usize, &mut [f32]),
    ) -> Result<(), TrainError> {
        let (height, width, classes) =
            (image.rgb.height() as usize, image.rgb.width() as usize, of.card().classes.len());
        let Grid { rows, columns, .. } = self.grid(of, plans.session.states(), [height, width])?;
        let tile = [rows.tile, columns.tile];
        let plan = plans.plan_of(tile, |states| of.logits_graph(states, tile))?;
        let row = width * classes;
        let mut band = vec![0.0; rows.tile.min(height) * row];
        let mut pixels = vec![0.0; self.inputs.channels() * tile[0] * tile[1]];
        for (at, &top) in rows.starts.iter().enumerate() {
            for &left in &columns.starts {
                self.fill(image, (top, left), tile, &mut pixels);
                plans.session.write(plan, port::IMAGES, &pixels)?;
                let logits = plans.session.run_now(plan)?.swap_remove(0);
                let covered = rows.covered(top);
                let lines = band.par_chunks_exact_mut(row).zip(logits.par_chunks_exact(tile[1] * classes));
                lines.take(covered).zip(&rows.weights).for_each(|((to, from), down)| {
                    let to = to[left * classes..].chunks_exact_mut(classes).zip(from.chunks_exact(classes));
                    for ((to, from), across) in to.zip(&columns.weights) {
                        to.iter_mut().zip(from).for_each(|(to, logit)| *to += down * across * logit);
                    }
                });
            }
            let end = rows.starts.get(at + 1).map_or(height, |next| *next);
            let done = &mut band[..(end - top) * row];
            done.par_chunks_exact_mut(row).zip(&rows.sums[top..end]).for_each(|(line, down)| {
                for (pixel, across) in line.chunks_exact_mut(classes).zip(&columns.sums) {
                    pixel.iter_mut().for_each(|logit| *logit /= down * across);
                }
            });
            take(top, done);
            let moved = (end - top) * row;
            let kept = band.len() - moved;
            band.copy_within(moved.., 0);
            band[kept..].fill(0.0);
        }
        Ok(())
    }

    /// Writes the normalized pixels of a tile; beyond the picture they are reflected.
    fn fill(&self, image: &Bands, (top, left): (usize, usize), tile: [usize; 2], pixels: &mut [f32]) {
        let (height, width) = (image.rgb.height() as usize, image.rgb.width() as usize);
        let columns: Vec<usize> = (0..tile[1]).map(|x| reflected((left + x) as i64, width)).collect();
        let lines = pixels.par_chunks_exact_mut(self.inputs.channels() * tile[1]).enumerate();
        lines.for_each_init(Vec::new, |bytes, (y, line)| {
            let start = width * reflected((top + y) as i64, height);
            bytes.clear();
            bytes.extend(columns.iter().flat_map(|x| image.rgb.as_raw()[3 * (start + x)..][..3].iter()));
            self.inputs.write(bytes, line);
            if let Some(fourth) = &image.fourth {
                bytes.clear();
                bytes.extend(columns.iter().flat_map(|x| [fourth.as_raw()[start + x]; 3]));
                self.inputs.write_fourth(bytes, line);
            }
        });
    }
}

/// Sides of tiles are multiples of this: 2^depth for a UNet of that depth, 32 for a ResNet.
fn stride(settings: &crate::nn::Settings) -> usize {
    let depth = settings.get("depth").and_then(serde_json::Value::as_u64).filter(|depth| *depth <= 8);
    depth.map_or(32, |depth| 1 << depth)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;
    use crate::data::Normalization;
    use crate::exec;
    use crate::run::ImageSize;
    use crate::run::card::ModelCard;
    use crate::tasks::segment::SegmentConfig;
    use crate::tasks::segment::objective::Segmentation;
    use crate::train::LoadedModel;
    use crate::train::settings::TaskSettings;

    /// A UNet of depth 1: a logit depends on pixels up to 9 pixels away.
    fn model(tile: Option<ImageSize>) -> (Segmentation, LoadedModel) {
        let config =
            SegmentConfig { depth: 1, base: 2, crop: Some(ImageSize { height: 16, width: 16 }), ..Default::default() };
        let card = ModelCard {
            task: "segment".into(),
            network: config.network(3),
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            palette: vec![[0; 3]; 3],
            image_size: [16, 16],
            normalization: Normalization::NONE,
            own: Default::default(),
        };
        let objective = Segmentation::training(card.with_own_pixels().with_tile(tile), &config, None, None);
        let engine = exec::open("cpu").unwrap();
        let model = LoadedModel::for_training(&objective, engine, 1, &config.settings()).unwrap();
        (objective, model)
    }

    fn logits(tile: Option<ImageSize>, image: &RgbImage) -> (Grid, Vec<f32>) {
        let (objective, mut model) = model(tile);
        let (mut tiles, mut all) = (Tiles::new(&objective), vec![]);
        let row = image.width() as usize * 3;
        let put = |top: usize, logits: &mut [f32]| {
            assert_eq!(all.len(), top * row, "rows follow each other");
            all.extend_from_slice(logits);
        };
        tiles.run(&objective, &mut model.sized(), &Bands { rgb: image.clone(), fourth: None }, put).unwrap();
        let size = [image.height() as usize, image.width() as usize];
        (tiles.grid(&objective, model.session.states(), size).unwrap(), all)
    }

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([(x * 37 % 256) as u8, (y * 91 % 256) as u8, (x * y % 256) as u8])
        })
    }

    /// Where no border of a tile is near, tiles give the logits of the whole picture, blended or not.
    #[test]
    fn tiles_give_the_whole_pictures_logits() {
        let image = picture(96, 80);
        let (whole_grid, whole) = logits(None, &image);
        assert_eq!(whole_grid.words(), format!("whole in 80x96 pixels, {} MiB", whole_grid.bytes.div_ceil(1 << 20)));
        let (grid, tiled) = logits(Some(ImageSize { height: 64, width: 64 }), &image);
        assert_eq!((&grid.rows.starts[..], &grid.columns.starts[..]), (&[0, 16][..], &[0, 32][..]));
        let near = |axis: &Axis, at: usize| {
            let inner = |start: usize| {
                let (first, last) = (start, start + axis.tile - 1);
                (start > 0 && at >= first && at < first + 10)
                    || (last + 1 < axis.length && at <= last && at + 10 > last)
            };
            axis.starts.iter().any(|&start| inner(start))
        };
        let mut compared = 0;
        for (index, (a, b)) in whole.chunks(3).zip(tiled.chunks(3)).enumerate() {
            let far = !near(&grid.rows, index / 96) && !near(&grid.columns, index % 96);
            let differ = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(differ < if far { 1e-5 } else { 1.0 }, "{index}: {a:?} {b:?}");
            compared += usize::from(far);
        }
        assert!(compared > 2000, "{compared}");
    }

    /// Sizes that are not multiples of the stride are padded and cut.
    #[test]
    fn any_size_has_logits() {
        for (width, height) in [(1, 1), (5, 31), (33, 17)] {
            let (_, all) = logits(None, &picture(width, height));
            assert_eq!(all.len() as u32, width * height * 3);
            assert!(all.iter().all(|logit| logit.is_finite()));
        }
    }
}
