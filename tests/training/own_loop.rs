//! A custom training loop with `Training` and `Predictor`.

use std::collections::BTreeMap;

use shadegrad::exec::AnyEngine;
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::internals::random::Random;
use shadegrad::nn::{
    BatchNorm2d, Conv2d, Dropout, GroupNorm, LayerNorm, Linear, MaxPool2d, Mode, Upsample, WeightInit,
};
use shadegrad::ops::SgdOptions;
use shadegrad::training::{
    Batch, CrossEntropy, IGNORED, Losses, Optimizer, Predictor, Regression, Targets, Training, TrainingError,
    TrainingOptions,
};
use shadegrad::{Tensor, exec, ops};

const IMAGE: [usize; 3] = [8, 6, 3];
const CLASSES: usize = 3;

fn cpu() -> Box<AnyEngine> {
    exec::open("cpu").expect("the CPU")
}

/// Convolution, BatchNorm, linear head.
fn network(g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
    let x = Conv2d::new(5, 3).stride(2).padding(1).bias(false).init(WeightInit::He).apply(g, "conv", images)?;
    let x = BatchNorm2d::new().apply(g, "norm", x, mode)?;
    let x = ops::relu(g, x)?;
    let x = ops::flatten(g, x)?;
    Linear::new(CLASSES).apply(g, "head", x)
}

fn noise(stream: u64, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| Random::new(11, stream, i, 0).normal()).collect()
}

/// Noise with a brightness that depends on the class.
fn batch(stream: u64, samples: usize) -> Batch {
    let each: usize = IMAGE.iter().product();
    let labels: Vec<u32> = (0..samples).map(|i| ((i as u64 + stream) % CLASSES as u64) as u32).collect();
    let pixel = |(i, v): (usize, f32)| 0.3 * v + labels[i / each] as f32 - 1.0;
    let images = noise(stream, samples * each).into_iter().enumerate().map(pixel).collect();
    Batch::labeled(images, labels)
}

fn training(options: TrainingOptions) -> Training {
    Training::new(cpu(), IMAGE, network, CrossEntropy::new(), options).expect("a training")
}

/// Steps on batches of 7 and 4, which have two plans.
fn steps(training: &mut Training, numbers: std::ops::Range<u64>) -> Vec<f32> {
    numbers.map(|i| training.step(&batch(i, if i % 2 == 0 { 7 } else { 4 })).expect("a step").loss).collect()
}

fn all_tensors(training: &mut Training) -> Vec<(String, Vec<u32>)> {
    let names = training.session().tensor_names();
    let bits = |t: Tensor| t.values.iter().map(|v| v.to_bits()).collect();
    names.into_iter().map(|name| (name.clone(), bits(training.tensor(&name).expect("a tensor")))).collect()
}

fn evaluation_batches(sizes: &[usize]) -> Vec<Result<Batch, TrainingError>> {
    let whole = batch(99, sizes.iter().sum());
    let (each, mut start) = (IMAGE.iter().product::<usize>(), 0);
    let part = |&n: &usize| {
        let range = start..start + n;
        start += n;
        Ok(Batch::labeled(whole.images[range.start * each..range.end * each].to_vec(), whole.labels[range].to_vec()))
    };
    sizes.iter().map(part).collect()
}

#[test]
fn a_network_learns_and_its_evaluation_does_not_depend_on_the_batch_size() {
    let mut training = training(TrainingOptions::adam(1e-2));
    let losses = steps(&mut training, 0..40);
    assert!(losses[39] < 0.2 * losses[0], "{losses:?}");
    assert_eq!(training.steps(), 40);
    let before = all_tensors(&mut training);
    let [whole, cut] = [&[9][..], &[4, 4, 1]].map(|s| training.evaluate(evaluation_batches(s)).expect("it evaluates"));
    assert_eq!((whole.samples(), whole.accuracy()), (9, cut.accuracy()));
    assert!((whole.loss() - cut.loss()).abs() < 1e-6 * whole.loss(), "{whole:?} {cut:?}");
    assert_eq!(all_tensors(&mut training), before, "an evaluation changes nothing");

    let whole = batch(99, 9);
    let logits = training.predict(&whole.images).expect("it predicts");
    assert_eq!(logits.shape.0, [9, CLASSES]);
    let right = logits.argmax().iter().zip(&whole.labels).filter(|(p, l)| **p == **l as usize).count();
    assert_eq!(training.evaluate([Ok::<_, TrainingError>(whole)]).expect("it").accuracy(), Some(right as f64 / 9.0));
}

#[test]
fn a_step_follows_the_formula_of_sgd_and_momentum_and_gradients_are_those_of_the_mean_error() {
    // y = x·w + b with one output, mean squared error: ∂/∂w = 2/N Σ (y − t) x.
    let linear = |g: &mut Graph, images: Value, _: Mode| {
        let x = ops::flatten(g, images)?;
        Linear::new(1).apply(g, "linear", x)
    };
    let sgd = Optimizer::Sgd(SgdOptions { momentum: 0.5, ..SgdOptions::default() });
    let mse = Regression(ops::Regression::Mse);
    let mut training = Training::new(cpu(), [1, 1, 3], linear, mse, TrainingOptions::new(sgd, 0.1)).expect("it fits");
    let (x, targets) = (noise(1, 4 * 3), noise(2, 4));
    let batch = Batch::new(4, x.clone()).with_targets(targets.clone());
    let w0 = training.tensor("linear.weight").expect("a weight");
    let b0 = training.tensor("linear.bias").expect("a bias");
    assert_eq!((&w0.shape.0[..], &b0.shape.0[..]), (&[3, 1][..], &[1][..]));
    let error = |n: usize| -> f64 {
        let y =
            (0..3).map(|i| f64::from(x[3 * n + i]) * f64::from(w0.values[i])).sum::<f64>() + f64::from(b0.values[0]);
        y - f64::from(targets[n])
    };
    let expected: Vec<f64> =
        (0..3).map(|i| (0..4).map(|n| error(n) * f64::from(x[3 * n + i])).sum::<f64>() / 2.0).collect();
    let gradients = training.gradients(&batch).expect("gradients");
    let close = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5 * (1.0 + b.abs()));
    assert!(close(&gradients["linear.weight"].values, &expected), "{gradients:?} {expected:?}");

    let step = training.step(&batch).expect("a step");
    let mean = (0..4).map(|n| error(n).powi(2)).sum::<f64>() / 4.0;
    assert!((f64::from(step.loss) - mean).abs() < 1e-5 * mean, "{step:?} {mean}");
    let moved: Vec<f64> = (0..3).map(|i| f64::from(w0.values[i]) - 0.1 * expected[i]).collect();
    assert!(close(&training.tensor("linear.weight").expect("a weight").values, &moved));
    let momentum = training.tensor("optimizer.momentum.linear.weight").expect("a moment");
    assert!(momentum.shape == w0.shape && close(&momentum.values, &expected), "{momentum:?}");

    // With gradients of 0 the momentum alone moves the weights, by lr · μ · v.
    let zeros = |t: &Tensor| Tensor::new(t.shape.clone(), vec![0.0; t.values.len()]);
    training.set_learning_rate(0.2);
    let none = BTreeMap::from([("linear.weight".into(), zeros(&w0)), ("linear.bias".into(), zeros(&b0))]);
    training.apply(&none).expect("it applies");
    let moved: Vec<f64> = moved.iter().zip(&expected).map(|(w, v)| w - 0.2 * 0.5 * v).collect();
    assert!(close(&training.tensor("linear.weight").expect("a weight").values, &moved));
    assert_eq!(training.steps(), 2);
}

#[test]
fn gradients_applied_by_hand_are_a_step_to_the_bit() {
    let options = || TrainingOptions { clip: Some(0.5), average: Some(0.9), ..TrainingOptions::adamw(1e-2, 0.1) };
    let [mut whole, mut parts] = [training(options()), training(options())];
    for i in 0..3 {
        let batch = batch(i, 6);
        whole.step(&batch).expect("a step");
        let gradients = parts.gradients(&batch).expect("gradients");
        parts.apply(&gradients).expect("it applies");
    }
    let trained = |t: &mut Training| {
        let mut tensors = all_tensors(t);
        // `gradients` does not change the running statistics.
        tensors.retain(|(name, _)| !name.contains("running"));
        tensors
    };
    assert_eq!(trained(&mut whole), trained(&mut parts));
    assert_eq!(parts.tensor("norm.running_var").expect("a variance").values, [1.0; 5]);
}

#[test]
fn a_saved_training_continues_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (all, weights) = (folder.path().join("all.safetensors"), folder.path().join("weights.safetensors"));
    let options = || TrainingOptions { average: Some(0.99), ..TrainingOptions::adam(1e-2) };
    let mut uninterrupted = training(options());
    steps(&mut uninterrupted, 0..3);
    uninterrupted.save(&all).expect("it saves");
    uninterrupted.save_weights(&weights).expect("it saves");
    let losses = steps(&mut uninterrupted, 3..6);

    let mut resumed = training(TrainingOptions { seed: 5, ..options() });
    resumed.load(&all).expect("it loads");
    assert_eq!((resumed.steps(), steps(&mut resumed, 3..6)), (3, losses));
    assert_eq!(all_tensors(&mut resumed), all_tensors(&mut uninterrupted));

    let images = batch(7, 5).images;
    for path in [&weights, &all] {
        let mut predictor = Predictor::open(cpu(), IMAGE, network, path).expect("it opens");
        resumed.load(&all).expect("it loads");
        assert_eq!(predictor.predict(&images).expect("it predicts"), resumed.predict(&images).expect("it predicts"));
    }
    let mut sgd = training(TrainingOptions::sgd(0.1));
    let before = all_tensors(&mut sgd);
    let error = sgd.load(&all).expect_err("another optimizer").to_string();
    assert!(
        error.contains("`optimizer.momentum.conv.weight` is missing") && error.contains("weights alone"),
        "{error}"
    );
    assert_eq!(all_tensors(&mut sgd), before, "nothing is loaded by halves");
    sgd.load_weights(&all).expect("its weights fit");
    assert_eq!(sgd.predict(&images).expect("it predicts"), resumed.predict(&images).expect("it predicts"));
}

#[test]
fn terms_are_weighted_and_shown_without_their_weight() {
    let loss = |g: &mut Graph, logits: Value, targets: &mut Targets| {
        let labels = targets.labels(g, logits)?;
        let [cross_entropy, totals] = ops::softmax_cross_entropy(g, logits, labels, None, Default::default())?;
        let weights = targets.constant(g, "class_weights", [CLASSES], &[1.0, 2.0, 4.0]);
        let [weighted, _] = ops::softmax_cross_entropy(g, logits, labels, Some(weights), Default::default())?;
        Ok::<_, GraphError>(
            Losses::new()
                .term("plain", 1.0, cross_entropy)
                .term("weighted", 0.25, weighted)
                .metric("m", weighted)
                .totals(totals),
        )
    };
    let options = || TrainingOptions { gradient_norm: true, ..TrainingOptions::sgd(0.0) };
    let mut training = Training::new(cpu(), IMAGE, network, loss, options()).expect("a training");
    let step = training.step(&batch(0, 5)).expect("a step");
    let [plain, weighted] = ["plain", "weighted"].map(|name| step.metric(name).expect("a term"));
    assert!((step.loss - (plain + 0.25 * weighted)).abs() < 1e-6 && plain != weighted, "{step:?}");
    assert_eq!((step.metric("m"), step.metric("other")), (Some(weighted), None));
    let gradients = training.gradients(&batch(0, 5)).expect("gradients");
    let squares = gradients.values().flat_map(|t| &t.values).map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let norm = f64::from(step.gradient_norm().expect("it is measured"));
    assert!((norm - squares.sqrt()).abs() < 1e-5 * norm, "{norm} {squares}");

    // The weighted term has the same value as a loss of one term.
    let alone = |g: &mut Graph, logits: Value, targets: &mut Targets| {
        let labels = targets.labels(g, logits)?;
        let weights = targets.constant(g, "class_weights", [CLASSES], &[1.0, 2.0, 4.0]);
        ops::softmax_cross_entropy(g, logits, labels, Some(weights), Default::default())
    };
    let mut training = Training::new(cpu(), IMAGE, network, alone, options()).expect("a training");
    assert_eq!(training.step(&batch(0, 5)).expect("a step").loss, weighted);
}

#[test]
fn frozen_layers_keep_their_values_and_a_pattern_must_match() {
    let options = |freeze: &[&str]| TrainingOptions {
        freeze: freeze.iter().map(ToString::to_string).collect(),
        ..TrainingOptions::adam(1e-2)
    };
    let mut training = training(options(&["conv", "n*.bias"]));
    let before = all_tensors(&mut training);
    steps(&mut training, 0..2);
    let changed: Vec<_> =
        all_tensors(&mut training).into_iter().zip(before).filter(|(a, b)| a != b).map(|(a, _)| a.0).collect();
    let parameters: Vec<_> = changed.iter().filter(|n| !n.starts_with("optimizer") && !n.contains("running")).collect();
    assert_eq!(parameters, ["norm.weight", "head.weight", "head.bias"]);
    assert!(changed.iter().all(|name| !name.ends_with("conv.weight")), "no moment of it either: {changed:?}");
    for (freeze, words) in [(&["cov"][..], "the layers are conv, norm, head"), (&["*"], "nothing to train")] {
        let refused =
            Training::new(cpu(), IMAGE, network, CrossEntropy::new(), options(freeze)).err().expect("refused");
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[test]
fn batches_of_the_wrong_size_are_refused_with_the_right_size() {
    let mut training = training(TrainingOptions::adam(1e-3));
    let good = batch(0, 4);
    let mut refused = |batch: Batch, words: &str| {
        let error = training.step(&batch).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    let short = Batch { images: good.images[1..].to_vec(), ..good.clone() };
    refused(short, "575 numbers of images for 4 samples, but 576 are needed: [8×6×3] each");
    refused(good.clone().with_labels(vec![0, 1]), "2 labels for 4 samples, but 4 are needed");
    refused(
        good.clone().with_labels(vec![0, 1, 2, 3]),
        "sample 3 of the batch has the label 3, but the classes are 0 to 2",
    );
    let none: [Result<Batch, TrainingError>; 0] = [];
    assert!(matches!(training.evaluate(none), Err(TrainingError::Empty)));
    assert!(training.predict(&good.images[1..]).expect_err("no whole image").to_string().contains("575"));
    let error = training.tensor("conv.wait").expect_err("no such tensor").to_string();
    assert!(error.contains("conv.wait"), "{error}");
    let wrong = Tensor::new([5, 3, 3, 3], vec![0.0; 135]);
    let error = training.set_tensor("conv.weight", &wrong).expect_err("PyTorch's order").to_string();
    assert!(error.contains("[3×3×3×5]"), "{error}");
    let missing = training.apply(&BTreeMap::new()).expect_err("no gradients").to_string();
    assert!(missing.contains("the gradient of `conv.weight` is missing"), "{missing}");

    // An ignored sample does not count.
    let ignored = training.evaluate([Ok::<_, TrainingError>(good.clone().with_labels(vec![0, 1, 2, IGNORED]))]);
    let each: usize = IMAGE.iter().product();
    let three = Batch::labeled(good.images[..3 * each].to_vec(), vec![0, 1, 2]);
    let without = training.evaluate([Ok::<_, TrainingError>(three)]).expect("it evaluates");
    assert!((ignored.expect("it evaluates").loss() - without.loss()).abs() < 1e-6);
}

#[test]
fn a_network_of_two_outputs_has_a_loss_over_both() {
    let network = |g: &mut Graph, images: Value, mode: Mode| {
        let x = Conv2d::new(8, 3).padding(1).apply(g, "conv", images)?;
        let x = GroupNorm::new(2).apply(g, "group", x)?;
        let x = LayerNorm::new().apply(g, "layer", x)?;
        let x = Dropout::new(0.25).apply(g, "drop", x, mode)?;
        let small = MaxPool2d::new(2).apply(g, x)?;
        let large = Upsample::nearest(2).apply(g, small)?;
        let restored = Conv2d::new(3, 1).apply(g, "restore", large)?;
        let flat = ops::flatten(g, small)?;
        Ok::<_, GraphError>([Linear::new(CLASSES).apply(g, "head", flat)?, restored])
    };
    let loss = |g: &mut Graph, [logits, restored]: [Value; 2], targets: &mut Targets| {
        let labels = targets.labels(g, logits)?;
        let [class, totals] = ops::softmax_cross_entropy(g, logits, labels, None, Default::default())?;
        let [error, _] = ops::regression_loss(g, restored, targets.images(), ops::Regression::Mse)?;
        Ok::<_, GraphError>(Losses::new().term("class", 1.0, class).term("restore", 0.5, error).totals(totals))
    };
    let make = || Training::new(cpu(), IMAGE, network, loss, TrainingOptions::adam(3e-3)).expect("a training");
    let mut training = make();
    let batch = batch(0, 6);
    let losses: Vec<_> = (0..30).map(|_| training.step(&batch).expect("a step")).collect();
    let term = |i: usize, name: &str| losses[i].metric(name).expect("a term");
    for name in ["class", "restore"] {
        assert!(term(29, name) < 0.7 * term(0, name), "{name}: {} {}", term(0, name), term(29, name));
    }
    let [logits, restored] = training.predict(&batch.images).expect("it predicts");
    assert_eq!((logits.shape.0, restored.shape.0), (vec![6, CLASSES], vec![6, 8, 6, 3]));
    // Masks are a function of seed and step, so another training repeats them.
    let mut again = make();
    let repeated: Vec<_> = (0..30).map(|_| again.step(&batch).expect("a step").loss).collect();
    assert_eq!(repeated, losses.iter().map(|step| step.loss).collect::<Vec<_>>());
}

#[test]
fn all_64_bits_of_the_seed_choose_the_dropout_masks() {
    // The output is the sum of the values that the mask keeps; only the mask depends on the seed.
    let network = |g: &mut Graph, images: Value, mode: Mode| {
        let x = ops::flatten(g, images)?;
        let x = Dropout::new(0.5).apply(g, "drop", x, mode)?;
        Linear::new(1).bias(false).init(WeightInit::Constant(1.0)).apply(g, "head", x)
    };
    let batch = Batch { targets: vec![0.0], ..Batch::new(1, noise(5, IMAGE.iter().product())) };
    let loss = |seed: u64| {
        let options = TrainingOptions { seed, ..TrainingOptions::sgd(0.1) };
        let mse = Regression(ops::Regression::Mse);
        Training::new(cpu(), IMAGE, network, mse, options).expect("a training").step(&batch).expect("a step").loss
    };
    let losses = [7, 7 + (1 << 16), 7 + (1 << 32), 7 + (2 << 32), 7 + (1 << 63)].map(loss);
    assert!((0..losses.len()).all(|i| !losses[..i].contains(&losses[i])), "{losses:?}");
    assert_eq!(loss(7 + (1 << 32)), losses[2]);
}

#[test]
fn the_average_follows_the_parameters() {
    let mut training = training(TrainingOptions { average: Some(0.5), ..TrainingOptions::sgd(0.1) });
    let start = training.tensor("head.weight").expect("a weight").values;
    steps(&mut training, 0..1);
    let raw = training.tensor("head.weight").expect("a weight").values;
    let average = training.with_average(|t| t.tensor("head.weight")).expect("it swaps").expect("a weight").values;
    // The decay of the first step is 2 / 11.
    for ((start, raw), average) in start.iter().zip(&raw).zip(average) {
        let expected = start + (1.0 - 2.0 / 11.0) * (raw - start);
        assert!((average - expected).abs() < 1e-6, "{start} {raw} {average}");
    }
    assert_eq!(training.tensor("head.weight").expect("a weight").values, raw, "the parameters are back");
}

#[test]
fn steps_overlap_and_images_of_another_size_pass() {
    let conv = |g: &mut Graph, images: Value, _: Mode| {
        let x = Conv2d::new(CLASSES, 3).padding(1).apply(g, "conv", images)?;
        let x = ops::global_avg_pool(g, x)?;
        ops::flatten(g, x)
    };
    let make = || Training::new(cpu(), IMAGE, conv, CrossEntropy::new(), TrainingOptions::adam(1e-2)).expect("it fits");
    let (mut one_by_one, mut overlapped) = (make(), make());
    let pending: Vec<_> = (0..3).map(|i| overlapped.start(&batch(i, 4)).expect("it starts")).collect();
    for (i, pending) in pending.into_iter().enumerate() {
        assert_eq!(overlapped.finish(pending).expect("a step"), one_by_one.step(&batch(i as u64, 4)).expect("a step"));
    }
    overlapped.set_image_size([4, 4]);
    let small = Batch::labeled(noise(5, 2 * 4 * 4 * 3), vec![0, 1]);
    assert_eq!(overlapped.step(&small).expect("a step").number, 4);
}
