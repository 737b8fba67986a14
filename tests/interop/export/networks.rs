//! The tasks with every variant of their networks, at odd sizes.

use shadegrad::data::color_bins::COLOR_BINS;
use shadegrad::data::{Batch, ColorSpace, Normalization, lightness};
use shadegrad::exec::{self, AnyEngine, PlanOptions, Session};
use shadegrad::graph::{Graph, Group};
use shadegrad::internals::train::model::LoadedModel;
use shadegrad::interop::onnx::OnnxModel;
use shadegrad::interop::torchvision;
use shadegrad::nn::{Cnn, Decoder, Mode, Network, ResNet, ResNetDepth, ResNetSeg, ResNetUNet, Stem, UNet, Up};
use shadegrad::run::{Checkpoint, ModelCard};
use shadegrad::shape::TensorType;
use shadegrad::tasks::classify::ClassifyPredictor;
use shadegrad::tasks::colorize::Colorization;
use shadegrad::tasks::multilabel::MultiLabelPredictor;
use shadegrad::workflows::export;

use super::compare::{agrees, channels_first, random};
use super::wire::{self, Tensor};

/// Images per batch. The model accepts any number.
const N: usize = 2;

const NORMALIZATION: Normalization = Normalization { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };

fn card(task: &str, network: Network, image_size: [usize; 2]) -> ModelCard {
    let named = |prefix: &str| (0..network.outputs()).map(|i| format!("{prefix} {i}")).collect();
    let (classes, normalization) = match task {
        "colorize" => (named("channel"), Normalization::NONE),
        _ => (named("class"), NORMALIZATION),
    };
    let palette = match task {
        "segment" => (0..network.outputs()).map(|i| [i as u8, 7, 9]).collect(),
        _ => vec![],
    };
    ModelCard { task: task.into(), network, classes, palette, image_size, normalization, own: Default::default() }
}

/// The network for a batch, without its task.
fn graph(card: &ModelCard, n: usize) -> Graph {
    let mut g = Graph::new();
    let channels = if card.task == "colorize" { 1 } else { 3 };
    let x = g.input("images", TensorType::channels([n, card.image_size[0], card.image_size[1], channels]));
    let y = card.network.apply(&mut g, x, Mode::Eval).expect("fits");
    g.output("predictions", y);
    g
}

/// Sets scales, shifts and statistics as after training, none of them 0 or 1, so that scores differ.
fn disturb(session: &mut Session<AnyEngine>) {
    let specs: Vec<_> = session.states().iter().map(|(_, spec)| spec.clone()).collect();
    for (seed, spec) in specs.iter().enumerate() {
        let mut values = session.read_state(&spec.name).expect("a state");
        let vector = spec.ty.shape.rank() == 1;
        for (v, u) in values.iter_mut().zip(random(seed as u64, spec.ty.shape.elements())) {
            match spec.name.rsplit('.').next() {
                Some("running_var") => *v = 0.5 + u,
                Some("weight") if vector => *v = 0.4 + 0.6 * u,
                Some("weight") if spec.name == "fc.weight" => *v *= 10.0,
                _ if vector => *v = 0.4 * u - 0.2,
                _ => {}
            }
        }
        assert!(matches!(spec.group, Group::Parameters | Group::Statistics));
        session.write_state(&spec.name, &values).expect("writes");
    }
}

/// A checkpoint as training writes it.
fn checkpoint(card: &ModelCard) -> Checkpoint {
    let mut session = Session::new(exec::open("cpu").expect("an engine"), &graph(card, 1), 5).expect("starts");
    disturb(&mut session);
    let file = torchvision::collect(&mut session, 3, card.to_metadata()).expect("reads");
    Checkpoint { file, path: "seeded.safetensors".into(), card: card.clone() }
}

/// RGB bytes of the batch.
fn pixels(card: &ModelCard) -> Vec<u8> {
    let len = N * 3 * card.image_size.iter().product::<usize>();
    random(77, len).iter().map(|u| (u * 256.0) as u8).collect()
}

/// Input of the exported model.
fn given(card: &ModelCard) -> Tensor {
    let values: Vec<f32> = pixels(card).iter().map(|&byte| f32::from(byte) / 255.0).collect();
    channels_first(&values, &[N, card.image_size[0], card.image_size[1], 3])
}

/// Normalized input of the crate's network.
fn normalized(card: &ModelCard) -> Vec<f32> {
    let table = card.normalization.table();
    pixels(card).iter().enumerate().map(|(i, &v)| table[i % 3][usize::from(v)]).collect()
}

fn exported(from: &Checkpoint) -> OnnxModel {
    let model = export(from).expect("exports").model;
    let read = wire::model(&model.to_bytes().expect("bytes"));
    assert_eq!((read.ir_version, read.opset), (8, 17), "onnxruntime 1.12 and later");
    assert_eq!(read.producer, concat!("shadegrad ", env!("CARGO_PKG_VERSION")));
    let [h, w] = from.card.image_size.map(|size| size.to_string());
    assert_eq!(read.inputs[0].0, "images");
    assert_eq!(read.inputs[0].1, ["N".to_owned(), "3".into(), h, w]);
    assert!(read.about.contains("images [N,3,") && read.inputs[0].2.contains("from 0 to 1"), "{}", read.about);
    let said = |key: &str| read.metadata.get(key).unwrap_or_else(|| panic!("no {key}: {:?}", read.metadata));
    assert_eq!(*said("task"), from.card.task);
    assert_eq!(serde_json::from_str::<Vec<String>>(said("classes")).expect("a list"), from.card.classes);
    assert_eq!(serde_json::from_str::<[f32; 3]>(said("mean")).expect("a list"), from.card.normalization.mean);
    assert!(read.nodes.iter().all(|node| node.operator != "Transpose"), "layouts change at inputs and outputs only");
    model
}

fn classifier(name: &str, network: Network, size: usize) {
    let card = card("classify", network, [size; 2]);
    let from = checkpoint(&card);
    let mut predictor = ClassifyPredictor::new(&from, exec::open("cpu").expect("an engine")).expect("a classifier");
    let rows = predictor.probabilities(normalized(&card)).expect("runs").concat();
    let top = rows.iter().copied().fold(0.0, f32::max);
    assert!((0.3..0.97).contains(&top), "probabilities that tell something: {rows:?}");
    let expected = channels_first(&rows, &[N, 5]);
    agrees(&format!("classify-{name}"), &exported(&from), &given(&card), &expected, 1e-4);
}

#[test]
fn exported_classifiers_give_probabilities() {
    let resnet = |stem: Stem| ResNet::new(ResNetDepth::L18, 5).stem(stem).into();
    classifier("ImageNet", resnet(Stem::ImageNet), 37);
    classifier("Cifar", resnet(Stem::Cifar), 11);
    classifier("cnn", Cnn::new(5).into(), 21);
}

/// Each label has its probability, and the thresholds are in the model.
#[test]
fn exported_multi_label_classifiers_give_probabilities_and_thresholds() {
    let thresholds = [0.5f32, 0.125, 0.75, 0.3, 0.9];
    let mut card = card("multi-label", ResNet::new(ResNetDepth::L18, 5).into(), [37; 2]);
    card.own.insert("thresholds".into(), serde_json::json!(thresholds).to_string());
    let from = checkpoint(&card);
    let mut predictor = MultiLabelPredictor::new(&from, exec::open("cpu").expect("an engine")).expect("a classifier");
    let rows = predictor.probabilities(normalized(&card)).expect("runs").concat();
    let span = |pick: fn(f32, f32) -> f32, start| rows.iter().copied().fold(start, pick);
    assert!(span(f32::max, 0.0) > 0.55 && span(f32::min, 1.0) < 0.45, "probabilities on both sides: {rows:?}");
    let model = exported(&from);
    agrees("multi-label", &model, &given(&card), &channels_first(&rows, &[N, 5]), 1e-4);
    let read = wire::model(&model.to_bytes().expect("bytes"));
    assert_eq!(read.outputs[0].0, "probabilities");
    assert_eq!(serde_json::from_str::<Vec<f32>>(&read.metadata["thresholds"]).expect("a list"), thresholds);
}

fn segmentation(name: &str, network: Network, size: [usize; 2]) {
    let outputs = network.outputs();
    let card = card("segment", network, size);
    let from = checkpoint(&card);
    let graph = graph(&card, N);
    let mut session = Session::new(exec::open("cpu").expect("an engine"), &graph, 0).expect("starts");
    torchvision::restore(&mut session, &from.file, &from.path).expect("fits");
    let plan = session.load(&graph, PlanOptions::default()).expect("loads");
    session.write(plan, "images", &normalized(&card)).expect("writes");
    let logits = session.run_now(plan).expect("runs").remove(0);
    let expected = channels_first(&logits, &[N, size[0], size[1], outputs]);
    let model = exported(&from);
    agrees(name, &model, &given(&card), &expected, 1e-5);
    let read = wire::model(&model.to_bytes().expect("bytes"));
    assert_eq!(read.outputs[0].0, "logits");
    assert_eq!(serde_json::from_str::<Vec<[u8; 3]>>(&read.metadata["palette"]).expect("a list"), card.palette);
}

#[test]
fn exported_segmentation_gives_logits() {
    for decoder in [Decoder::Fcn32s, Decoder::Fcn8s] {
        let network = ResNetSeg { classes: 5, decoder, ..Default::default() }.into();
        segmentation(&format!("segment-{decoder:?}"), network, [45, 61]);
    }
    for (up, skips) in [(Up::Transposed, true), (Up::Bilinear, true), (Up::Transposed, false), (Up::Bilinear, false)] {
        let network = UNet { outputs: 3, depth: 2, base: 4, up, skips }.into();
        segmentation(&format!("segment-{up:?}-{skips}"), network, [23, 30]);
    }
    let bottlenecks = ResNetSeg { depth: ResNetDepth::L50, classes: 5, decoder: Decoder::Fcn32s };
    segmentation("segment-bottlenecks", bottlenecks.into(), [45, 61]);
    segmentation("segment-encoder", ResNetUNet { outputs: 3, ..Default::default() }.into(), [33, 50]);
}

/// The colors are those that `predict` writes, before they are rounded to bytes.
#[test]
fn exported_colorization_gives_pictures() {
    for (outputs, up, skips) in
        [(2, Up::Transposed, true), (3, Up::Bilinear, false), (COLOR_BINS, Up::Transposed, true)]
    {
        let network = UNet { outputs, depth: 2, base: 4, up, skips }.into();
        let card = card("colorize", network, [21, 26]);
        let from = checkpoint(&card);
        let task = Colorization::trained(card.clone(), None).expect("colorizes");
        let mut model = LoadedModel::trained(&task, exec::open("cpu").expect("an engine"), &from).expect("fits");
        let images = lightness(&pixels(&card));
        let batch = Batch { images: images.clone(), indices: (0..N).collect(), ..Batch::default() };
        let predicted = model.forward(&task, N, &batch).expect("runs").get("predictions").to_vec();
        let space = task.space();
        assert_eq!(space, if outputs == 3 { ColorSpace::Rgb } else { ColorSpace::Lab });
        let bytes: Vec<f32> = space.decode(&images, &predicted).iter().map(|&b| f32::from(b) / 255.0).collect();
        let expected = channels_first(&bytes, &[N, 21, 26, 3]);
        // Half a byte, and a margin for values near the middle between two bytes.
        let model = exported(&from);
        agrees(&format!("colorize-{}-{outputs}", space.name()), &model, &given(&card), &expected, 0.503 / 255.0);
        let read = wire::model(&model.to_bytes().expect("bytes"));
        assert_eq!((read.outputs[0].0.as_str(), read.metadata["color_space"].as_str()), ("rgb", space.name()));
    }
}
