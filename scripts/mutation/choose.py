"""Finds all mutants of the sources, and puts them into the order in which they are tried."""

import collections
import os
import random
import re
import subprocess
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARES = {"shader": 0.5, "generator": 0.2, "twin": 0.3}
# Files in which a change gives the same numbers: sizes of tiles, their names, shares of threads. Also the probe of a
# device's speed, whose result does not enter a network.
PASSED_OVER = {
    "shaders/fma_peak.wgsl",
    "src/exec/shader/tile.rs",
    "src/exec/shader/named_tiles.rs",
    "src/exec/shader/tiling/cooperative/units.rs",
    "src/exec/cpu/probe.rs",
    "src/exec/cpu/aligned.rs",
    "src/exec/cpu/winograd_shares.rs",
}
# Lines that choose the fastest of several ways, and bounds between two pieces of a function: either side gives the same
# numbers.
CHOOSES = re.compile(r"<= delta|MOST_COLUMNS|CACHED|\bfits\(|let large|const [A-Z_]+: usize|16 \* 1024")

# Mutants that no test can see: kind, a pattern of the changed line, and the reason.
EQUIVALENT = [
    ("< <=", r"if \(i <= ITEMS\)", "a device drops what is written beyond a binding"),
    ("< <=", r"<= T::zero\(\) \{ T::zero\(\)", "both sides give 0 for 0"),
    ("< <=", r"above = x > vec4", "both sides give 1/2 for 0"),
    ("< <=", r"term <= lanes", "the additional load has no use"),
    ("< <=", r"workgroups\(operands, product\) > BUSY", "either tile gives the same numbers"),
    ("f32 sum", r"\bcounted\b", "counts are exact in f32"),
    ("index", r"scratch\[\(r \* 6u", "V_AT is 0: the transformed input lies first"),
]


@dataclass
class Mutant:
    """`text[start:end]` of a file becomes `new`."""

    path: str
    start: int
    end: int
    new: str
    kind: str
    line: int = 0
    before: str = ""
    after: str = ""
    verdict: str = ""
    by: str = ""
    seconds: float = 0.0
    number: int = 0

    @property
    def part(self):
        if self.path.startswith("shaders/"):
            return "shader"
        return "generator" if self.path.startswith("src/exec/shader") else "twin"

SWAPPED = [("OH", "OW"), ("KH", "KW"), ("H", "W"), ("SH", "SW"), ("PT", "PL"), ("DH", "DW"), ("h", "w"), ("oh", "ow"),
           ("kh", "kw"), ("ih", "iw"), ("GI4", "GO4"), ("I4", "O4")]
OTHER = {a: b for pair in SWAPPED for a, b in (pair, pair[::-1])}

# kind, languages (w: WGSL, r: Rust), pattern, replacement of the whole match.
RULES = [
    ("+ -", "wr", r"(?<=[\w)\]]) \+ (?=[\w(*&])", " - "),
    ("+ -", "wr", r"(?<=[\w)\]]) - (?=[\w(*&])", " + "),
    ("+ -", "wr", r" \+= ", " -= "),
    ("* /", "wr", r"(?<=[\w)\]]) \* (?=[\w(*&])", " / "),
    ("* /", "wr", r"(?<=[\w)\]]) / (?=[\w(*&])", " * "),
    ("* /", "wr", r"(?<=[\w)\]]) % (?=[\w(*&])", " / "),
    ("< <=", "wr", r"(?<=[\w)\]]) < (?=[\w(*&-])", " <= "),
    ("< <=", "wr", r"(?<=[\w)\]]) <= (?=[\w(*&-])", " < "),
    ("< <=", "wr", r"(?<=[\w)\]]) > (?=[\w(*&-])", " >= "),
    ("< <=", "wr", r"(?<=[\w)\]]) >= (?=[\w(*&-])", " > "),
    ("== !=", "wr", r" == ", " != "),
    ("== !=", "wr", r" != ", " == "),
    ("and or", "wr", r" && ", " || "),
    ("and or", "wr", r"(?<=[\w)]) \|\| (?=[\w(!])", " && "),
    ("min max", "wr", r"\bmin\(", "max("),
    ("min max", "wr", r"\bmax\(", "min("),
    ("0 1", "w", r"\b0u\b", "1u"),
    ("0 1", "w", r"\b1u\b", "0u"),
    ("0 1", "wr", r"(?<![\w.])0\.0\b", "1.0"),
    ("0 1", "wr", r"(?<![\w.])1\.0\b", "0.0"),
    ("0 1", "r", r"::zero\(\)", "::one()"),
    ("0 1", "r", r"::one\(\)", "::zero()"),
    ("0 1", "r", r"(?<=[\[( ])0(?=[\]), .;])(?!\.\d)", "1"),
    ("0 1", "r", r"(?<=[\[( ])1(?=[\]), ;])(?!\.\d)", "0"),
    ("bound", "w", r"; (\w+) < ([^;{}]+);", r"; \1 + 1u < \2;"),
    ("bound", "w", r" = 0u;(?= \w+ <)", " = 1u;"),
    ("bound", "w", r"(?<=[\w)]) - 1u\b", " - 0u"),
    ("bound", "r", r"\b0\.\.(?=[\w(])", "1.."),
    ("bound", "r", r"(?<=\.\.)(\w[\w.]*(?:\(\))?)(?=[\]) ])", r"\1 - 1"),
    ("bound", "r", r"(?<=[\w)]) - 1\b(?![.\w])", ""),
    ("index", "wr", r"(?<=[\w)\]]) \+ \w+(?=\])", ""),
    ("index", "wr", r"(?<=\[)\w+ \+ (?=[\w(])", ""),
    ("index", "wr", r"\b(?:%s)\b(?=[ )\];,+*/%%])" % "|".join(OTHER), lambda m: OTHER[m[0]]),
    ("index", "w", r"(?<=[\w\]])\.x\b", ".y"),
    ("index", "w", r"(?<=[\w\]])\.y\b", ".x"),
    ("index", "r", r"(?<=\w)\[0\]", "[1]"),
    ("index", "r", r"(?<=\w)\[1\]", "[0]"),
    ("select", "w", r"\bselect\(([^,()]+(?:\([^()]*\))?), ([^,()]+(?:\([^()]*\))?),", r"select(\2, \1,"),
    ("select", "r", r"\bif ([^{}]+) \{ ([^{}]+) \} else \{ ([^{}]+) \}", r"if \1 { \3 } else { \2 }"),
    ("barrier", "wr", r"\bworkgroupBarrier\(\);", ""),
    ("sum dropped", "wr", r"(?<=[\w\])]) \+= ", " = "),
    ("16-bit sum", "w", r"(\b[\w.\[\]]+) \+= ([^;]+);", r"\1 = quantizeToF16(\1 + \2);"),
    ("f32 sum", "r", r"(\*?\b[\w.]+(?:\[[^\]]+\])?) \+= ([^;{}|]+);", r"\1 = \1 + \2; \1 = T::of(Into::<f64>::into(\1) as f32 as f64);"),
    ("fma operands", "wr", r"\b(fma|mul_add\w*)\(([^,()]+), ([^,()]+), ([^,()]+)\)", r"\1(\2, \4, \3)"),
]

# Lines that declare, bind, check or print.
DECLARES = re.compile(
    r"^\s*(//|#\[|use |mod |pub mod |@group|@binding|@builtin|struct |alias |override |var<|const [A-Z_0-9]+: (bool|usize)|"
    r"debug_assert|assert|impl|pub (const )?fn |fn |enable |\w+: &?'?\w+,?$)")


def code(text, rust):
    """The text with blanks in place of comments and, in Rust outside the generators, of strings."""
    out = list(text)
    pattern = r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\''
    for m in re.finditer(pattern, text, re.S):
        if m[0].startswith("/") or rust == "twin":
            for i in range(m.start(), m.end()):
                if out[i] != "\n":
                    out[i] = " "
    return "".join(out)


def candidates(path):
    text = open(os.path.join(ROOT, path)).read()
    part = Mutant(path, 0, 0, "", "").part
    language = "w" if part == "shader" else "r"
    plain = code(text, None if part == "shader" else part)
    found = []
    end = plain.find("#[cfg(test)]")
    at = 0
    for number, line in enumerate(plain.splitlines(keepends=True), 1):
        start, at = at, at + len(line)
        if 0 <= end <= start:
            break
        if DECLARES.match(line) or CHOOSES.search(line) or not line.strip():
            continue
        # A generator has lines of both languages.
        strings = re.search(r"format!|push_str|write(ln)?!|out \+=", line)
        wgsl = language == "w" or (part == "generator" and re.search(r"\bvar\b|\d+u\b|vec4<|workgroupBarrier|^\s*let [^=]*=[^|&:]*;$|\{\{", line))
        for kind, languages, pattern, new in RULES:
            if ("w" if wgsl else "r") not in languages or (kind == "f32 sum" and part != "twin"):
                continue
            if kind.startswith(("16-bit", "sum")) and strings and not wgsl:
                continue
            for m in re.finditer(pattern, line.rstrip("\n")):
                replacement = new(m) if callable(new) else m.expand(new)
                if any(m[0].count(a) != m[0].count(b) for a, b in ("()", "[]", "{}")) and kind.endswith("sum"):
                    continue
                # Counts are exact in f32.
                if kind == "f32 sum" and m[2] == "T::one()":
                    continue
                # Generic parameters are not comparisons.
                if kind == "< <=" and re.search(r"\b(vec\d|array|Vec|Option)\s*$", line[: m.start()]):
                    continue
                mutant = Mutant(path, start + m.start(), start + m.end(), replacement, kind, number)
                mutant.before = text[start:at].strip()
                mutant.after = (text[start : mutant.start] + replacement + text[mutant.end : at]).strip()
                found.append(mutant)
    return found


def files():
    listed = subprocess.run(["git", "ls-files", "shaders", "src/exec/shader", "src/exec/cpu"], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout.split()
    return [path for path in listed if path not in PASSED_OVER and path.endswith((".wgsl", ".rs"))]


def sequence(seed):
    """The mutants of each part in the order in which they are tried: kinds and files take turns, in random order."""
    rng = random.Random(seed)
    parts = {part: {} for part in SHARES}
    for path in sorted(files()):
        for mutant in candidates(path):
            parts[mutant.part].setdefault(mutant.kind, {}).setdefault(path, []).append(mutant)
    orders = {}
    for part, kinds in parts.items():
        for by_file in kinds.values():
            for mutants in by_file.values():
                rng.shuffle(mutants)
        order, lines, taken = [], set(), collections.Counter()
        while kinds:
            names = sorted(kinds)
            rng.shuffle(names)
            for kind in names:
                by_file = kinds[kind]
                # The file with the fewest mutants so far, so that every file gets some.
                paths = sorted(by_file)
                rng.shuffle(paths)
                path = min(paths, key=taken.__getitem__)
                mutant = by_file[path].pop()
                if not by_file[path]:
                    del by_file[path]
                if not by_file:
                    del kinds[kind]
                if (mutant.path, mutant.line) not in lines:
                    lines.add((mutant.path, mutant.line))
                    taken[mutant.path] += 1
                    order.append(mutant)
        orders[part] = [mutant for mutant in order if not is_equivalent(mutant)]
    return orders


def is_equivalent(mutant):
    return any(kind == mutant.kind and re.search(pattern, mutant.after) for kind, pattern, _ in EQUIVALENT)
