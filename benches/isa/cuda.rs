//! Compiles WGSL for an NVIDIA GPU. naga writes Metal, which is C++, and `metal.cuh` makes it CUDA C++. NVIDIA's Vulkan
//! driver shares the last stages of CUDA's compiler, so the code is close to the code that runs. It differs in two
//! ways: bounds are not checked here, and the driver may weigh registers against loads differently.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use naga::back::msl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

use crate::Made;

/// Registers, subgroups and partitions of a multiprocessor of compute capability 9.0 (H100, H200). Occupancy is wrong for
/// architectures with other limits.
const REGISTERS: u64 = 65_536;
const MOST_SUBGROUPS: u64 = 64;
const PARTS: u64 = 4;
/// Workgroup memory of a multiprocessor, and the part that the driver reserves for each workgroup, in bytes.
const SHARED: u64 = 228 << 10;
const SHARED_EACH: u64 = 1 << 10;
pub const SUBGROUP: usize = 32;

pub struct Compiler {
    architecture: String,
    folder: tempfile::TempDir,
}

impl Compiler {
    /// A compiler for an architecture such as `sm_90`. `nvcc` and `nvdisasm` must be on the path.
    pub fn new(architecture: &str) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("metal.cuh"), include_str!("metal.cuh"))?;
        Ok(Compiler { architecture: architecture.into(), folder })
    }

    pub fn name(&self) -> String {
        format!("NVIDIA {} by nvcc", self.architecture)
    }

    pub fn compile(&self, source: &str) -> Result<Made, Box<dyn Error>> {
        let (text, invocations) = kernel(&metal(source)?)?;
        let file = |name: &str| -> PathBuf { self.folder.path().join(name) };
        std::fs::write(file("kernel.cu"), text)?;
        let printed = run(Command::new("nvcc").current_dir(self.folder.path()).args([
            &format!("-arch={}", self.architecture),
            "-std=c++17",
            "-w",
            "-cubin",
            "-Xptxas=-v",
            "-o",
            "kernel.cubin",
            "kernel.cu",
        ]))?;
        // "… 16 bytes stack frame, 8 bytes spill stores, … Used 126 registers, … 9216 bytes smem"
        let number = |behind: &str| -> u64 {
            let before = printed.split(behind).next().filter(|_| printed.contains(behind)).unwrap_or_default();
            before.split_whitespace().last().and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let (registers, shared) = (number(" registers"), number(" bytes smem"));
        let subgroups = invocations.div_ceil(SUBGROUP as u64);
        // Registers are allocated in blocks of 8.
        let by_registers = REGISTERS / (registers.next_multiple_of(8) * SUBGROUP as u64).max(1) / subgroups;
        let by_shared = SHARED / (shared + SHARED_EACH);
        let workgroups = by_registers.min(by_shared).min(MOST_SUBGROUPS / subgroups).min(32);
        let code = run(Command::new("nvdisasm").arg("-c").arg(file("kernel.cubin")))?;
        Ok(Made {
            registers,
            spilled: number(" bytes spill stores"),
            subgroups: workgroups * subgroups / PARTS,
            shared,
            code: instructions(&code),
        })
    }
}

/// Standard output and standard error of a program.
fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let made = command.output().map_err(|e| format!("{name}: {e}"))?;
    let text = [made.stdout, made.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if made.status.success() { Ok(text) } else { Err(format!("{name}: {text}").into()) }
}

fn metal(source: &str) -> Result<String, Box<dyn Error>> {
    let (module, info) = crate::module(source)?;
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = msl::Options {
        fake_missing_bindings: true,
        lang_version: (2, 3),
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: false,
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        ..Default::default()
    };
    Ok(msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())?.0)
}

/// A kernel in CUDA C++ from one in Metal, and the invocations of a workgroup.
fn kernel(metal: &str) -> Result<(String, u64), Box<dyn Error>> {
    let unexpected = "naga writes Metal otherwise than it did";
    let (head, rest) = metal.split_once("[[max_total_threads_per_threadgroup(").ok_or(unexpected)?;
    let (invocations, rest) = rest.split_once(")]] kernel void main_(\n").ok_or(unexpected)?;
    let (parameters, body) = rest.split_once("\n) {\n").ok_or(unexpected)?;
    let mut out = String::from("#include \"metal.cuh\"\n");
    for line in head.lines().filter(|line| !line.starts_with('#') && !line.starts_with("using")) {
        let _ = match line.strip_prefix("constant ") {
            Some(rest) => writeln!(out, "__device__ constexpr {rest}"),
            None if is_function(line) => writeln!(out, "__device__ {}", without_spaces(line)),
            None => writeln!(out, "{}", without_spaces(line)),
        };
    }
    let parameters: Vec<Parameter> = parameters.lines().map(Parameter::of).collect::<Option<_>>().ok_or(unexpected)?;
    let list =
        |text: fn(&Parameter) -> Option<String>| parameters.iter().filter_map(text).collect::<Vec<_>>().join(", ");
    let _ = write!(
        out,
        "__device__ __forceinline__ void body({}) {{\n{}\n
extern \"C\" __global__ void __launch_bounds__({invocations}) main_({}) {{
    {}
    body({});
}}\n",
        list(|p| Some(p.declared.clone())),
        without_spaces(body),
        list(|p| p.global.clone()),
        parameters.iter().filter_map(|p| p.shared.clone()).collect::<String>(),
        list(|p| Some(p.value.clone())),
    );
    Ok((with_letters(&out), invocations.parse()?))
}

fn is_function(line: &str) -> bool {
    let first = line.split([' ', '(']).next().unwrap_or_default();
    let opens = line.ends_with('(') || (line.contains('(') && line.ends_with(") {"));
    opens && !line.starts_with([' ', '}', '[']) && !["struct", "typedef"].contains(&first)
}

/// Removes Metal's address spaces.
fn without_spaces(text: &str) -> String {
    text.replace("constant ", "const ").replace("device ", "").replace("threadgroup ", "")
}

/// Literals without a suffix have 32 bits in Metal and 64 in C++.
fn with_letters(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // Whole names and numbers. A sign after an exponent's `e` belongs to the number.
        let word = |(i, c): (usize, char)| {
            let exponent = "+-".contains(c) && first.is_ascii_digit() && rest[..i].ends_with('e');
            !(c.is_alphanumeric() || "_.".contains(c) || exponent)
        };
        let end = rest.char_indices().find(|&at| word(at)).map_or(rest.len(), |(i, _)| i).max(first.len_utf8());
        let (token, others) = rest.split_at(end);
        let real = first.is_ascii_digit() && !token.starts_with("0x") && token.contains(['.', 'e']);
        match token.strip_suffix('h').filter(|_| first.is_ascii_digit()) {
            Some(half) => out += &format!("half({half}f)"),
            None if real => out += &format!("{token}f"),
            None => out += token,
        }
        rest = others;
    }
    out
}

/// A parameter of the entry point.
struct Parameter {
    /// Its declaration as a parameter of the body.
    declared: String,
    /// Its declaration as a parameter of the kernel, if it is one.
    global: Option<String>,
    /// Its declaration as a variable in workgroup memory.
    shared: Option<String>,
    /// The argument that the kernel passes to the body.
    value: String,
}

impl Parameter {
    fn of(line: &str) -> Option<Parameter> {
        let line = line.trim_start_matches([',', ' ']);
        let (declared, attribute) = match line.split_once(" [[") {
            Some((declared, attribute)) => (declared, attribute.strip_suffix("]]")?),
            None => (line, ""),
        };
        let name = declared.rsplit([' ', '&']).next()?.to_owned();
        let (space, plain) = (declared.split(' ').next()?, without_spaces(declared));
        let ty = plain.rsplit_once('&').map(|(ty, _)| ty.to_owned());
        let built_in =
            |value: &str| Parameter { declared: plain.clone(), global: None, shared: None, value: value.into() };
        Some(match (attribute, space) {
            (_, "threadgroup") => Parameter { shared: Some(format!("__shared__ {} {name};", ty?)), ..built_in(&name) },
            (_, "constant") => Parameter { global: Some(plain.replace('&', "")), ..built_in(&name) },
            (_, "device") => {
                Parameter { global: Some(format!("{}* __restrict__ {name}", ty?)), ..built_in(&format!("*{name}")) }
            }
            ("threadgroup_position_in_grid", _) => built_in("{blockIdx.x, blockIdx.y, blockIdx.z}"),
            ("threadgroups_per_grid", _) => built_in("{gridDim.x, gridDim.y, gridDim.z}"),
            ("thread_position_in_threadgroup", _) => built_in("{threadIdx.x, threadIdx.y, threadIdx.z}"),
            ("thread_index_in_threadgroup", _) => built_in("threadIdx.x + blockDim.x * threadIdx.y"),
            ("thread_index_in_simdgroup", _) => built_in("(threadIdx.x + blockDim.x * threadIdx.y) % 32u"),
            ("simdgroup_index_in_threadgroup", _) => built_in("(threadIdx.x + blockDim.x * threadIdx.y) / 32u"),
            ("threads_per_simdgroup", _) => built_in("32u"),
            _ => return None,
        })
    }
}

/// Labels and instructions in the other compiler's format.
fn instructions(code: &str) -> String {
    let mut out = String::new();
    for line in code.lines().map(str::trim) {
        if let Some(label) = line.strip_suffix(':').filter(|label| label.starts_with(".L")) {
            let _ = writeln!(out, "{label}:");
        } else if let Some((_, rest)) = line.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
            let text = rest.split(';').next().unwrap_or_default().trim();
            // A predicate comes first.
            let text = if text.starts_with('@') { text.split_once(' ').map_or("", |(_, text)| text) } else { text };
            let text = text.replace("`(", "").replace(')', "");
            if !text.is_empty() && !text.starts_with(".") {
                let _ = writeln!(out, "\t{}", text.trim());
            }
        }
    }
    out
}
