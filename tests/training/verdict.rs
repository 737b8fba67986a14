//! The rules of a verdict: for each, a run that shows it and one that does not.

use shadegrad::run::{Calibration, FindingKind, Next, PartPixels, Pixels};
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::Classify;
use shadegrad::tasks::multilabel::MultiLabel;
use shadegrad::tasks::segment::Segment;
use shadegrad::train::settings::Setting;

use crate::verdict_run::{Run, good, matrix, pixels, text, train};

#[test]
fn a_good_run_learns_and_leads_to_predictions() {
    let verdict = good().verdict();
    assert_eq!(
        verdict.headline,
        "accuracy 81.0 % ± 1.0 on 1000 validation images, after epoch 4 of 4; always “ants” gives 50.0 %"
    );
    assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    assert_eq!(verdict.findings[0].kind, FindingKind::Learns);
    assert_eq!(verdict.next, [Next::Predict]);
}

/// 244 photographs of ants and bees from scratch, as a first run of a new user gives them.
#[test]
fn a_small_set_learned_by_heart_is_named_with_its_numbers() {
    let epochs = [
        [0.70, 0.72, 0.55, 0.54],
        [0.60, 0.69, 0.66, 0.60],
        [0.45, 0.66, 0.78, 0.647],
        [0.30, 0.72, 0.88, 0.63],
        [0.15, 0.85, 0.95, 0.62],
        [0.10, 0.95, 0.975, 0.62],
    ];
    let run = Run { images: [122, 153], sigma: 0.0386, baseline: 0.542, ..Run::of(&epochs) };
    let verdict = run.verdict();
    assert_eq!(
        run.kinds(),
        [FindingKind::Overfits, FindingKind::Memorizes, FindingKind::FewImages, FindingKind::FewValidationImages]
    );
    let texts: Vec<&str> = verdict.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts[0].starts_with("overfits from epoch 3") && texts[0].contains("0.660 to 0.950"), "{texts:?}");
    assert!(texts[1].contains("96.2 %") && texts[1].contains("62.0 %"), "{texts:?}");
    assert!(texts[2].contains("61 per class"), "{texts:?}");
    assert!(texts[3].contains("3.9 points"), "{texts:?}");
    assert_eq!(verdict.next[0], train(&[("pretrained", "true"), ("finetune", "true")]), "helps most with few images");
    assert_eq!(verdict.next[1], train(&[("augment", "light")]));
    assert_eq!(verdict.next[2], train(&[("weight_decay", "1e-4"), ("early_stop", "3")]));
    let many = Run { images: [1000, 153], ..run };
    assert_eq!(many.verdict().next[0], train(&[("augment", "light")]));
}

/// PSNR differs more between photographs than between models: the gain over the grey picture is counted image by image.
#[test]
fn a_gain_on_each_image_is_better_than_a_guess() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.75], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.81]];
    let run = |gain_sigma| Run { sigma: 0.05, baseline: 0.75, gain_sigma, ..Run::of(&epochs) };
    assert_eq!(run(None).kinds()[0], FindingKind::NoBetterThanBaseline);
    assert!(!run(Some(0.01)).kinds().contains(&FindingKind::NoBetterThanBaseline));
    assert_eq!(run(Some(0.04)).kinds()[0], FindingKind::NoBetterThanBaseline);
}

/// A run that still improves gets more epochs before its rate or its data are doubted.
#[test]
fn a_guess_that_still_improves_goes_on() {
    let epochs =
        [[0.70, 0.70, 0.50, 0.50], [0.66, 0.67, 0.50, 0.50], [0.62, 0.63, 0.51, 0.505], [0.57, 0.58, 0.52, 0.51]];
    let run = Run::of(&epochs);
    assert_eq!(run.kinds()[..2], [FindingKind::NoBetterThanBaseline, FindingKind::NotConverged]);
    assert_eq!(run.verdict().next[..2], [Next::Continue { epochs: 8 }, Next::FindRate]);
    let flat =
        [[0.70, 0.70, 0.50, 0.50], [0.66, 0.69, 0.50, 0.505], [0.63, 0.69, 0.51, 0.50], [0.62, 0.69, 0.52, 0.50]];
    assert_eq!(Run::of(&flat).verdict().next[0], Next::FindRate);
}

/// The kind that a run shows, and that the good run does not.
#[test]
fn each_rule_finds_its_run_and_no_other() {
    let shown = [
        (FindingKind::Diverged, Run { diverged: true, ..good() }),
        (FindingKind::NoBetterThanBaseline, Run { baseline: 0.8, ..good() }),
        (FindingKind::Memorizes, Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.5, 0.6, 0.7, 0.7], [0.46, 0.6, 0.95, 0.7]])),
        (
            FindingKind::RateTooHigh,
            Run::of(&[[1.0, 0.9, 0.5, 0.6], [1.2, 1.0, 0.5, 0.6], [0.9, 0.9, 0.6, 0.65], [1.1, 0.95, 0.6, 0.64]]),
        ),
        (FindingKind::LearnsSlowly, Run::of(&[[1.0, 1.0, 0.5, 0.6], [0.98, 0.99, 0.5, 0.6], [0.97, 0.99, 0.5, 0.61]])),
        (
            FindingKind::NotConverged,
            Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.8, 0.8, 0.6, 0.65], [0.6, 0.65, 0.7, 0.7], [0.5, 0.55, 0.75, 0.75]]),
        ),
        (
            FindingKind::PartsDiffer,
            Run::of(&[[1.0, 2.4, 0.5, 0.55], [0.8, 2.0, 0.6, 0.6], [0.7, 2.0, 0.65, 0.62], [0.68, 2.0, 0.66, 0.62]]),
        ),
        (FindingKind::FewImages, Run { images: [150, 1000], ..good() }),
        (FindingKind::FewValidationImages, Run { sigma: 0.03, ..good() }),
    ];
    for (kind, run) in &shown {
        assert!(run.kinds().contains(kind), "{kind:?}: {:?}", run.verdict());
        assert!(!good().kinds().contains(kind), "{kind:?}");
        assert!(run.verdict().next.len() <= 3);
    }
}

#[test]
fn the_pair_with_most_errors_is_named() {
    let text = |counts| {
        let found = Run { confusion: matrix(counts), ..good() }.verdict().findings;
        found.into_iter().find(|finding| finding.kind == FindingKind::Confuses).map(|finding| finding.text)
    };
    assert_eq!(
        text([[38, 12], [6, 44]]).expect("found"),
        "most errors: 24.0 % of the images of “ants” are taken for “bees”"
    );
    assert_eq!(
        text([[95, 5], [20, 80]]).expect("found"),
        "most errors: 20.0 % of the images of “bees” are taken for “ants”"
    );
    assert_eq!(text([[95, 5], [5, 95]]), None, "a twentieth");
    assert_eq!(text([[8, 2], [2, 8]]), None, "two images prove nothing");
}

#[test]
fn probabilities_above_the_accuracy_are_found() {
    let predictions = |confidence: f64, right: usize| (0..100).map(move |index| (confidence, index < right));
    let run = |confidence, right| Run { calibration: Calibration::of(predictions(confidence, right)), ..good() };
    let sure = run(0.97, 81).verdict();
    let text =
        "overconfident: the mean confidence is 97.0 % at an accuracy of 81.0 %, so that probabilities are too high";
    assert!(sure.findings.iter().any(|finding| finding.text == text), "{sure:?}");
    assert!(sure.findings[0].kind == FindingKind::Learns, "{sure:?}");
    for fine in [run(0.83, 81), run(0.6, 81)] {
        assert!(!fine.kinds().contains(&FindingKind::Overconfident), "{:?}", fine.verdict());
    }
}

/// One epoch with a higher training loss may be chance.
#[test]
fn a_single_rise_says_nothing_about_the_rate() {
    let run = Run::of(&[[1.0, 0.9, 0.5, 0.6], [1.2, 1.0, 0.5, 0.6], [0.9, 0.9, 0.6, 0.65], [0.8, 0.95, 0.6, 0.64]]);
    assert!(!run.kinds().contains(&FindingKind::RateTooHigh), "{:?}", run.verdict());
}

#[test]
fn rare_classes_are_found_by_their_scores() {
    let run = Run { task: Segment.card(), confusion: matrix([[900, 10], [80, 10]]), ..good() };
    assert!(run.kinds().contains(&FindingKind::UnequalClasses), "{:?}", run.verdict());
    assert!(run.verdict().next.contains(&train(&[("class_weights", "median")])));
    for fine in [matrix([[900, 10], [10, 80]]), matrix([[450, 50], [450, 50]])] {
        let run = Run { task: Segment.card(), confusion: fine, ..good() };
        assert!(!run.kinds().contains(&FindingKind::UnequalClasses), "{:?}", run.verdict());
    }
}

#[test]
fn a_run_that_still_improves_goes_on_where_its_schedule_allows() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.8, 0.8, 0.6, 0.65], [0.6, 0.65, 0.7, 0.7], [0.5, 0.55, 0.75, 0.75]];
    assert_eq!(Run::of(&epochs).verdict().next, [Next::Continue { epochs: 8 }]);
    let cosine = Run { settings: "schedule = \"cosine\"\n", ..Run::of(&epochs) };
    assert_eq!(cosine.verdict().next, [train(&[("epochs", "8")])]);
}

/// A step names settings that its task has.
#[test]
fn steps_change_settings_that_exist() {
    let of = |task: &dyn Task| task.settings().iter().map(|setting: &Setting| setting.key).collect::<Vec<_>>();
    for key in ["augment", "pretrained", "finetune", "weight_decay", "early_stop", "epochs", "lr"] {
        assert!(of(&Classify).contains(&key) && of(&Segment).contains(&key), "{key}");
    }
    assert!(of(&Segment).contains(&"class_weights") && of(&Classify).contains(&"sampler"));
}

/// A guess among two classes has a loss of ln 2 = 0.69.
#[test]
fn a_first_loss_far_above_a_guess_is_a_high_rate() {
    let run = |first| {
        Run::of(&[[first, 1.5, 0.5, 0.6], [0.6, 0.6, 0.7, 0.75], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.81]])
    };
    let found = text(&run(4.51), FindingKind::RateTooHigh).expect("found");
    assert!(found.contains("4.51") && found.contains("0.69"), "{found}");
    assert_eq!(run(4.51).verdict().next[0], train(&[("lr", "3.3e-4")]));
    assert_eq!(text(&run(1.0), FindingKind::RateTooHigh), None);
    let mut task = Classify.card();
    task.roles.class_weights = Segment.card().roles.class_weights;
    let weighted = Run { task, settings: "class_weights = \"median\"\n", ..run(4.51) };
    assert_eq!(text(&weighted, FindingKind::RateTooHigh), None, "weights change the loss of a guess");
}

/// Ten classes and Adam at 0.1: the loss falls, and ends far above that of a usual rate.
#[test]
fn a_rate_above_the_usual_ones_is_lowered() {
    let epochs = [[2.78, 2.33, 0.1, 0.11], [2.24, 2.1, 0.16, 0.15], [1.9, 1.81, 0.3, 0.3], [1.68, 1.72, 0.38, 0.36]];
    let run = |settings| Run { baseline: 0.1, settings, ..Run::of(&epochs) };
    let found = text(&run("optimizer = \"adam\"\nlr = 0.1\nloss = \"focal\"\n"), FindingKind::RateTooHigh);
    assert!(found.expect("found").ends_with("too high: 0.1 is above the usual rates of Adam, 0.0001 to 0.003"));
    let verdict = run("optimizer = \"adam\"\nlr = 0.1\nloss = \"focal\"\n").verdict();
    assert_eq!(verdict.next[0], train(&[("lr", "1e-3")]));
    for usual in
        ["optimizer = \"adam\"\nlr = 0.01\nloss = \"focal\"\n", "optimizer = \"sgd\"\nlr = 0.1\nloss = \"focal\"\n"]
    {
        assert_eq!(text(&run(usual), FindingKind::RateTooHigh), None);
    }
    let learned = Run { settings: "optimizer = \"adam\"\nlr = 0.1\n", ..good() };
    assert_eq!(text(&learned, FindingKind::RateTooHigh), None, "the loss fell by more than half");
}

/// Two epochs of 15 steps, and a loss that still falls by a quarter.
#[test]
fn a_training_of_few_steps_goes_on_to_a_hundred() {
    let epochs = [[0.9, 0.9, 0.4, 0.45], [0.65, 1.0, 0.6, 0.64]];
    let settings = "batch_size = 16\nschedule = \"constant\"\naugment = \"none\"\n";
    let run = Run { images: [240, 1000], settings, ..Run::of(&epochs) };
    assert_eq!(run.kinds(), [FindingKind::FewSteps]);
    assert_eq!(run.verdict().next, [Next::Continue { epochs: 7 }], "105 steps");
    let learned = [[0.6, 0.7, 0.7, 0.5], [0.1, 0.9, 0.99, 0.5]];
    let three = Run { images: [48, 1000], ..Run { settings, ..Run::of(&learned) } };
    assert_eq!(three.kinds()[..2], [FindingKind::FewSteps, FindingKind::NoBetterThanBaseline], "{:?}", three.verdict());
    let found = text(&three, FindingKind::FewSteps).expect("found");
    assert!(found.contains("of which 53 % are still initial values"), "0.9^6 = 0.531: {found}");
    assert!(!three.kinds().contains(&FindingKind::Memorizes), "the validation tells nothing yet");
    assert_eq!(three.verdict().next[0], Next::Continue { epochs: 34 });
    let trained = Run { settings: "batch_size = 16\ninit = \"run\"\nschedule = \"constant\"\n", ..run };
    assert_eq!(trained.kinds(), [FindingKind::NotConverged], "below four epochs the training loss decides");
    let many = Run { settings: "batch_size = 2\nschedule = \"constant\"\n", ..trained };
    assert_eq!(many.kinds(), [FindingKind::NotConverged]);
}

#[test]
fn a_rate_far_below_the_usual_ones_is_raised() {
    let epochs = [[0.7, 0.7, 0.4, 0.52], [0.698, 0.7, 0.4, 0.53], [0.695, 0.7, 0.4, 0.53]];
    let run = Run { settings: "optimizer = \"adam\"\nlr = 1e-6\n", baseline: 0.2, ..Run::of(&epochs) };
    let found = text(&run, FindingKind::LearnsSlowly).expect("found");
    assert!(found.contains("0.000001 is low for Adam"), "{found}");
    assert_eq!(run.verdict().next[..2], [train(&[("lr", "1e-3")]), Next::FindRate]);
    let usual = Run { settings: "optimizer = \"adam\"\nlr = 1e-4\n", ..run };
    assert!(!text(&usual, FindingKind::LearnsSlowly).expect("found").contains("is low for"));
}

/// Random labels: the network learns the training images, and guesses the others.
#[test]
fn labels_that_do_not_follow_from_the_images_are_named() {
    let epochs = [[0.7, 0.7, 0.5, 0.5], [0.6, 0.9, 0.7, 0.48], [0.4, 1.2, 0.8, 0.5], [0.3, 1.5, 0.85, 0.47]];
    let run = Run { confusion: matrix([[5, 45], [43, 7]]), settings: "data = \"photos\"\n", ..Run::of(&epochs) };
    assert_eq!(run.kinds(), [FindingKind::NoBetterThanBaseline], "neither its errors nor its confidence mean anything");
    let found = &run.verdict().findings[0].text;
    assert!(found.contains("85.0 % of the training images are right, so that the labels do not follow"), "{found}");
    assert_eq!(run.verdict().next, [Next::CheckData], "the rate is right: the training images are learned");
}

/// 152 images of one class and 8 of the other: a constant prediction of the first is right for 95 % of 40 images.
#[test]
fn a_rare_class_without_score_leads_to_balanced_draws() {
    let epochs = [[0.3, 0.3, 0.95, 0.95], [0.2, 0.25, 0.95, 0.95], [0.15, 0.2, 0.96, 0.95], [0.14, 0.2, 0.96, 0.95]];
    let run = Run {
        images: [160, 40],
        sigma: 0.034,
        baseline: 0.95,
        confusion: matrix([[38, 0], [2, 0]]),
        counts: Some(vec![[152, 38], [8, 2]]),
        ..Run::of(&epochs)
    };
    assert!(text(&run, FindingKind::UnequalClasses).expect("found").contains("5.0 % of the images, 2 in all,"));
    assert!(text(&run, FindingKind::FewImages).expect("found").contains("8 of “bees”, where a mean class has 80,"));
    assert!(run.verdict().next.contains(&train(&[("sampler", "balanced")])), "{:?}", run.verdict());
    assert!(!run.verdict().next.contains(&Next::FindRate), "{:?}", run.verdict());
}

#[test]
fn darker_validation_images_are_named_and_explain_the_rest() {
    let training = pixels(0.5, 0.2);
    assert!((training.brightness[1] - 0.081_65).abs() < 1e-4, "numpy.std([-0.1, 0, 0.1]) = 0.08165");
    let shift = |validation| PartPixels { training, validation }.shift();
    assert_eq!(
        shift(pixels(0.2, 0.2)).as_deref(),
        Some("are darker, by 3.7 standard deviations of the training images")
    );
    assert_eq!(
        shift(pixels(0.5, 0.1)).as_deref(),
        Some("have less contrast, by 5.0 standard deviations of the training images")
    );
    assert_eq!(shift(pixels(0.55, 0.2)), None, "0.6 standard deviations");
    let few = Pixels { images: 10, ..pixels(0.4, 0.2) };
    assert_eq!(shift(few), None, "1.2 standard deviations, and four standard errors of 10 images are 1.4");
    let epochs = [[0.91, 1.27, 0.6, 0.5], [0.5, 1.3, 0.8, 0.48], [0.3, 1.4, 0.9, 0.5], [0.2, 1.5, 0.95, 0.47]];
    let dark = Some(PartPixels { training, validation: pixels(0.2, 0.2) });
    let run = Run { settings: "data = \"photos\"\n", pixels: dark, ..Run::of(&epochs) };
    assert_eq!(run.kinds(), [FindingKind::NoBetterThanBaseline, FindingKind::PartsDiffer]);
    assert_eq!(run.verdict().next, [Next::CheckData]);
}

/// Multi-label classification and colorization have no score of training images, so their losses are compared.
#[test]
fn images_that_fit_alone_are_found_by_their_loss() {
    let epochs = [[0.64, 0.62, 0.0, 0.27], [0.4, 0.59, 0.0, 0.34], [0.26, 0.59, 0.0, 0.35], [0.16, 0.597, 0.0, 0.36]];
    let settings = "batch_size = 16\nschedule = \"cosine\"\naugment = \"none\"\n";
    let run =
        |epochs| Run { task: MultiLabel.card(), images: [240, 1000], baseline: 0.25, settings, ..Run::of(epochs) };
    let found = text(&run(&epochs), FindingKind::Memorizes).expect("found");
    assert!(found.contains("in epoch 4 their loss is 0.160, and 0.597 on the validation set"), "{found}");
    assert_eq!(text(&run(&epochs), FindingKind::FewSteps), None, "60 steps were enough to learn them");
    assert!(run(&epochs).verdict().next.contains(&train(&[("augment", "light")])), "{:?}", run(&epochs).verdict());
    let even = [[0.64, 0.62, 0.0, 0.27], [0.4, 0.5, 0.0, 0.34], [0.35, 0.5, 0.0, 0.35], [0.33, 0.5, 0.0, 0.36]];
    assert_eq!(run(&even).kinds()[0], FindingKind::FewSteps);
}

/// A calibrated model of 50 images has an expected calibration error of more than 5 points by chance.
#[test]
fn confidence_within_two_standard_errors_is_no_finding() {
    let predictions = (0..50).map(|index| (0.42, index < 18));
    let run = Run { images: [1000, 50], baseline: 0.1, calibration: Calibration::of(predictions), ..good() };
    assert!(!run.kinds().contains(&FindingKind::Overconfident), "{:?}", run.verdict());
}

/// A gap of 18 points, whatever a single epoch adds to it: the mean over the last quarter counts.
#[test]
fn a_gap_between_training_and_validation_is_named_without_a_cliff() {
    let run = |last| Run {
        sigma: 0.02,
        ..Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.7], [0.5, 0.55, 0.85, 0.72], [0.45, 0.52, last, 0.72]])
    };
    for (last, found) in [(0.895, "training images score far better"), (0.93, "knows its training images by heart")] {
        assert!(text(&run(last), FindingKind::Memorizes).expect("found").starts_with(found));
    }
    assert_eq!(text(&run(0.8), FindingKind::Memorizes), None, "8 points");
}

#[test]
fn probabilities_below_the_accuracy_are_found() {
    let predictions = (0..500).map(|index| (0.749, index < 445));
    let run = Run { images: [5000, 500], calibration: Calibration::of(predictions), ..good() };
    let found = text(&run, FindingKind::Underconfident).expect("found");
    assert!(found.ends_with("74.9 % at an accuracy of 89.0 %, so that probabilities are too low"), "{found}");
    assert_eq!(run.kinds()[0], FindingKind::Learns);
    assert_eq!(run.verdict().next, [Next::Continue { epochs: 8 }], "it has not learned its images yet");
    let smoothed = Run { settings: "label_smoothing = 0.1\n", ..run };
    let found = text(&smoothed, FindingKind::Underconfident).expect("found");
    assert!(found.ends_with("`label_smoothing` lowers probabilities"), "{found}");
    assert_eq!(smoothed.verdict().next, [Next::Predict]);
}

/// Twelve validation images and twelve epochs: one of them is right about eleven images.
#[test]
fn the_best_of_many_noisy_epochs_is_partly_chance() {
    let noisy = [0.58, 0.5, 0.58, 0.917, 0.75, 0.58, 0.58, 0.58, 0.5, 0.58, 0.58, 0.58];
    let epochs = |scores: &[f64]| -> Vec<[f64; 4]> { scores.iter().map(|&score| [0.6, 0.65, 0.7, score]).collect() };
    let run = Run { images: [48, 12], sigma: 0.09, ..Run::of(&epochs(&noisy)) };
    let texts: Vec<String> = run.verdict().findings.into_iter().map(|finding| finding.text).collect();
    let expected =
        "91.7 % is the best of 12 epochs on 12 validation images, and the mean of the 3 epochs after it is 63.7 %";
    assert!(texts.iter().any(|text| text.contains(expected)), "{texts:?}");
    // A fall within the noise, a best epoch at the end, and a single epoch after it prove nothing.
    let calm = [0.58, 0.6, 0.58, 0.75, 0.7, 0.68, 0.66, 0.7, 0.66, 0.7, 0.68, 0.7];
    let rising = [0.5, 0.52, 0.58, 0.6, 0.62, 0.66, 0.68, 0.7, 0.74, 0.8, 0.92, 0.6];
    for scores in [calm, rising] {
        let run = Run { images: [48, 12], sigma: 0.09, ..Run::of(&epochs(&scores)) };
        assert!(!run.kinds().contains(&FindingKind::BestByChance), "{scores:?}");
    }
    assert!(!good().kinds().contains(&FindingKind::BestByChance));
}

/// The lowest validation loss is that of a guess in epoch 1; the score rises until epoch 4.
#[test]
fn a_network_that_learns_on_does_not_overfit_from_its_first_epoch() {
    let epochs = |later: f64| {
        [
            [0.70, 0.706, 0.50, 0.508],
            [0.40, 0.8, 0.8, 0.58],
            [0.20, 0.9, 0.9, 0.62],
            [0.10, 1.1, 1.0, later],
            [0.05, 1.125, 1.0, 0.62],
        ]
    };
    let kinds = |later: f64| Run { images: [120, 120], sigma: 0.042, ..Run::of(&epochs(later)) }.kinds();
    assert!(!kinds(0.683).contains(&FindingKind::Overfits), "the score rose by four standard errors");
    assert!(
        Run { sigma: 0.1, baseline: 0.3, ..Run::of(&epochs(0.65)) }.kinds().contains(&FindingKind::Overfits),
        "by one and a half"
    );
}
