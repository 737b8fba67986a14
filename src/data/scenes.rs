//! Built-in scenes: drawings of street objects, so that training works without data.
//!
//! `objects` lists the ten kinds. Each kind draws itself in meters into a `Drawing`. A scene places drawings in
//! front of a backdrop. `Drawing::colors` and `Drawing::labels` render the same list of shapes as a picture and as
//! exact pixel labels. A scene is a function of its seed and index; at another size it is the same scene, sampled more
//! finely. `street` makes whole streets.

mod background;
mod canvas;
mod furniture;
mod light;
mod nature;
mod options;
mod several;
mod street;
mod vehicles;

use image::RgbImage;
use tiny_skia::Transform;

use super::{ClassificationDataset, DataError};
use crate::random::{Random, op, word};
use background::Stage;
use canvas::Drawing;
use light::Light;
pub use options::{SceneOptions, StreetOptions};
pub use several::SeveralScenes;
pub use street::{StreetDataset, street_classes};

/// The kind of a shape: the value of its pixels in a label picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Label {
    /// Nothing drawn.
    Void = 0,
    Sky,
    Hill,
    Building,
    Road,
    Sidewalk,
    Grass,
    /// Things of no other kind.
    Clutter,
    Bench,
    Bicycle,
    Bus,
    Car,
    House,
    Person,
    StreetLight,
    TrafficLight,
    TrafficSign,
    Tree,
    Cloud,
    Window,
    /// Paint on a road.
    Marking,
}

/// A kind of object: draws one, with its front to the right, varied by the random numbers.
#[derive(Clone, Copy)]
struct Object {
    /// Name of the class.
    pub name: &'static str,
    /// Label of its pixels.
    pub label: Label,
    draw: fn(&mut Drawing, &mut Random),
}

impl Object {
    /// A drawing of one object in its own coordinates: meters, y upward, standing on the origin.
    fn draw(&self, rng: &mut Random) -> Drawing {
        let mut drawing = Drawing::new(Some(self.label));
        (self.draw)(&mut drawing, rng);
        drawing
    }
}

/// The kinds of object, sorted by name: a class is an index into them.
fn objects() -> &'static [Object] {
    const fn object(name: &'static str, label: Label, draw: fn(&mut Drawing, &mut Random)) -> Object {
        Object { name, label, draw }
    }
    const OBJECTS: [Object; 10] = [
        object("bench", Label::Bench, furniture::bench),
        object("bicycle", Label::Bicycle, vehicles::bicycle),
        object("bus", Label::Bus, vehicles::bus),
        object("car", Label::Car, vehicles::car),
        object("house", Label::House, nature::house),
        object("person", Label::Person, nature::person),
        object("street light", Label::StreetLight, furniture::street_light),
        object("traffic light", Label::TrafficLight, furniture::traffic_light),
        object("traffic sign", Label::TrafficSign, furniture::traffic_sign),
        object("tree", Label::Tree, nature::tree),
    ];
    &OBJECTS
}

/// A scene with one object of class `class` (an index into [`objects`], modulo its length), and its light.
fn single_object(class: usize, seed: u64, index: u64) -> (Drawing, Light) {
    let rng = &mut Random::new(seed, 0, index, op::SCENE);
    let stage = Stage { aspect: 1.0, horizon: rng.range(0.42, 0.78) };
    let mut scene = Drawing::new(None);
    background::backdrop(&mut scene, stage, rng);
    for _ in 0..rng.below(3) {
        let at = (rng.range(0.05, 0.95), stage.horizon + rng.range(0.0, 0.1));
        background::clutter(&mut scene, at, rng.range(0.05, 0.14), rng);
    }
    let object = objects()[class % objects().len()].draw(rng);
    let placing = placing(&object, stage, rng);
    scene.place(object, placing);
    if rng.chance(0.3) {
        let at = (rng.range(0.05, 0.95), rng.range(0.95, 1.05));
        background::clutter(&mut scene, at, rng.range(0.08, 0.16), rng);
    }
    let light = Light::random(rng, word(seed, 0, index, op::SCENE_NOISE));
    (scene, light)
}

/// Position, size, direction and camera of the object.
fn placing(object: &Drawing, stage: Stage, rng: &mut Random) -> Transform {
    let [left, low, right, high] = object.bounds();
    let (width, height) = ((right - left).max(1e-3), (high - low).max(1e-3));
    let size = rng.range(0.64, 0.96);
    let scale = size * (stage.aspect / width).min(1.0 / height);
    // Slight foreshortening: the side is seen a little from the front or the back.
    let squeeze = rng.range(0.86, 1.06);
    let mirror = if rng.chance(0.5) { -1.0 } else { 1.0 };
    let tall = height * scale;
    let room = (stage.aspect - width * scale).max(0.0) / 2.0;
    // The frame cuts off at most a sixth of the object.
    let x = stage.aspect / 2.0 + rng.range(-1.0, 1.0) * (room + (width * scale / 6.0).min(0.05));
    // The feet are on the ground if the frame allows it, else low enough to show the top.
    let ground = rng.range(stage.horizon + 0.03, 0.97).max(tall + 0.01).min(1.02);
    let tilt = rng.range(-5.0, 5.0);
    Transform::from_translate(-(left + right) / 2.0, 0.0)
        .post_concat(Transform::from_scale(mirror * scale * squeeze, -scale))
        .post_concat(Transform::from_rotate(tilt))
        .post_concat(Transform::from_translate(x, ground))
}

/// Pictures of single objects, ten balanced classes, in any number and size.
#[derive(Debug, Clone)]
pub struct SceneDataset {
    options: SceneOptions,
    names: Vec<String>,
}

impl SceneDataset {
    /// Scenes of this seed, number and size.
    pub fn new(options: SceneOptions) -> Self {
        let names = objects().iter().map(|object| object.name.to_string()).collect();
        Self { options, names }
    }

    /// The label of each pixel of scene `index`, by rows (see [`Label`]).
    pub fn pixel_labels(&self, index: usize) -> Vec<u8> {
        let (scene, _) = single_object(self.label(index) as usize, self.options.seed, index as u64);
        scene.labels(self.options.side, self.options.side)
    }
}

impl ClassificationDataset for SceneDataset {
    fn len(&self) -> usize {
        self.options.count
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn label(&self, index: usize) -> u32 {
        (index % objects().len()) as u32
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let (scene, light) = single_object(self.label(index) as usize, self.options.seed, index as u64);
        let mut picture = scene.colors(self.options.side, self.options.side);
        light.apply(&mut picture);
        Ok(picture)
    }

    fn describe(&self, index: usize) -> String {
        format!("scene #{index} of seed {}", self.options.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::canvas::{Color, Fill};
    use super::*;

    #[test]
    fn kinds_are_sorted_and_stand_on_the_ground() {
        assert!(objects().is_sorted_by_key(|object| object.name));
        for object in objects() {
            for index in 0..50 {
                let drawing = object.draw(&mut Random::new(1, 0, index, op::SCENE));
                let [left, low, right, high] = drawing.bounds();
                assert!(low.abs() < 0.06, "{} hovers at {low}", object.name);
                assert!((0.3..=14.0).contains(&(right - left)), "{}: {left} to {right} m", object.name);
                assert!((0.4..=8.0).contains(&high), "{}: {high} m high", object.name);
            }
        }
    }

    #[test]
    fn scenes_are_functions_of_seed_and_index() {
        let of = |seed, count, side| SceneDataset::new(SceneOptions { seed, count, side });
        let (a, b) = (of(4, 30, 32), of(4, 500, 32));
        for index in [0, 7, 29] {
            assert_eq!(a.image(index).unwrap(), b.image(index).unwrap());
        }
        assert_ne!(a.image(3).unwrap(), a.image(13).unwrap(), "same class, another index");
        assert_ne!(a.image(3).unwrap(), of(5, 30, 32).image(3).unwrap());
        // The same scene at another size.
        let large = image::imageops::thumbnail(&of(4, 30, 256).image(3).unwrap(), 32, 32);
        let small = a.image(3).unwrap();
        let apart: i32 = large.iter().zip(small.iter()).map(|(&a, &b)| (i32::from(a) - i32::from(b)).abs()).sum();
        assert!(apart < 12 * 32 * 32 * 3, "mean difference {}", apart / (32 * 32 * 3));
    }

    /// Painted in one color per label, the anti-aliased picture shows at every pixel off the edges the label of the
    /// label picture.
    #[test]
    fn labels_agree_with_colors() {
        for class in 0..objects().len() {
            let (mut scene, _) = single_object(class, 8, class as u64);
            scene.shapes.retain(|shape| shape.label.is_some());
            for shape in &mut scene.shapes {
                let id = shape.label.map_or(0, |label| label as u8);
                shape.fill = Fill::Solid(Color::rgb(f32::from(id) / 255.0, 1.0 - f32::from(id) / 255.0, 0.0));
            }
            let (size, at) = (256usize, |x: usize, y: usize| y * 256 + x);
            let labels = scene.labels(256, 256);
            let colors = scene.colors(256, 256);
            let (mut inside, mut differing) = (0, 0);
            for (y, x) in (1..size - 1).flat_map(|y| (1..size - 1).map(move |x| (y, x))) {
                let id = labels[at(x, y)];
                let around = |y: usize| labels[at(x - 1, y)..=at(x + 1, y)].iter();
                if (y - 1..=y + 1).flat_map(around).all(|&other| other == id) {
                    let [red, green, _] = colors.get_pixel(x as u32, y as u32).0;
                    inside += 1;
                    differing += usize::from((red, green) != (id, 255 - id));
                }
            }
            let name = objects()[class].name;
            assert!(inside > labels.len() / 2, "{name}: {inside} pixels");
            // Gaps and lines thinner than a pixel blend without covering a pixel's center.
            assert!(differing * 200 <= inside, "{name}: {differing} of {inside} pixels");
            assert!(labels.contains(&(objects()[class].label as u8)));
            assert!(!labels.contains(&(Label::Void as u8)), "the backdrop covers the frame");
        }
    }
}
