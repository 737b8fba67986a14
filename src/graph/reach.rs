//! Receptive fields: the pixels of an input on which a pixel of a value depends.
//!
//! An op reads `extent` pixels along an axis, and its neighboring pixels read `step` pixels apart. A field of `f` pixels whose
//! neighbors are `j` pixels of the image apart becomes `f + (extent − 1)·j`, and then `j·step`. Padding counts as image.

use super::{Graph, Source, Value};
use crate::shape::Window;

/// The pixels of an op's input that one pixel of its output depends on, along height and width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// Pixels along an axis, from the first to the last.
    pub extent: [usize; 2],
    /// Distance between the pixels that neighboring pixels of the output read; below 1 where the op enlarges.
    pub step: [f64; 2],
}

impl Reach {
    /// The pixel at the same place.
    pub const PIXEL: Reach = Reach { extent: [1; 2], step: [1.0; 2] };

    /// A window that slides over the input.
    pub fn window(window: &Window) -> Self {
        let extent = |axis: usize| window.dilation[axis] * window.kernel_size[axis].saturating_sub(1) + 1;
        Reach { extent: [0, 1].map(extent), step: window.stride.map(|stride| stride as f64) }
    }

    /// A window that slides over the output, as in a transposed convolution.
    pub fn transposed(window: &Window) -> Self {
        let extent = Reach::window(window).extent;
        let stride = window.stride.map(|stride| stride.max(1));
        Reach { extent: [0, 1].map(|axis| extent[axis].div_ceil(stride[axis])), step: stride.map(|s| 1.0 / s as f64) }
    }
}

/// A receptive field.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Field {
    size: [f64; 2],
    step: [f64; 2],
}

/// Height and width of the receptive field of each value, by its index; `None` for a value that does not depend on `image`.
pub fn receptive_fields(graph: &Graph, image: Value) -> Vec<Option<[f64; 2]>> {
    let mut fields: Vec<Option<Field>> = vec![None; graph.value_count()];
    fields[image.index()] = Some(Field { size: [1.0; 2], step: [1.0; 2] });
    for node in graph.nodes() {
        let states = |v: &&Value| !matches!(graph.source(**v), Source::State(_));
        let inputs: Vec<Field> = node.inputs.iter().filter(states).filter_map(|v| fields[v.index()]).collect();
        let Some(first) = inputs.first() else { continue };
        let types: Vec<_> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
        let reach = node.op.reach(&types);
        let size = |axis: usize| {
            let grown = |field: &Field| field.size[axis] + (reach.extent[axis] as f64 - 1.0) * field.step[axis];
            inputs.iter().map(grown).fold(0.0, f64::max)
        };
        let field = Field { size: [0, 1].map(size), step: [0, 1].map(|axis| first.step[axis] * reach.step[axis]) };
        node.outputs.iter().for_each(|v| fields[v.index()] = Some(field));
    }
    fields.into_iter().map(|field| field.map(|field| field.size)).collect()
}
