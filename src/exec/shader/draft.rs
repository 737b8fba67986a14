//! A stage while it is put together. Constants are kept apart from the text, so that `sizes.rs` may turn sizes among them into
//! immediates.

use super::stage::{Stage, StageBinding};
use super::target::Target;
use crate::kernel::{Consts, WORKGROUP};
use crate::shape::Element;

/// The head of all kernels that run one invocation per item.
const ITEMS: &str = include_str!("../../../shaders/shared/items.wgsl");
/// The head of all kernels whose workgroups reduce together, with subgroups and without.
const SUBGROUPS: &str = include_str!("../../../shaders/shared/subgroups.wgsl");
const ALONE: &str = include_str!("../../../shaders/shared/workgroup.wgsl");
const SPANS: &str = include_str!("../../../shaders/shared/spans.wgsl");

/// A stage before its text is complete.
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
    /// Bindings that the text declares.
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

    pub fn stage(mut self, source: String, sizes: Vec<u32>) -> Stage {
        self.bindings.sort_by_key(|binding| binding.index);
        Stage { source, workgroups: self.workgroups as u64, sizes, bindings: self.bindings }
    }

    /// One invocation for each item: constants, the head, and `text`.
    pub fn of_items(mut self, items: usize, text: &str) -> Draft {
        let constants = Consts::new().size("ITEMS", items).u("WORKGROUP", WORKGROUP);
        self.constants = self.constants.and(constants);
        self.text = format!("{ITEMS}{text}");
        Draft { workgroups: items.div_ceil(WORKGROUP), ..self }
    }

    /// One workgroup that reduces together for each of `groups`: constants, the head, and `text`.
    pub fn of_groups(mut self, groups: usize, target: Target, text: &str) -> Draft {
        let constants = Consts::new().size("ITEMS", groups).u("WORKGROUP", WORKGROUP);
        // A workgroup must consist of whole subgroups.
        let subgroup = target.subgroup.filter(|&size| size.is_power_of_two() && size <= WORKGROUP);
        let (constants, head) = match subgroup {
            Some(size) => (constants.u("SUBGROUP", size), SUBGROUPS),
            None => (constants, ALONE),
        };
        self.constants = self.constants.and(constants);
        self.text = format!("{head}{SPANS}{text}");
        Draft { workgroups: groups, ..self }
    }
}

/// The entry point that runs `body` for each item `i`, for kernels whose text is generated.
pub(super) fn for_items(body: &str) -> String {
    format!(
        "
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {{
    let i = item(wid, count, lid);
    if (i < ITEMS) {{
{body}    }}
}}
"
    )
}
