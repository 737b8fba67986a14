//! Files that torch.save and safetensors wrote (tests/fixtures/generate_torch_files.py): every layout and element type gives the
//! values that PyTorch had.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use shadegrad::exec::{self, AnyEngine, PlanOptions, Session};
use shadegrad::graph::Graph;
use shadegrad::interop::safetensors::{TensorData, TensorFile};
use shadegrad::interop::weight_file::WeightFile;
use shadegrad::nn::{Mode, Settings, architecture};
use shadegrad::shape::TensorType;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch").join(name)
}

fn open(name: &str) -> WeightFile {
    WeightFile::open(&fixture(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn values() -> Json {
    serde_json::from_slice(&std::fs::read(fixture("values.json")).expect("the fixture")).expect("JSON")
}

fn floats(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// Compares all tensors of a file, whose names may have a prefix.
fn compare(name: &str, expected: &Json) {
    let file = open(name);
    let expected = expected.as_object().expect("tensors");
    assert_eq!(file.shapes().count(), expected.len(), "{name}");
    for (stored, shape) in file.shapes() {
        let plain = ["module.", "model."].iter().find_map(|prefix| stored.strip_prefix(prefix)).unwrap_or(stored);
        let known = expected.get(plain).unwrap_or_else(|| panic!("{name}: `{stored}` is too much"));
        let tensor = file.read(stored).unwrap_or_else(|error| panic!("{error}"));
        let read: Vec<f64> = match tensor.data {
            TensorData::F32(values) => values.into_iter().map(f64::from).collect(),
            TensorData::I64(values) => values.into_iter().map(|value| value as f64).collect(),
        };
        assert_eq!(read, floats(&known["values"]), "{name}: {stored}");
        let sizes: Vec<f64> = shape.iter().map(|&size| size as f64).collect();
        assert_eq!(sizes, floats(&known["shape"]), "{name}: {stored}");
    }
}

#[test]
fn every_layout_and_element_type_has_pytorchs_values() {
    let values = values();
    let files = values.as_object().expect("files");
    assert_eq!(files.len(), 22);
    for (name, expected) in files {
        let same = expected.as_str().map_or(expected, |other| &values[other]);
        compare(name, same);
    }
}

#[test]
fn the_kind_of_a_file_is_found_from_its_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (original, name) in [("zip.pth", "a.safetensors"), ("legacy.pth", "b"), ("plain.safetensors", "c.pth")] {
        let path = folder.path().join(name);
        std::fs::copy(fixture(original), &path).expect("copies");
        assert_eq!(WeightFile::open(&path).expect("opens").shapes().count(), 8, "{name}");
    }
}

#[test]
fn the_part_of_a_checkpoint_that_is_read_is_named() {
    for (name, part) in [("lightning.ckpt", "state_dict"), ("checkpoint.pt", "model_state_dict"), ("model.pt", "model")]
    {
        assert_eq!(open(name).part(), Some((part, &[][..])), "{name}");
    }
    assert_eq!(open("ema.pt").part(), Some(("ema", &[][..])));
    assert_eq!(open("two.pt").part(), Some(("state_dict", &["ema".to_owned()][..])));
    assert_eq!(open("zip.pth").part(), None);
}

#[test]
fn a_whole_module_is_refused_by_the_name_of_its_class() {
    let error = WeightFile::open(&fixture("module.pt")).expect_err("it asks for code").to_string();
    let expected =
        ["module.pt: the file asks to run `torch.nn.modules.linear.Linear`", "torch.save(model.state_dict(), FILE)"];
    expected.iter().for_each(|part| assert!(error.contains(part), "{error}"));
}

/// Each ResNet gives torchvision's logits from its weights, ResNet18 from a file of every layout.
#[test]
#[ignore = "needs files of 1 GB: generate_torch_files.py --resnets FOLDER; SHADEGRAD_TORCH_FILES names the folder"]
fn resnets_have_torchvisions_logits() {
    let folder = PathBuf::from(std::env::var_os("SHADEGRAD_TORCH_FILES").expect("SHADEGRAD_TORCH_FILES"));
    let inputs = TensorFile::read(&folder.join("inputs.safetensors")).expect("inputs");
    let images = inputs.tensors["images"].clone();
    let [n, h, w, c]: [usize; 4] = images.shape.clone().try_into().expect("N H W C");
    let mut tested = 0;
    for (name, expected) in inputs.tensors.iter().filter(|(name, _)| *name != "images") {
        let network = architecture(name.trim_end_matches(".pth")).or_else(|| architecture("resnet18")).expect("listed");
        let network = (network.build)(1000, &Settings::new()).expect("a network");
        let mut graph = Graph::new();
        let x = graph.input("images", TensorType::channels([n, h, w, c]));
        let logits = network.apply(&mut graph, x, Mode::Eval).expect("fits");
        graph.output("logits", logits);
        let (TensorData::F32(pixels), TensorData::F32(expected)) = (&images.data, &expected.data) else {
            panic!("floats")
        };
        let mut session: Session<AnyEngine> =
            Session::new(exec::open("cpu").expect("the CPU"), &graph, 0).expect("states");
        session.load_weights(folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
        session.write(plan, "images", pixels).expect("images");
        let found = session.run_now(plan).expect("runs").remove(0);
        let off = found.iter().zip(expected).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
        println!("{name}: logits up to {:.2}, off by {off:.1e}", expected.iter().fold(0.0, |m: f32, v| m.max(v.abs())));
        assert_eq!(found.len(), expected.len());
        assert!(off < 1e-4, "{name}: {off:e}");
        tested += 1;
    }
    assert_eq!(tested, 12);
}
