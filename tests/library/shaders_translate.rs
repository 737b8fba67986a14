//! Every shader, in every variant of a plan, is valid and translates to SPIR-V, MSL and HLSL, for Vulkan, Metal and
//! DX12. No device is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use rayon::prelude::*;
use shadegrad::exec::registry::KERNELS;
use shadegrad::exec::{Plan, PlanOptions};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, StateTable};
use shadegrad::internals::exec::shader::{
    BindingKind, Lines, Matrix, StageBinding, Target, TileLimits, Tiling, candidates, shader,
};
use shadegrad::internals::tasks::classify::graphs::{StepOptions, evaluation_graph, training_graph};
use shadegrad::kernel::MOST_BINDINGS;
use shadegrad::nn::{Mode, ResNet, ResNetDepth, Stem};
use shadegrad::ops::{AdamOptions, CrossEntropyOptions, SgdOptions};
use shadegrad::train::step::Optimizer;

use crate::common::case::Context;
use crate::common::dense::{counted_case, probe_case};
use crate::common::table::op_cases;
use crate::common::updates::update_cases;

/// Graphs with every kernel under every flag: all op cases, and real networks.
fn graphs() -> Vec<(String, Graph)> {
    let mut graphs = vec![];
    for op in op_cases() {
        let case = op.case(Context::Alone);
        graphs.push((case.fused().name, case.fused().graph));
        let midst = op.case(Context::Midst);
        for half in [case.halved(), case.fused().halved(), midst.halved(), midst.fused().halved()] {
            graphs.push((half.name, half.graph));
        }
        graphs.push((case.name, case.graph));
    }
    graphs.extend(update_cases().into_iter().map(|c| (c.name, c.graph)));
    for case in [counted_case([2, 5, 7, 12]), probe_case()] {
        let case = case.expect("it fits");
        graphs.push((case.name, case.graph));
    }
    let adam = AdamOptions { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: true, decay_all: false };
    let sgd = SgdOptions { momentum: 0.9, nesterov: false, weight_decay: 1e-4, decay_all: true };
    graphs.extend(resnet([16, 64, 64, 3], 10, Stem::ImageNet, Optimizer::Adam(adam), None));
    graphs.extend(resnet([3, 224, 160, 3], 1000, Stem::Cifar, Optimizer::Sgd(sgd), Some(1.0)));
    graphs
}

fn resnet(
    images: [usize; 4],
    classes: usize,
    stem: Stem,
    optimizer: Optimizer,
    clip: Option<f32>,
) -> Vec<(String, Graph)> {
    let network = |g: &mut Graph, x, mode: Mode| ResNet::new(ResNetDepth::L18, classes).stem(stem).apply(g, x, mode);
    let options = |fuse| StepOptions { images, loss: CrossEntropyOptions::default(), optimizer, clip, fuse };
    let name = |what: &str| format!("resnet18 {what} {images:?}");
    let train = |fuse| training_graph(StateTable::default(), &network, options(fuse)).expect("it fits");
    let (fused, plain) = (train(FuseOptions::default()), train(FuseOptions::NONE));
    let mut eval = evaluation_graph(fused.states().clone(), &network, images, FuseOptions::NONE).expect("it fits");
    let plain_eval = eval.clone();
    fuse(&mut eval, FuseOptions::default());
    vec![
        (name("training"), fused),
        (name("training without rewrites"), plain),
        (name("evaluation"), eval),
        (name("evaluation without rewrites"), plain_eval),
    ]
}

/// Limits of a device with both known sizes of matrix units: 16 in Vulkan's drivers, 8 in Metal's.
const LIMITS: TileLimits = TileLimits {
    invocations: 1024,
    bytes: 48 << 10,
    scratch: 512 << 20,
    cooperative: [
        Some(Matrix { size: 16, lanes: 32, lines: Lines::AsTheyCome }),
        Some(Matrix { size: 8, lanes: 32, lines: Lines::Turned }),
    ],
};

/// Limits of a device with matrix units for subgroups of 64, as some of AMD's GPUs.
const WIDE: TileLimits =
    TileLimits { cooperative: [Some(Matrix { size: 16, lanes: 64, lines: Lines::Turned }), None], ..LIMITS };

/// Facts of a shader text.
struct Variant {
    kernel: &'static str,
    /// The bindings that the stage lists.
    bindings: Vec<StageBinding>,
    /// Kernel and graph of its first use.
    label: String,
}

/// All different shader texts, made once for all tests.
fn variants() -> &'static BTreeMap<String, Variant> {
    static VARIANTS: OnceLock<BTreeMap<String, Variant>> = OnceLock::new();
    VARIANTS.get_or_init(make_variants)
}

fn make_variants() -> BTreeMap<String, Variant> {
    let mut variants: BTreeMap<String, Variant> = BTreeMap::new();
    for (name, graph) in graphs() {
        for planned in Plan::new(&graph, PlanOptions::default()).calls {
            // Sizes in the text, and at run time, for which Vulkan guarantees 128 bytes.
            let targets = [
                (Tiling::Workgroup, Some(32), None, None),
                (Tiling::Register, None, None, None),
                (Tiling::Register, None, Some(8192), Some(128)),
                (Tiling::Subgroup, Some(8), None, Some(128)),
                (Tiling::Subgroup, Some(8), Some(8192), None),
            ];
            for (tiling, subgroup, texture_rows, immediates) in targets {
                // The fixed choice, and all tiles that the tuner may choose.
                let tiles = [LIMITS, WIDE].map(|limits| candidates(&planned.call, tiling, limits).into_iter().skip(1));
                for tile in std::iter::once(None).chain(tiles.into_iter().flatten().map(Some)) {
                    let target = Target { tiling, subgroup, texture_rows, immediates, units: None };
                    let made = shader(&planned.call, target, tile).expect("a kernel of the list");
                    let call = &planned.call;
                    let used = |i: usize| {
                        made.stages.iter().any(|s| s.bindings.iter().any(|binding| binding.index as usize == i))
                    };
                    // A binding for an absent tensor repeats another one.
                    let repeats = |i: usize| call.bindings[..i].iter().any(|b| b.0 == call.bindings[i].0);
                    let all = (0..call.bindings.len()).all(|i| used(i) || repeats(i));
                    assert!(all, "{} leaves out a binding ({tile:?})", call.kernel);
                    for (i, stage) in made.stages.into_iter().enumerate() {
                        let label = format!("{} in {name} ({tiling:?}), stage {i}", call.kernel);
                        assert!(stage.workgroups > 0, "{label} has nothing to do");
                        let bindings = stage.bindings;
                        let of = || Variant { kernel: call.kernel, bindings, label };
                        variants.entry(stage.source).or_insert_with(of);
                    }
                }
            }
        }
    }
    variants
}

/// Text that marks a kernel with sizes at run time.
const IMMEDIATES: &str = "var<immediate>";

/// Text that marks a kernel for matrix units.
const MATRICES: &str = "enable wgpu_cooperative_matrix;";

fn validate(source: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    // No capability beyond that of every adapter, except for shaders for adapters with subgroups or f16.
    let mut capabilities = Capabilities::empty();
    capabilities
        .set(Capabilities::SUBGROUP, ["subgroupShuffle", "@builtin(subgroup"].iter().any(|used| source.contains(used)));
    capabilities.set(Capabilities::IMMEDIATES, source.contains(IMMEDIATES));
    capabilities.set(Capabilities::SHADER_FLOAT16, source.contains("enable f16;"));
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, source.contains(MATRICES));
    let info =
        Validator::new(ValidationFlags::all(), capabilities).validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

/// The bindings declared in the text must be those of the stage, and within the limit of the known adapters.
fn check_bindings(module: &naga::Module, listed: &[StageBinding]) -> Result<(), String> {
    let mut declared: Vec<StageBinding> = module
        .global_variables
        .iter()
        .filter_map(|(_, v)| {
            let kind = match v.space {
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                    BindingKind::ReadWrite
                }
                naga::AddressSpace::Storage { .. } => BindingKind::Read,
                naga::AddressSpace::Handle => BindingKind::Texture,
                _ => return None,
            };
            Some(StageBinding { index: v.binding?.binding, kind })
        })
        .collect();
    declared.sort_unstable_by_key(|binding| binding.index);
    match declared.len() <= MOST_BINDINGS && declared == listed {
        true => Ok(()),
        false => Err(format!("it declares the bindings {declared:?}, the stage lists {listed:?}")),
    }
}

fn spirv(module: &naga::Module, info: &ModuleInfo) -> Result<Vec<u32>, String> {
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    spv::write_vec(module, info, &options, None).map_err(|e| e.to_string())
}

fn metal(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let options = msl::Options { fake_missing_bindings: true, lang_version: (2, 3), ..Default::default() };
    let (text, made) =
        msl::write_string(module, info, &options, &msl::PipelineOptions::default()).map_err(|e| e.to_string())?;
    made.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    if text.contains("kernel void") { Ok(()) } else { Err("the MSL has no kernel".into()) }
}

fn direct3d(module: &naga::Module, info: &ModuleInfo) -> Result<(), String> {
    let shader_model = hlsl::ShaderModel::V6_2;
    let options = hlsl::Options { fake_missing_bindings: true, shader_model, ..Default::default() };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    let made =
        hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None).map_err(|e| e.to_string())?;
    made.entry_point_names.into_iter().collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    if module.global_variables.iter().any(|(_, v)| v.name.as_deref() == Some("dx")) {
        return Err("`dx` is a namespace of HLSL, so DXC refuses it as the name of a global".into());
    }
    has_semantics(&text)
}

/// Every input of the entry point must have a semantic, directly or in each field of its struct. DXC refuses it
/// otherwise. naga 30 omits semantics for `subgroup_id` and similar builtins within a struct.
fn has_semantics(text: &str) -> Result<(), String> {
    let given = text.split_once("\nvoid main(").and_then(|(_, rest)| rest.split_once(')'));
    let (given, _) = given.ok_or("the HLSL has no entry point")?;
    let without = |field: &str| !field.contains(" : ");
    for argument in given.split(',').filter(|argument| without(argument)) {
        let ty = argument.split_whitespace().next().unwrap_or_default();
        let fields = text.split_once(&format!("struct {ty} {{")).and_then(|(_, rest)| rest.split_once('}'));
        let (fields, _) = fields.ok_or_else(|| format!("{argument} has no semantic"))?;
        let mut fields = fields.split_terminator(';').map(str::trim).filter(|field| !field.is_empty());
        if let Some(field) = fields.find(|field| without(field)) {
            return Err(format!("{field} of {ty} has no semantic"));
        }
    }
    Ok(())
}

/// The words without the layout of arrays of fixed length outside of immediates. naga 30 writes that layout. The arrays
/// are in workgroup memory or variables, where a layout has no meaning, and SPIRV-Tools since 2025 refuse it
/// (VUID-StandaloneSpirv-None-10684).
fn without_layout(words: &[u32]) -> Vec<u32> {
    const HEAD: usize = 5;
    const TYPE_ARRAY: u32 = 28;
    const TYPE_STRUCT: u32 = 30;
    const DECORATE: u32 = 71;
    const MEMBER_DECORATE: u32 = 72;
    const ARRAY_STRIDE: u32 = 6;
    const OFFSET: u32 = 35;
    let (head, mut rest) = words.split_at(HEAD);
    let mut instructions = vec![];
    while let Some(&first) = rest.first() {
        let (instruction, others) = rest.split_at((first >> 16) as usize);
        instructions.push(instruction);
        rest = others;
    }
    let of_type = |opcode: u32| instructions.iter().filter(move |i| i[0] & 0xffff == opcode);
    let is_member = |array: u32| of_type(TYPE_STRUCT).any(|i| i[2..].contains(&array));
    // Each with the type of its elements.
    let arrays: Vec<[u32; 2]> = of_type(TYPE_ARRAY).map(|i| [i[1], i[2]]).filter(|i| !is_member(i[0])).collect();
    let layout = |i: &&[u32]| match i[0] & 0xffff {
        DECORATE => i[2] == ARRAY_STRIDE && arrays.iter().any(|[array, _]| *array == i[1]),
        MEMBER_DECORATE => i[3] == OFFSET && arrays.iter().any(|[_, element]| *element == i[1]),
        _ => false,
    };
    head.iter().copied().chain(instructions.into_iter().filter(|i| !layout(i)).flatten().copied()).collect()
}

/// Runs Khronos' validator over the words, if it is installed.
fn spirv_val(words: &[u32]) -> Result<(), String> {
    let words = without_layout(words);
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    fs::write(file.path(), bytemuck::cast_slice::<u32, u8>(&words)).map_err(|e| e.to_string())?;
    match Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(file.path()).output() {
        Ok(out) if out.status.success() => Ok(()),
        Ok(out) => Err(format!("spirv-val: {}", String::from_utf8_lossy(&out.stderr))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(format!("spirv-val: {e}")),
    }
}

fn translate(source: &str, variant: &Variant) -> Result<(), String> {
    let (module, info) = validate(source)?;
    check_bindings(&module, &variant.bindings)?;
    let words = spirv(&module, &info).map_err(|e| format!("SPIR-V: {e}"))?;
    // DX12 gets no kernels for matrix units, Metal none for matrices of 16.
    if !source.contains("coop_mat16x16") {
        metal(&module, &info).map_err(|e| format!("MSL: {e}"))?;
    }
    // DX12 also gets none with sizes at run time.
    if !source.contains(MATRICES) && !source.contains(IMMEDIATES) {
        direct3d(&module, &info).map_err(|e| format!("HLSL: {e}"))?;
    }
    match spirv_val(&words) {
        // SPIRV-Tools before 2023.3 do not have the extension (SPV_KHR_cooperative_matrix).
        Err(e) if source.contains(MATRICES) && e.contains("Invalid capability operand: 6022") => Ok(()),
        // naga 30 omits a capability that storage barriers need in the memory model of matrix units. wgpu enables its
        // feature on all devices with such units.
        Err(e) if source.contains("storageBarrier") && e.contains("VulkanMemoryModelDeviceScopeKHR") => Ok(()),
        other => other,
    }
}

#[test]
fn every_shader_translates_to_spirv_msl_and_hlsl() {
    let variants = variants();
    let wrong = |(source, variant): (&String, &Variant)| {
        let error = translate(source, variant).err()?;
        Some(format!("{}: {error}", variant.label))
    };
    let bad: Vec<String> = variants.par_iter().filter_map(wrong).collect();
    println!("{} shader variants", variants.len());
    assert!(bad.is_empty(), "{} of {} shaders:\n{}", bad.len(), variants.len(), bad[..bad.len().min(5)].join("\n"));
}

#[test]
fn every_kernel_and_shader_file_is_used() {
    let met = variants();
    let missing: Vec<&str> =
        KERNELS.iter().map(|k| k.name).filter(|name| met.values().all(|variant| variant.kernel != *name)).collect();
    assert!(missing.is_empty(), "no graph of this test uses {missing:?}: add an op case");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    for (name, text) in shader_files(folder.as_ref()) {
        let used = met.keys().any(|source| source.contains(&text));
        assert!(used, "nothing uses {name}");
    }
}

/// All files below a folder, with their texts.
fn shader_files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("the shaders' folder").map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| match path.is_dir() {
        true => shader_files(&path),
        false => vec![(path.display().to_string(), fs::read_to_string(&path).expect("a text"))],
    };
    entries.flat_map(read).collect()
}

#[test]
fn a_broken_shader_is_found() {
    let (source, variant) = variants().first_key_value().expect("there are shaders");
    assert!(translate(source, variant).is_ok());
    let wrong = format!("{source}\nfn wrong() -> f32 {{ return 1u; }}\n");
    assert!(translate(&wrong, variant).is_err());
    let bindings = variant.bindings[1..].to_vec();
    let other = Variant { kernel: variant.kernel, bindings, label: variant.label.clone() };
    assert!(translate(source, &other).unwrap_err().contains("bindings"));
}
