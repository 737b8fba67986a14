//! The camera of a street scene: projects meters to the frame.
//!
//! The street runs along Z, away from the camera. X points to the right of the road's middle, Y upward.

use tiny_skia::Transform;

use crate::data::scenes::canvas::{Color, Drawing, Fill};
use crate::random::Random;

/// Least drawn distance in meters.
pub const NEAR: f32 = 1.0;

/// A point in meters: X, Y, Z.
pub type Point = (f32, f32, f32);

/// A camera that looks along the street: `x = center + f (X - X0) / Z`, `y = horizon - f (Y - Y0) / Z`
/// in frame heights.
#[derive(Debug, Clone, Copy)]
pub struct Camera {
    /// Width of the frame over its height.
    pub aspect: f32,
    /// Horizontal position of the vanishing point.
    pub center: f32,
    /// Height of the horizon from the top of the frame.
    pub horizon: f32,
    /// Focal length in frame heights.
    pub focal: f32,
    /// Meters to the right of the road's middle.
    pub x: f32,
    /// Meters above the road.
    pub height: f32,
    /// Color of distant things.
    pub haze: Color,
    /// Distance in meters at which 63 % has faded.
    pub sight: f32,
}

impl Camera {
    /// A camera in or beside a road of `half_road` meters to each side.
    pub fn random(aspect: f32, half_road: f32, haze: Color, rng: &mut Random) -> Self {
        Self {
            aspect,
            center: aspect * rng.range(0.36, 0.64),
            horizon: rng.range(0.4, 0.56),
            focal: rng.range(0.8, 1.15),
            x: half_road * rng.range(-0.65, 0.8),
            height: rng.range(1.3, 2.4),
            haze,
            sight: rng.range(90.0, 260.0),
        }
    }

    /// Position of a point in the frame.
    pub fn see(&self, (x, y, z): Point) -> (f32, f32) {
        let scale = self.focal / z.max(NEAR);
        (self.center + (x - self.x) * scale, self.horizon - (y - self.height) * scale)
    }

    /// Size of a meter at distance `z`, in frame heights.
    pub fn scale(&self, z: f32) -> f32 {
        self.focal / z.max(NEAR)
    }

    /// `color` seen from `z` meters away.
    pub fn fade(&self, color: Color, z: f32) -> Color {
        let share = 1.0 - (-z / self.sight).exp();
        let mix = |near: f32, far: f32| near + (far - near) * share;
        Color { r: mix(color.r, self.haze.r), g: mix(color.g, self.haze.g), b: mix(color.b, self.haze.b), a: color.a }
    }

    /// Draws the polygon with `corners`, faded by the distance of the nearest one.
    pub fn polygon(&self, d: &mut Drawing, corners: &[Point], color: Color) {
        let near = corners.iter().fold(f32::INFINITY, |near, corner| near.min(corner.2));
        let seen: Vec<(f32, f32)> = corners.iter().map(|&corner| self.see(corner)).collect();
        d.polygon(&seen, self.fade(color, near.max(0.0)));
    }

    /// A rectangle on the ground between two corners (X, Z).
    pub fn ground(&self, d: &mut Drawing, (x0, z0): (f32, f32), (x1, z1): (f32, f32), color: Color) {
        self.polygon(d, &[(x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)], color);
    }

    /// Places an object that was drawn in meters at (X, Z), upright and facing the camera.
    pub fn place(&self, d: &mut Drawing, mut object: Drawing, (x, z): (f32, f32), mirrored: bool) {
        for shape in &mut object.shapes {
            shape.fill = match shape.fill {
                Fill::Solid(color) => Fill::Solid(self.fade(color, z)),
                Fill::Gradient(at, colors) => Fill::Gradient(at, colors.map(|color| self.fade(color, z))),
            };
        }
        let (scale, foot) = (self.scale(z), self.see((x, 0.0, z)));
        let across = if mirrored { -scale } else { scale };
        d.place(object, Transform::from_row(across, 0.0, 0.0, -scale, foot.0, foot.1));
    }
}
