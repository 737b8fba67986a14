//! Weather: the sky, its clouds and its light.

use super::camera::Camera;
use crate::data::scenes::Label;
use crate::data::scenes::canvas::{Color, Drawing, Fill};
use crate::data::scenes::light::Light;
use crate::random::Random;

/// Kinds of weather and hours of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clear,
    Fair,
    Overcast,
    Sunset,
}

/// The sky of one scene.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    kind: Kind,
    /// Color of the sky at the top of the frame and at the horizon.
    high: Color,
    low: Color,
}

impl Weather {
    /// Random weather, fair most often.
    pub fn random(rng: &mut Random) -> Self {
        let kind = rng.pick(&[Kind::Clear, Kind::Fair, Kind::Fair, Kind::Fair, Kind::Overcast, Kind::Sunset]);
        let (high, low) = match kind {
            Kind::Clear | Kind::Fair => (
                Color::hsv(rng.range(0.57, 0.61), rng.range(0.5, 0.72), rng.range(0.68, 0.88)),
                Color::hsv(0.56, rng.range(0.08, 0.22), rng.range(0.92, 0.98)),
            ),
            Kind::Overcast => {
                let grey = rng.range(0.66, 0.82);
                (Color::hsv(0.58, 0.04, grey), Color::hsv(0.58, 0.02, grey * 1.1))
            }
            Kind::Sunset => (
                Color::hsv(rng.range(0.6, 0.68), rng.range(0.3, 0.45), rng.range(0.5, 0.65)),
                Color::hsv(rng.range(0.05, 0.1), rng.range(0.4, 0.6), rng.range(0.92, 0.98)),
            ),
        };
        Self { kind, high, low }
    }

    /// Color of distant things.
    pub fn haze(&self) -> Color {
        self.low.shade(0.96)
    }

    /// Whether things cast shadows.
    pub fn sunny(&self) -> bool {
        matches!(self.kind, Kind::Clear | Kind::Fair)
    }

    /// Whether lights are on.
    pub fn dusk(&self) -> bool {
        self.kind == Kind::Sunset
    }

    /// Paints the sky over the whole frame, with its clouds.
    pub fn sky(&self, d: &mut Drawing, camera: &Camera, rng: &mut Random) {
        let fill = Fill::Gradient([(0.0, -0.05), (0.0, camera.horizon)], [self.high, self.low]);
        d.labeled(Some(Label::Sky), |d| d.rect((-0.1, -0.1), (camera.aspect + 0.1, 1.1), fill));
        let count = match self.kind {
            Kind::Clear => rng.below(2),
            Kind::Fair => 3 + rng.below(5),
            Kind::Overcast => 2 + rng.below(3),
            Kind::Sunset => 1 + rng.below(4),
        };
        let tone = match self.kind {
            Kind::Clear | Kind::Fair => Color::grey(rng.range(0.92, 0.98)),
            Kind::Overcast => Color::hsv(0.6, 0.03, rng.range(0.5, 0.62)),
            Kind::Sunset => Color::hsv(rng.range(0.97, 1.04), rng.range(0.2, 0.4), rng.range(0.75, 0.9)),
        };
        d.labeled(Some(Label::Cloud), |d| {
            for _ in 0..count {
                let at = (rng.range(-0.05, camera.aspect + 0.05), rng.range(0.0, camera.horizon * 0.75));
                cloud(d, at, rng.range(0.025, 0.065), tone, rng);
            }
        });
    }

    /// Light and exposure of the camera.
    pub fn light(&self, rng: &mut Random, noise_key: u64) -> Light {
        let mut light = Light::random(rng, noise_key);
        // Exposure and tint of a street vary less than those of other scenes.
        light.gain = light.gain.map(|gain| 1.0 + (gain - 1.0) * 0.5);
        if self.dusk() {
            light.gain = [light.gain[0] * 0.86, light.gain[1] * 0.78, light.gain[2] * 0.8];
        }
        light.haze *= 0.6;
        light
    }
}

/// A cloud of puffs, flat and darker below.
fn cloud(d: &mut Drawing, at: (f32, f32), size: f32, tone: Color, rng: &mut Random) {
    let puffs = 4 + rng.below(4);
    let shapes: Vec<(f32, f32, f32)> = (0..puffs)
        .map(|puff| {
            let across = (puff as f32 + 0.5) / puffs as f32 * 2.0 - 1.0;
            let arch = 1.0 - across * across;
            (across * size * 2.6, -arch * size * rng.range(0.3, 0.8), size * (0.5 + arch * rng.range(0.3, 0.7)))
        })
        .collect();
    for (shift, shade) in [(0.22, 0.88), (0.0, 1.0)] {
        for &(x, y, radius) in &shapes {
            d.ellipse((at.0 + x, at.1 + y + size * shift), radius * 1.35, radius * 0.75, tone.shade(shade));
        }
    }
}
