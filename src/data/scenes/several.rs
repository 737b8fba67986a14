//! Scenes with several objects: pictures for multi-label classification.

use std::sync::Arc;

use image::RgbImage;
use tiny_skia::Transform;

use super::background::{self, Stage};
use super::{Drawing, Light, Object, SceneOptions, objects};
use crate::data::{DataError, ImageDataset};
use crate::random::{Random, op};

/// Largest number of kinds of object in a scene.
const MOST: usize = 4;
/// Side of the raster on which occlusion is measured.
const RASTER: u32 = 64;
/// Least number of pixels of the raster that each kind must show, of 4096.
const VISIBLE: usize = 24;
/// Number of placements that are tried. In the last one the objects stand side by side.
const PLACEMENTS: u64 = 8;

/// Kinds of object in scene `index` of `seed`, as ascending indices into [`objects`]: one to four, all numbers equally
/// likely.
pub fn kinds(seed: u64, index: u64) -> Vec<usize> {
    let rng = &mut Random::new(seed, 0, index, op::SEVERAL);
    let count = 1 + rng.below(MOST);
    let mut kinds: Vec<usize> = (0..objects().len()).collect();
    for place in 0..count {
        let drawn = place + rng.below(kinds.len() - place);
        kinds.swap(place, drawn);
    }
    kinds.truncate(count);
    kinds.sort_unstable();
    kinds
}

/// Scene `index` of `seed` with one object of each of its `kinds`, and its light. Each kind shows at least 0.6 % of the
/// frame.
pub fn several_objects(seed: u64, index: u64) -> (Drawing, Light) {
    let kinds = kinds(seed, index);
    let mut placement = 1;
    loop {
        let rng = &mut Random::new(seed, placement, index, op::SEVERAL);
        let crowding = if placement == PLACEMENTS { 1.0 } else { 1.6 };
        let scene = draw(&kinds, crowding, rng);
        if placement == PLACEMENTS || shows(&scene, &kinds) {
            let noise = rng.word();
            let light = Light::random(rng, noise);
            return (scene, light);
        }
        placement += 1;
    }
}

/// Whether each kind is visible.
fn shows(scene: &Drawing, kinds: &[usize]) -> bool {
    let labels = scene.labels(RASTER, RASTER);
    kinds.iter().all(|&kind| labels.iter().filter(|&&l| l == objects()[kind].label as u8).count() >= VISIBLE)
}

/// A backdrop with one object per column, one of each kind, the farthest first. `crowding` is the width available to an
/// object over the width of its column.
fn draw(kinds: &[usize], crowding: f32, rng: &mut Random) -> Drawing {
    let stage = Stage { aspect: 1.0, horizon: rng.range(0.42, 0.7) };
    let mut scene = Drawing::new(None);
    background::backdrop(&mut scene, stage, rng);
    for _ in 0..rng.below(2) {
        let at = (rng.range(0.05, 0.95), stage.horizon + rng.range(0.0, 0.1));
        background::clutter(&mut scene, at, rng.range(0.05, 0.12), rng);
    }
    let mut order: Vec<&Object> = kinds.iter().map(|&kind| &objects()[kind]).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last + 1));
    }
    let column = stage.aspect / order.len() as f32;
    let mut placed: Vec<(f32, Drawing, Transform)> = Vec::new();
    for (place, object) in order.into_iter().enumerate() {
        let drawing = object.draw(rng);
        let middle = column * (place as f32 + 0.5 + rng.range(-0.1, 0.1) * (crowding - 1.0));
        let ground = rng.range(stage.horizon + 0.08, 0.98);
        let transform = placing(&drawing, (middle, ground), (crowding * column).min(stage.aspect), rng);
        placed.push((ground, drawing, transform));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed.into_iter().for_each(|(_, drawing, transform)| scene.place(drawing, transform));
    scene
}

/// Places an object with its middle and feet at a point, within a width.
fn placing(object: &Drawing, (middle, ground): (f32, f32), room: f32, rng: &mut Random) -> Transform {
    let [left, low, right, high] = object.bounds();
    let (width, height) = ((right - left).max(1e-3), (high - low).max(1e-3));
    let scale = rng.range(0.8, 1.0) * (room / width).min((ground - 0.02) * 0.9 / height);
    let mirror = if rng.chance(0.5) { -1.0 } else { 1.0 };
    let half = width * scale / 2.0;
    // The frame cuts off nothing.
    let middle = middle.clamp(half.min(0.5), (1.0 - half).max(0.5));
    Transform::from_translate(-(left + right) / 2.0, 0.0)
        .post_concat(Transform::from_scale(mirror * scale, -scale))
        .post_concat(Transform::from_translate(middle, ground))
}

/// Pictures of one to four kinds of object each, in any number and size.
#[derive(Debug, Clone)]
pub struct SeveralScenes {
    options: SceneOptions,
}

impl SeveralScenes {
    /// Scenes of this seed, number and size.
    pub fn new(options: SceneOptions) -> Self {
        Self { options }
    }

    /// Names of the kinds of object.
    pub fn class_names() -> Arc<[String]> {
        objects().iter().map(|object| object.name.to_owned()).collect()
    }

    /// Kinds of object in scene `index`, ascending.
    pub fn kinds(&self, index: usize) -> Vec<usize> {
        kinds(self.options.seed, index as u64)
    }
}

impl ImageDataset for SeveralScenes {
    fn len(&self) -> usize {
        self.options.count
    }

    fn name(&self, index: usize) -> String {
        format!("scene of several objects #{index} of seed {}", self.options.seed)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let (scene, light) = several_objects(self.options.seed, index as u64);
        let mut picture = scene.colors(self.options.side, self.options.side);
        light.apply(&mut picture);
        Ok(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture fits the labels: each kind is visible, and no other.
    #[test]
    fn scenes_show_their_kinds_and_no_others() {
        let mut numbers = [0; MOST + 1];
        for index in 0..300 {
            let kinds = kinds(11, index);
            assert!(kinds.is_sorted() && (1..=MOST).contains(&kinds.len()), "{kinds:?}");
            numbers[kinds.len()] += 1;
            let (scene, _) = several_objects(11, index);
            let labels = scene.labels(RASTER, RASTER);
            for (kind, object) in objects().iter().enumerate() {
                let seen = labels.iter().filter(|&&label| label == object.label as u8).count();
                let there = kinds.contains(&kind);
                assert_eq!(seen >= VISIBLE, there, "scene {index}: {seen} pixels of {}, kinds {kinds:?}", object.name);
                assert!(there || seen == 0, "scene {index}: {seen} pixels of {}", object.name);
            }
        }
        assert!(
            numbers[1..].iter().all(|&n| (50..=100).contains(&n)),
            "each number of kinds is as likely: {numbers:?}"
        );
    }

    #[test]
    fn scenes_are_functions_of_seed_and_index() {
        let of = |seed, count| SeveralScenes::new(SceneOptions { seed, count, side: 32 });
        let (a, b) = (of(4, 30), of(4, 500));
        assert_eq!(a.image(7).unwrap(), b.image(7).unwrap());
        assert_ne!(a.image(7).unwrap(), of(5, 30).image(7).unwrap());
        assert_ne!(a.image(7).unwrap(), a.image(8).unwrap());
    }
}
