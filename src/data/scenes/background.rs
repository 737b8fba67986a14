//! Backdrops of scenes, and clutter beside the objects.
//!
//! Coordinates are those of the frame: y downward, 1 is the height of the picture.

use tiny_skia::Transform;

use super::Label;
use super::canvas::{Color, Drawing, Fill};
use crate::random::Random;

/// Proportions of the frame, and its horizon.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// Width of the picture over its height.
    pub aspect: f32,
    /// Distance of the ground's far edge from the top.
    pub horizon: f32,
}

/// A street, a wall, a park, a square or haze.
pub fn backdrop(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    match rng.below(5) {
        0 | 1 => {
            sky(d, stage, rng);
            if rng.chance(0.7) {
                skyline(d, stage, rng);
            }
            street(d, stage, rng);
        }
        2 => {
            wall(d, stage, rng);
            pavement(d, stage, rng);
        }
        3 => {
            sky(d, stage, rng);
            hills(d, stage, rng);
            grass(d, stage, rng);
        }
        _ => {
            sky(d, stage, rng);
            if rng.chance(0.5) {
                hills(d, stage, rng);
            }
            pavement(d, stage, rng);
        }
    }
}

/// A band of one label across the whole frame.
fn band(d: &mut Drawing, stage: Stage, (top, bottom): (f32, f32), label: Label, colors: [Color; 2]) {
    let fill = Fill::Gradient([(0.0, top), (0.0, bottom)], colors);
    d.labeled(Some(label), |d| d.rect((-0.1, top), (stage.aspect + 0.1, bottom), fill));
}

fn sky(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let (high, low) = match rng.below(5) {
        0 => {
            let grey = rng.range(0.5, 0.85);
            (Color::grey(grey), Color::grey(grey * 1.1))
        }
        1 => (Color::hsv(rng.range(0.6, 0.75), 0.4, 0.5), Color::hsv(rng.range(0.03, 0.11), 0.5, 0.95)),
        2 => (Color::hsv(0.64, 0.6, rng.range(0.15, 0.3)), Color::hsv(0.62, 0.4, rng.range(0.3, 0.5))),
        _ => (
            Color::hsv(rng.range(0.54, 0.62), rng.range(0.35, 0.7), rng.range(0.7, 0.95)),
            Color::hsv(0.56, rng.range(0.05, 0.25), 0.97),
        ),
    };
    band(d, stage, (-0.1, stage.horizon + 0.02), Label::Sky, [high, low]);
    d.labeled(Some(Label::Sky), |d| {
        for _ in 0..rng.below(4) {
            let at = (rng.range(0.0, stage.aspect), rng.range(0.02, stage.horizon * 0.7));
            let size = rng.range(0.03, 0.08);
            let white = Color::grey(0.97).alpha(rng.range(0.3, 0.75));
            for puff in [-1.2, 0.0, 1.1] {
                d.ellipse(
                    (at.0 + puff * size, at.1 - (1.0 - puff * puff * 0.5) * size * 0.4),
                    size * 1.3,
                    size * 0.7,
                    white,
                );
            }
        }
    });
}

fn skyline(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let tone = Color::hsv(rng.range(0.5, 0.7), rng.range(0.05, 0.25), rng.range(0.35, 0.8));
    d.labeled(Some(Label::Building), |d| {
        let mut x = -0.05;
        while x < stage.aspect {
            let (width, top) = (rng.range(0.1, 0.28), stage.horizon - rng.range(0.08, 0.42));
            let color = tone.shade(rng.range(0.75, 1.15));
            d.rect((x, top), (x + width, stage.horizon + 0.02), color);
            let rows = ((stage.horizon - top) / 0.07) as usize;
            if rng.chance(0.7) {
                for cell in 0..rows * 3 {
                    let at = (x + width * (0.14 + 0.28 * (cell % 3) as f32), top + 0.025 + 0.07 * (cell / 3) as f32);
                    d.rect(at, (at.0 + width * 0.16, at.1 + 0.032), color.shade(rng.pick(&[0.7, 0.7, 1.3])));
                }
            }
            x += width + rng.pick(&[0.0, 0.0, 0.04]);
        }
    });
}

fn street(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let kerb = stage.horizon + rng.range(0.02, 0.1);
    let stone = Color::grey(rng.range(0.5, 0.75));
    band(d, stage, (stage.horizon, kerb), Label::Sidewalk, [stone, stone.shade(1.08)]);
    let tar = Color::hsv(0.6, rng.range(0.0, 0.1), rng.range(0.22, 0.5));
    band(d, stage, (kerb, 1.1), Label::Road, [tar, tar.shade(0.82)]);
    d.labeled(Some(Label::Sidewalk), |d| {
        d.rect((-0.1, kerb - 0.008), (stage.aspect + 0.1, kerb + 0.006), stone.shade(1.25));
    });
    if rng.chance(0.7) {
        let y = rng.range(kerb + 0.08, 1.0);
        let offset = rng.range(-0.3, 0.0);
        d.labeled(Some(Label::Road), |d| {
            for dash in 0..(stage.aspect * 3.0) as usize + 2 {
                let x = offset + dash as f32 * 0.36;
                d.rect((x, y), (x + 0.2, y + 0.018), Color::grey(0.88));
            }
        });
    }
}

fn wall(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let base = match rng.below(3) {
        0 => Color::hsv(rng.range(0.0, 0.08), rng.range(0.35, 0.65), rng.range(0.4, 0.7)),
        1 => Color::hsv(rng.unit(), rng.range(0.05, 0.4), rng.range(0.5, 0.9)),
        _ => Color::grey(rng.range(0.35, 0.85)),
    };
    band(d, stage, (-0.1, stage.horizon + 0.02), Label::Building, [base.shade(1.05), base.shade(0.9)]);
    d.labeled(Some(Label::Building), |d| match rng.below(3) {
        0 => bricks(d, stage, base, rng),
        1 => {
            let step = rng.range(0.08, 0.16);
            for plank in 0..(stage.aspect / step) as usize + 1 {
                let x = plank as f32 * step;
                d.rect((x, -0.1), (x + 0.008, stage.horizon), base.shade(0.75));
            }
        }
        _ => {
            for _ in 0..rng.below(4) {
                let (x, y) = (rng.range(0.0, stage.aspect), rng.range(0.0, stage.horizon - 0.1));
                let poster = Color::hsv(rng.unit(), rng.range(0.1, 0.7), rng.range(0.3, 0.9));
                d.rect((x, y), (x + rng.range(0.08, 0.25), y + rng.range(0.08, 0.25)), poster);
            }
        }
    });
}

fn bricks(d: &mut Drawing, stage: Stage, base: Color, rng: &mut Random) {
    let height = rng.range(0.05, 0.09);
    let width = height * 2.2;
    let mortar = base.shade(rng.pick(&[0.75, 1.2]));
    for row in 0..(stage.horizon / height) as usize + 1 {
        let y = row as f32 * height;
        d.rect((-0.1, y), (stage.aspect + 0.1, y + 0.007), mortar);
        let offset = if row % 2 == 0 { 0.0 } else { width / 2.0 };
        for column in 0..(stage.aspect / width) as usize + 2 {
            let x = column as f32 * width - offset;
            let below = (y + height).min(stage.horizon);
            d.rect((x, y), (x + 0.007, below), mortar);
        }
    }
}

fn pavement(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let stone = Color::hsv(rng.range(0.05, 0.6), rng.range(0.0, 0.2), rng.range(0.4, 0.85));
    band(d, stage, (stage.horizon, 1.1), Label::Sidewalk, [stone.shade(1.05), stone.shade(0.85)]);
    if rng.chance(0.6) {
        let (vanishing, joint) = ((stage.aspect * rng.range(0.3, 0.7), stage.horizon - 0.35), stone.shade(0.8));
        d.labeled(Some(Label::Sidewalk), |d| {
            for row in 1..5 {
                let y = stage.horizon + (1.0 - stage.horizon) * (row as f32 / 5.0).powi(2);
                d.rect((-0.1, y), (stage.aspect + 0.1, y + 0.006), joint);
            }
            for column in -3..8 {
                let foot = stage.aspect * (column as f32 / 4.0);
                let t = (stage.horizon - vanishing.1) / (1.1 - vanishing.1);
                let start = vanishing.0 + (foot - vanishing.0) * t;
                d.line(&[(start, stage.horizon + 0.005), (foot, 1.1)], 0.006, joint);
            }
        });
    }
}

fn hills(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let base = Color::hsv(rng.range(0.25, 0.6), rng.range(0.1, 0.4), rng.range(0.45, 0.75));
    d.labeled(Some(Label::Hill), |d| {
        for row in 0..2 {
            for _ in 0..3 {
                let x = rng.range(-0.2, stage.aspect + 0.2);
                let height = rng.range(0.06, 0.2) / (1 + row) as f32;
                // Flat, so that no hill reaches below the ground, which is drawn next.
                d.ellipse((x, stage.horizon), rng.range(0.25, 0.6), height, base.shade(1.1 - 0.2 * row as f32));
            }
        }
    });
}

fn grass(d: &mut Drawing, stage: Stage, rng: &mut Random) {
    let green = Color::hsv(rng.range(0.17, 0.36), rng.range(0.3, 0.7), rng.range(0.35, 0.7));
    band(d, stage, (stage.horizon, 1.1), Label::Grass, [green.shade(1.1), green.shade(0.8)]);
    d.labeled(Some(Label::Grass), |d| {
        for _ in 0..rng.below(14) {
            let (x, y) = (rng.range(0.0, stage.aspect), rng.range(stage.horizon + 0.03, 1.0));
            let (dx, tone) = (rng.range(-0.02, 0.02), rng.range(0.7, 1.25));
            d.line(&[(x, y), (x + dx, y - 0.03)], 0.008, green.shade(tone));
        }
    });
    if rng.chance(0.4) {
        let path = Color::hsv(0.1, 0.25, rng.range(0.6, 0.85));
        let (top, foot) = (rng.range(0.2, 0.8) * stage.aspect, rng.range(0.1, 0.9) * stage.aspect);
        d.labeled(Some(Label::Sidewalk), |d| {
            d.polygon(
                &[(top - 0.03, stage.horizon), (top + 0.03, stage.horizon), (foot + 0.2, 1.1), (foot - 0.2, 1.1)],
                path,
            );
        });
    }
}

/// One thing that belongs to no class, on the ground at `at`, `size` frame heights high.
pub fn clutter(d: &mut Drawing, at: (f32, f32), size: f32, rng: &mut Random) {
    let mut thing = Drawing::new(Some(Label::Clutter));
    match rng.below(6) {
        0 => crate_box(&mut thing, rng),
        1 => cone(&mut thing),
        2 => barrel(&mut thing, rng),
        3 => stone(&mut thing, rng),
        4 => ball(&mut thing, rng),
        _ => flower_pot(&mut thing, rng),
    }
    d.place(thing, Transform::from_row(size, 0.0, 0.0, -size, at.0, at.1));
}

fn crate_box(d: &mut Drawing, rng: &mut Random) {
    let wood = Color::hsv(rng.range(0.06, 0.12), rng.range(0.3, 0.6), rng.range(0.45, 0.75));
    d.rect((-0.5, 0.0), (0.5, 0.9), wood);
    d.line(&[(-0.44, 0.06), (0.44, 0.84)], 0.1, wood.shade(0.75));
    for (a, b) in [
        ((-0.45, 0.05), (0.45, 0.05)),
        ((-0.45, 0.85), (0.45, 0.85)),
        ((-0.45, 0.05), (-0.45, 0.85)),
        ((0.45, 0.05), (0.45, 0.85)),
    ] {
        d.line(&[a, b], 0.1, wood.shade(0.85));
    }
}

fn cone(d: &mut Drawing) {
    let orange = Color::rgb(0.95, 0.4, 0.1);
    d.rect((-0.4, 0.0), (0.4, 0.1), orange.shade(0.8));
    d.polygon(&[(-0.28, 0.1), (0.28, 0.1), (0.05, 1.0), (-0.05, 1.0)], orange);
    d.polygon(&[(-0.2, 0.4), (0.2, 0.4), (0.14, 0.63), (-0.14, 0.63)], Color::grey(0.95));
}

fn barrel(d: &mut Drawing, rng: &mut Random) {
    let paint = Color::hsv(rng.unit(), rng.range(0.2, 0.8), rng.range(0.3, 0.7));
    d.round_rect(
        (-0.35, 0.0),
        (0.35, 1.0),
        0.1,
        Fill::Gradient([(-0.35, 0.0), (0.35, 0.0)], [paint.shade(1.2), paint.shade(0.6)]),
    );
    for y in [0.33, 0.66] {
        d.rect((-0.36, y - 0.03), (0.36, y + 0.03), paint.shade(0.6));
    }
}

fn stone(d: &mut Drawing, rng: &mut Random) {
    let grey = Color::grey(rng.range(0.35, 0.7));
    d.polygon(&[(-0.6, 0.0), (-0.5, 0.35), (-0.1, 0.6), (0.35, 0.5), (0.6, 0.15), (0.55, 0.0)], grey);
    d.polygon(&[(-0.5, 0.35), (-0.1, 0.6), (0.35, 0.5), (0.0, 0.35)], grey.shade(1.2));
}

fn ball(d: &mut Drawing, rng: &mut Random) {
    let paint = Color::hsv(rng.unit(), 0.7, 0.85);
    d.disc((0.0, 0.4), 0.4, paint);
    d.disc((-0.1, 0.5), 0.2, paint.shade(1.3));
}

fn flower_pot(d: &mut Drawing, rng: &mut Random) {
    d.polygon(&[(-0.25, 0.0), (0.25, 0.0), (0.38, 0.5), (-0.38, 0.5)], Color::rgb(0.7, 0.36, 0.22));
    for _ in 0..5 {
        let at = (rng.range(-0.3, 0.3), rng.range(0.6, 0.95));
        d.line(&[(0.0, 0.5), at], 0.05, Color::rgb(0.2, 0.5, 0.2));
        d.disc(at, 0.11, Color::hsv(rng.unit(), 0.7, 0.95));
    }
}
