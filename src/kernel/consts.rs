//! Constants of a kernel: declared in the text of a shader, read by name in its twin.

use std::fmt;

/// A value declared in the text of a shader, so that divisions are by constants.
#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    /// `u32`, always in the text: it unrolls loops and sizes arrays.
    U(u32),
    /// `u32` that may be read at run time: the size of a map, a number of rows or channels (see [`Consts::size`]).
    Size(u32),
    /// One [`Const::Size`] per phase of a stride. The text declares it as a function of the phase.
    Sizes(Vec<u32>),
    /// `i32`
    I(i32),
    /// `f32` in a shader, in full precision for an f64 twin.
    F(f64),
    /// `bool`
    B(bool),
}

/// Named constants of a call, in a fixed order. They are part of the key of a cached pipeline.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Consts(pub Vec<(&'static str, Const)>);

/// A size as 32 bits; plans check that all sizes fit.
fn word(value: usize) -> u32 {
    u32::try_from(value).expect("plan sizes are checked to fit 32 bits")
}

impl Consts {
    /// No constants.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds an unsigned integer.
    pub fn u(self, name: &'static str, value: usize) -> Self {
        self.with(name, Const::U(word(value)))
    }
    /// Adds a size that differs between layers of a kind. A kernel that reads sizes at run time (see
    /// `Kernel::sizes_at_run_time` in
    /// [`crate::exec::registry`]) serves all these layers with one text.
    pub fn size(self, name: &'static str, value: usize) -> Self {
        self.with(name, Const::Size(word(value)))
    }
    /// Adds one size for each phase of a stride.
    pub fn sizes(self, name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        self.with(name, Const::Sizes(values.into_iter().map(word).collect()))
    }
    /// Adds a signed integer.
    ///
    /// # Panics
    /// If the value does not fit 32 bits.
    pub fn i(self, name: &'static str, value: i64) -> Self {
        self.with(name, Const::I(i32::try_from(value).expect("plan sizes are checked to fit 32 bits")))
    }
    /// Adds a float.
    pub fn f(self, name: &'static str, value: f64) -> Self {
        self.with(name, Const::F(value))
    }
    /// Adds a flag.
    pub fn b(self, name: &'static str, value: bool) -> Self {
        self.with(name, Const::B(value))
    }
    /// Adds all of `other`.
    pub fn and(mut self, other: Consts) -> Self {
        self.0.extend(other.0);
        self
    }

    fn with(mut self, name: &'static str, value: Const) -> Self {
        self.0.push((name, value));
        self
    }

    fn get(&self, name: &str) -> &Const {
        let found = self.0.iter().find(|(n, _)| *n == name);
        &found.unwrap_or_else(|| panic!("a twin asks for the constant {name} that its op does not give")).1
    }
    /// An unsigned integer by name.
    ///
    /// # Panics
    /// When there is no such constant, or it has another type.
    pub fn usize(&self, name: &str) -> usize {
        match self.get(name) {
            Const::U(v) | Const::Size(v) => *v as usize,
            other => panic!("{name} is {other:?}, not an unsigned integer"),
        }
    }
    /// A signed integer by name.
    ///
    /// # Panics
    /// When there is no such constant, or it is not a signed integer.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Const::I(v) => i64::from(*v),
            other => panic!("{name} is {other:?}, not a signed integer"),
        }
    }
    /// A float by name.
    ///
    /// # Panics
    /// When there is no such constant, or it is not a float.
    pub fn float(&self, name: &str) -> f64 {
        match self.get(name) {
            Const::F(v) => *v,
            other => panic!("{name} is {other:?}, not a float"),
        }
    }
    /// A flag by name.
    ///
    /// # Panics
    /// When there is no such constant, or it is not a flag.
    pub fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            Const::B(v) => *v,
            other => panic!("{name} is {other:?}, not a flag"),
        }
    }
    /// Whether a flag of this name exists and is set.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.iter().any(|(known, value)| *known == name && *value == Const::B(true))
    }

    /// The constants as WGSL declarations, the head of every shader.
    pub fn prelude(&self) -> String {
        self.0.iter().map(|(name, value)| value.declaration(name)).collect()
    }
}

impl Const {
    /// The WGSL declaration of the constant, one line.
    pub fn declaration(&self, name: &str) -> String {
        match self {
            Const::Sizes(_) => format!("fn {name}(phase: u32) -> u32 {{ return {self}[phase]; }}\n"),
            Const::U(_) | Const::Size(_) => format!("const {name}: u32 = {self};\n"),
            Const::I(_) => format!("const {name}: i32 = {self};\n"),
            Const::F(_) => format!("const {name}: f32 = {self};\n"),
            Const::B(_) => format!("const {name}: bool = {self};\n"),
        }
    }
}

impl fmt::Display for Const {
    /// The value as a WGSL expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Const::U(v) | Const::Size(v) => write!(f, "{v}u"),
            Const::I(v) => write!(f, "{v}i"),
            Const::F(v) => write!(f, "{:e}f", *v as f32),
            Const::B(v) => write!(f, "{v}"),
            Const::Sizes(v) => {
                let items: Vec<_> = v.iter().map(|x| format!("{x}u")).collect();
                write!(f, "array<u32, {}>({})", v.len(), items.join(", "))
            }
        }
    }
}
