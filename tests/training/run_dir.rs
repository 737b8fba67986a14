//! The folder of a run, which nothing overwrites, with its metrics and its pictures.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use shadegrad::internals::run::pictures::{
    Sheet, confusion_picture, curves_picture, palette, prediction_cell, save_png,
};
use shadegrad::run::{ClassOutOfRange, ConfusionMatrix, EpochRow, Panel, RunDir, RunError, TRAIN_ACCURACY};
use shadegrad::tasks::classify::ACCURACY;

fn row(epoch: u32) -> EpochRow {
    EpochRow {
        epoch,
        train_loss: 0.1 + 0.2,
        val_loss: f64::MIN_POSITIVE,
        scores: vec![(TRAIN_ACCURACY, 1.0 / 3.0), (ACCURACY, 0.5)],
        lr: 1e-3,
        images_per_s: 1234.5,
        data_wait: 0.125,
        seconds: 2.25,
    }
}

fn panel() -> Panel {
    Panel::new("Accuracy", "correct images", &[("training", TRAIN_ACCURACY), ("validation", ACCURACY)])
}

#[test]
fn runs_count_up_and_never_reuse_a_number() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = folder.path().join("runs");
    let name = |run: &RunDir| run.path().file_name().expect("a name").to_string_lossy().into_owned();
    let create = || name(&RunDir::create_numbered(&runs, "classify-resnet18").expect("creates"));
    assert_eq!(create(), "classify-resnet18-001");
    assert_eq!(create(), "classify-resnet18-002");
    for other in ["classify-resnet18-009", "classify-resnet18-x", "classify-resnet18-4294967295", "segment-unet-050"] {
        fs::create_dir(runs.join(other)).expect("creates");
    }
    assert_eq!(create(), "classify-resnet18-010");
}

#[test]
fn runs_started_together_get_different_folders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = Barrier::new(8);
    let mut paths: Vec<PathBuf> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            RunDir::create_numbered(folder.path(), "run").expect("creates").path().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 8);
}

#[test]
fn one_of_two_runs_gets_an_empty_folder() {
    // Many rounds, because the two threads rarely meet between the check and the creation.
    for _ in 0..300 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = Barrier::new(2);
        let create = || {
            start.wait();
            RunDir::create(Some(folder.path()), "run").is_ok()
        };
        let won = std::thread::scope(|scope| {
            let threads = [scope.spawn(create), scope.spawn(create)];
            threads.map(|thread| thread.join().expect("no panic"))
        });
        assert!(won[0] != won[1], "{won:?}");
    }
}

#[test]
fn an_existing_run_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("deep/mine");
    let run = RunDir::create(Some(&out), "run").expect("creates");
    run.write_config("epochs = 1\n").expect("writes");
    let error = RunDir::create(Some(&out), "run").expect_err("taken");
    assert!(matches!(error, RunError::Taken { .. }), "{error:?}");
    assert!(error.to_string().contains("choose another folder"), "{error}");
    assert_eq!(fs::read_to_string(run.config_path()).expect("reads"), "epochs = 1\n");

    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("writes");
    RunDir::create(Some(&file), "run").expect_err("a file is in the way");
    assert_eq!(fs::read_to_string(&file).expect("reads"), "mine");
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writes");
    let message = RunDir::create(Some(&file.join("run")), "run").expect_err("refused").to_string();
    assert!(message.contains("file") && message.contains(';'), "{message}");
}

#[test]
fn opening_a_folder_that_is_no_run_names_the_missing_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reason = |path: &Path| RunDir::open(path).expect_err("not a run").to_string();
    assert!(reason(&folder.path().join("none")).contains("none"));
    assert!(reason(folder.path()).contains("config.toml"));
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    run.write_config("").expect("writes");
    assert!(reason(folder.path()).contains("best.safetensors"));
    assert!(reason(&run.config_path()).contains("name the folder"));
    fs::write(run.last_path(), "").expect("writes");
    assert_eq!(RunDir::open(folder.path()).expect("opens").checkpoint(), Some(run.last_path()));
    fs::write(run.best_path(), "").expect("writes");
    assert_eq!(run.checkpoint(), Some(run.best_path()));
}

#[test]
fn metrics_read_back_exactly_and_have_one_header() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    assert_eq!(run.read_metrics().expect("reads"), []);
    let rows: Vec<_> = (1..=3).map(row).collect();
    for (done, row) in rows.iter().enumerate() {
        run.append_metrics(row).expect("appends");
        assert_eq!(run.read_metrics().expect("reads"), rows[..=done]);
    }
    let text = fs::read_to_string(run.metrics_path()).expect("reads");
    let header = "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,images_per_s,data_wait,seconds";
    assert_eq!(text.lines().next(), Some(header));
    assert_eq!((text.matches("epoch").count(), text.lines().count()), (1, 4));
}

#[test]
fn a_diverged_epoch_is_kept_as_nan() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    let diverged = EpochRow { train_loss: f64::NAN, val_loss: f64::INFINITY, ..row(1) };
    run.append_metrics(&diverged).expect("appends");
    let read = run.read_metrics().expect("reads").remove(0);
    assert!(read.train_loss.is_nan() && read.val_loss == f64::INFINITY);
}

#[test]
fn a_foreign_metrics_file_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    run.append_metrics(&row(1)).expect("appends");
    let text = fs::read_to_string(run.metrics_path()).expect("reads");
    fs::write(run.metrics_path(), text + "2,oops,0,0,0,0,0,0,0\n").expect("writes");
    let message = run.read_metrics().expect_err("not a number").to_string();
    assert!(message.contains("metrics.csv") && message.contains("line 3"), "{message}");
}

#[test]
fn confusion_scores_follow_their_formulas() {
    let mut matrix = ConfusionMatrix::new(3);
    // Truth 0: two right, one predicted as 1. Truth 1: one right. Class 2: no images, never predicted.
    for (truth, prediction) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
        matrix.add(truth, prediction).expect("in range");
    }
    assert_eq!((matrix.count(0, 1), matrix.count(1, 0), matrix.total()), (1, 0, 4));
    assert_eq!(matrix.accuracy(), Some(0.75));
    assert_eq!([0, 1, 2].map(|c| matrix.recall(c)), [Some(2.0 / 3.0), Some(1.0), None]);
    assert_eq!([0, 1, 2].map(|c| matrix.precision(c)), [Some(1.0), Some(0.5), None]);
    assert_eq!(matrix.add(0, 3), Err(ClassOutOfRange { class: 3, classes: 3 }));
    assert_eq!(matrix.add(7, 0), Err(ClassOutOfRange { class: 7, classes: 3 }));
    assert_eq!(matrix.total(), 4);
    assert_eq!(ConfusionMatrix::new(2).accuracy(), None);
}

fn has(picture: &image::RgbImage, color: shadegrad::internals::run::pictures::Color) -> bool {
    picture.pixels().any(|p| p.0 == [color.0, color.1, color.2])
}

#[test]
fn pictures_show_both_curves_and_are_saved_as_png() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    let rows: Vec<_> = (1..=3).map(row).collect();
    let picture = curves_picture(&rows, Some(&panel()), Some(2)).expect("draws");
    assert!(has(&picture, palette::BLUE) && has(&picture, palette::ORANGE));
    save_png(&picture, &run.curves_path()).expect("saves");
    assert_eq!(image::open(run.curves_path()).expect("a PNG").into_rgb8(), picture);
}

#[test]
fn curves_are_drawn_also_with_values_that_cannot_be_drawn() {
    assert!(curves_picture(&[], Some(&panel()), None).is_err());
    let wild = [f64::NAN, f64::INFINITY, -1e300, 1e300, 0.0];
    for value in wild {
        let scores = vec![(TRAIN_ACCURACY, value)];
        let bad = EpochRow { train_loss: value, val_loss: value, scores, ..row(1) };
        curves_picture(std::slice::from_ref(&bad), Some(&panel()), Some(1)).expect("draws");
        curves_picture(&[row(1), EpochRow { epoch: 2, ..bad }, row(3)], Some(&panel()), None).expect("draws");
    }
}

#[test]
fn the_confusion_picture_shades_by_row_and_checks_its_names() {
    let mut matrix = ConfusionMatrix::new(2);
    // Class 0 is ten times as frequent. Both rows are all correct, so equally dark.
    (0..10).for_each(|_| matrix.add(0, 0).expect("in range"));
    matrix.add(1, 1).expect("in range");
    let names = ["a".to_owned(), "日本".to_owned()];
    let picture = confusion_picture(&matrix, &names, "images").expect("draws");
    let mut shades: Vec<_> = picture.pixels().map(|p| p.0).filter(|p| p[2].saturating_sub(p[0]) > 60).collect();
    shades.sort_unstable();
    let full = shades.iter().filter(|&&shade| shade == shades[0]).count();
    assert!(full > 2 * 90 * 90, "only {full} pixels of two cells of 110 x 110 have the full shade");
    let pixels = confusion_picture(&matrix, &names, "pixels").expect("draws");
    assert!(pixels != picture, "the title names the unit");
    assert!(confusion_picture(&matrix, &names[..1], "images").is_err());
    assert!(confusion_picture(&ConfusionMatrix::new(0), &[], "images").is_err());
}

#[test]
fn the_sheet_marks_right_and_wrong_and_takes_any_image_size() {
    let image = |w, h| image::RgbImage::from_pixel(w, h, image::Rgb([1, 2, 3]));
    let right = prediction_cell(image(7, 3), "car", "car", 0.9);
    let wrong = prediction_cell(image(500, 2), &"long name ".repeat(500), "bus", f64::NAN);
    let nothing = prediction_cell(image(0, 0), "", "", 0.0);
    assert_eq!((right.caption_color, wrong.caption_color), (palette::RIGHT, palette::WRONG));
    assert_eq!(right.caption, "car (car)\n90 %");
    let mut sheet = Sheet { title: "Validation".into(), columns: 2, cell_size: 64, cells: vec![right, wrong, nothing] };
    let picture = sheet.draw().expect("draws");
    // 7 x 3 enlarged 9 times and 500 x 2 reduced to 64 x 1.
    assert_eq!(picture.pixels().filter(|p| p.0 == [1, 2, 3]).count(), 63 * 27 + 64);
    assert!(has(&picture, palette::RIGHT) && has(&picture, palette::WRONG));
    // 40 x 40 enlarged by no whole factor fills its cell nevertheless.
    let filling = Sheet { cells: vec![prediction_cell(image(40, 40), "", "", 0.0)], ..sheet.clone() };
    assert_eq!(filling.draw().expect("draws").pixels().filter(|p| p.0 == [1, 2, 3]).count(), 64 * 64);
    sheet.cell_size = 100_000;
    assert!(sheet.draw().expect_err("too large").to_string().contains("fewer cells"));
    sheet.cells.clear();
    assert!(sheet.draw().is_err());
}

#[test]
fn going_back_keeps_files_that_are_not_the_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(folder.path()), "run").expect("creates");
    fs::create_dir(folder.path().join("errors")).expect("makes a folder");
    let errors =
        "picture,image,truth,prediction,probability\n01.png,a.png,cat,dog,0.9\n../mine.png,b.png,cat,dog,0.8\n";
    let kept = ["errors/notes.txt", "mine.png", "report.html"];
    for name in ["errors/01.png", "confusion.csv", "confusion.png", "samples.png", "curves.png"].iter().chain(&kept) {
        fs::write(folder.path().join(name), "").expect("writes");
    }
    fs::write(folder.path().join("errors/errors.csv"), errors).expect("writes");
    let norms = ["epoch,step,lr\n", "1,1,0.1\n", "1,2,0.1\n", "2,3,0.1\n", "2,4"];
    fs::write(folder.path().join("norms.csv"), norms.concat()).expect("writes");
    run.rewind(2, 2).expect("goes back");
    assert_eq!(fs::read_to_string(folder.path().join("norms.csv")).expect("reads"), norms[..3].concat());
    let mut left: Vec<_> = fs::read_dir(folder.path()).expect("lists").map(|e| e.expect("lists").file_name()).collect();
    left.sort_unstable();
    assert_eq!(left, ["errors", "metrics.csv", "mine.png", "norms.csv", "report.html"]);
    assert!(kept.iter().all(|name| folder.path().join(name).is_file()));
    assert_eq!(fs::read_dir(folder.path().join("errors")).expect("lists").count(), 1);
}
