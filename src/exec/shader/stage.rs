//! A stage: the text of one compute shader, its bindings and its grid, as data.

use super::sizes;
use crate::kernel::{Access, Consts};
use crate::shape::Element;

/// What computes a call: one dispatch, or several that pass results through scratch memory. The scratch memory is one more
/// binding after those of the call, writable.
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

/// A stage while it is put together. Constants are kept apart from the text, so that sizes among them may be given at run
/// time instead.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// `enable …;` lines.
    pub extensions: Vec<&'static str>,
    /// Element types of the call's bindings.
    pub elements: Vec<Element>,
    /// Constants of the call and of the generator.
    pub constants: Consts,
    /// Declarations and the entry point.
    pub text: String,
    /// What the text declares.
    pub bindings: Vec<StageBinding>,
    /// Workgroups.
    pub workgroups: usize,
}

impl Draft {
    /// The stage, with its sizes in the text.
    pub fn with_constants(self) -> Stage {
        let constants = self.constants.prelude();
        let source = format!("{}{}{constants}{}", self.enables(), self.aliases(), self.text);
        self.stage(source, vec![])
    }

    /// The stage, with its sizes at run time if they fit into `immediates` bytes.
    pub fn finished(self, immediates: Option<usize>) -> Stage {
        match immediates.and_then(|limit| sizes::at_run_time(&self, limit)) {
            Some((source, sizes)) => self.stage(source, sizes),
            None => self.with_constants(),
        }
    }

    /// Extensions, which stand at the very beginning.
    pub fn enables(&self) -> String {
        let half = self.elements.contains(&Element::F16).then_some("f16");
        self.extensions.iter().copied().chain(half).map(|name| format!("enable {name};\n")).collect()
    }

    /// The type `Ti` of the numbers of each binding.
    pub fn aliases(&self) -> String {
        let ty = |element: &Element| if *element == Element::F16 { "f16" } else { "f32" };
        self.elements.iter().enumerate().map(|(i, element)| format!("alias T{i} = {};\n", ty(element))).collect()
    }

    fn stage(mut self, source: String, sizes: Vec<u32>) -> Stage {
        self.bindings.sort_by_key(|binding| binding.index);
        Stage { source, workgroups: self.workgroups as u64, sizes, bindings: self.bindings }
    }
}
