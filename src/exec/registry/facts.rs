//! The facts of a kernel that a line of the registry may state.

use crate::exec::twin::Twin;
use crate::kernel::{Consts, Geometry, Parameters};

/// Along which axis the vectors of a matrix kernel's left operand run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// `a_load(tap, c)` gives 4 terms of the sum, channels of a tap, for one row (forward, input gradient).
    SumInVectors,
    /// `a_load(row, pixel)` gives 4 rows for one term; rows count vectors (weight gradient).
    RowsInVectors,
}

/// A function whose WGSL accuracy is below correct rounding (see `exec/accuracy.rs`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `exp` of arguments below 10 in magnitude.
    Exp,
    /// `log`
    Log,
    /// `tanh`
    Tanh,
    /// `x / y`
    Divide,
    /// `sqrt`
    Sqrt,
    /// `p · log2(x)` as an exponent, for this p.
    LogTimes(f64),
}

/// Partial results of segments of rows, `[segments, C/4, (a, b), 4]`: one pair for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// Mean and sum of squared deviations.
    Moments,
    /// Σ g and Σ g·x̂, for the gradient of a norm.
    GradientSums,
}

/// Which parts of a result depend on the tile that computes it, and are comparable only when merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partials {
    /// None: every number is a result.
    None,
    /// The last binding holds the partial sums of a weight gradient.
    Splits,
    /// The last binding holds the segments of a result, where the call's geometry asks for them.
    Statistics(Segments),
}

/// The struct that a kernel's calls carry as their geometry.
#[derive(Clone, Copy)]
pub struct GeometryType {
    /// Its name, for errors.
    pub name: fn() -> &'static str,
    /// Whether parameters have it.
    pub is_in: fn(&Parameters) -> bool,
}

impl GeometryType {
    /// The geometry `G`.
    pub const fn of<G: Geometry>() -> Self {
        GeometryType { name: std::any::type_name::<G>, is_in: |parameters| parameters.geometry::<G>().is_some() }
    }
}

/// All facts of one kernel. Shader and twin have no default; methods state the other facts.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// Name that calls use.
    pub name: &'static str,
    /// Text of `shaders/NAME.wgsl`.
    pub wgsl: &'static str,
    /// Texts of the shared snippets that stand before it.
    pub snippets: &'static [&'static str],
    /// The twin.
    pub twin: Twin,
    /// The struct that its calls carry, if it needs one.
    pub geometry: Option<GeometryType>,
    /// A matrix kernel: the generated main loop surrounds its text.
    pub product: Option<Operands>,
    /// Whether Winograd's F(4×4, 3×3) may replace it where the geometry suits.
    pub winograd: bool,
    /// The functions that it calls with given constants.
    pub functions: fn(&Consts) -> Vec<Function>,
    /// Every call writes segments of rows at its last binding. They do not depend on a tile.
    pub segments: Option<Segments>,
    /// Parts of its results that depend on the tile.
    pub partials: Partials,
    /// Whether it recomputes the mask of a ReLU from rounded numbers, so that single results may jump.
    pub recomputes_mask: bool,
    /// Whether its sizes may be given at run time, where a device compiles slowly.
    pub sizes_at_run_time: bool,
}

impl Kernel {
    /// A kernel without further facts.
    pub const fn new(name: &'static str, wgsl: &'static str, twin: Twin) -> Kernel {
        Kernel {
            name,
            wgsl,
            snippets: &[],
            twin,
            geometry: None,
            product: None,
            winograd: false,
            functions: |_| vec![],
            segments: None,
            partials: Partials::None,
            recomputes_mask: false,
            sizes_at_run_time: false,
        }
    }

    /// Puts shared snippets before its text.
    pub const fn snippets(self, snippets: &'static [&'static str]) -> Kernel {
        Kernel { snippets, ..self }
    }

    /// Requires the geometry `G` of its calls.
    pub const fn geometry<G: Geometry>(self) -> Kernel {
        Kernel { geometry: Some(GeometryType::of::<G>()), ..self }
    }

    /// Makes it a matrix kernel.
    pub(super) const fn product(self, operands: Operands) -> Kernel {
        Kernel { product: Some(operands), ..self }
    }

    /// Lets Winograd replace it.
    pub(super) const fn winograd(self) -> Kernel {
        Kernel { winograd: true, ..self }
    }

    /// Names the functions that it calls and that WGSL does not round correctly.
    pub const fn functions(self, functions: fn(&Consts) -> Vec<Function>) -> Kernel {
        Kernel { functions, ..self }
    }

    /// States that it writes segments.
    pub(super) const fn segments(self, segments: Segments) -> Kernel {
        Kernel { segments: Some(segments), ..self }
    }

    /// States which parts of its results depend on the tile.
    pub(super) const fn partials(self, partials: Partials) -> Kernel {
        Kernel { partials, ..self }
    }

    /// States that it recomputes the mask of a ReLU, where its flag RELU is set and RESIDUAL is not.
    pub const fn recomputes_mask(self) -> Kernel {
        Kernel { recomputes_mask: true, ..self }
    }

    /// Lets devices give the constants made by [`Consts::size`] at run time. That pays for kernels that networks call
    /// in many sizes and that rarely divide by a size. Others take 1.1 to 1.6 times as long if the compiler does not
    /// know the sizes.
    pub const fn sizes_at_run_time(self) -> Kernel {
        Kernel { sizes_at_run_time: true, ..self }
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "kernel {}", self.name)
    }
}
