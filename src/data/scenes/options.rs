//! The seed, the number and the size of drawn scenes.

/// Square scenes of objects. Equal seeds give equal scenes, so training and validation need different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SceneOptions {
    /// Seed.
    pub seed: u64,
    /// Number of scenes.
    pub count: usize,
    /// Height and width of each, in pixels.
    pub side: u32,
}

/// Scenes of streets. Equal seeds give equal scenes, so training and validation need different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreetOptions {
    /// Seed.
    pub seed: u64,
    /// Number of scenes.
    pub count: usize,
    /// Height of each, in pixels.
    pub height: u32,
    /// Width of each, in pixels.
    pub width: u32,
}
