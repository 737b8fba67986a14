//! Cars, buses and bicycles seen from the side, with their front to the right.

use super::canvas::{Color, Drawing, Fill};
use crate::random::Random;

const TIRE: Color = Color::grey(0.09);

/// A common vehicle paint: often plain, sometimes bright.
fn body_color(rng: &mut Random) -> Color {
    if rng.chance(0.3) {
        Color::grey(rng.pick(&[0.12, 0.3, 0.6, 0.78, 0.92]))
    } else {
        Color::hsv(rng.unit(), rng.range(0.5, 0.95), rng.range(0.4, 0.95))
    }
}

fn glass(rng: &mut Random) -> Color {
    Color::hsv(rng.range(0.5, 0.62), rng.range(0.1, 0.35), rng.range(0.25, 0.8))
}

fn shadow(d: &mut Drawing, half_width: f32) {
    d.labeled(None, |d| d.ellipse((0.0, 0.0), half_width, 0.13, Color::grey(0.0).alpha(0.35)));
}

fn wheel(d: &mut Drawing, x: f32, radius: f32, hub: Color) {
    d.disc((x, radius), radius, TIRE);
    d.disc((x, radius), radius * 0.6, hub);
    d.disc((x, radius), radius * 0.2, hub.shade(0.5));
}

/// A car: saloon, hatchback, estate or van-like, 3.4 to 4.9 m long.
pub fn car(d: &mut Drawing, rng: &mut Random) {
    let half = rng.range(1.7, 2.45);
    let waist = rng.range(0.78, 0.98);
    let roof = waist + rng.range(0.45, 0.72);
    let radius = rng.range(0.29, 0.37);
    let floor = radius * 0.75;
    let (paint, window) = (body_color(rng), glass(rng));
    // Start and end of the roof distinguish a saloon from a hatchback.
    let rear_foot = -half * rng.pick(&[0.95, 0.93, 0.72]);
    let rear_top = rear_foot + half * rng.range(0.08, 0.3);
    let front_foot = half * rng.range(0.42, 0.56);
    let front_top = front_foot - half * rng.range(0.26, 0.42);
    shadow(d, half * 1.05);

    d.polygon(&[(rear_foot, waist), (rear_top, roof), (front_top, roof), (front_foot, waist)], paint.shade(0.93));
    let pillar = (rear_top + front_top) / 2.0 + half * 0.05;
    windows(d, [rear_foot, rear_top, pillar, front_top, front_foot], (waist + 0.03, roof - 0.09), window);

    let side = Fill::Gradient([(0.0, waist), (0.0, floor)], [paint.shade(1.1), paint.shade(0.72)]);
    let bonnet = waist - rng.range(0.04, 0.16);
    d.polygon(
        &[
            (-half, floor + 0.08),
            (-half * 0.985, waist - 0.1),
            (-half * 0.93, waist),
            (front_foot, waist + 0.01),
            (half * 0.9, bonnet),
            (half * 0.985, bonnet - 0.16),
            (half, floor + 0.1),
            (half * 0.96, floor),
            (-half * 0.96, floor),
        ],
        side,
    );
    d.line(&[(-half * 0.96, floor + 0.05), (half * 0.96, floor + 0.05)], 0.07, Color::grey(0.15));
    d.line(&[(pillar, floor + 0.1), (pillar, waist)], 0.025, paint.shade(0.5));
    d.line(&[(pillar - 0.34, waist - 0.13), (pillar - 0.14, waist - 0.13)], 0.045, paint.shade(0.45));
    d.ellipse((half * 0.94, bonnet - 0.14), 0.11, 0.08, Color::rgb(1.0, 0.97, 0.8));
    d.rect((-half * 0.99, waist - 0.24), (-half * 0.94, waist - 0.08), Color::rgb(0.8, 0.08, 0.06));

    let hub = Color::grey(rng.range(0.45, 0.85));
    for x in [-half * 0.62, half * 0.62] {
        d.disc((x, radius * 1.2), radius * 1.2, paint.shade(0.25));
        wheel(d, x, radius, hub);
    }
}

/// The side windows of a car between two heights, left and right of its pillar.
fn windows(
    d: &mut Drawing,
    [rear_foot, rear_top, pillar, front_top, front_foot]: [f32; 5],
    (low, high): (f32, f32),
    window: Color,
) {
    let inset = 0.11;
    d.polygon(
        &[(rear_foot + inset, low), (rear_top + inset * 0.7, high), (pillar - 0.04, high), (pillar - 0.04, low)],
        window,
    );
    d.polygon(
        &[
            (pillar + 0.04, low),
            (pillar + 0.04, high),
            (front_top - inset * 0.6, high),
            (front_foot - inset * 1.4, low),
        ],
        window,
    );
}

/// A bus of one deck or two, 7.5 to 11 m long.
pub fn bus(d: &mut Drawing, rng: &mut Random) {
    let half = rng.range(3.7, 5.5);
    let decks = if rng.chance(0.25) { 2 } else { 1 };
    let deck = rng.range(1.75, 2.0);
    let (floor, radius) = (0.38, 0.48);
    let top = 1.25 + deck * decks as f32;
    let (paint, window) = (body_color(rng), glass(rng));
    let stripe = body_color(rng);
    shadow(d, half * 1.04);
    let side = Fill::Gradient([(0.0, top), (0.0, floor)], [paint.shade(1.08), paint.shade(0.78)]);
    d.round_rect((-half, floor), (half, top), 0.28, side);
    d.rect((-half, floor + 0.32), (half, floor + 0.32 + rng.range(0.1, 0.4)), stripe);
    d.rect((-half * 0.98, floor), (half * 0.98, floor + 0.16), Color::grey(0.16));

    let panes = (half * rng.range(1.1, 1.7)) as usize + 2;
    let door_width = 0.95;
    for level in 0..decks {
        let low = 1.5 + deck * level as f32;
        let high = low + deck * 0.52;
        // On the lower deck the door is behind the windscreen.
        let right = half - 0.45 - if level == 0 { door_width + 0.25 } else { 0.0 };
        let (left, step) = (-half + 0.25, (right + half - 0.25) / panes as f32);
        for pane in 0..panes {
            let x = left + step * pane as f32;
            d.rect((x + 0.05, low), (x + step - 0.05, high), window.shade(rng.range(0.85, 1.12)));
        }
        d.rect((half - 0.34, low - 0.15), (half - 0.04, high), window.shade(1.1));
    }
    let door = half - 0.5;
    d.rect((door - door_width, floor + 0.05), (door, 1.5 + deck * 0.52), paint.shade(0.45));
    for side in [0.06, 0.52] {
        d.rect((door - door_width + side, floor + 0.2), (door - door_width + side + 0.38, 1.5 + deck * 0.45), window);
    }
    d.rect((half - 2.4, top - 0.34), (half - 0.4, top - 0.1), Color::grey(0.08));
    d.rect((half - 2.2, top - 0.27), (half - 1.0, top - 0.17), Color::rgb(1.0, 0.7, 0.1));
    d.ellipse((half - 0.12, floor + 0.42), 0.12, 0.13, Color::rgb(1.0, 0.96, 0.8));
    d.rect((-half, floor + 0.3), (-half + 0.1, floor + 0.7), Color::rgb(0.8, 0.1, 0.08));
    let hub = Color::grey(rng.range(0.4, 0.75));
    for x in [-half * 0.58, half * 0.42] {
        d.disc((x, radius * 1.15), radius * 1.15, paint.shade(0.2));
        wheel(d, x, radius, hub);
    }
}

/// A bicycle with a diamond or a step-through frame, about 1.7 m long.
pub fn bicycle(d: &mut Drawing, rng: &mut Random) {
    let radius = rng.range(0.31, 0.37);
    let (rear, front) = ((-0.53, radius), (rng.range(0.5, 0.6), radius));
    let crank = (-0.09, radius - 0.05);
    let seat = (-0.24, radius + rng.range(0.42, 0.56));
    let head = (0.36, radius + rng.range(0.46, 0.56));
    let paint = body_color(rng);
    let (tube, tire) = (rng.range(0.05, 0.075), rng.range(0.05, 0.075));
    let metal = Color::grey(rng.range(0.2, 0.75));
    shadow(d, 0.85);
    for wheel in [rear, front] {
        for spoke in 0..4 {
            let angle = (spoke as f32 + 0.3) * std::f32::consts::FRAC_PI_4;
            let (dx, dy) = (angle.cos() * radius * 0.95, angle.sin() * radius * 0.95);
            d.line(&[(wheel.0 - dx, wheel.1 - dy), (wheel.0 + dx, wheel.1 + dy)], 0.012, metal);
        }
        d.ring(wheel, radius - tire / 2.0, tire, TIRE);
        d.disc(wheel, 0.045, metal.shade(0.7));
    }
    let step_through = rng.chance(0.35);
    let top = if step_through { (seat.0 + 0.09, seat.1 - 0.3) } else { (seat.0 + 0.02, seat.1 - 0.06) };
    d.line(&[rear, crank, (head.0 + 0.01, head.1 - 0.1)], tube, paint.shade(0.9));
    d.line(&[rear, (seat.0 + 0.02, seat.1 - 0.06)], tube * 0.8, paint.shade(0.9));
    d.line(&[crank, seat], tube, paint);
    d.line(&[top, head], tube, paint);
    let stem = (head.0 - 0.03, head.1 + 0.14);
    d.line(&[front, head, stem], tube, paint.shade(1.1));
    d.line(&[seat, (seat.0 - 0.03, seat.1 + 0.1)], 0.035, metal);
    d.line(&[(seat.0 - 0.15, seat.1 + 0.13), (seat.0 + 0.1, seat.1 + 0.11)], 0.075, Color::grey(0.1));
    if rng.chance(0.5) {
        d.curve(stem, (stem.0 + 0.22, stem.1 + 0.04), (stem.0 + 0.11, stem.1 - 0.16), 0.045, Color::grey(0.12));
    } else {
        d.line(&[(stem.0 + 0.07, stem.1 + 0.05), (stem.0 - 0.16, stem.1 + 0.06)], 0.05, Color::grey(0.12));
    }
    d.ring(crank, 0.075, 0.035, metal.shade(0.8));
    let pedal = rng.range(0.0, std::f32::consts::TAU);
    let (dx, dy) = (pedal.cos() * 0.16, pedal.sin() * 0.16);
    d.line(&[(crank.0 - dx, crank.1 - dy), (crank.0 + dx, crank.1 + dy)], 0.035, metal.shade(0.6));
    if rng.chance(0.3) {
        let basket = (head.0 + 0.09, head.1 - 0.04);
        d.polygon(
            &[
                basket,
                (basket.0 + 0.22, basket.1),
                (basket.0 + 0.27, basket.1 + 0.22),
                (basket.0 - 0.03, basket.1 + 0.22),
            ],
            Color::rgb(0.55, 0.4, 0.22),
        );
    }
}
