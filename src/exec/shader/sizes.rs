//! Sizes at run time. As a rule a size is a constant of a shader's text, so that divisions by it are cheap and the
//! lengths of loops are known. Layers that differ only in sizes then have different texts, and a software adapter
//! compiles each for half a second. For these adapters sizes become immediates, and one text serves many layers.
//!
//! Only declarations change: `const N: u32 = 7u;` becomes `var<private> N: u32;`, which the entry point sets from the
//! immediates before anything else. Constants that are computed from sizes change likewise. The code itself stays as it
//! is, so WGSL's own rules say what a name means.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::stage::Stage;
use crate::kernel::Const;

/// A constant that the text itself declares, outside of all functions, on one line.
#[derive(Clone, Copy)]
struct Derived<'a> {
    line: &'a str,
    name: &'a str,
    ty: &'a str,
    value: &'a str,
}

impl<'a> Derived<'a> {
    /// The constant of a line `const NAME: TYPE = VALUE;`; `None` for other lines.
    fn of(line: &'a str) -> Option<Self> {
        let (declared, value) = line.strip_prefix("const ")?.strip_suffix(";")?.split_once('=')?;
        let (name, ty) = declared.split_once(':')?;
        Some(Derived { line, name: name.trim(), ty: ty.trim(), value: value.trim() })
    }

    fn depends_on(&self, names: &BTreeSet<&str>) -> bool {
        words(self.value).any(|word| names.contains(word))
    }
}

impl Draft {
    /// The stage, with its sizes at run time if they fit into `immediates` bytes.
    pub fn finished(self, immediates: Option<usize>) -> Stage {
        match immediates.and_then(|limit| at_run_time(&self, limit)) {
            Some((source, sizes)) => self.stage(source, sizes),
            None => self.with_constants(),
        }
    }
}

/// The text of a stage with its sizes as immediates, and their values. `None` where it has no sizes, or they take more than
/// `limit` bytes.
fn at_run_time(draft: &Draft, limit: usize) -> Option<(String, Vec<u32>)> {
    let lines: Vec<&str> = draft.text.lines().map(without_comment).filter(|line| !line.is_empty()).collect();
    let (derived, code): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| Derived::of(line).is_some());
    let derived: Vec<Derived<'_>> = derived.into_iter().filter_map(Derived::of).collect();
    let needed = needed(&derived, &code);
    let derived: Vec<_> = derived.into_iter().filter(|constant| needed.contains(constant.name)).collect();
    let given = || draft.constants.0.iter().filter(|(name, _)| needed.contains(name));
    let sizes: Vec<_> = given().filter_map(|(name, value)| Some((*name, size(value)?))).collect();
    let values: Vec<u32> = sizes.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    if values.is_empty() || size_of_val(values.as_slice()) > limit {
        return None;
    }

    let mut out = draft.enables() + &draft.aliases();
    let fields = sizes.iter().zip(given().filter(|(_, value)| size(value).is_some()));
    let fields: String = fields.map(|((name, _), (_, value))| format!("{name}: {}, ", field(value))).collect();
    out += &format!("struct Sizes {{ {fields}}}\nvar<immediate> sizes: Sizes;\n");
    let mut at_entry = String::new();
    let mut variables = BTreeSet::new();
    for (name, value) in given() {
        match value {
            Const::Size(_) => {
                out += &format!("var<private> {name}: u32;\n");
                at_entry += &format!("    {name} = sizes.{name};\n");
                variables.insert(*name);
            }
            Const::Sizes(_) => out += &format!("fn {name}(phase: u32) -> u32 {{ return sizes.{name}[phase]; }}\n"),
            fixed => out += &fixed.declaration(name),
        }
    }
    // A constant that depends on a variable becomes a variable, set after it.
    let mut rest = derived;
    loop {
        let (dependent, other): (Vec<Derived<'_>>, Vec<Derived<'_>>) =
            rest.iter().partition(|constant| constant.depends_on(&variables));
        let pending: BTreeSet<&str> = dependent.iter().map(|constant| constant.name).collect();
        let (waiting, ready): (Vec<Derived<'_>>, Vec<Derived<'_>>) =
            dependent.into_iter().partition(|c| c.depends_on(&pending));
        for constant in &ready {
            out += &format!("var<private> {}: {};\n", constant.name, constant.ty);
            at_entry += &format!("    {} = {};\n", constant.name, constant.value);
            variables.insert(constant.name);
        }
        rest = other.into_iter().chain(waiting).collect();
        if ready.is_empty() {
            break;
        }
    }
    rest.iter().for_each(|constant| out.extend([constant.line, "\n"]));
    let code = code.join("\n") + "\n";
    let (before, body) = entry(&code)?;
    Some((format!("{out}{before}{at_entry}{body}"), values))
}

/// The words of a constant that may become an immediate; `None` for other constants.
fn size(value: &Const) -> Option<Vec<u32>> {
    match value {
        Const::Size(v) => Some(vec![*v]),
        Const::Sizes(v) => Some(v.clone()),
        _ => None,
    }
}

/// The WGSL type of a constant's immediate.
fn field(value: &Const) -> String {
    match value {
        Const::Sizes(v) => format!("array<u32, {}>", v.len()),
        _ => "u32".into(),
    }
}

/// The text before the first statement of `main`, and the rest.
fn entry(code: &str) -> Option<(&str, &str)> {
    let main = code.find("fn main(")?;
    let body = main + code[main..].find("{\n")? + 2;
    Some(code.split_at(body))
}

/// The names that the code uses, directly or through constants. Words that only look like names may be among them.
fn needed<'a>(derived: &[Derived<'a>], code: &[&'a str]) -> BTreeSet<&'a str> {
    let mut needed: BTreeSet<&str> = code.iter().flat_map(|line| words(line)).collect();
    loop {
        let known = needed.len();
        for constant in derived.iter().filter(|constant| needed.contains(constant.name)).collect::<Vec<_>>() {
            needed.extend(words(constant.value));
        }
        if needed.len() == known {
            return needed;
        }
    }
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim_end()
}

/// The words of a text: names, keywords and numbers.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::shader::Stage;
    use crate::kernel::Consts;
    use crate::shape::Element;

    const TEXT: &str = "const TAP4: u32 = C4;
const ALL: u32 = KH * N + N_EXACT; // of N
const N_EXACT: u32 = 2u;
const TWICE: u32 = 2u * ALL;
fn f(i: u32) -> u32 { return i * TWICE + H_TAPS(i) * TAP4 + N_EXACT; }
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wid: vec3<u32>) {
    y[0] = f(wid.x);
}
";

    fn draft(n: usize, kh: usize, taps: [usize; 2]) -> Draft {
        let constants = Consts::new().size("N", n).sizes("H_TAPS", taps).u("KH", kh).size("C4", 9).f("SCALE", 0.5);
        Draft {
            elements: vec![Element::F16],
            constants: constants.size("ROWS", 4),
            text: TEXT.into(),
            ..Draft::default()
        }
    }

    fn sized(draft: Draft, limit: usize) -> Stage {
        draft.finished(Some(limit))
    }

    #[test]
    fn sizes_become_variables_and_what_nothing_uses_goes() {
        let stage = sized(draft(7, 3, [3, 1]), 16);
        let expected = "enable f16;
alias T0 = f16;
struct Sizes { N: u32, H_TAPS: array<u32, 2>, C4: u32, }
var<immediate> sizes: Sizes;
var<private> N: u32;
fn H_TAPS(phase: u32) -> u32 { return sizes.H_TAPS[phase]; }
const KH: u32 = 3u;
var<private> C4: u32;
var<private> TAP4: u32;
var<private> ALL: u32;
var<private> TWICE: u32;
const N_EXACT: u32 = 2u;
fn f(i: u32) -> u32 { return i * TWICE + H_TAPS(i) * TAP4 + N_EXACT; }
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wid: vec3<u32>) {
    N = sizes.N;
    C4 = sizes.C4;
    TAP4 = C4;
    ALL = KH * N + N_EXACT;
    TWICE = 2u * ALL;
    y[0] = f(wid.x);
}
";
        assert_eq!(stage.source, expected);
        assert_eq!(stage.sizes, [7, 3, 1, 9]);
    }

    #[test]
    fn texts_without_sizes_or_room_for_them_keep_constants() {
        let plain = draft(7, 3, [3, 1]).with_constants();
        for limit in [0, 15] {
            assert_eq!(sized(draft(7, 3, [3, 1]), limit), plain, "{limit} bytes");
        }
        let none = Draft { constants: Consts::new().u("N", 7), ..draft(7, 3, [3, 1]) };
        assert_eq!(sized(none.clone(), 128), none.with_constants());
    }

    #[test]
    fn layers_that_differ_in_sizes_alone_share_a_text() {
        let [a, b] = [draft(7, 3, [3, 1]), draft(8, 3, [2, 2])].map(|draft| sized(draft, 64));
        assert_eq!(a.source, b.source);
        assert_eq!(b.sizes, [8, 2, 2, 9]);
        assert_ne!(a.source, sized(draft(7, 5, [3, 1]), 64).source);
    }

    /// The sums of matrix units are `coop_mat8x8<f32, C>`, where `C` is a role, not a size.
    #[test]
    fn the_types_of_matrix_units_stay_as_they_are() {
        let text = "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
const C4: u32 = CHANNELS / 4u;
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3<u32>) {
    var c0_0 = coop_mat8x8<f32, C>();
    coopStoreT(c0_0, &y[wid.x * C4], CHANNELS);
}
";
        let with = |name| Draft {
            extensions: vec!["wgpu_cooperative_matrix"],
            constants: Consts::new().size(name, 64),
            text: text.replace("CHANNELS", name),
            ..Draft::default()
        };
        for name in ["CHANNELS", "C"] {
            let stage = sized(with(name), 64);
            assert_eq!(stage.sizes, [64]);
            assert!(stage.source.contains("coop_mat8x8<f32, C>();"), "{}", stage.source);
            let parsed = naga::front::wgsl::parse_str(&stage.source);
            match name {
                // WGSL itself refuses a declaration that hides the role, so that it cannot go unseen.
                "C" => assert!(parsed.is_err(), "{}", stage.source),
                _ => {
                    let module = parsed.unwrap_or_else(|e| panic!("{}", e.emit_to_string(&stage.source)));
                    let all = naga::valid::Capabilities::all();
                    let checked = naga::valid::Validator::new(Default::default(), all).validate(&module);
                    checked.unwrap_or_else(|e| panic!("{}", e.emit_to_string(&stage.source)));
                }
            }
        }
    }
}
