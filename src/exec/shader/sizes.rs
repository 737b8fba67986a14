//! Sizes that kernels are told when they run. A size is a constant of a kernel's text, so that divisions by it are cheap and
//! loops are known; but then layers that differ in nothing else are compiled one by one, which takes a software adapter half a
//! second each. For these, sizes become immediates, and one kernel serves many layers.

use std::collections::{BTreeMap, BTreeSet};

use super::Stage;
use crate::kernel::{KernelCall, Work};

/// Constants that tell a layer of a network from the next one of its kind: sizes of maps and channels of a convolution, of the
/// grid of a matrix kernel, of the phases of a stride, and of rows and channels. Kernel sizes, strides, tiles, and all that a
/// loop is unrolled or an array made by, stay in the text.
const SIZES: &str = "N H W OH OW GI4 GO4 I4 O4 CHUNK SPLITS SPLITS_K M_ALL N4_ALL TILES_M TILES_N LEFT_AT \
                     H_TAP H_TAPS H_STEP H_START H_COUNT W_TAP W_TAPS W_STEP W_START W_COUNT \
                     ITEMS ROWS SAMPLE_ROWS SEGMENTS SEGMENT_ROWS BLOCKS C C4 STATISTICS GROUPS_PADDED LEN4 TOTAL4";

/// Kernels of an invocation an item that networks have in many sizes, and that hardly divide by one. Others, such as those of
/// pooling and concatenation, take 1.1 to 1.6 times as long with sizes that are not known, and compile in no time.
const OF_MANY_SIZES: &[&str] = &["sum_partials", "transpose_kernel", "norm_apply", "norm_grad_apply"];

/// Whether the kernels of a call are to be told sizes when they run.
pub(super) fn at_run_time<B>(call: &KernelCall<B>) -> bool {
    !matches!(call.work, Work::Items(_)) || OF_MANY_SIZES.contains(&call.kernel)
}

/// A constant of a text, outside of all functions.
struct Constant<'a> {
    line: &'a str,
    name: &'a str,
    value: &'a str,
}

impl<'a> Constant<'a> {
    /// That of a line, if it is one.
    fn of(line: &'a str) -> Option<Self> {
        let (name, value) = line.strip_prefix("const ")?.strip_suffix(";")?.split_once('=')?;
        let name = name.split(':').next().unwrap_or_default().trim();
        Some(Constant { line, name, value: value.trim() })
    }

    /// A size, as the type and the words of an immediate.
    fn size(&self) -> Option<(String, Vec<u32>)> {
        let unsigned = |text: &str| text.trim().strip_suffix('u')?.parse().ok();
        if SIZES.split(' ').all(|size| size != self.name) {
            return None;
        }
        if let Some(array) = self.value.strip_prefix("array<u32, ") {
            let values = array.split_once('(')?.1.strip_suffix(')')?.split(',').map(unsigned);
            let values = values.collect::<Option<Vec<_>>>()?;
            return Some((format!("array<u32, {}>", values.len()), values));
        }
        Some(("u32".into(), vec![unsigned(self.value)?]))
    }
}

impl Stage {
    /// The same with its sizes as immediates, if these take no more than `limit` bytes.
    pub(super) fn sized_at_run_time(self, limit: usize) -> Stage {
        let lines: Vec<&str> = self.source.lines().map(without_comment).filter(|line| !line.is_empty()).collect();
        let (constants, code) = used(lines);
        let sizes: Vec<_> = constants.iter().filter_map(|constant| Some((constant.name, constant.size()?))).collect();
        let words: Vec<u32> = sizes.iter().flat_map(|(_, (_, words))| words).copied().collect();
        if words.is_empty() || size_of_val(words.as_slice()) > limit {
            return self;
        }
        let fields: String = sizes.iter().map(|(name, (ty, _))| format!("{name}: {ty}, ")).collect();
        let replaced = in_place_of(&constants, sizes.iter().map(|(name, _)| *name));
        // Extensions stand at the very beginning.
        let (extensions, code): (Vec<&str>, Vec<&str>) = code.into_iter().partition(|line| line.starts_with("enable "));
        let kept = constants.iter().filter(|constant| !replaced.contains_key(constant.name)).map(|kept| kept.line);
        let code = code.into_iter().map(|line| with_replaced(line, &replaced));
        let sizes = format!("struct Sizes {{ {fields}}}\nvar<immediate> sizes: Sizes;");
        let before = extensions.into_iter().chain([sizes.as_str()]).chain(kept).map(str::to_owned);
        Stage { source: before.chain(code).collect::<Vec<_>>().join("\n"), sizes: words, ..self }
    }
}

/// The constants of a text that something depends on, and its other lines.
fn used(lines: Vec<&str>) -> (Vec<Constant<'_>>, Vec<&str>) {
    let (mut constants, mut code) = (vec![], vec![]);
    for line in lines {
        match Constant::of(line) {
            Some(constant) => constants.push(constant),
            None => code.push(line),
        }
    }
    let mut needed: BTreeSet<&str> = code.iter().flat_map(|line| words(line)).collect();
    loop {
        let known = needed.len();
        for constant in &constants {
            if needed.contains(constant.name) {
                needed.extend(words(constant.value));
            }
        }
        if needed.len() == known {
            break;
        }
    }
    (constants.into_iter().filter(|constant| needed.contains(constant.name)).collect(), code)
}

/// What stands in a text for each of its sizes, and for what depends on sizes: that is computed where it is used.
fn in_place_of<'a>(constants: &[Constant<'a>], sizes: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let mut replaced: BTreeMap<&str, String> = sizes.map(|name| (name, format!("sizes.{name}"))).collect();
    loop {
        let known = replaced.len();
        for Constant { name, value, .. } in constants {
            let computed = with_replaced(value, &replaced);
            if !replaced.contains_key(name) && computed != *value {
                replaced.insert(name, format!("({computed})"));
            }
        }
        if replaced.len() == known {
            return replaced;
        }
    }
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim_end()
}

/// Words and what lies between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
}

fn with_replaced(text: &str, replaced: &BTreeMap<&str, String>) -> String {
    words(text).map(|word| replaced.get(word).map_or(word, String::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(text: &str, limit: usize) -> Stage {
        Stage::new(text.into(), 1).sized_at_run_time(limit)
    }

    const TEXT: &str = "enable f16;
alias T0 = f32;
const N : u32 = 7u; // images
const H_TAPS  = array<u32, 2>(3u, 1u);
const KH : u32 = 3u;
const C4 : u32 = 9u;
const SCALE : f32 = 5e-1f;
const TAP4: u32 = C4;
const ALL: u32 = KH * N + N_EXACT;
const N_EXACT: u32 = 2u;
const ROWS : u32 = 4u;
fn f(i: u32) -> u32 { return i * ALL + H_TAPS[i] * TAP4 + N_EXACT; } // of N
";

    #[test]
    fn sizes_become_immediates_and_what_nothing_depends_on_goes() {
        let stage = sized(TEXT, 16);
        let expected = "enable f16;
struct Sizes { N: u32, H_TAPS: array<u32, 2>, C4: u32, }
var<immediate> sizes: Sizes;
const KH : u32 = 3u;
const N_EXACT: u32 = 2u;
alias T0 = f32;
fn f(i: u32) -> u32 { return i * (KH * sizes.N + N_EXACT) + sizes.H_TAPS[i] * (sizes.C4) + N_EXACT; }";
        assert_eq!(stage.source, expected);
        assert_eq!(stage.sizes, [7, 3, 1, 9]);
    }

    #[test]
    fn texts_without_sizes_or_room_for_them_stay() {
        for (text, limit) in [(TEXT, 15), (TEXT, 0), ("const KH: u32 = 3u;\nfn f() -> u32 { return KH; }", 128)] {
            let stage = sized(text, limit);
            assert_eq!((stage.source.as_str(), stage.sizes.len()), (text, 0));
        }
    }

    #[test]
    fn layers_that_differ_in_sizes_alone_share_a_text() {
        let [a, b] = [TEXT.to_owned(), TEXT.replace("= 7u", "= 8u").replace("3u, 1u", "2u, 2u")].map(|t| sized(&t, 64));
        assert_eq!(a.source, b.source);
        assert_eq!(b.sizes, [8, 2, 2, 9]);
        assert_ne!(a.source, sized(&TEXT.replace("KH : u32 = 3u", "KH : u32 = 5u"), 64).source);
    }
}
