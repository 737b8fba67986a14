//! The rules of a dry run: for each, a training that gives reason for a doubt and one that does not.

use shadegrad::run::{DoubtKind, Next, Prospect, TaskCard};
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::Classify;
use shadegrad::tasks::segment::Segment;

/// A planned training.
#[derive(Clone)]
struct Plan {
    task: TaskCard,
    settings: String,
    counts: Option<Vec<[usize; 2]>>,
    /// Shares of the classes among the pixels.
    shares: Option<Vec<f64>>,
    /// Training and validation images.
    images: [usize; 2],
    steps: usize,
    batch_norm: bool,
    /// Height and width that the network sees, and those of the pictures.
    sizes: [[usize; 2]; 2],
}

const SETTINGS: &str = "data = \"photos\"\nmodel = \"resnet18\"\noptimizer = \"adam\"\nlr = 0.001\nbatch_size = 32\nepochs = 5\n\
                        normalize = \"dataset\"\naugment = \"none\"\n";

impl Plan {
    /// A classification of two classes without reason for doubt.
    fn good() -> Self {
        Plan {
            task: Classify.card(),
            settings: SETTINGS.into(),
            counts: Some(vec![[1000, 500], [900, 500]]),
            shares: None,
            images: [1900, 1000],
            steps: 300,
            batch_norm: true,
            sizes: [[96, 128], [180, 240]],
        }
    }

    /// Replaces or adds a line of settings.
    fn with(self, line: &str) -> Self {
        let key = line.split(' ').next().expect("a key");
        let kept = self.settings.lines().filter(|kept| !kept.starts_with(key));
        let settings = kept.chain([line]).map(|line| format!("{line}\n")).collect();
        Plan { settings, ..self }
    }

    fn found(&self) -> (Vec<DoubtKind>, Vec<String>, Vec<Next>) {
        let outputs = ["ants", "bees"].map(String::from);
        let settings = toml::from_str(&self.settings).expect("TOML");
        let prospect = Prospect {
            task: &self.task,
            outputs: &outputs,
            settings: &settings,
            training_images: self.images[0],
            validation_images: self.images[1],
            class_counts: self.counts.as_deref(),
            class_pixels: self.shares.as_deref(),
            pixels: None,
            steps: self.steps,
            batch_norm: self.batch_norm,
            image_size: self.sizes[0],
            picture: Some(self.sizes[1]),
        };
        let doubts = prospect.doubts();
        let next = prospect.next(&doubts);
        (doubts.iter().map(|doubt| doubt.kind).collect(), doubts.into_iter().map(|doubt| doubt.text).collect(), next)
    }
}

/// Crops take as long as the whole pictures, and see thin objects.
#[test]
fn pictures_with_masks_that_lose_most_pixels_are_named_with_crops() {
    let seen = |size, settings: &str| {
        let plan =
            Plan { task: Segment.card(), sizes: [size, [1080, 1920]], counts: None, ..Plan::good().with(settings) };
        plan.found()
    };
    let (kinds, texts, next) = seen([160, 288], "model = \"unet\"");
    assert_eq!(kinds, [DoubtKind::FewPixels]);
    assert_eq!(
        texts,
        [
            "few pixels: pictures such as 1080x1920 become 160x288, 2.2 % of their pixels: thin and small objects are lost"
        ]
    );
    assert_eq!(next, [set(&[("crop", "160x288"), ("image_size", "")])]);
    assert_eq!(seen([384, 680], "model = \"unet\"").0, [], "12.6 % of the pixels");
}

/// A trained encoder helps masks most; the settings of the UNet's own encoder go.
#[test]
fn few_pictures_with_masks_get_a_trained_encoder() {
    let few = Plan { task: Segment.card(), counts: None, images: [40, 1000], ..Plan::good().with("model = \"unet\"") };
    let encoder = [("encoder", "resnet18"), ("pretrained", "true"), ("finetune", "true"), ("base", ""), ("depth", "")];
    assert_eq!(few.found().2, [set(&encoder)]);
    assert!(few.with("encoder = \"resnet34\"").found().2 == [set(&encoder[1..3])]);
}

fn set(settings: &[(&str, &str)]) -> Next {
    Next::Train(settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}

#[test]
fn a_training_without_reason_has_no_doubt() {
    assert_eq!(Plan::good().found(), (vec![], vec![], vec![]));
}

#[test]
fn each_rule_finds_its_training_and_names_the_numbers() {
    let good = Plan::good();
    let few = |images| Plan { images: [images, 1000], counts: None, ..good.clone() };
    let counts = |counts: [[usize; 2]; 2]| Plan { counts: Some(counts.to_vec()), ..good.clone() };
    let cases = [
        (DoubtKind::MissingClass, counts([[1000, 500], [900, 0]]), "“bees”", Some(Next::CheckData)),
        (DoubtKind::LargeBatch, few(20), "the 20 training images", Some(set(&[("batch_size", "4")]))),
        (DoubtKind::SmallBatch, good.clone().with("batch_size = 2"), "2 image", Some(set(&[("batch_size", "8")]))),
        (DoubtKind::UnusualRate, good.clone().with("lr = 0.1"), "high for Adam", Some(Next::FindRate)),
        (DoubtKind::UnusualRate, good.clone().with("optimizer = \"sgd\""), "low for SGD", Some(Next::FindRate)),
        (
            DoubtKind::RateForRandomWeights,
            good.clone().with("pretrained = true"),
            "0.001 in all layers",
            Some(set(&[("finetune", "true")])),
        ),
        (
            DoubtKind::NoNormalization,
            good.clone().with("normalize = \"none\""),
            "not normalized",
            Some(set(&[("normalize", "auto")])),
        ),
        (DoubtKind::FewSteps, Plan { steps: 40, ..good.clone() }, "40 in 5 epochs", Some(set(&[("epochs", "13")]))),
        (DoubtKind::FewImages, few(150), "75 per class", Some(set(&[("pretrained", "true"), ("finetune", "true")]))),
        (
            DoubtKind::UnequalClasses,
            counts([[1000, 500], [100, 500]]),
            "“bees” with 100 where the mean is 550",
            Some(set(&[("sampler", "balanced")])),
        ),
        (DoubtKind::FewValidationImages, Plan { images: [1900, 153], ..good.clone() }, "4.0 points", None),
    ];
    for (kind, plan, text, answer) in cases {
        let (kinds, texts, next) = plan.found();
        let place = kinds.iter().position(|found| *found == kind);
        let place = place.unwrap_or_else(|| panic!("{kind:?}: {texts:?}"));
        assert!(texts[place].contains(text), "{kind:?}: {texts:?}");
        let answers = |answer: &Next| match answer {
            // One training answers several doubts.
            Next::Train(own) => {
                next.iter().any(|step| matches!(step, Next::Train(all) if own.iter().all(|one| all.contains(one))))
            }
            other => next.contains(other),
        };
        assert!(answer.as_ref().is_none_or(answers), "{kind:?}: {next:?}");
    }
}

/// Numbers that give no reason for a doubt with another setting.
#[test]
fn trained_weights_and_masks_have_their_own_measures() {
    let tuned =
        Plan { images: [150, 1000], steps: 20, ..Plan::good().with("pretrained = true").with("finetune = true") };
    assert_eq!(tuned.found().0, []);
    // Images with masks are counted as a whole, and the standard error of a share of images does not apply to pixels.
    let masks = Plan { task: Segment.card(), counts: None, images: [150, 50], ..Plan::good().with("batch_size = 2") };
    assert_eq!(masks.found().0, []);
    let slow = Plan::good().with("pretrained = true").with("lr = 0.0001");
    assert_eq!(slow.found().0, []);
    assert_eq!(Plan::good().with("optimizer = \"sgd\"").with("lr = 0.01").found().0, []);
}

#[test]
fn one_training_answers_several_doubts() {
    let bad = Plan { images: [20, 5], steps: 5, ..Plan::good().with("normalize = \"none\"").with("lr = 0.5") };
    let (kinds, _, next) = bad.found();
    assert!(kinds.len() > 3, "{kinds:?}");
    let own = [("batch_size", "4"), ("lr", "0.001"), ("normalize", "auto"), ("epochs", "100")];
    assert_eq!(next, [set(&own), Next::FindRate]);
}

/// Two classes of pixels, a mean of 50 %.
#[test]
fn classes_of_few_pixels_are_rare_unless_the_loss_weighs_them() {
    let streets = |share: f64, settings: &str| Plan {
        task: Segment.card(),
        settings: format!("{SETTINGS}{settings}"),
        counts: None,
        shares: Some(vec![1.0 - share, share]),
        ..Plan::good()
    };
    let (kinds, texts, next) = streets(0.03, "").found();
    assert_eq!(kinds, [DoubtKind::UnequalClasses]);
    assert!(
        texts[0].contains("1 of 2 have less than a fifth") && texts[0].contains("3.0 % where the mean is 50.0 %"),
        "{texts:?}"
    );
    assert_eq!(next, [set(&[("class_weights", "median")])]);
    // A share of a fifth of the mean, no pixel in the batches, weighted classes, and a loss that counts rare pixels
    // more.
    for (share, settings) in
        [(0.1, ""), (0.0, ""), (0.03, "class_weights = \"median\"\n"), (0.03, "loss = \"ce+dice\"\n")]
    {
        assert_eq!(streets(share, settings).found().0, [], "{share} {settings}");
    }
}

/// Balanced draws answer unequal classes.
#[test]
fn unequal_classes_with_balanced_draws_are_no_doubt() {
    let unequal = Plan { counts: Some(vec![[1000, 500], [100, 500]]), ..Plan::good() };
    assert_eq!(unequal.found().0, [DoubtKind::UnequalClasses]);
    assert_eq!(unequal.with("sampler = \"balanced\"").found().0, []);
}

#[test]
fn a_missing_class_is_one_class() {
    let (_, texts, _) = Plan { counts: Some(vec![[1000, 500], [900, 0]]), ..Plan::good() }.found();
    assert_eq!(texts[0], "1 of 2 classes has no validation image, such as “bees”");
}

/// A network without BatchNorm does not depend on the other images of a batch.
#[test]
fn small_batches_are_no_doubt_without_batch_norm() {
    let small = Plan::good().with("batch_size = 2");
    assert_eq!(small.found().0, [DoubtKind::SmallBatch]);
    assert_eq!(Plan { batch_norm: false, ..small }.found().0, []);
}
