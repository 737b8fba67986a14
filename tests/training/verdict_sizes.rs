//! The rules of a verdict over the image size: for each, runs that show it and runs that do not.

use shadegrad::run::{FindingKind, Next};
use shadegrad::tasks::Task;
use shadegrad::tasks::colorize::Colorize;
use shadegrad::tasks::segment::Segment;

use crate::verdict_run::{Run, good, text, train};

const SQUARES: &str = "image_size = 64\nmodel = \"resnet18\"\nschedule = \"constant\"\naugment = \"none\"\n";
const WHOLE: &str = "image_size = \"96x128\"\nmodel = \"unet\"\nschedule = \"constant\"\naugment = \"none\"\n";

/// A good run that sees pictures of a size in another one.
fn run(seen: [usize; 2], own: [usize; 2]) -> Run {
    Run { sizes: Some([seen, own]), settings: SQUARES, ..good() }
}

#[test]
fn few_pixels_of_large_pictures_are_named_with_a_larger_size() {
    let small = run([64, 64], [375, 500]);
    assert_eq!(
        text(&small, FindingKind::FewPixels).expect("found"),
        "few pixels: pictures such as 375x500 become 64x64, 2.2 % of their pixels, so that the network does not see small details"
    );
    assert_eq!(small.kinds(), [FindingKind::Learns, FindingKind::FewPixels]);
    assert_eq!(small.verdict().next, [train(&[("image_size", "128")])]);
    assert_eq!(run([128, 128], [900, 900]).verdict().next, [train(&[("image_size", "224")])]);
    assert_eq!(run([64, 64], [100, 900]).verdict().next, [train(&[("image_size", "96")])], "the shorter side");
    let resized = Run { settings: "image_size = 64\neval_resize = 80\n", ..run([64, 64], [375, 500]) };
    assert_eq!(resized.verdict().next, [train(&[("image_size", "80")])], "the side before the cut");
    let masks = Run { task: Segment.card(), settings: WHOLE, ..run([96, 128], [720, 960]) };
    let crops = train(&[("crop", "96x128"), ("image_size", "")]);
    let next = masks.verdict().next;
    assert!(next.contains(&train(&[("image_size", "192x256")])) && next.contains(&crops), "{next:?}");
}

#[test]
fn many_pixels_a_high_score_and_the_usual_size_are_no_finding() {
    let found = |run: Run| text(&run, FindingKind::FewPixels);
    assert!(found(run([64, 64], [375, 500])).is_some());
    assert_eq!(found(run([64, 64], [150, 200])), None, "14 % of the pixels");
    assert_eq!(found(run([224, 224], [3000, 4000])), None, "no larger size is usual");
    assert_eq!(found(Run { sizes: None, ..run([64, 64], [375, 500]) }), None, "crops");
    let high = Run { epochs: vec![[0.3, 0.3, 0.9, 0.91], [0.2, 0.2, 0.92, 0.95]], ..run([64, 64], [375, 500]) };
    assert_eq!(found(high), None, "little is missing");
    let colors = Run { task: Colorize.card(), settings: WHOLE, ..run([96, 128], [720, 960]) };
    assert_eq!(found(colors), None, "PSNR is that of the small pictures");
    let short = Run { images: [64, 1000], settings: "image_size = 64\nbatch_size = 32\n", ..run([64, 64], [375, 500]) };
    assert_eq!(short.kinds()[0], FindingKind::FewSteps);
    assert_eq!(found(short), None, "more steps come first");
}

#[test]
fn enlarged_pictures_are_named_with_a_smaller_size() {
    let large = Run { settings: "image_size = 224\n", ..run([224, 224], [28, 28]) };
    assert_eq!(
        text(&large, FindingKind::Enlarged).expect("found"),
        "enlarged: pictures such as 28x28 become 224x224, 64 times their pixels: steps take longer, and show no more"
    );
    assert_eq!(large.verdict().next, [train(&[("image_size", "64")])]);
    let masks = Run { task: Segment.card(), settings: WHOLE, ..run([96, 128], [30, 40]) };
    assert!(masks.verdict().next.contains(&train(&[("image_size", "32x48")])), "{:?}", masks.verdict());
    let found = |run: Run| text(&run, FindingKind::Enlarged);
    assert_eq!(found(run([64, 64], [28, 28])), None, "5 times, the least of a ResNet");
    assert_eq!(found(run([64, 64], [16, 16])), None, "no smaller size is left");
    assert_eq!(found(Run { settings: "pretrained = true\nimage_size = 224\n", ..large }), None, "of published weights");
}

/// The step that other findings suggest stays the first.
#[test]
fn a_larger_size_stands_beside_other_steps() {
    let few = Run { images: [150, 1000], ..run([64, 64], [375, 500]) };
    let pretrained = train(&[("pretrained", "true"), ("finetune", "true")]);
    assert_eq!(few.verdict().next[..2], [pretrained, train(&[("image_size", "128")])]);
    assert!(!few.verdict().next.contains(&Next::Predict));
}
