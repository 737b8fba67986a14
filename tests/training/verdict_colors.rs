//! The rules of a verdict on predicted colors.

use shadegrad::run::{FindingKind, Next};
use shadegrad::tasks::Task;
use shadegrad::tasks::colorize::Colorize;

use crate::verdict_run::{Run, good, text, train};

/// A colorfulness of 18.6, and of 30, while the true pictures have 35.2.
#[test]
fn pale_colors_are_named_and_lead_to_the_choice_among_colors() {
    let colors = |predicted: f64, settings: &'static str| Run {
        task: Colorize.card(),
        colorfulness: Some([predicted, 35.2]),
        settings,
        ..good()
    };
    let verdict = colors(18.6, "loss = \"l1\"\n").verdict();
    let found = verdict.findings.iter().find(|finding| finding.kind == FindingKind::PaleColors).expect("pale");
    assert_eq!(found.text, "colors are pale: colorfulness 18.6, where the true pictures have 35.2");
    assert_eq!(verdict.next, [train(&[("loss", "classes")])]);
    assert!(!colors(30.0, "loss = \"l1\"\n").kinds().contains(&FindingKind::PaleColors));
    assert_eq!(colors(18.6, "loss = \"classes\"\n").verdict().next, [Next::Predict]);
}

/// A colorfulness of 31.2, while the true pictures have 34.5: random colors would lie
/// 10 log10(1 + (31.2 / 34.5)²) = 2.60 dB below grey.
#[test]
fn vivid_colors_are_no_guess_below_the_psnr_of_grey() {
    let colors = |psnr: f64, predicted: f64, settings: &'static str| Run {
        task: Colorize.card(),
        colorfulness: Some([predicted, 34.5]),
        baseline: 24.27,
        sigma: 0.2,
        settings,
        ..Run::of(&[[5.2, 4.6, 0.0, psnr - 1.0], [3.9, 3.3, 0.0, psnr - 0.1], [3.7, 3.1, 0.0, psnr]])
    };
    let classes = "loss = \"classes\"\nrebalance = 0.5\n";
    let run = colors(24.11, 31.2, classes);
    let found = text(&run, FindingKind::VividColors).expect("vivid");
    assert!(
        found.starts_with("colors are vivid: colorfulness 31.2, where the true pictures have 34.5; PSNR 24.11 dB"),
        "{found}"
    );
    assert!(found.contains("above the 21.67 dB of random colors, and not above the 24.27 dB of always"), "{found}");
    let has = |run: &Run, kind| run.kinds().contains(&kind);
    assert!(!has(&run, FindingKind::NoBetterThanBaseline) && !has(&run, FindingKind::Learns), "{:?}", run.verdict());
    assert!(run.verdict().next.contains(&train(&[("rebalance", "0.1")])), "{:?}", run.verdict().next);
    // Random colors, pale ones, and a loss that does not choose among colors are compared with grey.
    for guess in [colors(21.9, 31.2, classes), colors(24.11, 20.0, classes), colors(24.11, 31.2, "loss = \"l1\"\n")] {
        assert!(has(&guess, FindingKind::NoBetterThanBaseline) && !has(&guess, FindingKind::VividColors));
    }
    // With a PSNR above that of grey, the network learns.
    assert!(has(&colors(25.9, 31.2, classes), FindingKind::Learns));
    let less = colors(24.11, 31.2, "loss = \"classes\"\nrebalance = 0.1\n");
    assert!(!less.verdict().next.contains(&train(&[("rebalance", "0.1")])));
}
