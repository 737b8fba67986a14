//! Street furniture seen from the front: lights, signs, traffic lights and benches.

use super::canvas::{Color, Drawing, Fill};
use crate::random::Random;

const WHITE: Color = Color::grey(0.95);
const RED: Color = Color::rgb(0.8, 0.09, 0.1);
const BLUE: Color = Color::rgb(0.08, 0.27, 0.68);
const YELLOW: Color = Color::rgb(0.96, 0.78, 0.1);

fn metal(rng: &mut Random) -> Color {
    let tone = rng.range(0.12, 0.62);
    Color::rgb(tone * rng.range(0.85, 1.05), tone, tone * rng.range(0.9, 1.15))
}

/// A pole with the shading of a cylinder.
fn pole(d: &mut Drawing, x: f32, height: f32, width: f32, color: Color) {
    let half = width / 2.0;
    let fill = Fill::Gradient([(x - half, 0.0), (x + half, 0.0)], [color.shade(1.3), color.shade(0.65)]);
    d.rect((x - half, 0.0), (x + half, height), fill);
}

/// A street light with one arm, two arms or a lantern, 4 to 6 m high; lit or not.
pub fn street_light(d: &mut Drawing, rng: &mut Random) {
    let height = rng.range(4.2, 5.6);
    let (color, width) = (metal(rng), rng.range(0.16, 0.24));
    let lit = rng.chance(0.5);
    light_of(d, (height, width), color, lit, rng);
}

/// A street light, lit at dusk.
pub fn street_light_at(d: &mut Drawing, dusk: bool, rng: &mut Random) {
    let size = (rng.range(4.6, 6.2), rng.range(0.14, 0.2));
    let color = metal(rng);
    light_of(d, size, color, dusk, rng);
}

fn light_of(d: &mut Drawing, (height, width): (f32, f32), color: Color, lit: bool, rng: &mut Random) {
    let lamp = if lit { Color::rgb(1.0, 0.93, 0.62) } else { Color::grey(rng.range(0.75, 0.95)) };
    d.rect((-width * 1.1, 0.0), (width * 1.1, 0.45), color.shade(0.8));
    pole(d, 0.0, height, width, color);
    if rng.chance(0.3) {
        lantern(d, height, color, lamp, lit);
        return;
    }
    let reach = rng.range(1.0, 1.7);
    let rise = rng.range(0.2, 0.7);
    let arms: &[f32] = if rng.chance(0.4) { &[-1.0, 1.0] } else { &[1.0] };
    for &side in arms {
        let tip = (side * reach, height + rise);
        d.curve((0.0, height - 0.2), (side * 0.1, height + rise), tip, width * 0.75, color);
        if lit {
            glow(d, (tip.0, tip.1 - 0.2), 0.85);
        }
        d.round_rect((tip.0 - 0.45, tip.1 - 0.08), (tip.0 + 0.45, tip.1 + 0.16), 0.12, color.shade(0.8));
        d.ellipse((tip.0, tip.1 - 0.1), 0.38, 0.15, lamp);
    }
}

fn glow(d: &mut Drawing, at: (f32, f32), radius: f32) {
    d.labeled(None, |d| {
        for share in [1.0, 0.7, 0.45] {
            d.disc(at, radius * share, Color::rgb(1.0, 0.9, 0.5).alpha(0.16));
        }
    });
}

fn lantern(d: &mut Drawing, height: f32, color: Color, lamp: Color, lit: bool) {
    if lit {
        glow(d, (0.0, height + 0.45), 1.1);
    }
    d.polygon(&[(-0.24, height), (0.24, height), (0.42, height + 0.8), (-0.42, height + 0.8)], lamp);
    d.line(&[(-0.24, height), (-0.42, height + 0.8)], 0.07, color);
    d.line(&[(0.24, height), (0.42, height + 0.8)], 0.07, color);
    d.polygon(&[(-0.52, height + 0.78), (0.52, height + 0.78), (0.0, height + 1.15)], color.shade(0.7));
    d.rect((-0.3, height - 0.08), (0.3, height + 0.05), color.shade(0.7));
}

/// A traffic sign on its pole, 2 to 2.8 m high: one of eight kinds.
pub fn traffic_sign(d: &mut Drawing, rng: &mut Random) {
    let center = (0.0, rng.range(1.5, 2.2));
    let r = rng.range(0.42, 0.55);
    pole(d, 0.0, center.1 + r * 0.5, rng.range(0.07, 0.11), metal(rng));
    match rng.below(8) {
        0 => speed_limit(d, center, r, rng),
        1 => warning(d, center, r, rng),
        2 => stop(d, center, r),
        3 => no_entry(d, center, r),
        4 => direction(d, center, r, rng),
        5 => priority(d, center, r),
        6 => yield_sign(d, center, r),
        _ => plate(d, center, r, rng),
    }
}

fn speed_limit(d: &mut Drawing, (x, y): (f32, f32), r: f32, rng: &mut Random) {
    d.disc((x, y), r, RED);
    d.disc((x, y), r * 0.74, WHITE);
    let ink = Color::grey(0.08);
    let (w, h) = (r * 0.13, r * 0.3);
    // One digit as a line (3 and 5 look alike at this size), and a zero.
    let first = rng.pick(&[-1.0, 1.0]) * r * 0.15;
    let left = x - r * 0.26;
    d.line(
        &[
            (left + first, y + h),
            (left - first, y + h),
            (left - first, y),
            (left + first, y),
            (left + first, y - h),
            (left - first, y - h),
        ],
        w,
        ink,
    );
    d.line(
        &[
            (x + r * 0.12, y + h),
            (x + r * 0.42, y + h),
            (x + r * 0.42, y - h),
            (x + r * 0.12, y - h),
            (x + r * 0.12, y + h),
        ],
        w,
        ink,
    );
}

fn warning(d: &mut Drawing, (x, y): (f32, f32), r: f32, rng: &mut Random) {
    d.regular((x, y - r * 0.1), r * 1.2, 3, 0.25, RED);
    d.regular((x, y - r * 0.1), r * 0.8, 3, 0.25, if rng.chance(0.5) { WHITE } else { YELLOW });
    d.line(&[(x, y + r * 0.25), (x, y - r * 0.12)], r * 0.15, Color::grey(0.08));
    d.disc((x, y - r * 0.33), r * 0.09, Color::grey(0.08));
}

fn stop(d: &mut Drawing, (x, y): (f32, f32), r: f32) {
    d.regular((x, y), r * 1.08, 8, 1.0 / 16.0, WHITE);
    d.regular((x, y), r * 0.97, 8, 1.0 / 16.0, RED);
    for letter in 0..4 {
        let left = x + r * (0.36 * letter as f32 - 0.68);
        d.rect((left, y - r * 0.2), (left + r * 0.25, y + r * 0.2), WHITE);
        d.rect((left + r * 0.08, y - r * 0.05), (left + r * 0.17, y + r * 0.1), RED);
    }
}

fn no_entry(d: &mut Drawing, (x, y): (f32, f32), r: f32) {
    d.disc((x, y), r * 1.04, WHITE);
    d.disc((x, y), r * 0.97, RED);
    d.rect((x - r * 0.68, y - r * 0.16), (x + r * 0.68, y + r * 0.16), WHITE);
}

fn direction(d: &mut Drawing, (x, y): (f32, f32), r: f32, rng: &mut Random) {
    d.disc((x, y), r * 1.04, WHITE);
    d.disc((x, y), r * 0.97, BLUE);
    let side = rng.pick(&[-1.0, 1.0]) * r;
    d.line(&[(x - side * 0.5, y), (x + side * 0.3, y)], r * 0.2, WHITE);
    d.polygon(&[(x + side * 0.2, y + r * 0.4), (x + side * 0.7, y), (x + side * 0.2, y - r * 0.4)], WHITE);
}

fn priority(d: &mut Drawing, (x, y): (f32, f32), r: f32) {
    d.regular((x, y), r * 1.12, 4, 0.0, Color::grey(0.1));
    d.regular((x, y), r * 1.05, 4, 0.0, WHITE);
    d.regular((x, y), r * 0.72, 4, 0.0, YELLOW);
}

fn yield_sign(d: &mut Drawing, (x, y): (f32, f32), r: f32) {
    d.regular((x, y + r * 0.1), r * 1.2, 3, 0.75, RED);
    d.regular((x, y + r * 0.1), r * 0.7, 3, 0.75, WHITE);
}

/// A square plate: parking (P) or a crossing.
fn plate(d: &mut Drawing, (x, y): (f32, f32), r: f32, rng: &mut Random) {
    let s = r * 0.95;
    d.round_rect((x - s * 1.06, y - s * 1.06), (x + s * 1.06, y + s * 1.06), r * 0.2, WHITE);
    d.round_rect((x - s, y - s), (x + s, y + s), r * 0.16, BLUE);
    if rng.chance(0.5) {
        d.line(&[(x - s * 0.3, y - s * 0.6), (x - s * 0.3, y + s * 0.6)], s * 0.22, WHITE);
        d.ring((x, y + s * 0.25), s * 0.34, s * 0.22, WHITE);
    } else {
        d.polygon(&[(x - s * 0.85, y - s * 0.8), (x + s * 0.85, y - s * 0.8), (x, y + s * 0.85)], WHITE);
        d.line(
            &[(x, y + s * 0.2), (x - s * 0.05, y - s * 0.15), (x + s * 0.2, y - s * 0.6)],
            s * 0.15,
            Color::grey(0.1),
        );
    }
}

/// A traffic light with two or three lamps, one of them lit, 2.6 to 3.4 m high.
pub fn traffic_light(d: &mut Drawing, rng: &mut Random) {
    let lamps = if rng.chance(0.2) { 2 } else { 3 };
    let r = rng.range(0.16, 0.2);
    let spacing = r * 2.45;
    let low = rng.range(1.5, 2.0);
    let (width, height) = (r * 1.65, spacing * lamps as f32 + r * 0.4);
    let housing = rng.pick(&[Color::grey(0.1), Color::grey(0.2), Color::rgb(0.1, 0.22, 0.16), YELLOW.shade(0.9)]);
    pole(d, 0.0, low + 0.1, rng.range(0.12, 0.17), metal(rng));
    if rng.chance(0.3) {
        d.round_rect((-width * 1.4, low - 0.1), (width * 1.4, low + height + 0.1), 0.1, WHITE);
        d.round_rect((-width * 1.3, low - 0.06), (width * 1.3, low + height + 0.06), 0.1, Color::grey(0.06));
    }
    d.round_rect((-width, low), (width, low + height), r * 0.6, housing);
    let colors: &[Color] = match lamps {
        2 => &[Color::rgb(0.1, 0.9, 0.4), Color::rgb(1.0, 0.13, 0.1)],
        _ => &[Color::rgb(0.1, 0.9, 0.4), Color::rgb(1.0, 0.72, 0.1), Color::rgb(1.0, 0.13, 0.1)],
    };
    let lit = rng.below(lamps);
    for (lamp, &color) in colors.iter().enumerate() {
        let at = (0.0, low + r * 0.2 + spacing * (lamp as f32 + 0.5));
        d.disc(at, r * 1.13, Color::grey(0.03));
        d.disc(at, r, color.shade(if lamp == lit { 1.0 } else { 0.3 }));
        d.line(
            &[(-r * 1.15, at.1 + r * 0.75), (0.0, at.1 + r * 1.15), (r * 1.15, at.1 + r * 0.75)],
            r * 0.25,
            housing.shade(0.6),
        );
        if lamp == lit {
            d.labeled(None, |d| {
                d.disc(at, r * 1.7, color.alpha(0.18));
                d.disc((at.0 - r * 0.25, at.1 + r * 0.25), r * 0.35, WHITE.alpha(0.6));
            });
        }
    }
}

/// A bench with or without a back, 1.4 to 2.1 m wide, seen from the front and a little from above.
pub fn bench(d: &mut Drawing, rng: &mut Random) {
    let half = rng.range(0.7, 1.05);
    let seat = rng.range(0.4, 0.48);
    let wood = match rng.below(4) {
        0 => Color::hsv(rng.range(0.25, 0.65), rng.range(0.3, 0.7), rng.range(0.3, 0.6)),
        _ => Color::hsv(rng.range(0.05, 0.1), rng.range(0.45, 0.75), rng.range(0.4, 0.8)),
    };
    let iron = Color::grey(rng.range(0.1, 0.5));
    let slat = rng.range(0.075, 0.105);
    let gap = slat * 0.4;
    d.labeled(None, |d| d.ellipse((0.0, 0.0), half * 1.08, 0.07, Color::grey(0.0).alpha(0.35)));
    let foot = half * rng.range(0.72, 0.9);
    let top = seat + rng.range(0.36, 0.5);
    let back = rng.chance(0.8);
    for x in [-foot, foot] {
        d.line(&[(x * 0.97, 0.1), (x * 0.97, if back { top } else { seat })], 0.06, iron.shade(0.7));
    }
    let board = |d: &mut Drawing, low: f32, reach: f32, tone: f32| {
        d.rect((-reach, low), (reach, low + slat), wood.shade(tone));
        d.rect((-reach, low), (reach, low + slat * 0.25), wood.shade(tone * 0.7));
    };
    if back {
        let mut low = seat + slat + 0.09;
        while low + slat <= top + 0.04 {
            board(d, low, half * 0.97, 1.0);
            low += slat + gap;
        }
    }
    // The seat is seen at a slant: its boards are closer together and brighter.
    for (row, tone) in [1.25, 1.15, 1.05].into_iter().enumerate() {
        board(d, seat + slat * 0.5 - slat * 0.75 * row as f32, half * (0.98 + 0.02 * row as f32), tone);
    }
    for x in [-foot, foot] {
        d.line(&[(x, 0.0), (x, seat - slat * 0.9)], 0.075, iron);
        d.line(&[(x - 0.06, 0.015), (x + 0.06, 0.015)], 0.05, iron);
        if rng.chance(0.6) && back {
            d.line(&[(x, seat), (x, seat + 0.2), (x * 0.97, seat + 0.22)], 0.06, iron);
        }
    }
}
