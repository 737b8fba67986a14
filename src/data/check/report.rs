//! The report of a check, and its text.

use std::fmt;
use std::path::{Path, PathBuf};

use super::PartRead;
use crate::data::depth::Basis;
use crate::data::{BadImage, Decisions, MissingHint, SampleDepth, one_line};

/// A fault of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// File or list line; empty for faults of the whole set.
    pub file: String,
    /// The fault, and what to do.
    pub what: String,
    /// The hint with which the data could be read.
    pub hint: Option<MissingHint>,
}

impl Fault {
    pub(super) fn general(what: String) -> Self {
        Self { what, ..Self::default() }
    }
}

impl From<&BadImage> for Fault {
    fn from(bad: &BadImage) -> Self {
        Self { file: bad.image.clone(), what: bad.problem.to_string(), hint: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            "" => f.write_str(&self.what),
            file => write!(f, "{file}: {}", self.what),
        }
    }
}

/// Samples of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCount {
    /// `train`, `val` or `test`.
    pub name: &'static str,
    /// Number of samples.
    pub images: usize,
    /// Samples without fault.
    pub good: usize,
    /// Smallest and largest width and height; `None` where no image can be read.
    pub sizes: Option<[(u32, u32); 2]>,
    /// Images without color.
    pub grey: usize,
}

/// Frequency of a class in each of the report's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCount {
    /// Name.
    pub name: String,
    /// Images of the class (classification) or its pixels (segmentation).
    pub counts: Vec<u64>,
}

/// The report of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// `classify`, `multi-label`, `segment` or `colorize`.
    pub task: &'static str,
    /// Path of the data set.
    pub path: PathBuf,
    /// Its format.
    pub format: String,
    /// Its parts.
    pub parts: Vec<PartCount>,
    /// Unit of `classes`: `images` or `pixels`.
    pub unit: &'static str,
    /// Its classes; empty for colorization.
    pub classes: Vec<ClassCount>,
    /// Faults that prevent training.
    pub faults: Vec<Fault>,
    /// Other remarks.
    pub notes: Vec<String>,
    /// How the set was read, and what was left out.
    pub decisions: Decisions,
}

impl CheckReport {
    pub(super) fn new(task: &'static str, path: &Path, format: &str) -> Self {
        let (path, format) = (path.to_path_buf(), format.to_string());
        let (parts, classes, faults, notes, decisions) = Default::default();
        Self { task, path, format, parts, unit: "images", classes, faults, notes, decisions }
    }

    /// The report with how the set was read.
    pub(super) fn with(self, decisions: Decisions) -> Self {
        Self { decisions, ..self }
    }

    /// Whether there are no faults.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// Adds a note on how 16-bit samples are read.
    pub(super) fn add_depth(&mut self, depth: Option<&SampleDepth>) {
        self.notes.extend(depth.and_then(|depth| {
            depth.settle(Basis::All);
            depth.note()
        }));
    }

    /// Counts the samples of each part, and adds their faults.
    pub(super) fn add_parts(&mut self, parts: &[PartRead]) {
        for part in parts {
            let facts = || part.samples.iter().filter_map(|sample| sample.image.as_ref());
            let sizes = facts().map(|facts| [facts.size; 2]).reduce(|[low, high], [size, _]| {
                [(low.0.min(size.0), low.1.min(size.1)), (high.0.max(size.0), high.1.max(size.1))]
            });
            self.parts.push(PartCount {
                name: part.name,
                images: part.samples.len(),
                good: part.samples.iter().filter(|sample| sample.bad.is_empty()).count(),
                sizes,
                grey: facts().filter(|facts| facts.grey).count(),
            });
            self.faults.extend(part.samples.iter().flat_map(|sample| &sample.bad).map(Fault::from));
        }
    }

    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<8}{:>9}{:>9}{:>9}  size", "part", "images", "good", "grey")?;
        for PartCount { name, images, good, sizes, grey } in &self.parts {
            let sizes = match sizes {
                Some([low, high]) if low == high => format!("{}x{}", low.0, low.1),
                Some([low, high]) => format!("{}x{} to {}x{}", low.0, low.1, high.0, high.1),
                None => "-".into(),
            };
            writeln!(f, "{name:<8}{images:>9}{good:>9}{grey:>9}  {sizes}")?;
        }
        Ok(())
    }

    fn write_classes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(8) + 2;
        write!(f, "\n{:<width$}", "class")?;
        for part in &self.parts {
            write!(f, "{:>20}", format!("{} {}", part.name, self.unit))?;
        }
        writeln!(f)?;
        let total = |part: usize| self.classes.iter().map(|class| class.counts[part]).sum::<u64>().max(1);
        for class in &self.classes {
            write!(f, "{:<width$}", one_line(&class.name))?;
            for (part, &count) in class.counts.iter().enumerate() {
                let share = 100.0 * count as f64 / total(part) as f64;
                write!(f, "{:>20}", format!("{count} {share:>5.1} %"))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path.display(), self.format)?;
        if !self.parts.is_empty() {
            self.write_parts(f)?;
        }
        if !self.classes.is_empty() {
            self.write_classes(f)?;
        }
        let decisions = &self.decisions;
        let left_out = decisions.left_out_lines();
        let notes: Vec<&String> = self.notes.iter().chain(&decisions.notes).collect();
        if !decisions.evidence.is_empty() {
            writeln!(f, "\nrecognized by: {}", one_line(&decisions.evidence.join(", ")))?;
        }
        if !decisions.split.is_empty() {
            writeln!(f, "split: {}", decisions.split)?;
        }
        if let Some(orientation) = &decisions.orientation {
            writeln!(f, "orientation: {orientation}")?;
        }
        if !notes.is_empty() || !left_out.is_empty() {
            writeln!(f)?;
        }
        for line in left_out {
            writeln!(f, "left out: {line}")?;
        }
        for note in notes {
            writeln!(f, "note: {note}")?;
        }
        match self.faults.len() {
            0 => write!(f, "\nnothing is wrong"),
            1 => write!(f, "\n1 fault:\n  {}", self.faults[0]),
            count => {
                write!(f, "\n{count} faults:")?;
                self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}
