//! Whole street scenes in perspective, with a class for every pixel.
//!
//! Colors follow from the scene: trees have the color of the season, the sky that of the weather, roads are grey with
//! white markings. They can be learned from lightness, except for cars and clothes, whose colors are free.

mod buildings;
mod camera;
mod cars;
mod dataset;
mod sky;

use camera::Camera;
pub use dataset::{StreetDataset, street_classes};
use sky::Weather;

use super::canvas::{Color, Drawing};
use super::light::Light;
use super::{Label, furniture, nature};
use crate::random::{Random, op, word};

/// Shape of a street, in meters.
struct Street {
    half_road: f32,
    /// Width of each pavement.
    pavement: f32,
    /// Distance of its end.
    far: f32,
}

/// Things in the street, drawn from the farthest to the nearest.
#[derive(Clone, Copy)]
enum Thing {
    Car { oncoming: bool },
    Tree,
    StreetLight,
    Sign,
    Person,
}

/// The scene of `(seed, index)` in a frame of `aspect` = width / height, and its light.
pub fn street(seed: u64, index: u64, aspect: f32) -> (Drawing, Light) {
    let rng = &mut Random::new(seed, 0, index, op::STREET);
    let weather = Weather::random(rng);
    let street = Street { half_road: rng.range(3.3, 5.9), pavement: rng.range(2.0, 4.2), far: rng.range(60.0, 140.0) };
    let camera = Camera::random(aspect, street.half_road, weather.haze(), rng);
    let season = nature::Season::random(rng);
    let mut scene = Drawing::new(None);
    weather.sky(&mut scene, &camera, rng);
    ground(&mut scene, &camera, &street, rng);
    buildings::end_of_street(&mut scene, &camera, street.far, weather.dusk(), rng);
    // The sun lights one side.
    let (bright, dark) = if weather.sunny() { (rng.range(1.05, 1.2), rng.range(0.6, 0.75)) } else { (0.9, 0.85) };
    let lit = if rng.chance(0.5) { 1.0 } else { -1.0 };
    let front = street.half_road + street.pavement;
    for side in [-1.0, 1.0] {
        let sun = if side == lit { bright } else { dark };
        let far = if rng.chance(0.9) { street.far } else { street.far * 0.4 };
        buildings::row(&mut scene, &camera, (side, front, far), sun, weather.dusk(), rng);
    }
    if weather.sunny() {
        shadow(&mut scene, &camera, &street, -lit, rng);
    }
    things(&mut scene, &camera, &street, (season, weather.dusk()), rng);
    let light = weather.light(rng, word(seed, 0, index, op::STREET_NOISE));
    (scene, light)
}

/// Pavement, road, kerbs and markings.
fn ground(d: &mut Drawing, camera: &Camera, street: &Street, rng: &mut Random) {
    let &Street { half_road: half, far, .. } = street;
    let stone = Color::hsv(rng.range(0.07, 0.14), rng.range(0.03, 0.12), rng.range(0.55, 0.75));
    let tar = Color::hsv(0.6, rng.range(0.0, 0.06), rng.range(0.28, 0.46));
    let horizon = 400.0;
    d.labeled(Some(Label::Sidewalk), |d| {
        camera.ground(d, (-400.0, camera::NEAR), (400.0, horizon), stone);
        for side in [-1.0, 1.0] {
            for joint in 0..14 {
                let z = 2.0 + (joint as f32).powf(1.4);
                let x = side * half;
                camera.ground(d, (x, z), (x + side * street.pavement, z + 0.04), stone.shade(0.82));
            }
        }
    });
    d.labeled(Some(Label::Road), |d| {
        camera.ground(d, (-half, camera::NEAR), (half, far), tar);
        for _ in 0..rng.below(4) {
            let (x, z) = (rng.range(-half, half * 0.6), rng.range(4.0, 22.0));
            camera.ground(
                d,
                (x, z),
                (x + rng.range(0.4, 1.4), z + rng.range(0.6, 4.0)),
                tar.shade(rng.range(0.84, 1.1)),
            );
        }
        for side in [-1.0, 1.0] {
            camera.ground(d, (side * half, camera::NEAR), (side * (half - 0.35), far), tar.shade(0.86));
        }
    });
    d.labeled(Some(Label::Sidewalk), |d| {
        for side in [-1.0, 1.0] {
            camera.ground(d, (side * half, camera::NEAR), (side * (half + 0.22), far), stone.shade(1.18));
        }
    });
    let paint = Color::grey(rng.range(0.82, 0.95));
    d.labeled(Some(Label::Marking), |d| markings(d, camera, street, paint, rng));
}

fn markings(d: &mut Drawing, camera: &Camera, street: &Street, paint: Color, rng: &mut Random) {
    let &Street { half_road: half, far, .. } = street;
    let line = |d: &mut Drawing, x: f32, z0: f32, z1: f32| camera.ground(d, (x - 0.08, z0), (x + 0.08, z1), paint);
    match rng.below(4) {
        0 => line(d, 0.0, camera::NEAR, far),
        1 => [-0.16, 0.16].into_iter().for_each(|x| line(d, x, camera::NEAR, far)),
        _ => {
            let (dash, pitch) = (rng.range(1.8, 3.5), rng.range(4.5, 7.0));
            let start = rng.range(0.0, pitch);
            for number in 0..(far / pitch) as usize {
                let z = camera::NEAR + start + number as f32 * pitch;
                line(d, 0.0, z, z + dash);
            }
        }
    }
    if rng.chance(0.4) {
        [-1.0, 1.0].into_iter().for_each(|side| line(d, side * (half - 0.5), camera::NEAR, far));
    }
    if rng.chance(0.4) {
        let (z, depth) = (rng.range(6.0, 18.0), rng.range(2.2, 3.5));
        let mut x = -half + 0.3;
        while x < half - 0.4 {
            camera.ground(d, (x, z), (x + 0.5, z + depth), paint);
            x += 1.0;
        }
    }
}

/// The shadow of the houses on the side away from the sun. It changes the light and has no label.
fn shadow(d: &mut Drawing, camera: &Camera, street: &Street, side: f32, rng: &mut Random) {
    let edge = side * (street.half_road + street.pavement);
    let reach = edge - side * rng.range(1.5, street.half_road + street.pavement);
    d.labeled(None, |d| {
        let dark = Color::rgb(0.02, 0.03, 0.08).alpha(rng.range(0.25, 0.4));
        camera.ground(d, (edge, camera::NEAR), (reach, street.far), dark);
    });
}

/// Draws everything that stands in the street.
fn things(d: &mut Drawing, camera: &Camera, street: &Street, (season, dusk): (nature::Season, bool), rng: &mut Random) {
    let mut all = place_things(street, rng);
    all.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    for (thing, at) in all {
        let right = at.0 > 0.0;
        let mut object = Drawing::new(None);
        match thing {
            Thing::Car { oncoming } => {
                cars::car(d, camera, at, oncoming, rng);
                continue;
            }
            Thing::Tree => {
                object.label = Some(Label::Tree);
                nature::tree_in(&mut object, season, rng);
            }
            Thing::StreetLight => {
                object.label = Some(Label::StreetLight);
                furniture::street_light_at(&mut object, dusk, rng);
            }
            Thing::Sign => {
                object.label = Some(Label::TrafficSign);
                furniture::traffic_sign(&mut object, rng);
            }
            Thing::Person => {
                object.label = Some(Label::Person);
                nature::person(&mut object, rng);
            }
        }
        // The arms of lights reach over the road. People walk in either direction.
        let mirrored = if matches!(thing, Thing::Person) { rng.chance(0.5) } else { right };
        camera.place(d, object, at, mirrored);
    }
}

/// Things of the street with their positions (X, Z) in meters.
fn place_things(street: &Street, rng: &mut Random) -> Vec<(Thing, (f32, f32))> {
    let &Street { half_road: half, pavement, far } = street;
    let mut all = Vec::new();
    for side in [-1.0f32, 1.0] {
        let kerb = side * (half + 0.55);
        if rng.chance(0.6) {
            let (pitch, start) = (rng.range(7.0, 14.0), rng.range(4.0, 12.0));
            for number in 0..((far - start) / pitch) as usize {
                if rng.chance(0.75) {
                    all.push((Thing::Tree, (kerb + side * 0.4, start + pitch * number as f32)));
                }
            }
        }
        if rng.chance(0.75) {
            let (pitch, start) = (rng.range(16.0, 28.0), rng.range(6.0, 18.0));
            for number in 0..((far.min(70.0) - start) / pitch).max(0.0) as usize + 1 {
                all.push((Thing::StreetLight, (kerb, start + pitch * number as f32)));
            }
        }
        for _ in 0..rng.below(3) {
            all.push((Thing::Sign, (kerb, rng.range(6.0, 32.0))));
        }
        for _ in 0..rng.below(4) {
            all.push((Thing::Person, (side * (half + rng.range(0.6, pavement - 0.3)), rng.range(6.0, 34.0))));
        }
        // The road has room for parked cars beside driving ones.
        if half > 4.4 && rng.chance(0.7) {
            let mut z = rng.range(3.0, 14.0);
            while z < far.min(60.0) {
                if rng.chance(0.7) {
                    all.push((Thing::Car { oncoming: side < 0.0 }, (side * (half - 0.95), z)));
                }
                z += rng.range(5.4, 7.5);
            }
        }
        let mut z = rng.range(8.0, 30.0);
        for _ in 0..rng.below(3) {
            all.push((Thing::Car { oncoming: side < 0.0 }, (side * half * 0.34, z)));
            z += rng.range(7.0, 25.0);
        }
    }
    if rng.chance(0.25) {
        all.push((Thing::Person, (rng.range(-half, half), rng.range(9.0, 25.0))));
    }
    all
}
