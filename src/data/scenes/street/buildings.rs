//! Rows of houses along the street. Windows and walls have different labels.

use super::camera::{Camera, NEAR, Point};
use crate::data::scenes::Label;
use crate::data::scenes::canvas::{Color, Drawing};
use crate::random::Random;

/// A wall as a rectangle in space: `at(u, v)` with u along it and v upward, both in meters.
struct Wall<'a> {
    camera: &'a Camera,
    origin: Point,
    /// Direction of u in X and Z.
    along: (f32, f32),
    length: f32,
    height: f32,
}

impl Wall<'_> {
    fn at(&self, u: f32, v: f32) -> Point {
        (self.origin.0 + self.along.0 * u, self.origin.1 + v, self.origin.2 + self.along.1 * u)
    }

    fn rect(&self, d: &mut Drawing, (u0, v0): (f32, f32), (u1, v1): (f32, f32), color: Color) {
        // The part behind the camera is cut off.
        let cut = |u: f32| if self.along.1 > 0.0 { u.max(NEAR - self.origin.2) } else { u };
        let (u0, u1) = (cut(u0), cut(u1));
        if u1 > u0 {
            self.camera.polygon(d, &[self.at(u0, v0), self.at(u1, v0), self.at(u1, v1), self.at(u0, v1)], color);
        }
    }
}

/// The style of a house: its colors, windows and storeys.
#[derive(Clone, Copy)]
struct Style {
    wall: Color,
    frame: Color,
    pane: Color,
    /// Share of lit windows.
    lit: f32,
    storey: f32,
    /// Distance between windows.
    pitch: f32,
    width: f32,
    tall: f32,
    shop: bool,
}

impl Style {
    fn random(dusk: bool, rng: &mut Random) -> Self {
        let wall = match rng.below(6) {
            0 | 1 => Color::hsv(rng.range(0.01, 0.06), rng.range(0.35, 0.6), rng.range(0.4, 0.65)),
            2 => Color::hsv(rng.range(0.09, 0.15), rng.range(0.2, 0.45), rng.range(0.7, 0.92)),
            3 => Color::hsv(rng.range(0.05, 0.12), rng.range(0.1, 0.25), rng.range(0.55, 0.8)),
            4 => Color::hsv(rng.range(0.5, 0.62), rng.range(0.05, 0.15), rng.range(0.5, 0.75)),
            _ => Color::grey(rng.range(0.55, 0.9)),
        };
        let pitch = rng.range(2.0, 3.4);
        Self {
            wall,
            frame: if rng.chance(0.7) { Color::grey(rng.range(0.8, 0.95)) } else { wall.shade(0.55) },
            pane: Color::hsv(rng.range(0.55, 0.62), rng.range(0.15, 0.35), rng.range(0.2, 0.5)),
            lit: if dusk { 0.45 } else { 0.04 },
            storey: rng.range(2.8, 3.5),
            pitch,
            width: pitch * rng.range(0.36, 0.58),
            tall: rng.range(1.3, 1.9),
            shop: rng.chance(0.3),
        }
    }

    fn pane_color(&self, rng: &mut Random) -> Color {
        if rng.chance(self.lit) { Color::rgb(1.0, 0.85, 0.5) } else { self.pane.shade(rng.range(0.75, 1.25)) }
    }
}

/// Draws a row of houses at `side` (-1 left, 1 right) whose front is `front` meters from the road's
/// middle, from `far` meters away to behind the camera. `sun` is the brightness of its front.
pub fn row(
    d: &mut Drawing,
    camera: &Camera,
    (side, front, far): (f32, f32, f32),
    sun: f32,
    dusk: bool,
    rng: &mut Random,
) {
    let mut houses = Vec::new();
    let mut z = -6.0f32;
    let general = rng.range(0.75, 1.4);
    while z < far {
        let length = rng.range(8.0, 17.0);
        houses.push((z, length, front + rng.range(0.0, 0.9)));
        z += length + if rng.chance(0.28) { rng.range(2.5, 9.0) } else { 0.0 };
    }
    for (near, length, front) in houses.into_iter().rev() {
        let style = Style::random(dusk, rng);
        let storeys = ((2 + rng.below(4)) as f32 * general).round().clamp(1.0, 7.0);
        house(d, camera, (side * front, near, length), side, storeys, style, sun, rng);
    }
}

#[expect(clippy::too_many_arguments, reason = "one house, called from one place")]
fn house(
    d: &mut Drawing,
    camera: &Camera,
    (x, near, length): (f32, f32, f32),
    side: f32,
    storeys: f32,
    style: Style,
    sun: f32,
    rng: &mut Random,
) {
    let height = storeys * style.storey + 0.6;
    let depth = 11.0;
    // The side that faces the camera, seen through a gap in the row.
    let end = Wall { camera, origin: (x, 0.0, near), along: (side, 0.0), length: depth, height };
    let roof_color = match rng.below(3) {
        0 => Color::hsv(rng.range(0.0, 0.05), rng.range(0.4, 0.65), rng.range(0.35, 0.5)),
        _ => Color::grey(rng.range(0.2, 0.4)),
    };
    let pitched = rng.chance(0.55) && storeys < 5.0;
    d.labeled(Some(Label::Building), |d| {
        if pitched {
            let (ridge, z0, z1) = (x + side * depth / 2.0, near.max(NEAR), (near + length).max(NEAR));
            let top = height + rng.range(2.2, 3.6);
            let corners =
                [(x - side * 0.3, height, z0), (x - side * 0.3, height, z1), (ridge, top, z1), (ridge, top, z0)];
            camera.polygon(d, &corners, roof_color);
            if near > NEAR {
                camera.polygon(
                    d,
                    &[(x, height, near), (x + side * depth, height, near), (ridge, top, near)],
                    style.wall.shade(0.8),
                );
            }
        }
    });
    if near > NEAR {
        face(d, &end, style, 0.8 * sun.min(1.0), (false, 0.5), rng);
    }
    let front = Wall { camera, origin: (x, 0.0, near), along: (0.0, 1.0), length, height };
    if near + length > NEAR {
        face(d, &front, style, sun, (true, 1.0), rng);
        if !pitched {
            let cornice = style.wall.shade(0.7 * sun);
            d.labeled(Some(Label::Building), |d| front.rect(d, (0.0, height - 0.35), (length, height), cornice));
        }
    }
}

/// A wall with its base, windows, and a door or shop fronts on the street's side.
fn face(d: &mut Drawing, wall: &Wall<'_>, style: Style, sun: f32, (street, share): (bool, f32), rng: &mut Random) {
    d.labeled(Some(Label::Building), |d| {
        wall.rect(d, (0.0, 0.0), (wall.length, wall.height), style.wall.shade(sun));
        wall.rect(d, (0.0, 0.0), (wall.length, 0.5), style.wall.shade(0.6 * sun));
    });
    // At this distance windows are finer than a pixel.
    if wall.origin.2 > 75.0 {
        return;
    }
    let columns = ((wall.length - 0.8) * share / style.pitch).floor().max(1.0) as usize;
    let margin = (wall.length - columns as f32 * style.pitch) / 2.0;
    let door = rng.below(columns);
    let storeys = (wall.height / style.storey).floor() as usize;
    for storey in 0..storeys {
        for column in 0..columns {
            let u = margin + style.pitch * (column as f32 + 0.5);
            if street && storey == 0 && column == door {
                let color = Color::hsv(rng.unit(), rng.range(0.2, 0.7), rng.range(0.2, 0.5));
                d.labeled(Some(Label::Building), |d| {
                    wall.rect(d, (u - 0.65, 0.0), (u + 0.65, 2.35), style.frame.shade(sun));
                    wall.rect(d, (u - 0.52, 0.0), (u + 0.52, 2.2), color.shade(sun));
                });
                continue;
            }
            let shop = street && style.shop && storey == 0;
            let (half, low, tall) = if shop {
                (style.pitch * 0.44, 0.5, style.storey - 1.1)
            } else {
                (style.width / 2.0, style.storey * storey as f32 + 1.0, style.tall.min(style.storey - 1.2))
            };
            window(d, wall, (u, low, half, tall), style, sun, rng);
        }
    }
    if street && style.shop {
        let board = Color::hsv(rng.unit(), rng.range(0.4, 0.8), rng.range(0.3, 0.75)).shade(sun);
        let over = style.storey - 0.5;
        d.labeled(Some(Label::Building), |d| wall.rect(d, (0.3, over), (wall.length - 0.3, over + 0.55), board));
    }
}

fn window(
    d: &mut Drawing,
    wall: &Wall<'_>,
    (u, low, half, tall): (f32, f32, f32, f32),
    style: Style,
    sun: f32,
    rng: &mut Random,
) {
    let frame = style.frame.shade(sun);
    let pane = style.pane_color(rng);
    d.labeled(Some(Label::Window), |d| {
        wall.rect(d, (u - half - 0.08, low - 0.08), (u + half + 0.08, low + tall + 0.08), frame);
        wall.rect(d, (u - half, low), (u + half, low + tall), pane);
        wall.rect(d, (u - 0.035, low), (u + 0.035, low + tall), frame);
    });
    d.labeled(Some(Label::Building), |d| {
        wall.rect(d, (u - half - 0.15, low - 0.2), (u + half + 0.15, low - 0.08), frame.shade(0.85));
    });
}

/// The far end of the street: a house across it, or a low skyline.
pub fn end_of_street(d: &mut Drawing, camera: &Camera, far: f32, dusk: bool, rng: &mut Random) {
    if rng.chance(0.4) {
        let style = Style::random(dusk, rng);
        let height = rng.range(6.0, 15.0);
        let wall = Wall { camera, origin: (-30.0, 0.0, far), along: (1.0, 0.0), length: 60.0, height };
        face(d, &wall, style, 0.9, (false, 0.9), rng);
        return;
    }
    let mut x = -220.0f32;
    d.labeled(Some(Label::Building), |d| {
        while x < 220.0 {
            let width = rng.range(14.0, 45.0);
            let top = rng.range(6.0, 34.0);
            let color = Color::hsv(rng.range(0.5, 0.65), rng.range(0.05, 0.15), rng.range(0.4, 0.6));
            camera.polygon(
                d,
                &[(x, 0.0, 300.0), (x + width, 0.0, 300.0), (x + width, top, 300.0), (x, top, 300.0)],
                color,
            );
            x += width + rng.pick(&[0.0, 0.0, 12.0]);
        }
    });
}
