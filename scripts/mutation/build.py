"""Puts mutants into test binaries: one build has all mutants of Rust; a changed shader replaces the text in a copy of a binary."""

import json
import os
import re
import subprocess
import sys

from mutation.choose import ROOT, code

WORK = os.path.join(ROOT, "target", "mutants")
COPY = os.path.join(WORK, "source")

PICK = '''
/// The mutant that this process runs.
pub(crate) fn mutant() -> u32 {
    static PICKED: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *PICKED.get_or_init(|| std::env::var("SHADEGRAD_MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0))
}
'''


def functions(text):
    """Bodies of all functions: (start, end) of the text between their braces."""
    plain = code(text, "twin")
    found = []
    for m in re.finditer(r"\bfn \w+", plain):
        if re.search(r"\bconst (unsafe )?$", plain[: m.start()]):
            continue
        depth, i = 0, m.end()
        while i < len(plain) and not (depth == 0 and plain[i] in "{;"):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(plain[i], 0)
            i += 1
        if i == len(plain) or plain[i] == ";":
            continue
        start, depth = i + 1, 1
        while depth:
            i += 1
            depth += {"{": 1, "}": -1}.get(plain[i], 0)
        found.append((start, i))
    return found


def with_mutants(text, mutants):
    """The text in which a function has one more body for each mutant in it, and the lines of each of these bodies."""
    bodies = {}
    for mutant in mutants:
        around = [body for body in functions(text) if body[0] <= mutant.start and mutant.end <= body[1]]
        if not around:
            mutant.verdict = "did not build"
            continue
        # The innermost function.
        bodies.setdefault(max(around), []).append(mutant)
    out, lines, last = "", {}, 0
    for (start, end), inside in sorted(bodies.items()):
        # This function lies inside another one whose body is copied. Its mutants are dropped, and others follow.
        if start < last:
            for mutant in inside:
                mutant.verdict = "did not build"
            continue
        out += text[last:start] + "\nmatch crate::mutant() {\n"
        for mutant in inside:
            first = out.count("\n") + 1
            out += f"{mutant.number} => {{{text[start:mutant.start]}{mutant.new}{text[mutant.end:end]}}}\n"
            lines[mutant.number] = (first, out.count("\n"))
        out += "_ => {" + text[start:end] + "}\n}\n"
        last = end
    return out + text[last:], lines


def cargo(*arguments):
    environment = dict(os.environ, CARGO_PROFILE_DEV_OPT_LEVEL=os.environ.get("CARGO_PROFILE_DEV_OPT_LEVEL", "0"))
    command = ["cargo", *arguments, "--locked", "--target-dir", os.path.join(ROOT, "target"), "--message-format=json"]
    done = subprocess.run(command, cwd=COPY, env=environment, text=True, stdout=subprocess.PIPE)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, messages


def write(path, text):
    """Writes a file if it differs, so that cargo rebuilds only what changed."""
    target = os.path.join(COPY, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target) or open(target, "rb").read() != text:
        with open(target, "wb") as file:
            file.write(text)


# The copy has no debug information. It leaves out the program, which would replace the checkout's.
CHANGES = [(r"\[\[bin\]\]\n(.+\n)+", ""), (r"\[package\]\n", "[package]\nautobins = false\n"),
           (r'debug = "line-tables-only"', "debug = false")]


def copy_sources(changed):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    for path in listed:
        if path.startswith(("fuzz/", "docs/")) or not os.path.isfile(os.path.join(ROOT, path)):
            continue
        text = changed.get(path)
        if path == "Cargo.toml":
            text = open(os.path.join(ROOT, path)).read()
            for pattern, new in CHANGES:
                text = re.sub(pattern, new, text)
        write(path, open(os.path.join(ROOT, path), "rb").read() if text is None else text.encode())


def built(rust):
    """Builds the tests with all mutants of Rust, and returns the binaries by name. `None` if the compiler refused
    some mutants; their verdict is then `did not build`."""
    changed, lines = {"src/lib.rs": open(os.path.join(ROOT, "src/lib.rs")).read() + PICK}, {}
    for path in sorted({m.path for m in rust}):
        text = open(os.path.join(ROOT, path)).read()
        changed[path], lines[path] = with_mutants(text, [m for m in rust if m.path == path])
    copy_sources(changed)
    status, messages = cargo("test", "--no-run", "--test", "engines", "--test", "numerics")
    refused = set()
    for message in messages:
        if message.get("reason") != "compiler-message" or message["message"]["level"] != "error":
            continue
        for span in message["message"]["spans"]:
            for number, (first, last) in lines.get(span["file_name"], {}).items():
                if span["is_primary"] and first <= span["line_start"] <= last:
                    refused.add(number)
    if status and not refused:
        texts = [m["message"]["rendered"] for m in messages if m.get("reason") == "compiler-message"]
        sys.exit("the library does not build:\n" + "\n".join(texts))
    for mutant in rust:
        if mutant.number in refused:
            mutant.verdict = "did not build"
    if refused or any(mutant.verdict for mutant in rust):
        return None
    return {m["target"]["name"]: m["executable"] for m in messages
            if m.get("reason") == "compiler-artifact" and m["profile"]["test"] and m.get("executable")}


def of_length(text, length, at):
    """The text, brought to a length in bytes: comments, indents and blanks are cut, or blanks are added after the changed line.
    `None` if there is too little to cut."""
    for pattern in (r"(?<=// )[^\n]+", r"(?<=\n) +", r"(?<=[,=]) (?=[^\n])"):
        for m in reversed(list(re.finditer(pattern, text))):
            cut = m.end()
            while cut > m.start() and len(text.encode()) - len(text[cut : m.end()].encode()) > length:
                cut -= 1
            text = text[:cut] + text[m.end() :]
    lacking = length - len(text.encode())
    if lacking < 0:
        return None
    end = text.find("\n", min(at, len(text) - 1))
    return text[:end] + " " * lacking + text[end:]


def patched(binary, mutant, target):
    """A copy of a binary with a changed shader."""
    text = open(os.path.join(ROOT, mutant.path)).read()
    changed = of_length(text[: mutant.start] + mutant.new + text[mutant.end :], len(text.encode()), mutant.start)
    if changed is None:
        return False
    with open(binary, "rb") as file:
        data = file.read()
    if text.encode() not in data:
        sys.exit(f"{mutant.path} is not in {binary}")
    with open(target, "wb") as file:
        file.write(data.replace(text.encode(), changed.encode()))
    os.chmod(target, 0o755)
    return True
