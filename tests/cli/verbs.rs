//! Every verb as a user types it, on small images.

use std::collections::BTreeSet;

use image::GenericImageView;
use shadegrad::interop::safetensors::TensorData;
use shadegrad::tasks::classify::ACCURACY;

use crate::support::{CLASSES, Outcome, Place, RESNET, assert_same_bytes};

#[test]
fn a_classification_run_works_with_every_verb() {
    let place = Place::with_photos(10);
    let outcome = place.run(&format!("{RESNET} --auto false --out run --batch-size 4 --epochs 3")).fine();
    outcome
        .printed(&["device:  CPU", "24 training and 6 validation images, 3 classes", "run:     run", "epoch  3/3"])
        .printed(&["best validation accuracy", "run/best.safetensors", "run/curves.png", "predict run photos/"]);
    run_directory(&place);
    checkpoints_are_torchvisions(&place);
    evaluation(&place);
    prediction(&place);
    a_run_is_never_overwritten(&place);
    starting_from_a_checkpoint(&place);
}

fn run_directory(place: &Place) {
    let files = ["best.safetensors", "confusion.png", "config.toml", "curves.png", "last.safetensors", "metrics.csv"];
    let others = [
        "confusion.csv",
        "curves.svg",
        "finished.safetensors",
        "gradcam.png",
        "layers.csv",
        "metrics.jsonl",
        "run.json",
        "samples.png",
        "trust.json",
    ];
    let expected: BTreeSet<_> = files.into_iter().chain(others).map(String::from).collect();
    // The folder `errors` exists only if there are errors.
    let found = place.list("run").into_iter().filter(|name| name != "errors");
    assert_eq!(found.collect::<BTreeSet<_>>(), expected, "and no temporary file is left");
    for picture in ["curves", "confusion", "samples"] {
        let picture = image::open(place.path(&format!("run/{picture}.png"))).expect("a picture");
        let colors: BTreeSet<_> = picture.pixels().map(|(_, _, color)| color.0).collect();
        assert!(picture.width() >= 200 && picture.height() >= 100 && colors.len() > 4, "{} colors", colors.len());
    }
    let rows = place.metrics("run");
    assert_eq!(rows.iter().map(|r| r.epoch).collect::<Vec<_>>(), [1, 2, 3]);
    // With 24 images any epoch may be the best. The loss is compared with chance, not with the first epoch.
    let best = rows.iter().map(|r| r.val_loss).fold(f64::INFINITY, f64::min);
    assert!(best < 0.7 * 3f64.ln(), "{rows:?}");
    assert!(rows.iter().any(|r| r.score(&ACCURACY) >= Some(0.8)), "it learns: {rows:?}");
}

/// Names and shapes as in torchvision's `resnet18(num_classes=3).state_dict()`: 122 entries.
fn checkpoints_are_torchvisions(place: &Place) {
    for (name, steps) in [("run/last.safetensors", Some(18)), ("run/best.safetensors", None)] {
        let file = place.checkpoint(name);
        assert_eq!(file.tensors.len(), 122, "{:?}", file.tensors.keys());
        let shape = |name: &str| file.tensors.get(name).unwrap_or_else(|| panic!("no {name}")).shape.clone();
        assert_eq!(shape("conv1.weight"), [64, 3, 7, 7]);
        assert_eq!(shape("layer2.0.conv1.weight"), [128, 64, 3, 3]);
        assert_eq!(shape("layer4.0.downsample.0.weight"), [512, 256, 1, 1]);
        assert_eq!(shape("layer4.1.bn2.running_var"), [512]);
        assert_eq!((shape("fc.weight"), shape("fc.bias")), (vec![3, 512], vec![3]));
        let counter = &file.tensors["layer3.0.downsample.1.num_batches_tracked"];
        assert!(counter.shape.is_empty(), "a scalar");
        if let Some(steps) = steps {
            assert_eq!(counter.data, TensorData::I64(vec![steps]), "24 images in batches of 4, three times");
        }
        // 11,689,512 parameters at 1000 classes. The head has 513 per class.
        let trained = file.tensors.iter().filter(|(n, _)| !n.contains("running") && !n.contains("tracked"));
        assert_eq!(trained.map(|(_, t)| t.data.len()).sum::<usize>(), 11_689_512 - 997 * 513);
    }
}

fn evaluation(place: &Place) {
    let best = place.metrics("run").iter().filter_map(|r| r.score(&ACCURACY)).fold(0.0, f64::max);
    let outcome =
        place.run("eval run --data photos --device cpu").fine().printed(&CLASSES).printed(&["6 images, loss"]);
    assert!((outcome.number_before(" %") - 100.0 * best).abs() < 0.01, "the accuracy of the best epoch, {best}");
    // 24 images in batches of 4 and of 5: the smaller last batch changes nothing.
    let train = |batch| format!("eval run --data photos --split train --device cpu --batch-size {batch}");
    let (four, five) = (place.run(&train(4)).fine(), place.run(&train(5)).fine());
    assert_eq!(four.printed(&["24 images"]).stdout, five.stdout);
}

/// `eval` uses the images that training held out.
#[test]
fn evaluation_uses_the_images_that_training_held_out() {
    let place = Place::with_photos(8);
    let flags = "--out run --batch-size 5 --epochs 1 --seed 11 --val-split 0.4";
    place.run(&format!("{RESNET} {flags}")).fine().printed(&["15 training and 9 validation images"]);
    let eval = |flags: &str| place.run(&format!("eval run --data photos --device cpu {flags}")).fine();
    let outcome = eval("").printed(&["9 images, loss"]);
    let row = &place.metrics("run")[0];
    assert!(
        (outcome.number_before(", accuracy") - row.val_loss).abs() < 1e-4,
        "{row:?} in training, now {}",
        outcome.stdout
    );
    assert_eq!(eval("--seed 11 --val-split 0.4").stdout, outcome.stdout);
    assert_ne!(eval("--seed 12 --val-split 0.4").stdout, outcome.stdout, "another split has other images");
}

fn prediction(place: &Place) {
    let outcome = place.run("predict run photos/stripes/01.jpg photos/disc/00.png --device cpu").fine();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("photos/stripes/01.jpg: stripes "), "{lines:?}");
    assert!(lines[1].starts_with("photos/disc/00.png: disc "), "in the order given: {lines:?}");
    let checkpoint = place.run("predict run/best.safetensors photos/stripes/01.jpg photos/disc/00.png --device cpu");
    assert_eq!(checkpoint.fine().stdout, outcome.stdout, "a run is its best checkpoint");

    let mut right = 0;
    for class in CLASSES {
        let outcome = place.run(&format!("predict run photos/{class} --json --device cpu")).fine();
        let lines: Vec<serde_json::Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert_eq!(lines.len(), 10, "every image of the folder");
        for (index, line) in lines.iter().enumerate() {
            let kind = if index % 2 == 0 { "png" } else { "jpg" };
            assert_eq!(line["image"], format!("photos/{class}/{index:02}.{kind}"), "sorted");
            let probabilities = line["probabilities"].as_object().expect("an object");
            let values: Vec<f64> = probabilities.values().filter_map(serde_json::Value::as_f64).collect();
            assert_eq!(probabilities.keys().collect::<BTreeSet<_>>(), CLASSES.map(String::from).iter().collect());
            assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{line}");
            let top = values.iter().copied().fold(0.0, f64::max);
            assert_eq!(line["probability"], top, "the most probable class");
            assert_eq!(line["probabilities"][line["class"].as_str().expect("a name")], top);
            right += usize::from(line["class"] == class);
        }
    }
    assert!(right >= 24, "{right} of 30 right");
}

fn a_run_is_never_overwritten(place: &Place) {
    let plain = |place: &Place| place.list("run").into_iter().filter(|name| name != "errors");
    let files = |place: &Place| plain(place).map(|f| place.bytes(&format!("run/{f}"))).collect::<Vec<_>>();
    let before = files(place);
    place.run(&format!("{RESNET} --out run --epochs 1")).refused(&["run exists already", "choose another folder"]);
    assert!(files(place) == before, "the run is as it was");
}

/// A vanishing learning rate keeps the loaded weights.
fn starting_from_a_checkpoint(place: &Place) {
    let line = "--init run/best.safetensors --out more --optimizer sgd --lr 1e-20 --momentum 0 --epochs 1";
    place.run(&format!("{RESNET} {line} --batch-size 24")).fine();
    let (before, after) = (place.checkpoint("run/best.safetensors"), place.checkpoint("more/last.safetensors"));
    for name in ["conv1.weight", "layer3.1.conv2.weight", "fc.weight", "bn1.bias"] {
        assert_eq!(before.tensors[name], after.tensors[name], "{name}");
    }
    assert_ne!(before.tensors["bn1.running_mean"], after.tensors["bn1.running_mean"], "a step was done");
}

#[test]
fn flags_win_over_the_file_and_the_run_repeats_from_its_config() {
    let place = Place::with_photos(4);
    place.write("mine.toml", "data = \"photos\"\nimage_size = 32\nepochs = 7\nlr = 0.002\nbatch_size = 6\nseed = 3\n");
    place.run("train classify --config mine.toml --epochs 1 --device cpu --out run").fine();
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    for line in ["epochs = 1", "lr = 0.002", "batch_size = 6", "seed = 3", "device = \"cpu\"", "momentum = 0.9"] {
        assert!(config.lines().any(|l| l == line), "no `{line}` in {config}");
    }
    assert_eq!(place.metrics("run").len(), 1);
    place.run("train classify --config run/config.toml --out again").fine();
    let path = |run: &str| place.path(&format!("{run}/last.safetensors"));
    assert_same_bytes("the repeated run", &path("run"), &path("again"));
}

#[test]
fn runs_without_a_name_are_numbered() {
    let place = Place::with_photos(2);
    for number in ["001", "002"] {
        let run = format!("runs/classify-resnet18-{number}");
        place.run(&format!("{RESNET} --batch-size 3 --epochs 1")).fine().printed(&[&run]);
        assert!(place.has(&format!("{run}/best.safetensors")), "{run}");
    }
}

#[test]
fn training_without_data_uses_scenes_and_a_falling_learning_rate() {
    let place = Place::new();
    let flags = "--scenes 60 --epochs 2 --batch-size 20 --image-size 32 --device cpu --out run --lr 0.001";
    let outcome = place.run(&format!("train classify {flags}")).fine();
    outcome.printed(&["data:    built-in scenes, 60 training and 500 validation images, 10 classes"]);
    let rates: Vec<f64> = place.metrics("run").iter().map(|row| row.lr).collect();
    // At the third and the sixth of six steps, the cosine from 0 to π is at 2/6 and 5/6 of its range.
    assert!((rates[0] - 0.00075).abs() < 1e-9 && (rates[1] - 0.0000669873).abs() < 1e-9, "{rates:?}");
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    assert!(config.contains("schedule = \"cosine\"\n") && config.contains("scenes = 60\n"), "{config}");
}

#[test]
fn a_device_without_16_bits_trains_in_32_bits_with_a_message() {
    let place = Place::new();
    let flags = "--device cpu --scenes 10 --epochs 1 --image-size 16x16 --base 4 --depth 1";
    let run = |precision: &str| {
        place.run(&format!("train colorize {flags} --precision {precision} --out {precision}")).fine()
    };
    run("f16").printed(&["precision: f32, since CPU", "no 16-bit floats"]);
    run("f32");
    let weights = |run: &str| place.path(&format!("{run}/last.safetensors"));
    assert_same_bytes("the same run", &weights("f16"), &weights("f32"));
}

#[test]
fn devices_lists_the_values_of_the_device_flag() {
    Place::new().run("devices").fine().printed(&["cpu: CPU (", "--device auto picks"]);
}

#[test]
fn plan_prints_calls_work_and_memory() {
    let place = Place::new();
    let plan = |flags: &str| {
        let outcome = place.run(&format!("plan resnet18 --batch-size 16 --image-size 64 {flags}")).fine();
        outcome.printed(&["GFLOP and", "GB read and written per step", "peak:", "parameters:"])
    };
    let step = plan("").printed(&["conv_fwd", "conv_dgrad", "conv_wgrad", "layer4.1.conv2", "[16×64×64×3]", "adam"]);
    let calls = step.number_before(" kernel calls");
    assert_eq!(step.stdout.lines().filter(|l| l.contains("MFLOP")).count() as f64, calls, "a line a call");
    assert_eq!(step.stdout.trim_end().rsplit(' ').next(), Some("11689512"));
    assert!(step.number_before(" % of the") <= 50.0, "at most half of the memory of all tensors");
    assert!(plan("--no-fuse").number_before(" kernel calls") > calls);
    let evaluation = plan("--eval");
    assert!(evaluation.number_before(" kernel calls") < calls / 2.0);
    // A multiply and an add for each of ResNet18's 0.15 G multiplies at 64×64 (1.81 G at 224×224), times 16 images.
    let work = evaluation.number_before(" GFLOP");
    assert!((4.4..5.2).contains(&work), "{work} GFLOP");
    assert!((2.8..3.2).contains(&(step.number_before(" GFLOP") / work)), "backward is twice forward");
}

/// 11,689,512 parameters and 9,600 running statistics in 32 bits, and at most 64 values of padding for each of 122 tensors: of two
/// ranks, each sends half of them to the other twice.
#[test]
fn plan_forecasts_the_messages_of_ranks() {
    let place = Place::new();
    let plan =
        |flags: &str| place.run(&format!("plan resnet18 --image-size 64 --ranks 2 --bandwidth 8 --latency 0 {flags}"));
    let last = |outcome: &Outcome| -> Vec<f64> {
        let line =
            outcome.stdout.lines().rev().find(|line| line.trim_start().starts_with("2 ")).expect("a line of two ranks");
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    // 46.8 MB at 1 GB/s: 0.0468 s beside 0.1 s of computing. The backward pass of a shard takes 2/3 · 0.2 s / 8 = 0.0167 s.
    let outcome = plan("--step-seconds 0.2").fine();
    let [_, megabytes, seconds, rest @ ..] = &last(&outcome)[..] else { panic!("{}", outcome.stdout) };
    assert!((46.796..46.796 + 122.0 * 256e-6).contains(megabytes) && *seconds == 0.0468, "{}", outcome.stdout);
    assert_eq!(*rest, [0.68, 0.77], "{}", outcome.stdout);
    plan("").fine().printed(&["step for 0.90"]);
    plan("--step-seconds 0").refused(&["--step-seconds 0: expected a number above 0"]);
    plan("--shards 1").refused(&["--ranks 2: 1 shards are too few; raise --shards"]);
}

#[test]
fn summary_prints_layers_parameters_and_memory() {
    let place = Place::new();
    let outcome = place.run("summary resnet18 --image-size 224").fine();
    // 11,689,512 parameters as published, and 1.8 G multiplications (3.6 GFLOP) at 224×224.
    let all = outcome.stdout.lines().find(|line| line.starts_with("all ")).expect("a total");
    let numbers: Vec<f64> = all.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers[0], 11_689_512.0, "{all}");
    assert!((3500.0..3900.0).contains(&numbers[1]), "{all}");
    let outcome = outcome.printed(&["layer4.1.conv2", "[1×7×7×512]", "training at batch size 16"]);
    place.run("summary unet --base 16 --image-size 61x47").fine().printed(&["up0.conv1", "[1×61×47×21]"]);
    place.run("summary resnet18-seg --decoder fcn8s").fine().printed(&["score2", "[1×224×224×21]"]);
    // Nodes without parameters are listed too. A 3×3 window adds twice the distance of its pixels:
    // 11 + 4·8 + (8 + 3·16) + (16 + 3·32) + (32 + 3·64) = 435.
    let row = |start: &str, op: &str| {
        let found = outcome.stdout.lines().rfind(|line| line.starts_with(start) && line.contains(op));
        let line = found.unwrap_or_else(|| panic!("no {start} {op}"));
        line.split_whitespace().nth(3).and_then(|field| field.parse::<f64>().ok()).expect("a field")
    };
    assert_eq!([row("conv1", "conv2d"), row("maxpool", "max_pool"), row("layer4.1 ", "add")], [7.0, 11.0, 435.0]);
    assert_eq!(outcome.stdout.lines().filter(|line| line.contains(" relu ")).count(), 17);
    place.run("summary unet --base 0").refused(&["--base 0", "1 to 1024"]);
}

#[test]
fn summary_draws_a_network_and_describes_a_run() {
    let place = Place::with_photos(3);
    place.run("summary unet --base 2 --depth 2 --image-size 32 --svg net.svg").fine().printed(&["picture: net.svg"]);
    let picture = String::from_utf8(place.bytes("net.svg")).expect("text");
    // Two skip connections pass over the levels below.
    assert_eq!(picture.matches("<path class=\"c\"").count(), 2, "{picture}");
    let boxes = picture.matches("<rect").count();
    assert!(boxes > 30 && picture.contains("down0.conv1") && picture.trim_end().ends_with("</svg>"), "{picture}");
    place.run("summary unet --base 2 --depth 2 --image-size 32 --svg net.svg").refused(&["net.svg"]);
    place
        .run(&format!("{RESNET} --model cnn --channels 1 --epochs 1 --limit 4 --out run"))
        .fine()
        .printed(&["limit:   4 of 6"]);
    let outcome = place.run("summary run").fine().printed(&["[1×32×32×32]", "pool3", "[1×3]"]);
    // 3·3·1·32 of one channel.
    assert!(
        outcome.stdout.lines().any(|line| line.starts_with("conv1 ") && line.contains(" 288 ")),
        "{}",
        outcome.stdout
    );
    place.run("summary run --image-size 16").fine().printed(&["[1×16×16×32]"]);
    place.run("summary resnet81").refused(&["did you mean `resnet18`?"]);
    place.run("train classify --model cnn --image-size 7 --device cpu").refused(&["at least 8 pixels"]);
}

#[test]
fn bench_times_the_steps_that_are_named() {
    let place = Place::new();
    let line = "bench --step unet:1x16x16:base=4:depth=2 --step resnet18:2x32x32 --device cpu --steps 2 --json";
    let lines_of = |line: &str| -> Vec<serde_json::Value> {
        let outcome = place.run(line).fine();
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let lines = lines_of(line);
    let steps: Vec<_> = lines.iter().map(|l| l["step"].as_str().expect("a step")).collect();
    assert_eq!(steps, ["unet:1x16x16:base=4:depth=2", "resnet18:2x32x32"]);
    for line in &lines {
        for key in ["ms_median", "images_per_s", "peak_bytes"] {
            assert!(line[key].as_f64().is_some_and(|v| v > 0.0), "{key} in {line}");
        }
    }
    let mixed = "bench unet:1x16x16:base=4:depth=1 --step resnet18:2x32x32 --device cpu --steps 1 --json";
    let lines = lines_of(mixed);
    assert!(
        lines[0]["limit_gflops"].as_f64() > Some(0.0) && lines[0]["limit_gbytes"].as_f64() > Some(0.0),
        "{lines:?}"
    );
    let kernels: Vec<_> = lines.iter().filter(|line| line["kernel"].is_string()).collect();
    assert!(kernels.iter().any(|k| k["kernel"] == "conv_wgrad" && k["of_limit"].as_f64() > Some(0.0)), "{lines:?}");
    assert!(kernels.iter().all(|k| k["step"] == "unet:1x16x16:base=4:depth=1"), "a step alone has no kernels");
    assert_eq!(lines.last().expect("a line")["step"], "resnet18:2x32x32");
    place.run("bench vgg --device cpu").refused(&["unknown model `vgg`", "resnet18"]);
    place.run("bench --step vgg:1x2x3 --device cpu").refused(&["unknown model `vgg`", "resnet18"]);
    place.run("bench --step unet:4x128 --device cpu").refused(&["MODEL:NxHxW"]);
}

/// At 32×32 pixels ResNet18's last maps have one pixel, so a batch of one image has no variance.
#[test]
fn a_last_batch_of_one_image_is_left_out_and_a_single_image_is_refused() {
    let place = Place::with_photos(3);
    let flags = "--val-split 0.34 --epochs 1 --shuffle false";
    // 6 training images: a batch of 5 and a batch of 1.
    let outcome = place.run(&format!("{RESNET} {flags} --batch-size 5 --out run")).fine();
    outcome.printed(&["6 training and 3 validation images", "note:    the last batch", "left out"]);
    let steps =
        |run: &str| match &place.checkpoint(&format!("{run}/last.safetensors")).tensors["bn1.num_batches_tracked"].data
        {
            TensorData::I64(steps) => steps[0],
            TensorData::F32(_) => panic!("not a whole number"),
        };
    assert_eq!(steps("run"), 1);
    let outcome = place.run(&format!("{RESNET} {flags} --batch-size 4 --out even")).fine();
    assert!(!outcome.stdout.contains("left out"), "a batch of two is none of that kind: {}", outcome.stdout);
    assert_eq!(steps("even"), 2);
    let parts = ["layer4.0.bn1: BatchNorm needs 2 values of each channel", "--batch-size", "--image-size"];
    place.run(&format!("{RESNET} {flags} --batch-size 1 --out none")).refused(&parts);
    assert!(!place.has("none"), "no run folder");
}
