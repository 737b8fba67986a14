//! Unusual but valid graphs are planned and run. Invalid ones are errors, not panics.

use shadegrad::exec::{Buffer, CpuEngine, Plan, PlanOptions, Session};
use shadegrad::fuse::FuseOptions;
use shadegrad::graph::{Graph, Group, Init, StateTable, Value, receptive_fields};
use shadegrad::internals::tasks::classify::graphs::evaluation_graph;
use shadegrad::kernel::Access;
use shadegrad::nn::{BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, Mode, ResNet, ResNetDepth, Stem, Upsample};
use shadegrad::ops::{CrossEntropyOptions, Hyper, SgdOptions};
use shadegrad::shape::TensorType;
use shadegrad::train::step::{Optimizer, append_update, port};
use shadegrad::{autodiff, ops};

fn session(graph: &Graph) -> Session<CpuEngine<f32>> {
    Session::new(Box::new(CpuEngine::new()), graph, 0).expect("a session")
}

/// Logits `leaky(x + a) + b + c`: b and c share one gradient, from which the gradient of a is computed too.
#[test]
fn parameters_may_share_a_gradient() {
    let mut g = Graph::new();
    let ty = TensorType::channels([2, 3]);
    let x = g.input("x", ty.clone());
    let labels = g.input("labels", TensorType::flat(2));
    let [a, b, c] = ["a", "b", "c"]
        .map(|name| g.state(name, ty.clone(), Group::Parameters, Init::Constant(0.5), true).expect("a new state"));
    let sum = ops::add(&mut g, x, a).expect("equal shapes");
    let bent = ops::unary(&mut g, sum, ops::UnaryOp::LeakyRelu(0.1)).expect("an activation");
    let logits = ops::add(&mut g, bent, b).expect("equal shapes");
    let logits = ops::add(&mut g, logits, c).expect("equal shapes");
    let [loss, _] =
        ops::softmax_cross_entropy(&mut g, logits, labels, None, CrossEntropyOptions::default()).expect("logits");
    g.output("loss", loss);
    let sgd = SgdOptions { momentum: 0.0, nesterov: false, weight_decay: 0.0, decay_all: true };
    append_update(&mut g, loss, Optimizer::Sgd(sgd), None).expect("an update");

    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "x", &[0.0; 6]).expect("it fits");
    session.write(plan, "labels", &[0.0, 2.0]).expect("it fits");
    session.write(plan, port::HYPER, &Hyper::new(1.0, [0.0; 2], 1).values()).expect("it fits");
    session.run_now(plan).expect("a step");
    // p = 1/3 for each class, a mean over two rows: −(1/3 − 1)/2 = 1/3 for the label and −1/6 for the others.
    for name in ["a", "b", "c"] {
        let got = session.read_state(name).expect("a state");
        let expected = [0.5 + 1.0 / 3.0, 0.5 - 1.0 / 6.0, 0.5 - 1.0 / 6.0];
        let expected = [expected, [expected[1], expected[2], expected[0]]].concat();
        assert!(got.iter().zip(&expected).all(|(g, e): (&f32, &f32)| (g - e).abs() < 1e-6), "{name}: {got:?}");
    }
}

/// All four states of a frozen norm are in one buffer, which may only be read.
#[test]
fn a_whole_norm_may_be_frozen() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, 1, 2, 1]));
    let states: [Value; 4] = [("weight", 2.0), ("bias", 1.0), ("mean", 3.0), ("var", 4.0)].map(|(name, value)| {
        g.state(name, TensorType::channels([1]), Group::Frozen, Init::Constant(value), false).expect("a new state")
    });
    let [gamma, beta, mean, var] = states;
    let y = ops::batch_norm(&mut g, [x, gamma, beta, mean, var], 0.0, None).expect("one channel");
    g.output("y", y);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "x", &[3.0, 7.0]).expect("it fits");
    assert_eq!(session.run_now(plan).expect("a run")[0], [1.0, 5.0], "(x − 3) / √4 · 2 + 1");
}

#[test]
fn evaluation_writes_no_state() {
    let network = |g: &mut Graph, x, mode: Mode| ResNet::new(ResNetDepth::L18, 4).stem(Stem::Cifar).apply(g, x, mode);
    let graph = evaluation_graph(StateTable::default(), &network, [2, 32, 32, 3], FuseOptions::default());
    let plan = Plan::new(&graph.expect("the network fits"), PlanOptions::default());
    let bindings = plan.calls.iter().flat_map(|c| &c.call.bindings);
    let states: Vec<_> = bindings.filter(|(slice, _)| matches!(slice.buffer, Buffer::State(_))).collect();
    assert!(states.iter().all(|(_, access)| *access == Access::Read), "{states:?}");
    assert!(states.len() >= 20 * 4, "four of each of the 20 norms, at least");
}

#[test]
fn a_misspelled_input_is_an_error_and_an_unused_one_is_not() {
    let mut g = Graph::new();
    let x = g.input("images", TensorType::channels([1, 1, 1, 4]));
    g.input("unused", TensorType::channels([4]));
    let y = ops::relu(&mut g, x).expect("an activation");
    g.output("y", y);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "unused", &[0.0; 4]).expect("passed over");
    let error = session.write(plan, "image", &[0.0; 4]).expect_err("there is no such input").to_string();
    assert!(error.contains("image: ") && error.contains("images, unused"), "{error}");
    let error = session.write(plan, "images", &[0.0; 3]).expect_err("too short").to_string();
    assert!(error.contains("3 numbers for a tensor of 4"), "{error}");
}

/// PyTorch: "Expected more than 1 value per channel when training".
#[test]
fn a_norm_is_not_trained_on_one_value_per_channel() {
    let norm = |shape: [usize; 4], mode| {
        let mut g = Graph::new();
        let x = g.input("x", TensorType::channels(shape));
        g.scope("head", |g| BatchNorm2d::default().apply(g, "bn", x, mode))
    };
    let error = norm([1, 1, 1, 8], Mode::Train).expect_err("one value").to_string();
    for part in ["head.bn: ", "2 values of each channel", "batch size", "image size"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    for (shape, mode) in [([1, 1, 1, 8], Mode::Eval), ([2, 1, 1, 8], Mode::Train), ([1, 1, 2, 8], Mode::Train)] {
        assert!(norm(shape, mode).is_ok(), "{shape:?}");
    }
}

/// A norm without a residual binds x in the residual's binding and does not read it. That binding must not count as
/// traffic.
#[test]
fn a_slice_that_is_bound_twice_counts_once_as_traffic() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, 32, 32, 8]));
    let y = BatchNorm2d::default().apply(&mut g, "norm", x, Mode::Train).expect("it fits");
    g.output("y", y);
    let plan = Plan::new(&g, PlanOptions::default());
    let applied = plan.calls.iter().find(|c| c.call.kernel == "norm_apply").expect("a map of many rows");
    let (map, vector) = (4 * 2 * 32 * 32 * 8, 4 * 8);
    assert_eq!(applied.call.bindings.len(), 7);
    // x and y; mean, 1 / std, scale, shift.
    assert_eq!(applied.call.bytes(), 2 * map + 4 * vector);
    // Partial moments are read, running moments are read and written, those of the batch are written.
    let finalized = plan.calls.iter().find(|c| c.call.kernel == "norm_finalize").expect("in training");
    let partial = 4 * finalized.call.bindings[0].0.len as u64;
    assert_eq!(finalized.call.bytes(), partial + 2 * 2 * vector + 2 * vector);
    assert!(plan.bytes() > applied.call.bytes() + finalized.call.bytes());
}

/// The elements that a dropout keeps, after some other ops and in a layer.
fn kept(before: usize, layer: &str, dropouts: usize) -> Vec<bool> {
    let mut g = Graph::new();
    let mut x = g.input("x", TensorType::channels([4, 50]));
    let seed = g.input("seed", TensorType::channels([4]));
    for _ in 0..before {
        x = ops::relu(&mut g, x).expect("a value");
    }
    let made = g.scope(layer, |g| (0..dropouts).map(|_| ops::dropout(g, x, seed, 0.5).expect("a rate")).last());
    g.output("y", made.expect("at least one"));
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "x", &[1.0; 200]).expect("it fits");
    session.write(plan, "seed", &[7.0, 0.0, 3.0, 0.0]).expect("it fits");
    session.run_now(plan).expect("a run")[0].iter().map(|&v| v > 0.0).collect()
}

#[test]
fn a_dropout_mask_depends_on_its_layer_and_its_number_in_the_layer() {
    let mask = kept(0, "head", 1);
    assert!(mask.contains(&true) && mask.contains(&false));
    assert_eq!(kept(3, "head", 1), mask, "ops before it");
    assert_ne!(kept(0, "neck", 1), mask, "another layer");
    assert_ne!(kept(0, "head", 2), mask, "the second of the layer");
}

/// Cross entropy made of ops equals the fused one, and so does its gradient.
#[test]
fn a_loss_made_of_ops_equals_the_fused_op() {
    let (shape, classes) = ([6, 5], 5);
    let mut g = Graph::new();
    let logits = g.input("logits", TensorType::channels(shape));
    let labels = g.input("labels", TensorType::flat(6));
    let hot = g.input("hot", TensorType::channels(shape));
    let options = CrossEntropyOptions::default();
    let [fused, _] = ops::softmax_cross_entropy(&mut g, logits, labels, None, options).expect("one label a row");
    let log_p = ops::log_softmax(&mut g, logits).expect("rows");
    let picked = ops::mul(&mut g, log_p, hot).expect("equal shapes");
    let rows = ops::sum_axes(&mut g, picked, &[1]).expect("an axis");
    let mean = ops::mean(&mut g, rows).expect("rows");
    let made = ops::neg(&mut g, mean).expect("a number");
    for loss in [fused, made] {
        let gradient = autodiff::gradients(&mut g, loss, &[logits]).expect("it depends on the logits")[0];
        g.output("loss", loss);
        g.output("gradient", gradient);
    }
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    let classes_of: Vec<usize> = (0..6).map(|row| row * 7 % classes).collect();
    let values: Vec<f32> = (0..30).map(|i| ((i * 37 % 23) as f32 - 11.0) / 4.0).collect();
    let one_hot = (0..30).map(|i| if classes_of[i / classes] == i % classes { 1.0 } else { 0.0 });
    session.write(plan, "logits", &values).expect("it fits");
    session.write(plan, "labels", &classes_of.iter().map(|&c| c as f32).collect::<Vec<_>>()).expect("it fits");
    session.write(plan, "hot", &one_hot.collect::<Vec<f32>>()).expect("it fits");
    let got = session.run_now(plan).expect("a run");
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&got[0], &got[2]) && near(&got[1], &got[3]), "{got:?}");
    assert!(got[0][0] > 0.5 && got[1].iter().any(|v| v.abs() > 0.05), "{got:?}");
}

/// Each function that appends an op documents its gradient.
#[test]
fn the_documentation_of_every_op_states_its_gradient() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let mut functions = 0;
    for file in std::fs::read_dir(folder).expect("the ops") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        for (head, _) in text.match_indices("\npub fn ").map(|(at, _)| text.split_at(at)) {
            let (_, doc) = head.rsplit_once("\n\n").expect("something before it");
            let body = &text[head.len()..];
            let signature = &body[..body.find("{\n").unwrap_or(body.len())];
            if signature.contains("&mut Graph") {
                functions += 1;
                assert!(doc.contains("/// Gradient: "), "{}: {}", path.display(), signature.trim());
            }
        }
    }
    assert!(functions >= 45, "{functions} functions were found");
}

/// The receptive field after layers: kernel size, stride, and whether it is a max pool.
fn field(layers: &[(usize, usize, bool)], side: usize) -> f64 {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, side, side, 4]));
    let mut y = x;
    for (number, &(kernel, stride, pool)) in layers.iter().enumerate() {
        y = match pool {
            true => MaxPool2d::new(kernel).stride(stride).apply(&mut g, y),
            false => {
                Conv2d::new(4, kernel).stride(stride).padding(kernel / 2).apply(&mut g, &format!("conv{number}"), y)
            }
        }
        .expect("it fits");
    }
    let [height, width] = receptive_fields(&g, x)[y.index()].expect("it depends on the image");
    assert_eq!(height, width);
    height
}

/// AlexNet and VGG-16 after their last pool, as Araujo, Norris and Sim give them ("Computing Receptive Fields of Convolutional
/// Neural Networks", Distill 2019): 195 and 212.
#[test]
fn receptive_fields_are_the_published_ones() {
    let pool = (2, 2, true);
    let (conv, alex_pool) = ((3, 1, false), (3, 2, true));
    let alexnet = [(11, 4, false), alex_pool, (5, 1, false), alex_pool, conv, conv, conv, alex_pool];
    assert_eq!(field(&alexnet, 224), 195.0);
    let vgg = [vec![conv, conv, pool], vec![conv, conv, pool], [conv, conv, conv, pool].repeat(3)].concat();
    assert_eq!(field(&vgg, 224), 212.0);
}

/// The field of an enlarged map, compared with the pixels on which the middle of the result depends.
#[test]
fn receptive_fields_of_enlarged_maps_are_the_pixels_that_matter() {
    for bilinear in [false, true] {
        let mut g = Graph::new();
        let x = g.input("x", TensorType::channels([1, 1, 33, 4]));
        let row = Conv2d::new(4, [1, 3]).stride([1, 2]).padding([0, 1]).apply(&mut g, "conv", x).expect("it fits");
        let y = match bilinear {
            true => Upsample::bilinear(2).apply(&mut g, row).expect("it fits"),
            false => ConvTranspose2d::new(4, [1, 3]).stride([1, 2]).apply(&mut g, "up", row).expect("it fits"),
        };
        g.output("y", y);
        let [height, expected] = receptive_fields(&g, x)[y.index()].expect("it depends on x");
        let (width, mut session) = (g.dims(y)[2], session(&g));
        let plan = session.load(&g, PlanOptions::default()).expect("a plan");
        let mut middle = |pixel: Option<usize>| {
            let values: Vec<f32> = (0..33 * 4).map(|i| f32::from(u8::from(Some(i / 4) == pixel))).collect();
            session.write(plan, "x", &values).expect("written");
            let row = session.run_now(plan).expect("runs").remove(0);
            // Two neighbors, because the pixels of an enlarged map differ in reach.
            [0, 1].map(|next| row[4 * (width / 2 + next)..][..4].to_vec())
        };
        let before = middle(None);
        let mut reached = [vec![], vec![]];
        for pixel in 0..33 {
            let after = middle(Some(pixel));
            (0..2).filter(|&next| after[next] != before[next]).for_each(|next| reached[next].push(pixel));
        }
        let extent = |pixels: &Vec<usize>| pixels.last().expect("some") - pixels[0] + 1;
        let largest = reached.iter().map(extent).max().expect("two");
        assert_eq!((height, largest as f64), (if bilinear { 2.0 } else { 1.0 }, expected), "bilinear: {bilinear}");
    }
}
