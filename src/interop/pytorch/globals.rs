//! The globals that the pickles of weights may name.

use safetensors::tensor::Dtype;

/// Effect of a global.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    /// Makes a dict.
    Dict,
    /// Makes a tensor from a storage.
    RebuildTensor,
    /// Makes a parameter from a tensor.
    RebuildParameter,
    /// The type of a storage; `None` for elements that safetensors has no name for.
    Storage(Option<Dtype>),
    /// Plain data beside the weights in checkpoints: settings, paths, numbers of numpy. Its value is dropped.
    Inert,
}

/// The global of a name; `None` if it is not on the list.
pub(super) fn global(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict") => Global::Dict,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
        ("torch" | "torch.cuda" | "torch.storage", storage) if storage.ends_with("Storage") => {
            Global::Storage(storage_type(storage))
        }
        _ if is_inert(module, name) => Global::Inert,
        _ => return None,
    })
}

/// Type of the elements of a storage.
fn storage_type(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "DoubleStorage" => Dtype::F64,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

fn is_inert(module: &str, name: &str) -> bool {
    match module {
        "argparse" => name == "Namespace",
        "collections" => name == "Counter",
        "torch" => {
            matches!(name, "Size" | "device" | "Tensor" | "strided" | "contiguous_format" | "preserve_format")
                || is_element_type(name)
        }
        "torch.nn.parameter" => name == "Parameter",
        "torch._utils" => name == "_rebuild_tensor_v3",
        "builtins" | "__builtin__" => matches!(
            name,
            "set"
                | "frozenset"
                | "bytearray"
                | "complex"
                | "slice"
                | "range"
                | "int"
                | "float"
                | "str"
                | "bool"
                | "list"
                | "dict"
                | "tuple"
                | "object"
        ),
        "copyreg" | "copy_reg" => name == "_reconstructor",
        "_codecs" => name == "encode",
        "numpy" => matches!(name, "dtype" | "ndarray"),
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "scalar" | "_reconstruct"),
        "pathlib" | "pathlib._local" => {
            matches!(name, "Path" | "PosixPath" | "WindowsPath" | "PurePath" | "PurePosixPath" | "PureWindowsPath")
        }
        "lightning.fabric.utilities.data"
        | "lightning_fabric.utilities.data"
        | "pytorch_lightning.utilities.parsing" => name == "AttributeDict",
        _ => false,
    }
}

/// Whether `torch.NAME` is a type of elements, such as `torch.float32`.
fn is_element_type(name: &str) -> bool {
    let width = |name: &str, kind: &str| name.strip_prefix(kind).is_some_and(|bits| bits.parse::<u8>().is_ok());
    matches!(name, "bool" | "bfloat16") || ["float", "int", "uint", "complex"].iter().any(|kind| width(name, kind))
}
