//! Runs to which a rule of a verdict does not apply, beside runs to which it does.

use shadegrad::run::{Calibration, FindingKind, Next, PartPixels, TaskCard};
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::Classify;
use shadegrad::tasks::colorize::Colorize;
use shadegrad::tasks::multilabel::MultiLabel;
use shadegrad::tasks::segment::Segment;

use crate::verdict_run::{Run, good, matrix, pixels, text, train};

/// A single class may have nine of ten pixels: a network that predicts it everywhere has learned nothing.
#[test]
fn right_pixels_are_no_learned_masks() {
    let epochs = [[1.2, 1.2, 0.9, 0.09], [1.0, 1.1, 0.91, 0.09], [0.9, 1.0, 0.92, 0.091], [0.8, 1.0, 0.92, 0.09]];
    let settings = "batch_size = 16\nschedule = \"constant\"\naugment = \"none\"\n";
    let run =
        |images| Run { task: Segment.card(), images: [images, 1000], baseline: 0.09, settings, ..Run::of(&epochs) };
    let found = text(&run(1000), FindingKind::NoBetterThanBaseline).expect("found");
    assert!(found.ends_with("which gives 0.090"), "no share of training images that are right: {found}");
    assert_eq!(run(1000).verdict().next, [Next::FindRate]);
    assert_eq!(run(240).kinds()[0], FindingKind::FewSteps, "60 steps");
}

/// With focal loss in training, validation has plain cross entropy, which is larger.
#[test]
fn losses_of_two_kinds_are_not_compared() {
    let epochs = [[0.30, 0.9, 0.5, 0.6], [0.2, 0.7, 0.7, 0.75], [0.16, 0.6, 0.8, 0.8], [0.15, 0.6, 0.83, 0.81]];
    let kinds = |task, settings| Run { task, settings, ..Run::of(&epochs) }.kinds();
    assert!(kinds(Classify.card(), "loss = \"ce\"\n").contains(&FindingKind::PartsDiffer));
    assert_eq!(kinds(Classify.card(), "loss = \"focal\"\n"), [FindingKind::Learns]);
    assert!(kinds(MultiLabel.card(), "loss = \"bce\"\n").contains(&FindingKind::Memorizes));
    assert_eq!(kinds(MultiLabel.card(), "loss = \"focal\"\n"), [FindingKind::Learns]);
}

/// 60 and 170 images: the mean of 115 is not few.
#[test]
fn the_class_with_few_images_is_named_where_the_mean_class_has_enough() {
    let run = Run { images: [230, 1000], counts: Some(vec![[60, 500], [170, 500]]), ..good() };
    let found = text(&run, FindingKind::FewImages).expect("found");
    assert!(found.contains("60 of “ants”, where a mean class has 115,"), "{found}");
    let all = Run { images: [130, 1000], counts: Some(vec![[60, 500], [70, 500]]), ..good() };
    assert!(text(&all, FindingKind::FewImages).expect("found").contains("65 per class"));
}

#[test]
fn a_training_loss_that_rises_does_not_fall() {
    let epochs = [[0.690, 0.7, 0.5, 0.5], [0.691, 0.7, 0.5, 0.5], [0.693, 0.7, 0.5, 0.5]];
    let found = text(&Run { baseline: 0.2, ..Run::of(&epochs) }, FindingKind::LearnsSlowly).expect("found");
    assert!(found.contains("the training loss rose from 0.690 to 0.693 in 3 epochs"), "{found}");
}

/// A loss near its minimum hardly falls. Scores show that the network has learned: a high precision of labels, and a
/// PSNR above that of the grey picture.
#[test]
fn a_run_that_scores_well_does_not_learn_slowly() {
    let slow = |task, score: f64, baseline| {
        let epochs = [[0.080, 0.09, 0.0, score], [0.078, 0.09, 0.0, score], [0.075, 0.09, 0.0, score]];
        Run { task, baseline, ..Run::of(&epochs) }.kinds().contains(&FindingKind::LearnsSlowly)
    };
    assert!(!slow(MultiLabel.card(), 0.96, 0.3));
    assert!(slow(MultiLabel.card(), 0.5, 0.3));
    assert!(!slow(Colorize.card(), 24.3, 22.0));
    assert!(slow(Colorize.card(), 22.0, 22.0));
}

/// One validation image has no standard error, and a guess has exactly the score of the baseline.
#[test]
fn a_guess_on_a_single_image_learns_nothing() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.6], [0.45, 0.5, 0.8, 0.6], [0.42, 0.5, 0.83, 0.6]];
    let run = Run { task: Segment.card(), images: [1000, 1], sigma: 0.0, baseline: 0.6, ..Run::of(&epochs) };
    let found = text(&run, FindingKind::NoBetterThanBaseline).expect("found");
    assert_eq!(found, "no better than a guess: mean IoU 0.600 is not above always “ants”, which gives 0.600");
    assert!(run.verdict().headline.contains("on 1 validation image, after"), "{}", run.verdict().headline);
}

/// A resumed run that the early stop has ended is refused without another early stop.
#[test]
fn a_run_that_the_early_stop_has_ended_starts_again_without_it() {
    let epochs = [[0.9, 0.9, 0.4, 0.64], [0.65, 1.0, 0.6, 0.6]];
    let settings = "batch_size = 16\nschedule = \"constant\"\naugment = \"none\"\nearly_stop = 1\n";
    let run = Run { images: [240, 1000], settings, ..Run::of(&epochs) };
    assert_eq!(run.kinds()[0], FindingKind::FewSteps);
    assert_eq!(run.verdict().next[0], train(&[("epochs", "7"), ("early_stop", "0")]));
    let later = Run { settings: "batch_size = 16\nschedule = \"constant\"\nearly_stop = 2\n", ..run };
    assert_eq!(later.verdict().next[0], Next::Continue { epochs: 7 });
}

#[test]
fn a_single_epoch_shows_no_fall_of_the_loss() {
    let settings = "optimizer = \"adam\"\nlr = 0.02\n";
    let run = Run { settings, ..Run::of(&[[0.6, 0.5, 0.7, 0.8]]) };
    assert_eq!(text(&run, FindingKind::RateTooHigh), None);
}

#[test]
fn a_score_that_is_no_number_has_no_verdict() {
    assert_eq!(Run::of(&[[1.0, 0.9, 0.5, f64::NAN]]).judged(), None);
}

/// Darker validation images differ whatever BatchNorm's running statistics are.
#[test]
fn other_pixels_are_named_after_a_few_steps_too() {
    let epochs = [[0.9, 0.9, 0.4, 0.45], [0.8, 0.85, 0.5, 0.55], [0.7, 0.8, 0.55, 0.6], [0.65, 0.8, 0.6, 0.64]];
    let dark = PartPixels { training: pixels(0.5, 0.2), validation: pixels(0.2, 0.2) };
    let settings = "batch_size = 24\n";
    let run = Run { images: [240, 1000], settings, pixels: Some(dark), ..Run::of(&epochs) };
    assert_eq!(run.kinds()[..2], [FindingKind::FewSteps, FindingKind::PartsDiffer]);
}

/// Dice loss takes no class weights: the command would be refused.
#[test]
fn dice_loss_gets_no_class_weights() {
    let of = |settings| {
        let confusion = matrix([[900, 0], [45, 5]]);
        Run { task: Segment.card(), confusion, settings, ..good() }.verdict()
    };
    let weights = train(&[("class_weights", "median")]);
    for (settings, weighted) in [("loss = \"ce\"\n", true), ("loss = \"dice\"\n", false)] {
        let verdict = of(settings);
        assert!(verdict.findings.iter().any(|one| one.kind == FindingKind::UnequalClasses), "{verdict:?}");
        assert_eq!(verdict.next.contains(&weights), weighted, "{verdict:?}");
    }
}

/// Four epochs of 15 batches and 4 steps: running statistics move with each batch, 0.9^60 = 0.002.
#[test]
fn running_statistics_settle_with_batches() {
    let epochs = [[0.9, 0.9, 0.4, 0.45], [0.8, 0.85, 0.5, 0.55], [0.7, 0.8, 0.55, 0.6], [0.65, 0.8, 0.6, 0.64]];
    let settings = "batch_size = 16\naccumulate = 4\nschedule = \"constant\"\naugment = \"none\"\n";
    let run = Run { images: [240, 1000], settings, ..Run::of(&epochs) };
    let found = text(&run, FindingKind::FewSteps).expect("found");
    assert!(found.starts_with("few steps: 16 in 4 epochs;") && !found.contains("running statistics"), "{found}");
}

#[test]
fn pixels_learned_by_heart_are_named_as_pixels() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.5, 0.6, 0.7, 0.7], [0.46, 0.6, 0.95, 0.7]];
    let task = TaskCard { panels: Classify.card().panels, ..Segment.card() };
    let of = |task| {
        let decisive = Classify.card().scores;
        text(&Run { task: TaskCard { scores: decisive, ..task }, ..Run::of(&epochs) }, FindingKind::Memorizes)
    };
    let found = of(task).expect("found");
    assert!(
        found.ends_with("95.0 % of their pixels are right, and 70.0 % of the pixels of the validation set"),
        "{found}"
    );
    let found = of(Classify.card()).expect("found");
    assert!(found.ends_with("95.0 % of them are right, and 70.0 % of the validation set"), "{found}");
}

/// Six steps, after which 53 % of running statistics would be initial values: a network without BatchNorm has none, and validates as it
/// trains.
#[test]
fn a_network_without_batch_norm_has_no_running_statistics_to_settle() {
    let epochs = [[0.6, 0.7, 0.7, 0.5], [0.1, 0.9, 0.99, 0.5]];
    let settings = "batch_size = 16\nschedule = \"constant\"\naugment = \"none\"\n";
    let run = Run { images: [48, 1000], settings, ..Run::of(&epochs) };
    let found = text(&run, FindingKind::FewSteps).expect("found");
    assert!(found.contains("BatchNorm's running statistics"), "{found}");
    let without = Run { batch_norm: false, ..run };
    assert_eq!(text(&without, FindingKind::FewSteps), None, "the training images are learned");
    let slow = Run { epochs: vec![[0.69, 0.7, 0.5, 0.5], [0.68, 0.7, 0.52, 0.5]], ..without };
    let found = text(&slow, FindingKind::FewSteps).expect("found");
    assert!(found.starts_with("few steps: 6 in 2 epochs;") && !found.contains("BatchNorm"), "{found}");
}

/// A rate that lets a training diverge may be hundreds of times too high: a tenth of it would diverge again.
#[test]
fn a_rate_far_above_the_usual_ones_is_lowered_to_a_usual_one() {
    let next = |settings| Run { diverged: true, settings, ..good() }.verdict().next[0].clone();
    for (settings, lr) in [
        ("optimizer = \"sgd\"\nlr = 30.0\n", "0.1"),
        ("optimizer = \"sgd\"\nlr = 0.5\n", "0.05"),
        ("optimizer = \"adam\"\nlr = 1.0\n", "1.0e-3"),
        ("optimizer = \"adam\"\nlr = 0.003\n", "3.0e-4"),
    ] {
        assert_eq!(next(settings), train(&[("lr", lr)]), "{settings}");
    }
}

/// More augmentation makes training images harder. A network that does not fit them yet has no use for it.
#[test]
fn few_images_get_augmentation_where_the_network_fits_them() {
    let settings = "model = \"cnn\"\naugment = \"light\"\n";
    let strong = train(&[("augment", "strong")]);
    let fits = Run { images: [150, 1000], settings, ..good() };
    assert!(fits.verdict().next.contains(&strong), "{:?}", fits.verdict());
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.8, 0.8, 0.6, 0.65], [0.7, 0.7, 0.65, 0.66], [0.68, 0.7, 0.66, 0.66]];
    let open = Run { epochs: epochs.to_vec(), ..fits };
    assert!(open.kinds().contains(&FindingKind::FewImages), "{:?}", open.verdict());
    assert!(!open.verdict().next.contains(&strong), "{:?}", open.verdict());
}

/// Twelve epochs, and the first is the best by chance: its low confidence asks for no more epochs.
#[test]
fn the_confidence_of_an_early_best_epoch_asks_for_no_more_epochs() {
    let predictions = (0..500).map(|index| (0.749, index < 445));
    let late = Run { images: [5000, 500], calibration: Calibration::of(predictions), ..good() };
    assert_eq!(late.verdict().next, [Next::Continue { epochs: 8 }]);
    let epochs = [[1.0, 0.9, 0.5, 0.81], [0.6, 0.6, 0.7, 0.8], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.8]];
    let early = Run { epochs: epochs.to_vec(), ..late };
    assert!(early.kinds().contains(&FindingKind::Underconfident), "{:?}", early.verdict());
    assert_eq!(early.verdict().next, [Next::Predict]);
}

/// A network that predicts one class everywhere has exactly the score of that guess.
#[test]
fn a_score_that_reads_as_the_guess_is_named_as_the_guess() {
    let epochs = [[0.3, 0.3, 0.996, 0.498], [0.2, 0.2, 0.996, 0.498], [0.12, 0.12, 0.996, 0.498]];
    let run = |baseline| Run { task: Segment.card(), sigma: 0.0001, baseline, ..Run::of(&epochs) };
    let found = text(&run(0.498), FindingKind::NoBetterThanBaseline).expect("found");
    assert_eq!(found, "no better than a guess: mean IoU 0.498 is that of always “ants”");
    let near = Run { sigma: 0.02, ..run(0.48) };
    let found = text(&near, FindingKind::NoBetterThanBaseline).expect("found");
    assert!(
        found.ends_with("is less than two standard errors (0.040) above always “ants”, which gives 0.480"),
        "{found}"
    );
}
