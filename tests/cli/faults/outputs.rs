//! Outputs: no file of the user is overwritten, names are escaped, tables record the settings of the runs, and a verb
//! continues after one bad file.

use crate::support::{Place, TRAIN};

/// `train colorize` with a few milliseconds per step.
const COLORIZE: &str = "train colorize --data photos --image-size 16 --base 2 --depth 1 --batch-size 4 --device cpu";

#[test]
fn a_preview_and_a_sweep_replace_nothing_of_the_users() {
    let place = Place::with_photos(2);
    place.write("mine.png", "mine");
    let preview = "data preview --task classify photos --out mine.png --image-size 16";
    place.run(preview).refused(&["--out mine.png: exists already", "--force"]);
    assert_eq!(place.bytes("mine.png"), b"mine");
    place.run(&format!("{preview} --force")).fine();
    assert!(place.bytes("mine.png").starts_with(b"\x89PNG"));
    place.run(&format!("{preview} --force --mixup nan")).refused(&["mixup", "α from 0.01 to 100"]);
    place.folder("s");
    place.write("s/sweep.csv", "name,price\n");
    place.write("sweep.toml", "task = \"classify\"\n[[run]]\nlr = 1e-3\n");
    place.run("sweep sweep.toml --out s").refused(&["s/sweep.csv is not the table of a sweep"]);
    assert_eq!(place.list("s"), ["sweep.csv"]);
    place.folder("t");
    place.write("t/sweep.json", "[1, 2]");
    place.run("sweep sweep.toml --out t").refused(&["t/sweep.json is not the table of a sweep"]);
    assert_eq!(place.list("t"), ["sweep.json"]);
}

const SWEEP: &str = "task = \"segment\"\n[base]\nscenes = 10\nimage_size = \"16x16\"\nbase = 2\ndepth = 1\nbatch_size = 5\ndevice = \"cpu\"\n[grid]\nepochs = [2, 3]\nlr = [1e-3, 1e-4]\n";

#[test]
fn a_table_records_its_runs_and_a_smaller_sample_keeps_them() {
    let place = Place::new();
    place.write("sweep.toml", SWEEP);
    let outcome = place.run("sweep sweep.toml --out s --set epochs=1").fine();
    outcome.printed(&["run 1 of 4 (epochs=1 lr=0.001)", "| 1      | 0.001"]);
    let table = String::from_utf8(place.bytes("s/sweep.csv")).expect("text");
    assert!(!table.contains(",2,0.00") && !table.contains(",3,0.00"), "{table}");
    // The first two of the four runs.
    let two = SWEEP.replace("epochs = [2, 3]", "epochs = [2]");
    place.write("two.toml", two);
    place.run("sweep two.toml --out s --set epochs=1").fine();
    let again = String::from_utf8(place.bytes("s/sweep.csv")).expect("text");
    for run in ["001", "002", "003", "004"] {
        assert!(again.contains(run), "{again}");
    }
}

#[test]
fn a_vast_grid_is_sampled_without_being_listed() {
    let place = Place::new();
    let list = (1..=1000).map(|i| format!("{i}e-6")).collect::<Vec<_>>().join(", ");
    let seeds = (0..1000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let sweep = SWEEP.split("[grid]").next().unwrap_or_default().replace("scenes = 10", "scenes = 10\nepochs = 1");
    place.write("sweep.toml", format!("{sweep}[grid]\nlr = [{list}]\nseed = [{seeds}]\nweight_decay = [{list}]\n"));
    place.run("sweep sweep.toml --out s --sample 2").fine().printed(&["run 2 of 2"]);
    place.run("sweep sweep.toml --out t").refused(&["1000000000 runs are more than 100000", "--sample"]);
}

#[cfg(unix)]
#[test]
fn predict_continues_after_a_file_that_it_cannot_write_and_escapes_names() {
    let place = Place::with_photos(2);
    place.run(&format!("{COLORIZE} --epochs 1 --out run")).fine();
    let photo = place.bytes("photos/disc/00.png");
    place.folder("new");
    let long = "x".repeat(250);
    for name in [&format!("{long}.png"), "a.png", "e\u{1b}[2J\nb.png"] {
        place.write(&format!("new/{name}"), &photo);
    }
    let outcome = place.run("predict run new --out out --device cpu");
    assert!(
        outcome.stdout.contains("new/a.png -> ") && outcome.stdout.contains("e\\u{1b}[2J\\nb.png"),
        "{}",
        outcome.stdout
    );
    assert!(!outcome.stdout.contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'));
    outcome.refused(&[&long, "1 of 3 images have no prediction"]);
    let json = place.run("predict run new/a.png --json --out more --device cpu").fine();
    json.printed(&["\"image\":\"new/a.png\""]);
}

#[test]
fn flags_without_effect_and_values_out_of_range_say_what_is_expected() {
    let place = Place::new();
    for (line, said) in [
        ("train segment --epochs -1", "expected a whole number, 0 or more"),
        ("train segment --lr abc", "expected a number, such as 0.001"),
        ("train segment --weight-decay 1e308", "expected 0 to 3.4e38"),
        ("train segment --model resnet18-seg --depth 3", "--depth 3: no effect without --model unet"),
        ("train segment --decoder fcn8s", "no effect without --model resnet18-seg"),
        (
            "train segment --loss dice --class-weights median",
            "--class-weights median: no effect without --loss ce, ce+dice or focal",
        ),
        ("train colorize --rebalance 0.3", "--rebalance 0.3: no effect without --loss classes"),
        ("train colorize --loss classes --color-space rgb", "no effect without --loss l1, mse or huber"),
        ("train classify --gamma 0.5", "--gamma 0.5: no effect without --schedule step, multistep or plateau"),
        ("train classify --momentum 0.5", "no effect without --optimizer sgd"),
        ("train classify --schedule cosine --milestones 2", "no effect without --schedule multistep"),
        ("train classify --data photos --scenes 20", "--scenes 20: no effect beside --data"),
    ] {
        place.run(line).refused(&[said]);
    }
}

#[test]
fn a_diverged_run_is_reported_as_diverged() {
    let place = Place::new();
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu";
    let outcome = place.run(&format!("{scenes} --epochs 2 --lr 5 --out run")).fine();
    assert!(!outcome.stdout.contains("shadegrad predict"), "{}", outcome.stdout);
    outcome.printed(&["diverged: the best validation loss is", "--lr 1.0e-3 --out run-2", "lr-find segment"]);
}

#[test]
fn classifiers_of_several_image_sizes_are_compared_by_mcnemars_test() {
    let place = Place::with_photos(3);
    for size in [16, 24] {
        place
            .run(&format!("{} --batch-size 6 --epochs 1 --out c{size}", TRAIN.replace("32", &size.to_string())))
            .fine();
    }
    let outcome = place.run("compare c16 c24 --split train --device cpu --out both").fine();
    outcome.printed(&["p (McNemar)", "right only in c16", "c24", "recall"]);
    assert!(place.has("both/comparison.png") && place.has("both/classes.csv"));
}

#[test]
fn a_report_keeps_data_sets_apart() {
    let place = Place::with_photos(2);
    place.photos("other", &["disc", "grass"], 4);
    for data in ["photos", "other"] {
        place.run(&format!("{} --epochs 1 --out {data}-run", COLORIZE.replace("photos", data))).fine();
    }
    place.run("report photos-run other-run --out page.html").fine();
    let page = String::from_utf8(place.bytes("page.html")).expect("text");
    assert!(page.contains("data set 1 (photos)") && page.contains("data set 2 (other)"), "two groups");
    assert!(!page.contains("Best epoch of each run"), "nothing to compare");
}
