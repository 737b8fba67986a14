//! Cars seen along the street: a body and a cabin in perspective, from the front or the back.

use super::camera::{Camera, NEAR, Point};
use crate::data::scenes::Label;
use crate::data::scenes::canvas::{Color, Drawing};
use crate::random::Random;

const TIRE: Color = Color::grey(0.08);

/// Sizes and colors of one car.
struct Car {
    x: f32,
    /// Distance of the end that faces the camera.
    z: f32,
    half: f32,
    length: f32,
    floor: f32,
    waist: f32,
    roof: f32,
    /// Whether its front faces the camera.
    oncoming: bool,
    paint: Color,
    glass: Color,
}

/// A car on the road with its near end at (X, Z). Nothing else in the scene determines its color.
pub fn car(d: &mut Drawing, camera: &Camera, (x, z): (f32, f32), oncoming: bool, rng: &mut Random) {
    let paint = if rng.chance(0.35) {
        Color::grey(rng.pick(&[0.13, 0.35, 0.62, 0.8, 0.93]))
    } else {
        Color::hsv(rng.unit(), rng.range(0.5, 0.95), rng.range(0.4, 0.9))
    };
    let waist = rng.range(0.82, 0.98);
    let van = rng.chance(0.15);
    let car = Car {
        x,
        z,
        half: rng.range(0.82, 0.95),
        length: rng.range(3.7, 4.7),
        floor: rng.range(0.2, 0.28),
        waist,
        roof: waist + if van { rng.range(0.85, 1.05) } else { rng.range(0.48, 0.62) },
        oncoming,
        paint,
        glass: Color::hsv(rng.range(0.52, 0.62), rng.range(0.1, 0.3), rng.range(0.16, 0.4)),
    };
    if z < NEAR + 0.5 {
        return;
    }
    d.labeled(None, |d| {
        let (out, dark) = (car.half + 0.12, Color::grey(0.0).alpha(0.45));
        camera.ground(d, (x - out, z - 0.2), (x + out, z + car.length + 0.2), dark);
    });
    d.labeled(Some(Label::Car), |d| car.draw(d, camera));
}

impl Car {
    fn draw(&self, d: &mut Drawing, camera: &Camera) {
        let &Self { x, half, roof, paint, .. } = self;
        let cabin = self.cabin();
        // The visible side, if the camera does not face the end straight on.
        for side in [-1.0f32, 1.0] {
            if (camera.x - x) * side > half {
                self.side(d, camera, x + side * half, x + side * half * 0.84, cabin);
            }
        }
        let [_, top_near, top_far, _] = cabin;
        let narrow = half * 0.84;
        let lid = [
            (x - narrow, roof, top_near),
            (x + narrow, roof, top_near),
            (x + narrow, roof, top_far),
            (x - narrow, roof, top_far),
        ];
        camera.polygon(d, &lid, paint.shade(1.1));
        self.end(d, camera, cabin);
    }

    /// Distances of the cabin's near foot, near top, far top and far foot.
    fn cabin(&self) -> [f32; 4] {
        let at = |share: f32| self.z + self.length * share;
        if self.oncoming { [at(0.27), at(0.42), at(0.86), at(0.97)] } else { [at(0.03), at(0.14), at(0.58), at(0.73)] }
    }

    fn side(
        &self,
        d: &mut Drawing,
        camera: &Camera,
        x: f32,
        top_x: f32,
        [near_foot, near_top, far_top, far_foot]: [f32; 4],
    ) {
        let &Self { z, length, floor, waist, roof, paint, glass, .. } = self;
        let end = z + length;
        let shade = paint.shade(0.78);
        camera.polygon(d, &[(x, floor, z), (x, floor, end), (x, waist + 0.05, end), (x, waist + 0.05, z)], shade);
        camera.polygon(
            d,
            &[(x, waist, near_foot), (x, waist, far_foot), (top_x, roof, far_top), (top_x, roof, near_top)],
            shade,
        );
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let pane = |t: f32, z: f32| (mix(x, top_x, t), mix(waist, roof, t), z);
        let pillar = mix(near_top, far_top, 0.5);
        for (low, high) in [
            ((near_foot, near_top), (pillar - 0.06, pillar - 0.06)),
            ((pillar + 0.06, pillar + 0.06), (far_foot, far_top)),
        ] {
            let inset = 0.14;
            let near = if low.0 == pillar + 0.06 { 0.0 } else { inset };
            let corners = [
                pane(0.08, low.0 + near),
                pane(0.08, high.0 - (inset - near)),
                pane(0.86, high.1 - (inset - near) * 0.7),
                pane(0.86, low.1 + near * 0.7),
            ];
            camera.polygon(d, &corners, glass);
        }
        for wheel in [z + length * 0.18, z + length * 0.81] {
            let rim = |radius: f32| -> Vec<Point> {
                let corner = |i: usize| {
                    let angle = i as f32 / 14.0 * std::f32::consts::TAU;
                    (x, 0.31 + radius * angle.sin(), wheel + radius * angle.cos())
                };
                (0..14).map(corner).collect()
            };
            camera.polygon(d, &rim(0.37), paint.shade(0.25));
            camera.polygon(d, &rim(0.31), TIRE);
            camera.polygon(d, &rim(0.18), Color::grey(0.55));
        }
    }

    /// The front or the back.
    fn end(&self, d: &mut Drawing, camera: &Camera, [near_foot, near_top, ..]: [f32; 4]) {
        let &Self { x, z, half, floor, waist, roof, oncoming, paint, glass, .. } = self;
        let rect = |d: &mut Drawing, (x0, y0): (f32, f32), (x1, y1): (f32, f32), color: Color| {
            camera.polygon(d, &[(x + x0, y0, z), (x + x1, y0, z), (x + x1, y1, z), (x + x0, y1, z)], color);
        };
        for tire in [-half + 0.03, half - 0.27] {
            rect(d, (tire, 0.0), (tire + 0.24, floor + 0.12), TIRE);
        }
        // Bonnet or boot, then the cabin behind it.
        let lid = [
            (x - half, waist, z),
            (x + half, waist, z),
            (x + half, waist + 0.04, near_foot),
            (x - half, waist + 0.04, near_foot),
        ];
        camera.polygon(d, &lid, paint.shade(1.15));
        let narrow = half * 0.84;
        let cabin = |inset: f32, low: f32, high: f32| {
            let (foot, top) = (half - inset, narrow - inset);
            [
                (x - foot, low, near_foot),
                (x + foot, low, near_foot),
                (x + top, high, near_top),
                (x - top, high, near_top),
            ]
        };
        camera.polygon(d, &cabin(0.0, waist, roof), paint.shade(0.95));
        camera.polygon(d, &cabin(0.11, waist + 0.06, roof - 0.08), glass.shade(1.15));
        rect(d, (-half, floor), (half, waist), paint);
        rect(d, (-half, floor), (half, floor + 0.2), Color::grey(0.14));
        let lamp = if oncoming { Color::rgb(0.98, 0.96, 0.85) } else { Color::rgb(0.75, 0.06, 0.05) };
        for edge in [-half + 0.05, half - 0.37] {
            rect(d, (edge, waist - 0.3), (edge + 0.32, waist - 0.13), lamp);
        }
        if oncoming {
            rect(d, (-half * 0.5, waist - 0.34), (half * 0.5, waist - 0.14), Color::grey(0.12));
        }
        rect(d, (-0.26, floor + 0.22), (0.26, floor + 0.34), Color::grey(0.9));
    }
}
