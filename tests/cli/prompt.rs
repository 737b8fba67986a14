//! The command line at the prompt: help, messages, completions, colors.

use crate::support::{Place, TRAIN};

#[test]
fn quiet_prints_the_outcome_alone() {
    let outcome = Place::with_photos(4).run(&format!("{TRAIN} -q --out run --epochs 1")).fine();
    let outcome = outcome.printed(&["best validation accuracy", "verdict:", "next:"]);
    for word in ["device:", "epoch  1/1"] {
        assert!(!outcome.stdout.contains(word), "{}", outcome.stdout);
    }
}

#[test]
fn verbose_prints_settings_with_their_origins_and_every_step() {
    let place = Place::with_photos(4);
    place.write("run.toml", "clip = 2.0\n");
    let outcome = place.run(&format!("{TRAIN} -v --config run.toml --batch-size 3 --epochs 1 --out run")).fine();
    outcome.printed(&[
        "  clip                 2.0                          config file",
        "  batch_size           3                            flag",
        "  momentum             0.9                          default",
        "epoch 1 step 2/3 ",
        "epoch 1 step 3/3 ",
    ]);
    place.run(&format!("{TRAIN} -v -q")).refused(&["--quiet"]);
}

#[test]
fn messages_are_colored_on_request_alone() {
    let place = Place::new();
    let refused = |line: &str, variable: &str| place.run_with(line, &[("NO_COLOR", variable)]).stderr;
    let line = "eval nowhere";
    assert!(refused(&format!("--color always {line}"), "1").starts_with("\u{1b}[1;31merror:\u{1b}[0m "), "asked for");
    for plain in ["", "--color never ", "--color auto "] {
        assert!(refused(&format!("{plain}{line}"), "").starts_with("error: "), "not in a terminal: {plain}");
    }
    place.run("--color blue devices").refused(&["auto", "always", "never"]);
    // Escape sequences in a name do not color the output.
    let named = refused("--color always eval \u{1b}[31mred", "");
    assert!(named.contains("\\u{1b}[31mred") && !named.contains("\u{1b}[31m"), "{named}");
}

#[test]
fn a_slip_gets_the_nearest_name() {
    let place = Place::new();
    place.write("slip.toml", "optimizer = \"adamm\"\n");
    place.write("key.toml", "optimiser = \"adam\"\n");
    let sweep = |name: &str, task: &str, base: &str, rates: &str| {
        place.write(name, format!("task = \"{task}\"\n[{base}]\nmodel = \"cnn\"\n[grid]\n{rates}\n"));
    };
    sweep("value.toml", "classify", "base", "optimizer = [\"sgd\", \"adamm\"]");
    sweep("preset.toml", "classify", "base", "augment = [\"lightly\"]");
    sweep("task.toml", "classif", "base", "lr = [0.1]");
    sweep("part.toml", "classify", "bas", "lr = [0.1]");
    sweep("good.toml", "classify", "base", "lr = [0.1]");
    for (line, meant) in [
        ("train classify --optimizer adamm", "'adam'"),
        ("train classify --optimize adam", "'--optimizer'"),
        ("train classif", "'classify'"),
        ("trai classify", "'train'"),
        ("train classify --config slip.toml", "did you mean `adam`?"),
        ("train classify --config key.toml", "did you mean `optimizer`?"),
        ("summary resnet81", "did you mean `resnet18`?"),
        ("train classify --augment lightly", "did you mean `light`?"),
        ("train classify --normalize imagnet", "did you mean `imagenet`?"),
        ("sweep value.toml --out table", "did you mean `adam`?"),
        ("sweep preset.toml --out table", "did you mean `light`?"),
        ("sweep task.toml --out table", "did you mean `classify`?"),
        ("sweep part.toml --out table", "did you mean `base`?"),
        ("sweep good.toml --out table --set optimizer=adamm", "did you mean `adam`?"),
        ("sweep good.toml --out table --set optimizer=", "expected KEY=VALUE"),
    ] {
        place.run(line).refused(&[meant]);
    }
}

#[test]
fn a_missing_task_is_asked_for_by_name() {
    let outcome = Place::new().run("train --data photos --epochs 2");
    outcome.refused(&[
        "`train` needs a task before its flags",
        "classify ",
        "segment ",
        "train classify --data photos --epochs 2",
    ]);
}

/// Words with blanks are quoted.
#[cfg(unix)]
#[test]
fn the_command_with_a_task_can_be_pasted() {
    let place = Place::new();
    let named = place.run_in_shell("", "train --data 'my photos' --epochs 2");
    named.refused(&["shadegrad train classify --data 'my photos' --epochs 2"]);
    place.folder("photos");
    let named = place.run_in_shell("", "train photos --out 'my run'");
    named.refused(&["shadegrad train classify --data photos --out 'my run'"]);
}

#[test]
fn completions_and_manual_pages_cover_every_task() {
    let place = Place::new();
    let bash = place.run("completions bash").fine();
    bash.printed(&["_shadegrad()", "shadegrad__subcmd__train", "--image-size", "--halving"]);
    place.run("man --out pages").fine();
    let page = |name: &str| std::fs::read_to_string(place.path(&format!("pages/{name}.1"))).expect("a page");
    for task in shadegrad::tasks::tasks() {
        let page = page(&format!("shadegrad-train-{}", task.name()));
        let flag = |key: &str| format!("\\-\\-{}", key.replace('_', "\\-"));
        let missing: Vec<_> = task.settings().iter().filter(|setting| !page.contains(&flag(setting.key))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    assert!(page("shadegrad").contains("doctor"));
    place.run("man --out pages").refused(&["exists already"]);
}

#[test]
fn help_names_every_setting() {
    let place = Place::new();
    let flags = "--data --model --epochs --batch-size --optimizer --lr --momentum --weight-decay --clip \
        --label-smoothing --normalize --image-size --stem --val-split --seed --device --out --init --shuffle \
        --config --skip-bad";
    place.run("train classify --help").fine().printed(&flags.split_whitespace().collect::<Vec<_>>());
    place.run("--help").fine().printed(&["train", "eval", "predict", "devices", "plan"]);
    // A summary chooses nothing from data.
    place.run("summary -h").fine().printed(&["first level of unet [default: 64]"]);
    place.run("train segment --help").fine().printed(&["[default: chosen with --data, else 64]"]);
}

/// `shadegrad … | head -1` ends without a message, with the exit code of a process that SIGPIPE ends.
#[test]
fn a_closed_output_pipe_ends_quietly() {
    let place = Place::new();
    let mut child = place.start("plan resnet18");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(141), ""));
}

/// Slips of a first day: each error says what was meant.
#[test]
fn a_slip_in_order_or_folder_gets_the_line_that_was_meant() {
    let place = Place::with_photos(2);
    for run in ["runs/a", "runs/b"] {
        place.folder(run);
        place.write(&format!("{run}/config.toml"), "epochs = 2\n");
    }
    place.folder("empty");
    place.write("other.toml", "# To repeat it: shadegrad train classify --config THIS_FILE\n\nmixup = 0.2\n");
    for (line, parts) in [
        ("classify --data photos --epochs 2", vec!["shadegrad train classify --data photos --epochs 2"]),
        ("--data photos train classify", vec!["--data: flags stand after", "shadegrad train classify --data photos"]),
        ("train --epochs 3 classify --data x", vec!["shadegrad train classify --epochs 3 --data x"]),
        ("data check photos", vec!["multi-label", "shadegrad data check --task classify photos"]),
        ("data check", vec!["shadegrad data check --task classify FOLDER"]),
        ("train classify --data phots", vec!["phots: no such file", "did you mean `photos`?"]),
        ("train classify --config others.toml", vec!["others.toml", "did you mean `other.toml`?"]),
        ("eval runs", vec!["runs is not a run folder", "name a run in it: runs/a or runs/b"]),
        ("eval empty", vec!["empty is not a run folder", "name the folder that a training wrote"]),
        ("eval runs/c", vec!["cannot read runs/c"]),
        ("predict photos runs/a", vec!["runs/a is the run", "shadegrad predict runs/a photos"]),
        ("train segment --config other.toml", vec!["other.toml: has the settings of the task `classify`", "`mixup`"]),
        ("train classify --resume photos", vec!["photos is not a run folder"]),
    ] {
        place.run(line).refused(&parts);
    }
}
