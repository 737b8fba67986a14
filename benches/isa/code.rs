//! Finds the main loop in disassembled code (RDNA from RADV, NVIDIA's from nvdisasm), and counts its instructions.

use std::fmt;
use std::ops::Range;

/// Instruction counts of a range of code, by execution unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Multiply-adds. A packed pair counts as two.
    pub fma: usize,
    /// Instructions of matrix units.
    pub matrix: usize,
    /// Other vector instructions.
    pub vector: usize,
    /// Reads and writes of workgroup memory.
    pub workgroup: usize,
    /// Reads and writes of global memory.
    pub global: usize,
    /// Scalar instructions without waits.
    pub scalar: usize,
}

impl Mix {
    fn of(lines: &[&str]) -> Mix {
        let mut mix = Mix::default();
        for line in lines.iter().filter(|l| l.starts_with('\t')) {
            let op = line.split_whitespace().next().unwrap_or_default();
            let is = |names: &[&str]| names.iter().any(|name| op.contains(name));
            match op {
                _ if op.starts_with("v_wmma") => mix.matrix += 1,
                _ if op.starts_with("v_dual_") => mix.fma += line.matches("v_dual_fma").count(),
                _ if op.starts_with("v_") && is(&["fmac_f32", "fma_f32", "mac_f32", "fmaak", "fmamk"]) => mix.fma += 1,
                _ if op.starts_with("v_") => mix.vector += 1,
                _ if op.starts_with("ds_") => mix.workgroup += 1,
                _ if op.starts_with("buffer_") || op.starts_with("global_") => mix.global += 1,
                _ if is(&["s_wait", "s_delay", "s_nop"]) || op == "NOP" => {}
                _ if op.starts_with("FFMA") => mix.fma += 1,
                _ if op.starts_with("LDS") || op.starts_with("STS") => mix.workgroup += 1,
                _ if ["LDG", "STG", "LDL", "STL"].iter().any(|name| op.starts_with(name)) => mix.global += 1,
                // The uniform unit, branches and barriers.
                _ if op.starts_with('U') || op.starts_with("BRA") || op.starts_with("BAR") => mix.scalar += 1,
                _ if op.starts_with(char::is_uppercase) => mix.vector += 1,
                _ => mix.scalar += 1,
            }
        }
        mix
    }

    fn products(&self) -> usize {
        self.fma + self.matrix
    }
}

/// The main loop of a kernel: the innermost loop, which multiplies, and the loop around it, which loads operands. Code
/// that a branch skips is not counted, because it runs once per tap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MainLoop {
    /// One iteration of the innermost loop.
    pub inner: Mix,
    /// One iteration of the outer loop, without the inner one.
    pub outer: Mix,
}

impl MainLoop {
    pub fn of(code: &str) -> MainLoop {
        let lines: Vec<&str> = code.lines().collect();
        let loops = loops(&lines);
        let most = |l: &&Range<usize>| (Mix::of(&lines[(*l).clone()]).products(), std::cmp::Reverse(l.len()));
        let Some(inner) = loops.iter().max_by_key(most) else { return MainLoop::default() };
        let around = loops.iter().filter(|l| l.len() > inner.len() && l.start <= inner.start && l.end >= inner.end);
        let outer = around.min_by_key(|l| l.len());
        let leaps = leaps(&lines, outer.unwrap_or(inner));
        let mix = |range: &Range<usize>, without: &Range<usize>| {
            let left_out = |i: &usize| without.contains(i) || leaps.iter().any(|leap| leap.contains(i));
            let lines: Vec<&str> = range.clone().filter(|i| !left_out(i)).map(|i| lines[i]).collect();
            Mix::of(&lines)
        };
        MainLoop { inner: mix(inner, &(0..0)), outer: outer.map_or(Mix::default(), |outer| mix(outer, inner)) }
    }
}

impl fmt::Display for MainLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mix in [&self.inner, &self.outer] {
            let Mix { matrix, fma, vector, workgroup, global, scalar } = mix;
            write!(f, " {:>5} {vector:>4} {workgroup:>4} {global:>4} {scalar:>4} |", matrix + fma)?;
        }
        Ok(())
    }
}

/// Lines of branches, with the lines of their targets.
fn branches<'a>(lines: &'a [&str]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let label = |line: &str| line.strip_suffix(':').map(str::to_owned);
    let places: Vec<(String, usize)> = lines.iter().enumerate().filter_map(|(i, l)| Some((label(l)?, i))).collect();
    let target = |line: &str| {
        let mut words = line.split_whitespace();
        match words.next() {
            Some(op) if op.contains("branch") => words.next(),
            // The target follows the predicates.
            Some(op) if op.starts_with("BRA") => words.last(),
            _ => None,
        }
        .map(str::to_owned)
    };
    lines.iter().enumerate().filter_map(move |(i, line)| {
        let to = target(line)?;
        places.iter().find(|(name, _)| *name == to).map(|(_, at)| (i, *at))
    })
}

/// Ranges from a label to the branch back to it.
fn loops(lines: &[&str]) -> Vec<Range<usize>> {
    branches(lines).filter(|(from, to)| to < from).map(|(from, to)| to..from + 1).collect()
}

/// Upper bound on the products that a branch may skip. A branch for statistics or a border has fewer, the loop has
/// more.
const FEW: usize = 16;

/// Ranges of a loop that a forward branch skips, without products and without the first arm of an if-else.
fn leaps(lines: &[&str], within: &Range<usize>) -> Vec<Range<usize>> {
    let forward = branches(lines).filter(|(from, to)| from < to && within.contains(from) && within.contains(to));
    let small = forward.map(|(from, to)| from + 1..to).filter(|leap| Mix::of(&lines[leap.clone()]).products() < FEW);
    let chosen = |leap: &Range<usize>| branches(lines).any(|(from, to)| from + 1 == leap.end && to > from);
    small.filter(|leap| !chosen(leap)).collect()
}
