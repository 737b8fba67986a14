//! A stage: the text of one compute shader, its bindings and its grid, as data.

use crate::kernel::Access;

/// The dispatches of a call. Several of them pass results through scratch memory, a writable binding after those of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shader {
    /// In the order in which they run.
    pub stages: Vec<Stage>,
    /// Length of the scratch memory, in floats.
    pub scratch: usize,
}

/// A compute shader with the entry point `main`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// WGSL.
    pub source: String,
    /// Workgroups, counted along one axis; the engine may fold them into two (x first).
    pub workgroups: u64,
    /// Values of the immediates that the text declares.
    pub sizes: Vec<u32>,
    /// The bindings that the text declares, all of group 0, in the order of their numbers.
    pub bindings: Vec<StageBinding>,
}

/// A binding of a stage. Its number is that of the call's binding, or one more for the scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageBinding {
    /// `@binding(index)`
    pub index: u32,
    /// How it is declared.
    pub kind: BindingKind,
}

/// How a stage declares a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingKind {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
    /// `var name: texture_2d<f32>`: the engine copies the buffer to a texture before the call.
    Texture,
}

impl From<Access> for BindingKind {
    fn from(access: Access) -> Self {
        if access == Access::Read { BindingKind::Read } else { BindingKind::ReadWrite }
    }
}

impl Stage {
    /// A stage without immediates, whose text declares all bindings of a call.
    pub fn new<B>(source: String, workgroups: usize, call: &[(B, Access)]) -> Stage {
        let bindings = (0..).zip(call).map(|(index, (_, access))| StageBinding { index, kind: (*access).into() });
        Stage { source, workgroups: workgroups as u64, sizes: vec![], bindings: bindings.collect() }
    }
}
