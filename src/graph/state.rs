//! Named state that outlives a step: parameters, optimizer moments, running statistics.
//!
//! The states of a group lie side by side in one flat buffer, so that one dispatch updates all parameters.

use std::collections::HashMap;

use crate::random;
use crate::shape::TensorType;

/// Alignment of a state inside its group's buffer, in floats: 256 bytes, the largest alignment of storage offsets that
/// an adapter may require.
pub const STATE_ALIGN: usize = 64;

/// Purpose of a state. Each group is one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Trained by the optimizer.
    Parameters,
    /// Weights that are not trained.
    Frozen,
    /// Running statistics of BatchNorm.
    Statistics,
    /// Moments of the optimizer.
    Moments,
}

impl Group {
    /// All groups.
    pub const ALL: [Group; 4] = [Group::Parameters, Group::Frozen, Group::Statistics, Group::Moments];
}

/// Start values of a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One value for all elements.
    Constant(f32),
    /// Normal with mean 0 (He et al. 2015: std = sqrt(2 / fan)).
    Normal {
        /// Standard deviation.
        std: f32,
    },
    /// Uniform in ± bound.
    Uniform {
        /// Half width.
        bound: f32,
    },
    /// Weight [KH, KW, C, C] of a transposed convolution that interpolates each channel bilinearly (Long et al. 2015).
    Bilinear {
        /// KH, KW.
        kernel_size: [usize; 2],
        /// C.
        channels: usize,
    },
}

/// Weight at position `i` of `size` for bilinear enlargement by `size / 2`: a triangle over all positions.
fn triangle(i: usize, size: usize) -> f32 {
    let half = size.div_ceil(2) as f32;
    let center = (2.0 * half - 1.0 - (half as usize * 2 - size) as f32) / 2.0;
    1.0 - ((i as f32 - center) / half).abs()
}

impl Init {
    /// The logical start values of a state. They depend only on the seed and the state's name.
    pub fn values(&self, seed: u64, name: &str, len: usize) -> Vec<f32> {
        let stream =
            name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        (0..len as u64)
            .map(|i| match *self {
                Init::Constant(v) => v,
                Init::Normal { std } => std * random::Random::new(seed, stream, i, 0).normal(),
                Init::Uniform { bound } => bound * (2.0 * random::unit(seed, stream, i, 0) - 1.0),
                Init::Bilinear { kernel_size: [kh, kw], channels } => {
                    let (input, output) = (i as usize % channels, i as usize / channels % channels);
                    let tap = i as usize / (channels * channels);
                    let height = triangle(tap / kw, kh) * triangle(tap % kw, kw);
                    if input == output { height } else { 0.0 }
                }
            })
            .collect()
    }
}

/// Whether a pattern matches the name of a state or of a layer that contains it.
pub fn names(pattern: &str, state: &str) -> bool {
    let ends = state.match_indices('.').map(|(end, _)| end).chain([state.len()]);
    let pattern = wildmatch::WildMatch::new(pattern);
    ends.into_iter().any(|end| pattern.matches(&state[..end]))
}

/// A state's description.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSpec {
    /// Unique name; torchvision's where torchvision has the model.
    pub name: String,
    /// Logical shape and layout.
    pub ty: TensorType,
    /// Group.
    pub group: Group,
    /// Start values.
    pub init: Init,
    /// For parameters: false for biases and the scales of norms, which weight decay may skip.
    pub decay: bool,
}

impl StateSpec {
    /// The first property in which another state of this name differs: this state's, and the other's.
    fn difference(&self, other: &StateSpec) -> Option<[String; 2]> {
        let [known, asked] = [self, other].map(|s| {
            let shape = format!("the shape {} ({:?})", s.ty.shape, s.ty.layout);
            let decay = if s.decay { "weight decay" } else { "no weight decay" }.into();
            [shape, format!("the group {:?}", s.group), format!("the start {:?}", s.init), decay]
        });
        known.into_iter().zip(asked).find(|(a, b)| a != b).map(|(a, b)| [a, b])
    }
}

/// A state of a [`StateTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateId(pub(crate) usize);

/// All states that graphs share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateTable {
    specs: Vec<StateSpec>,
    by_name: HashMap<String, StateId>,
    frozen: Vec<String>,
    fixed_statistics: Vec<String>,
}

/// Position of every state in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct StateLayout {
    /// Offset of each state in its group, in floats.
    pub offsets: Vec<usize>,
    /// Length of each group, in floats, in the order of [`Group::ALL`].
    pub group_len: [usize; 4],
    /// Parameters before this offset are decayed, those after it are not.
    pub decay_end: usize,
}

impl StateTable {
    /// A table that freezes the parameters that match one of the patterns. A pattern is the name of a parameter or of a
    /// layer, and may contain `*` for any characters.
    pub fn freezing(patterns: &[String]) -> Self {
        StateTable { frozen: patterns.to_vec(), ..Self::default() }
    }

    /// The table for networks whose BatchNorm layers that match one of the patterns normalize by their running statistics in
    /// training too, and do not update them. Patterns are those of [`StateTable::freezing`].
    pub fn fixing_statistics(self, patterns: Vec<String>) -> Self {
        StateTable { fixed_statistics: patterns, ..self }
    }

    /// Whether the running statistics of a layer stay as they are.
    pub fn fixes_statistics(&self, layer: &str) -> bool {
        self.fixed_statistics.iter().any(|pattern| names(pattern, layer))
    }

    /// Adds a state, or finds the equal one that exists.
    ///
    /// # Errors
    /// When a state of this name differs: the property of the known state, and the requested one.
    pub fn add(&mut self, mut spec: StateSpec) -> Result<StateId, [String; 2]> {
        spec.group = self.group_of(&spec);
        if let Some(&id) = self.by_name.get(&spec.name) {
            return self.specs[id.0].difference(&spec).map_or(Ok(id), Err);
        }
        let id = StateId(self.specs.len());
        self.by_name.insert(spec.name.clone(), id);
        self.specs.push(spec);
        Ok(id)
    }
    /// The group to which a state belongs: that of its description, or [`Group::Frozen`] for a frozen parameter.
    pub(super) fn group_of(&self, spec: &StateSpec) -> Group {
        let frozen = || self.frozen.iter().any(|pattern| names(pattern, &spec.name));
        if spec.group == Group::Parameters && frozen() { Group::Frozen } else { spec.group }
    }
    /// Looks a state up.
    pub fn find(&self, name: &str) -> Option<StateId> {
        self.by_name.get(name).copied()
    }
    /// Description of a state.
    pub fn spec(&self, id: StateId) -> &StateSpec {
        &self.specs[id.0]
    }
    /// All states in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (StateId, &StateSpec)> {
        self.specs.iter().enumerate().map(|(i, s)| (StateId(i), s))
    }
    /// States of one group.
    pub fn of(&self, group: Group) -> impl Iterator<Item = (StateId, &StateSpec)> {
        self.iter().filter(move |(_, s)| s.group == group)
    }

    /// Assigns offsets. Decayed parameters come first. Optimizer moments that are added later move no parameter.
    pub fn layout(&self) -> StateLayout {
        let mut layout = StateLayout { offsets: vec![0; self.specs.len()], group_len: [0; 4], decay_end: 0 };
        for decay in [true, false] {
            for (id, spec) in self.iter().filter(|(_, s)| s.decay == decay) {
                let end = &mut layout.group_len[spec.group as usize];
                layout.offsets[id.0] = *end;
                *end += spec.ty.len().next_multiple_of(STATE_ALIGN);
            }
            if decay {
                layout.decay_end = layout.group_len[Group::Parameters as usize];
            }
        }
        layout
    }
}
