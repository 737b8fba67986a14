//! Trees, houses and people.

use super::canvas::{Color, Drawing, Fill};
use crate::random::Random;

/// A tree: broad-leaved, conifer or poplar, 3.5 to 6.5 m high, in the colors of the seasons.
pub fn tree(d: &mut Drawing, rng: &mut Random) {
    let height = rng.range(3.6, 6.4);
    let bark = Color::hsv(rng.range(0.05, 0.1), rng.range(0.25, 0.6), rng.range(0.2, 0.45));
    let leaf = match rng.below(5) {
        0 => Color::hsv(rng.range(0.02, 0.13), rng.range(0.6, 0.9), rng.range(0.55, 0.85)),
        _ => Color::hsv(rng.range(0.2, 0.4), rng.range(0.45, 0.8), rng.range(0.25, 0.6)),
    };
    d.labeled(None, |d| d.ellipse((0.0, 0.0), height * 0.22, 0.14, Color::grey(0.0).alpha(0.3)));
    match rng.below(4) {
        0 => {
            let needles = Color::hsv(rng.range(0.28, 0.45), rng.range(0.4, 0.7), rng.range(0.22, 0.5));
            conifer(d, height, bark, needles, rng);
        }
        1 => poplar(d, height, bark, leaf, rng),
        _ => broadleaf(d, height, bark, leaf, rng),
    }
}

/// Season, common to all trees of a street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

impl Season {
    /// A random season, most often a green one.
    pub fn random(rng: &mut Random) -> Self {
        rng.pick(&[Self::Spring, Self::Summer, Self::Summer, Self::Summer, Self::Autumn, Self::Winter])
    }

    fn leaf(self, rng: &mut Random) -> Color {
        match self {
            Self::Spring => Color::hsv(rng.range(0.22, 0.28), rng.range(0.5, 0.7), rng.range(0.5, 0.65)),
            Self::Summer | Self::Winter => {
                Color::hsv(rng.range(0.25, 0.35), rng.range(0.5, 0.7), rng.range(0.27, 0.42))
            }
            Self::Autumn => Color::hsv(rng.range(0.04, 0.13), rng.range(0.65, 0.85), rng.range(0.55, 0.8)),
        }
    }
}

/// A street tree in `season`. In winter only conifers have leaves.
pub fn tree_in(d: &mut Drawing, season: Season, rng: &mut Random) {
    let height = rng.range(4.6, 7.6);
    let bark = Color::hsv(rng.range(0.06, 0.09), rng.range(0.25, 0.45), rng.range(0.22, 0.35));
    let leaf = season.leaf(rng);
    d.labeled(None, |d| d.ellipse((0.0, 0.0), height * 0.22, 0.14, Color::grey(0.0).alpha(0.3)));
    match rng.below(8) {
        0 => {
            let needles = Color::hsv(rng.range(0.34, 0.42), rng.range(0.4, 0.6), rng.range(0.22, 0.34));
            conifer(d, height, bark, needles, rng);
        }
        _ if season == Season::Winter => bare(d, height, bark, rng),
        1 | 2 => poplar(d, height, bark, leaf, rng),
        _ => broadleaf(d, height, bark, leaf, rng),
    }
}

/// Trunk and branches. Every branch splits into two thinner ones.
fn bare(d: &mut Drawing, height: f32, bark: Color, rng: &mut Random) {
    trunk(d, height * 0.45, height * 0.03, bark);
    let mut branches = vec![((0.0, height * 0.4), std::f32::consts::FRAC_PI_2, height * 0.2, height * 0.035)];
    for _ in 0..5 {
        let mut next = Vec::new();
        for (from, angle, length, width) in branches {
            for turn in [-1.0, 1.0] {
                let angle: f32 = angle + turn * rng.range(0.2, 0.55);
                let to = (from.0 + angle.cos() * length, from.1 + angle.sin() * length);
                d.line(&[from, to], width, bark.shade(rng.range(0.85, 1.1)));
                next.push((to, angle, length * rng.range(0.65, 0.85), width * 0.62));
            }
        }
        branches = next;
    }
}

fn trunk(d: &mut Drawing, top: f32, width: f32, bark: Color) {
    let fill = Fill::Gradient([(-width, 0.0), (width, 0.0)], [bark.shade(1.25), bark.shade(0.6)]);
    d.polygon(
        &[
            (-width * 1.5, 0.0),
            (-width * 0.9, top * 0.15),
            (-width * 0.6, top),
            (width * 0.6, top),
            (width * 0.9, top * 0.15),
            (width * 1.5, 0.0),
        ],
        fill,
    );
}

fn broadleaf(d: &mut Drawing, height: f32, bark: Color, leaf: Color, rng: &mut Random) {
    let spread = height * rng.range(0.26, 0.4);
    let middle = height * rng.range(0.6, 0.68);
    let width = height * rng.range(0.03, 0.045);
    trunk(d, middle, width, bark);
    for side in [-1.0, 1.0] {
        d.line(&[(0.0, middle * 0.62), (side * spread * 0.5, middle * 0.95)], width * 0.8, bark.shade(0.85));
    }
    let blobs = 7 + rng.below(5);
    let radius = height - middle;
    for layer in [0.7, 0.95, 1.2] {
        for blob in 0..blobs {
            let angle = (blob as f32 + rng.range(-0.3, 0.3)) / blobs as f32 * std::f32::consts::TAU;
            let reach = rng.range(0.35, 0.68) * (1.65 - layer);
            // Lit from above: brighter blobs are higher, and drawn later.
            let at =
                (angle.cos() * spread * reach * 1.25, middle + radius * (angle.sin() * reach + (layer - 0.9) * 0.6));
            let size = spread * rng.range(0.3, 0.45) * (1.5 - layer * 0.5);
            d.disc(at, size, leaf.shade(layer * rng.range(0.9, 1.1)));
        }
        if layer < 0.9 {
            d.ellipse((0.0, middle), spread * 0.85, radius * 0.75, leaf.shade(0.8));
        }
    }
}

fn conifer(d: &mut Drawing, height: f32, bark: Color, leaf: Color, rng: &mut Random) {
    let half = height * rng.range(0.2, 0.3);
    trunk(d, height * 0.3, height * 0.03, bark);
    let tiers = 3 + rng.below(3);
    for tier in 0..tiers {
        let share = tier as f32 / tiers as f32;
        let low = height * (0.14 + 0.78 * share);
        let high = (low + height * (1.6 / tiers as f32).min(0.42)).min(height);
        let w = half * (1.0 - share * 0.8);
        d.polygon(&[(-w, low), (w, low), (0.0, high)], leaf.shade(0.75 + 0.3 * share));
        d.polygon(&[(-w, low), (-w * 0.2, low + 0.03), (0.0, high)], leaf.shade(0.95 + 0.35 * share));
    }
}

fn poplar(d: &mut Drawing, height: f32, bark: Color, leaf: Color, rng: &mut Random) {
    let half = height * rng.range(0.13, 0.19);
    trunk(d, height * 0.4, height * 0.025, bark);
    d.ellipse((0.0, height * 0.58), half, height * 0.42, leaf.shade(0.8));
    for _ in 0..14 {
        let y = rng.range(-0.85, 0.85);
        let x = rng.range(-0.7, 0.5) * (1.0f32 - y * y).sqrt();
        let at = (x * half, height * (0.58 + 0.4 * y));
        d.ellipse(at, half * 0.3, half * 0.5, leaf.shade(0.95 + 0.2 * y - 0.15 * x));
    }
}

/// A house with a gable, hip or shed roof, one or two storeys, 5 to 8 m wide.
pub fn house(d: &mut Drawing, rng: &mut Random) {
    let half = rng.range(2.5, 4.0);
    let storeys = 1 + rng.below(2);
    let walls = 2.5 * storeys as f32 + 0.2;
    let wall = match rng.below(3) {
        0 => Color::hsv(rng.range(0.0, 0.05), rng.range(0.4, 0.65), rng.range(0.45, 0.7)),
        1 => Color::hsv(rng.unit(), rng.range(0.08, 0.35), rng.range(0.7, 0.95)),
        _ => Color::grey(rng.range(0.6, 0.95)),
    };
    let roof = match rng.below(2) {
        0 => Color::hsv(rng.range(0.0, 0.06), rng.range(0.5, 0.8), rng.range(0.35, 0.65)),
        _ => Color::grey(rng.range(0.18, 0.45)),
    };
    let rise = rng.range(1.3, 2.4);
    if rng.chance(0.7) {
        let x = half * rng.range(-0.6, 0.6);
        d.rect((x - 0.3, walls), (x + 0.3, walls + rise * 1.05), wall.shade(0.6));
        d.rect((x - 0.38, walls + rise * 1.0), (x + 0.38, walls + rise * 1.1), wall.shade(0.4));
    }
    d.rect(
        (-half, 0.0),
        (half, walls),
        Fill::Gradient([(-half, 0.0), (half, 0.0)], [wall.shade(1.05), wall.shade(0.85)]),
    );
    d.rect((-half, 0.0), (half, 0.3), wall.shade(0.55));
    let eaves = half + 0.35;
    match rng.below(3) {
        0 => {
            d.polygon(&[(-half, walls), (half, walls), (0.0, walls + rise)], wall.shade(0.95));
            d.line(&[(-eaves, walls - 0.15), (0.0, walls + rise + 0.1), (eaves, walls - 0.15)], 0.32, roof);
            d.disc((0.0, walls + rise * 0.42), 0.32, Color::grey(0.2));
        }
        1 => {
            let ridge = half * rng.range(0.35, 0.75);
            tiles(
                d,
                &[(-eaves, walls - 0.1), (eaves, walls - 0.1), (ridge, walls + rise), (-ridge, walls + rise)],
                roof,
            );
        }
        _ => tiles(
            d,
            &[(-eaves, walls - 0.1), (eaves, walls - 0.1), (half * 0.9, walls + rise), (-half * 0.9, walls + rise)],
            roof,
        ),
    }
    openings(d, half, storeys, rng);
}

fn tiles(d: &mut Drawing, corners: &[(f32, f32); 4], roof: Color) {
    d.polygon(corners, roof);
    for row in 1..4 {
        let t = row as f32 / 4.0;
        let between = |a: (f32, f32), b: (f32, f32)| (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t);
        d.line(&[between(corners[0], corners[3]), between(corners[1], corners[2])], 0.06, roof.shade(0.75));
    }
}

fn openings(d: &mut Drawing, half: f32, storeys: usize, rng: &mut Random) {
    let columns = 2 + rng.below(3);
    let step = half * 2.0 / columns as f32;
    let door_at = rng.below(columns);
    let door = Color::hsv(rng.unit(), rng.range(0.3, 0.8), rng.range(0.25, 0.6));
    let frame = Color::grey(rng.pick(&[0.95, 0.9, 0.25]));
    let lit = rng.chance(0.3);
    let pane =
        if lit { Color::rgb(1.0, 0.87, 0.5) } else { Color::hsv(0.57, rng.range(0.1, 0.35), rng.range(0.3, 0.75)) };
    for storey in 0..storeys {
        for column in 0..columns {
            let x = -half + step * (column as f32 + 0.5);
            let base = 2.6 * storey as f32;
            if storey == 0 && column == door_at {
                d.rect((x - 0.58, 0.0), (x + 0.58, 2.2), frame);
                d.rect((x - 0.47, 0.0), (x + 0.47, 2.1), door);
                d.disc((x + 0.33, 1.0), 0.07, Color::rgb(0.85, 0.75, 0.3));
                continue;
            }
            let w = (step * 0.3).min(0.62);
            d.rect((x - w - 0.1, base + 0.85), (x + w + 0.1, base + 2.2), frame);
            d.rect((x - w, base + 0.95), (x + w, base + 2.1), pane.shade(rng.range(0.85, 1.1)));
            d.rect((x - 0.04, base + 0.95), (x + 0.04, base + 2.1), frame);
            d.rect((x - w, base + 1.5), (x + w, base + 1.58), frame);
        }
    }
}

/// A person standing or walking, 1.5 to 1.9 m tall.
pub fn person(d: &mut Drawing, rng: &mut Random) {
    let height = rng.range(1.5, 1.9);
    let unit = height / 1.75;
    let skin = Color::hsv(rng.range(0.04, 0.09), rng.range(0.3, 0.6), rng.range(0.4, 0.95));
    let hair = Color::hsv(rng.range(0.03, 0.12), rng.range(0.2, 0.7), rng.range(0.08, 0.7));
    let top = Color::hsv(rng.unit(), rng.range(0.2, 0.9), rng.range(0.25, 0.95));
    let legs = Color::hsv(rng.range(0.5, 0.75), rng.range(0.1, 0.6), rng.range(0.15, 0.6));
    let build = rng.range(0.85, 1.2);
    let stride = rng.pick(&[0.06, 0.1, 0.2, 0.28]);
    let p = |x: f32, y: f32| (x * unit, y * unit);
    let w = |v: f32| v * unit * build;
    d.labeled(None, |d| d.ellipse((0.0, 0.0), 0.32 * unit, 0.05, Color::grey(0.0).alpha(0.35)));

    let swing = stride * rng.range(0.6, 1.3) + 0.05;
    d.line(&[p(-0.02, 1.36), p(-0.14 - swing * 0.5, 1.1), p(-0.1 - swing, 0.86)], w(0.095), top.shade(0.7));
    d.disc(p(-0.1 - swing, 0.82), w(0.05), skin.shade(0.8));
    for (side, tone) in [(-1.0, 0.75), (1.0, 1.0)] {
        let foot = side * stride;
        let knee = p(foot * 0.5 + stride * 0.25, 0.48);
        d.line(&[p(side * 0.06, 0.86), knee, p(foot, 0.07)], w(0.135), legs.shade(tone));
        d.line(&[p(foot - 0.02, 0.035), p(foot + 0.11, 0.03)], w(0.075), Color::grey(0.12));
    }
    let skirt = rng.chance(0.25);
    if skirt {
        d.polygon(
            &[p(-0.14 * build, 0.98), p(0.14 * build, 0.98), p(0.27 * build, 0.5), p(-0.27 * build, 0.5)],
            top.shade(0.85),
        );
    }
    let hem = if rng.chance(0.3) { 0.66 } else { 0.86 };
    d.polygon(
        &[
            p(-0.2 * build, 1.42),
            p(-0.08, 1.49),
            p(0.08, 1.49),
            p(0.2 * build, 1.42),
            p(0.17 * build, hem),
            p(-0.17 * build, hem),
        ],
        Fill::Gradient([p(-0.2, 0.0), p(0.2, 0.0)], [top.shade(0.85), top.shade(1.1)]),
    );
    d.line(&[p(0.15 * build, 1.38), p(0.17 + swing * 0.5, 1.12), p(0.13 + swing, 0.9)], w(0.095), top.shade(1.1));
    d.disc(p(0.13 + swing, 0.86), w(0.05), skin);
    head(d, rng, unit, skin, hair);
    if rng.chance(0.25) {
        let bag = Color::hsv(rng.unit(), 0.6, 0.5);
        d.round_rect(p(-0.33, 0.98), p(-0.15, 1.4), 0.07 * unit, bag);
    }
}

fn head(d: &mut Drawing, rng: &mut Random, unit: f32, skin: Color, hair: Color) {
    let p = |x: f32, y: f32| (x * unit, y * unit);
    d.line(&[p(0.0, 1.46), p(0.0, 1.54)], 0.09 * unit, skin.shade(0.8));
    if rng.chance(0.4) {
        d.ellipse(p(-0.02, 1.59), 0.135 * unit, 0.2 * unit, hair);
    }
    d.ellipse(p(0.0, 1.64), 0.1 * unit, 0.125 * unit, skin);
    if rng.chance(0.2) {
        let hat = Color::hsv(rng.unit(), 0.6, 0.6);
        d.round_rect(p(-0.11, 1.68), p(0.11, 1.81), 0.06 * unit, hat);
        d.line(&[p(-0.1, 1.69), p(0.19, 1.69)], 0.035 * unit, hat.shade(0.7));
    } else {
        d.ellipse(p(-0.015, 1.73), 0.112 * unit, 0.065 * unit, hair);
        d.ellipse(p(-0.07, 1.67), 0.05 * unit, 0.09 * unit, hair);
    }
}
